"""A manager records a failure and the repair; everybody sees that the instrument is down, nobody else why."""

from __future__ import annotations

import pytest

from labshare.store import bookings as booking_store
from labshare.store.engine import Database
from tests.furniture import FESEM, a_booking, span
from tests.web.conftest import Client, send, sign_in, text_of

STATE = "/instruments/N001/state"


def test_a_failure_is_recorded_seen_and_repaired(client: Client, house: Database) -> None:
    with house.write() as db:
        booking_store.add(db, [a_booking(FESEM, span(26, 8, 10))])
    sign_in(client, "manager")
    assert "Không có sự cố nào được ghi nhận" in text_of(client.get(STATE))
    answer = send(client, "/instruments/N001/down", {"note": "Hỏng bơm chân không"})
    assert (answer.status_code, answer.headers["location"]) == (303, STATE)
    page = text_of(client.get(STATE))
    assert "từ 08:00 T2 23/11/2026" in page
    assert "Hỏng bơm chân không" in page
    assert "08:00–10:00 T5 26/11/2026" in page

    sign_in(client, "researcher")
    page = text_of(client.get("/instruments/N001"))
    assert "Hỏng từ 08:00 T2 23/11/2026" in page
    assert "bơm chân không" not in page
    form = text_of(client.get("/bookings/new?instrument=N001"))
    assert "Máy đang hỏng từ 08:00 T2 23/11/2026. Vẫn đặt được" in form
    assert "bơm chân không" not in form

    sign_in(client, "manager")
    assert send(client, "/instruments/N001/down", {}).status_code == 422
    assert send(client, "/instruments/N001/up", {}).status_code == 303
    assert send(client, "/instruments/N001/up", {}).status_code == 422
    assert "Hỏng từ" not in text_of(client.get("/instruments/N001"))
    assert "đang hỏng" not in text_of(client.get("/bookings/new?instrument=N001"))


@pytest.mark.parametrize(
    "page",
    [
        "/",
        "/find?capability=FESEM&length=2h&from=2026-11-25&to=2026-11-25",
        "/centres/C-ONE/board?date=2026-11-25",
        "/centres/C-ONE/board?date=2026-11-25&span=week",
    ],
)
def test_wherever_its_time_is_shown_to_be_free_it_says_that_it_is_down(
    client: Client, house: Database, page: str
) -> None:
    with house.write() as db:
        booking_store.add(db, [a_booking(FESEM, span(26, 8, 10))])
    sign_in(client, "manager")
    send(client, "/instruments/N001/down", {"note": "Hỏng bơm chân không"})
    sign_in(client, "researcher")
    shown = text_of(client.get(page))
    assert shown.count("Hỏng từ 08:00 T2 23/11/2026") == 1
    assert "bơm chân không" not in shown
    sign_in(client, "manager")
    send(client, "/instruments/N001/up", {})
    sign_in(client, "researcher")
    assert "Hỏng từ" not in text_of(client.get(page))


def test_nobody_else_records_or_reads_a_state(client: Client) -> None:
    assert client.get(STATE).status_code == 401
    sign_in(client, "researcher")
    assert client.get(STATE).status_code == 403
    assert send(client, "/instruments/N001/down", {"note": "x"}).status_code == 403
    sign_in(client, "manager")
    assert client.get("/instruments/N003/state").status_code == 403
    assert client.get("/instruments/N999/state").status_code == 404
    assert send(client, "/instruments/N001/down", {"note": "x" * 501}).status_code == 400
    assert "/instruments/N001/state" in client.get("/instruments/N001").text
    assert "/state" not in client.get("/instruments/N003").text
