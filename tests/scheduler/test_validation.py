"""Each contradiction is refused where it stands."""

from __future__ import annotations

import json

import pytest

from labshare.scheduler.reading import Malformed, parse
from labshare.scheduler.validation import contradictions
from tests.scheduler.making import Raw, ask, offer, raw, read

A = ask("a", 2, 5, (0, 3))
B = ask("b", 2, 5, (0, 3))
ROW = {"instrument": "i0", "start": 0, "end": 2}


def current(*rows: tuple[str, int], **parts: object) -> Raw:
    return {"current": [{"request": request, "instrument": "i0", "start": start} for request, start in rows]} | parts


def both(*options: Raw) -> Raw:
    return {"id": "a", "slots": 1, "options": list(options)}


CONTRADICTIONS: list[tuple[Raw, str]] = [
    (raw(4, instruments=[{"id": "i0"}, {"id": "i0"}]), "$.instruments[1].id"),
    (raw(4, A, A), "$.requests[1].id"),
    (raw(4, operator_pools=[{"id": "p"}, {"id": "p"}]), "$.operator_pools[1].id"),
    (raw(4, rules=[{"id": "R", "kind": "cap"}, {"id": "R", "kind": "floor"}]), "$.rules[1].id"),
    (raw(4, ask("a", 1, 1, (0, 0), "i9")), "$.requests[0].options[0].instrument"),
    (raw(4, A | {"operator": {"pool": "p", "slots": 1}}), "$.requests[0].operator.pool"),
    (raw(4, both(offer(1, (0, 0), operator={"pool": "p", "slots": 1}))), "$.requests[0].options[0].operator.pool"),
    (raw(4, groups=[{"requests": ["z"]}]), "$.groups[0].requests[0]"),
    (raw(4, linked=[{"requests": ["z"]}]), "$.linked[0].requests[0]"),
    (raw(4, fixed=[ROW | {"instrument": "i9"}]), "$.fixed[0].instrument"),
    (raw(4, fixed=[ROW | {"operator": {"pool": "p", "slots": 1}}]), "$.fixed[0].operator.pool"),
    (raw(4, rules=[{"id": "R", "kind": "cap", "instruments": ["i9"]}]), "$.rules[0].instruments[0]"),
    (raw(4, rules=[{"id": "R", "kind": "cap", "centres": ["c9"]}]), "$.rules[0].centres[0]"),
    (raw(4, down=[["i9", 0, 1]]), "$.down[0][0]"),
    (raw(4, A, current=[{"request": "z", "instrument": "i0", "start": 0}]), "$.current[0].request"),
    (raw(4, A, current=[{"request": "a", "instrument": "i9", "start": 0}]), "$.current[0].instrument"),
    (raw(4, instruments=[{"id": "i0", "open": [[3, 2]]}]), "$.instruments[0].open[0]"),
    (raw(4, instruments=[{"id": "i0", "open": [[2, 5]]}]), "$.instruments[0].open[0]"),
    (raw(4, operator_pools=[{"id": "p", "shifts": [[2, 2, 1]]}]), "$.operator_pools[0].shifts[0]"),
    (raw(4, fixed=[ROW | {"end": 0}]), "$.fixed[0]"),
    (raw(4, rules=[{"id": "R", "kind": "cap", "window": [3, 1]}]), "$.rules[0].window"),
    (raw(4, down=[["i0", 0, 5]]), "$.down[0]"),
    (raw(4, ask("a", 1, 1, (3, 2))), "$.requests[0].options[0].starts[0]"),
    (raw(4, ask("a", 1, 1, (0, 4))), "$.requests[0].options[0].starts[0]"),
    (raw(4, both(offer(1, (0, 2)), offer(2, (2, 3)))), "$.requests[0].options[1].starts"),
    (raw(4, instruments=[{"id": "i0", "open": [[0, 2], [1, 4]]}]), "$.instruments[0].open[1]"),
    (raw(4, fixed=[ROW, {"instrument": "i0", "start": 1, "end": 3}]), "$.fixed[1]"),
    (raw(4, instruments=[{"id": "i0", "changeover": [["w", "d", 1], ["w", "d", 2]]}]), "$.instruments[0].changeover"),
    (raw(4, groups=[{"requests": []}]), "$.groups[0].requests"),
    (raw(4, A, linked=[{"requests": ["a", "a"]}]), "$.linked[0].requests"),
    (raw(4, A, groups=[{"requests": ["a"], "min": 2}]), "$.groups[0].min"),
    (raw(4, A, B, linked=[{"requests": ["a", "b"], "min_gap": 2, "max_gap": 1}]), "$.linked[0].max_gap"),
    (raw(4, fairness={"steps": [[50, 5], [50, 2]]}), "$.fairness.steps[1][0]"),
    (raw(4, fairness={"steps": [[50, 5], [60, 6]]}), "$.fairness.steps[1][1]"),
    (raw(8, A, **current(("a", 0), ("a", 4))), "$.current[1].request"),
    (raw(8, A, B, **current(("a", 0), ("b", 1))), "$.current[1]"),
    (raw(4, A, **current(("a", 3))), "$.current[0].start"),
    (raw(8, A, **current(("a", 5), frozen_until=6)), "$.current[0].start"),
    (raw(8, A, **current(("a", 0), frozen_until=6, fixed=[ROW])), "$.current[0]"),
    (raw(8, A, **current(("a", 0), frozen_until=6, instruments=[{"id": "i0", "open": [[1, 8]]}])), "$.current[0]"),
    (raw(3000, ask("a", 3000, 1, (0, 0)), rules=[{"id": "R", "kind": "floor", "penalty": 10**15}]), "$"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("problem", "path"), CONTRADICTIONS, ids=[f"{n}-{path}" for n, (_, path) in enumerate(CONTRADICTIONS)]
)
def test_a_contradiction_is_named_with_its_path(problem: Raw, path: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse(json.dumps(problem).encode())
    assert {fault.path for fault in caught.value.faults} == {path}


@pytest.mark.parametrize(
    "problem",
    [
        raw(4, instruments=[{"id": "i0", "open": [[0, 2], [2, 4]]}], fixed=[ROW, ROW | {"start": 2, "end": 4}]),
        raw(4, ask("a", 3, 1, (0, 3))),  # a start too late for its length is only never used
        raw(8, A, **current(("a", 0), fixed=[ROW])),  # not frozen: it has to move
        raw(8, A, **current(("a", 0), frozen_until=6, fixed=[ROW], down=[["i0", 1, 2]])),  # down: it may move
        raw(4, fairness={"targets": {"nobody": 5}}, rules=[{"id": "R", "kind": "cap", "who": {"tags": ["none"]}}]),
    ],
)
def test_what_only_looks_odd_is_accepted(problem: Raw) -> None:
    assert contradictions(read(problem)) == []
