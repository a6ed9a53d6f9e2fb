"""Affiliations as rows, and what ends with one. On both databases."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import msgspec
import pytest
import sqlalchemy as sa

from labshare.domain.affiliations import Affiliation, AffiliationState
from labshare.domain.bookings import BookingState
from labshare.domain.people import Grant, Role
from labshare.domain.time_requests import RequestState
from labshare.store import affiliations as store
from labshare.store import bookings, people, projects, time_requests
from labshare.store import tables as t
from labshare.store.engine import Connection, Database
from tests.furniture import (
    COLLEAGUE,
    COMPETITOR,
    FESEM,
    MANAGER,
    NMR,
    NOW,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    a_booking,
    actor,
    furnish,
    span,
)
from tests.round_of import ask, close, open_round
from tests.round_of import span as round_span


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


def put(db: Connection, person_id: object, state: AffiliationState, at: object = NOW) -> None:
    changed = t.persons.update().where(t.persons.c.id == person_id)
    db.execute(changed.values(affiliation=state, affiliation_at=at))


def logins(db: Connection, *arguments: object, **words: str) -> list[str]:
    return [line.login for line in store.lines(db, *arguments, **words)]  # type: ignore[arg-type]


def test_whoever_was_here_before_is_confirmed(house: Database) -> None:
    with house.read() as db:
        assert store.of_person(db, RESEARCHER) == Affiliation(
            person_id=RESEARCHER, organisation_id="I-IMS", state=AffiliationState.CONFIRMED
        )
        assert store.of_person(db, uuid4()) is None


def test_a_version_is_written_over_the_one_that_was_seen_alone(house: Database) -> None:
    after = Affiliation(
        person_id=RESEARCHER, organisation_id="O-CO", state=AffiliationState.ENDED, reason="gone", at=NOW, version=2
    )
    with house.write() as db:
        assert store.save(db, after, seen_version=1)
        assert store.of_person(db, RESEARCHER, lock=True) == after
        assert not store.save(db, msgspec.structs.replace(after, reason="late"), seen_version=1)
        assert store.of_person(db, RESEARCHER) == after


def test_lines_are_of_these_organisations_the_oldest_first_and_found_without_accents(house: Database) -> None:
    with house.write() as db:
        db.execute(t.persons.update().where(t.persons.c.id == COLLEAGUE).values(name="Đồng Nghiệp"))
        for person_id, hours in ((RESEARCHER, 2), (COLLEAGUE, 1), (COMPETITOR, 0)):
            put(db, person_id, AffiliationState.WAITING, NOW + timedelta(hours=hours))
        assert logins(db, AffiliationState.WAITING) == ["competitor", "colleague", "researcher"]
        assert logins(db, AffiliationState.WAITING, {"I-IMS"}) == ["colleague", "researcher"]
        assert logins(db, AffiliationState.WAITING, frozenset[str]()) == []
        assert logins(db, AffiliationState.WAITING, text="dong ng") == ["colleague"]
        # A sign that means something to the database's own search means itself here.
        assert logins(db, AffiliationState.WAITING, text="%") == []
        db.execute(t.persons.update().where(t.persons.c.id == COLLEAGUE).values(disabled_at=NOW))
        assert logins(db, AffiliationState.WAITING, {"I-IMS"}) == ["researcher"]


def test_grants_count_while_the_affiliation_is_confirmed_alone(house: Database) -> None:
    with house.write() as db:
        for state in AffiliationState:
            put(db, MANAGER, state)
            found = people.actor(db, MANAGER)
            assert found is not None
            assert found.grants == (actor(MANAGER).grants if state is AffiliationState.CONFIRMED else ())


def test_nobody_who_is_not_confirmed_spends_a_projects_time_not_even_its_investigator(house: Database) -> None:
    with house.write() as db:
        assert projects.with_membership(db, PUBLIC_PROJECT, RESEARCHER)[1]
        for state in (AffiliationState.WAITING, AffiliationState.DECLINED, AffiliationState.ENDED):
            put(db, RESEARCHER, state)
            project, is_member = projects.with_membership(db, PUBLIC_PROJECT, RESEARCHER)
            assert project is not None
            assert not is_member
        put(db, COLLEAGUE, AffiliationState.CONFIRMED)
        assert projects.with_membership(db, PUBLIC_PROJECT, COLLEAGUE)[1]
        assert people.absent(db, [COLLEAGUE, RESEARCHER, MANAGER]) == {RESEARCHER}


def test_a_role_is_given_once(house: Database) -> None:
    grant = Grant(role=Role.REPRESENTATIVE, organisation_id="I-IMS")
    with house.write() as db:
        store.give(db, RESEARCHER, grant)
        store.give(db, RESEARCHER, grant)
        held = db.execute(sa.select(sa.func.count()).where(t.grants.c.person_id == RESEARCHER)).scalar_one()
        found = people.actor(db, RESEARCHER)
    assert held == 2
    assert found is not None
    assert set(found.grants) == {Grant(role=Role.RESEARCHER), grant}


def test_everything_a_person_could_act_with_is_taken_and_what_they_did_stays(house: Database) -> None:
    past = a_booking(XRD, span(20, 9, 11), person_id=COLLEAGUE, state=BookingState.DONE)
    with house.write() as db:
        bookings.add(db, [past])
        listening = ask(db, open_round(db), COLLEAGUE)
        deaf_round = open_round(db, ("N003", round_span(0, 8, 12)), code="2026-W50")
        heard = ask(db, deaf_round, COLLEAGUE, instrument_ids=("N003",))
        close(db, deaf_round)
        values = {"label": "x", "token_hash": "h", "created_at": NOW, "expires_at": NOW + timedelta(days=9)}
        db.execute(t.tokens.insert().values(id=uuid4(), person_id=COLLEAGUE, **values))
        store.take_everything(db, COLLEAGUE, NOW)
        found = people.actor(db, COLLEAGUE)
        assert found is not None
        assert found.grants == ()
        assert projects.member_ids(db, PUBLIC_PROJECT) == {MANAGER}
        assert db.execute(sa.select(t.tokens.c.revoked_at)).scalar_one() == NOW
        assert time_requests.get(db, listening.id).state is RequestState.WITHDRAWN
        assert time_requests.get(db, heard.id).state is RequestState.SUBMITTED
        assert bookings.get(db, past.id) == past
        # Somebody else's are untouched.
        assert people.actor(db, RESEARCHER) == actor(RESEARCHER)


def test_what_leavers_have_booked_and_were_to_answer_for_is_found(house: Database) -> None:
    ahead = a_booking(FESEM, span(25, 9, 11))
    others = a_booking(XRD, span(25, 9, 11), person_id=COLLEAGUE)
    given_back = a_booking(NMR, span(25, 9, 11), state=BookingState.CANCELLED)
    over = a_booking(FESEM, span(20, 9, 11), state=BookingState.DONE)
    with house.write() as db:
        bookings.add(db, [ahead, others, given_back, over])
        assert store.bookings_left(db, NOW) == []
        assert store.projects_left(db, NOW) == []
        put(db, RESEARCHER, AffiliationState.ENDED)
        assert [line.booking.id for line in store.bookings_left(db, NOW)] == [ahead.id]
        assert [line.project.code for line in store.projects_left(db, NOW)] == ["KC-01"]
        db.execute(t.projects.update().values(expires_at=NOW))
        assert store.projects_left(db, NOW) == []


def test_a_retired_organisation_is_no_choice(house: Database) -> None:
    with house.write() as db:
        assert [choice.id for choice in store.choices(db)] == ["I-IMS", "O-CO"]
        db.execute(t.organisations.update().where(t.organisations.c.id == "I-IMS").values(retired_at=NOW))
        assert [choice.id for choice in store.choices(db)] == ["O-CO"]
