"""The checker of histories finds what cannot be true, and nothing in what can.

One instrument and whole hours of one day; a call says when it was asked and answered, in seconds.
"""

from __future__ import annotations

import math
from typing import Any
from uuid import UUID

import msgspec
import pytest

from labshare.domain.timespan import Span
from tests.furniture import span
from tests.histories import Call, Line, Row, faults

ONE, TWO = UUID(int=1), UUID(int=2)


def hours(start: int, end: int) -> Span:
    return span(25, start, end)


def booked(name: str, booking: UUID, when: Span, asked: float, answered: float) -> Call:
    return Call(
        name=name, action="book", instrument="A", span=when, booking=booking, version=1, status=201, asked=asked,
        answered=answered,
    )  # fmt: skip


def unanswered(name: str, when: Span, asked: float) -> Call:
    return Call(name=name, action="book", instrument="A", span=when, asked=asked)


def refused(name: str, when: Span, asked: float, answered: float, **more: Any) -> Call:
    return Call(
        name=name, action="book", instrument="A", span=when, status=409, asked=asked, answered=answered, **more
    )  # fmt: skip


def changed(name: str, action: Any, when: Span | None, asked: float, answered: float) -> Call:
    """Of the first booking in its first version."""
    return Call(
        name=name, action=action, instrument="A", span=when, booking=ONE, seen=1, version=2, status=200, asked=asked,
        answered=answered,
    )  # fmt: skip


def line(action: str, booking: UUID, version: int = 1) -> Line:
    return Line(action, "A", booking, version)


def row(booking: UUID, when: Span, name: str, *, stands: bool = True, version: int = 1) -> Row:
    return Row(booking, "A", when, stands, version, name)


# Booked at 8 to 10, then moved to 10 to 12, and somebody books 8 to 9 once it is free.
CALLS = [
    booked("first", ONE, hours(8, 10), 0, 1),
    refused("too early", hours(9, 11), 1.5, 1.8),
    changed("moved", "move", hours(10, 12), 2, 3),
    booked("second", TWO, hours(8, 9), 4, 5),
]
LINES = [line("book", ONE), line("move", ONE, 2), line("book", TWO)]
ROWS = [row(ONE, hours(10, 12), "moved", version=2), row(TWO, hours(8, 9), "second")]


def test_a_story_that_is_true_has_no_fault() -> None:
    assert faults(CALLS, LINES, ROWS) == []


def test_an_unanswered_call_may_have_been_made_or_not() -> None:
    late = unanswered("late", hours(14, 15), 6)
    assert faults([*CALLS, late], LINES, ROWS) == []
    third = UUID(int=3)
    held = [*ROWS, row(third, hours(14, 15), "late")]
    assert faults([*CALLS, late], [*LINES, line("book", third)], held) == []


def test_an_unanswered_cancellation_may_have_been_made() -> None:
    call = msgspec.structs.replace(CALLS[2], action="cancel", span=None, status=0, version=0, answered=math.inf)
    lines = [line("book", ONE), line("cancel", ONE, 2), line("book", TWO)]
    held = [row(ONE, hours(8, 10), "first", stands=False, version=2), row(TWO, hours(8, 9), "second")]
    assert faults([CALLS[0], call, CALLS[3]], lines, held) == []


def test_a_booking_that_nobody_asked_for_is_a_ghost() -> None:
    third = UUID(int=3)
    held = [*ROWS, row(third, hours(14, 15), "")]
    assert "a ghost" in faults(CALLS, [*LINES, line("book", third)], held)[0]


def test_a_row_without_a_line_is_found() -> None:
    assert "told as None" in faults(CALLS, LINES, [*ROWS, row(UUID(int=3), hours(14, 15), "")])[0]


def test_what_was_acknowledged_and_is_not_there_is_lost() -> None:
    assert faults(CALLS, LINES[:2], ROWS[:1]) == ["second: lost"]


