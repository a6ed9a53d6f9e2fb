"""Notices by program: listed page after page, marked as read, and when letters are sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest

from labshare.domain.notices import NoticeKind
from labshare.services import notices
from labshare.store.engine import Database
from tests.furniture import COLLEAGUE, NOW, RESEARCHER
from tests.web.api.conftest import Caller, codes, nothing_changes


def tell(house: Database, number: int = 1, person_id: UUID = RESEARCHER) -> None:
    with house.write() as db:
        now, names = NOW + timedelta(seconds=number), (f"Máy {number}", f"Machine {number}")
        notices.tell(db, person_id, NoticeKind.BOOKING_MOVED, names, f"/bookings/{number}", now, until=NOW)


def test_notices_are_listed_page_after_page(researcher: Caller, house: Database) -> None:
    for number in (1, 2, 3):
        tell(house, number)
    tell(house, 4, COLLEAGUE)
    first = researcher.get("/notices?limit=2").json()
    assert [each["page"] for each in first["items"]] == ["/bookings/3", "/bookings/2"]
    newest = first["items"][0]
    assert newest.pop("id")
    assert newest == {
        "kind": "booking_moved",
        "title": "Your booking of Machine 3 was moved",
        "page": "/bookings/3",
        "until": "2026-11-23T01:00:00Z",
        "booking": None,
        "created_at": "2026-11-23T01:00:03Z",
        "read_at": None,
    }
    assert first["unread"] == 3
    second = researcher.get(first["next"].removeprefix("/api/v1")).json()
    assert ([each["page"] for each in second["items"]], second["next"]) == (["/bookings/1"], None)


def test_one_and_all_are_marked_as_read(researcher: Caller, house: Database) -> None:
    for number in (1, 2, 3):
        tell(house, number)
    items = researcher.get("/notices").json()["items"]
    read = researcher.post(f"/notices/{items[0]['id']}/read", {})
    assert (read.status_code, read.json()["read_at"]) == (200, "2026-11-23T01:00:17.250000Z")
    assert researcher.get("/notices?unread=true").json()["items"] == items[1:]
    assert researcher.post("/notices/read", {"until": items[2]["created_at"]}).json() == {"unread": 1}
    assert researcher.post("/notices/read", {}).json() == {"unread": 0}


@pytest.mark.parametrize("until", ["2026-11-23T08:00:00", "0001-01-01T00:00:00+07:00", "9999-12-31T23:59:59-07:00", 3])
def test_what_cannot_be_read_marks_nothing(researcher: Caller, house: Database, until: object) -> None:
    tell(house)
    with nothing_changes(house):
        assert researcher.post("/notices/read", {"until": until}).status_code == 400


def test_nobody_marks_those_of_others(calling: Callable[[str], Caller], house: Database) -> None:
    tell(house)
    (mine,) = calling("researcher").get("/notices").json()["items"]
    colleague = calling("colleague")
    with nothing_changes(house):
        answer = colleague.post(f"/notices/{mine['id']}/read", {})
    assert (answer.status_code, codes(answer)) == (404, ["notice_not_found"])
    assert colleague.get("/notices").json() == {"items": [], "unread": 0, "next": None}


def test_letters_are_chosen_by_kind(researcher: Caller, house: Database) -> None:
    listed = researcher.get("/notices/preferences").json()["items"]
    moved = {"kind": "booking_moved", "mail": "at_once", "choices": ["at_once", "daily", "never"]}
    assert moved in listed
    assert {"kind": "project_verified", "mail": "at_once", "choices": ["at_once"]} in listed
    answer = researcher.patch("/notices/preferences", {"mail": {"booking_moved": "daily"}})
    assert answer.status_code == 200
    assert {**moved, "mail": "daily"} in answer.json()["items"]
    assert answer.json() == researcher.get("/notices/preferences").json()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"mail": {"project_verified": "never"}}, 422, "notice_mail_fixed"),
        ({"mail": {"slot_offered": "daily"}}, 422, "notice_mail_fixed"),
        ({"mail": {"weather": "daily"}}, 400, "malformed_field"),
        ({"mail": {"booking_moved": "weekly"}}, 400, "malformed_field"),
        ({}, 400, "field_missing"),
        ({"mail": {}, "more": 1}, 400, "field_unknown"),
    ],
)
def test_what_may_not_be_chosen_changes_nothing(
    researcher: Caller, house: Database, body: object, status: int, code: str
) -> None:
    with nothing_changes(house):
        answer = researcher.patch("/notices/preferences", body)
    assert (answer.status_code, codes(answer)) == (status, [code])
