"""A program decides on bookings that wait for a centre: the same answers as the pages give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from labshare.services import approvals
from labshare.store.engine import Database
from tests.furniture import MANAGER, NOW, actor
from tests.web.api.conftest import Caller, codes, content_of, nothing_changes

WISH = {
    "instrument": "N001",
    "starts_at": "2026-11-25T09:00:00+07:00",
    "ends_at": "2026-11-25T11:00:00+07:00",
    "project": "KC-01",
}


@pytest.fixture
def waiting(house: Database, researcher: Caller) -> dict[str, Any]:
    with house.write() as db:
        approvals.choose(db, actor(MANAGER), "N001", "everybody", 24, NOW)
    made = researcher.post("/bookings", WISH)
    assert made.status_code == 201
    return made.json()


def stored(house: Database) -> dict[str, list[str]]:
    """Every row but those with which the ticker asks the manager meanwhile."""
    return {name: rows for name, rows in content_of(house).items() if name not in ("due", "notices", "outbox")}


def test_a_booking_waits_and_says_until_when(waiting: dict[str, Any], calling: Callable[[str], Caller]) -> None:
    # A day after the clock of these tests, 17.25 s past the minute.
    assert (waiting["state"], waiting["decide_by"]) == ("pending", "2026-11-24T01:00:17.250000Z")
    listed = calling("manager").get("/approvals").json()["items"]
    assert [each["id"] for each in listed] == [waiting["id"]]
    assert calling("competitor").get("/approvals").json()["items"] == []


def test_what_must_be_decided_first_is_listed_first_page_after_page(
    researcher: Caller, calling: Callable[[str], Caller], house: Database
) -> None:
    """A day for the microscope's, which begins on Thursday, and two for the other's, which begin before it."""
    with house.write() as db:
        for code, hours in (("N001", 24), ("N002", 48)):
            approvals.choose(db, actor(MANAGER), code, "everybody", hours, NOW)
    wanted = [
        {**WISH, "instrument": code, "starts_at": f"{start}:00+07:00", "ends_at": f"{end}:00+07:00"}
        for code, start, end in (
            ("N002", "2026-11-26T08:00", "2026-11-26T09:00"),
            ("N002", "2026-11-25T13:00", "2026-11-25T14:00"),
            ("N001", "2026-11-26T10:00", "2026-11-26T11:00"),
        )
    ]
    late, early, first = (researcher.post("/bookings", each).json()["id"] for each in wanted)
    manager, listed, path = calling("manager"), list[str](), "/approvals?limit=1"
    while path:
        page = manager.get(path).json()
        listed += [each["id"] for each in page["items"]]
        path = (page["next"] or "").removeprefix("/api/v1")
    assert listed == [first, early, late]
    assert codes(manager.get("/approvals?cursor=abc")) == ["malformed_field"]


def test_a_manager_approves_once(waiting: dict[str, Any], calling: Callable[[str], Caller]) -> None:
    manager, path = calling("manager"), f"/bookings/{waiting['id']}/approve"
    assert codes(calling("researcher").post(path, {"version": 1})) == ["forbidden"]
    answer = manager.post(path, {"version": 1, "note": "Mang mẫu khô"}, Idempotency_Key="a")
    assert answer.status_code == 200
    assert (answer.json()["state"], answer.json()["decision_note"]) == ("confirmed", "Mang mẫu khô")
    assert manager.post(path, {"version": 1, "note": "Mang mẫu khô"}, Idempotency_Key="a").json() == answer.json()
    assert manager.post(path, {"version": 1}).status_code == 412


def test_who_declines_says_why(waiting: dict[str, Any], calling: Callable[[str], Caller], house: Database) -> None:
    manager, path = calling("manager"), f"/bookings/{waiting['id']}/decline"
    before = stored(house)
    assert codes(manager.post(path, {"version": 1})) == ["decision_note_missing"]
    assert stored(house) == before
    assert manager.post(path, {"version": 1, "note": "Máy hỏng"}).json()["state"] == "declined"
    assert codes(manager.post(path, {"version": 2, "note": "Máy hỏng"})) == ["booking_not_waiting"]


def test_a_manager_chooses_whose_bookings_wait(
    researcher: Caller, calling: Callable[[str], Caller], house: Database
) -> None:
    manager, path, wanted = calling("manager"), "/instruments/N002/approval", {"approval": "everybody", "hours": 24}
    with nothing_changes(house):
        assert codes(researcher.call("PUT", path, json=wanted)) == ["forbidden"]
        assert codes(manager.call("PUT", "/instruments/N003/approval", json=wanted)) == ["forbidden"]
        assert codes(manager.call("PUT", path, json={**wanted, "hours": 0})) == ["malformed_field"]
        assert codes(manager.call("PUT", path, json={"approval": "friends"})) == ["malformed_field"]
    assert manager.call("PUT", path, json=wanted).json() == wanted
    shown = researcher.get("/instruments/N002").json()
    assert (shown["approval"], shown["approval_hours"]) == ("everybody", 24)
    assert researcher.post("/bookings", {**WISH, "instrument": "N002"}).json()["state"] == "pending"
