"""Minutes, what is taken, and open segments: the plain arithmetic under the demo's calendars."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from labshare.domain.timespan import Span
from labshare.services.demo_diary import Opened, Taken, minute, minutes, moment, span


def test_minutes_count_from_the_epoch_and_round_down() -> None:
    # The second day of 1970, at one minute and thirty seconds past one: 24 x 60 + 61 whole minutes.
    assert minute(datetime(1970, 1, 2, 1, 1, 30, tzinfo=UTC)) == 1501
    assert moment(1501) == datetime(1970, 1, 2, 1, 1, tzinfo=UTC)


def test_a_span_survives_the_way_to_minutes_and_back() -> None:
    start = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
    there = Span(start, start + timedelta(hours=2))
    assert minutes(there)[1] - minutes(there)[0] == 120
    assert span(minutes(there)) == there


def test_what_overlaps_is_found_and_what_touches_is_free() -> None:
    taken = Taken()
    taken.add("N001", (100, 200))
    taken.add("N001", (300, 400))
    assert taken.until("N001", (200, 300)) is None
    assert taken.until("N001", (199, 250)) == 200
    assert taken.until("N001", (250, 301)) == 400
    assert taken.until("N001", (0, 1000)) == 400
    assert taken.until("N001", (120, 130)) == 200


def test_keys_do_not_stand_in_each_others_way() -> None:
    taken = Taken()
    taken.add("N001", (100, 200))
    assert taken.until("N002", (100, 200)) is None


def test_the_segment_of_a_minute_or_the_next_one() -> None:
    opened = Opened(((60, 120), (180, 240)))
    assert opened.next(0) == (60, 120)
    assert opened.next(60) == (60, 120)
    assert opened.next(119) == (60, 120)
    # The end of a segment is no open minute.
    assert opened.next(120) == (180, 240)
    assert opened.next(240) is None


def test_open_minutes_are_half_open() -> None:
    opened = Opened(((60, 120),))
    assert [at for at in (59, 60, 119, 120) if opened.is_open(at)] == [60, 119]


def test_the_last_segment_that_had_begun() -> None:
    opened = Opened(((60, 120), (180, 240)))
    assert opened.last_before(179) == (60, 120)
    assert opened.last_before(180) == (180, 240)
