"""Security clearances over HTTP: a booking that is refused, the user office's page, and each with its unhappy twin."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from labshare.domain.agreements import Scope, Version
from labshare.domain.screening import Screening, WatchList
from labshare.services import exchanges
from labshare.store import agreements, clearances
from labshare.store import bookings as bookings_store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.domain.test_agreements import an_agreement
from tests.furniture import COLLEAGUE, NMR, NOW, PUBLIC_PROJECT, RESEARCHER, XRD, a_booking, actor, add_project, span
from tests.web.conftest import Client, send, sign_in, text_of

ADDRESS = f"/clearances/{PUBLIC_PROJECT}/A"
BOOKING = {
    "instrument": "N002",
    "date": "2026-11-25",
    "from": "9:00",
    "until": "10:00",
    "project": str(PUBLIC_PROJECT),
    "purpose": "Vỏ của UAV",
}


@pytest.fixture
def screened(client: Client, house: Database) -> Client:
    """The application, with an agreement that looks for UAV at Centre One."""
    clause = Screening(lists=(WatchList(id="dual_use", terms=("UAV",)),))
    agreement = an_agreement(screening=clause, covered=Scope(centres=("C-ONE",)), parties=("I-IMS",))
    with house.write() as db:
        agreements.add_version(db, Version(number=1, agreement=agreement), actor_id=None, now=NOW)
    return client


def book(client: Client, **changes: str) -> Any:
    sign_in(client, "researcher")
    return send(client, "/bookings", BOOKING | changes)


def decide(client: Client, **changes: str) -> Any:
    return send(client, ADDRESS, {"version": "1", "state": "cleared", "evidence": "QĐ 12"} | changes)


def test_a_held_booking_is_told_by_when_it_is_decided_and_never_why(screened: Client) -> None:
    answer = book(screened)
    assert answer.status_code == 422
    assert 'data-code="clearance_waiting"' in answer.text
    # Five working days after 23 November, without the holiday of the 24th: before 2 December.
    assert "quyết định trước 00:00 T4 02/12/2026" in text_of(answer)
    assert "Lưỡng dụng" not in answer.text
    page = text_of(screened.get(f"/projects/{PUBLIC_PROJECT}"))
    assert "Kiểm tra an ninh · A Chờ quyết định hạn 01/12/2026" in page


def test_the_user_office_sees_what_waits_and_clears_it(screened: Client) -> None:
    book(screened)
    sign_in(screened, "office")
    assert "Kiểm tra an ninh cần quyết định" in text_of(screened.get("/"))
    listing = screened.get("/clearances")
    assert f'href="{ADDRESS}"' in listing.text
    page = text_of(screened.get(ADDRESS))
    assert "Danh mục Lưỡng dụng Mục trùng khớp UAV" in page
    answer = decide(screened)
    assert (answer.status_code, answer.headers["location"]) == (303, "/clearances")
    assert "Đã thông qua kiểm tra an ninh." in text_of(screened.get("/clearances"))
    assert "Căn cứ QĐ 12" in text_of(screened.get(ADDRESS))
    assert book(screened).status_code == 303


def test_a_decision_without_evidence_or_on_an_older_version_is_refused(screened: Client) -> None:
    book(screened)
    sign_in(screened, "office")
    answer = decide(screened, evidence=" ")
    assert (answer.status_code, 'data-code="clearance_evidence_missing"' in answer.text) == (422, True)
    assert decide(screened, version="2").status_code == 412
    assert decide(screened, state="waiting").status_code == 400
    assert decide(screened, state="refused").status_code == 303
    assert 'data-code="clearance_refused"' in book(screened, purpose="Màng mỏng").text


def test_others_neither_read_nor_decide(screened: Client) -> None:
    book(screened)
    for login in ("researcher", "manager", "administrator"):
        sign_in(screened, login)
        assert screened.get("/clearances").status_code == 403
        assert screened.get(ADDRESS).status_code == 403
        assert decide(screened).status_code == 403
    sign_in(screened, "office")
    assert screened.get(f"/clearances/{PUBLIC_PROJECT}/B").status_code == 404


def test_a_booking_that_is_refused_for_something_else_asks_for_no_clearance(screened: Client) -> None:
    assert book(screened, purpose="Màng mỏng", date="2026-11-24").status_code == 422
    sign_in(screened, "office")
    assert "Không có dự án nào chờ kiểm tra an ninh." in text_of(screened.get("/clearances"))


def test_what_moves_to_where_it_is_looked_for_is_put_before_the_user_office(screened: Client, house: Database) -> None:
    """At the NMR of Centre Two nobody looks."""
    booking = a_booking(NMR, span(25, 9, 10), purpose="Vỏ của UAV")
    with house.write() as db:
        db.execute(sa.update(t.instruments).where(t.instruments.c.number == NMR).values(capability_id="XRD"))
        bookings_store.add(db, [booking])
    sign_in(screened, "researcher")
    moved = {"version": "1", "instrument": "N002", "date": "2026-11-25", "from": "9:00", "until": "10:00"}
    answer = send(screened, f"/bookings/{booking.id}/move", moved)
    assert (answer.status_code, 'data-code="clearance_waiting"' in answer.text) == (422, True)
    with house.read() as db:
        assert [line.project for line in clearances.lines(db)] == ["KC-01"]


def test_what_is_taken_over_for_a_project_that_is_looked_for_is_put_before_the_user_office(
    screened: Client, house: Database
) -> None:
    booking, other = a_booking(XRD, span(25, 9, 10)), UUID(int=23)
    with house.write() as db:
        bookings_store.add(db, [booking])
        add_project(db, other, "KC-02", "I-IMS", COLLEAGUE)
        db.execute(sa.update(t.projects).where(t.projects.c.id == other).values(title="Vỏ của UAV"))
        found = exchanges.hand_over(db, actor(RESEARCHER), booking.id, COLLEAGUE, seen_version=1, now=NOW)
    sign_in(screened, "colleague")
    answer = send(screened, f"/exchanges/{found.id}/accept", {"version": "1", "project": str(other)})
    assert (answer.status_code, 'data-code="clearance_waiting"' in answer.text) == (422, True)
    with house.read() as db:
        assert [line.project for line in clearances.lines(db)] == ["KC-02"]


def test_what_an_open_form_asks_to_be_kept_is_put_before_the_user_office(screened: Client, house: Database) -> None:
    sign_in(screened, "researcher")
    assert 'data-code="clearance_waiting"' in send(screened, "/bookings/holds", BOOKING).text
    with house.read() as db:
        assert [line.project for line in clearances.lines(db)] == ["KC-01"]
