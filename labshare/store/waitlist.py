"""The waitlist in the database: entries, which holds were offers to them, and freed time that is still to be offered.

What must not live here: who comes first (domain/waitlist.py), or writing bookings (bookings.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from labshare.domain.bookings import OCCUPYING, BookingKind, BookingState
from labshare.domain.timespan import Span
from labshare.domain.waitlist import OPEN, WaitingEntry, WaitingState
from labshare.errors import NotFound
from labshare.store.bookings import NUMBERS
from labshare.store.minutes import length, raw, total
from labshare.store.names import Name
from labshare.store.tables import (
    bookings,
    capabilities,
    freed_times,
    instruments,
    projects,
    waiting_entries,
    waiting_offers,
)

_IS_OPEN = waiting_entries.c.state.in_(sorted(OPEN))


class FreedTime(msgspec.Struct, frozen=True, kw_only=True):
    """Time of an instrument that came free while somebody waited for it."""

    id: UUID
    instrument_number: int
    starts_at: datetime
    ends_at: datetime
    # Whose it was: they are not offered what they gave back.
    freed_by_id: UUID | None = None

    @property
    def span(self) -> Span:
        return Span(self.starts_at, self.ends_at)


class WaitingLine(msgspec.Struct, frozen=True, kw_only=True):
    """An entry with the names that a page shows: of what is waited for, and where an offer stands of that."""

    entry: WaitingEntry
    name_vi: str
    name_en: str
    instrument_id: str | None
    project: str
    offer_number: int | None = None
    offer_id: str | None = None
    offer_vi: str | None = None
    offer_en: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    expires_at: datetime | None = None


# ---------------------------------------------------------------- entries


def add(db: Connection, entry: WaitingEntry) -> None:
    db.execute(sa.insert(waiting_entries).values(**msgspec.structs.asdict(entry)))


def get(db: Connection, entry_id: UUID, person_id: UUID) -> WaitingEntry:
    """An entry of this person. Raises `NotFound`."""
    theirs = sa.and_(waiting_entries.c.id == entry_id, waiting_entries.c.person_id == person_id)
    row = db.execute(sa.select(waiting_entries).where(theirs)).one_or_none()
    if row is None:
        raise NotFound("waiting_not_found")
    return _entry(row)


def leave(db: Connection, entry_id: UUID) -> bool:
    """The entry waits no more; False when it did not wait any longer, or an offer stands for it."""
    waits = sa.and_(waiting_entries.c.id == entry_id, waiting_entries.c.state == WaitingState.WAITING)
    return db.execute(sa.update(waiting_entries).where(waits).values(state=WaitingState.LEFT)).rowcount == 1


def count_of(db: Connection, person_id: UUID, day: date) -> int:
    """How many open entries this person has that are not over on this day."""
    query = sa.select(sa.func.count()).select_from(waiting_entries)
    return db.execute(query.where(waiting_entries.c.person_id == person_id, _is_open(day))).scalar_one()


_WANTED, _OFFERED = instruments.alias("wanted"), instruments.alias("offered")


def lines_of(db: Connection, person_id: UUID, day: date) -> list[WaitingLine]:
    """The open entries of this person, offers first, then those that have waited longest."""
    query = (
        sa.select(
            waiting_entries,
            sa.func.coalesce(_WANTED.c.name_vi, capabilities.c.name_vi).label("name_vi"),
            sa.func.coalesce(_WANTED.c.name_en, capabilities.c.name_en).label("name_en"),
            _WANTED.c.id.label("instrument_id"),
            projects.c.code.label("project"),
            _OFFERED.c.number.label("offer_number"),
            _OFFERED.c.id.label("offer_id"),
            _OFFERED.c.name_vi.label("offer_vi"),
            _OFFERED.c.name_en.label("offer_en"),
            bookings.c.starts_at,
            bookings.c.ends_at,
            bookings.c.hold_expires_at.label("expires_at"),
        )
        .join(projects, projects.c.id == waiting_entries.c.project_id)
        .outerjoin(_WANTED, _WANTED.c.number == waiting_entries.c.instrument_number)
        .outerjoin(capabilities, capabilities.c.id == waiting_entries.c.capability_id)
        .outerjoin(bookings, bookings.c.id == waiting_entries.c.booking_id)
        .outerjoin(_OFFERED, _OFFERED.c.number == bookings.c.instrument_number)
        .where(waiting_entries.c.person_id == person_id, _is_open(day))
        .order_by(waiting_entries.c.state, waiting_entries.c.created_at, waiting_entries.c.id)
    )
    names = [name for name in WaitingLine.__struct_fields__ if name != "entry"]
    return [WaitingLine(entry=_entry(row), **{name: getattr(row, name) for name in names}) for row in db.execute(query)]


# ---------------------------------------------------------------- who waits for what


def numbers_with(db: Connection, capability_id: str) -> list[int]:
    """The instruments with this capability that are booked by time."""
    query = sa.select(instruments.c.number).where(
        instruments.c.capability_id == capability_id,
        instruments.c.booking_mode == "time",
        instruments.c.retired_at.is_(None),
    )
    return list(db.execute(query.order_by(instruments.c.number)).scalars())


def capability(db: Connection, capability_id: str) -> Name | None:
    """What a capability is called."""
    query = sa.select(capabilities.c.id, capabilities.c.name_vi, capabilities.c.name_en)
    row = db.execute(query.where(capabilities.c.id == capability_id)).one_or_none()
    return msgspec.convert(row, Name, from_attributes=True) if row else None


_WAITS_FOR = sa.or_(
    waiting_entries.c.instrument_number == instruments.c.number,
    waiting_entries.c.capability_id == instruments.c.capability_id,
)
# The same as two look-ups, each by an index of its own.
_IS_WAITED_FOR = sa.or_(
    *(
        sa.select(sa.literal(1)).where(_IS_OPEN, column == there).correlate(instruments).exists()
        for column, there in (
            (waiting_entries.c.instrument_number, instruments.c.number),
            (waiting_entries.c.capability_id, instruments.c.capability_id),
        )
    )
)
_WAITED_FOR = sa.select(instruments.c.number).where(instruments.c.number.in_(NUMBERS), _IS_WAITED_FOR)


def waited_for(db: Connection, numbers: Iterable[int]) -> frozenset[int]:
    """Those of these instruments for which somebody waits."""
    return frozenset(db.execute(_WAITED_FOR, {"numbers": sorted(set(numbers))}).scalars())


def waiting(db: Connection, numbers: Iterable[int], day: date) -> list[WaitingEntry]:
    """The open entries that wait for any of these instruments and are not over on this day."""
    asked = sa.select(waiting_entries.c.id).join(instruments, _WAITS_FOR)
    asked = asked.where(instruments.c.number.in_(sorted(set(numbers))), _is_open(day))
    query = sa.select(waiting_entries).where(waiting_entries.c.id.in_(asked))
    return [_entry(row) for row in db.execute(query)]


def used_minutes(db: Connection, persons: Iterable[UUID], numbers: Iterable[int], since: datetime) -> dict[UUID, int]:
    """How much of the time of these instruments each of these persons has had or has ahead since then.

    An offer that stands is no use yet.
    """
    counted = sorted(OCCUPYING - {"held"})
    minutes = total(length(raw(bookings.c.starts_at), raw(bookings.c.ends_at)))
    query = (
        sa.select(bookings.c.person_id, minutes)
        .where(
            bookings.c.person_id.in_(sorted(set(persons))),
            bookings.c.instrument_number.in_(sorted(set(numbers))),
            bookings.c.kind == BookingKind.USE,
            bookings.c.state.in_(counted),
            bookings.c.starts_at >= since,
        )
        .group_by(bookings.c.person_id)
    )
    return {row[0]: row[1] for row in db.execute(query)}


# ---------------------------------------------------------------- offers


def offer(db: Connection, entry_id: UUID, booking_id: UUID) -> bool:
    """Keep in mind that a hold is an offer to the entry; False when it does not wait any more."""
    waits = sa.and_(waiting_entries.c.id == entry_id, waiting_entries.c.state == WaitingState.WAITING)
    offered = {"state": WaitingState.OFFERED, "booking_id": booking_id}
    if db.execute(sa.update(waiting_entries).where(waits).values(**offered)).rowcount != 1:
        return False
    db.execute(sa.insert(waiting_offers).values(booking_id=booking_id, entry_id=entry_id))
    return True


def taken(db: Connection, booking_ids: Sequence[UUID]) -> None:
    """What became of these holds is a booking: the entries to which they were offered wait no more."""
    db.execute(sa.update(waiting_entries).where(_is_offer(booking_ids)).values(state=WaitingState.TAKEN))


def passed(db: Connection, booking_ids: Sequence[UUID]) -> None:
    """These holds ended: the entries to which they were offered wait again, behind those who passed on less."""
    again: dict[str, Any] = {
        "state": WaitingState.WAITING,
        "booking_id": None,
        "passed": waiting_entries.c.passed + 1,
    }
    db.execute(sa.update(waiting_entries).where(_is_offer(booking_ids)).values(**again))


def passed_spans(db: Connection, number: int, around: Span) -> dict[UUID, list[Span]]:
    """What is not to be offered again of an instrument's time over this span, by entry: what was offered to it, and
    what its person gave back while they waited.
    """
    over = sa.and_(
        bookings.c.instrument_number == number,
        bookings.c.starts_at < around.end,
        bookings.c.ends_at > around.start,
    )
    times = (bookings.c.starts_at, bookings.c.ends_at)
    was_offered = sa.select(waiting_offers.c.entry_id, *times).join_from(
        waiting_offers, bookings, bookings.c.id == waiting_offers.c.booking_id
    )
    gave_back = sa.select(waiting_entries.c.id, *times).join_from(
        waiting_entries,
        bookings,
        sa.and_(
            bookings.c.person_id == waiting_entries.c.person_id,
            bookings.c.updated_at >= waiting_entries.c.created_at,
            bookings.c.state.in_((BookingState.CANCELLED, BookingState.NO_SHOW)),
        ),
    )
    found: dict[UUID, list[Span]] = {}
    for query in (was_offered.where(over), gave_back.where(over, _IS_OPEN)):
        for entry_id, start, end in db.execute(query):
            found.setdefault(entry_id, []).append(Span(start, end))
    return found


def _is_offer(booking_ids: Sequence[UUID]) -> sa.ColumnElement[bool]:
    return sa.and_(waiting_entries.c.booking_id.in_(booking_ids), waiting_entries.c.state == WaitingState.OFFERED)


# ---------------------------------------------------------------- freed time


def add_freed(db: Connection, freed: Sequence[FreedTime]) -> None:
    db.execute(sa.insert(freed_times), [msgspec.structs.asdict(each) for each in freed])


def freed(db: Connection, freed_id: UUID) -> FreedTime | None:
    """Freed time, locked until the transaction ends, so that one alone offers it; None once it has been offered."""
    query = sa.select(freed_times).where(freed_times.c.id == freed_id).with_for_update()
    row = db.execute(query).one_or_none()
    return msgspec.convert(row, FreedTime, from_attributes=True) if row else None


def forget_freed(db: Connection, freed_id: UUID) -> None:
    db.execute(sa.delete(freed_times).where(freed_times.c.id == freed_id))


# ---------------------------------------------------------------- parts


def _is_open(day: date) -> sa.ColumnElement[bool]:
    """An offer of the last day may be answered when that is over, if it is of a slot that is not."""
    return sa.and_(
        _IS_OPEN, sa.or_(waiting_entries.c.until_date >= day, waiting_entries.c.state == WaitingState.OFFERED)
    )


def _entry(row: Any) -> WaitingEntry:
    return msgspec.convert(row, WaitingEntry, from_attributes=True)
