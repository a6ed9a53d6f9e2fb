"""How many minutes an instrument has: calendar, open, allocable (the words of the access rules).

What must not live here: what was done with them (reports.py, equipment.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from labshare.domain.timespan import Span, subtracted, total_minutes


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """Minutes of a span. calendar: all of them; open: without closed hours, holidays and closures; allocable: open
    without the maintenance and engineering that are planned.
    """

    calendar: int = 0
    open: int = 0
    allocable: int = 0

    def __add__(self, other: Capacity) -> Capacity:
        return Capacity(
            calendar=self.calendar + other.calendar,
            open=self.open + other.open,
            allocable=self.allocable + other.allocable,
        )


def capacity(span: Span, opened: Sequence[Span], closures: Iterable[Span], planned: Iterable[Span]) -> Capacity:
    """The capacity of one instrument over `span`. `opened` are its open hours there, as `open_spans` gives them."""
    left_open = subtracted(opened, closures)
    return Capacity(
        calendar=span.minutes,
        open=total_minutes(left_open),
        allocable=total_minutes(subtracted(left_open, planned)),
    )
