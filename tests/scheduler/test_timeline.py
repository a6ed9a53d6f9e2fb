"""Looking up what meets a span."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labshare.scheduler.timeline import NOTHING, Occupied, Timeline


def row(start: int, end: int) -> Occupied:
    return Occupied(start, end, "r", None)


@pytest.mark.parametrize(
    ("start", "end", "met"),
    [
        (0, 2, []),  # ends where the first begins
        (0, 3, [(2, 9)]),
        (4, 5, [(2, 9), (3, 5)]),
        (5, 7, [(2, 9)]),  # the short one is over, the long one before it is not
        (9, 20, [(12, 13)]),
        (13, 20, []),
    ],
)
def test_rows_that_meet_a_span_come_in_order(start: int, end: int, met: list[tuple[int, int]]) -> None:
    timeline = Timeline([row(12, 13), row(3, 5), row(2, 9)])
    assert [(found.start, found.end) for found in timeline.near(start, end)] == met


def test_nothing_is_near_nothing() -> None:
    assert NOTHING.near(0, 9) == []


SPANS = st.tuples(st.integers(0, 20), st.integers(1, 8)).map(lambda pair: (pair[0], sum(pair)))


@given(rows=st.lists(SPANS, max_size=8), span=SPANS)
def test_halving_finds_what_looking_at_each_row_finds(rows: list[tuple[int, int]], span: tuple[int, int]) -> None:
    near = Timeline(row(*each) for each in rows).near(*span)
    assert [(found.start, found.end) for found in near] == sorted(
        each for each in rows if each[0] < span[1] and span[0] < each[1]
    )
