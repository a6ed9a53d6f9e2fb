"""What instruments offer of modes and set-ups. What must not live here: what a booking has of both (bookings.py)."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from labshare.domain.bookings import OCCUPYING
from labshare.domain.modes import Mode
from labshare.domain.timespan import Span
from labshare.store.booking_pages import BookingLine, lines
from labshare.store.bookings import LONGEST
from labshare.store.tables import bookings, instruments


def choose(db: Connection, number: int, modes: Sequence[Mode], setups: Sequence[str]) -> None:
    values = {"modes": " ".join(each.value for each in modes), "setups": "\n".join(setups)}
    db.execute(sa.update(instruments).where(instruments.c.number == number).values(values))


def staffed(db: Connection, centre_ids: Collection[str], span: Span) -> list[BookingLine]:
    """The uses of these centres' instruments during the span for which staff are needed, the earliest first."""
    return lines(
        db,
        bookings.c.instrument_number.in_(
            sa.select(instruments.c.number).where(instruments.c.centre_id.in_(sorted(centre_ids)))
        ),
        bookings.c.mode != Mode.SELF,
        bookings.c.state.in_(sorted(OCCUPYING)),
        bookings.c.occupied_from > span.start - LONGEST,
        bookings.c.occupied_from < span.end,
        bookings.c.ends_at > span.start,
    )
