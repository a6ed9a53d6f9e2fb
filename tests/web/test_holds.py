"""The hold of an open form over htmx: what the fragment says, how it is given back, and that the form books with it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, expect

from labshare.domain.bookings import BookingState
from labshare.store import bookings as bookings_store
from labshare.store.engine import Database
from labshare.store.tables import bookings
from tests.browser import enter, faults, overflow, small_targets, window
from tests.furniture import COLLEAGUE, PUBLIC_PROJECT, XRD, a_booking, span
from tests.web.conftest import Client, send, sign_in

FORM = {
    "instrument": "N002", "date": "2026-11-25", "from": "9:00", "until": "11:00", "project": str(PUBLIC_PROJECT),
}  # fmt: skip


@pytest.fixture
def researcher(client: Client) -> Client:
    sign_in(client, "researcher")
    client.cookies.set("language", "en")
    return client


def hold(client: Client, **changes: str) -> Any:
    return send(client, "/bookings/holds", {**FORM, **changes}, **{"HX-Request": "true"})


def id_in(answer: Any) -> str:
    found = re.search(r'name="hold" value="([^"]+)"', answer.text)
    assert found is not None, answer.text
    return found[1]


def stored(house: Database) -> list[tuple[str, str]]:
    with house.read() as db:
        query = sa.select(bookings.c.id, bookings.c.state).order_by(bookings.c.created_at)
        return [(str(row.id), row.state) for row in db.execute(query)]


def test_a_filled_in_form_has_its_time_kept_and_books_it_in_place(researcher: Client, house: Database) -> None:
    answer = hold(researcher)
    assert answer.status_code == 200
    assert 'data-seconds="300"' in answer.text
    assert "Five minutes more" in answer.text
    held = id_in(answer)
    assert stored(house) == [(held, BookingState.HELD)]
    booked = send(researcher, "/bookings", {**FORM, "hold": held})
    assert (booked.status_code, booked.headers["location"]) == (303, f"/bookings/{held}")
    assert stored(house) == [(held, BookingState.CONFIRMED)]


def test_a_form_that_is_sent_before_it_knows_of_its_hold_books_it_in_place(researcher: Client, house: Database) -> None:
    """Whoever types and clicks at once sends the form while its time is being kept; what is another's stays so."""
    held = id_in(hold(researcher))
    booked = send(researcher, "/bookings", FORM)
    assert (booked.status_code, booked.headers["location"]) == (303, f"/bookings/{held}")
    assert stored(house) == [(held, BookingState.CONFIRMED)]
    assert send(researcher, "/bookings", FORM).status_code == 422
    assert stored(house) == [(held, BookingState.CONFIRMED)]


def test_the_page_of_a_hold_leads_back_to_its_form(researcher: Client) -> None:
    held = id_in(hold(researcher))
    page = researcher.get(f"/bookings/{held}").text
    assert "It is not booked yet." in page
    found = re.search(r'href="(/bookings/new[^"]+)"', page)
    assert found is not None
    form = researcher.get(found[1].replace("&amp;", "&")).text
    assert f'name="hold" value="{held}"' in form
    for value in ("2026-11-25", "09:00", "11:00"):
        assert f'value="{value}"' in form
    assert send(researcher, "/bookings", {**FORM, "hold": held}).status_code == 303
    assert "It is not booked yet." not in researcher.get(f"/bookings/{held}").text


def test_a_hold_is_no_booking_yet_and_its_page_offers_the_form_or_lets_it_go(
    researcher: Client, house: Database
) -> None:
    held = id_in(hold(researcher))
    assert held not in researcher.get("/bookings").text
    assert held not in researcher.get("/").text
    page = researcher.get(f"/bookings/{held}").text
    assert f'action="/bookings/{held}/move"' not in page
    assert f'action="/bookings/{held}/cancel"' not in page
    assert f'action="/bookings/holds/{held}/let-go"' in page
    answer = send(researcher, f"/bookings/holds/{held}/let-go", {})
    assert (answer.status_code, answer.headers["location"]) == (303, "/instruments/N002?date=2026-11-25")
    assert stored(house) == [(held, BookingState.RELEASED)]
    assert "The time is no longer kept for you" in researcher.get("/instruments/N002?date=2026-11-25").text


