"""The commands on files: exit codes, one line for each fault, whole files or none, and stopping by signal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from labshare.scheduler.commands import check_command, explain_command, solve_command
from labshare.scheduler.problem import sha256
from labshare.scheduler.reading import parse_plan
from tests.scheduler.making import Raw, ask, raw
from tests.scheduler.test_solve import contest

Put = Callable[[str, object], Path]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Write a JSON file and give its path."""

    def write(name: str, content: object) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return write


TWO_FOR_ONE = raw(4, ask("a", 3, 7, (0, 1)), ask("b", 3, 5, (0, 1)))
# Three slots are due of two.
IMPOSSIBLE = raw(
    4, ask("a", 3, 7, (0, 1)), rules=[{"id": "F", "kind": "floor", "slots": 3}, {"id": "C", "kind": "cap", "slots": 2}]
)


def test_solve_check_and_explain_on_files(put: Put, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problem, plan = put("week.problem.json", TWO_FOR_ONE), tmp_path / "week.plan.json"
    assert solve_command(problem, plan, progress="none") == 0
    written = parse_plan(plan.read_bytes())
    assert written.problem_sha256 == sha256(problem.read_bytes())
    assert written.score.objective == 7
    assert check_command(problem, plan) == 0
    assert capsys.readouterr() == ("", "")
    assert explain_command(problem, plan, "b") == 0
    assert json.loads(capsys.readouterr().out)["code"] == "taken"


def test_violations_are_lines_and_exit_1(put: Put, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problem, plan = put("p", TWO_FOR_ONE), tmp_path / "plan"
    solve_command(problem, plan, progress="none")
    told = json.loads(plan.read_bytes())
    told["sessions"][0]["end"] += 1
    assert check_command(problem, put("wrong", told)) == 1
    assert capsys.readouterr().out.splitlines() == ["sessions[0]: wrong_length: lasts 4 slots, not 3"]


def test_malformed_input_is_one_line_per_fault_and_exit_2(
    put: Put, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = put("bad", raw(4, ask("a", 0, 1, (0, 0)), ask("b", 1, 1, (0, -1))))
    assert solve_command(bad, tmp_path / "plan") == 2
    assert capsys.readouterr().err.splitlines() == [
        "$.requests[0].slots: expected `int` >= 1",
        "$.requests[1].options[0].starts[0][1]: expected `int` >= 0",
    ]
    assert not (tmp_path / "plan").exists()
    good = put("good", TWO_FOR_ONE)
    assert check_command(good, bad) == 2
    assert explain_command(bad, good, "a") == 2


def test_files_that_are_not_there_are_exit_2(put: Put, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_command(tmp_path / "none", tmp_path / "none") == 2
    assert solve_command(put("p", TWO_FOR_ONE), tmp_path / "no" / "plan", progress="none") == 2
    assert [line.split(": ")[1] for line in capsys.readouterr().err.splitlines()] == ["No such file or directory"] * 2


def test_an_unknown_request_is_exit_2(put: Put, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problem, plan = put("p", TWO_FOR_ONE), tmp_path / "plan"
    solve_command(problem, plan, progress="none")
    assert explain_command(problem, plan, "z") == 2
    assert capsys.readouterr().err == "REQUEST: no request 'z'\n"


def test_infeasible_is_exit_3_with_a_plan_that_names_the_conflict(
    put: Put, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert solve_command(put("p", IMPOSSIBLE), tmp_path / "plan", progress="none") == 3
    assert parse_plan((tmp_path / "plan").read_bytes()).conflict == ("C", "F")
    assert capsys.readouterr().err.endswith("infeasible; these cannot hold together: C, F\n")


def test_progress_for_machines_is_one_object_a_line(
    put: Put, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    solve_command(put("p", TWO_FOR_ONE), tmp_path / "plan", progress="json")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert all(set(line) == {"objective", "bound", "gap", "seconds", "placed"} for line in lines)
    assert (lines[-1]["objective"], lines[-1]["bound"], lines[-1]["placed"]) == (7, 7, 1)


def test_progress_for_people_is_a_line_of_words(put: Put, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    solve_command(put("p", TWO_FOR_ONE), tmp_path / "plan")
    assert "objective 7  bound 7  gap 0.00%  1 placed" in capsys.readouterr().err.splitlines()[-1]


def hard(requests: int = 120) -> Raw:
    """Far too much to prove in the time of a test."""
    return raw(
        400, *(row | {"options": [row["options"][0] | {"starts": [[0, 380]]}]} for row in contest(requests)["requests"])
    )


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_search_and_keeps_the_best_plan(put: Put, tmp_path: Path, number: signal.Signals) -> None:
    problem, plan = put("p", hard()), tmp_path / "plan"
    command = [
        sys.executable,
        "-m",
        "labshare.scheduler",
        "solve",
        problem,
        "-o",
        plan,
        "--seconds",
        "60",
        "--progress",
        "json",
    ]
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}
    ) as child:
        assert child.stderr
        first = next(line for line in child.stderr if json.loads(line)["placed"])
        child.send_signal(number)
        stopped = time.monotonic()
        child.stderr.read()
        assert child.wait(timeout=20) == 0
        assert time.monotonic() - stopped < 10
    kept = parse_plan(plan.read_bytes())
    assert kept.score.objective >= json.loads(first)["objective"]
    assert check_command(problem, plan) == 0
