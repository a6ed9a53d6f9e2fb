"""Bookings in the database: the one lock, the one way in, and what stands in the way.

What must not live here: rules (domain/bookings.py), the guard's DDL (guard.py) and calendars (calendars.py). No other
file writes `bookings`, but units.py, for the same path.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.engine import Connection, Row

from labshare.domain.bookings import (
    LONGEST_MINUTES,
    OCCUPYING,
    WAITING,
    Booking,
    BookingKind,
    BookingState,
    InstrumentRules,
    Neighbour,
)
from labshare.domain.clauses import PersonUse
from labshare.domain.opening import parse_opening
from labshare.domain.timespan import Span
from labshare.domain.units import capacities, when_full
from labshare.errors import NotFound, Stale
from labshare.store.projects import belongs
from labshare.store.tables import bookings, centres, instruments, organisations, persons, projects
from labshare.store.types import UTCMinute

LONGEST = timedelta(minutes=LONGEST_MINUTES)
_OCCUPYING = tuple(sorted(OCCUPYING))
# What the rules need of an instrument's own row; its centre's is joined or looked up.
RULE_COLUMNS = (
    instruments.c.number,
    instruments.c.id,
    instruments.c.centre_id,
    instruments.c.booking_mode,
    instruments.c.opening,
    instruments.c.spans_closed_hours,
    instruments.c.min_minutes,
    instruments.c.max_minutes,
    instruments.c.granularity_minutes,
    instruments.c.advance_days,
    instruments.c.setup_minutes,
    instruments.c.cleanup_minutes,
    instruments.c.capacity,
    instruments.c.attended,
    instruments.c.qualification,
    instruments.c.calendar_version,
    instruments.c.name_vi,
    instruments.c.name_en,
    instruments.c.capability_id,
    instruments.c.retired_at,
    instruments.c.approval,
    instruments.c.approval_hours,
)
_RULE_COLUMNS = (
    *RULE_COLUMNS,
    *(
        sa.select(centres.c[name]).where(centres.c.id == instruments.c.centre_id).scalar_subquery().label(name)
        for name in ("timezone", "stage", "host_id")
    ),
)


# Statements are built once, with parameters: on the hot path building them would cost more than running them.
_START, _END, _BACK = (sa.bindparam(name, type_=UTCMinute()) for name in ("start", "end", "back"))
NUMBERS: sa.BindParameter[Any] = sa.bindparam("numbers", expanding=True)


def over(span: Span) -> dict[str, datetime]:
    """The parameters of a query over a span. No block is longer than LONGEST, so none that starts before counts."""
    return {"start": span.start, "end": span.end, "back": span.start - LONGEST}


OCCUPIES = sa.and_(
    bookings.c.state.in_(_OCCUPYING),
    bookings.c.occupied_from < _END,
    bookings.c.occupied_from > _BACK,
    bookings.c.occupied_until > _START,
)
_LOCK_IN_ORDER = (
    sa.select(instruments.c.number)
    .where(instruments.c.number.in_(NUMBERS))
    .order_by(instruments.c.number)
    .with_for_update()
)
_RAISE_VERSION = (
    sa.update(instruments)
    .where(instruments.c.number.in_(NUMBERS))
    .values(calendar_version=instruments.c.calendar_version + 1)
    .returning(*_RULE_COLUMNS)
)
_LOCK_PERSON = (
    sa.update(persons)
    .where(persons.c.id == sa.bindparam("person_id"))
    .values(calendar_version=persons.c.calendar_version + 1)
)
_RULES = sa.select(*_RULE_COLUMNS).where(instruments.c.number.in_(NUMBERS))
_NEIGHBOURS = sa.select(
    bookings.c.id,
    bookings.c.kind,
    bookings.c.state,
    bookings.c.occupied_from,
    bookings.c.occupied_until,
    bookings.c.hold_expires_at,
).where(bookings.c.instrument_number == sa.bindparam("number"), OCCUPIES)
_PERSON_BUSY = (
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
    .where(
        bookings.c.person_id == sa.bindparam("person_id"),
        bookings.c.attended,
        bookings.c.state.in_(_OCCUPYING),
        bookings.c.starts_at < _END,
        bookings.c.starts_at > _BACK,
        bookings.c.ends_at > _START,
    )
)
_OF_PERSON = (
    sa.select(
        bookings.c.id,
        instruments.c.id,
        instruments.c.centre_id,
        bookings.c.starts_at,
        bookings.c.ends_at,
        instruments.c.capability_id,
    )
    .join(instruments, instruments.c.number == bookings.c.instrument_number)
    .where(bookings.c.person_id == sa.bindparam("person_id"), bookings.c.kind == BookingKind.USE)
)
# What a round gave to somebody is not what they booked themselves.
_OWN_USES = _OF_PERSON.where(
    bookings.c.plan_id.is_(None),
    bookings.c.state.in_(_OCCUPYING),
    bookings.c.starts_at < _END,
    bookings.c.starts_at > _BACK,
    bookings.c.ends_at > _START,
)
_MISSED = _OF_PERSON.where(
    sa.or_(
        bookings.c.state == BookingState.NO_SHOW,
        sa.and_(bookings.c.state == BookingState.CANCELLED, bookings.c.late_notice),
    ),
    bookings.c.starts_at > _START,
)
# As `units.when_full` reads them.
WHEN_TAKEN = (bookings.c.instrument_number, bookings.c.kind, bookings.c.occupied_from, bookings.c.occupied_until)
_BUSY = sa.select(*WHEN_TAKEN).where(bookings.c.instrument_number.in_(NUMBERS), OCCUPIES)
_BEHIND_CODES = sa.select(
    sa.select(instruments.c.number).where(instruments.c.id == sa.bindparam("instrument_id")).scalar_subquery(),
    sa.select(projects.c.id)
    .where(projects.c.code == sa.bindparam("code"), belongs(sa.bindparam("person_id", type_=sa.Uuid())))
    .scalar_subquery(),
)
_GET = sa.select(bookings).where(bookings.c.id == sa.bindparam("booking_id"))


# ---------------------------------------------------------------- the lock


def lock(db: Connection, numbers: Iterable[int], person_ids: Iterable[UUID] = ()) -> dict[int, InstrumentRules]:
    """Lock instruments in number order, then persons in id order, and return what the rules need of each instrument.

    Raising `calendar_version` is the lock; it is undone with the transaction when nothing is written. Raises
    `NotFound` when an instrument does not exist.
    """
    wanted = sorted(set(numbers))
    if len(wanted) > 1 and db.dialect.name == "postgresql":
        # UPDATE takes row locks in the order of its scan; only a sorted SELECT promises an order.
        db.execute(_LOCK_IN_ORDER, {"numbers": wanted})
    rows = db.execute(_RAISE_VERSION, {"numbers": wanted}).mappings().all()
    if len(rows) != len(wanted):
        raise NotFound("instrument_not_found")
    _lock_persons(db, person_ids)
    return {row["number"]: rules_from(row) for row in rows}


def _lock_persons(db: Connection, person_ids: Iterable[UUID]) -> None:
    for person_id in sorted(set(person_ids)):
        db.execute(_LOCK_PERSON, {"person_id": person_id})


def instrument_number(db: Connection, instrument_id: str) -> int:
    """The number behind a registry code. Raises `NotFound`."""
    number = db.execute(sa.select(instruments.c.number).where(instruments.c.id == instrument_id)).scalar_one_or_none()
    if number is None:
        raise NotFound("instrument_not_found", instrument=instrument_id)
    return number


def behind_codes(db: Connection, instrument_id: str, project_code: str, person_id: UUID) -> tuple[int, UUID | None]:
    """An instrument's number and the id of a project of this person (None when it is not theirs). Raises `NotFound`."""
    asked = {"instrument_id": instrument_id, "code": project_code, "person_id": person_id}
    number, project_id = db.execute(_BEHIND_CODES, asked).one()
    if number is None:
        raise NotFound("instrument_not_found", instrument=instrument_id)
    return number, project_id


