"""Holds, booking for others, modes and set-ups by the API: what is asked, answered and refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labshare.services import modes
from labshare.store.engine import Database
from tests.furniture import MANAGER, NOW, actor
from tests.web.api.conftest import Caller, codes, nothing_changes

WISH = {
    "instrument": "N002", "starts_at": "2026-11-25T09:00:00+07:00", "ends_at": "2026-11-25T11:00:00+07:00",
    "project": "KC-01",
}  # fmt: skip
LATER = {"starts_at": "2026-11-25T13:00:00+07:00", "ends_at": "2026-11-25T15:00:00+07:00"}


def hold(caller: Caller, **changes: Any) -> Any:
    return caller.post("/bookings/holds", {**WISH, **changes})


def test_a_hold_is_answered_with_its_end_and_becomes_the_booking_that_names_it(researcher: Caller) -> None:
    answer = hold(researcher)
    held = answer.json()
    assert (answer.status_code, held["state"], held["held_until"]) == (201, "held", "2026-11-23T01:05:17.250000Z")
    assert answer.headers["location"] == f"/api/v1/bookings/{held['id']}"
    booked = researcher.post("/bookings", {**WISH, "hold": held["id"], "purpose": "XRD"})
    assert (booked.status_code, booked.json()["id"], booked.json()["state"]) == (201, held["id"], "confirmed")
    assert booked.json()["held_until"] is None


def test_others_see_that_a_time_is_held_and_cannot_have_it(
    researcher: Caller, calling: Callable[[str], Caller], house: Database
) -> None:
    hold(researcher)
    competitor = calling("competitor")
    (entry,) = competitor.get(
        "/bookings?instrument=N002&from=2026-11-25T00:00:00%2B07:00&to=2026-11-26T00:00:00%2B07:00"
    ).json()["items"]
    assert (entry["state"], entry["id"], entry["person"], entry["project"]) == ("held", None, None, None)
    with nothing_changes(house):
        answer = hold(competitor, project="DN-01")
    assert (answer.status_code, codes(answer)) == (409, ["time_taken"])


def test_a_hold_is_prolonged_once_and_let_go(researcher: Caller, calling: Callable[[str], Caller]) -> None:
    path = f"/bookings/holds/{hold(researcher).json()['id']}"
    assert researcher.post(f"{path}/prolong", {}).status_code == 200
    again = researcher.post(f"{path}/prolong", {})
    assert (again.status_code, codes(again)) == (422, ["hold_prolonged"])
    assert calling("competitor").delete(path).status_code == 404
    gone = researcher.delete(path)
    assert (gone.status_code, gone.json()["state"]) == (200, "released")
    assert researcher.delete(path).json() == gone.json()
    over = researcher.post(f"{path}/prolong", {})
    assert (over.status_code, codes(over)) == (422, ["hold_over"])


def test_a_key_holds_once(researcher: Caller) -> None:
    first = researcher.post("/bookings/holds", WISH, idempotency_key="one")
    assert researcher.post("/bookings/holds", WISH, idempotency_key="one").json() == first.json()
    assert hold(researcher, **LATER).status_code == 201
    third = hold(researcher, starts_at="2026-11-26T09:00:00+07:00", ends_at="2026-11-26T11:00:00+07:00")
    assert (third.status_code, codes(third)) == (422, ["holds_too_many"])


def test_several_and_a_series_take_a_hold_too(researcher: Caller) -> None:
    held = hold(researcher).json()["id"]
    both = researcher.post("/bookings/batch", {"items": [{**WISH, "hold": held}, {**WISH, **LATER}]})
    assert both.status_code == 201
    assert both.json()["items"][0]["id"] == held
    again = hold(researcher, starts_at="2026-11-26T09:00:00+07:00", ends_at="2026-11-26T11:00:00+07:00").json()
    rule = {
        **WISH, "starts_at": again["starts_at"], "ends_at": again["ends_at"], "hold": again["id"],
        "rrule": "FREQ=DAILY;COUNT=2",
    }  # fmt: skip
    looked = researcher.post("/series?dry_run=true", rule).json()["dates"]
    assert [date["refusals"] for date in looked] == [[], []]
    assert researcher.post("/series", rule).status_code == 201
    assert researcher.get(f"/bookings/{again['id']}").json()["state"] == "released"


def test_one_books_for_whom_one_may(researcher: Caller, calling: Callable[[str], Caller], house: Database) -> None:
    made = researcher.post("/bookings", {**WISH, "person": "colleague"}).json()
    assert (made["person"], made["booked_by"]) == ("Colleague", "Researcher")
    assert calling("colleague").get(f"/bookings/{made['id']}").json()["booked_by"] == "Researcher"
    for login, code in (("competitor", "person_not_yours"), ("nobody", "person_not_yours")):
        with nothing_changes(house):
            answer = researcher.post("/bookings", {**WISH, **LATER, "person": login})
        assert (answer.status_code, codes(answer)) == (422, [code])
    manager = calling("manager")
    for_rival = manager.post("/bookings", {**WISH, **LATER, "person": "competitor", "project": "DN-01"})
    assert (for_rival.status_code, for_rival.json()["person"]) == (201, "Competitor")
    unknown = manager.post("/bookings", {**WISH, **LATER, "person": "nobody"})
    assert (unknown.status_code, codes(unknown)) == (422, ["person_unknown"])
    assert researcher.post("/bookings", {**WISH, **LATER, "person": "researcher", "instrument": "N003"}).json()[
        "booked_by"
    ] is None  # fmt: skip


def test_a_mode_and_a_set_up_are_asked_for_and_changed(researcher: Caller, house: Database) -> None:
    refused = researcher.post("/bookings", {**WISH, "mode": "assisted", "setup": "cryo stage"})
    assert (refused.status_code, codes(refused)) == (422, ["mode_not_offered", "setup_not_posted"])
    with house.write() as db:
        modes.choose(db, actor(MANAGER), "N002", ["self", "assisted"], "cryo stage", NOW)
    shown = researcher.get("/instruments/N002").json()
    assert (shown["modes"], shown["setups"]) == (["self", "assisted"], ["cryo stage"])
    made = researcher.post("/bookings", {**WISH, "mode": "assisted", "setup": "cryo stage"}).json()
    assert (made["mode"], made["setup"]) == ("assisted", "cryo stage")
    changed = researcher.patch(f"/bookings/{made['id']}", {"mode": "self", "setup": "", "version": 1}).json()
    assert (changed["mode"], changed["setup"], changed["starts_at"]) == ("self", "", made["starts_at"])
    assert researcher.patch(f"/bookings/{made['id']}", {"mode": "remote", "version": 2}).status_code == 400


def test_a_manager_chooses_what_is_offered(calling: Callable[[str], Caller], house: Database) -> None:
    manager, others = calling("manager"), [calling(login) for login in ("researcher", "competitor")]
    answer = manager.call("PUT", "/instruments/N002/modes", json={"modes": ["commissioned"], "setups": ["5 kV"]})
    assert (answer.status_code, answer.json()) == (200, {"modes": ["commissioned"], "setups": ["5 kV"]})
    with nothing_changes(house):
        none = manager.call("PUT", "/instruments/N002/modes", json={"modes": [], "setups": []})
        assert (none.status_code, codes(none)) == (422, ["modes_unknown"])
        for caller in others:
            body = {"modes": ["self"], "setups": []}
            assert caller.call("PUT", "/instruments/N002/modes", json=body).status_code == 403
