"""The database's own no to a double booking: DDL in one place, applied after every migration, verified before serving.

An instrument of capacity N has the units 0 to N-1, and a use takes one of them; a block (maintenance, engineering,
closure) takes all there could ever be. Two rows may not meet in an instrument, a unit and a minute.

PostgreSQL has an exclusion constraint over one integer range per instrument (no extension is needed: the instrument's
number stands in the high bits, so ranges of two instruments can never meet) and one of units. SQLite has two triggers.
Both look at `occupied_from, occupied_until` and at occupying states only.

The SQLite trigger looks at one row for a use: among rows that do not overlap each other, and those of one unit with the
blocks are such, the last one that starts before the new end is the only one that can reach past the new start. So the
guard costs one index look-up, however long the history. A block meets the rows of every unit, so all that lie near are
looked at; so are, for a unit that is seldom used, the rows of the others, back to the longest that a booking may last.

A unit that the instrument has not got is refused as well, when a row comes to it: bookings of an instrument that has
fewer units by now keep theirs until they end.

The second guard keeps the entitlement ledger append-only: on both databases triggers refuse to change or delete a row.
"""

from __future__ import annotations

import re

import sqlalchemy as sa
from sqlalchemy import DDL, event
from sqlalchemy.engine import Connection

from labshare.domain.bookings import LONGEST_MINUTES, OCCUPYING, BookingKind
from labshare.domain.units import MOST_UNITS
from labshare.errors import StartupError
from labshare.store.tables import bookings, ledger_entries, state_orders

NAME = "bookings_no_double_booking"
_STATES = ", ".join(f"'{state}'" for state in sorted(OCCUPYING))

_POSTGRESQL = f"""
ALTER TABLE bookings ADD CONSTRAINT {NAME} EXCLUDE USING gist (
    int8range((instrument_number::bigint << 40) + occupied_from, (instrument_number::bigint << 40) + occupied_until)
    WITH &&,
    int4range(CASE WHEN kind = 'use' THEN unit ELSE 0 END, CASE WHEN kind = 'use' THEN unit + 1 ELSE {MOST_UNITS} END)
    WITH &&
) WHERE (state IN ({_STATES}))
"""

_SQLITE_MEETS = f"""instrument_number = NEW.instrument_number AND occupied_from < NEW.occupied_until
      AND occupied_from > NEW.occupied_from - {LONGEST_MINUTES} AND state IN ({_STATES}) AND id <> NEW.id"""
_SQLITE_BODY = f"""WHEN NEW.state IN ({_STATES}) AND (
    NEW.kind = 'use' AND (
        SELECT occupied_until FROM bookings WHERE {_SQLITE_MEETS} AND (unit = NEW.unit OR kind <> 'use')
        ORDER BY occupied_from DESC LIMIT 1
    ) > NEW.occupied_from
    OR NEW.kind <> 'use' AND EXISTS (
        SELECT 1 FROM bookings WHERE {_SQLITE_MEETS} AND occupied_until > NEW.occupied_from
    )
)
BEGIN SELECT RAISE(ABORT, '{NAME}'); END"""  # noqa: S608 - only names and states of this file are put in
_SQLITE_INDEX = f"CREATE INDEX {NAME} ON bookings (instrument_number, occupied_from) WHERE state IN ({_STATES})"

