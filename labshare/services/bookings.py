"""What people do with instrument time: book, move, cancel, block. Every path that writes a booking goes through here.

Each function runs in the caller's transaction, in one order: lock, then read, then decide, then write
(ARCHITECTURE.md, decision 4). What must not live here: the rules themselves (domain/bookings.py, domain/agreements.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID, uuid4

import msgspec

from labshare.domain.agreements import Use
from labshare.domain.availability import fitting_minutes, nearest, start_ranges
from labshare.domain.bookings import (
    BLOCK_RULES,
    MOVABLE,
    RULES,
    Booking,
    BookingKind,
    BookingState,
    Context,
    InstrumentRules,
    KeptTime,
    Neighbour,
    Wish,
    check,
    is_time_taken,
)
from labshare.domain.opening import OpeningHours, open_spans
from labshare.domain.people import Action, Actor, may, require
from labshare.domain.timespan import MINUTE, Span
from labshare.errors import Malformed, NotFound, Refusal, Refused, Stale, TimeTaken, WrongState
from labshare.services import agreements
from labshare.services.holidays import closed_dates
from labshare.store import audit, outbox
from labshare.store import bookings as store
from labshare.store import people as people_store
from labshare.store import projects as projects_store
from labshare.store import rounds as rounds_store
from labshare.store.engine import Connection

LONGEST_PURPOSE = 500

# What the readers below hand out; pages name these types, and never the store.
BookingLine = store.BookingLine
CalendarEntry = store.CalendarEntry
Occupied = store.Occupied


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
    context = _context(db, rules, wish, now)
    project = context.project
    occupied = rules.occupied(wish.span)
    booking = Booking(
        id=uuid4(),
        instrument_number=rules.number,
        kind=BookingKind.USE,
        state=BookingState.CONFIRMED,
        starts_at=wish.span.start,
        ends_at=wish.span.end,
        occupied_from=occupied.start,
        occupied_until=occupied.end,
        person_id=person_id,
        booked_by_id=actor.person_id,
        project_id=wish.project_id,
        organisation_id=project.organisation_id if project else None,
        access_class=project.access_class if project else None,
        activity=project.activity if project else None,
        agreement_id=project.agreement_id if project else None,
        attended=rules.attended,
        purpose=wish.purpose,
        created_at=now,
        updated_at=now,
    )
    weighed = agreements.weigh(db, added=uses(rules, booking), now=now, reader=actor)
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
    wish = Wish(
        instrument_number=rules.number,
        span=span,
        person_id=booking.person_id,
        project_id=booking.project_id,
        purpose=booking.purpose if purpose is None else _purpose(purpose),
        replaces_id=booking.id,
    )
    is_use = booking.kind is BookingKind.USE
    context = _context(db, rules, wish, now)
    occupied = rules.occupied(span) if is_use else span
    moved = msgspec.structs.replace(
        booking,
        starts_at=span.start,
        ends_at=span.end,
        occupied_from=occupied.start,
        occupied_until=occupied.end,
        purpose=wish.purpose,
        updated_at=now,
    )
    weighed = agreements.weigh(db, added=uses(rules, moved), removed=uses(rules, booking), now=now, reader=actor)
    _refuse(check(wish, context, RULES if is_use else BLOCK_RULES) + weighed.refusals)
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
    wish = Wish(instrument_number=number, span=span, purpose=_purpose(purpose))
    _refuse(check(wish, _context(db, rules, wish, now, widened=False), BLOCK_RULES))
    booking = Booking(
        id=uuid4(),
        instrument_number=number,
        kind=kind,
        state=BookingState.CONFIRMED,
        starts_at=span.start,
        ends_at=span.end,
        occupied_from=span.start,
        occupied_until=span.end,
        booked_by_id=actor.person_id,
        attended=False,
        purpose=wish.purpose,
        created_at=now,
        updated_at=now,
    )
    store.add(db, [booking])
    _tell(db, actor, "block", booking, rules, now)
    return booking


def publish_sessions(db: Connection, actor: Actor, new: Sequence[Booking], now: datetime) -> None:
    """Write the sessions of an approved plan as bookings: all of them, or none.

    Raises `TimeTaken` naming each clash (instrument and time), and `Refused` when an agreement no longer has room.
    Whoever calls has checked that the actor may publish, and releases the round's offers in the same transaction.
    """
    if not new:
        return
    locked = store.lock(
        db, {booking.instrument_number for booking in new}, {b.person_id for b in new if b.person_id is not None}
    )
    whole = Span(min(b.occupied_from for b in new), max(b.occupied_until for b in new))
    for number in sorted(locked):
        _expire_due(db, locked[number], store.neighbours(db, number, whole), now)
    _refuse(_clashes(new, locked, store.busy_spans(db, locked, whole)))
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


# ---------------------------------------------------------------- looking


class Calendar(msgspec.Struct, frozen=True, kw_only=True):
    """Instruments over a span, as one reader may see them: what occupies, opens and keeps them."""

    span: Span
    instruments: tuple[InstrumentRules, ...]
    entries: dict[int, list[store.CalendarEntry]]
    opened: dict[int, list[Span]]
    kept: dict[int, list[KeptTime]]


def calendar(db: Connection, actor: Actor | None, numbers: Sequence[int], span: Span) -> Calendar:
    """The calendars of a few instruments, masked for this reader. Four queries, however many instruments."""
    return _calendar(db, actor, tuple(store.rules_of(db, numbers).values()), span)


def board(db: Connection, actor: Actor | None, centre_id: str, span: Span) -> Calendar:
    """Every instrument of a centre that is booked by time, over a day or a week."""
    return _calendar(db, actor, tuple(store.rules_of_centre(db, centre_id)), span)


class Occupancy(msgspec.Struct, frozen=True, kw_only=True):
    """A centre's instruments over a span, without names: what is occupied, open and kept, and what is one's own."""

    span: Span
    instruments: tuple[InstrumentRules, ...]
    occupied: dict[int, list[store.Occupied]]
    opened: dict[int, list[Span]]
    kept: dict[int, list[KeptTime]]


def occupancy(db: Connection, actor: Actor | None, centre_id: str, span: Span) -> Occupancy:
    """The same instruments as `board` has, for a picture of many days: three queries, and no names among the rows."""
    rules = tuple(store.rules_of_centre(db, centre_id))
    numbers = [each.number for each in rules]
    occupied: dict[int, list[store.Occupied]] = {number: [] for number in numbers}
    for row in store.occupancy(db, numbers, span, viewer(actor)):
        occupied[row.instrument_number].append(row)
    return Occupancy(
        span=span, instruments=rules, occupied=occupied, opened=_opened(rules, span), kept=_kept_of(db, numbers, span)
    )


def _calendar(db: Connection, actor: Actor | None, rules: tuple[InstrumentRules, ...], span: Span) -> Calendar:
    numbers = [each.number for each in rules]
    entries: dict[int, list[store.CalendarEntry]] = {number: [] for number in numbers}
    for entry in store.calendar(db, numbers, span, viewer(actor)):
        entries[entry.instrument_number].append(entry)
    return Calendar(
        span=span, instruments=rules, entries=entries, opened=_opened(rules, span), kept=_kept_of(db, numbers, span)
    )


def _kept_of(db: Connection, numbers: Sequence[int], span: Span) -> dict[int, list[KeptTime]]:
    kept: dict[int, list[KeptTime]] = {number: [] for number in numbers}
    for offer in rounds_store.offers_over(db, numbers, span):
        kept[offer.instrument_number].append(_kept(offer))
    return kept


def _opened(rules: Iterable[InstrumentRules], span: Span) -> dict[int, list[Span]]:
    """The open hours of each instrument; those that keep the same hours share one list."""
    closed = closed_dates_over(span)
    found: dict[tuple[OpeningHours, str], list[Span]] = {}
    opened: dict[int, list[Span]] = {}
    for each in rules:
        hours = (each.opening, each.timezone)
        if hours not in found:
            found[hours] = open_spans_of(each, span, closed)
        opened[each.number] = found[hours]
    return opened


def wish_of(db: Connection, actor: Actor, instrument_id: str, project_code: str, span: Span, purpose: str) -> Wish:
    """The actor's own wish, from the codes that people use. Raises `NotFound` for an unknown instrument.

    A project that is not the actor's is left out: the rules say so together with whatever else is wrong.
    """
    number, project_id = store.behind_codes(db, instrument_id, project_code, actor.person_id)
    return Wish(instrument_number=number, span=span, person_id=actor.person_id, project_id=project_id, purpose=purpose)


def rules_of(db: Connection, instrument_id: str) -> InstrumentRules:
    """What booking needs to know of one instrument, by its code. Raises `NotFound`."""
    number = store.instrument_number(db, instrument_id)
    return store.rules_of(db, [number])[number]


def versions(db: Connection, instrument_ids: Sequence[str]) -> dict[str, int]:
    """The version of each instrument's calendar, in the order asked for. Raises `NotFound` for an unknown code."""
    found = store.versions(db, instrument_ids)
    for instrument_id in instrument_ids:
        if instrument_id not in found:
            raise NotFound("instrument_not_found", instrument=instrument_id)
    return {instrument_id: found[instrument_id] for instrument_id in instrument_ids}


