"""A program makes, lists and revokes the feeds of its person, and reads an address once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from labshare.store.engine import Database
from tests.web.api.conftest import Caller, codes, nothing_changes
from tests.web.conftest import Client


def test_a_feed_is_made_listed_and_revoked(client: Client, calling: Callable[[str], Caller]) -> None:
    mine, other = calling("researcher"), calling("competitor")
    made = mine.post("/feeds", {"instrument": "N001"})
    assert made.status_code == 201
    feed: dict[str, Any] = made.json()
    path = urlsplit(str(feed.pop("address"))).path
    assert client.get(path).status_code == 200
    assert (feed["instrument"], feed["centre"]) == ("N001", None)
    assert mine.get("/feeds").json() == {"items": [feed]}
    assert other.get("/feeds").json() == {"items": []}
    assert codes(other.delete(f"/feeds/{feed['id']}")) == ["feed_not_found"]
    assert mine.delete(f"/feeds/{feed['id']}").json() == {"items": []}
    assert client.get(path).status_code == 404
    assert mine.delete(f"/feeds/{feed['id']}").status_code == 404


def test_a_feed_is_revoked_once_by_its_key(researcher: Caller, house: Database) -> None:
    path = f"/feeds/{researcher.post('/feeds', {}).json()['id']}"
    first = researcher.delete(path, idempotency_key="k1")
    with nothing_changes(house):
        again = researcher.delete(path, idempotency_key="k1")
    assert (first.status_code, again.status_code, again.json()) == (200, 200, {"items": []})


@pytest.mark.parametrize(("body", "shown"), [({}, (None, None)), ({"centre": "C-ONE"}, (None, "C-ONE"))])
def test_without_an_instrument_it_is_a_centres_or_ones_own(
    researcher: Caller, body: dict[str, str], shown: tuple[str | None, str | None]
) -> None:
    made = researcher.post("/feeds", body).json()
    assert (made["instrument"], made["centre"]) == shown


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"instrument": "N999"}, 404),
        ({"centre": "C-NIL"}, 404),
        ({"instrument": "N001", "centre": "C-ONE"}, 400),
        ({"instrument": ""}, 400),
        ({"person": "researcher"}, 400),
    ],
)
def test_what_cannot_be_made_changes_nothing(
    researcher: Caller, house: Database, body: dict[str, str], status: int
) -> None:
    with nothing_changes(house):
        answer = researcher.post("/feeds", body)
    assert answer.status_code == status
    assert len(codes(answer)) == 1
