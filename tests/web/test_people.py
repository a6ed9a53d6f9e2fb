"""Signing in and out, and what a reader chooses: over HTTP, as a browser without JavaScript."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from litestar.testing import TestClient

from labshare.app import create_app
from labshare.domain.people import TRIES_PER_LOGIN, TRY_WINDOW
from labshare.settings import Settings
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.web.conftest import SECRET, Client, csrf, send, sign_in, text_of

PASSWORD = "mật khẩu đủ dài"


@pytest.fixture
def known_password(house: Database) -> str:
    """The researcher's password, hashed with little work: what a hash costs stands in the hash."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    with house.write() as db:
        db.execute(t.persons.update().where(t.persons.c.login == "researcher").values(password_hash=cheap))
    return PASSWORD


def test_a_right_password_signs_in_and_leads_where_one_wanted_to_go(client: Client, known_password: str) -> None:
    answer = send(client, "/sign-in", {"login": "researcher", "password": known_password, "next": "/account?x=1"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/account?x=1")
    cookie = answer.headers.get_list("set-cookie")[0]
    assert cookie.startswith("sign_in=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "researcher" in text_of(client.get("/account"))


@pytest.mark.parametrize("login", ["researcher", "nobody"])
def test_a_wrong_password_and_an_unknown_login_are_refused_alike(
    client: Client, known_password: str, login: str
) -> None:
    answer = send(client, "/sign-in", {"login": login, "password": known_password + "x"})
    assert answer.status_code == 401
    assert "Tên đăng nhập hoặc mật khẩu không đúng." in text_of(answer)
    assert f'value="{login}"' in answer.text
    assert "sign_in" not in client.cookies


def test_a_person_without_a_password_cannot_sign_in_with_an_empty_one(client: Client) -> None:
    assert send(client, "/sign-in", {"login": "manager", "password": ""}).status_code == 401


def test_tries_at_a_login_are_limited_until_the_window_has_passed(
    settings: Settings, house: Database, known_password: str, now: datetime
) -> None:
    moment = [now]
    with TestClient(create_app(settings, database=house, clock=lambda: moment[0])) as client:
        client.follow_redirects = False
        wrong = {"login": "researcher", "password": "wrong"}
        right = {"login": "researcher", "password": known_password}
        for _ in range(TRIES_PER_LOGIN):
            assert send(client, "/sign-in", wrong).status_code == 401
        blocked = send(client, "/sign-in", right)
        assert blocked.status_code == 429
        assert "15 phút" in text_of(blocked)
        moment[0] = now + TRY_WINDOW
        assert send(client, "/sign-in", right).status_code == 303


def test_a_right_password_forgets_the_wrong_tries_before_it(client: Client, known_password: str) -> None:
    for _ in range(3):
        for _ in range(TRIES_PER_LOGIN - 1):
            assert send(client, "/sign-in", {"login": "researcher", "password": "wrong"}).status_code == 401
        assert send(client, "/sign-in", {"login": "researcher", "password": known_password}).status_code == 303


def test_only_the_hash_of_a_sign_in_is_kept(client: Client, house: Database) -> None:
    sign_in(client, "researcher")
    with house.read() as db:
        kept = db.execute(sa.select(t.sign_ins.c.token_hash)).scalar_one()
    assert client.cookies["sign_in"] not in kept
    assert len(kept) == 64


def test_a_sign_in_expires(settings: Settings, house: Database, now: datetime) -> None:
    moment = [now]
    with TestClient(create_app(settings, database=house, clock=lambda: moment[0])) as client:
        client.follow_redirects = False
        sign_in(client, "researcher")
        moment[0] = now + timedelta(hours=settings.sign_in_hours) - timedelta(seconds=1)
        assert client.get("/account").status_code == 200
        moment[0] = now + timedelta(hours=settings.sign_in_hours)
        assert client.get("/account").status_code == 401


def test_signing_out_ends_the_sign_in_itself_not_only_the_cookie(client: Client) -> None:
    sign_in(client, "researcher")
    token = client.cookies["sign_in"]
    assert send(client, "/sign-out").status_code == 303
    client.cookies.set("sign_in", token)
    assert client.get("/account").status_code == 401


def test_a_disabled_person_is_signed_out_at_once(client: Client, house: Database, now: datetime) -> None:
    sign_in(client, "researcher")
    with house.write() as db:
        db.execute(t.persons.update().where(t.persons.c.login == "researcher").values(disabled_at=now))
    assert client.get("/account").status_code == 401


def test_a_forged_token_is_nobody(client: Client) -> None:
    client.cookies.set("sign_in", "0" * 43)
    assert client.get("/account").status_code == 401


@pytest.mark.parametrize("target", ["https://elsewhere.example/", "//elsewhere.example/", "/\\elsewhere.example", ""])
def test_nobody_is_sent_to_another_site(client: Client, target: str) -> None:
    answer = send(client, "/sign-in/demo", {"login": "researcher", "next": target})
    assert answer.headers["location"] == "/"


def test_the_demo_offers_each_role_and_everybody_who_holds_one(client: Client) -> None:
    shown = text_of(client.get("/sign-in"))
    for role in ("Nghiên cứu viên", "Quản lý phòng thí nghiệm", "Đại diện đối tác", "Văn phòng người dùng"):
        assert role in shown
    assert "Quản trị hệ thống" in shown


def test_outside_the_demo_there_is_no_way_in_without_a_password(house: Database, clock: Callable[[], datetime]) -> None:
    settings = Settings(secret=SECRET, secure_cookies=False, demo=False)
    with TestClient(create_app(settings, database=house, clock=clock)) as client:
        client.follow_redirects = False
        assert "/sign-in/demo" not in client.get("/sign-in").text
        assert send(client, "/sign-in/demo", {"login": "researcher"}).status_code == 404
        assert client.get("/account").status_code == 401


def test_an_unknown_login_is_not_in_the_demo(client: Client) -> None:
    assert send(client, "/sign-in/demo", {"login": "nobody"}).status_code == 404


def test_the_language_is_changed_by_one_click_and_remembered(client: Client, house: Database) -> None:
    sign_in(client, "researcher")
    answer = send(client, "/language", {"value": "en", "next": "/account"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    page = client.get("/account")
    assert '<html lang="en"' in page.text
    assert "Sign out" in text_of(page)
    with house.read() as db:
        spoken = sa.select(t.persons.c.language).where(t.persons.c.login == "researcher")
        assert db.execute(spoken).scalar_one() == "en"


def test_an_unknown_language_changes_nothing(client: Client) -> None:
    send(client, "/language", {"value": "xx"})
    assert '<html lang="vi"' in client.get("/").text


def test_a_theme_is_chosen_and_given_back_to_the_device(client: Client) -> None:
    assert "data-theme" not in client.get("/").text
    send(client, "/theme", {"value": "dark"})
    assert 'data-theme="dark"' in client.get("/").text
    send(client, "/theme", {"value": "auto"})
    assert "data-theme" not in client.get("/").text


def test_a_form_without_its_token_changes_nothing(client: Client) -> None:
    csrf(client)
    answer = client.post("/sign-in/demo", data={"login": "researcher"})
    assert answer.status_code == 403
    assert "Biểu mẫu này đã cũ" in text_of(answer)
    assert "sign_in" not in client.cookies


def change(client: Client, present: str, new: str, again: str | None = None) -> Any:
    typed = {"present": present, "new": new, "again": new if again is None else again}
    return send(client, "/account/password", typed)


def test_a_password_is_changed_by_who_knows_the_present_one(client: Client, known_password: str) -> None:
    sign_in(client, "researcher")
    assert change(client, known_password, "một câu ngắn khác").status_code == 303
    assert "Đã đổi mật khẩu." in text_of(client.get("/account"))
    send(client, "/sign-out")
    assert send(client, "/sign-in", {"login": "researcher", "password": known_password}).status_code == 401
    assert send(client, "/sign-in", {"login": "researcher", "password": "một câu ngắn khác"}).status_code == 303


def test_a_changed_password_signs_other_browsers_out_and_keeps_this_one(client: Client, known_password: str) -> None:
    sign_in(client, "researcher")
    elsewhere = client.cookies["sign_in"]
    sign_in(client, "researcher")
    assert change(client, known_password, "một câu ngắn khác").status_code == 303
    assert client.get("/account").status_code == 200
    client.cookies.set("sign_in", elsewhere)
    assert client.get("/account").status_code == 401


def test_a_new_password_is_refused_with_every_reason(client: Client, known_password: str) -> None:
    sign_in(client, "researcher")
    answer = change(client, known_password, "ngắn", "khác")
    assert answer.status_code == 422
    assert 'data-code="password_short"' in answer.text
    assert 'data-code="password_differs"' in answer.text


def test_the_present_password_cannot_be_guessed_at_an_unattended_browser(client: Client, known_password: str) -> None:
    sign_in(client, "researcher")
    for _ in range(TRIES_PER_LOGIN):
        assert 'data-code="password_wrong"' in change(client, "wrong", "một câu ngắn khác").text
    assert change(client, known_password, "một câu ngắn khác").status_code == 429
    # The house is not closed to them: they are still signed in.
    assert client.get("/account").status_code == 200


def test_nobody_changes_a_password_without_signing_in(client: Client, known_password: str) -> None:
    assert change(client, known_password, "một câu ngắn khác").status_code == 401


def test_the_account_says_what_each_role_is_and_where_it_holds(client: Client) -> None:
    sign_in(client, "manager")
    page = text_of(client.get("/account"))
    assert "Quản lý phòng thí nghiệm Trung tâm Một" in page
    assert "Viện Khoa học vật liệu · manager" in page
