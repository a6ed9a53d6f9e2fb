"""Planned work and failures of the demo: in open hours, apart from each other, done where they have passed."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from labshare.domain.bookings import BookingKind, BookingState
from labshare.domain.equipment import EquipmentState
from labshare.domain.timespan import Span
from labshare.services.demo_diary import minute, minutes
from labshare.services.demo_places import failures, planned, sites_of
from labshare.services.demo_story import BlockStory, InstrumentStory, OutageStory
from tests.services.demo_cast import DAY, HOUR, MANAGER, NOW, rules, site, story

MANAGERS = {"C-ONE": MANAGER}
AROUND = Span(NOW - timedelta(days=28), NOW + timedelta(days=28))
INSTRUMENT = InstrumentStory(id="N001", load=60, purposes=("look",))


def test_an_instrument_is_open_as_its_hours_and_the_holidays_say() -> None:
    (made,) = sites_of(story(instruments=(INSTRUMENT,)), {"N001": rules()}, {"N001": 120}, AROUND, NOW)
    starts = {segment[0] for segment in made.opened.segments}
    # Today is a Monday, tomorrow the Day of Culture, and a Saturday comes five days on.
    assert [day for day in range(7) if minute(NOW) + day * DAY in starts] == [0, 2, 3, 4]
    assert made.typical_minutes == 120


def test_a_failure_comes_during_open_hours_and_lasts_as_long_as_the_story_says() -> None:
    told = (
        OutageStory(instrument="N001", days_ago=10, hours=30, note="pump"),
        OutageStory(instrument="N001", days_ago=1, note="leak"),
    )
    made = sites_of(story(instruments=(INSTRUMENT,), outages=told), {"N001": rules()}, {"N001": 120}, AROUND, NOW)
    over, lasting = failures(story(outages=told), made, MANAGERS, Random(1))
    assert over.ends_at is not None
    assert over.ends_at - over.starts_at == timedelta(hours=30)
    assert lasting.ends_at is None
    # A day ago was a Sunday, so it failed on the Friday before: at 11:15, three and a quarter hours after opening.
    assert lasting.starts_at == NOW - timedelta(days=3) + timedelta(minutes=195)
    assert {over.state, lasting.state} == {EquipmentState.UNSCHEDULED_DOWN}
    assert lasting.recorded_by_id == MANAGER.person_id


def block(kind: BookingKind, every_weeks: int = 1, hours: int = 4) -> BlockStory:
    return BlockStory(centre="C-ONE", kind=kind, every_weeks=every_weeks, hours=hours, purpose="check")


def test_work_is_planned_at_the_end_of_a_week_and_done_where_it_has_passed() -> None:
    blocks = planned(story(blocks=(block(BookingKind.MAINTENANCE),)), [site()], MANAGERS, NOW, Random(1))
    assert blocks
    for each in blocks:
        start, end = minutes(each.span)
        assert end - start == 4 * HOUR
        assert (end - minute(NOW)) % DAY == 10 * HOUR
        assert each.state is (BookingState.DONE if each.ends_at <= NOW else BookingState.CONFIRMED)
        assert each.booked_by_id == MANAGER.person_id


def test_instruments_take_turns_for_maintenance_and_close_together() -> None:
    def days_of(kind: BookingKind) -> list[set[int]]:
        blocks = planned(story(blocks=(block(kind, every_weeks=2),)), [site(1), site(2)], MANAGERS, NOW, Random(1))
        return [{minute(b.ends_at) for b in blocks if b.instrument_number == number} for number in (1, 2)]

    first, second = days_of(BookingKind.MAINTENANCE)
    assert not first & second
    first, second = days_of(BookingKind.CLOSURE)
    assert first == second


def test_two_kinds_of_work_never_meet_on_one_instrument() -> None:
    both = (block(BookingKind.MAINTENANCE), block(BookingKind.ENGINEERING, every_weeks=2, hours=2))
    blocks = planned(story(blocks=both), [site()], MANAGERS, NOW, Random(1))
    assert len({each.ends_at for each in blocks}) == len(blocks)
