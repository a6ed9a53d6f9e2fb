"""`repair` on files: both are written or neither, and what is wrong is one line with exit code 2."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labshare.scheduler.__main__ import main
from labshare.scheduler.check import check
from labshare.scheduler.commands import check_command, repair_command, solve_command
from labshare.scheduler.problem import sha256
from labshare.scheduler.reading import parse, parse_plan
from tests.scheduler.making import Raw, ask, raw

WEEK = raw(8, ask("a", 4, 9, (0, 0)), ask("b", 4, 9, (4, 4)), ask("c", 4, 5, (0, 4)))
FLOOR: Raw = {"rules": [{"id": "F", "kind": "floor", "slots": 4}]}


class Files:
    """A problem and its plan on file, and where the new ones go."""

    def __init__(self, folder: Path, problem: Raw) -> None:
        self.problem, self.plan = folder / "p.json", folder / "plan.json"
        self.new_problem, self.new_plan = folder / "p2.json", folder / "plan2.json"
        self.problem.write_text(json.dumps(problem))
        assert solve_command(self.problem, self.plan, progress="none") == 0

    def repair(self, *arguments: str) -> int:
        files = [str(self.problem), str(self.plan), "-o", str(self.new_plan), "--problem-out", str(self.new_problem)]
        return main(["repair", *files, *arguments])

    @property
    def written(self) -> list[str]:
        return sorted(path.name for path in self.new_plan.parent.iterdir() if "2" in path.name)


def test_an_outage_a_cancellation_and_new_requests_on_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = Files(tmp_path, WEEK)
    more = tmp_path / "more.json"
    more.write_text(json.dumps([ask("u", 2, 40, (0, 6))]))
    # a is gone, b is hit and can be nowhere else; u and c have 0..5 between them, and u is worth more in it with c.
    assert files.repair("--now", "0", "--down", "i0:6-8", "--cancel", "a", "--add", str(more)) == 0
    problem, plan = parse(files.new_problem.read_bytes()), parse_plan(files.new_plan.read_bytes())
    assert check(problem, plan, problem_sha256=sha256(files.new_problem.read_bytes())) == []
    assert check_command(files.new_problem, files.new_plan) == 0
    assert {row.request for row in plan.sessions} == {"c", "u"}
    assert plan.run.budget.endswith(" steps")
    assert capsys.readouterr() == ("", "")


def test_what_can_no_longer_be_kept_is_exit_3_with_a_plan_that_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = Files(tmp_path, raw(4, ask("a", 4, 9, (0, 0)), **FLOOR))
    assert files.repair("--now", "0", "--down", "i0:0-4") == 3
    assert parse_plan(files.new_plan.read_bytes()).conflict == ("F",)
    assert check_command(files.new_problem, files.new_plan) == 0
    assert capsys.readouterr().err.endswith("p2.json: infeasible; these cannot hold together: F\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--now", "0", "--down", "ix:1-2"], "--down ix:1-2: no instrument 'ix'"),
        (["--now", "0", "--down", "i0:2-1"], "--down i0:2-1: ends at 1, not after its start 2"),
        (["--now", "0", "--down", "i0"], "--down i0: is not of the form INSTRUMENT:START-END"),
        (["--now", "0", "--cancel", "z"], "--cancel z: no request 'z'"),
        (["--now", "9"], "--now 9: is outside the horizon of 8 slots"),
    ],
)
def test_bad_arguments_are_one_line_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    files = Files(tmp_path, WEEK)
    assert files.repair(*arguments) == 2
    assert capsys.readouterr().err.splitlines() == [says]
    assert files.written == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[", "$: not JSON"),
        ('[{"id": "n"}]', "$.requests[0].slots: is missing"),
        ('{"request": []}', "$.request: no such field"),
    ],
)
def test_a_malformed_file_of_new_requests_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, says: str
) -> None:
    files = Files(tmp_path, WEEK)
    more = tmp_path / "more.json"
    more.write_text(content)
    assert files.repair("--now", "0", "--add", str(more)) == 2
    assert capsys.readouterr().err.startswith(f"{more}: {says}")
    assert files.written == []


def test_the_plan_of_another_problem_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = Files(tmp_path, WEEK)
    files.problem.write_text(json.dumps(WEEK, indent=1))
    assert files.repair("--now", "0") == 2
    assert "is no plan of this problem (problem_sha256: another_problem:" in capsys.readouterr().err
    assert files.written == []


def test_a_plan_that_is_wrong_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = Files(tmp_path, WEEK)
    told = json.loads(files.plan.read_bytes())
    told["sessions"][0]["end"] += 1
    files.plan.write_text(json.dumps(told))
    assert files.repair("--now", "0") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "is no plan of this problem (sessions[0]: wrong_length" in line
    assert files.written == []


def test_nothing_is_written_where_one_file_could_not_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = Files(tmp_path, WEEK)
    nowhere = tmp_path / "no" / "p2.json"
    assert repair_command(files.problem, files.plan, files.new_plan, nowhere, now=0) == 2
    assert repair_command(files.problem, files.plan, files.new_plan, files.new_plan, now=0) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"{nowhere}: No such file or directory",
        "--problem-out: is the same file as -o",
    ]
    assert files.written == []


def test_the_present_slot_must_be_given(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as refused:
        Files(tmp_path, WEEK).repair()
    assert refused.value.code == 2
