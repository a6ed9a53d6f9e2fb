"""Free time for programs: the same search as on the page, by the same names."""

from __future__ import annotations

from tests.web.api.conftest import Caller

WEEK = "from=2026-11-23&to=2026-11-29"


def test_programs_ask_the_same_as_people(researcher: Caller) -> None:
    answer = researcher.get(f"/slots?centre=C-ONE&length=3h&{WEEK}&day=Thu&latest=12:00")
    assert answer.status_code == 200, answer.text
    # 8 to 11 in Hanoi.
    assert answer.json() == {
        "items": [
            {
                "date": "2026-11-26", "instrument": code, "centre": "C-ONE", "city_vi": "", "city_en": "",
                "slots": [{"starts_at": "2026-11-26T01:00:00Z", "ends_at": "2026-11-26T04:00:00Z"}],
                "lacking": [], "estimate": None,
            }
            for code in ("N001", "N002")
        ],
        "instruments": 2,
        "others": 0,
    }  # fmt: skip


def test_what_cannot_be_read_is_malformed_and_what_is_not_there_not_found(researcher: Caller) -> None:
    assert researcher.get("/slots?length=soon").json()["code"] == "malformed_length"
    assert researcher.get("/slots?from=tomorrow").status_code == 400
    assert researcher.get("/slots?instrument=N999").status_code == 404
