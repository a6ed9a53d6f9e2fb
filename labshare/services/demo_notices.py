"""The demo's news of this morning: managers have moved a coming booking of each of some project leads, who are told.

It goes the way that people go. What must not live here: what is told (booking_notices.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from labshare.domain.bookings import BookingState
from labshare.domain.people import Actor
from labshare.errors import Refused
from labshare.services import booking_changes, bookings, calendars, free_times
from labshare.services.bookings import BookingLine
from labshare.store import booking_pages
from labshare.store.engine import Connection

# The week ahead stays as full as the story has it.
AHEAD = timedelta(days=8)
# How many bookings of a lead, and how many times for each, are tried.
TRIED = 6


def bring(db: Connection, leads: Iterable[UUID], managers: Mapping[str, Actor], now: datetime) -> None:
    """One of each lead's coming bookings goes to the nearest other time, if there is one that can."""
    for person_id in leads:
        lines = booking_pages.lines_of_person(
            db, person_id, since=now + AHEAD, states={BookingState.CONFIRMED}, limit=TRIED
        )
        for line in lines:
            if line.centre_id in managers and _moved(db, managers[line.centre_id], line, now):
                break


def _moved(db: Connection, manager: Actor, line: BookingLine, now: datetime) -> bool:
    """Whether it could be moved; a clause or a share may say no where the calendar does not."""
    booking, rules = line.booking, calendars.rules_of(db, line.instrument_id)
    for span in free_times.suggest(db, booking_changes.again(booking, booking.span, rules=rules), now, count=TRIED):
        if span == booking.span or span.minutes != booking.span.minutes:
            continue
        try:
            with db.begin_nested():
                bookings.move(db, manager, booking.id, span, seen_version=booking.version, now=now)
        except Refused:
            continue
        return True
    return False