def mine(db: Connection, actor: Actor, now: datetime) -> list[store.BookingLine]:
    """The actor's bookings that have not ended yet, the next one first."""
    return store.lines_of_person(db, actor.person_id, since=now)


def show(db: Connection, actor: Actor, booking_id: UUID) -> store.BookingLine:
    """One booking with its names, for its user and for the managers of its centre; `NotFound` for everybody else."""
    line = store.line(db, booking_id)
    if not _is_visible(actor, line.booking, line.centre_id):
        raise NotFound("booking_not_found")
    return line


def suggest(db: Connection, wish: Wish, now: datetime, *, count: int = 3) -> list[Span]:
    """Up to `count` spans that the rules of time would accept, nearest to the wish first, one for each free gap.

    Lengths are mended to what the instrument allows. Looks 14 days around the wish, within the advance window.
    """
    rules = store.rules_of(db, [wish.instrument_number]).get(wish.instrument_number)
    if rules is None or rules.retired or rules.booking_mode != "time":
        return []
    minutes = fitting_minutes(rules, wish.span.minutes)
    first = max(_next_minute(now), wish.span.start - SEARCH)
    latest = min(now + timedelta(days=rules.advance_days), wish.span.start + SEARCH)
    last = latest.replace(second=0, microsecond=0) - minutes * MINUTE
    if last <= first:
        return []
    horizon = Span(first, last)
    around = horizon.widened(rules.setup_minutes + DAY_MINUTES, minutes + rules.cleanup_minutes + DAY_MINUTES)
    busy = [n.occupied for n in store.neighbours(db, rules.number, around) if n.id != wish.replaces_id]
    busy += [offer.span for offer in rounds_store.offers_over(db, [rules.number], around)]
    elsewhere = _elsewhere(db, rules, wish, around)
    # The person's other uses block the use itself, so they are narrowed by what `start_ranges` will widen.
    busy += [part for span in elsewhere if (part := _narrowed(span, rules)) is not None]
    opened = open_spans_of(rules, around, closed_dates_over(around))
    found = nearest(rules, minutes, wish.span.start, start_ranges(rules, minutes, horizon, opened, busy), count=count)
    return [span for span in found if not any(span.overlaps(other) for other in elsewhere)]


