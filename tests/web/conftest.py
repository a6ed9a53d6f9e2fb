"""What web tests ask for: a client of the whole application on a furnished database, and a way to sign in.

The database is SQLite: what differs between the two is tested in tests/store and tests/services.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from labshare.app import create_app
from labshare.settings import Settings
from labshare.store.engine import Database, open_database
from tests.browser import serving
from tests.furniture import furnish

SECRET = "a secret that only these tests use"

Client = TestClient[Litestar]


@pytest.fixture
def settings() -> Settings:
    """The demo's settings; `LABSHARE_DEMO` off is for the test that says so."""
    return Settings(secret=SECRET, secure_cookies=False, demo=True)


@pytest.fixture
def house(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """A migrated SQLite database with the people, centres and instruments of tests/furniture.py."""
    opened = open_database(f"sqlite:///{copy(sqlite_template, tmp_path / 'house.sqlite3')}")
    with opened.write() as db:
        furnish(db)
    yield opened
    opened.dispose()


@pytest.fixture
def clock(now: datetime) -> Callable[[], datetime]:
    """Monday 23 November 2026, 08:00 in Hanoi, for every request; not on a whole minute, as no real request is."""
    return lambda: now + timedelta(seconds=17, milliseconds=250)


@pytest.fixture
def client(settings: Settings, house: Database, clock: Callable[[], datetime]) -> Iterator[Client]:
    """A browser without JavaScript: it keeps cookies and does not follow redirects by itself."""
    with TestClient(create_app(settings, database=house, clock=clock), raise_server_exceptions=False) as opened:
        opened.follow_redirects = False
        yield opened


@pytest.fixture
def site(settings: Settings, house: Database, clock: Callable[[], datetime]) -> Iterator[str]:
    """The address of the application on the furnished database, for a real browser."""
    with serving(create_app(settings, database=house, clock=clock)) as address:
        yield address


def csrf(client: Client) -> str:
    """The token that this browser's forms carry."""
    if "csrf" not in client.cookies:
        client.get("/sign-in")
    return str(client.cookies["csrf"])


def send(client: Client, url: str, data: dict[str, Any] | None = None, **headers: str) -> Any:
    """Post a form as a page of ours would, with its CSRF field."""
    return client.post(url, data={"_csrf_token": csrf(client), **(data or {})}, headers=headers)


def sign_in(client: Client, login: str) -> None:
    """Become the person with this login, by the demo's one click."""
    answer = send(client, "/sign-in/demo", {"login": login})
    assert answer.status_code == 303, answer.text


def text_of(answer: Any) -> str:
    """What a reader sees of a page: its text without tags, with single spaces."""
    return " ".join(re.sub(r"<(script|style|svg)\b.*?</\1>|<[^>]+>", " ", answer.text, flags=re.DOTALL).split())
