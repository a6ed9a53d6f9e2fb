"""The solvers behind the program: what each proves of the same small one."""

from __future__ import annotations

import numpy as np
import pytest

from labshare.scheduler.timed_model import Program
from labshare.scheduler.timed_solver import decide, mix, priced, relax


def program() -> Program:
    """Of three things worth 4 each any two shut each other out: one may be had, and halves of all are worth 6."""
    return Program(
        lower=np.zeros(3),
        upper=np.ones(3),
        gain=np.full(3, 4.0),
        offset=0,
        row=np.array([0, 0, 1, 1, 2, 2]),
        variable=np.array([0, 1, 1, 2, 0, 2]),
        amount=np.ones(6),
        low=np.full(3, -np.inf),
        high=np.ones(3),
    )


def test_the_relaxation_proves_six() -> None:
    relaxed = relax(program(), seconds=None, steps=None, should_stop=lambda: False)
    assert relaxed is not None
    assert relaxed.bound == pytest.approx(6)
    assert relaxed.values == pytest.approx(np.full(3, 0.5))


def test_any_prices_prove_something() -> None:
    """Prices of 1: three rows of side 1, and each thing is worth 4 - 2; a price of the wrong sign counts as 0."""
    assert priced(program(), np.ones(3), np.zeros(3)).bound == 3 + 3 * 2
    assert priced(program(), np.full(3, -1.0), np.zeros(3)).bound == 12


@pytest.mark.parametrize("proving", [False, True])
def test_whole_numbers_allow_one_thing(proving: bool) -> None:
    mixed = mix(program(), seconds=None, nodes=None, seed=1, known=None, should_stop=lambda: False, proving=proving)
    assert mixed.values is not None
    assert (mixed.bound, mixed.values.sum()) == (pytest.approx(4), 1)


def test_a_small_rest_is_decided_from_what_is_known() -> None:
    values = decide(program(), np.zeros(3), steps=1.0, seed=1, should_stop=lambda: False)
    assert values is not None
    assert values.sum() == 1
