"""A program taken further: what is held, what that shuts out, and what cannot be."""

from __future__ import annotations

import numpy as np

from labshare.scheduler.layout import Layout
from labshare.scheduler.timed_model import TimedModel
from tests.scheduler.making import ask, raw, read, session


def model() -> TimedModel:
    """Two columns, `a` worth 7 and `b` worth 5, of which one row allows one."""
    made = TimedModel(Layout(read(raw(2, ask("a", 2, 7, (0, 0)), ask("b", 2, 5, (0, 0))))))
    made.add_row([(np.array([0, 1]), 1.0)], high=1)
    return made


def test_sessions_are_read_from_values_and_back() -> None:
    made = model()
    assert made.sessions(np.array([0.0, 1.0])) == [session("b", 0, 2)]
    assert made.chosen([session("b", 0, 2)]).tolist() == [1]


def test_what_is_held_shuts_the_others_out() -> None:
    program = model().finished()
    assert program.shut(np.array([1.0, 0.0]), program.upper).tolist() == [1, 0]


def test_the_rest_counts_what_is_held() -> None:
    """With `b` held the row has no room left, and the objective begins at 5."""
    program = model().finished()
    rest = program.rest(np.array([0.0, 1.0]), np.array([1.0, 1.0]))
    assert rest is not None
    assert (rest.program.offset, rest.program.high.tolist(), rest.program.gain.tolist()) == (5, [0], [7])
    assert rest.whole(np.array([0.0])).tolist() == [0, 1]


def test_what_no_row_can_hold_has_no_rest() -> None:
    program = model().finished()
    both = np.array([1.0, 1.0])
    assert program.rest(both, both) is None
    assert program.in_broken_rows(both, both).tolist() == [True, True]
    assert program.in_broken_rows(program.lower, program.upper).tolist() == [False, False]


def test_entries_are_found_by_variable() -> None:
    """Rows (0: a and b) and (1: b alone): `b` is in entries 1 and 2."""
    made = model()
    made.add_row([(np.array([1]), 1.0)], high=1)
    program = made.finished()
    assert program.entries_of(np.array([1])).tolist() == [1, 2]
    assert program.entries_of(np.array([0, 1])).tolist() == [0, 1, 2]
    assert program.entries_of(np.array([], dtype=np.int64)).tolist() == []
