"""The demo's bookings on offer: a colleague would give one to somebody who can sign in, and another asks to swap.

They go the way that people go. What must not live here: what is allowed to change hands (exchanges.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from labshare.domain.bookings import Booking, InstrumentRules
from labshare.domain.people import Actor
from labshare.errors import NotFound, Refused, Stale
from labshare.services import exchanges
from labshare.store.engine import Connection


def offer(
    db: Connection,
    to: Actor,
    ahead: Sequence[Booking],
    people: Mapping[UUID, Actor],
    rules: Mapping[int, InstrumentRules],
    now: datetime,
) -> None:
    """The first hand-over and the first swap that can be proposed to this person; `ahead` are uses to come."""
    others = [each for each in ahead if each.person_id is not None and each.person_id != to.person_id]
    given = next((each.id for each in others if _gives(db, to, each, people, now)), None)
    for wanted in ahead:
        if wanted.person_id == to.person_id:
            code = rules[wanted.instrument_number].id
            near = (each for each in others if each.instrument_number == wanted.instrument_number and each.id != given)
            if any(_asks(db, each, code, wanted, people, now) for each in near):
                return


def _gives(db: Connection, to: Actor, booking: Booking, people: Mapping[UUID, Actor], now: datetime) -> bool:
    assert booking.person_id is not None
    giver = people[booking.person_id]
    try:
        exchanges.hand_over(db, giver, booking.id, to.person_id, seen_version=booking.version, now=now)
    except (NotFound, Refused, Stale):
        return False
    return True


def _asks(
    db: Connection, booking: Booking, code: str, wanted: Booking, people: Mapping[UUID, Actor], now: datetime
) -> bool:
    assert booking.person_id is not None
    giver = people[booking.person_id]
    try:
        exchanges.swap(db, giver, booking.id, code, wanted.starts_at, seen_version=booking.version, now=now)
    except (Refused, Stale):
        return False
    return True
