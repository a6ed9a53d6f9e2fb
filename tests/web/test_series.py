"""The pages of repeating bookings over HTTP and on a phone: the rule, its dates, how much of a series is changed."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page

from labshare.domain.bookings import Booking, BookingState
from labshare.domain.timespan import Span
from labshare.store import bookings as store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.browser import enter, faults, overflow, small_targets, window
from tests.furniture import COLLEAGUE, FESEM, PUBLIC_PROJECT, RESEARCHER, a_booking, span
from tests.web.conftest import Client, send, sign_in, text_of

WEEK, HOUR = timedelta(weeks=1), timedelta(hours=1)
# Three Thursdays from 26 November on.
TYPED = {
    "instrument": "N001", "date": "2026-11-26", "from": "9h", "until": "11h", "project": str(PUBLIC_PROJECT),
    "frequency": "weekly", "interval": "1", "count": "3", "purpose": "lát cắt",
}  # fmt: skip
NINE = span(26, 9, 11)


@pytest.fixture
def researcher(client: Client) -> Client:
    sign_in(client, "researcher")
    return client


def occupied(house: Database) -> None:
    """The second Thursday is somebody else's."""
    with house.write() as db:
        store.add(db, [a_booking(FESEM, Span(NINE.start + WEEK, NINE.end + WEEK), person_id=COLLEAGUE)])


def mine(house: Database) -> list[Booking]:
    query = sa.select(t.bookings.c.id).where(t.bookings.c.person_id == RESEARCHER).order_by(t.bookings.c.starts_at)
    with house.read() as db:
        return [store.get(db, booking_id) for booking_id in db.execute(query).scalars()]


def made(client: Client, house: Database, **changes: str) -> list[Booking]:
    assert send(client, "/series", TYPED | changes).status_code == 303
    return mine(house)


def version(client: Client, booking_id: UUID) -> dict[str, str]:
    """The hidden fields of the form that moves a booking."""
    found = client.get(f"/bookings/{booking_id}").text
    return {name: unescape(value) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', found)}


def change(client: Client, booking_id: UUID, what: str, **typed: str) -> Any:
    return send(client, f"/bookings/{booking_id}/{what}", version(client, booking_id) | typed)


def test_the_form_keeps_a_rule_folded_and_its_first_button_books(researcher: Client) -> None:
    answer = researcher.get("/bookings/new?instrument=N001")
    assert '<details class="repeat">' in answer.text
    buttons = re.findall(r"<button[^>]*type=\"submit\"[^>]*>", answer.text[answer.text.index('id="booking-form"') :])
    assert "formaction" not in buttons[0]
    assert '<details class="repeat" open>' in researcher.get("/bookings/new?instrument=N001&count=3").text


def test_every_date_is_shown_and_nothing_is_written(researcher: Client, house: Database) -> None:
    answer = send(researcher, "/series/preview", TYPED)
    assert answer.status_code == 200
    assert "hằng tuần, 3 lần" in text_of(answer)
    assert answer.text.count('class="free-date"') == 3
    assert "09:00–11:00 T5 10/12/2026" in text_of(answer)
    assert "Đặt cả 3 ngày" in text_of(answer)
    assert "conflicts" not in answer.text
    assert mine(house) == []


def test_a_refused_date_says_why_and_what_to_choose(client: Client, house: Database) -> None:
    occupied(house)
    client.cookies.set("language", "en")
    sign_in(client, "researcher")
    answer = send(client, "/series/preview", TYPED)
    assert (answer.text.count('class="free-date"'), answer.text.count('class="refused-date"')) == (2, 1)
    text = text_of(answer)
    assert "That time is already taken: Thu 3 Dec 2026, 09:00–11:00." in text
    assert "Nearest times that are still free: Thu 3 Dec 2026, 11:00–13:00; Fri 4 Dec 2026, 08:00–10:00" in text
    assert "1 date cannot be booked as it is" in text
    assert re.findall(r'name="conflicts" value="(\w+)"( checked)?', answer.text) == [
        ("skip", " checked"), ("move", ""), ("stop", ""),
    ]  # fmt: skip


def test_where_no_date_is_free_they_can_only_be_moved(researcher: Client, house: Database) -> None:
    with house.write() as db:
        for weeks in range(3):
            taken = Span(NINE.start + weeks * WEEK, NINE.end + weeks * WEEK)
            store.add(db, [a_booking(FESEM, taken, person_id=COLLEAGUE)])
    answer = send(researcher, "/series/preview", TYPED)
    assert answer.text.count('class="free-date"') == 0
    assert re.findall(r'name="conflicts" value="(\w+)"( checked)?', answer.text) == [("move", " checked")]


def test_where_nothing_can_be_had_on_any_day_the_series_is_not_offered(researcher: Client, house: Database) -> None:
    with house.write() as db:
        for weeks in range(3):
            # All day, from 8 to 18.
            taken = Span(NINE.start + weeks * WEEK - HOUR, NINE.start + weeks * WEEK + 9 * HOUR)
            store.add(db, [a_booking(FESEM, taken, person_id=COLLEAGUE)])
    answer = send(researcher, "/series/preview", TYPED)
    assert answer.text.count('class="refused-date"') == 3
    assert "Không ngày nào đặt được" in text_of(answer)
    assert 'name="conflicts"' not in answer.text
    assert "Đặt chuỗi lượt này" not in text_of(answer)
    assert "Sửa quy tắc" in text_of(answer)


def test_the_page_carries_on_whatever_was_typed(researcher: Client, house: Database) -> None:
    answer = send(researcher, "/series/preview", TYPED | {"we": "1", "th": "1"})
    carried = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', answer.text))
    assert send(researcher, "/series", carried).status_code == 303
    # Thursday, Wednesday, Thursday.
    assert [f"{booking.starts_at:%d/%m}" for booking in mine(house)] == ["26/11", "02/12", "03/12"]
    back = unescape(re.findall(r'href="(/bookings/new\?[^"]+)"', answer.text)[-1])
    form = researcher.get(back).text
    assert re.search(r'name="th" value="1" checked', form)
    assert 'value="lát cắt"' in form


@pytest.mark.parametrize(("conflicts", "hours"), [("skip", [2, 2]), ("move", [2, 4, 2])])
def test_refused_dates_are_left_out_or_moved(
    researcher: Client, house: Database, conflicts: str, hours: list[int]
) -> None:
    """9:00 in Hanoi is 2:00 UTC; 11:00 is the nearest time on the second Thursday."""
    occupied(house)
    bookings = made(researcher, house, conflicts=conflicts)
    assert [booking.starts_at.hour for booking in bookings] == hours


def test_nothing_is_booked_while_a_date_is_refused(researcher: Client, house: Database) -> None:
    occupied(house)
    answer = send(researcher, "/series", TYPED | {"conflicts": "stop"})
    assert answer.status_code == 409
    assert "Số ngày không đặt được: 1." in text_of(answer)
    assert re.search(r'value="stop" checked', answer.text)
    assert mine(house) == []


@pytest.mark.parametrize("address", ["/series", "/series/preview"])
@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"count": ""}, "repeat_until"),
        ({"count": "x"}, "count"),
        ({"count": "101"}, "count"),
        ({"count": "", "repeat_until": "2026-11-01"}, "repeat_until"),
        ({"interval": "0"}, "interval"),
        ({"frequency": "yearly"}, "frequency"),
        ({"from": "?"}, "from"),
    ],
)
def test_a_rule_that_cannot_be_kept_is_told_at_its_field(
    researcher: Client, address: str, typed: dict[str, str], field: str
) -> None:
    answer = send(researcher, address, TYPED | typed)
    assert answer.status_code == 400
    assert f'id="error-{field}"' in answer.text
    assert field == "from" or '<details class="repeat" open>' in answer.text


