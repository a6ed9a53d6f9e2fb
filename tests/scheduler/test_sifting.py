"""Relaxations by few columns at a time: the same bound as all at once, and a bound whenever it is stopped."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labshare.scheduler import sifting, timed
from labshare.scheduler.search import Limits
from labshare.scheduler.timed_model import Floats, Relaxed, Rows
from labshare.scheduler.timed_solver import priced
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


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=SEEDS)
def test_bound_and_prices_go_together(seed: int) -> None:
    """Wherever it ends: what bound - reduced gain shows as hopeless is left out, so both must be of one proof."""
    made = timed.build(read(samples.problem(Random(seed), requests=10, horizon=24, instruments=3, starts=12)))
    if made is None:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sifting, "FIRST", 1)
        patch.setattr(sifting, "MORE", 1)
        patch.setattr(sifting, "CLOSE", 0.1)
        closer = timed.closer(made, Limits(), lambda: False, np.zeros(made.model.size))
    if closer is None:
        return
    program, relaxed = closer
    proven = priced(program.program, relaxed.prices, relaxed.values)
    assert relaxed.bound == pytest.approx(proven.bound, rel=1e-6, abs=1e-4)
    assert relaxed.reduced == pytest.approx(proven.reduced, abs=1e-4)


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
