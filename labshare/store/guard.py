"""The database's own no to a double booking: DDL in one place, applied after every migration, verified before serving.

PostgreSQL has an exclusion constraint over one integer range per instrument (no extension is needed: the instrument's
number stands in the high bits, so ranges of two instruments can never meet). SQLite has two triggers. Both look at
`occupied_from, occupied_until` and at occupying states only.

The SQLite trigger looks at one row: among rows that do not overlap each other, the last one that starts before the new
end is the only one that can reach past the new start. So the guard costs one index look-up, however long the history.
"""

from __future__ import annotations

import re

import sqlalchemy as sa
from sqlalchemy import DDL, event
from sqlalchemy.engine import Connection

from labshare.domain.bookings import OCCUPYING
from labshare.errors import StartupError
from labshare.store.tables import bookings

NAME = "bookings_no_double_booking"
_STATES = ", ".join(f"'{state}'" for state in sorted(OCCUPYING))

_POSTGRESQL = f"""
ALTER TABLE bookings ADD CONSTRAINT {NAME} EXCLUDE USING gist (
    int8range((instrument_number::bigint << 40) + occupied_from, (instrument_number::bigint << 40) + occupied_until)
    WITH &&
) WHERE (state IN ({_STATES}))
"""

_SQLITE_BODY = f"""WHEN NEW.state IN ({_STATES}) AND (
    SELECT occupied_until FROM bookings
    WHERE instrument_number = NEW.instrument_number AND occupied_from < NEW.occupied_until
      AND state IN ({_STATES}) AND id <> NEW.id
    ORDER BY occupied_from DESC LIMIT 1
) > NEW.occupied_from
BEGIN SELECT RAISE(ABORT, '{NAME}'); END"""  # noqa: S608 - only names and states of this file are put in
_SQLITE_INDEX = f"CREATE INDEX {NAME} ON bookings (instrument_number, occupied_from) WHERE state IN ({_STATES})"
_SQLITE = {
    f"{NAME}_insert": f"CREATE TRIGGER {NAME}_insert BEFORE INSERT ON bookings {_SQLITE_BODY}",
    f"{NAME}_update": (
        f"CREATE TRIGGER {NAME}_update BEFORE UPDATE OF id, instrument_number, state, occupied_from, occupied_until"
        f" ON bookings {_SQLITE_BODY}"
    ),
}


def apply(db: Connection) -> None:
    """Put the guard up again, whatever stands: batch migrations on SQLite drop triggers without a word.

    Raises `StartupError` when bookings overlap already: a trigger would never look at them.
    """
    if _has_overlap(db):
        raise StartupError("guard_refused")
    if db.dialect.name == "postgresql":
        db.exec_driver_sql(f"ALTER TABLE bookings DROP CONSTRAINT IF EXISTS {NAME}")
        db.exec_driver_sql(_POSTGRESQL)
        return
    for name, statement in _SQLITE.items():
        db.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}")
        db.exec_driver_sql(statement)
    db.exec_driver_sql(f"DROP INDEX IF EXISTS {NAME}")
    db.exec_driver_sql(_SQLITE_INDEX)


def _has_overlap(db: Connection) -> bool:
    # Sorted by start, some two neighbours overlap when any two rows do.
    ends_before = sa.func.lag(bookings.c.occupied_until).over(
        partition_by=bookings.c.instrument_number, order_by=bookings.c.occupied_from
    )
    rows = (
        sa.select(bookings.c.occupied_from, ends_before.label("ends_before"))
        .where(bookings.c.state.in_(sorted(OCCUPYING)))
        .subquery()
    )
    query = sa.select(sa.literal(1)).where(rows.c.ends_before > rows.c.occupied_from).limit(1)
    return db.execute(query).first() is not None


def stands(db: Connection) -> bool:
    """Whether the guard stands, exactly as it is written here."""
    return _standing_postgresql(db) if db.dialect.name == "postgresql" else _standing_sqlite(db)


def require(db: Connection) -> None:
    """Raise `StartupError` unless the guard stands."""
    if not stands(db):
        raise StartupError("guard_missing")


def _standing_postgresql(db: Connection) -> bool:
    query = sa.text(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conname = :name AND conrelid = 'bookings'::regclass AND contype = 'x' AND convalidated"
    )
    definition = db.execute(query, {"name": NAME}).scalar_one_or_none() or ""
    # PostgreSQL writes the expression in words of its own, which differ between its versions; its parts do not.
    parts = ("gist", "int8range", "instrument_number", "<< 40", "occupied_from", "occupied_until", "&&")
    states = {word for word in re.findall(r"'(\w+)'", definition) if word != "[)"}
    return all(part in definition for part in parts) and states == {state.value for state in OCCUPYING}


def _standing_sqlite(db: Connection) -> bool:
    query = sa.text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'bookings'")
    found = {name: " ".join(statement.split()) for name, statement in db.execute(query)}
    return all(found.get(name) == " ".join(statement.split()) for name, statement in _SQLITE.items())


def _on_create(dialect: str, statement: str) -> None:
    # DDL() treats % as a format sign; none of the statements has one.
    event.listen(bookings, "after_create", DDL(statement).execute_if(dialect=dialect))


_on_create("postgresql", _POSTGRESQL)
for _statement in (*_SQLITE.values(), _SQLITE_INDEX):
    _on_create("sqlite", _statement)
