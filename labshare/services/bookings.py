"""What people do with instrument time: book, move, cancel, block. Every path that writes a booking goes through here.

Each function runs in the caller's transaction, in one order: lock, then read, then decide, then write
(ARCHITECTURE.md, decision 4). What must not live here: the rules themselves (domain/bookings.py, domain/agreements.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from labshare.domain.bookings import MOVABLE, OCCUPYING, Booking, BookingKind, BookingState, InstrumentRules, Wish
from labshare.domain.clauses import Conduct
from labshare.domain.modes import Mode
from labshare.domain.people import Action, Actor, may, require
from labshare.domain.qualifications import Held
from labshare.domain.timespan import Span
from labshare.errors import Malformed, NotFound, Stale, WrongState
from labshare.services import clauses, clearances, training
from labshare.services.booking_changes import (
    adding,
    asked_anew,
    cancelling,
    describing,
    moving,
    purpose_of,
)
from labshare.services.charging import Outcome, charge
from labshare.services.house_rules import require_override, with_reason
from labshare.services.wishes import has_booked_as_leader, in_place, is_answered_for, require_for
from labshare.services.writing import (
    HOLD_EXPIRES,
    Change,
    Locked,
    Payer,
    ended,
    judge,
    payer_of,
    refuse,
    refuse_judged,
    write,
    write_judged,
)
from labshare.store import booking_pages
from labshare.store import bookings as store
from labshare.store import due as due_store
from labshare.store import people as people_store
from labshare.store import usage as usage_store
from labshare.store.engine import Connection

# What the readers below hand out; pages name this, and never the store.
BookingLine = booking_pages.BookingLine


class Booked(NamedTuple):
    """A booking that was just made, with what was read for it."""

    booking: Booking
    rules: InstrumentRules
    payer: Payer
    conducts: tuple[Conduct, ...]

    @property
    def held(self) -> Held | None:
        """What its user held for its instrument before it; None where that was read for another of the same call."""
        wish, booking = self.payer.wish, self.booking
        is_of_it = wish and (wish.instrument_number, wish.span) == (booking.instrument_number, booking.span)
        return self.payer.held if is_of_it else None


def book(db: Connection, actor: Actor, wish: Wish, now: datetime) -> Booking:
    """Write a confirmed booking for `wish`, or raise every refusal at once and change nothing.

    Raises `Forbidden` when the actor may not book (for this person), `TimeTaken` when all that is wrong is that
    somebody has the time, and `Refused` for everything else.
    """
    return book_all(db, actor, [wish], now)[0]


def book_all(db: Connection, actor: Actor, wishes: Sequence[Wish], now: datetime) -> list[Booking]:
    """Write a booking for each of these wishes, on whatever instruments, or none of them. Raises as `book` does.

    A refusal of one wish among several names its place as `item`.
    """
    return [each.booking for each in booked(db, actor, wishes, now)]


def booked(db: Connection, actor: Actor, wishes: Sequence[Wish], now: datetime) -> list[Booked]:
    """The same, for who tells more of the bookings than that they stand. Raises as `book` does."""
    changes, locked = planned(db, actor, wishes, now)
    written, judged = write_judged(db, actor, changes, locked, now, action="book")
    for held in filter(None, (change.before for change in changes)):
        due_store.forget(db, HOLD_EXPIRES, held.id)
    training.tell(db, actor, written, locked, "book", now)
    return [
        Booked(booking, locked[booking.instrument_number], change.payer, judged.conducts[booking.id])
        for booking, change in zip(written, changes, strict=True)
    ]


def look(db: Connection, actor: Actor, wish: Wish, rules: InstrumentRules, now: datetime) -> None:
    """Raise what `book` would, by what is seen on a connection for reading, of its instrument these `rules`: without
    locks, and without an end to it when nothing is wrong, as somebody may be faster.

    For a time that is seen to be taken. When many want one slot, all but the first are answered without a queue.
    """
    changes, locked = _planned(db, actor, [_asked(actor, wish)], {rules.number: rules}, now)
    refuse_judged(changes, judge(db, changes, locked, now, reader=actor))


def planned(
    db: Connection, actor: Actor, wishes: Sequence[Wish], now: datetime, *, also: Iterable[UUID] = ()
) -> tuple[list[Change], Locked]:
    """What these wishes become if nothing refuses them, under the locks of all their instruments and persons, and of
    the persons `also`.

    Raises `Forbidden` when the actor may not book (for this person), and `NotFound` for a hold that is not theirs.
    """
    require(actor, Action.BOOK)
    asked = [_asked(actor, wish) for wish in wishes]
    persons = {each for wish in asked for each in wish.people}
    locked = store.lock(db, {wish.instrument_number for wish in asked}, {*persons, *also})
    return _planned(db, actor, asked, locked, now)


def _planned(
    db: Connection, actor: Actor, asked: Sequence[Wish], locked: Locked, now: datetime
) -> tuple[list[Change], Locked]:
    require(actor, Action.BOOK)
    by_payer = {(wish.project_id, wish.person_id): wish for wish in asked}
    payers = {key: payer_of(db, wish) for key, wish in by_payer.items()}
    changes: list[Change] = []
    for wish in asked:
        rules, payer = locked[wish.instrument_number], payers[wish.project_id, wish.person_id]
        require_for(actor, wish, payer, rules)
        require_override(actor, wish, rules)
        changes.append(adding(locked, wish, payer, actor, now))
    return in_place(db, actor, changes, now), locked


def move(
    db: Connection,
    actor: Actor,
    booking_id: UUID,
    span: Span,
    *,
    seen_version: int,
    now: datetime,
    purpose: str | None = None,
    override: str = "",
    mode: Mode | None = None,
    setup: str | None = None,
    operator_id: UUID | UnsetType | None = UNSET,
) -> Booking:
    """Give a booking other times, under the same rules as a new one. Raises as `book` does, `Stale`, and `WrongState`
    for what is only kept: an offer is of one time, and a form keeps another one by asking for it.

    What is not given, `purpose`, `mode`, `setup` and the operator, the booking keeps. `override` as in a wish. Of one
    that has begun only the rest can be given back.
    """
    booking, rules = _locked(db, actor, booking_id, seen_version, also=(operator_id,) if operator_id else ())
    keeps_all = (purpose, mode, setup, operator_id) == (None, None, None, UNSET)
    require_movable(booking, now, span if keeps_all else None)
    if booking.state is BookingState.HELD:
        raise WrongState("hold_stays")
    wish = asked_anew(booking, span, purpose, rules=rules, mode=mode, setup=setup, operator_id=operator_id)
    wish = with_reason(wish, override)
    require_override(actor, wish, rules)
    moved = moving(db, booking, wish, rules, payer_of(db, wish), now, by=actor)
    return _write(db, actor, moved, rules, now, action="move")


def describe(
    db: Connection, actor: Actor, booking_id: UUID, purpose: str, *, seen_version: int, now: datetime
) -> Booking:
    """Say in other words what a booking is for; its time stays, so no rule is asked again but the screening of words.
    Raises `Stale`, and `Refused` where the words need a clearance.
    """
    booking, rules = _locked(db, actor, booking_id, seen_version)
    require_movable(booking, now)
    clearances.require_words(db, booking, rules, purpose_of(purpose), now)
    return _write(db, actor, describing(booking, purpose, now), rules, now, action="describe")


def cancel(db: Connection, actor: Actor, booking_id: UUID, *, seen_version: int, now: datetime) -> Booking:
    """Give the time back. Raises `WrongState` once it has begun, `Stale` when somebody changed it meanwhile.

    Its user may have a strike for it (R21); a manager, the trainer or the operator who cancels gives nobody one.
    """
    booking, rules = _locked(db, actor, booking_id, seen_version, attends=True)
    require_movable(booking, now)
    gone = cancelling(db, actor, booking, rules, now)
    return _write(db, actor, gone, rules, now, action="cancel")


def give_back(db: Connection, actor: Actor, booking_id: UUID, *, seen_version: int, now: datetime) -> Booking:
    """Cancel what somebody who has left still has booked, or was to be there for. For the user office. Raises as
    `cancel` does.
    """
    booking, rules = _locked(db, actor, booking_id, seen_version, Action.MANAGE_PEOPLE)
    if not people_store.absent(db, booking.people):
        raise WrongState("person_is_here")
    require_movable(booking, now)
    gone = ended(msgspec.structs.replace(booking, late_notice=False), BookingState.CANCELLED, now)
    return _write(db, actor, gone, rules, now, action="cancel")


def miss(db: Connection, actor: Actor, booking_id: UUID, *, seen_version: int, now: datetime) -> Booking:
    """Write down that nobody came, a strike by R21, and give the rest of the time back. For managers of the centre.

    Raises `WrongState` for what is no confirmed use, and `Refused` where nobody had to come or could use it, where no
    agreement says how long to wait, while that lasts, or when the instrument ran for it in time.
    """
    booking, rules = _locked(db, actor, booking_id, seen_version)
    require(actor, Action.MANAGE_CALENDAR, centre=rules.centre_id)
    if booking.kind is not BookingKind.USE or booking.state is not BookingState.CONFIRMED:
        raise WrongState("booking_not_missed", state=booking.state.value)
    downs = usage_store.downs(db, [rules.number], booking.span, now).get(rules.number, [])
    refusal = clauses.not_missed(db, rules, booking, usage_store.came_at(db, booking.id), downs, now)
    refuse((refusal,) if refusal else ())
    missed = _write(db, actor, ended(booking, BookingState.NO_SHOW, now), rules, now, action="miss")
    charge(db, missed, Outcome(is_no_show=True), now, by=actor.person_id)
    return missed


def block(
    db: Connection,
    actor: Actor,
    number: int,
    kind: BookingKind,
    span: Span,
    purpose: str,
    now: datetime,
) -> Booking:
    """Take an instrument's time for maintenance, engineering or closure. For the managers of its centre.

    Raises `TimeTaken` where a booking or another block stands: people are moved first, and told.
    """
    if kind is BookingKind.USE:
        raise Malformed("block_kind")
    rules = store.lock(db, [number])[number]
    require(actor, Action.MANAGE_CALENDAR, centre=rules.centre_id)
    wish = Wish(instrument_number=number, span=span, purpose=purpose_of(purpose), kind=kind)
    return _write(db, actor, adding({number: rules}, wish, Payer(), actor, now), rules, now, action="block")


# ---------------------------------------------------------------- looking at one's own


def may_change(actor: Actor, line: BookingLine) -> bool:
    """Whether the actor may move or cancel it while that is to be done at all."""
    return is_answered_for(actor, line) or may(actor, Action.MANAGE_CALENDAR, centre=line.centre_id)


def mine(
    db: Connection,
    actor: Actor,
    since: datetime,
    *,
    until: datetime | None = None,
    states: Collection[BookingState] = (),
    after: tuple[datetime, UUID] | None = None,
    limit: int = 200,
) -> list[BookingLine]:
    """The actor's bookings, and those at which they are there for the user, that end after `since` and begin before
    `until`, the earliest first.

    Without `states` those that take time; `after` is the start and the id of the one behind which to go on.
    """
    found = booking_pages.lines_of_person(
        db, actor.person_id, since=since, until=until, states=states or OCCUPYING, after=after, limit=limit
    )
    return [training.as_seen(actor, line) for line in found]


def show(db: Connection, actor: Actor, booking_id: UUID) -> BookingLine:
    """One booking with its names, for its user, its trainer and operator, who booked it for them as the leader of its
    project, and the managers of its centre; `NotFound` for everybody else.
    """
    line = booking_pages.line(db, booking_id)
    is_theirs = is_answered_for(actor, line) or actor.person_id in line.booking.attendants
    if not (is_theirs or may(actor, Action.SEE_BOOKING, centre=line.centre_id)):
        raise NotFound("booking_not_found")
    return training.as_seen(actor, line)


# ---------------------------------------------------------------- one that may be changed


def held(
    db: Connection, actor: Actor, booking_id: UUID, action: Action | None = None, *, attends: bool = False
) -> tuple[Booking, InstrumentRules]:
    """A booking the actor may change, read again under the lock of its instrument and persons.

    Without an `action` that they must be permitted it is their own, booked by them for a member of the project that
    they lead, or at a centre whose calendar they manage; with `attends` its trainer and operator may do it too.
    """
    booking, locked = held_with(db, actor, booking_id, (), action, attends=attends)
    return booking, locked[booking.instrument_number]


def held_with(
    db: Connection,
    actor: Actor,
    booking_id: UUID,
    numbers: Iterable[int],
    action: Action | None = None,
    *,
    attends: bool = False,
    also: Iterable[UUID] = (),
) -> tuple[Booking, Locked]:
    """The same under the locks of further instruments too, all of which are returned, and of the persons `also`."""
    before = store.get(db, booking_id)
    locked = store.lock(db, {before.instrument_number, *numbers}, {*before.people, *also})
    booking = store.get(db, booking_id)
    centre_id = locked[booking.instrument_number].centre_id
    attends_it = actor.person_id in booking.attendants
    # What a form keeps is no booking yet, of which nobody who would be there was told.
    is_theirs = booking.person_id == actor.person_id or (attends and attends_it and not booking.form_hold)
    if not is_theirs and not may(actor, Action.MANAGE_CALENDAR, centre=centre_id):
        is_theirs = has_booked_as_leader(db, actor, booking)
    if not (is_theirs or attends_it or may(actor, Action.SEE_BOOKING, centre=centre_id)):
        raise NotFound("booking_not_found")
    action = action or (Action.BOOK if is_theirs else Action.MANAGE_CALENDAR)
    require(actor, action, centre=centre_id)
    return booking, locked


def require_movable(booking: Booking, now: datetime, span: Span | None = None) -> None:
    """Raise `WrongState` for what has begun or no longer stands; what has begun may end earlier, from now on."""
    if booking.state not in MOVABLE:
        raise WrongState("booking_not_movable", state=booking.state.value)
    if booking.starts_at <= now and not (
        booking.state is BookingState.CONFIRMED
        and span is not None
        and span.start == booking.starts_at
        and now <= span.end < booking.ends_at
    ):
        raise WrongState("booking_begun")


# ---------------------------------------------------------------- parts


def _asked(actor: Actor, wish: Wish) -> Wish:
    """The wish with the person it is for, oneself unless it says so, and its texts in one line."""
    wish = msgspec.structs.replace(wish, person_id=wish.person_id or actor.person_id, purpose=purpose_of(wish.purpose))
    return with_reason(wish, wish.override)


def _write(
    db: Connection, actor: Actor, change: Change, rules: InstrumentRules, now: datetime, *, action: str
) -> Booking:
    locked = {rules.number: rules}
    written = write(db, actor, [change], locked, now, action=action)
    training.tell_left(db, actor, [(change.before, written[0])], locked, now)
    training.tell(db, actor, written, locked, action, now)
    return written[0]


def _locked(
    db: Connection,
    actor: Actor,
    booking_id: UUID,
    seen_version: int,
    action: Action | None = None,
    *,
    attends: bool = False,
    also: Iterable[UUID] = (),
) -> tuple[Booking, InstrumentRules]:
    """The same as `held`, as it was seen. Raises `Stale`."""
    booking, locked = held_with(db, actor, booking_id, (), action, attends=attends, also=also)
    if booking.version != seen_version:
        raise Stale("booking_changed")
    return booking, locked[booking.instrument_number]
