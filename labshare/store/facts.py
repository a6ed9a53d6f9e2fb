"""Small facts of this installation, one row each: whether the demo was loaded, for one."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from labshare.store.tables import facts


def get(db: Connection, name: str) -> str | None:
    """The value, or None while nobody has written it."""
    return db.execute(sa.select(facts.c.value).where(facts.c.name == name)).scalar_one_or_none()


def add(db: Connection, name: str, value: str) -> None:
    """Write a fact that does not stand yet."""
    db.execute(sa.insert(facts).values(name=name, value=value))
