"""Bookings with the names that a list or a page shows beside them; a person's own, as many as fit on a page.

What must not live here: writing (bookings.py), or calendars (calendars.py).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.engine import Connection, Row

from labshare.domain.bookings import OCCUPYING, Booking, BookingState
from labshare.errors import NotFound
from labshare.store.bookings import LONGEST, is_of
from labshare.store.calendars import Viewer
from labshare.store.tables import bookings, centres, instruments, organisations, persons, projects

_BOOKER, _TRAINER, _OPERATOR = (persons.alias(name) for name in ("booker", "trainer", "operator"))


class BookingLine(msgspec.Struct, frozen=True, kw_only=True):
    """A booking with the names that a list or a page shows beside it."""

    booking: Booking
    instrument_id: str
    instrument_vi: str
    instrument_en: str
    centre_id: str
    centre_vi: str
    centre_en: str
    timezone: str
    person: str | None
    organisation_vi: str | None
    organisation_en: str | None
    project: str | None
    booked_by: str | None = None
    trainer: str | None = None
    operator: str | None = None
    # Who leads the project.
    leader_id: UUID | None = None


_EARLIEST_FIRST = (bookings.c.starts_at, bookings.c.id)


def lines(
    db: Connection,
    *conditions: ColumnElement[bool],
    by: Sequence[ColumnElement[Any]] = _EARLIEST_FIRST,
    limit: int = 200,
) -> list[BookingLine]:
    query = (
        sa.select(
            bookings,
            instruments.c.id.label("instrument_id"),
            instruments.c.name_vi.label("instrument_vi"),
            instruments.c.name_en.label("instrument_en"),
            centres.c.id.label("centre_id"),
            centres.c.name_vi.label("centre_vi"),
            centres.c.name_en.label("centre_en"),
            centres.c.timezone,
            persons.c.name.label("person"),
            _BOOKER.c.name.label("booked_by"),
            _TRAINER.c.name.label("trainer"),
            _OPERATOR.c.name.label("operator"),
            projects.c.pi_id.label("leader_id"),
            organisations.c.name_vi.label("organisation_vi"),
            organisations.c.name_en.label("organisation_en"),
            projects.c.code.label("project"),
        )
        .join(instruments, instruments.c.number == bookings.c.instrument_number)
        .join(centres, centres.c.id == instruments.c.centre_id)
        .outerjoin(persons, persons.c.id == bookings.c.person_id)
        .outerjoin(_BOOKER, _BOOKER.c.id == bookings.c.booked_by_id)
        .outerjoin(_TRAINER, _TRAINER.c.id == bookings.c.trainer_id)
        .outerjoin(_OPERATOR, _OPERATOR.c.id == bookings.c.operator_id)
        .outerjoin(organisations, organisations.c.id == bookings.c.organisation_id)
        .outerjoin(projects, projects.c.id == bookings.c.project_id)
        .where(*conditions)
        .order_by(*by)
        .limit(limit)
    )
    return [_line(row) for row in db.execute(query)]


def _line(row: Row[Any]) -> BookingLine:
    names = {name: getattr(row, name) for name in BookingLine.__struct_fields__ if name != "booking"}
    return BookingLine(booking=msgspec.convert(row, Booking, from_attributes=True), **names)


def line(db: Connection, booking_id: UUID) -> BookingLine:
    """One booking with its names. Raises `NotFound`."""
    found = lines(db, bookings.c.id == booking_id, limit=1)
    if not found:
        raise NotFound("booking_not_found")
    return found[0]


def lines_for_others(db: Connection, viewer: Viewer, since: datetime, limit: int = 200) -> list[BookingLine]:
    """What this viewer has booked for others and may still see, as the leader of the project or for its centre, the
    earliest first.
    """
    since = since.replace(second=0, microsecond=0)
    may_see = sa.or_(
        projects.c.pi_id == viewer.person_id,
        sa.true() if viewer.sees_all else instruments.c.centre_id.in_(sorted(viewer.centre_ids)),
    )
    return lines(
        db,
        bookings.c.booked_by_id == viewer.person_id,
        bookings.c.booked_by_id != bookings.c.person_id,
        bookings.c.state.in_(sorted(OCCUPYING)),
        bookings.c.starts_at > since - LONGEST,
        bookings.c.ends_at > since,
        may_see,
        limit=limit,
    )


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
    """A person's bookings, and those at which they are there for the user, in these states that end after `since` and
    begin before `until`, the earliest first.

    `after` is the start and the id of the one behind which to go on.
    """
    # A whole minute is after an instant exactly when it is after the minute that the instant lies in.
    since = since.replace(second=0, microsecond=0)
    conditions = [
        is_of(person_id),
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
