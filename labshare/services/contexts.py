"""Everything the rules look at for one wish, read under its locks, with what the same call has planned already.

What stands on the instrument and in the person's time comes in one query (store/surroundings.py). What must not live
here: the rules (domain/bookings.py), or the writing of what they allow (writing.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from labshare.domain.agreements import Agreement
from labshare.domain.booking_rules import Posted
from labshare.domain.bookings import (
    OCCUPYING,
    Booking,
    BookingKind,
    Context,
    InstrumentRules,
    KeptTime,
    Neighbour,
    Wish,
)
from labshare.domain.clauses import Conduct, PersonUse
from labshare.domain.clearances import Clearance
from labshare.domain.kept_times import takes_no_more
from labshare.domain.modes import is_run_by_staff
from labshare.domain.people import Action, Actor, may
from labshare.domain.projects import Project
from labshare.domain.qualifications import Held
from labshare.domain.rulebook import Rulebook
from labshare.domain.timespan import MINUTE, Span
from labshare.services import clauses, clearances, holding, house_rules
from labshare.services.calendars import closed_dates_over, kept_time
from labshare.services.counting import hull
from labshare.services.holding import Holding
from labshare.services.house_rules import Counted
from labshare.store import person_times
from labshare.store import rounds as rounds_store
from labshare.store.engine import Connection
from labshare.store.standing import standing_of
from labshare.store.surroundings import Around, AskedPerson, PersonTime, around


class Payer(msgspec.Struct, frozen=True):
    """The project of a wish, None where there is no such, and whether its person belongs to it; as far as they were
    read, the stamp of the rules, and what the person holds for the instrument of that `wish`.
    """

    project: Project | None = None
    is_member: bool = False
    stamp: str | None = None
    held: Held = Held()
    wish: Wish | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One booking before and after: a new one has no `before`, an ended one is in a state that occupies nothing.

    `wish` is what the rules judge, on account of `payer`. Without one nothing is asked: time only comes free, or
    somebody else has judged.
    """

    after: Booking
    before: Booking | None = None
    wish: Wish | None = None
    payer: Payer = Payer()

    @property
    def occupies(self) -> bool:
        """Whether the booking takes time once the change is made."""
        return self.after.state in OCCUPYING


# What the same call writes before a wish, each with the rules of its instrument.
Planned = Sequence[tuple[Change, InstrumentRules]]


class Surroundings(NamedTuple):
    """What stands around a change, and the clauses for which it was read."""

    read: Around
    covering: Sequence[Agreement]
    posted: Sequence[Posted]


def payer_of(db: Connection, wish: Wish) -> Payer:
    """The project that a wish names, if its person may be told of it. One query, to be asked under the locks of the
    wish.
    """
    if wish.project_id is None or wish.person_id is None:
        return Payer()
    found = standing_of(
        db, wish.project_id, wish.person_id, wish.instrument_number, before=wish.span.start, but=wish.replaces_id
    )
    return Payer(*found, wish)


def surroundings(
    db: Connection,
    book: Rulebook,
    rules: InstrumentRules,
    change: Change,
    wish: Wish,
    counted: Counted,
    now: datetime,
) -> Surroundings:
    """Read what stands around a change, and what is taken of the limits that none before it asked for. One query."""
    # A session keeps the length that its round gave, whatever the clauses of courtesy say.
    is_session = change.before is not None and change.before.plan_id is not None
    covering = clauses.covering(book, rules, wish)
    posted = () if is_session else house_rules.courteous(book, rules, wish, now)
    courteous = () if is_session else covering
    person = None
    if wish.person_id is not None:
        weeks, since = clauses.wanted(courteous, rules, wish, now, posted)
        person = AskedPerson(wish.person_id, hull([wish.span, *([weeks] if weeks else [])]) or wish.span, since)
    use = change.after, rules
    read = around(db, rules.number, change.after.occupied, person, counted.asked(book, use))
    counted.read(book, use, read.taken)
    return Surroundings(read, covering, posted)


def context(
    db: Connection,
    rules: InstrumentRules,
    book: Rulebook,
    change: Change,
    wish: Wish,
    found: Surroundings,
    standing: Sequence[Neighbour],
    planned: Planned,
    leaving: Collection[UUID],
    now: datetime,
    reader: Actor | None,
) -> Context:
    """What the rules look at, but for the centre's own; of where the person is no more than the reader may know."""
    is_session = change.before is not None and change.before.plan_id is not None
    payer = change.payer
    held = _holding(db, rules, wish, payer, planned)
    return Context(
        now=now,
        rules=_as_it_stands(rules, change),
        neighbours=(*standing, *_planned_here(planned, rules)),
        person_busy=_elsewhere(rules, wish, found.read, planned, leaving, now, reader),
        trainer_busy=_busy(db, wish.trainer_id, wish.span, planned, leaving, now),
        operator_busy=_busy(db, wish.operator_id, wish.span, planned, leaving, now),
        kept=_kept(db, book, rules, wish),
        project=payer.project,
        is_member=payer.is_member,
        held=held.user,
        trainer=held.trainer,
        operator=held.operator,
        closed_dates=closed_dates_over(wish.span),
        conducts=() if is_session else _conducts(rules, wish, found, planned, {wish.replaces_id, *leaving}, reader),
        lacking=_lacking(db, found.covering, change, wish, now),
    )


