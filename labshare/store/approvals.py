"""What waits for centres to decide, and which instruments have bookings wait.

What must not live here: decisions, which are writings like any other (store/bookings.py).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.engine import Connection

from labshare.domain.approvals import Approval
from labshare.domain.bookings import BookingState
from labshare.store.booking_pages import BookingLine, lines
from labshare.store.tables import bookings, centres, instruments

_ORDER = (bookings.c.hold_expires_at, bookings.c.starts_at, bookings.c.id)


def waiting(
    db: Connection,
    centre_ids: Collection[str] | None,
    now: datetime,
    *,
    after: tuple[datetime, datetime, UUID] | None = None,
    limit: int,
) -> list[BookingLine]:
    """What waits at these centres (None: at all of them), what ends first before the rest. One query.

    `after` are the end, the start and the id of the one behind which to go on.
    """
    conditions: list[ColumnElement[bool]] = [
        bookings.c.state == BookingState.PENDING,
        bookings.c.hold_expires_at > now,
    ]
    if centre_ids is not None:
        conditions.append(instruments.c.centre_id.in_(sorted(centre_ids)))
    if after is not None:
        place = (sa.literal(value, column.type) for value, column in zip(after, _ORDER, strict=True))
        conditions.append(sa.tuple_(*_ORDER) > sa.tuple_(*place))
    return lines(db, *conditions, by=_ORDER, limit=limit)


def centre_ids(db: Connection, wanted: Collection[str] | None) -> list[str]:
    """These centres, or (None) all that have an instrument which is booked by time."""
    if wanted is not None:
        return sorted(wanted)
    query = sa.select(instruments.c.centre_id).where(instruments.c.booking_mode == "time").distinct()
    return sorted(db.execute(query.join(centres, centres.c.id == instruments.c.centre_id)).scalars())


def choose(db: Connection, number: int, approval: Approval, hours: int) -> None:
    """Whose bookings of an instrument wait, and how long."""
    values = {"approval": approval.value, "approval_hours": hours}
    db.execute(sa.update(instruments).where(instruments.c.number == number).values(values))
