"""The judge of plans: recomputes every rule and every term of the score, in its own words.

It reads problem.py and plan.py and nothing else of the scheduler, and no OR-Tools: what the solver gets wrong must
not be wrong here in the same way. One function per thing that must hold, in the tuples `OF_SESSIONS` and `OF_PLANS`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from typing import NamedTuple

from msgspec import UNSET

from labshare.scheduler.plan import Plan, Score, Session
from labshare.scheduler.problem import (
    CurrentSession,
    FixedRow,
    Instrument,
    Option,
    Problem,
    Request,
    Rule,
    encode,
    sha256,
)


class Violation(NamedTuple):
    """One thing a plan gets wrong: a code, the path in the plan or the rule's id, and the numbers in plain words."""

    code: str
    where: str
    detail: str

    def __str__(self) -> str:
        return f"{self.where}: {self.code}: {self.detail}"


class _Placed(NamedTuple):
    """A session together with what it is a session of."""

    session: Session
    request: Request
    option: Option
    where: str

    @property
    def slots(self) -> int:
        return self.session.end - self.session.start


# Start, end, name, whether it is a session, and family of something that occupies an instrument.
_Row = tuple[int, int, str, bool, str | None]


class _Case:
    """The problem indexed by id, and the sessions that make sense; `nonsense` holds those that do not."""

    def __init__(self, problem: Problem, sessions: Sequence[Session]) -> None:
        self.problem = problem
        self.requests = {request.id: request for request in problem.requests}
        self.instruments = {instrument.id: instrument for instrument in problem.instruments}
        self.placed: list[_Placed] = []
        self.nonsense: list[Violation] = []
        for k, session in enumerate(sessions):
            self._add(session, f"sessions[{k}]")
        self.by_request = {placed.request.id: placed for placed in self.placed}
        self.rows = self._rows()
        self.readings = {rule.id: _read(self, rule) for rule in problem.rules}

    def _rows(self) -> defaultdict[str, list[_Row]]:
        rows: defaultdict[str, list[_Row]] = defaultdict(list)
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
                self.placed.append(_Placed(session, request, option, where))
                return
        detail = f"'{request.id}' may not start at {session.start} on '{session.instrument}'"
        self.nonsense.append(Violation("start_not_allowed", where, detail))


def check(problem: Problem, plan: Plan, *, problem_sha256: str | None = None) -> list[Violation]:
    """Everything the plan gets wrong; empty when it is right.

    `problem_sha256` is that of the file the problem was read from; by default that of `encode(problem)`.
    """
    case = _Case(problem, plan.sessions)
    found = list(_names_the_problem(plan, problem_sha256 or sha256(encode(problem))))
    if plan.status == "infeasible":
        return found + list(_infeasible_plan_is_empty(plan))
    found += case.nonsense
    found += [violation for rule in OF_SESSIONS for violation in rule(case)]
    found += [violation for rule in OF_PLANS for violation in rule(case, plan)]
    return found


def faults_of_sessions(problem: Problem, sessions: Sequence[Session]) -> list[Violation]:
    """What the sessions alone get wrong, whatever a plan says about them."""
    case = _Case(problem, sessions)
    return case.nonsense + [violation for rule in OF_SESSIONS for violation in rule(case)]


# What must hold of the sessions.


def _once(case: _Case) -> Iterator[Violation]:
    for request, times in Counter(placed.request.id for placed in case.placed).items():
        if times > 1:
            yield Violation("placed_twice", request, f"has {times} sessions")


def _length(case: _Case) -> Iterator[Violation]:
    for placed in case.placed:
        due = placed.request.slots if placed.option.slots is None else placed.option.slots
        if placed.slots != due:
            yield Violation("wrong_length", placed.where, f"lasts {placed.slots} slots, not {due}")


def _open(case: _Case) -> Iterator[Violation]:
    for session, _, _, where in case.placed:
        segments = case.instruments[session.instrument].open
        inside = segments is None or any(a <= session.start and session.end <= b for a, b in segments)
        if not inside or session.end > case.problem.horizon:
            yield Violation(
                "closed", where, f"'{session.instrument}' is not open from {session.start} to {session.end}"
            )
        for instrument, start, end in case.problem.down:
            if instrument == session.instrument and start < session.end and session.start < end:
                yield Violation("down", where, f"'{instrument}' is down from {start} to {end}")


