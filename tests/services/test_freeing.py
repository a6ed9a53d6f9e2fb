"""What is written down when time comes free: only what somebody waits for, what is not over, and no more than that."""

from __future__ import annotations

from datetime import date
from uuid import uuid4

import msgspec
import sqlalchemy as sa

from labshare.domain.bookings import BookingState
from labshare.domain.timespan import Span
from labshare.domain.waitlist import WaitingEntry
from labshare.services import freeing
from labshare.store import due
from labshare.store import tables as t
from labshare.store import waitlist as store
from labshare.store.engine import Connection, Database
from tests.furniture import NOW, PUBLIC_PROJECT, RESEARCHER, XRD, a_booking, at, furnish, span


def waits(db: Connection) -> None:
    day = date(2026, 11, 25)
    entry = WaitingEntry(
        id=uuid4(), person_id=RESEARCHER, project_id=PUBLIC_PROJECT, instrument_number=XRD, minutes=60,
        from_date=day, until_date=day, created_at=NOW,
    )  # fmt: skip
    store.add(db, entry)


def freed(db: Connection) -> list[Span]:
    rows = db.execute(sa.select(t.freed_times).order_by(t.freed_times.c.starts_at))
    return [Span(row.starts_at, row.ends_at) for row in rows]


def test_a_shorter_booking_frees_both_its_ends_and_each_has_its_deadline(database: Database) -> None:
    before = a_booking(XRD, span(25, 9, 15))
    after = a_booking(XRD, span(25, 10, 12))
    with database.write() as db:
        furnish(db)
        waits(db)
        freeing.note(db, [(before, after)])
        assert freed(db) == [span(25, 9, 10), span(25, 12, 15)]
        assert [row.kind for row in due.over(db, NOW)] == [freeing.FREED] * 2


def test_what_is_longer_or_over_or_given_back_already_frees_nothing(database: Database) -> None:
    booking = a_booking(XRD, span(25, 9, 11))
    ended = msgspec.structs.replace(booking, state=BookingState.NO_SHOW)
    with database.write() as db:
        furnish(db)
        waits(db)
        freeing.note(db, [(booking, a_booking(XRD, span(25, 8, 12)))])
        freeing.note(db, [(booking, msgspec.structs.replace(ended, updated_at=at(25, 11)))])
        freeing.note(db, [(ended, ended)])
        assert freed(db) == []
        freeing.note(db, [(booking, msgspec.structs.replace(ended, updated_at=at(25, 10)))])
        assert freed(db) == [span(25, 9, 11)]


def test_time_for_which_nobody_waits_is_forgotten(database: Database) -> None:
    booking = a_booking(XRD, span(25, 9, 11))
    with database.write() as db:
        furnish(db)
        freeing.note(db, [(booking, msgspec.structs.replace(booking, state=BookingState.CANCELLED))])
        assert (freed(db), due.over(db, NOW)) == ([], [])
