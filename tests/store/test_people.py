"""Persons, their grants and their sign-ins as rows. On both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from labshare.domain.people import Grant, Role, SignIn
from labshare.store import people
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import MANAGER, NOW, RESEARCHER, actor, furnish


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


def test_an_actor_comes_with_every_grant(house: Database) -> None:
    with house.write() as db:
        values = {"id": RESEARCHER, "person_id": MANAGER, "role": "lab_manager", "centre_id": "C-TWO"}
        db.execute(t.grants.insert().values(values))
        loaded = people.actor(db, MANAGER)
    assert loaded is not None
    assert loaded.grants == (
        Grant(role=Role.LAB_MANAGER, centre_id="C-ONE"),
        Grant(role=Role.LAB_MANAGER, centre_id="C-TWO"),
    )
    assert (loaded.login, loaded.organisation_id) == ("manager", "I-IMS")


def test_a_sign_in_speaks_for_its_person_until_it_expires(house: Database) -> None:
    expires_at = NOW + timedelta(hours=12)
    with house.write() as db:
        sign_in = SignIn(token_hash="h", person_id=RESEARCHER, created_at=NOW, expires_at=expires_at)
        people.add_sign_in(db, sign_in)
        assert people.actor_of_sign_in(db, "h", expires_at - timedelta(seconds=1)) == actor(RESEARCHER)
        assert people.actor_of_sign_in(db, "h", expires_at) is None
        assert people.actor_of_sign_in(db, "other", NOW) is None


def test_other_sign_ins_of_a_person_can_be_ended(house: Database) -> None:
    with house.write() as db:
        for token_hash, person_id in (("here", RESEARCHER), ("elsewhere", RESEARCHER), ("manager", MANAGER)):
            people.add_sign_in(
                db,
                SignIn(token_hash=token_hash, person_id=person_id, created_at=NOW, expires_at=NOW + timedelta(hours=1)),
            )
        people.end_sign_ins_of(db, RESEARCHER, but="here")
        kept = db.execute(sa.select(t.sign_ins.c.token_hash).order_by(t.sign_ins.c.token_hash)).scalars().all()
    assert kept == ["here", "manager"]


def test_tries_are_counted_by_login_and_by_address_in_the_window(house: Database) -> None:
    since = NOW - timedelta(minutes=15)
    with house.write() as db:
        people.add_try(db, "researcher", "10.0.0.1", since)
        people.add_try(db, "researcher", "10.0.0.1", NOW)
        people.add_try(db, "researcher", "10.0.0.2", NOW)
        people.add_try(db, "manager", "10.0.0.2", NOW)
        # The first lies on the edge of the window and no longer counts.
        assert people.tries_since(db, "researcher", "10.0.0.2", since) == (2, 2)
        people.forget_tries(db, "researcher")
        assert people.tries_since(db, "researcher", "10.0.0.2", since) == (0, 1)


def test_sweeping_keeps_what_still_counts(house: Database) -> None:
    with house.write() as db:
        for token_hash, hours in (("old", -1), ("new", 1)):
            people.add_sign_in(
                db,
                SignIn(
                    token_hash=token_hash,
                    person_id=RESEARCHER,
                    created_at=NOW - timedelta(days=1),
                    expires_at=NOW + timedelta(hours=hours),
                ),
            )
        people.add_try(db, "researcher", "10.0.0.1", NOW - timedelta(hours=1))
        people.add_try(db, "researcher", "10.0.0.1", NOW)
        people.sweep(db, sign_ins_until=NOW, tries_until=NOW - timedelta(minutes=15))
        assert db.execute(sa.select(t.sign_ins.c.token_hash)).scalars().all() == ["new"]
        assert people.tries_since(db, "researcher", "", NOW - timedelta(days=1)) == (1, 0)


def test_a_disabled_person_has_no_password_and_is_no_actor(house: Database) -> None:
    with house.write() as db:
        people.set_password_hash(db, RESEARCHER, "hash")
        assert people.password_hash(db, "researcher") == (RESEARCHER, "hash")
        db.execute(t.persons.update().where(t.persons.c.id == RESEARCHER).values(disabled_at=NOW))
        assert people.password_hash(db, "researcher") is None
        assert people.actor(db, RESEARCHER) is None


def test_names_are_found_by_id(house: Database) -> None:
    with house.read() as db:
        assert people.names(db, [RESEARCHER, MANAGER]) == {RESEARCHER: "Researcher", MANAGER: "Manager"}
        assert people.names(db, []) == {}
