"""What became of a use that the demo made up: done, missed, cancelled or still ahead; and what was delivered of it.

Pure, in minutes since the epoch. What must not live here: where and when uses are (demo_use.py).
"""

from __future__ import annotations

from random import Random
from uuid import UUID

import msgspec

from labshare.domain.bookings import Booking, BookingKind, BookingState, InstrumentRules
from labshare.domain.equipment import EquipmentState, StateRecord
from labshare.domain.projects import Project
from labshare.services.demo_diary import Minutes, minutes, moment, span
from labshare.services.demo_story import Story

HOUR, DAY = 60, 24 * 60
# People come a little late and leave a little early; most do neither.
LATE_STARTS, EARLY_ENDS = (0, 0, 0, 5, 10, 15), (0, 0, 0, 5, 10, 20, 30)
SOURCE = "operator"


class Fate(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a use now, and when it was last changed."""

    state: BookingState
    changed: int


def booked_at(use: Minutes, rules: InstrumentRules, outages: tuple[Minutes, ...], now: int, dice: Random) -> int | None:
    """When it was booked: mostly some days ahead, inside the advance window, and before now.

    Nobody books an instrument while it is broken; None when there was no other time.
    """
    lead = HOUR + round(dice.expovariate(1 / (5 * DAY)))
    latest = min(use[0] - lead, now - dice.randrange(2 * HOUR, 3 * DAY))
    earliest = use[1] - rules.advance_days * DAY
    failed = _during(use, outages)
    if failed is None:
        return max(earliest, latest)
    before = min(latest, failed[0] - dice.randrange(HOUR, DAY))
    return before if before >= earliest else None


def _during(use: Minutes, outages: tuple[Minutes, ...]) -> Minutes | None:
    """The failure in which the use begins."""
    return next((outage for outage in outages if outage[0] <= use[0] < outage[1]), None)


def fate_of(use: Minutes, booked: int, outages: tuple[Minutes, ...], story: Story, now: int, dice: Random) -> Fate:
    """What became of a use that was booked at `booked`. A failure cancels what was to begin in it and before now."""
    failed = _during(use, outages)
    if failed is not None and use[0] < now:
        return Fate(state=BookingState.CANCELLED, changed=max(booked, failed[0] + dice.randrange(20, 2 * HOUR)))
    if use[1] > now:
        return Fate(state=BookingState.CONFIRMED, changed=booked)
    chance = dice.randrange(100)
    if chance < story.no_show_percent:
        return Fate(state=BookingState.NO_SHOW, changed=use[0] + HOUR // 2)
    if chance < story.no_show_percent + story.cancelled_percent:
        # Half of those who cancel do so on the last day.
        notice = dice.randrange(HOUR, DAY) if dice.random() < 0.5 else dice.randrange(DAY, 6 * DAY)
        return Fate(state=BookingState.CANCELLED, changed=max(booked, use[0] - notice))
    return Fate(state=BookingState.DONE, changed=use[1])


def booking_of(
    use: Minutes,
    rules: InstrumentRules,
    project: Project,
    person_id: UUID,
    *,
    purpose: str,
    booked: int,
    fate: Fate,
    agreement_version: int | None,
    dice: Random,
) -> Booking:
    """The row of a use, with who, what for and under which class, as copied from the project when it was booked."""
    occupied = rules.occupied(span(use))
    return Booking(
        id=new_id(dice),
        instrument_number=rules.number,
        kind=BookingKind.USE,
        state=fate.state,
        starts_at=moment(use[0]),
        ends_at=moment(use[1]),
        occupied_from=occupied.start,
        occupied_until=occupied.end,
        person_id=person_id,
        booked_by_id=person_id,
        project_id=project.id,
        organisation_id=project.organisation_id,
        access_class=project.access_class,
        activity=project.activity,
        agreement_id=project.agreement_id,
        agreement_version=agreement_version,
        attended=rules.attended,
        purpose=purpose,
        created_at=moment(booked),
        updated_at=moment(fate.changed),
    )


def run_of(booking: Booking, outages: tuple[Minutes, ...], dice: Random) -> StateRecord:
    """The productive time of a use that is done; a failure ends the run that it happens in."""
    start, end = minutes(booking.span)
    late, early = dice.choice(LATE_STARTS), dice.choice(EARLY_ENDS)
    if late + early <= (end - start) // 2:
        start, end = start + late, end - early
    end = min([end, *(outage[0] for outage in outages if start < outage[0] < end)])
    return record_of(booking.instrument_number, EquipmentState.PRODUCTIVE, (start, end), dice, booking=booking)


def record_of(
    number: int,
    state: EquipmentState,
    time: tuple[int, int | None],
    dice: Random,
    *,
    booking: Booking | None = None,
    note: str = "",
    by: UUID | None = None,
) -> StateRecord:
    """A state record; without an end it lasts."""
    return StateRecord(
        id=new_id(dice),
        instrument_number=number,
        state=state,
        starts_at=moment(time[0]),
        ends_at=None if time[1] is None else moment(time[1]),
        booking_id=booking.id if booking else None,
        source=SOURCE,
        note=note,
        recorded_by_id=by or (booking.person_id if booking else None),
    )


def new_id(dice: Random) -> UUID:
    """The same day gives the same ids, so that a link into the demo goes on working when it is made anew."""
    return UUID(int=dice.getrandbits(128), version=4)
