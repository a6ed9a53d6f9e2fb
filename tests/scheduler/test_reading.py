"""Hostile input is refused with the path of every fault, and never with a crash."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labshare.scheduler.problem import encode
from labshare.scheduler.reading import Fault, Malformed, parse, parse_plan
from tests.scheduler.making import Raw, ask, raw, read


def faults(problem: object) -> list[str]:
    with pytest.raises(Malformed) as caught:
        parse(problem if isinstance(problem, bytes) else json.dumps(problem).encode())
    return [str(fault) for fault in caught.value.faults]


HALF_A_RANGE = {"instrument": "i0", "starts": [[1]]}


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"horizon": NaN}'])
def test_what_is_not_json_is_refused_at_the_root(data: bytes) -> None:
    assert [fault.split(" (")[0] for fault in faults(data)] == ["$: not JSON"]


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ([], "$"),
        ({"format": "labshare-problem/2", "horizon": 1}, "$.format"),
        ({"format": "labshare-problem/1"}, "$.horizon"),
        (raw(0), "$.horizon"),
        (raw(4) | {"requests": [7]}, "$.requests[0]"),
        (raw(4, ask("", 1, 1, (0, 0))), "$.requests[0].id"),
        (raw(4, ask("a", 0, 1, (0, 0))), "$.requests[0].slots"),
        (raw(4, ask("a", True, 1, (0, 0))), "$.requests[0].slots"),
        (raw(4, ask("a", 1, 10**19, (0, 0))), "$.requests[0].options[0].value"),
        (raw(4, ask("a", 1, 1, (-1, 0))), "$.requests[0].options[0].starts[0][0]"),
        (raw(4, {"id": "a", "slots": 1, "options": [HALF_A_RANGE]}), "$.requests[0].options[0].starts[0]"),
        (raw(4, ask("a", 1, 1, (0, 0), colour="red")), "$.requests[0].colour"),
        (raw(4, operator_pools=[{"id": "p", "shifts": [[0, 1, "two"]]}]), "$.operator_pools[0].shifts[0][2]"),
        (raw(4, rules=[{"id": "R", "kind": "roof"}]), "$.rules[0].kind"),
        (raw(4, rules=[{"id": "R", "kind": "cap", "of_allocated": 0.2}]), "$.rules[0].of_allocated"),
        (raw(4, rules=[{"id": "R", "kind": "cap", "of_allocated": "1/0"}]), "$.rules[0].of_allocated"),
        (raw(4, rules=[{"id": "R", "kind": "cap", "penalty": -1}]), "$.rules[0].penalty"),
        (raw(4, fairness={"targets": {"o": "many"}}), "$.fairness.targets.o"),
    ],
)  # fmt: skip
def test_a_fault_of_shape_is_named_with_its_path(data: object, path: str) -> None:
    assert [fault.split(": ")[0] for fault in faults(data)] == [path]


def test_all_faults_are_named_at_once() -> None:
    broken = raw(4, {"id": 5}, ask("b", 0, 1, (0, 0)), extra=1)
    assert faults(broken) == [
        "$.extra: no such field",
        "$.requests[0].id: expected `str`, got `int`",
        "$.requests[0].slots: is missing",
        "$.requests[1].slots: expected `int` >= 1",
    ]


def test_a_key_that_is_stated_twice_is_refused_where_it_stands() -> None:
    text = json.dumps(raw(4, ask("a", 1, 1, (0, 3)), ask("b", 1, 1, (0, 3))))
    twice = text.replace('"id": "b"', '"id": "b", "slots": 2').replace('"horizon": 4', '"horizon": 4, "horizon": 4')
    assert faults(twice.encode()) == [
        "$.horizon: is stated more than once",
        "$.requests[1].slots: is stated more than once",
    ]


def test_what_is_encoded_is_read_back() -> None:
    problem = read(raw(4, ask("a", 1, 1, (0, 3), operator={"pool": "p", "slots": 1}), operator_pools=[{"id": "p"}]))
    assert parse(encode(problem)) == problem


def test_a_plan_is_read_as_strictly() -> None:
    with pytest.raises(Malformed) as caught:
        parse_plan(b'{"format": "labshare-plan/1", "status": "good"}')
    assert {fault.path for fault in caught.value.faults} == {
        "$.problem_sha256", "$.status", "$.score", "$.bound", "$.gap", "$.run",
    }  # fmt: skip


def faults_or_none(problem: object) -> list[Fault]:
    try:
        parse(json.dumps(problem).encode())
    except Malformed as error:
        return error.faults
    return []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
PLACES: list[list[Any]] = [
    ["horizon"], ["instruments"], ["instruments", 0, "open"], ["requests", 0], ["requests", 0, "options"],
    ["requests", 0, "options", 0, "starts"], ["rules"], ["rules", 0, "who"], ["fixed"], ["current"], ["down"],
    ["groups"], ["linked"], ["fairness"], ["operator_pools"],
]  # fmt: skip


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(place=st.sampled_from(PLACES), junk=JSON)
def test_junk_anywhere_is_read_or_refused_but_never_a_crash(place: list[Any], junk: object) -> None:
    problem: Raw = raw(4, ask("a", 1, 1, (0, 3)), rules=[{"id": "R", "kind": "cap"}])
    inner: Any = problem
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = junk
    for fault in faults_or_none(problem):
        assert fault.path.startswith("$")
        assert "\n" not in fault.message
