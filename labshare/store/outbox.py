"""Messages written in the transaction of the change they tell of, and delivered only after it is committed.

What must not live here: delivery itself (jobs.py), or anything a reader of a message might not see: a payload says that
something changed (ids and versions), and each watcher fetches what they may see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from labshare.store import audit
from labshare.store.prepared import Prepared
from labshare.store.tables import audit as audit_lines
from labshare.store.tables import outbox

Payload = Mapping[str, str | int]


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message that waits. Ids rise in the order of writing, which is nearly the order of commits."""

    id: int
    topic: str
    payload: dict[str, str | int]


# The number that the database gives it is not asked for.
_POST = Prepared(sa.insert(outbox).inline(), ("topic", "payload", "created_at"))


def _with_binds(table: sa.Table, part: str, *names: str) -> sa.Insert:
    return sa.insert(table).values({name: sa.bindparam(f"{part}_{name}", type_=table.c[name].type) for name in names})


_LINE = _with_binds(audit_lines, "line", "at", "actor_id", "action", "noun", "noun_id", "details")
_POST_WITH = Prepared(
    _with_binds(outbox, "message", "topic", "payload", "created_at").inline().add_cte(_LINE.cte("line"))
)


def post(db: Connection, topic: str, payload: Payload) -> None:
    """Leave a message for the watchers of `topic`. It is delivered once this transaction is committed, or never."""
    _POST.write(db, _row(topic, payload))


def post_with(db: Connection, topic: str, payloads: Sequence[Payload], lines: Sequence[dict[str, Any]]) -> None:
    """A message for each of these payloads, and with them the `lines` of the audit (`audit.row`). Two statements, or
    one on PostgreSQL where there is one of each.
    """
    rows = [_row(topic, payload) for payload in payloads]
    if len(rows) == len(lines) == 1 and db.dialect.name == "postgresql":
        both = {"message": rows[0], "line": lines[0]}
        _POST_WITH.write(db, {f"{part}_{name}": value for part, row in both.items() for name, value in row.items()})
        return
    for statement, found in ((audit.RECORD, lines), (_POST, rows)):
        if found:
            statement.write(db, *found)


def _row(topic: str, payload: Payload) -> dict[str, Any]:
    # Nothing is decided by this time; it only tells an operator how long messages wait, so the clock may be read here.
    return {"topic": topic, "payload": msgspec.json.encode(payload).decode(), "created_at": datetime.now(UTC)}


def waiting(db: Connection, limit: int = 500) -> list[Message]:
    """Messages not yet delivered, oldest first."""
    query = (
        sa.select(outbox.c.id, outbox.c.topic, outbox.c.payload)
        .where(outbox.c.delivered_at.is_(None))
        .order_by(outbox.c.id)
        .limit(limit)
    )
    kind = dict[str, str | int]
    return [
        Message(id=row.id, topic=row.topic, payload=msgspec.json.decode(row.payload, type=kind))
        for row in db.execute(query)
    ]


def delivered(db: Connection, ids: Sequence[int], now: datetime) -> None:
    """Mark messages as delivered."""
    db.execute(sa.update(outbox).where(outbox.c.id.in_(ids)).values(delivered_at=now))


def forget(db: Connection, before: datetime) -> int:
    """Delete messages delivered before this instant; returns how many."""
    return db.execute(sa.delete(outbox).where(outbox.c.delivered_at < before)).rowcount
