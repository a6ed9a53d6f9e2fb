"""Managers block time and write down that nobody came, by program; nobody else does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from labshare.domain.agreements import Scope, Version
from labshare.domain.bookings import BookingState
from labshare.domain.courtesy import Courtesy, Penalties
from labshare.domain.modes import Mode
from labshare.services import modes
from labshare.store import agreements
from labshare.store import bookings as store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.domain.test_agreements import an_agreement
from tests.furniture import COLLEAGUE, MANAGER, NOW, XRD, a_booking, actor, span
from tests.web.api.conftest import Caller, codes, nothing_changes

BLOCK = {
    "instrument": "N002", "starts_at": "2026-11-25T09:00:00+07:00", "ends_at": "2026-11-25T11:00:00+07:00",
    "kind": "maintenance", "purpose": "Thay dầu bơm",
}  # fmt: skip


@pytest.fixture
def manager(calling: Callable[[str], Caller]) -> Caller:
    return calling("manager")


def test_a_block_is_made_once_and_everybody_reads_why(manager: Caller, researcher: Caller) -> None:
    made = manager.post("/bookings/blocks", BLOCK, idempotency_key="b1")
    assert (made.status_code, made.json()["kind"], made.json()["purpose"]) == (201, "maintenance", "Thay dầu bơm")
    assert made.headers["location"] == f"/api/v1/bookings/{made.json()['id']}"
    assert manager.post("/bookings/blocks", BLOCK, idempotency_key="b1").json() == made.json()
    calendar = "/bookings?instrument=N002&from=2026-11-25T00:00:00%2B07:00&to=2026-11-26T00:00:00%2B07:00"
    (seen,) = researcher.get(calendar).json()["items"]
    assert (seen["kind"], seen["purpose"]) == ("maintenance", "Thay dầu bơm")
    wish: dict[str, Any] = {name: BLOCK[name] for name in ("instrument", "starts_at", "ends_at")}
    refused = researcher.post("/bookings", {**wish, "project": "KC-01"})
    assert (refused.status_code, codes(refused)) == (409, ["time_taken_maintenance"])
    # Like a booking it is given back on its version.
    assert manager.delete(f"/bookings/{made.json()['id']}?version=1").json()["state"] == "cancelled"
    assert researcher.post("/bookings", {**wish, "project": "KC-01"}).status_code == 201


def test_who_may_block_and_what_a_block_is(manager: Caller, researcher: Caller, house: Database) -> None:
    with house.write() as db:
        store.add(db, [a_booking(XRD, span(25, 10, 12))])
    with nothing_changes(house):
        assert codes(researcher.post("/bookings/blocks", BLOCK)) == ["forbidden"]
        # The manager's centre is the other one.
        assert manager.post("/bookings/blocks", {**BLOCK, "instrument": "N003"}).status_code == 403
        assert manager.post("/bookings/blocks", {**BLOCK, "instrument": "N999"}).status_code == 404
        assert codes(manager.post("/bookings/blocks", {**BLOCK, "kind": "use"})) == ["malformed_field"]
        taken = manager.post("/bookings/blocks", BLOCK)
        assert (taken.status_code, codes(taken)) == (409, ["time_taken"])


def test_nobody_runs_a_block_for_anybody(manager: Caller, house: Database) -> None:
    """No words of one's own for everybody to read, and nobody bound to it whom no rule was asked about."""
    address = f"/bookings/{manager.post('/bookings/blocks', BLOCK).json()['id']}"
    with nothing_changes(house):
        for changed in ({"mode": "assisted"}, {"setup": "Hợp kim mật"}, {"operator": str(COLLEAGUE)}):
            refused = manager.patch(address, {**changed, "purpose": "Thay dầu", "version": 1})
            assert (refused.status_code, codes(refused)) == (422, ["block_has_no_user"])
        assert manager.patch(address, {"operator": str(COLLEAGUE), "version": 1}).status_code == 422
    # Where the staff run every use it moves as before, and is none of theirs to run.
    with house.write() as db:
        modes.choose(db, actor(MANAGER), "N002", [Mode.COMMISSIONED], "", NOW)
    assert manager.patch(address, {"ends_at": "2026-11-25T12:00:00+07:00", "version": 1}).status_code == 200
    with house.read() as db:
        assert db.execute(sa.select(t.bookings.c.mode)).scalars().all() == [Mode.SELF]


def test_a_manager_writes_down_that_nobody_came(manager: Caller, researcher: Caller, house: Database) -> None:
    """Now is Monday, 08:00; the clause waits half an hour, and the uses began at 07:00 and begin at 11:00."""
    clause = Courtesy(notice_hours=24, penalties=Penalties(late_cancel=True))
    agreement = an_agreement(courtesy=clause, covered=Scope(centres=("C-ONE",)), parties=("I-IMS",))
    begun, soon = a_booking(XRD, span(23, 7, 9)), a_booking(XRD, span(23, 11, 12))
    with house.write() as db:
        agreements.add_version(db, Version(number=1, agreement=agreement), actor_id=None, now=NOW)
        store.add(db, [begun, soon])
    with nothing_changes(house):
        assert codes(researcher.post(f"/bookings/{begun.id}/no-show", {"version": 1})) == ["forbidden"]
        assert codes(manager.post(f"/bookings/{soon.id}/no-show", {"version": 1})) == ["no_show_too_early"]
        assert manager.post(f"/bookings/{begun.id}/no-show", {"version": 2}).status_code == 412
        assert codes(manager.post(f"/bookings/{begun.id}/no-show", {})) == ["version_missing"]
    said = manager.post(f"/bookings/{begun.id}/no-show", {"version": 1})
    assert (said.status_code, said.json()["state"], said.json()["version"]) == (200, "no_show", 2)


def test_a_strike_is_taken_back_once_by_managers_alone(manager: Caller, researcher: Caller, house: Database) -> None:
    with house.write() as db:
        missed = a_booking(XRD, span(20, 9, 11), state=BookingState.NO_SHOW)
        store.add(db, [missed])
    path, said = f"/bookings/{missed.id}/pardon", {"reason": "Bơm hỏng sáng hôm đó", "version": 1}
    with nothing_changes(house):
        assert researcher.post(path, said).status_code == 403
        assert codes(manager.post(path, {"version": 1})) == ["field_missing"]
        assert codes(manager.post(path, {**said, "reason": ""})) == ["decision_note_missing"]
        assert manager.post(path, {**said, "version": 4}).status_code == 412
    done = manager.post(path, said, idempotency_key="p1")
    assert (done.status_code, done.json()["state"]) == (200, "cancelled")
    assert manager.post(path, said, idempotency_key="p1").json() == done.json()
    again = manager.post(path, {**said, "version": 2})
    assert (again.status_code, codes(again)) == (422, ["booking_no_strike"])