def test_who_answers_for_the_centre_lets_a_hold_go_after_a_question_and_nobody_else_finds_it(
    researcher: Client, house: Database
) -> None:
    held = id_in(hold(researcher))
    sign_in(researcher, "manager")
    page = researcher.get(f"/bookings/{held}").text
    assert "kept for somebody who has not booked it yet" in page
    assert f'action="/bookings/{held}/cancel"' in page
    assert f'action="/bookings/{held}/move"' not in page
    assert send(researcher, f"/bookings/holds/{held}/let-go", {}).status_code == 404
    assert stored(house) == [(held, BookingState.HELD)]


def test_a_refused_form_says_it_once_and_asks_again_when_it_changes(researcher: Client, house: Database) -> None:
    asked = 'hx-trigger="load, hold delay:300ms"'
    assert asked in researcher.get("/bookings/new?instrument=N002").text
    refused = send(researcher, "/bookings", {**FORM, "from": "3:00", "until": "4:00"})
    assert refused.status_code == 422
    assert asked not in refused.text
    assert 'hx-trigger="hold delay:300ms"' in refused.text


def test_taken_time_leads_to_other_times_and_the_waitlist_before_the_form_is_sent(
    researcher: Client, house: Database
) -> None:
    """Nearest to 9:00 on Wednesday are two hours from 11:00, from 8:00 on Thursday and, as Tuesday is a holiday, until
    18:00 on Monday; Hanoi is seven hours ahead of UTC.
    """
    with house.write() as db:
        bookings_store.add(db, [a_booking(XRD, span(25, 9, 11), person_id=COLLEAGUE)])
    answer = hold(researcher)
    assert 'data-code="time_taken"' in answer.text
    assert re.findall(r'form="booking-form" name="slot" value="([^"]+)"', answer.text) == [
        "2026-11-23T09:00:00Z/2026-11-23T11:00:00Z",
        "2026-11-25T04:00:00Z/2026-11-25T06:00:00Z",
        "2026-11-26T01:00:00Z/2026-11-26T03:00:00Z",
    ]
    assert 'href="/waitlist/new?instrument=N002&amp;length=120m&amp;from=2026-11-25&amp;to=2026-12-01"' in answer.text


@pytest.mark.parametrize("missing", ["from", "project"])
def test_a_form_that_is_not_filled_in_keeps_nothing_and_says_nothing(
    researcher: Client, house: Database, missing: str
) -> None:
    answer = hold(researcher, **{missing: ""})
    assert (answer.status_code, answer.text.strip(), stored(house)) == (200, "", [])


def test_it_says_at_once_why_the_time_cannot_be_had(researcher: Client, house: Database) -> None:
    answer = hold(researcher, until="9:10")
    assert re.findall(r'data-code="(\w+)"', answer.text) == ["too_short", "off_raster"]
    assert "It cannot be booked like this" in answer.text
    assert stored(house) == []


def test_other_times_move_the_hold_and_times_that_cannot_be_had_let_it_go(researcher: Client, house: Database) -> None:
    held = id_in(hold(researcher))
    assert id_in(hold(researcher, hold=held, until="12:00")) == held
    hold(researcher, hold=held, until="19:00")
    assert stored(house) == [(held, BookingState.RELEASED)]


def test_a_third_hold_is_told_as_no_reason_against_booking(researcher: Client) -> None:
    hold(researcher)
    hold(researcher, **{"from": "11:00", "until": "12:00"})
    third = hold(researcher, **{"from": "13:00", "until": "14:00"})
    assert re.findall(r'data-code="(\w+)"', third.text) == ["holds_too_many"]
    assert "is not kept for you" in third.text


def test_five_minutes_more_are_had_once(researcher: Client) -> None:
    held = id_in(hold(researcher))
    longer = send(researcher, f"/bookings/holds/{held}/prolong")
    assert 'data-seconds="300"' in longer.text
    assert "Five minutes more" not in longer.text
    again = send(researcher, f"/bookings/holds/{held}/prolong")
    assert re.findall(r'data-code="(\w+)"', again.text) == ["hold_prolonged"]


