"""The board of a centre over a week, ready to be drawn: a strip for each instrument and day, and what is free in words.

Forty instruments have a thousand bookings a week, so minutes are whole numbers here and a strip is one ready text. What
must not live here: whose a booking is; the rows carry nothing of it but one's own (services/calendars.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache

import msgspec
from markupsafe import Markup

from labshare import formats
from labshare.domain.availability import fitting_minutes
from labshare.domain.bookings import BookingKind, BookingState, InstrumentRules
from labshare.domain.opening import DAY_MINUTES
from labshare.domain.timespan import MINUTE, Span
from labshare.domain.units import crowded
from labshare.i18n import gettext, language
from labshare.services.calendars import Occupancy, Occupied
from labshare.web.grid import Axis, Window, pieces

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Looked up a thousand times for each board, which an enumeration is too slow for.
USE, HELD = BookingKind.USE.value, BookingState.HELD.value
# Beside what is one's own there may be room for others, where several use an instrument at a time.
BESIDE = frozenset({"mine", "mine held"})
Minutes = tuple[int, int]
Painted = tuple[str, int, int]

# A pattern must be named in the page itself: a style sheet would look for it in its own file.
PATTERNS = {
    "kept": "strip-kept",
    **dict.fromkeys((kind.value for kind in BookingKind if kind is not BookingKind.USE), "strip-blocked"),
}


class Cell(msgspec.Struct, frozen=True):
    """A day of one instrument: the bars of its strip, and what can still be had of it in words."""

    iso: str
    bars: Markup
    words: str


class Fit(msgspec.Struct, frozen=True):
    """What of a free gap can be booked, in minutes: starts stand on the `raster`, a use is `least` long or longer, and
    beside what is busy it needs `before` and `after` for its set-up and clean-up.
    """

    raster: int = 1
    least: int = 0
    before: int = 0
    after: int = 0

    def minutes(self, start: int, end: int) -> int:
        """How much of the gap from `start` to `end`."""
        start += -start % self.raster
        # What begins or ends at midnight may go on in the day beside it.
        is_whole = start > 0 and end < DAY_MINUTES
        return max(0, end - start) if end - start >= self.least or not is_whole else 0


ANY = Fit()


class _Day:
    """One day of one instrument while it is gathered: minutes after midnight."""

    __slots__ = ("busy", "opened", "painted")

    def __init__(self, opened: list[Minutes]) -> None:
        self.opened = opened
        self.busy: list[Minutes] = []
        self.painted: list[Painted] = []


def opened_days(spans: Iterable[Span], axis: Axis) -> list[list[Minutes]]:
    """The open hours of each day of the axis. Instruments that keep the same hours may share the result."""
    days: list[list[Minutes]] = [[] for _ in axis.dates]
    for span in spans:
        for day, start, end in pieces(*axis.minutes(span)):
            days[day].append((start, end))
    return days


def cells(
    shown: Occupancy, rules: InstrumentRules, opened: list[list[Minutes]], axis: Axis, window: Window, now: int
) -> tuple[Cell, ...]:
    """The days of one instrument; `now` is the minute of now on the axis, which may lie before or after it. What could
    only begin before the instrument's cut-off, or end later than it is booked ahead, is not said to be free.
    """
    soonest = now + shown.cut_off.get(rules.number, 0) * 60
    furthest = now + shown.furthest.get(rules.number, rules.advance_days) * DAY_MINUTES
    isos = [each.isoformat() for each in axis.dates]
    days = [_Day(hours) for hours in opened]
    for offer in shown.kept[rules.number]:
        for index, start, end in pieces(*axis.minutes(offer.span)):
            day = days[index]
            day.busy.append((start, end))
            for opens, closes in day.opened:
                if max(opens, start) < min(closes, end):
                    day.painted.append(("kept", max(opens, start), min(closes, end)))
    midnight, last = (axis.start - EPOCH) // MINUTE, axis.days * DAY_MINUTES
    rows = shown.occupied[rules.number]
    painted = [(_kind(row), row.start_minute, row.end_minute) for row in rows]
    if rules.capacity > 1:
        painted = _crowded(rules, rows, painted)
    for kind, begins, ends in painted:
        for index, start, end in pieces(max(0, begins - midnight), min(last, ends - midnight)):
            day = days[index]
            if kind not in BESIDE or rules.capacity == 1:
                day.busy.append((start, end))
            day.painted.append((kind, start, end))
    first, ends, spoken, fit = window.first * 60, window.last * 60, language(), _fit(rules)
    midnights = range(0, last, DAY_MINUTES)
    return tuple(
        Cell(each, _bars(day, first, ends), _words(day, now - passed, soonest - passed, furthest - passed, fit, spoken))
        for each, day, passed in zip(isos, days, midnights, strict=True)
    )


def _crowded(rules: InstrumentRules, rows: Iterable[Occupied], painted: Iterable[Painted]) -> list[Painted]:
    """Where several use it at a time: when it is full or blocked, and over that what is one's own."""
    uses = [(row.start_minute, row.end_minute) for row in rows if row.kind == USE]
    others = [each for each in painted if each[0] not in BESIDE and each[0] != "taken"]
    mine = [each for each in painted if each[0] in BESIDE]
    return [*others, *(("taken", start, end) for start, end in crowded(rules.capacity, uses)), *mine]


