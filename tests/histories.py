"""Whether what many clients saw, and what the database holds, can be told as one story, step after step.

Each client notes its calls: what it asked, when, and what it was told, or that the server died before it answered. The
audit holds a line for each change, written in the transaction of the change and under the lock of its instrument, so
the lines of one instrument stand in the order in which its changes were made. `faults` takes this order as the story
and asks whether it can be true:

1. **Told again from the beginning it never breaks a rule of the calendar.** Each line is one call: the one that was
   told this booking and version, or an unanswered one that asked for exactly this. No line is left without a call (a
   ghost), no call makes two, and no call that was told "done" is left without its line (a loss). A move or a
   cancellation finds the version that it named; and after every step no two bookings of an instrument overlap, which
   is stronger than looking now and then while the race runs.
2. **Its end is what the database holds**: the same bookings with the same times, states, versions and purposes.
3. **It keeps the order that clients saw.** A change that was answered before another was asked for stands before it.
4. **Each refusal was true at a moment of its call.** A refusal leaves no line, so a place is sought for it between the
   changes that were over before it was asked and those asked for after it was answered, not before the place of a
   refusal that was answered before it was asked: "taken" where something overlaps there, "changed meanwhile" where the
   booking has another version there. The earliest such place is taken; whatever is possible with a later one is
   possible with it.

That is linearizability (Herlihy and Wing, 1990) of each instrument: every call takes effect at one moment between its
question and its answer, unanswered ones at one moment after their question or never. A call touches one instrument,
and what is linearizable object by object is so as a whole, so checking each by itself suffices. Calls must be free of
rules that reach across instruments (nobody has to be in one place).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal
from uuid import UUID

import msgspec

from labshare.domain.timespan import Span

Action = Literal["book", "move", "cancel"]
TAKEN, STALE = 409, 412


class Call(msgspec.Struct, kw_only=True):
    """One call of a client. `name` is its purpose, as written on the booking; `span` what it asks for, if any.

    `booking` is known of a move and a cancellation, and of a new booking once it is answered. `seen` is the version
    that it names, `version` the one it was told. `asked` and `answered` are instants of one clock, in seconds; an
    unanswered call has the status 0 and is never over.
    """

    name: str
    action: Action
    instrument: str
    asked: float
    span: Span | None = None
    booking: UUID | None = None
    seen: int = 0
    status: int = 0
    version: int = 0
    answered: float = math.inf

    @property
    def is_done(self) -> bool:
        return 200 <= self.status < 300


class Line(msgspec.Struct, frozen=True):
    """A line of the audit."""

    action: str
    instrument: str
    booking: UUID
    version: int


class Row(msgspec.Struct, frozen=True):
    """A booking as the database holds it in the end."""

    booking: UUID
    instrument: str
    span: Span
    stands: bool
    version: int
    name: str


class _Entry(msgspec.Struct, frozen=True):
    """A booking in the story."""

    span: Span
    stands: bool
    version: int
    name: str


_State = Mapping[UUID, _Entry]


def faults(calls: Sequence[Call], lines: Sequence[Line], rows: Sequence[Row]) -> list[str]:
    """What cannot be true of these calls, the lines of the audit in its order, and the bookings in the end."""
    found = [f"{call.name}: status {call.status}" for call in calls if not _is_known(call)]
    for instrument in sorted({each.instrument for each in (*calls, *lines, *rows)}):
        here = [call for call in calls if call.instrument == instrument]
        held = [row for row in rows if row.instrument == instrument]
        story = _Story(here, {row.booking: row.name for row in held})
        found += [fault for line in lines if line.instrument == instrument for fault in story.add(line)]
        found += [f"{call.name}: lost" for call in here if call.is_done and call not in story.told]
        found += _other_end(story.states[-1], held)
        found += _out_of_order(story.told)
        found += _untrue(here, story)
    return found


def _is_known(call: Call) -> bool:
    return call.is_done or call.status in (0, TAKEN, STALE)


class _Story:
    """The changes of one instrument: `states[n]` is its calendar after the first n, `told` the calls that made them."""

    def __init__(self, calls: Sequence[Call], names: Mapping[UUID, str]) -> None:
        self.states: list[_State] = [{}]
        self.told: list[Call] = []
        self._names = names
        self._done = {(call.booking, call.version): call for call in calls if call.is_done}
        # A client asks nothing more of a booking after a call about it that was not answered, so there is one at most.
        self._open = {(call.booking, call.seen + 1): call for call in calls if not call.status and call.booking}
        # Nobody knows the booking of such a call, so nobody changes it: it bears the name of the call to the end.
        self._new = {call.name: call for call in calls if not call.status and not call.booking}

    def add(self, line: Line) -> Iterator[str]:
        """Take the next step; gives what is wrong with it."""
        key = line.booking, line.version
        call = self._done.pop(key, None) or self._open.pop(key, None)
        if call is None and line.version == 1:
            call = self._new.pop(self._names.get(line.booking, ""), None)
        if call is None or call.action != line.action:
            yield f"{line.action} of {line.booking} in version {line.version}: a ghost"
            return
        self.told.append(call)
        state = self.states[-1]
        before = state.get(line.booking)
        if before is None and call.action == "book":
            after = _Entry(_span(call), True, line.version, call.name)
        elif before is not None and before.stands and call.seen == before.version == line.version - 1:
            is_moved = call.action == "move"
            name = call.name if is_moved else before.name
            after = _Entry(_span(call) if is_moved else before.span, is_moved, line.version, name)
        else:
            yield f"{call.name}: not a step from {before}"
            return
        if after.stands and _is_taken(state, after.span, line.booking):
            yield f"{call.name}: overlaps what stood"
        self.states.append({**state, line.booking: after})


def _span(call: Call) -> Span:
    assert call.span is not None
    return call.span


def _is_taken(state: _State, span: Span, but: UUID | None) -> bool:
    return any(each.stands and key != but and each.span.overlaps(span) for key, each in state.items())


def _other_end(state: _State, rows: Sequence[Row]) -> Iterator[str]:
    held = {row.booking: _Entry(row.span, row.stands, row.version, row.name) for row in rows}
    for booking in sorted(held.keys() | state.keys()):
        if held.get(booking) != state.get(booking):
            yield f"{booking}: told as {state.get(booking)}, held as {held.get(booking)}"


def _out_of_order(told: Sequence[Call]) -> Iterator[str]:
    latest = -math.inf
    for call in told:
        if call.answered < latest:
            yield f"{call.name}: stands behind what was asked after its answer"
        latest = max(latest, call.asked)


def _untrue(calls: Sequence[Call], story: _Story) -> Iterator[str]:
    """The refusals for which there is no place in the story."""
    placed: list[tuple[float, int]] = []
    for call in sorted((each for each in calls if each.status in (TAKEN, STALE)), key=lambda each: each.asked):
        over = [place + 1 for place, each in enumerate(story.told) if each.answered < call.asked]
        later = [place for place, each in enumerate(story.told) if each.asked > call.answered]
        first = max([0, *over, *(place for answered, place in placed if answered < call.asked)])
        last = min([len(story.states) - 1, *later])
        found = next((place for place in range(first, last + 1) if _says_no(story.states[place], call)), None)
        if found is None:
            yield f"{call.name}: {call.status}, which was true at no moment of the call"
        else:
            placed.append((call.answered, found))


def _says_no(state: _State, call: Call) -> bool:
    if call.status == TAKEN:
        return call.span is not None and _is_taken(state, call.span, call.booking)
    entry = state.get(call.booking) if call.booking else None
    return entry is None or entry.version != call.seen
