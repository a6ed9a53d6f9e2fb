"""What instruments were doing: recorded equipment states, and the minutes that each use was booked for and delivered.

What must not live here: who may see a use (store/reports.py), or sums for a rule (store/agreements.py).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.engine import Connection

from labshare.domain.bookings import LONGEST_MINUTES, OCCUPYING, BookingKind, BookingState
from labshare.domain.equipment import EquipmentState, StateRecord
from labshare.domain.timespan import MINUTE, Span
from labshare.store.booking_pages import BookingLine, lines
from labshare.store.minutes import later, length, minute, raw, sooner, total
from labshare.store.tables import bookings, equipment_states

_OCCUPYING = tuple(sorted(OCCUPYING))
# What satisfies a floor before its time comes: a hold or a pending request never does.
_FIRM = tuple(sorted({BookingState.CONFIRMED, BookingState.IN_USE, BookingState.DONE}))
Query = sa.Select[*tuple[Any, ...]]

# ---------------------------------------------------------------- uses, in minutes


def uses(window: Span, now: datetime, numbers: Collection[int] | None) -> Query:
    """One row for each use that touches the window, with its minutes inside: a part of other queries.

    Columns: instrument_number, organisation_id, access_class, activity, project_id, `began`; `past` and `ahead` are
    occupied minutes before and after `now`; `delivered` are productive minutes of its `records` (a run that goes on
    counts until now); `is_firm`, `is_done`.
    """
    start, end, at = minute(window.start), minute(window.end), minute(now)
    split = later(start, sooner(end, at))
    begins, ends = later(raw(bookings.c.occupied_from), start), sooner(raw(bookings.c.occupied_until), end)
    run_ends = sa.func.coalesce(raw(equipment_states.c.ends_at), at)
    delivered = length(later(raw(equipment_states.c.starts_at), start), sooner(run_ends, end))
    query = (
        sa.select(
            bookings.c.instrument_number,
            bookings.c.organisation_id,
            bookings.c.access_class,
            bookings.c.activity,
            bookings.c.project_id,
            bookings.c.occupied_from.label("began"),
            length(begins, sooner(ends, split)).label("past"),
            length(later(begins, split), ends).label("ahead"),
            bookings.c.state.in_(_FIRM).label("is_firm"),
            (bookings.c.state == BookingState.DONE).label("is_done"),
            sa.func.count(equipment_states.c.id).label("records"),
            # Without a record the outer join gives one row of NULLs, which no length may be made of.
            total(sa.case((equipment_states.c.id.is_not(None), delivered), else_=0)).label("delivered"),
        )
        .outerjoin(
            equipment_states,
            sa.and_(
                equipment_states.c.booking_id == bookings.c.id,
                equipment_states.c.state == EquipmentState.PRODUCTIVE,
            ),
        )
        .where(*_standing_in(window))
        .group_by(bookings.c.id)
    )
    return query if numbers is None else query.where(bookings.c.instrument_number.in_(sorted(numbers)))


def _standing_in(window: Span) -> tuple[ColumnElement[bool], ...]:
    return (
        bookings.c.kind == BookingKind.USE,
        bookings.c.state.in_(_OCCUPYING),
        bookings.c.organisation_id.is_not(None),
        bookings.c.occupied_from < window.end,
        # No booking is longer, so the range that is read stays near the window.
        bookings.c.occupied_from > window.start - LONGEST_MINUTES * MINUTE,
        bookings.c.occupied_until > window.start,
    )


# ---------------------------------------------------------------- equipment states


def records(db: Connection, numbers: Collection[int] | None, span: Span, now: datetime) -> list[StateRecord]:
    """Recorded states that touch the span, by instrument and time; what lasts still has no end."""
    query = sa.select(equipment_states).where(
        equipment_states.c.starts_at < span.end,
        sa.func.coalesce(raw(equipment_states.c.ends_at), minute(now)) > minute(span.start),
    )
    if numbers is not None:
        query = query.where(equipment_states.c.instrument_number.in_(sorted(numbers)))
    rows = db.execute(query.order_by(equipment_states.c.instrument_number, equipment_states.c.starts_at))
    return [msgspec.convert(row, StateRecord, from_attributes=True) for row in rows]


def downs(db: Connection, numbers: Collection[int], span: Span, now: datetime) -> dict[int, list[Span]]:
    """When these instruments were down unplanned, by number; a down that lasts still is told until now."""
    found: dict[int, list[Span]] = {}
    for record in records(db, numbers, span, now):
        if record.state is EquipmentState.UNSCHEDULED_DOWN:
            ends_at = record.ends_at or max(now, record.starts_at + MINUTE)
            found.setdefault(record.instrument_number, []).append(Span(record.starts_at, ends_at))
    return found


def current(db: Connection, numbers: Collection[int], state: EquipmentState) -> dict[int, StateRecord]:
    """The record of this state that lasts, by instrument, where there is one."""
    query = sa.select(equipment_states).where(
        equipment_states.c.instrument_number.in_(sorted(numbers)),
        equipment_states.c.state == state,
        equipment_states.c.ends_at.is_(None),
    )
    found = (msgspec.convert(row, StateRecord, from_attributes=True) for row in db.execute(query))
    return {record.instrument_number: record for record in found}


def lasting(db: Connection, number: int) -> list[StateRecord]:
    """Every record of an instrument that lasts still."""
    query = sa.select(equipment_states).where(
        equipment_states.c.instrument_number == number, equipment_states.c.ends_at.is_(None)
    )
    return [msgspec.convert(row, StateRecord, from_attributes=True) for row in db.execute(query)]


def uses_over(db: Connection, number: int, span: Span) -> list[BookingLine]:
    """The uses of an instrument that touch the span, with their names, in order."""
    return lines(
        db,
        bookings.c.instrument_number == number,
        bookings.c.kind == BookingKind.USE,
        bookings.c.state.in_(_OCCUPYING),
        raw(bookings.c.occupied_from) < minute(span.end),
        raw(bookings.c.occupied_until) > minute(span.start),
    )


def came_at(db: Connection, booking_id: UUID) -> datetime | None:
    """When the instrument first ran for a booking, as far as that is on record."""
    query = sa.select(equipment_states.c.starts_at).where(
        equipment_states.c.booking_id == booking_id, equipment_states.c.state == EquipmentState.PRODUCTIVE
    )
    return db.execute(query.order_by(equipment_states.c.starts_at).limit(1)).scalar_one_or_none()


def add_records(db: Connection, new: Sequence[StateRecord]) -> None:
    if new:
        db.execute(sa.insert(equipment_states), [msgspec.structs.asdict(record) for record in new])


def end_record(db: Connection, record_id: UUID, ends_at: datetime) -> None:
    db.execute(sa.update(equipment_states).where(equipment_states.c.id == record_id).values(ends_at=ends_at))
