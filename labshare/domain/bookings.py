"""Booking rules: what a booking is, and every reason for which one is refused. Reading RULES is reading the policy.

What must not live here: the database's guard (store/guard.py), share rules (agreements.py), or where the facts of a
`Context` come from (store/bookings.py).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec

from labshare.domain.booking_rules import Site
from labshare.domain.clauses import Conduct
from labshare.domain.clearances import Clearance, refusal
from labshare.domain.conduct_rules import not_blocked, prime_time
from labshare.domain.house_rules import HouseRules, not_too_late, within_hours, within_limits
from labshare.domain.modes import Mode, is_run_by_staff, mode_offered, setup_posted
from labshare.domain.opening import OpeningHours, minute_of_day
from labshare.domain.operators import Attended, operated
from labshare.domain.projects import AccessClass, Activity, Project, usable
from labshare.domain.qualifications import Demand, Held, qualified, trained
from labshare.domain.standing_rules import furthest_days
from labshare.domain.timespan import Span
from labshare.domain.units import taken
from labshare.errors import Param, Refusal


class BookingKind(StrEnum):
    """What occupies the instrument."""

    USE = "use"
    MAINTENANCE = "maintenance"
    ENGINEERING = "engineering"
    CLOSURE = "closure"


class BookingState(StrEnum):
    """Where a booking stands. The first five occupy the instrument; the rest have given it back."""

    HELD = "held"
    PENDING = "pending"
    CONFIRMED = "confirmed"
    IN_USE = "in_use"
    DONE = "done"
    CANCELLED = "cancelled"
    DECLINED = "declined"
    EXPIRED = "expired"
    RELEASED = "released"
    NO_SHOW = "no_show"


OCCUPYING = frozenset(
    {BookingState.HELD, BookingState.PENDING, BookingState.CONFIRMED, BookingState.IN_USE, BookingState.DONE}
)
# These end by themselves at their `hold_expires_at`: not confirmed by their user, or not approved by the centre.
WAITING = frozenset({BookingState.HELD, BookingState.PENDING})
MOVABLE = frozenset({BookingState.HELD, BookingState.PENDING, BookingState.CONFIRMED})
# No one block may be longer: it bounds how far back a calendar query must look.
LONGEST_MINUTES = 92 * 24 * 60


class Booking(Attended, frozen=True, kw_only=True):
    """An interval that occupies an instrument. People see `starts_at, ends_at`; the guard sees the occupied range.

    `person_id` is its user, if it has one.
    """

    id: UUID
    instrument_number: int
    kind: BookingKind
    state: BookingState
    starts_at: datetime
    ends_at: datetime
    occupied_from: datetime
    occupied_until: datetime
    booked_by_id: UUID | None = None
    project_id: UUID | None = None
    organisation_id: str | None = None
    access_class: AccessClass | None = None
    activity: Activity | None = None
    agreement_id: str | None = None
    agreement_version: int | None = None
    attended: bool = True
    mode: Mode = Mode.SELF
    # One of those that its instrument posts; whoever may look at the calendar reads it.
    setup: str = ""
    purpose: str = ""
    # Why a manager passed the centre's own rules for it.
    override_reason: str = ""
    # Given back by its user later than the notice that an agreement asks for, which is a strike there (R21).
    late_notice: bool = False
    request_id: UUID | None = None
    plan_id: UUID | None = None
    series_id: UUID | None = None
    hold_expires_at: datetime | None = None
    # Held while its form is open: 1, and 2 once that was prolonged (domain/holds.py).
    form_hold: int = 0
    decision_note: str = ""
    # Of those of the instrument, by which the database tells uses of the same time apart (units.py).
    unit: int = 0
    created_at: datetime
    updated_at: datetime
    version: int = 1

    @property
    def span(self) -> Span:
        return Span(self.starts_at, self.ends_at)

    @property
    def occupied(self) -> Span:
        return Span(self.occupied_from, self.occupied_until)


class InstrumentRules(msgspec.Struct, frozen=True, kw_only=True):
    """What booking needs to know of one instrument. Lengths are minutes, `advance_days` calendar days."""

    number: int
    id: str
    centre_id: str
    timezone: str
    booking_mode: str
    opening: OpeningHours
    spans_closed_hours: bool
    min_minutes: int
    max_minutes: int
    granularity_minutes: int
    advance_days: int
    setup_minutes: int
    cleanup_minutes: int
    capacity: int = 1
    attended: bool
    qualification: str
    retired: bool = False
    planned: bool = False
    calendar_version: int = 0
    name_vi: str = ""
    name_en: str = ""
    host_id: str = ""
    approval: str = "none"
    approval_hours: int = 72
    capability_id: str = ""
    modes: tuple[Mode, ...] = (Mode.SELF,)
    setups: tuple[str, ...] = ()
    demand: Demand = Demand()

    @property
    def site(self) -> Site:
        return Site(self.id, self.centre_id, self.capability_id)

    @property
    def takes_bookings(self) -> bool:
        """Whether its time can be asked for at all."""
        return self.booking_mode == "time" and not self.retired and not self.planned

    @property
    def raster(self) -> int:
        """A granularity longer than an hour orders the lengths; starts may still be any hour of the day. In minutes."""
        return max(1, min(self.granularity_minutes, 60))

    def occupied(self, span: Span, kind: BookingKind = BookingKind.USE) -> Span:
        """The range that is taken from everybody else: a use has its set-up and clean-up, a block is what it is."""
        return span.widened(self.setup_minutes, self.cleanup_minutes) if kind is BookingKind.USE else span


class Wish(Attended, frozen=True, kw_only=True):
    """What somebody asks for. `person_id` is who will use the instrument (nobody, for a block by the centre itself);
    `replaces_id` is the booking that would move, or the hold that this becomes; `override` the reason for which a
    manager passes the centre's rules. Without a `mode` it is the usual one of the instrument. `trainer_id` is who is
    present while somebody who is not qualified yet uses it, `operator_id` who of the staff runs it or helps.
    """

    instrument_number: int
    span: Span
    project_id: UUID | None = None
    purpose: str = ""
    replaces_id: UUID | None = None
    kind: BookingKind = BookingKind.USE
    override: str = ""
    mode: Mode | None = None
    setup: str = ""


class Neighbour(msgspec.Struct, frozen=True, kw_only=True):
    """Something that occupies the same instrument, or the same person, at the same time. Without the code of its
    instrument it is not the business of who asks.
    """

    id: UUID
    kind: BookingKind
    occupied: Span
    instrument_id: str = ""
    hold_expires_at: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """A hold or a request whose time is over: it gives way, in the transaction that meets it."""
        return self.hold_expires_at is not None and self.hold_expires_at <= now


class KeptTime(msgspec.Struct, frozen=True, kw_only=True):
    """Time of this instrument that a round keeps for itself until `freed_at` (ARCHITECTURE.md, decision 11)."""

    span: Span
    round_code: str
    freed_at: datetime


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the rules look at, loaded under the instrument's lock."""

    now: datetime
    rules: InstrumentRules
    neighbours: tuple[Neighbour, ...] = ()
    person_busy: tuple[Neighbour, ...] = ()
    kept: tuple[KeptTime, ...] = ()
    project: Project | None = None
    is_member: bool = False
    held: Held = Held()
    trainer: Held = Held()
    trainer_busy: tuple[Neighbour, ...] = ()
    operator: Held = Held()
    operator_busy: tuple[Neighbour, ...] = ()
    closed_dates: frozenset[date] = frozenset()
    conducts: tuple[Conduct, ...] = ()
    lacking: tuple[Clearance, ...] = ()
    house: HouseRules = HouseRules()

    @property
    def advance_days(self) -> int:
        """How far ahead one may book here: the instrument's limit, or the least of the agreements' (R20) and of those
        that its centre posted.
        """
        stated = (*(each.clause.advance_days for each in self.conducts), furthest_days(self.house.rules))
        return min([self.rules.advance_days, *(each for each in stated if each is not None)])

    @property
    def least_minutes(self) -> int:
        """The shortest use here: the instrument's, or the longest of the agreements' (R20)."""
        stated = (each.clause.least_minutes for each in self.conducts if each.clause.least_minutes is not None)
        return max([self.rules.min_minutes, *stated])


