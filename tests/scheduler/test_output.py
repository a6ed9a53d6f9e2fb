"""What commands say stays one line, in any terminal, and files are there whole or not at all."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from labshare.scheduler import output
from labshare.scheduler.output import answer, must_be_writable, one_line, say, write_atomically
from labshare.scheduler.reading import Malformed

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "line"),
    [("máy đo", "máy đo"), ("a\nb\x00", "a\\nb\\x00"), ("\u2028\x1b[31m", "\\u2028\\x1b[31m")],
)
def test_a_line_stays_one_line(text: str, line: str) -> None:
    assert one_line(text) == line


def test_a_terminal_that_knows_less_is_given_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(output.sys, "stderr", terminal)
    say("đo")
    assert terminal.buffer.getvalue() == b"\\u0111o\n"  # pyright: ignore[reportAttributeAccessIssue]


def test_a_reader_that_goes_away_ends_nothing() -> None:
    # The pipe is closed before the child writes; a trace or another exit code would be seen here.
    reading, writing = os.pipe()
    os.close(reading)
    code = "from labshare.scheduler.output import answer; answer('x' * 100_000); answer('y')"
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run([sys.executable, "-c", code], stdout=pipe, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_answer_stands_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    answer("one\ntwo\n")
    assert capsys.readouterr().out == "one\ntwo\n"


def test_what_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    must_be_writable(tmp_path / "plan", tmp_path / "problem")
    with pytest.raises(IsADirectoryError, match=str(tmp_path)):
        must_be_writable(tmp_path)
    with pytest.raises(FileNotFoundError, match="no/plan"):
        must_be_writable(tmp_path / "no" / "plan")
    with pytest.raises(Malformed):
        must_be_writable(tmp_path / "plan", tmp_path / "plan")


def test_a_folder_that_may_not_be_written_to_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def only_readable(path: Path, mode: int) -> bool:
        return path == tmp_path and mode != os.W_OK

    monkeypatch.setattr(output.os, "access", only_readable)
    with pytest.raises(PermissionError, match="plan"):
        must_be_writable(tmp_path / "plan")


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "plan"
    write_atomically(target, b"old")

    def fail(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device", str(self), None, str(target))

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space") as caught:
        write_atomically(target, b"new")
    assert caught.value.filename == str(target)
    assert [path.name for path in tmp_path.iterdir()] == ["plan"]
    assert target.read_bytes() == b"old"
