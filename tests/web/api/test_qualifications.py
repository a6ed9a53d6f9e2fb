"""Qualifications by program: listed, asked for once by a key, granted, declined and revoked by who may grant them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from labshare.store import qualifications as store
from labshare.store.engine import Database
from tests.furniture import COLLEAGUE, FESEM, MANAGER, NOW, RESEARCHER
from tests.web.api.conftest import Caller, codes, nothing_changes

ASK = {"instrument": "N001", "level": 2, "note": "Đã dùng SEM"}


@pytest.fixture
def manager(calling: Callable[[str], Caller]) -> Caller:
    return calling("manager")


def test_what_one_holds_is_listed(researcher: Caller) -> None:
    (held,) = researcher.get("/qualifications").json()["items"]
    assert held == {
        "instrument": "N001",
        "level": 1,
        # 30 days before 23 November, 8:00 in Hanoi.
        "granted_at": "2026-10-24T01:00:00Z",
        "until": None,
        "why": None,
        "state": "valid",
    }


def test_an_ask_is_made_once_and_granted(researcher: Caller, manager: Caller, house: Database) -> None:
    first, again = (researcher.post("/qualifications/asks", ASK, idempotency_key="k1") for _ in range(2))
    assert (first.status_code, again.json()) == (201, first.json())
    made = first.json()
    assert (made["person"], made["state"], made["level"]) == ("researcher", "waiting", 2)
    assert codes(researcher.post("/qualifications/asks", ASK)) == ["qualification_asked"]
    assert manager.get("/qualifications/waiting").json()["items"] == [made]
    path = f"/qualifications/asks/{made['id']}"
    with nothing_changes(house):
        assert researcher.post(f"{path}/grant", {"level": 2}).status_code == 404
        assert manager.post(f"{path}/grant", {"level": 4}).status_code == 400
        assert codes(manager.post(f"{path}/grant", {"last_day": "2026-11-01"})) == ["qualification_until"]
    granted = manager.post(f"{path}/grant", {"level": 2, "last_day": "2027-11-22"})
    assert (granted.status_code, granted.json()) == (200, {"items": [], "next": None})
    (held,) = researcher.get("/qualifications").json()["items"]
    # The end of 22 November in Hanoi.
    assert (held["level"], held["until"], held["why"]) == (2, "2027-11-22T17:00:00Z", "expires")
    (told,) = researcher.get("/qualifications/asks").json()["items"]
    assert told["state"] == "granted"


def test_a_no_and_a_revocation_say_why(researcher: Caller, manager: Caller) -> None:
    made = researcher.post("/qualifications/asks", ASK).json()
    assert manager.post(f"/qualifications/asks/{made['id']}/decline", {"note": ""}).status_code == 400
    assert manager.post(f"/qualifications/asks/{made['id']}/decline", {"note": "Chưa đủ giờ"}).status_code == 200
    revoked = {"instrument": "N001", "person": "researcher", "note": "Làm hỏng giá mẫu"}
    assert researcher.post("/qualifications/revoke", revoked).status_code == 403
    assert manager.post("/qualifications/revoke", revoked).status_code == 200
    assert codes(manager.post("/qualifications/revoke", revoked)) == ["qualification_not_held"]
    assert researcher.get("/qualifications").json() == {"items": []}
    answers = {each["state"]: each["answer"] for each in researcher.get("/qualifications/asks").json()["items"]}
    assert answers == {"declined": "Chưa đủ giờ", "revoked": "Làm hỏng giá mẫu"}


def test_a_booking_names_its_trainer(researcher: Caller, house: Database) -> None:
    with house.write() as db:
        store.take(db, RESEARCHER, FESEM)
        store.put(db, COLLEAGUE, FESEM, level=3, until=None, by=MANAGER, now=NOW)
    assert researcher.get("/qualifications/trainers?instrument=N001").json() == {
        "items": [{"id": str(COLLEAGUE), "name": "Colleague"}]
    }
    wish = {
        "instrument": "N001",
        "starts_at": "2026-11-25T09:00:00+07:00",
        "ends_at": "2026-11-25T11:00:00+07:00",
        "project": "KC-01",
    }
    assert codes(researcher.post("/bookings", wish)) == ["not_qualified"]
    made = researcher.post("/bookings", {**wish, "trainer": str(COLLEAGUE)})
    assert (made.status_code, made.json()["trainer"]) == (201, str(COLLEAGUE))
