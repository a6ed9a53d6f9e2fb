"""Repeating bookings by program. The house of tests/web/api/test_bookings.py; the first date is Wed 25 November."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from labshare.domain.agreements import Strictness
from labshare.domain.bases import Base
from labshare.domain.timespan import Span
from labshare.services import modes
from labshare.store import bookings as store
from labshare.store.engine import Database
from tests.furniture import COLLEAGUE, FESEM, MANAGER, NOW, a_booking, actor, span
from tests.shares import PUBLIC, a_rule, an_agreement, load
from tests.web.api.conftest import Caller, codes, nothing_changes

WISH = {
    "instrument": "N001",
    "starts_at": "2026-11-25T09:00:00+07:00",
    "ends_at": "2026-11-25T11:00:00+07:00",
    "project": "KC-01",
    "rrule": "FREQ=WEEKLY;COUNT=3",
}
NEXT = span(25, 9, 11).start + timedelta(weeks=1)


@pytest.fixture
def occupied(house: Database) -> None:
    """The second date is somebody else's."""
    with house.write() as db:
        store.add(db, [a_booking(FESEM, Span(NEXT, NEXT + timedelta(hours=2)), person_id=COLLEAGUE)])


def starts(series: dict[str, Any], state: str = "confirmed") -> list[str]:
    return [each["starts_at"] for each in series["bookings"] if each["state"] == state]


def test_a_series_is_made_shown_moved_described_and_cancelled_in_part(researcher: Caller) -> None:
    made = researcher.post("/series", WISH)
    assert made.status_code == 201, made.text
    series, dates = made.json()["series"], made.json()["dates"]
    path = f"/series/{series['id']}"
    assert (made.headers["location"], made.headers["etag"], dates) == (f"/api/v1{path}", '"3"', [])
    assert starts(series) == ["2026-11-25T02:00:00Z", "2026-12-02T02:00:00Z", "2026-12-09T02:00:00Z"]
    shown = researcher.get(path)
    assert (shown.json() | {"notices": []}, shown.headers["etag"]) == (series, '"3"')
    assert {each["series"] for each in researcher.get("/bookings").json()["items"]} == {series["id"]}

    second = series["bookings"][1]["id"]
    times = {"starts_at": "2026-12-03T03:00:00Z", "ends_at": "2026-12-03T05:00:00Z"}
    moved = researcher.patch(f"{path}?from={second}", times, if_match='"3"')
    # Two of the three have one version more.
    assert (moved.status_code, moved.headers["etag"]) == (200, '"5"')
    assert starts(moved.json()) == ["2026-11-25T02:00:00Z", "2026-12-03T03:00:00Z", "2026-12-10T03:00:00Z"]

    described = researcher.patch(path, {"purpose": "TiO2", "version": 5})
    assert {each["purpose"] for each in described.json()["bookings"]} == {"TiO2"}
    assert described.json()["version"] == 8

    cancelled = researcher.delete(f"{path}?from={second}&version=8")
    assert cancelled.status_code == 200
    assert starts(cancelled.json()) == ["2026-11-25T02:00:00Z"]
    assert researcher.delete(path, if_match=cancelled.headers["etag"]).status_code == 200
    over = researcher.delete(path, if_match='"11"')
    assert (over.status_code, codes(over)) == (422, ["series_over"])


def test_a_dry_run_tells_every_date_and_changes_nothing(researcher: Caller, occupied: None, house: Database) -> None:
    with nothing_changes(house):
        answer = researcher.post("/series?dry_run=true", WISH)
    assert (answer.status_code, answer.json()["series"]) == (200, None)
    first, second, third = answer.json()["dates"]
    assert first == {
        "starts_at": "2026-11-25T02:00:00Z", "ends_at": "2026-11-25T04:00:00Z", "refusals": [], "offers": [],
    }  # fmt: skip
    assert third["refusals"] == []
    assert [refusal["code"] for refusal in second["refusals"]] == ["time_taken"]
    # 11:00 in Hanoi that day, 8:00 the day after.
    assert [offer["starts_at"] for offer in second["offers"]] == ["2026-12-02T04:00:00Z", "2026-12-03T01:00:00Z"]


