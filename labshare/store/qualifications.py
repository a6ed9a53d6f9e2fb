"""Qualifications and safety courses as rows; with the last use of each, where it counts.

What must not live here: when a qualification ends (domain/qualifications.py), or who may grant (services).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.engine import Connection

from labshare.domain.bookings import BookingKind, BookingState, InstrumentRules
from labshare.domain.qualifications import Demand, Held, good_until
from labshare.domain.timespan import Span
from labshare.store.bookings import is_in, is_of
from labshare.store.people import IS_HERE
from labshare.store.tables import bookings, centres, instruments, persons, qualifications, safety_courses
from labshare.store.types import UTCMinute

# After every use that anybody will book.
ALWAYS = datetime(2200, 1, 1, tzinfo=UTC)
_NOBODY = UUID(int=0)
_IS_USED = is_in({BookingState.CONFIRMED, BookingState.IN_USE, BookingState.DONE})
# A use has begun before `before`, and is not the booking `but`, which would move.
_BEFORE = sa.bindparam("before", type_=UTCMinute())
_BUT = sa.bindparam("but", type_=sa.Uuid())


def last_use(person_id: ColumnElement[Any], number: ColumnElement[Any], role: ColumnElement[Any]) -> Any:
    """The end of the last use of an instrument by a person in a role: `bookings.person_id`, or what it is for those who
    are there for somebody else. Walks back along that person's bookings, so it is asked only where it counts.
    """
    return (
        sa.select(bookings.c.ends_at)
        .where(
            role == person_id,
            bookings.c.instrument_number == number,
            bookings.c.kind == BookingKind.USE,
            _IS_USED,
            bookings.c.starts_at < _BEFORE,
            bookings.c.id != _BUT,
        )
        .order_by(bookings.c.starts_at.desc())
        .limit(1)
        .correlate(persons, qualifications, instruments)
        .scalar_subquery()
    )


def uses(*, before: datetime = ALWAYS, but: UUID | None = None) -> dict[str, Any]:
    """The parameters of a query with `held_columns`."""
    return {"before": before, "but": but or _NOBODY}


def held_columns(person_id: ColumnElement[Any], number: ColumnElement[Any], counts: ColumnElement[bool]) -> list[Any]:
    """What `held_from` reads of a query that joins `qualifications` and `safety_courses`; uses where they count. Their
    names are their own: a project, too, expires.
    """
    return [
        qualifications.c.level.label("held_level"),
        qualifications.c.granted_at.label("held_since"),
        qualifications.c.expires_at.label("held_until"),
        sa.case((counts, last_use(person_id, number, bookings.c.person_id))).label("last_own"),
        sa.case((counts, last_use(person_id, number, bookings.c.trainer_id))).label("last_trained"),
        sa.case((counts, last_use(person_id, number, bookings.c.operator_id))).label("last_operated"),
        safety_courses.c.completed_on.label("course_on"),
        qualifications.c.operates.label("held_operates"),
    ]


_NOTHING = Held()
_LAST = ("last_own", "last_trained", "last_operated")


def held_from(row: Mapping[Any, Any]) -> Held:
    if row["held_level"] is None and row["course_on"] is None:
        # Of ten thousand instruments one person may use a few.
        return _NOTHING
    used = [each for name in _LAST if (each := row[name]) is not None]
    return Held(
        level=row["held_level"] or 0,
        granted_at=row["held_since"],
        expires_at=row["held_until"],
        last_used_at=max(used, default=None),
        course_on=row["course_on"],
        operates=bool(row["held_operates"]),
    )


def holding(people: sa.FromClause, number: ColumnElement[Any], centre_id: ColumnElement[Any]) -> sa.FromClause:
    """People (`persons` among them) with what they hold for an instrument and the safety course of its centre."""
    return people.outerjoin(
        qualifications,
        sa.and_(qualifications.c.person_id == persons.c.id, qualifications.c.instrument_number == number, IS_HERE),
    ).outerjoin(
        safety_courses, sa.and_(safety_courses.c.person_id == persons.c.id, safety_courses.c.centre_id == centre_id)
    )


_NUMBER, _COUNTS = sa.bindparam("number", type_=sa.Integer), sa.bindparam("counts", type_=sa.Boolean)
_OF_WISH = (
    sa.select(persons.c.id, *held_columns(persons.c.id, _NUMBER, _COUNTS))
    .select_from(holding(persons, _NUMBER, sa.bindparam("centre", type_=sa.Text)))
    .where(persons.c.id.in_(sa.bindparam("person_ids", expanding=True)))
)


def held(
    db: Connection,
    person_ids: Iterable[UUID],
    rules: InstrumentRules,
    *,
    before: datetime = ALWAYS,
    but: UUID | None = None,
) -> dict[UUID, Held]:
    """What each of these people holds for an instrument, with their last use that began before then. One query."""
    params = {
        "person_ids": sorted(set(person_ids)),
        "number": rules.number,
        "centre": rules.centre_id,
        "counts": rules.demand.counts_uses,
        **uses(before=before, but=but),
    }
    return {row["id"]: held_from(row) for row in db.execute(_OF_WISH, params).mappings()}


def uses_ahead(
    db: Connection, person_id: UUID, numbers: Iterable[int], *, since: datetime, but: UUID | None = None
) -> dict[int, list[Span]]:
    """The uses of these instruments that count as such for a person, in whatever role, and begin at `since` or later,
    by number and in order.
    """
    query = (
        sa.select(bookings.c.instrument_number, bookings.c.starts_at, bookings.c.ends_at)
        .where(
            is_of(person_id),
            bookings.c.instrument_number.in_(sorted(set(numbers))),
            bookings.c.kind == BookingKind.USE,
            _IS_USED,
            bookings.c.starts_at >= since,
            bookings.c.id != (but or _NOBODY),
        )
        .order_by(bookings.c.starts_at)
    )
    found: dict[int, list[Span]] = {}
    for number, starts_at, ends_at in db.execute(query):
        found.setdefault(number, []).append(Span(starts_at, ends_at))
    return found


class QualificationLine(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody holds for one instrument, with the names that a list shows beside it."""

    person_id: UUID
    person: str
    login: str
    instrument_number: int
    instrument_id: str
    name_vi: str
    name_en: str
    centre_id: str
    centre_vi: str
    centre_en: str
    timezone: str
    qualification: str
    demand: Demand
    held: Held
    warned_of: datetime | None = None


