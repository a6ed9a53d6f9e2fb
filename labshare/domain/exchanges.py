"""Exchanges: somebody gives a booking to another, or gives it for one of theirs; nothing changes until they accept.

What must not live here: whether the rules of booking let the other have the time (services/writing.py asks them).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec

from labshare.domain.bookings import Booking, BookingKind, BookingState

# So long the other may think about it, in hours; a use that begins sooner ends it.
ANSWER_HOURS = 48
# Each asks somebody for an answer, so one person's many would be a nuisance.
MOST_OPEN = 10


class ExchangeState(StrEnum):
    """Where an exchange stands. One that is open past its `answer_by` is over, whatever the row says."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """What the giver offers the receiver: a booking, for nothing or for the receiver's booking `other_id`, as it
    stood when they asked: nobody gets another time than the one they chose.
    """

    id: UUID
    booking_id: UUID
    giver_id: UUID
    receiver_id: UUID
    other_id: UUID | None = None
    other_version: int = 0
    state: ExchangeState = ExchangeState.OPEN
    answer_by: datetime
    created_at: datetime

    def stands(self, now: datetime) -> bool:
        """Whether it may still be answered."""
        return self.state is ExchangeState.OPEN and now < self.answer_by


def may_change_hands(booking: Booking, now: datetime) -> bool:
    """A use to come that somebody booked. What a round gave stays with the request that it was given to, what was moved
    too late with who did so (R21), and a hold is nobody's yet.
    """
    is_firm = booking.kind is BookingKind.USE and booking.state in (BookingState.PENDING, BookingState.CONFIRMED)
    return is_firm and booking.plan_id is None and not booking.late_notice and booking.starts_at > now


def answer_by(now: datetime, *bookings: Booking) -> datetime:
    """Until when the other may answer: before any of the uses begins."""
    return min(now + timedelta(hours=ANSWER_HOURS), *(each.starts_at for each in bookings))
