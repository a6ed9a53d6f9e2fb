"""The demo's bookings on offer: a colleague would give one to somebody who can sign in, and another asks to swap.

They go the way that people go. What must not live here: what is allowed to change hands (exchanges.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from labshare.domain.bookings import Booking, InstrumentRules
from labshare.domain.exchanges import Exchange
from labshare.domain.people import Actor
from labshare.errors import NotFound, Refused, Stale
from labshare.services import exchanges
from labshare.services.writing import undone
from labshare.store.engine import Connection

Proposal = Callable[[], Exchange]


class Receiver(msgspec.Struct, frozen=True):
    """Who is asked, and on account of which project they would take what they are given."""

    actor: Actor
    project_id: UUID


def offer(
    db: Connection,
    to: Receiver,
    ahead: Sequence[Booking],
    people: Mapping[UUID, Actor],
    rules: Mapping[int, InstrumentRules],
    now: datetime,
) -> None:
    """The first hand-over and the first swap that this person could accept; `ahead` are uses to come."""
    me = to.actor.person_id
    others = [each for each in ahead if each.person_id is not None and each.person_id != me]
    given = next((each.id for each in others if _is_proposed(db, to, _giving(db, to, each, people, now), now)), None)
    for wanted in ahead:
        if wanted.person_id == me:
            code = rules[wanted.instrument_number].id
            near = (each for each in others if each.instrument_number == wanted.instrument_number and each.id != given)
            if any(_is_proposed(db, to, _asking(db, each, code, wanted, people, now), now) for each in near):
                return


def _giving(db: Connection, to: Receiver, booking: Booking, people: Mapping[UUID, Actor], now: datetime) -> Proposal:
    assert booking.person_id is not None
    giver, receiver = people[booking.person_id], to.actor.person_id
    return lambda: exchanges.hand_over(db, giver, booking.id, receiver, seen_version=booking.version, now=now)


def _asking(
    db: Connection, booking: Booking, code: str, wanted: Booking, people: Mapping[UUID, Actor], now: datetime
) -> Proposal:
    assert booking.person_id is not None
    giver, at = people[booking.person_id], wanted.starts_at
    return lambda: exchanges.swap(db, giver, booking.id, code, at, seen_version=booking.version, now=now)


def _is_proposed(db: Connection, to: Receiver, propose: Proposal, now: datetime) -> bool:
    """Propose what could be accepted; whoever tries the demo should not be refused by what it holds out to them."""
    try:
        with undone(db):
            made = propose()
            version = next(
                line.version for line in exchanges.asked_of(db, to.actor, now) if line.exchange.id == made.id
            )
            project_id = None if made.other_id else to.project_id
            exchanges.accept(db, to.actor, made.id, project_id, seen_version=version, now=now)
    except (NotFound, Refused, Stale):
        return False
    propose()
    return True
