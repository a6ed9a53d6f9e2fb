"""What became of a made-up use: booked in time, done, missed, cancelled, or cut short by a failure."""

from __future__ import annotations

from random import Random

import msgspec

from labshare.domain.bookings import BookingState
from labshare.domain.equipment import EquipmentState
from labshare.services.demo_diary import Minutes, minute, minutes, moment
from labshare.services.demo_fate import Fate, booked_at, booking_of, fate_of, record_of, run_of
from tests.services.demo_cast import DAY, FIRST, HOUR, NOW, PROJECT, rules, story

AT = minute(NOW)
YESTERDAY: Minutes = (AT - DAY, AT - DAY + 4 * HOUR)
TOMORROW: Minutes = (AT + DAY, AT + DAY + 4 * HOUR)


def test_a_use_is_booked_inside_the_advance_window_and_before_now() -> None:
    for seed in range(200):
        for use in (YESTERDAY, TOMORROW, (AT + 27 * DAY, AT + 27 * DAY + 4 * HOUR)):
            booked = booked_at(use, rules(), (), AT, Random(seed))
            assert booked is not None
            assert use[1] - 28 * DAY <= booked <= min(use[0] - HOUR, AT - 2 * HOUR) or booked == use[1] - 28 * DAY


def test_nobody_books_an_instrument_while_it_is_broken() -> None:
    outage = (YESTERDAY[0] - 3 * DAY, YESTERDAY[1] + DAY)
    for seed in range(50):
        booked = booked_at(YESTERDAY, rules(), (outage,), AT, Random(seed))
        assert booked is not None
        assert booked < outage[0]


def test_a_use_that_could_only_have_been_booked_during_a_failure_is_never_made() -> None:
    outage = (YESTERDAY[0] - 30 * DAY, YESTERDAY[1] + DAY)
    assert booked_at(YESTERDAY, rules(), (outage,), AT, Random(1)) is None


def fate(use: Minutes, outages: tuple[Minutes, ...] = (), **changes: int) -> Fate:
    return fate_of(use, use[0] - 2 * DAY, outages, story(**changes), AT, Random(4))


def test_what_lies_ahead_is_confirmed_and_what_is_past_is_done() -> None:
    assert fate(TOMORROW) == Fate(state=BookingState.CONFIRMED, changed=TOMORROW[0] - 2 * DAY)
    assert fate(YESTERDAY) == Fate(state=BookingState.DONE, changed=YESTERDAY[1])


def test_shares_of_past_uses_are_missed_or_cancelled() -> None:
    assert fate(YESTERDAY, no_show_percent=100).state is BookingState.NO_SHOW
    cancelled = fate(YESTERDAY, cancelled_percent=100)
    assert cancelled.state is BookingState.CANCELLED
    assert YESTERDAY[0] - 2 * DAY <= cancelled.changed < YESTERDAY[0]


def test_nobody_has_cancelled_yet_what_lies_ahead() -> None:
    assert fate(TOMORROW, no_show_percent=50, cancelled_percent=50).state is BookingState.CONFIRMED


def test_a_failure_cancels_what_was_to_begin_in_it_and_leaves_what_lies_ahead_to_the_manager() -> None:
    outage = (YESTERDAY[0] - HOUR, AT + 2 * DAY)
    cancelled = fate(YESTERDAY, (outage,))
    assert cancelled.state is BookingState.CANCELLED
    assert outage[0] < cancelled.changed <= outage[0] + 2 * HOUR
    assert fate(TOMORROW, (outage,)).state is BookingState.CONFIRMED


def test_the_row_copies_project_and_class_and_widens_the_occupied_range() -> None:
    booking = booking_of(
        YESTERDAY, rules(setup_minutes=15, cleanup_minutes=30), PROJECT, FIRST,
        purpose="look", booked=AT - 3 * DAY, fate=fate(YESTERDAY), agreement_version=None, dice=Random(1),
    )  # fmt: skip
    assert (booking.organisation_id, booking.access_class, booking.activity) == (
        PROJECT.organisation_id, PROJECT.access_class, PROJECT.activity,
    )  # fmt: skip
    assert minutes(booking.occupied) == (YESTERDAY[0] - 15, YESTERDAY[1] + 30)
    assert booking.created_at == moment(AT - 3 * DAY)


def test_a_run_lies_inside_its_use_and_ends_where_the_instrument_fails() -> None:
    booking = booking_of(
        YESTERDAY, rules(), PROJECT, FIRST,
        purpose="look", booked=AT - 3 * DAY, fate=fate(YESTERDAY), agreement_version=None, dice=Random(1),
    )  # fmt: skip
    failed = YESTERDAY[0] + 100
    for seed in range(50):
        run = run_of(booking, (), Random(seed))
        assert run.ends_at is not None
        assert booking.starts_at <= run.starts_at < run.ends_at <= booking.ends_at
        # At most a quarter of an hour late and half an hour early, of four hours.
        assert minute(run.ends_at) - minute(run.starts_at) >= 195
        assert run_of(booking, ((failed, failed + DAY),), Random(seed)).ends_at == moment(failed)
        assert (run.state, run.booking_id, run.recorded_by_id) == (EquipmentState.PRODUCTIVE, booking.id, FIRST)


def test_a_record_without_an_end_lasts() -> None:
    lasting = record_of(1, EquipmentState.UNSCHEDULED_DOWN, (AT, None), Random(1), note="leak", by=FIRST)
    assert lasting.ends_at is None
    assert msgspec.structs.replace(lasting, ends_at=NOW).starts_at == NOW
