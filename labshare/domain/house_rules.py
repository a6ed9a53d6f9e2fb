"""What the booking rules of a centre say of one wish, a function for each: they stand in RULES beside the others.

A manager may pass them with a reason (`override`), and the hours, lengths and raster of an instrument (bookings.py):
all but the level that a rule asks of a use outside opening hours, which is there for safety. What must not live here:
the rules as values (booking_rules.py), or how much of a limit is taken (services/house_rules.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from labshare.domain import modes
from labshare.domain.booking_rules import (
    DatedHours,
    Holder,
    LockWindow,
    MostBookings,
    MostMinutes,
    Posted,
    measure,
    most_of,
)
from labshare.domain.modes import is_run_by_staff
from labshare.domain.opening import DAY_MINUTES, OpeningHours, format_opening, open_spans
from labshare.domain.standing_rules import cut_off_hours, dated_hours, hours_on_dates, is_short_notice, overnight_level
from labshare.domain.timespan import MINUTE, Span, merged
from labshare.errors import Malformed, Param, Refusal

# Of a reason for passing these rules: so many words at least, so many signs at most.
LEAST_WORDS, LONGEST_REASON = 3, 300


class HouseRules(msgspec.Struct, frozen=True, kw_only=True):
    """The booking rules that hold for a wish, with what is known for them.

    `taken` is what the holder has of each limit besides, and `untold` names the limits of which who asks may not know
    that; `freed` is what of it the same call takes from them and has not given again yet, `stands` where a use stands
    that would move, whoever has it, `level` that of its person's qualification until its end.
    """

    rules: tuple[Posted, ...] = ()
    taken: Mapping[UUID, int] = {}
    untold: frozenset[UUID] = frozenset()
    freed: Mapping[UUID, int] = {}
    stands: Span | None = None
    level: int = 0


class Asked(modes.Asked, Protocol):
    """A wish."""

    @property
    def span(self) -> Span: ...
    @property
    def override(self) -> str: ...
    @property
    def operator_id(self) -> UUID | None: ...


class Hours(modes.Offering, Protocol):
    """What is always known of an instrument's hours."""

    @property
    def timezone(self) -> str: ...
    @property
    def opening(self) -> OpeningHours: ...
    @property
    def spans_closed_hours(self) -> bool: ...


class Known(Protocol):
    """The context of a wish."""

    @property
    def now(self) -> datetime: ...
    @property
    def house(self) -> HouseRules: ...
    @property
    def rules(self) -> Hours: ...
    @property
    def closed_dates(self) -> frozenset[date]: ...


def within_limits(wish: Asked, context: Known) -> tuple[Refusal, ...]:
    """Nobody has more ahead of them than the limits allow; a move is refused only for what it adds."""
    house = context.house
    return tuple(
        refusal
        for each in house.rules
        if not wish.override and not is_short_notice(house.rules, each.scope, wish.span.start, context.now)
        if (refusal := _over(each, house, wish.span, context.now))
    )


def _over(posted: Posted, house: HouseRules, span: Span, now: datetime) -> Refusal | None:
    rule = posted.rule
    if not isinstance(rule, MostBookings | MostMinutes) or posted.id not in house.taken:
        return None
    most = most_of(rule)
    taken, wished = house.taken[posted.id], measure(rule, span, now)
    if taken + wished <= most or wished <= house.freed.get(posted.id, 0):
        return None
    params: dict[str, Param] = {"holder": rule.holder.value, "rule_scope": posted.scope.kind.value}
    if rule.holder is Holder.ACCESS_CLASS or posted.id in house.untold:
        # What others have, companies among them, is not the business of who asks.
        return _over_untold(rule, params, wished)
    if isinstance(rule, MostBookings):
        return Refusal(code="rule_most_bookings", params={**params, "most": most, "taken": taken})
    minutes = {"most_minutes": most, "taken_minutes": taken, "wish_minutes": wished}
    return Refusal(code="rule_most_minutes", params={**params, **minutes})


def _over_untold(rule: MostBookings | MostMinutes, params: dict[str, Param], wished: int) -> Refusal:
    whose = "class" if rule.holder is Holder.ACCESS_CLASS else "others"
    if isinstance(rule, MostBookings):
        return Refusal(code=f"rule_most_bookings_{whose}", params={**params, "most": rule.most})
    minutes = {"most_minutes": rule.most_minutes, "wish_minutes": wished}
    return Refusal(code=f"rule_most_minutes_{whose}", params={**params, **minutes})


