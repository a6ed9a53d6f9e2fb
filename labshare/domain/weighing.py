"""What a change of bookings does to the balances of share rules, when a hard rule refuses it, and when a share of what
moves warns of it.

What must not live here: the rules' own meaning (agreements.py), or locking and writing balances (store/agreements.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import IntEnum

import msgspec

from labshare.domain.agreements import (
    Balance,
    BalanceKey,
    Counter,
    Kind,
    ShareRule,
    Term,
    Use,
    covers,
    limit,
    matches,
    rule_windows,
    scope_key,
)
from labshare.domain.balance_days import minutes_of, spread
from labshare.domain.timespan import Span
from labshare.domain.windows import Window
from labshare.errors import Param, Refusal


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """What a change does to one balance, in minutes.

    `bound` is the part of the added minutes of others that a floor may refuse, as it begins later than the floor's
    release; `bound_from` is when the earliest of it begins. `freed` is the like part of what is taken out. `days` are
    the matched minutes by the day of UTC on which they lie.
    """

    counter: Counter
    matched: int
    total: int
    bound: int = 0
    freed: int = 0
    bound_from: datetime | None = None
    days: dict[int, int] = {}


class _Tally:
    """Minutes added up for one balance while a change is looked at."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter
        self.matched = self.total = self.bound = self.freed = 0
        self.bound_from: datetime | None = None
        self.days: defaultdict[int, int] = defaultdict(int)

    def shift(self) -> Shift:
        return Shift(
            counter=self.counter,
            matched=self.matched,
            total=self.total,
            bound=self.bound,
            freed=self.freed,
            bound_from=self.bound_from,
            days=dict(self.days),
        )


def shifts(terms: Iterable[Term], added: Sequence[Use], removed: Sequence[Use], now: datetime) -> list[Shift]:
    """What adding and removing these uses does to every balance they touch, in the order in which balances lock."""
    tallies: dict[BalanceKey, _Tally] = {}
    for term in terms:
        for use in added:
            _count(tallies, term, use, 1, now)
        for use in removed:
            _count(tallies, term, use, -1, now)
    return [tallies[key].shift() for key in sorted(tallies)]


def _count(tallies: dict[BalanceKey, _Tally], term: Term, use: Use, sign: int, now: datetime) -> None:
    rule = term.rule
    if not covers(rule.where, use):
        return
    is_matched = matches(rule.who, use)
    if not (is_matched or rule.counts_all):
        return
    for window, part in rule_windows(term, use.span):
        counter = Counter(term=term, scope_key=scope_key(rule, use), window=window)
        tally = tallies.setdefault(counter.key, _Tally(counter))
        tally.total += sign * part.minutes
        if is_matched:
            tally.matched += sign * part.minutes
            spread(tally.days, *minutes_of(part), sign)
        elif is_kept(rule, use.span, now):
            _bind(tally, part.minutes, use.span.start, sign)


def _bind(tally: _Tally, minutes: int, starts_at: datetime, sign: int) -> None:
    if sign < 0:
        tally.freed += minutes
        return
    tally.bound += minutes
    tally.bound_from = min(tally.bound_from or starts_at, starts_at)


def summed(one: Shift | None, other: Shift) -> Shift:
    """What two changes do together to one balance; none for the first is no change."""
    if one is None:
        return other
    days = defaultdict(int, one.days)
    for day, minutes in other.days.items():
        days[day] += minutes
    return Shift(
        counter=other.counter,
        matched=one.matched + other.matched,
        total=one.total + other.total,
        bound=one.bound + other.bound,
        freed=one.freed + other.freed,
        bound_from=min(filter(None, (one.bound_from, other.bound_from)), default=None),
        days=dict(days),
    )


def is_kept(rule: ShareRule, span: Span, now: datetime) -> bool:
    """Whether a floor still holds the time that begins with this span: its release has not come yet."""
    return rule.release_hours is None or span.start - now > timedelta(hours=rule.release_hours)


def refuses(shift: Shift, balance: Balance) -> bool:
    """Whether a hard rule forbids this change of its balance. Old minutes of a move have been taken out of the shift.

    A cap holds while matched + wish <= limit. Another party's floor stays reachable while base - (what others have +
    wish) >= limit. A change that takes nothing more is never refused, even where the rule is broken already.
    """
    rule = shift.counter.term.rule
    if not rule.is_hard:
        return False
    bound = limit(rule, balance.base_minutes)
    if rule.kind is Kind.CAP:
        return shift.matched > 0 and balance.matched_minutes + shift.matched > bound
    others = balance.total_minutes - balance.matched_minutes + shift.total - shift.matched
    return shift.bound > shift.freed and balance.base_minutes - others < bound