def test_leaving_gives_it_back_and_a_stranger_cannot(researcher: Client, house: Database) -> None:
    held = id_in(hold(researcher))
    sign_in(researcher, "competitor")
    assert send(researcher, f"/bookings/holds/{held}/release").status_code == 404
    assert hold(researcher, hold=held).text.strip() == ""
    sign_in(researcher, "researcher")
    assert send(researcher, f"/bookings/holds/{held}/release").status_code == 204
    assert stored(house) == [(held, BookingState.RELEASED)]


def test_the_dates_of_a_series_are_looked_at_without_the_hold_of_the_form(researcher: Client, house: Database) -> None:
    held = id_in(hold(researcher))
    rule = {**FORM, "hold": held, "frequency": "daily", "interval": "1", "count": "2"}
    looked = send(researcher, "/series/preview", rule)
    assert looked.status_code == 200
    assert looked.text.count("free-date") == 2
    assert f'name="hold" value="{held}"' in looked.text
    made = send(researcher, "/series", rule)
    assert made.status_code == 303
    assert sorted(state for _, state in stored(house)) == ["confirmed", "confirmed", "released"]


def test_the_form_asks_for_its_hold_as_it_opens_and_others_see_that_the_time_is_held(researcher: Client) -> None:
    page = researcher.get("/bookings/new", params=FORM)
    assert 'hx-post="/bookings/holds" hx-trigger="load, hold delay:300ms"' in page.text
    hold(researcher)
    sign_in(researcher, "competitor")
    week = researcher.get("/instruments/N002?date=2026-11-25").text
    assert re.search(r'class="taken held[^"]*"', week)
    assert "Held" in week


def test_nobody_signed_in_holds_nothing(client: Client, house: Database) -> None:
    assert hold(client).status_code in (303, 401)
    assert stored(house) == []


@pytest.mark.slow
@pytest.mark.parametrize("is_sent", [False, True])
def test_in_a_browser_enter_sends_what_was_typed_and_takes_no_offered_time(
    browser: Browser, site: str, house: Database, is_sent: bool
) -> None:
    with house.write() as db:
        bookings_store.add(db, [a_booking(XRD, span(25, 9, 11), person_id=COLLEAGUE)])
    with window(browser, site, width=360) as page:
        enter(page, "researcher")
        page.goto("/bookings/new?instrument=N002&date=2026-11-25&from=9:00&until=11:00")
        expect(page.locator(".offers")).to_be_visible()
        if is_sent:
            page.locator("#booking-form .actions > [type=submit]").first.click()
            expect(page.locator(".refused .offers")).to_be_visible()
        page.locator("[name=from]").fill("13:00")
        page.locator("[name=until]").fill("15:00")
        page.locator("[name=until]").press("Enter")
        expect(page.locator("h1")).to_contain_text("Lượt đặt:")
        expect(page.locator(".lead")).to_contain_text("13:00–15:00")


@pytest.mark.slow
@pytest.mark.parametrize(("width", "language", "theme"), [(360, "vi", "light"), (1440, "en", "dark")])
def test_in_a_browser_the_form_counts_down_moves_its_hold_and_gives_it_back(
    browser: Browser, site: str, house: Database, width: int, language: str, theme: str
) -> None:
    with window(browser, site, width=width, language=language, theme=theme) as page:
        enter(page, "researcher")
        page.goto("/bookings/new?instrument=N002&date=2026-11-25&from=9:00&until=11:00")
        expect(page.locator("[data-hold]")).to_be_visible()
        # The clock of these tests stands still; that of the browser counts from five minutes.
        expect(page.locator("[data-left]")).to_have_text(re.compile(r"[45]:\d\d"))
        assert (overflow(page), small_targets(page), faults(page)) == (0, [], [])
        with page.expect_response(re.compile(r"/bookings/holds$")):
            page.locator("#field-until").fill("12:00")
            page.locator("#field-until").blur()
        ((held, state),) = stored(house)
        assert state == BookingState.HELD
        with page.expect_response(re.compile(r"/prolong$")):
            page.locator("[data-hold] button").click()
        expect(page.locator("[data-hold] button")).to_have_count(0)
        page.goto("/instruments/N002?date=2026-11-25")
        # The time is free again once the beacon has arrived, and an open calendar hears of it.
        expect(page.locator("li.held")).to_have_count(0)
        assert stored(house) == [(held, BookingState.RELEASED)]
