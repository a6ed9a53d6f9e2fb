"""Instruments booked by time and the blocks that take time from everybody are found as they stand."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from labshare.domain.bookings import BookingKind, BookingState
from labshare.store import bookings as booking_store
from labshare.store import capacity as store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import FESEM, NMR, NOW, XRD, a_booking, add_instrument, furnish, span


def test_only_instruments_in_service_and_booked_by_time_count(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        add_instrument(db, 4, "C-TWO", "NMR", booking_mode="service")
        add_instrument(db, 5, "C-TWO", "NMR", retired_at=NOW - timedelta(days=40))
        add_instrument(db, 6, "C-TWO", "NMR", retired_at=NOW)
        found = store.timed_instruments(db, span(20, 8, 10))
        assert [each.instrument_id for each in found] == ["N001", "N002", "N003", "N006"]
        assert (found[0].centre_id, found[0].timezone, found[0].opening.week_minutes) == (
            "C-ONE", "Asia/Ho_Chi_Minh", 5 * 600,
        )  # fmt: skip
        # The one that was retired on Monday no longer counts from then on.
        assert len(store.timed_instruments(db, span(23, 8, 10))) == 3
        (chosen,) = store.timed_instruments(db, span(20, 8, 10), t.instruments.c.id == "N002")
        assert chosen.number == XRD


def test_blocks_are_those_that_touch_the_span_and_stand(database: Database) -> None:
    nobody = {"person_id": None, "project_id": None}
    with database.write() as db:
        furnish(db)
        booking_store.add(
            db,
            [
                a_booking(FESEM, span(24, 8, 12), kind=BookingKind.MAINTENANCE, **nobody),
                a_booking(XRD, span(24, 12, 14), kind=BookingKind.CLOSURE, **nobody),
                a_booking(NMR, span(24, 8, 9), kind=BookingKind.ENGINEERING, **nobody),
                a_booking(XRD, span(24, 8, 12)),
                a_booking(FESEM, span(25, 8, 9), kind=BookingKind.CLOSURE, state=BookingState.CANCELLED, **nobody),
            ],
        )
        found = {(b.instrument_number, b.kind) for b in store.blocks(db, None, span(24, 10, 13))}
        assert found == {(FESEM, BookingKind.MAINTENANCE), (XRD, BookingKind.CLOSURE)}
        assert [b.span for b in store.blocks(db, [XRD], span(24, 0, 24))] == [span(24, 12, 14)]
        assert store.blocks(db, None, span(25, 0, 24)) == []


def test_columns_of_instruments_are_read_in_one_query(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        db.execute(sa.update(t.instruments).where(t.instruments.c.number == FESEM).values(opening="daily 00:00-24:00"))
        found = {each.number: each for each in store.timed_instruments(db, span(23, 0, 24))}
    assert found[FESEM].opening.is_always
    assert not found[XRD].opening.is_always
