"""Bookings that the centre must approve: whose wait, until when, and what becomes of them.

A booking that waits is `pending`. It occupies its time like any other, so that approving one can never clash, and ends
by itself when nobody decides in time. What must not live here: who may decide (people.py), or writing (services).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from labshare.domain.bookings import Booking, BookingKind, BookingState, InstrumentRules
from labshare.errors import Malformed, Refusal, Refused

LONGEST_NOTE = 500
# A request that nobody looks at for a month keeps the time from everybody else.
MOST_HOURS = 720


class Approval(StrEnum):
    """Whose bookings of an instrument wait for its centre."""

    NONE = "none"
    OUTSIDERS = "outsiders"
    EVERYBODY = "everybody"


def standing(
    rules: InstrumentRules, kind: BookingKind, organisation_id: str | None, starts_at: datetime, now: datetime
) -> tuple[BookingState, datetime | None]:
    """How a booking is written that its user makes: confirmed, or pending until the centre has decided.

    Outsiders are those who do not book for the host of the centre. Nobody decides after the use would have begun.
    """
    waits = kind is BookingKind.USE and (
        rules.approval == Approval.EVERYBODY
        or (rules.approval == Approval.OUTSIDERS and organisation_id != rules.host_id)
    )
    if not waits:
        return BookingState.CONFIRMED, None
    return BookingState.PENDING, min(now + timedelta(hours=rules.approval_hours), starts_at)


def is_waiting(booking: Booking, now: datetime) -> bool:
    """Whether the centre can still decide."""
    return booking.state is BookingState.PENDING and (booking.hold_expires_at is None or now < booking.hold_expires_at)


def require_setting(approval: str, hours: int) -> Approval:
    """What a manager chose for an instrument. Raises `Refused` with each value that cannot be."""
    refusals: list[Refusal] = []
    if approval not in set(Approval):
        refusals.append(Refusal(code="approval_unknown", params={"approval": approval}))
    if not 1 <= hours <= MOST_HOURS:
        refusals.append(Refusal(code="approval_hours", params={"hours": hours, "most": MOST_HOURS}))
    if refusals:
        raise Refused(refusals)
    return Approval(approval)


def read_note(text: str, *, is_needed: bool) -> str:
    """What the centre says to the user, in one line. Raises `Malformed`: who is declined is told why."""
    note = " ".join(text.split())
    if len(note) > LONGEST_NOTE:
        raise Malformed("note_too_long", most=LONGEST_NOTE)
    if is_needed and not note:
        raise Malformed("decision_note_missing")
    return note