def not_too_late(wish: Asked, context: Known) -> tuple[Refusal, ...]:
    """What begins soon is no longer booked; a use that keeps its start may still change its end, or its person."""
    stands, hours = context.house.stands, cut_off_hours(context.house.rules)
    if wish.override or (stands and stands.start == wish.span.start):
        return ()
    if wish.span.start - context.now >= timedelta(hours=hours):
        return ()
    if wish.span.start < context.now:
        # It is refused as lying in the past.
        return ()
    return (Refusal(code="rule_cut_off", params={"hours": hours}),)


def not_locked(posted: tuple[Posted, ...], starts_at: datetime, now: datetime) -> tuple[Refusal, ...]:
    """Whether its user may still move or cancel a use that begins then."""
    hours = max((each.rule.hours for each in posted if isinstance(each.rule, LockWindow)), default=0)
    return (Refusal(code="rule_locked", params={"hours": hours}),) if starts_at - now < timedelta(hours=hours) else ()


def within_hours(wish: Asked, context: Known) -> tuple[Refusal, ...]:
    """A use lies inside one open segment. A long run may span closed hours, but starts and ends while it is open; and
    where a rule opens the closed hours to some, they alone use them, whether the run may be long or not. The staff are
    there while it is open: they begin and end then what they run, unless who manages their calendar has other word, or
    an operator is named, who answers for it at that hour. A reason passes hours where no rule asks for a level.
    """
    span, rules, house = wish.span, context.rules, context.house
    spans = _open_around(wish, context)
    if any(each.contains(span) for each in spans):
        return ()
    needed = overnight_level(house.rules)
    is_spanning = rules.spans_closed_hours and is_open(spans, span.start) and is_open(spans, span.end - MINUTE)
    by_staff = is_run_by_staff(wish, rules) and wish.operator_id is None
    if is_spanning and (needed is None or by_staff or house.level >= needed):
        return ()
    closed = () if is_spanning else _closed_on_dates(wish, context)
    if needed is None and wish.override:
        return ()
    if needed is None or closed:
        return closed or (Refusal(code="closed", params={"opening": format_opening(rules.opening)}),)
    if by_staff:
        refusal = Refusal(code="rule_staff_hours", params={"opening": format_opening(rules.opening)})
        return () if wish.override else (refusal,)
    if house.level >= needed:
        return ()
    return (Refusal(code="rule_overnight", params={"level": needed, "opening": format_opening(rules.opening)}),)


def is_outside_hours(wish: Asked, context: Known) -> bool:
    """Whether any minute of the use is closed."""
    return not any(each.contains(wish.span) for each in _open_around(wish, context))


def is_open(spans: list[Span], moment: datetime) -> bool:
    return any(span.start <= moment < span.end for span in spans)


def _open_around(wish: Asked, context: Known) -> list[Span]:
    rules, around = context.rules, wish.span.widened(DAY_MINUTES, DAY_MINUTES)
    dated = hours_on_dates(context.house.rules)
    spans = open_spans(rules.opening, around, rules.timezone, context.closed_dates, dated)
    if wish.override and dated:
        # Who passes the rules of single dates has the usual hours as well.
        spans = merged([*spans, *open_spans(rules.opening, around, rules.timezone, context.closed_dates)])
    return spans


def _closed_on_dates(wish: Asked, context: Known) -> tuple[Refusal, ...]:
    """What rules say of the dates on which the use begins and ends."""
    zone, dated = ZoneInfo(context.rules.timezone), dated_hours(context.house.rules)
    days = (moment.astimezone(zone).date() for moment in (wish.span.start, wish.span.end - MINUTE))
    said = {day: dated[day][0] for day in days if day in dated and not wish.override}
    return tuple(_closed_on(day, rule) for day, rule in said.items())


def _closed_on(day: date, rule: DatedHours) -> Refusal:
    params: dict[str, Param] = {"date": day.isoformat(), "name": rule.name}
    if not rule.hours.strip():
        return Refusal(code="closed_on_date", params=params)
    return Refusal(code="closed_on_date_hours", params={**params, "hours": rule.hours})


def reason_of(text: str) -> str:
    """A reason for passing the rules, in one line. Raises `Malformed` where it says too little or too much."""
    reason = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    if len(reason.split()) < LEAST_WORDS or len(reason) > LONGEST_REASON:
        raise Malformed("override_reason", field="override_reason", least=LEAST_WORDS, most=LONGEST_REASON)
    return reason
