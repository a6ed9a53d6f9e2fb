"""Instruments that several may use at a time: how many of their units are taken when, and which unit each use has.

An instrument of capacity N has the units 0 to N-1. A use takes one of them; a block (maintenance, engineering, closure)
takes all. Units are alike and nobody chooses one: they are what the database's guard can compare. What must not live
here: the guard itself (store/guard.py), or where the uses come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Any, Protocol, TypeVar
from uuid import UUID

import msgspec

from labshare.domain.timespan import Span, clipped, merged
from labshare.errors import Refusal

USE = "use"
# Instants or minutes.
T = TypeVar("T", datetime, int)
# The most that an instrument may take at a time, so that a block knows what it takes whatever becomes of the capacity.
MOST_UNITS = 256


class Asked(Protocol):
    """What the rule below reads of a wish."""

    @property
    def span(self) -> Span: ...
    @property
    def kind(self) -> str: ...
    @property
    def replaces_id(self) -> UUID | None: ...


class Other(Protocol):
    """What occupies the instrument."""

    @property
    def id(self) -> UUID: ...
    @property
    def kind(self) -> str: ...
    @property
    def occupied(self) -> Span: ...


class Rules(Protocol):
    """What is known of the instrument."""

    @property
    def capacity(self) -> int: ...
    def occupied(self, span: Span, kind: Any = ..., /) -> Span: ...


class Counted(Protocol):
    """An instrument and how many uses it takes at a time."""

    @property
    def number(self) -> int: ...
    @property
    def capacity(self) -> int: ...


class Known(Protocol):
    """The context of a wish."""

    @property
    def rules(self) -> Rules: ...
    @property
    def neighbours(self) -> Sequence[Other]: ...


def taken(wish: Asked, context: Known) -> tuple[Refusal, ...]:
    """Somebody, or the centre itself, has that time. Who it is stays behind the reader's mask."""
    capacity, asked = context.rules.capacity, context.rules.occupied(wish.span, wish.kind)
    met = [
        (other.kind, other.occupied)
        for other in context.neighbours
        if other.id != wish.replaces_id and other.occupied.overlaps(asked)
    ]
    if capacity > 1 and wish.kind == USE:
        crowded = full(capacity, (span for kind, span in met if kind == USE))
        met = [(kind, span) for kind, span in met if kind != USE]
        met += [(USE, span) for span in crowded if span.overlaps(asked)]
    return tuple(
        Refusal(
            code="time_taken" if kind == USE else f"time_taken_{kind}",
            params={"from": span.start.isoformat(), "until": span.end.isoformat()},
        )
        for kind, span in met
    )


def when_full(
    rows: Iterable[tuple[int, str, datetime, datetime]], capacities: Mapping[int, int]
) -> dict[int, list[Span]]:
    """When nobody else finds room, by instrument, from rows of number, kind, start and end; unsorted.

    `capacities` are those of the instruments that take more than one use at a time.
    """
    found: dict[int, list[Span]] = {}
    uses: dict[int, list[Span]] = {}
    for number, kind, start, end in rows:
        is_shared = number in capacities and kind == USE
        (uses if is_shared else found).setdefault(number, []).append(Span(start, end))
    for number, spans in uses.items():
        found.setdefault(number, []).extend(full(capacities[number], spans))
    return found


def capacities(rules: Iterable[Counted]) -> dict[int, int]:
    """Those of the instruments that take more than one use at a time, by number."""
    return {each.number: each.capacity for each in rules if each.capacity > 1}


class Laid(msgspec.Struct, frozen=True):
    """A use in its unit, or one that looks for a unit (None)."""

    id: UUID
    occupied: Span
    unit: int | None = None


def full(capacity: int, uses: Iterable[Span], blocks: Iterable[Span] = ()) -> list[Span]:
    """When no unit is left: as many uses at a time as the capacity, or a block. Sorted and disjoint."""
    crowds = crowded(capacity, ((each.start, each.end) for each in uses))
    return merged([*(Span(start, end) for start, end in crowds), *blocks])


def crowded(count: int, uses: Iterable[tuple[T, T]]) -> list[tuple[T, T]]:
    """When at least so many of these half-open intervals hold, in order."""
    # At one instant what ends comes before what begins: intervals that only touch never hold together.
    edges = sorted(edge for start, end in uses for edge in ((start, 1), (end, -1)))
    found: list[tuple[T, T]] = []
    depth, since = 0, None
    for moment, step in edges:
        depth += step
        if since is None and depth >= count:
            since = moment
        elif since is not None and depth < count:
            found.append((since, moment))
            since = None
    return found


def most(uses: Iterable[Span], within: Span) -> int:
    """How many of these uses are there at a time, at most, during a span."""
    edges = sorted(edge for each in clipped(uses, within) for edge in ((each.start, 1), (each.end, -1)))
    return max(accumulate((step for _, step in edges), initial=0))


def in_gaps(capacity: int, standing: Sequence[Laid], new: Sequence[Laid]) -> dict[UUID, int] | None:
    """For each new use its own unit, or the lowest that nobody has during all of it; None when one has none such."""
    laid = list(standing)
    found: dict[UUID, int] = {}
    for each in sorted(new, key=_begins):
        unit = _free(capacity, {other.unit for other in laid if other.occupied.overlaps(each.occupied)}, each.unit)
        if unit is None:
            return None
        found[each.id] = unit
        laid.append(Laid(each.id, each.occupied, unit))
    return found


def laid_anew(capacity: int, standing: Sequence[Laid], new: Sequence[Laid]) -> dict[UUID, int]:
    """A unit for each new use, and another one for those of the standing uses that must make room.

    Those that begin with the first new use or later are laid in the order of their starts. Whichever free unit each is
    given, a later one finds none only when as many as the capacity run at its start (uses are intervals), and then it
    is left out. `standing` are all that end after the first new use begins.
    """
    first = min(each.occupied.start for each in new)
    running = {each.unit: each.occupied.end for each in standing if each.occupied.start < first}
    fresh = {each.id for each in new}
    found: dict[UUID, int] = {}
    for each in sorted([*(each for each in standing if each.occupied.start >= first), *new], key=_begins):
        unit = _free(capacity, {unit for unit, end in running.items() if end > each.occupied.start}, each.unit)
        if unit is not None:
            running[unit] = each.occupied.end
            if each.id in fresh or unit != each.unit:
                found[each.id] = unit
    return found


def _free(capacity: int, taken: Iterable[int | None], own: int | None) -> int | None:
    """One's own unit if nobody else has it, or the lowest one that is free."""
    had = set(taken)
    if own is not None and own not in had:
        return own
    return next((unit for unit in range(capacity) if unit not in had), None)


def _begins(each: Laid) -> tuple[datetime, UUID]:
    return each.occupied.start, each.id
