"""What was wanted of instruments in a past period: uses in whatever state. Reads only.

What must not live here: which of them count as wanted (domain/replay.py), or requests of rounds (time_requests.py).
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from labshare.domain.bookings import LONGEST_MINUTES, Booking, BookingKind, BookingState
from labshare.domain.timespan import MINUTE, Span
from labshare.store.tables import bookings


def uses(db: Connection, span: Span, states: Collection[BookingState]) -> list[Booking]:
    """The uses in one of these states that touch the span on any instrument, in the order of their time. One query."""
    query = (
        sa.select(bookings)
        .where(
            bookings.c.kind == BookingKind.USE,
            bookings.c.state.in_(sorted(states)),
            bookings.c.organisation_id.is_not(None),
            bookings.c.occupied_from < span.end,
            # No booking is longer, so the range that is read stays near the span.
            bookings.c.occupied_from > span.start - LONGEST_MINUTES * MINUTE,
            bookings.c.occupied_until > span.start,
        )
        .order_by(bookings.c.occupied_from, bookings.c.id)
    )
    return [msgspec.convert(row, Booking, from_attributes=True) for row in db.execute(query)]
