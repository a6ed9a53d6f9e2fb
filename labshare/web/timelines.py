"""A plan drawn in time: one strip for each instrument, with the hours in which nothing is ever open left out.

Positions are percentages of the strip's width, as text for SVG attributes, so that no script has to measure anything.
What must not live here: what a reader may see (services/desk.py) and words that are not of time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from labshare import formats
from labshare.services.desk import Desk, DeskRow, DeskSession
from labshare.services.slots import Grid

# A break of this many minutes or more is left out of the picture.
LONGEST_GAP_MINUTES = 120
# More days than this are told by their numbers alone, and more than that by every seventh.
MOST_WORDED_DAYS, MOST_NUMBERED_DAYS = 14, 40


class Bar(msgspec.Struct, frozen=True):
    """Part of a strip, in percent of its width."""

    x: str
    width: str


class Mark(msgspec.Struct, frozen=True):
    """A session on a strip: its label, its class for the pattern, and all about it in words."""

    x: str
    width: str
    label: str
    access_class: str
    words: str


class Strip(msgspec.Struct, frozen=True):
    """One instrument's line."""

    row: DeskRow
    free: tuple[Bar, ...]
    marks: tuple[Mark, ...]


class Head(msgspec.Struct, frozen=True):
    """Where a local day begins, with its name where there is room for one."""

    x: str
    words: str


class Timeline(msgspec.Struct, frozen=True):
    heads: tuple[Head, ...]
    strips: tuple[Strip, ...]


class Axis:
    """Slots to percent: the stretches in which anything is open stand side by side, breaks take no width."""

    def __init__(self, stretches: Sequence[tuple[int, int]]) -> None:
        self.stretches = stretches
        self._starts = [first for first, _ in stretches]
        self._before: list[int] = []
        total = 0
        for first, last in stretches:
            self._before.append(total)
            total += last - first
        self.total = max(1, total)

    def percent(self, slot: int) -> float:
        """Where a slot begins; one inside a break stands where the break is."""
        at = bisect_right(self._starts, slot) - 1
        if at < 0:
            return 0.0
        first, last = self.stretches[at]
        return 100 * (self._before[at] + min(slot, last) - first) / self.total

    def bar(self, first: int, last: int) -> Bar:
        start = self.percent(first)
        return Bar(x=_text(start), width=_text(max(0.05, self.percent(last) - start)))


def timeline(desk: Desk) -> Timeline:
    """The desk's rows as strips over one axis."""
    axis = Axis(stretches(desk.rows, desk.grid))
    return Timeline(
        heads=tuple(_heads(axis, desk.grid)),
        strips=tuple(
            Strip(
                row=row,
                free=tuple(axis.bar(first, last) for first, last in row.free),
                marks=tuple(_mark(axis, session) for session in row.sessions),
            )
            for row in desk.rows
        ),
    )


def stretches(rows: Iterable[DeskRow], grid: Grid) -> list[tuple[int, int]]:
    """The slots in which any instrument is free or in use, with shorter breaks filled."""
    spans = sorted(
        pair for row in rows for pair in (*row.free, *((session.first, session.last) for session in row.sessions))
    )
    joined: list[tuple[int, int]] = []
    for first, last in spans:
        if joined and (first - joined[-1][1]) * grid.slot_minutes < LONGEST_GAP_MINUTES:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return joined


def _heads(axis: Axis, grid: Grid) -> Iterable[Head]:
    """Every local day on the axis, at its first slot there."""
    days: dict[datetime, int] = {}
    for first, last in axis.stretches:
        moment = grid.at(first)
        while moment < grid.at(last):
            midnight = formats.local(moment).replace(hour=0, minute=0)
            days.setdefault(midnight, max(first, grid.first(moment)))
            moment = midnight + timedelta(days=1)
    for at, (midnight, slot) in enumerate(sorted(days.items())):
        if len(days) <= MOST_WORDED_DAYS:
            words = f"{formats.weekday(midnight)} {formats.short_date(midnight)}"
        else:
            words = formats.short_date(midnight) if at % (1 if len(days) <= MOST_NUMBERED_DAYS else 7) == 0 else ""
        yield Head(x=_text(axis.percent(slot)), words=words)


def _mark(axis: Axis, session: DeskSession) -> Mark:
    bar = axis.bar(session.first, session.last)
    line = session.line
    return Mark(
        x=bar.x,
        width=bar.width,
        label=line.label,
        access_class=line.request.access_class.value,
        words=f"{line.label} · {formats.span(session.use.start, session.use.end)} · {line.project}",
    )


def _text(percent: float) -> str:
    return f"{percent:.3f}%"
