"""What people do with the waitlist: join, leave, read their places, take an offer or pass on it; and who is offered
time that came free.

An offer is a hold, made by the one way to write bookings for whoever comes first among those whom the rules allow it:
nobody is told of a slot that is gone already. It is answered by its person or ends by itself, and its time is freed
again, for the next. What must not live here: in which order (domain/waitlist.py), or how time comes free (freeing.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from labshare.domain.availability import free_starts, nearest
from labshare.domain.bookings import (
    Booking,
    BookingState,
    Context,
    InstrumentRules,
    Wish,
    bookable,
    check,
    length,
    project_pays,
)
from labshare.domain.notices import NoticeKind
from labshare.domain.people import Action, Actor, may, require
from labshare.domain.qualifications import qualified
from labshare.domain.registry_search import Search
from labshare.domain.timespan import MINUTE, Span
from labshare.domain.waitlist import (
    MOST_ENTRIES,
    RECENT_DAYS,
    WaitingEntry,
    WaitingState,
    answer_by,
    in_order,
    require_sound,
    starts_in,
    today,
)
from labshare.domain.windows import days_span
from labshare.errors import NotFound, Refusal, Refused, WrongState
from labshare.services import booking_changes, bookings, calendars, free_times, holding, notices
from labshare.services.free_times import Row, Sought
from labshare.services.freeing import FREED
from labshare.services.leeways import Looking, Who
from labshare.services.writing import HOLD_EXPIRES, Change, ended, payer_of, write
from labshare.store import bookings as bookings_store
from labshare.store import due as due_store
from labshare.store import people as people_store
from labshare.store import projects as projects_store
from labshare.store import waitlist as store
from labshare.store.engine import Connection
from labshare.store.free_times import Asked
from labshare.store.waitlist import FreedTime

# What the readers below hand out; pages name this type, and never the store.
WaitingLine = store.WaitingLine
PAGE = "/waitlist"


class Place(msgspec.Struct, frozen=True):
    """One's entry, and how many would be offered a slot before and with it; none while an offer stands."""

    line: WaitingLine
    place: int | None = None
    of: int | None = None


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What may be waited for, with its names: an instrument by its number, or else a capability by its id."""

    id: str
    name_vi: str
    name_en: str
    instrument_number: int | None = None

    @property
    def capability_id(self) -> str | None:
        return self.id if self.instrument_number is None else None


class _Gone(Exception):
    """The entry does not wait any more: it was offered other time, or left, at this moment."""


# ---------------------------------------------------------------- one's own


def wanted(db: Connection, instrument_id: str, capability_id: str) -> Wanted:
    """The instrument that is named, or without one the capability. Raises `NotFound`."""
    if instrument_id:
        rules = calendars.rules_of(db, instrument_id)
        return Wanted(id=rules.id, name_vi=rules.name_vi, name_en=rules.name_en, instrument_number=rules.number)
    found = store.capability(db, capability_id)
    if found is None:
        raise NotFound("capability_not_found")
    return Wanted(id=found.id, name_vi=found.name_vi, name_en=found.name_en)


def free_now(db: Connection, actor: Actor, entry: WaitingEntry, now: datetime) -> Row | None:
    """The first time that the actor could book at once of what they wait for, on one instrument: nobody gave it back
    since they wait, so that it is offered to nobody. None for who may book no more: they read their places, and leave.
    """
    if not may(actor, Action.BOOK):
        return None
    project, _ = projects_store.with_membership(db, entry.project_id, entry.person_id)
    days = (entry.until_date - entry.from_date).days + 1
    sought = Sought(
        minutes=entry.minutes,
        dates=tuple(entry.from_date + timedelta(days=each) for each in range(days)),
        search=Search(capability_id=entry.capability_id or ""),
        number=entry.instrument_number,
        since=entry.since,
        until=entry.until,
    )
    found = free_times.find(db, actor, sought, now, project)
    return min((row for day in found.days[:1] for row in day.rows), key=lambda row: row.spans[0].start, default=None)


def next_open(db: Connection, asked: Wanted, now: datetime) -> datetime:
    """From when on what is wanted is open. Three queries."""
    single = asked.instrument_number
    numbers = store.numbers_with(db, asked.id) if single is None else [single]
    return calendars.next_open(db, bookings_store.rules_of(db, numbers).values(), now)


def join(db: Connection, actor: Actor, entry: WaitingEntry, now: datetime) -> WaitingEntry:
    """Wait oneself for time on an instrument or on any with a capability.

    Raises `Malformed` for days and hours in which no such use lies, `NotFound` for a capability that no instrument has,
    and `Refused` for what could never be offered to this person. The instruments are locked: what comes free at this
    moment is either free before, for everybody to see, or offered.
    """
    require(actor, Action.BOOK)
    entry = msgspec.structs.replace(entry, person_id=actor.person_id)
    require_sound(entry, now)
    single = entry.instrument_number
    numbers = store.numbers_with(db, entry.capability_id or "") if single is None else [single]
    if not numbers:
        raise NotFound("capability_not_found")
    locked = bookings_store.lock(db, numbers, [actor.person_id])
    refusals = _never(db, entry, locked[single], now) if single is not None else ()
    if store.count_of(db, actor.person_id, today(now)) >= MOST_ENTRIES:
        refusals = (*refusals, Refusal(code="waitlist_full", params={"most": MOST_ENTRIES}))
    if refusals:
        raise Refused(refusals)
    store.add(db, entry)
    return entry


def leave(db: Connection, actor: Actor, entry_id: UUID, now: datetime) -> None:
    """Wait no more; an offer that stands is passed on. Raises `NotFound` and `WrongState`."""
    entry = store.get(db, entry_id, actor.person_id)
    if entry.state is WaitingState.OFFERED:
        _pass_on(db, actor, entry, now)
    if not store.leave(db, entry.id):
        raise WrongState("waiting_over")


def accept(db: Connection, actor: Actor, entry_id: UUID, now: datetime) -> Booking:
    """Take the offer: its hold becomes a booking like any other, judged by every rule again.

    Raises `WrongState` once it has ended, and `Refused` where the rules say no by now.
    """
    booking, rules = _offered(db, actor, entry_id, now)
    wish = booking_changes.again(booking, booking.span, rules=rules)
    kind, payer_id, start = booking.kind, booking.organisation_id, booking.starts_at
    state, until = booking_changes.standing_for(actor, rules, kind, payer_id, start, now)
    after = msgspec.structs.replace(booking, state=state, hold_expires_at=until, updated_at=now)
    change = Change(before=booking, after=after, wish=wish, payer=payer_of(db, wish))
    (taken,) = write(db, actor, [change], {rules.number: rules}, now, action="accept_offer")
    due_store.forget(db, HOLD_EXPIRES, booking.id)
    return taken


def decline(db: Connection, actor: Actor, entry_id: UUID, now: datetime) -> None:
    """Pass on the offer, and wait for other time. Raises `WrongState` once it has ended."""
    _pass_on(db, actor, store.get(db, entry_id, actor.person_id), now)


def mine(db: Connection, actor: Actor, now: datetime) -> list[Place]:
    """The actor's open entries with their places, offers first."""
    return [_placed(db, line, now) for line in store.lines_of(db, actor.person_id, today(now))]


