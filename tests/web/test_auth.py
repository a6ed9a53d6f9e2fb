"""Who reads, and in which language: by cookie on pages, by bearer token under /api, and never the other way round.

What handlers are `given` of it (`given.Reader`, `given.Me`) is seen here too: a page that wants somebody answers 401.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from labshare.services import tokens
from labshare.store.engine import Database
from labshare.web.auth import accepted_language
from tests.web.conftest import Client, sign_in


@pytest.fixture
def secret(house: Database, now: datetime) -> str:
    """A bearer token of the researcher."""
    with house.write() as db:
        return tokens.create(db, login="researcher", days=30, label="test", now=now).secret


def test_a_cookie_does_not_act_under_api(client: Client) -> None:
    """Requests there carry no CSRF token, so a cookie that acted could be made to act by any site."""
    sign_in(client, "researcher")
    assert client.get("/account").status_code == 200
    assert client.get("/api/v1/bookings").status_code == 401


def test_a_bearer_token_does_not_act_on_pages(client: Client, secret: str) -> None:
    answer = client.get("/account", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 401


def test_a_bearer_token_speaks_for_its_person_under_api(client: Client, secret: str) -> None:
    assert client.get("/api/v1/bookings", headers={"Authorization": f"bearer {secret}"}).status_code == 200


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Bearer wrong", "Basic cmVzZWFyY2hlcjp4"])
def test_anything_else_is_nobody(client: Client, header: str) -> None:
    assert client.get("/api/v1/bookings", headers={"Authorization": header}).status_code == 401


def test_a_token_ends_with_its_days(client: Client, house: Database, now: datetime) -> None:
    with house.write() as db:
        old = tokens.create(db, login="researcher", days=1, label="old", now=now - timedelta(days=1)).secret
    assert client.get("/api/v1/bookings", headers={"Authorization": f"Bearer {old}"}).status_code == 401


def test_pages_are_vietnamese_whatever_the_browser_prefers(client: Client) -> None:
    """The first readers are Vietnamese, and a cookie of theirs changes it with one click."""
    assert '<html lang="vi"' in client.get("/", headers={"Accept-Language": "en-GB"}).text
    client.cookies.set("language", "en")
    assert '<html lang="en"' in client.get("/").text
    client.cookies.set("language", "xx")
    assert '<html lang="vi"' in client.get("/").text


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("en", "en"), ("en-GB,en;q=0.9", "en"), ("vi-VN", "vi"), ("fr, en;q=0.5, vi;q=0.7", "vi"),
        ("en;q=0.5, vi;q=0.5", "en"), ("en;q=0", None), ("fr", None), ("", None), ("en;q=high", None),
    ],
)  # fmt: skip
def test_a_program_is_answered_in_the_language_it_likes_best(header: str, language: str | None) -> None:
    assert accepted_language(header) == language
