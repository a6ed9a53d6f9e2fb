"""Calendars over HTTP: one fragment for every reader, in which nobody finds more than they may."""

from __future__ import annotations

import re
import threading
from datetime import date, datetime
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from labshare.domain.bookings import BookingKind
from labshare.services.calendars import rules_of
from labshare.store import bookings as store
from labshare.store import tables as t
from labshare.store.engine import Database
from labshare.web.calendars import day_ahead
from tests.furniture import (
    COMPETITOR,
    FESEM,
    INDUSTRY_PROJECT,
    NMR,
    RESEARCHER,
    a_booking,
    add_instrument,
    at,
    span,
)
from tests.web.conftest import Client, sign_in, text_of

WEEK = "/instruments/N001/week?date=2026-11-26"
AS_HTMX = {"HX-Request": "true"}
SECRETS = ("Competitor", "O-CO", "DN-01", "Bí mật", "competitor")


@pytest.fixture
def rival(house: Database) -> str:
    """The id of a company's booking on the FE-SEM, Thursday 09:00-11:00, with a purpose nobody else may read."""
    booking = a_booking(
        FESEM, span(26, 9, 11), person_id=COMPETITOR, booked_by_id=COMPETITOR, project_id=INDUSTRY_PROJECT,
        organisation_id="O-CO", access_class="industry", activity="economic", purpose="Bí mật",
    )  # fmt: skip
    with house.write() as db:
        store.add(db, [booking])
    return str(booking.id)


def week(client: Client, url: str = WEEK, **headers: str) -> Any:
    answer = client.get(url, headers=AS_HTMX | headers)
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.parametrize("login", [None, "researcher", "partner"])
@pytest.mark.parametrize(
    "page",
    [WEEK, "/centres/C-ONE/board?date=2026-11-26", "/centres/C-ONE/board?date=2026-11-26&span=week",
     "/instruments/N001?date=2026-11-26"],
)  # fmt: skip
def test_others_read_that_it_is_occupied_and_nothing_else(
    client: Client, rival: str, login: str | None, page: str
) -> None:
    """No name, organisation, project, purpose or id of somebody else's booking is anywhere in the answer."""
    if login:
        sign_in(client, login)
    answer = client.get(page, headers=AS_HTMX)
    assert answer.status_code == 200
    assert "09:00–11:00" in answer.text or 'class="taken"' in answer.text
    assert [secret for secret in (*SECRETS, rival) if secret in answer.text] == []


def test_its_user_and_the_managers_of_the_centre_read_whose_it_is(client: Client, rival: str) -> None:
    sign_in(client, "competitor")
    assert f'href="/bookings/{rival}"' in week(client).text
    assert "Của bạn: Bí mật" in text_of(week(client))
    sign_in(client, "manager")
    assert f'href="/bookings/{rival}"' in week(client).text
    assert "Competitor DN-01 · Bí mật" in text_of(week(client))


def test_a_manager_of_another_centre_is_one_of_the_others(client: Client, house: Database) -> None:
    with house.write() as db:
        store.add(db, [a_booking(NMR, span(26, 9, 11), person_id=RESEARCHER, purpose="Bí mật")])
    sign_in(client, "manager")
    answer = week(client, "/instruments/N003/week?date=2026-11-26")
    assert "Bí mật" not in answer.text
    assert "Researcher" not in answer.text


def test_everybody_reads_a_block_and_only_managers_open_it(client: Client, house: Database) -> None:
    block = a_booking(
        FESEM, span(26, 9, 11), kind=BookingKind.MAINTENANCE, person_id=None, project_id=None, purpose="Thay đèn"
    )
    with house.write() as db:
        store.add(db, [block])
    assert "Bảo trì Thay đèn" in text_of(week(client))
    assert str(block.id) not in week(client).text
    sign_in(client, "manager")
    assert f'href="/bookings/{block.id}"' in week(client).text


def test_kept_time_names_its_round_and_the_day_it_is_freed(client: Client, house: Database) -> None:
    round_id = uuid4()
    with house.write() as db:
        db.execute(
            sa.insert(t.rounds).values(
                id=round_id, code="2026-Q4", title_vi="Đợt", title_en="Round", state="open", slot_minutes=30,
                opens_at=at(1, 0), closes_at=at(24, 0), publishes_at=at(25, 9), starts_at=at(26, 0), ends_at=at(28, 0),
                created_at=at(1, 0),
            )
        )  # fmt: skip
        db.execute(
            sa.insert(t.offers).values(
                id=uuid4(), round_id=round_id, instrument_number=FESEM, starts_at=at(26, 8), ends_at=at(26, 12)
            )
        )
    assert "08:00–12:00 Giữ cho đợt 2026-Q4 mở lại 25/11" in text_of(week(client))