def burdens(shift: Shift) -> bool:
    """Whether a change by itself takes of what the rule of its balance limits."""
    if shift.counter.term.rule.kind is Kind.CAP:
        return shift.matched > 0
    return shift.bound > shift.freed


def warns(shift: Shift, balance: Balance) -> bool:
    """Whether a share of what is booked, delivered or charged does not hold once this change is counted in `balance`.

    Such a rule never refuses: the first booking of a window is all that is booked in it. It warns those whose booking
    takes a cap over its share, or keeps a floor below it for others.
    """
    bound = limit(shift.counter.term.rule, balance.base_minutes)
    if shift.counter.term.rule.kind is Kind.CAP:
        return shift.matched > 0 and balance.matched_minutes > bound
    return shift.total > shift.matched and balance.matched_minutes < bound


def told_once(shifts: Iterable[Shift]) -> list[Shift]:
    """These shifts, of rolling windows of one clause and denominator only the last: they all say the same."""
    found: dict[tuple[object, ...], Shift] = {}
    for shift in shifts:
        term = shift.counter.term
        start = None if term.rule.window is Window.ROLLING else shift.counter.window.start
        found[(term.key, shift.counter.scope_key, start)] = shift
    return list(found.values())


class Insight(IntEnum):
    """How much of a rule somebody who is refused or warned may know."""

    NOTHING = 0  # that some agreement is in the way, and until when
    CLAUSE = 1  # which agreement and which of its rules
    FIGURES = 2  # and how much is left, which tells what everybody else has taken


def refusal(shift: Shift, balance: Balance, insight: Insight) -> Refusal:
    """The rule's no, in as many words as the reader may have.

    `until` is when time frees up: the next window, or the release of the time that a floor keeps. Without insight it
    is all that is said: never for whom the time is kept.
    """
    params: dict[str, Param] = {"until": _frees_at(shift).isoformat()}
    is_cap = shift.counter.term.rule.kind is Kind.CAP
    if insight is Insight.NOTHING:
        if is_cap:
            return Refusal(code="agreement_cap_private", params=params)
        return Refusal(code="agreement_floor_private", params=params)
    params |= _clause(shift)
    if insight is Insight.CLAUSE:
        if is_cap:
            return Refusal(code="agreement_cap_clause", params=params)
        return Refusal(code="agreement_floor_clause", params=params)
    params |= _figures(shift, balance)
    return Refusal(code="agreement_cap", params=params) if is_cap else Refusal(code="agreement_floor", params=params)


def warning(shift: Shift, balance: Balance, insight: Insight) -> Refusal:
    """What is said beside a booking that stands, of a share that does not hold, in as many words as one may have."""
    if insight is Insight.NOTHING:
        return Refusal(code="agreement_share_warning_private")
    if insight is Insight.CLAUSE:
        return Refusal(code="agreement_share_warning_clause", params=_clause(shift))
    rule = shift.counter.term.rule
    figures: dict[str, Param] = {
        "base": rule.base.value,
        "limit_minutes": limit(rule, balance.base_minutes).__floor__(),
        "taken_minutes": balance.matched_minutes,
        "base_minutes": balance.base_minutes,
    }
    return Refusal(code="agreement_share_warning", params=_clause(shift) | figures)


def _clause(shift: Shift) -> dict[str, Param]:
    term = shift.counter.term
    return {
        "agreement": term.agreement.id,
        "rule": term.rule.id,
        "sentence_vi": term.rule.sentence_vi,
        "sentence_en": term.rule.sentence_en,
        "window": term.rule.window.value,
    }


def _figures(shift: Shift, balance: Balance) -> dict[str, Param]:
    rule = shift.counter.term.rule
    bound = limit(rule, balance.base_minutes)
    others = balance.total_minutes - balance.matched_minutes
    left = bound - balance.matched_minutes if rule.kind is Kind.CAP else balance.base_minutes - others - bound
    wish = shift.matched if rule.kind is Kind.CAP else shift.total - shift.matched
    # Rounded down: what is shown as left can really be had.
    return {
        "limit_minutes": bound.__floor__(),
        "left_minutes": max(0, left.__floor__()),
        "wish_minutes": wish,
    }


def _frees_at(shift: Shift) -> datetime:
    rule = shift.counter.term.rule
    if rule.kind is Kind.FLOOR and rule.release_hours is not None and shift.bound_from is not None:
        return shift.bound_from - timedelta(hours=rule.release_hours)
    return shift.counter.window.end