# What a list shows beside a qualification or an ask for one.
NAMES = (
    persons.c.name.label("person"),
    persons.c.login,
    instruments.c.id.label("instrument_id"),
    instruments.c.name_vi,
    instruments.c.name_en,
    instruments.c.centre_id,
    centres.c.name_vi.label("centre_vi"),
    centres.c.name_en.label("centre_en"),
)
_DEMAND = (instruments.c.lapse_months, instruments.c.first_use_days, instruments.c.course_months)
COUNTS_USES = sa.or_(instruments.c.lapse_months > 0, instruments.c.first_use_days > 0)
_LINES = (
    sa.select(
        qualifications.c.person_id,
        qualifications.c.instrument_number,
        *NAMES,
        centres.c.timezone,
        instruments.c.qualification,
        qualifications.c.warned_of,
        *_DEMAND,
        *held_columns(qualifications.c.person_id, qualifications.c.instrument_number, COUNTS_USES),
    )
    .select_from(qualifications)
    .join(persons, persons.c.id == qualifications.c.person_id)
    .join(instruments, instruments.c.number == qualifications.c.instrument_number)
    .join(centres, centres.c.id == instruments.c.centre_id)
    .outerjoin(
        safety_courses,
        sa.and_(
            safety_courses.c.person_id == qualifications.c.person_id,
            safety_courses.c.centre_id == instruments.c.centre_id,
        ),
    )
    .where(IS_HERE)
    .order_by(instruments.c.id, persons.c.name, persons.c.login)
)


_RANK = (-qualifications.c.level, persons.c.login)


def lines(db: Connection, *where: ColumnElement[bool]) -> list[QualificationLine]:
    return [_line(row) for row in db.execute(_LINES.where(*where), uses()).mappings()]


def where(*, person_id: UUID, number: int) -> tuple[ColumnElement[bool], ...]:
    """The condition of `lines` for one person at one instrument."""
    return (qualifications.c.person_id == person_id, qualifications.c.instrument_number == number)


