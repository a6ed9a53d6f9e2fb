"""What occupies one thing (an instrument, a person, a pool of operators), in order of time, to look spans up in."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class Occupied:
    """Something on an instrument, or something a person attends; `request` is None for a fixed row."""

    start: int
    end: int
    request: str | None
    family: str | None


class Timeline:
    """Rows in order of their start. They may overlap; looking up a span costs what lies near it and not the whole."""

    def __init__(self, rows: Iterable[Occupied] = ()) -> None:
        self.rows = sorted(rows, key=lambda row: (row.start, row.end))
        self._starts = [row.start for row in self.rows]
        # The latest end so far: it never falls, so that all rows over before a slot are found by halving.
        self._reach = list(accumulate((row.end for row in self.rows), max))

    def near(self, start: int, end: int) -> list[Occupied]:
        """The rows that meet `[start, end)`."""
        found = self.rows[bisect_right(self._reach, start) : bisect_left(self._starts, end)]
        return [row for row in found if row.end > start]


NOTHING = Timeline()
