"""Who is there for the user of an instrument: a trainer, while somebody is not qualified yet, and an operator of the
staff. What they see of the booking, and what they are told.

What must not live here: what the rules ask of them (domain/qualifications.py, domain/operators.py), naming operators
(operators.py), or the writing (bookings.py).
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

_BOOKED = NoticeKind.TRAINING_BOOKED, NoticeKind.OPERATING_BOOKED
_CANCELLED = NoticeKind.TRAINING_CANCELLED, NoticeKind.OPERATING_CANCELLED
# What a trainer and an operator are told.
_TOLD = {
    "book": _BOOKED, "move": _BOOKED, "assign": _BOOKED,
    "cancel": _CANCELLED, "decline": _CANCELLED, "expire": _CANCELLED,
}  # fmt: skip
# Instruments under lock, by number.
Locked = Mapping[int, InstrumentRules]


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
    """A booking as this reader may see it: who is there for its user is told of the time and of the user, and not what
    it is for.
    """
    booking = line.booking
    if actor.person_id not in booking.attendants or may(actor, Action.SEE_BOOKING, centre=line.centre_id):
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
    actor: Actor | None,
    bookings: Iterable[Booking],
    locked: Locked,
    action: str,
    now: datetime,
    *,
    once: bool = False,
) -> None:
    """Tell those who are there for the user of what others book, move or end; the users hear of it by
    booking_notices.py. Without an `actor` it happened by itself. With `once` each is told of the first alone.
    """
    kinds, by_id = _TOLD.get(action), actor.person_id if actor else None
    told: set[tuple[UUID, NoticeKind]] = set()
    for booking in bookings:
        roles = zip((booking.trainer_id, booking.operator_id), kinds, strict=True) if kinds else ()
        for person_id, kind in roles:
            if person_id in (None, by_id) or booking.form_hold or (once and (person_id, kind) in told):
                continue
            if action == "move" and booking.starts_at <= now:
                # They are there, and see that it ends.
                continue
            told.add((person_id, kind))
            _write_to(db, person_id, kind, booking, f"/bookings/{booking.id}", locked, now)


def tell_left(
    db: Connection, actor: Actor, changed: Iterable[tuple[Booking | None, Booking]], locked: Locked, now: datetime
) -> None:
    """Tell those who were to be there for the user and are no more; each pair is a booking before and after."""
    for before, after in changed:
        if before is None or before.form_hold:
            continue
        was = (before.trainer_id, before.operator_id)
        for person_id, kind, still in zip(was, _CANCELLED, (after.trainer_id, after.operator_id), strict=True):
            if person_id not in (None, still, actor.person_id):
                # The booking itself is not theirs to see any more.
                _write_to(db, person_id, kind, before, "/bookings", locked, now)


def _write_to(
    db: Connection, person_id: UUID, kind: NoticeKind, booking: Booking, page: str, locked: Locked, now: datetime
) -> None:
    rules = locked[booking.instrument_number]
    notices.tell(db, person_id, kind, (rules.name_vi, rules.name_en), page, now, until=booking.starts_at)
