"""Serving: a free port, one process, and an orderly stop within three seconds whatever is connected."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from shutil import copy
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from litestar import Litestar, Request, get
from litestar.types import Message

from labshare import serve
from labshare.cli import serving
from labshare.cores import allowed_cores
from labshare.errors import StartupError
from labshare.serve import Calls, Listener, listen, told_by_proxy
from labshare.services.demo import LOADED
from labshare.settings import Settings
from labshare.store import facts
from labshare.store.engine import open_database
from tests.furniture import furnish
from tests.serving import SECRET, free_port, served, taken_port

# ---------------------------------------------------------------- cores


@pytest.mark.parametrize("one_core", ["true", "false"])
def test_all_threads_keep_to_one_core_unless_that_is_turned_off(sqlite_url: str, tmp_path: Path, one_core: str) -> None:
    allowed = allowed_cores()
    with served(sqlite_url, tmp_path / "log", LABSHARE_ONE_CORE=one_core) as server:
        threads = server.cores()
    assert len(threads) > 5
    assert {len(cores) for cores in threads} == {1 if one_core == "true" and allowed else len(allowed)}
    assert len(set(threads)) == 1


# ---------------------------------------------------------------- addresses


def test_a_free_port_is_taken_as_it_is() -> None:
    port = free_port()
    found = listen("127.0.0.1", port)
    with found.socket:
        assert found.url == f"http://127.0.0.1:{port}"


def test_a_taken_port_is_refused_before_the_server_meets_it() -> None:
    with taken_port() as port, pytest.raises(StartupError, match="port_taken"):
        listen("127.0.0.1", port)


def test_the_next_free_port_is_found_when_that_is_asked() -> None:
    with taken_port() as port:
        found = listen("127.0.0.1", port, or_next=True)
    with found.socket:
        assert port < found.port < port + 100


def test_nobody_takes_the_port_while_the_application_starts() -> None:
    """Between finding a port and serving on it a second passes, in which another program could have taken it."""
    found = listen("127.0.0.1", free_port())
    with found.socket:
        with pytest.raises(StartupError, match="port_taken"):
            listen("127.0.0.1", found.port)
        # Who comes too early waits, and is not turned away.
        with socket.create_connection(("127.0.0.1", found.port), timeout=10):
            pass


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.1"])
def test_an_address_that_is_not_of_this_machine_is_said_so(host: str) -> None:
    # 203.0.113.0/24 is kept for documentation (RFC 5737), so no machine has it.
    with pytest.raises(StartupError, match="address_unusable"):
        listen(host, 8000)


def test_the_address_of_version_six_stands_in_brackets() -> None:
    with socket.socket() as unbound:
        assert Listener(host="::1", socket=unbound).url == "http://[::1]:0"


# ---------------------------------------------------------------- calls under way


@get("/quick")
async def quick() -> str:
    await asyncio.sleep(0.01)
    return "done"


@get("/endless")
async def endless() -> str:
    await asyncio.sleep(3600)
    return "never"


async def _call(calls: Calls, path: str) -> list[str]:
    """Call the application as a server would; returns the kinds of the messages that it sent."""
    sent: list[str] = []

    async def receive() -> Message:  # pyright: ignore[reportReturnType]  a client that says no more
        await asyncio.sleep(3600)

    async def send(message: Message) -> None:
        sent.append(message["type"])

    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
        "root_path": "",
        "scheme": "http",
        "http_version": "1.1",
        "state": {},
    }
    await calls(scope, receive, send)  # pyright: ignore[reportArgumentType]  what a server gives of it is enough
    return sent


async def _stopped(path: str) -> tuple[list[str], float]:
    calls = Calls(Litestar([quick, endless], openapi_config=None))
    call = asyncio.create_task(_call(calls, path))
    await asyncio.sleep(0)
    began = time.monotonic()
    await calls.end(grace_seconds=0.2)
    return await call, time.monotonic() - began


@get("/address")
async def address_of(request: Request[Any, Any, Any]) -> str:
    return request.client.host if request.client else ""


@pytest.mark.parametrize(
    ("peer", "forwarded", "seen"),
    [
        ("127.0.0.1", "203.0.113.7", "203.0.113.7"),
        # What stands before the last address was said by whoever asks, and may be a lie.
        ("127.0.0.1", "198.51.100.9, 203.0.113.7", "203.0.113.7"),
        ("127.0.0.1", "", "127.0.0.1"),
        # Nobody else is believed.
        ("192.0.2.5", "203.0.113.7", "192.0.2.5"),
    ],
)
def test_only_a_proxy_on_this_machine_says_for_whom_it_asks(peer: str, forwarded: str, seen: str) -> None:
    app = told_by_proxy(Litestar([address_of], openapi_config=None))
    transport = httpx.ASGITransport(app, client=(peer, 4711))  # pyright: ignore[reportArgumentType]

    async def ask() -> str:
        async with httpx.AsyncClient(transport=transport, base_url="http://labshare.example") as client:
            return (await client.get("/address", headers={"X-Forwarded-For": forwarded} if forwarded else {})).text

    assert asyncio.run(ask()) == seen


def test_a_call_that_ends_soon_is_let_finish() -> None:
    sent, seconds = asyncio.run(_stopped("/quick"))
    assert sent == ["http.response.start", "http.response.body"]
    assert seconds < 0.2


def test_a_call_that_does_not_end_is_cut_off_after_the_grace() -> None:
    sent, seconds = asyncio.run(_stopped("/endless"))
    assert sent == []
    assert 0.2 <= seconds < 1


# ---------------------------------------------------------------- the real thing


@contextmanager
def running(*words: str | Path, **settings: str) -> Generator[tuple[subprocess.Popen[str], list[str]]]:
    """A command in a process of its own, and what it says until it names its address or ends."""
    command = [sys.executable, "-c", "from labshare.cli import main; main()", *map(str, words)]
    environment = {**os.environ, "LANG": "C", **settings}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        said: list[str] = []
        for line in process.stdout:
            said.append(line)
            if "http://" in line:
                break
        try:
            yield process, said
        finally:
            process.kill()


def furnished(template: Path, path: Path) -> Path:
    """A migrated SQLite file with the furniture of the tests, marked as a demo that was made years ago."""
    copy(template, path)
    database = open_database(f"sqlite:///{path}")
    with database.write() as db:
        furnish(db)
        facts.add(db, LOADED, "2020-01-01T00:00:00+00:00")
    database.dispose()
    return path


@pytest.mark.slow
def test_one_process_serves_and_stops_at_once_with_live_streams_open(tmp_path: Path, sqlite_template: Path) -> None:
    settings = {
        "LABSHARE_DATABASE_URL": f"sqlite:///{furnished(sqlite_template, tmp_path / 'served.sqlite3')}",
        "LABSHARE_PORT": str(free_port()),
        "LABSHARE_SECRET": SECRET,
        "LABSHARE_LOG_LEVEL": "warning",
    }
    url = f"http://127.0.0.1:{settings['LABSHARE_PORT']}"
    with running("serve", **settings) as (process, said):
        # The address is the last thing that is said.
        assert said[-1].split()[-1] == url
        with running("serve", **settings) as (second, refused):
            assert second.wait(timeout=60) == 1
        assert refused == ["labshare: Another LabShare process serves this database; stop it first.\n"]
        _stops_whatever_is_open(process, url)


@pytest.mark.slow
def test_the_demo_takes_the_next_free_port_and_says_so(tmp_path: Path, sqlite_template: Path) -> None:
    furnished(sqlite_template, tmp_path / "labshare.sqlite3")
    with taken_port() as port, running("demo", "--directory", tmp_path, LABSHARE_PORT=str(port)) as (process, said):
        url = said[-1].split()[-1]
        found = int(url.rpartition(":")[2])
        assert said[:-1] == [
            "The demo's story is older than a week; `labshare demo --fresh` makes it anew, around today.\n",
            f"Port {port} is taken; using {found}.\n",
        ]
        assert port < found < port + 100
        assert "researcher" in httpx.get(f"{url}/sign-in").text
        _stops_whatever_is_open(process, url)
    # Nobody else of this machine may read what the demo's cookies are signed with.
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_what_the_demo_hands_over_leads_to_the_port_it_took(
    tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link to port 8000 would lead to whatever answers there."""
    furnished(sqlite_template, tmp_path / "labshare.sqlite3")
    answered: list[tuple[str, str]] = []

    def note(chosen: Settings, _database: object, _held: object, listener: Listener) -> None:
        with listener.socket:
            answered.append((chosen.base_url, listener.url))

    def quiet(_level: str) -> None:
        """Leave this process's own log as it is."""

    monkeypatch.setattr(serving, "_answer", note)
    monkeypatch.setattr(serve, "log_to_stderr", quiet)
    with taken_port() as port:
        monkeypatch.setenv("LABSHARE_PORT", str(port))
        CliRunner().invoke(serving.demo, ["--directory", str(tmp_path)], catch_exceptions=False)
    ((base_url, url),) = answered
    assert base_url == url != f"http://127.0.0.1:{port}"