def test_a_retried_call_that_was_made_twice_is_found() -> None:
    third = UUID(int=3)
    held = [*ROWS, row(third, hours(14, 15), "second")]
    assert any("ghost" in fault for fault in faults(CALLS, [*LINES, line("book", third)], held))


def test_an_overlap_is_found_even_if_it_is_over_in_the_end() -> None:
    # The second is booked while the first still has the hour: the two stand beside each other for one step.
    lines = [LINES[0], LINES[2], LINES[1]]
    found = faults([CALLS[0], booked("second", TWO, hours(8, 9), 1, 5), CALLS[2]], lines, ROWS)
    assert found == ["second: overlaps what stood"]


def test_a_change_of_a_version_that_was_not_seen_is_found() -> None:
    twice = [changed("moved", "move", hours(10, 12), 2, 3), changed("again", "cancel", None, 4, 5)]
    again = msgspec.structs.replace(twice[1], version=3)
    found = faults([CALLS[0], twice[0], again], [*LINES[:2], line("cancel", ONE, 3)], [ROWS[0]])
    assert "again: not a step" in found[0]


def test_a_story_in_another_order_than_clients_saw_is_found() -> None:
    calls = [booked("early", ONE, hours(8, 9), 0, 1), booked("late", TWO, hours(9, 10), 2, 3)]
    held = [row(ONE, hours(8, 9), "early"), row(TWO, hours(9, 10), "late")]
    found = faults(calls, [line("book", TWO), line("book", ONE)], held)
    assert found == ["early: stands behind what was asked after its answer"]


@pytest.mark.parametrize(
    ("when", "asked", "answered", "is_true"),
    [
        (hours(9, 11), 1.5, 1.8, True),  # the first stands from 8 to 10
        (hours(9, 11), 3.2, 3.5, True),  # and from 10 to 12 after the move
        (hours(9, 10), 3.2, 3.5, False),  # between the move and the second booking nobody has it
        (hours(9, 10), 1.5, 9.0, True),  # it was taken at the start of this long call
        (hours(8, 9), 3.2, 3.5, False),
        (hours(8, 9), 3.2, 4.5, True),  # the second was asked for meanwhile
        (hours(13, 14), 0.0, 9.0, False),
    ],
)
def test_a_refusal_needs_a_moment_at_which_it_was_true(
    when: Span, asked: float, answered: float, is_true: bool
) -> None:
    found = faults([*CALLS, refused("no", when, asked, answered)], LINES, ROWS)
    assert found == ([] if is_true else ["no: 409, which was true at no moment of the call"])


def test_refusals_keep_the_order_in_which_they_were_given() -> None:
    # While the first is moved away and the second takes 8 to 9: "10 to 11 is taken" is true after the move, and "9 to
    # 10 is taken", asked for after that answer, was true before it alone.
    moving = msgspec.structs.replace(CALLS[2], answered=9.0)
    held = [CALLS[0], moving]
    after, before = refused("after", hours(10, 11), 3, 4), refused("before", hours(9, 10), 5, 6)
    assert faults([*held, before], LINES[:2], ROWS[:1]) == []
    found = faults([*held, after, before], LINES[:2], ROWS[:1])
    assert found == ["before: 409, which was true at no moment of the call"]


def test_changed_meanwhile_is_true_of_another_version_alone() -> None:
    stale = Call(
        name="stale", action="cancel", instrument="A", booking=ONE, seen=1, status=412, asked=6, answered=7
    )  # fmt: skip
    assert faults([*CALLS, stale], LINES, ROWS) == []
    fresh = msgspec.structs.replace(stale, seen=2)
    assert faults([*CALLS, fresh], LINES, ROWS) == ["stale: 412, which was true at no moment of the call"]


def test_an_answer_that_is_neither_is_a_fault() -> None:
    assert faults([*CALLS, refused("broken", hours(14, 15), 6, 7, version=0)], LINES, ROWS) != []
    busy = msgspec.structs.replace(refused("busy", hours(14, 15), 6, 7), status=503)
    assert faults([*CALLS, busy], LINES, ROWS) == ["busy: status 503"]
