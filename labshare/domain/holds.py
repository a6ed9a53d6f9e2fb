"""Holds of an open form: time that is kept for somebody for the few minutes in which they fill it in.

A hold is judged as the booking that it may become. What keeps it from being a way to block an instrument stands here:
it is short, prolonged once, and nobody has many. What must not live here: offers of the waitlist, which are holds too.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from labshare.domain.bookings import Booking
from labshare.errors import Refusal

HOLD = timedelta(minutes=5)
# By one person at a time; one more is for whoever compares two slots.
MOST_HOLDS = 2
# Of time that overlaps, by one person within an hour: who opens the form again and again may book, but holds no more.
MOST_AGAIN, AGAIN = 4, timedelta(hours=1)
FIRST, PROLONGED = 1, 2


def ends_at(starts_at: datetime, now: datetime) -> datetime:
    """Until when a hold that begins or is prolonged now keeps its time: five minutes, or to the start of the use."""
    return min(now + HOLD, starts_at)


def too_many(standing: int, again: int) -> tuple[Refusal, ...]:
    """Why somebody may not hold more time, who has so many holds, and held this very time so often lately."""
    refusals: list[Refusal] = []
    if standing >= MOST_HOLDS:
        refusals.append(Refusal(code="holds_too_many", params={"most": MOST_HOLDS}))
    if again >= MOST_AGAIN:
        refusals.append(Refusal(code="holds_again", params={"most": MOST_AGAIN}))
    return tuple(refusals)


def may_prolong(hold: Booking) -> bool:
    return hold.form_hold == FIRST
