"""What the checker reads: the sessions beside what they are sessions of, and how each rule counts them.

Part of the checker, so it reads problem.py and plan.py and nothing else of the scheduler.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from math import ceil
from typing import NamedTuple

from labshare.scheduler.plan import Session
from labshare.scheduler.problem import FixedRow, Instrument, Option, Problem, Request, Rule, Span, Who


class Violation(NamedTuple):
    """One thing a plan gets wrong: a code, the path in the plan or the rule's id, and the numbers in plain words."""

    code: str
    where: str
    detail: str

    def __str__(self) -> str:
        return f"{self.where}: {self.code}: {self.detail}"


class Placed(NamedTuple):
    """A session together with what it is a session of."""

    session: Session
    request: Request
    option: Option
    where: str

    @property
    def slots(self) -> int:
        return self.session.end - self.session.start


# Start, end, name, whether it is a session, and family of something that occupies an instrument.
Row = tuple[int, int, str, bool, str | None]


class Case:
    """The problem indexed by id, and the sessions that make sense; `nonsense` holds those that do not."""

    def __init__(self, problem: Problem, sessions: Sequence[Session]) -> None:
        self.problem = problem
        self.requests = {request.id: request for request in problem.requests}
        self.instruments = {instrument.id: instrument for instrument in problem.instruments}
        self.placed: list[Placed] = []
        self.nonsense: list[Violation] = []
        for k, session in enumerate(sessions):
            self._add(session, f"sessions[{k}]")
        self.by_request = {placed.request.id: placed for placed in self.placed}
        self.rows = self._rows()
        self.readings = {rule.id: _read(self, rule) for rule in problem.rules}

    def _rows(self) -> defaultdict[str, list[Row]]:
        rows: defaultdict[str, list[Row]] = defaultdict(list)
        for session, request, _, _ in self.placed:
            rows[session.instrument].append((session.start, session.end, request.id, True, request.family))
        for k, row in enumerate(self.problem.fixed):
            rows[row.instrument].append((row.start, row.end, f"fixed[{k}]", False, row.family))
        return rows

    def _add(self, session: Session, where: str) -> None:
        request = self.requests.get(session.request)
        if request is None:
            self.nonsense.append(Violation("unknown_request", where, f"no request '{session.request}'"))
            return
        for option in request.options:
            offered = any(first <= session.start <= last for first, last in option.starts)
            if option.instrument == session.instrument and offered:
                self.placed.append(Placed(session, request, option, where))
                return
        detail = f"'{request.id}' may not start at {session.start} on '{session.instrument}'"
        self.nonsense.append(Violation("start_not_allowed", where, detail))


# How a rule counts.


class Reading(NamedTuple):
    """A rule's exact limit, what counts towards it, what a floor could at most be given, and whole slots missed."""

    exact: Fraction
    used: int
    demand: int
    miss: int


class _Meant:
    """Whom a rule means, read once: which of the four names it asks about, and the tags."""

    def __init__(self, who: Who) -> None:
        asked = {
            "access_class": who.access_class,
            "organisation": who.organisation,
            "person": who.person,
            "family": who.family,
        }
        self._names = [(name, frozenset(wanted)) for name, wanted in asked.items() if wanted is not None]
        self._tags = set(who.tags)

    def by_name(self, row: Request | FixedRow) -> bool:
        """Does the row have the names asked for? Its tags are for `by_tags`, which depend on the option."""
        return all(getattr(row, name) in wanted for name, wanted in self._names)

    def by_tags(self, row: Request | FixedRow, option_tags: tuple[str, ...]) -> bool:
        return not self._tags or self._tags <= {*row.tags, *option_tags}


def _read(case: Case, rule: Rule) -> Reading:
    scope, meant = {i.id for i in case.problem.instruments if _covers(rule, i)}, _Meant(rule.who)
    used = allocated = counted = 0
    for session, request, option, _ in case.placed:
        if session.instrument in scope:
            slots = _within(rule, session.start, session.end)
            allocated += slots
            if meant.by_name(request) and meant.by_tags(request, option.tags):
                used += slots
    for row in case.problem.fixed:
        if rule.count_fixed and row.instrument in scope:
            slots = _within(rule, row.start, row.end)
            allocated += slots
            if meant.by_name(row) and meant.by_tags(row, ()):
                counted += slots
    used += counted
    exact = rule.slots + Fraction(rule.of_allocated or "0") * allocated
    if rule.kind == "cap":
        return Reading(exact, used, 0, max(0, ceil(used - exact)))
    named = filter(meant.by_name, case.problem.requests)
    demand = counted + sum(_could_give(rule, request, scope, meant) for request in named)
    return Reading(exact, used, demand, max(0, ceil(min(exact, Fraction(demand)) - used)))


def _could_give(rule: Rule, request: Request, scope: set[str], meant: _Meant) -> int:
    """The most slots of the request that a session on an option in scope could have inside the window."""
    best = 0
    for option in request.options:
        if option.instrument in scope and meant.by_tags(request, option.tags):
            length = request.slots if option.slots is None else option.slots
            for first, last in option.starts:
                best = max(best, most_within(rule.window, length, first, last))
    return best


def most_within(window: Span | None, length: int, first: int, last: int) -> int:
    """The most slots inside the window that a session has which starts from `first` to `last`.

    Going through the starts, the slots inside rise until the session begins with the window or ends with it, whichever
    is first; they stay until the other; then they fall. So the start nearest to that first point, from below if need
    be, is among the best.
    """
    if window is None:
        return length
    start = max(first, min(last, window[0], window[1] - length))
    return max(0, min(start + length, window[1]) - max(start, window[0]))


def _covers(rule: Rule, instrument: Instrument) -> bool:
    if rule.centres is not None and instrument.centre not in rule.centres:
        return False
    return rule.instruments is None or instrument.id in rule.instruments


def _within(rule: Rule, start: int, end: int) -> int:
    if rule.window is None:
        return end - start
    return max(0, min(end, rule.window[1]) - max(start, rule.window[0]))
