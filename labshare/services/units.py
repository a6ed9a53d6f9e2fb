"""Which unit each booking gets, on instruments that take several uses at a time. No query where none does.

Rules have counted already how many there are at a time (domain/units.py, `taken`), so there is a unit for each; where
there is none all the same, the database says no. What must not live here: the writing itself (writing.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from uuid import UUID

from labshare.domain.bookings import OCCUPYING, Booking, BookingKind, InstrumentRules
from labshare.domain.timespan import Span
from labshare.domain.units import Laid, in_gaps, laid_anew
from labshare.store import units as store
from labshare.store.engine import Connection

_FOR_EVER = datetime(9999, 1, 1, tzinfo=UTC)
Pair = tuple[Booking | None, Booking]


def units_of(db: Connection, changed: Iterable[Pair], locked: Mapping[int, InstrumentRules]) -> dict[UUID, int]:
    """The units that change: of these bookings, each before and after, and of others that must make room for them.

    One query for each such instrument, and one more where others must make room.
    """
    by_number: defaultdict[int, list[Pair]] = defaultdict(list)
    for before, after in changed:
        if locked[after.instrument_number].capacity > 1:
            by_number[after.instrument_number].append((before, after))
    found: dict[UUID, int] = {}
    for number, pairs in by_number.items():
        found |= _units_at(db, number, locked[number].capacity, pairs)
    return found


def _units_at(db: Connection, number: int, capacity: int, pairs: Iterable[Pair]) -> dict[UUID, int]:
    using = [(before, after) for before, after in pairs if _uses(after)]
    new = [
        Laid(after.id, after.occupied, after.unit if before else None)
        for before, after in using
        if before is None or not _uses(before) or before.occupied != after.occupied
    ]
    if not new:
        return {}
    gone = {each.id for each in new} | {after.id for _, after in pairs if not _uses(after)}
    first, last = min(each.occupied.start for each in new), max(each.occupied.end for each in new)

    def standing(until: datetime) -> list[Laid]:
        return [each for each in store.laid(db, number, Span(first, until)) if each.id not in gone]

    found = in_gaps(capacity, standing(last), new)
    return laid_anew(capacity, standing(_FOR_EVER), new) if found is None else found


def _uses(booking: Booking) -> bool:
    return booking.kind is BookingKind.USE and booking.state in OCCUPYING
