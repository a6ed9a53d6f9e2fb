"""A part of a plan planned anew: as good as the whole solver where everything is freed, and never worse than before."""

from __future__ import annotations

from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labshare.scheduler.check import faults_of_sessions
from labshare.scheduler.neighbourhood import Neighbourhoods
from labshare.scheduler.plan import Session
from labshare.scheduler.problem import Problem
from labshare.scheduler.score import outcomes_of, score
from labshare.scheduler.search import Limits
from labshare.scheduler.solve import solve
from tests.scheduler import samples
from tests.scheduler.making import Raw, ask, raw, read, session

SEEDS = st.integers(min_value=0, max_value=10**9)


def worth(problem: Problem, sessions: list[Session]) -> int:
    return score(problem, sessions, outcomes_of(problem, sessions)).objective


def by_request(*sessions: Session) -> dict[str, Session]:
    return {row.request: row for row in sessions}


def allowed_part(problem: Problem, random: Random, sessions: list[Session]) -> list[Session]:
    """The sessions less as many, taken at random, as can be taken without a fault."""
    left = list(sessions)
    for row in random.sample(left, len(left)):
        fewer = [other for other in left if other != row]
        if not faults_of_sessions(problem, fewer):
            left = fewer
    return left


def freed_alone(problem: Raw, name: str, *sessions: Session) -> list[str]:
    """Who is placed when this request is planned anew around the other sessions."""
    found = Neighbourhoods(read(problem)).best(by_request(*sessions), [name], Limits())
    return [] if found.sessions is None else [row.request for row in found.sessions]


def test_what_stays_keeps_its_changeover_when_what_stood_between_could_go() -> None:
    # b is worth less than nothing, but without it a and c would need three idle slots between them.
    wet, dry = {"family": "wet"}, {"family": "dry"}
    rows = [ask("a", 2, 9, (0, 0), **wet), ask("b", 2, -5, (2, 2)), ask("c", 2, 9, (4, 4), **dry)]
    plan = [session("a", 0, 2), session("b", 2, 4), session("c", 4, 6)]
    close = raw(6, *rows, instruments=[{"id": "i0", "changeover": [["wet", "dry", 3]]}])
    assert freed_alone(close, "b", *plan) == ["a", "b", "c"]
    assert freed_alone(raw(6, *rows), "b", *plan) == ["a", "c"]


def test_a_group_counts_the_members_that_stay() -> None:
    rows = [ask("a", 2, 9, (0, 0)), ask("b", 2, -5, (2, 2)), ask("c", 2, 9, (4, 4))]
    plan = [session("a", 0, 2), session("b", 2, 4), session("c", 4, 6)]
    assert freed_alone(raw(6, *rows, groups=[{"requests": ["a", "b"], "min": 2}]), "b", *plan) == ["a", "b", "c"]
    assert freed_alone(raw(6, *rows, groups=[{"requests": ["a", "b", "c"], "min": 2}]), "b", *plan) == ["a", "c"]


def test_a_hard_rule_that_the_freed_cannot_mend_leaves_nothing() -> None:
    two = raw(
        6,
        ask("a", 2, 9, (0, 0)),
        ask("b", 2, 9, (0, 0), "i1"),
        instruments=[{"id": "i0"}, {"id": "i1"}],
        rules=[{"id": "F", "kind": "floor", "instruments": ["i1"], "slots": 2}],
    )
    found = Neighbourhoods(read(two)).best({}, ["a"], Limits())
    assert (found.status, found.sessions) == ("infeasible", None)
    better = Neighbourhoods(read(two)).solve({}, ["a", "b"], Limits())
    assert [row.request for row in better or []] == ["a", "b"]


def test_nothing_is_put_on_a_start_that_is_past() -> None:
    problem = read(raw(9, ask("a", 2, 9, (0, 6), late=1), ask("b", 2, 9, (0, 2))))
    found = Neighbourhoods(problem, not_before=3).best({}, ["a", "b"], Limits()).sessions
    assert found == [session("a", 3, 5)]


def test_what_is_frozen_stays_even_when_it_is_freed() -> None:
    row = {"request": "a", "instrument": "i0", "start": 1}
    problem = read(raw(9, ask("a", 2, 9, (0, 6), late=1), ask("b", 4, 90, (0, 0)), current=[row], frozen_until=2))
    around = Neighbourhoods(problem, not_before=2)
    assert around.is_frozen("a")
    assert around.best(by_request(session("a", 1, 3)), ["a", "b"], Limits()).sessions == [session("a", 1, 3)]
    later = msgspec.structs.replace(problem, frozen_until=1)
    assert not Neighbourhoods(later).is_frozen("a")


def test_the_other_steps_of_a_campaign_are_freed_with_one() -> None:
    rows = [ask(name, 2, 9, (0, 6)) for name in "abcd"]
    problem = read(raw(9, *rows, linked=[{"requests": ["c", "a"]}, {"requests": ["a", "d"]}]))
    assert Neighbourhoods(problem).with_campaigns(["d"]) == ["a", "c", "d"]
    assert Neighbourhoods(problem).with_campaigns(["b"]) == ["b"]


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=SEEDS)
def test_freeing_everything_gives_the_optimum_of_the_whole(seed: int) -> None:
    random = Random(seed)
    problem = read(samples.problem(random))
    whole = solve(problem)
    if whole.status == "infeasible":
        return
    begin = allowed_part(problem, random, list(whole.sessions))
    found = Neighbourhoods(problem).solve(by_request(*begin), [row.id for row in problem.requests], Limits())
    after = begin if found is None else found
    assert worth(problem, after) == whole.score.objective
    assert faults_of_sessions(problem, after) == []


@pytest.mark.slow
@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=SEEDS)
def test_freeing_some_keeps_the_rest_and_every_rule_and_counts_exactly(seed: int) -> None:
    random = Random(seed)
    problem = read(samples.problem(random, requests=9, horizon=24, instruments=3))
    whole = solve(problem)
    if whole.status == "infeasible":
        return
    around = Neighbourhoods(problem)
    plan = allowed_part(problem, random, list(whole.sessions)) if random.random() < 0.8 else list(whole.sessions)
    for _ in range(3):
        freed = random.sample([row.id for row in problem.requests], random.randint(1, len(problem.requests)))
        found = around.best(by_request(*plan), freed, Limits())
        assert found.status == "optimal"
        assert found.sessions is not None
        assert found.bound == worth(problem, found.sessions) >= worth(problem, plan)
        assert faults_of_sessions(problem, found.sessions) == []
        may_move = around.with_campaigns(freed)
        assert {row for row in plan if row.request not in may_move} <= set(found.sessions)
        better = around.solve(by_request(*plan), freed, Limits())
        assert (better is not None) == (worth(problem, found.sessions) > worth(problem, plan))
        assert around.standing.objective == worth(problem, around.standing.sessions)
        plan = better or plan
