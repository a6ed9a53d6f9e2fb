"""Rules of booking by program: posted and ended by managers, read by every caller, passed with a reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.web.api.conftest import Caller, codes, nothing_changes

CUT_OFF: dict[str, Any] = {"scope": "centre", "of": "C-ONE", "kind": "cut_off", "params": {"hours": 100}}
WISH = {
    "instrument": "N002",
    "starts_at": "2026-11-25T09:00:00+07:00",
    "ends_at": "2026-11-25T10:00:00+07:00",
    "project": "KC-01",
}
Calling = Callable[[str], Caller]


def test_a_rule_is_posted_read_and_ended(calling: Calling) -> None:
    manager, researcher = calling("manager"), calling("researcher")
    posted = manager.post("/booking-rules", CUT_OFF)
    assert posted.status_code == 201
    rule = posted.json()
    assert rule["sentence"] == "A booking is made at least 100 hours before it begins."
    for where in ("instrument=N002", "centre=C-ONE"):
        assert researcher.get(f"/booking-rules?{where}").json() == {"items": [rule]}
    assert researcher.get("/booking-rules?group=XRD").json() == {"items": []}
    refused = researcher.post("/bookings", WISH)
    assert (refused.status_code, codes(refused)) == (422, ["rule_cut_off"])
    ended = manager.delete(f"/booking-rules/{rule['id']}")
    assert (ended.status_code, ended.json()["until"] is None) == (200, False)
    assert researcher.get("/booking-rules?centre=C-ONE").json() == {"items": []}
    assert manager.delete(f"/booking-rules/{rule['id']}").status_code == 422
    assert researcher.post("/bookings", WISH).status_code == 201


def test_what_a_rule_says_of_an_instrument_is_what_the_instrument_says(calling: Calling) -> None:
    """The registry says 30 to 480 minutes in steps of 30, and nothing around a use."""
    manager, researcher = calling("manager"), calling("researcher")
    before = researcher.get("/instruments/N002")
    rules = {"length": {"most_minutes": 240}, "changeover": {"setup_minutes": 10}, "granularity": {"minutes": 20},
             "week_hours": {"hours": "Mon-Fri 09:00-17:00"}}  # fmt: skip
    ids = [
        manager.post("/booking-rules", {"scope": "instrument", "of": "N002", "kind": kind, "params": params}).json()[
            "id"
        ]
        for kind, params in rules.items()
    ]
    held = researcher.get("/instruments/N002")
    values = {name: held.json()[name] for name in before.json() if held.json()[name] != before.json()[name]}
    # The shortest that is whole steps of 20.
    assert values == {
        "opening": "Mon-Fri 09:00-17:00", "min_minutes": 40, "max_minutes": 240, "granularity_minutes": 20,
        "setup_minutes": 10,
    }  # fmt: skip
    for rule_id in ids:
        assert manager.delete(f"/booking-rules/{rule_id}").status_code == 200
    assert researcher.get("/instruments/N002").json() == before.json()


def test_a_rule_under_which_nobody_could_book_is_refused_for_each_instrument(calling: Calling, house: Any) -> None:
    wanted = {"scope": "centre", "of": "C-ONE", "kind": "length", "params": {"least_minutes": 660, "most_minutes": 660}}
    manager = calling("manager")
    with nothing_changes(house):
        answer = manager.post("/booking-rules", wanted)
    assert (answer.status_code, codes(answer)) == (422, ["booking_rule_beyond_opening"] * 2)
    assert [each["params"]["instrument"] for each in answer.json()["refusals"]] == ["N001", "N002"]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"of": "C-TWO"}, 403, "forbidden"),
        ({"scope": "group", "of": "XRD"}, 403, "forbidden"),
        ({"of": "C-NONE"}, 404, "booking_rule_scope"),
        ({"kind": "curfew"}, 400, "booking_rule_unreadable"),
        ({"params": {"hours": 0}}, 400, "booking_rule_range"),
        ({"kind": "week_hours", "params": {"hours": "mornings"}}, 400, "opening_unreadable"),
        ({"kind": "length", "params": {"least_minutes": 60, "most_minutes": 30}}, 400, "booking_rule_reversed"),
        ({"params": {"hours": "4"}}, 400, "booking_rule_unreadable"),
    ],
)
def test_what_cannot_be_posted_changes_nothing(
    calling: Calling, house: Any, change: dict[str, Any], status: int, code: str
) -> None:
    manager = calling("manager")
    with nothing_changes(house):
        answer = manager.post("/booking-rules", CUT_OFF | change)
    assert (answer.status_code, codes(answer)) == (status, [code])


def test_a_list_is_of_one_place(calling: Calling) -> None:
    researcher = calling("researcher")
    for where in ("", "?instrument=N002&centre=C-ONE"):
        assert researcher.get(f"/booking-rules{where}").status_code == 400
    assert researcher.get("/booking-rules?centre=C-NONE").status_code == 404


def test_a_manager_books_and_moves_past_the_rules_and_managers_alone_read_why(calling: Calling) -> None:
    manager, colleague = calling("manager"), calling("colleague")
    manager.post("/booking-rules", CUT_OFF)
    made = manager.post("/bookings", WISH | {"override_reason": "Sample decays before Friday"})
    assert (made.status_code, made.json()["override_reason"]) == (201, "Sample decays before Friday")
    path = f"/bookings/{made.json()['id']}"
    later = {"starts_at": "2026-11-25T09:30:00+07:00", "ends_at": "2026-11-25T11:30:00+07:00", "version": 1}
    assert codes(manager.patch(path, later)) == ["rule_cut_off"]
    moved = manager.patch(path, later | {"override_reason": "The stage is free later"})
    assert moved.json()["override_reason"] == "The stage is free later"
    assert colleague.post("/bookings", WISH | {"override_reason": "I would like to"}).status_code == 403
    assert codes(manager.post("/bookings", WISH | {"override_reason": "urgent"})) == ["override_reason"]