def test_refused_dates_stop_are_left_out_or_move(researcher: Caller, occupied: None, house: Database) -> None:
    with nothing_changes(house):
        stopped = researcher.post("/series", WISH)
    assert (stopped.status_code, codes(stopped)) == (409, ["time_taken"])
    assert stopped.json()["refusals"][0]["params"]["item"] == 1
    moved = researcher.post("/series", WISH | {"conflicts": "move"}).json()
    assert starts(moved["series"]) == ["2026-11-25T02:00:00Z", "2026-12-02T04:00:00Z", "2026-12-09T02:00:00Z"]
    assert researcher.delete(f"/series/{moved['series']['id']}", if_match='"3"').status_code == 200
    skipped = researcher.post("/series", WISH | {"conflicts": "skip"}).json()
    assert starts(skipped["series"]) == ["2026-11-25T02:00:00Z", "2026-12-09T02:00:00Z"]
    assert [each["starts_at"] for each in skipped["dates"]] == ["2026-12-02T02:00:00Z"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"rrule": "FREQ=WEEKLY"}, "repeat_end"),
        ({"rrule": "FREQ=WEEKLY;COUNT=3;BYMONTH=1"}, "rrule_part"),
        ({"rrule": "FREQ=DAILY;COUNT=101"}, "repeat_too_many"),
        ({"rrule": ""}, "malformed_field"),
        ({"conflicts": "push"}, "malformed_field"),
        ({"colour": "red"}, "field_unknown"),
    ],
)
def test_a_rule_that_cannot_be_read_is_malformed(
    researcher: Caller, house: Database, changes: dict[str, Any], code: str
) -> None:
    with nothing_changes(house):
        answer = researcher.post("/series", WISH | changes)
    assert (answer.status_code, codes(answer)) == (400, [code])


def test_a_change_names_the_version_that_was_seen(researcher: Caller, house: Database) -> None:
    series = researcher.post("/series", WISH).json()["series"]
    path = f"/series/{series['id']}"
    with nothing_changes(house):
        assert codes(researcher.patch(path, {"purpose": "x"})) == ["version_missing"]
        assert researcher.patch(path, {"purpose": "x"}, if_match='"2"').status_code == 412
        assert researcher.delete(path, if_match='"4"').status_code == 412
        assert codes(researcher.patch(path, {}, if_match='"3"')) == ["nothing_to_change"]
        strange = "00000000-0000-0000-0000-000000000099"
        assert researcher.delete(f"{path}?from={strange}", if_match='"3"').status_code == 404


def test_a_strange_series_is_not_there(researcher: Caller, calling: Callable[[str], Caller], house: Database) -> None:
    series = researcher.post("/series", WISH).json()["series"]
    stranger = calling("competitor")
    path = f"/series/{series['id']}"
    with nothing_changes(house):
        assert stranger.get(path).status_code == 404
        assert stranger.patch(path, {"purpose": "x"}, if_match='"3"').status_code == 404
        assert stranger.delete(path, if_match='"3"').status_code == 404


def test_those_ahead_are_run_by_somebody_else_and_set_up_alike(researcher: Caller, house: Database) -> None:
    with house.write() as db:
        modes.choose(db, actor(MANAGER), "N001", ["self", "assisted"], "5 kV", NOW)
    path = f"/series/{researcher.post('/series', WISH).json()['series']['id']}"
    changed = researcher.patch(path, {"mode": "assisted", "setup": "5 kV"}, if_match='"3"')
    assert (changed.status_code, changed.json()["notices"]) == (200, [])
    found = [researcher.get(f"/bookings/{each['id']}").json() for each in changed.json()["bookings"]]
    assert {(each["mode"], each["setup"]) for each in found} == {("assisted", "5 kV")}
    assert starts(changed.json()) == ["2026-11-25T02:00:00Z", "2026-12-02T02:00:00Z", "2026-12-09T02:00:00Z"]
    other = researcher.patch(path, {"instrument": "N002"}, if_match='"6"')
    assert (other.status_code, codes(other)) == (400, ["malformed_field"])


def test_a_share_is_told_once_for_all_dates(researcher: Caller, house: Database, tmp_path: Path) -> None:
    """Nothing else is booked, so that public research has all of each week, where a quarter is agreed."""
    rule = a_rule(base=Base.BOOKED, strict=Strictness.SOFT, penalty=1, share=Fraction(1, 4), who=PUBLIC)
    with house.write() as db:
        load(db, tmp_path, an_agreement(rule))
    made = researcher.post("/series", WISH).json()["series"]
    assert [each["code"].removesuffix("_clause") for each in made["notices"]] == ["agreement_share_warning"]
