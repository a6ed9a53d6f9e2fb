"""The arguments of the commands, and what they become."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labshare.scheduler.__main__ import main
from labshare.scheduler.reading import parse_plan
from tests.scheduler.making import ask, raw


def test_the_commands_run_one_after_the_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problem, plan = tmp_path / "p", tmp_path / "plan"
    problem.write_text(json.dumps(raw(4, ask("a", 3, 7, (0, 1)), ask("b", 3, 5, (0, 1)))))
    budget = ["--steps", "50", "--seed", "3", "--workers", "2", "--progress", "none"]
    assert main(["solve", str(problem), "-o", str(plan), *budget]) == 0
    run = parse_plan(plan.read_bytes()).run
    assert (run.seed, run.workers, run.budget) == (3, 2, "50 steps")
    assert main(["check", str(problem), str(plan)]) == 0
    assert main(["explain", str(problem), str(plan), "b"]) == 0
    assert json.loads(capsys.readouterr().out)["request"] == "b"


@pytest.mark.parametrize("kind", ["problem", "plan"])
def test_a_schema_is_printed(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", kind]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == f"labshare-{kind}/1"


def test_without_a_budget_a_minute_is_given(tmp_path: Path) -> None:
    (tmp_path / "p").write_text(json.dumps(raw(4)))
    assert main(["solve", str(tmp_path / "p"), "-o", str(tmp_path / "plan"), "--progress", "none"]) == 0
    assert parse_plan((tmp_path / "plan").read_bytes()).run.budget == "60 seconds"


@pytest.mark.parametrize(
    "wrong",
    [
        ["--seconds", "1", "--steps", "1"],
        ["--seconds", "0"],
        ["--seconds", "nan"],
        ["--steps", "0"],
        ["--seed", "-1"],
        ["--seed", str(2**31)],
        ["--workers", "0"],
        ["--steps", "many"],
    ],
)
def test_senseless_arguments_are_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["solve", "p", "-o", "plan", *wrong])
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err
