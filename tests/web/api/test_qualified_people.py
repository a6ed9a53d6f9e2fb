"""Who is qualified for an instrument, granting, safety courses and what is demanded, by the managers' programs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from labshare.store.engine import Database
from tests.web.api.conftest import Caller, codes, nothing_changes

PEOPLE = "/qualifications/people?instrument=N001"
GIVEN = {"instrument": "N001", "person": "partner", "level": 2, "last_day": "2027-11-22"}
COURSE = {"instrument": "N001", "person": "researcher", "completed_on": "2026-10-23"}


@pytest.fixture
def manager(calling: Callable[[str], Caller]) -> Caller:
    return calling("manager")


def test_a_manager_grants_what_nobody_asked_for(manager: Caller, calling: Callable[[str], Caller]) -> None:
    assert [each["person"] for each in manager.get(PEOPLE).json()["items"]] == ["colleague", "competitor", "researcher"]
    granted = manager.post("/qualifications", GIVEN, idempotency_key="g1")
    assert granted.status_code == 200
    # The highest level first; the end of 22 November in Hanoi.
    first = granted.json()["items"][0]
    assert (first["person"], first["level"], first["until"]) == ("partner", 2, "2027-11-22T17:00:00Z")
    assert manager.post("/qualifications", GIVEN, idempotency_key="g1").json() == granted.json()
    (held,) = calling("partner").get("/qualifications").json()["items"]
    assert (held["instrument"], held["level"], held["state"]) == ("N001", 2, "valid")


def test_a_demand_is_chosen_and_a_course_written_down(manager: Caller, researcher: Caller) -> None:
    """The course of 23 October counts for a month from then: until the end of 23 November, which is today."""
    chosen = manager.call("PUT", "/instruments/N001/demand", json={"course_months": 1})
    assert chosen.json() == {"lapse_months": 0, "first_use_days": 0, "course_months": 1}
    assert researcher.get("/instruments/N001").json()["demand"] == chosen.json()
    assert researcher.get("/qualifications").json()["items"][0]["state"] == "course_missing"
    recorded = manager.post("/qualifications/courses", COURSE)
    (seen,) = (each for each in recorded.json()["items"] if each["person"] == "researcher")
    assert (seen["course_on"], seen["until"], seen["why"]) == ("2026-10-23", "2026-11-23T17:00:00Z", "course")
    assert seen["state"] == "soon"


def test_nobody_else_reads_or_writes_any_of_it(
    manager: Caller, researcher: Caller, calling: Callable[[str], Caller], house: Database
) -> None:
    partner = calling("partner")
    with nothing_changes(house):
        for caller in (researcher, partner):
            assert codes(caller.get(PEOPLE)) == ["forbidden"]
            assert codes(caller.post("/qualifications", GIVEN)) == ["forbidden"]
            assert codes(caller.post("/qualifications/courses", COURSE)) == ["forbidden"]
            assert codes(caller.call("PUT", "/instruments/N001/demand", json={})) == ["forbidden"]
        # Of the other centre, of nobody, of oneself, in the past, to come, beyond what can be demanded.
        assert manager.get("/qualifications/people?instrument=N003").status_code == 403
        assert manager.get("/qualifications/people?instrument=N999").status_code == 404
        assert codes(manager.post("/qualifications", {**GIVEN, "person": "nobody"})) == ["person_unknown"]
        assert codes(manager.post("/qualifications", {**GIVEN, "person": "manager"})) == ["qualification_of_own"]
        assert codes(manager.post("/qualifications", {**GIVEN, "last_day": "2026-11-01"})) == ["qualification_until"]
        late = manager.post("/qualifications/courses", {**COURSE, "completed_on": "2026-11-24"})
        assert codes(late) == ["safety_course_day"]
        assert manager.call("PUT", "/instruments/N001/demand", json={"course_months": 1000}).status_code == 400
