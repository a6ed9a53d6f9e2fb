"""Each rule of booking, alone: the wish that it refuses and the nearest one that it accepts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest

from labshare.domain.bookings import (
    BLOCK_RULES,
    LONGEST_MINUTES,
    BookingKind,
    Context,
    InstrumentRules,
    KeptTime,
    Neighbour,
    Wish,
    check,
    is_time_taken,
)
from labshare.domain.opening import parse_opening
from labshare.domain.projects import AccessClass, Activity, Project, ProjectState
from labshare.domain.qualifications import Held
from labshare.domain.timespan import Span

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
PERSON, OTHER, PROJECT = UUID(int=1), UUID(int=2), UUID(int=3)
NOW = datetime(2026, 11, 20, 9, 0, tzinfo=HANOI).astimezone(UTC)  # a Friday


def local(day: int, hour: int, minute: int = 0) -> datetime:
    """November 2026 in Hanoi: 23 is a Monday."""
    return datetime(2026, 11, day, hour, minute, tzinfo=HANOI).astimezone(UTC)


def span(day: int, start: tuple[int, int], end: tuple[int, int], last_day: int | None = None) -> Span:
    return Span(local(day, *start), local(last_day or day, *end))


FESEM = InstrumentRules(
    number=1,
    id="N001",
    centre_id="C-IMSKL",
    timezone="Asia/Ho_Chi_Minh",
    booking_mode="time",
    opening=parse_opening("Mon-Fri 08:00-18:00"),
    spans_closed_hours=False,
    min_minutes=60,
    max_minutes=240,
    granularity_minutes=30,
    advance_days=14,
    setup_minutes=0,
    cleanup_minutes=15,
    attended=True,
    qualification="licence",
)
PAYS = Project(
    id=PROJECT,
    code="KC-01",
    title="Nano",
    organisation_id="I-IMS",
    pi_id=OTHER,
    access_class=AccessClass.PUBLIC_RESEARCH,
    activity=Activity.NON_ECONOMIC,
    funding_line="state",
    state=ProjectState.VERIFIED,
)
HELD = Held(level=1, granted_at=NOW)
FINE = Context(now=NOW, rules=FESEM, project=PAYS, is_member=True, held=HELD)
WISH = Wish(
    instrument_number=1, span=span(23, (9, 0), (11, 0)), person_id=PERSON, project_id=PROJECT
)  # Monday 09:00-11:00


def codes(wish: Wish = WISH, context: Context = FINE, **changes: Any) -> list[str]:
    return [refusal.code for refusal in check(wish, msgspec.structs.replace(context, **changes))]


def wish(asked: Span, **changes: Any) -> Wish:
    return msgspec.structs.replace(WISH, span=asked, **changes)


def rules(**changes: Any) -> Context:
    return msgspec.structs.replace(FINE, rules=msgspec.structs.replace(FESEM, **changes))


def neighbour(occupied: Span, kind: BookingKind = BookingKind.USE, number: int = 9) -> Neighbour:
    return Neighbour(id=UUID(int=number), kind=kind, occupied=occupied, instrument_id="N006")


def test_a_good_wish_is_not_refused() -> None:
    assert codes() == []


@pytest.mark.parametrize("mode", ["service", "pooled"])
def test_what_is_not_bought_by_time_is_not_bookable(mode: str) -> None:
    assert codes(context=rules(booking_mode=mode, max_minutes=0)) == ["not_bookable_by_time"]


def test_nothing_of_calendars_is_said_of_what_is_not_booked_by_time() -> None:
    """At night, off the raster, too long and beyond the advance window; the same wish where time is booked says so."""
    asked = wish(Span(FINE.now + timedelta(days=300, minutes=7), FINE.now + timedelta(days=301)))
    assert codes(asked, rules(booking_mode="service")) == ["not_bookable_by_time"]
    assert codes(asked)[:3] == ["too_long", "off_raster", "too_far_ahead"]


def test_a_retired_instrument_is_not_bookable() -> None:
    assert codes(context=rules(retired=True)) == ["instrument_retired"]


def test_an_instrument_of_a_planned_centre_is_not_bookable() -> None:
    assert codes(context=rules(planned=True)) == ["instrument_planned"]


def test_the_past_cannot_be_booked() -> None:
    assert codes(wish(span(20, (8, 30), (9, 30)))) == ["in_the_past"]
    assert codes(wish(span(20, (9, 0), (10, 0)))) == []


def test_lengths_are_those_of_the_instrument() -> None:
    assert codes(wish(span(23, (9, 0), (9, 30)))) == ["too_short"]
    assert codes(wish(span(23, (9, 0), (13, 30)))) == ["too_long"]
    assert codes(wish(span(23, (9, 0), (13, 0)))) == []


def test_starts_and_lengths_stand_on_the_raster() -> None:
    assert codes(wish(span(23, (9, 10), (11, 10)))) == ["off_raster"]
    assert codes(wish(span(23, (9, 30), (11, 0)))) == []


def test_a_raster_of_four_hours_orders_lengths_and_lets_starts_be_any_hour() -> None:
    long = rules(granularity_minutes=240, min_minutes=240, max_minutes=480)
    assert codes(wish(span(23, (9, 0), (13, 0))), long) == []
    assert codes(wish(span(23, (9, 0), (14, 0))), long) == ["off_raster"]


def test_the_advance_window_ends_the_same_hour_fourteen_days_on() -> None:
    # Now is Friday 20 November 09:00; 14 days on is Friday 4 December 09:00.
    late = Span(local(20, 8) + timedelta(days=14), local(20, 9) + timedelta(days=14))
    assert codes(wish(late)) == []
    assert codes(wish(Span(late.start, late.end + timedelta(minutes=30)))) == ["too_far_ahead"]


def test_a_use_lies_inside_opening_hours() -> None:
    assert codes(wish(span(23, (7, 0), (9, 0)))) == ["closed"]
    assert codes(wish(span(23, (16, 0), (18, 0)))) == []
    assert codes(wish(span(22, (9, 0), (10, 0)))) == ["closed"]  # Sunday


def test_hours_are_not_worked_out_for_a_span_that_no_instrument_takes() -> None:
    centuries = Span(local(23, 9), local(23, 9) + timedelta(days=73_000))
    assert codes(wish(centuries)) == ["too_long", "too_far_ahead"]


def test_a_holiday_is_closed() -> None:
    assert codes(closed_dates=frozenset({date(2026, 11, 23)})) == ["closed"]


def test_a_long_run_may_span_closed_hours_but_starts_and_ends_while_open() -> None:
    overnight = span(23, (16, 0), (9, 0), last_day=24)
    run = rules(spans_closed_hours=True, max_minutes=2880, attended=False)
    assert codes(wish(overnight), run) == []
    assert codes(wish(overnight), rules(max_minutes=2880, attended=False)) == ["closed"]
    assert codes(wish(span(23, (16, 0), (7, 0), last_day=24)), run) == ["closed"]


def test_a_qualification_is_needed_until_the_end_of_the_use() -> None:
    assert codes(held=Held()) == ["not_qualified"]
    assert codes(held=Held(level=1, granted_at=NOW, expires_at=local(23, 10))) == ["qualification_expires"]
    assert codes(held=Held(level=1, granted_at=NOW, expires_at=local(23, 11))) == []
    assert codes(context=rules(qualification=""), held=Held()) == []


def test_a_project_must_be_known_verified_in_force_and_ones_own() -> None:
    assert codes(project=None) == ["project_unknown"]
    assert codes(is_member=False) == ["project_not_member"]
    proposed = msgspec.structs.replace(PAYS, state=ProjectState.PROPOSED)
    assert codes(project=proposed) == ["project_not_verified"]
    ended = msgspec.structs.replace(PAYS, expires_at=local(23, 11))
    assert codes(project=ended) == ["project_expired"]
    assert codes(project=msgspec.structs.replace(PAYS, expires_at=local(23, 12))) == []


def test_a_pi_who_has_left_is_a_member_no_more() -> None:
    """The store says who belongs to a project; that somebody is still named as its PI does not let them in again."""
    assert codes(msgspec.structs.replace(WISH, person_id=OTHER), is_member=False) == ["project_not_member"]
    assert codes(msgspec.structs.replace(WISH, person_id=OTHER), is_member=True) == []


def test_a_person_is_in_one_place_while_attended() -> None:
    busy = (neighbour(span(23, (10, 30), (12, 0))),)
    assert codes(person_busy=busy) == ["person_elsewhere"]
    assert codes(context=rules(attended=False), person_busy=busy) == []
    assert codes(person_busy=(neighbour(span(23, (11, 0), (12, 0))),)) == []


def test_time_kept_for_a_round_is_refused_with_its_round_and_date() -> None:
    kept = KeptTime(span=span(23, (0, 0), (23, 0)), round_code="2026-Q4", freed_at=local(25, 9))
    (refusal,) = check(WISH, msgspec.structs.replace(FINE, kept=(kept,)))
    assert refusal.code == "kept_for_round"
    assert refusal.params == {"round": "2026-Q4", "freed_at": "2026-11-25T02:00:00+00:00"}  # 09:00 in Hanoi


def test_clean_up_belongs_to_the_occupied_range() -> None:
    # 09:00-11:00 and fifteen minutes of clean-up: a use that begins at 11:15 fits, one at 11:00 does not.
    assert codes(neighbours=(neighbour(span(23, (11, 15), (12, 0))),)) == []
    assert codes(neighbours=(neighbour(span(23, (11, 0), (12, 0))),)) == ["time_taken"]


def test_maintenance_is_named_and_a_booking_does_not_clash_with_itself() -> None:
    block = neighbour(span(23, (9, 0), (10, 0)), BookingKind.MAINTENANCE)
    assert codes(neighbours=(block,)) == ["time_taken_maintenance"]
    assert codes(msgspec.structs.replace(WISH, replaces_id=block.id), neighbours=(block,)) == []


def test_all_refusals_come_at_once_in_the_order_of_the_list() -> None:
    everything = codes(
        wish(span(19, (7, 10), (7, 20))),
        is_member=False,
        held=Held(),
        neighbours=(neighbour(span(19, (7, 0), (8, 0))),),
    )
    assert everything == [
        "in_the_past", "too_short", "off_raster", "closed", "not_qualified", "project_not_member", "time_taken",
    ]  # fmt: skip


def test_409_is_for_taken_time_and_nothing_else() -> None:
    clash = (neighbour(span(23, (9, 0), (10, 0))),)
    assert is_time_taken(check(WISH, msgspec.structs.replace(FINE, neighbours=clash)))
    assert not is_time_taken(check(WISH, msgspec.structs.replace(FINE, neighbours=clash, held=Held())))
    assert not is_time_taken(())


def test_a_block_answers_to_time_alone() -> None:
    night = Wish(instrument_number=1, span=span(22, (1, 0), (5, 0)))
    assert check(night, FINE, BLOCK_RULES) == ()
    clash = msgspec.structs.replace(FINE, neighbours=(neighbour(span(22, (4, 0), (6, 0))),))
    assert [refusal.code for refusal in check(night, clash, BLOCK_RULES)] == ["time_taken"]
    forever = Wish(instrument_number=1, span=Span(NOW, NOW + timedelta(minutes=LONGEST_MINUTES + 1)))
    assert [refusal.code for refusal in check(forever, FINE, BLOCK_RULES)] == ["too_long"]
