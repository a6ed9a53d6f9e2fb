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
from granian.constants import Interfaces
from granian.server.embed import Server
from granian.utils.proxies import wrap_asgi_with_proxy_headers  # pyright: ignore[reportUnknownVariableType]  granian ships no types for it
from litestar import Litestar
from litestar.types import ASGIApp, Receive, Scope, Send
from structlog.typing import Processor

from labshare.errors import StartupError
from labshare.store.process import Claim

PORTS_TRIED = 100
# Only who already runs on this machine may say for whom they ask.
TRUSTED_PROXIES = ["127.0.0.1", "::1"]
CLAIM_SECONDS = 5
# A stop: calls may finish for a while, then they are cancelled; what hangs even then ends with the process.
GRACE_SECONDS = 0.5
DEADLINE_SECONDS = 2.8


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where to listen. `ip` is what `host` means on this machine."""

    host: str
    ip: str
    port: int

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def find_address(host: str, port: int, *, or_next: bool = False) -> Address:
    """An address that can be listened on; with `or_next`, on the first free port from `port` on.

    Raises `StartupError`. The port is tried before granian is, which answers a taken one with a page of traces.
    """
    last = min(port + PORTS_TRIED, 65536) if or_next else port + 1
    for candidate in range(port, last):
        ip = _ip_if_free(host, candidate)
        if ip:
            return Address(host=host, ip=ip, port=candidate)
    raise StartupError("port_taken", host=host, port=str(port))


def _ip_if_free(host: str, port: int) -> str | None:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            # As the server itself will: a port whose last connections are still closing is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return None
        raise StartupError("address_unusable", host=host, port=str(port), reason=str(error.strerror)) from error
    return str(address[0])


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


def serve(app: Litestar, address: Address, held: Claim, ready: Callable[[], None]) -> None:
    """Answer requests until SIGINT or SIGTERM. `ready` is called once the address answers.

    Raises `StartupError` when the claim on the database was lost to another process.
    """
    asyncio.run(_serve(app, address, held, ready))


async def _serve(app: Litestar, address: Address, held: Claim, ready: Callable[[], None]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    calls = Calls(told_by_proxy(app))
    # The application's start and stop are ours, so that its stop runs even when a connection would not end.
    async with app.lifespan():
        server = Server(
            calls, address.ip, address.port, interface=Interfaces.ASGINL, websockets=False, log_enabled=False
        )
        serving = asyncio.create_task(server.serve())
        keeping = asyncio.create_task(_keep(held, stop))
        await _answering(address, serving)
        ready()
        await stop.wait()
        _end_by(DEADLINE_SECONDS)
        server.stop()
        # Streams of live updates end by themselves now, so that only slow calls are left to wait for.
        app.state.hub.close()
        await calls.end(GRACE_SECONDS)
        await asyncio.wait([serving], timeout=GRACE_SECONDS)
    await keeping


async def _answering(address: Address, serving: asyncio.Task[None]) -> None:
    while not serving.done():
        try:
            _, writer = await asyncio.open_connection(address.ip, address.port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return
    await serving


async def _keep(held: Claim, stop: asyncio.Event) -> None:
    """Renew the claim now and then; stop serving when another process has it."""
    while not stop.is_set():
        try:
            await asyncio.wait_for(stop.wait(), CLAIM_SECONDS)
        except TimeoutError:
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
