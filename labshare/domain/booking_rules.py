"""Rules of booking that a centre posts by itself, without an agreement: small values, each with its scope (one
instrument, one centre, or a group: all instruments of one capability).

A rule is never edited: it is ended, and another is posted. What must not live here: what the rules say of one wish
(house_rules.py), limits that stand in an instrument's own row (bookings.py), or clauses of agreements (courtesy.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from labshare.domain.courtesy import Courtesy, Penalties, PrimeTime
from labshare.domain.opening import Hours, format_opening, parse_opening
from labshare.domain.qualifications import Level
from labshare.domain.timespan import Span
from labshare.errors import Malformed, Param


class Site(NamedTuple):
    """An instrument, as the scope of a rule reads it."""

    instrument_id: str
    centre_id: str
    capability_id: str


class ScopeKind(StrEnum):
    """How far a rule reaches, the widest first: where two say different hours of a date, the narrower one counts."""

    CENTRE = "centre"
    GROUP = "group"
    INSTRUMENT = "instrument"


class Scope(msgspec.Struct, frozen=True):
    """One instrument, all of a centre, or all of one capability, by its code."""

    kind: ScopeKind
    id: str

    def holds(self, site: Site) -> bool:
        ids = {
            ScopeKind.INSTRUMENT: site.instrument_id,
            ScopeKind.CENTRE: site.centre_id,
            ScopeKind.GROUP: site.capability_id,
        }
        return ids[self.kind] == self.id


class Holder(StrEnum):
    """Who may have no more than a limit says: a person, a project's team, an organisation, or a whole access class."""

    PERSON = "person"
    TEAM = "team"
    ORGANISATION = "organisation"
    ACCESS_CLASS = "access_class"


class _Rule(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True, omit_defaults=True
):
    pass


class MostBookings(_Rule, frozen=True, kw_only=True, tag="most_bookings"):
    """So many uses that have not ended yet; with `within_days`, of those that begin within so many days from now."""

    holder: Holder
    most: int
    within_days: int | None = None


class MostMinutes(_Rule, frozen=True, kw_only=True, tag="most_minutes"):
    """So many minutes of uses that have not ended yet, each counted whole."""

    holder: Holder
    most_minutes: int
    within_days: int | None = None


class CutOff(_Rule, frozen=True, kw_only=True, tag="cut_off"):
    """Nothing is booked, or moved to a start, that is sooner than so many hours from now."""

    hours: int


class Advance(_Rule, frozen=True, kw_only=True, tag="advance"):
    """Nothing is booked that ends later than so many days from now; an instrument's own limit may be nearer."""

    days: int


class LockWindow(_Rule, frozen=True, kw_only=True, tag="lock_window"):
    """Within so many hours of its start a use is moved or cancelled by the managers alone."""

    hours: int


class PrimeLimit(_Rule, frozen=True, kw_only=True, tag="prime_limit"):
    """So much of the best hours for one person on a day and in a week, as in an agreement (R20)."""

    hours: str
    day_minutes: int | None = None
    week_minutes: int | None = None

    @property
    def prime(self) -> PrimeTime:
        return PrimeTime(hours=self.hours, day_minutes=self.day_minutes, week_minutes=self.week_minutes)


class ShortNotice(_Rule, frozen=True, kw_only=True, tag="short_notice"):
    """What begins within so many hours from now is refused by no limit of the same scope: of bookings, of minutes, of
    prime time. It counts like any other use for what is booked later.
    """

    hours: int


class DatedHours(_Rule, frozen=True, kw_only=True, tag="dated_hours"):
    """Other hours from one local date to another (`08:00-12:00`), or none: then these days are closed.

    They stand in place of the week's pattern and of public holidays, so a Saturday worked in lieu has the hours given.
    """

    name: str
    first: date
    last: date
    hours: str = ""


class Overnight(_Rule, frozen=True, kw_only=True, tag="overnight"):
    """A use that lies outside opening hours, or spans closed ones, is for those whose qualification has this level."""

    level: int


class NeedsOperator(_Rule, frozen=True, kw_only=True, tag="needs_operator"):
    """A use that the staff run or help with names its operator."""


