"""The board of a centre, ready to be drawn: one row for each instrument, a day or a week wide.

A day has room for words, so its rows hold the same blocks as a week's columns. A week has strips: bars of an SVG in
hundredths of a day's width, with what is still free in words. What must not live here: queries, what a reader may see.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Literal

import msgspec

from labshare import formats
from labshare.domain.bookings import InstrumentRules
from labshare.domain.opening import DAY_MINUTES
from labshare.domain.timespan import Span
from labshare.i18n import gettext
from labshare.services.bookings import Calendar
from labshare.web import blocks
from labshare.web.blocks import Block
from labshare.web.grid import Axis, Piece, Window, day_of, pieces, place, week_of, window
from labshare.web.templating import named

BoardSpan = Literal["day", "week"]

# A pattern must be named in the page itself: a style sheet would look for it in its own file.
_PATTERNS = {
    "kept": "strip-kept",
    **dict.fromkeys(("maintenance", "engineering", "closure"), "strip-blocked"),
}
Minutes = tuple[int, int]


class Head(msgspec.Struct, frozen=True):
    """A day at the head of a week's column."""

    iso: str
    weekday: str
    short: str
    is_today: bool


class Bar(msgspec.Struct, frozen=True):
    """Part of a strip: its kind, where it begins and how long it is in percent of the strip, and its pattern if any."""

    kind: str
    x: str
    width: str
    fill: str = ""


class Cell(msgspec.Struct, frozen=True):
    """A day of one instrument in a week's board; `words` say what can still be had of it."""

    iso: str
    bars: tuple[Bar, ...]
    words: str


class Row(msgspec.Struct, frozen=True):
    """One instrument: `cells` in a week's board, `opened` and `blocks` in a day's."""

    id: str
    name: str
    cells: tuple[Cell, ...] = ()
    opened: tuple[str, ...] = ()
    blocks: tuple[Block, ...] = ()


class Board(msgspec.Struct, frozen=True):
    """Every instrument of a centre that is booked by time. `watched` names each with its version, for live updates."""

    span: BoardSpan
    title: str
    window: Window
    heads: tuple[Head, ...]
    rows: tuple[Row, ...]
    watched: str
    hours: str
    now: str
    date: str
    today: str
    earlier: str
    later: str


def axis_of(span: BoardSpan, day: date) -> Axis:
    """The days that a board of this width shows."""
    return week_of(day) if span == "week" else day_of(day)


