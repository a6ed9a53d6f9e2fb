"""How rules count, for the solver's side: who matches, what is in scope, what is demanded.

The checker does not read this file; it counts again in its own words.
"""

from __future__ import annotations

from dataclasses import dataclass

from labshare.scheduler.places import Run, in_scope, inside, merged_starts
from labshare.scheduler.problem import FixedRow, Option, Problem, Request, Rule, Who


def matches(who: Who, row: Request | FixedRow, option_tags: tuple[str, ...] = ()) -> bool:
    """Does `who` mean this request (on an option with these tags) or this fixed row?"""
    return (
        (who.access_class is None or row.access_class in who.access_class)
        and (who.organisation is None or row.organisation in who.organisation)
        and (who.person is None or row.person in who.person)
        and (who.family is None or row.family in who.family)
        and all(tag in row.tags or tag in option_tags for tag in who.tags)
    )


@dataclass(frozen=True)
class RuleCount:
    """One rule over one problem: the constants, and what a session adds."""

    rule: Rule
    scope: frozenset[str]
    fixed_used: int
    fixed_allocated: int
    demand: int

    def counts(self, request: Request, option: Option) -> bool:
        return option.instrument in self.scope and matches(self.rule.who, request, option.tags)

    def used_by(self, run: Run) -> int:
        """Slots that a session in this run adds to what the rule counts."""
        return self.allocated_by(run) if self.counts(run.request, run.option) else 0

    def allocated_by(self, run: Run) -> int:
        """Slots that a session in this run adds to what the rule's share is a share of."""
        return inside(self.rule.window, run.first, run.first + run.slots) if run.instrument in self.scope else 0


def count(problem: Problem, rule: Rule) -> RuleCount:
    scope = frozenset(instrument.id for instrument in problem.instruments if in_scope(rule, instrument))
    rows = [row for row in problem.fixed if rule.count_fixed and row.instrument in scope]
    used = sum(inside(rule.window, row.start, row.end) for row in rows if matches(rule.who, row))
    allocated = sum(inside(rule.window, row.start, row.end) for row in rows)
    wanted = sum(_most_slots(rule, request, scope) for request in problem.requests) if rule.kind == "floor" else 0
    return RuleCount(rule, scope, used, allocated, wanted + used)


def _most_slots(rule: Rule, request: Request, scope: frozenset[str]) -> int:
    """The most slots that the request could give the rule, going by the starts it offers."""
    return max(
        (
            _most_inside(rule, request.slots_on(option), first, last)
            for option in request.options
            if option.instrument in scope and matches(rule.who, request, option.tags)
            for first, last in merged_starts(option)
        ),
        default=0,
    )


def _most_inside(rule: Rule, slots: int, first: int, last: int) -> int:
    """The overlap with the window rises, stays and falls with the start: its best is at an end or where both begin."""
    middle = min(max(rule.window[0], first), last) if rule.window else first
    return max(inside(rule.window, start, start + slots) for start in (first, middle, last))
