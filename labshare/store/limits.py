"""How much of a centre's limits is taken: what each limit of one holder counts, as parts of the one query of a wish.

What must not live here: what a limit means (domain/booking_rules.py), or the query itself (surroundings.py).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection

from labshare.domain.booking_rules import Holder, Scope, ScopeKind
from labshare.domain.bookings import BookingKind, BookingState
from labshare.domain.timespan import next_minute
from labshare.store.bookings import LONGEST, is_in
from labshare.store.engine import is_writing
from labshare.store.minutes import length, raw, total
from labshare.store.prepared import Prepared
from labshare.store.registry import WITHIN
from labshare.store.tables import booking_rules, bookings, instruments
from labshare.store.types import UTCDateTime, UTCMinute

_IS_AHEAD = is_in({BookingState.HELD, BookingState.PENDING, BookingState.CONFIRMED, BookingState.IN_USE})
# Beyond what anybody may book ahead, for limits that name no days.
FOR_EVER = timedelta(days=36_500)
_LOCK = Prepared(
    sa.select(booking_rules.c.id)
    .where(booking_rules.c.id == sa.any_(sa.bindparam("ids", type_=postgresql.ARRAY(booking_rules.c.id.type))))
    .order_by(booking_rules.c.id)
    .with_for_update()
)


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


class AskedLimits(NamedTuple):
    """What to count: what each seat's holder still has ahead, but for the bookings that leave.

    Blocks, what a round gave, and holds whose time is over do not count. Nothing is read beyond the use that is one too
    many (each has a minute at least), so the cost grows with what a limit allows and not with what a centre has.
    """

    seats: Sequence[Seat]
    now: datetime
    leaving: Collection[UUID] = ()

    @property
    def shape(self) -> LimitShape:
        return tuple((seat.scope.kind, seat.holder) for seat in self.seats), bool(self.leaving)

    @property
    def params(self) -> dict[str, Any]:
        """The parameters of `counting`."""
        minute = self.now.replace(second=0, microsecond=0)
        params: dict[str, Any] = {"now": self.now, "minute": minute, "begun": minute - LONGEST}
        if self.leaving:
            params["leaving"] = list(self.leaving)
        for place, seat in enumerate(self.seats):
            ahead = FOR_EVER if seat.within_days is None else timedelta(days=seat.within_days)
            params |= {
                f"scope_{place}": seat.scope.id,
                f"holder_{place}": seat.holder_id,
                # A use begins on a whole minute: the first that lies beyond bounds the same uses.
                f"until_{place}": (until := next_minute(self.now + ahead)),
                f"over_{place}": until + LONGEST,
                f"enough_{place}": seat.most + 1,
            }
        return params


# What decides the statement: by seat the kinds of its scope and holder, and whether any booking leaves.
LimitShape = tuple[tuple[tuple[ScopeKind, Holder], ...], bool]


def lock(db: Connection, rule_ids: Collection[UUID]) -> None:
    """Queue those who count the same limits, in the order of ids: after instruments and persons, before balances.

    SQLite has one writer, so nobody else counts meanwhile. Who only looks does not queue.
    """
    if rule_ids and db.dialect.name == "postgresql" and is_writing(db):
        _LOCK.rows(db, {"ids": sorted(rule_ids)})


def counting(shape: LimitShape) -> list[sa.Subquery]:
    """For each seat the `minutes` of the uses that it counts, a row for each use."""
    seats, leave = shape
    return [_uses(place, *each, leave) for place, each in enumerate(seats)]


def of_uses(found: sa.Subquery) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """How many there are, and their minutes: what `Taken` has."""
    return sa.func.count(), total(found.c.minutes)


_OF: dict[Holder, ColumnElement[Any]] = {
    Holder.PERSON: bookings.c.person_id,
    Holder.TEAM: bookings.c.project_id,
    Holder.ORGANISATION: bookings.c.organisation_id,
    Holder.ACCESS_CLASS: bookings.c.access_class,
}


def _between(place: int, holder: Holder) -> ColumnElement[bool]:
    """A person's uses are found by their start, and none began longer ago than the longest may last. Those of the other
    holders are found by their end, and none ends later after it begins. Both are ranges with two ends: of one with a
    single end a server that plans for whatever values come expects a third of all that there ever were.
    """
    if holder is Holder.PERSON:
        return bookings.c.starts_at > sa.bindparam("begun", type_=UTCMinute())
    return bookings.c.ends_at < sa.bindparam(f"over_{place}", type_=UTCMinute())


def _uses(place: int, scope: ScopeKind, holder: Holder, leave: bool) -> sa.Subquery:
    """The uses of one seat, but for those that leave where any do."""
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
        _between(place, holder),
        bookings.c.starts_at < sa.bindparam(f"until_{place}", type_=UTCMinute()),
        bookings.c.plan_id.is_(None),
        sa.or_(bookings.c.hold_expires_at.is_(None), ~is_over),
    )
    if leave:
        found = found.where(bookings.c.id.not_in(sa.bindparam("leaving", expanding=True, type_=sa.Uuid())))
    return found.limit(sa.bindparam(f"enough_{place}", type_=sa.Integer())).subquery()
