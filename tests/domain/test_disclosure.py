"""Whatever is told of others, and whatever can be computed from it, is about three parties at least."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from labshare.domain.disclosure import MIN_PARTIES, partition


def test_a_cell_of_three_is_told() -> None:
    found = partition({"industry": {1, 2, 3}, "startup": {4, 5, 6}})
    assert (found.told, found.folded) == ({"industry", "startup"}, frozenset())


def test_small_cells_are_told_as_one_sum() -> None:
    found = partition({"industry": {1, 2, 3}, "startup": {4, 5}, "education": {6}})
    assert (found.told, found.folded) == ({"industry"}, {"startup", "education"})


def test_a_fold_that_is_too_small_takes_a_told_cell_with_it() -> None:
    # Without the second cell, total - industry would be what startup 9 did.
    found = partition({"industry": {1, 2, 3, 4}, "public": {5, 6, 7}, "startup": {9}})
    assert (found.told, found.folded) == ({"industry"}, {"public", "startup"})


def test_fewer_than_three_parties_in_all_are_withheld() -> None:
    found = partition({"industry": {1}, "startup": {1, 2}})
    assert found.is_withheld
    assert found.told == frozenset()


def test_where_nobody_else_was_there_is_nothing_to_withhold() -> None:
    assert not partition({"industry": set[int]()}).is_withheld
    assert not partition(dict[str, set[int]]()).is_withheld


@given(st.dictionaries(st.sampled_from("abcdef"), st.sets(st.integers(1, 7), max_size=5), max_size=6))
def test_no_sum_or_difference_of_what_is_told_is_about_one_or_two(cells: dict[str, set[int]]) -> None:
    found = partition(cells)
    if found.is_withheld:
        assert found.told == frozenset()
        return
    told = [cells[key] for key in found.told]
    if found.folded:
        told.append(set[int]().union(*(cells[key] for key in found.folded)))
    # The told parts are disjoint cells of one table, so any difference of sums (the total included) is a sum of them.
    for count in range(1, len(told) + 1):
        for some in combinations(told, count):
            assert len(set[int]().union(*some)) >= MIN_PARTIES
    assert found.told | found.folded == {key for key, inside in cells.items() if inside}
