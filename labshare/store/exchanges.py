"""Exchanges of bookings in the database.

What must not live here: what becomes of the bookings (services/exchanges.py).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from labshare.domain.bookings import Booking, BookingKind
from labshare.domain.exchanges import Exchange, ExchangeState
from labshare.domain.timespan import MINUTE, Span
from labshare.errors import NotFound
from labshare.store.bookings import OCCUPIES, over
from labshare.store.names import Name
from labshare.store.people import IS_HERE
from labshare.store.projects import belongs
from labshare.store.tables import bookings, exchanges, instruments, persons, project_members, projects

_IS_OPEN = exchanges.c.state == ExchangeState.OPEN


class Offered(msgspec.Struct, frozen=True, kw_only=True):
    """A booking as its side of an exchange: what a page names of it."""

    instrument_id: str
    name_vi: str
    name_en: str
    starts_at: datetime
    ends_at: datetime
    version: int


class ExchangeLine(msgspec.Struct, frozen=True, kw_only=True):
    """An exchange that may still be answered, as one of its two sides may see it.

    The receiver of a swap has no name for the giver, and their time is what the calendar shows everybody.
    """

    exchange: Exchange
    gives: Offered
    wants: Offered | None
    giver: str
    receiver: str | None

    @property
    def version(self) -> int:
        """What somebody who answers has seen."""
        return self.gives.version + (self.wants.version if self.wants else 0)


def add(db: Connection, exchange: Exchange) -> None:
    db.execute(sa.insert(exchanges).values(**msgspec.structs.asdict(exchange)))


def get(db: Connection, exchange_id: UUID, person_id: UUID) -> Exchange:
    """An exchange that this person is a side of. Raises `NotFound`."""
    theirs = sa.or_(exchanges.c.giver_id == person_id, exchanges.c.receiver_id == person_id)
    row = db.execute(sa.select(exchanges).where(exchanges.c.id == exchange_id, theirs)).one_or_none()
    if row is None:
        raise NotFound("exchange_not_found")
    return msgspec.convert(row, Exchange, from_attributes=True)


def answer(db: Connection, exchange_id: UUID, state: ExchangeState) -> bool:
    """Write what became of it; False when it was answered before."""
    query = sa.update(exchanges).where(exchanges.c.id == exchange_id, _IS_OPEN).values(state=state)
    return db.execute(query).rowcount == 1


def clear(db: Connection, booking_id: UUID, giver_id: UUID, now: datetime) -> bool:
    """Withdraw what nobody can accept any more; returns whether an exchange of this booking stands still."""
    of_it = sa.and_(exchanges.c.booking_id == booking_id, _IS_OPEN)
    asked_for = sa.exists().where(
        bookings.c.id == exchanges.c.other_id,
        bookings.c.person_id == exchanges.c.receiver_id,
        bookings.c.version == exchanges.c.other_version,
        bookings.c.state.in_(("pending", "confirmed")),
    )
    gone = sa.and_(exchanges.c.other_id.is_not(None), sa.not_(asked_for))
    passed = sa.or_(exchanges.c.answer_by <= now, exchanges.c.giver_id != giver_id, gone)
    db.execute(sa.update(exchanges).where(of_it, passed).values(state=ExchangeState.WITHDRAWN))
    return db.execute(sa.select(exchanges.c.id).where(of_it)).first() is not None


def uses_at(db: Connection, number: int, moment: datetime) -> list[Booking]:
    """The uses that occupy an instrument at this minute."""
    query = sa.select(bookings).where(
        bookings.c.instrument_number == number, bookings.c.kind == BookingKind.USE, OCCUPIES
    )
    found = db.execute(query, over(Span(moment, moment + MINUTE)))
    return [msgspec.convert(row, Booking, from_attributes=True) for row in found]


def colleagues(db: Connection, person_id: UUID) -> list[Name]:
    """Whoever belongs to a project of this person and is still here, by name: they know each other."""
    mine = sa.select(projects.c.id, projects.c.pi_id).where(belongs(person_id)).subquery()
    theirs = sa.union(
        sa.select(mine.c.pi_id),
        sa.select(project_members.c.person_id).where(project_members.c.project_id.in_(sa.select(mine.c.id))),
    )
    query = sa.select(persons.c.id, persons.c.name).where(
        persons.c.id.in_(theirs),
        persons.c.id != person_id,
        IS_HERE,
    )
    return [
        Name(id=str(row.id), name_vi=row.name, name_en=row.name) for row in db.execute(query.order_by(persons.c.name))
    ]


_GIVEN, _WANTED = bookings.alias("given"), bookings.alias("wanted")
_GIVEN_AT, _WANTED_AT = instruments.alias("given_at"), instruments.alias("wanted_at")
_GIVER, _RECEIVER = persons.alias("giver"), persons.alias("receiver")
_MINE = exchanges.c.receiver_id == sa.bindparam("viewer_id", type_=sa.Uuid)
_LINES = (
    sa.select(
        exchanges,
        *(_GIVEN.c[name].label(f"given_{name}") for name in ("starts_at", "ends_at", "version")),
        *(_GIVEN_AT.c[name].label(f"given_{name}") for name in ("id", "name_vi", "name_en")),
        # Whoever asks for it sees of the other's booking what a calendar shows everybody.
        sa.case((_MINE, _WANTED.c.starts_at), else_=_WANTED.c.occupied_from).label("wanted_starts_at"),
        sa.case((_MINE, _WANTED.c.ends_at), else_=_WANTED.c.occupied_until).label("wanted_ends_at"),
        _WANTED.c.version.label("wanted_version"),
        *(_WANTED_AT.c[name].label(f"wanted_{name}") for name in ("id", "name_vi", "name_en")),
        _GIVER.c.name.label("giver"),
        sa.case((sa.or_(_MINE, exchanges.c.other_id.is_(None)), _RECEIVER.c.name)).label("receiver"),
    )
    .join(_GIVEN, sa.and_(_GIVEN.c.id == exchanges.c.booking_id, _GIVEN.c.person_id == exchanges.c.giver_id))
    .join(_GIVEN_AT, _GIVEN_AT.c.number == _GIVEN.c.instrument_number)
    .join(_GIVER, _GIVER.c.id == exchanges.c.giver_id)
    .join(_RECEIVER, _RECEIVER.c.id == exchanges.c.receiver_id)
    .outerjoin(_WANTED, sa.and_(_WANTED.c.id == exchanges.c.other_id, _WANTED.c.person_id == exchanges.c.receiver_id))
    .outerjoin(_WANTED_AT, _WANTED_AT.c.number == _WANTED.c.instrument_number)
    .where(
        _IS_OPEN,
        exchanges.c.answer_by > sa.bindparam("now", type_=exchanges.c.answer_by.type),
        sa.or_(_MINE, exchanges.c.giver_id == sa.bindparam("viewer_id", type_=sa.Uuid)),
        _GIVEN.c.state.in_(("pending", "confirmed")),
        sa.or_(
            exchanges.c.other_id.is_(None),
            sa.and_(_WANTED.c.state.in_(("pending", "confirmed")), _WANTED.c.version == exchanges.c.other_version),
        ),
    )
    .order_by(exchanges.c.answer_by, exchanges.c.id)
)


def lines_of(db: Connection, person_id: UUID, now: datetime) -> list[ExchangeLine]:
    """What waits for an answer by this person or to them, what ends first before the rest. One query."""
    return [_line(row) for row in db.execute(_LINES, {"viewer_id": person_id, "now": now})]


def _line(row: Any) -> ExchangeLine:
    return ExchangeLine(
        exchange=msgspec.convert(row, Exchange, from_attributes=True),
        gives=_offered(row, "given"),
        wants=_offered(row, "wanted") if row.other_id else None,
        giver=row.giver,
        receiver=row.receiver,
    )


def _offered(row: Any, side: str) -> Offered:
    names = (name for name in Offered.__struct_fields__ if name != "instrument_id")
    return Offered(instrument_id=getattr(row, f"{side}_id"), **{name: getattr(row, f"{side}_{name}") for name in names})
