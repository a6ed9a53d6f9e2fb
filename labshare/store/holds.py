"""Holds of open forms in the database. What must not live here: writing them (bookings.py)."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from labshare.domain.bookings import BookingState
from labshare.domain.timespan import Span
from labshare.store.bookings import over
from labshare.store.tables import bookings
from labshare.store.types import UTCDateTime, UTCMinute


class Holding(NamedTuple):
    """How many holds of forms a person has now, and how many they had lately of an instrument's time over a span."""

    standing: int
    again: int


_START, _END, _BACK = (sa.bindparam(name, type_=UTCMinute()) for name in ("start", "end", "back"))
_THEIRS = sa.and_(bookings.c.booked_by_id == sa.bindparam("person_id", type_=sa.Uuid()), bookings.c.form_hold > 0)
_STANDING = sa.select(sa.func.count()).where(
    # As the index of what is not firm has it, which is small.
    bookings.c.state.in_(sa.bindparam("not_firm", ("held", "pending"), expanding=True, literal_execute=True)),
    bookings.c.state == BookingState.HELD,
    bookings.c.hold_expires_at > sa.bindparam("now", type_=UTCDateTime()),
    _THEIRS,
)
_AGAIN = sa.select(sa.func.count()).where(
    bookings.c.instrument_number == sa.bindparam("number"),
    bookings.c.occupied_from < _END,
    bookings.c.occupied_from > _BACK,
    bookings.c.occupied_until > _START,
    bookings.c.updated_at > sa.bindparam("since", type_=UTCDateTime()),
    _THEIRS,
)
_HOLDING = sa.select(_STANDING.scalar_subquery(), _AGAIN.scalar_subquery())


_KEPT = (
    sa.select(bookings.c.id)
    .where(
        bookings.c.state == BookingState.HELD,
        bookings.c.hold_expires_at > sa.bindparam("now", type_=UTCDateTime()),
        bookings.c.instrument_number == sa.bindparam("number"),
        bookings.c.occupied_from < _END,
        bookings.c.occupied_from > _BACK,
        bookings.c.occupied_until > _START,
        _THEIRS,
    )
    .order_by(bookings.c.created_at.desc(), bookings.c.id)
    .limit(1)
)


def kept(db: Connection, person_id: UUID, number: int, span: Span, now: datetime) -> UUID | None:
    """The newest hold that a form of this person has of an instrument over a span."""
    params = {"person_id": person_id, "number": number, "now": now}
    return db.execute(_KEPT, {**params, **over(span)}).scalar_one_or_none()


def holding(db: Connection, person_id: UUID, number: int, span: Span, now: datetime, since: datetime) -> Holding:
    """One query, to be asked under the lock of the person."""
    params = {"person_id": person_id, "number": number, "now": now, "since": since}
    return Holding._make(db.execute(_HOLDING, {**params, **over(span)}).one())
