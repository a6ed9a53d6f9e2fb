"""A booking that is dragged: to other times, or to another instrument that can do the same; and a trial of either.

Several bookings of a series move by series.move. What must not live here: the rules, which judge a move as they judge a
new wish.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from labshare.domain.bookings import Booking, BookingKind, BookingState, InstrumentRules, Wish
from labshare.domain.modes import Mode
from labshare.domain.people import Actor
from labshare.domain.timespan import MINUTE, Span
from labshare.errors import Refusal, Refused, Stale, WrongState
from labshare.services import booking_changes, bookings, training
from labshare.services.house_rules import require_override, with_reason
from labshare.services.wishes import require_for
from labshare.services.writing import Locked, payer_of, undone, write
from labshare.store import bookings as store
from labshare.store.engine import Connection


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a move says beside its times; what is None, or an operator who is not set, the booking keeps. `override` as
    in a wish.
    """

    purpose: str | None = None
    mode: Mode | None = None
    setup: str | None = None
    operator_id: UUID | UnsetType | None = UNSET
    override: str = ""


def move_to(
    db: Connection,
    actor: Actor,
    booking_id: UUID,
    number: int,
    span: Span,
    said: Said | None = None,
    *,
    seen_version: int,
    now: datetime,
) -> Booking:
    """Give a booking other times, on its own instrument or on another one that can do the same.

    On another instrument it is a new booking, with an id of its own and judged by every rule there, and the old one is
    cancelled, late or in time as if its user had cancelled it: both are written, or neither. Raises `WrongState` for
    what is bound to its instrument (a block, a hold, a session of a plan), `Refused` where the other cannot do the
    same, and as `bookings.move` does.
    """
    said = said or Said()
    if store.get(db, booking_id).instrument_number == number:
        more = msgspec.structs.asdict(said)
        return bookings.move(db, actor, booking_id, span, seen_version=seen_version, now=now, **more)
    also = [said.operator_id] if said.operator_id else ()
    booking, locked = bookings.held_with(db, actor, booking_id, [number], also=also)
    if booking.version != seen_version:
        raise Stale("booking_changed")
    bookings.require_movable(booking, now)
    _require_unbound(booking)
    wish = booking_changes.again(
        booking, span, said.purpose, rules=locked[number], mode=said.mode, setup=said.setup,
        operator_id=said.operator_id,
    )  # fmt: skip
    wish = with_reason(msgspec.structs.replace(wish, instrument_number=number), said.override)
    return _exchange(db, actor, booking, wish, locked, now)


def _exchange(db: Connection, actor: Actor, booking: Booking, wish: Wish, locked: Locked, now: datetime) -> Booking:
    """Give up the booking and take what is wished on another instrument, both in one call."""
    before, after = locked[booking.instrument_number], locked[wish.instrument_number]
    if before.capability_id != after.capability_id:
        raise Refused([Refusal(code="instrument_of_other_kind")])
    payer = payer_of(db, wish)
    require_for(actor, wish, payer, after)
    require_override(actor, wish, after)
    given_up = booking_changes.cancelling(db, actor, booking, before, now)
    taken = booking_changes.adding(locked, wish, payer, actor, now)
    try:
        gone, made = write(db, actor, [given_up, taken], locked, now, action="move")
    except Refused as error:
        raise error.said_as(_of_one(error.refusals)) from None
    training.tell(db, actor, [gone], locked, "cancel", now)
    training.tell(db, actor, [made], locked, "book", now)
    return made


def finish(db: Connection, actor: Actor, booking_id: UUID, *, seen_version: int, now: datetime) -> Booking:
    """Give back the rest of a booking that has begun, from the next step of its instrument on. Raises as
    `bookings.move` does, and `WrongState` where no step is left.
    """
    booking, rules = bookings.held(db, actor, booking_id)
    end = earliest_end(booking, rules, now)
    if end is None:
        raise WrongState("booking_nothing_left")
    return bookings.move(db, actor, booking_id, Span(booking.starts_at, end), seen_version=seen_version, now=now)


def earliest_end(booking: Booking, rules: InstrumentRules, now: datetime) -> datetime | None:
    """When a booking that has begun can end at the earliest: a use at the next step of its instrument, however short it
    is then, a block at the next minute. None where that is no earlier, or it stands no more.
    """
    if booking.state is not BookingState.CONFIRMED or not booking.starts_at <= now < booking.ends_at:
        return None
    step = max(1, rules.granularity_minutes) if booking.kind is BookingKind.USE else 1
    least = max(-((booking.starts_at - now) // MINUTE), 1)
    end = booking.starts_at + -(-least // step) * step * MINUTE
    return end if end < booking.ends_at else None


def trial(
    db: Connection, actor: Actor, booking_id: UUID, number: int, span: Span, *, seen_version: int, now: datetime
) -> None:
    """Judge the same move as it would be judged now. Raises what it would raise, and leaves no trace."""
    with undone(db):
        move_to(db, actor, booking_id, number, span, seen_version=seen_version, now=now)


def standing_after(
    actor: Actor, booking: Booking, rules: InstrumentRules, starts_at: datetime, now: datetime
) -> Literal["", "approved", "waits"]:
    """What becomes of a booking's standing when this actor moves it, which they should know before they do: it waited
    and is confirmed, or the centre is asked (again).
    """
    if booking.state not in (BookingState.CONFIRMED, BookingState.PENDING):
        return ""
    state, _ = booking_changes.standing_for(actor, rules, booking.kind, booking.organisation_id, starts_at, now)
    if state is BookingState.PENDING:
        return "waits"
    return "approved" if booking.state is BookingState.PENDING else ""


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
