"""The home page with its sections, and what all pages share: headers, caching, one heading, addresses that answer."""

from __future__ import annotations

import re

import pytest

from labshare.web.navigation import ITEMS
from tests.web.conftest import Client, send, sign_in, text_of

LOGINS = ("researcher", "manager", "partner", "office", "administrator")


@pytest.mark.parametrize("login", LOGINS)
def test_every_link_of_the_navigation_answers_for_every_role(client: Client, login: str) -> None:
    sign_in(client, login)
    home = client.get("/").text
    shown = [item.path for item in ITEMS if f'href="{item.path}"' in home]
    assert shown
    for path in shown:
        page = client.get(path)
        assert page.status_code == 200, path
        assert page.text.count("<h1") == 1, path
        assert 'aria-current="page"' in page.text, path


@pytest.mark.parametrize("login", ["partner", "office"])
@pytest.mark.parametrize("path", ["/bookings", "/waitlist", "/exchanges", "/qualifications", "/instruments/N001"])
def test_who_may_not_book_is_offered_nothing_that_is_then_refused(client: Client, login: str, path: str) -> None:
    sign_in(client, login)
    page = client.get(path)
    links = {link for link in re.findall(r'href="(/[^"]*)"', page.text) if not link.startswith("/static/")}
    assert "/bookings" in links
    for link in links:
        assert client.get(link.replace("&amp;", "&")).status_code == 200, link
    assert "Kéo để chọn giờ" not in text_of(page)
    assert "Ai được đặt Bạn chưa có chứng nhận" not in text_of(page)


def test_who_may_not_book_reads_so_among_the_bookings(client: Client) -> None:
    sign_in(client, "partner")
    page = client.get("/bookings")
    assert "Vai trò của bạn không đặt giờ" in text_of(page)
    assert 'href="/waitlist"' not in page.text
    assert 'href="/feeds"' in page.text
    sign_in(client, "researcher")
    page = client.get("/bookings")
    assert "Vai trò của bạn không đặt giờ" not in text_of(page)
    assert 'href="/waitlist"' in page.text


def test_every_open_link_answers_for_a_visitor(client: Client) -> None:
    home = client.get("/").text
    for item in ITEMS:
        if f'href="{item.path}"' in home:
            assert client.get(item.path).status_code == 200, item.path


def test_a_visitor_is_told_what_this_is_and_offered_to_sign_in(client: Client) -> None:
    page = client.get("/")
    assert "Thiết bị dùng chung, phân bổ công bằng" in text_of(page)
    assert 'href="/sign-in"' in page.text
    # The furnished house has three instruments at two centres of one institute.
    assert "Thiết bị 3 trong đó 3 thiết bị đặt theo giờ" in text_of(page)
    assert "Trung tâm 2 thuộc 1 đơn vị chủ quản" in text_of(page)
    assert 'action="/instruments"' in page.text


def test_the_user_office_sees_what_waits_and_others_do_not(client: Client) -> None:
    sign_in(client, "researcher")
    proposal = {"code": "KC-77", "title": "Màng mỏng", "funding_line": "Nafosted"}
    assert send(client, "/projects", proposal).status_code == 303
    assert "Dự án cần xác minh" not in text_of(client.get("/"))
    sign_in(client, "office")
    page = text_of(client.get("/"))
    assert "Dự án cần xác minh" in page
    assert "KC-77 · Màng mỏng" in page


def test_a_notice_is_shown_once(client: Client) -> None:
    sign_in(client, "researcher")
    send(client, "/sign-out")
    assert "Bạn đã đăng xuất." in text_of(client.get("/"))
    assert "Bạn đã đăng xuất." not in text_of(client.get("/"))


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("count=3", "Đã dời 3 lượt của chuỗi."),
        ("count=%3Cb%3E", "Đã dời &lt;b&gt; lượt của chuỗi."),
        ("", "Đã dời – lượt của chuỗi."),
    ],
)
def test_a_notice_names_what_the_cookie_says_and_nothing_else(client: Client, named: str, said: str) -> None:
    client.cookies.set("notice", f"series_moved?{named}")
    assert said in client.get("/").text


def test_a_notice_that_nobody_wrote_is_not_shown(client: Client) -> None:
    client.cookies.set("notice", "<b>anything</b>")
    assert "anything" not in client.get("/").text


@pytest.mark.parametrize("path", ["/", "/sign-in", "/account", "/no/such/place", "/api/no/such/place"])
def test_every_answer_forbids_inline_code_and_other_sites(client: Client, path: str) -> None:
    headers = client.get(path).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"


def test_a_page_is_kept_by_nobody_else_and_static_files_for_a_year(client: Client) -> None:
    page = client.get("/")
    assert page.headers["cache-control"] == "private, no-cache"
    assert "Cookie" in page.headers["vary"]
    address = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page.text)[-1]
    style = client.get(address)
    assert style.status_code == 200
    assert set(style.headers["cache-control"].split(", ")) == {"public", "max-age=31536000", "immutable"}
    assert style.headers["content-security-policy"]


def test_everything_that_a_page_asks_for_is_there(client: Client) -> None:
    page = client.get("/").text
    asked = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert len(asked) >= 6
    for address in asked:
        assert client.get(address).status_code == 200, address


def test_a_file_outside_static_is_not_served(client: Client) -> None:
    address = re.findall(r'href="(/static/[^/]+)/', client.get("/").text)[0]
    assert client.get(f"{address}/..%2f__init__.py").status_code == 404
    # A NUL, which no file's name holds.
    assert client.get(f"{address}/%00").status_code == 404
