"""What the agreements' clauses of courtesy say of one wish (R20, R21), a function for each: they stand in RULES beside
the others.

What must not live here: what such a clause is (courtesy.py), or which of them hold (services/clauses.py).
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from labshare.domain.clauses import Conduct
from labshare.domain.courtesy import blocked_until, cut, excesses, lately, refused_prime, refused_prime_of_another
from labshare.domain.timespan import Span
from labshare.errors import Param, Refusal


class Asked(Protocol):
    """A wish."""

    @property
    def span(self) -> Span: ...


class Zoned(Protocol):
    """An instrument, on the clock of its centre."""

    @property
    def timezone(self) -> str: ...


class Known(Protocol):
    """The context of a wish."""

    @property
    def now(self) -> datetime: ...
    @property
    def rules(self) -> Zoned: ...
    @property
    def conducts(self) -> tuple[Conduct, ...]: ...
    @property
    def least_minutes(self) -> int: ...


def prime_time(wish: Asked, context: Known) -> tuple[Refusal, ...]:
    """R20: nobody takes more of the best hours of a day or week than the agreements in force allow one person."""
    zone, refusals = context.rules.timezone, list[Refusal]()
    for conduct in context.conducts:
        prime = conduct.clause.prime
        if prime and (over := excesses(prime, wish.span, conduct.uses, zone, conduct.closed)):
            if not conduct.is_told:
                refusals += [refused_prime_of_another(prime, each) for each in over]
                continue
            kept = cut(prime, wish.span, conduct.uses, zone, conduct.closed)
            is_long_enough = kept is not None and kept.minutes >= context.least_minutes
            refusals += [refused_prime(prime, each, kept.end if kept and is_long_enough else None) for each in over]
    return tuple(refusals)


def not_blocked(wish: Asked, context: Known) -> tuple[Refusal, ...]:
    """R21: who did not come too often waits until they may book again."""
    return tuple(refusal for each in context.conducts if (refusal := blocked(each, context.now)))


def blocked(conduct: Conduct, now: datetime) -> Refusal | None:
    """R21: until when a clause, or the rule of a centre, bars its person; None where it does not."""
    penalties = conduct.clause.penalties
    until = blocked_until(penalties, conduct.strikes, now) if penalties else None
    if penalties is None or until is None:
        return None
    params: dict[str, Param] = {"strikes": penalties.strikes, "until": until.isoformat()}
    if not conduct.reach:
        return Refusal(code="courtesy_blocked", params=params)
    return Refusal(
        code="rule_no_shows",
        params={**params, "within_days": penalties.within_days, "rule_scope": conduct.reach},
    )


def nearly_blocked(conduct: Conduct, now: datetime) -> Refusal | None:
    """R21: what somebody is told whom a clause, or the rule of a centre, does not bar yet, and who has strikes already;
    by a clause that asks for notice some may be for what they gave back too late.
    """
    penalties = conduct.clause.penalties
    if penalties is None or blocked_until(penalties, conduct.strikes, now):
        return None
    if not (taken := len(lately(penalties, conduct.strikes, now))):
        return None
    params: dict[str, Param] = {
        "taken": taken,
        "strikes": penalties.strikes,
        "within_days": penalties.within_days,
        "block_days": penalties.block_days,
    }
    if conduct.reach:
        return Refusal(code="no_shows_so_far", params={**params, "rule_scope": conduct.reach})
    return Refusal(code="courtesy_late_so_far" if penalties.late_cancel else "courtesy_so_far", params=params)
