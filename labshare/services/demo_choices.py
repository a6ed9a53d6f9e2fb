"""What the demo's people have chosen for themselves and their centres: rules of every reach with a use that passes one,
a safety course, a calendar to follow, when letters come, and time that is waited for wherever it comes free.

Each goes the way that people go. What must not live here: what any of it means (the services named below).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import msgspec

from labshare.domain.booking_rules import (
    Advance,
    BookingRule,
    Changeover,
    DatedHours,
    Holder,
    Length,
    LockWindow,
    MostMinutes,
    Overnight,
    PrimeLimit,
    Scope,
    ScopeKind,
)
from labshare.domain.bookings import Wish
from labshare.domain.notices import Mail, NoticeKind
from labshare.domain.people import Actor
from labshare.domain.projects import Project
from labshare.domain.qualifications import Demand, Level
from labshare.domain.timespan import MINUTE, Span
from labshare.domain.waitlist import WaitingEntry
from labshare.domain.windows import CENTRE_ZONE_NAME
from labshare.errors import Refused
from labshare.services import (
    booking_rules,
    bookings,
    calendars,
    feeds,
    free_times,
    notices,
    projects,
    qualifications,
    waitlist,
)
from labshare.store.engine import Connection

DAY = timedelta(days=1)
CENTRE, MAGNETOMETER, GROUP = "C-HUSP", "N007", "TEM"
READER, WAITS_FOR = "researcher.ims", "FESEM"
# Beyond what the magnetometer is booked ahead from now on, and within what it was.
AHEAD, MOST_AHEAD, TRIED = 9, 7, 8
# In place of what the registry says of it, in minutes; what has been booked stays as it is.
AFTER_EACH, LONGEST = 15, 6 * 60
REASON = "Đoàn đánh giá của bộ chỉ đến được ngày này"


class Cast(msgspec.Struct, frozen=True, kw_only=True):
    """Everybody by login, the managers by centre, and the project whose leader wants the magnetometer."""

    people: Mapping[str, Actor]
    managers: Mapping[str, Actor]
    project: Project


def make(db: Connection, cast: Cast, now: datetime) -> None:
    """Choose all of it."""
    manager, reader = cast.managers[CENTRE], cast.people[READER]
    _teach(db, manager, now)
    # Found before the rule holds that it passes.
    wanted = _wanted(db, cast.project, now)
    _rule(db, cast, manager, now)
    _pass(db, manager, wanted, now)
    feeds.create(db, reader, now)
    feeds.create(db, manager, now, centre_id=CENTRE)
    notices.choose(db, reader, {NoticeKind.BOOKING_MOVED: Mail.DAILY, NoticeKind.ROUND_PLACED: Mail.NEVER})
    _wait(db, reader, now)


def _teach(db: Connection, manager: Actor, now: datetime) -> None:
    """Everybody at the magnetometer has been to the safety course, which counts for two years; one stays at night."""
    _, held = qualifications.people_of(db, manager, MAGNETOMETER, now)
    logins = sorted(each.line.login for each in held if each.line.person_id != manager.person_id)
    for place, login in enumerate(logins):
        day = _today(now) - (30 + place % 90) * DAY
        qualifications.record_course(db, manager, MAGNETOMETER, login, day, now)
    qualifications.choose(db, manager, MAGNETOMETER, Demand(course_months=24), now)
    level = Level.OUTSIDE_HOURS
    for login in logins[:1]:
        qualifications.give(db, manager, MAGNETOMETER, login, level=level, until=None, now=now)


def _rule(db: Connection, cast: Cast, manager: Actor, now: datetime) -> None:
    """Rules of an instrument, of a centre and of a group."""
    saturday = _today(now) + (5 - _today(now).weekday()) % 7 * DAY + 5 * 7 * DAY
    of_centre: tuple[BookingRule, ...] = (
        LockWindow(hours=2),
        MostMinutes(holder=Holder.TEAM, most_minutes=120 * 60, within_days=28),
        DatedHours(name="Làm bù cho ngày nghỉ hoán đổi", first=saturday, last=saturday, hours="08:00-17:00"),
        DatedHours(name="Kiểm tra điện toàn khu", first=saturday + 4 * DAY, last=saturday + 4 * DAY),
        Changeover(cleanup_minutes=AFTER_EACH),
    )
    for rule in of_centre:
        booking_rules.post(db, manager, Scope(ScopeKind.CENTRE, CENTRE), rule, now)
    of_magnetometer = (Advance(days=MOST_AHEAD), Overnight(level=Level.OUTSIDE_HOURS), Length(most_minutes=LONGEST))
    for rule in of_magnetometer:
        booking_rules.post(db, manager, Scope(ScopeKind.INSTRUMENT, MAGNETOMETER), rule, now)
    prime = PrimeLimit(hours="Mon-Fri 08:00-17:00", day_minutes=6 * 60)
    booking_rules.post(db, cast.people["administrator"], Scope(ScopeKind.GROUP, GROUP), prime, now)


def _wanted(db: Connection, project: Project, now: datetime) -> list[Wish]:
    """What the leader of the project would have of the magnetometer, the nearest free times first."""
    rules, start = calendars.rules_of(db, MAGNETOMETER), now.replace(minute=0) + AHEAD * DAY
    wish = Wish(
        instrument_number=rules.number,
        span=Span(start, start + rules.min_minutes * MINUTE),
        person_id=project.pi_id,
        project_id=project.id,
        purpose="Đo mẫu đối chứng trước đoàn đánh giá",
        override=REASON,
    )
    near = free_times.suggest(db, wish, now, count=TRIED)
    return [msgspec.structs.replace(wish, span=span) for span in near if span.end > now + MOST_AHEAD * DAY]


def _pass(db: Connection, manager: Actor, wanted: list[Wish], now: datetime) -> None:
    """A manager books for somebody beyond what the centre lets others book ahead, and says why."""
    for wish in wanted:
        try:
            bookings.book(db, manager, wish, now)
        except Refused:
            # A clause or a share may say no where the calendar does not.
            continue
        return


def _wait(db: Connection, reader: Actor, now: datetime) -> None:
    """For three hours at whichever microscope of the kind comes free first."""
    project = projects.usable(db, reader, now)[0]
    entry = WaitingEntry(
        id=uuid4(), person_id=reader.person_id, project_id=project.id, capability_id=WAITS_FOR, minutes=180,
        from_date=_today(now) + 3 * DAY, until_date=_today(now) + 12 * DAY, created_at=now,
    )  # fmt: skip
    waitlist.join(db, reader, entry, now)


def _today(now: datetime) -> date:
    return now.astimezone(ZoneInfo(CENTRE_ZONE_NAME)).date()