def test_a_booking_of_a_series_shows_it_and_my_bookings_mark_it(researcher: Client, house: Database) -> None:
    bookings = made(researcher, house)
    page = researcher.get(f"/bookings/{bookings[1].id}")
    assert "hằng tuần, 3 lần" in text_of(page)
    assert f'href="/bookings/{bookings[0].id}"' in page.text
    assert "<b>09:00–11:00 T5 03/12/2026</b>" in page.text
    assert text_of(researcher.get("/bookings")).count("Lặp lại") == 3


def test_a_series_that_waits_is_not_said_to_be_booked(researcher: Client, house: Database) -> None:
    with house.write() as db:
        db.execute(sa.update(t.instruments).values(approval="everybody", approval_hours=24))
    made(researcher, house)
    page = text_of(researcher.get("/bookings"))
    assert ("Đã gửi yêu cầu đặt chuỗi lượt." in page, "Đã đặt chuỗi lượt." in page) == (True, False)


def test_this_and_following_move_and_one_alone(researcher: Client, house: Database) -> None:
    bookings = made(researcher, house)
    times = {"date": "2026-12-03", "from": "13:00", "until": "15:00"}
    assert change(researcher, bookings[1].id, "move", reach="following", **times).status_code == 303
    assert [booking.starts_at.hour for booking in mine(house)] == [2, 6, 6]
    assert "Đã dời 2 lượt của chuỗi." in text_of(researcher.get("/bookings"))
    assert change(researcher, bookings[1].id, "move", reach="one", **(times | {"from": "14:00"})).status_code == 303
    assert [booking.starts_at.hour for booking in mine(house)] == [2, 7, 6]


