"""The solver's time: whole slots from the start of a round, and the way there and back. Pure.

What must not live here: anything that knows an instrument or a request (planning.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from labshare.domain.rounds import Round
from labshare.domain.timespan import MINUTE, Span, merged


class Grid(msgspec.Struct, frozen=True):
    """Whole slots from `start` on."""

    start: datetime
    slot_minutes: int
    horizon: int

    def minute(self, moment: datetime) -> int:
        """Whole minutes from the grid's start, negative before it."""
        return (moment - self.start) // MINUTE

    def at(self, slot: int) -> datetime:
        return self.start + slot * self.slot_minutes * MINUTE

    def slots(self, minutes: int) -> int:
        """How many slots it takes to hold so many minutes."""
        return -(-minutes // self.slot_minutes)

    def first(self, moment: datetime) -> int:
        """The first slot that begins at this moment or later."""
        return -(-self.minute(moment) // self.slot_minutes)

    def last(self, moment: datetime) -> int:
        """The last slot that begins at this moment or earlier."""
        return self.minute(moment) // self.slot_minutes

    def inside(self, spans: Iterable[Span]) -> list[tuple[int, int]]:
        """The whole slots of the horizon that lie inside each span, half-open; spans too short for one are left out."""
        pairs = ((max(0, self.first(s.start)), min(self.horizon, self.last(s.end))) for s in merged(spans))
        return [(first, last) for first, last in pairs if first < last]


def grid_of(r: Round) -> Grid:
    return Grid(r.starts_at, r.slot_minutes, r.horizon.minutes // r.slot_minutes)
