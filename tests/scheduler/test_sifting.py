"""Relaxations by few columns at a time: the same bound as all at once, and a bound whenever it is stopped."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labshare.scheduler import sifting, timed
from labshare.scheduler.search import Limits
from labshare.scheduler.timed_model import Floats, Program, Relaxed, Rows
from labshare.scheduler.timed_solver import Vertex
from tests.scheduler import samples
from tests.scheduler.making import ask, raw, read

SEEDS = st.integers(min_value=0, max_value=10**9)


def sifted(made: timed.Timed, *, is_stopped: bool = False) -> Relaxed | None:
    """From the columns with the lowest numbers, since nobody has said anything about them, and without more rows."""
    found = sifting.sift(
        made.program,
        made.model.columns.request,
        np.zeros(made.model.size),
        lambda _: Rows.at_most_one([]),
        seconds=None,
        steps=None,
        should_stop=lambda: is_stopped,
    )
    return found and found[1]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=SEEDS)
def test_the_bound_is_that_of_all_columns(seed: int) -> None:
    made = timed.build(read(samples.problem(Random(seed), requests=10, horizon=24, instruments=3, starts=12)))
    if made is None:
        return
    at_once = timed.relaxation(made, Limits(), lambda: False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sifting, "FIRST", 1)
        patch.setattr(sifting, "MORE", 1)
        patch.setattr(sifting, "CLOSE", 0.0)
        by_and_by = sifted(made)
    if at_once is None or by_and_by is None:
        # Rows that cannot hold together have no prices.
        assert at_once is by_and_by
        return
    assert by_and_by.bound == pytest.approx(at_once.bound, rel=1e-7, abs=1e-5)


def test_a_bound_stays_with_the_prices_that_prove_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of two things, worth 10 and 12. A price of 10 proves 10 + 2 = 12, one of 15 proves 15.

    At 15 both things lose something, and together with the bound of 12 the second would be shut out for a plan of 11.
    """
    prices = iter([10.0, 15.0])

    def priced_so(program: Program, **_: object) -> Vertex:
        return Vertex(np.array([next(prices)]), np.zeros(len(program.gain)), None, is_optimal=True)

    monkeypatch.setattr(sifting, "simplex", priced_so)
    monkeypatch.setattr(sifting, "FIRST", 1)
    program = Program(
        lower=np.zeros(2),
        upper=np.ones(2),
        gain=np.array([10.0, 12.0]),
        offset=0,
        row=np.array([0, 0]),
        variable=np.array([0, 1]),
        amount=np.ones(2),
        low=np.array([-np.inf]),
        high=np.ones(1),
    )
    found = sifting.sift(
        program,
        np.array([0, 0]),
        np.zeros(2),
        lambda _: Rows.at_most_one([]),
        seconds=None,
        steps=None,
        should_stop=lambda: False,
    )
    assert found is not None
    assert found[1].bound == 12
    assert found[1].prices.tolist() == [10]
    assert found[1].reduced.tolist() == [0, 2]


def test_what_was_left_out_comes_in_when_prices_would_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of `a` and `b` only the first starts are in at first, and shut each other out; 7 + 5 needs the second of `b`."""
    monkeypatch.setattr(sifting, "FIRST", 1)
    made = timed.build(read(raw(4, ask("a", 2, 7, (0, 0)), ask("b", 2, 5, (1, 2)))))
    assert made is not None
    relaxed = sifted(made)
    assert relaxed is not None
    assert relaxed.bound == pytest.approx(12)
    assert relaxed.values == pytest.approx([1, 0, 1])


def test_stopped_at_once_it_knows_nothing() -> None:
    made = timed.build(read(raw(4, ask("a", 2, 7, (0, 0)))))
    assert made is not None
    assert sifted(made, is_stopped=True) is None


def test_rows_that_cost_nothing_are_left_out_again() -> None:
    """Of two rows that the values break, the closer one alone is worth anything: `a` + `b` <= 1, not 1.5."""
    made = timed.build(read(raw(4, ask("a", 2, 7, (0, 0)), ask("b", 2, 5, (2, 2)))))
    assert made is not None
    both = np.array([0, 1])
    told: list[Rows] = [
        Rows(np.array([0, 0, 1, 1]), np.tile(both, 2), np.ones(4), np.full(2, -np.inf), np.array([1.0, 1.5]))
    ]

    def broken(values: Floats) -> Rows:
        assert len(values) == 2
        return told.pop() if told else Rows.at_most_one([])

    found = sifting.sift(
        made.program,
        made.model.columns.request,
        np.zeros(2),
        broken,
        seconds=None,
        steps=None,
        should_stop=lambda: False,
    )
    assert found is not None
    program, relaxed = found
    assert relaxed.bound == pytest.approx(7)
    assert program.high.tolist() == [*made.program.high.tolist(), 1.0]
    assert len(relaxed.prices) == len(program.low)
