"""Whom to free: the sessions on the cheapest places, those waiting for room, and those that broken rules are about."""

from __future__ import annotations

from labshare.scheduler.nearby import Nearby, spaces_of
from labshare.scheduler.neighbourhood import Neighbourhoods
from labshare.scheduler.plan import Session
from tests.scheduler.making import Raw, ask, offer, raw, read, session, two_instruments


def nearby(problem: Raw, *sessions: Session, not_before: int = 0) -> tuple[Nearby, Neighbourhoods]:
    around = Neighbourhoods(read(problem), not_before=not_before)
    around.standing.become({row.request: row for row in sessions})
    return Nearby(around), around


def test_the_cheapest_place_comes_first() -> None:
    # u may have the place of a (50), of b (30) or of both halves of neither.
    rows = [ask("a", 4, 50, (0, 0)), ask("b", 4, 30, (4, 4)), ask("u", 4, 90, (0, 4))]
    look, around = nearby(raw(8, *rows), session("a", 0, 4), session("b", 4, 8))
    u = around.standing.requests["u"]
    assert look.cheapest(u, 1) == ["b"]
    assert look.cheapest(u, 2) == ["b", "a"]


def test_a_free_place_displaces_nobody() -> None:
    look, around = nearby(raw(8, ask("a", 4, 50, (0, 0)), ask("u", 4, 90, (0, 4))), session("a", 0, 4))
    assert look.cheapest(around.standing.requests["u"], 1) == []


def test_what_is_frozen_is_in_nobodys_way_out() -> None:
    problem = raw(
        8,
        *(ask("a", 4, 1, (0, 0)), ask("b", 4, 30, (4, 4)), ask("u", 4, 90, (0, 4))),
        current=[{"request": "a", "instrument": "i0", "start": 0}],
        frozen_until=1,
    )
    look, around = nearby(problem, session("a", 0, 4), session("b", 4, 8), not_before=1)
    assert around.is_frozen("a")
    assert look.cheapest(around.standing.requests["u"], 5) == ["b"]


def test_persons_and_operators_are_in_the_way_too() -> None:
    who: Raw = {"person": "u", "attended": True}
    need: Raw = {"operator": {"pool": "p", "slots": 1}}
    problem = raw(
        8,
        ask("a", 4, 50, (0, 0), **who),
        ask("b", 4, 20, (0, 0), "i1", **need),
        ask("c", 4, 30, (0, 0), "i2", **need),
        ask("d", 4, 90, (0, 0), "i3", **who, **need),
        instruments=[{"id": f"i{n}"} for n in range(4)],
        operator_pools=[{"id": "p", "shifts": [[0, 8, 2]]}],
    )
    look, around = nearby(problem, session("a", 0, 4), session("b", 0, 4, "i1"), session("c", 0, 4, "i2"))
    # The person must leave a, and of the two operators the one of b, which is worth less, is needed.
    assert look.cheapest(around.standing.requests["d"], 1) == ["a", "b"]


def test_those_who_fit_wait_for_room_the_densest_first() -> None:
    rows = [
        ask("a", 4, 50, (0, 0)),
        ask("thin", 4, 8, (0, 4)),
        ask("dense", 2, 8, (0, 6)),
        ask("long", 5, 99, (0, 3)),
        ask("later", 2, 99, (6, 6)),
    ]
    look, around = nearby(raw(8, *rows, fixed=[{"instrument": "i0", "start": 4, "end": 6}]))
    taken = around.standing.seat(session("a", 0, 4))
    spaces = spaces_of([taken])
    assert spaces == [("i0", 0, 4)]
    assert look.waiting(spaces, 9) == ["a", "dense", "thin"]
    assert look.waiting(spaces, 1) == ["a"]


def test_the_sessions_beside_a_space_are_its_neighbours() -> None:
    rows = [ask(name, 2, 9, (0, 8)) for name in "abcd"]
    look, _ = nearby(raw(10, *rows), session("a", 0, 2), session("b", 2, 4), session("c", 6, 8), session("d", 8, 10))
    assert look.beside([("i0", 4, 6)]) == ["b", "c"]


def test_neighbours_without_their_idle_slots_are_too_close() -> None:
    rows = [ask("a", 2, 9, (0, 8), family="wet"), ask("b", 2, 9, (0, 8), family="dry")]
    problem = raw(10, *rows, instruments=[{"id": "i0", "changeover": [["wet", "dry", 2]]}])
    assert nearby(problem, session("a", 0, 2), session("b", 3, 5))[0].too_close() == ["a", "b"]
    assert nearby(problem, session("a", 0, 2), session("b", 4, 6))[0].too_close() == []
    assert nearby(problem, session("b", 0, 2), session("a", 2, 4))[0].too_close() == []


def test_broken_hard_rules_name_who_could_mend_them() -> None:
    industry: Raw = {"access_class": "industry"}
    problem = raw(
        10,
        ask("a", 2, 9, (0, 8), **industry),
        ask("b", 2, 5, (0, 8), **industry),
        ask("c", 2, 7, (0, 8)),
        ask("d", 2, 7, (0, 8), "i1", **industry),
        ask("e", 2, 9, (0, 8)) | {"options": [offer(9, (0, 8), "i1")]},
        rules=[
            {"id": "C", "kind": "cap", "who": {"access_class": ["industry"]}, "instruments": ["i0"], "slots": 2},
            {"id": "F", "kind": "floor", "instruments": ["i1"], "slots": 2},
        ],
        instruments=two_instruments(),
    )
    look, _ = nearby(problem, session("a", 0, 2), session("b", 2, 4), session("c", 4, 6))
    assert look.of_broken_caps() == ["b"]
    assert look.of_broken_rules(9) == ["b", "a", "e", "d"]
    assert look.of_broken_rules(1) == ["b", "e"]
