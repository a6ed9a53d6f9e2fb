"""What people do with instrument time: book, move, cancel, block. Every path that writes a booking goes through here.

Each function runs in the caller's transaction, in one order: lock, then read, then decide, then write
(ARCHITECTURE.md, decision 4). What must not live here: the rules themselves (domain/bookings.py, domain/agreements.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID, uuid4

import msgspec

from labshare.domain.bookings import (
    BLOCK_RULES,
    MOVABLE,
    RULES,
    Booking,
    BookingKind,
    BookingState,
    Context,
    InstrumentRules,
    Neighbour,
    Wish,
    check,
    is_time_taken,
)
from labshare.domain.people import Action, Actor, may, require
from labshare.domain.projects import Project
from labshare.domain.rulebook import Rulebook
from labshare.domain.timespan import Span
from labshare.errors import Malformed, NotFound, Refusal, Refused, Stale, TimeTaken, WrongState
from labshare.services import agreements, clauses
from labshare.services.calendars import closed_dates_over, kept_time
from labshare.services.counting import uses
from labshare.store import agreements as agreements_store
from labshare.store import audit, outbox
from labshare.store import bookings as store
from labshare.store import people as people_store
from labshare.store import projects as projects_store
from labshare.store import rounds as rounds_store
from labshare.store import time_requests as requests_store
from labshare.store.engine import Connection

LONGEST_PURPOSE = 500

# What the readers below hand out; pages name this type, and never the store.
BookingLine = store.BookingLine


def book(db: Connection, actor: Actor, wish: Wish, now: datetime) -> Booking:
    """Write a confirmed booking for `wish`, or raise every refusal at once and change nothing.

    Raises `Forbidden` when the actor may not book (for this person), `TimeTaken` when all that is wrong is that
    somebody has the time, and `Refused` for everything else.
    """
    require(actor, Action.BOOK)
    person_id = wish.person_id or actor.person_id
    wish = msgspec.structs.replace(wish, person_id=person_id, purpose=_purpose(wish.purpose))
    rules = store.lock(db, [wish.instrument_number], [person_id])[wish.instrument_number]
    if person_id != actor.person_id:
        require(actor, Action.BOOK_FOR_OTHERS, centre=rules.centre_id)
    rulebook = agreements_store.rulebook(db)
    context = _context(db, rules, wish, now, rulebook)
    booking = _new(rules, wish, context.project, actor, now)
    weighed = agreements.weigh(db, added=uses(rules, booking), now=now, reader=actor, book=rulebook)
    _refuse(check(wish, context, RULES) + weighed.refusals)
    booking = weighed.signed(booking)
    store.add(db, [booking])
    agreements.post(db, weighed)
    _tell(db, actor, "book", booking, rules, now)
    return booking


def move(
    db: Connection,
    actor: Actor,
    booking_id: UUID,
    span: Span,
    *,
    seen_version: int,
    now: datetime,
    purpose: str | None = None,
) -> Booking:
    """Give a booking other times, under the same rules as a new one. Raises as `book` does, and `Stale`.

    A `purpose` is written along; without one the booking keeps its own.
    """
    booking, rules = _locked(db, actor, booking_id, seen_version)
    _require_movable(booking, now)
    wish = _again(booking, span, purpose)
    rulebook = agreements_store.rulebook(db)
    context = _context(db, rules, wish, now, rulebook)
    occupied = rules.occupied(span, booking.kind)
    moved = msgspec.structs.replace(
        booking,
        starts_at=span.start,
        ends_at=span.end,
        occupied_from=occupied.start,
        occupied_until=occupied.end,
        purpose=wish.purpose,
        updated_at=now,
    )
    weighed = agreements.weigh(
        db, added=uses(rules, moved), removed=uses(rules, booking), now=now, reader=actor, book=rulebook
    )
    rule_list = RULES if booking.kind is BookingKind.USE else BLOCK_RULES
    _refuse(check(wish, context, rule_list) + weighed.refusals)
    moved = store.change(db, weighed.signed(moved), seen_version=seen_version)
    agreements.post(db, weighed)
    _tell(db, actor, "move", moved, rules, now)
    return moved


def describe(
    db: Connection, actor: Actor, booking_id: UUID, purpose: str, *, seen_version: int, now: datetime
) -> Booking:
    """Say in other words what a booking is for; its time stays, so no rule is asked again. Raises `Stale`."""
    booking, rules = _locked(db, actor, booking_id, seen_version)
    _require_movable(booking, now)
    described = msgspec.structs.replace(booking, purpose=_purpose(purpose), updated_at=now)
    described = store.change(db, described, seen_version=seen_version)
    _tell(db, actor, "describe", described, rules, now)
    return described


def cancel(db: Connection, actor: Actor, booking_id: UUID, *, seen_version: int, now: datetime) -> Booking:
    """Give the time back. Raises `WrongState` once it has begun, `Stale` when somebody changed it meanwhile."""
    booking, rules = _locked(db, actor, booking_id, seen_version)
    _require_movable(booking, now)
    cancelled = _end(db, rules, booking, BookingState.CANCELLED, now)
    _tell(db, actor, "cancel", cancelled, rules, now)
    return cancelled


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
    wish = Wish(instrument_number=number, span=span, purpose=_purpose(purpose), kind=kind)
    _refuse(check(wish, _context(db, rules, wish, now), BLOCK_RULES))
    booking = _new(rules, wish, None, actor, now)
    store.add(db, [booking])
    _tell(db, actor, "block", booking, rules, now)
    return booking


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
    for number in sorted(locked):
        _expire_due(db, locked[number], store.neighbours(db, number, whole), now)
    busy, elsewhere = store.busy_spans(db, locked, whole), requests_store.persons_busy(db, persons, whole)
    _refuse(_clashes(new, locked, busy) + _elsewhere(new, locked, elsewhere))
    added = [use for booking in new for use in uses(locked[booking.instrument_number], booking)]
    weighed = agreements.weigh(db, added=added, now=now, reader=actor)
    _refuse(weighed.refusals)
    store.add(db, [weighed.signed(booking) for booking in new])
    agreements.post(db, weighed)
    for number, rules in locked.items():
        outbox.post(db, "calendar", {"instrument": rules.id, "version": rules.calendar_version, "number": number})
    for booking in new:
        audit.record(
            db, actor_id=actor.person_id, action="publish", noun="booking", noun_id=str(booking.id), now=now,
            details={"instrument": locked[booking.instrument_number].id},
        )  # fmt: skip


def expire_holds(db: Connection, numbers: Iterable[int], span: Span, now: datetime) -> int:
    """Give back the time of holds that were never confirmed, on these instruments; returns how many there were."""
    locked = store.lock(db, numbers)
    return sum(
        _expire_due(db, rules, store.neighbours(db, number, span), now) for number, rules in sorted(locked.items())
    )


# ---------------------------------------------------------------- looking at one's own


def wish_of(db: Connection, actor: Actor, instrument_id: str, project_code: str, span: Span, purpose: str) -> Wish:
    """The actor's own wish, from the codes that people use. Raises `NotFound` for an unknown instrument.

    A project that is not the actor's is left out: the rules say so together with whatever else is wrong.
    """
    number, project_id = store.behind_codes(db, instrument_id, project_code, actor.person_id)
    return Wish(instrument_number=number, span=span, person_id=actor.person_id, project_id=project_id, purpose=purpose)


def mine(db: Connection, actor: Actor, now: datetime) -> list[store.BookingLine]:
    """The actor's bookings that have not ended yet, the next one first."""
    return store.lines_of_person(db, actor.person_id, since=now)


