"""Where a person is, by themselves or as the trainer or operator of somebody, and what they missed.

What must not live here: what that means for a wish (domain/bookings.py, domain/courtesy.py).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from labshare.domain.bookings import WAITING, BookingKind, BookingState, Neighbour
from labshare.domain.clauses import PersonUse
from labshare.domain.timespan import Span
from labshare.store.bookings import ATTENDANTS, BACK, END, IS_OCCUPYING, START, over
from labshare.store.tables import bookings, instruments
from labshare.store.types import UTCMinute, WholeSecond

PERSON: sa.BindParameter[Any] = sa.bindparam("person_id", type_=sa.Uuid())
_DURING = sa.and_(
    IS_OCCUPYING,
    bookings.c.starts_at < END,
    bookings.c.starts_at > BACK,
    bookings.c.ends_at > START,
)
_WHERE = (
    sa.select(
        bookings.c.id,
        bookings.c.kind,
        bookings.c.state,
        bookings.c.starts_at,
        bookings.c.ends_at,
        bookings.c.hold_expires_at,
        instruments.c.id.label("instrument_id"),
    )
    .join(instruments, instruments.c.number == bookings.c.instrument_number)
    .where(_DURING)
)
_BUSY = _WHERE.where(bookings.c.person_id == PERSON, bookings.c.attended).union_all(
    *(_WHERE.where(role == PERSON) for role in ATTENDANTS)
)
# R21: what is a strike of its user.
IS_STRIKE = sa.or_(
    bookings.c.state == BookingState.NO_SHOW,
    sa.and_(bookings.c.state == BookingState.CANCELLED, bookings.c.late_notice),
)
_CHANGED_AT = sa.type_coerce(WholeSecond(bookings.c.updated_at) // 60, UTCMinute())
# When it came about: at the start to which nobody came, or before it, when the time was given back. So it is no later
# for what was moved far ahead first.
STRUCK_AT = sa.case(
    (sa.and_(bookings.c.state == BookingState.CANCELLED, bookings.c.starts_at > _CHANGED_AT), _CHANGED_AT),
    else_=bookings.c.starts_at,
)
_STRIKES = (
    sa.select(
        bookings.c.id,
        instruments.c.id.label("instrument_id"),
        instruments.c.centre_id,
        STRUCK_AT.label("struck_at"),
        bookings.c.ends_at,
        instruments.c.capability_id,
        bookings.c.late_notice,
    )
    .join(instruments, instruments.c.number == bookings.c.instrument_number)
    .where(
        bookings.c.person_id == PERSON,
        bookings.c.kind == BookingKind.USE,
        IS_STRIKE,
        # No strike comes about later than its use was to begin.
        bookings.c.starts_at > START,
    )
)


def person_busy(db: Connection, person_id: UUID, span: Span) -> tuple[Neighbour, ...]:
    """Where this person is during the span: the use itself, since set-up and clean-up may be somebody else's."""
    return tuple(
        Neighbour(
            id=row.id,
            kind=BookingKind(row.kind),
            occupied=Span(row.starts_at, row.ends_at),
            instrument_id=row.instrument_id,
            hold_expires_at=row.hold_expires_at if row.state in WAITING else None,
        )
        for row in db.execute(_BUSY, {"person_id": person_id, **over(span)})
    )


def missed(db: Connection, person_id: UUID, since: datetime) -> tuple[PersonUse, ...]:
    """Bookings to which this person did not come, or which they gave back too late, each from when it was a strike on;
    all that are later than `since` are among them.
    """
    asked = {"person_id": person_id, "start": since.replace(second=0, microsecond=0)}
    return tuple(
        PersonUse(row[0], row[1], row[2], Span(row[3], row[4]), row[5], row[6]) for row in db.execute(_STRIKES, asked)
    )