# ---------------------------------------------------------------- addresses


def test_the_fragments_own_address_leads_to_the_page_of_the_instrument(client: Client) -> None:
    answer = client.get(WEEK)
    assert (answer.status_code, answer.headers["location"]) == (303, "/instruments/N001?date=2026-11-26")
    assert client.get("/instruments/N999/week").status_code == 404
    assert client.get("/centres/C-NONE/board").status_code == 404


def test_a_day_that_cannot_be_read_is_today(client: Client) -> None:
    for text in ("", "tomorrow", "0001-01-01", "2026-02-31"):
        assert 'id="day-2026-11-23"' in week(client, f"/instruments/N001/week?date={text}").text
    assert client.get("/centres/C-ONE/board?span=year").status_code == 400


def test_the_page_of_the_instrument_keeps_its_address_and_a_form_keeps_its_own(client: Client) -> None:
    site = "http://testserver.local"
    at_page = week(client, **{"HX-Current-URL": f"{site}/instruments/N001?date=2026-11-20"})
    assert "hx-push-url" not in at_page.headers
    at_form = week(client, **{"HX-Current-URL": f"{site}/bookings/new?instrument=N001"})
    assert at_form.headers["hx-push-url"] == "false"


def test_a_calendar_says_which_versions_it_shows(client: Client, house: Database) -> None:
    assert 'data-live="N001:0"' in week(client).text
    with house.write() as db:
        store.lock(db, [FESEM])
    assert 'data-live="N001:1"' in week(client).text
    assert 'data-live="N001:1 N002:0"' in client.get("/centres/C-ONE/board").text


def test_a_week_of_a_centre_says_what_can_be_chosen_there(client: Client) -> None:
    sign_in(client, "researcher")
    day, week = (text_of(client.get(f"/centres/C-ONE/board?span={span}")) for span in ("day", "week"))
    assert "Chọn giờ trống để đặt" in day
    assert "Chọn giờ trống để đặt" not in week
    assert "Chọn một ngày của một thiết bị để xem giờ trong ngày." in week


def test_a_board_begins_with_the_first_open_day(client: Client, house: Database) -> None:
    with house.write() as db:
        db.execute(sa.update(t.instruments).values(opening="Thu 08:00-18:00"))
    assert "Thứ Năm 26/11/2026" in text_of(client.get("/centres/C-ONE/board"))
    assert "Thứ Tư 25/11/2026" in text_of(client.get("/centres/C-ONE/board?date=2026-11-25"))


def test_an_empty_centre_says_so(client: Client, house: Database) -> None:
    with house.write() as db:
        db.execute(sa.update(t.instruments).values(booking_mode="service"))
    assert "Trung tâm này không có thiết bị nào đặt theo giờ" in text_of(client.get("/centres/C-ONE/board"))


@pytest.mark.parametrize("width", ["day", "week"])
def test_a_board_of_forty_instruments_costs_as_many_queries_as_one_of_two(
    client: Client, house: Database, width: str
) -> None:
    sign_in(client, "researcher")
    page = f"/centres/C-ONE/board?date=2026-11-26&span={width}"
    counted: list[str] = []

    def queries() -> int:
        counted.clear()
        assert client.get(page).status_code == 200
        return len([statement for statement in counted if statement.startswith("SELECT")])

    def count(_db: Any, _cursor: Any, statement: str, *_: Any) -> None:
        # The ticker asks beside the requests, whenever it likes.
        if threading.current_thread().name.startswith("request"):
            counted.append(statement)

    event.listen(house.engine, "before_cursor_execute", count)
    # The first reader of a process reads the rule book, for the hours of single dates.
    queries()
    few = queries()
    with house.write() as db:
        for number in range(10, 48):
            add_instrument(db, number, "C-ONE", "XRD")
            store.add(db, [a_booking(number, span(26, hour, hour + 1)) for hour in range(8, 18)])
    many = queries()
    # Besides the reader and the bell: the centre, its instruments, which are down, what occupies and keeps them, the
    # stamp of the rule book.
    assert few == many == 8
    assert len(re.findall(r'class="lane-row"|<th scope="row">', client.get(page).text)) == 40


@pytest.mark.parametrize(
    ("now", "shown"),
    [
        (at(27, 17, 30), date(2026, 11, 27)),  # half an hour of Friday is left
        (at(27, 18), date(2026, 11, 30)),  # closed until Monday
        (at(29, 7, 30), date(2026, 11, 30)),  # Sunday
    ],
)
def test_a_week_of_which_nothing_is_left_is_not_shown_first(house: Database, now: datetime, shown: date) -> None:
    with house.read() as db:
        assert day_ahead(rules_of(db, "N001"), now) == shown
