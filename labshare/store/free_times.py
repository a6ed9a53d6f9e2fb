"""What a search for free time reads: the instruments that may serve, and all that stands in the way on them.

A few queries, however many instruments, each bounded by what a booking may last and never by how many there were.
What must not live here: where a use fits (domain/availability.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select
from sqlalchemy.engine import Connection

from labshare.domain.booking_rules import Site
from labshare.domain.bookings import OCCUPYING, BookingKind, BookingState, InstrumentRules
from labshare.domain.clauses import PersonUse
from labshare.domain.qualifications import End, Held, ends
from labshare.domain.registry_search import Search
from labshare.domain.rounds import KEEPING
from labshare.domain.timespan import Span
from labshare.domain.units import capacities, when_full
from labshare.store.bookings import LONGEST, OCCUPIES, RULE_COLUMNS, WHEN_TAKEN, is_lasting, is_of, over, rules_from
from labshare.store.qualifications import COUNTS_USES, held_columns, held_from, uses
from labshare.store.registry_search import numbers_matching
from labshare.store.tables import bookings, centres, instruments, offers, qualifications, rounds, safety_courses

_OF_CENTRE = ("timezone", "stage", "host_id")
_RULES = (*(column.name for column in RULE_COLUMNS), *_OF_CENTRE)


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument as a list of free times names it, with where it stands."""

    id: str
    name_vi: str
    name_en: str
    capability_id: str
    centre_id: str
    centre_vi: str
    centre_en: str
    city_vi: str
    city_en: str