# The name of the guard stands in what these say, so that a refusal of either is the same to whoever asked.
UNITS = "bookings_unit_of_instrument"
_BEYOND = "(SELECT capacity FROM instruments WHERE number = NEW.instrument_number) <= NEW.unit"
_COMES = "(NEW.unit <> OLD.unit OR NEW.instrument_number <> OLD.instrument_number)"
_UNITS_FUNCTION = f"""
CREATE OR REPLACE FUNCTION {UNITS}() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN IF {_BEYOND} THEN RAISE EXCEPTION '{NAME}: unit'; END IF; RETURN NEW; END$$
"""
_UNITS_POSTGRESQL = {
    f"{UNITS}_insert": (
        f"CREATE TRIGGER {UNITS}_insert BEFORE INSERT ON bookings FOR EACH ROW WHEN (NEW.unit > 0)"
        f" EXECUTE FUNCTION {UNITS}()"
    ),
    f"{UNITS}_update": (
        f"CREATE TRIGGER {UNITS}_update BEFORE UPDATE OF unit, instrument_number ON bookings FOR EACH ROW"
        f" WHEN (NEW.unit > 0 AND {_COMES}) EXECUTE FUNCTION {UNITS}()"
    ),
}
_SQLITE = {
    f"{NAME}_insert": f"CREATE TRIGGER {NAME}_insert BEFORE INSERT ON bookings {_SQLITE_BODY}",
    f"{NAME}_update": (
        f"CREATE TRIGGER {NAME}_update BEFORE UPDATE OF id, instrument_number, unit, kind, state, occupied_from,"
        f" occupied_until ON bookings {_SQLITE_BODY}"
    ),
    f"{UNITS}_insert": (
        f"CREATE TRIGGER {UNITS}_insert BEFORE INSERT ON bookings WHEN NEW.unit > 0 AND {_BEYOND}"
        f" BEGIN SELECT RAISE(ABORT, '{NAME}: unit'); END"
    ),
    f"{UNITS}_update": (
        f"CREATE TRIGGER {UNITS}_update BEFORE UPDATE OF unit, instrument_number ON bookings"
        f" WHEN NEW.unit > 0 AND {_COMES} AND {_BEYOND} BEGIN SELECT RAISE(ABORT, '{NAME}: unit'); END"
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
        db.exec_driver_sql(_UNITS_FUNCTION)
        for name, statement in _UNITS_POSTGRESQL.items():
            db.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name} ON bookings")
            db.exec_driver_sql(statement)
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
    # Sorted by start, some two neighbours of a unit overlap when any two rows of it do.
    ends_before = sa.func.lag(bookings.c.occupied_until).over(
        partition_by=(bookings.c.instrument_number, bookings.c.unit), order_by=bookings.c.occupied_from
    )
    is_standing = bookings.c.state.in_(sorted(OCCUPYING))
    rows = sa.select(bookings.c.occupied_from, ends_before.label("ends_before")).where(is_standing).subquery()
    query = sa.select(sa.literal(1)).where(rows.c.ends_before > rows.c.occupied_from).limit(1)
    return db.execute(query).first() is not None or _has_overlapped_block(db)


def _has_overlapped_block(db: Connection) -> bool:
    """Whether a block, which takes every unit, meets a row of another unit than its own."""
    block, other = bookings.alias("block"), bookings.alias("other")
    query = (
        sa.select(sa.literal(1))
        .select_from(block.join(other, other.c.instrument_number == block.c.instrument_number))
        .where(
            block.c.kind != BookingKind.USE,
            *(each.c.state.in_(sorted(OCCUPYING)) for each in (block, other)),
            other.c.unit != block.c.unit,
            other.c.occupied_from < block.c.occupied_until,
            other.c.occupied_until > block.c.occupied_from,
        )
        .limit(1)
    )
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
    parts = ("gist", "int8range", "instrument_number", "<< 40", "occupied_from", "occupied_until", "int4range", "unit")
    words = set[str](re.findall(r"'(\w+)'", definition)) - {"use"}
    is_whole = all(part in definition for part in parts) and definition.count("&&") == 2
    return is_whole and words == {state.value for state in OCCUPYING} and _units_stand_postgresql(db)


def _units_stand_postgresql(db: Connection) -> bool:
    found = {name: (definition, body) for _, name, definition, body in _triggers(db, UNITS)}
    events = {f"{UNITS}_insert": "BEFORE INSERT", f"{UNITS}_update": "BEFORE UPDATE OF unit, instrument_number"}
    return found.keys() == _UNITS_POSTGRESQL.keys() and all(
        events[name] in definition and "new.unit > 0" in definition and body in _UNITS_FUNCTION
        for name, (definition, body) in found.items()
    )


def _triggers(db: Connection, function: str) -> list[tuple[str, str, str, str]]:
    """The tables, names, definitions and bodies of the triggers that run a function, but those switched off."""
    query = sa.text(
        "SELECT c.relname, t.tgname, pg_get_triggerdef(t.oid), p.prosrc FROM pg_trigger t"
        " JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid"
        " WHERE t.tgenabled IN ('O', 'A') AND p.proname = :name"
    )
    return [(table, name, definition, body) for table, name, definition, body in db.execute(query, {"name": function})]


def _ledger_stands_postgresql(db: Connection) -> bool:
    # A trigger that was switched off is there and does nothing; PostgreSQL writes definitions with the schema in them.
    found = {(table, name): (definition, body) for table, name, definition, body in _triggers(db, APPEND_ONLY)}
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
