"""The program over single starts: as good as the model of intervals, and never wrong about what is possible.

Its columns (timed_model.py), its rows (timed_rules.py) and its way through OR-Tools (timed_solver.py) are judged
together, by the plans that come out.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labshare.scheduler import timed
from labshare.scheduler.check import faults_of_sessions
from labshare.scheduler.plan import Session
from labshare.scheduler.score import outcomes_of, score
from labshare.scheduler.search import Found, Limits
from labshare.scheduler.solve import solve
from tests.scheduler import brute, samples
from tests.scheduler.making import Raw, ask, raw, read, session, two_instruments
from tests.scheduler.test_solve import contest

SEEDS = st.integers(min_value=0, max_value=10**9)


def ignore(sessions: Sequence[Session], bound: int) -> None:
    """Take no notice of better plans."""


def built(problem: Raw) -> timed.Timed:
    made = timed.build(read(problem))
    assert made is not None
    return made


def searched(made: timed.Timed, known: Sequence[Session] | None = None, limits: Limits | None = None) -> Found:
    return timed.solve(made, limits or Limits(), known, lambda: False, ignore)


def objective(made: timed.Timed, found: Found) -> int:
    sessions = found.sessions
    assert sessions is not None
    assert faults_of_sessions(made.problem, sessions) == []
    return score(made.problem, sessions, outcomes_of(made.problem, sessions)).objective


@pytest.mark.slow
@settings(max_examples=100, deadline=None, derandomize=True)
@given(seed=SEEDS)
def test_a_tiny_plan_is_as_good_as_the_best_of_all(seed: int) -> None:
    """Every rule kind in the mix, against all plans there are."""
    problem = samples.problem(Random(seed), requests=4, horizon=10, starts=4)
    made, best = timed.build(read(problem)), brute.best(problem)
    if made is None:
        return
    found = searched(made)
    if best is None:
        assert found.status == "infeasible"
    else:
        assert (found.status, found.bound, objective(made, found)) == ("optimal", best, best)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, derandomize=True)
@given(seed=SEEDS)
def test_both_exact_models_agree(seed: int) -> None:
    """Also when a plan is known: nothing is the least that can be known, where it breaks no hard rule."""
    problem = read(samples.problem(Random(seed), requests=10, horizon=24, instruments=3, starts=12))
    made, plan = timed.build(problem), solve(problem)
    if made is None:
        return
    if plan.status == "infeasible":
        assert searched(made).status == "infeasible"
        return
    best = plan.score.objective
    for known in (None, list[Session](), plan.sessions):
        if known is None or not faults_of_sessions(problem, known):
            found = searched(made, known)
            assert (found.status, found.bound, objective(made, found)) == ("optimal", best, best)


def test_columns_are_the_starts_there_are() -> None:
    """Slots 0-9 closed from 4 to 6: of starts 0-7 the two-slot request keeps 0, 1, 2, 6 and 7."""
    instrument = {"id": "i0", "open": [[0, 4], [6, 10]]}
    assert timed.columns(read(raw(10, ask("a", 2, 5, (0, 7)), instruments=[instrument]))) == 5


def test_changeover_that_needs_the_neighbours_is_left_to_the_other_model() -> None:
    """Between wet and dry 4 idle slots; but a session of one slot may stand between them, and then none are needed."""
    instrument = {"id": "i0", "changeover": [["wet", "dry", 4]]}
    wet, dry = ask("w", 1, 5, (0, 0), family="wet"), ask("d", 1, 5, (2, 2), family="dry")
    assert timed.build(read(raw(6, wet, dry, ask("b", 1, 5, (1, 1)), instruments=[instrument]))) is None
    assert timed.build(read(raw(6, wet, dry, instruments=[instrument]))) is not None


def test_numbers_that_floating_point_would_round_are_left_to_the_other_model() -> None:
    assert timed.build(read(raw(4, ask("a", 2, 10**14, (0, 1))))) is None


def test_the_relaxation_bounds_every_plan() -> None:
    """Three requests of 2 slots in 3 slots: one fits. Halves of all starts would be worth 3 slots' worth, 3/2 x 4."""
    made = built(raw(3, *(ask(name, 2, 4, (0, 1)) for name in "abc")))
    relaxed = timed.relaxation(made, Limits(), lambda: False)
    assert relaxed is not None
    # Both starts of either request use slot 1, so that the row of slot 1 alone allows no more than one session.
    assert relaxed.bound == pytest.approx(4)


