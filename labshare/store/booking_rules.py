"""The rules of booking that centres posted: their rows, and how much of a limit is taken.

What must not live here: what a rule means (domain/booking_rules.py).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.engine import Connection

from labshare.domain.booking_rules import Holder, Posted, Scope, ScopeKind, kind_of, params_of, read
from labshare.domain.bookings import BookingKind, BookingState
from labshare.domain.timespan import next_minute
from labshare.errors import NotFound
from labshare.store.bookings import LONGEST, is_in
from labshare.store.engine import is_writing
from labshare.store.facts import renew_stamp
from labshare.store.minutes import length, raw, total
from labshare.store.registry import WITHIN
from labshare.store.tables import booking_rules, bookings, capabilities, centres, instruments
from labshare.store.types import UTCDateTime, UTCMinute

_IS_AHEAD = is_in({BookingState.HELD, BookingState.PENDING, BookingState.CONFIRMED, BookingState.IN_USE})
# Beyond what anybody may book ahead, for limits that name no days.
FOR_EVER = timedelta(days=36_500)
_STANDING = booking_rules.c.until.is_(None)
_ORDER = (booking_rules.c.scope_kind, booking_rules.c.scope_id, booking_rules.c.kind, booking_rules.c.since)
_LOCK = (
    sa.select(booking_rules.c.id)
    .where(booking_rules.c.id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(booking_rules.c.id)
    .with_for_update()
)


# ---------------------------------------------------------------- the rows


def standing(db: Connection) -> tuple[Posted, ...]:
    """Every rule that stands, of all centres."""
    return _posted(db, _STANDING)


def ever_posted(db: Connection, kind: str) -> tuple[Posted, ...]:
    """Every rule of a kind, whether it stands or has ended, of all centres."""
    return _posted(db, booking_rules.c.kind == kind)


def of_scopes(db: Connection, scopes: Collection[Scope], *, ended: bool = False) -> tuple[Posted, ...]:
    """The rules of these scopes that stand or, when asked for, those that have ended."""
    among = sa.tuple_(booking_rules.c.scope_kind, booking_rules.c.scope_id).in_(
        [(scope.kind.value, scope.id) for scope in scopes]
    )
    return _posted(db, among, ~_STANDING if ended else _STANDING)


def exists(db: Connection, scope: Scope) -> bool:
    """Whether there is such an instrument, centre or capability."""
    column = {
        ScopeKind.INSTRUMENT: instruments.c.id,
        ScopeKind.CENTRE: centres.c.id,
        ScopeKind.GROUP: capabilities.c.id,
    }[scope.kind]
    return db.execute(sa.select(column).where(column == scope.id)).one_or_none() is not None


def get(db: Connection, rule_id: UUID, *, lock: bool = False) -> Posted:
    """One rule, whether it stands or has ended. Raises `NotFound`."""
    query = sa.select(booking_rules).where(booking_rules.c.id == rule_id)
    row = db.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFound("booking_rule_not_found")
    return _of(row)


def add(db: Connection, posted: Posted) -> None:
    """Post a rule. To be called when no booking is being written (`agreements.hold_still`)."""
    db.execute(
        sa.insert(booking_rules).values(
            id=posted.id,
            scope_kind=posted.scope.kind.value,
            scope_id=posted.scope.id,
            kind=kind_of(posted.rule),
            params=msgspec.json.encode(params_of(posted.rule)).decode(),
            since=posted.since,
            posted_by_id=posted.posted_by_id,
        )
    )
    renew_stamp(db)


def end(db: Connection, rule_id: UUID, *, ended_by_id: UUID, now: datetime) -> None:
    """End a rule. To be called as `add`."""
    db.execute(sa.update(booking_rules).where(booking_rules.c.id == rule_id).values(until=now, ended_by_id=ended_by_id))
    renew_stamp(db)


def _posted(db: Connection, *conditions: ColumnElement[bool]) -> tuple[Posted, ...]:
    query = sa.select(booking_rules).where(*conditions).order_by(*_ORDER, booking_rules.c.id)
    return tuple(_of(row) for row in db.execute(query))


def _of(row: Any) -> Posted:
    return Posted(
        id=row.id,
        scope=Scope(ScopeKind(row.scope_kind), row.scope_id),
        rule=read(row.kind, msgspec.json.decode(row.params)),
        since=row.since,
        posted_by_id=row.posted_by_id,
        until=row.until,
        ended_by_id=row.ended_by_id,
    )


# ---------------------------------------------------------------- what is taken of a limit


class Seat(NamedTuple):
    """A limit of one holder: of what is booked inside its scope on their account, and begins within so many days.

    `most` is what it allows, in uses or in minutes.
    """

    rule_id: UUID
    scope: Scope
    holder: Holder
    holder_id: UUID | str
    within_days: int | None
    most: int


class Taken(NamedTuple):
    """Whole, or more than the limit allows: what goes far beyond a limit is not counted to its end."""

    uses: int
    minutes: int


def lock(db: Connection, rule_ids: Collection[UUID]) -> None:
    """Queue those who count the same limits, in the order of ids: after instruments and persons, before balances.

    SQLite has one writer, so nobody else counts meanwhile. Who only looks does not queue.
    """
    if rule_ids and db.dialect.name == "postgresql" and is_writing(db):
        db.execute(_LOCK, {"ids": sorted(rule_ids)})


def taken(db: Connection, seats: Sequence[Seat], now: datetime, *, leaving: Collection[UUID] = ()) -> list[Taken]:
    """What each seat's holder still has ahead, but for the bookings that leave: one query, whatever it is asked.

    Blocks, what a round gave, and holds whose time is over do not count. Nothing is read beyond the use that is one too
    many (each has a minute at least), so the cost grows with what a limit allows and not with what a centre has.
    """
    if not seats:
        return []
    minute = now.replace(second=0, microsecond=0)
    params: dict[str, Any] = {"now": now, "minute": minute, "back": minute - LONGEST}
    if leaving:
        params["leaving"] = list(leaving)
    for place, seat in enumerate(seats):
        ahead = FOR_EVER if seat.within_days is None else timedelta(days=seat.within_days)
        # A use begins on a whole minute: the first that lies beyond bounds the same uses.
        until = now + ahead
        params |= {
            f"scope_{place}": seat.scope.id,
            f"holder_{place}": seat.holder_id,
            f"until_{place}": next_minute(until),
            f"enough_{place}": seat.most + 1,
        }
    query = _counting(tuple((seat.scope.kind, seat.holder) for seat in seats), bool(leaving))
    return [Taken(row[1], row[2]) for row in sorted(tuple(row) for row in db.execute(query, params))]


# Statements are built once for each sort of question; building one costs more than running it.
@lru_cache(maxsize=256)
def _counting(shapes: tuple[tuple[ScopeKind, Holder], ...], leave: bool) -> sa.CompoundSelect[int, int, int]:
    return sa.union_all(*(_one(place, *shape, leave) for place, shape in enumerate(shapes)))


_OF: dict[Holder, ColumnElement[Any]] = {
    Holder.PERSON: bookings.c.person_id,
    Holder.TEAM: bookings.c.project_id,
    Holder.ORGANISATION: bookings.c.organisation_id,
    Holder.ACCESS_CLASS: bookings.c.access_class,
}


def _begun_lately(holder: Holder) -> list[ColumnElement[bool]]:
    """A person's uses are found by their start, and none began longer ago than the longest may last. Those of the other
    holders are found by their end.
    """
    if holder is not Holder.PERSON:
        return []
    return [bookings.c.starts_at > sa.bindparam("back", type_=UTCMinute())]


def _one(place: int, scope: ScopeKind, holder: Holder, leave: bool) -> sa.Select[int, int, int]:
    """How many uses, and their minutes, but for those that leave where any do."""
    inside = sa.select(instruments.c.number).where(WITHIN[scope] == sa.bindparam(f"scope_{place}", type_=sa.Text()))
    is_over = sa.and_(
        bookings.c.state == BookingState.HELD,
        bookings.c.hold_expires_at <= sa.bindparam("now", type_=UTCDateTime()),
    )
    found = sa.select(length(raw(bookings.c.starts_at), raw(bookings.c.ends_at)).label("minutes")).where(
        _OF[holder] == sa.bindparam(f"holder_{place}", type_=_OF[holder].type),
        bookings.c.instrument_number.in_(inside),
        bookings.c.kind == BookingKind.USE,
        _IS_AHEAD,
        bookings.c.ends_at > sa.bindparam("minute", type_=UTCMinute()),
        *_begun_lately(holder),
        bookings.c.starts_at < sa.bindparam(f"until_{place}", type_=UTCMinute()),
        bookings.c.plan_id.is_(None),
        sa.or_(bookings.c.hold_expires_at.is_(None), ~is_over),
    )
    if leave:
        found = found.where(bookings.c.id.not_in(sa.bindparam("leaving", expanding=True, type_=sa.Uuid())))
    enough = found.limit(sa.bindparam(f"enough_{place}", type_=sa.Integer())).subquery()
    return sa.select(sa.literal(place, sa.Integer), sa.func.count(), total(enough.c.minutes))