def of_person(db: Connection, person_id: UUID) -> list[QualificationLine]:
    """All that a person holds, in the order of the instruments' codes."""
    return lines(db, qualifications.c.person_id == person_id)


def of_instrument(db: Connection, number: int, *, level: int = 1) -> list[QualificationLine]:
    """Who holds at least this level for an instrument, by name."""
    return lines(db, qualifications.c.instrument_number == number, qualifications.c.level >= level)


def ranked(
    db: Connection, number: int, *, after: tuple[int, str] | None = None, limit: int | None = None
) -> list[QualificationLine]:
    """Who is qualified for an instrument, the highest level first and then by login, behind this level and login."""
    query = _LINES.where(qualifications.c.instrument_number == number).order_by(None).order_by(*_RANK).limit(limit)
    if after is not None:
        level, login = after
        query = query.where(sa.tuple_(*_RANK) > sa.tuple_(sa.literal(-level), sa.literal(login)))
    return [_line(row) for row in db.execute(query, uses()).mappings()]


def qualified_on(
    db: Connection, person_ids: Iterable[UUID], numbers: Iterable[int]
) -> dict[UUID, dict[int, datetime | None]]:
    """Which of these instruments each of these persons is qualified for, and until when (None: without an end)."""
    found: dict[UUID, dict[int, datetime | None]] = {}
    among = (
        qualifications.c.person_id.in_(set(person_ids)),
        qualifications.c.instrument_number.in_(sorted(set(numbers))),
    )
    for line in lines(db, *among):
        if not line.demand.course_months or line.held.course_on is not None:
            until = good_until(line.held, line.demand, line.timezone)
            found.setdefault(line.person_id, {})[line.instrument_number] = until
    return found


def _line(row: Mapping[Any, Any]) -> QualificationLine:
    names = {name: row[name] for name in QualificationLine.__struct_fields__ if name not in ("demand", "held")}
    demand = Demand(**{name: row[name] for name in Demand.__struct_fields__})
    return QualificationLine(demand=demand, held=held_from(row), **names)


# ---------------------------------------------------------------- written under the lock of the person


def put(
    db: Connection, person_id: UUID, number: int, *, level: int, until: datetime | None, by: UUID, now: datetime
) -> None:
    """Let the person hold this, in place of what they held for the instrument; who operates it goes on to."""
    theirs = where(person_id=person_id, number=number)
    operates = db.execute(sa.select(qualifications.c.operates).where(*theirs)).scalar_one_or_none()
    take(db, person_id, number)
    db.execute(
        qualifications.insert().values(
            person_id=person_id,
            instrument_number=number,
            level=level,
            granted_by_id=by,
            granted_at=now,
            expires_at=until,
            operates=bool(operates),
        )
    )


def take(db: Connection, person_id: UUID, number: int) -> bool:
    """Let the person hold nothing for the instrument. False when they held nothing."""
    return db.execute(qualifications.delete().where(*where(person_id=person_id, number=number))).rowcount == 1


def name_operator(db: Connection, person_id: UUID, number: int, *, operates: bool) -> bool:
    """Have the person operate the instrument, or no more. False when they hold nothing for it."""
    theirs = where(person_id=person_id, number=number)
    return db.execute(qualifications.update().where(*theirs).values(operates=operates)).rowcount == 1


def warned(db: Connection, person_id: UUID, number: int, end: datetime) -> None:
    theirs = where(person_id=person_id, number=number)
    db.execute(qualifications.update().where(*theirs).values(warned_of=end))


def choose(db: Connection, number: int, demand: Demand) -> None:
    """What an instrument demands from now on."""
    values = msgspec.structs.asdict(demand)
    db.execute(sa.update(instruments).where(instruments.c.number == number).values(values))


def put_course(db: Connection, person_id: UUID, centre_id: str, completed_on: date, *, by: UUID, now: datetime) -> None:
    theirs = (safety_courses.c.person_id == person_id, safety_courses.c.centre_id == centre_id)
    db.execute(safety_courses.delete().where(*theirs))
    db.execute(
        safety_courses.insert().values(
            person_id=person_id, centre_id=centre_id, completed_on=completed_on, recorded_by_id=by, recorded_at=now
        )
    )