def _no_overlap(case: _Case) -> Iterator[Violation]:
    for instrument in case.problem.instruments:
        rows = _rows_on(case, instrument)
        latest: tuple[int, int, str, bool] | None = None
        for start, end, name, movable, _ in rows:
            if latest and start < latest[1] and (movable or latest[3]):
                yield Violation("overlap", instrument.id, f"{latest[2]} and {name} overlap at {start}")
            if latest is None or end > latest[1]:
                latest = (start, end, name, movable)


def _changeover(case: _Case) -> Iterator[Violation]:
    for instrument in case.problem.instruments:
        idle = {(before, after): slots for before, after, slots in instrument.changeover}
        for left, right in pairwise(_rows_on(case, instrument)):
            due = idle.get((left[4] or "", right[4] or ""), 0)
            if right[0] - left[1] < due and (left[3] or right[3]):
                detail = f"{right[0] - left[1]} idle slots between {left[2]} and {right[2]}, not {due}"
                yield Violation("changeover", instrument.id, detail)


def _rows_on(case: _Case, instrument: Instrument) -> list[_Row]:
    """Everything on the instrument, in order of time."""
    return sorted(case.rows[instrument.id], key=lambda row: row[:3])


def _one_place_per_person(case: _Case) -> Iterator[Violation]:
    rows: defaultdict[str, list[tuple[int, int, bool]]] = defaultdict(list)
    for placed in case.placed:
        if placed.request.attended and placed.request.person:
            rows[placed.request.person].append((placed.session.start, placed.session.end, True))
    for row in case.problem.fixed:
        if row.attended and row.person:
            rows[row.person].append((row.start, row.end, False))
    for person, spans in rows.items():
        for slot in _busier_than(spans, lambda _: 1):
            yield Violation("person_in_two_places", person, f"at slot {slot}")


def _operators(case: _Case) -> Iterator[Violation]:
    rows: defaultdict[str, list[tuple[int, int, bool]]] = defaultdict(list)
    for session, request, option, _ in case.placed:
        need = request.operator if option.operator is UNSET else option.operator
        if need:
            rows[need.pool].append((session.start, min(session.end, session.start + need.slots), True))
    for row in case.problem.fixed:
        if row.operator:
            rows[row.operator.pool].append((row.start, min(row.end, row.start + row.operator.slots), False))
    for pool in case.problem.operator_pools:
        on_shift = Counter[int]()
        for start, end, people in pool.shifts:
            on_shift.update(dict.fromkeys(range(start, end), people))
        for slot in _busier_than(rows[pool.id], on_shift.__getitem__):
            yield Violation("too_few_operators", pool.id, f"at slot {slot}")


def _busier_than(spans: list[tuple[int, int, bool]], most: Callable[[int], int]) -> Iterator[int]:
    """Slots at which more spans are under way than `most` allows, one of them being a session's."""
    busy = Counter(t for start, end, _ in spans for t in range(start, end))
    for t in sorted({t for start, end, movable in spans if movable for t in range(start, end)}):
        if busy[t] > most(t):
            yield t


def _groups(case: _Case) -> Iterator[Violation]:
    for k, group in enumerate(case.problem.groups):
        placed = sum(request in case.by_request for request in group.requests)
        if 0 < placed < group.min:
            yield Violation("group_too_small", f"groups[{k}]", f"{placed} placed, at least {group.min} or none")


def _campaigns(case: _Case) -> Iterator[Violation]:
    for k, link in enumerate(case.problem.linked):
        placed = [case.by_request[request].session for request in link.requests if request in case.by_request]
        if placed and len(placed) < len(link.requests):
            yield Violation("campaign_broken", f"linked[{k}]", f"{len(placed)} of {len(link.requests)} placed")
            continue
        for before, after in pairwise(placed):
            gap = after.start - before.end
            if gap < link.min_gap or (link.max_gap is not None and gap > link.max_gap):
                detail = f"{gap} slots between '{before.request}' and '{after.request}'"
                yield Violation("campaign_gap", f"linked[{k}]", detail)


