"""R05 R06 R08 R09 R10 R11 R14 R22 read from an agreement's document, each with its worked number."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest

from labshare.domain.ledger_clauses import BlockState, Charging, Entitlement, Reserved, StateOrder
from labshare.domain.timespan import Span
from tests.domain.clauses import whole

HOUR = 60
START = datetime(2026, 1, 1, tzinfo=UTC)
# Ninety days: a third of them is day 30.
PERIOD = Span(START, START + timedelta(days=90))


def of(party: str) -> Entitlement:
    return next(each for each in whole().entitlements if each.party == party)


def test_who_was_served_less_than_due_picks_more() -> None:
    """R05: 90 of 120 h delivered: 3 h x (1 + 30/120) = 3.75 h; 150 of 120: 3 h x (1 - 30/120) = 2.25 h."""
    turn = of("O-A").turn
    assert turn is not None
    assert turn.next(120 * HOUR, 90 * HOUR) == Fraction("3.75") * HOUR
    assert turn.next(120 * HOUR, 150 * HOUR) == Fraction("2.25") * HOUR


def test_what_was_put_in_in_kind_is_repaid_in_time() -> None:
    """R06: VND 1.2 bn x 50 % / 2.5 m an hour = 240 h."""
    conversion = of("O-A").conversion
    contribution = next(each for each in whole().contributions if each.party == "O-A")
    assert conversion is not None
    assert conversion.minutes(contribution) == 240 * HOUR


def reserved() -> Reserved:
    found = whole().reserved
    assert found is not None
    return found


BLOCK = Span(START, START + timedelta(hours=8))


@pytest.mark.parametrize(
    ("hours_ahead", "state"),
    [
        (73, BlockState.KEPT),
        (72, BlockState.OPEN),
        (25, BlockState.OPEN),
        (24, BlockState.STANDBY),
        (0, BlockState.STANDBY),
    ],
)
def test_an_unconfirmed_block_goes_to_the_pool_and_then_to_standby(hours_ahead: int, state: BlockState) -> None:
    now = START - timedelta(hours=hours_ahead)
    assert reserved().state(START, now, is_confirmed=False) is state
    assert reserved().state(START, now, is_confirmed=True) is BlockState.CONFIRMED


def test_a_released_block_costs_its_party_nothing() -> None:
    """R10: an 8 h block, unconfirmed at T-72 h: 8 h to the open pool, nothing charged to the entitlement."""
    at = START - timedelta(hours=72)
    assert reserved().shared(BLOCK, at, is_confirmed=False) == (8 * HOUR, 0)
    assert reserved().shared(BLOCK, at, is_confirmed=True) == (0, 8 * HOUR)
    assert reserved().shared(BLOCK, at - timedelta(minutes=1), is_confirmed=False) == (0, 8 * HOUR)


def state_order() -> StateOrder:
    found = whole().state_order
    assert found is not None
    return found


def test_a_state_order_is_told_ten_working_days_ahead() -> None:
    """R14: told on Wednesday 25 November 2026, ten working days are two weeks; a holiday on the way is one day more."""
    assert state_order().earliest(date(2026, 11, 25)) == date(2026, 12, 9)
    assert state_order().earliest(date(2026, 11, 25), {date(2026, 12, 1)}) == date(2026, 12, 10)


def charging() -> Charging:
    found = whole().charging
    assert found is not None
    return found


def test_a_classical_night_is_charged_at_three_quarters() -> None:
    """R22: 10 h night block -> 7.5 h."""
    assert charging().minutes(10 * HOUR, 10 * HOUR, is_classical=True) == (Fraction("7.5") * HOUR, 0)


def test_what_a_fault_spoils_is_given_back() -> None:
    """R22: fault after 3 h of 8: 3 h charged, 5 h back. With half of it refunded: 5.5 h charged, 2.5 h back."""
    assert charging().minutes(8 * HOUR, 3 * HOUR, fault_at=3 * HOUR) == (3 * HOUR, 5 * HOUR)
    half = Charging(fault_refund=Fraction(1, 2))
    assert half.minutes(8 * HOUR, 3 * HOUR, fault_at=3 * HOUR) == (Fraction("5.5") * HOUR, Fraction("2.5") * HOUR)


def test_where_there_is_little_demand_use_is_free_if_the_clause_says_so() -> None:
    assert charging().minutes(8 * HOUR, 8 * HOUR, is_low_demand=True) == (0, 0)
    assert Charging().minutes(8 * HOUR, 8 * HOUR, is_low_demand=True) == (8 * HOUR, 0)
