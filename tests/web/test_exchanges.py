"""Bookings that change hands over HTTP: offered from a booking's page, answered without scripts, and who sees what."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from labshare.domain.bookings import Booking, BookingState
from labshare.services import approvals, exchanges
from labshare.store import bookings as bookings_store
from labshare.store.engine import Database
from tests.furniture import (
    COLLEAGUE,
    COMPETITOR,
    FESEM,
    INDUSTRY_PROJECT,
    MANAGER,
    NOW,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    a_booking,
    actor,
    at,
    span,
)
from tests.web.conftest import Client, send, sign_in, text_of

MINE, THEIRS = span(25, 9, 11), span(26, 14, 16)


def placed(house: Database, *new: Booking) -> None:
    with house.write() as db:
        bookings_store.add(db, new)


def person_of(house: Database, booking: Booking) -> Any:
    with house.read() as db:
        return bookings_store.get(db, booking.id).person_id


@pytest.fixture
def mine(house: Database) -> Booking:
    booking = a_booking(XRD, MINE)
    placed(house, booking)
    return booking


@pytest.fixture
def offered(house: Database, mine: Booking) -> str:
    """The address of what the researcher offers the colleague."""
    with house.write() as db:
        exchange = exchanges.hand_over(db, actor(RESEARCHER), mine.id, COLLEAGUE, seen_version=1, now=NOW)
    return f"/exchanges/{exchange.id}"


def test_one_gives_a_booking_away_from_its_page(client: Client, house: Database, mine: Booking) -> None:
    sign_in(client, "researcher")
    assert f'href="/exchanges/new?booking={mine.id}"' in client.get(f"/bookings/{mine.id}").text
    form = client.get(f"/exchanges/new?booking={mine.id}")
    assert f'<option value="{COLLEAGUE}">Colleague</option>' in form.text
    assert str(COMPETITOR) not in form.text
    data = {"booking": str(mine.id), "version": "1", "receiver": str(COLLEAGUE)}
    answer = send(client, "/exchanges/hand-over", data)
    assert (answer.status_code, answer.headers["location"]) == (303, "/exchanges")
    assert "Bạn đề nghị: Máy XRD · 09:00–11:00 T4 25/11/2026" in text_of(client.get("/exchanges"))
    sign_in(client, "colleague")
    assert "Đề nghị chờ bạn trả lời" in text_of(client.get("/"))
    page = client.get("/exchanges")
    assert "Researcher nhường cho bạn" in text_of(page)
    (line,) = exchanges_of(house, COLLEAGUE)
    answer = send(client, f"/exchanges/{line}/accept", {"version": "1", "project": str(PUBLIC_PROJECT)})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/bookings/{mine.id}")
    assert person_of(house, mine) == COLLEAGUE


def test_home_and_the_booking_say_that_an_offer_waits(client: Client, mine: Booking, offered: str) -> None:
    sign_in(client, "researcher")
    page = client.get(f"/bookings/{mine.id}")
    assert "Có đề nghị nhường hoặc đổi lượt này đang chờ trả lời." in text_of(page)
    assert 'href="/exchanges/new' not in page.text
    sign_in(client, "colleague")
    said = "Máy XRD · 09:00–11:00 T4 25/11/2026 Researcher nhường cho bạn trả lời trước 08:00 T4 25/11/2026"
    assert said in text_of(client.get("/"))


def exchanges_of(house: Database, person_id: Any) -> list[Any]:
    with house.read() as db:
        return [each.exchange.id for each in exchanges.mine(db, actor(person_id), NOW)]


def test_a_swap_is_asked_of_whoever_has_the_time(client: Client, house: Database, mine: Booking) -> None:
    theirs = a_booking(XRD, THEIRS, person_id=COMPETITOR, project_id=INDUSTRY_PROJECT, organisation_id="O-CO")
    placed(house, theirs)
    sign_in(client, "researcher")
    data = {"booking": str(mine.id), "version": "1", "instrument": "N002", "date": "2026-11-26", "from": "15:00"}
    assert send(client, "/exchanges/swap", data).status_code == 303
    assert "Competitor" not in client.get("/exchanges").text
    sign_in(client, "competitor")
    page = text_of(client.get("/exchanges"))
    assert "Researcher muốn đổi lấy lượt của bạn: Máy XRD · 14:00–16:00 T5 26/11/2026" in page
    (line,) = exchanges_of(house, COMPETITOR)
    assert send(client, f"/exchanges/{line}/accept", {"version": "2"}).status_code == 303
    assert (person_of(house, mine), person_of(house, theirs)) == (COMPETITOR, RESEARCHER)


def test_a_swap_is_asked_for_from_the_calendar_without_a_name(client: Client, house: Database, mine: Booking) -> None:
    later = a_booking(3, span(27, 9, 11))
    theirs = a_booking(
        XRD,
        THEIRS,
        occupied_from=at(26, 13, 30),
        person_id=COMPETITOR,
        project_id=INDUSTRY_PROJECT,
        organisation_id="O-CO",
    )
    placed(house, theirs, later)
    sign_in(client, "researcher")
    asked = "/exchanges/ask?instrument=N002&date=2026-11-26&from=13:30"
    for calendar in ("/instruments/N002?date=2026-11-26", "/centres/C-ONE/board?date=2026-11-26"):
        assert f'href="{asked.replace("&", "&amp;")}"' in client.get(calendar).text
    # As the calendar shows it to everybody: with its set-up, and without whose it is.
    page = client.get(asked)
    said = text_of(page)
    assert "13:30–16:00 T5 26/11/2026" in said
    assert "14:00" not in said
    assert "Competitor" not in page.text
    assert "O-CO" not in page.text
    # Both of one's own can be given; the one on the same instrument stands first.
    assert said.index("Máy XRD · 09:00–11:00 T4 25/11/2026") < said.index("09:00–11:00 T6 27/11/2026")
    assert "/waitlist/new?instrument=N002&amp;length=150m&amp;from=2026-11-26" in page.text
    data = {"booking": str(mine.id), "version": "1", "instrument": "N002", "date": "2026-11-26", "from": "13:30"}
    assert all(f'name="{name}" value="{value}"' in page.text for name, value in data.items())
    assert send(client, "/exchanges/swap", data).status_code == 303
    assert len(exchanges_of(house, COMPETITOR)) == 1
    # What is on offer is not offered twice.
    assert str(mine.id) not in client.get(asked).text


def test_who_swaps_knows_before_and_after_that_the_centre_still_decides(
    client: Client, house: Database, mine: Booking
) -> None:
    theirs = a_booking(FESEM, THEIRS, person_id=COLLEAGUE)
    placed(house, theirs)
    with house.write() as db:
        for code in ("N001", "N002"):
            approvals.choose(db, actor(MANAGER), code, "everybody", 24, NOW)
    warned = "Sau đó trung tâm có thể phải duyệt, và có thể từ chối. Giờ bạn đã nhường thì không còn là của bạn."
    sign_in(client, "researcher")
    assert warned in text_of(client.get("/exchanges/ask?instrument=N001&date=2026-11-26&from=15:00"))
    wanted = {"instrument": "N001", "date": "2026-11-26", "from": "15:00"}
    data = {"booking": str(mine.id), "version": "1", **wanted}
    assert send(client, "/exchanges/swap", data).status_code == 303
    assert warned in text_of(client.get("/exchanges"))
    sign_in(client, "colleague")
    page = client.get("/exchanges")
    assert warned in text_of(page)
    (path,) = re.findall(r'action="(/exchanges/[^"]+)/accept"', page.text)
    taken = send(client, f"{path}/accept", {"version": "2"})
    after = client.get(taken.headers["location"])
    assert "Giờ này nay đứng tên bạn, nhưng còn phải chờ trung tâm duyệt trước 08:00 T3 24/11/2026." in text_of(after)
    assert 'class="notice info"' in after.text


def test_only_time_to_come_of_somebody_else_is_asked_for(client: Client, house: Database, mine: Booking) -> None:
    begun = a_booking(XRD, span(23, 7, 9), person_id=COMPETITOR, project_id=INDUSTRY_PROJECT, organisation_id="O-CO")
    held = msgspec.structs.replace(
        a_booking(XRD, THEIRS, person_id=COLLEAGUE), state=BookingState.HELD, hold_expires_at=at(26, 12)
    )
    placed(house, begun, held)
    sign_in(client, "researcher")
    assert "/exchanges/ask" not in client.get("/instruments/N002?date=2026-11-26").text
    for when in (
        "2026-11-23&from=8:00",
        "2026-11-25&from=9:00",
        "2026-11-26&from=14:00",
        "2026-11-27&from=9",
        "&from=",
    ):
        page = client.get(f"/exchanges/ask?instrument=N002&date={when}")
        assert (page.status_code, 'data-code="exchange_no_holder"' in page.text) == (422, True), when
    assert client.get("/exchanges/ask?instrument=N999&date=2026-11-26&from=14:00").status_code == 404


def test_whoever_has_nothing_to_give_may_wait(client: Client, house: Database) -> None:
    placed(house, a_booking(XRD, THEIRS))
    sign_in(client, "colleague")
    page = client.get("/exchanges/ask?instrument=N002&date=2026-11-26&from=14:00")
    assert "Bạn không có lượt nào để đổi" in text_of(page)
    assert 'action="/exchanges/swap"' not in page.text
    assert "/waitlist/new?instrument=N002" in page.text


def test_a_swap_is_chosen_among_the_times_of_others(client: Client, house: Database, mine: Booking) -> None:
    theirs = a_booking(XRD, THEIRS, person_id=COMPETITOR, project_id=INDUSTRY_PROJECT, organisation_id="O-CO")
    placed(house, theirs)
    sign_in(client, "researcher")
    form = client.get(f"/exchanges/new?booking={mine.id}").text
    assert re.findall(r'<option value="([^"]+)">14:00–16:00 T5 26/11/2026', form) == ["N002 2026-11-26 14:00"]
    data = {"booking": str(mine.id), "version": "1", "instrument": "N002", "date": "2026-11-25", "from": ""}
    assert send(client, "/exchanges/swap", data).status_code == 400
    unknown = send(client, "/exchanges/swap", {**data, "slot": "N999 2026-11-26 14:00"})
    assert (unknown.status_code, 'id="error-instrument"' in unknown.text) == (400, True)
    assert exchanges_of(house, COMPETITOR) == []
    assert send(client, "/exchanges/swap", {**data, "slot": "N002 2026-11-26 14:00"}).status_code == 303
    assert len(exchanges_of(house, COMPETITOR)) == 1


def test_a_refusal_stands_on_the_page_and_changes_nothing(
    client: Client, house: Database, mine: Booking, offered: str
) -> None:
    placed(house, a_booking(3, MINE, person_id=COLLEAGUE))
    sign_in(client, "colleague")
    page = send(client, f"{offered}/accept", {"version": "1", "project": str(PUBLIC_PROJECT)})
    assert page.status_code == 422
    assert 'data-code="person_elsewhere"' in page.text
    assert person_of(house, mine) == RESEARCHER
    stale = send(client, f"{offered}/accept", {"version": "7", "project": str(PUBLIC_PROJECT)})
    assert stale.status_code == 412


def test_no_and_withdrawing_change_nothing(client: Client, house: Database, mine: Booking, offered: str) -> None:
    sign_in(client, "colleague")
    assert send(client, f"{offered}/withdraw", {}).status_code == 404
    assert send(client, f"{offered}/decline", {}).status_code == 303
    assert send(client, f"{offered}/decline", {}).status_code == 422
    sign_in(client, "researcher")
    assert send(client, f"{offered}/withdraw", {}).status_code == 422
    data = {"booking": str(mine.id), "version": "1", "receiver": str(COLLEAGUE)}
    assert send(client, "/exchanges/hand-over", data).status_code == 303
    (again,) = exchanges_of(house, RESEARCHER)
    assert send(client, f"/exchanges/{again}/withdraw", {}).status_code == 303
    assert "Không có đề nghị nào" in text_of(client.get("/exchanges"))
    assert person_of(house, mine) == RESEARCHER


@pytest.mark.parametrize(
    ("path", "changes", "status", "code"),
    [
        ("hand-over", {"receiver": ""}, 400, "receiver"),
        ("hand-over", {"receiver": str(COMPETITOR)}, 404, ""),
        ("hand-over", {"version": "9"}, 412, "booking_changed"),
        ("swap", {"from": "half past"}, 400, "from"),
        ("swap", {"date": ""}, 400, "date"),
        ("swap", {"instrument": "N999"}, 400, "instrument"),
        ("swap", {}, 422, "exchange_no_holder"),
    ],
)
def test_bad_input_is_told_beside_its_field(
    client: Client, house: Database, mine: Booking, path: str, changes: dict[str, str], status: int, code: str
) -> None:
    sign_in(client, "researcher")
    data = {
        "booking": str(mine.id),
        "version": "1",
        "receiver": str(COLLEAGUE),
        "instrument": "N003",
        "date": "2026-11-26",
        "from": "15:00",
    }
    page = send(client, f"/exchanges/{path}", data | changes)
    assert page.status_code == status
    assert (f'id="error-{code}"' in page.text) is (status == 400)
    assert (f'data-code="{code}"' in page.text) is (status in (412, 422))
    assert exchanges_of(house, RESEARCHER) == []


def test_what_is_somebody_elses_is_not_there(client: Client, mine: Booking, offered: str) -> None:
    sign_in(client, "competitor")
    assert client.get(f"/exchanges/new?booking={mine.id}").status_code == 404
    for answer in ("accept", "decline", "withdraw"):
        assert send(client, f"{offered}/{answer}", {"version": "1"}).status_code == 404
    sign_in(client, "manager")
    # The manager may see and move it, and yet it is not theirs to give.
    assert client.get(f"/exchanges/new?booking={mine.id}").status_code == 404
    assert "/exchanges/new" not in client.get(f"/bookings/{mine.id}").text
