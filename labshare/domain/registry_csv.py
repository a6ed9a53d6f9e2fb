"""The registry's files: one CSV per noun, its columns the fields of its struct. Reading reports every bad cell at once.

What must not live here: the disk (services/registry.py reads and writes it), or what makes rows fit together
(registry_check.py).

The canonical form, which writing makes and reading does not insist on: UTF-8, comma, line feed, quotes only where
needed, columns as in `FILES`, rows in `registry.order`, an empty cell for a field's default, yes and no, lists
separated by one space.
"""

from __future__ import annotations

import csv
import io
import re
import types
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Any, Union, cast, get_args, get_origin

import msgspec

from labshare.domain import registry_check
from labshare.domain.booking_rules import Posted
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
    key,
    order,
)
from labshare.domain.registry_check import Read, RowFault
from labshare.errors import Malformed, Refusal

_PLACE = ("city_vi", "city_en", "latitude", "longitude", "coordinates")
_WORDS = ("name_vi", "name_en", "description_vi", "description_en")
_SOURCE = ("source", "verification", "verification_note")
_RULES = (
    *("opening", "spans_closed_hours", "typical_minutes", "min_minutes", "max_minutes", "granularity_minutes"),
    *("advance_days", "setup_minutes", "cleanup_minutes", "capacity"),
)
# Files of before there were these columns are read as if each of their cells were empty.
NEWER = frozenset({"capacity"})


class File(msgspec.Struct, frozen=True):
    """One file of the registry: the noun, which is also the field of `Registry`, and its columns in order."""

    noun: str
    struct: type[Row]
    columns: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.noun}.csv"


NO_NUMBERS: Mapping[int, str] = types.MappingProxyType({})

FILES: tuple[File, ...] = (
    File(
        "organisations",
        Organisation,
        (
            *("id", "kind", "abbr", "parent_id", "governing_body_vi", "governing_body_en"),
            *(*_WORDS, *_PLACE, *_SOURCE),
        ),
    ),
    File("zones", Zone, ("id", *_WORDS, "established", "area_hectares", "area_is_approximate", *_PLACE, *_SOURCE)),
    File(
        "centres",
        Centre,
        ("id", "kind", "host_id", "zone_id", *_WORDS, "opened", "stage", "products", "timezone", *_PLACE, *_SOURCE),
    ),
    File("capabilities", Capability, ("id", "name_vi", "name_en")),
    File(
        "instruments",
        Instrument,
        (
            *("id", "number", "centre_id", "capability_id", *_WORDS, "manufacturer", "model", "pid"),
            *("bookable_unit", "booking_mode", "operated_by", "attended", "qualification", "hazards"),
            *(*_RULES, "products", *_SOURCE),
        ),
    ),
    File("taxonomies", Taxonomy, ("id", *_WORDS, "effective_from", "effective_until", *_SOURCE)),
    File("technology_groups", TechnologyGroup, ("taxonomy_id", "number", "name_vi", "name_en", *_SOURCE)),
    File(
        "technology_products",
        TechnologyProduct,
        (
            *("taxonomy_id", "code", "group_number", "group_basis", "tier", "is_first_product"),
            *("name_vi", "name_en", *_SOURCE),
        ),
    ),
    File(
        "technology_crosswalk",
        Crosswalk,
        (
            *("old_taxonomy_id", "old_code", "new_taxonomy_id", "new_code", "relation", "note_vi", "note_en"),
            *_SOURCE,
        ),
    ),
)


