"""Serving: one process, one event loop, granian inside it. From a free port to an orderly stop within three seconds.

What must not live here: the application (app.py), or what the command line says around it (cli.py).
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import cast

import msgspec
import structlog
from granian._granian import SocketHolder
from granian.constants import Interfaces
from granian.server.embed import Server
from granian.utils.proxies import wrap_asgi_with_proxy_headers  # pyright: ignore[reportUnknownVariableType]  granian ships no types for it
from litestar import Litestar
from litestar.types import ASGIApp, Receive, Scope, Send
from structlog.typing import Processor

from labshare.cores import OURS
from labshare.errors import StartupError
from labshare.store.process import Claim

PORTS_TRIED = 100
# Connections that may wait while the application starts up or is busy.
BACKLOG = 512
# Connections that may be open: each page that shows live updates keeps one. Granian's own limit is its backlog of 128,
# and whoever comes next waits until somebody leaves. A process may usually open 1,024 files, databases included.
MOST_CONNECTIONS = 900
# Only who already runs on this machine may say for whom they ask.
TRUSTED_PROXIES = ["127.0.0.1", "::1"]
CLAIM_SECONDS = 5
# A stop: calls may finish for a while, then they are cancelled; what hangs even then ends with the process.
GRACE_SECONDS = 0.5
DEADLINE_SECONDS = 2.8


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """A socket that listens from the moment it is found, so that nobody can take its port while the rest starts up."""

    host: str
    socket: socket.socket

    @property
    def port(self) -> int:
        return self.socket.getsockname()[1]

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def listen(host: str, port: int, *, or_next: bool = False) -> Listener:
    """Listen there; with `or_next`, on the first free port from `port` on. Who connects waits until `serve` answers.

    Raises `StartupError`. granian itself would share a port that another of this account's servers listens on.
    """
    last = min(port + PORTS_TRIED, 65536) if or_next else port + 1
    for candidate in range(port, last):
        found = _socket_if_free(host, candidate)
        if found:
            return Listener(host=host, socket=found)
    raise StartupError("port_taken", host=host, port=str(port))


def _socket_if_free(host: str, port: int) -> socket.socket | None:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind)
        try:
            # A port whose last connections are still closing is free.
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind(address)
            found.listen(BACKLOG)
        except OSError:
            found.close()
            raise
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return None
        raise StartupError("address_unusable", host=host, port=str(port), reason=str(error.strerror)) from error
    found.setblocking(False)
    return found


def log_to_stderr(level: str) -> None:
    """Log to stderr: in colour for people at a terminal, else as one JSON object a line."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    ends: list[Processor] = [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]
    if sys.stderr.isatty():
        ends = [structlog.dev.ConsoleRenderer()]
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ends], foreign_pre_chain=shared
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # It tells of each plug-in it has.
    logging.getLogger("alembic").setLevel(logging.WARNING)


class _Server(Server):
    """granian on a socket that listens already."""

    def __init__(self, target: ASGIApp, listener: Listener) -> None:
        super().__init__(
            target,
            interface=Interfaces.ASGINL,
            websockets=False,
            log_enabled=False,
            backlog=BACKLOG,
            backpressure=MOST_CONNECTIONS,
        )
        self._listener = listener

    def _init_shared_socket(self) -> None:
        self._shd = SocketHolder(self._listener.socket.fileno(), False, BACKLOG)  # pyright: ignore[reportCallIssue]  granian's types leave its arguments out


def serve(app: Litestar, listener: Listener, held: Claim, ready: Callable[[], None], *, one_core: bool = True) -> None:
    """Answer requests until SIGINT or SIGTERM. `ready` is called once the application has started. With `one_core` all
    threads keep to one core of the machine (cores.py).

    Raises `StartupError` when the claim on the database was lost to another process.
    """
    asyncio.run(_serve(app, listener, held, ready, one_core))


async def _serve(app: Litestar, listener: Listener, held: Claim, ready: Callable[[], None], one_core: bool) -> None:
    if one_core:
        OURS.keep()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    calls = Calls(told_by_proxy(app))
    # The application's start and stop are ours, so that its stop runs even when a connection would not end.
    async with app.lifespan():
        server = _Server(calls, listener)
        serving = asyncio.create_task(server.serve())
        keeping = asyncio.create_task(_keep(held, stop, one_core))
        ready()
        await stop.wait()
        _end_by(DEADLINE_SECONDS)
        server.stop()
        # Streams of live updates end by themselves now, so that only slow calls are left to wait for.
        app.state.hub.close()
        await calls.end(GRACE_SECONDS)
        await asyncio.wait([serving], timeout=GRACE_SECONDS)
    await keeping


async def _keep(held: Claim, stop: asyncio.Event, one_core: bool) -> None:
    """Renew the claim now and then, and the choice of a core; stop serving when another process has the claim."""
    while not stop.is_set():
        try:
            await asyncio.wait_for(stop.wait(), CLAIM_SECONDS)
        except TimeoutError:
            if one_core:
                OURS.keep()
            try:
                await asyncio.to_thread(held.renew)
            except StartupError:
                stop.set()
                raise


def _end_by(seconds: float) -> None:
    """End the process then, whatever still runs: open transactions are rolled back by the database."""

    def end() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


def told_by_proxy(app: ASGIApp) -> ASGIApp:
    """The application, told who asks by a proxy on this machine: tries to sign in are counted by that address."""
    return cast("ASGIApp", wrap_asgi_with_proxy_headers(app, TRUSTED_PROXIES))


class Calls:
    """The application, with every call under way in a set: a stop would wait forever for a stream of live updates."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._running: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            # Only `end` cancels; the server would log what is meant as a fault.
            return
        finally:
            self._running.discard(task)

    async def end(self, grace_seconds: float) -> None:
        """Let the calls finish for so long, then cancel the rest."""
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=grace_seconds)
            for task in late:
                task.cancel()
