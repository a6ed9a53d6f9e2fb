"""Calendars in the database, masked in the query: what a reader may not see never leaves it.

What must not live here: who may see what (services/calendars.py makes the `Viewer`), or anything that writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.engine import Connection

from labshare.domain.bookings import BookingKind, BookingState
from labshare.domain.modes import Mode
from labshare.domain.timespan import Span
from labshare.store.bookings import ATTENDANTS, NUMBERS, OCCUPIES, is_of, over
from labshare.store.tables import bookings, instruments, persons, projects


class Viewer(msgspec.Struct, frozen=True, kw_only=True):
    """Whose eyes a calendar is for: their own bookings and those of the centres they answer for are named."""

    person_id: UUID | None
    centre_ids: frozenset[str] = frozenset()
    sees_all: bool = False


class CalendarEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One occupied interval as one reader may see it. Masked entries carry times, kind and set-up, and nothing else."""

    instrument_number: int
    kind: BookingKind
    starts_at: datetime
    ends_at: datetime
    occupied_from: datetime
    occupied_until: datetime
    is_own: bool
    # What everybody may know: the set-up, so that neighbours can do the same, and that it may come free again soon.
    setup: str = ""
    is_held: bool = False
    # The viewer is there as the trainer of somebody else, or as their operator.
    is_trainer: bool = False
    is_operator: bool = False
    id: UUID | None = None
    version: int | None = None
    state: BookingState | None = None
    person: str | None = None
    organisation_id: str | None = None
    project: str | None = None
    purpose: str | None = None
    mode: Mode | None = None

    def is_askable(self, now: datetime) -> bool:
        """Whether the reader may ask whoever has this time to swap it: a use by somebody else that is to come."""
        is_others = self.kind is BookingKind.USE and not self.is_own
        return is_others and not self.is_held and self.occupied_from > now


_VIEWER = sa.bindparam("viewer_id", type_=sa.Uuid)
# Who is there for the user is told of the time and the user, and nothing of what it is for.
_OWN = is_of(_VIEWER)
# In this order: the first that holds spares a database the others, in each column of each row.
_WHOLE = sa.or_(
    sa.bindparam("sees_all", type_=sa.Boolean),
    instruments.c.centre_id.in_(sa.bindparam("viewer_centres", expanding=True)),
    bookings.c.person_id == _VIEWER,
    bookings.c.kind != BookingKind.USE,
)
_NAMED = sa.or_(_WHOLE, *(role == _VIEWER for role in ATTENDANTS))
_IS_TRAINER = sa.func.coalesce(bookings.c.trainer_id == _VIEWER, sa.false()).label("is_trainer")
_IS_OPERATOR = sa.func.coalesce(bookings.c.operator_id == _VIEWER, sa.false()).label("is_operator")
IS_OWN = sa.func.coalesce(_OWN, sa.false()).label("is_own")


def masked(column: ColumnElement[Any], label: str, *, otherwise: ColumnElement[Any] | None = None) -> Any:
    """A column of a query that joins `instruments`, as far as the viewer may see it."""
    # Without an ELSE the masked value is NULL: it never leaves the database.
    return sa.case((_NAMED, column), else_=otherwise).label(label)


def private(column: ColumnElement[Any], label: str) -> Any:
    """The same for what a use is for, which is not the business of its trainer or operator."""
    return sa.case((_WHOLE, column)).label(label)


def eyes(viewer: Viewer) -> dict[str, Any]:
    """The parameters of a query with masked columns."""
    return {
        "viewer_id": viewer.person_id,
        "sees_all": viewer.sees_all,
        # No centre is called "". An empty list is a query of its own, which each column of each row would ask.
        "viewer_centres": sorted(viewer.centre_ids) or [""],
    }


_CALENDAR = (
    sa.select(
        bookings.c.instrument_number,
        bookings.c.kind,
        bookings.c.starts_at,
        bookings.c.ends_at,
        bookings.c.occupied_from,
        bookings.c.occupied_until,
        IS_OWN,
        bookings.c.setup,
        (bookings.c.state == BookingState.HELD).label("is_held"),
        _IS_TRAINER,
        _IS_OPERATOR,
        masked(bookings.c.id, "id"),
        masked(bookings.c.version, "version"),
        masked(bookings.c.state, "state"),
        masked(persons.c.name, "person"),
        private(bookings.c.organisation_id, "organisation_id"),
        private(projects.c.code, "project"),
        private(bookings.c.purpose, "purpose"),
        masked(bookings.c.mode, "mode"),
    )
    .join(instruments, instruments.c.number == bookings.c.instrument_number)
    .outerjoin(persons, persons.c.id == bookings.c.person_id)
    .outerjoin(projects, projects.c.id == bookings.c.project_id)
    .where(bookings.c.instrument_number.in_(NUMBERS), OCCUPIES)
    .order_by(bookings.c.instrument_number, bookings.c.occupied_from)
)


def calendar(db: Connection, numbers: Iterable[int], span: Span, viewer: Viewer) -> list[CalendarEntry]:
    """What occupies these instruments during the span, as this viewer may see it, by instrument and time."""
    rows = db.execute(_CALENDAR, {"numbers": sorted(set(numbers)), **eyes(viewer), **over(span)})
    return [msgspec.convert(row, CalendarEntry, from_attributes=True) for row in rows]


class Occupied(NamedTuple):
    """An interval that occupies an instrument, without anything of whose it is but one's own.

    Minutes count from 1970-01-01T00:00Z: a board has a thousand of these, and draws them as numbers.
    """

    instrument_number: int
    start_minute: int
    end_minute: int
    kind: str
    own_state: str | None


_OCCUPANCY = (
    sa.select(
        bookings.c.instrument_number,
        sa.type_coerce(bookings.c.occupied_from, sa.BigInteger),
        sa.type_coerce(bookings.c.occupied_until, sa.BigInteger),
        bookings.c.kind,
        sa.case((_OWN, bookings.c.state)),
    )
    .where(bookings.c.instrument_number.in_(NUMBERS), OCCUPIES)
    .order_by(bookings.c.instrument_number, bookings.c.occupied_from)
)


def occupancy(db: Connection, numbers: Iterable[int], span: Span, viewer: Viewer) -> list[Occupied]:
    """What occupies these instruments during the span, by instrument and time, and which of it is the viewer's."""
    values = {"numbers": sorted(set(numbers)), "viewer_id": viewer.person_id, **over(span)}
    return [Occupied._make(row) for row in db.execute(_OCCUPANCY, values).all()]


def versions(db: Connection, instrument_ids: Iterable[str]) -> dict[str, int]:
    """The calendar versions of those instruments that exist, by their codes."""
    query = sa.select(instruments.c.id, instruments.c.calendar_version).where(instruments.c.id.in_(set(instrument_ids)))
    return {row.id: row.calendar_version for row in db.execute(query)}
