"""What tests of the API ask for: a caller with a token, and the whole content of the database to compare."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from litestar.testing import TestClient

from labshare.app import create_app
from labshare.services import tokens
from labshare.settings import Settings
from labshare.store.engine import Database
from labshare.store.tables import metadata, outbox
from tests.furniture import NOW, furnish
from tests.web.conftest import Client

_TABLES = metadata.sorted_tables
# As the clock of tests/web/conftest.py: no request comes on a whole minute.
MOMENT = NOW + timedelta(seconds=17, milliseconds=250)


class Caller:
    """A program that speaks for one person. Each method returns the answer."""

    def __init__(self, client: Client, secret: str) -> None:
        self._client = client
        self.headers = {"authorization": f"Bearer {secret}", "accept-language": "en"}

    def call(
        self, method: str, path: str, *, content: bytes | str | None = None, json: Any = None, **headers: str
    ) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        given: dict[str, Any] = (
            {"content": content} if content is not None else {"json": json} if json is not None else {}
        )
        return self._client.request(method, f"/api/v1{path}", headers=self.headers | named, **given)

    def get(self, path: str, **headers: str) -> Any:
        return self.call("GET", path, **headers)

    def post(self, path: str, json: Any, **headers: str) -> Any:
        return self.call("POST", path, json=json, **headers)

    def patch(self, path: str, json: Any, **headers: str) -> Any:
        return self.call("PATCH", path, json=json, **headers)

    def delete(self, path: str, **headers: str) -> Any:
        return self.call("DELETE", path, **headers)


@pytest.fixture
def calling(client: Client, house: Database) -> Callable[[str], Caller]:
    """A caller for the person with this login."""
    return lambda login: calling_on(client, house, login)


def calling_on(client: Client, house: Database, login: str) -> Caller:
    """The same for an application of one's own."""
    with house.write() as db:
        return Caller(client, tokens.create(db, login=login, days=1, label="", now=NOW).secret)


@pytest.fixture
def researcher(calling: Callable[[str], Caller]) -> Caller:
    return calling("researcher")


@pytest.fixture
def anywhere(database: Database, settings: Settings, clock: Callable[[], datetime]) -> Iterator[Client]:
    """The application on SQLite and on PostgreSQL."""
    with database.write() as db:
        furnish(db)
    with TestClient(create_app(settings, database=database, clock=clock), raise_server_exceptions=False) as opened:
        yield opened


def content_of(house: Database) -> dict[str, list[str]]:
    """Every row of every table, as text; only when a message was delivered is left out, as that goes on beside."""
    with house.read() as db:
        return {table.name: sorted(str(tuple(row)) for row in db.execute(_whole(table))) for table in _TABLES}


def _whole(table: sa.Table) -> sa.Select[Any]:
    return sa.select(*(column for column in table.c if column is not outbox.c.delivered_at))


@contextmanager
def nothing_changes(house: Database) -> Generator[None]:
    """Whatever happens inside leaves every row of every table as it was."""
    before = content_of(house)
    yield
    assert content_of(house) == before


def codes(answer: Any) -> list[str]:
    """The codes of a problem's refusals, once it is sure that it is a whole problem of RFC 9457."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem.keys() == {"type", "title", "status", "code", "detail", "instance", "refusals"}
    assert problem["status"] == answer.status_code
    assert all(refusal.keys() == {"code", "params", "sentence"} for refusal in problem["refusals"])
    return [refusal["code"] for refusal in problem["refusals"]]