@pytest.mark.slow
def test_many_pages_with_live_updates_leave_nobody_outside(tmp_path: Path, sqlite_template: Path) -> None:
    """Granian by itself lets in 128 connections and leaves the next one waiting."""

    async def ask(address: tuple[str, int]) -> tuple[bytes, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"GET /live?instruments=N001 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return await reader.readline(), writer

    async def ask_at_once(address: tuple[str, int]) -> set[bytes]:
        async with asyncio.timeout(60):
            answers = await asyncio.gather(*(ask(address) for _ in range(200)))
        for _, writer in answers:
            writer.close()
        return {line for line, _ in answers}

    path = furnished(sqlite_template, tmp_path / "served.sqlite3")
    with served(f"sqlite:///{path}", tmp_path / "log") as server:
        assert asyncio.run(ask_at_once(server.address)) == {b"HTTP/1.1 200 OK\r\n"}


def _stops_whatever_is_open(process: subprocess.Popen[str], url: str) -> None:
    """Ctrl-C with a live stream and an idle connection open."""
    with httpx.stream("GET", f"{url}/live?instruments=N001", timeout=10) as stream, httpx.Client() as kept_open:
        assert stream.status_code == 200
        lines = stream.iter_lines()
        # It has begun: the stream says how the calendar stands.
        assert any(line.startswith("data:") for line in lines)
        assert kept_open.get(f"{url}/sign-in").status_code == 200
        process.send_signal(signal.SIGINT)
        # On a quiet machine it takes well under three seconds; this only says that it does not wait for the stream.
        assert process.wait(timeout=20) == 0
        # The stream ends like one that is over; one that broke would raise.
        assert not any(line.startswith("data:") for line in lines)
    assert process.stdout is not None
    assert process.stdout.read() == ""
