"""The published schemas are those of the structs, admit every example and refuse what reading refuses."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import labshare.scheduler
from labshare.scheduler.plan import encode_plan
from labshare.scheduler.reading import Malformed, parse
from labshare.scheduler.schema import KINDS, Kind, encode_schema, schema, schema_file
from labshare.scheduler.solve import solve
from tests.scheduler import samples
from tests.scheduler.making import Raw, ask, raw, read

SCHEMAS = Path(labshare.scheduler.__file__).parent / "schemas"
PROBLEMS = sorted((Path(__file__).parents[2] / "fixtures" / "problems").glob("*.problem.json"))


def faults(kind: Kind, document: Any) -> list[str]:
    """The JSON paths that the schema refuses."""
    validator = Draft202012Validator(schema(kind))
    return sorted({fault.json_path for fault in validator.iter_errors(document)})


@pytest.mark.parametrize("kind", KINDS)
def test_the_published_schema_is_that_of_the_structs(kind: Kind) -> None:
    assert (SCHEMAS / schema_file(kind)).read_bytes() == encode_schema(kind)
    Draft202012Validator.check_schema(schema(kind))


@pytest.mark.parametrize("path", PROBLEMS, ids=lambda path: path.name)
def test_every_fixture_and_its_plan_fit(path: Path) -> None:
    assert faults("problem", json.loads(path.read_bytes())) == []
    plan = solve(parse(path.read_bytes()), steps=50)
    assert faults("plan", json.loads(encode_plan(plan))) == []


@pytest.mark.slow
def test_every_random_problem_fits() -> None:
    for seed in range(100):
        assert faults("problem", samples.problem(Random(seed))) == []


def with_part(name: str, part: object) -> Raw:
    return raw(4, ask("a", 1, 1, (0, 3))) | {name: part}


@pytest.mark.parametrize(
    ("problem", "path"),
    [
        (with_part("extra", 1), "$"),
        (with_part("horizon", 0), "$.horizon"),
        (with_part("format", "labshare-problem/2"), "$.format"),
        (with_part("down", [["i0", 1]]), "$.down[0]"),
        (with_part("down", [["i0", 1, 2, 3]]), "$.down[0]"),
        (with_part("instruments", [{"id": "i0", "open": [[0, -1]]}]), "$.instruments[0].open"),
        (with_part("rules", [{"id": "R", "kind": "cap", "of_allocated": 0.2}]), "$.rules[0].of_allocated"),
        (with_part("rules", [{"id": "R", "kind": "cap", "of_allocated": "1/0"}]), "$.rules[0].of_allocated"),
        (with_part("rules", [{"id": "R", "kind": "roof"}]), "$.rules[0].kind"),
        (with_part("requests", [{"slots": 1}]), "$.requests[0]"),
    ],
)
def test_what_reading_refuses_for_its_shape_the_schema_refuses(problem: Raw, path: str) -> None:
    assert faults("problem", problem) == [path]
    with pytest.raises(Malformed):
        read(problem)


PROBLEM_STRUCTS = (
    "CurrentSession Fairness FixedRow Group Instrument Link OperatorNeed OperatorPool Option Problem Request Rule Who"
)


@pytest.mark.parametrize(
    ("kind", "structs"),
    [
        ("problem", PROBLEM_STRUCTS),
        ("plan", "Plan RuleOutcome Run Score Session Unplaced"),
    ],
)
def test_unknown_keys_are_refused_in_every_struct_and_each_says_what_it_is(kind: Kind, structs: str) -> None:
    definitions = schema(kind)["$defs"]
    assert " ".join(sorted(definitions)) == structs
    for part in definitions.values():
        assert part["additionalProperties"] is False
        assert part["description"]


def test_units_are_told() -> None:
    definitions = schema("problem")["$defs"]
    assert definitions["Option"]["properties"]["starts"]["items"]["description"] == (
        "first and last allowed start, both included"
    )
    assert definitions["Problem"]["properties"]["horizon"]["description"] == "a number of slots, at least one"