Rule = Callable[[Wish, Context], tuple[Refusal, ...]]


def bookable(wish: Wish, context: Context) -> tuple[Refusal, ...]:
    """Services, pools and what stands only in plans are listed in the registry, not booked by time."""
    if context.rules.retired:
        return (Refusal(code="instrument_retired"),)
    if context.rules.planned:
        return (Refusal(code="instrument_planned"),)
    if context.rules.booking_mode != "time":
        return (Refusal(code="not_bookable_by_time", params={"mode": context.rules.booking_mode}),)
    return ()


def in_the_future(wish: Wish, context: Context) -> tuple[Refusal, ...]:
    return (Refusal(code="in_the_past"),) if wish.span.start < context.now else ()


def length(wish: Wish, context: Context) -> tuple[Refusal, ...]:
    """As long as the instrument, or a rule of its centre, wants; whoever passes those keeps to what a calendar can, and
    to the agreements.
    """
    if wish.override:
        any_length = msgspec.structs.replace(context.rules, min_minutes=0, max_minutes=LONGEST_MINUTES)
        context = msgspec.structs.replace(context, rules=any_length)
    rules, minutes = context.rules, wish.span.minutes
    if minutes < context.least_minutes:
        return (Refusal(code="too_short", params={"minutes": minutes, "least_minutes": context.least_minutes}),)
    if minutes > rules.max_minutes:
        return (Refusal(code="too_long", params={"minutes": minutes, "most_minutes": rules.max_minutes}),)
    return ()


def block_length(wish: Wish, context: Context) -> tuple[Refusal, ...]:
    if wish.span.minutes > LONGEST_MINUTES:
        return (Refusal(code="too_long", params={"minutes": wish.span.minutes, "most_minutes": LONGEST_MINUTES}),)
    return ()


