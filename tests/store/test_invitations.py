"""Invitations as rows, and the queue of their letters. On both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from labshare.domain.invitations import Invitation
from labshare.store import invitations as store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import COLLEAGUE, NOW, PARTNER, RESEARCHER, furnish

DAY = timedelta(days=1)


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


def an_invitation(number: int, **changes: Any) -> Invitation:
    values: dict[str, Any] = {
        "id": UUID(int=number), "email": "a@x.vn", "created_at": NOW + timedelta(seconds=number),
        "expires_at": NOW + DAY, "send_at": NOW,
    }  # fmt: skip
    return Invitation(**(values | changes))


def test_an_invitation_is_found_by_the_hash_of_its_token_alone(house: Database) -> None:
    one = an_invitation(1, name="An", organisation_id="O-CO", invited_by_id=PARTNER, language="en")
    with house.write() as db:
        store.add(db, [(one, "hash")])
        assert store.by_token(db, "hash") == one
        assert store.by_token(db, "other") is None


def test_a_token_is_spent_once_and_before_it_expires(house: Database) -> None:
    with house.write() as db:
        store.add(db, [(an_invitation(1), "one")])
        store.add(db, [(an_invitation(2), "two")])
        assert not store.use(db, "one", NOW + DAY)
        assert store.use(db, "one", NOW + DAY - timedelta(microseconds=1))
        assert not store.use(db, "one", NOW)
        assert not store.use(db, "three", NOW)
        assert store.use(db, "two", NOW)
        # A letter about a token that is spent says nothing true.
        assert store.due(db, NOW) == []


def test_who_came_in_leaves_no_other_way_in_at_the_same_address(house: Database) -> None:
    with house.write() as db:
        store.add(db, [(an_invitation(1), "newcomer")])
        store.add(db, [(an_invitation(2, person_id=RESEARCHER), "password")])
        store.add(db, [(an_invitation(3, email="b@x.vn"), "elsewhere")])
        store.add(
            db,
            [(an_invitation(4, organisation_id="O-CO"), "same"), (an_invitation(5, organisation_id="I-IMS"), "other")],
        )
        store.close_others(db, "a@x.vn", "O-CO", NOW)
        # The other organisation still sees its line, and nobody comes in by it or is written to.
        (seen,) = store.open_lines(db, NOW, {"O-CO", "I-IMS"})
        assert (seen.invitation.id.int, seen.lets_in, seen.invitation.send_at) == (5, False, None)
        used = [token for token in ("newcomer", "password", "elsewhere", "same", "other") if store.use(db, token, NOW)]
        assert used == ["password", "elsewhere"]


def test_letters_are_due_until_they_are_sent_and_are_put_off_twice_as_long_each_time(house: Database) -> None:
    with house.write() as db:
        invited = an_invitation(1, organisation_id="O-CO", invited_by_id=PARTNER)
        store.add(db, [(invited, "one")])
        store.add(db, [(an_invitation(2, person_id=RESEARCHER), "two")])
        store.add(db, [(an_invitation(3, expires_at=NOW), "expired")])
        first, second = store.due(db, NOW)
        assert (first.inviter, first.name_vi, first.login) == ("Partner", "Công ty đối tác", "")
        assert (second.inviter, second.name_vi, second.login) == ("", "", "researcher")
        store.sent(db, second.invitation.id)
        store.put_off(db, first.invitation, NOW)
        # 30 s, then 60 s, ... and never more than an hour: 30 s * 2^7 would be 3840 s.
        assert store.due(db, NOW + timedelta(seconds=29)) == []
        (again,) = store.due(db, NOW + timedelta(seconds=30))
        store.put_off(db, again.invitation, NOW)
        assert store.due(db, NOW + timedelta(seconds=59)) == []
        store.put_off(db, an_invitation(1, attempts=7), NOW)
        assert store.due(db, NOW + timedelta(seconds=3599)) == []
        assert len(store.due(db, NOW + timedelta(hours=1))) == 1


def test_open_ones_are_shown_to_their_organisation_and_those_who_asked_to_the_office(house: Database) -> None:
    with house.write() as db:
        store.add(db, [(an_invitation(1, organisation_id="O-CO"), "one")])
        store.add(db, [(an_invitation(2), "asked")])
        store.add(db, [(an_invitation(3, person_id=RESEARCHER), "password")])
        store.add(db, [(an_invitation(4, used_at=NOW), "used")])

        def shown(organisations: set[str] | None) -> list[int]:
            return [line.invitation.id.int for line in store.open_lines(db, NOW, organisations)]

        assert shown(None) == [1, 2]
        assert shown({"O-CO"}) == [1]
        assert shown({"I-IMS"}) == []


def test_people_are_found_by_address_whatever_its_capitals(house: Database) -> None:
    with house.write() as db:
        for person_id, email in ((RESEARCHER, "An@X.vn"), (COLLEAGUE, "an@x.vn"), (PARTNER, "ban@x.vn")):
            db.execute(t.persons.update().where(t.persons.c.id == person_id).values(email=email))
        assert [person.login for person in store.persons_at(db, "an@x.vn")] == ["colleague", "researcher"]


def test_a_login_is_given_once(house: Database) -> None:
    values = {"id": UUID(int=50), "login": "newcomer", "name": "N", "organisation_id": "O-CO"}
    with house.write() as db:
        assert store.add_person(db, values)
        assert not store.add_person(db, values | {"id": UUID(int=51)})


def test_addresses_are_forgotten_with_what_expired(house: Database) -> None:
    with house.write() as db:
        store.add(db, [(an_invitation(1, expires_at=NOW - DAY), "old")])
        store.add(db, [(an_invitation(2), "new")])
        store.forget(db, NOW)
        assert store.by_token(db, "old") is None
        assert store.by_token(db, "new") is not None
