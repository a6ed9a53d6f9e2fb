"""The solver's time: whole slots from the start of a round."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from labshare.domain.timespan import Span
from labshare.services.slots import Grid, grid_of
from tests.domain.test_rounds import a_round
from tests.round_of import at

GRID = Grid(at(0, 0), 30, 240)


def test_a_round_of_five_days_has_240_half_hours() -> None:
    assert grid_of(a_round()) == GRID


def test_a_rest_that_is_no_whole_slot_is_left_out() -> None:
    # 25 minutes more than five days: still 240 half hours.
    assert grid_of(a_round(ends_at=at(5, 0, 25))).horizon == 240


def test_lengths_are_rounded_up_and_spans_inwards() -> None:
    assert [GRID.slots(minutes) for minutes in (1, 30, 31)] == [1, 1, 2]
    # 08:10 to 10:20 holds 08:30 to 10:00, slots 17 to 20.
    assert GRID.inside([Span(at(0, 8, 10), at(0, 10, 20))]) == [(17, 20)]
    assert GRID.inside([Span(at(0, 8, 10), at(0, 8, 50))]) == []


def test_time_outside_the_horizon_is_cut_off() -> None:
    assert GRID.inside([Span(at(-1, 0), at(0, 1)), Span(at(4, 23), at(6, 0))]) == [(0, 2), (238, 240)]


@given(st.integers(-5000, 20000))
def test_first_and_last_enclose_a_moment(minute: int) -> None:
    moment = GRID.start + timedelta(minutes=minute)
    assert GRID.at(GRID.last(moment)) <= moment <= GRID.at(GRID.first(moment))
    assert GRID.first(moment) - GRID.last(moment) == (0 if minute % 30 == 0 else 1)