def offers(db: Connection, actor: Actor, now: datetime) -> list[WaitingLine]:
    """What is kept for the actor, and waits for their answer."""
    lines = store.lines_of(db, actor.person_id, today(now))
    return [line for line in lines if line.entry.state is WaitingState.OFFERED]


def how_many(db: Connection, actor: Actor | None, centre_id: str, number: int, now: datetime) -> int | None:
    """How many wait for an instrument, for the managers of its centre; None for anybody else."""
    if not may(actor, Action.MANAGE_CALENDAR, centre=centre_id):
        return None
    return len(store.waiting(db, [number], today(now)))


# ---------------------------------------------------------------- offers


def offer_freed(db: Connection, freed_id: UUID, now: datetime) -> None:
    """Offer time that came free to whoever comes first and whom it fits; what is left of it is due again at once.

    One offer in a transaction: each takes the locks of its own in the order that all keep to (decision 4), and a second
    one would take some out of turn. Dealt with twice, time is offered once: whoever is second finds nothing left.
    """
    freed = store.freed(db, freed_id)
    if freed is None:
        return
    number = freed.instrument_number
    entries = store.waiting(db, [number], today(now))
    had = store.passed_spans(db, number, freed.span)
    for entry in _in_order(db, entries, [number], now):
        is_asked = entry.state is WaitingState.WAITING and entry.person_id != freed.freed_by_id
        if is_asked and _offer(db, entry, freed, had.get(entry.id, ()), now):
            due_store.again(db, FREED, freed_id)
            return
    store.forget_freed(db, freed_id)


def _offer(db: Connection, entry: WaitingEntry, freed: FreedTime, had: Sequence[Span], now: datetime) -> bool:
    """Hold what fits this entry and tell its person: False where nothing fits or the rules refuse it."""
    actor = people_store.confirmed(db, entry.person_id)
    if actor is None or not may(actor, Action.BOOK):
        return False
    found = _fitting(db, entry, freed, had, now)
    if found is None:
        return False
    rules, span = found
    wish = Wish(instrument_number=rules.number, span=span, person_id=entry.person_id, project_id=entry.project_id)
    until = answer_by(span.start, now, rules.timezone)
    try:
        # What is refused leaves no lock behind, so that each may lock the person of its own.
        with db.begin_nested():
            booking = _held(db, actor, wish, until, now)
            if not store.offer(db, entry.id, booking.id):
                raise _Gone
            due_store.schedule(db, HOLD_EXPIRES, booking.id, until)
            names = (rules.name_vi, rules.name_en)
            notices.tell(
                db, entry.person_id, NoticeKind.SLOT_OFFERED, names, PAGE, now, until=until, booking_id=booking.id
            )
    except (Refused, _Gone):
        return False
    return True


