"""The audit trail: who did what to which thing, when. Lines are only ever added.

A line holds ids, numbers and salted hashes of free text, never names or the text itself: those live in rows that can be
erased, and the line still stands (ARCHITECTURE.md, decision 13).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from labshare.store.prepared import Prepared
from labshare.store.tables import audit, facts

SALT = "audit_salt"

Details = Mapping[str, str | int | None]


class AuditLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line. `actor_id` is None where the house itself acted (a deadline, an expiry)."""

    at: datetime
    actor_id: UUID | None
    action: str
    noun: str
    noun_id: str
    details: dict[str, str | int | None]


# The number that the database gives it is not asked for.
RECORD = Prepared(sa.insert(audit).inline(), ("at", "actor_id", "action", "noun", "noun_id", "details"))


def record(
    db: Connection,
    *,
    actor_id: UUID | None,
    action: str,
    noun: str,
    noun_id: str | UUID,
    now: datetime,
    details: Details | None = None,
) -> None:
    """Add one line, in the transaction of the change it tells of. Free text in `details` must be `hashed` first."""
    RECORD.write(db, row(actor_id, action, noun, noun_id, now, details))


def row(
    actor_id: UUID | None, action: str, noun: str, noun_id: str | UUID, now: datetime, details: Details | None = None
) -> dict[str, Any]:
    """A line as `record` adds it, and as outbox.py takes it along."""
    return {
        "at": now,
        "actor_id": actor_id,
        "action": action,
        "noun": noun,
        "noun_id": str(noun_id),
        "details": msgspec.json.encode(details or {}).decode(),
    }


def lines(db: Connection, noun: str, noun_id: str | UUID) -> list[AuditLine]:
    """The lines about one thing, oldest first."""
    query = sa.select(audit).where(audit.c.noun == noun, audit.c.noun_id == str(noun_id)).order_by(audit.c.id)
    kind = dict[str, str | int | None]
    return [
        AuditLine(
            at=row.at,
            actor_id=row.actor_id,
            action=row.action,
            noun=row.noun,
            noun_id=row.noun_id,
            details=msgspec.json.decode(row.details, type=kind),
        )
        for row in db.execute(query)
    ]


def hashed(db: Connection, text: str) -> str:
    """A hash of free text under this installation's own salt: it proves what was written without keeping it."""
    return hmac.new(bytes.fromhex(_salt(db)), text.encode(), hashlib.sha256).hexdigest()


def _salt(db: Connection) -> str:
    query = sa.select(facts.c.value).where(facts.c.name == SALT)
    salt = db.execute(query).scalar_one_or_none()
    if salt is not None:
        return salt
    # Two first writers may meet here; the one who comes second keeps the first one's salt.
    insert = postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert
    db.execute(insert(facts).values(name=SALT, value=secrets.token_hex(32)).on_conflict_do_nothing())
    return db.execute(query).scalar_one()
