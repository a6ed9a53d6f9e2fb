"""Lines, runs and columns: every start that could be had, and none that a person or an operator rules out."""

from __future__ import annotations

import numpy as np

from labshare.scheduler.layout import NOBODY, Layout, before, contributions
from tests.scheduler.making import ask, raw, read


def test_columns_are_the_starts_of_all_runs_with_their_values() -> None:
    # Two open segments; starts 0 to 4 of length 2: 0, 1 in the first, 3, 4 in the second. One slot later costs 1.
    layout = Layout(read(raw(9, ask("a", 2, 10, (0, 4), late=1), instruments=[{"id": "i0", "open": [[0, 3], [3, 6]]}])))
    assert (layout.columns.start.tolist(), layout.columns.value.tolist()) == ([0, 1, 3, 4], [10, 9, 7, 6])
    assert layout.size == 4


def test_a_person_who_is_elsewhere_takes_columns_out() -> None:
    fixed = [{"instrument": "i1", "start": 3, "end": 5, "person": "u", "attended": True}]
    instruments = [{"id": "i0"}, {"id": "i1"}]
    asked = ask("a", 2, 10, (0, 6), person="u", attended=True)
    layout = Layout(read(raw(9, asked, instruments=instruments, fixed=fixed)))
    # A session of 2 may not touch slots 3 and 4: starts 2, 3 and 4 go.
    assert layout.columns.start.tolist() == [0, 1, 5, 6]


def test_where_no_operator_is_on_shift_there_is_no_column() -> None:
    pools = [{"id": "p", "shifts": [[2, 4, 1]]}]
    asked = ask("a", 3, 10, (0, 5), operator={"pool": "p", "slots": 1})
    layout = Layout(read(raw(9, asked, operator_pools=pools)))
    assert layout.columns.start.tolist() == [2, 3]
    instrument, person, pool = layout.uses(layout.runs[0])
    assert (instrument.slots, person.line, pool.slots) == (3, NOBODY, 1)
    assert layout.capacity[pool.line].tolist() == [0, 0, 1, 1, 0, 0, 0, 0, 0]


def test_sums_before_a_slot_give_any_span_in_two_look_ups() -> None:
    assert before(np.array([[3, 1, 4]])).tolist() == [[0, 3, 4, 8]]


def test_contributions_are_of_runs_that_the_rule_reads() -> None:
    rules = [{"id": "C", "kind": "cap", "slots": 9, "window": [0, 2], "instruments": ["i0"]}]
    instruments = [{"id": "i0"}, {"id": "i1"}]
    layout = Layout(
        read(raw(9, ask("a", 2, 1, (1, 1)), ask("b", 2, 1, (0, 0), "i1"), instruments=instruments, rules=rules))
    )
    # Of [1, 3) one slot lies in the window; the other instrument is not in scope.
    assert contributions(layout.counts[0], layout.runs) == [(0, 1, 1)]
