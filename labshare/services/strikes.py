"""Strikes taken back: that nobody came, or that a time was given back late, where it was nobody's fault after all.

What must not live here: how a strike comes about (bookings.py), or what it bars (clauses.py).
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from labshare.domain.approvals import read_note
from labshare.domain.bookings import Booking, BookingState
from labshare.domain.people import Action, Actor, may
from labshare.errors import Stale, WrongState
from labshare.services import bookings
from labshare.services.bookings import BookingLine
from labshare.services.charging import Outcome, charge
from labshare.services.writing import Change, write
from labshare.store import audit
from labshare.store.engine import Connection


def is_strike(booking: Booking) -> bool:
    """Whether it counts against its user (R21)."""
    return booking.state is BookingState.NO_SHOW or (booking.state is BookingState.CANCELLED and booking.late_notice)


def may_pardon(actor: Actor, line: BookingLine) -> bool:
    """Whether the actor may take this strike back: a manager of its centre, and nobody their own."""
    is_others = line.booking.person_id != actor.person_id
    return is_others and is_strike(line.booking) and may(actor, Action.MANAGE_CALENDAR, centre=line.centre_id)


def pardon(db: Connection, actor: Actor, booking_id: UUID, reason: str, *, seen_version: int, now: datetime) -> Booking:
    """Take a strike back, with a reason that its user reads and that is audited: the booking is one that was cancelled
    in time. Its user is told, and what the ledger took for not coming is put right. For managers of the centre, about
    others. When it was given up stays as it was: who waits is offered what was freed since.

    Raises `Malformed` without a reason, `Stale`, and `WrongState` for what is no strike, or the actor's own.
    """
    reason = read_note(reason, is_needed=True)
    booking, rules = bookings.held(db, actor, booking_id, Action.MANAGE_CALENDAR)
    if booking.version != seen_version:
        raise Stale("booking_changed")
    if not is_strike(booking):
        raise WrongState("booking_no_strike", state=booking.state.value)
    if booking.person_id == actor.person_id:
        raise WrongState("pardon_of_own")
    after = msgspec.structs.replace(booking, state=BookingState.CANCELLED, late_notice=False, decision_note=reason)
    (pardoned,) = write(db, actor, [Change(before=booking, after=after)], {rules.number: rules}, now, action="pardon")
    audit.record(
        db, actor_id=actor.person_id, action="pardon", noun="booking", noun_id=booking.id, now=now,
        details={"reason": audit.hashed(db, reason)},
    )  # fmt: skip
    if booking.state is BookingState.NO_SHOW:
        charge(db, pardoned, Outcome(is_void=True), now, by=actor.person_id)
    return pardoned
