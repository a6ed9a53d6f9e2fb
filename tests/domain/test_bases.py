"""Which minutes of a use count for a share of each base."""

from __future__ import annotations

import msgspec
import pytest

from labshare.domain.bases import MOVING, PLANNED, Base, taken


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """One run of 50 minutes out of 60 booked, and 90 minutes to come, of which 30 are only held."""

    used: int = 50
    committed: int = 90
    firm: int = 60
    booked: int = 150
    delivered: int = 50


@pytest.mark.parametrize(
    ("base", "counts"),
    [
        (Base.OPEN, (50, 90, 60)),
        (Base.ALLOCABLE, (50, 90, 60)),
        (Base.OFFERED, (50, 90, 60)),
        # 60 booked and past, though only 50 of them ran.
        (Base.BOOKED, (60, 90, 60)),
        (Base.DELIVERED, (50, 0, 0)),
        (Base.CHARGED, (50, 0, 0)),
    ],
)
def test_a_share_counts_the_minutes_that_its_base_is_made_of(base: Base, counts: tuple[int, int, int]) -> None:
    assert taken(base, Counted()) == counts


def test_each_base_is_planned_frozen_with_downs_or_moving() -> None:
    assert set(Base) - PLANNED - MOVING == {Base.OFFERED}
    assert not PLANNED & MOVING