# ---------------------------------------------------------------- parts


SEARCH = timedelta(days=14)
DAY_MINUTES = 24 * 60


def viewer(actor: Actor | None) -> store.Viewer:
    """Whose eyes the calendar query masks for."""
    if actor is None:
        return store.Viewer(person_id=None)
    return store.Viewer(person_id=actor.person_id, centre_ids=actor.centre_ids, sees_all=may(actor, Action.SEE_BOOKING))


def uses(rules: InstrumentRules, booking: Booking) -> tuple[Use, ...]:
    """What a booking means to the share rules: nothing for blocks, the occupied range for a use."""
    if booking.kind is not BookingKind.USE:
        return ()
    if not (booking.organisation_id and booking.access_class and booking.activity and booking.project_id):
        # The project is unknown: the booking rules refuse it, and there is nobody to count it for.
        return ()
    return (
        Use(
            organisation_id=booking.organisation_id,
            access_class=booking.access_class,
            activity=booking.activity,
            agreement_id=booking.agreement_id,
            project_id=booking.project_id,
            instrument_number=rules.number,
            instrument_id=rules.id,
            centre_id=rules.centre_id,
            span=booking.occupied,
        ),
    )


def closed_dates_over(span: Span) -> frozenset[date]:
    """Public holidays on every local day that the span touches, whatever the centre's zone."""
    return closed_dates((span.start - timedelta(days=1)).date(), (span.end + timedelta(days=1)).date())


