"""Who asks for qualifications, as rows: what waits, and what was answered.

What must not live here: who may grant (services/qualifications.py).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from labshare.domain.qualifications import Ask, AskState
from labshare.store.people import IS_HERE
from labshare.store.qualifications import NAMES
from labshare.store.tables import centres, instruments, persons
from labshare.store.tables import qualification_asks as asks


class AskLine(msgspec.Struct, frozen=True, kw_only=True):
    """An ask with the names that a list shows beside it."""

    ask: Ask
    person: str
    login: str
    instrument_id: str
    name_vi: str
    name_en: str
    centre_id: str
    centre_vi: str
    centre_en: str


_LINES = (
    sa.select(asks, *NAMES)
    .join(persons, persons.c.id == asks.c.person_id)
    .join(instruments, instruments.c.number == asks.c.instrument_number)
    .join(centres, centres.c.id == instruments.c.centre_id)
)


def add(db: Connection, ask: Ask) -> None:
    db.execute(asks.insert().values(msgspec.structs.asdict(ask)))


def is_asked(db: Connection, person_id: UUID, number: int) -> bool:
    """Whether this person waits for an answer about the instrument."""
    waiting = (
        asks.c.person_id == person_id,
        asks.c.instrument_number == number,
        asks.c.state == AskState.WAITING,
    )
    return db.execute(sa.select(sa.exists().where(*waiting))).scalar_one()


def one(db: Connection, ask_id: UUID) -> AskLine | None:
    row = db.execute(_LINES.where(asks.c.id == ask_id)).one_or_none()
    return None if row is None else _line(row)


def decide(db: Connection, ask: Ask) -> bool:
    """Write what was answered; False when it does not wait any more."""
    values = {name: getattr(ask, name) for name in ("state", "answer", "decided_by_id", "decided_at")}
    standing = (asks.c.id == ask.id, asks.c.state == AskState.WAITING)
    return db.execute(asks.update().where(*standing).values(values)).rowcount == 1


def of_person(db: Connection, person_id: UUID, *, limit: int = 50) -> list[AskLine]:
    """What a person asked and what was answered, the newest first."""
    query = _LINES.where(asks.c.person_id == person_id).order_by(asks.c.asked_at.desc())
    return [_line(row) for row in db.execute(query.limit(limit))]


def waiting(
    db: Connection,
    centre_ids: Collection[str] | None,
    numbers: Collection[int],
    *,
    of_others_than: UUID,
    after: tuple[datetime, UUID] | None = None,
    limit: int,
) -> list[AskLine]:
    """What others wait for at these centres (None: at all) or at these instruments, the oldest first, behind the one
    asked at this instant and with this id.
    """
    is_others = asks.c.person_id != of_others_than
    query = _LINES.where(asks.c.state == AskState.WAITING, IS_HERE, is_others)
    if centre_ids is not None:
        reached = instruments.c.centre_id.in_(sorted(centre_ids))
        query = query.where(sa.or_(reached, instruments.c.number.in_(sorted(numbers))))
    order = (asks.c.asked_at, asks.c.id)
    if after is not None:
        place = (sa.literal(value, column.type) for value, column in zip(after, order, strict=True))
        query = query.where(sa.tuple_(*order) > sa.tuple_(*place))
    return [_line(row) for row in db.execute(query.order_by(*order).limit(limit))]


def _line(row: Any) -> AskLine:
    names = {name: getattr(row, name) for name in AskLine.__struct_fields__ if name != "ask"}
    return AskLine(ask=msgspec.convert(row, Ask, from_attributes=True), **names)
