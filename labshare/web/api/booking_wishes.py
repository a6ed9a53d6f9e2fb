"""What programs ask of bookings: new ones and changes, read into the wishes and moves that they make.

What must not live here: whether a wish may be granted (services), or what is answered (bookings.py).
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from labshare.domain.bookings import Wish
from labshare.domain.modes import Mode
from labshare.domain.people import Actor
from labshare.services import Connection, wishes
from labshare.services.moves import Said
from labshare.web.api import reading
from labshare.web.api.reading import Code, Moment, Text, Version, set_or_none

MOST_WISHES = 50


class NewBooking(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A wish for time. `project` is the code of a project of who will use it, whose class it takes.

    `person` is their login: without it the caller, else somebody for whom the caller may book, as a manager of the
    centre, or as the leader of the project for its members. `mode` and `setup` are of those that the instrument
    offers. `hold` is a hold of the caller's, whose place this takes; one that has ended counts for nothing.
    `override_reason` passes the centre's own rules, for those who manage its calendar: at least three words.
    """

    instrument: Annotated[Code, Meta(examples=["N001"])]
    starts_at: Annotated[Moment, Meta(examples=["2026-11-25T09:00:00+07:00"])]
    ends_at: Annotated[Moment, Meta(examples=["2026-11-25T11:00:00+07:00"])]
    project: Annotated[Code, Meta(examples=["IMS-01"])]
    purpose: Text = ""
    person: Code | None = None
    mode: Mode | None = None
    setup: Text = ""
    hold: UUID | None = None
    override_reason: Text = ""
    # Who is present while the caller, who is not qualified yet, uses the instrument: see listTrainers.
    trainer: UUID | None = None
    # Who of the staff runs the instrument, or helps, in a mode that needs them: see listOperators.
    operator: UUID | None = None


class NewBookings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Wishes that are granted together or not at all."""

    items: Annotated[tuple[NewBooking, ...], Meta(min_length=1, max_length=MOST_WISHES)]


class BookingChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall be different; an absent field stays. `version` may be given here instead of in If-Match.

    On another `instrument`, which must be of the same kind, it is a new booking, whose id the answer has, and the one
    that was there is cancelled: both or neither. An `operator` alone is assigned while everything else stays; null is
    nobody.
    """

    starts_at: Moment | UnsetType = UNSET
    ends_at: Moment | UnsetType = UNSET
    instrument: Code | UnsetType = UNSET
    purpose: Text | UnsetType = UNSET
    mode: Mode | UnsetType = UNSET
    setup: Text | UnsetType = UNSET
    operator: UUID | UnsetType | None = UNSET
    override_reason: Text = ""
    version: Version | UnsetType = UNSET


def wish_of(db: Connection, me: Actor, new: NewBooking) -> Wish:
    """What is asked for. Raises `Malformed`, `NotFound`, and `Refused` for somebody for whom one may not book."""
    return asked_of(db, me, new)[0]


def asked_of(db: Connection, me: Actor, new: NewBooking) -> tuple[Wish, wishes.Behind]:
    """The same, and what was seen behind its codes: the instrument, and whether something takes that time already."""
    span = reading.span(new.starts_at, new.ends_at)
    wish, seen = wishes.wish_of(db, me, new.instrument, new.project, span, new.purpose)
    if new.person is not None and new.person != me.login:
        wish = wishes.for_person(db, me, wish, new.person, new.project)
    given = {"override": new.override_reason, "mode": new.mode, "setup": new.setup, "replaces_id": new.hold}
    wish = msgspec.structs.replace(wish, **given, trainer_id=new.trainer, operator_id=new.operator)
    return wish, seen


def said_of(change: BookingChange) -> Said:
    """What a change says beside its times."""
    return Said(
        purpose=set_or_none(change.purpose),
        mode=set_or_none(change.mode),
        setup=set_or_none(change.setup),
        operator_id=change.operator,
        override=change.override_reason,
    )
