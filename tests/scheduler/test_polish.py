"""A plan made better place by place: never worse, always within the rules, and the same again."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from labshare.scheduler import timed
from labshare.scheduler.check import faults_of_sessions
from labshare.scheduler.plan import Session
from labshare.scheduler.polish import STEPS_A_TURN, polish
from labshare.scheduler.score import outcomes_of, score
from labshare.scheduler.search import Limits
from labshare.scheduler.timed import Timed
from tests.scheduler import samples
from tests.scheduler.making import Raw, ask, raw, read, session
from tests.scheduler.test_solve import contest

SEEDS = st.integers(min_value=0, max_value=10**9)


def polished(made: Timed, known: Sequence[Session], steps: int) -> tuple[list[Session], list[int]]:
    """The plan after so many steps, and the worth of each better one that was told."""
    told: list[int] = []
    relaxed = timed.relaxation(made, Limits(), lambda: False)
    assert relaxed is not None
    best = polish(
        made, relaxed, known, Limits(steps=steps), lambda plan, _: told.append(worth(made, plan)), lambda: False
    )
    return best, told


def built(problem: Raw) -> Timed:
    made = timed.build(read(problem))
    assert made is not None
    return made


def worth(made: Timed, sessions: Sequence[Session]) -> int:
    return score(made.problem, sessions, outcomes_of(made.problem, sessions)).objective


def test_whoever_waits_gets_the_place_of_less_worth() -> None:
    """Three slots for one session of two: `a` is worth 7, and `b`, which has the place, 5."""
    made = built(raw(3, ask("a", 2, 7, (0, 1)), ask("b", 2, 5, (0, 1))))
    best, told = polished(made, [session("b", 0, 2)], 100)
    assert [row.request for row in best] == ["a"]
    assert told == [7]


def test_a_plan_that_leaves_nobody_out_stays() -> None:
    known = [session("a", 0, 2)]
    assert polished(built(raw(3, ask("a", 2, 7, (0, 1)))), known, 1000) == (known, [])


def test_steps_give_the_same_plan_again_and_better_ones_on_the_way() -> None:
    made = built(contest())
    best, told = polished(made, [], 200)
    assert told == sorted(set(told))
    assert told[-1] == worth(made, best) > 0
    assert polished(made, [], 200) == (best, told)


def test_less_than_a_turn_changes_nothing() -> None:
    assert polished(built(contest()), [], STEPS_A_TURN - 1) == ([], [])


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=SEEDS)
def test_every_rule_is_kept_and_nothing_lost(seed: int) -> None:
    """From the empty plan, where that breaks no hard rule."""
    problem = read(samples.problem(Random(seed), requests=10, horizon=24, instruments=3, starts=12))
    made = timed.build(problem)
    if made is None or faults_of_sessions(problem, []):
        return
    relaxed = timed.relaxation(made, Limits(), lambda: False)
    assert relaxed is not None
    best = polish(made, relaxed, [], Limits(steps=300), lambda _sessions, _bound: None, lambda: False)
    assert faults_of_sessions(problem, best) == []
    assert worth(made, []) <= worth(made, best) <= timed.whole(relaxed.bound)
