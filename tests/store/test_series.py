"""Series in the database: what is written is read, and which bookings belong to one."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from labshare.domain.series import Series
from labshare.errors import NotFound
from labshare.store import bookings as bookings_store
from labshare.store import series as store
from labshare.store.engine import Database
from tests.furniture import FESEM, NOW, RESEARCHER, a_booking, furnish, span


def test_a_series_is_read_as_it_was_written_with_its_bookings_in_order(database: Database) -> None:
    when = span(25, 9, 11)
    series = Series(
        id=uuid4(), instrument_number=FESEM, person_id=RESEARCHER, rrule="FREQ=DAILY;COUNT=2", starts_at=when.start,
        ends_at=when.end, created_at=NOW,
    )  # fmt: skip
    first, second = (a_booking(FESEM, span(day, 9, 11), series_id=series.id) for day in (25, 26))
    with database.write() as db:
        furnish(db)
        store.add(db, series)
        bookings_store.add(db, [second, first, a_booking(FESEM, span(27, 9, 11))])
        assert store.get(db, series.id) == series
        assert store.bookings_of(db, series.id) == [first, second]
        with pytest.raises(NotFound):
            store.get(db, UUID(int=1))
