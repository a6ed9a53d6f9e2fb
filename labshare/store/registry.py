"""The registry in the database: the whole of it for loading and exporting, and rows by what a page asks for.

An instrument's row is what is in force, which everybody reads. Where rules that its centre posted say otherwise than
the registry, `registered` keeps what the registry says; loading and exporting read that.

What must not live here: finding instruments (registry_search.py), files, or the calendar of an instrument.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar, cast

import msgspec
import sqlalchemy as sa
from sqlalchemy import Table
from sqlalchemy.engine import Connection, RowMapping

from labshare.domain.booking_rules import Scope, ScopeKind
from labshare.domain.opening import OpeningHours, format_opening, parse_opening
from labshare.domain.registry import (
    Capability,
    Centre,
    Crosswalk,
    Instrument,
    Organisation,
    ProductRef,
    Registry,
    Row,
    Taxonomy,
    TechnologyGroup,
    TechnologyProduct,
    Zone,
    order,
)
from labshare.domain.registry_changes import TECHNOLOGY_NOUNS
from labshare.domain.registry_terms import BookingMode
from labshare.domain.standing_rules import POSTED
from labshare.domain.text import searchable, sort_key
from labshare.errors import NotFound
from labshare.store import tables as t

R = TypeVar("R", bound=Row)

# Noun, struct and table, in the order in which rows may be written: what is named stands before what names it.
NOUNS: tuple[tuple[str, type[Row], Table], ...] = (
    ("organisations", Organisation, t.organisations),
    ("zones", Zone, t.zones),
    ("capabilities", Capability, t.capabilities),
    ("taxonomies", Taxonomy, t.taxonomies),
    ("technology_groups", TechnologyGroup, t.technology_groups),
    ("technology_products", TechnologyProduct, t.technology_products),
    ("technology_crosswalk", Crosswalk, t.technology_crosswalk),
    ("centres", Centre, t.centres),
    ("instruments", Instrument, t.instruments),
)
TABLES: dict[str, Table] = {noun: table for noun, _, table in NOUNS}

# What of an instrument the scope of a rule names.
WITHIN: dict[ScopeKind, sa.ColumnElement[str]] = {
    ScopeKind.INSTRUMENT: t.instruments.c.id,
    ScopeKind.CENTRE: t.instruments.c.centre_id,
    ScopeKind.GROUP: t.instruments.c.capability_id,
}

# What a search looks through, beside the names.
_SEARCHED = ("id", "name_vi", "name_en", "abbr", "manufacturer", "model", "city_vi", "city_en", "description_vi",
             "description_en")  # fmt: skip


# ---------------------------------------------------------------- the whole of it


def load(db: Connection) -> Registry:
    """Every row, retired ones too, without the organisations that were not brought by the registry's files."""
    nouns: dict[str, Any] = {}
    for noun, struct, table in NOUNS:
        query = sa.select(table)
        if table is t.organisations:
            query = query.where(table.c.beyond_registry.is_(False))
        rows = (_struct(struct, _as_registered(row)) for row in db.execute(query).mappings())
        nouns[noun] = tuple(sorted(rows, key=order))
    return Registry(**nouns)


def numbers(db: Connection) -> dict[int, str]:
    """The id of every instrument there ever was, by its number."""
    return {row.number: row.id for row in db.execute(sa.select(t.instruments.c.number, t.instruments.c.id))}


def add(db: Connection, noun: str, rows: Sequence[Row]) -> None:
    """Write rows that are new to the registry."""
    if noun == "organisations":
        _add_organisations(db, cast("Sequence[Organisation]", rows))
    elif rows:
        db.execute(sa.insert(TABLES[noun]), [_values(row) for row in rows])
    if noun == "instruments":
        _index_products(db, cast("Sequence[Instrument]", rows))


def _add_organisations(db: Connection, rows: Sequence[Organisation]) -> None:
    """Those that people had brought before the registry named them are taken over as they stand."""
    ids = [row.id for row in rows]
    standing = set(db.execute(sa.select(t.organisations.c.id).where(t.organisations.c.id.in_(ids))).scalars())
    fresh = _parents_first([row for row in rows if row.id not in standing])
    if fresh:
        db.execute(sa.insert(t.organisations), [_values(row) for row in fresh])
    change(db, "organisations", [row for row in rows if row.id in standing])


