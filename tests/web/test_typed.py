"""What people type as a day, an hour or a length: read as it is said, and refused rather than guessed."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labshare.errors import Malformed
from labshare.web.typed import (
    instant,
    typed_clock,
    typed_date,
    typed_day_hours,
    typed_hours,
    typed_length,
    typed_week_hours,
)


@pytest.mark.parametrize("text", ["2026-11-26", "26/11/2026", " 26.11.2026 ", "26-11-2026"])
def test_a_day_is_read_as_fields_send_it_and_as_people_write_it(text: str) -> None:
    assert typed_date(text, "date") == date(2026, 11, 26)


@pytest.mark.parametrize("text", ["", "31/02/2026", "2026-13-01", "11/26/2026", "tomorrow", "1999-12-31", "9999-01-01"])
def test_a_day_that_is_none_is_refused_by_the_name_of_its_field(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        typed_date(text, "until_date")
    assert (caught.value.code, caught.value.params) == ("malformed_date", {"field": "until_date"})


@pytest.mark.parametrize(
    ("text", "minute"),
    [
        ("9", 540), ("9h", 540), ("9h30", 570), ("9:30", 570), ("09:30", 570), ("0930", 570), ("930", 570),
        ("9.30", 570), ("9 giờ 30", 570), ("14g15", 855), ("00:00", 0), ("24:00", 1440),
    ],
)  # fmt: skip
def test_an_hour_is_read_as_it_is_said(text: str, minute: int) -> None:
    assert typed_clock(text, "from") == minute


@pytest.mark.parametrize("text", ["", "25", "24:01", "9:60", "9:5", "-1", "9 am", "12:30:00"])
def test_an_hour_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Malformed, match="malformed_clock"):
        typed_clock(text, "from")


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("90", 90), ("90 phút", 90), ("90 min", 90), ("2h", 120), ("2 giờ", 120), ("1h30", 90), ("1:30", 90),
     ("1,5 giờ", 90), ("1.25h", 75), ("2 tiếng", 120), ("36h", 2160)],
)  # fmt: skip
def test_a_length_is_read_as_it_is_said(text: str, minutes: int) -> None:
    assert typed_length(text, "length") == minutes


@pytest.mark.parametrize("text", ["", "0", "0h", "long", "-5", "1:75", "9999h"])
def test_a_length_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Malformed, match="malformed_length"):
        typed_length(text, "length")


def test_the_clock_is_the_one_of_the_centres() -> None:
    # Hanoi is seven hours ahead: 08:00 there is 01:00 UTC, and the midnight that ends the 26th is 17:00 UTC.
    assert instant(date(2026, 11, 26), 480) == datetime(2026, 11, 26, 1, 0, tzinfo=UTC)
    assert instant(date(2026, 11, 26), 1440) == datetime(2026, 11, 26, 17, 0, tzinfo=UTC)


@given(text=st.text(max_size=12))
def test_whatever_is_typed_is_read_or_refused_and_never_breaks(text: str) -> None:
    for reader in (typed_date, typed_clock, typed_length):
        try:
            reader(text, "field")
        except Malformed as refused:
            assert refused.params == {"field": "field"}  # noqa: PT017  either way is right, breaking is not


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("24", 1440), ("0", 0), (" 1,5 ", 90), ("1.25", 75), ("24h", 1440), ("2 giờ", 120), ("1h30", 90), ("90 phút", 90)],
)
def test_a_bare_number_is_hours_where_hours_are_asked_for(text: str, minutes: int) -> None:
    assert typed_hours(text, "hours") == minutes


@pytest.mark.parametrize("text", ["", "-3", "1,234", "a day", "1e3", "1234567"])
def test_what_is_no_amount_of_time_is_refused_by_the_name_of_its_field(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        typed_hours(text, "hours")
    assert (caught.value.code, caught.value.params) == ("malformed_length", {"field": "hours"})


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("Mon-Fri 07:00-19:00; Sat 08:00-12:00", "Mon-Fri 07:00-19:00; Sat 08:00-12:00"),
        ("T2-T6 07:00-19:00", "Mon-Fri 07:00-19:00"),
        ("CN 8:00-18:00", "Sun 08:00-18:00"),
        # As a page prints them.
        ("T2–T4, T7 08:00–12:00, 13:00–17:00", "Mon-Wed,Sat 08:00-12:00,13:00-17:00"),
        ("hằng ngày 00:00–24:00", "daily 00:00-24:00"),
        ("Thứ Hai - thứ 6 8h - 11h30", "Mon-Fri 08:00-11:30"),
        ("every day 9-17", "daily 09:00-17:00"),
        ("", ""),
    ],
)
def test_hours_of_a_week_are_read_as_they_are_said(text: str, hours: str) -> None:
    assert typed_week_hours(text, "hours") == hours


@pytest.mark.parametrize(
    ("text", "code", "part"),
    [
        ("mornings", "malformed_week_hours", "mornings"),
        ("T8 8:00-18:00", "malformed_week_hours", "T8 8:00-18:00"),
        ("T2 8:00-12:00; T3 8:00-25:00", "malformed_week_hours", "T3 8:00-25:00"),
        ("T2 8:00", "malformed_week_hours", "T2 8:00"),
        ("T2,hằng ngày 8:00-9:00", "malformed_week_hours", "T2,hằng ngày 8:00-9:00"),
        ("T2 18:00-8:00", "opening_reversed", "T2 18:00-8:00"),
        ("T2 8:00-12:00; T2 9:00-10:00", "opening_overlaps", "T2 8:00-12:00; T2 9:00-10:00"),
    ],
)
def test_hours_of_a_week_that_are_none_are_told_as_they_were_typed(text: str, code: str, part: str) -> None:
    with pytest.raises(Malformed) as caught:
        typed_week_hours(text, "hours")
    assert (caught.value.code, caught.value.params) == (code, {"field": "hours", "part": part})


def test_hours_of_a_day_are_read_as_they_are_said() -> None:
    assert typed_day_hours("8:00–12:00, 13h-17h", "hours") == "08:00-12:00,13:00-17:00"
    for text, code in (
        ("25-26", "malformed_day_hours"),
        ("T2 8-9", "malformed_day_hours"),
        ("12-8", "opening_reversed"),
    ):
        with pytest.raises(Malformed) as caught:
            typed_day_hours(text, "hours")
        assert (caught.value.code, caught.value.params) == (code, {"field": "hours", "part": text})