class Candidate(NamedTuple):
    """An instrument that may serve, and what its person holds for it."""

    rules: InstrumentRules
    held: Held
    place: Place

    @property
    def asks(self) -> bool:
        """Whether it asks for a qualification or a safety course."""
        return bool(self.rules.qualification or self.rules.demand.course_months)

    def ends(self, *, is_alone: bool) -> list[End]:
        """When what the instrument asks for ends, and why, the first before the rest. Who is not alone, but with a
        trainer, needs the safety course only.
        """
        held = self.held if self.rules.qualification and is_alone else Held(course_on=self.held.course_on)
        return ends(held, self.rules.demand, self.rules.timezone)

    def is_qualified(self, *, is_alone: bool) -> bool:
        """Whether what it asks for is there, be it over by now."""
        held, asks_level = self.held, self.rules.qualification and is_alone
        return bool(held.level or not asks_level) and bool(held.course_on or not self.rules.demand.course_months)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which instruments: those of a search, or the few that have these numbers."""

    search: Search = Search()
    among: tuple[int, ...] | None = None

    @property
    def numbers(self) -> Select[Any] | tuple[int, ...]:
        return numbers_matching(self.search) if self.among is None else self.among


class Outline(NamedTuple):
    """An instrument that may serve, and by its `shape` when it is open and whether its person may use it: of very many
    most have the same shape as others.
    """

    number: int
    site: Site
    shape: tuple[Any, ...]


# All that the first start which an instrument's hours leave, and `Candidate.is_qualified`, depend on.
_SHAPE = (
    *(instruments.c[name] for name in ("opening", "spans_closed_hours", "min_minutes", "max_minutes")),
    *(instruments.c[name] for name in ("granularity_minutes", "advance_days", "modes", "qualification")),
    instruments.c.course_months > 0,
    centres.c.timezone,
    qualifications.c.person_id.is_not(None),
    safety_courses.c.person_id.is_not(None),
)
_SITE = (instruments.c.id, instruments.c.centre_id, instruments.c.capability_id)


def outlines(db: Connection, asked: Asked, person_id: UUID | None) -> list[Outline]:
    """The same instruments as `candidates`, with less of each, in the same order."""
    rows = db.execute(_serving(sa.select(instruments.c.number, *_SITE, *_SHAPE), asked, person_id)).all()
    return [Outline(row[0], Site(*row[1:4]), row[4:]) for row in rows]


def candidates(db: Connection, asked: Asked, person_id: UUID | None, *, but: UUID | None = None) -> list[Candidate]:
    """The instruments in use that are booked by time, in the order of their codes; the booking `but` is no use."""
    # Asked of the few for which the person holds something.
    counts = sa.and_(qualifications.c.person_id.is_not(None), COUNTS_USES)
    query = sa.select(
        *RULE_COLUMNS,
        *(centres.c[name] for name in _OF_CENTRE),
        *(centres.c[name].label(f"centre_{name}") for name in ("name_vi", "name_en")),
        centres.c.city_vi,
        centres.c.city_en,
        *held_columns(qualifications.c.person_id, instruments.c.number, counts),
    )
    rows = db.execute(_serving(query, asked, person_id), uses(but=but)).mappings().all()
    return [_candidate(row) for row in rows]


def _serving(query: Select[*tuple[Any, ...]], asked: Asked, person_id: UUID | None) -> Select[*tuple[Any, ...]]:
    held = sa.and_(qualifications.c.instrument_number == instruments.c.number, qualifications.c.person_id == person_id)
    course = sa.and_(safety_courses.c.centre_id == instruments.c.centre_id, safety_courses.c.person_id == person_id)
    return (
        query.select_from(
            instruments.join(centres, centres.c.id == instruments.c.centre_id)
            .outerjoin(qualifications, held)
            .outerjoin(safety_courses, course)
        )
        .where(
            instruments.c.number.in_(asked.numbers),
            instruments.c.booking_mode == "time",
            instruments.c.retired_at.is_(None),
            centres.c.stage != "planned",
        )
        .order_by(instruments.c.id)
    )


def _candidate(row: Any) -> Candidate:
    rules = rules_from({name: row[name] for name in _RULES})
    place = Place(
        id=rules.id,
        name_vi=rules.name_vi,
        name_en=rules.name_en,
        capability_id=row["capability_id"],
        centre_id=rules.centre_id,
        centre_vi=row["centre_name_vi"],
        centre_en=row["centre_name_en"],
        city_vi=row["city_vi"],
        city_en=row["city_en"],
    )
    return Candidate(rules, held_from(row), place)


def busy(
    db: Connection, asked: Asked, span: Span, now: datetime, found: Iterable[Candidate], *, but: UUID | None = None
) -> dict[int, list[Span]]:
    """When these instruments are full during the span, by number; neither what is due to end nor the booking `but`
    takes any of it. `found` are those of the instruments that may serve.
    """
    conditions: list[ColumnElement[bool]] = [
        bookings.c.instrument_number.in_(asked.numbers),
        OCCUPIES,
        is_lasting(now),
    ]
    if but is not None:
        conditions.append(bookings.c.id != but)
    rows = db.execute(sa.select(*WHEN_TAKEN).where(*conditions), over(span))
    return when_full(rows, capacities(each.rules for each in found))


def kept(db: Connection, asked: Asked, span: Span) -> dict[int, list[Span]]:
    """What rounds keep of these instruments during the span, by number."""
    query = (
        sa.select(offers.c.instrument_number, offers.c.starts_at, offers.c.ends_at)
        .join(rounds, rounds.c.id == offers.c.round_id)
        .where(
            offers.c.instrument_number.in_(asked.numbers),
            offers.c.ends_at > span.start,
            offers.c.starts_at < span.end,
            offers.c.released_at.is_(None),
            rounds.c.state.in_(sorted(KEEPING)),
        )
    )
    return _by_number(db.execute(query).all())


class PersonTime(NamedTuple):
    """A booking of a person: where they are, and what clauses of courtesy count of it.

    `is_own` is whether they booked it themselves, `is_due` whether it is a hold that gives way.
    """

    use: PersonUse
    attended: bool
    is_own: bool
    is_due: bool


def of_person(db: Connection, person_id: UUID, span: Span, now: datetime) -> list[PersonTime]:
    """What this person has during the span, on whatever instrument."""
    query = (
        sa.select(
            *(bookings.c[name] for name in ("id", "kind", "state", "starts_at", "ends_at", "attended", "plan_id")),
            *(bookings.c[name] for name in ("hold_expires_at", "person_id", "trainer_id", "operator_id")),
            instruments.c.id.label("instrument_id"),
            instruments.c.centre_id,
            instruments.c.capability_id,
        )
        .join(instruments, instruments.c.number == bookings.c.instrument_number)
        .where(
            is_of(person_id),
            bookings.c.state.in_(sorted(OCCUPYING)),
            bookings.c.starts_at < span.end,
            bookings.c.starts_at > span.start - LONGEST,
            bookings.c.ends_at > span.start,
        )
    )
    return [
        PersonTime(
            use=PersonUse(
                row.id, row.instrument_id, row.centre_id, Span(row.starts_at, row.ends_at), row.capability_id
            ),
            attended=row.attended or person_id in (row.trainer_id, row.operator_id),
            is_own=row.plan_id is None and row.kind == BookingKind.USE and row.person_id == person_id,
            is_due=row.state == BookingState.HELD and row.hold_expires_at is not None and row.hold_expires_at <= now,
        )
        for row in db.execute(query).all()
    ]


def _by_number(rows: Any) -> dict[int, list[Span]]:
    found: dict[int, list[Span]] = {}
    for number, start, end in rows:
        found.setdefault(number, []).append(Span(start, end))
    return found
