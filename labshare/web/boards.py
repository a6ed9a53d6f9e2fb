"""The board of a centre, ready to be drawn: one row for each instrument, a day or a week wide.

A day has room for words, so its rows hold the same blocks as a week's columns (blocks.py); a week has strips
(strips.py). What must not live here: queries, and what a reader may see.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Literal

import msgspec

from labshare import formats
from labshare.domain.bookings import InstrumentRules
from labshare.domain.opening import DAY_MINUTES
from labshare.domain.timespan import Span
from labshare.services.calendars import Calendar, Occupancy
from labshare.web import blocks, strips
from labshare.web.blocks import Block, Reader, Track
from labshare.web.grid import Axis, Piece, Window, day_of, pieces, place, week_of, window
from labshare.web.strips import Cell
from labshare.web.templating import named

BoardSpan = Literal["day", "week"]
BoardHours = Literal["open", "all"]


class Head(msgspec.Struct, frozen=True):
    """A day at the head of a week's column."""

    weekday: str
    short: str
    is_today: bool


class Row(msgspec.Struct, frozen=True):
    """One instrument: `cells` in a week's board, `opened` and `blocks` in a day's; since when it is down, if it is."""

    id: str
    name: str
    track: Track
    down_since: datetime | None
    cells: tuple[Cell, ...] = ()
    opened: tuple[str, ...] = ()
    blocks: tuple[Block, ...] = ()


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """Every instrument of a centre that is booked by time. `watched` names each with its version, for live updates.

    `date`, `today`, `earlier` and `later` are days in ISO form: where one is and where the arrows lead.
    """

    span: BoardSpan
    hours: BoardHours
    title: str
    window: Window
    heads: tuple[Head, ...] = ()
    rows: tuple[Row, ...]
    watched: str
    now: str = ""
    date: str
    today: str
    earlier: str
    later: str


def axis_of(span: BoardSpan, day: date) -> Axis:
    """The days that a board of this width shows."""
    return week_of(day) if span == "week" else day_of(day)


def day_board(calendar: Calendar, day: date, now: datetime, hours: BoardHours, reader: Reader) -> Board:
    """One day with words."""
    axis = axis_of("day", day)
    shown = _window(hours, calendar.opened.values(), axis)

    def row(rules: InstrumentRules) -> Row:
        stretches = [
            *blocks.taken(calendar, rules, axis, now, reader),
            *blocks.kept(calendar, rules, axis),
            *(blocks.free(calendar, rules, axis, now) if reader.may_book else ()),
        ]
        opened = (shown.cut(start, end) for _, start, end in _pieces(calendar.opened[rules.number], axis))
        return Row(
            id=rules.id,
            name=named(rules),
            track=blocks.track(rules),
            down_since=calendar.down_since.get(rules.number),
            opened=tuple(place(start, end) for start, end in opened if start < end),
            blocks=tuple(blocks.of_day(stretches, 0, shown, f"at-{rules.id}")),
        )

    minute = axis.minute(now)
    return Board(
        span="day",
        hours=hours,
        title=f"{formats.long_weekday(day)} {formats.date(day)}",
        window=shown,
        rows=tuple(row(rules) for rules in calendar.instruments),
        watched=_watched(calendar.instruments),
        now=shown.line(minute) if 0 <= minute < DAY_MINUTES else "",
        date=day.isoformat(),
        today=formats.local(now).date().isoformat(),
        earlier=(day - timedelta(days=1)).isoformat(),
        later=(day + timedelta(days=1)).isoformat(),
    )


def week_board(occupancy: Occupancy, day: date, now: datetime, hours: BoardHours) -> Board:
    """The week around `day`, as strips."""
    axis = axis_of("week", day)
    shown = _window(hours, occupancy.opened.values(), axis)
    minute = axis.minute(now)
    # Instruments that keep the same hours share one list of spans, so their days are cut once.
    opened = {key: strips.opened_days(spans, axis) for key, spans in _distinct(occupancy.opened.values()).items()}
    rows = tuple(
        Row(
            id=rules.id,
            name=named(rules),
            track=blocks.track(rules),
            down_since=occupancy.down_since.get(rules.number),
            cells=strips.cells(occupancy, rules, opened[id(occupancy.opened[rules.number])], axis, shown, minute),
        )
        for rules in occupancy.instruments
    )
    return Board(
        span="week",
        hours=hours,
        title=f"{formats.short_date(axis.dates[0])} – {formats.date(axis.dates[-1])}",
        window=shown,
        heads=tuple(
            Head(formats.weekday(each), formats.short_date(each), minute // DAY_MINUTES == index)
            for index, each in enumerate(axis.dates)
        ),
        rows=rows,
        watched=_watched(occupancy.instruments),
        date=day.isoformat(),
        today=formats.local(now).date().isoformat(),
        earlier=(day - timedelta(days=7)).isoformat(),
        later=(day + timedelta(days=7)).isoformat(),
    )


def _window(hours: BoardHours, opened: Iterable[list[Span]], axis: Axis) -> Window:
    """All 24 hours, or those of the instruments that close at night: one that does not must not squeeze the others."""
    if hours == "all":
        return Window(0, 24)
    parts = [part for spans in _distinct(opened).values() for part in _pieces(spans, axis)]
    return window([part for part in parts if part[1:] != (0, DAY_MINUTES)] or parts)


def _distinct(lists: Iterable[list[Span]]) -> dict[int, list[Span]]:
    return {id(spans): spans for spans in lists}


def _pieces(spans: Iterable[Span], axis: Axis) -> list[Piece]:
    return [part for span in spans for part in pieces(*axis.minutes(span))]


def _watched(instruments: Iterable[InstrumentRules]) -> str:
    return " ".join(f"{rules.id}:{rules.calendar_version}" for rules in instruments)
