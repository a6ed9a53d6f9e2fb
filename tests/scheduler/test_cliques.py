"""Rows of sessions that clash: they cut off what the relaxation has too much, and never a plan."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labshare.scheduler import sifting, timed
from labshare.scheduler.cliques import Cliques
from labshare.scheduler.resources import attended_by
from labshare.scheduler.search import Limits
from labshare.scheduler.timed_model import TimedModel
from tests.scheduler import samples
from tests.scheduler.making import Raw, ask, raw, read, two_instruments

SEEDS = st.integers(min_value=0, max_value=10**9)


def bounds(problem: Raw) -> tuple[float, float]:
    """What the relaxation proves without such rows and with them."""
    made = timed.build(read(problem))
    assert made is not None
    plainly = timed.relaxation(made, Limits(), lambda: False)
    closer = timed.closer(made, Limits(), lambda: False, np.zeros(made.model.size))
    assert plainly is not None
    assert closer is not None
    return plainly.bound, closer[1].bound


def test_half_of_a_session_here_and_half_of_it_there_leaves_no_room_for_another() -> None:
    """`a` takes two of four slots, `b` the first three: never both, and each is worth 10.

    Slot by slot `a` has half of its time at 0 and half at 2, and `b` the other half of 0, 1 and 2: 10 + 5.
    """
    assert bounds(raw(4, ask("a", 2, 10, (0, 2)), ask("b", 3, 10, (0, 0)))) == pytest.approx((15, 10))


def test_a_person_is_at_one_instrument_at_a_time() -> None:
    """The same on two instruments, by somebody who attends both; on two by two people nothing is in the way: 20."""
    rows = [ask("a", 2, 10, (0, 2), "i0", attended=True), ask("b", 3, 10, (0, 0), "i1", attended=True)]
    one = raw(4, *(row | {"person": "u0"} for row in rows), instruments=two_instruments())
    assert bounds(one) == pytest.approx((15, 10))
    two = raw(4, rows[0] | {"person": "u0"}, rows[1] | {"person": "u1"}, instruments=two_instruments())
    assert bounds(two) == pytest.approx((20, 20))


def test_a_row_is_told_once() -> None:
    made = timed.build(read(raw(4, ask("a", 2, 10, (0, 2)), ask("b", 3, 10, (0, 0)))))
    assert made is not None
    cliques = Cliques(made.model)
    halves = np.array([0.5, 0, 0.5, 0.5])
    rows = cliques.broken(halves)
    assert [rows.variable[rows.row == k].tolist() for k in range(len(rows))] == [[0, 1, 2, 3]]
    assert len(cliques.broken(halves)) == 0


def clash(model: TimedModel, one: int, other: int) -> bool:
    """Can these two starts not be in one plan, by what they are?"""
    first, second = model.run_of(one), model.run_of(other)
    if first.request is second.request:
        return True
    meet = model.columns.start[one] < model.end[other] and model.columns.start[other] < model.end[one]
    person = attended_by(first.request)
    is_shared = first.instrument == second.instrument or (person and person == attended_by(second.request))
    return bool(meet and is_shared)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=SEEDS)
def test_any_two_of_a_row_clash(seed: int) -> None:
    """Whatever values they are asked about."""
    made = timed.build(read(samples.problem(Random(seed), requests=10, horizon=24, instruments=3, starts=12)))
    if made is None:
        return
    values = np.random.default_rng(seed).random(len(made.program.gain))
    rows = Cliques(made.model).broken(values)
    for k in range(len(rows)):
        columns = rows.variable[rows.row == k].tolist()
        assert columns == sorted(set(columns))
        assert all(clash(made.model, a, b) for n, a in enumerate(columns) for b in columns[:n])
        assert values[columns].sum() > 1


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=SEEDS)
def test_no_plan_is_cut_off(seed: int) -> None:
    """The best plan, found without such rows, is as good in the program that has them."""
    made = timed.build(read(samples.problem(Random(seed), requests=10, horizon=24, instruments=3, starts=12)))
    if made is None:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sifting, "CLOSE", 0.0)
        closer = timed.closer(made, Limits(), lambda: False, np.zeros(made.model.size))
    best = timed.solve(made, Limits(), None, lambda: False, lambda _plan, _bound: None)
    if closer is None or best.sessions is None:
        assert best.sessions is None
        return
    program, relaxed = closer
    assert best.bound is not None
    assert relaxed.bound >= best.bound - 1e-6
    values = timed.values_of(program, best.sessions)
    assert values is not None
    assert program.program.objective(values) == pytest.approx(best.bound)