def test_a_known_best_plan_is_proven_best() -> None:
    made = built(raw(4, ask("a", 3, 7, (0, 1)), ask("b", 3, 5, (0, 1))))
    known = [session("a", 1, 4)]
    assert searched(made, known) == Found("optimal", known, 7, 0)


def test_a_better_plan_than_the_known_one_is_found() -> None:
    """On two instruments both requests fit: 7 + 5."""
    problem = raw(4, ask("a", 3, 7, (0, 1)), ask("b", 3, 5, (0, 1), "i1"), instruments=two_instruments())
    found = searched(built(problem), [session("b", 0, 3, "i1")])
    assert (found.status, found.bound) == ("optimal", 12)


@pytest.mark.slow
def test_steps_give_the_same_answer_again() -> None:
    made = built(contest())
    first = searched(made, [], Limits(steps=50))
    assert first == searched(made, [], Limits(steps=50))
    assert first.bound is not None
    assert first.bound >= objective(made, first)


@pytest.mark.slow
def test_a_wish_to_stop_is_heard() -> None:
    made = built(contest(400))
    began = time.monotonic()
    found = timed.solve(made, Limits(), [], lambda: True, ignore)
    assert found.sessions is not None
    assert time.monotonic() - began < 30


def test_among_few_starts_the_best_of_them_and_of_the_known_plan_is_found() -> None:
    """Columns 0 and 1 are the starts of `a`, 2 and 3 those of `b`. At slot 0 and slot 3 both fit."""
    made = built(raw(5, ask("a", 2, 7, (0, 1)), ask("b", 2, 5, (2, 3))))
    nothing = np.zeros(4, dtype=bool)
    known = [session("b", 2, 4)]
    assert timed.among(made, nothing, known, Limits(), lambda: False) == known
    first = np.array([True, False, False, False])
    assert timed.among(made, first, known, Limits(), lambda: False) == [session("a", 0, 2), *known]
    # The other start of `a` shuts the known session of `b` out, and is worth more.
    second = np.array([False, True, False, False])
    assert timed.among(made, second, known, Limits(), lambda: False) == [session("a", 1, 3)]


def test_variables_that_follow_each_other_are_one_bundle() -> None:
    """Each of two groups has a variable of its own; a campaign's say together how far it has come."""
    problem = raw(4, *(ask(name, 1, 5, (0, 3)) for name in "abcd"),
                  groups=[{"requests": ["a", "b"], "min": 2}, {"requests": ["c", "d"], "min": 2}])  # fmt: skip
    made = built(problem)
    assert made.bundles[made.model.size :].tolist() == [made.model.size, made.model.size + 1]
    linked = [{"requests": ["a", "b"], "min_gap": 0, "max_gap": 1}]
    made = built(raw(4, ask("a", 1, 5, (0, 2)), ask("b", 1, 5, (1, 3)), linked=linked))
    bundles = made.bundles[made.model.size + 1 :]
    assert len(bundles) > 2
    assert len(set(bundles.tolist())) == 1


def test_what_costs_more_than_the_steps_is_not_begun() -> None:
    made = built(raw(4, ask("a", 3, 7, (0, 1)), ask("b", 3, 5, (0, 1))))
    assert timed.nodes_within(made.program, 0) == 0
    assert searched(made, [], Limits(steps=0)).sessions == []
