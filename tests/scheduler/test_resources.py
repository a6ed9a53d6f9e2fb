"""Who attends, how many operators fixed rows leave, and which families ask for idle slots."""

from __future__ import annotations

from labshare.scheduler.problem import FixedRow, OperatorNeed
from labshare.scheduler.resources import attended_by, free_operators, idle_slots
from tests.scheduler.making import ask, raw, read, two_instruments


def test_a_person_counts_only_where_they_must_be_there() -> None:
    rows = read(raw(6, ask("a", 3, 5, (0, 3), person="u"), ask("b", 3, 5, (0, 3), person="u", attended=True))).requests
    assert [attended_by(row) for row in rows] == [None, "u"]


def test_fixed_rows_take_operators_first() -> None:
    # Two on shift from 0 to 4, three from 2. One row takes one for 3 slots; the other is at 4, when nobody is left.
    fixed = [{"instrument": "i0", "start": 0, "end": 9, "operator": {"pool": "p", "slots": 3}}]
    fixed += [{"instrument": "i1", "start": 4, "end": 6, "operator": {"pool": "p", "slots": 1}}]
    pools = [{"id": "p", "shifts": [[0, 4, 2], [2, 4, 1]]}]
    problem = read(raw(9, instruments=two_instruments(), fixed=fixed, operator_pools=pools))
    assert free_operators(problem, problem.operator_pools[0]) == [(0, 2, 1), (2, 3, 2), (3, 4, 3), (4, 5, 0), (5, 9, 0)]
    # One more that stays from 0 to 1 leaves nobody then.
    kept = [FixedRow(instrument="i1", start=0, end=1, operator=OperatorNeed(pool="p", slots=9))]
    assert free_operators(problem, problem.operator_pools[0], kept)[:2] == [(0, 1, 0), (1, 2, 1)]


def test_families_that_need_no_idle_slots_are_left_out() -> None:
    problem = read(raw(9, instruments=[{"id": "i0", "changeover": [["wet", "dry", 2], ["dry", "wet", 0]]}]))
    assert idle_slots(problem.instruments[0]) == {("wet", "dry"): 2}
