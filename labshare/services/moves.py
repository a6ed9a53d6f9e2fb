"""A booking that is dragged: to other times, or to another instrument that can do the same; and a trial of either.

Several bookings of a series move by series.move. What must not live here: the rules, which judge a move as they judge a
new wish.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from labshare.domain.bookings import Booking, BookingKind, BookingState
from labshare.domain.people import Actor
from labshare.domain.timespan import Span
from labshare.errors import Refusal, Refused, Stale, WrongState
from labshare.services import bookings
from labshare.services.house_rules import require_override, with_reason
from labshare.services.wishes import require_for
from labshare.services.writing import payer_of, undone, write
from labshare.store import bookings as store
from labshare.store.engine import Connection


def move_to(
    db: Connection,
    actor: Actor,
    booking_id: UUID,
    number: int,
    span: Span,
    *,
    seen_version: int,
    now: datetime,
    override: str = "",
) -> Booking:
    """Give a booking other times, on its own instrument or on another one that can do the same.

    On another instrument it is a new booking, with an id of its own and judged by every rule there, and the old one is
    cancelled, late or in time as if its user had cancelled it: both are written, or neither. Raises `WrongState` for
    what is bound to its instrument (a block, a hold, a session of a plan), `Refused` where the other cannot do the
    same, and as `bookings.move` does.
    """
    if store.get(db, booking_id).instrument_number == number:
        return bookings.move(db, actor, booking_id, span, seen_version=seen_version, now=now, override=override)
    booking, locked = bookings.held_with(db, actor, booking_id, [number])
    if booking.version != seen_version:
        raise Stale("booking_changed")
    bookings.require_movable(booking, now)
    _require_unbound(booking)
    before, after = locked[booking.instrument_number], locked[number]
    if before.capability_id != after.capability_id:
        raise Refused([Refusal(code="instrument_of_other_kind")])
    wish = bookings.again(booking, span, rules=after)
    wish = with_reason(msgspec.structs.replace(wish, instrument_number=number), override)
    payer = payer_of(db, wish)
    require_for(actor, wish, payer, after)
    require_override(actor, wish, after)
    given_up = bookings.cancelling(db, actor, booking, before, now)
    taken = bookings.adding(locked, wish, payer, actor, now)
    try:
        return write(db, actor, [given_up, taken], locked, now, action="move")[1]
    except Refused as error:
        raise type(error)(_of_one(error.refusals)) from None


def trial(
    db: Connection, actor: Actor, booking_id: UUID, number: int, span: Span, *, seen_version: int, now: datetime
) -> None:
    """Judge the same move as it would be judged now. Raises what it would raise, and leaves no trace."""
    with undone(db):
        move_to(db, actor, booking_id, number, span, seen_version=seen_version, now=now)


def _require_unbound(booking: Booking) -> None:
    is_firm = booking.state in (BookingState.CONFIRMED, BookingState.PENDING)
    if booking.kind is not BookingKind.USE or booking.plan_id is not None or not is_firm:
        raise WrongState("booking_stays_there")


def _of_one(refusals: tuple[Refusal, ...]) -> tuple[Refusal, ...]:
    """Without the place among two changes, which the person sees as one."""
    return tuple(
        Refusal(code=each.code, params={name: value for name, value in each.params.items() if name != "item"})
        for each in refusals
    )
