"""The least that linear rows must be missed by, worked by hand."""

from __future__ import annotations

import pytest

from labshare.scheduler.linear import LinearRow, least_missed


def test_what_fits_is_not_missed() -> None:
    assert least_missed([1, 1], [LinearRow([0, 1], high=1)], [LinearRow([0], low=0.5), LinearRow([1], low=0.5)]) == 0


def test_rows_that_cannot_all_hold_are_missed_as_little_as_can_be() -> None:
    """Both together have 1; they ask for 0.7 and 0.6; and the second may have 0.1: so 0.3 + 0.2 are lacking at least:
    the second gets 0.1 + x at a cost of x above its high, and lacks 0.5 - x.
    """
    whole = [LinearRow([0, 1], high=1)]
    asked = [LinearRow([0], low=0.7), LinearRow([1], low=0.6), LinearRow([1], high=0.1)]
    assert least_missed([1, 1], whole, asked[:2]) == pytest.approx(0.3)
    assert least_missed([1, 1], whole, asked) == pytest.approx(0.5)


def test_a_row_of_nothing_lacks_all_of_it() -> None:
    assert least_missed([1], [], [LinearRow([], low=0.25)]) == pytest.approx(0.25)


def test_rows_to_be_kept_that_cannot_hold_are_told() -> None:
    with pytest.raises(ValueError, match="cannot hold"):
        least_missed([1], [LinearRow([0], low=2)], [])
