"""Which modes and set-ups an instrument offers, as the managers of its centre choose. What stands, stands.

What must not live here: what the rules of booking say of a wish for one of them (domain/modes.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from labshare.domain.bookings import InstrumentRules
from labshare.domain.modes import read_modes, read_setups
from labshare.domain.people import Action, Actor, require
from labshare.domain.timespan import Span
from labshare.services.bookings import BookingLine
from labshare.services.calendars import rules_of
from labshare.store import audit
from labshare.store import bookings as bookings_store
from labshare.store import modes as store
from labshare.store.engine import Connection

# For so long ahead the staff are told who needs them.
AHEAD = timedelta(days=14)


def staffed(db: Connection, actor: Actor, now: datetime) -> list[BookingLine]:
    """The uses of the coming two weeks that need the staff of the actor's own centres, the earliest first."""
    minute = now.replace(second=0, microsecond=0)
    return store.staffed(db, actor.centre_ids, Span(minute, minute + AHEAD)) if actor.centre_ids else []


def offered(db: Connection, actor: Actor, instrument_id: str) -> InstrumentRules:
    """An instrument of a centre that the actor manages. Raises `NotFound` and `Forbidden`."""
    rules = rules_of(db, instrument_id)
    require(actor, Action.MANAGE_CALENDAR, centre=rules.centre_id)
    return rules


def choose(db: Connection, actor: Actor, instrument_id: str, modes: Iterable[str], setups: str, now: datetime) -> None:
    """Offer these modes, and the set-ups that stand one a line, from now on.

    Raises `NotFound`, `Forbidden` for who does not manage its centre, and `Refused` for what cannot be offered.
    """
    number = bookings_store.instrument_number(db, instrument_id)
    rules = bookings_store.lock(db, [number])[number]
    require(actor, Action.MANAGE_CALENDAR, centre=rules.centre_id)
    chosen, posted = read_modes(modes), read_setups(setups)
    if (chosen, posted) == (rules.modes, rules.setups):
        return
    store.choose(db, number, chosen, posted)
    details = {"modes": " ".join(chosen), "setups": len(posted)}
    audit.record(
        db, actor_id=actor.person_id, action="offer", noun="instrument", noun_id=rules.id, now=now, details=details
    )