def test_a_set_up_is_chosen_for_those_that_follow_and_kept_by_each_where_none_is(
    researcher: Client, house: Database
) -> None:
    with house.write() as db:
        db.execute(sa.update(t.instruments).values(setups="cryo stage\n5 kV"))
    bookings = made(researcher, house)
    times = {"date": "2026-12-03", "from": "9:00", "until": "11:00"}
    change(researcher, bookings[1].id, "move", reach="following", setup="5 kV", **times)
    assert [booking.setup for booking in mine(house)] == ["", "5 kV", "5 kV"]
    # The form of the first has none, which is not to say that the others have none.
    change(researcher, bookings[0].id, "move", reach="all", **(times | {"date": "2026-11-27"}))
    assert [booking.setup for booking in mine(house)] == ["", "5 kV", "5 kV"]


def test_a_series_that_cannot_move_keeps_what_was_chosen(researcher: Client, house: Database) -> None:
    """Moved to 5:00 in the morning all three are refused for one reason, which is told once."""
    bookings = made(researcher, house)
    answer = change(
        researcher, bookings[0].id, "move", reach="all", date="2026-11-26", until="7:00", **{"from": "5:00"}
    )
    assert answer.status_code == 422
    assert answer.text.count('data-code="closed"') == 1
    assert 'value="all" checked' in answer.text
    assert mine(house) == bookings


def test_times_are_offered_for_one_date_and_not_for_several(researcher: Client, house: Database) -> None:
    """The second Thursday is taken from 13:00 to 15:00. What is free for one date would be refused for all again."""
    taken = span(26, 13, 15)
    with house.write() as db:
        store.add(db, [a_booking(FESEM, Span(taken.start + WEEK, taken.end + WEEK), person_id=COLLEAGUE)])
    bookings = made(researcher, house)
    times = {"from": "13:00", "until": "15:00"}
    every = change(researcher, bookings[0].id, "move", reach="all", date="2026-11-26", **times)
    one = change(researcher, bookings[1].id, "move", reach="one", date="2026-12-03", **times)
    assert (every.status_code, one.status_code) == (409, 409)
    assert ('name="slot"' in every.text, 'name="slot"' in one.text) == (False, True)


def test_cancelling_the_rest_of_a_series(researcher: Client, house: Database) -> None:
    bookings = made(researcher, house)
    assert change(researcher, bookings[1].id, "cancel", reach="following").status_code == 303
    cancelled = BookingState.CANCELLED
    assert [booking.state for booking in mine(house)] == [BookingState.CONFIRMED, cancelled, cancelled]
    assert "Đã hủy 2 lượt của chuỗi" in text_of(researcher.get("/bookings"))


def test_a_series_that_changed_meanwhile_is_stale(researcher: Client, house: Database) -> None:
    bookings = made(researcher, house)
    seen = version(researcher, bookings[0].id)
    assert change(researcher, bookings[2].id, "cancel", reach="one").status_code == 303
    answer = send(researcher, f"/bookings/{bookings[0].id}/cancel", seen | {"reach": "all"})
    assert answer.status_code == 412
    assert send(researcher, f"/bookings/{bookings[0].id}/cancel", seen | {"reach": "most"}).status_code == 400


@pytest.mark.slow
@pytest.mark.parametrize("language", ["vi", "en"])
def test_on_a_phone_a_series_is_looked_at_booked_and_changed(
    browser: Browser, site: str, house: Database, language: str
) -> None:
    occupied(house)
    with window(browser, site, width=360, language=language) as page:
        enter(page, "researcher")
        page.goto("/bookings/new?instrument=N001&date=2026-11-26&from=09:00&until=11:00&count=3")
        sound(page)
        page.locator("details.repeat button").click()
        page.locator('input[value="move"]').check()
        sound(page)
        page.locator("main form button[type=submit]").click()
        page.wait_for_url(re.compile(r"/bookings/[0-9a-f-]{36}$"))
        page.locator("dd details summary").click()
        sound(page)
        page.goto("/bookings")
        sound(page)
    # The form held the first of them, and let it go as they were booked.
    hours = [(booking.starts_at.hour, booking.state.value) for booking in mine(house)]
    assert sorted(hours) == [(2, "confirmed"), (2, "confirmed"), (2, "released"), (4, "confirmed")]


@pytest.mark.slow
def test_a_series_is_booked_and_cancelled_without_javascript(browser: Browser, site: str, house: Database) -> None:
    with window(browser, site, java_script_enabled=False) as page:
        page.goto("/sign-in")
        page.locator('button[name="login"][value="researcher"]').first.click()
        page.goto("/bookings/new?instrument=N001&date=2026-11-26&from=09:00&until=11:00&count=3")
        page.locator("details.repeat button").click()
        page.locator("main form button[type=submit]").click()
        page.wait_for_url(re.compile(r"/bookings/[0-9a-f-]{36}$"))
        page.locator('button[popovertarget="cancel-booking"]').first.click()
        page.locator('#cancel-booking input[value="all"]').check()
        page.locator("#cancel-booking button[type=submit]").click()
        page.wait_for_url(re.compile(r"/bookings$"))
    assert {booking.state for booking in mine(house)} == {BookingState.CANCELLED}


def sound(page: Page) -> None:
    assert (overflow(page), small_targets(page), faults(page)) == (0, [], [])
