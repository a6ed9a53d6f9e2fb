"""A person's own bookings, as many as fit on a page.

What must not live here: what a booking shows (bookings.py), or calendars (calendars.py).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from labshare.domain.bookings import OCCUPYING, BookingState
from labshare.store.bookings import LONGEST, BookingLine, lines
from labshare.store.tables import bookings


def lines_of_person(
    db: Connection,
    person_id: UUID,
    *,
    since: datetime,
    until: datetime | None = None,
    states: Collection[BookingState] = OCCUPYING,
    after: tuple[datetime, UUID] | None = None,
    limit: int = 200,
) -> list[BookingLine]:
    """A person's bookings, and those at which they are the trainer, in these states that end after `since` and begin
    before `until`, the earliest first.

    `after` is the start and the id of the one behind which to go on.
    """
    # A whole minute is after an instant exactly when it is after the minute that the instant lies in.
    since = since.replace(second=0, microsecond=0)
    conditions = [
        sa.or_(bookings.c.person_id == person_id, bookings.c.trainer_id == person_id),
        bookings.c.state.in_(sorted(states)),
        bookings.c.starts_at > since - LONGEST,
        bookings.c.ends_at > since,
    ]
    if until is not None:
        conditions.append(bookings.c.starts_at < until)
    if after is not None:
        start, booking_id = after
        same = sa.and_(bookings.c.starts_at == start, bookings.c.id > booking_id)
        conditions.append(sa.or_(bookings.c.starts_at > start, same))
    return lines(db, *conditions, limit=limit)


def lines_with(db: Connection, booking_id: UUID, series_id: UUID | None) -> list[BookingLine]:
    """A booking, or with `series_id` all of that series, the earliest first."""
    return lines(db, bookings.c.id == booking_id) if series_id is None else lines_of_series(db, series_id)


def lines_of_series(db: Connection, series_id: UUID) -> list[BookingLine]:
    """All bookings of a series, whatever their state, the earliest first."""
    return lines(db, bookings.c.series_id == series_id)
