"""How rules count, for the solver's side: who matches, what is in scope, what is demanded.

The checker does not read this file; it counts again in its own words.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter

from labshare.scheduler.places import Run, in_scope, inside
from labshare.scheduler.problem import FixedRow, Option, Problem, Request, Rule, Span, Who

# What a session adds to a rule: the rule's position in the problem, slots used, slots allocated.
Weight = tuple[int, int, int]


def matches(who: Who, row: Request | FixedRow, option_tags: tuple[str, ...] = ()) -> bool:
    """Does `who` mean this request (on an option with these tags) or this fixed row?"""
    return _is_named(who, row) and _has_tags(who, row, option_tags)


def _has_tags(who: Who, row: Request | FixedRow, option_tags: tuple[str, ...]) -> bool:
    return all(tag in row.tags or tag in option_tags for tag in who.tags)


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
    """One rule of the problem; whoever needs all of them has them quicker from `counts_of`."""
    return _counts(problem, [rule])[0]


def counts_of(problem: Problem) -> list[RuleCount]:
    """Every rule of the problem, in their order."""
    return _counts(problem, problem.rules)


def _counts(problem: Problem, rules: Sequence[Rule]) -> list[RuleCount]:
    scopes = _scopes(problem, rules)
    wanted = _wanted(problem, rules, scopes)
    return [
        _with_fixed(problem, rule, scope, demand) for rule, scope, demand in zip(rules, scopes, wanted, strict=True)
    ]


def _scopes(problem: Problem, rules: Sequence[Rule]) -> list[frozenset[str]]:
    """The instruments that each rule is about; it may name some that a part of a problem leaves out."""
    instruments = {instrument.id: instrument for instrument in problem.instruments}
    everywhere = frozenset(instruments)
    asked = [[instruments[i] for i in rule.instruments or instruments if i in instruments] for rule in rules]
    return [
        everywhere
        if rule.centres is None and rule.instruments is None
        else frozenset(instrument.id for instrument in some if in_scope(rule, instrument))
        for rule, some in zip(rules, asked, strict=True)
    ]


def _wanted(problem: Problem, rules: Sequence[Rule], scopes: Sequence[frozenset[str]]) -> list[int]:
    """For each floor the most slots that each request could give it, added up; 0 for a cap."""
    on = _rules_on(problem, scopes)
    named = _Named(rules, kinds=("floor",))
    wanted = [0] * len(rules)
    for request in problem.requests:
        by_request, most = named.rules_of(request), dict[int, int]()
        for option in request.options:
            slots = request.slots_on(option) if option.starts else 0
            for k in by_request & on[option.instrument]:
                who = rules[k].who
                if slots > most.get(k, 0) and (not who.tags or _has_tags(who, request, option.tags)):
                    most[k] = max(most.get(k, 0), _most_inside(rules[k].window, slots, option.starts))
        for k, slots in most.items():
            wanted[k] += slots
    return wanted


def _rules_on(problem: Problem, scopes: Sequence[frozenset[str]]) -> dict[str, frozenset[int]]:
    """The positions of the rules that are about each instrument."""
    return {i.id: frozenset(k for k, scope in enumerate(scopes) if i.id in scope) for i in problem.instruments}


def _with_fixed(problem: Problem, rule: Rule, scope: frozenset[str], wanted: int) -> RuleCount:
    rows = [row for row in problem.fixed if rule.count_fixed and row.instrument in scope]
    used = sum(inside(rule.window, row.start, row.end) for row in rows if matches(rule.who, row))
    allocated = sum(inside(rule.window, row.start, row.end) for row in rows)
    return RuleCount(rule, scope, used, allocated, wanted + used)


class _Named:
    """Which rules mean a request, its tags apart: worked out once for all that agree in what the rules ask about."""

    def __init__(self, rules: Sequence[Rule], kinds: Container[str] = ("cap", "floor")) -> None:
        self._rules = [(k, rule) for k, rule in enumerate(rules) if rule.kind in kinds]
        keys = ("access_class", "organisation", "person", "family")
        asked = [key for key in keys if any(getattr(rule.who, key) is not None for rule in rules)]
        # Where no rule asks about anybody in particular, any of the keys will do.
        self._read = attrgetter(*asked or keys[:1])
        self._known: dict[object, frozenset[int]] = {}

    def rules_of(self, request: Request) -> frozenset[int]:
        """The positions of these rules."""
        key: object = self._read(request)
        if key not in self._known:
            self._known[key] = frozenset(k for k, rule in self._rules if _is_named(rule.who, request))
        return self._known[key]


class Weigher:
    """What sessions add to the rules of one problem, looked up once for each kind of option."""

    def __init__(self, problem: Problem) -> None:
        self.counts = counts_of(problem)
        self._named = _Named(problem.rules)
        self._on = _rules_on(problem, [counted.scope for counted in self.counts])
        self._shares = frozenset(k for k, rule in enumerate(problem.rules) if rule.of_allocated)
        self._read: dict[tuple[str, str, tuple[str, ...]], list[tuple[int, bool, Span | None]]] = {}

    def weights(self, run: Run, start: int) -> list[Weight]:
        """For each rule that a session of this run at `start` adds to: its position, slots used, slots allocated."""
        end = start + run.slots
        parts = [(k, is_used, inside(window, start, end)) for k, is_used, window in self._rules_of(run)]
        return [(k, slots if is_used else 0, slots) for k, is_used, slots in parts if slots]

    def totals(self, weights: Iterable[Weight]) -> tuple[list[int], list[int]]:
        """For each rule the slots used, and those allocated that its share is of, with counted fixed rows."""
        used = [counted.fixed_used for counted in self.counts]
        allocated = [counted.fixed_allocated for counted in self.counts]
        for k, more_used, more_allocated in weights:
            used[k] += more_used
            allocated[k] += more_allocated
        return used, allocated

    def _rules_of(self, run: Run) -> list[tuple[int, bool, Span | None]]:
        """The rules that read sessions of this option, whether each counts them as used, and its window."""
        key = run.request.id, run.instrument, run.option.tags
        if key not in self._read:
            named = self._named.rules_of(run.request)
            rules = [(k, self.counts[k].rule) for k in sorted(self._on[run.instrument] & (named | self._shares))]
            used = [(k, k in named and _has_tags(rule.who, run.request, run.option.tags), rule) for k, rule in rules]
            self._read[key] = [(k, counts, rule.window) for k, counts, rule in used if counts or rule.of_allocated]
        return self._read[key]


def _most_inside(window: Span | None, slots: int, starts: Sequence[Span]) -> int:
    """The overlap with the window rises, stays and falls with the start: its best is at an end or where both begin."""
    if window is None:
        return slots
    return max(
        inside(window, start, start + slots)
        for first, last in starts
        for start in (first, min(max(window[0], first), last), last)
    )
