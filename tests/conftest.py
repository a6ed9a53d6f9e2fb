"""What every test may ask for: both databases, migrated and empty; a fixed clock; a browser's path.

One PostgreSQL server serves a whole run. Each worker has a database of its own there, cloned from a migrated template
and emptied after each test, and a SQLite file that is made a copy of a migrated template again. The engines stay open
for the worker's life: opening one, and warming its caches, would cost more than most tests.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import psycopg
import pytest
from playwright.sync_api import Browser
from psycopg import sql

from labshare.store.engine import Database, open_database
from labshare.store.facts import STAMP
from labshare.store.migrations import migrate
from labshare.store.tables import metadata
from tests.browser import launched
from tests.calendar_files import has_ical_js
from tests.servers import URL_VARIABLE, PostgresServer, find_chromium, start_postgres

SERVER = pytest.StashKey[PostgresServer | None]()
KINDS = ("sqlite", "postgresql")
# Any number will do: it keeps two workers from making the template at once.
TEMPLATE_LOCK = 1131


# --- the server of the run -------------------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """With several workers the process that starts them owns the server, as it ends last; they inherit its address."""
    config = session.config
    if not os.environ.get("PYTEST_XDIST_WORKER") and getattr(config.option, "numprocesses", None):
        server = _server(config)
        if server:
            os.environ[URL_VARIABLE] = server.url


def pytest_unconfigure(config: pytest.Config) -> None:
    server = config.stash.get(SERVER, None)
    if server:
        server.stop()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if SERVER not in config.stash:
        postgres = "not asked for"
    else:
        server = config.stash[SERVER]
        postgres = f"{_version(server)}, {server.origin}" if server else "absent"
    terminalreporter.write_line(f"databases: SQLite {sqlite3.sqlite_version}; PostgreSQL {postgres}")


def _server(config: pytest.Config) -> PostgresServer | None:
    if SERVER not in config.stash:
        config.stash[SERVER] = start_postgres()
    return config.stash[SERVER]


def _version(server: PostgresServer) -> str:
    with psycopg.connect(server.url) as db:
        return str(db.info.server_version // 10000)


def absent(what: str) -> NoReturn:
    """Leave the test out with a reason; where CI is set, fail instead, as nobody would read the reason."""
    reason = f"{what} is not on this machine (`make test` says how to get it)"
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The store's tests run on both databases each time; those of the services meet PostgreSQL in `make check`."""
    services = Path(__file__).parent / "services"
    for item in items:
        if item.path.is_relative_to(services) and "[postgresql" in item.name:
            item.add_marker(pytest.mark.slow)


# --- databases -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file. Copy it, never open it."""
    path = tmp_path_factory.mktemp("template") / "template.sqlite3"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_template(request: pytest.FixtureRequest, testrun_uid: str) -> tuple[str, str]:
    """The address of the run's server and the name of a migrated, empty database there. Clone it, never open it."""
    server = _server(request.config)
    if server is None:
        absent("PostgreSQL")
    name = f"labshare_template_{testrun_uid[:12]}"
    with psycopg.connect(server.url, autocommit=True) as db:
        db.execute("SELECT pg_advisory_lock(%s)", [TEMPLATE_LOCK])
        if db.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            db.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            _migrate(_sibling(server.url, name))
    return server.url, name


