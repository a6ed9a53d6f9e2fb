"""Holds and requests whose time is over give theirs back, by the one way to write bookings.

What must not live here: when that is (the services that hold), or the ticker (ticking.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from labshare.domain.bookings import BookingState
from labshare.domain.timespan import Span
from labshare.services.writing import Locked, ended, judge, make, tell
from labshare.store import bookings as store
from labshare.store.engine import Connection


def expire_holds(db: Connection, numbers: Iterable[int], span: Span, now: datetime) -> int:
    """Give back the time of holds that were never confirmed, on these instruments; returns how many there were."""
    locked = store.lock(db, numbers)
    count = end_due(db, locked, span, now)
    if count:
        tell(db, locked)
    return count


def end_due(db: Connection, locked: Locked, span: Span, now: datetime) -> int:
    """Give back the time of what is due to end there, under the lock of these instruments; returns how many."""
    found = (each for number in sorted(locked) for each in store.neighbours(db, number, span))
    due = [ended(store.get(db, each.id), BookingState.EXPIRED, now) for each in found if each.is_due(now)]
    make(db, due, judge(db, due, locked, now))
    return len(due)
