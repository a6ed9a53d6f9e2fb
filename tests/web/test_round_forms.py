"""What is typed into the forms of rounds and requests, read generously and never guessed."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from labshare.domain.rounds import Offer
from labshare.services.time_requests import RequestWish
from labshare.web.round_forms import (
    RequestForm,
    RoundForm,
    SpanRow,
    form_of_request,
    form_of_round,
    read_request,
    read_round,
    several,
)
from tests.domain.test_rounds import a_round
from tests.domain.test_time_requests import request
from tests.round_of import at, span

PROJECT = UUID(int=21)


def round_form(**changes: Any) -> RoundForm:
    values: dict[str, Any] = {
        "code": "W49",
        "title_vi": "Đợt",
        "opens_date": "2026-11-23",
        "opens_clock": "8",
        "closes_date": "25/11/2026",
        "closes_clock": "17h30",
        "publishes_date": "2026-11-27",
        "publishes_clock": "12:00",
        "starts_date": "2026-11-30",
        "starts_clock": "0",
        "ends_date": "2026-12-04",
        "ends_clock": "24:00",
        "instruments": ["N002", "N003"],
    }
    return RoundForm(**(values | changes))


def request_form(**changes: Any) -> RequestForm:
    values: dict[str, Any] = {
        "project": str(PROJECT),
        "purpose": "films",
        "sessions": "2",
        "length": "1h30",
        "min_sessions": "1",
        "instruments": "N002",
    }
    return RequestForm(**(values | changes))


def test_a_round_is_read_on_the_clock_of_the_centres() -> None:
    made, faults = read_round(round_form())
    assert faults == {}
    assert made is not None
    assert (made.opens_at, made.closes_at, made.starts_at, made.ends_at) == (
        at(-7, 8),
        at(-5, 17, 30),
        at(0, 0),
        at(5, 0),
    )


def test_without_intervals_every_instrument_is_offered_for_the_whole_round() -> None:
    made, _ = read_round(round_form())
    assert made is not None
    assert [(code, each.start, each.end) for code, each in made.offers] == [
        ("N002", at(0, 0), at(5, 0)),
        ("N003", at(0, 0), at(5, 0)),
    ]


def test_every_instrument_is_offered_in_every_interval() -> None:
    made, _ = read_round(
        round_form(
            instruments="N002",
            from_date=["2026-11-30", "2026-12-01", ""],
            from_clock=["8", "8", ""],
            until_date=["", "2026-12-01", ""],
            until_clock=["12", "10", ""],
        )
    )
    assert made is not None
    assert made.offers == (("N002", span(0, 8, 12)), ("N002", span(1, 8, 10)))


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"opens_date": "31/02/2026"}, "opens", "malformed_date"),
        ({"opens_clock": ""}, "opens", "field_empty"),
        ({"closes_clock": "25:00"}, "closes", "malformed_clock"),
        ({"ends_date": "2026-11-30", "ends_clock": "0"}, "ends", "reversed_time"),
        ({"slot_minutes": "half an hour"}, "slot_minutes", "malformed_number"),
        ({"from_date": ["2026-11-30"], "from_clock": ["12"], "until_clock": ["8"]}, "spans", "reversed_time"),
        ({"from_date": ["2026-11-30"], "from_clock": ["12"]}, "spans", "field_empty"),
    ],
)
def test_what_cannot_be_read_is_told_at_its_field(changes: dict[str, Any], field: str, code: str) -> None:
    made, faults = read_round(round_form(**changes))
    assert made is None
    assert {name: fault.code for name, fault in faults.items()} == {field: code}


def test_every_fault_is_told_at_once() -> None:
    _, faults = read_request(RequestForm(project="x", sessions="-1", length="long", min_sessions="one"))
    assert set(faults) == {"project", "sessions", "length", "min_sessions"}


def test_a_request_is_read_with_one_box_or_several() -> None:
    wish, faults = read_request(request_form())
    assert faults == {}
    assert wish == RequestWish(
        project_id=PROJECT,
        purpose="films",
        sessions=2,
        session_minutes=90,
        min_sessions=1,
        instrument_ids=("N002",),
    )
    both, _ = read_request(request_form(instruments=["N002", "N003"], capability="XRD"))
    assert both is not None
    assert (both.instrument_ids, both.capability_id) == (("N002", "N003"), "XRD")
    assert (several("N002"), several([])) == (["N002"], [])


def test_a_form_shows_rows_to_spare() -> None:
    assert request_form().rows == [SpanRow()] * 3
    filled = request_form(from_date=["", "2026-11-30"], from_clock=["", "8"], until_clock=["", "9"])
    assert filled.rows == [SpanRow("2026-11-30", "8", "", "9"), SpanRow(), SpanRow()]


def test_what_was_kept_is_typed_as_it_was_and_reads_the_same() -> None:
    wish = request(windows=(span(0, 8, 10), span(1, 9, 12)), sessions=3, min_sessions=2, session_minutes=95)
    again, faults = read_request(form_of_request(wish, {2: "N002"}))
    assert faults == {}
    assert again is not None
    assert (again.windows, again.session_minutes, again.sessions, again.min_sessions, again.instrument_ids) == (
        wish.windows, 95, 3, 2, ("N002",),
    )  # fmt: skip


def test_a_round_is_typed_as_it_was_and_reads_the_same() -> None:
    r = a_round()
    offers = [
        Offer(id=uuid4(), round_id=r.id, instrument_number=number, starts_at=each.start, ends_at=each.end)
        for number in (2, 3)
        for each in (span(0, 8, 12), span(1, 8, 12))
    ]
    again, faults = read_round(form_of_round(r, offers, {2: "N002", 3: "N003"}))
    assert faults == {}
    assert again is not None
    assert (again.opens_at, again.ends_at, len(again.offers)) == (r.opens_at, r.ends_at, 4)
    whole = [msgspec.structs.replace(offers[0], starts_at=r.starts_at, ends_at=r.ends_at)]
    assert form_of_round(r, whole, {2: "N002"}).rows == [SpanRow()] * 3
