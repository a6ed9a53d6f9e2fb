"""What of each balance lies ahead, by day: rows that move with the balance under its lock, and the uses behind them.

What must not live here: balances themselves (store/agreements.py), or what counts for a rule (domain/balance_days.py).
No other file writes `balance_days`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from labshare.domain.agreements import BalanceKey
from labshare.domain.balance_days import Days, Piece, day_of, minutes_of
from labshare.domain.bookings import OCCUPYING, BookingKind, BookingState
from labshare.domain.equipment import EquipmentState
from labshare.domain.rulebook import Party
from labshare.domain.timespan import Span
from labshare.store.bookings import LONGEST
from labshare.store.minutes import raw, total
from labshare.store.prepared import Prepared
from labshare.store.tables import balance_days, balances, bookings, centres, equipment_states, instruments, projects
from labshare.store.types import UTCMinute

_KEY = (
    balance_days.c.agreement_id,
    balance_days.c.rule_id,
    balance_days.c.scope_key,
    balance_days.c.window_start,
)
_ROW = (*(column.name for column in _KEY), "day", "matched_minutes")
_IS_KEY = tuple(column == sa.bindparam(f"at_{column.name}", type_=column.type) for column in _KEY)
_OF_BALANCE = tuple(column == balances.c[column.name] for column in _KEY)
# Written out, as the condition of an index must be: only then does a database know that the index will do.
_NOT_FIRM = bookings.c.state.in_(
    sa.bindparam("not_firm", (BookingState.HELD, BookingState.PENDING), expanding=True, literal_execute=True)
)
_OCCUPYING = bookings.c.state.in_(
    sa.bindparam("occupying", tuple(sorted(OCCUPYING)), expanding=True, literal_execute=True)
)

MOST_PLACES = 1_000_000
_PLACES = (
    sa.select(instruments.c.number, instruments.c.id, instruments.c.centre_id, centres.c.host_id)
    .join(centres, centres.c.id == instruments.c.centre_id)
    .where(instruments.c.booking_mode == "time")
)

# ---------------------------------------------------------------- rows


def shift(db: Connection, moved: Mapping[BalanceKey, Days]) -> None:
    """Move the days of locked balances by these minutes: one statement, however many."""
    _write(db, moved, adds=True)


def open_days(db: Connection, new: Mapping[BalanceKey, Days]) -> None:
    """The days of balances that were opened. Where somebody else opened one first, theirs stand."""
    _write(db, new, adds=False)


def _write(db: Connection, days: Mapping[BalanceKey, Days], *, adds: bool) -> None:
    rows = [
        {**key._asdict(), "day": day, "matched_minutes": minutes}
        for key in sorted(days)
        for day, minutes in sorted(days[key].items())
    ]
    if rows:
        _upsert(db.dialect.name == "postgresql", adds).write(db, *rows)


@cache
def _upsert(is_postgresql: bool, adds: bool) -> Prepared:
    insert = (postgresql.insert if is_postgresql else sqlite.insert)(balance_days)
    if not adds:
        return Prepared(insert.on_conflict_do_nothing(), _ROW)
    changed = balance_days.c.matched_minutes + insert.excluded.matched_minutes
    added = insert.on_conflict_do_update(index_elements=[*_KEY, balance_days.c.day], set_={"matched_minutes": changed})
    return Prepared(added, _ROW)


def replace(db: Connection, right: Mapping[BalanceKey, Days]) -> None:
    """Write the days of these balances anew; what they had is forgotten."""
    if right:
        forget = [{f"at_{name}": value for name, value in key._asdict().items()} for key in sorted(right)]
        db.execute(sa.delete(balance_days).where(*_IS_KEY), forget)
        _write(db, right, adds=False)


def days_of(db: Connection, agreement_id: str | None, after: int) -> dict[BalanceKey, dict[int, int]]:
    """The days after this one on which balances (of one agreement, or of all) have minutes."""
    query = sa.select(*_KEY, balance_days.c.day, balance_days.c.matched_minutes).where(
        balance_days.c.day > after, balance_days.c.matched_minutes != 0
    )
    if agreement_id is not None:
        query = query.where(balance_days.c.agreement_id == agreement_id)
    found: dict[BalanceKey, dict[int, int]] = {}
    for *key, day, minutes in db.execute(query):
        found.setdefault(BalanceKey(*key), {})[day] = minutes
    return found


_LATER = (
    sa.select(total(balance_days.c.matched_minutes))
    .where(*_OF_BALANCE, balance_days.c.day > sa.bindparam("today"))
    .scalar_subquery()
)
_HOLDING = sa.select(
    balances.c.agreement_id,
    balances.c.rule_id,
    balances.c.scope_key,
    raw(balances.c.window_start),
    raw(balances.c.window_end),
    balances.c.base_minutes,
    balances.c.matched_minutes,
    balances.c.total_minutes,
    _LATER,
).where(
    balances.c.window_end > sa.bindparam("at", type_=UTCMinute()),
    balances.c.window_start <= sa.bindparam("at", type_=UTCMinute()),
)


class Held(NamedTuple):
    """A balance as integers, its window in minutes since 1970, and what of it lies on the days after today."""

    agreement_id: str
    rule_id: str
    scope_key: str
    start: int
    end: int
    base_minutes: int
    matched_minutes: int
    total_minutes: int
    later_minutes: int


def holding(db: Connection, at: datetime, now: datetime) -> list[Held]:
    """The balances whose window holds the whole minute `at`. One query; it reads no booking."""
    return [Held(*row) for row in db.execute(_HOLDING, {"at": at, "today": day_of(now)}).all()]


# ---------------------------------------------------------------- the uses they are made of


def ahead(
    db: Connection, span: Span, numbers: Collection[int] | None = None, *, by_project: bool = True
) -> list[Piece]:
    """The uses that stand in this span, each cut to it, on these instruments or (None) on all. Parties have no project
    unless `by_project`.

    A use that is done and has a record counts as it was delivered: nothing of it lies ahead. One query.
    """
    # Where one at a time uses an instrument, only the last one to start before the span can reach into it.
    last = sa.func.max(bookings.c.occupied_from)
    before = (
        sa.select(last)
        .where(bookings.c.instrument_number == instruments.c.number, bookings.c.occupied_from <= span.start, _OCCUPYING)
        .scalar_subquery()
    )
    back = sa.literal(span.start - LONGEST, UTCMinute)
    places = _PLACES.add_columns(sa.case((instruments.c.capacity == 1, before), else_=back).label("first"))
    if numbers is not None:
        places = places.where(instruments.c.number.in_(sorted(numbers)))
    # The limit limits nothing: it makes SQLite begin with the instruments, each of which then reads a few bookings.
    place = places.limit(MOST_PLACES).subquery()
    query = _uses(place, by_project=by_project).where(
        bookings.c.occupied_from >= sa.func.coalesce(place.c.first, sa.literal(span.start, UTCMinute)),
        bookings.c.occupied_from < span.end,
        bookings.c.occupied_until > span.start,
    )
    return _pieces(db.execute(query).all(), span)


def not_firm(db: Connection, span: Span, *, by_project: bool = True) -> list[Piece]:
    """Those of them that are held or pending. One query, of an index of nothing else."""
    query = _uses(_PLACES.subquery(), by_project=by_project).where(
        _NOT_FIRM, bookings.c.occupied_until > span.start, bookings.c.occupied_from < span.end
    )
    return _pieces(db.execute(query).all(), span)


def _uses(place: sa.Subquery, *, by_project: bool) -> sa.Select[*tuple[Any, ...]]:
    project = (sa.func.coalesce(column, "") for column in (projects.c.code, projects.c.funding_line))
    joined = place.join(bookings, bookings.c.instrument_number == place.c.number)
    recorded = sa.exists().where(
        equipment_states.c.booking_id == bookings.c.id, equipment_states.c.state == EquipmentState.PRODUCTIVE
    )
    return (
        sa.select(
            place.c.id,
            place.c.centre_id,
            bookings.c.organisation_id,
            bookings.c.access_class,
            bookings.c.activity,
            *(project if by_project else (sa.literal(""), sa.literal(""))),
            bookings.c.organisation_id != place.c.host_id,
            raw(bookings.c.occupied_from),
            raw(bookings.c.occupied_until),
        )
        .select_from(joined.outerjoin(projects, projects.c.id == bookings.c.project_id) if by_project else joined)
        .where(
            bookings.c.kind == BookingKind.USE,
            _OCCUPYING,
            bookings.c.organisation_id.is_not(None),
            sa.not_(sa.and_(bookings.c.state == BookingState.DONE, recorded)),
        )
    )


def _pieces(rows: Iterable[Any], span: Span) -> list[Piece]:
    # Thousands at a time, so nothing is made of a row but what is looked at.
    first, last = minutes_of(span)
    # A party is looked up as the tuple that it is (Rulebook.seats); one is made of it only when it is new.
    return [Piece(cast(Party, row[:8]), max(row[8], first), min(row[9], last)) for row in rows]
