"""The entitlement ledger: sums that can be told again, and the worked number of every rule that changes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labshare.domain.ledger import (
    Cause,
    LedgerAccount,
    LedgerEntry,
    Step,
    balance,
    by_cause,
    carried_over,
    charged,
    converted,
    displaced,
    lapsing,
    next_chunk,
    pulled_back,
    shared_out,
)
from labshare.domain.timespan import Span

START = datetime(2026, 10, 1, tzinfo=UTC)
ACCOUNT = LedgerAccount(
    agreement_id="PPP-A", organisation_id="O-A", period=Span(START, datetime(2027, 1, 1, tzinfo=UTC))
)
HOUR = 60


def entry(
    number: int, cause: Cause, minutes: int, day: int, *, until: int | None = None, reference: str = ""
) -> LedgerEntry:
    return LedgerEntry(
        id=UUID(int=number),
        account=ACCOUNT,
        cause=cause,
        minutes=minutes,
        posted_at=START + timedelta(days=day),
        rule_id="R14",
        version=1,
        until=None if until is None else START + timedelta(days=until),
        reference=reference,
    )


def at(day: int) -> datetime:
    return START + timedelta(days=day)


STATEMENT = (
    entry(1, Cause.GRANTED, 120 * HOUR, 0),
    entry(2, Cause.DELIVERED, -9 * HOUR, 10),
    entry(3, Cause.DISPLACED, -24 * HOUR, 20),
    entry(4, Cause.CREDITED, 24 * HOUR, 20, until=80),
)


def test_a_balance_is_what_was_posted_until_then() -> None:
    """120 h granted; 9 h delivered on day 10; on day 20 a state order takes 24 h and credits them."""
    assert [balance(STATEMENT, at(day)) // HOUR for day in (-1, 0, 10, 20)] == [0, 120, 111, 111]


def test_a_statement_says_why() -> None:
    assert by_cause(STATEMENT, at(20)) == {
        Cause.GRANTED: 7200, Cause.DELIVERED: -540, Cause.DISPLACED: -1440, Cause.CREDITED: 1440,
    }  # fmt: skip


@given(st.permutations(STATEMENT), st.integers(min_value=-1, max_value=100))
def test_the_order_of_entries_changes_nothing(entries: list[LedgerEntry], day: int) -> None:
    assert balance(entries, at(day)) == balance(STATEMENT, at(day))
    assert lapsing(entries, at(day)) == lapsing(STATEMENT, at(day))


def test_a_credit_lapses_on_its_day_as_far_as_it_is_unused() -> None:
    """Of the 24 h credited on day 20, 10 h are used on day 30 and 20 h only on day 90, after the credit's 60 days."""
    used = (*STATEMENT, entry(5, Cause.DELIVERED, -10 * HOUR, 30), entry(6, Cause.DELIVERED, -20 * HOUR, 90))
    assert lapsing(used, at(79)) == []
    assert lapsing(used, at(80)) == [(STATEMENT[3], 14 * HOUR)]
    assert lapsing(used, at(95)) == [(STATEMENT[3], 14 * HOUR)]


def test_what_has_lapsed_does_not_lapse_again() -> None:
    gone = entry(7, Cause.LAPSED, -24 * HOUR, 81, reference=str(STATEMENT[3].id))
    assert lapsing((*STATEMENT, gone), at(90)) == []


def test_the_credit_that_lapses_first_is_used_first() -> None:
    """Two credits of 5 h, until day 40 and day 50; 7 h go on day 30: all of the first and 2 h of the second."""
    entries = (
        entry(1, Cause.CARRIED_OVER, 5 * HOUR, 0, until=50),
        entry(2, Cause.CREDITED, 5 * HOUR, 0, until=40),
        entry(3, Cause.DELIVERED, -7 * HOUR, 30),
    )
    assert lapsing(entries, at(60)) == [(entries[0], 3 * HOUR)]


# ---------------------------------------------------------------- worked numbers of the access rules


