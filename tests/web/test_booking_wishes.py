"""The form of a booking for somebody else, in a mode, with a set-up: what is read of it and shown afterwards."""

from __future__ import annotations

import re
from typing import Any

import pytest
import sqlalchemy as sa

from labshare.store.engine import Database
from labshare.store.tables import bookings
from tests.furniture import COLLEAGUE, COMPETITOR, INDUSTRY_PROJECT, MANAGER, PUBLIC_PROJECT, RESEARCHER
from tests.web.conftest import Client, send, sign_in

FORM = {
    "instrument": "N002", "date": "2026-11-25", "from": "9:00", "until": "11:00", "project": str(PUBLIC_PROJECT),
}  # fmt: skip


@pytest.fixture
def english(client: Client) -> Client:
    client.cookies.set("language", "en")
    return client


def booked(house: Database) -> Any:
    with house.read() as db:
        return db.execute(sa.select(bookings)).one()


def test_the_leader_of_a_project_chooses_among_its_members(english: Client, house: Database) -> None:
    sign_in(english, "researcher")
    form = english.get("/bookings/new", params=FORM).text
    chosen = re.search(r'<select id="field-person".*?</select>', form, re.DOTALL)
    assert chosen is not None
    assert re.findall(r'value="(\w*)"', chosen[0]) == ["", "colleague", "manager"]
    answer = send(english, "/bookings", {**FORM, "person": "colleague"})
    assert answer.status_code == 303
    row = booked(house)
    assert (row.person_id, row.booked_by_id) == (COLLEAGUE, RESEARCHER)
    page = english.get(answer.headers["location"]).text
    assert "Booked by" in page
    assert "Move it" in page
    assert "Booked by you for others" in english.get("/bookings").text
    sign_in(english, "colleague")
    assert "booked by Researcher" in english.get("/bookings").text


def test_who_leads_nothing_is_asked_nothing_and_cannot_type_it(english: Client, house: Database) -> None:
    sign_in(english, "colleague")
    assert 'name="person"' not in english.get("/bookings/new", params=FORM).text
    answer = send(english, "/bookings", {**FORM, "person": "researcher"})
    assert answer.status_code == 400
    assert "You cannot book for “researcher”" in answer.text
    with house.read() as db:
        assert db.execute(sa.select(sa.func.count()).select_from(bookings)).scalar_one() == 0


def test_a_manager_types_a_login_and_the_code_of_their_project(english: Client, house: Database) -> None:
    sign_in(english, "manager")
    wrong = send(english, "/bookings", {**FORM, "person": "nobody", "their_project": "DN-01"})
    assert wrong.status_code == 400
    assert 'value="DN-01"' in wrong.text
    answer = send(english, "/bookings", {**FORM, "person": "competitor", "their_project": "DN-01"})
    assert answer.status_code == 303
    row = booked(house)
    assert (row.person_id, row.booked_by_id, row.project_id) == (COMPETITOR, MANAGER, INDUSTRY_PROJECT)


def test_a_mode_and_a_set_up_are_chosen_shown_and_changed(english: Client, house: Database) -> None:
    sign_in(english, "manager")
    offered = {"self": "1", "assisted": "1", "commissioned": "1", "setups": "cryo stage\n5 kV"}
    send(english, "/instruments/N002/modes", offered)
    sign_in(english, "researcher")
    form = english.get("/bookings/new", params=FORM).text
    assert re.findall(r'type="radio" name="mode" value="(\w+)"', form) == ["self", "assisted", "commissioned"]
    answer = send(english, "/bookings", {**FORM, "mode": "assisted", "setup": "cryo stage"})
    page = english.get(answer.headers["location"]).text
    assert "The user runs it, with the help of the staff" in page
    assert "cryo stage" in page
    row = booked(house)
    assert (row.mode, row.setup) == ("assisted", "cryo stage")
    moved = {
        **{name: FORM[name] for name in ("date", "from", "until")},
        "version": "1", "mode": "commissioned", "setup": "",
    }  # fmt: skip
    assert send(english, f"{answer.headers['location']}/move", moved).status_code == 303
    row = booked(house)
    assert (row.mode, row.setup, row.attended) == ("commissioned", "", False)
    assert "DESCRIPTION:Project: KC-01\\nrun by the staff" in english.get(f"{answer.headers['location']}.ics").text


def test_neighbours_see_the_set_up_and_not_whose_it_is(english: Client) -> None:
    sign_in(english, "manager")
    send(english, "/instruments/N002/modes", {"self": "1", "setups": "cryo stage"})
    sign_in(english, "researcher")
    send(english, "/bookings", {**FORM, "setup": "cryo stage", "purpose": "alloy 7"})
    sign_in(english, "competitor")
    week = english.get("/instruments/N002?date=2026-11-25").text
    assert "set-up: cryo stage" in week
    assert not {"alloy 7", "Researcher", "KC-01"} & set(re.findall(r"alloy 7|Researcher|KC-01", week))


@pytest.mark.parametrize(("field", "value"), [("mode", "remote"), ("setup", "secret alloy")])
def test_what_is_not_offered_is_said_at_the_form(english: Client, field: str, value: str) -> None:
    sign_in(english, "researcher")
    answer = send(english, "/bookings", {**FORM, field: value})
    assert answer.status_code in (400, 422)
    assert "Choose one of the modes" in answer.text or "none of the set-ups" in answer.text


def test_times_beside_the_same_set_up_are_said_after_a_refusal(english: Client) -> None:
    sign_in(english, "manager")
    send(english, "/instruments/N002/modes", {"self": "1", "setups": "cryo stage"})
    sign_in(english, "researcher")
    send(english, "/bookings", {**FORM, "setup": "cryo stage"})
    sign_in(english, "colleague")
    refused = send(english, "/bookings", {**FORM, "setup": "cryo stage"})
    assert refused.status_code == 409
    # 11:00 in Hanoi, where the use of 9:00-11:00 ends, is 04:00 UTC.
    offers = re.findall(r'name="slot" value="([^"]+)"[^>]*>.*?</svg>([^<]+)</button>', refused.text, re.DOTALL)
    beside = [value for value, words in offers if "beside the same set-up" in words]
    assert beside == ["2026-11-25T04:00:00Z/2026-11-25T06:00:00Z"]
