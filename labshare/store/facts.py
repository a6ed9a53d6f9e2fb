"""Small facts of this installation, one row each: whether the demo was loaded, for one."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from labshare.store.tables import facts

# What changes with all that share rules are made of: a signing, a trial, a round that is announced or withdrawn.
STAMP = "agreements_stamp"
STAMP_VALUE = sa.select(facts.c.value).where(facts.c.name == STAMP)


def get(db: Connection, name: str) -> str | None:
    """The value, or None while nobody has written it."""
    return db.execute(sa.select(facts.c.value).where(facts.c.name == name)).scalar_one_or_none()


def add(db: Connection, name: str, value: str) -> None:
    """Write a fact that does not stand yet."""
    db.execute(sa.insert(facts).values(name=name, value=value))


def stamp(db: Connection) -> str | None:
    """The stamp of the rules in force; None while there was never any."""
    return db.execute(STAMP_VALUE).scalar_one_or_none()


def renew_stamp(db: Connection) -> None:
    """The rules are others now. No stamp comes twice, on no database."""
    values = {"value": secrets.token_hex(16)}
    insert = postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert
    fresh = insert(facts).values(name=STAMP, **values)
    db.execute(fresh.on_conflict_do_update(index_elements=[facts.c.name], set_=values))
