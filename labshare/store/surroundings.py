"""What stands around a wish, read under its locks: on its instrument, in the time of its person, and of its limits what
is taken. One query for all.

What must not live here: what is made of it (services/contexts.py), or what a whole search reads (free_times.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from labshare.domain.bookings import WAITING, BookingKind, BookingState, Neighbour
from labshare.domain.clauses import PersonUse
from labshare.domain.timespan import Span
from labshare.store.bookings import ATTENDANTS, IS_OCCUPYING, LONGEST
from labshare.store.limits import AskedLimits, LimitShape, Taken, counting, of_uses
from labshare.store.person_times import IS_STRIKE, STRUCK_AT
from labshare.store.prepared import Prepared
from labshare.store.tables import bookings, instruments
from labshare.store.types import UTCMinute


class AskedPerson(NamedTuple):
    """Whose time is read over which span, and since when the bookings that they missed (None: those are not asked)."""

    id: UUID
    span: Span
    missed_since: datetime | None = None

    @property
    def params(self) -> dict[str, Any]:
        over = self.span
        asked: dict[str, Any] = {
            "person_id": self.id,
            "own_start": over.start,
            "own_end": over.end,
            "own_back": over.start - LONGEST,
        }
        since = self.missed_since
        return asked if since is None else asked | {"since": since.replace(second=0, microsecond=0)}


class PersonTime(NamedTuple):
    """A booking of a person: where they are, as its user or for its user, and whether they booked it themselves, which
    no round did for them.
    """

    place: Neighbour
    use: PersonUse
    attended: bool
    is_own: bool


class Around(NamedTuple):
    """What occupies the instrument; what the person has on whatever instrument; to what they did not come in time; and
    what is taken of each limit, in the order of its seats.
    """

    neighbours: tuple[Neighbour, ...] = ()
    times: tuple[PersonTime, ...] = ()
    missed: tuple[PersonUse, ...] = ()
    taken: tuple[Taken, ...] = ()


def around(
    db: Connection, number: int, occupied: Span, person: AskedPerson | None = None, limits: AskedLimits | None = None
) -> Around:
    """Whatever stands on the instrument during `occupied`, in the person's time as it is asked, and what is taken of
    the limits. One query.
    """
    params: dict[str, Any] = {
        "number": number,
        "start": occupied.start,
        "end": occupied.end,
        "back": occupied.start - LONGEST,
    }
    for asked in (person, limits):
        params |= asked.params if asked else {}
    has_missed = person is not None and person.missed_since is not None
    query = _query(person is not None, has_missed, limits.shape if limits else None)
    rows: Sequence[Any] = query.rows(db, params).all()
    return Around(
        tuple(_neighbour(row) for row in rows if row.part == _NEAR),
        tuple(
            PersonTime(
                _neighbour(row),
                _use(row),
                bool(row.attended) or row.part in _ATTENDING,
                row.part == _PERSON and row.kind == BookingKind.USE and row.plan_id is None,
            )
            for row in rows
            if row.part in (_PERSON, *_ATTENDING)
        ),
        tuple(_use(row) for row in rows if row.part == _MISSED),
        tuple(Taken(row.uses, row.minutes) for row in sorted(_counts(rows), key=lambda row: row.part)),
    )


def _counts(rows: Iterable[Any]) -> Iterator[Any]:
    return (row for row in rows if row.part >= _COUNTED)


def _neighbour(row: Any) -> Neighbour:
    return Neighbour(
        id=row.id,
        kind=BookingKind(row.kind),
        occupied=Span(row.begins, row.ends),
        instrument_id=row.instrument_id,
        hold_expires_at=row.hold_expires_at if row.state in WAITING else None,
    )


def _use(row: Any) -> PersonUse:
    gave_back = row.state == BookingState.CANCELLED
    return PersonUse(row.id, row.instrument_id, row.centre_id, Span(row.begins, row.ends), row.capability_id, gave_back)


# ---------------------------------------------------------------- the statement

_NEAR, _PERSON, _MISSED = range(3)
# A part for each role of `ATTENDANTS`.
_ATTENDING = range(3, 3 + len(ATTENDANTS))
# And from here on one for each seat of a limit.
_COUNTED = _ATTENDING.stop
_NOWHERE = (sa.literal(""), sa.literal(""), sa.literal(""))
_SITE = (instruments.c.id, instruments.c.centre_id, instruments.c.capability_id)


def _minute(name: str) -> sa.BindParameter[Any]:
    return sa.bindparam(name, type_=UTCMinute())


def _columns(part: int, begins: Any, ends: Any, site: Sequence[Any]) -> sa.Select[*tuple[Any, ...]]:
    instrument_id, centre_id, capability_id = site
    return sa.select(
        sa.literal(part, sa.Integer).label("part"),
        bookings.c.id,
        bookings.c.kind,
        bookings.c.state,
        begins.label("begins"),
        ends.label("ends"),
        bookings.c.hold_expires_at,
        bookings.c.attended,
        bookings.c.plan_id,
        instrument_id.label("instrument_id"),
        centre_id.label("centre_id"),
        capability_id.label("capability_id"),
    )


_NO_NUMBERS = (sa.cast(sa.null(), sa.Integer).label("uses"), sa.cast(sa.null(), sa.Integer).label("minutes"))


def _count(part: int, found: sa.Subquery) -> sa.Select[*tuple[Any, ...]]:
    """What a seat counts, in the columns that the others have and two of its own."""
    nothing = [sa.null() for _ in _columns(part, sa.null(), sa.null(), _NOWHERE).selected_columns]
    return sa.select(sa.literal(part, sa.Integer), *nothing[1:], *of_uses(found))


# Statements are built once for each sort of question: on the path of a booking, building one would cost more than
# running it.
@lru_cache(maxsize=256)
def _query(has_person: bool, has_missed: bool, limits: LimitShape | None) -> Prepared:
    c = bookings.c
    parts = [
        _columns(_NEAR, c.occupied_from, c.occupied_until, _NOWHERE).where(
            c.instrument_number == sa.bindparam("number"),
            IS_OCCUPYING,
            c.occupied_from < _minute("end"),
            c.occupied_from > _minute("back"),
            c.occupied_until > _minute("start"),
        )
    ]
    person_id = sa.bindparam("person_id", type_=sa.Uuid())
    theirs = c.person_id == person_id
    attending = [role == person_id for role in ATTENDANTS]
    here = instruments.c.number == c.instrument_number
    if has_person:
        # Each role has an index of its own.
        parts += (
            _columns(part, c.starts_at, c.ends_at, _SITE)
            .join(instruments, here)
            .where(
                role,
                IS_OCCUPYING,
                c.starts_at < _minute("own_end"),
                c.starts_at > _minute("own_back"),
                c.ends_at > _minute("own_start"),
            )
            for part, role in ((_PERSON, theirs), *zip(_ATTENDING, attending, strict=True))
        )
    if has_missed:
        parts.append(
            _columns(_MISSED, STRUCK_AT, c.ends_at, _SITE)
            .join(instruments, here)
            .where(theirs, c.kind == BookingKind.USE, IS_STRIKE, c.starts_at > _minute("since"))
        )
    if limits is not None:
        parts = [each.add_columns(*_NO_NUMBERS) for each in parts]
        parts += (_count(_COUNTED + place, found) for place, found in enumerate(counting(limits)))
    return Prepared(sa.union_all(*parts))
