"""Half-open spans: their algebra, by example and against sets of minutes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labshare.domain.timespan import (
    Span,
    clipped,
    intersection,
    merged,
    require_minute,
    shared_minutes,
    subtracted,
    total_minutes,
)
from labshare.errors import Malformed

ZERO = datetime(2026, 11, 23, tzinfo=UTC)


def at(minute: int) -> datetime:
    return ZERO + timedelta(minutes=minute)


def span(start: int, end: int) -> Span:
    return Span(at(start), at(end))


def minutes(spans: list[Span]) -> set[int]:
    """The independent reading: a span is the set of its minutes."""
    return {m for s in spans for m in range(int((s.start - ZERO).total_seconds()) // 60, _end(s))}


def _end(s: Span) -> int:
    return int((s.end - ZERO).total_seconds()) // 60


spans = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 20)).map(lambda pair: span(pair[0], pair[0] + pair[1])), max_size=6
)


def test_a_span_must_be_aware_and_forward() -> None:
    with pytest.raises(Malformed, match="naive_time"):
        Span(datetime(2026, 1, 1), at(5))  # noqa: DTZ001 - a naive time is the point
    with pytest.raises(Malformed, match="reversed_time"):
        span(5, 5)


def test_back_to_back_spans_do_not_overlap() -> None:
    assert not span(0, 10).overlaps(span(10, 20))
    assert span(0, 11).overlaps(span(10, 20))
    assert intersection(span(0, 10), span(10, 20)) is None


def test_times_that_occupy_are_whole_minutes() -> None:
    assert require_minute(at(3)) == at(3)
    with pytest.raises(Malformed, match="not_whole_minute"):
        require_minute(at(3) + timedelta(seconds=1))


@given(spans, spans)
def test_the_algebra_is_that_of_sets_of_minutes(some: list[Span], others: list[Span]) -> None:
    left = subtracted(some, others)
    assert minutes(left) == minutes(some) - minutes(others)
    assert left == merged(left)
    assert minutes(merged(some)) == minutes(some)
    assert total_minutes(some) == len(minutes(some))
    assert shared_minutes(merged(some), merged(others)) == len(minutes(some) & minutes(others))
    window = span(10, 30)
    assert minutes(clipped(some, window)) == minutes(some) & set(range(10, 30))


@given(spans)
def test_merged_spans_never_touch(some: list[Span]) -> None:
    joined = merged(some)
    assert all(a.end < b.start for a, b in pairwise(joined))
