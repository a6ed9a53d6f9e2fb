"""The waitlist: in which order people come, where in freed time a use may begin, until when an offer stands."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from labshare.domain.bookings import InstrumentRules
from labshare.domain.opening import parse_opening
from labshare.domain.timespan import Span
from labshare.domain.waitlist import WaitingEntry, answer_by, earliest_start, in_order, require_sound, starts_in
from labshare.errors import Malformed
from tests.furniture import COLLEAGUE, COMPETITOR, NOW, RESEARCHER, at, span

ZONE = "Asia/Ho_Chi_Minh"
RULES = InstrumentRules(
    number=1, id="N001", centre_id="C-ONE", timezone=ZONE, booking_mode="time",
    opening=parse_opening("Mon-Fri 08:00-18:00"), spans_closed_hours=False, min_minutes=30, max_minutes=480,
    granularity_minutes=30, advance_days=60, setup_minutes=0, cleanup_minutes=0, attended=True, qualification="",
)  # fmt: skip


def an_entry(person_id: UUID = RESEARCHER, **changes: Any) -> WaitingEntry:
    values: dict[str, Any] = {
        "id": UUID(int=99),
        "person_id": person_id,
        "project_id": UUID(int=21),
        "instrument_number": 1,
        "minutes": 120,
        "from_date": date(2026, 11, 25),
        "until_date": date(2026, 11, 27),
        "created_at": NOW,
    }
    return WaitingEntry(**(values | changes))


def test_who_passed_on_fewer_offers_comes_first_then_less_use_then_longer_waiting() -> None:
    passed = an_entry(RESEARCHER, passed=1, created_at=NOW - timedelta(days=9))
    busy = an_entry(COLLEAGUE, created_at=NOW - timedelta(days=5))
    new = an_entry(COMPETITOR)
    old = an_entry(UUID(int=4), created_at=NOW - timedelta(days=1))
    assert in_order([passed, busy, new, old], {COLLEAGUE: 60}) == [old, new, busy, passed]


def test_a_use_may_begin_wherever_it_takes_some_of_the_freed_time() -> None:
    """From 10 to 12 came free: two hours that begin at 8:01 still take its first minute, at 11:59 its last."""
    found = starts_in(an_entry(), span(25, 10, 12), RULES, 120, NOW)
    assert found == (Span(at(25, 8, 1), at(25, 12)),)


def test_set_up_and_clean_up_reach_into_freed_time_too() -> None:
    """With 30 minutes of each: from 10:00 - 2:30 + 0:01 on, and before 12:00 + 0:30."""
    rules = msgspec.structs.replace(RULES, setup_minutes=30, cleanup_minutes=30)
    assert starts_in(an_entry(), span(25, 10, 12), rules, 120, NOW) == (Span(at(25, 7, 31), at(25, 12, 30)),)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"from_date": date(2026, 11, 26)}, ()),
        ({"until_date": date(2026, 11, 24)}, ()),
        # A morning ends at 12:00, so its last two hours begin at 10:00; 13:00 to 16:00 leaves nothing before 12:00.
        ({"until": 12 * 60}, (Span(at(25, 8, 1), at(25, 10, 1)),)),
        ({"since": 11 * 60}, (Span(at(25, 11), at(25, 12)),)),
        ({"since": 13 * 60, "until": 16 * 60}, ()),
    ],
)
def test_only_on_the_days_and_between_the_hours_that_are_wanted(
    changes: dict[str, Any], found: tuple[Span, ...]
) -> None:
    assert starts_in(an_entry(**changes), span(25, 10, 12), RULES, 120, NOW) == found


def test_a_slot_that_begins_within_the_hour_is_offered_to_nobody() -> None:
    entry = an_entry(from_date=date(2026, 11, 23))
    now = at(23, 10, 20)
    assert starts_in(entry, span(23, 10, 12), RULES, 60, now) == (Span(at(23, 11, 20), at(23, 12)),)
    assert starts_in(entry, span(23, 8, 11), RULES, 60, now) == ()


@pytest.mark.parametrize(
    ("now", "starts_at", "until"),
    [
        (at(23, 9), at(25, 9), at(23, 11)),
        # The last half hour before the slot is for coming.
        (at(23, 9), at(23, 10, 15), at(23, 9, 45)),
        # Half an hour is left of the day, the other hour and a half is after 6:00.
        (at(23, 21, 30), at(25, 9), at(24, 7, 30)),
        (at(23, 23), at(25, 9), at(24, 8)),
        (at(24, 3), at(25, 9), at(24, 8)),
        (at(24, 3), at(24, 8), at(24, 7, 30)),
        (at(23, 20), at(25, 9), at(23, 22)),
    ],
)
def test_an_offer_stands_for_two_hours_of_the_day_or_less_when_its_slot_is_near(
    now: datetime, starts_at: datetime, until: datetime
) -> None:
    assert answer_by(starts_at, now, ZONE) == until


def test_at_night_the_hour_before_a_slot_counts_from_the_morning() -> None:
    assert earliest_start(at(23, 23), ZONE) == at(24, 7)
    assert earliest_start(at(23, 9) + timedelta(seconds=1), ZONE) == at(23, 10, 1)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"until_date": date(2026, 11, 24)}, "waitlist_days_over"),
        ({"from_date": date(2026, 11, 20), "until_date": date(2026, 11, 22)}, "waitlist_days_over"),
        # 92 days after the first would be the 93rd.
        ({"until_date": date(2027, 2, 25)}, "waitlist_too_long"),
        ({"minutes": 0}, "waitlist_hours_too_short"),
        ({"since": 8 * 60, "until": 9 * 60}, "waitlist_hours_too_short"),
        ({"since": 24 * 60}, "waitlist_hours_too_short"),
    ],
)
def test_days_and_hours_in_which_no_use_lies_are_refused(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Malformed) as fault:
        require_sound(an_entry(**changes), NOW)
    assert fault.value.code == code
    require_sound(an_entry(until_date=date(2027, 2, 24)), NOW)
