"""Bookings that wait for their centre over HTTP: asked on the home page, decided on one page, told to their user."""

from __future__ import annotations

import re
from typing import Any

import pytest

from labshare.store.engine import Database
from tests.furniture import PUBLIC_PROJECT
from tests.web.conftest import Client, send, sign_in, text_of

BOOKING = {
    "instrument": "N001",
    "date": "2026-11-25",
    "from": "9:00",
    "until": "11:00",
    "project": str(PUBLIC_PROJECT),
    "purpose": "Lát cắt",
}


@pytest.fixture
def waiting(client: Client, house: Database) -> str:
    """The page of a booking that waits; the manager is signed in."""
    sign_in(client, "manager")
    assert send(client, "/approvals", {"instrument": "N001", "approval": "everybody", "hours": "24"}).status_code == 303
    sign_in(client, "researcher")
    made = send(client, "/bookings", BOOKING)
    assert made.status_code == 303
    sign_in(client, "manager")
    page = client.get("/approvals").text
    return re.findall(r'href="(/bookings/[0-9a-f-]{36})"', page)[0]


def decide(client: Client, path: str, **changes: str) -> Any:
    return send(client, path, {"version": "1"} | changes)


def test_the_manager_is_asked_at_home_and_approves(client: Client, waiting: str) -> None:
    home = text_of(client.get("/"))
    # The clock of these tests stands at 8:00 on the 23rd in Hanoi.
    assert "Lượt đặt chờ duyệt 1" in home
    assert "08:00 T3 24/11/2026" in home
    assert "Lát cắt" in home
    assert 'action="' + waiting + '/approve"' in client.get(waiting).text
    assert decide(client, f"{waiting}/approve").status_code == 303
    assert "Không có lượt đặt nào chờ bạn." in text_of(client.get("/approvals"))
    assert "Lượt đặt chờ duyệt" not in text_of(client.get("/"))


def test_who_is_declined_reads_why(client: Client, waiting: str) -> None:
    refused = decide(client, f"{waiting}/decline", note=" ")
    assert (refused.status_code, 'data-code="decision_note_missing"' in refused.text) == (400, True)
    assert decide(client, f"{waiting}/decline", note="Máy hiệu chuẩn").status_code == 303
    sign_in(client, "researcher")
    page = text_of(client.get(waiting))
    assert "Trung tâm trả lời Máy hiệu chuẩn" in page


def test_its_user_sees_that_it_waits_and_cannot_decide(client: Client, waiting: str) -> None:
    sign_in(client, "researcher")
    page = client.get(waiting)
    assert "Trung tâm quyết định trước 08:00 T3 24/11/2026" in text_of(page)
    assert "/approve" not in page.text
    assert decide(client, f"{waiting}/approve").status_code == 403
    assert client.get("/approvals").status_code == 403
    form = text_of(client.get("/bookings/new?instrument=N001"))
    assert "Lượt đặt phải chờ trung tâm duyệt. Trung tâm quyết định trong 24 giờ." in form


APPROVES, WAITS = "Đổi sang giờ khác cũng là duyệt luôn lượt này.", "Giờ khác phải được trung tâm duyệt lại."
OTHER_TIMES = {"date": "2026-11-25", "from": "13:00", "until": "15:00", "version": "1"}


def dialog(client: Client, waiting: str, version: str = "1") -> str:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver.local/instruments/N001"}
    answer = client.get(f"{waiting}/move", params=OTHER_TIMES | {"version": version}, headers=headers)
    assert answer.status_code == 200, answer.text
    return text_of(answer)


def test_a_manager_knows_before_they_move_it_that_this_approves_it(client: Client, waiting: str) -> None:
    for said in (text_of(client.get(waiting)), dialog(client, waiting)):
        assert APPROVES in said
        assert WAITS not in said
    assert "Đổi giờ và duyệt" in dialog(client, waiting)
    assert send(client, f"{waiting}/move", OTHER_TIMES).status_code == 303
    page = text_of(client.get(waiting))
    assert "Đã xác nhận" in page
    # It waits no more, and a manager waits for nobody.
    assert APPROVES not in page
    assert WAITS not in page
    assert "duyệt" not in dialog(client, waiting, "2")


