"""Sessions of an approved plan become bookings: all of them, or none.

What must not live here: who may publish, or the offers of the round, which are released in the same transaction
(plans.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from labshare.domain.bookings import Booking, InstrumentRules
from labshare.domain.people import Actor
from labshare.domain.timespan import Span
from labshare.errors import Refusal
from labshare.services.expiring import due_in, end
from labshare.services.writing import Change, lock_balances, refuse, write
from labshare.store import bookings as store
from labshare.store import time_requests as requests_store
from labshare.store.engine import Connection


def publish_sessions(db: Connection, actor: Actor, new: Sequence[Booking], now: datetime) -> None:
    """Write the sessions of an approved plan as bookings: all of them, or none.

    Raises `TimeTaken` naming each clash, and `Refused` where a person is elsewhere by now or an agreement has no room.
    Whoever calls has checked that the actor may publish, and releases the round's offers in the same transaction.
    """
    if not new:
        return
    persons = {booking.person_id for booking in new if booking.person_id is not None}
    locked = store.lock(db, {booking.instrument_number for booking in new}, persons)
    whole = Span(min(b.occupied_from for b in new), max(b.occupied_until for b in new))
    changes, due = [Change(after=booking) for booking in new], due_in(db, locked, whole, now)
    lock_balances(db, [*changes, *due], locked, now)
    end(db, due, locked, now)
    busy, elsewhere = store.busy_spans(db, locked, whole), requests_store.persons_busy(db, persons, whole, now)
    refuse(_clashes(new, locked, busy) + _elsewhere(new, locked, elsewhere))
    write(db, actor, changes, locked, now, action="publish")


def _clashes(
    new: Sequence[Booking], locked: dict[int, InstrumentRules], busy: dict[int, list[Span]]
) -> tuple[Refusal, ...]:
    return tuple(
        _refusal_at("time_taken_at", locked[booking.instrument_number], other)
        for booking in new
        for other in sorted(busy[booking.instrument_number])
        if other.overlaps(booking.occupied)
    )


def _elsewhere(
    new: Sequence[Booking], locked: dict[int, InstrumentRules], busy: dict[UUID, list[Span]]
) -> tuple[Refusal, ...]:
    """Sessions whose person has booked another instrument meanwhile; which one is for that person to know."""
    return tuple(
        _refusal_at("session_person_elsewhere", locked[booking.instrument_number], booking.span)
        for booking in new
        if booking.attended and booking.person_id
        if any(other.overlaps(booking.span) for other in busy.get(booking.person_id, ()))
    )


def _refusal_at(code: str, rules: InstrumentRules, span: Span) -> Refusal:
    times = {"from": span.start.isoformat(), "until": span.end.isoformat()}
    return Refusal(code=code, params={"instrument": rules.id, **times})
