"""Rows over single starts: no more of them than say something, and those of changeover worked by hand."""

from __future__ import annotations

from collections.abc import Callable

from labshare.scheduler.layout import Layout
from labshare.scheduler.timed_model import TimedModel
from labshare.scheduler.timed_rules import changeovers, lines, once
from tests.scheduler.making import Raw, ask, raw, read


def rows(problem: Raw, *rules: Callable[[TimedModel], None]) -> list[list[tuple[str, int]]]:
    """Each row as the requests and starts it counts, in order."""
    model = TimedModel(Layout(read(problem)))
    for rule in rules:
        rule(model)
    program = model.finished()
    found: list[list[tuple[str, int]]] = [[] for _ in program.low]
    for row, column in zip(program.row.tolist(), program.variable.tolist(), strict=True):
        found[row].append((model.run_of(column).request.id, int(model.columns.start[column])))
    return found


def test_once_counts_every_start_of_a_request() -> None:
    assert rows(raw(4, ask("a", 2, 5, (0, 2)), ask("b", 1, 5, (0, 0))), once) == [
        [("a", 0), ("a", 1), ("a", 2)],
        [("b", 0)],
    ]


def test_a_slot_that_another_covers_has_no_row() -> None:
    """`a` covers 0-1, `b` 1-2 or 2-3, `c` 1: slot 1 sees a, b at 1 and c; slots 2 and 3 see nobody but b."""
    problem = raw(4, ask("a", 2, 5, (0, 0)), ask("b", 2, 5, (1, 2)), ask("c", 1, 5, (1, 1)))
    assert rows(problem, lines) == [[("a", 0), ("b", 1), ("c", 1)]]


def test_changeover_keeps_families_apart_in_their_order() -> None:
    """Wet before dry needs 2 idle slots: with wet in 0-1, dry may not start at 2 or 3, and may at 4."""
    instrument = {"id": "i0", "changeover": [["wet", "dry", 2]]}
    wet, dry = ask("w", 2, 5, (0, 0), family="wet"), ask("d", 2, 5, (2, 4), family="dry")
    found = rows(raw(6, wet, dry, instruments=[instrument]), changeovers)
    assert [("w", 0), ("d", 2), ("d", 3)] in found
    assert not any(("w", 0) in row and ("d", 4) in row for row in found)
