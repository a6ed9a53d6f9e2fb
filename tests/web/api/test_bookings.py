"""Booking by program (bookings.py, booking_wishes.py, booking_views.py): the same rules as the pages, read strictly;
whatever cannot be done changes nothing.

The house of tests/furniture.py: N001 asks for a qualification that the researcher has, open Mon-Fri 08:00-18:00 in
Hanoi (01:00-11:00 UTC), at most 60 days ahead, half-hour raster, from 30 minutes to 8 hours. Now is Mon 23 Nov 2026.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from litestar.testing import TestClient

from labshare.app import create_app
from labshare.domain.agreements import Scope, Strictness, Version
from labshare.domain.bases import Base
from labshare.domain.screening import Screening, WatchList
from labshare.settings import Settings
from labshare.store import agreements, clearances
from labshare.store import bookings as store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.calendar_files import seen
from tests.domain.test_agreements import an_agreement
from tests.furniture import (
    COLLEAGUE,
    COMPETITOR,
    FESEM,
    INDUSTRY_PROJECT,
    NMR,
    NOW,
    a_booking,
    add_instrument,
    counted,
    span,
)
from tests.shares import a_rule, load
from tests.shares import an_agreement as an_agreement_of
from tests.strict_house import furnish_strictly
from tests.web.api.conftest import Caller, calling_on, codes, nothing_changes
from tests.web.conftest import Client, sign_in

# Wednesday 25 November, 09:00-11:00 in Hanoi.
WISH = {
    "instrument": "N001",
    "starts_at": "2026-11-25T09:00:00+07:00",
    "ends_at": "2026-11-25T11:00:00+07:00",
    "project": "KC-01",
    "purpose": "ZnO nanowires",
}


def wish(**changes: Any) -> dict[str, Any]:
    return WISH | changes


@pytest.fixture
def booked(researcher: Caller) -> dict[str, Any]:
    """The wish, granted."""
    answer = researcher.post("/bookings", WISH)
    assert answer.status_code == 201, answer.text
    return answer.json()


# ---------------------------------------------------------------- the good path


def test_a_booking_is_made_shown_moved_described_and_cancelled(researcher: Caller) -> None:
    made = researcher.post("/bookings", WISH)
    assert made.status_code == 201
    booking = made.json()
    path = f"/bookings/{booking['id']}"
    assert made.headers["location"] == f"/api/v1{path}"
    assert made.headers["etag"] == '"1"'
    # 09:00 and 11:00 in Hanoi (UTC+7) are 02:00 and 04:00 UTC.
    assert booking == {
        "id": booking["id"],
        "instrument": "N001",
        "starts_at": "2026-11-25T02:00:00Z",
        "ends_at": "2026-11-25T04:00:00Z",
        "kind": "use",
        "state": "confirmed",
        "project": "KC-01",
        "purpose": "ZnO nanowires",
        "person": "Researcher",
        "booked_by": None,
        "mode": "self",
        "setup": "",
        "held_until": None,
        "decide_by": None,
        "decision_note": "",
        "trainer": None,
        "operator": None,
        "series": None,
        "override_reason": None,
        "version": 1,
        "notices": [],
    }
    # Only what was just made or changed is told which agreed shares it goes beyond.
    plain = {name: value for name, value in booking.items() if name != "notices"}
    assert researcher.get(path).json() == plain
    assert researcher.get("/bookings").json() == {"items": [plain], "next": None}

    moved = researcher.patch(path, {"ends_at": "2026-11-25T05:00:00Z", "purpose": "TiO2"}, if_match='"1"')
    assert (moved.status_code, moved.headers["etag"]) == (200, '"2"')
    assert moved.json() == booking | {"ends_at": "2026-11-25T05:00:00Z", "purpose": "TiO2", "version": 2}

    described = researcher.patch(path, {"purpose": "", "version": 2})
    assert described.json() == moved.json() | {"purpose": "", "version": 3}

    cancelled = researcher.delete(path, if_match='"3"')
    assert (cancelled.status_code, cancelled.headers["etag"]) == (200, '"4"')
    assert cancelled.json() == plain | {
        "ends_at": "2026-11-25T05:00:00Z", "purpose": "", "state": "cancelled", "version": 4,
    }  # fmt: skip
    assert researcher.get(path).json()["state"] == "cancelled"
    assert researcher.get("/bookings").json() == {"items": [], "next": None}


def test_each_of_several_tells_of_the_end_of_its_own_qualification(researcher: Caller, house: Database) -> None:
    with house.write() as db:
        db.execute(sa.update(t.qualifications).values(expires_at=span(25, 11, 12).end))
    # Another two hours do not fit before noon, when the licence for N001 ends; N002 asks for none.
    other = wish(instrument="N002", starts_at="2026-11-25T13:00:00+07:00", ends_at="2026-11-25T15:00:00+07:00")
    answer = researcher.post("/bookings/batch", {"items": [WISH, other]})
    assert answer.status_code == 201, answer.text
    said = [[each["code"] for each in item["notices"]] for item in answer.json()["items"]]
    assert said == [["qualification_last_use"], []]


def test_who_comes_late_is_told_so_without_a_queue(researcher: Caller, house: Database) -> None:
    taken = span(25, 8, 10)
    with house.write() as db:
        store.add(db, [a_booking(FESEM, taken, person_id=COLLEAGUE)])
    with house.write() as db:
        # Somebody holds the instrument: whoever asks for its lock waits until they are done.
        store.lock(db, [FESEM])
        late = researcher.post("/bookings", WISH)
        assert (late.status_code, codes(late)) == (409, ["time_taken"])
        worse = researcher.post("/bookings", wish(project="DN-01"))
        assert (worse.status_code, set(codes(worse))) == (422, {"time_taken", "project_unknown"})


def test_a_booking_goes_to_another_instrument_of_its_kind(researcher: Caller, house: Database) -> None:
    with house.write() as db:
        add_instrument(db, 4, "C-ONE", "XRD")
    booking = researcher.post("/bookings", wish(instrument="N002")).json()
    path = f"/bookings/{booking['id']}"
    with nothing_changes(house):
        other_kind = researcher.patch(path, {"instrument": "N003", "version": 1})
        unknown = researcher.patch(path, {"instrument": "N999", "version": 1})
    assert (other_kind.status_code, codes(other_kind)) == (422, ["instrument_of_other_kind"])
    assert unknown.status_code == 404
    moved = researcher.patch(path, {"instrument": "N004", "purpose": "TiO2", "version": 1})
    assert (moved.status_code, moved.headers["etag"]) == (200, '"1"')
    changed = {"id": moved.json()["id"], "instrument": "N004", "purpose": "TiO2"}
    assert moved.json() == booking | changed
    assert moved.json()["id"] != booking["id"]
    assert researcher.get(path).json()["state"] == "cancelled"


def test_a_booking_beyond_a_share_of_what_is_booked_stands_with_a_notice(
    calling: Callable[[str], Caller], house: Database, tmp_path: Path
) -> None:
    with house.write() as db:
        load(db, tmp_path, an_agreement_of(a_rule(base=Base.BOOKED, strict=Strictness.SOFT, penalty=1)))
    made = calling("competitor").post("/bookings", wish(instrument="N002", project="DN-01"))
    assert made.status_code == 201
    (notice,) = made.json()["notices"]
    assert (notice["code"], notice["params"]) == ("agreement_share_warning_private", {})
    assert notice["sentence"].startswith("The booking stands, but a share")
    # It is told again while the booking lies ahead, and only to those who may change it.
    moved = calling("competitor").patch(f"/bookings/{made.json()['id']}", {"purpose": "alloys"}, if_match='"1"')
    assert [each["code"] for each in moved.json()["notices"]] == ["agreement_share_warning_private"]


def test_a_version_may_be_named_in_the_address_of_a_cancellation(researcher: Caller, booked: dict[str, Any]) -> None:
    assert researcher.delete(f"/bookings/{booked['id']}?version=1").json()["state"] == "cancelled"


def test_what_the_caller_has_already_is_not_sent_again(researcher: Caller, booked: dict[str, Any]) -> None:
    path = f"/bookings/{booked['id']}"
    again = researcher.get(path, if_none_match='W/"7", "1"')
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", '"1"')
    assert researcher.get(path, if_none_match='"2"').status_code == 200
    listed = researcher.get("/bookings")
    assert researcher.get("/bookings", if_none_match=listed.headers["etag"]).status_code == 304
    researcher.patch(path, {"purpose": "other", "version": 1})
    assert researcher.get("/bookings", if_none_match=listed.headers["etag"]).status_code == 200


# ---------------------------------------------------------------- calendars


def test_a_calendar_shows_rivals_as_occupied_and_nothing_else(
    researcher: Caller, booked: dict[str, Any], house: Database
) -> None:
    rival = a_booking(
        FESEM, span(25, 13, 15), person_id=COMPETITOR, project_id=INDUSTRY_PROJECT, purpose="secret alloy"
    )
    with house.write() as db:
        store.add(db, [rival])
    answer = researcher.get("/bookings?instrument=N001&from=2026-11-23T00:00:00Z&to=2026-11-30T00:00:00Z")
    own, other = answer.json()["items"]
    assert own["id"] == booked["id"]
    assert other == {
        "id": None, "instrument": "N001", "starts_at": "2026-11-25T06:00:00Z", "ends_at": "2026-11-25T08:00:00Z",
        "kind": "use", "state": None, "project": None, "purpose": None, "series": None,
        "override_reason": None, "version": None, "decide_by": None, "decision_note": None, "trainer": None,
        "person": None, "booked_by": None, "mode": None, "setup": "", "held_until": None, "operator": None,
    }  # fmt: skip
    assert "secret" not in answer.text
    assert str(rival.id) not in answer.text


def test_a_calendar_is_half_open(researcher: Caller, booked: dict[str, Any]) -> None:
    def found(first: str, last: str) -> list[str]:
        answer = researcher.get(f"/bookings?instrument=N001&from=2026-11-25T{first}:00Z&to=2026-11-25T{last}:00Z")
        return [item["id"] for item in answer.json()["items"]]

    # The booking is 02:00-04:00 UTC.
    assert found("00:00", "02:00") == found("04:00", "06:00") == []
    assert found("03:59", "06:00") == found("00:00", "02:01") == [booked["id"]]


def test_an_offset_may_be_typed_as_it_is_said(researcher: Caller, booked: dict[str, Any]) -> None:
    # The unescaped plus arrives as a space.
    answer = researcher.get("/bookings?instrument=N001&from=2026-11-25T09:00:00+07:00&to=2026-11-25T10:00:00+07:00")
    assert [item["id"] for item in answer.json()["items"]] == [booked["id"]]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("from=2026-11-25T00:00:00Z&to=2026-11-26T00:00:00Z", 400, "malformed_field"),
        ("instrument=N001", 400, "malformed_field"),
        ("instrument=N001&from=2026-11-25T00:00:00Z", 400, "malformed_field"),
        ("instrument=N001&from=yesterday&to=2026-11-26T00:00:00Z", 400, "malformed_field"),
        ("instrument=N001&from=0&to=1", 400, "malformed_field"),
        ("instrument=N001&from=2026-11-25T00:00:00&to=2026-11-26T00:00:00Z", 400, "naive_time"),
        ("instrument=N001&from=2026-11-26T00:00:00Z&to=2026-11-25T00:00:00Z", 400, "reversed_time"),
        # 23 November + 92 days is 23 February; a minute more is too long.
        ("instrument=N001&from=2026-11-23T00:00:00Z&to=2027-02-23T00:01:00Z", 400, "calendar_too_long"),
        ("instrument=N999&from=2026-11-25T00:00:00Z&to=2026-11-26T00:00:00Z", 404, "instrument_not_found"),
        ("instrument=%00&from=2026-11-25T00:00:00Z&to=2026-11-26T00:00:00Z", 400, "malformed_field"),
    ],
)
def test_a_calendar_that_cannot_be_read_is_refused(researcher: Caller, query: str, status: int, code: str) -> None:
    answer = researcher.get(f"/bookings?{query}")
    assert (answer.status_code, codes(answer)) == (status, [code])


# ---------------------------------------------------------------- bodies that cannot be read


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"null",
        b"[]",
        b'"N001"',
        b"{}",
        b"[" * 50_000,
        b'{"instrument": ' + b"[" * 50_000,
        b'{"instrument": "N001", "purpose": "\\ud800"}',
    ],
)
def test_a_body_that_is_no_booking_is_malformed(researcher: Caller, house: Database, body: bytes) -> None:
    with nothing_changes(house):
        answer = researcher.call("POST", "/bookings", content=body)
    assert answer.status_code == 400
    assert codes(answer)[0] in {"malformed_json", "malformed_field", "field_missing"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("instrument", 1),
        ("instrument", None),
        ("instrument", ["N001"]),
        ("instrument", ""),
        ("instrument", "N001\x00"),
        ("instrument", "x" * 65),
        ("starts_at", 0),
        ("starts_at", 1764036000),
        ("starts_at", "0"),
        ("starts_at", "2026-11-25"),
        ("starts_at", "25/11/2026 09:00"),
        ("starts_at", "2026-02-30T09:00:00+07:00"),
        ("starts_at", "0001-01-01T00:00:00+14:00"),
        ("ends_at", "9999-12-31T23:59:59-14:00"),
        ("ends_at", True),
        ("project", 5),
        ("purpose", {"text": "x"}),
        ("purpose", "a\x00b"),
        ("purpose", "x" * 501),
        ("person", 5),
        ("mode", "remote"),
        ("hold", "none"),
    ],
)
def test_a_field_of_another_kind_is_named(researcher: Caller, house: Database, field: str, value: object) -> None:
    with nothing_changes(house):
        answer = researcher.post("/bookings", wish(**{field: value}))
    assert (answer.status_code, codes(answer)) == (400, ["malformed_field"])
    assert answer.json()["refusals"][0]["params"] == {"field": field}


@pytest.mark.parametrize("field", ["access_class", "state", "booked_by", "id"])
def test_nobody_types_an_access_class_a_state_or_who_has_booked_it_into_a_booking(
    researcher: Caller, house: Database, field: str
) -> None:
    with nothing_changes(house):
        answer = researcher.post("/bookings", wish(**{field: "confirmed"}))
    assert (answer.status_code, codes(answer)) == (400, ["field_unknown"])
    assert answer.json()["refusals"][0]["params"] == {"field": field}


@pytest.mark.parametrize("field", ["instrument", "starts_at", "ends_at", "project"])
def test_a_missing_field_is_named(researcher: Caller, house: Database, field: str) -> None:
    body = {name: value for name, value in WISH.items() if name != field}
    with nothing_changes(house):
        answer = researcher.post("/bookings", body)
    assert (answer.status_code, codes(answer)) == (400, ["field_missing"])
    assert answer.json()["refusals"][0]["params"] == {"field": field}


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "code"),
    [
        ("2026-11-25T09:00:00", "2026-11-25T11:00:00+07:00", "naive_time"),
        ("2026-11-25T09:00:00+07:00", "2026-11-25T11:00:00", "naive_time"),
        ("2026-11-25T09:00:00", "2026-11-25T11:00:00", "naive_time"),
        ("2026-11-25T11:00:00+07:00", "2026-11-25T09:00:00+07:00", "reversed_time"),
        ("2026-11-25T09:00:00+07:00", "2026-11-25T09:00:00+07:00", "reversed_time"),
        # 09:00 in Hanoi is two hours after 09:00 in Tokyo (UTC+9) has passed.
        ("2026-11-25T09:00:00+07:00", "2026-11-25T09:00:00+09:00", "reversed_time"),
        ("2026-11-25T09:00:30+07:00", "2026-11-25T11:00:00+07:00", "not_whole_minute"),
        ("2026-11-25T09:00:00.000001+07:00", "2026-11-25T11:00:00+07:00", "not_whole_minute"),
    ],
)
def test_times_are_aware_in_order_and_whole_minutes(
    researcher: Caller, house: Database, booked: dict[str, Any], starts_at: str, ends_at: str, code: str
) -> None:
    times = {"starts_at": starts_at, "ends_at": ends_at}
    with nothing_changes(house):
        made = researcher.post("/bookings", wish(**times))
        moved = researcher.patch(f"/bookings/{booked['id']}", times, if_match='"1"')
    assert [(answer.status_code, codes(answer)) for answer in (made, moved)] == [(400, [code]), (400, [code])]


def test_a_body_of_more_than_64_kilobytes_is_not_read(researcher: Caller, house: Database) -> None:
    with nothing_changes(house):
        answer = researcher.call("POST", "/bookings", content=b'{"purpose": "' + b"x" * 65_536 + b'"}')
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


# ---------------------------------------------------------------- rules


def test_every_refusal_is_told_at_once_with_a_sentence_in_the_callers_language(
    researcher: Caller, house: Database
) -> None:
    # Sunday 22 November lies in the past and on a closed day; 15 minutes are under the half hour and off its raster.
    # KC-99 is not a project.
    body = wish(starts_at="2026-11-22T09:00:00+07:00", ends_at="2026-11-22T09:15:00+07:00", project="KC-99")
    with nothing_changes(house):
        english = researcher.post("/bookings", body)
        vietnamese = researcher.post("/bookings", body, accept_language="fr, en;q=0.5, vi;q=0.9")
    assert english.status_code == vietnamese.status_code == 422
    assert codes(english) == ["in_the_past", "too_short", "off_raster", "closed", "project_unknown"]
    assert codes(vietnamese) == codes(english)
    sentences = [[r["sentence"] for r in answer.json()["refusals"]] for answer in (english, vietnamese)]
    assert all(a != b for a, b in zip(*sentences, strict=True))
    assert english.json()["detail"] == " ".join(sentences[0])


def test_taken_time_beside_another_reason_is_no_conflict(
    researcher: Caller, house: Database, booked: dict[str, Any]
) -> None:
    # The researcher has that time themselves, so they would also be in two places.
    with nothing_changes(house):
        answer = researcher.post("/bookings", wish(starts_at="2026-11-25T10:00:00+07:00"))
    assert (answer.status_code, codes(answer)) == (422, ["person_elsewhere", "time_taken"])


def test_somebody_elses_time_is_a_conflict(
    calling: Callable[[str], Caller], house: Database, booked: dict[str, Any]
) -> None:
    colleague = calling("colleague")
    with nothing_changes(house):
        answer = colleague.post(
            "/bookings", wish(starts_at="2026-11-25T10:00:00+07:00", ends_at="2026-11-25T12:00:00+07:00")
        )
    assert (answer.status_code, codes(answer)) == (409, ["time_taken"])
    assert "ZnO" not in answer.text
    assert booked["id"] not in answer.text


def test_a_project_of_others_is_as_unknown_as_none(researcher: Caller, house: Database) -> None:
    with nothing_changes(house):
        answer = researcher.post("/bookings", wish(project="DN-01"))
    assert (answer.status_code, codes(answer)) == (422, ["project_unknown"])


def test_an_unknown_instrument_is_not_there(researcher: Caller, house: Database) -> None:
    with nothing_changes(house):
        answer = researcher.post("/bookings", wish(instrument="N999"))
    assert (answer.status_code, codes(answer)) == (404, ["instrument_not_found"])


def test_a_role_that_may_not_book_is_forbidden(calling: Callable[[str], Caller], house: Database) -> None:
    office = calling("office")
    with nothing_changes(house):
        answer = office.post("/bookings", WISH)
    assert (answer.status_code, codes(answer)) == (403, ["forbidden"])


# ---------------------------------------------------------------- versions


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("if_match", "status", "code"),
    [
        (None, 400, "version_missing"),
        ("*", 400, "version_missing"),
        ("1", 400, "version_missing"),
        ('"0"', 412, "booking_changed"),
        ('"2"', 412, "booking_changed"),
        ('W/"1"', 412, "booking_changed"),
        ('"abc"', 412, "booking_changed"),
        ('"99999999999999999999"', 412, "booking_changed"),
    ],
)
def test_a_change_names_the_version_that_was_seen(
    researcher: Caller,
    house: Database,
    booked: dict[str, Any],
    method: str,
    if_match: str | None,
    status: int,
    code: str,
) -> None:
    body = {"purpose": "other"} if method == "PATCH" else None
    headers = {} if if_match is None else {"if_match": if_match}
    with nothing_changes(house):
        answer = researcher.call(method, f"/bookings/{booked['id']}", json=body, **headers)
    assert (answer.status_code, codes(answer)) == (status, [code])


def test_two_versions_that_differ_are_one_too_many(researcher: Caller, house: Database, booked: dict[str, Any]) -> None:
    with nothing_changes(house):
        answer = researcher.patch(f"/bookings/{booked['id']}", {"purpose": "x", "version": 2}, if_match='"1"')
    assert (answer.status_code, codes(answer)) == (400, ["version_twice"])


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"version": 1},
        {"version": 0, "purpose": "x"},
        {"version": 1.5, "purpose": "x"},
        {"version": "1", "purpose": "x"},
        {"version": 2**31, "purpose": "x"},
        {"starts_at": None, "version": 1},
        {"capability": "XRD", "version": 1},
        {"state": "cancelled", "version": 1},
        {"project": "DN-01", "version": 1},
    ],
)
def test_a_change_that_cannot_be_read_or_names_nothing_is_malformed(
    researcher: Caller, house: Database, booked: dict[str, Any], body: dict[str, Any]
) -> None:
    with nothing_changes(house):
        answer = researcher.patch(f"/bookings/{booked['id']}", body)
    assert answer.status_code == 400
    assert len(codes(answer)) == 1


@pytest.mark.parametrize("version", ["0", "-1", "x", "1.5", "", "2147483648"])
def test_a_version_in_the_address_is_a_whole_number(
    researcher: Caller, house: Database, booked: dict[str, Any], version: str
) -> None:
    with nothing_changes(house):
        answer = researcher.delete(f"/bookings/{booked['id']}?version={version}")
    assert (answer.status_code, codes(answer)) == (400, ["malformed_field"])


def test_a_move_obeys_the_rules_of_a_new_booking(researcher: Caller, house: Database, booked: dict[str, Any]) -> None:
    with nothing_changes(house):
        # Closed at 18:00.
        answer = researcher.patch(f"/bookings/{booked['id']}", {"ends_at": "2026-11-25T18:30:00+07:00", "version": 1})
    assert (answer.status_code, codes(answer)) == (422, ["too_long", "closed"])


def test_what_has_begun_is_not_cancelled(researcher: Caller, house: Database) -> None:
    # Now is 08:00 on the 23rd.
    running = a_booking(FESEM, span(23, 8, 9))
    with house.write() as db:
        store.add(db, [running])
    with nothing_changes(house):
        answer = researcher.delete(f"/bookings/{running.id}?version=1")
    assert (answer.status_code, codes(answer)) == (422, ["booking_begun"])


# ---------------------------------------------------------------- whose it is


@pytest.mark.parametrize("login", ["competitor", "partner"])
def test_a_booking_of_somebody_else_is_not_there(
    calling: Callable[[str], Caller], house: Database, booked: dict[str, Any], login: str
) -> None:
    other, path = calling(login), f"/bookings/{booked['id']}"
    with nothing_changes(house):
        answers = [
            other.get(path),
            other.patch(path, {"purpose": "mine now", "version": 1}),
            other.delete(path, if_match='"1"'),
        ]
    assert [(answer.status_code, codes(answer)) for answer in answers] == [(404, ["booking_not_found"])] * 3


def test_a_manager_sees_their_centres_bookings_and_no_others(calling: Callable[[str], Caller], house: Database) -> None:
    here, there = a_booking(FESEM, span(25, 9, 11)), a_booking(NMR, span(25, 13, 14))
    with house.write() as db:
        store.add(db, [here, there])
    manager = calling("manager")
    assert manager.get(f"/bookings/{here.id}").json()["purpose"] == ""
    assert manager.get(f"/bookings/{there.id}").status_code == 404
    assert manager.delete(f"/bookings/{here.id}?version=1").json()["state"] == "cancelled"


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("booking_id", [str(UUID(int=999)), "1", "N001", "%00", "' OR 1=1 --"])
def test_an_id_that_is_nobodys_is_not_there(researcher: Caller, house: Database, method: str, booking_id: str) -> None:
    body = {"purpose": "x"} if method == "PATCH" else None
    with nothing_changes(house):
        answer = researcher.call(method, f"/bookings/{booking_id}", json=body, if_match='"1"')
    assert answer.status_code in {404, 405}
    assert codes(answer)


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "not_signed_in"),
        ("", "not_signed_in"),
        ("Basic cmVzZWFyY2hlcjp4", "not_signed_in"),
        ("Bearer", "not_signed_in"),
        ("Bearer labshare_" + "A" * 43, "token_invalid"),
        ("Bearer " + "x" * 5000, "token_invalid"),
    ],
)
def test_without_a_token_nothing_is_said_or_done(
    client: Client, house: Database, authorization: str | None, code: str
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    with nothing_changes(house):
        answer = client.post("/api/v1/bookings", json=WISH, headers=headers)
    assert (answer.status_code, codes(answer)) == (401, [code])
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_sign_in_cookie_does_not_act_for_anybody_here(client: Client, house: Database) -> None:
    sign_in(client, "researcher")
    with nothing_changes(house):
        assert client.post("/api/v1/bookings", json=WISH).status_code == 401


def test_an_expired_token_is_refused(house: Database, researcher: Caller) -> None:
    with house.write() as db:
        db.execute(sa.update(t.tokens).values(expires_at=t.tokens.c.created_at))
    with nothing_changes(house):
        assert researcher.post("/bookings", WISH).status_code == 401


def test_the_same_time_is_given_once_however_often_it_is_asked(
    calling: Callable[[str], Caller], house: Database
) -> None:
    callers = [calling("researcher"), calling("colleague")]
    answers = [caller.post("/bookings", WISH).status_code for caller in callers * 2]
    # The researcher gets it; the colleague finds it taken; the researcher is there already.
    assert answers == [201, 409, 422, 409]
    with house.read() as db:
        assert db.execute(sa.select(sa.func.count()).select_from(t.bookings)).scalar_one() == 1


def test_a_wish_that_lacks_a_clearance_is_refused_and_put_before_the_user_office(
    researcher: Caller, house: Database
) -> None:
    clause = Screening(lists=(WatchList(id="dual_use", terms=("nanowires",)),))
    agreement = an_agreement(screening=clause, covered=Scope(centres=("C-ONE",)), parties=("I-IMS",))
    with house.write() as db:
        agreements.add_version(db, Version(number=1, agreement=agreement), actor_id=None, now=NOW)
    answer = researcher.post("/bookings", WISH)
    assert (answer.status_code, codes(answer)) == (422, ["clearance_waiting"])
    with house.read() as db:
        assert [line.project for line in clearances.lines(db)] == ["KC-01"]


# ---------------------------------------------------------------- several together


def times(hour: int, **changes: Any) -> dict[str, Any]:
    """The wish for one hour on the 25th, from this hour in Hanoi."""
    return wish(
        starts_at=f"2026-11-25T{hour:02}:00:00+07:00", ends_at=f"2026-11-25T{hour + 1:02}:00:00+07:00", **changes
    )


def test_several_wishes_are_granted_together_in_their_order(researcher: Caller) -> None:
    answer = researcher.post("/bookings/batch", {"items": [times(14), times(9, instrument="N002"), times(11)]})
    assert answer.status_code == 201, answer.text
    made = answer.json()["items"]
    # 14, 9 and 11 in Hanoi are 7, 2 and 4 UTC.
    assert [(each["instrument"], each["starts_at"]) for each in made] == [
        ("N001", "2026-11-25T07:00:00Z"),
        ("N002", "2026-11-25T02:00:00Z"),
        ("N001", "2026-11-25T04:00:00Z"),
    ]
    assert [(each["state"], each["version"], each["notices"]) for each in made] == [("confirmed", 1, [])] * 3
    listed = researcher.get("/bookings").json()["items"]
    assert {each["id"] for each in listed} == {each["id"] for each in made}


def test_one_wish_that_is_refused_refuses_all_and_is_named(
    researcher: Caller, calling: Callable[[str], Caller], house: Database
) -> None:
    assert calling("colleague").post("/bookings", times(11)).status_code == 201
    with nothing_changes(house):
        taken = researcher.post("/bookings/batch", {"items": [times(9), times(11), times(9)]})
        alone = researcher.post("/bookings/batch", {"items": [times(9), times(11)]})
    # The third is where the first would be, so the person would be there as well.
    found = [(each["code"], each["params"]["item"]) for each in taken.json()["refusals"]]
    # "Somebody has the time" is said once, whatever the number of items it is true of.
    said = {each["sentence"] for each in taken.json()["refusals"]}
    assert len(taken.json()["detail"]) == sum(map(len, said)) + len(said) - 1
    assert (taken.status_code, found) == (422, [("time_taken", 1), ("person_elsewhere", 2), ("time_taken", 2)])
    assert (alone.status_code, codes(alone)) == (409, ["time_taken"])


@pytest.mark.parametrize(
    ("items", "status", "code", "params"),
    [
        ([WISH, {**WISH, "starts_at": "2026-11-25T09:00:00"}], 400, "naive_time", {"item": 1}),
        ([WISH, {**WISH, "starts_at": 5}], 400, "malformed_field", {"field": "starts_at", "item": 1}),
        ([WISH, {**WISH, "more": 5}], 400, "field_unknown", {"field": "more", "item": 1}),
        ([5], 400, "malformed_field", {"field": "$", "item": 0}),
        ([WISH, {**WISH, "instrument": "N999"}], 404, "instrument_not_found", {"instrument": "N999", "item": 1}),
        ([], 400, "malformed_field", {"field": "items"}),
        ([WISH] * 51, 400, "malformed_field", {"field": "items"}),
        ({"0": WISH}, 400, "malformed_field", {"field": "items"}),
    ],
)
def test_what_is_wrong_with_an_item_names_its_place(
    researcher: Caller, house: Database, items: Any, status: int, code: str, params: dict[str, Any]
) -> None:
    with nothing_changes(house):
        answer = researcher.post("/bookings/batch", {"items": items})
    assert (answer.status_code, codes(answer)) == (status, [code])
    assert params.items() <= answer.json()["refusals"][0]["params"].items()


def test_fifty_wishes_are_not_too_many(researcher: Caller) -> None:
    """Half an hour each, 8 to 18 from Wednesday the 25th: 20 a day, so the 50th is on the third day, at 12:30."""

    def half(number: int) -> dict[str, Any]:
        day, slot = divmod(number, 20)
        hour, minute = divmod(8 * 60 + 30 * slot, 60)
        ends = divmod(8 * 60 + 30 * (slot + 1), 60)
        return wish(
            instrument="N002",
            starts_at=f"2026-11-{25 + day}T{hour:02}:{minute:02}:00+07:00",
            ends_at=f"2026-11-{25 + day}T{ends[0]:02}:{ends[1]:02}:00+07:00",
        )

    answer = researcher.post("/bookings/batch", {"items": [half(number) for number in range(50)]})
    assert answer.status_code == 201, answer.text
    assert answer.json()["items"][-1]["starts_at"] == "2026-11-27T05:30:00Z"


def test_a_booking_is_a_file_for_whoever_may_read_it(researcher: Caller, calling: Callable[[str], Caller]) -> None:
    booking = researcher.post("/bookings", WISH).json()
    path = f"/bookings/{booking['id']}/booking.ics"
    answer = researcher.get(path)
    assert answer.headers["content-type"].startswith("text/calendar")
    assert answer.headers["content-disposition"] == 'attachment; filename="N001-20261125.ics"'
    (event,) = seen(answer.text)
    assert (event.uid, event.summary) == (f"{booking['id'].replace('-', '')}@127.0.0.1", "FESEM instrument")
    tag = answer.headers["etag"]
    same = researcher.get(path, if_none_match=tag)
    assert (same.status_code, same.text, same.headers["etag"]) == (304, "", tag)
    # In another language, and once it has moved, it is another file.
    assert researcher.get(path, accept_language="vi", if_none_match=tag).status_code == 200
    researcher.patch(f"/bookings/{booking['id']}", {"ends_at": "2026-11-25T12:00:00+07:00", "version": 1})
    assert researcher.get(path, if_none_match=tag).status_code == 200
    # As its page and its answer: for the managers of the centre too, and for nobody else.
    assert calling("manager").get(path).status_code == 200
    assert calling("competitor").get(path).status_code == 404
    assert researcher.get("/bookings/00000000-0000-0000-0000-000000000001/booking.ics").status_code == 404


def test_a_booking_with_every_rule_on_asks_the_database_twelve_times(
    database: Database, settings: Settings, clock: Callable[[], datetime]
) -> None:
    """Sign-in and codes before the ten of the service, and nothing for the answer.

    A refusal of a time that is taken takes five: sign-in, codes, the person, what stands around, balances.
    """
    with database.write() as db:
        furnish_strictly(db)
        store.add(db, [a_booking(FESEM, span(27, 9, 11), person_id=COLLEAGUE)])
    with TestClient(create_app(settings, database=database, clock=clock)) as client:
        researcher = calling_on(client, database, "researcher")
        assert researcher.post("/bookings", WISH).status_code == 201
        with counted(database.engine) as made:
            tomorrow = wish(starts_at="2026-11-26T09:00:00+07:00", ends_at="2026-11-26T11:00:00+07:00")
            assert researcher.post("/bookings", tomorrow).status_code == 201
        with counted(database.engine) as refused:
            taken = wish(starts_at="2026-11-27T09:00:00+07:00", ends_at="2026-11-27T11:00:00+07:00")
            assert researcher.post("/bookings", taken).status_code == 409
    assert (len(made), len(refused)) == (12, 5)
