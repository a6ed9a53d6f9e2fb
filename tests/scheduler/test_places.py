"""Where sessions can go: free stretches, runs of starts, and where a run is cut."""

from __future__ import annotations

import pytest

from labshare.scheduler.places import Run, free_stretches, inside, merged, merged_starts, runs_of, subtract
from labshare.scheduler.problem import Span
from tests.scheduler.making import Raw, ask, offer, raw, read, two_instruments


def ranges(problem: Raw) -> list[tuple[str, int, int]]:
    return [(run.instrument, run.first, run.last) for run in runs_of(read(problem))]


@pytest.mark.parametrize(
    ("taken", "left"),
    [
        ([], [(0, 4), (4, 9)]),
        ([(2, 3)], [(0, 2), (3, 4), (4, 9)]),
        ([(3, 5)], [(0, 3), (5, 9)]),
        ([(0, 9)], []),
        ([(4, 9), (0, 1)], [(1, 4)]),
        ([(1, 3), (2, 6), (7, 8)], [(0, 1), (6, 7), (8, 9)]),
        ([(1, 2), (1, 2), (-3, 1), (8, 12)], [(2, 4), (4, 8)]),
    ],
)
def test_spans_that_touch_stay_apart_when_something_is_taken(taken: list[Span], left: list[Span]) -> None:
    assert subtract([(4, 9), (0, 4)], taken) == left


def test_spans_that_overlap_or_touch_merge_into_one() -> None:
    assert merged([(5, 6), (0, 2), (1, 3), (3, 4)]) == [(0, 4), (5, 6)]


def test_free_time_is_open_time_clear_of_fixed_rows_and_down_times() -> None:
    instruments: list[Raw] = [{"id": "i0", "open": [[0, 5], [5, 10]]}, {"id": "i1"}, {"id": "i2", "open": []}]
    problem = raw(10, instruments=instruments, fixed=[{"instrument": "i0", "start": 1, "end": 2}], down=[["i0", 8, 10]])
    stretches = free_stretches(read(problem))
    spans = {name: [(stretch.start, stretch.end) for stretch in free] for name, free in stretches.items()}
    assert spans == {"i0": [(0, 1), (2, 5), (5, 8)], "i1": [(0, 10)], "i2": []}


def test_starts_leave_room_for_the_session() -> None:
    # 3 slots in 0-5 and 5-9: starts 0 to 2 and 5 to 6, of those asked for 1 to 5.
    problem = raw(10, ask("a", 3, 1, (1, 5)), instruments=[{"id": "i0", "open": [[0, 5], [5, 9]]}])
    assert ranges(problem) == [("i0", 1, 2), ("i0", 5, 5)]


def test_overlapping_ranges_of_starts_are_one() -> None:
    option = read(
        raw(10, ask("a", 1, 1, (0, 0)) | {"options": [offer(1, (5, 6)) | {"starts": [[5, 6], [0, 2], [1, 4]]}]})
    )
    assert merged_starts(option.requests[0].options[0]) == [(0, 6)]


def test_a_run_is_cut_where_a_window_begins_to_count_otherwise() -> None:
    # 3 slots, window 4-10: 0 and 1 have none inside, 2 has 1, 3 has 2, 4 to 7 all, then the horizon's last start.
    rules = [{"id": "R", "kind": "cap", "window": [4, 10], "instruments": ["i0"]}]
    problem = raw(10, ask("a", 3, 1, (0, 9)), rules=rules, instruments=two_instruments())
    assert ranges(problem) == [("i0", 0, 1), ("i0", 2, 2), ("i0", 3, 3), ("i0", 4, 7)]
    # On another instrument the rule counts nothing.
    assert ranges(problem | {"requests": [ask("a", 3, 1, (0, 9), "i1")]}) == [("i1", 0, 7)]


def test_the_current_start_is_a_run_of_its_own() -> None:
    current = [{"request": "a", "instrument": "i0", "start": 3}]
    assert ranges(raw(8, ask("a", 3, 1, (0, 7)), current=current)) == [("i0", 0, 2), ("i0", 3, 3), ("i0", 4, 5)]


def test_value_falls_with_lateness() -> None:
    run: Run = runs_of(read(raw(8, ask("a", 1, 9, (2, 5), late=2))))[0]
    assert [run.value_at(start) for start in (2, 3, 5)] == [9, 7, 3]


def test_only_the_part_inside_a_window_counts() -> None:
    assert [inside((2, 5), start, start + 2) for start in range(6)] == [0, 1, 2, 2, 1, 0]
    assert inside(None, 3, 7) == 4