def _frozen(case: _Case) -> Iterator[Violation]:
    for row in case.problem.current:
        placed = case.by_request.get(row.request)
        kept = placed and placed.session.start == row.start and placed.session.instrument == row.instrument
        if row.start < case.problem.frozen_until and not kept and not _is_hit(case, row):
            yield Violation("frozen_moved", row.request, f"was to stay at {row.start} on '{row.instrument}'")


def _is_hit(case: _Case, row: CurrentSession) -> bool:
    """Does a down time of its instrument meet this current session?"""
    request = case.requests[row.request]
    here = [option for option in request.options if option.instrument == row.instrument]
    offering = [option for option in here if any(first <= row.start <= last for first, last in option.starts)]
    end = row.start + (next((option.slots for option in offering or here), None) or request.slots)
    return any(i == row.instrument and a < end and row.start < b for i, a, b in case.problem.down)


def _hard_rules(case: _Case) -> Iterator[Violation]:
    for rule in case.problem.rules:
        reading = case.readings[rule.id]
        if rule.penalty is None and reading.miss:
            yield Violation("hard_rule_broken", rule.id, f"uses {reading.used}, {rule.kind} {reading.exact}")


OF_SESSIONS: tuple[Callable[[_Case], Iterator[Violation]], ...] = (
    _once,
    _length,
    _open,
    _no_overlap,
    _changeover,
    _one_place_per_person,
    _operators,
    _groups,
    _campaigns,
    _frozen,
    _hard_rules,
)


# What must hold of what the plan says.


def _names_the_problem(plan: Plan, digest: str) -> Iterator[Violation]:
    if plan.problem_sha256 != digest:
        yield Violation("another_problem", "problem_sha256", "the plan was made for another problem file")


def _infeasible_plan_is_empty(plan: Plan) -> Iterator[Violation]:
    if plan.sessions:
        yield Violation("sessions_in_infeasible_plan", "sessions", f"{len(plan.sessions)} sessions, there must be none")
    if not plan.conflict:
        yield Violation("conflict_not_named", "conflict", "an infeasible plan names the rules that conflict")


def _unplaced(case: _Case, plan: Plan) -> Iterator[Violation]:
    named = Counter(row.request for row in plan.unplaced)
    for request in case.requests:
        if (request in case.by_request) == (request in named):
            detail = "is both placed and unplaced" if request in named else "is neither placed nor unplaced"
            yield Violation("unplaced_wrong", request, detail)
    for request, times in named.items():
        if times > 1 or request not in case.requests:
            yield Violation("unplaced_wrong", request, "is listed twice" if times > 1 else "is no request")


def _score(case: _Case, plan: Plan) -> Iterator[Violation]:
    value, fairness, changes = sum(_value(placed) for placed in case.placed), _fairness(case), _changes(case)
    penalties = {
        rule.id: rule.penalty * case.readings[rule.id].miss for rule in case.problem.rules if rule.penalty is not None
    }
    objective = value - sum(penalties.values()) - changes + fairness
    due = Score(objective=objective, value=value, penalties=penalties, fairness=fairness, changes=changes)
    for name in Score.__struct_fields__:
        said, right = getattr(plan.score, name), getattr(due, name)
        if said != right:
            yield Violation("score_wrong", f"score.{name}", f"says {said}, is {right}")


def _value(placed: _Placed) -> int:
    earliest = min(first for option in placed.request.options for first, _ in option.starts)
    return placed.option.value - placed.request.late * (placed.session.start - earliest)


def _changes(case: _Case) -> int:
    kept = {(placed.request.id, placed.session.instrument, placed.session.start) for placed in case.placed}
    gone = [row for row in case.problem.current if (row.request, row.instrument, row.start) not in kept]
    return len(gone) * case.problem.change_penalty


def _fairness(case: _Case) -> int:
    total = 0
    for organisation, target in case.problem.fairness.targets.items():
        served = sum(placed.slots for placed in case.placed if placed.request.organisation == organisation)
        before = 0
        for percent, rate in case.problem.fairness.steps:
            upto = floor(Fraction(percent, 100) * target)
            total += rate * len(range(before, min(served, upto)))
            before = upto
    return total