def read_registry(
    files: Mapping[str, bytes], numbers: Mapping[int, str] = NO_NUMBERS, posted: Sequence[Posted] = ()
) -> Registry | list[RowFault]:
    """The registry in these files, by name, or every fault of every row in the order of files and lines.

    `numbers` are those that stand already, each with the id of its instrument: they are never given to another. The
    booking rules `posted` stand, and each instrument must be one that can be booked under them.
    """
    faults = [
        RowFault(name, 0, "", Refusal(code="registry_file_unknown"))
        for name in sorted(files)
        if name.endswith(".csv") and name not in {file.name for file in FILES}
    ]
    reads: dict[str, Read] = {}
    for file in FILES:
        if file.name in files:
            reads[file.noun] = _read_file(file, files[file.name], faults)
        else:
            faults.append(RowFault(file.name, 0, "", Refusal(code="registry_file_missing")))
            # An absent file knows nothing, so nobody who names its rows can be blamed for it.
            reads[file.noun] = Read(rows=[], keys=None)
    faults.extend(registry_check.faults(reads, numbers, posted))
    if faults:
        return sorted(faults, key=lambda fault: (fault.file, fault.line))
    nouns = {noun: tuple(sorted((row for _, row in read.rows), key=order)) for noun, read in reads.items()}
    return Registry(**nouns)  # pyright: ignore[reportArgumentType]  # each noun's rows are of its own struct


def write_registry(registry: Registry) -> dict[str, bytes]:
    """The canonical files of a registry, by name."""
    return {file.name: _write_file(file, getattr(registry, file.noun)) for file in FILES}


def _read_file(file: File, content: bytes, faults: list[RowFault]) -> Read:
    """The rows that could be read, with their lines; what could not be read goes to `faults`."""
    reading = _Reading(file, faults)
    records = _records(content)
    try:
        _, header = next(records, (1, list[str]()))
        if not reading.accepts(header):
            return Read(rows=[], keys=None)
        for line, cells in records:
            reading.row(line, header, cells)
    except Malformed as error:
        reading.fault(int(error.params["line"]), error.code)
        return Read(rows=reading.rows, keys=None)
    return Read(rows=reading.rows, keys=frozenset(reading.keys))


