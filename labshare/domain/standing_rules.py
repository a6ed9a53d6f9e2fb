"""What the rules that a centre, its group and an instrument posted say together at that instrument.

What must not live here: the rules as values (booking_rules.py), or what they say of one wish (house_rules.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from math import lcm

import msgspec

from labshare.domain.booking_rules import (
    Advance,
    BookingRule,
    Changeover,
    CutOff,
    DatedHours,
    Granularity,
    Length,
    NeedsOperator,
    Overnight,
    Posted,
    Scope,
    ScopeKind,
    ShortNotice,
    Site,
    WeekHours,
    hours_of,
)
from labshare.domain.opening import Hours
from labshare.domain.registry import Instrument
from labshare.domain.registry_terms import BookingMode

# The fields of an instrument's row that rules may say in place of the registry.
LENGTHS = ("min_minutes", "max_minutes", "granularity_minutes")
POSTED = ("opening", *LENGTHS, "setup_minutes", "cleanup_minutes")


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


# ---------------------------------------------------------------- what an instrument's row holds


def said_of_row(posted: Iterable[Posted]) -> dict[str, tuple[object, Posted]]:
    """What these rules say in place of the registry, by the field of `Instrument`, each with the rule that counts:
    the narrower, then the later one.
    """
    ranks = list(ScopeKind)
    found: dict[str, tuple[object, Posted]] = {}
    for each in sorted(posted, key=lambda each: (ranks.index(each.scope.kind), each.since)):
        found |= {name: (value, each) for name, value in _fields(each.rule).items() if value is not None}
    return found


def _fields(rule: BookingRule) -> dict[str, object]:
    match rule:
        case WeekHours():
            return {"opening": rule.opening}
        case Length():
            return {"min_minutes": rule.least_minutes, "max_minutes": rule.most_minutes}
        case Granularity():
            return {"granularity_minutes": rule.minutes}
        case Changeover():
            return {"setup_minutes": rule.setup_minutes, "cleanup_minutes": rule.cleanup_minutes}
        case _:
            return {}


def in_force(registered: Instrument, posted: Iterable[Posted]) -> Instrument:
    """An instrument as it is booked: what the registry says of it, but for what these rules say.

    Lengths are made whole steps, the shortest longer and the longest shorter. That refuses nobody whom the raster does
    not refuse already, and a rule about the raster needs no other about lengths beside it.
    """
    said = said_of_row(at(posted, Site(registered.id, registered.centre_id, registered.capability_id)))
    if not said or registered.booking_mode is not BookingMode.TIME:
        return registered
    row = msgspec.structs.replace(registered, **{name: value for name, (value, _) in said.items()})
    return _in_whole_steps(row) if said.keys() & {*LENGTHS} else row


def _in_whole_steps(row: Instrument) -> Instrument:
    # Both ends of a use stand on the raster, which is never longer than an hour (`InstrumentRules.raster`).
    step = lcm(granularity := max(1, row.granularity_minutes), min(granularity, 60))
    shortest, longest = -(-row.min_minutes // step) * step, row.max_minutes // step * step
    return msgspec.structs.replace(row, min_minutes=shortest, max_minutes=longest)
