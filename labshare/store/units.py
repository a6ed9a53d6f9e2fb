"""The units of an instrument that takes several uses at a time: who has which, and another one for some.

Whoever calls holds the lock of the instrument. What must not live here: which unit a use gets (domain/units.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from labshare.domain.bookings import BookingKind
from labshare.domain.timespan import Span
from labshare.domain.units import Laid
from labshare.store.bookings import OCCUPIES, lift, over
from labshare.store.tables import bookings

_LAID = sa.select(bookings.c.id, bookings.c.occupied_from, bookings.c.occupied_until, bookings.c.unit).where(
    bookings.c.instrument_number == sa.bindparam("number"), bookings.c.kind == BookingKind.USE, OCCUPIES
)


def laid(db: Connection, number: int, span: Span) -> list[Laid]:
    """The uses of an instrument during the span, with their units."""
    found = db.execute(_LAID, {"number": number, **over(span)})
    return [Laid(row.id, Span(row.occupied_from, row.occupied_until), row.unit) for row in found]


def lift_all(db: Connection, changing: Sequence[UUID], units: Mapping[UUID, int]) -> None:
    """Take bookings out of the calendar that the same transaction will change, and put others down in other units.

    None of them is in the way of another meanwhile. A unit is nobody's to see, so the others keep their versions.
    """
    query = sa.select(bookings.c.id, bookings.c.state).where(bookings.c.id.in_(units))
    states = {row.id: row.state for row in db.execute(query)} if units else {}
    lift(db, [*changing, *units])
    for booking_id, unit in units.items():
        values = {"unit": unit, "state": states[booking_id]}
        db.execute(sa.update(bookings).where(bookings.c.id == booking_id).values(values))
