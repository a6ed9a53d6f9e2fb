"""The page of a sheet: every row with its answer before anything is booked, and what was typed stays."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser

from labshare.domain.bookings import BookingState
from labshare.store import booking_pages
from labshare.store.engine import Database
from tests.browser import enter, faults, overflow, small_targets, window
from tests.furniture import COLLEAGUE, NOW, RESEARCHER
from tests.web.conftest import Client, csrf, sign_in, text_of

ROWS = """instrument,starts_at,ends_at,person,project,purpose
N002,2026-11-25 08:00,2026-11-25 09:00,researcher,KC-01,first
N002,2026-11-25 22:00,2026-11-25 23:00,colleague,KC-01,at night
"""


def upload(client: Client, url: str, content: bytes, **data: str) -> Any:
    """Hand a sheet in as a browser does; an empty file is what it sends where none was chosen."""
    fields = {"_csrf_token": csrf(client), **data}
    return client.post(url, data=fields, files={"file": ("rows.csv" if content else "", content, "text/csv")})


def standing(house: Database) -> list[str]:
    with house.read() as db:
        return [
            line.booking.purpose
            for person in (RESEARCHER, COLLEAGUE)
            for line in booking_pages.lines_of_person(db, person, since=NOW, states=[BookingState.CONFIRMED])
        ]


def codes(page: str) -> list[str]:
    """Of each row whether it can be booked."""
    return re.findall(r'<li class="(refused|free)-date"', page)


def test_rows_are_looked_at_and_then_made_without_those_that_are_refused(client: Client, house: Database) -> None:
    sign_in(client, "manager")
    assert 'href="/bookings/import"' in client.get("/bookings").text
    looked = upload(client, "/bookings/import/preview", b"", sheet=ROWS)
    assert (looked.status_code, codes(looked.text), standing(house)) == (200, ["free", "refused"], [])
    assert "at night" in looked.text
    refused = upload(client, "/bookings/import", b"", sheet=ROWS)
    assert (refused.status_code, standing(house)) == (422, [])
    assert "Số dòng không đặt được: 1." in text_of(refused)
    done = upload(client, "/bookings/import", b"", sheet=ROWS, skips="on")
    assert (done.status_code, done.headers["location"]) == (303, "/bookings")
    assert standing(house) == ["first"]


def test_a_file_goes_before_what_is_pasted_and_stays_in_the_form(client: Client, house: Database) -> None:
    sign_in(client, "manager")
    looked = upload(client, "/bookings/import/preview", ROWS.encode("utf-8-sig"), sheet="something else")
    assert codes(looked.text) == ["free", "refused"]
    assert "something else" not in looked.text
    assert "N002,2026-11-25 08:00" in looked.text


@pytest.mark.parametrize(
    ("content", "reason", "said"),
    [
        (b"\xff\xfe", "", "UTF-8"),
        # Cut anywhere, this would be no text.
        ("ế".encode() * 300_000, "", "dài quá 200.000 ký tự"),
        (b"instrument\nN001", "", "Thiếu cột “starts_at”"),
        (b"", "", "Chưa có dòng nào để đặt"),
        (ROWS.encode(), "vì thế", "ít nhất 3 từ"),
    ],
)
def test_what_cannot_be_read_says_why_and_changes_nothing(
    client: Client, house: Database, content: bytes, reason: str, said: str
) -> None:
    sign_in(client, "manager")
    for url in ("/bookings/import/preview", "/bookings/import"):
        answer = upload(client, url, content, override_reason=reason)
        assert (answer.status_code, standing(house)) == (400, [])
        assert said in text_of(answer), text_of(answer)


def test_only_who_may_book_has_the_page(client: Client, house: Database) -> None:
    assert client.get("/bookings/import").status_code in (303, 401)
    sign_in(client, "partner")
    assert client.get("/bookings/import").status_code == 403
    assert upload(client, "/bookings/import", ROWS.encode()).status_code == 403
    assert standing(house) == []


def test_a_researcher_brings_their_own_and_passes_no_rule(client: Client, house: Database) -> None:
    """The colleague is a member of the project that the researcher leads; nobody offers them to pass rules."""
    sign_in(client, "researcher")
    assert "override_reason" not in client.get("/bookings/import").text
    looked = upload(client, "/bookings/import/preview", ROWS.encode(), override_reason="because I say so")
    assert codes(looked.text) == ["free", "refused"]


@pytest.mark.slow
@pytest.mark.parametrize(("width", "theme", "language"), [(360, "dark", "vi"), (1440, "light", "en")])
def test_it_fits_and_axe_finds_nothing(browser: Browser, site: str, width: int, theme: str, language: str) -> None:
    with window(browser, site, theme=theme, width=width, language=language) as page:
        enter(page, "manager")
        page.goto("/bookings/import")
        page.fill("#field-sheet", ROWS)
        page.locator("button[formaction]").click()
        page.locator(".refused-date").wait_for()
        assert (faults(page), overflow(page), small_targets(page)) == ([], 0, [])
        page.check("input[name=skips]")
        page.locator(".actions button[type=submit]").first.click()
        page.wait_for_url("**/bookings")
        assert "first" in page.content() or page.locator(".day-card").count() == 1