def block_has_no_user(wish: Wish, context: Context) -> tuple[Refusal, ...]:
    """Nobody runs it for anybody, so that there is no mode, no set-up to read and no operator to be bound."""
    is_run = wish.mode not in (None, Mode.SELF) or wish.setup or wish.operator_id
    return (Refusal(code="block_has_no_user"),) if is_run else ()


def granularity(wish: Wish, context: Context) -> tuple[Refusal, ...]:
    """Starts and ends stand on the instrument's raster, counted from local midnight."""
    rules = context.rules
    params: dict[str, Param] = {"step_minutes": rules.granularity_minutes, "raster_minutes": rules.raster}
    return () if wish.override or is_on_raster(wish.span, rules) else (Refusal(code="off_raster", params=params),)


def is_on_raster(span: Span, rules: InstrumentRules) -> bool:
    step = rules.granularity_minutes
    ends = (minute_of_day(each, rules.timezone) for each in (span.start, span.end))
    return step <= 1 or not (span.minutes % step or any(end % rules.raster for end in ends))


def advance(wish: Wish, context: Context) -> tuple[Refusal, ...]:
    """A manager who passes the centre's rules passes what it posted of this, and no other limit."""
    if wish.override:
        context = msgspec.structs.replace(context, house=HouseRules())
    latest = context.now + timedelta(days=context.advance_days)
    if wish.span.end > latest:
        params = {"days": context.advance_days, "until": latest.replace(second=0, microsecond=0).isoformat()}
        return (Refusal(code="too_far_ahead", params=params),)
    return ()


def opening_hours(wish: Wish, context: Context) -> tuple[Refusal, ...]:
    """What is too long is refused for its length; working out the hours of two centuries would only hold the lock."""
    return within_hours(wish, context) if wish.span.minutes <= LONGEST_MINUTES else ()


def kept_for_round(wish: Wish, context: Context) -> tuple[Refusal, ...]:
    asked = context.rules.occupied(wish.span, wish.kind)
    return tuple(
        Refusal(code="kept_for_round", params={"round": kept.round_code, "freed_at": kept.freed_at.isoformat()})
        for kept in context.kept
        if kept.span.overlaps(asked)
    )


def person_in_one_place(wish: Wish, context: Context) -> tuple[Refusal, ...]:
    """Where the person is meanwhile is told by instrument and time, and once without them of what is not the reader's
    business.
    """
    if not context.rules.attended or is_run_by_staff(wish, context.rules):
        return ()
    others = [each for each in context.person_busy if each.id != wish.replaces_id and each.occupied.overlaps(wish.span)]
    told = tuple(
        Refusal(
            code="person_elsewhere",
            params={
                "instrument": other.instrument_id,
                "from": other.occupied.start.isoformat(),
                "until": other.occupied.end.isoformat(),
            },
        )
        for other in others
        if other.instrument_id
    )
    return told if len(told) == len(others) else (*told, Refusal(code="person_busy"))


def project_pays(wish: Wish, context: Context) -> tuple[Refusal, ...]:
    """The project must be verified and cover the end of the use; its class is copied, never typed."""
    if context.project is None or wish.person_id is None:
        return (Refusal(code="project_unknown"),)
    members = frozenset({wish.person_id}) if context.is_member else frozenset[UUID]()
    return usable(context.project, wish.person_id, members, wish.span.end)


def cleared(wish: Wish, context: Context) -> tuple[Refusal, ...]:
    """R26: nothing is allocated to a project that waits for a security clearance, or was refused one."""
    return tuple(refusal(each, context.project.code, context.now) for each in context.lacking if context.project)


RULES: tuple[Rule, ...] = (
    bookable,
    cleared,
    in_the_future,
    length,
    granularity,
    advance,
    opening_hours,
    mode_offered,
    setup_posted,
    qualified,
    trained,
    operated,
    project_pays,
    person_in_one_place,
    not_too_late,
    within_limits,
    prime_time,
    not_blocked,
    kept_for_round,
    taken,
)
# What only a calendar has: of it nothing is said where nothing is booked by time.
OF_CALENDARS: frozenset[Rule] = frozenset({length, granularity, advance, opening_hours})
# Blocks by the centre (maintenance, engineering, closure) answer to time alone.
BLOCK_RULES: tuple[Rule, ...] = (in_the_future, block_length, block_has_no_user, kept_for_round, taken)


def check(wish: Wish, context: Context, rules: tuple[Rule, ...] = RULES) -> tuple[Refusal, ...]:
    """Every refusal of every rule, in the order of the list. Empty when the wish may be written."""
    left_out = OF_CALENDARS if context.rules.booking_mode != "time" else ()
    return tuple(refusal for rule in rules if rule not in left_out for refusal in rule(wish, context))


def is_time_taken(refusals: tuple[Refusal, ...]) -> bool:
    """Whether the only thing wrong is that somebody else has the time (status 409, and nothing else is)."""
    return bool(refusals) and all(refusal.code.startswith("time_taken") for refusal in refusals)
