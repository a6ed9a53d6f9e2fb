"""Security clearances through the API: whatever is refused for want of one is put before the user office."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from labshare.domain.agreements import Scope, Version
from labshare.domain.screening import Screening, WatchList
from labshare.store import agreements, clearances
from labshare.store.engine import Database
from tests.domain.test_agreements import an_agreement
from tests.furniture import NOW
from tests.web.api.conftest import Caller, nothing_changes
from tests.web.api.test_bookings import WISH, codes

OTHER = WISH | {"purpose": "Màng mỏng"}
WORDS = {"purpose": "ZnO nanowires"}
LATER = {"starts_at": "2026-11-25T13:00:00+07:00", "ends_at": "2026-11-25T15:00:00+07:00"}
RULE = {"rrule": "FREQ=WEEKLY;COUNT=2"}


@pytest.fixture
def screened(house: Database) -> None:
    """An agreement looks for nanowires at Centre One."""
    clause = Screening(lists=(WatchList(id="dual_use", terms=("nanowires",)),))
    agreement = an_agreement(screening=clause, covered=Scope(centres=("C-ONE",)), parties=("I-IMS",))
    with house.write() as db:
        agreements.add_version(db, Version(number=1, agreement=agreement), actor_id=None, now=NOW)


def described(caller: Caller, **headers: str) -> Any:
    made = caller.post("/bookings", OTHER).json()
    return caller.patch(f"/bookings/{made['id']}", WORDS, if_match='"1"', **headers)


def moved(caller: Caller) -> Any:
    made = caller.post("/bookings", OTHER).json()
    times = {"starts_at": "2026-11-26T09:00:00+07:00", "ends_at": "2026-11-26T11:00:00+07:00"}
    return caller.patch(f"/bookings/{made['id']}", WORDS | times, if_match='"1"')


def described_as_series(caller: Caller) -> Any:
    made = caller.post("/series", OTHER | RULE).json()["series"]
    return caller.patch(f"/series/{made['id']}", WORDS, if_match='"2"')


PATHS: dict[str, Callable[[Caller], Any]] = {
    "booked": lambda caller: caller.post("/bookings", WISH),
    "with a key": lambda caller: caller.post("/bookings", WISH, idempotency_key="one"),
    "together": lambda caller: caller.post("/bookings/batch", {"items": [OTHER, WISH | LATER]}),
    "held": lambda caller: caller.post("/bookings/holds", WISH),
    "described": described,
    "described with a key": lambda caller: described(caller, idempotency_key="two"),
    "moved": moved,
    "repeated": lambda caller: caller.post("/series", WISH | RULE),
    "repeated without what is refused": lambda caller: caller.post("/series", WISH | RULE | {"conflicts": "skip"}),
    "series described": described_as_series,
}


@pytest.mark.usefixtures("screened")
@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_what_lacks_a_clearance_is_refused_and_put_before_the_user_office(
    researcher: Caller, house: Database, path: Callable[[Caller], Any]
) -> None:
    answer = path(researcher)
    assert answer.status_code == 422
    assert set(codes(answer)) == {"clearance_waiting"}
    with house.read() as db:
        (line,) = clearances.lines(db)
    assert (line.project, line.clearance.found, line.clearance.version) == ("KC-01", ("nanowires",), 1)


@pytest.mark.usefixtures("screened")
def test_a_look_at_a_series_puts_it_there_too(researcher: Caller, house: Database) -> None:
    """It says that the user office decides, so that must be true."""
    answer = researcher.post("/series?dry_run=true", WISH | RULE)
    assert {each["code"] for date in answer.json()["dates"] for each in date["refusals"]} == {"clearance_waiting"}
    with house.read() as db:
        assert [line.project for line in clearances.lines(db)] == ["KC-01"]


def test_a_dry_run_says_what_is_lacking_and_asks_nobody_for_it(
    researcher: Caller, house: Database, screened: None
) -> None:
    booking = researcher.post("/bookings", OTHER).json()
    with nothing_changes(house):
        for path, body in (("/bookings/trial", WISH | LATER), (f"/bookings/{booking['id']}/trial", WORDS)):
            (refusal,) = researcher.post(path, body).json()["refusals"]
            assert refusal["code"] == "clearance_waiting"