def rules_of(db: Connection, numbers: Iterable[int]) -> dict[int, InstrumentRules]:
    """The same values as `lock` gives, without locking: for calendars and suggestions."""
    rows = db.execute(_RULES, {"numbers": sorted(set(numbers))}).mappings()
    return {row["number"]: rules_from(row) for row in rows}


def rules_of_centre(db: Connection, centre_id: str) -> list[InstrumentRules]:
    """The rules of every instrument of a centre that can be booked by time, in the registry's order."""
    query = (
        sa.select(*_RULE_COLUMNS)
        .where(
            instruments.c.centre_id == centre_id,
            instruments.c.booking_mode == "time",
            instruments.c.retired_at.is_(None),
        )
        .order_by(instruments.c.id)
    )
    return [rules_from(row) for row in db.execute(query).mappings()]


def rules_from(row: Mapping[Any, Any]) -> InstrumentRules:
    """RULE_COLUMNS with `timezone`, `stage` and `host_id` of the centre, as the rules want them."""
    values: dict[str, Any] = dict(row)
    values["retired"] = values.pop("retired_at") is not None
    values["planned"] = values.pop("stage") == "planned"
    values["opening"] = parse_opening(values["opening"])
    return InstrumentRules(**values)


# ---------------------------------------------------------------- what stands in the way


