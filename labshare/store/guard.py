"""The database's own no to a double booking: DDL in one place, applied after every migration, verified before serving.

PostgreSQL has an exclusion constraint over one integer range per instrument (no extension is needed: the instrument's
number stands in the high bits, so ranges of two instruments can never meet). SQLite has two triggers. Both look at
`occupied_from, occupied_until` and at occupying states only.

The SQLite trigger looks at one row: among rows that do not overlap each other, the last one that starts before the new
end is the only one that can reach past the new start. So the guard costs one index look-up, however long the history.

The second guard keeps the entitlement ledger append-only: on both databases triggers refuse to change or delete a row.
"""

from __future__ import annotations

import re

import sqlalchemy as sa
from sqlalchemy import DDL, event
from sqlalchemy.engine import Connection

from labshare.domain.bookings import OCCUPYING
from labshare.errors import StartupError
from labshare.store.tables import bookings, ledger_entries, state_orders

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

APPEND_ONLY = "ledger_append_only"
_LEDGER = (ledger_entries, state_orders)
_LEDGER_FUNCTION = f"""
CREATE OR REPLACE FUNCTION {APPEND_ONLY}() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN RAISE EXCEPTION '{APPEND_ONLY}'; END$$
"""
# By table and name: the trigger and, on PostgreSQL, one more that also refuses to empty the table at a stroke.
_LEDGER_POSTGRESQL = {
    (table.name, f"{table.name}_{name}"): (
        f"CREATE TRIGGER {table.name}_{name} BEFORE {change} ON {table.name}"
        f" FOR EACH {per} EXECUTE FUNCTION {APPEND_ONLY}()"
    )
    for table in _LEDGER
    for name, change, per in (("unchanged", "UPDATE OR DELETE", "ROW"), ("kept", "TRUNCATE", "STATEMENT"))
}
_LEDGER_SQLITE = {
    (table.name, f"{table.name}_{name}"): (
        f"CREATE TRIGGER {table.name}_{name} BEFORE {change} ON {table.name}"
        f" BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END"
    )
    for table in _LEDGER
    for name, change in (("unchanged", "UPDATE"), ("kept", "DELETE"))
}


def apply(db: Connection) -> None:
    """Put the guards up again, whatever stands: batch migrations on SQLite drop triggers without a word.

    Raises `StartupError` when bookings overlap already: a trigger would never look at them.
    """
    if _has_overlap(db):
        raise StartupError("guard_refused")
    _apply_to_ledger(db)
    if db.dialect.name == "postgresql":
        db.exec_driver_sql(f"ALTER TABLE bookings DROP CONSTRAINT IF EXISTS {NAME}")
        db.exec_driver_sql(_POSTGRESQL)
        return
    for name, statement in _SQLITE.items():
        db.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}")
        db.exec_driver_sql(statement)
    db.exec_driver_sql(f"DROP INDEX IF EXISTS {NAME}")
    db.exec_driver_sql(_SQLITE_INDEX)


def _apply_to_ledger(db: Connection) -> None:
    is_postgresql = db.dialect.name == "postgresql"
    if is_postgresql:
        db.exec_driver_sql(_LEDGER_FUNCTION)
    for (table, name), statement in (_LEDGER_POSTGRESQL if is_postgresql else _LEDGER_SQLITE).items():
        db.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}" + (f" ON {table}" if is_postgresql else ""))
        db.exec_driver_sql(statement)


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
    """Whether the guards stand, exactly as they are written here."""
    if db.dialect.name == "postgresql":
        return _standing_postgresql(db) and _ledger_stands_postgresql(db)
    return _standing_sqlite(db)


def require(db: Connection) -> None:
    """Raise `StartupError` unless the guards stand."""
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


def _ledger_stands_postgresql(db: Connection) -> bool:
    # A trigger that was switched off is there and does nothing; PostgreSQL writes definitions with the schema in them.
    query = sa.text(
        "SELECT c.relname, t.tgname, pg_get_triggerdef(t.oid), p.prosrc FROM pg_trigger t"
        " JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid"
        " WHERE t.tgenabled IN ('O', 'A') AND p.proname = :name"
    )
    found = {
        (table, name): (definition, body) for table, name, definition, body in db.execute(query, {"name": APPEND_ONLY})
    }
    events = {"unchanged": ("BEFORE", "UPDATE", "DELETE", "EACH ROW"), "kept": ("BEFORE", "TRUNCATE")}
    return found.keys() == _LEDGER_POSTGRESQL.keys() and all(
        all(part in definition for part in events[name.rpartition("_")[2]]) and body in _LEDGER_FUNCTION
        for (_, name), (definition, body) in found.items()
    )


def _standing_sqlite(db: Connection) -> bool:
    query = sa.text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    found = {name: " ".join(statement.split()) for name, statement in db.execute(query)}
    wanted = _SQLITE | {name: statement for (_, name), statement in _LEDGER_SQLITE.items()}
    return all(found.get(name) == " ".join(statement.split()) for name, statement in wanted.items())


def _on_create(table: sa.Table, dialect: str, statement: str) -> None:
    # DDL() treats % as a format sign; none of the statements has one.
    event.listen(table, "after_create", DDL(statement).execute_if(dialect=dialect))


_on_create(bookings, "postgresql", _POSTGRESQL)
for _statement in (*_SQLITE.values(), _SQLITE_INDEX):
    _on_create(bookings, "sqlite", _statement)
for _table in _LEDGER:
    _on_create(_table, "postgresql", _LEDGER_FUNCTION)
for _statements, _dialect in ((_LEDGER_POSTGRESQL, "postgresql"), (_LEDGER_SQLITE, "sqlite")):
    for (_name, _), _statement in _statements.items():
        _on_create(next(table for table in _LEDGER if table.name == _name), _dialect, _statement)
