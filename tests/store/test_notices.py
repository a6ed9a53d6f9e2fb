"""The queue of notices. On both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from labshare.domain.notices import Notice, NoticeKind
from labshare.store import notices as store
from labshare.store import tables as t
from labshare.store.engine import Connection, Database
from tests.furniture import COLLEAGUE, NOW, RESEARCHER, furnish


@pytest.fixture
def house(database: Database) -> Database:
    """The researcher has an address, the colleague has none."""
    with database.write() as db:
        furnish(db)
        change(db, RESEARCHER, email="r@x.vn", language="en")
        change(db, COLLEAGUE, email="")
    return database


def change(db: Connection, person_id: UUID, **values: Any) -> None:
    db.execute(t.persons.update().where(t.persons.c.id == person_id).values(values))


def a_notice(number: int = 1, **changes: Any) -> Notice:
    values: dict[str, Any] = {
        "id": UUID(int=number), "person_id": RESEARCHER, "kind": NoticeKind.PROJECT_VERIFIED, "name_vi": "Đề tài",
        "name_en": "Project", "page": "/projects/1", "until": NOW + timedelta(days=9), "send_at": NOW,
    }  # fmt: skip
    return Notice(**(values | changes))


def test_a_notice_waits_with_its_readers_address_and_language_until_it_is_sent(house: Database) -> None:
    with house.write() as db:
        assert store.add(db, a_notice(1))
        assert store.add(db, a_notice(2, send_at=NOW - timedelta(minutes=1), until=None))
        later, first = store.due(db, NOW), store.due(db, NOW, limit=1)
        assert [each.notice.id.int for each in later] == [2, 1]
        assert [each.notice.id.int for each in first] == [2]
        assert later[1].notice == a_notice(1)
        assert (later[1].email, later[1].language) == ("r@x.vn", "en")
        store.sent(db, UUID(int=2))
        assert [each.notice.id.int for each in store.due(db, NOW)] == [1]


def test_a_notice_is_put_off_twice_as_long_each_time(house: Database) -> None:
    with house.write() as db:
        store.add(db, a_notice())
        store.put_off(db, a_notice(), NOW)
        assert store.due(db, NOW + timedelta(seconds=29)) == []
        (again,) = store.due(db, NOW + timedelta(seconds=30))
        assert again.notice.attempts == 1
        store.put_off(db, again.notice, NOW)
        assert store.due(db, NOW + timedelta(seconds=59)) == []
        assert len(store.due(db, NOW + timedelta(seconds=60))) == 1


def test_nobody_without_an_address_and_nobody_who_is_gone_is_written_to(house: Database) -> None:
    with house.write() as db:
        assert not store.add(db, a_notice(person_id=COLLEAGUE))
        store.add(db, a_notice())
        change(db, RESEARCHER, disabled_at=NOW)
        assert store.due(db, NOW) == []
        change(db, RESEARCHER, disabled_at=None, erased_at=NOW)
        assert store.due(db, NOW) == []
        # What waits for them is deleted after a while, and what waits for others is not.
        store.forget(db, NOW)
        change(db, RESEARCHER, erased_at=None)
        assert len(store.due(db, NOW)) == 1
        store.forget(db, NOW + timedelta(seconds=1))
        assert len(store.due(db, NOW)) == 1
        change(db, RESEARCHER, erased_at=NOW)
        store.forget(db, NOW + timedelta(seconds=1))
        change(db, RESEARCHER, erased_at=None)
        assert store.due(db, NOW) == []
