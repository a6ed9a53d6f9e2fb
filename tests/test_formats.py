"""How numbers, dates and lengths look, in both languages. Expected texts are written as people write them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction

import pytest

from labshare import formats
from labshare.i18n import Language, speaking

# Thursday 26 November 2026, 14:05 in Hanoi, which is seven hours ahead of UTC.
AFTERNOON = datetime(2026, 11, 26, 7, 5, tzinfo=UTC)
# The same calendar day has begun in Hanoi while it is still Wednesday in UTC.
EARLY = datetime(2026, 11, 25, 18, 0, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 26, 17, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("language", "shown"),
    [("vi", ("26/11/2026", "26/11", "T5", "Thứ Năm", "T5 26/11/2026", "14:05", "14:05 T5 26/11/2026")),
     ("en", ("26 Nov 2026", "26 Nov", "Thu", "Thursday", "Thu 26 Nov 2026", "14:05", "Thu 26 Nov 2026, 14:05"))],
)  # fmt: skip
def test_an_instant_is_shown_on_the_clock_of_the_centres(language: Language, shown: tuple[str, ...]) -> None:
    names = ("date", "short_date", "weekday", "long_weekday", "day", "clock", "moment")
    with speaking(language):
        assert tuple(getattr(formats, name)(AFTERNOON) for name in names) == shown
        assert formats.weekday(EARLY) == shown[2]
        assert formats.date(date(2026, 11, 26)) == shown[0]


@pytest.mark.parametrize(
    ("language", "same_day", "to_midnight", "over_night"),
    [
        ("vi", "01:00–14:05 T5 26/11/2026", "14:05–24:00 T5 26/11/2026", "01:00 T5 26/11/2026 – 14:05 T6 27/11/2026"),
        ("en", "Thu 26 Nov 2026, 01:00–14:05", "Thu 26 Nov 2026, 14:05–24:00",
         "Thu 26 Nov 2026, 01:00 – Fri 27 Nov 2026, 14:05"),
    ],
)  # fmt: skip
def test_a_span_says_its_day_once(language: Language, same_day: str, to_midnight: str, over_night: str) -> None:
    next_afternoon = AFTERNOON.replace(day=27)
    with speaking(language):
        assert formats.span(EARLY, AFTERNOON) == same_day
        assert formats.span(AFTERNOON, MIDNIGHT) == to_midnight
        assert formats.span(EARLY, next_afternoon) == over_night


def test_what_ends_at_midnight_was_good_until_the_day_before() -> None:
    with speaking("vi"):
        assert formats.last_date(MIDNIGHT) == "26/11/2026"
        assert formats.last_date(AFTERNOON) == "26/11/2026"
        assert (formats.end(MIDNIGHT), formats.end(AFTERNOON)) == ("hết 26/11/2026", "14:05 T5 26/11/2026")
    with speaking("en"):
        assert formats.end(MIDNIGHT) == "the end of 26 Nov 2026"
        assert formats.end(AFTERNOON) == "Thu 26 Nov 2026, 14:05"


@pytest.mark.parametrize(
    ("minutes", "vi", "en"),
    [(0, "0 phút", "0 min"), (45, "45 phút", "45 min"), (60, "1 giờ", "1 h"), (90, "1 giờ 30 phút", "1 h 30 min"),
     (75 * 60, "75 giờ", "75 h"), (100_000, "1.666 giờ 40 phút", "1,666 h 40 min")],
)  # fmt: skip
def test_a_length_is_said_in_hours_and_minutes(minutes: int, vi: str, en: str) -> None:
    with speaking("vi"):
        assert formats.duration(minutes) == vi
    with speaking("en"):
        assert formats.duration(minutes) == en


@pytest.mark.parametrize(
    ("minutes", "vi", "en"),
    [(120, "2 giờ", "2 h"), (90, "1,5 giờ", "1.5 h"), (100, "1,7 giờ", "1.7 h"), (0, "0 giờ", "0 h"),
     (Fraction(60 * 2720, 5), "544 giờ", "544 h")],
)  # fmt: skip
def test_hours_of_a_report_carry_a_decimal_only_where_there_is_one(minutes: int, vi: str, en: str) -> None:
    with speaking("vi"):
        assert formats.hours(minutes) == vi
    with speaking("en"):
        assert formats.hours(minutes) == en


@pytest.mark.parametrize(
    ("value", "digits", "vi", "en"),
    [(1234567, 0, "1.234.567", "1,234,567"), (1234.5, 1, "1.234,5", "1,234.5"), (Fraction(2, 3), 2, "0,67", "0.67"),
     (Decimal("0.5"), 0, "1", "1"), (Decimal("2.5"), 0, "3", "3"), (-1234, 0, "-1.234", "-1,234")],
)  # fmt: skip
def test_a_number_is_rounded_half_up_with_the_separators_of_the_language(
    value: formats.Number, digits: int, vi: str, en: str
) -> None:
    with speaking("vi"):
        assert formats.number(value, digits) == vi
    with speaking("en"):
        assert formats.number(value, digits) == en


def test_shares_and_money() -> None:
    with speaking("vi"):
        assert formats.percent(Fraction(520, 780)) == "66,7 %"
        assert formats.money(1_200_000) == "1.200.000\N{NO-BREAK SPACE}₫"
    with speaking("en"):
        assert formats.percent(Fraction(1, 5), 0) == "20 %"
        assert formats.money(1_200_000) == "VND\N{NO-BREAK SPACE}1,200,000"


def test_machines_read_utc() -> None:
    assert formats.iso(AFTERNOON) == "2026-11-26T07:05:00Z"


@pytest.mark.parametrize("noun", formats.NOUNS)
def test_what_is_counted_has_one_form_in_vietnamese_and_two_in_english(noun: str) -> None:
    with speaking("vi"):
        assert formats.counted(1, noun)[1:] == formats.counted(2, noun)[1:]
    with speaking("en"):
        assert formats.counted(1, noun) == f"1 {noun.replace('_', ' ').removesuffix('s')}"
        assert formats.counted(1500, noun) == f"1,500 {noun.replace('_', ' ')}"
