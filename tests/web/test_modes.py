"""The page on which the managers of a centre choose what an instrument offers."""

from __future__ import annotations

import re

from tests.web.conftest import Client, send, sign_in

PAGE = "/instruments/N002/modes"


def test_a_manager_chooses_and_the_instrument_says_so(client: Client) -> None:
    client.cookies.set("language", "en")
    sign_in(client, "manager")
    assert PAGE in client.get("/instruments/N002").text
    assert re.findall(r'name="(\w+)" value="1" checked', client.get(PAGE).text) == ["self"]
    answer = send(client, PAGE, {"assisted": "1", "commissioned": "1", "setups": "cryo stage"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/instruments/N002")
    page = client.get(PAGE).text
    assert re.findall(r'name="(\w+)" value="1" checked', page) == ["assisted", "commissioned"]
    assert "cryo stage" in page
    assert "with staff help, run by the staff" in client.get("/bookings/new?instrument=N002").text
    page = client.get("/instruments/N002").text
    assert "The user runs it, with the help of the staff" in page
    assert "cryo stage" in page


def test_what_cannot_be_offered_is_refused_with_what_was_typed(client: Client) -> None:
    sign_in(client, "manager")
    answer = send(client, PAGE, {"setups": "kept as typed"})
    assert answer.status_code == 422
    assert 'data-code="modes_unknown"' in answer.text
    assert "kept as typed" in answer.text


def test_nobody_else_comes_in(client: Client) -> None:
    sign_in(client, "researcher")
    assert client.get(PAGE).status_code == 403
    assert send(client, PAGE, {"self": "1"}).status_code == 403
    assert "modes" not in client.get("/instruments/N002").text
    sign_in(client, "manager")
    assert client.get("/instruments/N003/modes").status_code == 403
    assert client.get("/instruments/N999/modes").status_code == 404
