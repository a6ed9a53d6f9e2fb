"""The demo's instruments that several use at a time: beside some of the uses to come, somebody else has booked as well.

They go the way that people go. What must not live here: how many there may be at a time (domain/units.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from labshare.domain.bookings import Wish
from labshare.domain.people import Actor
from labshare.domain.projects import Project
from labshare.domain.timespan import Span
from labshare.errors import Refused
from labshare.services import bookings
from labshare.store.engine import Connection

MOST = 5


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """Time at which an instrument is used already, and who might use it then as well."""

    number: int
    span: Span
    users: tuple[tuple[Actor, Project], ...]


def share(db: Connection, asks: Iterable[Beside], now: datetime) -> int:
    """Book beside the first of these, as far as the rules allow; returns how many were made."""
    made = 0
    for ask in asks:
        if made == MOST:
            break
        # Each time somebody else is asked first.
        users = (*ask.users[made:], *ask.users[:made])
        made += any(_booked(db, ask, user, project, now) for user, project in users)
    return made


def _booked(db: Connection, ask: Beside, user: Actor, project: Project, now: datetime) -> bool:
    try:
        with db.begin_nested():
            wish = Wish(instrument_number=ask.number, span=ask.span, project_id=project.id)
            bookings.book(db, user, wish, now)
    except Refused:
        # A share, a qualification or another use of theirs may say no where the calendar does not.
        return False
    return True