def change(db: Connection, noun: str, rows: Sequence[Row]) -> None:
    """Write rows that stand. An instrument's calendar version is raised, as its hours and lengths may be others now;
    posted rules are to be put into its row again (`put_in_force`).
    """
    table = TABLES[noun]
    raised = {"calendar_version": table.c.calendar_version + 1, "registered": None} if noun == "instruments" else {}
    for row in rows:
        values = _values(row)
        db.execute(sa.update(table).where(table.c.id == values["id"]).values(**values, **raised))
    if noun == "instruments":
        _index_products(db, cast("Sequence[Instrument]", rows))


def retire(db: Connection, noun: str, ids: Sequence[str], now: datetime) -> None:
    """Mark the rows as no longer named. Nothing is deleted: bookings, people and reports still speak of them."""
    table = TABLES[noun]
    if ids:
        db.execute(sa.update(table).where(table.c.id.in_(ids)).values(retired_at=now))


def replace_technologies(db: Connection, registry: Registry) -> None:
    """Put the lists and the crosswalk of this registry in the place of those that stand."""
    for noun in reversed(TECHNOLOGY_NOUNS):
        db.execute(sa.delete(TABLES[noun]))
    for noun in TECHNOLOGY_NOUNS:
        rows: Sequence[Row] = getattr(registry, noun)
        if rows:
            db.execute(sa.insert(TABLES[noun]), [_values(row) | _position(noun, at) for at, row in enumerate(rows)])


def _position(noun: str, at: int) -> dict[str, int]:
    return {"position": at} if noun == "technology_crosswalk" else {}


def _parents_first(rows: Sequence[Organisation]) -> list[Organisation]:
    """The same rows, each after its parent. They form a tree, or the files would have been refused."""
    waiting = {row.id: row for row in rows}
    result: list[Organisation] = []
    while waiting:
        ready = [row for row in waiting.values() if row.parent_id not in waiting]
        result.extend(ready)
        for row in ready:
            del waiting[row.id]
    return result


def _index_products(db: Connection, rows: Sequence[Instrument]) -> None:
    index = t.instrument_products
    db.execute(sa.delete(index).where(index.c.instrument_number.in_([row.number for row in rows])))
    values = [
        {"instrument_number": row.number, "taxonomy_id": product.taxonomy_id, "product_code": product.code}
        for row in rows
        for product in row.products
    ]
    if values:
        db.execute(sa.insert(index), values)


# ---------------------------------------------------------------- what is in force of it


def timed(db: Connection, scope: Scope | None = None) -> list[tuple[Instrument, Instrument]]:
    """The instruments in service that are booked by time, all of them or those in a scope, in number order: as the
    registry says, and as they stand.
    """
    is_timed = sa.and_(t.instruments.c.booking_mode == BookingMode.TIME, t.instruments.c.retired_at.is_(None))
    query = sa.select(t.instruments).where(is_timed).order_by(t.instruments.c.number)
    if scope is not None:
        query = query.where(WITHIN[scope.kind] == scope.id)
    rows = db.execute(query).mappings().all()
    return [(_struct(Instrument, _as_registered(row)), _struct(Instrument, row)) for row in rows]


def put_in_force(db: Connection, some: Sequence[tuple[Instrument, Instrument]]) -> None:
    """Let instruments stand as the second of each pair says, where the registry says the first. Their calendar versions
    are raised. To be called when no booking is being written (`agreements.hold_still`).
    """
    table = t.instruments
    for registered, held in some:
        values = _of_posted(held)
        said = _of_posted(registered)
        values["registered"] = None if said == values else msgspec.json.encode(said).decode()
        raised = {"calendar_version": table.c.calendar_version + 1}
        db.execute(sa.update(table).where(table.c.number == held.number).values(**values, **raised))


def _of_posted(row: Instrument) -> dict[str, Any]:
    return {name: _stored(getattr(row, name)) for name in POSTED}


def _as_registered(row: RowMapping) -> Mapping[Any, Any]:
    said = row.get("registered")
    return row if said is None else {**row, **msgspec.json.decode(said)}


# ---------------------------------------------------------------- rows by what a page asks for


def instrument(db: Connection, instrument_id: str) -> Instrument:
    """The instrument with this id, retired or not. Raises `NotFound`."""
    return _one(db, Instrument, t.instruments, instrument_id, "instrument_not_found")


