"""Bookings that wait for their centre: approved, declined with a note, or over when nobody decides in time.

What must not live here: which bookings wait (domain/approvals.py), or the rules of booking, which were asked when it
was made; nothing is asked again, as a booking that waits has its time already.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from labshare.domain.approvals import Approval, is_waiting, read_note, require_setting
from labshare.domain.bookings import Booking, BookingState, InstrumentRules
from labshare.domain.notices import NoticeKind
from labshare.domain.people import Action, Actor, may, require
from labshare.errors import Forbidden, Stale, WrongState
from labshare.services import booking_notices, bookings, expiring, notices, training
from labshare.services.bookings import BookingLine
from labshare.services.writing import APPROVAL_ENDS, Change, ended, write
from labshare.store import approvals as store
from labshare.store import audit
from labshare.store import bookings as bookings_store
from labshare.store import due as due_store
from labshare.store.engine import Connection


def waiting(
    db: Connection,
    actor: Actor,
    now: datetime,
    *,
    after: tuple[datetime, datetime, UUID] | None = None,
    limit: int = 200,
) -> list[BookingLine]:
    """What waits for this actor to decide, what ends first before the rest, behind the one with this end, start and id.
    One query, none for who manages nothing.
    """
    centres = centres_of(actor)
    return store.waiting(db, centres, now, after=after, limit=limit) if centres is None or centres else []


def centres_of(actor: Actor) -> frozenset[str] | None:
    """The centres whose bookings this actor decides; None means all of them."""
    return None if may(actor, Action.MANAGE_CALENDAR) else actor.centre_ids


def may_decide(actor: Actor, line: BookingLine, now: datetime) -> bool:
    """Whether this actor is asked: a manager of its centre, while it waits, about nobody's own booking."""
    is_other = line.booking.person_id != actor.person_id
    return is_other and is_waiting(line.booking, now) and may(actor, Action.MANAGE_CALENDAR, centre=line.centre_id)


def approve(
    db: Connection, actor: Actor, booking_id: UUID, *, seen_version: int, now: datetime, note: str = ""
) -> Booking:
    """The centre says yes. Raises `Stale`, and `WrongState` for what no longer waits or is the actor's own."""
    booking, rules = _held(db, actor, booking_id, seen_version, now)
    after = msgspec.structs.replace(
        booking,
        state=BookingState.CONFIRMED,
        hold_expires_at=None,
        decision_note=read_note(note, is_needed=False),
        updated_at=now,
    )
    return _decided(db, actor, Change(before=booking, after=after), rules, now, NoticeKind.BOOKING_APPROVED)


def decline(db: Connection, actor: Actor, booking_id: UUID, *, seen_version: int, now: datetime, note: str) -> Booking:
    """The centre says no and why, and the time is free. Raises as `approve` does, and `Malformed` without a note."""
    booking, rules = _held(db, actor, booking_id, seen_version, now)
    said = msgspec.structs.replace(booking, decision_note=read_note(note, is_needed=True), hold_expires_at=None)
    change = msgspec.structs.replace(ended(said, BookingState.DECLINED, now), before=booking)
    return _decided(db, actor, change, rules, now, NoticeKind.BOOKING_DECLINED)


def end(db: Connection, booking_id: UUID, now: datetime) -> None:
    """The deadline has come: what nobody has decided is over; its user is told, and who was to be there for them."""
    booking = bookings_store.get(db, booking_id)
    expiring.expire_holds(db, [booking.instrument_number], booking.occupied, now)
    booking = bookings_store.get(db, booking_id)
    # Another booking may have met it first, and ended it.
    if booking.state is BookingState.EXPIRED:
        booking_notices.settle(db, booking, now)
        _tell(db, booking, NoticeKind.BOOKING_UNDECIDED, now)
        training.tell(db, None, [booking], bookings_store.rules_of(db, [booking.instrument_number]), "expire", now)


def settings(db: Connection, actor: Actor) -> list[InstrumentRules]:
    """The instruments whose bookings this actor may have wait, with what is chosen for each. Raises `Forbidden`."""
    centres = centres_of(actor)
    if centres is not None and not centres:
        raise Forbidden("forbidden", action=Action.MANAGE_CALENDAR.value)
    return [
        rules for centre_id in store.centre_ids(db, centres) for rules in bookings_store.rules_of_centre(db, centre_id)
    ]


def choose(db: Connection, actor: Actor, instrument_id: str, approval: str, hours: int, now: datetime) -> None:
    """Whose bookings of an instrument wait from now on, and how long. What stands, stands.

    Raises `NotFound`, `Forbidden` for who does not manage its centre, and `Refused` for what cannot be chosen.
    """
    number = bookings_store.instrument_number(db, instrument_id)
    rules = bookings_store.lock(db, [number])[number]
    require(actor, Action.MANAGE_CALENDAR, centre=rules.centre_id)
    chosen = require_setting(approval, hours)
    if (chosen, hours) == (Approval(rules.approval), rules.approval_hours):
        return
    store.choose(db, number, chosen, hours)
    details = {"approval": chosen.value, "hours": hours}
    audit.record(
        db, actor_id=actor.person_id, action="set_approval", noun="instrument", noun_id=rules.id, now=now,
        details=details,
    )  # fmt: skip


# ---------------------------------------------------------------- parts


def _held(
    db: Connection, actor: Actor, booking_id: UUID, seen_version: int, now: datetime
) -> tuple[Booking, InstrumentRules]:
    booking, rules = bookings.held(db, actor, booking_id, Action.MANAGE_CALENDAR)
    if booking.version != seen_version:
        raise Stale("booking_changed")
    if not is_waiting(booking, now):
        raise WrongState("booking_not_waiting", state=booking.state.value)
    if booking.person_id == actor.person_id:
        raise WrongState("approval_of_own")
    return booking, rules


def _decided(
    db: Connection, actor: Actor, change: Change, rules: InstrumentRules, now: datetime, kind: NoticeKind
) -> Booking:
    action = "approve" if kind is NoticeKind.BOOKING_APPROVED else "decline"
    locked = {rules.number: rules}
    written = write(db, actor, [change], locked, now, action=action)[0]
    due_store.forget(db, APPROVAL_ENDS, written.id)
    _tell(db, written, kind, now)
    training.tell(db, actor, [written], locked, action, now)
    return written


def _tell(db: Connection, booking: Booking, kind: NoticeKind, now: datetime) -> None:
    if booking.person_id is not None:
        rules = bookings_store.rules_of(db, [booking.instrument_number])[booking.instrument_number]
        names = (rules.name_vi, rules.name_en)
        notices.tell(
            db, booking.person_id, kind, names, f"/bookings/{booking.id}", now, until=booking.starts_at,
            booking_id=booking.id,
        )  # fmt: skip
