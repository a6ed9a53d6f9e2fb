"""Registering, being invited and spending a token, over HTTP."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
from litestar.testing import TestClient

from labshare.app import create_app
from labshare.domain.people import TRIES_PER_LOGIN
from labshare.services import invitations, passwords
from labshare.settings import Settings
from labshare.store import people as people_store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import OFFICE, actor
from tests.web.conftest import SECRET, Client, csrf, send, sign_in, text_of

PASSWORD = "một câu đủ dài"
INVITED = {"email": "an@x.vn", "name": "An", "organisation_id": "O-CO", "language": "vi"}
JOINING = {"login": "an", "name": "An", "new": PASSWORD, "again": PASSWORD}


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a hash costs stands in the hash, so these tests make cheap ones."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


def links(client: Client) -> list[str]:
    """The paths of the links that the page about people shows for handing over."""
    return re.findall(
        r'<code class="link">http://127\.0\.0\.1:8000(/join/[\w-]{43})</code>', client.get("/people").text
    )


def invited(client: Client) -> str:
    """The path of an invitation that the partner sent; nobody is signed in."""
    sign_in(client, "partner")
    answer = send(client, "/people/invite", INVITED)
    assert (answer.status_code, answer.headers["location"]) == (303, "/people")
    # Whether a link leads anywhere would tell the inviter who is here already, so only the office has links.
    assert links(client) == []
    assert "Văn phòng người dùng sẽ chuyển liên kết" in text_of(client.get("/people"))
    client.cookies.clear()
    sign_in(client, "office")
    (path,) = links(client)
    client.cookies.clear()
    return path


def asked(house: Database, email: str, now: datetime) -> str:
    """The path in the letter to somebody who asked for it."""
    with house.write() as db:
        invitations.register(db, email=email, address="", language="vi", secret=SECRET, now=now)
        newest = invitations.letters(db, now + timedelta(minutes=1))[-1]
        return f"/join/{invitations.token_of(SECRET, newest.invitation.id)}"


def test_an_invited_person_chooses_login_and_password_and_is_confirmed(client: Client) -> None:
    path = invited(client)
    page = client.get(path)
    assert page.status_code == 200
    assert 'value="an"' in page.text
    assert 'name="organisation_id"' not in page.text
    assert "an@x.vn · Công ty đối tác" in text_of(page)
    answer = send(client, path, JOINING)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    account = text_of(client.get("/account"))
    assert "Đã xác nhận" in account
    assert "Nghiên cứu viên" in account
    # The link is spent, and the login counts from now on.
    assert client.get(path).status_code == 404
    client.cookies.clear()
    assert send(client, "/sign-in", {"login": "an", "password": PASSWORD}).status_code == 303


def test_a_registered_person_waits_with_their_account_and_nothing_else(
    client: Client, house: Database, now: datetime
) -> None:
    path = asked(house, "an@x.vn", now)
    page = client.get(path)
    assert 'name="organisation_id"' in page.text
    assert send(client, path, JOINING | {"organisation_id": "O-CO"}).status_code == 303
    assert "Chờ xác nhận" in text_of(client.get("/account"))
    proposal = {"code": "X-1", "title": "x", "funding_line": "x", "access_class": "state_order"}
    assert send(client, "/projects", proposal).status_code == 403
    assert client.get("/people").status_code == 403


def test_faults_come_back_with_what_was_typed_and_leave_the_link_good(client: Client) -> None:
    path = invited(client)
    answer = send(client, path, JOINING | {"again": "another one entirely"})
    assert answer.status_code == 422
    assert 'data-code="password_differs"' in answer.text
    assert 'value="An"' in answer.text
    assert PASSWORD not in answer.text
    answer = send(client, path, JOINING | {"login": "researcher"})
    assert answer.status_code == 422
    assert 'data-code="login_taken"' in answer.text
    assert send(client, path, JOINING | {"login": "A N"}).status_code == 422
    assert send(client, path, JOINING).status_code == 303


@pytest.mark.parametrize("path", [f"/join/{'x' * 43}", "/join/1"])
def test_a_link_that_is_wrong_says_what_to_do(client: Client, path: str) -> None:
    for answer in (client.get(path), send(client, path, JOINING)):
        assert answer.status_code == 404
        assert "Hãy xin một liên kết mới" in text_of(answer)


def shown(answer: Any, email: str) -> str:
    """The page without what differs by itself: the address that was typed, and the token of the form."""
    return re.sub(r'name="_csrf_token" value="[^"]*"|x-csrftoken": "[^"]*', "", answer.text.replace(email, "@"))


def test_the_page_answers_alike_whether_an_address_is_known_or_not(
    client: Client, house: Database, now: datetime
) -> None:
    with house.write() as db:
        db.execute(t.persons.update().where(t.persons.c.login == "researcher").values(email="known@x.vn"))
        gone = t.persons.update().where(t.persons.c.login == "colleague")
        db.execute(gone.values(email="gone@x.vn", disabled_at=now))
    answers = {e: send(client, "/register", {"email": e}) for e in ("known@x.vn", "gone@x.vn", "nobody@x.vn")}
    assert {answer.status_code for answer in answers.values()} == {200}
    assert len({shown(answer, email) for email, answer in answers.items()}) == 1
    # These settings name no mail server, and a page that promised a letter would leave people waiting for it.
    assert "không có thư nào được gửi" in text_of(answers["nobody@x.vn"])


def test_a_forgotten_password_is_replaced_by_the_letter(client: Client, house: Database, now: datetime) -> None:
    with house.write() as db:
        db.execute(t.persons.update().where(t.persons.c.login == "researcher").values(email="known@x.vn"))
    path = asked(house, "known@x.vn", now)
    page = client.get(path)
    assert "Chọn mật khẩu mới" in text_of(page)
    assert 'name="login"' not in page.text
    assert send(client, path, {"new": PASSWORD, "again": PASSWORD}).status_code == 303
    assert "researcher" in text_of(client.get("/account"))
    client.cookies.clear()
    assert send(client, "/sign-in", {"login": "researcher", "password": PASSWORD}).status_code == 303


def test_registering_is_limited_and_says_for_how_long(client: Client) -> None:
    for _ in range(TRIES_PER_LOGIN):
        assert send(client, "/register", {"email": "an@x.vn"}).status_code == 200
    answer = send(client, "/register", {"email": "an@x.vn"})
    assert answer.status_code == 429
    assert "15 phút" in text_of(answer)


def test_what_is_no_address_is_refused(client: Client) -> None:
    answer = send(client, "/register", {"email": "an"})
    assert answer.status_code == 422
    assert 'data-code="email_unreadable"' in answer.text


@pytest.mark.parametrize("login", ["researcher", "manager", "competitor"])
def test_who_speaks_for_nobody_invites_nobody(client: Client, house: Database, now: datetime, login: str) -> None:
    sign_in(client, login)
    assert send(client, "/people/invite", INVITED).status_code == 403
    with house.read() as db:
        assert invitations.letters(db, now + timedelta(days=1)) == []


def test_a_partner_invites_for_their_organisation_only(client: Client) -> None:
    sign_in(client, "partner")
    assert 'value="I-IMS"' not in client.get("/people").text
    assert send(client, "/people/invite", INVITED | {"organisation_id": "I-IMS"}).status_code == 403


def test_a_refused_invitation_comes_back_with_what_was_typed(client: Client) -> None:
    sign_in(client, "office")
    answer = send(client, "/people/invite", INVITED | {"email": "an at x"})
    assert answer.status_code == 422
    assert 'value="an at x"' in answer.text
    assert 'value="O-CO" selected' in answer.text


def test_forms_without_their_csrf_field_change_nothing(client: Client, house: Database, now: datetime) -> None:
    path = invited(client)
    csrf(client)
    assert client.post("/register", data={"email": "b@x.vn"}).status_code == 403
    assert client.post(path, data=JOINING).status_code == 403
    sign_in(client, "partner")
    assert client.post("/people/invite", data=INVITED | {"email": "c@x.vn"}).status_code == 403
    with house.read() as db:
        assert people_store.by_login(db, "an") is None
        waiting = {each.invitation.email for each in invitations.open_invitations(db, actor(OFFICE), now)}
    assert waiting == {"an@x.vn"}


def test_a_link_to_somebodys_password_is_shown_to_nobody(client: Client, house: Database, now: datetime) -> None:
    with house.write() as db:
        db.execute(t.persons.update().where(t.persons.c.login == "administrator").values(email="root@x.vn"))
    asked(house, "root@x.vn", now)
    sign_in(client, "office")
    assert links(client) == []


def test_a_partners_page_is_the_same_whether_whom_they_invited_has_an_account(client: Client, house: Database) -> None:
    """Even once the letter to a newcomer could not be sent."""
    with house.write() as db:
        db.execute(t.persons.update().where(t.persons.c.login == "researcher").values(email="known@x.vn"))
    sign_in(client, "partner")
    pages: list[str] = []
    for email in ("known@x.vn", "an@x.vn"):
        assert send(client, "/people/invite", INVITED | {"email": email}).status_code == 303
        with house.write() as db:
            db.execute(t.invitations.update().where(t.invitations.c.send_at.is_not(None)).values(attempts=1))
        client.get("/people")
        pages.append(shown(client.get("/people"), email))
        with house.write() as db:
            db.execute(t.invitations.delete())
    assert pages[0] == pages[1]
    assert "@" in pages[0]


def test_with_a_mail_server_links_stand_in_letters_alone(settings: Settings, house: Database, now: datetime) -> None:
    sending = Settings(secret=SECRET, secure_cookies=False, demo=True, smtp_url="smtp://127.0.0.1:9")
    with TestClient(create_app(sending, database=house, clock=lambda: now)) as client:
        client.follow_redirects = False
        sign_in(client, "partner")
        assert send(client, "/people/invite", INVITED).status_code == 303
        assert "an@x.vn" in text_of(client.get("/people"))
        assert links(client) == []
        assert "thì một thư đang được gửi đến" in text_of(send(client, "/register", {"email": "binh@x.vn"}))
