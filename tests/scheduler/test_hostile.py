"""Files that are wrong in one place: every command answers with an exit code and lines, never with a trace."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest

from labshare.scheduler.commands import check_command, explain_command, solve_command
from labshare.scheduler.plan import encode_plan
from labshare.scheduler.solve import solve
from tests.scheduler import samples
from tests.scheduler.making import Raw, ask, raw, read

JUNK: list[Any] = [
    None, True, 0, 1, -1, 3, 10**6, 10**6 + 1, 10**15 + 1, 2**63, -(2**63), 2**64, 1.5, 1e300, "", "r0", "i1", "\x00\n",
    "1/2", "0/1", [], {}, [[]], [0, 1], [3, 1], [0, 10**6], {"id": "x"},
]  # fmt: skip


def places(part: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside."""
    inside: list[tuple[Any, Any]] = []
    if isinstance(part, dict):
        inside = list(cast("Raw", part).items())
    elif isinstance(part, list):
        inside = list(enumerate(cast("list[Any]", part)))
    return [found for key, value in inside for found in [(*path, key), *places(value, (*path, key))]]


def spoiled(document: Raw, random: Random) -> Raw:
    """The same with one value replaced by junk, left out or doubled; half of the time a number by another."""
    document = copy.deepcopy(document)
    *way, last = random.choice(places(document))
    holder: Any = document
    for key in way:
        holder = holder[key]
    if type(holder[last]) is int:
        holder[last] = random.choice([junk for junk in JUNK if type(junk) is int])
    elif random.random() < 0.6:
        holder[last] = random.choice(JUNK)
    elif isinstance(holder, list) and random.random() < 0.5:
        cast("list[Any]", holder).append(copy.deepcopy(cast("list[Any]", holder)[last]))
    else:
        del holder[last]
    return document


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "p.problem.json", tmp_path / "p.plan.json"


def said(capsys: pytest.CaptureFixture[str], code: int) -> list[str]:
    """What the command said; an exit code that is not 0 has a reason, and each reason its own line."""
    out, err = capsys.readouterr()
    lines = (out + err).splitlines()
    assert code == 0 or lines
    assert all(": " in line for line in lines) or code == 0
    return lines


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(120))
def test_a_problem_that_is_wrong_somewhere_is_answered(
    files: tuple[Path, Path], seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    random = Random(seed)
    problem, plan = files
    problem.write_text(json.dumps(spoiled(samples.problem(random, requests=4, horizon=10), random)))
    code = solve_command(problem, plan, steps=20, progress="none")
    said(capsys, code)
    assert code in (0, 2, 3)
    assert plan.exists() or code != 0
    if plan.exists():
        assert check_command(problem, plan) == 0
        for row in json.loads(plan.read_bytes())["unplaced"]:
            assert explain_command(problem, plan, row["request"]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(120))
def test_a_plan_that_is_wrong_somewhere_is_answered(
    files: tuple[Path, Path], seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    random = Random(seed)
    problem, plan = files
    asked = samples.problem(random, requests=6, horizon=12)
    problem.write_text(json.dumps(asked))
    assert solve_command(problem, plan, steps=20, progress="none") in (0, 3)
    plan.write_text(json.dumps(spoiled(json.loads(plan.read_bytes()), random)))
    capsys.readouterr()
    judged = check_command(problem, plan)
    said(capsys, judged)
    explained = explain_command(problem, plan, asked["requests"][0]["id"])
    said(capsys, explained)
    assert judged in (0, 1, 2)
    # What check faults is not explained; a right plan may well serve the request, which is a fault of the question.
    assert explained == 2 or (judged, explained) == (0, 0)


# One session too long, at the wrong time, of nobody, twice; numbers that do not add up; another problem's plan.
LIES: list[tuple[list[Any], Any]] = [
    (["sessions", 0, "end"], 2), (["sessions", 0, "end"], -3), (["sessions", 0, "end"], 10**18),
    (["sessions", 0, "start"], -1), (["sessions", 0, "start"], 3), (["sessions", 0, "request"], "nobody"),
    (["sessions", 0, "instrument"], "i9"), (["sessions"], []), (["unplaced"], []), (["bound"], 6), (["bound"], 10**30),
    (["gap"], 0.1), (["gap"], 1e308), (["score", "objective"], 8), (["score", "value"], 8), (["status"], "feasible"),
    (["status"], "infeasible"), (["conflict"], ["R"]), (["problem_sha256"], "0" * 64), (["rules", 0, "limit"], 9),
    (["rules", 0, "demand"], 9), (["rules", 0, "unavoidable"], 1),
]  # fmt: skip


@pytest.mark.parametrize(("path", "lie"), LIES)
def test_each_lie_of_a_plan_is_a_violation(
    files: tuple[Path, Path], path: list[Any], lie: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    problem, plan = files
    rules = [{"id": "R", "kind": "floor", "slots": 3, "penalty": 1}]
    problem.write_text(json.dumps(raw(4, ask("a", 3, 7, (0, 1)), ask("b", 3, 5, (0, 1)), rules=rules)))
    assert solve_command(problem, plan, progress="none") == 0
    told = json.loads(plan.read_bytes())
    holder: Any = told
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = lie
    plan.write_text(json.dumps(told))
    assert check_command(problem, plan) == 1
    assert explain_command(problem, plan, "b") == 2
    assert all(": " in line for line in capsys.readouterr().out.splitlines())


def test_a_plan_of_another_problem_is_not_explained(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    problem, plan = files
    problem.write_text(json.dumps(raw(4, ask("a", 3, 7, (0, 1)), ask("b", 3, 5, (0, 1)))))
    plan.write_bytes(encode_plan(solve(read(raw(4, ask("c", 3, 7, (0, 1)))))))
    assert explain_command(problem, plan, "b") == 2
    assert capsys.readouterr().err == (
        f"{plan}: is no plan of this problem "
        "(problem_sha256: another_problem: the plan was made for another problem file)\n"
    )
