"""Plans from the relaxation: they keep every rule, and where little is left they are the best."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labshare.scheduler import dive, timed
from labshare.scheduler.check import faults_of_sessions
from labshare.scheduler.plan import Session
from labshare.scheduler.search import Limits
from tests.scheduler import samples
from tests.scheduler.making import Raw, ask, raw, read, session, two_instruments
from tests.scheduler.test_solve import contest

SEEDS = st.integers(min_value=0, max_value=10**9)


def dived(problem: Raw, limits: Limits | None = None, boldness: dive.Boldness = dive.BOLD) -> list[Session] | None:
    made = timed.build(read(problem))
    if made is None:
        return None
    relaxed = timed.relaxation(made, Limits(), lambda: False)
    return None if relaxed is None else dive.dive(made, relaxed, limits or Limits(), lambda: False, boldness)


def test_the_little_that_is_left_is_decided_exactly() -> None:
    """Three slots for two sessions of two: one fits, and `a` is worth more."""
    problem = raw(3, ask("a", 2, 7, (0, 0)), ask("b", 2, 5, (1, 1)))
    assert dived(problem) == [session("a", 0, 2)]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=SEEDS, boldness=st.sampled_from([dive.BOLD, dive.CAREFUL]))
def test_a_dive_to_the_bottom_keeps_every_rule(seed: int, boldness: dive.Boldness) -> None:
    """Without an exact end the whole plan comes from holding starts, one relaxation after the other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dive, "FEW", 0)
        problem = samples.problem(Random(seed), requests=10, horizon=24, instruments=3, starts=12)
        sessions = dived(problem, boldness=boldness)
    assert sessions is None or faults_of_sessions(read(problem), sessions) == []


def test_a_campaign_is_held_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A campaign of two parts back to back: whatever is held of one must leave the other its place."""
    monkeypatch.setattr(dive, "FEW", 0)
    problem = raw(
        4,
        ask("a", 2, 5, (0, 2)),
        ask("c", 2, 5, (0, 2), "i1"),
        instruments=two_instruments(),
        linked=[{"requests": ["a", "c"], "min_gap": 0, "max_gap": 0}],
    )
    assert dived(problem) == [session("a", 0, 2), session("c", 2, 4, "i1")]


@pytest.mark.slow
def test_steps_give_the_same_plan_again() -> None:
    assert dived(contest(), Limits(steps=50)) == dived(contest(), Limits(steps=50)) is not None


def test_without_time_there_is_no_plan() -> None:
    assert dived(contest(), Limits(seconds=0.0)) is None