def _fit(rules: InstrumentRules) -> Fit:
    # A use that goes on while the instrument is closed is not bounded by the hours of a day.
    least = 0 if rules.spans_closed_hours else fitting_minutes(rules, 1)
    return Fit(rules.raster, least, rules.setup_minutes, rules.cleanup_minutes)


def free_minutes(opened: Iterable[Minutes], busy: Iterable[Minutes], since: int, until: int, fit: Fit = ANY) -> int:
    """Open minutes from `since` until `until` that nothing busy covers and that fit."""
    free, ordered = 0, sorted((begins - fit.after, ends + fit.before) for begins, ends in busy)
    for start, closes in opened:
        at, end = max(start, since), min(closes, until)
        for begins, ends in ordered:
            if begins >= end:
                break
            if ends > at:
                free += fit.minutes(at, begins)
                at = ends
        free += fit.minutes(at, end)
    return free


def _kind(row: Occupied) -> str:
    if row.kind != USE:
        return row.kind
    if row.own_state is None:
        return "taken"
    return "mine held" if row.own_state == HELD else "mine"


def _bars(day: _Day, first: int, last: int) -> Markup:
    bars = [_bar("open", start, end, first, last) for start, end in day.opened]
    bars += [_bar(kind, start, end, first, last) for kind, start, end in day.painted]
    return Markup("".join(bars))  # noqa: S704  numbers and words of ours, nothing that anybody typed


def _words(day: _Day, now: int, soonest: int, furthest: int, fit: Fit, spoken: str) -> str:
    if not day.opened:
        return gettext("Closed")
    if now >= DAY_MINUTES:
        return gettext("over")
    if furthest <= day.opened[0][0]:
        return gettext("not yet bookable")
    return _free_words(free_minutes(day.opened, day.busy, soonest, furthest, fit), spoken)


@lru_cache(maxsize=8192)
def _free_words(minutes: int, spoken: str) -> str:
    """What is free, in the language that is spoken now, which the cache must tell apart."""
    return gettext("%(hours)s free") % {"hours": formats.hours(minutes)} if minutes else gettext("nothing free")


@lru_cache(maxsize=16384)
def _bar(kind: str, start: int, end: int, first: int, last: int) -> str:
    """A bar where the strip shows it, in percent of the strip; '' where it does not."""
    start, end = max(start, first), min(end, last)
    if start >= end:
        return ""
    x, width = (start - first) * 100 / (last - first), (end - start) * 100 / (last - first)
    pattern = f' fill="url(#{PATTERNS[kind]})"' if kind in PATTERNS else ""
    return f'<rect class="{kind}"{pattern} x="{x:.2f}%" width="{width:.2f}%"/>'
