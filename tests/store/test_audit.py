"""The audit trail only grows, and holds hashes instead of free text."""

from __future__ import annotations

from uuid import UUID

from labshare.store import audit
from labshare.store.audit import AuditLine
from labshare.store.engine import Database
from tests.furniture import NOW


def test_lines_stand_in_the_order_in_which_things_happened(database: Database) -> None:
    booking, person = UUID(int=8), UUID(int=1)
    with database.write() as db:
        audit.record(
            db, actor_id=person, action="book", noun="booking", noun_id=booking, now=NOW, details={"version": 1}
        )
        audit.record(db, actor_id=None, action="expire", noun="booking", noun_id=str(booking), now=NOW)
        audit.record(db, actor_id=person, action="book", noun="booking", noun_id=UUID(int=9), now=NOW)
    with database.read() as db:
        assert audit.lines(db, "booking", booking) == [
            AuditLine(
                at=NOW, actor_id=person, action="book", noun="booking", noun_id=str(booking), details={"version": 1}
            ),
            AuditLine(at=NOW, actor_id=None, action="expire", noun="booking", noun_id=str(booking), details={}),
        ]


def test_a_text_has_one_hash_per_installation(database: Database) -> None:
    with database.write() as db:
        once, again, other = audit.hashed(db, "thin films"), audit.hashed(db, "thin films"), audit.hashed(db, "alloys")
    assert once == again != other
    assert "thin" not in once


def test_another_installation_hashes_differently(database: Database) -> None:
    """The salt is drawn once for each database, so that a short text cannot be looked up in a table made elsewhere."""
    with database.write() as db:
        here = audit.hashed(db, "thin films")
    with database.write() as db:
        db.exec_driver_sql("DELETE FROM facts")
        there = audit.hashed(db, "thin films")
    assert here != there
