"""Uses in training: somebody who is not qualified yet uses an instrument while a trainer is present, and both are told.

What must not live here: what the rules ask of a trainer (domain/qualifications.py), or the writing (bookings.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

import msgspec

from labshare.domain.bookings import Booking, InstrumentRules
from labshare.domain.notices import NoticeKind
from labshare.domain.people import Action, Actor, may
from labshare.domain.qualifications import Level, is_good
from labshare.services import notices
from labshare.store import qualifications as store
from labshare.store.booking_pages import BookingLine
from labshare.store.engine import Connection

_TOLD = {
    "book": NoticeKind.TRAINING_BOOKED,
    "move": NoticeKind.TRAINING_BOOKED,
    "cancel": NoticeKind.TRAINING_CANCELLED,
}


class Trainer(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may be named as the trainer at an instrument."""

    id: UUID
    name: str


def trainers(db: Connection, actor: Actor, rules: InstrumentRules, now: datetime) -> list[Trainer]:
    """Who trains people at an instrument, by name, the actor left out; nobody for those who may not book."""
    if not may(actor, Action.BOOK):
        return []
    return [
        Trainer(id=line.person_id, name=line.person or line.login)
        for line in store.of_instrument(db, rules.number, level=Level.TRAINER)
        if line.person_id != actor.person_id
        if is_good(line.held, line.demand, line.timezone, now, level=Level.TRAINER)
    ]


def as_seen(actor: Actor, line: BookingLine) -> BookingLine:
    """A booking as this reader may see it: its trainer is told of the time and of its user, and not what it is for."""
    booking = line.booking
    if booking.trainer_id != actor.person_id or may(actor, Action.SEE_BOOKING, centre=line.centre_id):
        return line
    told = msgspec.structs.replace(
        booking,
        project_id=None,
        organisation_id=None,
        access_class=None,
        activity=None,
        agreement_id=None,
        agreement_version=None,
        series_id=None,
        purpose="",
        decision_note="",
        override_reason="",
    )
    return msgspec.structs.replace(line, booking=told, organisation_vi=None, organisation_en=None, project=None)


def tell(
    db: Connection,
    actor: Actor,
    bookings: Iterable[Booking],
    locked: Mapping[int, InstrumentRules],
    action: str,
    now: datetime,
    *,
    page: str = "",
) -> None:
    """Tell the trainers of what others book, move or end for them; the users hear of it by booking_notices.py. `page`
    is where they see more, where that is not the booking: they may not open one that has no trainer any more.
    """
    kind = _TOLD.get(action)
    for booking in bookings:
        if kind is None or booking.form_hold or booking.trainer_id in (None, actor.person_id):
            continue
        rules = locked[booking.instrument_number]
        names, link = (rules.name_vi, rules.name_en), page or f"/bookings/{booking.id}"
        notices.tell(db, booking.trainer_id, kind, names, link, now, until=booking.starts_at)
