"""Where a share rule stands in one window, and how much of it each reader may be shown.

A party to an agreement sees its own minutes to the minute. What others did under the same rule is theirs: a rule that
counts them too is shown to a partner rounded to steps of its limit, and only while at least three others are counted,
so that nobody can subtract their way to one rival. With fewer, the partner reads its own minutes and whether the rule
holds. Those who answer for the time (the centre, the user office) see every figure. A share of what everybody booked,
had delivered or was charged tells with its limit what others took: where others did, a partner reads its own minutes
and whether the rule holds.

What must not live here: the meaning of rules (agreements.py) or the counting itself (services/counting.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import StrEnum
from fractions import Fraction
from typing import Protocol

import msgspec

from labshare.domain.agreements import (
    WARN_AT,
    Counter,
    Kind,
    Measure,
    ShareRule,
    Usage,
    Who,
    matches,
    measure,
    rule_windows,
)
from labshare.domain.bases import Minutes, taken
from labshare.domain.disclosure import MIN_PARTIES
from labshare.domain.timespan import MINUTE, Span
from labshare.domain.windows import Window

# The steps in which a shared figure is told, in percent of the limit.
STEP_PERCENT = 5


class ShareState(StrEnum):
    """Where a rule stands. A cap is kept, near (80 % taken, R02) or over; a floor is met, behind or out of reach."""

    KEPT = "kept"
    NEAR = "near"
    OVER = "over"
    MET = "met"
    BEHIND = "behind"
    OUT_OF_REACH = "out_of_reach"


class Share(Who, Minutes, Protocol):
    """Counted minutes of those who have organisation, access class and activity in common. A masked organisation has
    no id, and a number that tells it from others instead.
    """

    @property
    def rival(self) -> int | None: ...


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A rule in one window and for one denominator: everybody's minutes, and those of the reader's organisations.

    `other_parties` is how many other organisations the rule counted, a moving base those whom it does not count as
    well; `others_minutes` is what those whom a floor does not count have taken of its base. `delivered` is the part of
    `used` that usage records prove; None where that was not counted.
    """

    counter: Counter
    usage: Usage
    own: Usage
    delivered: int | None
    own_delivered: int
    other_parties: int
    others_minutes: int

    @property
    def rule(self) -> ShareRule:
        return self.counter.term.rule

    @property
    def measure(self) -> Measure:
        return measure(self.rule, self.usage)

    @property
    def state(self) -> ShareState:
        return self.state_of(self.measure)

    def state_of(self, found: Measure) -> ShareState:
        """The state of a measure that is at hand."""
        if self.rule.kind is Kind.CAP:
            if found.is_broken:
                return ShareState.OVER
            # In whole numbers, as reports tell a thousand rules at once.
            taken, bound = found.used + found.committed, found.limit
            is_near = taken * bound.denominator * WARN_AT.denominator >= bound.numerator * WARN_AT.numerator
            return ShareState.NEAR if is_near else ShareState.KEPT
        if not found.is_broken:
            return ShareState.MET
        is_lost = not self.rule.is_moving and self.usage.base_minutes - self.others_minutes < found.limit
        return ShareState.OUT_OF_REACH if is_lost else ShareState.BEHIND


def standing(counter: Counter, base_minutes: int, shares: Iterable[Share], own: Collection[str]) -> Standing:
    """Add up what the rule counts. `shares` are those inside the counter's denominator and window; `own` are the
    organisations for which the reader speaks.
    """
    rule = counter.term.rule
    everybody, mine = [0, 0, 0, 0], [0, 0, 0, 0]
    others: set[str | int | None] = set()
    others_minutes = 0
    for share in shares:
        is_matched, is_own, counts = matches(rule.who, share), share.organisation_id in own, taken(rule.base, share)
        if not is_own and (is_matched or (rule.is_moving and counts.used + counts.committed)):
            others.add(share.organisation_id or share.rival)
        if not is_matched:
            others_minutes += counts.used + counts.committed
            continue
        for sums in (everybody, mine) if is_own else (everybody,):
            for place, minutes in enumerate((*counts, share.delivered)):
                sums[place] += minutes
    return Standing(
        counter=counter,
        usage=_usage(base_minutes, everybody),
        own=_usage(base_minutes, mine),
        delivered=everybody[3],
        own_delivered=mine[3],
        other_parties=len(others),
        others_minutes=others_minutes,
    )