class NoShows(_Rule, frozen=True, kw_only=True, tag="no_shows"):
    """Who did not come to so many uses within so many days books nothing here for `block_days` from the start of the
    last of them, as in an agreement (R21), but at no price. Nobody came who had not `late_minutes` after the start.
    """

    strikes: int
    within_days: int
    block_days: int
    late_minutes: int = 30

    @property
    def penalties(self) -> Penalties:
        return Penalties(
            no_show_charge=Fraction(0),
            late_minutes=self.late_minutes,
            strikes=self.strikes,
            within_days=self.within_days,
            block_days=self.block_days,
        )


Limit = MostBookings | MostMinutes
BookingRule = (
    Limit | CutOff | Advance | LockWindow | PrimeLimit | ShortNotice | DatedHours | Overnight | NeedsOperator | NoShows
)
KINDS: tuple[type[BookingRule], ...] = (
    MostBookings,
    MostMinutes,
    CutOff,
    Advance,
    LockWindow,
    PrimeLimit,
    ShortNotice,
    DatedHours,
    Overnight,
    NeedsOperator,
    NoShows,
)


class Posted(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as it was posted: where it holds, since when and by whom, and until when (None while it stands)."""

    id: UUID
    scope: Scope
    rule: BookingRule
    since: datetime
    posted_by_id: UUID | None = None
    until: datetime | None = None
    ended_by_id: UUID | None = None


def kind_of(rule: BookingRule) -> str:
    return str(type(rule).__struct_config__.tag)


def params_of(rule: BookingRule) -> dict[str, Any]:
    """The rule without its kind, as JSON keeps it."""
    return {name: value for name, value in msgspec.to_builtins(rule).items() if name != "kind"}


def read(kind: str, params: Mapping[str, Any]) -> BookingRule:
    """The rule behind a kind and its parameters. Raises `Malformed` with the `field` at fault."""
    try:
        rule = msgspec.convert({**params, "kind": kind}, BookingRule)
    except msgspec.ValidationError:
        raise Malformed("booking_rule_unreadable", field=kind) from None
    require_sound(rule)
    return rule


# ---------------------------------------------------------------- what a rule may be

_MOST: dict[str, int] = {
    "most": 10_000,
    "most_minutes": 1_000_000,
    "within_days": 366,
    "hours": 24 * 92,
    "days": 366,
    "day_minutes": 24 * 60,
    "week_minutes": 7 * 24 * 60,
    "level": max(Level),
    "strikes": 99,
    "block_days": 366,
    "late_minutes": 24 * 60,
}
LONGEST_NAME, LONGEST_DAYS = 120, 366


def require_sound(rule: BookingRule) -> None:
    """Raises `Malformed` with the `field` that makes no rule: a length of nothing, hours that cannot be read."""
    for field in rule.__struct_fields__:
        value, most = getattr(rule, field), _MOST.get(field)
        if isinstance(value, int) and most is not None and not 1 <= value <= most:
            raise Malformed("booking_rule_range", field=field, least=1, most=most)
    if isinstance(rule, PrimeLimit):
        _require_prime(rule)
    if isinstance(rule, DatedHours):
        _require_dates(rule)


def _require_prime(rule: PrimeLimit) -> None:
    if parse_opening(rule.hours).is_never:
        raise Malformed("booking_rule_empty", field="hours")
    if rule.day_minutes is None and rule.week_minutes is None:
        raise Malformed("booking_rule_empty", field="day_minutes")


def _require_dates(rule: DatedHours) -> None:
    if not rule.name.strip():
        raise Malformed("booking_rule_empty", field="name")
    if len(rule.name) > LONGEST_NAME or not rule.name.isprintable():
        raise Malformed("booking_rule_unreadable", field="name")
    if not timedelta(0) <= rule.last - rule.first < timedelta(days=LONGEST_DAYS):
        raise Malformed("booking_rule_dates", field="last", most=LONGEST_DAYS)
    hours_of(rule)


def hours_of(rule: DatedHours) -> Hours:
    """The hours of each of its days; none where they are closed. Raises `Malformed`."""
    return parse_opening(f"daily {rule.hours}").days[0] if rule.hours.strip() else ()


def told(rule: BookingRule) -> tuple[str, dict[str, Param]]:
    """What a rule says: the key of its sentence (`booking_rule.<key>`) and what the sentence names."""
    params = {name: value for name, value in params_of(rule).items() if value is not None}
    key = kind_of(rule)
    match rule:
        case MostBookings() | MostMinutes() if rule.within_days is not None:
            key += "_within"
        case PrimeLimit():
            params["opening"] = format_opening(rule.prime.opening)
            key += ("" if rule.day_minutes is None else "_day") + ("" if rule.week_minutes is None else "_week")
        case NoShows():
            params["late_minutes"] = rule.late_minutes
        case DatedHours():
            key += ("_closed" if not rule.hours.strip() else "") + ("_day" if rule.first == rule.last else "")
        case _:
            pass
    return key, params


# ---------------------------------------------------------------- what stands at one instrument


def at(posted: Iterable[Posted], site: Site) -> tuple[Posted, ...]:
    """Those that hold at an instrument, in their order."""
    return tuple(each for each in posted if each.scope.holds(site))


def dated_hours(posted: Iterable[Posted]) -> dict[date, tuple[DatedHours, Hours]]:
    """What these rules say of single dates: where two name the same one the narrower counts, then the later one."""
    ranks = list(ScopeKind)
    dated = [(ranks.index(each.scope.kind), each.since, each.rule) for each in posted]
    found: dict[date, tuple[DatedHours, Hours]] = {}
    for _, _, rule in sorted(dated, key=lambda each: each[:2]):
        if isinstance(rule, DatedHours):
            hours = hours_of(rule)
            for ahead in range((rule.last - rule.first).days + 1):
                found[rule.first + timedelta(days=ahead)] = rule, hours
    return found


def hours_on_dates(posted: Iterable[Posted]) -> dict[date, Hours]:
    """The hours of single dates, as `open_spans` takes them."""
    return {day: hours for day, (_, hours) in dated_hours(posted).items()}


def overnight_level(posted: Iterable[Posted]) -> int | None:
    """The level that a use outside opening hours needs; None where no rule opens them to anybody."""
    return max((each.rule.level for each in posted if isinstance(each.rule, Overnight)), default=None)


def needs_operator(posted: Iterable[Posted]) -> bool:
    """Whether a use that needs the staff must name its operator."""
    return any(isinstance(each.rule, NeedsOperator) for each in posted)


def courtesy_of(rule: BookingRule) -> Courtesy | None:
    """The clause of courtesy that a rule would be in an agreement; None for what is none."""
    match rule:
        case PrimeLimit():
            return Courtesy(prime=rule.prime)
        case NoShows():
            return Courtesy(penalties=rule.penalties)
        case _:
            return None


def cut_off_hours(posted: Iterable[Posted]) -> int:
    """How many hours ahead a use must be booked; 0 where no rule says so."""
    return max((each.rule.hours for each in posted if isinstance(each.rule, CutOff)), default=0)


def furthest_days(posted: Iterable[Posted]) -> int | None:
    """How many days ahead a use must be over; None where no rule says so."""
    return min((each.rule.days for each in posted if isinstance(each.rule, Advance)), default=None)


def is_short_notice(posted: Iterable[Posted], scope: Scope, start: datetime, now: datetime) -> bool:
    """Whether a use that begins then is free of the limits of a scope."""
    return any(
        each.scope == scope and isinstance(each.rule, ShortNotice) and start - now <= timedelta(hours=each.rule.hours)
        for each in posted
    )


def most_of(rule: Limit) -> int:
    """What a limit allows: uses, or minutes."""
    return rule.most if isinstance(rule, MostBookings) else rule.most_minutes


def measure(rule: Limit, span: Span, now: datetime) -> int:
    """What a use counts under a limit: one, or its minutes; nothing where it begins beyond the limit's days."""
    if rule.within_days is not None and span.start >= now + timedelta(days=rule.within_days):
        return 0
    return 1 if isinstance(rule, MostBookings) else span.minutes
