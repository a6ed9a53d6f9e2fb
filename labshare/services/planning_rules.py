"""Share rules as linear rules of a problem: minutes of a window become slots of a horizon.

Pure. The selector, the scope and the window are those that the booking check and the report read; only their form
changes. Time already booked never stands in a problem, so every limit here is what is left of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from fractions import Fraction
from math import floor

import msgspec

from labshare.domain.agreements import Base, Kind, Selector, ShareRule, Term, Where, covers, limit, scope_key
from labshare.domain.timespan import Span
from labshare.scheduler.problem import Rule, Who
from labshare.services.planning import Grid

STANDING = frozenset({Base.OPEN, Base.ALLOCABLE})
# A hard floor is never hard in a round: one bad agreement must not leave a nation without a plan. It costs more per
# missing slot than any slot is worth, and the shortfall is shown.
HARD_FLOOR = 10


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One rule, denominator and window that the round touches, as it stands before the plan.

    `part` is the horizon's share of `window`. `base_minutes` and `matched_minutes` are those of the running balance.
    `left_minutes` are allocable in scope from now to the end of the window, `inside_minutes` those of them in `part`;
    `offered_minutes` are what the round offers in scope.
    """

    term: Term
    scope_key: str
    window: Span
    part: Span
    base_minutes: int
    matched_minutes: int
    left_minutes: int
    inside_minutes: int
    offered_minutes: int


class RuleName(msgspec.Struct, frozen=True):
    """What a linear rule's id says: whose clause it is, for which denominator and window."""

    agreement_id: str
    rule_id: str
    scope_key: str
    window_start: datetime


def name_of(standing: Standing) -> str:
    return "|".join((*standing.term.key, standing.scope_key, standing.window.start.isoformat()))


def read_name(rule_id: str) -> RuleName:
    agreement_id, clause, scope_key, start = rule_id.split("|")
    return RuleName(agreement_id, clause, scope_key, datetime.fromisoformat(start))


def linear_rules(standings: Iterable[Standing], places: Sequence[Where], grid: Grid, most_per_slot: int) -> list[Rule]:
    """The standings as rules of the problem; one that cannot bind any plan is left out.

    `places` are the instruments of the round. `most_per_slot` is the highest worth of a slot in it, from which a hard
    floor's penalty is made.
    """
    return [rule for each in standings if (rule := _linear(each, places, grid, most_per_slot)) is not None]


def in_scope(standing: Standing, places: Iterable[Where]) -> tuple[str, ...]:
    """The instruments among these that count for the rule and belong to its denominator."""
    rule = standing.term.rule
    return tuple(
        at.instrument_id for at in places if covers(rule.where, at) and scope_key(rule, at) == standing.scope_key
    )


def _linear(standing: Standing, places: Sequence[Where], grid: Grid, most_per_slot: int) -> Rule | None:
    rule = standing.term.rule
    slots = _slots(standing, grid)
    share = _share_of_plan(rule)
    window = _window(standing, grid)
    scope = in_scope(standing, places)
    if window is None or not scope or (rule.kind is Kind.FLOOR and slots == 0 and share is None):
        return None
    return Rule(
        id=name_of(standing),
        kind="cap" if rule.kind is Kind.CAP else "floor",
        who=who_of(rule.who),
        instruments=scope if len(scope) < len(places) else None,
        window=window,
        slots=slots,
        of_allocated=share,
        penalty=_penalty(rule, grid, most_per_slot),
    )


def who_of(selector: Selector) -> Who:
    """The selector in the solver's words. Both activities together are no restriction; one is a tag."""
    return Who(
        access_class=tuple(each.value for each in selector.access_class) or None,
        organisation=selector.organisation or None,
        tags=(selector.activity[0].value,) if len(set(selector.activity)) == 1 else (),
    )


def _slots(standing: Standing, grid: Grid) -> int:
    rule = standing.term.rule
    if rule.share is not None and rule.base is Base.OFFERED:
        return floor(rule.share * standing.offered_minutes / grid.slot_minutes)
    if rule.share is not None and rule.base not in STANDING:
        return 0
    left = max(Fraction(0), limit(rule, standing.base_minutes) - standing.matched_minutes)
    if rule.kind is Kind.FLOOR:
        # A quarter's promise is not owed within one week: the horizon owes its part of what is left of the window.
        left = left * standing.inside_minutes / standing.left_minutes if standing.left_minutes else Fraction(0)
    return floor(left / grid.slot_minutes)


def _share_of_plan(rule: ShareRule) -> str | None:
    """A share of what is booked, delivered or charged binds inside the plan: a share of what the plan allocates."""
    if rule.share is None or rule.base in STANDING or rule.base is Base.OFFERED:
        return None
    return f"{rule.share.numerator}/{rule.share.denominator}"


def _window(standing: Standing, grid: Grid) -> tuple[int, int] | None:
    """Slots of the horizon inside the rule's window. A cap counts a slot that the window cuts, a floor does not."""
    start, end = standing.part.start, standing.part.end
    if standing.term.rule.kind is Kind.CAP:
        first, last = grid.last(start), grid.first(end)
    else:
        first, last = grid.first(start), grid.last(end)
    first, last = max(0, first), min(grid.horizon, last)
    return (first, last) if first < last else None


def _penalty(rule: ShareRule, grid: Grid, most_per_slot: int) -> int | None:
    if not rule.is_hard:
        return (rule.penalty or 0) * grid.slot_minutes
    return None if rule.kind is Kind.CAP else HARD_FLOOR * max(1, most_per_slot)
