"""Rules of courtesy: how far ahead, how much of the best hours, how late one may cancel (R20), and what it costs not to
come (R21).

Pure arithmetic over one person's bookings. What must not live here: the list of booking rules (bookings.py), which asks
these functions, or charging.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import date, datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from math import floor
from zoneinfo import ZoneInfo

import msgspec

from labshare.domain.opening import OpeningHours, format_opening, open_spans, parse_opening
from labshare.domain.timespan import MINUTE, Span, clipped, merged, shared_minutes
from labshare.domain.windows import Window, days_span, windows
from labshare.errors import Param, Refusal


class PrimeTime(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The hours that everybody wants, written like opening hours (`Mon-Fri 08:00-18:00`), on the clock of the centre.

    One person may have so many minutes of them on a day and in a week (Monday to Sunday). Public holidays have none.
    """

    hours: str
    day_minutes: int | None = None
    week_minutes: int | None = None

    @property
    def opening(self) -> OpeningHours:
        """The hours as a pattern. Raises `Malformed` for what cannot be read."""
        return _opening(self.hours)


@lru_cache(maxsize=256)
def _opening(hours: str) -> OpeningHours:
    return parse_opening(hours)


class Penalties(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """R21: who has not come `late_minutes` after the start pays `no_show_charge` of the price and has a strike.

    `strikes` of them within `within_days` bar a person from booking for `block_days` from the last of them. With
    `late_cancel`, who gives time back later than `notice_hours` before its start has a strike as well.
    """

    no_show_charge: Fraction = Fraction(1)
    late_minutes: int = 30
    strikes: int = 3
    within_days: int = 90
    block_days: int = 14
    late_cancel: bool = False


class Courtesy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """R20: each limit that is given holds beside those of the instrument. `notice_hours` is for cancelling."""

    advance_days: int | None = None
    least_minutes: int | None = None
    notice_hours: int | None = None
    prime: PrimeTime | None = None
    penalties: Penalties | None = None


# ---------------------------------------------------------------- prime time (R20)


class Per(StrEnum):
    """What a limit of prime time is counted in: a local day, or a week from Monday to Sunday."""

    DAY = "day"
    WEEK = "week"


class Excess(msgspec.Struct, frozen=True, kw_only=True):
    """A wish that takes more prime time than one person may have in a day or a week. All in minutes."""

    per: Per
    limit: int
    taken: int
    wished: int


def prime_spans(prime: PrimeTime, span: Span, timezone: str, closed: Collection[date] = ()) -> list[Span]:
    """The prime time inside the span. `closed` are the public holidays around it."""
    return clipped(open_spans(prime.opening, span, timezone, closed), span)


def excesses(
    prime: PrimeTime, wish: Span, others: Iterable[Span], timezone: str, closed: Collection[date] = ()
) -> list[Excess]:
    """Every day and week in which the wish, with the person's other bookings, goes over the limit.

    `others` are those of the weeks that the wish touches. A wish without prime time is never over.
    """
    mine = merged(others)
    found: list[Excess] = []
    for per, limit, around in _limits(prime, wish, timezone):
        best = prime_spans(prime, around, timezone, closed)
        wished = shared_minutes(best, [wish])
        if wished and (taken := shared_minutes(best, mine)) + wished > limit:
            found.append(Excess(per=per, limit=limit, taken=taken, wished=wished))
    return found


def cut(
    prime: PrimeTime, wish: Span, others: Iterable[Span], timezone: str, closed: Collection[date] = ()
) -> Span | None:
    """R20: the longest beginning of the wish that keeps the limits; None when not a minute of it does."""
    mine = merged(others)
    end = wish.end
    for _, limit, around in _limits(prime, wish, timezone):
        best = prime_spans(prime, around, timezone, closed)
        end = min(end, _used_up(clipped(best, wish), limit - shared_minutes(best, mine)) or end)
    return Span(wish.start, end) if end > wish.start else None


def refused_prime(prime: PrimeTime, excess: Excess, kept_until: datetime | None) -> Refusal:
    """R20 as a no that says what can be had: until when the wish may last, or that nothing of it is left."""
    params: dict[str, Param] = {
        "opening": format_opening(prime.opening),
        "limit_minutes": excess.limit,
        "taken_minutes": excess.taken,
        "wish_minutes": excess.wished,
    }
    if kept_until is None and excess.per is Per.DAY:
        return Refusal(code="courtesy_prime_day_full", params=params)
    if kept_until is None:
        return Refusal(code="courtesy_prime_week_full", params=params)
    params["until"] = kept_until.isoformat()
    if excess.per is Per.DAY:
        return Refusal(code="courtesy_prime_day", params=params)
    return Refusal(code="courtesy_prime_week", params=params)


def refused_prime_of_another(prime: PrimeTime, excess: Excess) -> Refusal:
    """The same to who books for somebody else: not how much of it they have, nor what is left, which says as much."""
    code = "courtesy_prime_day_others" if excess.per is Per.DAY else "courtesy_prime_week_others"
    opening = format_opening(prime.opening)
    params: dict[str, Param] = {
        "opening": opening, "limit_minutes": excess.limit, "wish_minutes": excess.wished,
    }  # fmt: skip
    return Refusal(code=code, params=params)


def _used_up(parts: Iterable[Span], left: int) -> datetime | None:
    """When these parts have lasted so many minutes; None when they are shorter."""
    for part in parts:
        if part.minutes > left:
            return part.start + max(0, left) * MINUTE
        left -= part.minutes
    return None


def _limits(prime: PrimeTime, span: Span, timezone: str) -> Iterator[tuple[Per, int, Span]]:
    """Each limit with each day or week that the span touches."""
    if prime.day_minutes is not None:
        yield from ((Per.DAY, prime.day_minutes, day) for day in _days(span, timezone))
    if prime.week_minutes is not None:
        yield from ((Per.WEEK, prime.week_minutes, week) for week in windows(Window.WEEK, span, timezone))


def _days(span: Span, timezone: str) -> Iterator[Span]:
    zone = ZoneInfo(timezone)
    day = span.start.astimezone(zone).date()
    while (whole := days_span(day, day + timedelta(days=1), timezone)).start < span.end:
        yield whole
        day += timedelta(days=1)


def weeks_around(span: Span, timezone: str) -> Span:
    """The whole weeks that the span touches: a person's bookings in them are what `excesses` asks for."""
    weeks = windows(Window.WEEK, span, timezone)
    return Span(weeks[0].start, weeks[-1].end)


# ---------------------------------------------------------------- notice, and not coming


def is_late_notice(courtesy: Courtesy, starts_at: datetime, now: datetime) -> bool:
    """R20: whether somebody who gives the time back now does so later than the notice that was asked for."""
    return courtesy.notice_hours is not None and starts_at - now < timedelta(hours=courtesy.notice_hours)


def is_no_show(penalties: Penalties, starts_at: datetime, came_at: datetime | None, now: datetime) -> bool:
    """R21: whether nobody had come by the end of the grace, which is over now."""
    latest = starts_at + penalties.late_minutes * MINUTE
    return now > latest and (came_at is None or came_at > latest)


def no_show_charge(penalties: Penalties, price: int) -> int:
    """R21: whole VND for a booking of this price to which nobody came, rounded half up."""
    return floor(penalties.no_show_charge * price + Fraction(1, 2))


def lately(penalties: Penalties, struck: Iterable[datetime], now: datetime) -> list[datetime]:
    """R21: the strikes that count with one of this moment, the first before the rest."""
    return sorted(at for at in struck if at <= now and now - at < timedelta(days=penalties.within_days))


def blocked_until(penalties: Penalties, struck: Iterable[datetime], now: datetime) -> datetime | None:
    """R21: until when a person with these strikes may not book; None when they may.

    A strike bars when it is the last of so many within so many days, itself counted; the longest bar holds.
    """
    known = sorted(at for at in struck if at <= now)
    within, block = timedelta(days=penalties.within_days), timedelta(days=penalties.block_days)
    until = max(
        (
            last + block
            for first, last in zip(known, known[penalties.strikes - 1 :], strict=False)
            if last - first < within
        ),
        default=None,
    )
    return until if until is not None and until > now else None
