"""Series in the database: their rows, and the bookings that belong to one.

What must not live here: writing bookings (bookings.py).
"""

from __future__ import annotations

from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from labshare.domain.bookings import Booking
from labshare.domain.series import Series
from labshare.errors import NotFound
from labshare.store.tables import bookings, series


def add(db: Connection, new: Series) -> None:
    db.execute(sa.insert(series).values(**msgspec.structs.asdict(new)))


def get(db: Connection, series_id: UUID) -> Series:
    """One series. Raises `NotFound`. Whoever calls decides what the reader may see."""
    row = db.execute(sa.select(series).where(series.c.id == series_id)).one_or_none()
    if row is None:
        raise NotFound("series_not_found")
    return msgspec.convert(row, Series, from_attributes=True)


def leave(db: Connection, booking: Booking) -> None:
    """A booking, as it was, is no longer of its series. What it had come to still counts, and that it left."""
    left = series.c.left_version + booking.version + 1
    db.execute(sa.update(series).where(series.c.id == booking.series_id).values(left_version=left))


def bookings_of(db: Connection, series_id: UUID) -> list[Booking]:
    """Every booking of a series, the earliest first, whatever its state."""
    query = sa.select(bookings).where(bookings.c.series_id == series_id)
    rows = db.execute(query.order_by(bookings.c.starts_at, bookings.c.id))
    return [msgspec.convert(row, Booking, from_attributes=True) for row in rows]
