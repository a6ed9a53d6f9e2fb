"""Rules of booking that a centre posts by itself, without an agreement: small values, each with its scope (one
instrument, one centre, or a group: all instruments of one capability).

A rule is never edited: it is ended, and another is posted. What must not live here: what the rules say of one wish
(house_rules.py), what those that stand say together (standing_rules.py), or clauses of agreements (courtesy.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from labshare.domain.courtesy import Courtesy, Penalties, PrimeTime
from labshare.domain.opening import Hours, OpeningHours, format_opening, parse_opening
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


class WeekHours(_Rule, frozen=True, kw_only=True, tag="week_hours"):
    """The hours of a week, as `Mon-Fri 08:00-17:00; Sat 08:00-12:00`, in place of those of the registry."""

    hours: str

    @property
    def opening(self) -> OpeningHours:
        return parse_opening(self.hours)


class Length(_Rule, frozen=True, kw_only=True, tag="length"):
    """How long a use is at least, or at most, or both, in place of what the registry says."""

    least_minutes: int | None = None
    most_minutes: int | None = None


class Granularity(_Rule, frozen=True, kw_only=True, tag="granularity"):
    """A use is whole steps of so many minutes long and begins on the raster of them, in place of the registry's."""

    minutes: int


class Changeover(_Rule, frozen=True, kw_only=True, tag="changeover"):
    """What is kept before a use to set up, or after it to clean up, or both, in place of what the registry says."""

    setup_minutes: int | None = None
    cleanup_minutes: int | None = None


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
# Which an instrument's own row holds while they stand, so that whoever reads the row reads them.
RowRule = WeekHours | Length | Granularity | Changeover
BookingRule = (
    Limit
    | CutOff
    | Advance
    | LockWindow
    | PrimeLimit
    | ShortNotice
    | DatedHours
    | RowRule
    | Overnight
    | NeedsOperator
    | NoShows
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
    WeekHours,
    Length,
    Granularity,
    Changeover,
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
    "least_minutes": 92 * 24 * 60,
    "minutes": 24 * 60,
    "setup_minutes": 7 * 24 * 60,
    "cleanup_minutes": 7 * 24 * 60,
}
# Where a wider rule keeps time around each use, a narrower one may keep none.
_MAY_BE_NOTHING = frozenset({"setup_minutes", "cleanup_minutes"})
LONGEST_NAME, LONGEST_DAYS = 120, 366


def require_sound(rule: BookingRule) -> None:
    """Raises `Malformed` with the `field` that makes no rule: a length of nothing, hours that cannot be read."""
    for field in rule.__struct_fields__:
        value, most = getattr(rule, field), _MOST.get(field)
        least = 0 if field in _MAY_BE_NOTHING else 1
        if isinstance(value, int) and most is not None and not least <= value <= most:
            if field.endswith("minutes"):
                raise Malformed("booking_rule_range_length", field=field, least_minutes=least, most_minutes=most)
            raise Malformed("booking_rule_range", field=field, least=least, most=most)
    match rule:
        case PrimeLimit():
            _require_prime(rule)
        case DatedHours():
            _require_dates(rule)
        case WeekHours() if rule.opening.is_never:
            raise Malformed("booking_rule_no_hours", field="hours")
        case Length():
            _require_length(rule)
        case Changeover(setup_minutes=None, cleanup_minutes=None):
            raise Malformed("booking_rule_no_changeover", field="setup_minutes")
        case _:
            pass


def _require_prime(rule: PrimeLimit) -> None:
    if parse_opening(rule.hours).is_never:
        raise Malformed("booking_rule_no_hours", field="hours")
    if rule.day_minutes is None and rule.week_minutes is None:
        raise Malformed("booking_rule_no_share", field="day_minutes")


def _require_dates(rule: DatedHours) -> None:
    if not rule.name.strip() or len(rule.name) > LONGEST_NAME or not rule.name.isprintable():
        raise Malformed("booking_rule_name", field="name", most=LONGEST_NAME)
    if not timedelta(0) <= rule.last - rule.first < timedelta(days=LONGEST_DAYS):
        raise Malformed("booking_rule_dates", field="last", most=LONGEST_DAYS)
    hours_of(rule)


def _require_length(rule: Length) -> None:
    if rule.least_minutes is None and rule.most_minutes is None:
        raise Malformed("booking_rule_no_bounds", field="least_minutes")
    if rule.least_minutes is not None and rule.most_minutes is not None and rule.most_minutes < rule.least_minutes:
        raise Malformed("booking_rule_reversed", field="most_minutes")


def hours_of(rule: DatedHours) -> Hours:
    """The hours of each of its days; none where they are closed. Raises `Malformed`."""
    try:
        return parse_opening(f"daily {rule.hours}").days[0] if rule.hours.strip() else ()
    except Malformed as fault:
        # Nobody wrote the word that makes a week of them.
        raise Malformed(fault.code, part=rule.hours) from None


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
        case WeekHours():
            params["opening"] = format_opening(rule.opening)
        case Length():
            key += ("" if rule.least_minutes is None else "_least") + ("" if rule.most_minutes is None else "_most")
        case Changeover():
            key += ("" if rule.setup_minutes is None else "_setup") + (
                "" if rule.cleanup_minutes is None else "_cleanup"
            )
        case DatedHours():
            key += ("_closed" if not rule.hours.strip() else "") + ("_day" if rule.first == rule.last else "")
        case _:
            pass
    return key, params


def courtesy_of(rule: BookingRule) -> Courtesy | None:
    """The clause of courtesy that a rule would be in an agreement; None for what is none."""
    match rule:
        case PrimeLimit():
            return Courtesy(prime=rule.prime)
        case NoShows():
            return Courtesy(penalties=rule.penalties)
        case _:
            return None


def most_of(rule: Limit) -> int:
    """What a limit allows: uses, or minutes."""
    return rule.most if isinstance(rule, MostBookings) else rule.most_minutes


def measure(rule: Limit, span: Span, now: datetime) -> int:
    """What a use counts under a limit: one, or its minutes; nothing where it begins beyond the limit's days."""
    if rule.within_days is not None and span.start >= now + timedelta(days=rule.within_days):
        return 0
    return 1 if isinstance(rule, MostBookings) else span.minutes
