"""Calling the application as a server does, without the cost of an HTTP client in the figures."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from litestar import Litestar

from labshare.cores import Cores


class Caller:
    """One application, started, and one loop to call it in."""

    def __init__(self, app: Litestar, loop: asyncio.AbstractEventLoop) -> None:
        self._app, self._loop = app, loop

    def call(self, method: str, path: str, *, headers: dict[str, str], body: bytes = b"") -> tuple[int, bytes]:
        """Status and body of one call. `path` may carry a query."""
        return self._loop.run_until_complete(self._call(method, path, headers, body))

    async def _call(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        plain, _, query = path.partition("?")
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": plain,
            "raw_path": plain.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "state": {},
        }
        status = 0
        parts: list[bytes] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                parts.append(message.get("body", b""))

        await self._app(scope, receive, send)  # pyright: ignore[reportArgumentType]  a scope as a server makes it
        return status, b"".join(parts)


@contextmanager
def called(app: Litestar) -> Generator[Caller]:
    """The application, started in a loop of its own; its start and stop are one task, as its parts expect. Meanwhile
    the threads of this process keep to one core, as those of a server do.
    """
    cores = Cores()
    cores.keep()
    try:
        yield from _called(app)
    finally:
        # What is measured next may start servers, which would have no other core.
        cores.release()


def _called(app: Litestar) -> Generator[Caller]:
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    started: asyncio.Future[None] = loop.create_future()

    async def live() -> None:
        async with app.lifespan():
            started.set_result(None)
            await stop.wait()

    task = loop.create_task(live())
    loop.run_until_complete(asyncio.wait({task, started}, return_when="FIRST_COMPLETED"))
    try:
        yield Caller(app, loop)
    finally:
        stop.set()
        loop.run_until_complete(task)
        loop.close()
