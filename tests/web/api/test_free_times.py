"""Free time for programs: the same search as on the page, by the same names."""

from __future__ import annotations

from labshare.services import usage
from labshare.store import bookings as store
from labshare.store.engine import Database
from tests.furniture import COLLEAGUE, MANAGER, NOW, XRD, a_booking, actor, span
from tests.web.api.conftest import Caller, codes

WEEK = "from=2026-11-23&to=2026-11-29"


def test_programs_ask_the_same_as_people(researcher: Caller, house: Database) -> None:
    with house.write() as db:
        usage.record_down(db, actor(MANAGER), "N002", "", NOW)
    answer = researcher.get(f"/slots?centre=C-ONE&length=3h&{WEEK}&day=Thu&latest=12:00")
    assert answer.status_code == 200, answer.text
    # 8 to 11 in Hanoi.
    assert answer.json() == {
        "items": [
            {
                "date": "2026-11-26", "instrument": code, "centre": "C-ONE", "city_vi": "", "city_en": "",
                "slots": [{"starts_at": "2026-11-26T01:00:00Z", "ends_at": "2026-11-26T04:00:00Z"}],
                "lacking": [], "estimate": None, "down_since": down_since,
            }
            for code, down_since in (("N001", None), ("N002", "2026-11-23T01:00:00Z"))
        ],
        "instruments": 2,
        "others": 0,
    }  # fmt: skip


def test_what_cannot_be_read_is_malformed_and_what_is_not_there_not_found(researcher: Caller) -> None:
    assert researcher.get("/slots?length=soon").json()["code"] == "malformed_length"
    for wrong in ("from=tomorrow", "from=%01", "day=Xxx", "day=Mon&day=", "part=evening"):
        answer = researcher.get(f"/slots?{wrong}")
        assert answer.status_code == 400
        assert answer.json()["refusals"][0]["params"] == {"field": wrong.partition("=")[0]}
    assert codes(researcher.get("/slots?project=KC-99")) == ["project_unknown"]
    assert researcher.get("/slots?instrument=N999").status_code == 404


def test_the_nearest_to_a_wish_are_told_in_place_of_it(researcher: Caller, house: Database) -> None:
    """A colleague has 8 to 10 on Wednesday: free are 10 on that day, 8 on Thursday, and on Monday until 18:00, as the
    Tuesday between is a holiday.
    """
    with house.write() as db:
        store.add(db, [a_booking(XRD, span(25, 8, 10), person_id=COLLEAGUE)])
    wish = "starts_at=2026-11-25T09:00:00%2B07:00&ends_at=2026-11-25T11:00:00%2B07:00&project=KC-01"
    answer = researcher.get(f"/slots/near?instrument=N002&{wish}").json()
    found = answer["items"]
    assert answer["down_since"] is None
    with house.write() as db:
        usage.record_down(db, actor(MANAGER), "N002", "", NOW)
    assert researcher.get(f"/slots/near?instrument=N002&{wish}").json() == {
        "items": found, "down_since": "2026-11-23T01:00:00Z",
    }  # fmt: skip
    assert [each["starts_at"] for each in found] == [
        "2026-11-25T03:00:00Z", "2026-11-26T01:00:00Z", "2026-11-23T09:00:00Z",
    ]  # fmt: skip
    assert found[0]["ends_at"] == "2026-11-25T05:00:00Z"
    assert researcher.get(f"/slots/near?instrument=N999&{wish}").status_code == 404
    assert codes(researcher.get("/slots/near?instrument=N002")) == ["malformed_field"]
    reversed_wish = wish.replace("T11", "T08")
    assert researcher.get(f"/slots/near?instrument=N002&{reversed_wish}").status_code == 400