def centre(db: Connection, centre_id: str) -> Centre:
    """Raises `NotFound`."""
    return _one(db, Centre, t.centres, centre_id, "centre_not_found")


def organisation(db: Connection, organisation_id: str) -> Organisation:
    """Raises `NotFound`."""
    return _one(db, Organisation, t.organisations, organisation_id, "organisation_not_found")


def zone(db: Connection, zone_id: str) -> Zone:
    """Raises `NotFound`."""
    return _one(db, Zone, t.zones, zone_id, "zone_not_found")


def capability(db: Connection, capability_id: str) -> Capability:
    """Raises `NotFound`."""
    return _one(db, Capability, t.capabilities, capability_id, "capability_not_found")


def centres(db: Connection) -> list[Centre]:
    return _in_use(db, Centre, t.centres)


def zones(db: Connection) -> list[Zone]:
    return _in_use(db, Zone, t.zones)


def capabilities(db: Connection) -> list[Capability]:
    return _in_use(db, Capability, t.capabilities)


def organisations(db: Connection) -> list[Organisation]:
    """The organisations of the registry's files, without those that people brought."""
    return _in_use(db, Organisation, t.organisations, t.organisations.c.beyond_registry.is_(False))


def taxonomies(db: Connection) -> tuple[Taxonomy, ...]:
    return _all(db, Taxonomy, t.taxonomies)


def technology_groups(db: Connection) -> tuple[TechnologyGroup, ...]:
    return _all(db, TechnologyGroup, t.technology_groups)


def technology_products(db: Connection) -> tuple[TechnologyProduct, ...]:
    return _all(db, TechnologyProduct, t.technology_products)


def technology_crosswalk(db: Connection) -> tuple[Crosswalk, ...]:
    return _all(db, Crosswalk, t.technology_crosswalk)


def _one(db: Connection, struct: type[R], table: Table, id: str, code: str) -> R:
    row = db.execute(sa.select(table).where(table.c.id == id)).mappings().one_or_none()
    if row is None:
        raise NotFound(code, value=id)
    return _struct(struct, row)


def _in_use(db: Connection, struct: type[R], table: Table, *where: sa.ColumnElement[bool]) -> list[R]:
    query = sa.select(table).where(table.c.retired_at.is_(None), *where).order_by(table.c.sort_vi, table.c.id)
    return [_struct(struct, row) for row in db.execute(query).mappings()]


def _all(db: Connection, struct: type[R], table: Table) -> tuple[R, ...]:
    return tuple(sorted((_struct(struct, row) for row in db.execute(sa.select(table)).mappings()), key=order))


# ---------------------------------------------------------------- between rows and structs


def _values(row: Row) -> dict[str, Any]:
    """The row as its table keeps it, with what searching and sorting need."""
    values = {
        name: "" if value is None and name in _READ else _stored(value)
        for name, value in msgspec.structs.asdict(row).items()
    }
    if isinstance(row, Organisation):
        values["beyond_registry"] = False
    if "sort_vi" in TABLES[_noun_of(row)].c:
        values["folded"] = searchable(" ".join(str(values.get(name) or "") for name in _SEARCHED))
        values["sort_vi"], values["sort_en"] = sort_key(values["name_vi"]), sort_key(values["name_en"])
    return values


def _noun_of(row: Row) -> str:
    return next(noun for noun, struct, _ in NOUNS if type(row) is struct)


def _stored(value: Any) -> Any:
    if isinstance(value, OpeningHours):
        return format_opening(value)
    if isinstance(value, tuple):
        return " ".join(str(part) for part in cast("Iterable[object]", value))
    return value.value if isinstance(value, StrEnum) else value


def _products(text: str) -> tuple[ProductRef, ...]:
    return tuple(ProductRef.parse(part) for part in text.split())


# Fields that a table keeps as text in a form of their own. A choice that does not apply is an empty text there.
_READ: dict[str, Callable[[str], object]] = {
    "opening": parse_opening,
    "products": _products,
    "hazards": str.split,
    "qualification": lambda text: text or None,
    "coordinates": lambda text: text or None,
}


def _struct(struct: type[R], row: Mapping[Any, Any]) -> R:
    values = {name: _READ[name](row[name]) if name in _READ else row[name] for name in struct.__struct_fields__}
    return msgspec.convert(values, struct)
