"""`labshare replay`: what it prints, the file it writes, and one clear line for each thing that is wrong.

The week, its demand and the effect of the lifted cap are those of tests/services/test_replay.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copy

import pytest
from click.testing import CliRunner, Result

from labshare.cli import main
from labshare.domain.sandbox import Change
from labshare.domain.sandbox_documents import to_toml
from labshare.store.engine import Database, open_database
from tests.domain.test_sandbox import an_overlay
from tests.furniture import NOW
from tests.services.test_replay import LIFT, furnished

Run = Callable[..., Result]
WEEK = ("--from", "2026-11-16", "--to", "2026-11-22")


@pytest.fixture
def path(tmp_path: Path, sqlite_template: Path) -> Path:
    return Path(copy(sqlite_template, tmp_path / "cli.sqlite3"))


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{path}")
    with opened.write() as db:
        furnished(db)
    yield opened
    opened.dispose()


@pytest.fixture
def run(database: Database, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command on that database, on Monday 23 November 2026, in a terminal that speaks English unless told."""
    monkeypatch.setattr("labshare.cli.replaying.utc_now", lambda: NOW)

    def run(*words: str | Path, **environment: str) -> Result:
        given = {"LANG": "C", "LABSHARE_DATABASE_URL": str(database.engine.url), **environment}
        return CliRunner().invoke(main, ["replay", *(str(word) for word in words)], env=given)

    return run


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    file = tmp_path / "lift.toml"
    file.write_text(to_toml(an_overlay(LIFT)), encoding="utf-8")
    return file


def cells(done: Result, first: str) -> list[str]:
    """The first line that begins so, cut where two spaces or more stand between its cells."""
    line = next(line for line in done.stdout.splitlines() if line.startswith(first))
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


def test_who_gains_stands_in_a_table(run: Run, overlay: Path) -> None:
    """Industry gets 20 of 50 hours instead of 10 of 40; nobody loses, and both plans are proven."""
    done = run(*WEEK, "--overlay", overlay, "--steps", "300")
    assert done.exit_code == 0, done.output
    assert cells(done, "O-CO") == ["O-CO", "30 h", "10 h", "20 h", "+10 h", "25.0 % → 40.0 %", "± 0 h"]
    assert cells(done, "I-IMS") == ["I-IMS", "30 h", "30 h", "30 h", "0 h", "75.0 % → 60.0 %", "± 0 h"]
    assert cells(done, "C-ONE")[1:5] == ["60 h", "40 h", "50 h", "+10 h"]
    assert cells(done, "A cap") == ["A cap", "16 Nov 2026 – 22 Nov 2026", "10 h ≤ 10 h", "20 h ≤ 30 h"]
    assert "12 uses and 0 requests of rounds; 0 of them fit nowhere" in done.stdout
    assert "~" not in done.stdout
    assert done.stdout.count("gap 0.00 %") == 2


def test_a_vietnamese_terminal_reads_vietnamese(run: Run, overlay: Path) -> None:
    done = run(*WEEK, "--overlay", overlay, "--steps", "300", LANG="vi_VN.UTF-8")
    assert cells(done, "O-CO")[1:5] == ["30 giờ", "10 giờ", "20 giờ", "+10 giờ"]
    assert "Tổ chức" in done.stdout
    assert "Doanh nghiệp" in done.stdout


def test_the_file_is_for_machines_and_the_same_each_time(run: Run, overlay: Path, tmp_path: Path) -> None:
    files = [tmp_path / "one.json", tmp_path / "two.json"]
    for file in files:
        assert run(*WEEK, "--overlay", overlay, "--steps", "300", "--json", file).exit_code == 0
    first, second = (file.read_bytes() for file in files)
    assert first == second
    found = json.loads(first)
    assert (found["format"], found["budget"], found["first"]) == ("labshare-replay/1", "300 steps", "2026-11-16")
    company = next(row for row in found["organisations"] if row["key"] == "O-CO")
    assert (company["before"], company["after"], company["difference"]) == (600, 1200, 600)
    assert (company["share_before"], company["share_after"], company["may_be_noise"]) == (0.25, 0.4, False)
    (rule,) = found["rules"]
    assert (rule["before"], rule["after"]) == ({"limit": 600, "counted": 600}, {"limit": 1800, "counted": 1200})


def test_for_a_partner_it_tells_no_single_other(run: Run, overlay: Path) -> None:
    done = run(*WEEK, "--overlay", overlay, "--steps", "300", "--for", "O-CO")
    assert cells(done, "O-CO")[:5] == ["O-CO", "30 h", "10 h", "20 h", "+10 h"]
    assert "I-IMS" not in done.stdout
    assert "Others are told only of one whole month" in done.stdout


# ---------------------------------------------------------------- what goes wrong


def test_what_is_wrong_with_the_overlay_is_a_line_each(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "unsound.toml"
    unsound = an_overlay(Change(agreement="A", remove="floor"), centres=("C-NONE",))
    file.write_text(to_toml(unsound), encoding="utf-8")
    done = run(*WEEK, "--overlay", file)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        f"labshare: {file}: The trial names the centre C-NONE, which is not in the registry.",
        f"labshare: {file}: A has no rule floor that could be replaced or removed.",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [(b"[[changes", "The sandbox cannot be read: "), (b"\xff", "is not UTF-8 text")],
)
def test_a_file_that_cannot_be_read_is_named(run: Run, tmp_path: Path, text: bytes, line: str) -> None:
    file = tmp_path / "broken.toml"
    file.write_bytes(text)
    done = run(*WEEK, "--overlay", file)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"labshare: {file}: ")
    assert line in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--from", "2026-11-22", "--to", "2026-11-16"), 2, "comes before the first"),
        (("--from", "2026-11-16", "--to", "2026-11-23"), 2, "The period must be over"),
        (("--from", "2026-04-01", "--to", "2026-11-16"), 2, "At most 184 days"),
        (("--from", "2026-10-05", "--to", "2026-10-11"), 1, "Nobody asked for time at C-ONE"),
        (("--from", "yesterday", "--to", "2026-11-16"), 2, "yesterday"),
        ((*WEEK, "--seconds", "1", "--steps", "5"), 2, "exclude each other"),
        ((*WEEK, "--freedom", "32"), 2, "32"),
        ((*WEEK, "--for", "O-NONE"), 2, "No organisation has the id O-NONE"),
        ((*WEEK, "--json", "nowhere/file.json"), 1, "nowhere/file.json: No such file or directory"),
    ],
)
def test_a_replay_that_cannot_be_made_says_why(
    run: Run, overlay: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    done = run(*words, "--overlay", overlay)
    assert (done.exit_code, done.stdout) == (code, "")
    assert said in done.stderr


def test_an_overlay_that_is_not_there_is_a_mistake_in_use(run: Run, tmp_path: Path) -> None:
    done = run(*WEEK, "--overlay", tmp_path / "none.toml")
    assert done.exit_code == 2
    assert "does not exist" in done.stderr
