"""Bookings as a sheet: a row for each, as a spreadsheet saves them or as its cells are copied.

The first row names the columns. What must not live here: what becomes of the rows (services/booking_sheets.py).
"""

from __future__ import annotations

import csv
from contextlib import suppress
from datetime import datetime
from io import StringIO
from zoneinfo import ZoneInfo

import msgspec

from labshare.domain.modes import Mode
from labshare.domain.timespan import Span, require_minute
from labshare.errors import Malformed

MOST_ROWS, LONGEST_SHEET = 500, 200_000
# Bookings are made ahead; what lies far from today is a slip of the pen.
YEARS = range(2000, 2200)
NEEDED = ("instrument", "starts_at", "ends_at")


class SheetRow(msgspec.Struct, frozen=True, kw_only=True):
    """One booking as it was typed, by the codes that people use. `line` counts from 1, where the header is."""

    line: int
    instrument: str
    starts_at: str
    ends_at: str
    person: str = ""
    project: str = ""
    purpose: str = ""
    mode: str = ""
    setup: str = ""

    def span(self, timezone: str) -> Span:
        """Its times, on the clock of its centre where they name no offset. Raises `Malformed` with the `field`."""
        return Span(*(_moment(getattr(self, name), timezone, name) for name in ("starts_at", "ends_at")))

    def chosen_mode(self) -> Mode | None:
        """Raises `Malformed` for another word."""
        if self.mode and self.mode not in set(Mode):
            raise Malformed("malformed_mode", field="mode")
        return Mode(self.mode) if self.mode else None


COLUMNS = SheetRow.__struct_fields__[1:]


def read(text: str) -> list[SheetRow]:
    """The rows of a sheet; empty ones are left out. Cells are parted by tabs, semicolons or commas, as the header is.

    Raises `Malformed` for what is no such sheet: no row, too many, a column that is missing, unknown or named twice, or
    a row that has more cells than the header.
    """
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise Malformed("sheet_empty")
    if len(text) > LONGEST_SHEET:
        raise Malformed("sheet_too_long", most=LONGEST_SHEET)
    header = text.lstrip().partition("\n")[0]
    delimiter = next((each for each in "\t;" if each in header), ",")
    try:
        read = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
        filled = [(line, cells) for line, cells in enumerate(read, 1) if any(cell.strip() for cell in cells)]
    except csv.Error:
        raise Malformed("sheet_unreadable") from None
    names = _names(filled[0][1]) if filled else []
    rows = [_row(names, cells, line) for line, cells in filled[1:]]
    if not rows:
        raise Malformed("sheet_empty")
    if len(rows) > MOST_ROWS:
        raise Malformed("sheet_too_many", most=MOST_ROWS)
    return rows


def _names(cells: list[str]) -> list[str]:
    names = [cell.strip().casefold() for cell in cells]
    while names and not names[-1]:
        # A spreadsheet saves empty columns behind the last one.
        names.pop()
    for name in names:
        if name not in COLUMNS or names.count(name) > 1:
            raise Malformed("sheet_column_unknown", column=name[:40], columns=", ".join(COLUMNS))
    for name in NEEDED:
        if name not in names:
            raise Malformed("sheet_column_missing", column=name)
    return names


def _row(names: list[str], cells: list[str], line: int) -> SheetRow:
    if any(cell.strip() for cell in cells[len(names) :]):
        raise Malformed("sheet_row_long", line=line)
    typed = {name: _printed(cell) for name, cell in zip(names, cells, strict=False)}
    return SheetRow(line=line, **{**dict.fromkeys(NEEDED, ""), **typed})


def _printed(cell: str) -> str:
    """A cell without control characters, which no name has and one database refuses."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in cell).split())


def _moment(text: str, timezone: str, field: str) -> datetime:
    value = _typed(text)
    # A date alone begins at no time that anybody meant.
    if value is None or ":" not in text or value.year not in YEARS:
        raise Malformed("sheet_time_unreadable", field=field)
    return require_minute(value if value.tzinfo else value.replace(tzinfo=ZoneInfo(timezone)))


def _typed(text: str) -> datetime | None:
    """ISO 8601, or the day first, as people here write it."""
    for reads in (datetime.fromisoformat, _day_first):
        with suppress(ValueError):
            return reads(text)
    return None


def _day_first(text: str) -> datetime:
    return datetime.strptime(text, "%d/%m/%Y %H:%M")  # noqa: DTZ007  the zone of the centre comes afterwards