# ---------------------------------------------------------------- parts


def _as_it_stands(rules: InstrumentRules, change: Change) -> InstrumentRules:
    """The rules of an instrument, with the changeover that a booking keeps with its times, or with a part of them."""
    if not takes_no_more(change.before, change.after):
        return rules
    use, occupied = change.after.span, change.after.occupied
    before, after = (use.start - occupied.start) // MINUTE, (occupied.end - use.end) // MINUTE
    return msgspec.structs.replace(rules, setup_minutes=before, cleanup_minutes=after)


def _kept(db: Connection, book: Rulebook, rules: InstrumentRules, wish: Wish) -> tuple[KeptTime, ...]:
    """What rounds keep of the instrument: no query while none was announced over that time."""
    asked = rules.occupied(wish.span, wish.kind)
    if not any(horizon.overlaps(asked) for horizon in book.rounds.values()):
        return ()
    return tuple(kept_time(offer) for offer in rounds_store.offers_over(db, [rules.number], asked))


def _conducts(
    rules: InstrumentRules,
    wish: Wish,
    found: Surroundings,
    planned: Planned,
    gone: Collection[UUID | None],
    reader: Actor | None,
) -> tuple[Conduct, ...]:
    own = [each.use for each in found.read.times if each.is_own and each.use.id not in gone]
    uses, missed = (*own, *_own(planned, wish)), found.read.missed
    held = clauses.conducts(found.covering, rules, wish, posted=found.posted, uses=uses, missed=missed)
    if reader is None or reader.person_id == wish.person_id:
        return held
    return tuple(msgspec.structs.replace(each, is_told=False) for each in held)


def _holding(db: Connection, rules: InstrumentRules, wish: Wish, payer: Payer, planned: Planned) -> Holding:
    """What the people of a wish hold: no query where it came with the project, and nothing is planned before."""
    if payer.wish == wish and not wish.attendants and not planned:
        return Holding(user=payer.held)
    return holding.where_asked(db, rules, wish, [each.after for each, _ in planned])


def _planned_here(planned: Planned, rules: InstrumentRules) -> list[Neighbour]:
    here = (each.after for each, _ in planned if each.after.instrument_number == rules.number)
    return [_neighbour(each, each.occupied, rules) for each in here]


def _elsewhere(
    rules: InstrumentRules,
    wish: Wish,
    read: Around,
    planned: Planned,
    leaving: Collection[UUID],
    now: datetime,
    reader: Actor | None,
) -> tuple[Neighbour, ...]:
    """Where the person of a wish is meanwhile, if they must be there to use the instrument: the uses themselves, since
    set-up and clean-up may be somebody else's.
    """
    if not rules.attended or wish.person_id is None or is_run_by_staff(wish, rules):
        return ()
    times = (each for each in read.times if each.attended and each.place.occupied.overlaps(wish.span))
    busy = (_as_told(each, reader, wish.person_id) for each in times)
    return _where(busy, wish.person_id, planned, leaving, now)


def _as_told(time: PersonTime, reader: Actor | None, person_id: UUID) -> Neighbour:
    """Where somebody is: on which instrument only they are told, and who answers for it."""
    if reader is None or reader.person_id == person_id or may(reader, Action.SEE_BOOKING, centre=time.use.centre_id):
        return time.place
    return msgspec.structs.replace(time.place, instrument_id="")


def _busy(
    db: Connection, person_id: UUID | None, span: Span, planned: Planned, leaving: Collection[UUID], now: datetime
) -> tuple[Neighbour, ...]:
    """Where a trainer or an operator is meanwhile. One query, where one is named."""
    if person_id is None:
        return ()
    return _where(person_times.person_busy(db, person_id, span), person_id, planned, leaving, now)


def _where(
    busy: Iterable[Neighbour], person_id: UUID, planned: Planned, leaving: Collection[UUID], now: datetime
) -> tuple[Neighbour, ...]:
    mine = [_neighbour(each.after, each.after.span, rules) for each, rules in planned if _has(each.after, person_id)]
    return (*(each for each in busy if each.id not in leaving and not each.is_due(now)), *mine)


def _lacking(
    db: Connection, covering: Sequence[Agreement], change: Change, wish: Wish, now: datetime
) -> tuple[Clearance, ...]:
    """Clearances are told to those who belong to the project alone."""
    project, is_member = change.payer.project, change.payer.is_member
    return clearances.of_wish(db, covering, project, wish, now, before=change.before) if project and is_member else ()


def _neighbour(booking: Booking, span: Span, rules: InstrumentRules) -> Neighbour:
    return Neighbour(id=booking.id, kind=booking.kind, occupied=span, instrument_id=rules.id)


def _has(booking: Booking, person_id: UUID) -> bool:
    return (booking.attended and booking.person_id == person_id) or person_id in booking.attendants


def _own(planned: Planned, wish: Wish) -> list[PersonUse]:
    """What the same person books in the same call, as far as it is no session of a plan."""
    return [
        PersonUse(each.after.id, rules.id, rules.centre_id, each.after.span, rules.capability_id)
        for each, rules in planned
        if each.after.person_id == wish.person_id and each.after.plan_id is None and each.wish
        if each.wish.kind is BookingKind.USE
    ]