def show(db: Connection, actor: Actor, booking_id: UUID) -> store.BookingLine:
    """One booking with its names, for its user and for the managers of its centre; `NotFound` for everybody else."""
    line = store.line(db, booking_id)
    if not _is_visible(actor, line.booking, line.centre_id):
        raise NotFound("booking_not_found")
    return line


# ---------------------------------------------------------------- parts


def _again(booking: Booking, span: Span, purpose: str | None) -> Wish:
    """A booking as the wish for itself at another time; without a purpose it keeps its own."""
    return Wish(
        instrument_number=booking.instrument_number,
        span=span,
        person_id=booking.person_id,
        project_id=booking.project_id,
        purpose=booking.purpose if purpose is None else _purpose(purpose),
        replaces_id=booking.id,
        kind=booking.kind,
    )


def _new(rules: InstrumentRules, wish: Wish, project: Project | None, actor: Actor, now: datetime) -> Booking:
    """The booking that a wish becomes, confirmed; what the project says is copied onto it."""
    occupied = rules.occupied(wish.span, wish.kind)
    return Booking(
        id=uuid4(),
        instrument_number=rules.number,
        kind=wish.kind,
        state=BookingState.CONFIRMED,
        starts_at=wish.span.start,
        ends_at=wish.span.end,
        occupied_from=occupied.start,
        occupied_until=occupied.end,
        person_id=wish.person_id,
        booked_by_id=actor.person_id,
        project_id=wish.project_id,
        organisation_id=project.organisation_id if project else None,
        access_class=project.access_class if project else None,
        activity=project.activity if project else None,
        agreement_id=project.agreement_id if project else None,
        attended=rules.attended and wish.person_id is not None,
        purpose=wish.purpose,
        created_at=now,
        updated_at=now,
    )