def neighbours(db: Connection, number: int, span: Span) -> tuple[Neighbour, ...]:
    """Whatever occupies the instrument during the span."""
    return tuple(
        Neighbour(
            id=row.id,
            kind=BookingKind(row.kind),
            occupied=Span(row.occupied_from, row.occupied_until),
            hold_expires_at=row.hold_expires_at if row.state in WAITING else None,
        )
        for row in db.execute(_NEIGHBOURS, {"number": number, **over(span)})
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
        for row in db.execute(_PERSON_BUSY, {"person_id": person_id, **over(span)})
    )


def own_uses(db: Connection, person_id: UUID, span: Span) -> tuple[PersonUse, ...]:
    """What this person booked themselves during the span, on whatever instrument; not what a round gave them."""
    return _person_uses(db, _OWN_USES, {"person_id": person_id, **over(span)})


def missed(db: Connection, person_id: UUID, since: datetime) -> tuple[PersonUse, ...]:
    """Bookings to which this person did not come, or which they gave back too late, that began after then."""
    return _person_uses(db, _MISSED, {"person_id": person_id, "start": since.replace(second=0, microsecond=0)})


def _person_uses(db: Connection, query: sa.Select[*tuple[Any, ...]], params: dict[str, Any]) -> tuple[PersonUse, ...]:
    return tuple(PersonUse(row[0], row[1], row[2], Span(row[3], row[4]), row[5]) for row in db.execute(query, params))


def busy_spans(db: Connection, rules: Mapping[int, InstrumentRules], span: Span) -> dict[int, list[Span]]:
    """When these instruments are full over the span, by number, unsorted: for suggestions and planning."""
    rows = db.execute(_BUSY, {"numbers": sorted(rules), **over(span)})
    return {number: [] for number in rules} | when_full(rows, capacities(rules.values()))


# ---------------------------------------------------------------- the one way in


def add(db: Connection, new: Sequence[Booking]) -> None:
    """Write bookings, under the lock of their instruments. Raises `TimeTaken` through the guard."""
    if new:
        db.execute(sa.insert(bookings), [msgspec.structs.asdict(booking) for booking in new])


def change(db: Connection, booking: Booking, *, seen_version: int) -> Booking:
    """Write a booking's new times, state and purpose; returns it with its new version.

    Raises `Stale` when the version that was seen is no longer the one that stands.
    """
    changed = msgspec.structs.replace(booking, version=seen_version + 1)
    values = msgspec.structs.asdict(changed)
    del values["id"], values["created_at"]
    done = db.execute(
        sa.update(bookings).where(bookings.c.id == booking.id, bookings.c.version == seen_version).values(**values)
    )
    if done.rowcount != 1:
        raise Stale("booking_changed")
    return changed


def lift(db: Connection, ids: Sequence[UUID]) -> None:
    """Take bookings out of the calendar that the same transaction will `change`, so that they may change places."""
    db.execute(sa.update(bookings).where(bookings.c.id.in_(ids)).values(state=BookingState.CANCELLED))


def get(db: Connection, booking_id: UUID) -> Booking:
    """One booking, whole. Raises `NotFound`. Whoever calls decides what the reader may see."""
    row = db.execute(_GET, {"booking_id": booking_id}).one_or_none()
    if row is None:
        raise NotFound("booking_not_found")
    return msgspec.convert(row, Booking, from_attributes=True)


# ---------------------------------------------------------------- one booking with its names


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


def lines(db: Connection, *conditions: ColumnElement[bool], limit: int = 200) -> list[BookingLine]:
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
            organisations.c.name_vi.label("organisation_vi"),
            organisations.c.name_en.label("organisation_en"),
            projects.c.code.label("project"),
        )
        .join(instruments, instruments.c.number == bookings.c.instrument_number)
        .join(centres, centres.c.id == instruments.c.centre_id)
        .outerjoin(persons, persons.c.id == bookings.c.person_id)
        .outerjoin(organisations, organisations.c.id == bookings.c.organisation_id)
        .outerjoin(projects, projects.c.id == bookings.c.project_id)
        .where(*conditions)
        .order_by(bookings.c.starts_at, bookings.c.id)
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
