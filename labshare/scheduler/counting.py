"""How rules count, for the solver's side: who matches, what is in scope, what is demanded.

The checker does not read this file; it counts again in its own words.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from labshare.scheduler.places import Run, in_scope, inside, merged_starts
from labshare.scheduler.problem import FixedRow, Option, Problem, Request, Rule, Span, Who

# What a session adds to a rule: the rule's position in the problem, slots used, slots allocated.
Weight = tuple[int, int, int]


def matches(who: Who, row: Request | FixedRow, option_tags: tuple[str, ...] = ()) -> bool:
    """Does `who` mean this request (on an option with these tags) or this fixed row?"""
    return _is_named(who, row) and all(tag in row.tags or tag in option_tags for tag in who.tags)


def _is_named(who: Who, row: Request | FixedRow) -> bool:
    """Does `who` mean this row, its tags apart?"""
    return (
        (who.access_class is None or row.access_class in who.access_class)
        and (who.organisation is None or row.organisation in who.organisation)
        and (who.person is None or row.person in who.person)
        and (who.family is None or row.family in who.family)
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

    def missed(self, used: int, allocated: int) -> int:
        """Whole slots by which the rule is missed with these slots used and allocated."""
        share, whole = self._share
        if self.rule.kind == "cap":
            return max(0, used - self.rule.slots - share * allocated // whole)
        due = self.rule.slots - (-share * allocated // whole)
        return max(0, min(due, self.demand) - used)

    @cached_property
    def _share(self) -> tuple[int, int]:
        return self.rule.share.as_integer_ratio()


def count(problem: Problem, rule: Rule) -> RuleCount:
    scope = frozenset(instrument.id for instrument in problem.instruments if in_scope(rule, instrument))
    rows = [row for row in problem.fixed if rule.count_fixed and row.instrument in scope]
    used = sum(inside(rule.window, row.start, row.end) for row in rows if matches(rule.who, row))
    allocated = sum(inside(rule.window, row.start, row.end) for row in rows)
    wanted = sum(_most_slots(rule, request, scope) for request in problem.requests) if rule.kind == "floor" else 0
    return RuleCount(rule, scope, used, allocated, wanted + used)


class Weigher:
    """What sessions add to the rules of one problem, looked up once for each kind of option."""

    def __init__(self, problem: Problem) -> None:
        self.counts = [count(problem, rule) for rule in problem.rules]
        self._on = {
            instrument.id: [k for k, counted in enumerate(self.counts) if instrument.id in counted.scope]
            for instrument in problem.instruments
        }
        self._read: dict[tuple[str, str, tuple[str, ...]], list[tuple[int, bool, Span | None]]] = {}

    def weights(self, run: Run, start: int) -> list[Weight]:
        """For each rule that a session of this run at `start` adds to: its position, slots used, slots allocated."""
        end = start + run.slots
        parts = [(k, is_used, inside(window, start, end)) for k, is_used, window in self._rules_of(run)]
        return [(k, slots if is_used else 0, slots) for k, is_used, slots in parts if slots]

    def _rules_of(self, run: Run) -> list[tuple[int, bool, Span | None]]:
        """The rules that read sessions of this option, whether each counts them as used, and its window."""
        key = run.request.id, run.instrument, run.option.tags
        if key not in self._read:
            rules = [(k, self.counts[k].rule) for k in self._on[run.instrument]]
            used = [(k, matches(rule.who, run.request, run.option.tags), rule) for k, rule in rules]
            self._read[key] = [(k, counts, rule.window) for k, counts, rule in used if counts or rule.of_allocated]
        return self._read[key]


def _most_slots(rule: Rule, request: Request, scope: frozenset[str]) -> int:
    """The most slots that the request could give the rule, going by the starts it offers."""
    if not _is_named(rule.who, request):
        return 0
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
