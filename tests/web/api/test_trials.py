"""Dry runs by the API: what would be made, or every reason why not, and never a trace of either."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labshare.domain.agreements import Scope, Version
from labshare.domain.approvals import Approval
from labshare.domain.courtesy import Courtesy, Penalties
from labshare.services import approvals, tokens
from labshare.store import agreements
from labshare.store import bookings as store
from labshare.store.engine import Database
from tests.domain.test_agreements import an_agreement
from tests.furniture import (
    COLLEAGUE,
    FESEM,
    MANAGER,
    NOW,
    XRD,
    a_booking,
    actor,
    add_instrument,
    span,
)
from tests.web.api.conftest import Caller, codes, nothing_changes
from tests.web.conftest import Client

WISH = {
    "instrument": "N002", "starts_at": "2026-11-25T09:00:00+07:00", "ends_at": "2026-11-25T11:00:00+07:00",
    "project": "KC-01", "purpose": "Màng mỏng",
}  # fmt: skip
LATER = {"starts_at": "2026-11-25T13:00:00+07:00", "ends_at": "2026-11-25T15:00:00+07:00"}


def reasons(answer: Any) -> list[str]:
    """The codes of a dry run that says no."""
    assert answer.status_code == 200
    assert answer.json()["booking"] is None
    return [refusal["code"] for refusal in answer.json()["refusals"]]


def test_a_booking_is_tried_as_it_would_stand(researcher: Caller, house: Database) -> None:
    with nothing_changes(house):
        tried = researcher.post("/bookings/trial", WISH)
    assert tried.status_code == 200
    would = tried.json()["booking"]
    assert (tried.json()["refusals"], would["state"], would["id"], would["version"]) == ([], "confirmed", None, None)
    made = researcher.post("/bookings", WISH).json()
    assert {**made, "id": None, "version": None} == would


def test_a_booking_that_would_wait_is_tried_as_one_that_waits(researcher: Caller, house: Database) -> None:
    with house.write() as db:
        approvals.choose(db, actor(MANAGER), "N002", Approval.EVERYBODY, 48, NOW)
    with nothing_changes(house):
        would = researcher.post("/bookings/trial", WISH).json()["booking"]
    # Two days from Monday at 08:00:17; the centre decides before the use begins.
    assert (would["state"], would["decide_by"]) == ("pending", "2026-11-25T01:00:17.250000Z")


def test_every_reason_is_told_as_it_would_be_told(
    researcher: Caller, calling: Callable[[str], Caller], house: Database
) -> None:
    """Half an hour too many for the grid, at night, and a colleague is there already."""
    with house.write() as db:
        store.add(db, [a_booking(XRD, span(25, 20, 22), person_id=COLLEAGUE)])
    night = {**WISH, "starts_at": "2026-11-25T20:15:00+07:00", "ends_at": "2026-11-25T21:00:00+07:00"}
    with nothing_changes(house):
        tried = reasons(researcher.post("/bookings/trial", night))
        refused = codes(researcher.post("/bookings", night))
    assert tried == refused
    assert {"closed", "time_taken"} <= set(tried)
    # What cannot be read, is not there, or is nobody's to do is no matter of rules.
    assert codes(researcher.post("/bookings/trial", {**WISH, "instrument": "N999"})) == ["instrument_not_found"]
    assert researcher.post("/bookings/trial", {**WISH, "ends_at": WISH["starts_at"]}).status_code == 400
    forbidden = researcher.post("/bookings/trial", {**WISH, "override_reason": "I would like to"})
    assert (forbidden.status_code, codes(forbidden)) == (403, ["forbidden"])
    assert calling("partner").post("/bookings/trial", WISH).status_code == 403
    assert reasons(researcher.post("/bookings/trial", {**WISH, "person": "competitor"})) == ["person_not_yours"]


def test_a_move_is_tried_on_the_booking_as_it_stands_or_was_seen(
    researcher: Caller, calling: Callable[[str], Caller], house: Database
) -> None:
    booking = researcher.post("/bookings", WISH).json()
    address = f"/bookings/{booking['id']}"
    manager, competitor = calling("manager"), calling("competitor")
    with house.write() as db:
        store.add(db, [a_booking(XRD, span(25, 15, 17), person_id=COLLEAGUE)])
    with nothing_changes(house):
        for named in ({}, {"version": 1}):
            would = researcher.post(f"{address}/trial", {**LATER, **named}).json()
            assert (would["refusals"], would["late"]) == ([], False)
            assert (would["booking"]["id"], would["booking"]["version"]) == (booking["id"], 2)
            assert would["booking"]["starts_at"] == "2026-11-25T06:00:00Z"
        assert researcher.post(f"{address}/trial", LATER, if_match='"1"').status_code == 200
        taken = {**LATER, "ends_at": "2026-11-25T16:00:00+07:00"}
        assert reasons(researcher.post(f"{address}/trial", taken)) == ["time_taken"]
        assert codes(researcher.post(f"{address}/trial", {**LATER, "version": 2})) == ["booking_changed"]
        assert codes(researcher.post(f"{address}/trial", {})) == ["nothing_to_change"]
        # Whoever manages the calendar may ask too; of nobody else's is anything told.
        assert manager.post(f"{address}/trial", LATER).json()["refusals"] == []
        assert competitor.post(f"{address}/trial", LATER).status_code == 404
        # Other words and an operator are changes as well, and are judged as such.
        assert researcher.post(f"{address}/trial", {"purpose": "Bột"}).json()["booking"]["purpose"] == "Bột"
        assert reasons(researcher.post(f"{address}/trial", {"operator": str(COLLEAGUE)})) == [
            "operator_not_wanted", "operator_not_named",
        ]  # fmt: skip
    assert researcher.delete(f"{address}?version=1").status_code == 200
    with nothing_changes(house):
        assert reasons(researcher.post(f"{address}/trial", LATER)) == ["booking_not_movable"]


def test_a_move_to_another_instrument_says_whether_it_gives_up_too_late(researcher: Caller, house: Database) -> None:
    """Now is Monday, 08:00: less than 24 hours before the first, more before the second."""
    clause = Courtesy(notice_hours=24, penalties=Penalties(late_cancel=True))
    agreement = an_agreement(courtesy=clause, covered=Scope(centres=("C-ONE",)), parties=("I-IMS",))
    soon, in_time = a_booking(FESEM, span(23, 15, 16)), a_booking(FESEM, span(25, 15, 16))
    with house.write() as db:
        agreements.add_version(db, Version(number=1, agreement=agreement), actor_id=None, now=NOW)
        add_instrument(db, 4, "C-ONE", "FESEM")
        store.add(db, [soon, in_time])
    with nothing_changes(house):
        for booking, late in ((soon, True), (in_time, False)):
            would = researcher.post(f"/bookings/{booking.id}/trial", {"instrument": "N004"}).json()
            assert (would["refusals"], would["late"]) == ([], late)
            assert (would["booking"]["instrument"], would["booking"]["id"]) == ("N004", None)
        other = researcher.post(f"/bookings/{in_time.id}/trial", {"instrument": "N002"})
        assert reasons(other) == ["instrument_of_other_kind"]


def test_neither_database_keeps_a_trace(anywhere: Client, database: Database) -> None:
    with database.write() as db:
        secret = tokens.create(db, login="researcher", days=1, label="", now=NOW).secret
        booking = a_booking(XRD, span(25, 13, 14))
        store.add(db, [booking])
    caller = Caller(anywhere, secret)
    with nothing_changes(database):
        assert caller.post("/bookings/trial", WISH).json()["refusals"] == []
        assert caller.post(f"/bookings/{booking.id}/trial", LATER).json()["refusals"] == []
        taken = {**WISH, **LATER}
        assert set(reasons(caller.post("/bookings/trial", taken))) == {"time_taken", "person_elsewhere"}
