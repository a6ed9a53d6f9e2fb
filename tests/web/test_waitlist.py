"""The waitlist over HTTP: joined from where time is taken, offers answered without JavaScript, and who sees what."""

from __future__ import annotations

import re
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from labshare.domain.bookings import Booking
from labshare.domain.waitlist import WaitingEntry
from labshare.services import bookings, ticking, usage, waitlist
from labshare.store import bookings as bookings_store
from labshare.store.engine import Database
from labshare.store.tables import grants, instruments
from tests.furniture import COLLEAGUE, MANAGER, NOW, PUBLIC_PROJECT, RESEARCHER, XRD, a_booking, actor, span
from tests.web.conftest import Client, send, sign_in, text_of

SLOT = span(25, 9, 11)


def waiting(house: Database, person_id: UUID = RESEARCHER, **changes: Any) -> UUID:
    values: dict[str, Any] = {
        "id": uuid4(),
        "person_id": person_id,
        "project_id": PUBLIC_PROJECT,
        "instrument_number": XRD,
        "minutes": 120,
        "from_date": date(2026, 11, 25),
        "until_date": date(2026, 11, 25),
        "created_at": NOW,
    }
    with house.write() as db:
        return waitlist.join(db, actor(person_id), WaitingEntry(**(values | changes)), NOW).id


def taken(house: Database) -> Booking:
    booking = a_booking(XRD, SLOT, person_id=MANAGER)
    with house.write() as db:
        bookings_store.add(db, [booking])
    return booking


@pytest.fixture
def offered(house: Database) -> UUID:
    """The researcher's entry, to which 9 to 11 on Wednesday is offered."""
    booking = taken(house)
    entry = waiting(house)
    with house.write() as db:
        bookings.cancel(db, actor(MANAGER), booking.id, seen_version=1, now=NOW)
        (row,) = ticking.deadlines(db, NOW)
        ticking.deal_with(db, row, NOW)
    return entry


def test_one_joins_from_a_booking_that_was_refused_for_its_time(client: Client, house: Database) -> None:
    taken(house)
    sign_in(client, "researcher")
    times = {"date": "2026-11-25", "from": "9:00", "until": "11:00"}
    page = send(client, "/bookings", {"instrument": "N002", "project": str(PUBLIC_PROJECT), **times})
    assert page.status_code == 409
    (address,) = re.findall(r'href="(/waitlist/new[^"]*)"', page.text)
    form = client.get(address.replace("&amp;", "&"))
    assert form.status_code == 200
    for value in ("N002", "120m", "2026-11-25", "2026-12-01"):
        assert f'value="{value}"' in form.text
    data = {"instrument": "N002", "length": "120m", "from": "2026-11-25", "to": "2026-12-01", "part": "morning"}
    answer = send(client, "/waitlist", {**data, "project": str(PUBLIC_PROJECT)})
    assert (answer.status_code, answer.headers["location"]) == (303, "/waitlist")
    listed = text_of(client.get("/waitlist"))
    assert "Máy XRD 2 giờ · T4 25/11/2026 – T3 01/12/2026 · 00:00–12:00 · KC-01 Thứ 1 trong 1" in listed


def test_the_form_begins_with_the_first_open_day(client: Client, house: Database) -> None:
    with house.write() as db:
        db.execute(sa.update(instruments).where(instruments.c.number == XRD).values(opening="Thu 08:00-18:00"))
    sign_in(client, "researcher")
    # Today is a Monday.
    for page in ("/waitlist/new?instrument=N002", "/waitlist/new?capability=XRD"):
        form = client.get(page).text
        assert ('value="2026-11-26"' in form, 'value="2026-12-02"' in form) == (True, True), page


def test_another_refusal_leads_to_no_waitlist(client: Client, house: Database) -> None:
    sign_in(client, "researcher")
    times = {"date": "2026-11-25", "from": "3:00", "until": "4:00"}
    page = send(client, "/bookings", {"instrument": "N002", "project": str(PUBLIC_PROJECT), **times})
    assert page.status_code == 422
    assert "/waitlist/new" not in page.text
    with house.write() as db:
        bookings_store.add(db, [a_booking(XRD, span(20, 9, 11), person_id=COLLEAGUE)])
    gone = {"date": "2026-11-20", "from": "9:00", "until": "11:00"}
    page = send(client, "/bookings", {"instrument": "N002", "project": str(PUBLIC_PROJECT), **gone})
    assert ("time_taken" in page.text, "/waitlist/new" in page.text) == (True, False)


def test_one_joins_from_the_instrument_and_from_a_search_that_finds_nothing(client: Client) -> None:
    sign_in(client, "researcher")
    assert 'href="/waitlist/new?instrument=N002"' in client.get("/instruments/N002").text
    # On a Sunday everything is closed.
    found = client.get("/find?capability=XRD&length=2h&from=2026-11-29&to=2026-11-29")
    assert 'href="/waitlist/new?capability=XRD&amp;from=2026-11-29&amp;to=2026-11-29&amp;length=2h"' in found.text
    assert "/waitlist/new" not in client.get("/find?length=2h&from=2026-11-29&to=2026-11-29").text
    data = {"capability": "XRD", "length": "2h", "from": "2026-11-25", "to": "2026-11-27"}
    assert send(client, "/waitlist", {**data, "project": str(PUBLIC_PROJECT)}).status_code == 303
    assert "XRD 2 giờ" in text_of(client.get("/waitlist"))


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"length": "x"}, 400, 'id="error-length"'),
        ({"to": "2026-11-24"}, 400, 'id="error-to"'),
        ({"project": ""}, 400, 'id="error-project"'),
        ({"length": "9h"}, 422, 'data-code="too_long"'),
        ({"from": "2026-11-20", "to": "2026-11-20"}, 400, 'data-code="waitlist_days_over"'),
        ({"instrument": "N999"}, 404, ""),
    ],
)
def test_what_is_wrong_is_said_on_the_form(client: Client, changes: dict[str, str], status: int, said: str) -> None:
    sign_in(client, "researcher")
    data = {"instrument": "N002", "length": "2h", "from": "2026-11-25", "to": "2026-11-27"}
    answer = send(client, "/waitlist", {**data, "project": str(PUBLIC_PROJECT), **changes})
    assert answer.status_code == status
    assert said in answer.text


