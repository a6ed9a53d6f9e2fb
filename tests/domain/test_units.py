"""Units: when an instrument for several is full, and that as many units as its capacity always suffice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from labshare.domain.timespan import Span
from labshare.domain.units import Laid, full, in_gaps, laid_anew, when_full

START = datetime(2026, 11, 25, 0, 0, tzinfo=UTC)


def hours(start: int, end: int) -> Span:
    return Span(START + timedelta(hours=start), START + timedelta(hours=end))


def laid(key: int, start: int, end: int, unit: int | None = None) -> Laid:
    return Laid(UUID(int=key), hours(start, end), unit)


def test_full_is_where_as_many_run_as_there_are_units() -> None:
    """Two from 2 to 3 and from 5 to 6; the third touches the first at 4 and so never meets it."""
    uses = [hours(1, 4), hours(2, 3), hours(4, 6), hours(5, 7)]
    assert full(2, uses) == [hours(2, 3), hours(5, 6)]
    assert full(3, uses) == []
    assert full(1, uses) == [hours(1, 7)]


def test_a_block_fills_every_unit() -> None:
    assert full(5, [hours(1, 2)], [hours(3, 4)]) == [hours(3, 4)]


def test_only_instruments_for_several_are_counted() -> None:
    rows = [
        (1, "use", *ends(1, 3)), (1, "use", *ends(2, 4)), (1, "closure", *ends(8, 9)),
        (2, "use", *ends(1, 3)),
        (3, "use", *ends(1, 3)),
    ]  # fmt: skip
    assert when_full(rows, {1: 2, 3: 2}) == {1: [hours(8, 9), hours(2, 3)], 2: [hours(1, 3)], 3: []}


def ends(start: int, end: int) -> tuple[datetime, datetime]:
    each = hours(start, end)
    return each.start, each.end


def test_a_use_takes_the_lowest_unit_that_is_free_for_all_of_it() -> None:
    standing = [laid(1, 0, 2, 0), laid(2, 3, 5, 1)]
    assert in_gaps(3, standing, [laid(9, 0, 2)]) == {UUID(int=9): 1}
    assert in_gaps(3, standing, [laid(9, 1, 4)]) == {UUID(int=9): 2}
    assert in_gaps(2, standing, [laid(9, 1, 4)]) is None


def test_one_that_moves_keeps_its_unit_where_it_can() -> None:
    assert in_gaps(3, [laid(1, 0, 2, 0)], [laid(9, 0, 2, 2)]) == {UUID(int=9): 2}
    assert in_gaps(3, [laid(1, 0, 2, 2)], [laid(9, 0, 2, 2)]) == {UUID(int=9): 0}


def test_others_make_room_where_no_unit_is_free_all_through() -> None:
    """Units 0 and 1 have each a use, one after the other: at most one runs at a time, so a third has room.

    In order of starts: 1 runs in unit 0, the new one begins at 1 and gets unit 1, and so 2, which begins at 3 when 1 is
    over, leaves unit 1 for unit 0.
    """
    standing = [laid(1, 0, 2, 0), laid(2, 3, 5, 1)]
    assert laid_anew(2, standing, [laid(9, 1, 4)]) == {UUID(int=9): 1, UUID(int=2): 0}


def test_what_finds_no_unit_is_left_out() -> None:
    assert laid_anew(1, [laid(1, 0, 4, 0)], [laid(9, 1, 2)]) == {}


@given(st.integers(1, 4), st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)), max_size=40))
def test_whoever_is_counted_to_have_room_gets_a_unit_and_nobody_loses_theirs(
    capacity: int, wishes: Sequence[tuple[int, int]]
) -> None:
    """Wishes come one after the other; each is taken if no instant of it is full, and then all have units apart."""
    standing: dict[UUID, Laid] = {}
    for key, (start, length) in enumerate(wishes):
        new = laid(key, start, start + length)
        if any(each.overlaps(new.occupied) for each in full(capacity, (each.occupied for each in standing.values()))):
            continue
        present = list(standing.values())
        found = in_gaps(capacity, present, [new])
        if found is None:
            beyond = [each for each in present if each.occupied.end > new.occupied.start]
            found = laid_anew(capacity, beyond, [new])
        for each in (*present, new):
            standing[each.id] = Laid(each.id, each.occupied, found.get(each.id, each.unit))
        after = list(standing.values())
        assert all(each.unit is not None and 0 <= each.unit < capacity for each in after)
        assert not any(
            a.unit == b.unit and a.occupied.overlaps(b.occupied) for i, a in enumerate(after) for b in after[:i]
        )
