"""Signing in, step by step. On both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from labshare.domain.people import TRIES_PER_ADDRESS, TRIES_PER_LOGIN, TRY_WINDOW
from labshare.errors import NotFound, NotSignedIn, TooManyTries
from labshare.services import people
from labshare.store import people as store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import NOW, RESEARCHER, actor, furnish

HERE = "10.0.0.1"


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
        store.set_password_hash(db, RESEARCHER, "a hash")
    return database


def test_a_sign_in_gives_a_token_that_is_the_person_until_it_expires(house: Database) -> None:
    with house.write() as db:
        signed_in, token = people.sign_in(db, RESEARCHER, "researcher", NOW, hours=12)
        assert signed_in == actor(RESEARCHER)
        assert people.actor_of_sign_in(db, token, NOW + timedelta(hours=11)) == actor(RESEARCHER)
        assert people.actor_of_sign_in(db, token, NOW + timedelta(hours=12)) is None


def test_signing_out_ends_one_sign_in(house: Database) -> None:
    with house.write() as db:
        _, here = people.sign_in(db, RESEARCHER, "researcher", NOW, hours=12)
        _, elsewhere = people.sign_in(db, RESEARCHER, "researcher", NOW, hours=12)
        people.sign_out(db, here)
        people.sign_out(db, here)
        assert people.actor_of_sign_in(db, here, NOW) is None
        assert people.actor_of_sign_in(db, elsewhere, NOW) == actor(RESEARCHER)


def test_beginning_hands_out_the_hash_and_counts_the_try(house: Database) -> None:
    with house.write() as db:
        assert people.begin_sign_in(db, "researcher", HERE, NOW) == (RESEARCHER, "a hash")
        assert people.begin_sign_in(db, "nobody", HERE, NOW) is None
        assert store.tries_since(db, "researcher", HERE, NOW - TRY_WINDOW) == (1, 2)


def test_a_login_is_closed_after_its_tries_whatever_the_address(house: Database) -> None:
    with house.write() as db:
        for number in range(TRIES_PER_LOGIN):
            people.begin_sign_in(db, "researcher", f"10.0.0.{number}", NOW)
        with pytest.raises(TooManyTries):
            people.begin_sign_in(db, "researcher", "10.0.0.99", NOW)
        assert people.begin_sign_in(db, "researcher", "10.0.0.99", NOW + TRY_WINDOW) is not None


def test_an_address_is_closed_after_its_tries_whatever_the_login(house: Database) -> None:
    with house.write() as db:
        for number in range(TRIES_PER_ADDRESS):
            people.begin_sign_in(db, f"guess-{number}", HERE, NOW)
        with pytest.raises(TooManyTries):
            people.begin_sign_in(db, "researcher", HERE, NOW)
        assert people.begin_sign_in(db, "researcher", "10.0.0.2", NOW) is not None


def test_a_person_disabled_between_the_two_steps_is_not_signed_in(house: Database) -> None:
    with house.write() as db:
        db.execute(t.persons.update().where(t.persons.c.id == RESEARCHER).values(disabled_at=NOW))
        with pytest.raises(NotSignedIn):
            people.sign_in(db, RESEARCHER, "researcher", NOW, hours=12)


def test_the_demo_knows_only_logins_that_exist(house: Database) -> None:
    with house.write() as db:
        with pytest.raises(NotFound):
            people.sign_in_as(db, "ghost", NOW, hours=1)
        assert people.sign_in_as(db, "manager", NOW, hours=1)[0].login == "manager"
