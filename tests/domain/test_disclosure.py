"""Whatever is told of others, and whatever can be computed from it, is about three parties at least."""

from __future__ import annotations

from datetime import date
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from labshare.domain.disclosure import MIN_PARTIES, Confidentiality, Told, partition
from tests.domain.clauses import whole


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


# ---------------------------------------------------------------- R23: one piece of work


def confidentiality() -> Confidentiality:
    found = whole().confidentiality
    assert found is not None
    return found


ENDED = date(2026, 1, 31)


def told(*, is_own: bool = False, is_proprietary: bool = False, day: date = date(2030, 1, 1)) -> frozenset[Told]:
    return confidentiality().told(is_own=is_own, is_proprietary=is_proprietary, ended_on=ENDED, day=day)


def test_proprietary_work_shows_as_counts_whoever_did_it() -> None:
    """R23: a partner reads that 42 shifts were used, by four companies, and never which or on what sample.

    3 x 12 + 6 = 42 shifts of 4 companies: a cell of four is told.
    """
    shifts = {1: 12, 2: 12, 3: 12, 4: 6}
    found = partition({"proprietary": shifts.keys()}, confidentiality().min_cell)
    assert found.told == {"proprietary"}
    assert sum(shifts.values()) == 42
    assert told(is_proprietary=True) == {Told.MINUTES}


def test_titles_are_under_embargo_for_two_years() -> None:
    """R23: 24 months after 31 January 2026 is 31 January 2028."""
    hidden = {Told.TITLE, Told.SAMPLE}
    assert not told(day=date(2028, 1, 30)) & hidden
    assert Told.ORGANISATION in told(day=date(2028, 1, 30))
    assert told(day=date(2028, 1, 31)) == set(Told)


def test_an_embargo_that_ends_on_no_day_ends_on_the_next() -> None:
    # One month after 31 January would be 31 February.
    short = Confidentiality(embargo_months=1)

    def read(day: date) -> frozenset[Told]:
        return short.told(is_own=False, is_proprietary=False, ended_on=ENDED, day=day)

    assert Told.TITLE not in read(date(2026, 2, 28))
    assert Told.TITLE in read(date(2026, 3, 1))


def test_ones_own_work_is_told_whole() -> None:
    assert told(is_own=True, is_proprietary=True, day=ENDED) == set(Told)


def test_an_agreement_may_ask_for_larger_cells() -> None:
    cells = {"industry": {1, 2, 3}, "startup": {4, 5, 6, 7}}
    assert partition(cells, 4).folded == set(cells)
    assert partition(cells, 8).is_withheld
