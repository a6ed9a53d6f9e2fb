"""The page /find: one address is the whole search, without scripts, and each time fills the form of a booking."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser

from labshare.store import bookings as store
from labshare.store.engine import Database
from tests.browser import enter, faults, overflow, small_targets, window
from tests.furniture import COLLEAGUE, FESEM, PUBLIC_PROJECT, XRD, a_booking, span
from tests.web.conftest import Client, send, sign_in, text_of

WEEK = "from=2026-11-23&to=2026-11-29"


@pytest.fixture
def researcher(client: Client) -> Client:
    sign_in(client, "researcher")
    return client


def links(answer: Any) -> list[str]:
    """The addresses of the forms that the page offers to fill, in its order."""
    return re.findall(r'href="(/bookings/new[^"]+)"', answer.text.replace("&amp;", "&"))


def test_the_page_opens_as_a_form_and_has_looked_for_nothing(researcher: Client) -> None:
    answer = researcher.get("/find")
    assert answer.status_code == 200
    assert 'name="length"' in answer.text
    assert 'value="2026-11-23"' in answer.text
    assert links(answer) == []


def test_thursday_or_friday_on_one_capability(researcher: Client, house: Database) -> None:
    with house.write() as db:
        store.add(db, [a_booking(FESEM, span(26, 8, 16), person_id=COLLEAGUE, attended=False)])
    answer = researcher.get(f"/find?capability=FESEM&length=3h&{WEEK}&day=Thu&day=Fri")
    # On Thursday two hours are left, on Friday the whole day.
    (only,) = links(answer)
    assert parse_qs(urlsplit(only).query) == {
        "instrument": ["N001"], "date": ["2026-11-27"], "from": ["08:00"], "until": ["11:00"],
        "project": [str(PUBLIC_PROJECT)],
    }  # fmt: skip
    assert "08:00–11:00" in text_of(answer)
    assert "T6 27/11/2026" in text_of(answer)
    assert 'id="day-Thu" name="day" type="checkbox" value="Thu" checked' in answer.text
    form = researcher.get(only)
    assert form.status_code == 200
    assert 'value="08:00"' in form.text


def test_a_part_of_the_day_and_typed_hours_hold_together(researcher: Client) -> None:
    afternoon = links(researcher.get(f"/find?capability=XRD&length=90&{WEEK}&day=Wed&part=afternoon"))
    assert ["from=12:00" in each for each in afternoon] == [True]
    typed = links(researcher.get(f"/find?capability=XRD&length=90&{WEEK}&day=Wed&part=morning&earliest=9h30&latest=11"))
    assert ["from=09:30" in each for each in typed] == [True]
    assert links(researcher.get(f"/find?capability=XRD&length=90&{WEEK}&day=Wed&part=morning&earliest=11")) == []


def test_what_cannot_be_read_is_said_at_its_field(researcher: Client) -> None:
    answer = researcher.get("/find?length=long&from=2026-11-30&to=2026-11-23")
    assert answer.status_code == 400
    assert 'id="error-length"' in answer.text
    assert 'id="error-to"' in answer.text
    assert "Ngày cuối không được đứng trước ngày đầu." in text_of(answer)
    far = researcher.get("/find?length=2h&from=2026-11-23&to=2027-11-23")
    assert far.status_code == 400
    assert "62 ngày" in text_of(far)
    strange = researcher.get("/find?length=2h&part=evening&day=Xxx")
    assert strange.status_code == 400
    assert 'id="error-part"' in strange.text
    assert 'id="error-day"' in strange.text
    assert researcher.get("/find?length=2h&instrument=N999").status_code == 404


@pytest.mark.parametrize(("earliest", "latest"), [("20", "8"), ("9h", "9:00")])
def test_hours_that_leave_no_time_between_them_are_said_at_their_field(
    researcher: Client, earliest: str, latest: str
) -> None:
    """Answered as a search that found nothing, they had people look for other days."""
    answer = researcher.get(f"/find?length=2h&{WEEK}&earliest={earliest}&latest={latest}")
    assert answer.status_code == 400
    assert 'id="error-latest"' in answer.text
    assert researcher.get(f"/find?length=2h&{WEEK}&earliest=8&latest=20").status_code == 200


def test_an_empty_answer_says_what_to_change(researcher: Client) -> None:
    assert "Không có giờ trống" in text_of(researcher.get(f"/find?capability=FESEM&length=20h&{WEEK}"))


def test_only_who_may_book_is_shown_the_way(client: Client) -> None:
    assert client.get("/find").status_code in (303, 401)
    sign_in(client, "partner")
    assert client.get("/find").status_code == 403
    assert 'href="/find' not in client.get("/").text + client.get("/instruments").text
    sign_in(client, "researcher")
    assert 'href="/find' in client.get("/").text
    assert "/find?capability=XRD" in client.get("/instruments?capability=XRD").text


def test_a_refused_booking_leads_to_instruments_that_can_do_the_same(researcher: Client, house: Database) -> None:
    with house.write() as db:
        store.add(db, [a_booking(XRD, span(25, 9, 12), person_id=COLLEAGUE)])
    form = {
        "instrument": "N002",
        "date": "2026-11-25",
        "from": "9:00",
        "until": "11:00",
        "project": str(PUBLIC_PROJECT),
    }
    answer = send(researcher, "/bookings", form)
    assert answer.status_code == 409
    (found,) = re.findall(r'href="(/find[^"]+)"', answer.text.replace("&amp;", "&"))
    assert found == "/find?capability=XRD&length=120m&from=2026-11-25&to=2026-12-01"
    assert links(researcher.get(found)) != []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("width", "theme", "language"), [(360, "dark", "vi"), (360, "light", "en"), (1440, "light", "vi")]
)
def test_the_page_fits_and_axe_finds_nothing(
    browser: Browser, site: str, width: int, theme: str, language: str
) -> None:
    with window(browser, site, width=width, theme=theme, language=language) as page:
        enter(page, "researcher")
        for path in ("/find", f"/find?length=2h&{WEEK}&everyone=1&part=morning", "/find?length=never"):
            page.goto(path)
            assert (overflow(page), small_targets(page), faults(page)) == (0, [], []), path
