"""What sessions need besides a request: the person who attends, operators on shift, idle slots between families.

Plain look-ups for everybody in the solver's half; nothing here loads OR-Tools.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

from labshare.scheduler.problem import FixedRow, Instrument, OperatorPool, Problem, Request

# Idle slots from one family to the next; pairs that are not named need none.
Idle = Mapping[tuple[str | None, str | None], int]


def attended_by(request: Request) -> str | None:
    """The person who must be there, if any."""
    return request.person if request.attended else None


def idle_slots(instrument: Instrument) -> Idle:
    """The pairs of families between which this instrument stands idle for a while."""
    return {(before, after): slots for before, after, slots in instrument.changeover if slots}


def free_operators(problem: Problem, pool: OperatorPool, kept: Sequence[FixedRow] = ()) -> list[tuple[int, int, int]]:
    """Pieces `(start, end, people)` of the horizon with the people on shift that fixed and kept rows leave free."""
    changes: defaultdict[int, int] = defaultdict(int, {0: 0, problem.horizon: 0})
    for start, end, people in pool.shifts:
        changes[start] += people
        changes[end] -= people
    for row in (*problem.fixed, *kept):
        if row.operator and row.operator.pool == pool.id:
            changes[row.start] -= 1
            changes[min(row.end, row.start + row.operator.slots)] += 1
    pieces: list[tuple[int, int, int]] = []
    people = 0
    for start, end in pairwise(sorted(changes)):
        people += changes[start]
        pieces.append((start, end, max(0, people)))
    return pieces