def open_spans_of(rules: InstrumentRules, span: Span, closed: frozenset[date]) -> list[Span]:
    return open_spans(rules.opening, span, rules.timezone, closed)


def _context(db: Connection, rules: InstrumentRules, wish: Wish, now: datetime, *, widened: bool = True) -> Context:
    """Everything the rules look at, read under the lock; holds that are due give way first."""
    asked = rules.occupied(wish.span) if widened else wish.span
    neighbours = store.neighbours(db, rules.number, asked)
    _expire_due(db, rules, neighbours, now)
    project, is_member, qualified, until = None, False, False, None
    if wish.project_id is not None and wish.person_id is not None:
        project, is_member = projects_store.with_membership(db, wish.project_id, wish.person_id)
    if rules.qualification and wish.person_id is not None:
        qualified, until = people_store.qualification(db, wish.person_id, rules.number)
    attends = rules.attended and wish.person_id is not None
    return Context(
        now=now,
        rules=rules,
        neighbours=tuple(each for each in neighbours if not each.is_due(now)),
        person_busy=store.person_busy(db, wish.person_id, wish.span) if attends and wish.person_id else (),
        kept=tuple(_kept(offer) for offer in rounds_store.offers_over(db, [rules.number], asked)),
        project=project,
        is_member=is_member,
        qualified=qualified,
        qualified_until=until,
        closed_dates=closed_dates_over(wish.span),
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
    if booking.person_id != actor.person_id:
        require(actor, Action.MANAGE_CALENDAR, centre=rules.centre_id)
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
    ended = store.change(db, ended, seen_version=booking.version)
    agreements.post(db, weighed)
    return ended


def _expire_due(db: Connection, rules: InstrumentRules, neighbours: Iterable[Neighbour], now: datetime) -> int:
    due = [each for each in neighbours if each.is_due(now)]
    for each in due:
        _end(db, rules, store.get(db, each.id), BookingState.EXPIRED, now)
    return len(due)


def _clashes(
    new: Sequence[Booking], locked: dict[int, InstrumentRules], busy: dict[int, list[Span]]
) -> tuple[Refusal, ...]:
    return tuple(
        Refusal(
            code="time_taken_at",
            params={
                "instrument": locked[booking.instrument_number].id,
                "from": other.start.isoformat(),
                "until": other.end.isoformat(),
            },
        )
        for booking in new
        for other in sorted(busy[booking.instrument_number])
        if other.overlaps(booking.occupied)
    )


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


def _kept(offer: rounds_store.KeptOffer) -> KeptTime:
    return KeptTime(span=offer.span, round_code=offer.round_code, freed_at=offer.freed_at)


def _elsewhere(db: Connection, rules: InstrumentRules, wish: Wish, around: Span) -> list[Span]:
    if not rules.attended or wish.person_id is None:
        return []
    return [n.occupied for n in store.person_busy(db, wish.person_id, around) if n.id != wish.replaces_id]


def _narrowed(span: Span, rules: InstrumentRules) -> Span | None:
    start = span.start + rules.cleanup_minutes * MINUTE
    end = span.end - rules.setup_minutes * MINUTE
    return Span(start, end) if start < end else None


def _next_minute(moment: datetime) -> datetime:
    whole = moment.replace(second=0, microsecond=0)
    return whole if whole == moment else whole + MINUTE
