"""The problems in fixtures/problems, whose answers were worked by hand in the README beside them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import labshare.scheduler
from labshare.scheduler.check import check
from labshare.scheduler.problem import sha256
from labshare.scheduler.reading import parse, parse_plan
from labshare.scheduler.solve import solve

FOLDER = Path(__file__).parents[2] / "fixtures" / "problems"
BEST = {
    "open-segments": 115,
    "changeover": 110,
    "people-and-operators": 95,
    "campaign-and-group": 105,
    "caps-and-floors": 138,
    "share-floor-without-demand": 70,
    "fairness": 116,
    "repair": 100,
}


def test_every_problem_has_its_answer() -> None:
    assert {path.name.removesuffix(".problem.json") for path in FOLDER.glob("*.json")} == {*BEST, "infeasible"}


@pytest.mark.parametrize("name", BEST)
def test_the_answer_worked_by_hand_is_found_and_proven(name: str) -> None:
    data = (FOLDER / f"{name}.problem.json").read_bytes()
    problem = parse(data)
    plan = solve(problem, problem_sha256=sha256(data))
    assert (plan.score.objective, plan.bound, plan.status) == (BEST[name], BEST[name], "optimal")
    assert check(problem, plan, problem_sha256=sha256(data)) == []
    assert f"| `{name}` |" in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_the_conflict_worked_by_hand_is_named() -> None:
    plan = solve(parse((FOLDER / "infeasible.problem.json").read_bytes()))
    assert plan.conflict == ("R-industry", "R-partner")


def test_the_example_of_the_documentation_is_a_problem_with_its_plan() -> None:
    text = (Path(labshare.scheduler.__file__).parent / "README.md").read_text(encoding="utf-8")
    blocks = [block.encode() for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]
    problem, plan = parse(blocks[0]), parse_plan(blocks[1])
    assert check(problem, plan, problem_sha256=plan.problem_sha256) == []
    assert solve(problem).score == plan.score
