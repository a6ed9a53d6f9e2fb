"""Keys of calls that may be sent again, and what was answered to each.

What must not live here: how long one is kept, or what counts as the same call (services/idempotency.py).
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from labshare.store.tables import idempotency_keys as keys


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What was answered: a status, the headers that matter (empty where there was none) and the body, which is JSON."""

    status: int
    etag: str = ""
    location: str = ""
    body: str


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """A key that was used: a hash of what was asked with it, and the answer."""

    asked: str
    answer: Answer


def claim(db: Connection, person_id: UUID, key: str, asked: str, now: datetime, *, before: datetime) -> bool:
    """Take the key for this transaction. False when it was used, unless that was at `before` or earlier.

    Whoever claims one that another transaction has taken waits here until that one ends, as long as for any lock.
    """
    insert = postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert
    query = insert(keys).values(person_id=person_id, key=key, asked=asked, created_at=now)
    new = {name: query.excluded[name] for name in ("asked", "created_at", "status", "etag", "location", "body")}
    taken = query.on_conflict_do_update(
        index_elements=["person_id", "key"], set_=new, where=keys.c.created_at <= before
    ).returning(keys.c.key)
    return db.execute(taken).one_or_none() is not None


def answered(db: Connection, person_id: UUID, key: str, answer: Answer) -> None:
    """Write down what is answered to the call that claimed this key."""
    query = sa.update(keys).where(keys.c.person_id == person_id, keys.c.key == key)
    db.execute(query.values(msgspec.structs.asdict(answer)))


def used(db: Connection, person_id: UUID, key: str) -> Used:
    """What a key that could not be claimed was used for."""
    row = db.execute(sa.select(keys).where(keys.c.person_id == person_id, keys.c.key == key)).one()
    return Used(asked=row.asked, answer=msgspec.convert(row, Answer, from_attributes=True))


def forget(db: Connection, before: datetime) -> int:
    """Delete the keys that were used at this instant or earlier; returns how many."""
    return db.execute(sa.delete(keys).where(keys.c.created_at <= before)).rowcount