def _held(db: Connection, actor: Actor, wish: Wish, until: datetime, now: datetime) -> Booking:
    (change,), locked = bookings.planned(db, actor, [wish], now)
    held = msgspec.structs.replace(change.after, state=BookingState.HELD, hold_expires_at=until)
    return write(db, actor, [msgspec.structs.replace(change, after=held)], locked, now, action="offer")[0]


def _fitting(
    db: Connection, entry: WaitingEntry, freed: FreedTime, had: Sequence[Span], now: datetime
) -> tuple[InstrumentRules, Span] | None:
    """The use nearest to the start of the freed time that takes some of it, fits the entry, and that its person has not
    passed on or given back before.
    """

    def windows(rules: InstrumentRules, minutes: int) -> Sequence[Span]:
        starts = starts_in(entry, freed.span, rules, max(minutes, entry.minutes), now)
        if minutes >= entry.minutes or not starts:
            return starts
        # Asked with one minute, it says from when on anything may begin: what is made longer begins before the rest.
        return [Span(starts[0].start - rules.max_minutes * MINUTE, starts[-1].end)]

    project, _ = projects_store.with_membership(db, entry.project_id, entry.person_id)
    who = Who(person_id=entry.person_id, project=project)
    looking = Looking(db, Asked(among=(freed.instrument_number,)), who, windows, now)
    for each in looking.candidates:
        leeways = [
            msgspec.structs.replace(leeway, starts=free_starts(each.rules, leeway.minutes, leeway.starts, (), had))
            for leeway in looking.leeways(each, entry.minutes)
            if leeway.minutes >= entry.minutes
        ]
        for span in nearest(each.rules, freed.starts_at, leeways, count=1):
            return each.rules, span
    return None


# ---------------------------------------------------------------- parts


def _never(db: Connection, entry: WaitingEntry, rules: InstrumentRules, now: datetime) -> tuple[Refusal, ...]:
    """Why no time of this instrument could ever be offered to the entry, whatever comes free."""
    first = days_span(entry.from_date, entry.from_date + timedelta(days=1), rules.timezone).start
    span = Span(first, first + entry.minutes * MINUTE)
    wish = Wish(instrument_number=rules.number, span=span, person_id=entry.person_id, project_id=entry.project_id)
    payer = payer_of(db, wish)
    context = Context(
        now=now,
        rules=rules,
        project=payer.project,
        is_member=payer.is_member,
        held=holding.where_asked(db, rules, wish).user,
    )
    return check(wish, context, (bookable, length, qualified, project_pays))


def _offered(db: Connection, actor: Actor, entry_id: UUID, now: datetime) -> tuple[Booking, InstrumentRules]:
    """The hold that is offered to the actor's entry, under its locks. Raises `NotFound`, and `WrongState` for none."""
    entry = store.get(db, entry_id, actor.person_id)
    # What was taken may have gone to somebody else since then; its entry keeps no place for another offer.
    if entry.state is WaitingState.TAKEN:
        raise WrongState("offer_taken")
    if entry.booking_id is None or entry.state is not WaitingState.OFFERED:
        raise WrongState("offer_over")
    booking, rules = bookings.held(db, actor, entry.booking_id)
    if booking.state is not BookingState.HELD or (booking.hold_expires_at and booking.hold_expires_at <= now):
        raise WrongState("offer_over")
    return booking, rules


def _pass_on(db: Connection, actor: Actor, entry: WaitingEntry, now: datetime) -> None:
    booking, rules = _offered(db, actor, entry.id, now)
    change = ended(booking, BookingState.DECLINED, now)
    write(db, actor, [change], {rules.number: rules}, now, action="decline_offer")
    due_store.forget(db, HOLD_EXPIRES, booking.id)


def _in_order(
    db: Connection, entries: Iterable[WaitingEntry], numbers: Sequence[int], now: datetime
) -> list[WaitingEntry]:
    waiting = list(entries)
    since = (now - timedelta(days=RECENT_DAYS)).replace(second=0, microsecond=0)
    used = store.used_minutes(db, {each.person_id for each in waiting}, numbers, since) if waiting else {}
    return in_order(waiting, used)


def _is_rival(other: WaitingEntry, entry: WaitingEntry) -> bool:
    """Whether somebody else waits for some day of the entry as well."""
    is_others = other.person_id != entry.person_id
    return is_others and other.from_date <= entry.until_date and other.until_date >= entry.from_date


def _placed(db: Connection, line: WaitingLine, now: datetime) -> Place:
    entry = line.entry
    if entry.state is WaitingState.OFFERED:
        return Place(line)
    single = entry.instrument_number
    numbers = store.numbers_with(db, entry.capability_id or "") if single is None else [single]
    rivals = [each for each in store.waiting(db, numbers, today(now)) if each.id == entry.id or _is_rival(each, entry)]
    ids = [each.id for each in _in_order(db, rivals, numbers, now)]
    # What was waited for may be out of service by now.
    return Place(line, ids.index(entry.id) + 1, len(ids)) if entry.id in ids else Place(line)