def test_an_offer_is_told_at_home_and_taken_with_one_click(client: Client, offered: UUID) -> None:
    sign_in(client, "researcher")
    assert "Có giờ được giữ cho bạn 1 Xem tất cả : Có giờ được giữ cho bạn Máy XRD" in text_of(client.get("/"))
    listed = text_of(client.get("/waitlist"))
    assert "Máy XRD 09:00–11:00 T4 25/11/2026 · KC-01 giữ đến 10:00 T2 23/11/2026 Nhận giờ này Bỏ qua" in listed
    answer = send(client, f"/waitlist/{offered}/accept")
    assert answer.status_code == 303
    page = client.get(answer.headers["location"])
    assert "Đã xác nhận" in text_of(page)
    # Twice is once.
    again = send(client, f"/waitlist/{offered}/accept")
    assert again.status_code == 422
    assert 'data-code="offer_taken"' in again.text


def test_an_offer_that_is_taken_may_wait_for_the_centre(client: Client, house: Database, offered: UUID) -> None:
    with house.write() as db:
        db.execute(sa.update(instruments).values(approval="everybody", approval_hours=24))
    sign_in(client, "researcher")
    page = text_of(client.get(send(client, f"/waitlist/{offered}/accept").headers["location"]))
    said = "Đã gửi yêu cầu đặt giờ. Trung tâm quyết định trước 08:00 T3 24/11/2026"
    assert (said in page, "Giờ này là của bạn." in page) == (True, False)


def test_the_page_of_kept_time_offers_to_take_it_or_pass_on_it_and_nothing_else(client: Client, offered: UUID) -> None:
    sign_in(client, "researcher")
    (address,) = set(re.findall(r'href="(/bookings/[0-9a-f-]{36})"', client.get("/bookings").text))
    page = client.get(address)
    assert f'action="/waitlist/{offered}/accept"' in page.text
    assert f'action="/waitlist/{offered}/decline"' in page.text
    assert f'{address}/cancel"' not in page.text
    assert f'{address}/move"' not in page.text
    # Its manager may still end it.
    sign_in(client, "manager")
    page = client.get(address)
    assert "/waitlist/" not in page.text
    assert f'{address}/cancel"' in page.text
    assert f'{address}/move"' not in page.text


def test_an_offer_says_that_its_instrument_is_down(client: Client, house: Database, offered: UUID) -> None:
    """A place of one's own that nothing is offered to yet says nothing of it."""
    waiting(house, from_date=date(2026, 11, 26), until_date=date(2026, 11, 26))
    with house.write() as db:
        usage.record_down(db, actor(MANAGER), "N002", "", NOW)
    sign_in(client, "researcher")
    # At home it is also the next that is free of what they use.
    for page, times in (("/", 2), ("/waitlist", 1)):
        assert text_of(client.get(page)).count("Hỏng từ 08:00 T2 23/11/2026") == times


def test_an_offer_is_passed_on_and_a_place_left(client: Client, offered: UUID) -> None:
    sign_in(client, "researcher")
    assert send(client, f"/waitlist/{offered}/decline").status_code == 303
    assert send(client, f"/waitlist/{offered}/decline").status_code == 422
    assert "Thứ 1 trong 1" in text_of(client.get("/waitlist"))
    assert send(client, f"/waitlist/{offered}/leave").status_code == 303
    assert send(client, f"/waitlist/{offered}/leave").status_code == 422
    assert "Bạn chưa chờ lượt nào" in text_of(client.get("/waitlist"))


def test_nobody_sees_or_answers_somebody_elses(client: Client, offered: UUID) -> None:
    sign_in(client, "colleague")
    assert "Bạn chưa chờ lượt nào" in text_of(client.get("/waitlist"))
    for act in ("accept", "decline", "leave"):
        assert send(client, f"/waitlist/{offered}/{act}").status_code == 404


def test_managers_see_how_many_wait(client: Client, house: Database) -> None:
    waiting(house)
    waiting(house, COLLEAGUE)
    sign_in(client, "manager")
    assert "2 người chờ" in text_of(client.get("/instruments/N002"))
    sign_in(client, "researcher")
    assert "người chờ" not in text_of(client.get("/instruments/N002"))


def test_who_may_book_no_more_still_reads_their_places_and_leaves(client: Client, house: Database) -> None:
    """Their role ended while they wait: nothing is free for them, and their place is theirs to give up."""
    entry = waiting(house)
    with house.write() as db:
        db.execute(sa.delete(grants).where(grants.c.person_id == RESEARCHER))
    sign_in(client, "researcher")
    page = client.get("/waitlist")
    assert page.status_code == 200
    assert "Máy XRD 2 giờ" in text_of(page)
    assert "Đang trống" not in text_of(page)
    assert send(client, f"/waitlist/{entry}/leave", {}).status_code == 303
    assert "Máy XRD 2 giờ" not in text_of(client.get("/waitlist"))