def test_who_books_what_waits_is_told_that_it_was_asked_for(client: Client, waiting: str) -> None:
    """The clock of these tests stands at 8:00 on the 23rd in Hanoi; the centre has a day to decide."""
    sign_in(client, "researcher")
    made = send(client, "/bookings", BOOKING | {"date": "2026-11-26"})
    page = client.get(made.headers["location"])
    said = "Đã gửi yêu cầu đặt giờ. Trung tâm quyết định trước 08:00 T3 24/11/2026"
    assert (said in text_of(page), "Đã đặt giờ máy." in text_of(page)) == (True, False)
    assert 'class="notice good"' not in page.text
    assert send(client, f"{waiting}/move", OTHER_TIMES).status_code == 303
    assert "Lượt đặt phải chờ trung tâm duyệt lại trước 08:00 T3 24/11/2026." in text_of(client.get(waiting))


def test_its_user_knows_before_they_move_it_that_it_waits_again(client: Client, waiting: str) -> None:
    assert decide(client, f"{waiting}/approve").status_code == 303
    sign_in(client, "researcher")
    for said in (text_of(client.get(waiting)), dialog(client, waiting, "2")):
        assert WAITS in said
        assert APPROVES not in said
    assert send(client, f"{waiting}/move", OTHER_TIMES | {"version": "2"}).status_code == 303
    assert "Chờ duyệt" in text_of(client.get(waiting))


def test_a_stale_decision_shows_how_it_stands(client: Client, waiting: str) -> None:
    assert decide(client, f"{waiting}/approve", version="7").status_code == 412
    assert decide(client, f"{waiting}/approve").status_code == 303
    assert decide(client, f"{waiting}/approve", version="2").status_code == 422


@pytest.mark.parametrize("changes", [{"hours": "x"}, {"hours": "0"}, {"approval": "sometimes"}])
def test_what_cannot_be_chosen_is_said(client: Client, waiting: str, changes: dict[str, str]) -> None:
    answer = send(client, "/approvals", {"instrument": "N001", "approval": "none", "hours": "24"} | changes)
    assert answer.status_code == 422
    assert "data-code=" in answer.text


def selected(page: str) -> list[str]:
    """The choices of the form that the page makes by itself."""
    form = page.partition('id="change"')[2].partition("</form>")[0]
    return re.findall(r'<option value="([^"]*)" selected>', form)


def test_nothing_is_chosen_before_the_manager_has_chosen(client: Client, waiting: str) -> None:
    """N001, the first of the list, has everybody wait: who keeps the form as it opens must not end that."""
    page = client.get("/approvals").text
    assert selected(page) == []
    assert page.count('required><option value="">') == 2
    for left_out, code in (("instrument", "approval_of_nothing"), ("approval", "approval_unknown")):
        answer = send(client, "/approvals", {"instrument": "N001", "approval": "none", "hours": "24"} | {left_out: ""})
        assert (answer.status_code, f'data-code="{code}"' in answer.text) == (422, True)
    assert "mọi người phải chờ · 24 giờ" in text_of(client.get("/approvals"))


def test_what_is_chosen_for_an_instrument_is_changed_from_what_it_is(client: Client, waiting: str) -> None:
    assert 'href="/approvals?instrument=N001#change"' in client.get("/approvals").text
    page = client.get("/approvals?instrument=N001").text
    assert selected(page) == ["N001", "everybody"]
    assert 'name="hours" min="1" max="720" value="24"' in page
    assert selected(client.get("/approvals?instrument=N999").text) == []


def test_the_calendar_tells_waiting_from_confirmed(client: Client, waiting: str) -> None:
    page = client.get("/instruments/N001?date=2026-11-25")
    assert "named held" in page.text
    assert "Chờ duyệt" in text_of(page)
    decide(client, f"{waiting}/approve")
    assert "named held" not in client.get("/instruments/N001?date=2026-11-25").text
