"""The page about people and the account of somebody who is not confirmed, over HTTP."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest

from labshare.domain.affiliations import AffiliationState
from labshare.domain.bookings import BookingState
from labshare.store import affiliations as store
from labshare.store import bookings as bookings_store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import COLLEAGUE, NOW, XRD, a_booking, span
from tests.web.conftest import Client, send, sign_in, text_of

NEWCOMER = UUID(int=40)


@pytest.fixture
def newcomer(house: Database) -> str:
    """Somebody who says that they work for the partner company; returns their address below /people."""
    with house.write() as db:
        values = {"login": "newcomer", "name": "Newcomer", "organisation_id": "O-CO", "affiliation": "waiting"}
        db.execute(t.persons.insert().values(id=NEWCOMER, affiliation_at=NOW, **values))
    return f"/people/{NEWCOMER}"


def state_of(house: Database, person_id: UUID = NEWCOMER) -> AffiliationState:
    with house.read() as db:
        found = store.of_person(db, person_id)
    assert found is not None
    return found.state


def test_the_partner_sees_who_waits_and_confirms_them(client: Client, house: Database, newcomer: str) -> None:
    sign_in(client, "partner")
    home = text_of(client.get("/"))
    assert "Người chờ xác nhận" in home
    page = client.get("/people")
    assert "Newcomer" in text_of(page)
    assert "Việc còn lại" not in text_of(page)
    answer = send(client, f"{newcomer}/confirm", {"version": "1"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/people")
    assert state_of(house) is AffiliationState.CONFIRMED
    page = text_of(client.get("/people"))
    assert "Đã xác nhận nơi làm việc." in page
    assert "Không có ai chờ xác nhận." in page


@pytest.mark.parametrize("login", ["researcher", "manager", "competitor", "newcomer"])
@pytest.mark.parametrize("action", ["confirm", "decline", "end"])
def test_others_open_neither_the_page_nor_its_forms(
    client: Client, house: Database, newcomer: str, login: str, action: str
) -> None:
    sign_in(client, login)
    assert client.get("/people").status_code == 403
    assert 'href="/people"' not in client.get("/").text
    assert send(client, f"{newcomer}/{action}", {"version": "1", "reason": "x"}).status_code == 403
    assert state_of(house) is AffiliationState.WAITING


@pytest.mark.parametrize("action", ["confirm", "decline", "end"])
def test_a_form_without_its_csrf_field_changes_nothing(
    client: Client, house: Database, newcomer: str, action: str
) -> None:
    sign_in(client, "office")
    assert client.post(f"{newcomer}/{action}", data={"version": "1", "reason": "x"}).status_code == 403
    assert state_of(house) is AffiliationState.WAITING


def test_a_visitor_is_asked_to_sign_in(client: Client, newcomer: str) -> None:
    assert client.get("/people").status_code == 401
    assert send(client, f"{newcomer}/confirm", {"version": "1"}).status_code == 401


def test_a_decline_needs_its_reason_and_the_person_reads_it(client: Client, newcomer: str) -> None:
    sign_in(client, "office")
    answer = send(client, f"{newcomer}/decline", {"version": "1", "reason": " "})
    assert answer.status_code == 422
    assert "Hãy nêu lý do; người đó sẽ đọc được." in text_of(answer)
    assert send(client, f"{newcomer}/decline", {"version": "1", "reason": "Chưa từng gặp"}).status_code == 303
    assert send(client, f"{newcomer}/confirm", {"version": "1"}).status_code == 412
    sign_in(client, "newcomer")
    account = client.get("/account")
    assert "Chưa từng gặp" in text_of(account)
    assert "Không được xác nhận" in text_of(account)
    answer = send(client, "/account/organisation", {"organisation_id": "I-IMS"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    account = text_of(client.get("/account"))
    assert "Chờ xác nhận" in account
    assert "Chưa từng gặp" not in account


def test_who_waits_is_told_so_on_their_home_page_and_opens_nothing_else(client: Client, newcomer: str) -> None:
    sign_in(client, "newcomer")
    home = text_of(client.get("/"))
    assert "Nơi tôi làm việc" in home
    assert "Trước đó bạn chưa đặt được giờ máy" in home
    proposal = {"code": "X-1", "title": "x", "funding_line": "x", "access_class": "state_order"}
    assert send(client, "/projects", proposal).status_code == 403
    answer = send(client, "/account/organisation", {"organisation_id": "O-NONE"})
    assert answer.status_code == 422
    assert "Không có tổ chức này trong danh sách." in text_of(answer)


def test_whoever_is_confirmed_reads_no_such_line(client: Client) -> None:
    sign_in(client, "researcher")
    assert "Nơi tôi làm việc" not in text_of(client.get("/"))
    account = client.get("/account")
    assert "Đã xác nhận" in text_of(account)
    assert 'action="/account/organisation"' not in account.text
    assert send(client, "/account/organisation", {"organisation_id": "O-CO"}).status_code == 422


def test_a_leavers_open_browser_is_signed_out_by_the_next_click(client: Client, house: Database) -> None:
    with house.write() as db:
        booked = a_booking(XRD, span(25, 9, 11), person_id=COLLEAGUE)
        db.execute(t.bookings.insert().values({name: getattr(booked, name) for name in booked.__struct_fields__}))
    sign_in(client, "colleague")
    theirs = dict(client.cookies)
    client.cookies.clear()
    sign_in(client, "office")
    answer = send(client, f"/people/{COLLEAGUE}/end", {"version": "1", "reason": "Chuyển công tác"})
    assert answer.status_code == 303
    page = text_of(client.get("/people"))
    assert "Việc còn lại của người đã rời đi 1" in page
    client.cookies.clear()
    for name, value in theirs.items():
        client.cookies.set(name, value)
    assert client.get("/account").status_code == 401
    assert client.get(f"/bookings/{booked.id}").status_code == 401


def test_the_office_gives_a_leavers_time_back_with_one_button(client: Client, house: Database) -> None:
    """All that it has seen: a booking under way, and one that it has not seen, stay as they are."""
    booked = [a_booking(XRD, span(day, *hours), person_id=COLLEAGUE)
              for day, *hours in ((23, 7, 9), (25, 9, 11), (26, 9, 11), (27, 9, 11))]  # fmt: skip
    with house.write() as db:
        bookings_store.add(db, booked)
    sign_in(client, "office")
    assert 'action="/people/give-back"' not in client.get("/people").text
    send(client, f"/people/{COLLEAGUE}/end", {"version": "1", "reason": "Chuyển công tác"})
    page = client.get("/people").text
    (seen,) = re.findall(r'name="seen" value="([^"]*)"', page)
    assert set(seen.split()) == {str(each.id) for each in booked[1:]}
    less = " ".join(str(each.id) for each in booked[:3])
    for login in ("partner", "manager"):
        sign_in(client, login)
        assert send(client, "/people/give-back", {"seen": less}).status_code == 403
    sign_in(client, "office")
    answer = send(client, "/people/give-back", {"seen": less})
    assert (answer.status_code, answer.headers["location"]) == (303, "/people")
    assert "Đã hủy các lượt đặt" in text_of(client.get("/people"))
    with house.read() as db:
        states = [bookings_store.get(db, each.id).state for each in booked]
    assert states == [BookingState.CONFIRMED, BookingState.CANCELLED, BookingState.CANCELLED, BookingState.CONFIRMED]


def test_people_are_folded_by_organisation_until_somebody_is_looked_for(client: Client) -> None:
    sign_in(client, "office")
    page = client.get("/people").text
    folds = re.findall(r"<details( open)?><summary>(.+?) <span class=\"count\">(\d+)</span>", page)
    # Vietnamese order; five of the house work at the institute, two at the company.
    assert folds == [("", "Công ty đối tác", "2"), ("", "Viện Khoa học vật liệu", "5")]
    found = client.get("/people", params={"q": "collea"}).text
    assert re.findall(r"<details( open)?><summary>.+? <span class=\"count\">(\d+)</span>", found) == [(" open", "1")]


def test_there_is_no_other_verdict(client: Client, newcomer: str) -> None:
    sign_in(client, "office")
    assert send(client, f"{newcomer}/promote", {"version": "1"}).status_code in {400, 404}


def test_people_are_found_by_a_part_of_their_name(client: Client) -> None:
    sign_in(client, "office")

    def found(q: str) -> Any:
        return text_of(client.get("/people", params={"q": q}))

    assert "Colleague" in found("collea")
    assert "Competitor" not in found("collea")
    assert "Không có ai tên như vậy." in found("nobody at all")
