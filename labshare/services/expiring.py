"""Holds and requests whose time is over give theirs back, by the one way to write bookings.

What must not live here: when that is (the services that hold), or the ticker (ticking.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from labshare.domain.bookings import BookingState
from labshare.domain.timespan import Span
from labshare.services.writing import Change, Locked, ended, judge, make, tell
from labshare.store import bookings as store
from labshare.store.engine import Connection


def expire_holds(db: Connection, numbers: Iterable[int], span: Span, now: datetime) -> int:
    """Give back the time of holds that were never confirmed, on these instruments; returns how many there were."""
    locked = store.lock(db, numbers)
    due = due_in(db, locked, span, now)
    end(db, due, locked, now)
    if due:
        tell(db, locked)
    return len(due)


def due_in(db: Connection, locked: Locked, span: Span, now: datetime) -> list[Change]:
    """What is due to end on these instruments, under their locks, and what it becomes."""
    found = (each for number in sorted(locked) for each in store.neighbours(db, number, span))
    return [ended(store.get(db, each.id), BookingState.EXPIRED, now) for each in found if each.is_due(now)]


def end(db: Connection, due: Sequence[Change], locked: Locked, now: datetime) -> None:
    """Let it end."""
    make(db, due, judge(db, due, locked, now))
