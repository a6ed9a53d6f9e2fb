"""R15, R16, R17: what a booking costs, and the lines that say how it came about. Full cost: 2.4 m VND an hour."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labshare.domain.profiles import Group, Profile, Size
from labshare.domain.projects import AccessClass, Activity
from labshare.domain.tariffs import (
    DataDiscount,
    HourRate,
    Part,
    Payer,
    Tariff,
    Waiver,
    at_rates,
    class_of,
    price,
    tariff_for,
)
from labshare.domain.timespan import Span
from labshare.errors import Refused
from tests.domain.clauses import whole

DAY = date(2026, 11, 25)
FIVE_HOURS = 300


def tariff() -> Tariff:
    (found,) = whole().tariffs
    return found


def payer(access_class: AccessClass, size: Size = Size.LARGE, **more: object) -> Payer:
    values = {"profile": Profile(access_class=access_class, activity=Activity.ECONOMIC, size=size)} | more
    return msgspec.convert(values, Payer)


def total(who: Payer, day: date = DAY, minutes: int = FIVE_HOURS) -> int:
    return price(tariff(), who, minutes, day).total


@pytest.mark.parametrize(
    ("who", "class_id", "vnd"),
    [
        # R15: 2.4 m x 5 h = 12 m; of it a quarter, a half, three quarters, all.
        (payer(AccessClass.HOST), "public_internal", 3_000_000),
        (payer(AccessClass.PUBLIC_RESEARCH), "public_external", 6_000_000),
        (payer(AccessClass.INDUSTRY, Size.SME), "sme", 9_000_000),
        (payer(AccessClass.INDUSTRY), "large", 12_000_000),
        (payer(AccessClass.STARTUP), "startup", 12_000_000),
    ],
)
def test_a_class_pays_its_share_of_the_full_cost(who: Payer, class_id: str, vnd: int) -> None:
    found = class_of(tariff(), who.profile)
    assert found is not None
    assert (found.id, total(who)) == (class_id, vnd)


@pytest.mark.parametrize(
    ("day", "vnd"),
    [
        # R16: recognised 2026-09-01; 12 m are billed 0 to 2029-08-31, then 6 m, and after five years all.
        (date(2026, 8, 31), 12_000_000),
        (date(2026, 9, 1), 0),
        (date(2029, 8, 31), 0),
        (date(2029, 9, 1), 6_000_000),
        (date(2031, 8, 31), 6_000_000),
        (date(2031, 9, 1), 12_000_000),
    ],
)
def test_a_recognised_startup_is_let_off_by_its_dates(day: date, vnd: int) -> None:
    assert total(payer(AccessClass.STARTUP, recognised_on=date(2026, 9, 1)), day) == vnd


def test_only_a_startup_is_let_off() -> None:
    assert total(payer(AccessClass.INDUSTRY, recognised_on=date(2026, 9, 1))) == 12_000_000


def test_a_recognition_of_a_leap_day_ends_on_the_first_of_march() -> None:
    waiver = Waiver(first_years=3)
    assert waiver.share(date(2028, 2, 29), date(2031, 2, 28)) == 1
    assert waiver.share(date(2028, 2, 29), date(2031, 3, 1)) == Fraction(1, 2)


def test_data_handed_in_is_worth_a_fifth() -> None:
    """R17: 2.4 m x 5 h x 0.8 = 9.6 m."""
    assert total(payer(AccessClass.INDUSTRY, gives_data=True)) == 9_600_000


def test_class_waiver_and_discount_combine_in_that_order() -> None:
    """12 m; class 100 %: 12 m; half is waived after three years: 6 m; a fifth of the rest for data: 4.8 m."""
    who = payer(AccessClass.STARTUP, recognised_on=date(2026, 9, 1), gives_data=True)
    found = price(tariff(), who, FIVE_HOURS, date(2029, 9, 1))
    assert [(line.part, line.rule_id, line.amount, line.share) for line in found.lines] == [
        (Part.FULL_COST, "R15", 12_000_000, None),
        (Part.CLASS, "R15", 0, Fraction(1)),
        (Part.WAIVER, "R16", -6_000_000, Fraction(1, 2)),
        (Part.DATA, "R17", -1_200_000, Fraction(1, 5)),
    ]
    assert found.total == 4_800_000
    assert found.lines[1].class_id == "startup"


def test_a_discount_may_be_kept_from_what_is_waived() -> None:
    apart = msgspec.structs.replace(tariff(), data_discount=DataDiscount(share=Fraction(1, 5), on_waived=False))
    who = payer(AccessClass.STARTUP, recognised_on=date(2026, 9, 1), gives_data=True)
    assert price(apart, who, FIVE_HOURS, date(2029, 9, 1)).total == 6_000_000
    assert price(apart, who, FIVE_HOURS, date(2031, 9, 1)).total == 9_600_000


def test_what_is_no_whole_dong_is_rounded_half_up() -> None:
    """One minute at 50 VND an hour for all is 5/6 VND: 1. At three quarters it is 5/8: 1, and the line between is 0."""
    cheap = msgspec.structs.replace(tariff(), full_cost=50)
    found = price(cheap, payer(AccessClass.INDUSTRY, Size.SME), 1, DAY)
    assert [line.amount for line in found.lines] == [1, 0]


@given(st.integers(0, 10_000), st.integers(0, 10**7), st.booleans(), st.sampled_from(AccessClass))
def test_lines_add_up_and_no_price_is_below_nothing_or_above_the_full_cost(
    minutes: int, full_cost: int, gives: bool, access_class: AccessClass
) -> None:
    asked = msgspec.structs.replace(tariff(), full_cost=full_cost)
    who = payer(access_class, gives_data=gives, recognised_on=date(2023, 1, 1))
    found = price(asked, who, minutes, DAY)
    assert found.total == sum(line.amount for line in found.lines)
    assert 0 <= found.total <= found.lines[0].amount


def test_without_a_class_or_on_another_day_there_is_no_price() -> None:
    with pytest.raises(Refused) as caught:
        price(tariff(), payer(AccessClass.HOST), FIVE_HOURS, date(2025, 12, 31))
    assert caught.value.refusals[0].code == "tariff_not_for_you"
    nobody = msgspec.structs.replace(tariff(), classes=())
    with pytest.raises(Refused):
        price(nobody, payer(AccessClass.HOST), FIVE_HOURS, DAY)
    with pytest.raises(ValueError, match="negative"):
        price(tariff(), payer(AccessClass.HOST), -1, DAY)


def test_a_tariff_that_names_the_instrument_goes_before_one_for_all() -> None:
    general = tariff()
    own = msgspec.structs.replace(general, id="own", instruments=("N001",), effective_until=date(2026, 12, 31))
    assert tariff_for([general, own], "N001", DAY) is own
    assert tariff_for([general, own], "N002", DAY) is general
    assert tariff_for([general, own], "N001", date(2027, 1, 1)) is general
    assert tariff_for([own], "N002", DAY) is None


# ---------------------------------------------------------------- hours with a rate of their own

NIGHT = HourRate(
    id="night", hours="daily 00:00-06:00,22:00-24:00", share=Fraction(0),
    who=(Group(access_class=(AccessClass.STARTUP,)),),
)  # fmt: skip
EVENING = msgspec.structs.replace(NIGHT, id="evening", hours="daily 18:00-22:00", share=Fraction(1, 2))
HANOI = "Asia/Ho_Chi_Minh"


def hanoi(hour: int) -> datetime:
    """An hour of 25 November in Hanoi (UTC+7); from 24 on in the days after it."""
    return datetime(2026, 11, 25, tzinfo=UTC) + timedelta(hours=hour - 7)


@pytest.mark.parametrize(
    ("rates", "hours", "access_class", "vnd"),
    [
        # 4 h x 2.4 m are 9.6 m, and three of the hours are free: 21-22 is left.
        ((NIGHT,), (21, 25), AccessClass.STARTUP, 2_400_000),
        # Industry pays for its nights.
        ((NIGHT,), (21, 25), AccessClass.INDUSTRY, 9_600_000),
        ((NIGHT,), (9, 13), AccessClass.STARTUP, 9_600_000),
        ((NIGHT,), (22, 30), AccessClass.STARTUP, 0),
        # Two hours at half, two for nothing: 2 x 1.2 m.
        ((EVENING, NIGHT), (20, 24), AccessClass.STARTUP, 2_400_000),
        ((NIGHT, EVENING), (20, 24), AccessClass.STARTUP, 2_400_000),
    ],
)
def test_hours_with_a_rate_cost_their_part(
    rates: tuple[HourRate, ...], hours: tuple[int, int], access_class: AccessClass, vnd: int
) -> None:
    asked = msgspec.structs.replace(tariff(), hours=rates)
    use = Span(hanoi(hours[0]), hanoi(hours[1]))
    found = price(asked, payer(access_class), use.minutes, DAY, at_rates(asked, use, HANOI))
    assert (found.total, sum(line.amount for line in found.lines)) == (vnd, vnd)
    said = [line.class_id for line in found.lines if line.part is Part.HOURS]
    assert bool(said) == (vnd != 9_600_000)


def test_the_waiver_is_taken_off_what_the_hours_have_left() -> None:
    """9.6 m, less three free hours: 2.4 m, all of which the first years of a startup waive."""
    asked = msgspec.structs.replace(tariff(), hours=(NIGHT,))
    who = payer(AccessClass.STARTUP, recognised_on=date(2026, 9, 1))
    lines = price(asked, who, 240, DAY, {"night": 180}).lines
    assert [(line.part, line.amount) for line in lines] == [
        (Part.FULL_COST, 9_600_000), (Part.CLASS, 0), (Part.HOURS, -7_200_000), (Part.WAIVER, -2_400_000),
    ]  # fmt: skip
