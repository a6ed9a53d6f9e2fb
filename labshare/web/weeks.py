"""The week of one instrument, ready to be drawn: seven days of blocks, each with its place and its words.

What must not live here: queries, and what a block says (blocks.py). Templates only loop over what this module made.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import msgspec

from labshare import formats
from labshare.domain.bookings import InstrumentRules
from labshare.domain.opening import DAY_MINUTES, clock
from labshare.services.calendars import Calendar
from labshare.web import blocks
from labshare.web.blocks import Block, Reader, Stretch, Track
from labshare.web.grid import Axis, Piece, Window, pieces, place, week_of, window


class Day(msgspec.Struct, frozen=True):
    """One day of the calendar. `opened` are the places of its open hours, `hours` says them, `now` places its line."""

    iso: str
    weekday: str
    short: str
    name: str
    css: str
    is_today: bool
    is_open: bool
    opened: tuple[str, ...]
    hours: str
    blocks: tuple[Block, ...]
    now: str = ""


class Week(msgspec.Struct, frozen=True):
    """A week of one instrument, and where its arrows lead. `earlier`, `later` are weeks, `day_*` days; all ISO."""

    instrument_id: str
    version: int
    track: Track
    title: str
    window: Window
    days: tuple[Day, ...]
    chosen: Day
    today: str
    earlier: str
    later: str
    day_earlier: str
    day_later: str


def week(calendar: Calendar, rules: InstrumentRules, day: date, now: datetime, reader: Reader) -> Week:
    """The week that `day` lies in; `calendar` must cover it."""
    axis = week_of(day)
    opened = [part for span in calendar.opened[rules.number] for part in pieces(*axis.minutes(span))]
    taken = list(blocks.taken(calendar, rules, axis, now, reader))
    shown = window(opened, _beyond(taken, window(opened)))
    stretches = [*taken, *blocks.kept(calendar, rules, axis)]
    if reader.may_book:
        stretches += blocks.free(calendar, rules, axis, now)
    days = tuple(_days(axis, day, now, shown, opened, stretches))
    return Week(
        instrument_id=rules.id,
        version=rules.calendar_version,
        track=blocks.track(rules),
        title=f"{formats.short_date(axis.dates[0])} – {formats.date(axis.dates[-1])}",
        window=shown,
        days=days,
        chosen=days[(day - axis.first).days],
        today=formats.local(now).date().isoformat(),
        earlier=(day - timedelta(days=7)).isoformat(),
        later=(day + timedelta(days=7)).isoformat(),
        day_earlier=(day - timedelta(days=1)).isoformat(),
        day_later=(day + timedelta(days=1)).isoformat(),
    )


def _days(
    axis: Axis, chosen: date, now: datetime, shown: Window, opened: list[Piece], stretches: list[Stretch]
) -> Iterator[Day]:
    minute = axis.minute(now)
    for index, day in enumerate(axis.dates):
        hours = [(start, end) for which, start, end in opened if which == index]
        found = tuple(blocks.of_day(stretches, index, shown))
        is_today = minute // DAY_MINUTES == index
        flags = {
            "today": is_today,
            "chosen": day == chosen,
            # A weekend that is closed and empty takes no room from the days on which there is something to see.
            "folded": day.weekday() >= 5 and not hours and not found,
        }
        yield Day(
            iso=day.isoformat(),
            weekday=formats.weekday(day),
            short=formats.short_date(day),
            name=f"{formats.long_weekday(day)} {formats.date(day)}",
            css=" ".join(["day", *(name for name, holds in flags.items() if holds)]),
            is_today=is_today,
            is_open=bool(hours),
            opened=tuple(place(start, end) for start, end in hours),
            hours=", ".join(f"{clock(start)}–{clock(end)}" for start, end in hours),
            blocks=found,
            now=shown.line(minute % DAY_MINUTES) if is_today else "",
        )


def _beyond(taken: list[Stretch], usual: Window) -> Iterator[Piece]:
    """Work at night that the open hours alone would not show at all, though it must be seen."""
    for stretch in taken:
        parts = list(pieces(stretch.start, stretch.end))
        if not any(usual.shows(start, end) for _, start, end in parts):
            yield from parts