def _context(
    db: Connection, rules: InstrumentRules, wish: Wish, now: datetime, book: Rulebook | None = None
) -> Context:
    """Everything the rules look at, read under the lock; holds that are due give way first."""
    asked = rules.occupied(wish.span, wish.kind)
    neighbours = store.neighbours(db, rules.number, asked)
    _expire_due(db, rules, neighbours, now)
    project, is_member, qualified, until = None, False, False, None
    if wish.project_id is not None and wish.person_id is not None:
        project, is_member = projects_store.with_membership(db, wish.project_id, wish.person_id)
    if rules.qualification and wish.person_id is not None:
        qualified, until = people_store.qualification(db, wish.person_id, rules.number)
    return Context(
        now=now,
        rules=rules,
        neighbours=tuple(each for each in neighbours if not each.is_due(now)),
        person_busy=store.person_busy(db, wish.person_id, wish.span) if rules.attended and wish.person_id else (),
        kept=tuple(kept_time(offer) for offer in rounds_store.offers_over(db, [rules.number], asked)),
        project=project,
        is_member=is_member,
        qualified=qualified,
        qualified_until=until,
        closed_dates=closed_dates_over(wish.span),
        conducts=clauses.conducts(db, book, rules, wish, now) if book else (),
    )


def _locked(db: Connection, actor: Actor, booking_id: UUID, seen_version: int) -> tuple[Booking, InstrumentRules]:
    """A booking the actor may change, read again under the lock of its instrument and person."""
    before = store.get(db, booking_id)
    rules = store.lock(db, [before.instrument_number], [before.person_id] if before.person_id else [])[
        before.instrument_number
    ]
    booking = store.get(db, booking_id)
    if not _is_visible(actor, booking, rules.centre_id):
        raise NotFound("booking_not_found")
    action = Action.BOOK if booking.person_id == actor.person_id else Action.MANAGE_CALENDAR
    require(actor, action, centre=rules.centre_id)
    if booking.version != seen_version:
        raise Stale("booking_changed")
    return booking, rules


def _is_visible(actor: Actor, booking: Booking, centre_id: str) -> bool:
    return booking.person_id == actor.person_id or may(actor, Action.SEE_BOOKING, centre=centre_id)


def _require_movable(booking: Booking, now: datetime) -> None:
    if booking.state not in MOVABLE:
        raise WrongState("booking_not_movable", state=booking.state.value)
    if booking.starts_at <= now:
        raise WrongState("booking_begun")


def _refuse(refusals: tuple[Refusal, ...]) -> None:
    if is_time_taken(refusals):
        raise TimeTaken(refusals)
    if refusals:
        raise Refused(refusals)


def _end(db: Connection, rules: InstrumentRules, booking: Booking, state: BookingState, now: datetime) -> Booking:
    """Take a booking out of the calendar and its minutes out of the balances."""
    weighed = agreements.weigh(db, added=(), removed=uses(rules, booking), now=now)
    ended = msgspec.structs.replace(booking, state=state, updated_at=now)
    agreements.post(db, weighed)
    return store.change(db, ended, seen_version=booking.version)


def _expire_due(db: Connection, rules: InstrumentRules, neighbours: Iterable[Neighbour], now: datetime) -> int:
    due = [each for each in neighbours if each.is_due(now)]
    for each in due:
        _end(db, rules, store.get(db, each.id), BookingState.EXPIRED, now)
    return len(due)


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


def _tell(db: Connection, actor: Actor, action: str, booking: Booking, rules: InstrumentRules, now: datetime) -> None:
    """One audit line and one message to the watchers of this calendar, in the same transaction."""
    details = {"instrument": rules.id, "version": booking.version, "state": booking.state.value}
    audit.record(
        db, actor_id=actor.person_id, action=action, noun="booking", noun_id=str(booking.id), now=now, details=details
    )
    outbox.post(db, "calendar", {"instrument": rules.id, "version": rules.calendar_version, "number": rules.number})


def _purpose(text: str) -> str:
    text = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    if len(text) > LONGEST_PURPOSE:
        raise Malformed("purpose_too_long", most=LONGEST_PURPOSE)
    return text
