"""What keeps a hold from being a way to block an instrument."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from labshare.domain.holds import ends_at, may_prolong, too_many
from tests.furniture import NOW, XRD, a_booking, span


def test_a_hold_lasts_five_minutes_and_never_beyond_the_start_of_the_use() -> None:
    assert ends_at(NOW + timedelta(hours=1), NOW) == NOW + timedelta(minutes=5)
    assert ends_at(NOW + timedelta(minutes=3), NOW) == NOW + timedelta(minutes=3)


@pytest.mark.parametrize(
    ("standing", "again", "codes"),
    [
        (1, 3, []),
        (2, 0, ["holds_too_many"]),
        (0, 4, ["holds_again"]),
        (2, 4, ["holds_too_many", "holds_again"]),
    ],
)
def test_nobody_has_many_and_none_again_and_again(standing: int, again: int, codes: list[str]) -> None:
    assert [each.code for each in too_many(standing, again)] == codes


def test_a_hold_is_prolonged_once() -> None:
    hold = a_booking(XRD, span(25, 9, 11), form_hold=1)
    assert may_prolong(hold)
    assert not may_prolong(msgspec.structs.replace(hold, form_hold=2))
