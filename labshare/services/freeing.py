"""Time that comes free: written down in the transaction that frees it, where somebody waits for it.

Every change of bookings passes here (writing.make), and what a round gives back. One that frees nothing costs nothing;
one that does, a query, and two more where somebody waits. Whom the time is offered to is found later, by the ticker
(waitlist.py). What must not live here: offers, or anything else that takes long under the locks of a write.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID, uuid4

from labshare.domain.bookings import OCCUPYING, Booking, BookingState
from labshare.domain.timespan import Span, subtracted
from labshare.store import due
from labshare.store import waitlist as store
from labshare.store.engine import Connection
from labshare.store.waitlist import FreedTime

# The deadline of freed time, which is at once.
FREED = "time_freed"


def note(db: Connection, changes: Iterable[tuple[Booking, Booking]]) -> None:
    """What these bookings became: holds that end leave the offers they were, and time that nobody has is kept in mind.

    Each is a booking before and after; all are written by now.
    """
    changed = list(changes)
    held = [after for before, after in changed if before.state is BookingState.HELD]
    if taken := [each.id for each in held if each.state in OCCUPYING and each.state is not BookingState.HELD]:
        store.taken(db, taken)
    if passed := [each.id for each in held if each.state not in OCCUPYING]:
        store.passed(db, passed)
    _keep(
        db,
        [
            (after.instrument_number, span, after.updated_at, _giver(before))
            for before, after in changed
            for span in _freed(before, after)
        ],
    )


def _giver(before: Booking) -> UUID | None:
    """Who gives time back. Nobody does of what was only kept: who lets a form go, or passes on an offer to one entry,
    may wait for it by another one.
    """
    return None if before.state is BookingState.HELD else before.person_id


def released(db: Connection, kept: Iterable[tuple[int, Span]], now: datetime) -> None:
    """Time of instruments, by number, that a round keeps no longer. What of it is booked is offered to nobody."""
    _keep(db, [(number, span, now, None) for number, span in kept if span.end > now])


def _keep(db: Connection, found: Sequence[tuple[int, Span, datetime, UUID | None]]) -> None:
    """Write down, of what came free, when and whose it was, that for which somebody waits."""
    if not found:
        return
    waited_for = store.waited_for(db, {number for number, *_ in found})
    rows = [
        (at, FreedTime(id=uuid4(), instrument_number=number, starts_at=span.start, ends_at=span.end, freed_by_id=by))
        for number, span, at, by in found
        if number in waited_for
    ]
    if rows:
        store.add_freed(db, [row for _, row in rows])
        due.add(db, FREED, {row.id: at for at, row in rows})


def _freed(before: Booking, after: Booking) -> list[Span]:
    """What the booking occupied, less what it occupies now and what is over."""
    if before.state not in OCCUPYING:
        return []
    kept = [after.occupied] if after.state in OCCUPYING else []
    return [span for span in subtracted([before.occupied], kept) if span.end > after.updated_at]
