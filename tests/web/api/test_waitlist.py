"""The waitlist by program: joined, listed with places and offers, answered once whatever is sent again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from labshare.services import bookings, ticking
from labshare.store import bookings as store
from labshare.store.engine import Database
from tests.furniture import MANAGER, XRD, a_booking, actor, span
from tests.web.api.conftest import MOMENT, Caller, codes, nothing_changes

WANTED = {
    "instrument": "N002",
    "project": "KC-01",
    "minutes": 120,
    "from_date": "2026-11-25",
    "until_date": "2026-11-27",
}


def offer(house: Database) -> None:
    """Wednesday from 9 to 11 comes free, and is offered."""
    booking = a_booking(XRD, span(25, 9, 11), person_id=MANAGER)
    with house.write() as db:
        store.add(db, [booking])
        bookings.cancel(db, actor(MANAGER), booking.id, seen_version=1, now=MOMENT)
        # The second time finds that nobody else waits; the ticker beside would do it, whenever it comes to it.
        for _ in range(2):
            (row,) = ticking.deadlines(db, MOMENT)
            ticking.deal_with(db, row, MOMENT)
        assert ticking.deadlines(db, MOMENT) == []


def test_an_entry_is_joined_once_by_its_key_and_listed(researcher: Caller) -> None:
    first, again = (researcher.post("/waitlist", WANTED, idempotency_key="k1") for _ in range(2))
    assert (first.status_code, again.json()) == (201, first.json())
    entry = first.json()
    assert entry.pop("id")
    assert entry == {
        **WANTED,
        "capability": None,
        "earliest": "00:00",
        "latest": "24:00",
        "state": "waiting",
        "place": 1,
        "of": 1,
        "offer": None,
    }
    assert researcher.get("/waitlist").json()["items"] == [first.json()]


def test_an_offer_is_listed_and_taken(researcher: Caller, house: Database, calling: Callable[[str], Caller]) -> None:
    entry = researcher.post("/waitlist", WANTED).json()
    offer(house)
    (listed,) = researcher.get("/waitlist").json()["items"]
    booking = listed["offer"].pop("booking")
    assert (listed["state"], listed["place"]) == ("offered", None)
    assert listed["offer"] == {
        "instrument": "N002",
        "starts_at": "2026-11-25T02:00:00Z",
        "ends_at": "2026-11-25T04:00:00Z",
        # Two hours after 8:00:17, in whole minutes.
        "expires_at": "2026-11-23T03:00:00Z",
    }
    other = calling("colleague")
    with nothing_changes(house):
        assert other.post(f"/waitlist/{entry['id']}/accept", {}).status_code == 404
    taken = researcher.post(f"/waitlist/{entry['id']}/accept", {})
    assert (taken.status_code, taken.json()["id"], taken.json()["state"]) == (200, booking, "confirmed")
    assert taken.headers["etag"] == '"2"'
    again = researcher.post(f"/waitlist/{entry['id']}/accept", {})
    assert (again.status_code, codes(again)) == (422, ["offer_taken"])


def test_an_offer_is_declined_and_a_place_left(researcher: Caller, house: Database) -> None:
    entry = researcher.post("/waitlist", WANTED).json()
    offer(house)
    (left,) = researcher.post(f"/waitlist/{entry['id']}/decline", {}).json()["items"]
    assert (left["state"], left["offer"]) == ("waiting", None)
    assert researcher.delete(f"/waitlist/{entry['id']}").json() == {"items": []}
    assert codes(researcher.delete(f"/waitlist/{entry['id']}")) == ["waiting_over"]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"capability": "XRD"}, 400, "malformed_field"),
        ({"instrument": ""}, 400, "malformed_field"),
        ({"minutes": "2h"}, 400, "malformed_field"),
        ({"latest": "25:00"}, 400, "malformed_clock"),
        ({"until_date": "2026-11-24"}, 400, "waitlist_days_over"),
        ({"instrument": "N999"}, 404, "instrument_not_found"),
        ({"instrument": "", "capability": "none"}, 404, "capability_not_found"),
        ({"project": "none"}, 422, "project_unknown"),
        ({"minutes": 481}, 422, "too_long"),
    ],
)
def test_what_cannot_be_waited_for_is_refused(
    researcher: Caller, house: Database, changes: dict[str, Any], status: int, code: str
) -> None:
    with nothing_changes(house):
        answer = researcher.post("/waitlist", WANTED | changes)
    assert (answer.status_code, codes(answer)) == (status, [code])
