"""Feeds in the database: hashes of their secrets, and what stands in one, masked in the query for its owner.

What must not live here: who may see what (services/calendars.py makes the `Viewer`), or the words of an event.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select
from sqlalchemy.engine import Connection, Row

from labshare.domain.bookings import BookingState
from labshare.domain.feeds import Feed, FeedLine
from labshare.domain.modes import Mode
from labshare.domain.timespan import Span
from labshare.store.bookings import IS_OCCUPYING, NUMBERS, is_of, over
from labshare.store.calendars import IS_OWN, Viewer, eyes, masked, private
from labshare.store.prepared import Prepared
from labshare.store.tables import bookings, centres, feeds, instruments, persons, projects
from labshare.store.types import IdDigits, UTCDateTime, UTCMinute, WholeSecond

_FEED = [column for column in feeds.c if column.name != "token_hash"]


class FeedInstrument(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument with the names that an event says of it."""

    number: int
    id: str
    name_vi: str
    name_en: str
    centre_id: str
    centre_vi: str
    centre_en: str
    calendar_version: int


# A booking as it stood: the 32 digits of its id, and its version, which each change of it raises.
Edition = tuple[str, int]


class FeedEvent(NamedTuple):
    """A booking as one reader may see it, whether it still occupies the instrument or was given back.

    A masked one is confirmed while it occupies the instrument and cancelled afterwards, has no words, and its minutes
    are all that it occupies. Rows come by the hundred and as they are: minutes, and the seconds of `modified`, count
    from 1970-01-01T00:00Z, an id is its 32 digits, and what is yes or no is 1 or 0. From the instrument's number on
    stands what many events have in common.
    """

    id: str
    version: int
    modified: int
    start_minute: int
    end_minute: int
    purpose: str | None
    instrument_number: int
    kind: str
    is_own: int
    state: str
    person: str | None
    project: str | None
    # None also where nobody of the staff takes part.
    mode: str | None
    # Who is trained in it, by a trainer who is present; and who of the staff runs it or helps.
    trainee: str | None
    operator: str | None


# The same as a database hands it out, without the names of its fields.
EventRow = tuple[Any, ...]


def add(db: Connection, feed: Feed, token_hash: str) -> None:
    db.execute(feeds.insert().values(token_hash=token_hash, **msgspec.structs.asdict(feed)))


_LINES = (
    sa.select(
        *_FEED,
        sa.func.coalesce(instruments.c.name_vi, centres.c.name_vi, "").label("name_vi"),
        sa.func.coalesce(instruments.c.name_en, centres.c.name_en, "").label("name_en"),
    )
    .outerjoin(instruments, instruments.c.id == feeds.c.instrument_id)
    .outerjoin(centres, centres.c.id == feeds.c.centre_id)
    .where(feeds.c.revoked_at.is_(None))
)
_OF_PERSON = _LINES.where(feeds.c.person_id == sa.bindparam("person_id")).order_by(feeds.c.created_at, feeds.c.id)
_BY_SECRET = Prepared(_LINES.where(feeds.c.token_hash == sa.bindparam("token_hash")))


def lines(db: Connection, person_id: UUID) -> list[FeedLine]:
    """The feeds of a person that are not revoked, the oldest first."""
    return [_line(row) for row in db.execute(_OF_PERSON, {"person_id": person_id})]


def by_secret(db: Connection, token_hash: str) -> FeedLine | None:
    """The feed behind this secret, unless it was revoked."""
    row = _BY_SECRET.rows(db, {"token_hash": token_hash}).one_or_none()
    return _line(row) if row else None


def revoke(db: Connection, feed_id: UUID, person_id: UUID, now: datetime) -> bool:
    """End a feed of this person now. False when they have none like it that was still to be revoked."""
    theirs = (feeds.c.id == feed_id, feeds.c.person_id == person_id, feeds.c.revoked_at.is_(None))
    return db.execute(feeds.update().where(*theirs).values(revoked_at=now)).rowcount == 1