def _records(content: bytes) -> Iterator[tuple[int, list[str]]]:
    """The records of a CSV file, each with the line it begins on. Raises `Malformed` with the line of the damage."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Malformed("registry_not_utf8", line=content.count(b"\n", 0, error.start) + 1) from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error:
            raise Malformed("registry_bad_csv", line=reader.line_num) from None
        if cells is None:
            return
        if cells:
            yield line, [cell.strip() for cell in cells]


class _Reading:
    """One file while it is read: its sound rows, the keys of all rows, and the faults so far."""

    def __init__(self, file: File, faults: list[RowFault]) -> None:
        self.file = file
        self.faults = faults
        self.rows: list[tuple[int, Row]] = []
        self.keys: set[str] = set()
        self.fields = {field.name: field for field in msgspec.structs.fields(file.struct)}

    def fault(self, line: int, code: str, column: str = "", **params: str | int) -> None:
        self.faults.append(RowFault(self.file.name, line, column, Refusal(code=code, params=params)))

    def accepts(self, header: list[str]) -> bool:
        """Whether the header names every column once, in any order, and no other."""
        before = len(self.faults)
        for name in dict.fromkeys(header):
            if name not in self.file.columns:
                self.fault(1, "registry_column_unknown", name)
            elif header.count(name) > 1:
                self.fault(1, "registry_column_twice", name)
        for name in self.file.columns:
            if name not in header and name not in NEWER:
                self.fault(1, "registry_column_missing", name)
        return len(self.faults) == before

    def row(self, line: int, header: list[str], cells: list[str]) -> None:
        if len(cells) != len(header):
            self.fault(line, "registry_wrong_width", found=len(cells), expected=len(header))
            return
        cell = dict(zip(header, cells, strict=True))
        row = self._struct(line, cell)
        # Rows that name a row with a bad cell elsewhere are not blamed as well: its key is known.
        name = key(row) if row is not None else _key_of_cells(self.file, cell)
        if name in self.keys:
            self.fault(line, "registry_duplicate", value=name)
        elif row is not None:
            self.rows.append((line, row))
        self.keys.add(name)

    def _struct(self, line: int, cell: dict[str, str]) -> Row | None:
        values: dict[str, Any] = {}
        before = len(self.faults)
        for name, text in cell.items():
            field = self.fields[name]
            try:
                if text or field.required:
                    values[name] = _read_cell(field, text)
            except Malformed as error:
                self.fault(line, error.code, name, **error.params)
        return self.file.struct(**values) if len(self.faults) == before else None


def _key_of_cells(file: File, cell: dict[str, str]) -> str:
    """What `registry.key` says of a row whose cells can be read."""
    if file.struct is TechnologyGroup:
        return f"{cell['taxonomy_id']}:{cell['number']}"
    if file.struct is TechnologyProduct:
        return f"{cell['taxonomy_id']}:{cell['code']}"
    if file.struct is Crosswalk:
        old, new = ((cell[f"{side}_taxonomy_id"], cell[f"{side}_code"]) for side in ("old", "new"))
        return f"{':'.join(filter(None, old))}>{':'.join(filter(None, new))}"
    return cell["id"]


def _read_cell(field: msgspec.structs.FieldInfo, text: str) -> Any:
    if not text:
        raise Malformed("registry_required")
    if any(unicodedata.category(sign) == "Cc" for sign in text):
        raise Malformed("registry_control_character")
    return _reader(field.type)(text)


def _reader(annotation: Any) -> Callable[[str], Any]:
    """How a field of this type is read. Optional types differ only in their default, an empty cell."""
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next(kind for kind in get_args(annotation) if kind is not type(None))
    if get_origin(annotation) is tuple:
        return lambda text: _several(get_args(annotation)[0], text)
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return lambda text: _choice(annotation, text)
    return _READERS[annotation]


def _choice(kind: type[StrEnum], text: str) -> StrEnum:
    try:
        return kind(text)
    except ValueError:
        raise Malformed("registry_unknown_choice", value=text, choices=", ".join(kind)) from None


def _several(kind: Any, text: str) -> tuple[Any, ...]:
    read = _reader(kind)
    values = tuple(read(part) for part in text.split())
    if len(set(values)) < len(values):
        raise Malformed("registry_named_twice", value=text)
    return values


def _number(text: str) -> int:
    # At most nine figures: what both databases keep in a plain integer.
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise Malformed("registry_not_a_number", value=text)
    return int(text)


def _decimal(text: str) -> float:
    if not re.fullmatch(r"-?[0-9]{1,9}(\.[0-9]{1,9})?", text):
        raise Malformed("registry_not_a_number", value=text)
    return float(text)


def _yes_or_no(text: str) -> bool:
    if text not in ("yes", "no"):
        raise Malformed("registry_not_yes_or_no", value=text)
    return text == "yes"


def _date(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise Malformed("registry_not_a_date", value=text) from None
    if day.isoformat() != text:
        raise Malformed("registry_not_a_date", value=text)
    return day


_READERS: dict[Any, Callable[[str], Any]] = {
    str: lambda text: unicodedata.normalize("NFC", text),
    int: _number,
    float: _decimal,
    bool: _yes_or_no,
    date: _date,
    OpeningHours: parse_opening,
    ProductRef: ProductRef.parse,
}


def _write_file(file: File, rows: tuple[Row, ...]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(file.columns)
    defaults = {field.name: field.default for field in msgspec.structs.fields(file.struct)}
    for row in sorted(rows, key=order):
        values = ((getattr(row, name), defaults[name]) for name in file.columns)
        writer.writerow("" if value == default else _cell(value) for value, default in values)
    return text.getvalue().encode()


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, OpeningHours):
        return format_opening(value)
    if isinstance(value, float):
        # A whole number of degrees is written without a decimal, as people write it.
        return str(value).removesuffix(".0")
    return " ".join(map(str, cast("tuple[object, ...]", value))) if isinstance(value, tuple) else str(value)
