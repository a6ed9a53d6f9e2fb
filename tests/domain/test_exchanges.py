"""Exchanges: what may change hands, and until when the other may answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from labshare.domain.bookings import BookingKind, BookingState
from labshare.domain.exchanges import Exchange, ExchangeState, answer_by, may_change_hands
from tests.furniture import NOW, XRD, a_booking, at, span

SOON = span(23, 20, 22)


def test_the_other_has_two_days_but_none_once_a_use_begins() -> None:
    late, sooner = a_booking(XRD, span(27, 9, 11)), a_booking(XRD, span(24, 9, 11))
    assert answer_by(NOW, late) == NOW + timedelta(hours=48)
    assert answer_by(NOW, late, sooner) == at(24, 9)


@pytest.mark.parametrize(
    ("changes", "may"),
    [
        ({}, True),
        ({"state": BookingState.PENDING}, True),
        ({"state": BookingState.HELD}, False),
        ({"state": BookingState.CANCELLED}, False),
        ({"kind": BookingKind.MAINTENANCE}, False),
        ({"plan_id": UUID(int=5)}, False),
        ({"starts_at": NOW}, False),
    ],
)
def test_what_was_booked_and_has_not_begun_may_change_hands(changes: dict[str, Any], may: bool) -> None:
    assert may_change_hands(a_booking(XRD, SOON, **changes), NOW) is may


def test_an_exchange_stands_until_it_is_answered_or_out_of_time() -> None:
    values: dict[str, Any] = {name: UUID(int=1) for name in ("id", "booking_id", "giver_id", "receiver_id")}
    exchange = Exchange(answer_by=at(24, 9), created_at=NOW, **values)
    assert exchange.stands(at(24, 8, 59))
    assert not exchange.stands(at(24, 9))
    declined = Exchange(answer_by=at(24, 9), created_at=NOW, state=ExchangeState.DECLINED, **values)
    assert not declined.stands(NOW)
