"""The entitlement ledger: sums that can be told again, and the worked number of every rule that changes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labshare.domain.ledger import (
    BY_HAND,
    ONCE,
    Cause,
    Checkpoint,
    LedgerAccount,
    LedgerEntry,
    LedgerRules,
    Step,
    balance,
    by_cause,
    carried_over,
    charged,
    check_reference,
    closing,
    converted,
    credits_left,
    displaced,
    lapsing,
    next_chunk,
    next_deadline,
    next_period,
    period_name,
    pulled_back,
    pulled_back_at,
    shared_out,
    used,
)
from labshare.domain.timespan import Span
from labshare.domain.windows import CALENDAR, Window, window_at

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


# ---------------------------------------------------------------- corrections, deadlines and periods


def test_a_corrected_credit_lapses_as_corrected() -> None:
    """24 h credited were 20 h; 6 h of them are used before day 80, so 14 h lapse."""
    entries = (
        *STATEMENT,
        msgspec.structs.replace(entry(5, Cause.CORRECTED, -4 * HOUR, 21), corrects=STATEMENT[3].id),
        entry(6, Cause.DELIVERED, -6 * HOUR, 30),
    )
    assert lapsing(entries, at(80)) == [(STATEMENT[3], 14 * HOUR)]


def test_what_is_carried_over_is_no_credits_time() -> None:
    """The credit still runs after the period: the 10 h that go into the next one are not taken from it."""
    entries = (*STATEMENT, entry(5, Cause.CARRIED_OVER, -10 * HOUR, 60))
    assert credits_left(entries, at(70)) == [(STATEMENT[3], 24 * HOUR)]


def test_used_is_what_was_delivered_less_refunds_as_corrected() -> None:
    """9 h delivered, corrected to 8; 5 h refunded: 3 h."""
    entries = (
        *STATEMENT,
        msgspec.structs.replace(entry(5, Cause.CORRECTED, 1 * HOUR, 30), corrects=STATEMENT[1].id),
        entry(6, Cause.REFUNDED, 5 * HOUR, 40),
    )
    assert [used(entries, at(day)) // HOUR for day in (9, 10, 30, 40)] == [0, 9, 8, 3]


def test_an_account_closes_with_a_part_carried_over_and_the_rest_lapsed() -> None:
    """120 h granted, 9 used, 24 displaced and credited until day 80. At day 70: 111 - 24 open = 87 h are left of 96 due
    (87 + 9), of which a quarter, 24 h, goes over and 63 h lapse.
    """
    assert closing(STATEMENT, Fraction(1, 4), at(70)) == (24 * HOUR, 63 * HOUR)
    # After its day the credit's 24 h are no longer kept apart: they must have lapsed before.
    gone = (*STATEMENT, entry(7, Cause.LAPSED, -24 * HOUR, 80, reference=str(STATEMENT[3].id)))
    assert closing(gone, Fraction(1, 4), at(80)) == (24 * HOUR, 63 * HOUR)
    assert closing((), Fraction(1, 4), at(80)) == (0, 0)


def test_the_next_deadline_is_the_first_of_checkpoints_credits_and_the_end() -> None:
    """92 days: a third is over after 30 days and 16 hours."""
    rules = LedgerRules(
        carry_over=Fraction(1, 4),
        checkpoints=(Checkpoint(at=Fraction(1, 3), steps=()), Checkpoint(at=Fraction(2, 3), steps=())),
    )
    third, end = START + timedelta(days=30, hours=16), ACCOUNT.period.end
    asked = (at(0), third, third + timedelta(days=31), at(80), end)
    assert [next_deadline(STATEMENT, ACCOUNT.period, rules, moment) for moment in asked] == [
        third, START + timedelta(days=61, hours=8), at(80), end, None,
    ]  # fmt: skip
    assert next_deadline(STATEMENT[:3], ACCOUNT.period, LedgerRules(), at(0)) is None


def test_a_late_pull_back_counts_earlier_ones_and_takes_no_more_than_is_left() -> None:
    """100 h, nothing used. 30 h pulled back on day 90, late; at two thirds 75 % of the other 70 h (52.5) are due."""
    checkpoint = Checkpoint(at=Fraction(2, 3), steps=(Step(used_less_than=Fraction(1, 10), forfeit=Fraction(3, 4)),))
    entries = (entry(1, Cause.GRANTED, 100 * HOUR, 0), entry(2, Cause.PULLED_BACK, -30 * HOUR, 90))
    assert pulled_back_at(entries, ACCOUNT.period, checkpoint, at(90)) == 3150
    late = (*entries, entry(3, Cause.DELIVERED, -50 * HOUR, 89))
    assert pulled_back_at(late, ACCOUNT.period, checkpoint, at(90)) == 20 * HOUR


def test_the_next_period_is_the_next_of_its_kind() -> None:
    zone = "Asia/Ho_Chi_Minh"
    for kind in CALENDAR:
        first = window_at(kind, START, zone)
        assert next_period(first, zone) == window_at(kind, first.end, zone)
    # Ten days are no window of the calendar: ten more follow.
    assert next_period(Span(at(3), at(13)), "UTC") == Span(at(13), at(23))


def test_a_period_is_named_by_its_days_in_the_agreements_zone() -> None:
    quarter = window_at(Window.QUARTER, START + timedelta(days=9), "Asia/Ho_Chi_Minh")
    assert period_name(quarter, "Asia/Ho_Chi_Minh") == "2026-10-01/2026-12-31"
    assert period_name(ACCOUNT.period, "UTC") == "2026-10-01/2026-12-31"


@pytest.mark.parametrize("text", ["15/2026/QĐ-BKHCN", "B-1", "a" * 60, "8f0c:2#1"])
def test_a_reference_is_a_number_or_a_code(text: str) -> None:
    assert check_reference(text) == ()


@pytest.mark.parametrize("text", ["", "two words", "a" * 61, "a\nb", "<b>"])
def test_a_reference_is_no_text(text: str) -> None:
    assert len(check_reference(text)) == 1


def test_every_cause_has_a_way_into_the_ledger() -> None:
    """By hand with a sign, moved or corrected by hand, by a state order, or by a rule at its deadline."""
    by_rule = {Cause.CARRIED_OVER, Cause.PULLED_BACK, Cause.LAPSED, Cause.RELEASED}
    assert {*BY_HAND, Cause.TRANSFERRED, Cause.CORRECTED, Cause.DISPLACED, *by_rule} == set(Cause)
    assert set(Cause) - ONCE == {Cause.GRANTED, Cause.CONVERTED, Cause.TRANSFERRED, Cause.CORRECTED}
