"""The state of an instrument by program: a manager records a failure and the repair, and everybody reads since when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from labshare.services import tokens
from labshare.store import bookings as store
from labshare.store.engine import Database
from tests.furniture import FESEM, NOW, XRD, a_booking, span
from tests.web.api.conftest import Caller, codes, nothing_changes
from tests.web.conftest import Client

# A request comes at 08:00:17; a failure is recorded from its minute on.
SINCE = "2026-11-23T01:00:00Z"


@pytest.fixture
def manager(calling: Callable[[str], Caller]) -> Caller:
    return calling("manager")


def test_a_failure_is_recorded_once_seen_and_repaired(manager: Caller, researcher: Caller, house: Database) -> None:
    """Of three uses one is touched: the second begins after more than seven days, the third is on another one."""
    touched, later, other = (
        a_booking(FESEM, span(26, 8, 10)), a_booking(FESEM, span(30, 9, 10)), a_booking(XRD, span(26, 8, 10)),
    )  # fmt: skip
    with house.write() as db:
        store.add(db, [touched, later, other])
    runs: dict[str, Any] = {"instrument": "N001", "down_since": None, "note": "", "affected": []}
    assert manager.get("/instruments/N001/state").json() == runs
    down = manager.post("/instruments/N001/down", {"note": "Hỏng bơm"}, idempotency_key="a")
    said = down.json()
    assert (down.status_code, said["down_since"], said["note"]) == (200, SINCE, "Hỏng bơm")
    assert [each["id"] for each in said["affected"]] == [str(touched.id)]
    assert manager.post("/instruments/N001/down", {"note": "Hỏng bơm"}, idempotency_key="a").json() == said
    assert manager.get("/instruments/N001/state").json() == said
    # Everybody may know since when, and nobody else why.
    seen = researcher.get("/instruments/N001")
    assert (seen.json()["down_since"], "bơm" in seen.text) == (SINCE, False)
    with nothing_changes(house):
        again = manager.post("/instruments/N001/down", {})
        assert (again.status_code, codes(again)) == (422, ["already_down"])
    assert manager.post("/instruments/N001/up", {}, idempotency_key="b").json() == runs
    assert manager.post("/instruments/N001/up", {}, idempotency_key="b").json() == runs
    assert codes(manager.post("/instruments/N001/up", {})) == ["not_down"]
    assert researcher.get("/instruments/N001").json()["down_since"] is None


def test_nobody_else_records_or_reads_a_state(manager: Caller, researcher: Caller, house: Database) -> None:
    with nothing_changes(house):
        for caller, instrument, status in (
            (researcher, "N001", 403), (manager, "N003", 403), (manager, "N999", 404),
        ):  # fmt: skip
            assert caller.get(f"/instruments/{instrument}/state").status_code == status
            assert caller.post(f"/instruments/{instrument}/down", {"note": "x"}).status_code == status
            assert caller.post(f"/instruments/{instrument}/up", {}).status_code == status
        assert manager.post("/instruments/N001/down", {"note": "x" * 501}).status_code == 400
        assert codes(manager.post("/instruments/N001/down", {"why": "x"})) == ["field_unknown"]


def test_both_databases_record_the_same(anywhere: Client, database: Database) -> None:
    with database.write() as db:
        secret = tokens.create(db, login="manager", days=1, label="", now=NOW).secret
    caller = Caller(anywhere, secret)
    assert caller.post("/instruments/N002/down", {"note": "Hỏng bơm"}).json()["down_since"] == SINCE
    assert caller.get("/instruments/N002/state").json()["note"] == "Hỏng bơm"
    assert caller.post("/instruments/N002/up", {}).json()["down_since"] is None
