"""How an answer is made: pages and fragments, redirects, cookies, and where nobody is sent."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

import pytest
from litestar.testing import TestClient

from labshare.app import create_app
from labshare.settings import Settings
from labshare.store.engine import Database
from labshare.web.rendering import local_path
from tests.web.conftest import SECRET, Client, csrf, send, sign_in


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/projects?x=1#top", "/projects?x=1#top"),
        ("/", "/"),
        (None, "/"),
        ("", "/"),
        ("projects", "/"),
        ("https://elsewhere.example", "/"),
        ("//elsewhere.example", "/"),
        # Browsers read a backslash as a slash.
        ("/\\elsewhere.example", "/"),
        ("/a\nSet-Cookie: x=y", "/"),
        ("/\t/elsewhere.example", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_only_paths_of_this_site_are_followed(url: str | None, path: str) -> None:
    assert local_path(url) == path


def test_htmx_is_told_to_go_where_a_browser_is_redirected(client: Client) -> None:
    form = {"login": "researcher", "next": "/projects"}
    plain = send(client, "/sign-in/demo", form)
    assert (plain.status_code, plain.headers["location"]) == (303, "/projects")
    by_htmx = send(client, "/sign-in/demo", form, **{"HX-Request": "true"})
    assert (by_htmx.status_code, by_htmx.headers["hx-redirect"]) == (200, "/projects")


def test_the_csrf_token_may_come_in_a_header_as_htmx_sends_it(client: Client) -> None:
    answer = client.post("/sign-in/demo", data={"login": "researcher"}, headers={"x-csrftoken": csrf(client)})
    assert answer.status_code == 303


def test_a_token_of_another_browser_is_refused(client: Client) -> None:
    own = csrf(client)
    forged = ("0" if own[0] != "0" else "1") + own[1:]
    answer = client.post("/sign-in/demo", data={"login": "researcher", "_csrf_token": forged})
    assert answer.status_code == 403


def test_a_page_carries_the_token_for_forms_and_for_htmx(client: Client) -> None:
    page = client.get("/sign-in")
    token = client.cookies["csrf"]
    assert f'name="_csrf_token" value="{token}"' in page.text
    assert f'{{"x-csrftoken": "{token}"}}' in page.text


@pytest.mark.parametrize("secure", [True, False])
def test_cookies_travel_by_tls_alone_where_the_settings_say_so(
    house: Database, clock: Callable[[], datetime], secure: bool
) -> None:
    settings = Settings(secret=SECRET, secure_cookies=secure, demo=True)
    built = create_app(settings, database=house, clock=clock)
    with TestClient(built, base_url="https://testserver.local") as client:
        client.follow_redirects = False
        cookies = client.get("/sign-in").headers.get_list("set-cookie")
        cookies += send(client, "/sign-in/demo", {"login": "researcher"}).headers.get_list("set-cookie")
        cookies += send(client, "/theme", {"value": "dark"}).headers.get_list("set-cookie")
    names = {cookie.split("=")[0]: "secure" in cookie.lower() for cookie in cookies}
    assert names == {"csrf": secure, "sign_in": secure, "language": secure, "theme": secure}


@pytest.mark.parametrize(
    ("sent_from", "back"),
    [
        ("https://lab.example/bookings/new?instrument=N001", "/bookings/new?instrument=N001"),
        ("https://lab.example", "/"),
        ("https://lab.example//elsewhere.example/page", "/"),
        ("nowhere", "/"),
        ("", "/"),
    ],
)
def test_a_refused_form_changes_language_where_the_form_was(client: Client, sent_from: str, back: str) -> None:
    sign_in(client, "researcher")
    page = send(client, "/bookings", {"instrument": "N001", "from": "9"}, Referer=sent_from)
    assert page.status_code == 400
    assert set(re.findall(r'name="next" value="([^"]*)"', page.text)) == {back}


def test_a_page_shows_who_reads_it(client: Client) -> None:
    assert 'href="/account"' not in client.get("/").text
    sign_in(client, "manager")
    assert 'href="/account"' in client.get("/").text