# ---------------------------------------------------------------- what stands in a feed


_INSTRUMENTS = sa.select(
    instruments.c.number,
    instruments.c.id,
    instruments.c.name_vi,
    instruments.c.name_en,
    instruments.c.centre_id,
    centres.c.name_vi.label("centre_vi"),
    centres.c.name_en.label("centre_en"),
    instruments.c.calendar_version,
).join(centres, centres.c.id == instruments.c.centre_id)
_OF_NUMBERS = _INSTRUMENTS.where(instruments.c.number.in_(NUMBERS))
_OF_INSTRUMENT = Prepared(_INSTRUMENTS.where(instruments.c.id == sa.bindparam("place_id")))
# As the board of a centre shows them.
_OF_CENTRE = Prepared(
    _INSTRUMENTS.where(
        instruments.c.centre_id == sa.bindparam("place_id"),
        instruments.c.booking_mode == "time",
        instruments.c.retired_at.is_(None),
    ).order_by(instruments.c.id)
)


def instruments_of(db: Connection, feed: Feed) -> list[FeedInstrument]:
    """The instruments whose calendars this feed shows, for one that names a place."""
    query, place_id = (_OF_INSTRUMENT, feed.instrument_id) if feed.instrument_id else (_OF_CENTRE, feed.centre_id)
    return [_instrument(row) for row in query.rows(db, {"place_id": place_id})]


def instruments_by_number(db: Connection, numbers: Iterable[int]) -> list[FeedInstrument]:
    return [_instrument(row) for row in db.execute(_OF_NUMBERS, {"numbers": sorted(set(numbers))})]


_OPERATORS = persons.alias("operators")
_START, _END, _BACK = (sa.bindparam(name, type_=UTCMinute()) for name in ("start", "end", "back"))


def _minute(column: ColumnElement[datetime]) -> ColumnElement[int]:
    return sa.type_coerce(column, sa.BigInteger)


# All that is told of the state of a masked one.
_SEEN_STATE = sa.case((IS_OCCUPYING, BookingState.CONFIRMED), else_=BookingState.CANCELLED)
# Looked up for the few rows alone that have one; a user and a project most rows have, which are joined.
_NAME_OF_OPERATOR = sa.select(_OPERATORS.c.name).where(_OPERATORS.c.id == bookings.c.operator_id).scalar_subquery()
_EVENTS = (
    sa.select(
        IdDigits(bookings.c.id).label("id"),
        bookings.c.version,
        WholeSecond(bookings.c.updated_at).label("modified"),
        masked(_minute(bookings.c.starts_at), "start_minute", otherwise=_minute(bookings.c.occupied_from)),
        masked(_minute(bookings.c.ends_at), "end_minute", otherwise=_minute(bookings.c.occupied_until)),
        private(bookings.c.purpose, "purpose"),
        bookings.c.instrument_number,
        bookings.c.kind,
        sa.type_coerce(IS_OWN, sa.Integer).label("is_own"),
        masked(bookings.c.state, "state", otherwise=_SEEN_STATE),
        masked(persons.c.name, "person"),
        private(projects.c.code, "project"),
        # Masked too, for the few rows alone in which the staff take part or somebody is trained.
        sa.case((bookings.c.mode != Mode.SELF, masked(bookings.c.mode, "mode"))).label("mode"),
        sa.case((bookings.c.trainer_id.is_not(None), masked(persons.c.name, "trainee"))).label("trainee"),
        sa.case((bookings.c.operator_id.is_not(None), masked(_NAME_OF_OPERATOR, "operator"))).label("operator"),
    )
    .join(instruments, instruments.c.number == bookings.c.instrument_number)
    .outerjoin(persons, persons.c.id == bookings.c.person_id)
    .outerjoin(projects, projects.c.id == bookings.c.project_id)
)
_EDITIONS = sa.select(IdDigits(bookings.c.id), bookings.c.version)
# A cancelled time of which others told before is told as such for as long as the feed looks back.
_TOLD = (
    bookings.c.occupied_until > _START,
    # A hold that its form let go was never told as anything that would be missed.
    sa.or_(
        IS_OCCUPYING,
        sa.and_(bookings.c.updated_at >= sa.bindparam("since", type_=UTCDateTime()), bookings.c.form_hold == 0),
    ),
)
_AMONG = bookings.c.id.in_(sa.bindparam("ids", expanding=True))


