"""Small problems in few words: one open instrument `i0`, requests with one option on it, and whatever a test adds."""

from __future__ import annotations

import json
from typing import Any

from labshare.scheduler.plan import Plan, Session
from labshare.scheduler.problem import Problem
from labshare.scheduler.reading import parse

Raw = dict[str, Any]


def raw(horizon: int, *requests: Raw, **parts: Any) -> Raw:
    """A problem as JSON holds it: instrument `i0`, open throughout, unless `instruments` says otherwise."""
    base: Raw = {"format": "labshare-problem/1", "horizon": horizon, "instruments": [{"id": "i0", "centre": "c0"}]}
    return base | {"requests": list(requests)} | parts


def ask(name: str, slots: int, value: int, starts: tuple[int, int], instrument: str = "i0", **parts: Any) -> Raw:
    """A request with one option."""
    return {"id": name, "slots": slots, "options": [offer(value, starts, instrument)]} | parts


def offer(value: int, starts: tuple[int, int], instrument: str = "i0", **parts: Any) -> Raw:
    """An option with one range of starts."""
    return {"instrument": instrument, "value": value, "starts": [list(starts)]} | parts


def two_instruments() -> list[Raw]:
    return [{"id": "i0", "centre": "c0"}, {"id": "i1", "centre": "c1"}]


def read(problem: Raw) -> Problem:
    return parse(json.dumps(problem).encode())


def session(request: str, start: int, end: int, instrument: str = "i0") -> Session:
    return Session(request=request, instrument=instrument, start=start, end=end)


def starts(plan: Plan) -> dict[str, int]:
    """Where each placed request starts."""
    return {row.request: row.start for row in plan.sessions}
