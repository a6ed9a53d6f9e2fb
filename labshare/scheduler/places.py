"""Where sessions can go: free stretches of each instrument, and the runs of starts inside them.

Geometry only: what is closed, down or fixed. Whether a place is wanted or allowed by a rule is for others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from labshare.scheduler.problem import CurrentSession, Instrument, Option, Problem, Request, Rule, Span


@dataclass(frozen=True, slots=True)
class Stretch:
    """Free time on an instrument: the part of one open segment between down times and fixed rows."""

    instrument: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive starts `first..last` of one option in one stretch, on all of which every rule counts the same."""

    request: Request
    option: Option
    stretch: Stretch
    first: int
    last: int
    slots: int

    @property
    def instrument(self) -> str:
        return self.option.instrument

    def is_at(self, start: int) -> bool:
        """Is this the run of that one start?"""
        return self.first == start == self.last

    def value_at(self, start: int) -> int:
        """The option's value less `late` for each slot after the request's earliest start."""
        late = self.request.late
        return self.option.value - late * (start - self.request.earliest) if late else self.option.value


def subtract(spans: Iterable[Span], taken: Iterable[Span]) -> list[Span]:
    """What is left of `spans` outside `taken`. Spans that touch stay apart: a session lies inside one of them."""
    blocks = merged(taken)
    left: list[Span] = []
    k = 0
    for start, end in sorted(spans):
        while k < len(blocks) and blocks[k][1] <= start:
            k += 1
        at, j = start, k
        while j < len(blocks) and blocks[j][0] < end:
            left.append((at, blocks[j][0]))
            at, j = blocks[j][1], j + 1
        left.append((at, end))
    return [(start, end) for start, end in left if start < end]


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same slots in order, as spans that neither overlap nor touch."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def free_stretches(problem: Problem) -> dict[str, list[Stretch]]:
    """The free stretches of each instrument, by its id, in order of time."""
    taken: defaultdict[str, list[Span]] = defaultdict(list)
    for row in problem.fixed:
        taken[row.instrument].append((row.start, row.end))
    for instrument_id, start, end in problem.down:
        taken[instrument_id].append((start, end))
    return {
        instrument.id: [
            Stretch(instrument.id, a, b) for a, b in subtract(segments(problem, instrument), taken[instrument.id])
        ]
        for instrument in problem.instruments
    }


def segments(problem: Problem, instrument: Instrument) -> tuple[Span, ...]:
    return ((0, problem.horizon),) if instrument.open is None else instrument.open


def merged_starts(option: Option) -> list[Span]:
    """The option's allowed starts as inclusive ranges in order, overlapping and adjoining ones joined."""
    joined: list[Span] = []
    for first, last in sorted(option.starts):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined


class Geometry:
    """The runs of one request at a time, for whoever needs only a few of them."""

    def __init__(self, problem: Problem) -> None:
        self.stretches = free_stretches(problem)
        self._windows = _windows_by_instrument(problem)
        self._current = {session.request: session for session in problem.current}

    def runs(self, request: Request) -> list[Run]:
        """Every run of the request, in the order of its options and of time."""
        current = self._current.get(request.id)
        return [
            Run(request, option, stretch, first, last, request.slots_on(option))
            for option in request.options
            for stretch, first, last in _cut(
                request.slots_on(option),
                option,
                self.stretches[option.instrument],
                self._windows[option.instrument],
                current,
            )
        ]


def runs_of(problem: Problem) -> list[Run]:
    """Every run of every request, in the order of requests, options and time."""
    geometry = Geometry(problem)
    return [run for request in problem.requests for run in geometry.runs(request)]


def _cut(
    slots: int, option: Option, stretches: Sequence[Stretch], windows: Iterable[Span], current: CurrentSession | None
) -> Iterator[tuple[Stretch, int, int]]:
    cuts = set(_cuts(slots, windows))
    if current and current.instrument == option.instrument:
        cuts |= {current.start, current.start + 1}
    for low, high in merged_starts(option):
        for stretch in stretches:
            first, last = max(low, stretch.start), min(high, stretch.end - slots)
            if first <= last:
                edges = [first, *sorted(cut for cut in cuts if first < cut <= last), last + 1]
                yield from ((stretch, a, b - 1) for a, b in pairwise(edges))


def _cuts(slots: int, windows: Iterable[Span]) -> Iterator[int]:
    """Starts at which the part of a session inside a window is not what it was one start earlier."""
    for start, end in windows:
        yield from range(start - slots + 1, start + 1)
        yield from range(end - slots + 1, end + 1)


def _windows_by_instrument(problem: Problem) -> Mapping[str, set[Span]]:
    windows: defaultdict[str, set[Span]] = defaultdict(set)
    for rule in problem.rules:
        if rule.window and rule.window != (0, problem.horizon):
            for instrument in problem.instruments:
                if in_scope(rule, instrument):
                    windows[instrument.id].add(rule.window)
    return windows


def in_scope(rule: Rule, instrument: Instrument) -> bool:
    """Is the instrument in the rule's centres and among its instruments?"""
    return (rule.centres is None or instrument.centre in rule.centres) and (
        rule.instruments is None or instrument.id in rule.instruments
    )


def inside(window: Span | None, start: int, end: int) -> int:
    """Slots of `[start, end)` inside the window; all of them when there is no window."""
    return end - start if window is None else max(0, min(end, window[1]) - max(start, window[0]))
