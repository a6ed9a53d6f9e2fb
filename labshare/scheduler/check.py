"""The judge of plans: recomputes every rule and every term of the score, in its own words.

It reads problem.py and plan.py and nothing else of the scheduler, and no OR-Tools: what the solver gets wrong must not
be wrong here in the same way. What must hold of the sessions stands in check_sessions.py, what must hold of the rest of
the plan here, in the tuple `OF_PLANS`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from math import ceil, floor

from labshare.scheduler.check_case import Case, Placed, Violation
from labshare.scheduler.check_sessions import OF_SESSIONS
from labshare.scheduler.plan import Plan, Score, Session
from labshare.scheduler.problem import Problem, encode, sha256


def check(problem: Problem, plan: Plan, *, problem_sha256: str | None = None) -> list[Violation]:
    """Everything the plan gets wrong; empty when it is right.

    `problem_sha256` is that of the file the problem was read from; by default that of `encode(problem)`.
    """
    case = Case(problem, plan.sessions)
    found = list(_names_the_problem(plan, problem_sha256 or sha256(encode(problem))))
    if plan.status == "infeasible":
        return found + list(_infeasible_plan_is_empty(plan)) + list(_infeasible(problem, plan))
    found += case.nonsense
    found += [violation for rule in OF_SESSIONS for violation in rule(case)]
    found += [violation for rule in OF_PLANS for violation in rule(case, plan)]
    return found


def faults_of_sessions(problem: Problem, sessions: Sequence[Session]) -> list[Violation]:
    """What the sessions alone get wrong, whatever a plan says about them."""
    case = Case(problem, sessions)
    return case.nonsense + [violation for rule in OF_SESSIONS for violation in rule(case)]


def _names_the_problem(plan: Plan, digest: str) -> Iterator[Violation]:
    if plan.problem_sha256 != digest:
        yield Violation("another_problem", "problem_sha256", "the plan was made for another problem file")


def _infeasible_plan_is_empty(plan: Plan) -> Iterator[Violation]:
    if plan.sessions:
        yield Violation("sessions_in_infeasible_plan", "sessions", f"{len(plan.sessions)} sessions, there must be none")
    if not plan.conflict:
        yield Violation("conflict_not_named", "conflict", "an infeasible plan names the rules that conflict")


def _infeasible(problem: Problem, plan: Plan) -> Iterator[Violation]:
    """What an infeasible plan says is said of no sessions; and those that are known to keep the rules refute it."""
    hard = {rule.id for rule in problem.rules if rule.penalty is None}
    frozen = {f"frozen:{row.request}" for row in problem.current if row.start < problem.frozen_until}
    for name in plan.conflict:
        if name not in hard | frozen:
            yield Violation("conflict_wrong", "conflict", f"'{name}' is no hard rule and nothing frozen")
    if not faults_of_sessions(problem, ()):
        yield Violation("status_wrong", "status", "'infeasible', but a plan without sessions keeps every hard rule")
    if (plan.score, plan.bound, plan.gap) != (Score(), 0, 0.0):
        yield Violation("score_wrong", "score", "an infeasible plan is worth nothing and proves nothing")
    nothing = Case(problem, ())
    yield from _unplaced(nothing, plan)
    yield from _rule_outcomes(nothing, plan)


def _unplaced(case: Case, plan: Plan) -> Iterator[Violation]:
    named = Counter(row.request for row in plan.unplaced)
    for request in case.requests:
        if (request in case.by_request) == (request in named):
            detail = "is both placed and unplaced" if request in named else "is neither placed nor unplaced"
            yield Violation("unplaced_wrong", request, detail)
    for request, times in named.items():
        if times > 1 or request not in case.requests:
            yield Violation("unplaced_wrong", request, "is listed twice" if times > 1 else "is no request")


def _conflict(_: Case, plan: Plan) -> Iterator[Violation]:
    if plan.conflict:
        yield Violation("conflict_wrong", "conflict", f"is named, though the plan is '{plan.status}'")


def _score(case: Case, plan: Plan) -> Iterator[Violation]:
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


def _value(placed: Placed) -> int:
    earliest = min(first for option in placed.request.options for first, _ in option.starts)
    return placed.option.value - placed.request.late * (placed.session.start - earliest)


def _changes(case: Case) -> int:
    kept = {(placed.request.id, placed.session.instrument, placed.session.start) for placed in case.placed}
    gone = [row for row in case.problem.current if (row.request, row.instrument, row.start) not in kept]
    return len(gone) * case.problem.change_penalty


def _fairness(case: Case) -> int:
    served = Counter[str | None]()
    for placed in case.placed:
        served[placed.request.organisation] += placed.slots
    total = 0
    for organisation, target in case.problem.fairness.targets.items():
        before = 0
        for percent, rate in case.problem.fairness.steps:
            upto = floor(Fraction(percent, 100) * target)
            total += rate * max(0, min(served[organisation], upto) - before)
            before = upto
    return total


def _bound(case: Case, plan: Plan) -> Iterator[Violation]:
    objective, bound = plan.score.objective, plan.bound
    if bound < objective:
        yield Violation("bound_wrong", "bound", f"{bound} is below the objective {objective}")
    if (plan.status == "optimal") != (bound == objective):
        yield Violation("status_wrong", "status", f"'{plan.status}' with objective {objective} and bound {bound}")
    gap = (bound - objective) / max(1, abs(bound))
    if abs(plan.gap - gap) > 1e-9:
        yield Violation("gap_wrong", "gap", f"says {plan.gap}, is {gap}")


def _rule_outcomes(case: Case, plan: Plan) -> Iterator[Violation]:
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
        if row.demand not in (None, reading.demand if rule.kind == "floor" else None):
            yield Violation("rules_wrong", rule.id, f"says that {row.demand} were asked for, not {reading.demand}")
        if not 0 <= row.unavoidable <= reading.miss:
            yield Violation("rules_wrong", rule.id, f"{row.unavoidable} unavoidable of a miss of {reading.miss}")


OF_PLANS: tuple[Callable[[Case, Plan], Iterator[Violation]], ...] = (
    _unplaced,
    _conflict,
    _score,
    _bound,
    _rule_outcomes,
)
