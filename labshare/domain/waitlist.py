"""The waitlist: who waits for time on an instrument or a capability, in which order a freed slot is offered, until when
an offer stands, and where in the freed time a use may begin.

The order in one sentence: a freed slot goes first to whoever has passed on the fewest offers, then to whoever has had
the least time on the instrument in `RECENT_DAYS` days, then to whoever has waited longest. What must not live here:
holds and letters (services/waitlist.py), or whether somebody may book (domain/bookings.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from labshare.domain.availability import starts_of_day
from labshare.domain.bookings import InstrumentRules
from labshare.domain.opening import DAY_MINUTES
from labshare.domain.timespan import MINUTE, Span, intersection
from labshare.domain.windows import CENTRE_ZONE_NAME
from labshare.errors import Malformed

# Whose use counts when a slot is divided: that of these days before, and what lies ahead.
RECENT_DAYS = 90
# An open entry holds nobody up, but one person's many would make a lottery of the list.
MOST_ENTRIES, MOST_DAYS = 10, 92
# So long an offer stands, in minutes of the day; nobody is asked to answer between NIGHT and MORNING.
ANSWER_MINUTES = 120
NIGHT, MORNING = time(22), time(6)
# A slot that begins sooner is offered to nobody, and an offer ends so long before its slot begins.
LEAST_NOTICE_MINUTES, LAST_ANSWER_MINUTES = 60, 30


class WaitingState(StrEnum):
    """Where an entry stands. `offered` is while a hold stands for it; one that was passed on waits again."""

    WAITING = "waiting"
    OFFERED = "offered"
    TAKEN = "taken"
    LEFT = "left"


OPEN = frozenset({WaitingState.WAITING, WaitingState.OFFERED})


class WaitingEntry(msgspec.Struct, frozen=True, kw_only=True):
    """That a person waits for a use of `minutes`, of one instrument or of any with one capability.

    The use lies on one of the local days `from_date` to `until_date`, both included, between two minutes of the day;
    without `until` it may go on beyond midnight. `passed` counts offers that were declined or not answered;
    `booking_id` is the hold of the offer that stands, or what became of it.
    """

    id: UUID
    person_id: UUID
    project_id: UUID
    instrument_number: int | None = None
    capability_id: str | None = None
    minutes: int
    from_date: date
    until_date: date
    since: int = 0
    until: int | None = None
    state: WaitingState = WaitingState.WAITING
    passed: int = 0
    booking_id: UUID | None = None
    created_at: datetime


def require_sound(entry: WaitingEntry, now: datetime) -> None:
    """Raises `Malformed` for days or hours in which no use of that length can lie."""
    if entry.until_date < max(entry.from_date, today(now)):
        raise Malformed("waitlist_days_over")
    if (entry.until_date - entry.from_date).days >= MOST_DAYS:
        raise Malformed("waitlist_too_long", days=MOST_DAYS)
    if entry.minutes < 1 or (entry.until or DAY_MINUTES) - entry.since < (entry.minutes if entry.until else 1):
        raise Malformed("waitlist_hours_too_short")


def today(now: datetime) -> date:
    """The local date, after which an entry whose last day it was is over."""
    return now.astimezone(ZoneInfo(CENTRE_ZONE_NAME)).date()


# ---------------------------------------------------------------- in which order


def in_order(entries: Iterable[WaitingEntry], used: Mapping[UUID, int]) -> list[WaitingEntry]:
    """The entries as a slot is offered to them. `used` are minutes by person; who is not in it has had none."""
    return sorted(entries, key=lambda each: (each.passed, used.get(each.person_id, 0), each.created_at, each.id.int))


# ---------------------------------------------------------------- where it fits


def starts_in(
    entry: WaitingEntry, freed: Span, rules: InstrumentRules, minutes: int, now: datetime
) -> tuple[Span, ...]:
    """The starts of uses of `minutes` that take some of the freed time, when and as late as the entry wants them.

    Freed time may be longer with what was free beside it: a use need not lie inside. Whatever else occupies the
    instrument is not looked at.
    """
    first = freed.start - (minutes + rules.cleanup_minutes - 1) * MINUTE
    around = Span(first, freed.end + rules.setup_minutes * MINUTE)
    soonest = earliest_start(now, rules.timezone)
    if soonest >= around.end:
        return ()
    around = Span(max(around.start, soonest), around.end)
    days = (
        starts_of_day(day, rules.timezone, minutes, entry.since, entry.until)
        for day in _days(around, rules.timezone)
        if entry.from_date <= day <= entry.until_date
    )
    return tuple(found for each in days if each is not None and (found := intersection(each, around)) is not None)


def _days(span: Span, timezone: str) -> list[date]:
    zone = ZoneInfo(timezone)
    first, last = span.start.astimezone(zone).date(), (span.end - MINUTE).astimezone(zone).date()
    return [first + timedelta(days=each) for each in range((last - first).days + 1)]


# ---------------------------------------------------------------- until when an offer stands


def earliest_start(now: datetime, timezone: str) -> datetime:
    """The first whole minute at which a slot may begin that is offered now."""
    earliest = _after_daytime(now, LEAST_NOTICE_MINUTES, timezone)
    return earliest if not (earliest.second or earliest.microsecond) else _whole(earliest) + MINUTE


def answer_by(starts_at: datetime, now: datetime, timezone: str) -> datetime:
    """Until when an offer made now stands: two hours of the day, or less when its slot begins soon."""
    return min(_whole(_after_daytime(now, ANSWER_MINUTES, timezone)), starts_at - LAST_ANSWER_MINUTES * MINUTE)


def _after_daytime(moment: datetime, minutes: int, timezone: str) -> datetime:
    """When so many minutes have passed, those of the night not counted."""
    local = moment.astimezone(ZoneInfo(timezone))
    if local.time() < MORNING:
        local = _at(local, MORNING)
    elif local.time() >= NIGHT:
        local = _at(local + timedelta(days=1), MORNING)
    left = _at(local, NIGHT) - local
    wait = minutes * MINUTE
    after = local + wait if wait <= left else _at(local + timedelta(days=1), MORNING) + (wait - left)
    return after.astimezone(UTC)


def _at(local: datetime, clock: time) -> datetime:
    return datetime.combine(local.date(), clock, local.tzinfo)


def _whole(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
