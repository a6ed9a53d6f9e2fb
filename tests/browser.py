"""A real browser on a real server: the application on a free port of this machine, and Chromium without a screen."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

from axe_playwright_python.sync_playwright import Axe
from granian.constants import Interfaces
from granian.server.embed import Server
from litestar import Litestar
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
WAIT_MS = 10_000


@contextmanager
def serving(app: Litestar) -> Generator[str]:
    """The application answering on a thread of its own; yields its address, without a slash at the end."""
    port = _free_port()
    server = Server(app, "127.0.0.1", port, interface=Interfaces.ASGINL, websockets=False, log_enabled=False)
    stopping = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(app, server, stopping)), name="server")
    thread.start()
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        stopping.set()
        thread.join(timeout=10)


@contextmanager
def launched(chromium: str) -> Generator[Browser]:
    """Chromium, one for as many tests as like; each opens a context of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        yield browser
        browser.close()


@contextmanager
def window(
    browser: Browser, site: str, *, width: int = 1280, theme: str = "light", language: str = "vi", **options: Any
) -> Generator[Page]:
    """A fresh browser window. Leaving it fails on what the page complained of and on any request to another host."""
    context: BrowserContext = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if theme == "dark" else "light", base_url=site,
        reduced_motion="reduce", **options,
    )  # fmt: skip
    context.set_default_timeout(WAIT_MS)
    context.add_cookies([{"name": "language", "value": language, "url": site}])
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if _is_complaint(said.text, said.type) else None)
    page.on("request", lambda asked: None if asked.url.startswith((site, "data:")) else complaints.append(asked.url))
    yield page
    context.close()
    assert complaints == []


def enter(page: Page, login: str) -> None:
    """Sign in by the demo's one click."""
    page.goto("/sign-in")
    with page.expect_navigation():
        # A fold may hide the button of a role with many people; the click is the same.
        page.locator(f'button[name="login"][value="{login}"]').evaluate("button => button.click()")


def faults(page: Page) -> list[str]:
    """What axe-core finds on the page as it stands, one line each, for WCAG 2.2 AA and its best practices."""
    answer = cast("dict[str, Any]", Axe().run(page).response)  # pyright: ignore[reportUnknownMemberType]
    found: list[dict[str, Any]] = answer["violations"]
    return [f"{rule['id']}: {node['html'][:120]}" for rule in found for node in rule["nodes"]]


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window; 0 when nobody has to scroll sideways."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def small_targets(page: Page, least: int = 44) -> list[str]:
    """What can be pressed and is lower than so many pixels; links inside running text may be."""
    return page.evaluate(
        """least => [...document.querySelectorAll('button, a, select, input:not([type=hidden]), summary')]
            .filter(e => e.checkVisibility() && !e.closest('p, li > span, dd, td, small, .breadcrumb, .skip'))
            .filter(e => !e.matches('.skip, [type=checkbox], [type=radio], .unseen'))
            .filter(e => e.getBoundingClientRect().height < least - 0.5)
            .map(e => e.outerHTML.slice(0, 120))""",
        least,
    )


def _is_complaint(text: str, kind: str) -> bool:
    # Chromium and htmx report each answer of 4xx and 5xx; tests that look at refusals mean them.
    return kind == "error" and not text.startswith(("Failed to load resource", "Response Status Error Code 4"))


async def _serve(app: Litestar, server: Server, stopping: threading.Event) -> None:
    async with app.lifespan():
        running = asyncio.create_task(server.serve())
        await asyncio.to_thread(stopping.wait)
        server.stop()
        await asyncio.wait([running], timeout=5)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            threading.Event().wait(0.05)
        else:
            return
    raise TimeoutError("the server did not answer within 5 s")
