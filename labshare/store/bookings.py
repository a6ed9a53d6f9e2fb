"""Bookings in the database: the one lock, the one way in, and what stands in the way.

What must not live here: rules (domain/bookings.py), the guard's DDL (guard.py), where people are (person_times.py) and
calendars (calendars.py). No other file writes `bookings`, but units.py, for the same path.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.engine import Connection

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
from labshare.domain.modes import Mode
from labshare.domain.opening import parse_opening
from labshare.domain.qualifications import Demand
from labshare.domain.timespan import Span
from labshare.domain.units import capacities, when_full
from labshare.errors import NotFound, Stale
from labshare.store.engine import is_writing
from labshare.store.prepared import Prepared
from labshare.store.projects import belongs
from labshare.store.tables import bookings, centres, instruments, persons, projects
from labshare.store.types import UTCMinute

LONGEST = timedelta(minutes=LONGEST_MINUTES)
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
    instruments.c.modes,
    instruments.c.setups,
    *(instruments.c[name] for name in Demand.__struct_fields__),
)
_RULE_COLUMNS = (
    *RULE_COLUMNS,
    *(
        sa.select(centres.c[name]).where(centres.c.id == instruments.c.centre_id).scalar_subquery().label(name)
        for name in ("timezone", "stage", "host_id")
    ),
)


# Statements are built once, with parameters: on the hot path building them would cost more than running them.
START, END, BACK = (sa.bindparam(name, type_=UTCMinute()) for name in ("start", "end", "back"))
NUMBERS: sa.BindParameter[Any] = sa.bindparam("numbers", expanding=True)
# Those who are there besides the user, whether the instrument asks for it or not. Each has an index of its own.
ATTENDANTS = (bookings.c.trainer_id, bookings.c.operator_id)


def is_of(person_id: Any) -> ColumnElement[bool]:
    """Whether somebody uses an instrument in a booking, or is there for its user."""
    return sa.or_(*(role == person_id for role in (bookings.c.person_id, *ATTENDANTS)))


def over(span: Span) -> dict[str, datetime]:
    """The parameters of a query over a span. No block is longer than LONGEST, so none that starts before counts."""
    return {"start": span.start, "end": span.end, "back": span.start - LONGEST}


def is_in(states: Iterable[BookingState]) -> sa.ColumnElement[bool]:
    """Whether a booking is in one of these states, written out: so an index of some states serves, which a parameter
    could not promise.
    """
    return bookings.c.state.in_([sa.literal_column(f"'{state}'") for state in sorted(states)])


IS_OCCUPYING = is_in(OCCUPYING)


def is_lasting(now: datetime) -> ColumnElement[bool]:
    """Whether a booking is not due to end: neither a hold nor a request whose time is over."""
    return sa.or_(
        bookings.c.state.not_in(sorted(WAITING)),
        bookings.c.hold_expires_at.is_(None),
        bookings.c.hold_expires_at > now,
    )


OCCUPIES = sa.and_(
    IS_OCCUPYING,
    bookings.c.occupied_from < END,
    bookings.c.occupied_from > BACK,
    bookings.c.occupied_until > START,
)
# Not the lock of a key: whoever holds a person and writes a row that names an instrument (a time request, a
# qualification) must not wait for who holds that instrument and wants the person.
_LOCK_IN_ORDER = (
    sa.select(instruments.c.number)
    .where(instruments.c.number.in_(NUMBERS))
    .order_by(instruments.c.number)
    .with_for_update(key_share=True)
)
_RAISE_VERSION = (
    sa.update(instruments).values(calendar_version=instruments.c.calendar_version + 1).returning(*_RULE_COLUMNS)
)
_RAISE_ONE = Prepared(_RAISE_VERSION.where(instruments.c.number == sa.bindparam("at_number")))
_RAISE_ALL = _RAISE_VERSION.where(instruments.c.number.in_(NUMBERS))
_LOCK_PERSON = Prepared(
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
# As `units.when_full` reads them.
WHEN_TAKEN = (bookings.c.instrument_number, bookings.c.kind, bookings.c.occupied_from, bookings.c.occupied_until)
_BUSY = sa.select(*WHEN_TAKEN).where(bookings.c.instrument_number.in_(NUMBERS), OCCUPIES)
_BEHIND_CODES = Prepared(
    sa.select(
        *_RULE_COLUMNS,
        sa.select(projects.c.id)
        .where(projects.c.code == sa.bindparam("code"), belongs(sa.bindparam("person_id", type_=sa.Uuid())))
        .scalar_subquery()
        .label("project_id"),
        sa.exists().where(bookings.c.instrument_number == instruments.c.number).where(OCCUPIES).label("is_taken"),
    ).where(instruments.c.id == sa.bindparam("instrument_id"))
)
_ADD = Prepared(sa.insert(bookings), Booking.__struct_fields__)
_GET = sa.select(bookings).where(bookings.c.id == sa.bindparam("booking_id"))


# ---------------------------------------------------------------- the lock


def lock(db: Connection, numbers: Iterable[int], person_ids: Iterable[UUID] = ()) -> dict[int, InstrumentRules]:
    """Lock instruments in number order, then persons in id order, and return what the rules need of each instrument.

    Raising `calendar_version` is the lock; it is undone with the transaction when nothing is written. Nothing is locked
    for who only looks (`is_writing`). Raises `NotFound` when an instrument does not exist.
    """
    wanted = sorted(set(numbers))
    if not is_writing(db):
        found = rules_of(db, wanted)
        if len(found) != len(wanted):
            raise NotFound("instrument_not_found")
        return found
    if len(wanted) > 1 and db.dialect.name == "postgresql":
        # UPDATE takes row locks in the order of its scan; only a sorted SELECT promises an order.
        db.execute(_LOCK_IN_ORDER, {"numbers": wanted})
    one = len(wanted) == 1
    raised = _RAISE_ONE.rows(db, {"at_number": wanted[0]}) if one else db.execute(_RAISE_ALL, {"numbers": wanted})
    rows = raised.mappings().all()
    if len(rows) != len(wanted):
        raise NotFound("instrument_not_found")
    lock_persons(db, person_ids)
    return {row["number"]: rules_from(row) for row in rows}


def hold_still(db: Connection, number: int) -> None:
    """Let nobody write to this calendar before this transaction ends, for who tells how it stands and changes nothing.

    SQLite has one writer anyway.
    """
    if db.dialect.name == "postgresql":
        db.execute(_LOCK_IN_ORDER, {"numbers": [number]})


def lock_persons(db: Connection, person_ids: Iterable[UUID]) -> None:
    """Lock persons in id order: nothing is booked for them before this transaction ends."""
    for person_id in sorted(set(person_ids)) if is_writing(db) else ():
        _LOCK_PERSON.write(db, {"person_id": person_id})


def instrument_number(db: Connection, instrument_id: str) -> int:
    """The number behind a registry code. Raises `NotFound`."""
    number = db.execute(sa.select(instruments.c.number).where(instruments.c.id == instrument_id)).scalar_one_or_none()
    if number is None:
        raise NotFound("instrument_not_found", instrument=instrument_id)
    return number


class Behind(NamedTuple):
    """What codes stand for: an instrument, and a project of a person (None when it is not theirs); and whether anything
    is seen to take the instrument, or a unit of it.
    """

    rules: InstrumentRules
    project_id: UUID | None
    is_taken: bool


def behind_codes(db: Connection, instrument_id: str, project_code: str, person_id: UUID, span: Span) -> Behind:
    """What the codes stand for, and whether the span is taken. One query. Raises `NotFound` for the instrument."""
    asked = {"instrument_id": instrument_id, "code": project_code, "person_id": person_id}
    row = _BEHIND_CODES.rows(db, asked | over(span)).mappings().one_or_none()
    if row is None:
        raise NotFound("instrument_not_found", instrument=instrument_id)
    values = dict(row)
    project_id, is_taken = values.pop("project_id"), bool(values.pop("is_taken"))
    return Behind(rules_from(values), project_id, is_taken)


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


@cache
def _demand(lapse_months: int, first_use_days: int, course_months: int) -> Demand:
    """Most instruments demand the same: nothing."""
    return Demand(lapse_months=lapse_months, first_use_days=first_use_days, course_months=course_months)


def rules_from(row: Mapping[Any, Any]) -> InstrumentRules:
    """RULE_COLUMNS with `timezone`, `stage` and `host_id` of the centre, as the rules want them."""
    values: dict[str, Any] = dict(row)
    values["retired"] = values.pop("retired_at") is not None
    values["planned"] = values.pop("stage") == "planned"
    values["opening"] = parse_opening(values["opening"])
    values["modes"] = tuple(map(Mode, values["modes"].split()))
    values["setups"] = tuple(values["setups"].splitlines())
    values["demand"] = _demand(*[values.pop(name) for name in Demand.__struct_fields__])
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


def busy_spans(db: Connection, rules: Mapping[int, InstrumentRules], span: Span) -> dict[int, list[Span]]:
    """When these instruments are full over the span, by number, unsorted: for suggestions and planning."""
    rows = db.execute(_BUSY, {"numbers": sorted(rules), **over(span)})
    return {number: [] for number in rules} | when_full(rows, capacities(rules.values()))


# ---------------------------------------------------------------- the one way in


def uses_as(db: Connection, wished: Collection[Booking]) -> set[tuple[int, UUID | None, datetime, datetime]]:
    """Of these uses those that somebody has already, beyond holds: by instrument, person, start and end. One query."""
    if not wished:
        return set()
    c = bookings.c
    query = sa.select(c.instrument_number, c.person_id, c.starts_at, c.ends_at).where(
        c.instrument_number.in_({each.instrument_number for each in wished}),
        c.person_id.in_({each.person_id for each in wished}),
        c.starts_at.between(min(each.starts_at for each in wished), max(each.starts_at for each in wished)),
        c.kind == BookingKind.USE,
        is_in(OCCUPYING - {BookingState.HELD}),
    )
    return {(row.instrument_number, row.person_id, row.starts_at, row.ends_at) for row in db.execute(query)}


def add(db: Connection, new: Sequence[Booking]) -> None:
    """Write bookings, under the lock of their instruments. Raises `TimeTaken` through the guard."""
    if new:
        _ADD.write(db, *(msgspec.structs.asdict(booking) for booking in new))


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
