"""What people wait for once a plan is there, at M (200 instruments, 3,000 requests) with every rule: CPU milliseconds.

The plan is that of a counter which serves by priority; explaining and checking ask nothing of how it was made. `make
bench` prints a line for each.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from labshare.scheduler.check import check
from labshare.scheduler.explain import Reader, explain, reasons
from labshare.scheduler.plan import Plan, Run, Session, Unplaced, gap_between
from labshare.scheduler.problem import Problem, encode, sha256
from labshare.scheduler.reading import parse
from labshare.scheduler.score import outcomes_of, score
from tests.benchmarks.baselines import by_priority
from tests.benchmarks.instances import instance

READ = 400


def _plan(problem: Problem, digest: str, sessions: list[Session]) -> Plan:
    outcomes = outcomes_of(problem, sessions)
    terms = score(problem, sessions, outcomes)
    bound = terms.objective + 1
    gap = gap_between(terms.objective, bound)
    return Plan(
        problem_sha256=digest,
        status="feasible",
        sessions=tuple(sessions),
        unplaced=tuple(Unplaced(request=r, reason=why) for r, why in reasons(problem, sessions, gap).items()),
        score=terms,
        bound=bound,
        gap=gap,
        rules=tuple(outcomes),
        run=Run(seed=1, budget="none", seconds=0.0, versions={}),
    )


def _milliseconds(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return 1000 * (time.process_time() - began)


def test_explaining_and_checking_at_national_size() -> None:
    data = encode(instance("M", rules=True, seed=1))
    problem = parse(data)
    plan = _plan(problem, sha256(data), by_priority(problem))
    left_out = [row.request for row in plan.unplaced]
    reader = Reader(problem, plan)
    each = sorted(_milliseconds(lambda request=request: reader.explain(request)) for request in left_out[:READ])
    assert check(problem, plan, problem_sha256=sha256(data)) == []

    print()
    print(f"{len(problem.requests)} requests, {len(problem.rules)} rules, {len(left_out)} left out; CPU ms")
    print(f"read the problem           {_milliseconds(lambda: parse(data)):8.1f}")
    print(f"check the plan             {_milliseconds(lambda: check(problem, plan, problem_sha256='')):8.1f}")
    print(f"reasons of all left out    {_milliseconds(lambda: reasons(problem, plan.sessions, 0.1)):8.1f}")
    print(f"prepare to explain         {_milliseconds(lambda: Reader(problem, plan)):8.1f}")
    print(f"prepare and explain one    {_milliseconds(lambda: explain(problem, plan, left_out[0])):8.1f}")
    print(f"explain one more           {statistics.median(each):8.1f} median {each[-len(each) // 20]:.1f} p95")