def of_balance(counter: Counter, usage: Usage, others_minutes: int) -> Standing:
    """A standing as its balance tells it: who was counted is not known, nor what of it was delivered."""
    return Standing(
        counter=counter,
        usage=usage,
        own=Usage(base_minutes=usage.base_minutes),
        delivered=None,
        own_delivered=0,
        other_parties=0,
        others_minutes=others_minutes,
    )


def _usage(base_minutes: int, sums: Collection[int]) -> Usage:
    used, committed, firm, _ = sums
    return Usage(base_minutes=base_minutes, used=used, committed=committed, firm=firm)


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A standing as one reader may see it.

    `measure` and (where it was counted) `delivered` are there for those who may see every figure; `about` is the
    counted part of the limit in steps of 5 %, for a party among at least three others. `own` and `own_delivered` are
    always exact. `base_minutes` and `limit` are missing where they would tell what others took. `before` is the part of
    its limit to which the window before came, where that was asked for: the trend.
    """

    agreement_id: str
    title_vi: str
    title_en: str
    version: int
    rule: ShareRule
    scope_key: str
    window: Span
    base_minutes: int | None
    limit: Fraction | None
    state: ShareState
    own: Usage
    own_delivered: int
    measure: Measure | None = None
    delivered: int | None = None
    about: Fraction | None = None
    before: Fraction | None = None


def part_of(shown: Shown) -> Fraction | None:
    """What part of its limit a window that is over came to, as far as the reader may know: exactly, or in steps."""
    if shown.measure is None:
        return shown.about
    return shown.measure.used / shown.measure.limit if shown.measure.limit else None


def preceding(counter: Counter) -> Counter | None:
    """The same rule and denominator in the window just before; None where the rule was not in force or is a round's."""
    start = counter.window.start
    if counter.term.rule.window is Window.ROUND:
        return None
    windows = rule_windows(counter.term, Span(start - MINUTE, start))
    return next((msgspec.structs.replace(counter, window=window) for window, _ in windows), None)


def shown(standing: Standing, *, sees_all: bool, least: int = MIN_PARTIES) -> Shown:
    """What a reader is told. A rule that counts nobody but the reader's own organisations is told whole to them.

    `least` is of how many others a sum must be, where an agreement asks for more than the house does (R23).
    """
    term, found = standing.counter.term, standing.measure
    is_whole = sees_all or standing.other_parties == 0
    is_told = is_whole or not standing.rule.is_moving
    is_stepped = is_told and not is_whole and standing.other_parties >= least
    return Shown(
        agreement_id=term.agreement.id,
        title_vi=term.agreement.title_vi,
        title_en=term.agreement.title_en,
        version=term.version,
        rule=term.rule,
        scope_key=standing.counter.scope_key,
        window=standing.counter.window,
        base_minutes=found.base_minutes if is_told else None,
        limit=found.limit if is_told else None,
        state=standing.state_of(found),
        own=standing.own,
        own_delivered=standing.own_delivered,
        measure=found if is_whole else None,
        delivered=standing.delivered if is_whole else None,
        about=_stepped(_taken(standing), found.limit) if is_stepped else None,
    )


def _taken(standing: Standing) -> int:
    """The minutes that count: everything for a cap, what is firm for a floor."""
    usage = standing.usage
    return usage.used + (usage.committed if standing.rule.kind is Kind.CAP else usage.firm)


def _stepped(minutes: int, bound: Fraction) -> Fraction | None:
    if not bound:
        return None
    steps = round(minutes / bound * 100 / STEP_PERCENT)
    return Fraction(steps * STEP_PERCENT, 100)
