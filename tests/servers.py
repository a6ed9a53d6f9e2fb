"""Finding and starting what the tests need beside Python: a PostgreSQL server and a Chromium.

`python -m tests.servers` (what `make test` runs first) installs what is missing with apt-get when it may (root on a
Debian family: a container, a fresh virtual machine) and otherwise says what is missing. What must not live here:
fixtures.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

URL_VARIABLE = "LABSHARE_TEST_POSTGRES_URL"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
START_SECONDS = 30
# A test server may lose everything: durability would only make it slow.
SERVER_OPTIONS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
}


def find_chromium() -> str | None:
    """The path of a Chromium that Playwright can drive. Only the system's own will do; none is downloaded."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def find_postgres() -> Path | None:
    """The folder with `initdb` and `postgres`: from PATH, else the newest that Debian has installed."""
    on_path = shutil.which("initdb")
    if on_path and shutil.which("postgres"):
        return Path(on_path).resolve().parent
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    found = [folder for folder in debian if (folder / "initdb").is_file() and (folder / "postgres").is_file()]
    return max(found, key=lambda folder: float(folder.parent.name), default=None)


@dataclass
class PostgresServer:
    """A running server, ours until `stop`. `url` is the address of its `postgres` database; no password is asked."""

    url: str
    origin: str
    process: subprocess.Popen[bytes] | None = None
    folder: Path | None = None

    def stop(self) -> None:
        """End the server and remove its data. A server that the environment named is left as it is."""
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)


def start_postgres() -> PostgresServer | None:
    """The server of this test run: the one the environment names, else a new one on a free port, else none."""
    if named := os.environ.get(URL_VARIABLE):
        return PostgresServer(url=named, origin=f"named by {URL_VARIABLE}")
    binaries = find_postgres()
    if binaries is None:
        return None
    folder = Path(tempfile.mkdtemp(prefix="labshare-postgres-"))
    prefix = _as_postgres(folder)
    # One way of sorting on every machine, whatever its locale.
    asked = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]
    _run([*prefix, binaries / "initdb", "-D", folder / "data", *asked])
    port = _free_port()
    settings = {"port": str(port), "listen_addresses": "127.0.0.1", "unix_socket_directories": str(folder)}
    options = [word for name, value in (SERVER_OPTIONS | settings).items() for word in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*prefix, binaries / "postgres", "-D", folder / "data", *options], stdout=log, stderr=log
        )
    server = PostgresServer(
        f"postgresql://postgres@127.0.0.1:{port}/postgres", f"started from {binaries}", process, folder
    )
    _wait_until_ready(server, binaries, port)
    return server


def _as_postgres(folder: Path) -> list[str]:
    """The words before a command that PostgreSQL will accept: it refuses to run as root. The server ends with us."""
    if not shutil.which("setpriv"):  # not on Linux
        return []
    words = ["setpriv", "--pdeathsig", "INT"]
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
        words += ["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
    return words


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _run(command: list[str | Path]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")


def _wait_until_ready(server: PostgresServer, binaries: Path, port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    asking = [binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
    while subprocess.run(asking, check=False).returncode:
        if server.process is None or server.process.poll() is not None or time.monotonic() > deadline:
            assert server.folder is not None
            log = (server.folder / "log").read_text(errors="replace")
            server.stop()
            raise RuntimeError(f"PostgreSQL did not start:\n{log[-2000:]}")
        time.sleep(0.05)


# --- what `make test` asks first -------------------------------------------------------------------------------------


def missing_packages() -> list[str]:
    """Debian's names of what the tests need and this machine lacks."""
    missing: list[str] = []
    if not os.environ.get(URL_VARIABLE) and find_postgres() is None:
        missing.append("postgresql")
    if find_chromium() is None:
        missing.append("chromium")
    if not shutil.which("node"):
        missing.append("nodejs")
    return missing


def main() -> int:
    """Install what is missing, or say it. Not zero when continuous integration would have to leave tests out."""
    missing = missing_packages()
    if not missing:
        return 0
    names = " and ".join(missing)
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"The tests need {names}: installing with apt-get.", flush=True)  # noqa: T201  a command of its own
        _apt_install(missing)
        return 0
    print(f"Missing: {names}. Tests that need it are left out (Debian: apt-get install {' '.join(missing)}).")  # noqa: T201
    return 1 if os.environ.get("CI") else 0


def _apt_install(packages: list[str]) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    quiet = ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
    for words in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        done = subprocess.run([*quiet, *words], env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"apt-get {words[0]} failed:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")


if __name__ == "__main__":
    sys.exit(main())
