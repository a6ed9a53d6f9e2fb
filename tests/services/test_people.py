"""Signing in, step by step. On both databases."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from labshare.domain.people import TRIES_PER_ADDRESS, TRIES_PER_LOGIN, TRY_WINDOW, Grant, Role
from labshare.errors import Malformed, NotFound, NotSignedIn, TooManyTries
from labshare.services import people
from labshare.store import audit
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


def test_the_demo_lists_each_person_under_their_first_role_with_its_place(house: Database) -> None:
    with house.read() as db:
        found = [(holder.role, holder.actor.login, holder.place.id) for holder in people.holders(db)]
    assert found == [
        (Role.RESEARCHER, "colleague", "I-IMS"),
        (Role.RESEARCHER, "competitor", "O-CO"),
        (Role.RESEARCHER, "researcher", "I-IMS"),
        (Role.LAB_MANAGER, "manager", "C-ONE"),
        (Role.PARTNER, "partner", "O-CO"),
        (Role.USER_OFFICE, "office", "I-IMS"),
        (Role.ADMINISTRATOR, "administrator", "I-IMS"),
    ]


def create_admin(database: Database, login: str, organisation_id: str = "I-IMS") -> UUID:
    with database.write() as db:
        return people.create_admin(
            db, login=login, name="Quản trị", organisation_id=organisation_id, password_hash="$argon2id$x", now=NOW
        )


def test_the_first_administrator_comes_from_the_command_line(house: Database) -> None:
    person_id = create_admin(house, "root.admin")
    with house.write() as db:
        assert store.password_hash(db, "root.admin") == (person_id, "$argon2id$x")
        made = store.actor(db, person_id)
        assert made is not None
        assert made.grants == (Grant(role=Role.ADMINISTRATOR),)
        assert [line.action for line in audit.lines(db, "person", person_id)] == ["create_admin"]


def test_a_person_who_becomes_administrator_keeps_other_roles(house: Database) -> None:
    person_id = create_admin(house, "manager")
    assert create_admin(house, "manager") == person_id
    with house.read() as db:
        made = store.actor(db, person_id)
    assert made is not None
    assert set(made.grants) == {Grant(role=Role.ADMINISTRATOR), Grant(role=Role.LAB_MANAGER, centre_id="C-ONE")}


def test_an_administrator_needs_a_login_that_can_be_typed_and_a_known_organisation(house: Database) -> None:
    with pytest.raises(Malformed):
        create_admin(house, "Quản trị")
    with pytest.raises(NotFound):
        create_admin(house, "root.admin", organisation_id="O-NONE")


def test_a_changed_password_leaves_a_line_and_one_sign_in(house: Database) -> None:
    with house.write() as db:
        _, here = people.sign_in(db, RESEARCHER, "researcher", NOW, hours=1)
        _, elsewhere = people.sign_in(db, RESEARCHER, "researcher", NOW, hours=1)
        assert people.begin_password_change(db, actor(RESEARCHER), NOW) == "a hash"
        people.change_password(db, actor(RESEARCHER), "another hash", NOW, but=here)
        assert people.actor_of_sign_in(db, here, NOW) == actor(RESEARCHER)
        assert people.actor_of_sign_in(db, elsewhere, NOW) is None
        assert store.password_hash(db, "researcher") == (RESEARCHER, "another hash")
        assert [line.action for line in audit.lines(db, "person", RESEARCHER)] == ["change_password"]
