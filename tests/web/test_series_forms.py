"""What is typed of a rule, and rules in words of both languages."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest

from labshare.domain.series import Conflicts, Frequency, Repeat
from labshare.errors import Malformed, Refusal
from labshare.i18n import speaking
from labshare.web.booking_forms import BookingForm, Faults
from labshare.web.series_forms import faults_of, in_words, read_conflicts, read_repeat, told_once, weekday_ticks


def form(**typed: str) -> BookingForm:
    return msgspec.convert({"count": "3"} | typed, BookingForm)


@pytest.mark.parametrize(
    ("typed", "rule"),
    [
        ({}, {"frequency": "weekly", "count": 3}),
        (
            {"tu": "1", "th": "1", "interval": " 2 "},
            {"frequency": "weekly", "interval": 2, "weekdays": (1, 3), "count": 3},
        ),
        # Days that were ticked before another frequency was chosen mean nothing any more.
        ({"tu": "1", "frequency": "monthly"}, {"frequency": "monthly", "count": 3}),
        ({"count": "", "repeat_until": "31/3/2027"}, {"frequency": "weekly", "until": date(2027, 3, 31)}),
        ({"interval": ""}, {"frequency": "weekly", "count": 3}),
    ],
)
def test_a_rule_is_read(typed: dict[str, str], rule: dict[str, Any]) -> None:
    faults: Faults = {}
    assert read_repeat(form(**typed), faults) == msgspec.convert(rule, Repeat)
    assert faults == {}


def test_a_fault_stands_at_its_field_and_one_without_a_field_is_no_fault_of_the_form() -> None:
    faults: Faults = {}
    assert read_repeat(form(repeat_until="soon", count=""), faults) is None
    assert {field: refusal.code for field, refusal in faults.items()} == {"repeat_until": "malformed_date"}
    with pytest.raises(Malformed):
        faults_of(Malformed("naive_time"))


def test_ticks_follow_the_form() -> None:
    with speaking("en"):
        ticks = weekday_ticks(form(tu="1"))
    assert ticks[:2] == [("mo", "Mon", False), ("tu", "Tue", True)]
    assert ticks[-1] == ("su", "Sun", False)


@pytest.mark.parametrize(
    ("rule", "vietnamese", "english"),
    [
        (Repeat(frequency=Frequency.WEEKLY, weekdays=(1, 3), until=date(2027, 3, 31)),
         "hằng tuần, vào T3, T5, đến 31/03/2027", "every week, on Tue, Thu, until 31 Mar 2027"),
        (Repeat(frequency=Frequency.DAILY, interval=2, count=5), "mỗi 2 ngày, 5 lần", "every 2 days, 5 times"),
        (Repeat(frequency=Frequency.MONTHLY, interval=3, count=4), "mỗi 3 tháng, 4 lần", "every 3 months, 4 times"),
    ],
)  # fmt: skip
def test_a_rule_in_words(rule: Repeat, vietnamese: str, english: str) -> None:
    with speaking("vi"):
        assert in_words(rule) == vietnamese
    with speaking("en"):
        assert in_words(rule) == english


def test_a_choice_that_no_page_offers_is_malformed() -> None:
    assert read_conflicts("move") is Conflicts.MOVE
    with pytest.raises(Malformed):
        read_conflicts("push")


def test_one_reason_for_many_dates_is_told_once() -> None:
    closed = [Refusal(code="closed", params={"opening": "Mon-Fri 08:00-18:00", "item": item}) for item in range(3)]
    other = Refusal(code="in_the_past", params={"item": 3})
    with speaking("en"):
        assert [refusal.code for refusal in told_once((*closed, other))] == ["closed", "in_the_past"]
