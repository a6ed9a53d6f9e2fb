"""`labshare serve` in a process of its own, for tests that need real connections, or a server that dies."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx

SECRET = "a secret that only these tests use"
START_SECONDS = 60


@contextmanager
def taken_port() -> Generator[int]:
    """A port on which somebody listens."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def free_port() -> int:
    with taken_port() as port:
        return port


class Server:
    """One database, served on one port, by one process after another. `answers` is set while one of them does."""

    def __init__(self, database_url: str, log: Path, **settings: str) -> None:
        port = free_port()
        self.address = ("127.0.0.1", port)
        self.url = f"http://127.0.0.1:{port}"
        self.answers = threading.Event()
        self._log = log
        self._settings = {
            "LABSHARE_DATABASE_URL": database_url,
            "LABSHARE_PORT": str(port),
            "LABSHARE_SECRET": SECRET,
            "LABSHARE_LOG_LEVEL": "warning",
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start a process and wait until it answers. One that finds the claim of a dead one still held is followed by
        another.
        """
        deadline = time.monotonic() + START_SECONDS
        while not self.answers.is_set():
            assert time.monotonic() < deadline, self.log()
            if self._process is None or self._process.poll() is not None:
                self._process = self._begin()
            try:
                httpx.get(f"{self.url}/sign-in", timeout=5)
            except httpx.TransportError:
                time.sleep(0.02)
            else:
                self.answers.set()

    def _begin(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", "from labshare.cli import main; main()", "serve"]
        with self._log.open("ab") as log:
            environment = {**os.environ, "LANG": "C", **self._settings}
            return subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)

    def kill(self) -> None:
        """End the process as a power cut would."""
        self.answers.clear()
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def cpu_seconds(self) -> float:
        """What the process has used so far, of user and system time. Linux alone says it."""
        assert self._process is not None
        # After the name of the program, which may hold blanks, fields 14 and 15 of proc(5) are these times in ticks.
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def cores(self) -> list[frozenset[int]]:
        """Of each thread of the process the cores that it may use."""
        assert self._process is not None
        threads = (int(path.name) for path in Path(f"/proc/{self._process.pid}/task").iterdir())
        return [frozenset(os.sched_getaffinity(thread)) for thread in threads]

    def log(self) -> str:
        """What its processes have said, faults with their tracebacks among it."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""


@contextmanager
def served(database_url: str, log: Path, **settings: str) -> Generator[Server]:
    """A server that answers, and is killed in the end."""
    server = Server(database_url, log, **settings)
    try:
        server.start()
        yield server
    finally:
        server.kill()
