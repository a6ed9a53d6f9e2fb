"""How many minutes an instrument has: calendar, open, allocable, offered (the words of the access rules).

What must not live here: what was done with them (reports.py, equipment.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import msgspec

from labshare.domain.timespan import Span, subtracted, total_minutes


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """Minutes of a span. calendar: all of them; open: without closed hours, holidays and closures; allocable: open
    without the maintenance and engineering that are planned.

    offered: the part of allocable that somebody could be given. All of it is offered either way, kept by a round or
    open to direct booking, but for two parts: the time of an instrument that is not built yet, whose centre is planned,
    and the time in which an instrument was down unplanned. What courtesy says of when and how far ahead one may book
    takes nothing out: it says who may have the time when, not whether anybody may.
    """

    calendar: int = 0
    open: int = 0
    allocable: int = 0
    offered: int = 0

    def __add__(self, other: Capacity) -> Capacity:
        return Capacity(
            calendar=self.calendar + other.calendar,
            open=self.open + other.open,
            allocable=self.allocable + other.allocable,
            offered=self.offered + other.offered,
        )


def capacity(
    span: Span,
    opened: Sequence[Span],
    closures: Iterable[Span],
    planned: Iterable[Span],
    downs: Collection[Span] = (),
    *,
    units: int = 1,
    is_built: bool = True,
) -> Capacity:
    """The capacity of one instrument over `span`. `opened` are its open hours there, as `open_spans` gives them;
    `downs` is when it was down unplanned. Where several may use it at a time, each minute counts once for each unit.
    """
    left_open = subtracted(opened, closures)
    allocable = subtracted(left_open, planned)
    offered = subtracted(allocable, downs) if downs else allocable
    return Capacity(
        calendar=units * span.minutes,
        open=units * total_minutes(left_open),
        allocable=units * total_minutes(allocable),
        offered=units * total_minutes(offered) if is_built else 0,
    )