@pytest.fixture(scope="session")
def postgres_url(postgres_template: tuple[str, str], worker_id: str) -> Iterator[str]:
    """The PostgreSQL database of this worker, migrated. Who writes to it goes through `database`, which empties it."""
    with _clone(*postgres_template, f"{postgres_template[1]}_{worker_id}") as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_url(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The SQLite database of this worker, migrated. Who writes to it goes through `database_url`, which renews it."""
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path_factory.mktemp('sqlite') / 'labshare.sqlite3')}"


@pytest.fixture(scope="session")
def engines() -> Iterator[dict[str, Database]]:
    """The databases that `database` has opened in this worker, by address."""
    opened: dict[str, Database] = {}
    yield opened
    for database in opened.values():
        database.dispose()


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of an empty, migrated database, for a test that opens it itself or hands it to other processes."""
    url: str = request.getfixturevalue(f"{'postgres' if request.param == 'postgresql' else 'sqlite'}_url")
    yield url
    if request.param == "sqlite":
        renew(url, request.getfixturevalue("sqlite_template"))
    else:
        _empty(url)


@pytest.fixture(params=KINDS)
def own_database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Like `database_url`, for a test that changes tables, triggers or constraints: nobody gets this database after."""
    if request.param == "sqlite":
        folder: Path = request.getfixturevalue("tmp_path")
        yield f"sqlite:///{shutil.copy(request.getfixturevalue('sqlite_template'), folder / 'labshare.sqlite3')}"
        return
    server_url, template = request.getfixturevalue("postgres_template")
    worker: str = request.getfixturevalue("worker_id")
    with _clone(server_url, template, f"{template}_{worker}_own") as url:
        yield url


@pytest.fixture
def database(database_url: str, engines: dict[str, Database]) -> Database:
    """An empty, migrated database: the test runs once on SQLite and once on PostgreSQL."""
    if database_url not in engines:
        engines[database_url] = open_database(database_url)
    return engines[database_url]


def renew(url: str, template: Path) -> None:
    """Make the SQLite database at this address a copy of the template, under the connections that are open to it.

    Fails when a test has left a transaction open.
    """
    with closing(sqlite3.connect(template)) as source, closing(sqlite3.connect(urlsplit(url).path[1:])) as target:
        target.execute("PRAGMA synchronous=OFF")
        source.backup(target)


@contextmanager
def _clone(server_url: str, template: str, name: str) -> Generator[str]:
    with psycopg.connect(server_url, autocommit=True) as db:
        words = {"name": sql.Identifier(name), "template": sql.Identifier(template)}
        db.execute(sql.SQL("DROP DATABASE IF EXISTS {name} WITH (FORCE)").format(**words))
        db.execute(sql.SQL("CREATE DATABASE {name} TEMPLATE {template}").format(**words))
        yield _sibling(server_url, name)
        db.execute(sql.SQL("DROP DATABASE {name} WITH (FORCE)").format(**words))


def _empty(url: str) -> None:
    """Delete every row. Triggers rest meanwhile; a connection that a test forgot makes this fail instead of hang.

    What a migration wrote stands again: without the stamp of the rules every booking would read all of them, and as
    none comes twice it is a new one.
    """
    tables = [sql.SQL("DELETE FROM {}").format(sql.Identifier(table.name)) for table in metadata.sorted_tables]
    with psycopg.connect(url) as db:
        db.execute("SET LOCAL session_replication_role = replica; SET LOCAL lock_timeout = '5s'")
        db.execute(sql.SQL(";").join(tables))
        db.execute("INSERT INTO facts (name, value) VALUES (%s, %s)", [STAMP, secrets.token_hex(16)])


def _migrate(url: str) -> None:
    fresh = open_database(url)
    migrate(fresh)
    fresh.dispose()


def _sibling(url: str, name: str) -> str:
    """The address of another database on the same server."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()


# --- clock and browser -----------------------------------------------------------------------------------------------


@pytest.fixture
def now() -> datetime:
    """Monday 23 November 2026, 08:00 in Ho Chi Minh City (UTC+7)."""
    return datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def every_reader() -> None:
    """That calendar files are read by ical.js too, beside the readers that Python has."""
    if not has_ical_js():
        absent("Node, which runs ical.js,")


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The system's Chromium, for Playwright's `executable_path`."""
    path = find_chromium()
    if path is None:
        absent("Chromium")
    return path


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    """One Chromium for a file of tests; open a `window` of tests.browser on it.

    Not for the run: while Playwright is open an event loop counts as running, and tests of other files start their own.
    """
    with launched(chromium_path) as opened:
        yield opened
