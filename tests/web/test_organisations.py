"""Onboarding an organisation over HTTP: with the registration, or later from the account."""

from __future__ import annotations

import re
from datetime import datetime
from uuid import UUID

import pytest
from argon2 import PasswordHasher

from labshare.services import invitations, passwords
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import NOW
from tests.web.conftest import SECRET, Client, send, sign_in, text_of

PASSWORD = "một câu đủ dài"
STATED = {
    "name_vi": "Công ty mẫu", "name_en": "", "kind": "company", "registration_number": "0100000000", "country": "vn",
    "size": "small", "contact": "office@x.vn", "evidence": "Giấy phép 1",
}  # fmt: skip


@pytest.fixture
def newcomer(house: Database) -> str:
    with house.write() as db:
        values = {"login": "newcomer", "name": "Newcomer", "organisation_id": "I-IMS", "affiliation": "waiting"}
        db.execute(t.persons.insert().values(id=UUID(int=40), affiliation_at=NOW, **values))
    return "newcomer"


def proposed(client: Client, login: str) -> str:
    """The address of the organisation that this person onboards."""
    sign_in(client, login)
    answer = send(client, "/organisations", STATED)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    return re.findall(r'href="(/organisations/O-[0-9A-F]{12})"', client.get("/account").text)[0]


def test_an_organisation_is_onboarded_checked_and_spoken_for(client: Client, newcomer: str) -> None:
    url = proposed(client, newcomer)
    account = text_of(client.get("/account"))
    assert "Chờ kiểm tra" in account
    assert "Văn phòng người dùng đang kiểm tra tổ chức này." in account
    assert "0100000000" in text_of(client.get(url))
    assert "Doanh nghiệp nhỏ" in text_of(client.get(url))
    assert f'action="{url}/check"' not in client.get(url).text
    sign_in(client, "office")
    assert "Tổ chức cần kiểm tra" in text_of(client.get("/"))
    assert url in client.get("/people").text
    answer = send(client, f"{url}/check", {"version": "1"})
    assert (answer.status_code, answer.headers["location"]) == (303, url)
    assert "Đã kiểm tra" in text_of(client.get(url))
    sign_in(client, newcomer)
    assert "Đại diện tổ chức" in text_of(client.get("/account"))
    assert client.get("/people").status_code == 200


def test_it_is_onboarded_together_with_a_registration(
    client: Client, house: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    with house.write() as db:
        invitations.register(db, email="an@x.vn", address="", language="vi", secret=SECRET, now=now)
        (letter,) = invitations.letters(db, now)
    path = f"/join/{invitations.token_of(SECRET, letter.invitation.id)}"
    joining = {"login": "an", "name": "An", "new": PASSWORD, "again": PASSWORD} | STATED
    answer = send(client, path, joining | {"contact": ""})
    assert answer.status_code == 422
    assert answer.text.count('data-code="field_missing"') == 1
    assert 'value="0100000000"' in answer.text
    assert send(client, path, joining).status_code == 303
    account = text_of(client.get("/account"))
    assert "Công ty mẫu" in account
    assert "Chờ kiểm tra" in account


def test_faults_come_back_with_what_was_typed(client: Client, newcomer: str) -> None:
    sign_in(client, newcomer)
    answer = send(client, "/organisations", STATED | {"name_vi": "", "country": "Vietnam"})
    assert answer.status_code == 422
    assert re.findall(r'data-code="(\w+)"', answer.text) == ["field_missing", "country_unreadable"]
    assert 'value="0100000000"' in answer.text


def test_a_decline_needs_its_reason_and_the_proposer_reads_it(client: Client, newcomer: str) -> None:
    url = proposed(client, newcomer)
    sign_in(client, "office")
    assert send(client, f"{url}/decline", {"version": "1", "reason": ""}).status_code == 422
    assert send(client, f"{url}/decline", {"version": "1", "reason": "Số không có thật"}).status_code == 303
    assert send(client, f"{url}/check", {"version": "1"}).status_code == 412
    sign_in(client, newcomer)
    assert "Không được chấp nhận" in text_of(client.get("/account"))
    assert "Số không có thật" in text_of(client.get(url))


@pytest.mark.parametrize("login", ["researcher", "manager", "partner", "administrator"])
def test_others_neither_see_nor_check_it(client: Client, newcomer: str, login: str) -> None:
    url = proposed(client, newcomer)
    sign_in(client, login)
    assert client.get(url).status_code == 404
    for action in ("check", "decline"):
        assert send(client, f"{url}/{action}", {"version": "1", "reason": "x"}).status_code == 403
    assert send(client, "/organisations", STATED | {"registration_number": "02"}).status_code == 422


def test_forms_without_their_csrf_field_change_nothing(client: Client, newcomer: str) -> None:
    url = proposed(client, newcomer)
    assert client.post("/organisations", data=STATED | {"registration_number": "02"}).status_code == 403
    sign_in(client, "office")
    assert client.post(f"{url}/check", data={"version": "1"}).status_code == 403
    assert "Chờ kiểm tra" in text_of(client.get(url))


def test_a_visitor_is_asked_to_sign_in(client: Client) -> None:
    assert client.get("/organisations/new").status_code == 401
    assert client.get("/organisations/O-1").status_code == 401
