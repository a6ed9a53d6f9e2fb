"""The reasons of a mended plan: worked out anew where the change could touch them, carried over elsewhere.

A national round leaves a thousand requests out, and an outage touches a few of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec

from labshare.scheduler.changes import Changes
from labshare.scheduler.explain import reasons
from labshare.scheduler.plan import Plan, Session
from labshare.scheduler.problem import Option, Problem, Request
from labshare.scheduler.resources import attended_by
from labshare.scheduler.standing import Standing

# Where fewer are left out, all of their reasons are worked out anew.
FEW = 100

Space = tuple[str, int, int]


def retold(standing: Standing, before: Plan, changes: Changes, gap: float) -> dict[str, dict[str, Any]]:
    """The reason of every request without a session, by its id, in the order of the problem.

    A reason is carried over when nothing that it names moved and nothing has become free where the request could be.
    What soft rules would charge there is then as it was.
    """
    problem, sessions = standing.problem, standing.sessions
    placed = {session.request for session in sessions}
    unplaced = [request for request in problem.requests if request.id not in placed]
    known = {row.request: row.reason for row in before.unplaced}
    if len(unplaced) > FEW and before.status != "infeasible":
        touch = _Touch(problem, before.sessions, sessions, changes)
        fresh = {row.id for row in unplaced if row.id not in known or touch.could_change(row, known[row.id])}
    else:
        fresh = {row.id for row in unplaced}
    found = reasons(_ahead(problem, fresh, changes.now), sessions, gap, fresh, standing.weigher) if fresh else {}
    return {row.id: found.get(row.id) or known[row.id] | {"gap": gap} for row in unplaced}


class _Touch:
    """What moved, what became free and what was taken between two plans."""

    def __init__(self, problem: Problem, old: Sequence[Session], new: Sequence[Session], changes: Changes) -> None:
        left, come = set(old) - set(new), set(new) - set(old)
        self._moved = {session.request for session in left | come}
        self._freed = _by_instrument((row.instrument, row.start, row.end) for row in left)
        self._taken = _by_instrument([*((row.instrument, row.start, row.end) for row in come), *changes.down])
        self._persons = {attended_by(row) for row in problem.requests if row.id in self._moved} - {None}
        self._now = changes.now

    def could_change(self, request: Request, reason: dict[str, Any]) -> bool:
        """Could this reason be another now?"""
        place: dict[str, Any] = reason.get("cheapest") or {}
        named = [name for key in ("sessions", "elsewhere", "operators") for name in place.get(key, ())]
        return (
            not self._moved.isdisjoint([*named, *reason.get("with_requests", ())])
            or attended_by(request) in self._persons
            or (bool(place) and self._is_taken(place))
            or (reason.get("code") == "room_left" and place["start"] < self._now)
            or any(self._is_freer(request, option) for option in request.options)
        )

    def _is_taken(self, place: dict[str, Any]) -> bool:
        spaces = self._taken.get(place["instrument"], ())
        return any(a < place["end"] and place["start"] < b for a, b in spaces)

    def _is_freer(self, request: Request, option: Option) -> bool:
        """Has anything become free where this option could be?"""
        slots = request.slots_on(option)
        return any(
            first < b and a < last + slots
            for a, b in self._freed.get(option.instrument, ())
            for first, last in option.starts
        )


def _by_instrument(spaces: Iterable[Space]) -> dict[str, list[tuple[int, int]]]:
    found: dict[str, list[tuple[int, int]]] = {}
    for instrument, start, end in spaces:
        found.setdefault(instrument, []).append((start, end))
    return found


def _ahead(problem: Problem, names: Collection[str], now: int) -> Problem:
    """The problem with the starts of these requests that are past cut off."""
    if now == 0:
        return problem
    requests = tuple(_still(request, now) if request.id in names else request for request in problem.requests)
    return msgspec.structs.replace(problem, requests=requests)


def _still(request: Request, now: int) -> Request:
    """The request without past starts; lateness, which counts from its earliest start, is taken off its values."""
    options = [
        msgspec.structs.replace(option, starts=tuple((max(a, now), b) for a, b in option.starts if b >= now))
        for option in request.options
    ]
    later = msgspec.structs.replace(request, options=tuple(options))
    lost = request.late * (later.earliest - request.earliest)
    worth = [msgspec.structs.replace(option, value=option.value - lost) for option in options]
    return msgspec.structs.replace(later, options=tuple(worth)) if later.earliest else later
