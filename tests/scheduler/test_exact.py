"""What the time-indexed program proves and finds, one step after the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from labshare.scheduler import sifting, timed
from labshare.scheduler.allowance import Allowance
from labshare.scheduler.exact import Exact, pays
from labshare.scheduler.plan import Session
from labshare.scheduler.search import Limits
from tests.scheduler.making import read, session
from tests.scheduler.test_pieces import twice


def exact(known: Sequence[Session] | None = ()) -> Exact:
    """Of the problem of which the relaxation says 22 and the best plan is worth 20."""
    made = timed.build(read(twice()))
    assert made is not None

    def never() -> bool:
        return False

    return Exact(made, Allowance(Limits(), never), lambda: known, never)


def test_sessions_that_clash_are_seen_in_the_relaxation() -> None:
    steps = exact()
    steps.relax(np.zeros(10))
    assert steps.bound == 20


def test_each_step_proves_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the relaxation is left as it is."""
    monkeypatch.setattr(sifting, "ROUNDS", 0)
    steps = exact()
    assert steps.bound is None
    steps.relax(np.zeros(10))
    assert steps.bound == 22
    steps.cut()
    assert steps.bound == 20


def test_the_pieces_choice_becomes_a_plan() -> None:
    steps = exact()
    steps.relax(np.zeros(10))
    steps.cut()
    steps.decide_among()
    assert steps.has_found
    assert [row.request for row in steps.take() or ()] == ["a", "c"]
    assert not steps.has_found


def test_places_decided_anew_make_a_known_plan_better() -> None:
    known = [session("b", 0, 2), session("d", 0, 2, "i1")]
    steps = exact(known)
    steps.relax(np.zeros(10))
    steps.refine()
    assert {row.request for row in steps.take() or ()} == {"a", "c"}


def test_what_is_left_open_is_decided_and_proven() -> None:
    steps = exact()
    steps.relax(np.zeros(10))
    steps.finish()
    assert steps.bound == 20
    assert [row.request for row in steps.take() or ()] == ["a", "c"]


def test_without_a_plan_known_there_is_nothing_to_make_better() -> None:
    steps = exact(None)
    steps.relax(np.zeros(10))
    steps.cut()
    steps.decide_among()
    steps.refine()
    assert steps.take() is None


def test_a_small_budget_of_steps_is_not_spent_on_a_large_program() -> None:
    """20,000 columns take 600 steps to relax and twice as many for two dives; with half as much again it pays."""
    assert not pays(20_000, Limits(steps=2700))
    assert pays(20_000, Limits(steps=2701))
    assert pays(20_000, Limits(seconds=1.0))