def test_r04_time_is_divided_after_engineering_director_and_host() -> None:
    """1,000 h: -120; of 880, -44 and -88; 748 = 374 / 224.4 / 149.6; a tenth of each to the pool: 74.8."""
    own, pool = shared_out(
        1000 * HOUR,
        [Fraction("0.12"), Fraction("0.05"), Fraction("0.10")],
        {"A": Fraction("0.5"), "B": Fraction("0.3"), "C": Fraction("0.2")},
        Fraction("0.10"),
    )
    assert {who: float(minutes / HOUR) for who, minutes in own.items()} == {"A": 374, "B": 224.4, "C": 149.6}
    assert pool == Fraction("74.8") * HOUR


def test_r05_whoever_got_less_has_a_longer_turn() -> None:
    """3 h: 90 of 120 delivered -> 3.75 h; 150 of 120 -> 2.25 h; never more than half as much again."""
    assert next_chunk(3 * HOUR, 120, 90) == Fraction("3.75") * HOUR
    assert next_chunk(3 * HOUR, 120, 150) == Fraction("2.25") * HOUR
    assert next_chunk(3 * HOUR, 120, 0) == Fraction("4.5") * HOUR


def test_r06_equipment_becomes_hours() -> None:
    """VND 1.2bn x 50 % / 2.5m an hour = 240 h."""
    assert converted(1_200_000_000, Fraction(1, 2), 2_500_000) == 240 * HOUR
    with pytest.raises(ValueError, match="rate"):
        converted(1, Fraction(1), 0)


def test_r08_unused_time_is_pulled_back() -> None:
    """At a third of the year 9 of 120 h (7.5 %) are used: 0.30 x 111 h = 33.3 h; the source has 50,000 of 1,000,000."""
    steps = [
        Step(used_less_than=Fraction("0.15"), forfeit=Fraction("0.15")),
        Step(used_less_than=Fraction("0.10"), forfeit=Fraction("0.30")),
    ]
    assert pulled_back(120 * HOUR, 9 * HOUR, steps) == 1998
    assert pulled_back(1_000_000, 50_000, steps) == 285_000
    # 12 % used: the milder step; 15 % used: none.
    assert pulled_back(100 * HOUR, 12 * HOUR, steps) == floor_of(Fraction("0.15") * 88 * HOUR)
    assert pulled_back(100 * HOUR, 15 * HOUR, steps) == 0


def floor_of(minutes: Fraction) -> int:
    return minutes.numerator // minutes.denominator


def test_r09_a_share_of_the_unused_balance_is_removed() -> None:
    """200 h with 16 used (8 %): 0.25 x 184 = 46 h."""
    steps = [
        Step(used_less_than=Fraction("0.10"), forfeit=Fraction("0.25")),
        Step(used_less_than=Fraction("0.25"), forfeit=Fraction("0.15")),
    ]
    assert pulled_back(200 * HOUR, 16 * HOUR, steps) == 46 * HOUR


def test_r11_some_of_what_is_left_goes_into_the_next_period() -> None:
    """120 h, 90 used: 30 left, of which at most a quarter of 120 = 30 h; with 60 used still 30 h."""
    assert carried_over(120 * HOUR, 90 * HOUR, Fraction(1, 4)) == 30 * HOUR
    assert carried_over(120 * HOUR, 60 * HOUR, Fraction(1, 4)) == 30 * HOUR
    assert carried_over(120 * HOUR, 130 * HOUR, Fraction(1, 4)) == 0


def test_r14_state_orders_take_no_more_than_their_ceiling() -> None:
    """30 % of 680 h = 204 h: 80 h can be had; of another 150 h only the 124 h that are left."""
    assert displaced(80 * HOUR, 0, 680 * HOUR, Fraction("0.30")) == 80 * HOUR
    assert displaced(150 * HOUR, 80 * HOUR, 680 * HOUR, Fraction("0.30")) == 124 * HOUR
    assert displaced(10 * HOUR, 204 * HOUR, 680 * HOUR, Fraction("0.30")) == 0


def test_r22_what_is_delivered_is_charged_and_a_fault_refunded() -> None:
    """A classical night of 10 h counts 7.5 h; after a fault 3 h into 8, 5 h come back."""
    assert charged(10 * HOUR, 10 * HOUR, rate=Fraction("0.75")) == (Fraction("7.5") * HOUR, 0)
    assert charged(8 * HOUR, 3 * HOUR, fault_at=3 * HOUR) == (3 * HOUR, 5 * HOUR)
