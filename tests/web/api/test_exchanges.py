"""Bookings that change hands by program: offered once whatever is sent again, accepted, declined, withdrawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from labshare.domain.bookings import Booking
from labshare.store import bookings as store
from labshare.store.engine import Database
from tests.furniture import COLLEAGUE, MANAGER, NMR, XRD, a_booking, span
from tests.web.api.conftest import Caller, codes, nothing_changes

MINE, THEIRS = span(25, 9, 11), span(26, 14, 16)


@pytest.fixture
def mine(house: Database) -> Booking:
    booking = a_booking(XRD, MINE)
    with house.write() as db:
        store.add(db, [booking])
    return booking


def wanted(booking: Booking, **changes: Any) -> dict[str, Any]:
    return {"booking": str(booking.id), "version": 1} | changes


def test_a_booking_is_offered_once_by_its_key_and_taken(
    researcher: Caller, calling: Callable[[str], Caller], mine: Booking
) -> None:
    colleague = calling("colleague")
    names = {each["name"]: each["id"] for each in researcher.get("/exchanges/colleagues").json()["items"]}
    assert names == {"Colleague": str(COLLEAGUE), "Manager": str(MANAGER)}
    asked = wanted(mine, to=names["Colleague"])
    first, again = (researcher.post("/exchanges", asked, idempotency_key="k1") for _ in range(2))
    assert (first.status_code, again.json()) == (201, first.json())
    made = first.json()
    (got,) = colleague.get("/exchanges").json()["items"]
    assert got == made | {"is_asked": True}
    assert (made["giver"], made["to"], made["wants"], made["version"]) == ("Researcher", "Colleague", None, 1)
    assert made["gives"] == {
        "instrument": "N002",
        "starts_at": "2026-11-25T02:00:00Z",
        "ends_at": "2026-11-25T04:00:00Z",
    }
    taken = colleague.post(f"/exchanges/{got['id']}/accept", {"version": 1, "project": "KC-01"})
    assert (taken.status_code, taken.json()["id"], taken.json()["version"]) == (200, str(mine.id), 2)
    assert researcher.get("/exchanges").json()["items"] == []


def test_a_swap_names_nobody_to_who_asks(
    researcher: Caller, calling: Callable[[str], Caller], house: Database, mine: Booking
) -> None:
    theirs = a_booking(NMR, THEIRS, person_id=COLLEAGUE)
    with house.write() as db:
        store.add(db, [theirs])
    made = researcher.post("/exchanges", wanted(mine, instrument="N003", at="2026-11-26T15:00:00+07:00"))
    assert made.status_code == 201
    assert (made.json()["to"], made.json()["wants"]["instrument"]) == (None, "N003")
    colleague = calling("colleague")
    taken = colleague.post(f"/exchanges/{made.json()['id']}/accept", {"version": 2})
    assert (taken.status_code, taken.json()["id"]) == (200, str(mine.id))
    assert researcher.get(f"/bookings/{theirs.id}").status_code == 200


def test_no_and_withdrawing_tell_what_is_left(
    researcher: Caller, calling: Callable[[str], Caller], mine: Booking
) -> None:
    colleague = calling("colleague")
    for who, method, path in ((colleague, "POST", "/decline"), (researcher, "DELETE", "")):
        made = researcher.post("/exchanges", wanted(mine, to=str(COLLEAGUE))).json()
        said = who.call(method, f"/exchanges/{made['id']}{path}")
        assert (said.status_code, said.json()["items"]) == (200, [])
        assert who.call(method, f"/exchanges/{made['id']}{path}").status_code == 422


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({}, 400, "malformed_field"),
        ({"to": str(COLLEAGUE), "instrument": "N003", "at": "2026-11-26T15:00:00+07:00"}, 400, "malformed_field"),
        ({"instrument": "N003"}, 400, "malformed_field"),
        ({"to": str(COLLEAGUE), "version": 9}, 412, "booking_changed"),
        ({"instrument": "N003", "at": "2026-11-26T15:00:00+07:00"}, 422, "exchange_no_holder"),
        ({"instrument": "N999", "at": "2026-11-26T15:00:00+07:00"}, 404, "instrument_not_found"),
    ],
)
def test_what_cannot_be_offered_changes_nothing(
    researcher: Caller, house: Database, mine: Booking, changes: dict[str, Any], status: int, code: str
) -> None:
    with nothing_changes(house):
        answer = researcher.post("/exchanges", wanted(mine, **changes))
    assert (answer.status_code, codes(answer)) == (status, [code])
