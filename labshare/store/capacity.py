"""What the minutes of instruments are counted from: their opening hours, and the blocks that take time from everybody.

What must not live here: uses of an instrument (store/bookings.py, store/agreements.py).
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

import msgspec
import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.engine import Connection

from labshare.domain.booking_rules import Posted, Site, WeekHours
from labshare.domain.bookings import LONGEST_MINUTES, OCCUPYING, BookingKind
from labshare.domain.opening import OpeningHours, parse_opening
from labshare.domain.standing_rules import at
from labshare.domain.timespan import MINUTE, Span
from labshare.store.booking_rules import ever_posted
from labshare.store.tables import booking_rules, bookings, centres, instruments

WEEK_HOURS = str(WeekHours.__struct_config__.tag)
_OCCUPYING = tuple(sorted(OCCUPYING))
_opening = lru_cache(maxsize=1024)(parse_opening)


class TimedInstrument(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument that is booked by time, with its hours. The matcher of share rules reads its two ids.

    `opening` is what the registry says, `posted` the rules that ever said other hours of the week here, ended ones too.
    Those of a planned centre are not built: they are listed, and nobody can have their time.
    """

    number: int
    instrument_id: str
    centre_id: str
    opening: OpeningHours
    timezone: str
    posted: tuple[Posted, ...] = ()
    capacity: int = 1
    is_built: bool = True


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """Time that nobody's use can have: maintenance, engineering or a closure."""

    instrument_number: int
    kind: BookingKind
    span: Span


def hosts(db: Connection) -> dict[str, str]:
    """The host organisation of each centre."""
    return {row.id: row.host_id for row in db.execute(sa.select(centres.c.id, centres.c.host_id))}


def timed_instruments(db: Connection, span: Span, *conditions: ColumnElement[bool]) -> list[TimedInstrument]:
    """Every instrument booked by time that was in service at some moment of the span, in the order of its id. One
    query, and one more once hours of the week were ever posted.
    """
    query = (
        sa.select(
            instruments.c.number,
            instruments.c.id,
            instruments.c.centre_id,
            instruments.c.opening,
            centres.c.timezone,
            instruments.c.capacity,
            centres.c.stage,
            instruments.c.capability_id,
            instruments.c.registered,
            sa.exists().where(booking_rules.c.kind == WEEK_HOURS).label("are_posted"),
        )
        .join(centres, centres.c.id == instruments.c.centre_id)
        .where(
            instruments.c.booking_mode == "time",
            sa.or_(instruments.c.retired_at.is_(None), instruments.c.retired_at > span.start),
            *conditions,
        )
        .order_by(instruments.c.id)
    )
    rows = db.execute(query).all()
    posted = ever_posted(db, WEEK_HOURS) if rows and rows[0].are_posted else ()
    return [
        TimedInstrument(
            number=row.number,
            instrument_id=row.id,
            centre_id=row.centre_id,
            opening=_opening(row.opening if row.registered is None else msgspec.json.decode(row.registered)["opening"]),
            timezone=row.timezone,
            posted=at(posted, Site(row.id, row.centre_id, row.capability_id)),
            capacity=row.capacity,
            is_built=row.stage != "planned",
        )
        for row in rows
    ]


def blocks(db: Connection, numbers: Collection[int] | None, span: Span) -> list[Block]:
    """Maintenance, engineering and closures that touch the span, on these instruments or (None) on all."""
    query = sa.select(
        bookings.c.instrument_number, bookings.c.kind, bookings.c.occupied_from, bookings.c.occupied_until
    ).where(
        bookings.c.kind != BookingKind.USE,
        bookings.c.state.in_(_OCCUPYING),
        bookings.c.occupied_from < span.end,
        # No block is longer, so the range that is read stays near the span.
        bookings.c.occupied_from > span.start - LONGEST_MINUTES * MINUTE,
        bookings.c.occupied_until > span.start,
    )
    if numbers is not None:
        query = query.where(bookings.c.instrument_number.in_(sorted(numbers)))
    return [
        Block(instrument_number=number, kind=BookingKind(kind), span=Span(start, end))
        for number, kind, start, end in db.execute(query)
    ]
