"""Messages live and die with the change they tell of."""

from __future__ import annotations

from datetime import timedelta

from labshare.store import outbox
from labshare.store.engine import Database
from labshare.store.outbox import Message
from tests.furniture import NOW


def test_messages_wait_in_the_order_of_writing(database: Database) -> None:
    with database.write() as db:
        outbox.post(db, "calendar", {"instrument": "N001", "version": 7})
        outbox.post(db, "plans", {"plan": "p"})
    with database.read() as db:
        first, second = outbox.waiting(db)
        assert first == Message(id=first.id, topic="calendar", payload={"instrument": "N001", "version": 7})
        assert (second.topic, second.id > first.id) == ("plans", True)
        assert outbox.waiting(db, limit=1) == [first]


def test_what_is_delivered_waits_no_more_and_is_forgotten_later(database: Database) -> None:
    with database.write() as db:
        for version in range(3):
            outbox.post(db, "calendar", {"version": version})
        ids = [message.id for message in outbox.waiting(db)]
        outbox.delivered(db, ids[:2], NOW)
        assert [message.payload["version"] for message in outbox.waiting(db)] == [2]
        assert outbox.forget(db, NOW) == 0
        assert outbox.forget(db, NOW + timedelta(microseconds=1)) == 2
        assert len(outbox.waiting(db)) == 1
