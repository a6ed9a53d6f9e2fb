"""Share rules as linear rules of a problem: minutes of a window become slots of a horizon.

Pure. The selector, the scope and the window are those that the booking check and the report read; only their form
changes. Time already booked never stands in a problem, so every limit here is what is left of it.

A share of what is booked, delivered or charged grows with the plan, whose sessions are all taken to be used: of each
slot that is allocated in scope, this share is added to what is left. The scheduler knows no debt: where such a cap is
over before the plan, or such a floor more than met, the plan is held to its share of what it allocates itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from math import floor

import msgspec

from labshare.domain.agreements import Kind, ShareRule, Term, Where, covers, limit, matches, scope_key
from labshare.domain.projects import AccessClass, Activity
from labshare.domain.timespan import Span
from labshare.scheduler.problem import Rule, Who
from labshare.services.slots import Grid

# A hard floor is never hard in a round: one bad agreement must not leave a nation without a plan. It costs more per
# missing slot than any slot is worth, and the shortfall is shown.
HARD_FLOOR = 10
# The second half of a hard floor's name: what is left to everybody else.
OTHERS = "others"


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One rule, denominator and window that the round touches, as it stands before the plan.

    `part` is the horizon's share of `window`; the minutes counted are those of the running balance. `left_minutes` are
    allocable in scope from now to the end of the window, `inside_minutes` those of them in `part`. A moving base is as
    far as it has come.
    """

    term: Term
    scope_key: str
    window: Span
    part: Span
    base_minutes: int
    matched_minutes: int
    total_minutes: int
    left_minutes: int = 0
    inside_minutes: int = 0


class RuleName(msgspec.Struct, frozen=True):
    """What a linear rule's id says: whose clause it is, for which denominator and window.

    `is_for_others` marks the cap by which a hard floor stays within reach, whoever else is served.
    """

    agreement_id: str
    rule_id: str
    scope_key: str
    window_start: datetime
    is_for_others: bool = False

    def __str__(self) -> str:
        last = (OTHERS,) if self.is_for_others else ()
        return "|".join((self.agreement_id, self.rule_id, self.scope_key, self.window_start.isoformat(), *last))


def read_name(text: str) -> RuleName:
    """The name that `str` of a RuleName gave."""
    agreement_id, rule_id, key, start, *last = text.split("|")
    return RuleName(agreement_id, rule_id, key, datetime.fromisoformat(start), last == [OTHERS])


