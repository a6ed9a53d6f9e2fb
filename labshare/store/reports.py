"""Reports read from the database. The one place that decides which instruments and whose rows a reader gets.

Rows of organisations that the reader may not see leave the database without their id: `rival` is a number that tells
parties apart within one answer, so that they can be counted, and says nothing else.

What must not live here: what of others' rows is told (domain/reports.py), or capacity (store/capacity.py).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.engine import Connection

from labshare.cores import OURS
from labshare.domain.projects import AccessClass
from labshare.domain.reports import Reader, ReportScope, UseRow
from labshare.domain.timespan import Span
from labshare.errors import NotFound
from labshare.store.capacity import TimedInstrument, timed_instruments
from labshare.store.minutes import total
from labshare.store.names import Name
from labshare.store.tables import centres, instruments
from labshare.store.usage import uses


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A centre that a report may be about, with its instruments."""

    centre: Name
    instruments: tuple[Name, ...]


# ---------------------------------------------------------------- where the reader may look


def _readable(reader: Reader) -> ColumnElement[bool]:
    """A partner may ask about any centre, since others' figures are masked; a manager only about their own."""
    if reader.sees_all or reader.organisation_ids:
        return sa.true()
    return instruments.c.centre_id.in_(sorted(reader.centre_ids))


def in_scope(db: Connection, reader: Reader, scope: ReportScope, span: Span) -> list[TimedInstrument]:
    """The instruments of a report. Raises `NotFound` for a place that does not exist or is not theirs to see."""
    found = timed_instruments(db, span, _readable(reader), *_within(scope))
    if not found and (scope.centre_id or scope.instrument_id):
        raise NotFound("report_scope_not_found")
    return found


def _within(scope: ReportScope) -> list[ColumnElement[bool]]:
    if scope.instrument_id is not None:
        return [instruments.c.id == scope.instrument_id]
    return [instruments.c.centre_id == scope.centre_id] if scope.centre_id is not None else []


def beside(db: Connection, reader: Reader, chosen: Sequence[TimedInstrument], span: Span) -> list[TimedInstrument]:
    """Every instrument of the centres of these: what may be told of one depends on the others."""
    centre_ids = sorted({each.centre_id for each in chosen})
    return timed_instruments(db, span, _readable(reader), instruments.c.centre_id.in_(centre_ids))


def places(db: Connection, reader: Reader) -> list[Place]:
    """What a reader may choose from: centres with instruments that are booked by time, in the order of their ids."""
    query = (
        sa.select(
            centres.c.id.label("centre_id"),
            centres.c.name_vi.label("centre_vi"),
            centres.c.name_en.label("centre_en"),
            instruments.c.id,
            instruments.c.name_vi,
            instruments.c.name_en,
        )
        .join(centres, centres.c.id == instruments.c.centre_id)
        .where(instruments.c.booking_mode == "time", instruments.c.retired_at.is_(None), _readable(reader))
        .order_by(centres.c.id, instruments.c.id)
    )
    found: dict[str, tuple[Name, list[Name]]] = {}
    for row in db.execute(query).all():
        centre = Name(id=row.centre_id, name_vi=row.centre_vi, name_en=row.centre_en)
        inside = found.setdefault(centre.id, (centre, []))[1]
        inside.append(Name(id=row.id, name_vi=row.name_vi, name_en=row.name_en))
    return [Place(centre=centre, instruments=tuple(inside)) for centre, inside in found.values()]


# ---------------------------------------------------------------- whose minutes


# SQLite adds up months of bookings in this very process.
@OURS.all()
def use_rows(
    db: Connection, reader: Reader, months: Sequence[Span], chosen: Sequence[TimedInstrument], now: datetime
) -> list[UseRow]:
    """Booked and delivered minutes by month, instrument, class and organisation; others' rows masked. One query."""
    if not months or not chosen:
        return []
    numbers = {each.number for each in chosen}
    parts = sa.union_all(*(_month(place, month, numbers, now) for place, month in enumerate(months))).subquery()
    seen = _visible(reader, parts.c.organisation_id, parts.c.instrument_number, chosen)
    # The order of the ranks is that of ids the reader never gets, and it changes with who is in the report.
    rank = sa.func.dense_rank().over(order_by=parts.c.organisation_id)
    query = sa.select(
        parts.c.month,
        parts.c.instrument_number,
        parts.c.access_class,
        sa.case((seen, parts.c.organisation_id)).label("organisation_id"),
        sa.case((seen, None), else_=rank).label("rival"),
        parts.c.booked,
        parts.c.ahead,
        parts.c.delivered,
    )
    centre_of = {each.number: each.centre_id for each in chosen}
    return [_use_row(row, centre_of) for row in db.execute(query).all()]


def _month(place: int, month: Span, numbers: Collection[int], now: datetime) -> sa.Select[*tuple[Any, ...]]:
    each = uses(month, now, numbers).subquery()
    return sa.select(
        sa.literal(place).label("month"),
        each.c.instrument_number,
        each.c.access_class,
        each.c.organisation_id,
        total(each.c.past).label("booked"),
        total(each.c.ahead).label("ahead"),
        total(each.c.delivered).label("delivered"),
    ).group_by(each.c.instrument_number, each.c.access_class, each.c.organisation_id)


def _visible(
    reader: Reader, organisation_id: ColumnElement[str], number: ColumnElement[int], chosen: Sequence[TimedInstrument]
) -> ColumnElement[bool]:
    if reader.sees_all:
        return sa.true()
    answered = sorted(each.number for each in chosen if reader.answers_for(each.centre_id))
    return sa.or_(organisation_id.in_(sorted(reader.organisation_ids)), number.in_(answered))


def _use_row(row: Any, centre_of: dict[int, str]) -> UseRow:
    number: int = row.instrument_number
    return UseRow(
        month=row.month,
        instrument_number=number,
        centre_id=centre_of[number],
        access_class=AccessClass(row.access_class),
        organisation_id=row.organisation_id,
        rival=row.rival,
        booked=row.booked,
        ahead=row.ahead,
        delivered=row.delivered,
    )
