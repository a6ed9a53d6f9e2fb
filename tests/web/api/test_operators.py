"""Operators by program: listed, named by managers, named in bookings, all or none in a batch, and assigned later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from labshare.domain.modes import Mode
from labshare.services import modes
from labshare.store import qualifications as store
from labshare.store.engine import Database
from tests.furniture import ADMINISTRATOR, COLLEAGUE, MANAGER, NOW, XRD, actor
from tests.web.api.conftest import Caller

OPERATORS = "/qualifications/operators"


@pytest.fixture(autouse=True)
def staffed(house: Database) -> None:
    """Both instruments are run in every mode; the colleague, who is qualified, operates the XRD alone."""
    with house.write() as db:
        for code in ("N001", "N002"):
            modes.choose(db, actor(MANAGER), code, list(Mode), "", NOW)
        store.put(db, COLLEAGUE, XRD, level=1, until=None, by=ADMINISTRATOR, now=NOW)
        store.name_operator(db, COLLEAGUE, XRD, operates=True)


@pytest.fixture
def researcher(calling: Callable[[str], Caller]) -> Caller:
    return calling("researcher")


def new(instrument: str = "N002", first: int = 2, last: int = 4, **changes: Any) -> dict[str, Any]:
    """Hours of Wednesday 25 November, of UTC: 2 to 4 is 9 to 11 in Hanoi."""
    times = {"starts_at": f"2026-11-25T{first:02}:00:00Z", "ends_at": f"2026-11-25T{last:02}:00:00Z"}
    return {
        "instrument": instrument, **times, "project": "KC-01", "mode": "commissioned", "operator": str(COLLEAGUE),
    } | changes  # fmt: skip


def codes(answer: Any) -> list[tuple[str, Any]]:
    assert answer.status_code == 422
    return [(each["code"], each["params"].get("item")) for each in answer.json()["refusals"]]


def test_operators_are_listed_and_named_by_the_managers_alone(calling: Callable[[str], Caller]) -> None:
    researcher, manager = calling("researcher"), calling("manager")
    assert researcher.get(f"{OPERATORS}?instrument=N001").json() == {"items": []}
    naming = {"instrument": "N001", "person": "colleague"}
    assert researcher.post(OPERATORS, naming).status_code == 403
    named = {"items": [{"id": str(COLLEAGUE), "name": "Colleague"}]}
    assert manager.post(OPERATORS, naming).json() == named
    assert researcher.get(f"{OPERATORS}?instrument=N001").json() == named
    assert manager.post(OPERATORS, {**naming, "operates": False}).json() == {"items": []}
    assert manager.post(OPERATORS, {**naming, "person": "office"}).status_code == 422
    assert manager.post(OPERATORS, {**naming, "instrument": "N999"}).status_code == 404


def test_a_booking_names_its_operator(researcher: Caller) -> None:
    made = researcher.post("/bookings", new())
    assert (made.status_code, made.json()["operator"]) == (201, str(COLLEAGUE))
    assert codes(researcher.post("/bookings", new("N001"))) == [
        ("operator_not_named", None), ("operator_elsewhere", None),
    ]  # fmt: skip
    assert codes(researcher.post("/bookings", new(first=5, last=6, mode="self"))) == [("operator_not_wanted", None)]


def test_several_instruments_and_an_operator_are_booked_in_one_go_or_none(
    researcher: Caller, calling: Callable[[str], Caller]
) -> None:
    calling("manager").post(OPERATORS, {"instrument": "N001", "person": "colleague"})
    refused = researcher.post("/bookings/batch", {"items": [new("N001"), new("N002")]})
    assert codes(refused) == [("operator_elsewhere", 1)]
    assert researcher.get("/bookings").json()["items"] == []
    made = researcher.post("/bookings/batch", {"items": [new("N001"), new("N002", 4, 6)]})
    assert [each["operator"] for each in made.json()["items"]] == [str(COLLEAGUE), str(COLLEAGUE)]


def test_an_operator_is_assigned_afterwards_on_the_version_that_was_seen(
    researcher: Caller, calling: Callable[[str], Caller]
) -> None:
    made = researcher.post("/bookings", new(operator=None)).json()
    path, manager = f"/bookings/{made['id']}", calling("manager")
    assigned = manager.patch(path, {"operator": str(COLLEAGUE)}, if_match='"1"')
    assert (assigned.status_code, assigned.json()["operator"], assigned.headers["etag"]) == (200, str(COLLEAGUE), '"2"')
    assert manager.patch(path, {"operator": None}, if_match='"1"').status_code == 412
    # With other times it is a move, which keeps what it does not name.
    moved = researcher.patch(path, {"ends_at": "2026-11-25T05:00:00Z"}, if_match='"2"')
    assert moved.json()["operator"] == str(COLLEAGUE)
    named = {"starts_at": "2026-11-25T03:00:00Z", "operator": None, "version": 3}
    assert researcher.patch(path, named).json()["operator"] is None
    assert calling("competitor").patch(path, {"operator": None}, if_match='"4"').status_code == 404


def test_times_near_a_wish_are_clear_of_where_its_operator_is(
    researcher: Caller, calling: Callable[[str], Caller]
) -> None:
    """The colleague operates the other instrument from 9 to 11; its user, who has it run, need not be there."""
    calling("manager").post(OPERATORS, {"instrument": "N001", "person": "colleague"})
    assert researcher.post("/bookings", new()).status_code == 201
    near = "/slots/near?instrument=N001&starts_at=2026-11-25T02:00:00Z&ends_at=2026-11-25T04:00:00Z&mode=commissioned"
    assert researcher.get(near).json()["items"][0]["starts_at"] == "2026-11-25T02:00:00Z"
    found = [each["starts_at"] for each in researcher.get(f"{near}&operator={COLLEAGUE}").json()["items"]]
    assert found[0] == "2026-11-25T04:00:00Z"
    assert researcher.get(f"{near}&operator=x").status_code == 400


def test_one_operator_is_named_for_what_lies_ahead_of_a_series(
    researcher: Caller, calling: Callable[[str], Caller]
) -> None:
    made = researcher.post("/series", new(operator=None, rrule="FREQ=WEEKLY;COUNT=2")).json()["series"]
    path, ids = f"/series/{made['id']}", [each["id"] for each in made["bookings"]]
    named = researcher.patch(path, {"operator": str(COLLEAGUE)}, if_match=f'"{made["version"]}"')
    assert (named.status_code, named.json()["version"]) == (200, made["version"] + 2)
    assert [calling("manager").get(f"/bookings/{each}").json()["operator"] for each in ids] == [str(COLLEAGUE)] * 2
    # From the second one on nobody.
    later = researcher.patch(f"{path}?from={ids[1]}", {"operator": None}, if_match=f'"{made["version"] + 2}"')
    assert later.status_code == 200
    assert [calling("manager").get(f"/bookings/{each}").json()["operator"] for each in ids] == [str(COLLEAGUE), None]


def test_the_operator_reads_the_booking_without_what_it_is_for(
    researcher: Caller, calling: Callable[[str], Caller]
) -> None:
    made = researcher.post("/bookings", new(purpose="secret")).json()
    seen = calling("colleague").get(f"/bookings/{made['id']}").json()
    assert (seen["person"], seen["operator"], seen["project"], seen["purpose"]) == (
        "Researcher", str(COLLEAGUE), None, "",
    )  # fmt: skip
    assert [each["id"] for each in calling("colleague").get("/bookings").json()["items"]] == [made["id"]]
