"""Instruments for programs: found as on the page, read page after page by id, shown with what booking asks for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import NOW, XRD
from tests.web.api.conftest import Caller, codes
from tests.web.conftest import Client


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


def pages(caller: Caller, path: str) -> Iterator[list[str]]:
    """The ids of page after page, following `next` as a program does."""
    following: str | None = path
    while following:
        answer = caller.get(following)
        yield ids(answer)
        following = answer.json()["next"]
        following = following and following.removeprefix("/api/v1")


def test_all_instruments_are_read_page_after_page(researcher: Caller) -> None:
    # Three in the house: N001 and N002 at Centre One, N003 at Centre Two.
    assert list(pages(researcher, "/instruments")) == [["N001", "N002", "N003"]]
    assert list(pages(researcher, "/instruments?limit=2")) == [["N001", "N002"], ["N003"]]
    assert list(pages(researcher, "/instruments?limit=1&centre=C-ONE")) == [["N001"], ["N002"]]
    assert list(pages(researcher, "/instruments?limit=3")) == [["N001", "N002", "N003"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("capability=XRD", ["N002"]),
        ("centre=C-TWO", ["N003"]),
        ("host=I-IMS", ["N001", "N002", "N003"]),
        ("centre=C-ONE&capability=NMR", []),
        ("centre=nowhere", []),
        # An empty filter asks for nothing.
        ("capability=&q=&cursor=", ["N001", "N002", "N003"]),
    ],
)
def test_filters_narrow_together(researcher: Caller, query: str, found: list[str]) -> None:
    assert ids(researcher.get(f"/instruments?{query}")) == found


def test_only_what_is_booked_by_time_when_that_is_asked(researcher: Caller, house: Database) -> None:
    with house.write() as db:
        db.execute(sa.update(t.instruments).where(t.instruments.c.number == XRD).values(booking_mode="service"))
    assert ids(researcher.get("/instruments?bookable=true")) == ["N001", "N003"]
    assert ids(researcher.get("/instruments?bookable=false")) == ["N001", "N002", "N003"]


def test_a_retired_instrument_is_shown_but_not_listed(researcher: Caller, house: Database) -> None:
    with house.write() as db:
        db.execute(sa.update(t.instruments).where(t.instruments.c.number == XRD).values(retired_at=NOW))
    assert ids(researcher.get("/instruments")) == ["N001", "N003"]
    assert researcher.get("/instruments/N002").json()["retired_at"] == "2026-11-23T01:00:00Z"


def test_an_instrument_says_what_booking_it_asks_for(researcher: Caller) -> None:
    shown = researcher.get("/instruments/N003").json()
    expected: dict[str, Any] = {
        "id": "N003", "capability": "NMR", "centre": "C-TWO", "centre_en": "Centre Two", "host": "I-IMS", "zone": None,
        "booking_mode": "time", "timezone": "Asia/Ho_Chi_Minh", "opening": "Mon-Fri 08:00-18:00", "min_minutes": 30,
        "max_minutes": 480, "granularity_minutes": 30, "setup_minutes": 0, "cleanup_minutes": 30, "capacity": 1,
        "advance_days": 60,
        "qualification": None, "retired_at": None, "products": [],
    }  # fmt: skip
    assert {name: shown[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/instruments/N999", 404, "instrument_not_found"),
        ("/instruments/%00", 400, "malformed_field"),
        ("/instruments?limit=0", 400, "malformed_field"),
        ("/instruments?limit=201", 400, "malformed_field"),
        ("/instruments?limit=many", 400, "malformed_field"),
        ("/instruments?bookable=perhaps", 400, "malformed_field"),
        ("/instruments?q=%00", 400, "malformed_field"),
        ("/instruments?cursor=%00", 400, "malformed_field"),
        ("/instruments?product=P17", 400, "registry_not_a_product"),
        (f"/instruments?q={'x' * 501}", 400, "malformed_field"),
    ],
)
def test_what_cannot_be_read_or_is_not_there_is_said(researcher: Caller, path: str, status: int, code: str) -> None:
    answer = researcher.get(path)
    assert (answer.status_code, codes(answer)) == (status, [code])


def test_nothing_is_listed_without_a_token(client: Client) -> None:
    for path in ("/instruments", "/instruments/N001"):
        assert client.get(f"/api/v1{path}").status_code == 401


def test_an_unchanged_list_is_not_sent_again(researcher: Caller, house: Database) -> None:
    tag = researcher.get("/instruments").headers["etag"]
    assert researcher.get("/instruments", if_none_match=tag).status_code == 304
    with house.write() as db:
        db.execute(sa.update(t.instruments).where(t.instruments.c.number == XRD).values(name_en="Diffractometer"))
    assert researcher.get("/instruments", if_none_match=tag).status_code == 200