class Asker(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks for time on an instrument, as the matcher of share rules reads it."""

    organisation_id: str
    access_class: AccessClass
    activity: Activity
    project_code: str = ""
    programme: str = ""
    is_outside: bool = True


def tags_of(asker: Asker, standings: Iterable[Standing]) -> tuple[str, ...]:
    """What the solver is told of a request beside its class and organisation: its activity, and which rules count it or
    keep time from it, as far as that is the same on every instrument.
    """
    same = (each for each in standings if not each.term.rule.who.outside)
    return (asker.activity.value, *_told(asker, same))


def tags_of_place(asker: Asker, standings: Iterable[Standing]) -> tuple[str, ...]:
    """The same for one of its instruments, by rules that count only those who come from outside its host."""
    return _told(asker, (each for each in standings if each.term.rule.who.outside))


def _told(asker: Asker, standings: Iterable[Standing]) -> tuple[str, ...]:
    tags: set[str] = set()
    for standing in standings:
        term = standing.term
        if not matches(term.rule.who, asker):
            tags |= {tag_of_others(term)} if _keeps(standing) else set()
        elif _is_told(term.rule):
            tags.add(tag_of_counted(term))
    return tuple(sorted(tags))


def tag_of_others(term: Term) -> str:
    """Stands on every request that a floor does not count."""
    return f"not {tag_of_counted(term)}"


def tag_of_counted(term: Term) -> str:
    """Stands on every request that a rule counts whose selector the solver has no words for."""
    # A new version or a trial may count others from within the round on, under the same name.
    return f"{term.agreement.id}|{term.rule.id}|{term.version}|{term.spans[0].start:%Y-%m-%dT%H:%M}"


def _is_told(rule: ShareRule) -> bool:
    return rule.who.needs_project or rule.who.outside


def linear_rules(
    standings: Iterable[Standing], places: Sequence[Where], grid: Grid, now: datetime, most_per_slot: int
) -> list[Rule]:
    """The standings as rules of the problem; what cannot bind any plan is left out.

    `places` are the instruments of the round. `most_per_slot` is the highest worth of a slot in it, from which a hard
    floor's penalty is made.
    """
    found: list[Rule] = []
    for standing in standings:
        scope = in_scope(standing.term.rule, standing.scope_key, places)
        if not scope:
            continue
        instruments = scope if len(scope) < len(places) else None
        if standing.term.rule.kind is Kind.CAP:
            found += _cap(standing, grid, instruments)
        else:
            found += _floor(standing, grid, instruments, most_per_slot)
            found += _cap_on_others(standing, grid, instruments, now)
    return found


def in_scope(rule: ShareRule, key: str, places: Iterable[Where]) -> tuple[str, ...]:
    """The instruments among these that count for the rule and belong to this denominator of it."""
    return tuple(at.instrument_id for at in places if covers(rule.where, at) and scope_key(rule, at) == key)


def _cap(standing: Standing, grid: Grid, instruments: tuple[str, ...] | None) -> Iterable[Rule]:
    """What is left under the cap: limit - what is booked in the window, inside the horizon or outside it."""
    rule = standing.term.rule
    left = limit(rule, standing.base_minutes) - standing.matched_minutes
    penalty = None if rule.is_hard else (rule.penalty or 0) * grid.slot_minutes
    share = _share_of_plan(rule)
    yield from _capped(standing, grid, instruments, left, who_of(standing.term), penalty, of_allocated=share)


def _cap_on_others(
    standing: Standing, grid: Grid, instruments: tuple[str, ...] | None, now: datetime
) -> Iterable[Rule]:
    """A hard floor stays within reach while base - what others have >= limit; publication will insist on it."""
    rule = standing.term.rule
    if not _keeps(standing) or not _is_kept(rule, standing.part, now):
        return
    others = standing.total_minutes - standing.matched_minutes
    left = standing.base_minutes - limit(rule, standing.base_minutes) - others
    who = Who(tags=(tag_of_others(standing.term),))
    yield from _capped(standing, grid, instruments, left, who, None, is_for_others=True)


def _capped(
    standing: Standing,
    grid: Grid,
    instruments: tuple[str, ...] | None,
    left: Fraction,
    who: Who,
    penalty: int | None,
    *,
    of_allocated: str | None = None,
    is_for_others: bool = False,
) -> Iterable[Rule]:
    # A slot that the window cuts counts whole: rather a slot too few than a minute too many.
    first, last = max(0, grid.last(standing.part.start)), min(grid.horizon, grid.first(standing.part.end))
    slots = max(0, floor(left / grid.slot_minutes))
    if first < last:
        name = str(_name(standing, is_for_others=is_for_others))
        yield Rule(
            id=name,
            kind="cap",
            who=who,
            instruments=instruments,
            window=(first, last),
            slots=slots,
            of_allocated=of_allocated,
            penalty=penalty,
        )


def _floor(standing: Standing, grid: Grid, instruments: tuple[str, ...] | None, most_per_slot: int) -> Iterable[Rule]:
    """A quarter's promise is not owed within one week: the horizon owes its part of what is left of the window."""
    rule = standing.term.rule
    missing = max(Fraction(0), limit(rule, standing.base_minutes) - standing.matched_minutes)
    share = Fraction(standing.inside_minutes, standing.left_minutes) if standing.left_minutes else Fraction(0)
    first, last = max(0, grid.first(standing.part.start)), min(grid.horizon, grid.last(standing.part.end))
    slots = floor(missing * share / grid.slot_minutes)
    penalty = HARD_FLOOR * max(1, most_per_slot) if rule.is_hard else (rule.penalty or 0) * grid.slot_minutes
    of_allocated = _share_of_plan(rule)
    if first < last and (slots or of_allocated):
        name = str(_name(standing))
        yield Rule(
            id=name,
            kind="floor",
            who=who_of(standing.term),
            instruments=instruments,
            window=(first, last),
            slots=slots,
            of_allocated=of_allocated,
            penalty=penalty,
        )


def _share_of_plan(rule: ShareRule) -> str | None:
    """The share of a moving base as the scheduler reads it; of what stands still the plan adds nothing."""
    return str(rule.share) if rule.is_moving and rule.share else None


def who_of(term: Term) -> Who:
    """The selector in the solver's words. Both activities together are no restriction; one is a tag, and so is what the
    solver has no words for.
    """
    rule = term.rule
    if _is_told(rule):
        return Who(tags=(tag_of_counted(term),))
    activities = sorted({each.value for each in rule.who.activity})
    return Who(
        access_class=tuple(each.value for each in rule.who.access_class) or None,
        organisation=rule.who.organisation or None,
        tags=tuple(activities) if len(activities) == 1 else (),
    )


def _keeps(standing: Standing) -> bool:
    return standing.term.rule.kind is Kind.FLOOR and standing.term.rule.is_hard


def _is_kept(rule: ShareRule, part: Span, now: datetime) -> bool:
    """Whether the floor still holds any time of the part: all of it may have been released by now."""
    return rule.release_hours is None or part.end - now > timedelta(hours=rule.release_hours)


def _name(standing: Standing, *, is_for_others: bool = False) -> RuleName:
    return RuleName(*standing.term.key, standing.scope_key, standing.window.start, is_for_others)