def _on_instruments(query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    number, start = bookings.c.instrument_number, bookings.c.occupied_from
    return query.where(*_TOLD, number.in_(NUMBERS), start < _END, start > _BACK).order_by(number, start)


def _of_person(query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    theirs, start = is_of(sa.bindparam("person_id", type_=sa.Uuid())), bookings.c.starts_at
    return query.where(*_TOLD, theirs, start < _END, start > _BACK).order_by(start, bookings.c.id)


_EDITIONS_THERE = Prepared(_on_instruments(_EDITIONS))
_OWN_EDITIONS = Prepared(
    _of_person(
        _EDITIONS.add_columns(bookings.c.instrument_number, instruments.c.centre_id).join(
            instruments, instruments.c.number == bookings.c.instrument_number
        )
    )
)
_EVENTS_THERE, _OWN_EVENTS = Prepared(_on_instruments(_EVENTS)), Prepared(_of_person(_EVENTS))
_SOME_THERE, _SOME_OWN = (Prepared(which(_EVENTS).where(_AMONG)) for which in (_on_instruments, _of_person))


def events(
    db: Connection, numbers: Iterable[int], span: Span, viewer: Viewer, among: Collection[Edition] | None = None
) -> Iterator[EventRow]:
    """What occupies these instruments during the span, and what was given back since its start, by time; with `among`
    those of these bookings alone, as they stand now.
    """
    query = _EVENTS_THERE if among is None else _SOME_THERE
    return query.each(db, _at(numbers, span) | eyes(viewer) | _ids(among))


def own_events(
    db: Connection, span: Span, viewer: Viewer, among: Collection[Edition] | None = None
) -> Iterator[EventRow]:
    """The same of the viewer's own bookings, on whatever instrument."""
    query = _OWN_EVENTS if among is None else _SOME_OWN
    return query.each(db, _by(viewer.person_id, span) | eyes(viewer) | _ids(among))


def editions(db: Connection, numbers: Iterable[int], span: Span) -> list[Edition]:
    """The bookings that `events` tells of, in its order."""
    return [(id, version) for id, version in _EDITIONS_THERE.each(db, _at(numbers, span))]


def own_editions(db: Connection, person_id: UUID, span: Span) -> tuple[list[Edition], dict[int, str]]:
    """The bookings that `own_events` tells of, in its order, and the centre of each instrument that they are on."""
    rows = list(_OWN_EDITIONS.each(db, _by(person_id, span)))
    return [(row[0], row[1]) for row in rows], {row[2]: row[3] for row in rows}


def _at(numbers: Iterable[int], span: Span) -> dict[str, Any]:
    return {"numbers": sorted(set(numbers)), "since": span.start, **over(span)}


def _by(person_id: UUID | None, span: Span) -> dict[str, Any]:
    return {"person_id": person_id, "since": span.start, **over(span)}


def _ids(among: Collection[Edition] | None) -> dict[str, Any]:
    return {} if among is None else {"ids": [UUID(hex=digits) for digits, _ in among]}


def _line(row: Row[Any]) -> FeedLine:
    feed = msgspec.convert(row, Feed, from_attributes=True)
    return FeedLine(feed=feed, name_vi=row.name_vi, name_en=row.name_en)


def _instrument(row: Any) -> FeedInstrument:
    return msgspec.convert(row, FeedInstrument, from_attributes=True)
