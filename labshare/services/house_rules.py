"""The booking rules of centres, for the changes of one call: which hold, and how much of their limits is taken.

Rules come with the rule book, so they cost nothing to read. Where a limit holds, its rows are locked (PostgreSQL; not
for limits of persons, who are locked already), and it is counted with what is read around the first wish that it holds
for. What must not live here: what a rule says (domain/house_rules.py), or posting and ending rules (booking_rules.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

from labshare.domain.booking_rules import (
    Holder,
    Limit,
    MostBookings,
    MostMinutes,
    NeedsOperator,
    NoShows,
    Overnight,
    Posted,
    PrimeLimit,
    ScopeKind,
    measure,
    most_of,
)
from labshare.domain.bookings import (
    LONGEST_MINUTES,
    OCCUPYING,
    Booking,
    BookingKind,
    BookingState,
    Context,
    InstrumentRules,
    Wish,
)
from labshare.domain.house_rules import HouseRules, is_outside_hours, not_locked, reason_of, within_limits
from labshare.domain.modes import is_run_by_staff
from labshare.domain.people import Action, Actor, may, require
from labshare.domain.projects import AccessClass, Project
from labshare.domain.qualifications import level_until
from labshare.domain.rulebook import Rulebook
from labshare.domain.standing_rules import is_short_notice
from labshare.domain.timespan import Span
from labshare.errors import Refusal
from labshare.services import holding
from labshare.store import limits
from labshare.store.engine import Connection
from labshare.store.limits import AskedLimits, Seat, Taken
from labshare.store.rulebooks import rulebook
from labshare.store.surroundings import around


class Holders(Protocol):
    """Who a use is for, by all that limits are counted for."""

    @property
    def kind(self) -> BookingKind: ...
    @property
    def plan_id(self) -> UUID | None: ...
    @property
    def person_id(self) -> UUID | None: ...
    @property
    def project_id(self) -> UUID | None: ...
    @property
    def organisation_id(self) -> str | None: ...
    @property
    def access_class(self) -> AccessClass | None: ...


class Counted:
    """What is taken of the limits that hold for some uses, locked at once unless nothing is to be written; and what the
    call adds to it.

    Each is counted with what is read around the first use that it holds for: `asked` before that is judged, and `read`.
    """

    def __init__(
        self,
        db: Connection,
        book: Rulebook,
        uses: Sequence[tuple[Holders, InstrumentRules]],
        leaving: Sequence[tuple[Booking, InstrumentRules]],
        now: datetime,
        *,
        locking: bool = True,
    ) -> None:
        self._now, self._leaving = now, {each.id for each, _ in leaving}
        self._taken: dict[tuple[UUID, object], int] = {}
        self._freed: dict[tuple[UUID, object], int] = {}
        for use in leaving:
            self._free(book, *use)
        seats = [seat for use in uses for seat, _ in _seats(book, *use)] if locking else []
        limits.lock(db, {seat.rule_id for seat in seats if seat.holder is not Holder.PERSON})

    def asked(self, book: Rulebook, use: tuple[Holders, InstrumentRules]) -> AskedLimits | None:
        """What is to be counted before this use is judged: None where all of it was, or no limit holds."""
        seats = [seat for seat, _ in self._uncounted(book, use)]
        return AskedLimits(seats, self._now, self._leaving) if seats else None

    def read(self, book: Rulebook, use: tuple[Holders, InstrumentRules], counts: Sequence[Taken]) -> None:
        """What was counted of all that was asked for."""
        for (seat, rule), each in zip(self._uncounted(book, use), counts, strict=True):
            taken = each.uses if isinstance(rule, MostBookings) else each.minutes
            self._taken[seat.rule_id, seat.holder_id] = taken

    def _uncounted(self, book: Rulebook, use: tuple[Holders, InstrumentRules]) -> list[tuple[Seat, Limit]]:
        return [(seat, rule) for seat, rule in _seats(book, *use) if (seat.rule_id, seat.holder_id) not in self._taken]

    def of(self, book: Rulebook, use: tuple[Holders, InstrumentRules]) -> dict[UUID, int]:
        """By rule what the holder of a use has besides."""
        return {seat.rule_id: self._taken.get((seat.rule_id, seat.holder_id), 0) for seat, _ in _seats(book, *use)}

    def freed(self, book: Rulebook, use: tuple[Holders, InstrumentRules]) -> dict[UUID, int]:
        """By rule what the same call takes from the holder of a use, less what it gave them again before this one."""
        return {
            seat.rule_id: max(0, self._freed.get((seat.rule_id, seat.holder_id), 0)) for seat, _ in _seats(book, *use)
        }

    def add(self, book: Rulebook, use: tuple[Booking, InstrumentRules]) -> None:
        """A use of the same call that will be written: it counts for those that are judged after it."""
        booking, rules = use
        for seat, rule in _seats(book, booking, rules):
            key = seat.rule_id, seat.holder_id
            self._taken[key] = self._taken.get(key, 0) + measure(rule, booking.span, self._now)
        self._free(book, booking, rules, -1)

    def _free(self, book: Rulebook, booking: Booking, rules: InstrumentRules, sign: int = 1) -> None:
        """What leaves makes room for as much, and what is written takes it up, unless it begins so soon that no limit
        is asked: whoever takes time at short notice beyond a limit does not move it to where the limit holds.
        """
        posted = book.posted_at(rules.site)
        for seat, rule in _seats(book, booking, rules):
            if not is_short_notice(posted, seat.scope, booking.starts_at, self._now):
                key = seat.rule_id, seat.holder_id
                self._freed[key] = self._freed.get(key, 0) + sign * measure(rule, booking.span, self._now)


def _seats(book: Rulebook, booking: Holders, rules: InstrumentRules) -> list[tuple[Seat, Limit]]:
    """The limits that count a use. None count a block, or what a round gave: nobody chose that."""
    if booking.kind is not BookingKind.USE or booking.plan_id is not None:
        return []
    return [
        (Seat(each.id, each.scope, rule.holder, holder_id, rule.within_days, most_of(rule)), rule)
        for each in book.posted_at(rules.site)
        if isinstance(rule := each.rule, MostBookings | MostMinutes)
        if (holder_id := _holder_id(rule.holder, booking)) is not None
    ]


def _holder_id(holder: Holder, booking: Holders) -> UUID | str | None:
    found = {
        Holder.PERSON: booking.person_id,
        Holder.TEAM: booking.project_id,
        Holder.ORGANISATION: booking.organisation_id,
        Holder.ACCESS_CLASS: booking.access_class and booking.access_class.value,
    }
    return found[holder]


class _Wished(msgspec.Struct, frozen=True):
    kind: BookingKind
    plan_id: UUID | None
    person_id: UUID | None
    project_id: UUID | None
    organisation_id: str | None
    access_class: AccessClass | None


def limits_of(
    db: Connection,
    rules: InstrumentRules,
    wish: Wish,
    project: Project | None,
    leaving: Sequence[tuple[Booking, InstrumentRules]],
    now: datetime,
) -> Callable[[Span], bool] | None:
    """Whether the limits of the centre would let a wish be at some time, if the bookings that leave for it were gone;
    None where no limit holds. One query, and no locks: what is only offered is judged anew when it is booked.
    """
    book = rulebook(db)
    who = _Wished(
        wish.kind,
        next((each.plan_id for each, _ in leaving), None),
        wish.person_id,
        wish.project_id,
        project.organisation_id if project else None,
        project.access_class if project else None,
    )
    counted = Counted(db, book, [], leaving, now, locking=False)
    asked = counted.asked(book, (who, rules))
    if asked is None:
        return None
    counted.read(book, (who, rules), around(db, rules.number, wish.span, None, asked).taken)
    posted, freed = book.posted_at(rules.site), counted.freed(book, (who, rules))
    house = HouseRules(rules=posted, taken=counted.of(book, (who, rules)), freed=freed)
    known = Context(now=now, rules=rules, house=house)

    def lets(span: Span) -> bool:
        return not within_limits(msgspec.structs.replace(wish, span=span), known)

    return lets


def with_house(
    db: Connection,
    book: Rulebook,
    counted: Counted,
    wish: Wish,
    before: Booking | None,
    after: Booking,
    known: Context,
    reader: Actor | None,
) -> Context:
    """The context of a wish with the centre's own rules in it, as its reader may know them. A query more for a use
    outside opening hours alone.
    """
    posted = book.posted_at(known.rules.site)
    if not posted or wish.kind is not BookingKind.USE or wish.span.minutes > LONGEST_MINUTES:
        return known
    if not _is_asked_for(before, after):
        posted = tuple(each for each in posted if not isinstance(each.rule, NeedsOperator))
    stands = before.span if before and before.instrument_number == after.instrument_number else None
    use = after, known.rules
    house = HouseRules(
        rules=posted,
        taken=counted.of(book, use),
        untold=_untold(posted, wish, known, reader),
        freed=counted.freed(book, use),
        stands=stands,
    )
    return with_level(db, wish, msgspec.structs.replace(known, house=house))


def with_level(db: Connection, wish: Wish, known: Context) -> Context:
    """The context of a wish with the level of those who answer for it outside opening hours, where a rule asks for one.
    A query for such a use alone.
    """
    if wish.person_id is None or not any(isinstance(each.rule, Overnight) for each in known.house.rules):
        return known
    by_staff = is_run_by_staff(wish, known.rules)
    if (by_staff and wish.operator_id is None) or not is_outside_hours(wish, known):
        return known
    rules, ends_at = known.rules, wish.span.end
    held = known.held if holding.is_asked(rules, wish) else holding.of_wish(db, rules, wish).user
    # Whoever is there answers for the use at any hour; its user is not, where the staff run it.
    there = (known.operator,) if by_staff else (held, known.trainer, known.operator)
    levels = (level_until(each, rules.demand, rules.timezone, ends_at) for each in there)
    house = msgspec.structs.replace(known.house, level=max(levels))
    return msgspec.structs.replace(known, house=house)


def _untold(posted: Sequence[Posted], wish: Wish, known: Context, reader: Actor | None) -> frozenset[UUID]:
    """The limits of which a reader is not told how much is taken: they ask for somebody else, of whom, or of whose team
    and organisation, some bookings may stand where they see none.
    """
    if reader is None or reader.person_id == wish.person_id:
        return frozenset()
    leads = known.project is not None and known.project.pi_id == reader.person_id

    def is_told(each: Posted, rule: Limit) -> bool:
        centre = None if each.scope.kind is ScopeKind.GROUP else known.rules.centre_id
        return (leads and rule.holder is not Holder.PERSON) or may(reader, Action.SEE_BOOKING, centre=centre)

    limits_here = [(each, each.rule) for each in posted if isinstance(each.rule, MostBookings | MostMinutes)]
    return frozenset(each.id for each, rule in limits_here if not is_told(each, rule))


def _is_asked_for(before: Booking | None, after: Booking) -> bool:
    """Whether somebody books this, or changes what they booked, who could name an operator: neither a round nor the
    waitlist does, and a form that is still open may yet.
    """
    is_held = after.state is BookingState.HELD
    was_offered = before is not None and before.state is BookingState.HELD and not before.form_hold
    return after.plan_id is None and not is_held and not was_offered


def courteous(book: Rulebook, rules: InstrumentRules, wish: Wish, now: datetime) -> tuple[Posted, ...]:
    """The rules that hold for a wish as clauses of courtesy outside any agreement: limits of prime time, no-shows."""
    posted = book.posted_at(rules.site)
    if wish.override or wish.kind is not BookingKind.USE or wish.span.minutes > LONGEST_MINUTES:
        return ()
    return tuple(
        each
        for each in posted
        if isinstance(each.rule, NoShows)
        or (isinstance(each.rule, PrimeLimit) and not is_short_notice(posted, each.scope, wish.span.start, now))
    )


def with_reason(wish: Wish, text: str) -> Wish:
    """The wish with what somebody gave as the reason for passing the rules, if anything. Raises `Malformed`."""
    return msgspec.structs.replace(wish, override=reason_of(text) if text.strip() else "")


def require_override(actor: Actor, wish: Wish, rules: InstrumentRules) -> None:
    """Only who manages the calendar of its centre passes its rules. Raises `Forbidden`."""
    if wish.override:
        require(actor, Action.MANAGE_CALENDAR, centre=rules.centre_id)


def locked_to(
    book: Rulebook, reader: Actor | None, before: Booking | None, after: Booking, rules: InstrumentRules, now: datetime
) -> tuple[Refusal, ...]:
    """Why somebody may no longer move or cancel their own use, or one that they booked; the managers of its centre
    always may, and a hold has bound nobody yet.
    """
    if reader is None or before is None or before.starts_at <= now or before.state is BookingState.HELD:
        return ()
    if reader.person_id not in (before.person_id, before.booked_by_id):
        return ()
    is_left = after.span == before.span and after.state in OCCUPYING
    if is_left or before.kind is not BookingKind.USE:
        return ()
    if may(reader, Action.MANAGE_CALENDAR, centre=rules.centre_id):
        return ()
    return not_locked(book.posted_at(rules.site), before.starts_at, now)
