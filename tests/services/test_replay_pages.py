"""Replays of a page: solved beside the server, kept in memory, and shown to whom they concern through their mask."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from labshare.domain.people import Actor, Grant, Role
from labshare.domain.replay import Replayed
from labshare.errors import Busy, Forbidden, NotFound, NotSignedIn, Refused
from labshare.services import replay, replay_pages
from labshare.services.replay_pages import MOST_KEPT, Shelf
from labshare.store.engine import Database
from tests.domain.test_replay import FOUR, a_count, a_rule_row, replayed
from tests.domain.test_sandbox import an_overlay
from tests.furniture import MANAGER, NOW, OFFICE, PARTNER, RESEARCHER, actor
from tests.services.test_replay import LIFT, asked, furnished, hours


def a_replay() -> Replayed:
    """What A's changed rule counts, and one of an agreement that the sandbox leaves alone."""
    counts = {"before": a_count(600, 500), "after": a_count(900, 700)}
    mine = a_rule_row("cap", parties=frozenset({"O-CO", "I-IMS"}), **counts)
    other = a_rule_row("cap", agreement_id="B", parties=frozenset({"O-OTHER"}), **counts)
    return replayed(*FOUR, ("O-CO", "industry", 8, 2, 3), rules=(mine, other))


def a_partner(organisation_id: str) -> Actor:
    grant = Grant(role=Role.PARTNER, organisation_id=organisation_id)
    return Actor(person_id=PARTNER, login="p", name="P", organisation_id=organisation_id, grants=(grant,))


# ---------------------------------------------------------------- who sees what


@pytest.mark.parametrize("person_id", [OFFICE, MANAGER])
def test_those_who_answer_for_the_centre_see_every_row(person_id: Any) -> None:
    shelf = Shelf()
    kept_id = shelf.add(an_overlay(), a_replay(), NOW)
    kept, found = replay_pages.look(shelf, actor(person_id), kept_id)
    assert (kept.id, found.is_masked) == (kept_id, False)
    assert [row.key for row in found.organisations] == ["B", "C", "D", "O-CO", "OWN"]
    assert [each.id for each in replay_pages.listed(shelf, actor(person_id))] == [kept_id]


def test_a_party_of_the_changed_agreement_sees_its_own_row_and_a_sum() -> None:
    """Of the others' 40 hours wanted 20 were given before and 20 after: 5 + 5 + 5 + 5, and 7 + 4 + 4 + 5."""
    shelf = Shelf()
    kept_id = shelf.add(an_overlay(), a_replay(), NOW)
    _, found = replay_pages.look(shelf, a_partner("O-CO"), kept_id)
    assert found.is_masked
    assert hours(found.organisations) == {"O-CO": (8, 2, 3, 1), "": (40, 20, 20, 0)}
    assert [(rule.agreement_id, rule.before) for rule in found.rules] == [("A", a_count(600, None))]


def test_it_does_not_concern_the_parties_of_other_agreements() -> None:
    shelf = Shelf()
    kept_id = shelf.add(an_overlay(), a_replay(), NOW)
    for stranger in (a_partner("O-OTHER"), a_partner("O-NONE")):
        assert replay_pages.listed(shelf, stranger) == []
        with pytest.raises(NotFound):
            replay_pages.look(shelf, stranger, kept_id)


def test_who_reads_no_agreement_reads_no_replay() -> None:
    with pytest.raises(NotSignedIn):
        replay_pages.listed(Shelf(), None)
    with pytest.raises(Forbidden):
        replay_pages.look(Shelf(), actor(RESEARCHER), "1")
    with pytest.raises(NotFound):
        replay_pages.look(Shelf(), actor(OFFICE), "1")


# ---------------------------------------------------------------- the shelf


def test_the_oldest_gives_way_and_no_number_comes_twice() -> None:
    shelf = Shelf()
    made = [shelf.add(an_overlay(), a_replay(), NOW) for _ in range(MOST_KEPT + 2)]
    assert [each.id for each in shelf.all()] == made[:1:-1]
    assert len(set(made)) == MOST_KEPT + 2


def test_one_runs_at_a_time() -> None:
    shelf, met = Shelf(), list[str]()

    def another() -> None:
        try:
            with shelf.alone():
                met.append("in")
        except Busy as error:
            met.append(error.code)

    with shelf.alone():
        beside = threading.Thread(target=another)
        beside.start()
        beside.join()
    another()
    assert met == ["replay_busy", "in"]


# ---------------------------------------------------------------- the child process


def test_a_child_process_finds_what_this_process_finds(database: Database) -> None:
    """The lifted cap of tests/services/test_replay.py: industry gains 10 hours, and both plans are proven."""
    with database.write() as db:
        furnished(db)
    with database.read() as db:
        case = replay.load(db, asked(LIFT), NOW)
    done = replay.replayed(case, replay_pages.solver(seconds=5))
    shelf = Shelf()
    _, found = replay_pages.look(shelf, actor(OFFICE), shelf.add(an_overlay(LIFT), done, NOW))
    assert hours(found.organisations) == {"I-IMS": (30, 30, 30, 0), "O-CO": (30, 10, 20, 10)}
    with database.read() as db:
        names = replay_pages.names_of(db, found)
    assert {key: name.name_en for key, name in names.items()} == {
        "I-IMS": "Institute of Materials Science",
        "O-CO": "Partner company",
        "C-ONE": "Centre One",
    }


def test_a_child_that_overruns_is_ended_and_leaves_no_plan(database: Database) -> None:
    """No interpreter starts within a thousandth of a second."""
    with database.write() as db:
        furnished(db)
    with database.read() as db:
        case = replay.load(db, asked(LIFT), NOW)
    with pytest.raises(Refused) as raised:
        replay.replayed(case, replay_pages.solver(seconds=0.0005, overrun=0.0005))
    assert [refusal.code for refusal in raised.value.refusals] == ["replay_no_plan"]