def _bound(case: _Case, plan: Plan) -> Iterator[Violation]:
    objective, bound = plan.score.objective, plan.bound
    if bound < objective:
        yield Violation("bound_wrong", "bound", f"{bound} is below the objective {objective}")
    if (plan.status == "optimal") != (bound == objective):
        yield Violation("status_wrong", "status", f"'{plan.status}' with objective {objective} and bound {bound}")
    gap = (bound - objective) / max(1, abs(bound))
    if abs(plan.gap - gap) > 1e-9:
        yield Violation("gap_wrong", "gap", f"says {plan.gap}, is {gap}")


def _rule_outcomes(case: _Case, plan: Plan) -> Iterator[Violation]:
    said = {row.id: row for row in plan.rules}
    if [row.id for row in plan.rules] != [rule.id for rule in case.problem.rules]:
        yield Violation("rules_wrong", "rules", "are not the problem's rules in their order")
        return
    for rule in case.problem.rules:
        reading, row = case.readings[rule.id], said[rule.id]
        limit = floor(reading.exact) if rule.kind == "cap" else ceil(reading.exact)
        slack = limit - reading.used if rule.kind == "cap" else reading.used - min(limit, reading.demand)
        due = (limit, reading.used, slack)
        if (row.limit, row.used, row.slack) != due:
            yield Violation("rules_wrong", rule.id, f"says {(row.limit, row.used, row.slack)}, is {due}")
        if not 0 <= row.unavoidable <= reading.miss:
            yield Violation("rules_wrong", rule.id, f"{row.unavoidable} unavoidable of a miss of {reading.miss}")


OF_PLANS: tuple[Callable[[_Case, Plan], Iterator[Violation]], ...] = (_unplaced, _score, _bound, _rule_outcomes)


# How a rule counts.


class _Reading(NamedTuple):
    """A rule's exact limit, what counts towards it, what a floor could at most be given, and whole slots missed."""

    exact: Fraction
    used: int
    demand: int
    miss: int


def _read(case: _Case, rule: Rule) -> _Reading:
    scope = {i.id for i in case.problem.instruments if _covers(rule, i)}
    used = allocated = counted = 0
    for session, request, option, _ in case.placed:
        if session.instrument in scope:
            allocated += _within(rule, session.start, session.end)
            used += _within(rule, session.start, session.end) * _means(rule, request, option.tags)
    for row in case.problem.fixed:
        if rule.count_fixed and row.instrument in scope:
            allocated += _within(rule, row.start, row.end)
            counted += _within(rule, row.start, row.end) * _means(rule, row, ())
    used += counted
    exact = rule.slots + Fraction(rule.of_allocated or "0") * allocated
    if rule.kind == "cap":
        return _Reading(exact, used, 0, max(0, ceil(used - exact)))
    demand = counted + sum(_could_give(rule, request, scope) for request in case.problem.requests)
    return _Reading(exact, used, demand, max(0, ceil(min(exact, Fraction(demand)) - used)))


def _could_give(rule: Rule, request: Request, scope: set[str]) -> int:
    """The most slots of the request that a session on an option in scope could have inside the window."""
    best = 0
    for option in request.options:
        if option.instrument in scope and _means(rule, request, option.tags):
            length = request.slots if option.slots is None else option.slots
            for first, last in option.starts:
                starts = range(first, last + 1) if rule.window else [first]
                best = max([best, *(_within(rule, start, start + length) for start in starts)])
    return best


def _covers(rule: Rule, instrument: Instrument) -> bool:
    if rule.centres is not None and instrument.centre not in rule.centres:
        return False
    return rule.instruments is None or instrument.id in rule.instruments


def _within(rule: Rule, start: int, end: int) -> int:
    if rule.window is None:
        return end - start
    return len(range(max(start, rule.window[0]), min(end, rule.window[1])))


def _means(rule: Rule, row: Request | FixedRow, option_tags: tuple[str, ...]) -> bool:
    who = rule.who
    for wanted, is_value in (
        (who.access_class, row.access_class),
        (who.organisation, row.organisation),
        (who.person, row.person),
        (who.family, row.family),
    ):
        if wanted is not None and is_value not in wanted:
            return False
    return set(who.tags) <= {*row.tags, *option_tags}
