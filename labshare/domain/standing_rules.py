"""What the rules that a centre, its group and an instrument posted say together at that instrument.

What must not live here: the rules as values (booking_rules.py), or what they say of one wish (house_rules.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
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
    RowRule,
    Scope,
    ScopeKind,
    ShortNotice,
    Site,
    WeekHours,
    hours_of,
)
from labshare.domain.opening import Hours, OpeningHours
from labshare.domain.registry import Instrument
from labshare.domain.registry_terms import BookingMode
from labshare.domain.timespan import Span, next_minute
from labshare.errors import Malformed, Refusal, Refused

# The fields of an instrument's row that rules may say in place of the registry.
LENGTHS = ("min_minutes", "max_minutes", "granularity_minutes")
POSTED = ("opening", *LENGTHS, "setup_minutes", "cleanup_minutes")
_RANKS = list(ScopeKind)
HOUR = 60


def at(posted: Iterable[Posted], site: Site) -> tuple[Posted, ...]:
    """Those that hold at an instrument, in their order."""
    return tuple(each for each in posted if each.scope.holds(site))


def meets_hours(step: int) -> bool:
    """Whether a raster of so many minutes, 1 or more, has a start on each hour, or one hour in so many."""
    return HOUR % step == 0 or step % HOUR == 0


def require_new(rule: BookingRule, scope: Scope, posted: Iterable[Posted]) -> None:
    """What is asked of a rule that is posted beside those that stand, and not of one that stands already.

    Raises `Malformed` for a step whose raster would leave hardly a start near opening or on the hour, and `Refused` for
    a rule that holds already. Where the later of two counts, an earlier one that another stands over may come again.
    """
    if isinstance(rule, Granularity) and not meets_hours(rule.minutes):
        raise Malformed("booking_rule_step", field="minutes")
    alike = [each.rule for each in posted if each.scope == scope and _is_of_same(each.rule, rule)]
    if rule in (alike[-1:] if isinstance(rule, RowRule | DatedHours) else alike):
        raise Refused((Refusal(code="booking_rule_stands"),))


def _is_of_same(one: BookingRule, other: BookingRule) -> bool:
    """Whether two rules say something of the same: of the same days, or of the same field of an instrument's row."""
    if isinstance(one, DatedHours) and isinstance(other, DatedHours):
        return one.first <= other.last and other.first <= one.last
    said, others = ({name for name, value in _fields(each).items() if value is not None} for each in (one, other))
    return type(one) is type(other) and (not said or bool(said & others))


def dated_hours(posted: Iterable[Posted]) -> dict[date, tuple[DatedHours, Hours]]:
    """What these rules say of single dates: where two name the same one the narrower counts, then the later one."""
    found: dict[date, tuple[DatedHours, Hours]] = {}
    for each in _widest_first(posted):
        if isinstance(rule := each.rule, DatedHours):
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
        isinstance(each.rule, ShortNotice) and each.scope == scope and start - now <= timedelta(hours=each.rule.hours)
        for each in posted
    )


# ---------------------------------------------------------------- what an instrument's row holds


def said_of_row(posted: Iterable[Posted]) -> dict[str, tuple[object, Posted]]:
    """What these rules say in place of the registry, by the field of `Instrument`, each with the rule that counts:
    the narrower, then the later one.
    """
    found: dict[str, tuple[object, Posted]] = {}
    for each in _widest_first(posted):
        found |= {name: (value, each) for name, value in _fields(each.rule).items() if value is not None}
    return found


def _widest_first(posted: Iterable[Posted]) -> list[Posted]:
    """The last of those that say the same thing is the one that counts."""
    return sorted(posted, key=lambda each: (_RANKS.index(each.scope.kind), each.since))


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


def week_hours_over(registered: OpeningHours, posted: Sequence[Posted], span: Span) -> list[tuple[Span, OpeningHours]]:
    """The week's hours of each part of a span: those of the rules that stood then at one instrument, even if they have
    ended since, or what the registry says. What is posted today changes no report of last month.
    """
    moments = {span.start, span.end, *(next_minute(each.since) for each in posted)}
    moments |= {next_minute(each.until) for each in posted if each.until}
    edges = sorted(each for each in moments if span.start <= each <= span.end)
    return [
        (Span(start, end), _week_hours([each for each in posted if _stood(each, start)]) or registered)
        for start, end in pairwise(edges)
    ]


def _stood(posted: Posted, at: datetime) -> bool:
    return next_minute(posted.since) <= at and (posted.until is None or at < next_minute(posted.until))


def _week_hours(posted: Iterable[Posted]) -> OpeningHours | None:
    found = [each.rule.opening for each in _widest_first(posted) if isinstance(each.rule, WeekHours)]
    return found[-1] if found else None


def _in_whole_steps(row: Instrument) -> Instrument:
    # Both ends of a use stand on the raster, which is never longer than an hour (`InstrumentRules.raster`).
    step = lcm(granularity := max(1, row.granularity_minutes), min(granularity, 60))
    shortest, longest = -(-row.min_minutes // step) * step, row.max_minutes // step * step
    return msgspec.structs.replace(row, min_minutes=shortest, max_minutes=longest)
