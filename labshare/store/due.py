"""What is due at a time: one row for each deadline, kept until it has been dealt with.

What must not live here: what happens then (labshare/jobs.py names the function for each kind).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from labshare.store.tables import due

# A row whose function failed is tried again, each time twice as late, and never more than this.
LONGEST_WAIT = timedelta(hours=1)
FIRST_WAIT = timedelta(seconds=5)


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """One deadline: what kind of thing happens to which noun. `attempts` counts the tries that failed."""

    id: int
    kind: str
    noun_id: str
    due_at: datetime
    attempts: int


def schedule(db: Connection, kind: str, noun_id: object, due_at: datetime) -> None:
    """Have this happen at that time; a row of the same kind and noun is moved."""
    key = sa.and_(due.c.kind == kind, due.c.noun_id == str(noun_id))
    db.execute(sa.delete(due).where(key))
    db.execute(sa.insert(due).values(kind=kind, noun_id=str(noun_id), due_at=due_at))


def again(db: Connection, kind: str, noun_id: object) -> None:
    """While it is dealt with: have it happen once more, at once. Earlier by an instant, it is a deadline of its own."""
    if due_at := when(db, kind, noun_id):
        schedule(db, kind, noun_id, due_at - timedelta(microseconds=1))


def add(db: Connection, kind: str, nouns: Mapping[UUID, datetime]) -> None:
    """Have this happen to each of these nouns at its time. They are new, so that none can stand there yet."""
    rows = [{"kind": kind, "noun_id": str(noun_id), "due_at": at} for noun_id, at in nouns.items()]
    db.execute(sa.insert(due), rows)


def forget(db: Connection, kind: str, noun_id: object) -> None:
    """It happened, or is no longer to happen."""
    db.execute(sa.delete(due).where(due.c.kind == kind, due.c.noun_id == str(noun_id)))


def done(db: Connection, row: Due) -> None:
    """Forget a row that has been dealt with; one of its kind and noun that was scheduled meanwhile stays."""
    # Its id is no proof: SQLite gives the id of a row that was deleted last to the next one.
    db.execute(sa.delete(due).where(due.c.kind == row.kind, due.c.noun_id == row.noun_id, due.c.due_at == row.due_at))


def when(db: Connection, kind: str, noun_id: object) -> datetime | None:
    """When this is to happen; None when it is not."""
    query = sa.select(due.c.due_at).where(due.c.kind == kind, due.c.noun_id == str(noun_id))
    return db.execute(query).scalar_one_or_none()


def over(db: Connection, now: datetime, limit: int = 100) -> list[Due]:
    """What is due now, the oldest first."""
    query = sa.select(due).where(due.c.due_at <= now).order_by(due.c.due_at, due.c.id).limit(limit)
    return [msgspec.convert(row, Due, from_attributes=True) for row in db.execute(query)]


def put_off(db: Connection, row: Due, now: datetime) -> None:
    """Try again later, because it failed."""
    wait = min(FIRST_WAIT * 2 ** min(row.attempts, 20), LONGEST_WAIT)
    db.execute(sa.update(due).where(due.c.id == row.id).values(attempts=row.attempts + 1, due_at=now + wait))
