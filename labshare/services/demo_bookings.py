"""What people of the demo do with bookings beside everyday use: a centre posts its rules, somebody books every week,
and waits for time that another gives back.

Each goes the way that people go. What must not live here: what any of it means (booking_rules.py, series.py,
waitlist.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import msgspec

from labshare.domain.booking_rules import (
    BookingRule,
    CutOff,
    Holder,
    MostBookings,
    NoShows,
    Scope,
    ScopeKind,
    ShortNotice,
)
from labshare.domain.bookings import MOVABLE, Booking, BookingKind, InstrumentRules, Wish
from labshare.domain.people import Actor
from labshare.domain.projects import Project
from labshare.domain.series import Conflicts, Frequency, Repeat
from labshare.domain.waitlist import WaitingEntry
from labshare.errors import Malformed, Refused
from labshare.services import booking_rules, bookings, free_times, series, ticking, waitlist
from labshare.services.freeing import FREED
from labshare.store.engine import Connection

# Of so many weeks at least so many can be had, or it would be no series to look at.
SOON, WEEKS, LEAST_WEEKS = timedelta(hours=20), 4, 2
# What C-IMSKL asks of bookings, an example: nobody has more than so many ahead, and none comes at the last minute.
RULES: tuple[BookingRule, ...] = (
    MostBookings(holder=Holder.PERSON, most=12),
    CutOff(hours=1),
    ShortNotice(hours=24),
    NoShows(strikes=3, within_days=90, block_days=14),
)


class User(msgspec.Struct, frozen=True):
    """Somebody who books on account of a project."""

    actor: Actor
    project: Project


def post_rules(db: Connection, manager: Actor, centre_id: str, now: datetime) -> None:
    """The manager posts what the centre asks of bookings; what stands already is left alone."""
    for rule in RULES:
        booking_rules.post(db, manager, Scope(ScopeKind.CENTRE, centre_id), rule, now)


def repeat_weekly(db: Connection, user: User, sites: Iterable[InstrumentRules], purpose: str, now: datetime) -> None:
    """The user books the same hours of some weeks on the first instrument that lets them, without what is taken."""
    for rules in sites:
        slot = free_times.next_free(db, user.actor.person_id, rules.number, 2 * rules.min_minutes, now + SOON)
        if slot is None:
            continue
        wish = Wish(instrument_number=rules.number, span=slot, project_id=user.project.id, purpose=purpose)
        repeat = Repeat(frequency=Frequency.WEEKLY, count=WEEKS)
        try:
            dates = series.preview(db, user.actor, wish, repeat, now)
            if sum(not each.refusals for each in dates) < LEAST_WEEKS:
                continue
            series.create(db, user.actor, wish, repeat, Conflicts.SKIP, now)
        except Refused:
            # A clause or a share may say no where the calendar does not.
            continue
        return


def wait_for_another(
    db: Connection, user: User, others: Iterable[tuple[Booking, InstrumentRules, Actor]], now: datetime
) -> None:
    """The user waits for time that somebody has booked, and its holder gives it back. It is offered as the ticker does,
    before anything else of the demo counts with their being free then.
    """
    busy = [line.booking.span for line in bookings.mine(db, user.actor, now)]
    for booking, rules, holder in sorted(others, key=lambda each: each[0].starts_at):
        is_ahead = booking.starts_at - now > SOON and booking.state in MOVABLE and booking.kind is BookingKind.USE
        # Nobody is offered time at which they are elsewhere.
        is_free = not any(each.overlaps(booking.span) for each in busy)
        if not (is_ahead and is_free) or holder.person_id == user.actor.person_id:
            continue
        day = booking.starts_at.astimezone(ZoneInfo(rules.timezone)).date()
        entry = WaitingEntry(
            id=uuid4(), person_id=user.actor.person_id, project_id=user.project.id, instrument_number=rules.number,
            minutes=booking.span.minutes, from_date=day, until_date=day, created_at=now,
        )  # fmt: skip
        try:
            waitlist.join(db, user.actor, entry, now)
        except (Malformed, Refused):
            continue
        bookings.cancel(db, holder, booking.id, seen_version=booking.version, now=now)
        for row in ticking.deadlines(db, now):
            if row.kind == FREED:
                ticking.deal_with(db, row, now)
        return
