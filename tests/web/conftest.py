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
from tests.conftest import renew
from tests.furniture import NOW, furnish

SECRET = "a secret that only these tests use"

Client = TestClient[Litestar]


@pytest.fixture(scope="session")
def settings() -> Settings:
    """The demo's settings; `LABSHARE_DEMO` off is for the test that says so."""
    return Settings(secret=SECRET, secure_cookies=False, demo=True)


@pytest.fixture(scope="session")
def furnished(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file with the people, centres and instruments of tests/furniture.py. Copy it, never open it."""
    path = Path(copy(sqlite_template, tmp_path_factory.mktemp("furnished") / "house.sqlite3"))
    opened = open_database(f"sqlite:///{path}")
    with opened.write() as db:
        furnish(db)
    opened.dispose()
    return path


@pytest.fixture(scope="session")
def site_database(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """The database behind this worker's application; `house` is the same with what stands in it known."""
    opened = open_database(f"sqlite:///{copy(sqlite_template, tmp_path_factory.mktemp('house') / 'house.sqlite3')}")
    yield opened
    opened.dispose()


@pytest.fixture(scope="session")
def application(settings: Settings, site_database: Database, clock: Callable[[], datetime]) -> Litestar:
    """One application for all tests of a worker, started anew for each: making it takes longer than most of them."""
    return create_app(settings, database=site_database, clock=clock)


@pytest.fixture(scope="session")
def house_template(furnished: Path) -> Path:
    """What stands in the house when a test begins; a file of tests may begin with something else."""
    return furnished


@pytest.fixture
def house(site_database: Database, house_template: Path) -> Database:
    """The application's database with what the template holds, whatever the test before has done."""
    renew(str(site_database.engine.url), house_template)
    return site_database


@pytest.fixture(scope="session")
def clock() -> Callable[[], datetime]:
    """Monday 23 November 2026, 08:00 in Hanoi, for every request; not on a whole minute, as no real request is."""
    return lambda: NOW + timedelta(seconds=17, milliseconds=250)


@pytest.fixture
def client(application: Litestar, house: Database) -> Iterator[Client]:
    """A browser without JavaScript: it keeps cookies and does not follow redirects by itself."""
    with TestClient(application, raise_server_exceptions=False) as opened:
        opened.follow_redirects = False
        yield opened


@pytest.fixture
def site(application: Litestar, house: Database) -> Iterator[str]:
    """The address of the application on the furnished database, for a real browser."""
    with serving(application) as address:
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
