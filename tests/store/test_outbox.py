"""Messages live and die with the change they tell of."""

from __future__ import annotations

from datetime import timedelta

from labshare.store import audit, outbox
from labshare.store.engine import Database
from labshare.store.outbox import Message
from tests.furniture import MANAGER, NOW, counted


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


def test_messages_take_lines_of_the_audit_along(database: Database) -> None:
    """One of each is one statement on PostgreSQL; several are two on both, in their order."""
    one, two = (audit.row(MANAGER, "book", "booking", f"B{number}", NOW, {"number": number}) for number in (1, 2))
    with database.write() as db:
        with counted(database.engine) as single:
            outbox.post_with(db, "calendar", [{"instrument": "N001"}], [one])
        with counted(database.engine) as several:
            outbox.post_with(db, "calendar", [{"instrument": "N002"}], [two, one])
        with counted(database.engine) as none:
            outbox.post_with(db, "calendar", [], [])
            outbox.post_with(db, "calendar", [{"instrument": "N003"}], [])
        told = [message.payload for message in outbox.waiting(db)]
        lines = [(line.at, line.actor_id, line.action, line.details) for line in audit.lines(db, "booking", "B1")]
        last = [line.details for line in audit.lines(db, "booking", "B2")]
    assert (len(single), len(several), len(none)) == (2 if database.is_sqlite else 1, 2, 1)
    assert told == [{"instrument": f"N00{number}"} for number in (1, 2, 3)]
    assert lines == [(NOW, MANAGER, "book", {"number": 1})] * 2
    assert last == [{"number": 2}]
