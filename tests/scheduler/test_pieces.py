"""The program in pieces: what they prove holds for the whole, and is closer than the relaxation."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labshare.scheduler import pieces as module
from labshare.scheduler import timed
from labshare.scheduler.check import faults_of_sessions
from labshare.scheduler.pieces import Pieces
from labshare.scheduler.plan import Session
from labshare.scheduler.search import Limits
from labshare.scheduler.solve import solve
from labshare.scheduler.timed import Timed
from labshare.scheduler.timed_model import Relaxed
from tests.scheduler import samples
from tests.scheduler.making import Raw, ask, raw, read, session, two_instruments

SEEDS = st.integers(min_value=0, max_value=10**9)


def relaxed_of(problem: Raw) -> tuple[Timed, Relaxed]:
    made = timed.build(read(problem))
    assert made is not None
    relaxed = timed.relaxation(made, Limits(), lambda: False)
    assert relaxed is not None
    return made, relaxed


def solved(made: Timed, relaxed: Relaxed, limits: Limits | None = None) -> Pieces:
    pieces = Pieces(made, relaxed)
    pieces.solve(limits or Limits(), None, lambda: False, lambda: None)
    return pieces


def twice(**more: object) -> Raw:
    """On each of two instruments 3 slots for 10 or 2 for 6, of four.

    The relaxation has half of 3 slots for 10 and twice a half of 2 slots for 6: 11 on each. A plan has one of the two.
    """
    return raw(
        4,
        ask("a", 3, 10, (0, 1)),
        ask("b", 2, 6, (0, 2)),
        ask("c", 3, 10, (0, 1), "i1"),
        ask("d", 2, 6, (0, 2), "i1"),
        instruments=two_instruments(),
        **more,
    )


def test_each_piece_is_solved_by_itself() -> None:
    made, relaxed = relaxed_of(twice())
    assert relaxed.bound == pytest.approx(22)
    pieces = Pieces(made, relaxed)
    assert [len(one.variables) for one in pieces.pieces] == [5, 5]
    assert pieces.bound == pytest.approx(22)
    pieces.solve(Limits(), None, lambda: False, lambda: None)
    assert pieces.bound == pytest.approx(20)
    # Where a variable's own piece is only relaxed, the bound is 21.
    assert pieces.bounds == pytest.approx([21.0] * 10)
    assert {row.request for row in made.model.sessions(pieces.chosen)} == {"a", "c"}


def test_what_lies_across_is_charged() -> None:
    """All may have six slots, and each slot more costs 1: the relaxation has 7 slots for 22 - 1.

    At that price a piece is worth 10 - 3 or 6 - 2, and six slots are worth 6: 7 + 7 + 6 = 20.
    """
    rule = {"id": "R", "kind": "cap", "slots": 6, "penalty": 1}
    made, relaxed = relaxed_of(twice(rules=[rule]))
    assert relaxed.bound == pytest.approx(21)
    assert solved(made, relaxed).bound == pytest.approx(20)
    assert solve(made.problem).score.objective == 20


def test_from_known_values_only_what_is_better_is_looked_for() -> None:
    """Of a known plan of `b` (6) and `d` (6): each piece finds 10, and from 10 nothing better."""
    made, relaxed = relaxed_of(twice())
    for known in ([session("b", 0, 2), session("d", 0, 2, "i1")], [session("a", 0, 3), session("c", 0, 3, "i1")]):
        pieces = Pieces(made, relaxed)
        pieces.solve(Limits(), timed.values_of(made, known), lambda: False, lambda: None)
        assert pieces.bound == pytest.approx(20)
        assert {row.request for row in made.model.sessions(pieces.chosen)} == {"a", "c"}


def test_a_piece_that_nothing_fits_into_proves_nothing() -> None:
    """Sessions of two slots, and a hard rule for exactly three: half a session more would do, but there is none."""
    rules = [{"id": "C", "kind": "cap", "slots": 3}, {"id": "F", "kind": "floor", "slots": 3}]
    made, relaxed = relaxed_of(raw(4, ask("a", 2, 5, (0, 2)), ask("b", 2, 5, (0, 2)), rules=rules))
    assert solved(made, relaxed).bound == pytest.approx(relaxed.bound)


def test_instruments_that_requests_share_are_one_piece_while_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = raw(
        4,
        {**ask("a", 2, 5, (0, 1)), "options": [
            {"instrument": "i0", "value": 5, "starts": [[0, 1]]}, {"instrument": "i1", "value": 5, "starts": [[0, 1]]},
        ]},
        ask("b", 2, 5, (0, 1), "i1"),
        instruments=two_instruments(),
    )  # fmt: skip
    made, relaxed = relaxed_of(problem)
    assert [len(one.variables) for one in solved(made, relaxed).pieces] == [6]
    monkeypatch.setattr(module, "MOST_COLUMNS", 5)
    apart = solved(made, relaxed)
    assert [len(one.variables) for one in apart.pieces] == [2, 4]
    assert timed.whole(apart.bound) >= solve(made.problem).score.objective == 10


@pytest.mark.slow
@settings(max_examples=150, deadline=None, derandomize=True)
@given(seed=SEEDS, most=st.sampled_from([1, 12, 25_000]))
def test_pieces_prove_what_holds(seed: int, most: int) -> None:
    """With every kind of rule across, however the instruments are cut."""
    problem = read(samples.problem(Random(seed), requests=10, horizon=24, instruments=3, starts=12))
    made, plan = timed.build(problem), solve(problem)
    if made is None or plan.status == "infeasible":
        return
    relaxed = timed.relaxation(made, Limits(), lambda: False)
    assert relaxed is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MOST_COLUMNS", most)
        pieces = Pieces(made, relaxed)
        assert pieces.bound == pytest.approx(relaxed.bound)
        pieces.solve(Limits(), None, lambda: False, lambda: None)
    assert plan.score.objective <= timed.whole(pieces.bound) <= timed.whole(relaxed.bound)
    # What their bounds shut out leaves a best plan in.
    known = list[Session]() if not faults_of_sessions(problem, []) else None
    found = timed.solve(made, Limits(), known, lambda: False, lambda _plan, _bound: None, relaxed, pieces.bounds)
    assert found.bound == plan.score.objective


def test_too_few_steps_leave_a_piece_as_it_is() -> None:
    made, relaxed = relaxed_of(twice())
    assert solved(made, relaxed, Limits(steps=0)).bound == pytest.approx(22)
