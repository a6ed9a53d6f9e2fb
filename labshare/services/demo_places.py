"""The demo's instruments through the story's months: when they are open and broken, and planned work on them.

Pure. What must not live here: uses by people (demo_use.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from random import Random

from labshare.domain.bookings import Booking, BookingKind, BookingState, InstrumentRules
from labshare.domain.equipment import EquipmentState, StateRecord
from labshare.domain.people import Actor
from labshare.domain.timespan import Span
from labshare.services import calendars
from labshare.services.demo_diary import Minutes, Opened, minute, moment
from labshare.services.demo_fate import DAY, HOUR, new_id, record_of
from labshare.services.demo_story import BlockStory, OutageStory, Story
from labshare.services.demo_use import Site

# Failures come while somebody works, three hours and a quarter after opening.
FAILS_AFTER = 195
# Whoever meets a broken instrument expects it back within so many days, and books again after that.
EXPECTED_BACK = 2 * DAY
PLANNED_AHEAD = 30 * DAY


def sites_of(
    story: Story, rules: Mapping[str, InstrumentRules], typical: Mapping[str, int], span: Span, now: datetime
) -> list[Site]:
    """The story's instruments in its order, open as their hours and the holidays say over the span."""
    closed = calendars.closed_dates_over(span)
    # Most instruments of a centre keep the same hours.
    opened = {
        each.opening: Opened.of(calendars.open_spans_of(each, span, closed))
        for each in {each.opening: each for each in rules.values()}.values()
    }
    return [
        Site(
            rules=rules[told.id],
            opened=opened[rules[told.id].opening],
            load=told.load,
            contested=told.contested,
            purposes=told.purposes,
            typical_minutes=typical[told.id],
            outages=tuple(
                _failed(each, opened[rules[told.id].opening], minute(now))
                for each in story.outages
                if each.instrument == told.id
            ),
        )
        for told in story.instruments
    ]


def _failed(told: OutageStory, opened: Opened, now: int) -> Minutes:
    begins = opened.last_before(now - told.days_ago * DAY - FAILS_AFTER)[0] + FAILS_AFTER
    return begins, now + EXPECTED_BACK if told.hours is None else begins + told.hours * HOUR


def failures(story: Story, sites: Sequence[Site], managers: Mapping[str, Actor], dice: Random) -> list[StateRecord]:
    """What the centres recorded of each failure. One that lasts has no end."""
    found: list[StateRecord] = []
    for site in sites:
        told = [each for each in story.outages if each.instrument == site.rules.id]
        for each, (begins, ends) in zip(told, site.outages, strict=True):
            found.append(
                record_of(
                    site.rules.number,
                    EquipmentState.UNSCHEDULED_DOWN,
                    (begins, None if each.hours is None else ends),
                    dice,
                    note=each.note,
                    by=managers[site.rules.centre_id].person_id,
                )
            )
    return found


def planned(
    story: Story, sites: Sequence[Site], managers: Mapping[str, Actor], now: datetime, dice: Random
) -> list[Booking]:
    """Planned work: blocks in the calendars, done where they have passed. No two of one instrument meet."""
    found: list[Booking] = []
    for told in story.blocks:
        for place, site in enumerate(each for each in sites if each.rules.centre_id == told.centre):
            manager = managers[told.centre]
            # A closure is for the whole centre at once; other work goes from instrument to instrument.
            turn = 0 if told.kind == BookingKind.CLOSURE else place
            spans = [_block_of(told, segment) for segment in _turns(site.opened, told.every_weeks, turn)]
            found += [_block(site.rules, told, manager, span, minute(now), dice) for span in spans]
    return _apart(found)


def _turns(opened: Opened, every_weeks: int, turn: int) -> Iterator[Minutes]:
    """The last full day of each week whose turn it is."""
    last_of_week: dict[int, Minutes] = {}
    for segment in opened.segments:
        if segment[1] - segment[0] >= 8 * HOUR:
            last_of_week[(segment[0] // DAY + 3) // 7] = segment
    return (segment for week, segment in last_of_week.items() if week % every_weeks == turn % every_weeks)


def _block_of(told: BlockStory, segment: Minutes) -> Minutes:
    return segment[1] - told.hours * HOUR, segment[1]


def _block(rules: InstrumentRules, told: BlockStory, manager: Actor, time: Minutes, now: int, dice: Random) -> Booking:
    booked = moment(min(time[0] - PLANNED_AHEAD, now - DAY))
    return Booking(
        id=new_id(dice),
        instrument_number=rules.number,
        kind=BookingKind(told.kind),
        state=BookingState.DONE if time[1] <= now else BookingState.CONFIRMED,
        starts_at=moment(time[0]),
        ends_at=moment(time[1]),
        occupied_from=moment(time[0]),
        occupied_until=moment(time[1]),
        booked_by_id=manager.person_id,
        attended=False,
        purpose=told.purpose,
        created_at=booked,
        updated_at=booked,
    )


def _apart(blocks: Sequence[Booking]) -> list[Booking]:
    """The blocks, without those that meet an earlier one of the same instrument."""
    kept: dict[tuple[int, datetime], Booking] = {}
    for block in blocks:
        kept.setdefault((block.instrument_number, block.ends_at), block)
    return list(kept.values())
