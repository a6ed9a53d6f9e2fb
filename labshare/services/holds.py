"""Holds: the time of an open form is kept for whoever fills it in; and what ends because nobody confirmed it in time.

A hold is a booking by the one way to write them, judged by every rule and weighed by agreements like the booking that
it may become. Booking with its id turns it into that in place (wishes.in_place). What must not live here: offers of the
waitlist (waitlist.py).
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from labshare.domain.bookings import Booking, BookingState, InstrumentRules, Wish
from labshare.domain.holds import AGAIN, FIRST, PROLONGED, ends_at, may_prolong, too_many
from labshare.domain.people import Actor
from labshare.errors import WrongState
from labshare.services.bookings import planned
from labshare.services.wishes import own_hold, stands
from labshare.services.writing import HOLD_EXPIRES, Change, Locked, ended, judge, refuse, refuse_judged, write
from labshare.store import bookings as bookings_store
from labshare.store import due as due_store
from labshare.store import holds as store
from labshare.store.engine import Connection


def hold(db: Connection, actor: Actor, wish: Wish, now: datetime) -> Booking:
    """Keep the time of a wish for five minutes. In place of the hold that the wish names, or of the actor's own that
    stands in its way (of a form in another window, or of one that was lost), and no longer than that one.

    Raises as `bookings.book` does, and `Refused` for one hold too many of what could be booked.
    """
    wish = knowing_own(db, actor, wish, now) or wish
    (change,), locked = planned(db, actor, [wish], now, also=[actor.person_id])
    before, until, turn = change.before, ends_at(change.after.starts_at, now), FIRST
    if before is None:
        after = change.after
        found = store.holding(db, actor.person_id, after.instrument_number, after.occupied, now, now - AGAIN)
        if refusals := too_many(*found):
            # They say that it may be booked all the same.
            refuse_judged([change], judge(db, [change], locked, now, reader=actor))
            refuse(refusals)
    else:
        until, turn = min(until, before.hold_expires_at or until), before.form_hold
    held = msgspec.structs.replace(change.after, state=BookingState.HELD, hold_expires_at=until, form_hold=turn)
    (written,) = write(db, actor, [msgspec.structs.replace(change, after=held)], locked, now, action="hold")
    due_store.schedule(db, HOLD_EXPIRES, written.id, until)
    return written


def prolong(db: Connection, actor: Actor, hold_id: UUID, now: datetime) -> Booking:
    """Keep it for five minutes more, once. Raises `NotFound`, and `WrongState` when it is over or was prolonged."""
    before, locked = _locked(db, actor, hold_id)
    if not stands(before, now):
        raise WrongState("hold_over")
    if not may_prolong(before):
        raise WrongState("hold_prolonged")
    until = ends_at(before.starts_at, now)
    after = msgspec.structs.replace(before, hold_expires_at=until, form_hold=PROLONGED, updated_at=now)
    (written,) = write(db, actor, [Change(before=before, after=after)], locked, now, action="prolong_hold")
    due_store.schedule(db, HOLD_EXPIRES, written.id, until)
    return written


def release(db: Connection, actor: Actor, hold_id: UUID, now: datetime) -> Booking:
    """Give the time back; what is over already stays as it is. Raises `NotFound` for what is no hold of the actor's."""
    before, locked = _locked(db, actor, hold_id)
    if before.state is not BookingState.HELD:
        return before
    change = ended(before, BookingState.RELEASED, now)
    (written,) = write(db, actor, [change], locked, now, action="release_hold")
    due_store.forget(db, HOLD_EXPIRES, written.id)
    return written


def knowing_own(db: Connection, actor: Actor, wish: Wish, now: datetime) -> Wish | None:
    """The wish of a form that was sent while its time was being kept for it, in place of that hold, of which it could
    not know; None where it named one, or there is none. One query.
    """
    if wish.replaces_id is not None:
        return None
    kept = store.kept(db, actor.person_id, wish.instrument_number, wish.span, now)
    return msgspec.structs.replace(wish, replaces_id=kept) if kept else None


def giving_way(db: Connection, actor: Actor, hold_id: UUID | None, locked: Locked, now: datetime) -> list[Change]:
    """What becomes of a form's hold when several bookings are made from that form, under the lock of its instrument:
    it ends with the same write, so that it stands in the way of none of them.
    """
    if hold_id is None:
        return []
    before = own_hold(db, actor, hold_id)
    if not stands(before, now) or before.instrument_number not in locked:
        return []
    return [ended(before, BookingState.RELEASED, now)]


def _locked(db: Connection, actor: Actor, hold_id: UUID) -> tuple[Booking, dict[int, InstrumentRules]]:
    """A hold of the actor's, read again under its locks. Raises `NotFound`."""
    before = own_hold(db, actor, hold_id)
    persons = [before.person_id] if before.person_id else []
    locked = bookings_store.lock(db, [before.instrument_number], persons)
    return own_hold(db, actor, hold_id), locked