def board(
    calendar: Calendar,
    span: BoardSpan,
    day: date,
    now: datetime,
    *,
    all_hours: bool,
    may_book: bool,
    sees_bookings: bool,
) -> Board:
    """The board around `day`; `calendar` must cover its axis."""
    axis = axis_of(span, day)
    opened = {number: _pieces(axis, spans) for number, spans in calendar.opened.items()}
    shown = Window(0, 24) if all_hours else _usual(part for parts in opened.values() for part in parts)
    step = timedelta(days=axis.days)
    minute = axis.minute(now)
    if span == "week":
        rows = tuple(_strips(calendar, rules, axis, shown, minute) for rules in calendar.instruments)
    else:
        given = _Day(calendar, axis, shown, now, may_book, sees_bookings)
        rows = tuple(_lane(given, rules, opened[rules.number]) for rules in calendar.instruments)
    first, last = axis.dates[0], axis.dates[-1]
    return Board(
        span=span,
        title=f"{formats.short_date(first)} – {formats.date(last)}" if span == "week" else _long(first),
        window=shown,
        heads=tuple(
            Head(each.isoformat(), formats.weekday(each), formats.short_date(each), minute // DAY_MINUTES == index)
            for index, each in enumerate(axis.dates)
        ),
        rows=rows,
        watched=" ".join(f"{rules.id}:{rules.calendar_version}" for rules in calendar.instruments),
        hours="all" if all_hours else "open",
        now=shown.line(minute) if span == "day" and 0 <= minute < DAY_MINUTES else "",
        date=day.isoformat(),
        today=formats.local(now).date().isoformat(),
        earlier=(day - step).isoformat(),
        later=(day + step).isoformat(),
    )


def _usual(opened: Iterable[Piece]) -> Window:
    """The hours of the instruments that close at night: the one that never does must not squeeze all the others."""
    parts = list(opened)
    return window([part for part in parts if part[1:] != (0, DAY_MINUTES)] or parts)


# ---------------------------------------------------------------- a day: lanes with words


class _Day(msgspec.Struct, frozen=True):
    """What all lanes of a day share."""

    calendar: Calendar
    axis: Axis
    shown: Window
    now: datetime
    may_book: bool
    sees_bookings: bool


def _lane(given: _Day, rules: InstrumentRules, opened: list[Piece]) -> Row:
    calendar, axis = given.calendar, given.axis
    stretches = [
        *blocks.occupied(calendar.entries[rules.number], axis, sees_bookings=given.sees_bookings),
        *blocks.kept(calendar, rules, axis),
    ]
    if given.may_book:
        stretches += blocks.free(calendar, rules, axis, given.now)
    return Row(
        id=rules.id,
        name=named(rules),
        opened=tuple(place(*given.shown.cut(start, end)) for _, start, end in opened),
        blocks=tuple(blocks.of_day(stretches, 0, given.shown, f"at-{rules.id}")),
    )


# ---------------------------------------------------------------- a week: strips


def _strips(calendar: Calendar, rules: InstrumentRules, axis: Axis, shown: Window, now: int) -> Row:
    days: list[tuple[list[Minutes], list[Minutes], list[tuple[str, int, int]]]] = [([], [], []) for _ in axis.dates]
    for day, start, end in _pieces(axis, calendar.opened[rules.number]):
        days[day][0].append((start, end))
    for day, start, end in _pieces(axis, (offer.span for offer in calendar.kept[rules.number])):
        days[day][1].append((start, end))
        days[day][2].extend(("kept", *part) for part in _common(days[day][0], start, end))
    for entry in calendar.entries[rules.number]:
        kind = blocks.kind_of(entry)
        for day, start, end in pieces(*axis.minutes(Span(entry.occupied_from, entry.occupied_until))):
            days[day][1].append((start, end))
            days[day][2].append((kind, start, end))
    cells = tuple(
        _cell(day, opened, busy, painted, shown, now - index * DAY_MINUTES)
        for index, (day, (opened, busy, painted)) in enumerate(zip(axis.dates, days, strict=True))
    )
    return Row(id=rules.id, name=named(rules), cells=cells)


def _cell(
    day: date,
    opened: list[Minutes],
    busy: list[Minutes],
    painted: list[tuple[str, int, int]],
    shown: Window,
    now: int,
) -> Cell:
    bars = tuple(
        bar
        for kind, start, end in [*(("open", *hours) for hours in opened), *painted]
        if (bar := _bar(kind, start, end, shown)) is not None
    )
    if not opened:
        return Cell(day.isoformat(), bars, gettext("Closed"))
    if now >= DAY_MINUTES:
        return Cell(day.isoformat(), bars, gettext("over"))
    return Cell(day.isoformat(), bars, gettext("%(hours)s free") % {"hours": formats.hours(_left(opened, busy, now))})


def _bar(kind: str, start: int, end: int, shown: Window) -> Bar | None:
    start, end = shown.cut(start, end)
    if start >= end:
        return None
    whole = (shown.last - shown.first) * 60
    begins, length = (start - shown.first * 60) * 100 / whole, (end - start) * 100 / whole
    return Bar(kind, f"{begins:.2f}", f"{length:.2f}", _PATTERNS.get(kind, ""))


def _left(opened: list[Minutes], busy: list[Minutes], since: int) -> int:
    """Open minutes from `since` on that nothing busy covers."""
    free = 0
    busy = sorted(busy)
    for start, end in opened:
        at = max(start, since)
        for begins, ends in busy:
            if begins >= end:
                break
            if ends > at:
                free += max(0, begins - at)
                at = ends
        free += max(0, end - at)
    return free


def _common(opened: list[Minutes], start: int, end: int) -> Iterator[Minutes]:
    for opens, closes in opened:
        if max(opens, start) < min(closes, end):
            yield max(opens, start), min(closes, end)


def _pieces(axis: Axis, spans: Iterable[Span]) -> list[Piece]:
    return [part for span in spans for part in pieces(*axis.minutes(span))]


def _long(day: date) -> str:
    return f"{formats.long_weekday(day)} {formats.date(day)}"
