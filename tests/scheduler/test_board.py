"""Looking up one place on a plan: what stands there, and what it would break."""

from __future__ import annotations

from labshare.scheduler.board import Board, Place
from labshare.scheduler.places import runs_of
from labshare.scheduler.plan import Session
from tests.scheduler.making import Raw, ask, raw, read, session, two_instruments


def look(problem: Raw, request: str, start: int, *sessions: Session) -> Place:
    asked = read(problem)
    run = next(run for run in runs_of(asked) if run.request.id == request and run.first <= start <= run.last)
    return Board(asked, sessions).place(run, start)


A, B, C = (ask(name, 3, value, (0, 6)) for name, value in (("a", 5), ("b", 8), ("c", 4)))


def test_a_free_place_has_nothing_in_its_way() -> None:
    place = look(raw(9, A, B), "a", 3, session("b", 0, 3))
    assert place.is_free
    assert (place.end, place.value, place.price) == (6, 5, 0)


def test_sessions_in_the_way_are_named_with_their_value() -> None:
    place = look(raw(9, A, B, C), "a", 2, session("b", 0, 3), session("c", 4, 7))
    assert (place.sessions, place.displaced) == (("b", "c"), 12)


def test_only_as_many_sessions_as_needed_give_up_their_operator() -> None:
    # Two on shift serve b and c; one of them is enough, the one worth less.
    need: Raw = {"operator": {"pool": "p", "slots": 3}}
    requests = [
        ask(row["id"], 3, row["options"][0]["value"], (0, 6), i) | need for row, i in ((A, "i0"), (B, "i1"), (C, "i2"))
    ]
    problem = raw(
        9,
        *requests,
        instruments=[{"id": f"i{n}"} for n in range(3)],
        operator_pools=[{"id": "p", "shifts": [[0, 9, 2]]}],
    )
    assert look(problem, "a", 0, session("b", 0, 3, "i1"), session("c", 0, 3, "i2")).served == ("c",)


def test_a_person_of_a_fixed_row_bars_a_place() -> None:
    attended: Raw = {"person": "u", "attended": True}
    fixed = [{"instrument": "i1", "start": 1, "end": 2} | attended]
    problem = raw(9, A | attended, instruments=two_instruments(), fixed=fixed)
    assert look(problem, "a", 0).barred == ("person",)
    assert look(problem, "a", 2).is_free


def test_rules_are_judged_with_the_blocking_sessions_gone() -> None:
    # A hard cap of 4, a soft one of 2 at 5 a slot. Beside b, a is too much; in its place it adds nothing.
    rules = [{"id": "H", "kind": "cap", "slots": 4}, {"id": "S", "kind": "cap", "slots": 2, "penalty": 5}]
    beside = look(raw(9, A, B, rules=rules), "a", 3, session("b", 0, 3))
    assert (beside.rules, beside.penalties) == (("H",), 15)
    instead = look(raw(9, A, B, rules=rules), "a", 2, session("b", 0, 3))
    assert (instead.rules, instead.penalties) == ((), 0)


def test_the_gain_of_a_place_counts_penalties_and_fairness() -> None:
    # 5, less 1 slot over the cap at 2, plus 2 slots towards the target at 3.
    problem = read(
        raw(
            9,
            A | {"organisation": "o"},
            rules=[{"id": "S", "kind": "cap", "slots": 2, "penalty": 2}],
            fairness={"targets": {"o": 2}, "steps": [[100, 3]]},
        )
    )
    board = Board(problem, [])
    assert board.gain(board.place(runs_of(problem)[0], 0)) == 5 - 2 + 6


def test_gaps_leave_out_what_changeover_takes() -> None:
    # Wet at 3-6; dry needs 2 idle slots after it and wet 1 after dry: dry has 0-2 and 8-10 left, wet 0-3 and 6-10.
    problem = read(
        raw(10, A | {"family": "wet"}, instruments=[{"id": "i0", "changeover": [["wet", "dry", 2], ["dry", "wet", 1]]}])
    )
    board = Board(problem, [session("a", 3, 6)])
    assert board.gaps("i0", "dry") == [(0, 2), (8, 10)]
    assert board.gaps("i0", "wet") == [(0, 3), (6, 10)]
