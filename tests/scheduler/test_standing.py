"""A plan that changes session by session counts the same as one that is counted afresh."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from labshare.scheduler.plan import Session
from labshare.scheduler.score import outcomes_of, score
from labshare.scheduler.standing import Standing
from tests.scheduler import samples
from tests.scheduler.making import ask, raw, read, session


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(min_value=0, max_value=10**9))
def test_every_term_is_that_of_a_plan_counted_afresh(seed: int) -> None:
    random = Random(seed)
    problem = read(samples.problem(random))
    standing = Standing(problem)
    for _ in range(4):
        sessions: dict[str, Session] = {}
        for request in problem.requests:
            option = random.choice(request.options)
            start, end = option.starts[0][0], option.starts[0][0] + request.slots_on(option)
            if random.random() < 0.7:
                sessions[request.id] = Session(request=request.id, instrument=option.instrument, start=start, end=end)
        standing.become(sessions)
        rows = list(sessions.values())
        outcomes = outcomes_of(problem, rows)
        assert standing.sessions == rows
        assert standing.objective == score(problem, rows, outcomes).objective
        broken = [rule.id for rule, row in zip(problem.rules, outcomes, strict=True) if rule.is_hard and row.slack < 0]
        assert standing.keeps_hard_rules() == (not broken)


def test_what_is_taken_leaves_no_trace() -> None:
    problem = read(
        raw(
            9,
            ask("a", 3, 7, (0, 6), person="u", attended=True, operator={"pool": "p", "slots": 1}),
            operator_pools=[{"id": "p", "shifts": [[0, 9, 1]]}],
        )
    )
    standing = Standing(problem)
    standing.put(standing.seat(session("a", 2, 5)))
    assert (list(standing.on["i0"]), list(standing.attending["u"]), list(standing.operated["p"])) == (["a"],) * 3
    assert standing.objective == 7
    assert standing.take("a") is not None
    assert standing.take("a") is None
    assert not any((standing.on["i0"], standing.attending["u"], standing.operated["p"]))
    assert standing.objective == 0
