"""The pages of bookings over HTTP (bookings.py, blocking.py): forms that keep what was typed, offers that fill them
in, and who sees what.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, expect

from labshare.domain.agreements import Scope, Selector, Strictness, Version
from labshare.domain.bases import Base
from labshare.domain.bookings import BookingKind, BookingState
from labshare.domain.courtesy import Courtesy, Penalties
from labshare.store import agreements
from labshare.store import bookings as store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.browser import enter, window
from tests.domain.clauses import whole
from tests.domain.test_agreements import an_agreement
from tests.furniture import (
    COLLEAGUE,
    FESEM,
    NMR,
    NOW,
    OFFICE,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    a_booking,
    add_project,
    at,
    span,
)
from tests.shares import a_rule, load
from tests.shares import an_agreement as an_agreement_of
from tests.web.conftest import Client, send, sign_in, text_of

DAY = "2026-11-26"
TYPED = {"instrument": "N001", "date": DAY, "from": "9h", "until": "11h", "project": str(PUBLIC_PROJECT)}


def values(answer: Any, form: str) -> dict[str, str]:
    """What stands in the fields of the form with this id."""
    (inside,) = re.findall(rf'<form id="{form}".*?</form>', answer.text, flags=re.DOTALL)
    found = dict(re.findall(r'<input[^>]* name="(\w+)"[^>]* value="([^"]*)"', inside))
    return found | dict(re.findall(r'<select[^>]* name="(\w+)".*?<option value="([^"]*)" selected', inside, re.DOTALL))


def put(house: Database, number: int = FESEM, **changes: Any) -> UUID:
    """A booking by the researcher on Thursday 09:00-11:00, written past the form."""
    booking = a_booking(number, changes.pop("when", span(26, 9, 11)), **changes)
    with house.write() as db:
        store.add(db, [booking])
    return booking.id


def stored(house: Database, booking_id: UUID) -> Any:
    with house.read() as db:
        return store.get(db, booking_id)


# ---------------------------------------------------------------- a new booking


def test_the_form_opens_with_what_its_address_says(client: Client) -> None:
    sign_in(client, "researcher")
    answer = client.get(f"/bookings/new?instrument=N001&date={DAY}&from=13:00&until=14:00")
    assert answer.status_code == 200
    found = values(answer, "booking-form")
    assert (found["date"], found["from"], found["until"]) == (DAY, "13:00", "14:00")
    # The researcher has one verified project, so there is nothing to choose.
    assert found["project"] == str(PUBLIC_PROJECT)
    assert "T2–T6 08:00–18:00" in text_of(answer)
    assert "từ 30 phút đến 8 giờ, theo từng nấc 30 phút" in text_of(answer)
    # The calendar beside it shows that day.
    assert f'aria-labelledby="day-{DAY}"' in answer.text


def test_nobody_claims_a_class_by_typing_it_into_the_form(client: Client, house: Database) -> None:
    """What a crafted form says beside its fields is read by nobody: the booking carries what was verified."""
    sign_in(client, "researcher")
    claimed = {"access_class": "state_order", "activity": "economic", "agreement_id": "A-1", "organisation_id": "O-CO"}
    assert send(client, "/bookings", TYPED | claimed).status_code == 303
    with house.read() as db:
        row = db.execute(sa.select(t.bookings)).one()
    assert (row.access_class, row.activity, row.agreement_id, row.organisation_id) == (
        "public_research", "non_economic", None, "I-IMS",
    )  # fmt: skip


def test_the_form_opens_today_when_no_day_is_named(client: Client) -> None:
    sign_in(client, "researcher")
    assert values(client.get("/bookings/new?instrument=N001"), "booking-form")["date"] == "2026-11-23"


def test_only_verified_projects_of_ones_own_are_offered(client: Client, house: Database) -> None:
    with house.write() as db:
        add_project(db, UUID(int=31), "KC-31", "I-IMS", RESEARCHER, state="proposed")
        add_project(db, UUID(int=32), "KC-32", "I-IMS", OFFICE)
        add_project(db, UUID(int=33), "KC-33", "I-IMS", RESEARCHER)
    sign_in(client, "researcher")
    offered = re.findall(r'<option value="[^"]+"[^>]*>(KC-\d+)', client.get("/bookings/new?instrument=N001").text)
    assert sorted(offered) == ["KC-01", "KC-33"]


def test_without_a_project_the_form_says_how_to_get_one(client: Client) -> None:
    sign_in(client, "administrator")
    assert "Bạn chưa có dự án nào được xác minh" in text_of(client.get("/bookings/new?instrument=N001"))


def test_a_booking_is_written_and_shown(client: Client, house: Database) -> None:
    sign_in(client, "researcher")
    answer = send(client, "/bookings", {**TYPED, "purpose": "Màng  ZnO\x00"})
    assert answer.status_code == 303
    page = client.get(answer.headers["location"])
    assert "Đã đặt giờ máy." in text_of(page)
    assert "Mục đích Màng ZnO" in text_of(page)
    booking = stored(house, UUID(answer.headers["location"].rsplit("/", 1)[1]))
    assert (booking.span, booking.person_id, booking.state) == (span(26, 9, 11), RESEARCHER, BookingState.CONFIRMED)


def test_a_booking_beyond_a_share_of_what_is_booked_stands_and_its_page_says_so(
    client: Client, house: Database, tmp_path: Path
) -> None:
    own = a_rule(who=Selector(organisation=("I-IMS",)), base=Base.BOOKED, strict=Strictness.SOFT, penalty=1)
    with house.write() as db:
        load(db, tmp_path, an_agreement_of(own))
    sign_in(client, "researcher")
    answer = send(client, "/bookings", TYPED)
    page = text_of(client.get(answer.headers["location"]))
    assert "Đã đặt giờ máy." in page
    assert "Công nghiệp tối đa 12,5 %. Điều đó không được giữ trong tuần này" in page
    assert "Lượt đặt vẫn có hiệu lực." in page


def test_a_refused_form_keeps_what_was_typed_and_offers_what_is_free(client: Client, house: Database) -> None:
    # Occupied Thursday 09:00-11:00 by somebody else; two hours at 09:30 fit nearest at 11:00, then on Wednesday at
    # 16:00 (the last start that ends by 18:00, 17.5 h away) and on Friday at 08:00 (22.5 h away).
    put(house, person_id=COLLEAGUE)
    sign_in(client, "researcher")
    answer = send(client, "/bookings", {**TYPED, "from": "9:30", "until": "11:30", "purpose": "Màng ZnO"})
    assert answer.status_code == 409
    found = values(answer, "booking-form")
    assert (found["from"], found["until"], found["purpose"]) == ("9:30", "11:30", "Màng ZnO")
    slots = re.findall(r'name="slot" value="([^"]+)"', answer.text)
    assert slots == [
        "2026-11-25T09:00:00Z/2026-11-25T11:00:00Z",
        "2026-11-26T04:00:00Z/2026-11-26T06:00:00Z",
        "2026-11-27T01:00:00Z/2026-11-27T03:00:00Z",
    ]
    taken = send(client, "/bookings", {**TYPED, "purpose": "Màng ZnO", "slot": slots[1]})
    assert taken.status_code == 200
    found = values(taken, "booking-form")
    assert (found["date"], found["from"], found["until"], found["purpose"]) == (DAY, "11:00", "13:00", "Màng ZnO")


@pytest.mark.slow
def test_after_a_refusal_the_enter_key_sends_what_was_typed(browser: Browser, site: str, house: Database) -> None:
    """And takes none of the times that are offered above the form."""
    put(house, person_id=COLLEAGUE)
    with window(browser, site) as page:
        enter(page, "researcher")
        page.goto(f"/bookings/new?instrument=N001&date={DAY}&from=9:30&until=11:30")
        page.get_by_role("button", name="Đặt", exact=True).click()
        page.locator(".offers").wait_for()
        page.fill("[name=from]", "14:00")
        page.fill("[name=until]", "15:00")
        with page.expect_navigation():
            page.press("[name=until]", "Enter")
        expect(page.get_by_text("14:00–15:00").first).to_be_visible()
        assert "/bookings/new" not in page.url


def test_all_refusals_stand_together(client: Client, house: Database) -> None:
    put(house, XRD, when=span(26, 9, 11))
    sign_in(client, "researcher")
    answer = send(client, "/bookings", {**TYPED, "from": "7:10", "until": "9:20", "project": ""})
    codes = re.findall(r'<li data-code="(\w+)">', answer.text)
    assert (answer.status_code, codes) == (422, ["off_raster", "closed", "project_unknown", "person_elsewhere"])


def test_all_fields_that_cannot_be_read_are_named_at_once(client: Client) -> None:
    sign_in(client, "researcher")
    answer = send(client, "/bookings", {**TYPED, "date": "x", "from": "y", "project": "z"})
    assert answer.status_code == 400
    assert re.findall(r'id="error-(\w+)"', answer.text) == ["date", "from", "project"]
    assert values(answer, "booking-form")["from"] == "y"


# ---------------------------------------------------------------- looking, moving, cancelling


def test_a_booking_is_read_by_its_user_and_by_those_who_answer_for_the_centre(client: Client, house: Database) -> None:
    booking_id = put(house, purpose="Màng ZnO")
    for login, status in [("researcher", 200), ("manager", 200), ("office", 200), ("colleague", 404), ("partner", 404)]:
        sign_in(client, login)
        answer = client.get(f"/bookings/{booking_id}")
        assert (login, answer.status_code, "Màng ZnO" in answer.text) == (login, status, status == 200)
    assert client.get(f"/bookings/{uuid4()}").status_code == 404


def test_the_user_office_reads_a_booking_and_changes_nothing(client: Client, house: Database) -> None:
    booking_id = put(house)
    sign_in(client, "office")
    page = client.get(f"/bookings/{booking_id}")
    assert "move-form" not in page.text
    moved = send(client, f"/bookings/{booking_id}/move", {**TYPED, "version": "1"})
    assert (moved.status_code, stored(house, booking_id).version) == (403, 1)


def test_a_booking_moves_and_keeps_its_project(client: Client, house: Database) -> None:
    booking_id = put(house)
    sign_in(client, "researcher")
    found = values(client.get(f"/bookings/{booking_id}"), "move-form")
    assert (found["date"], found["from"], found["until"], found["version"]) == (DAY, "09:00", "11:00", "1")
    answer = send(client, f"/bookings/{booking_id}/move", {**found, "until": "", "length": "1h30"})
    assert answer.headers["location"] == f"/bookings/{booking_id}"
    moved = stored(house, booking_id)
    assert (moved.starts_at, moved.ends_at, moved.version) == (at(26, 9), at(26, 10, 30), 2)
    assert moved.project_id == PUBLIC_PROJECT


def test_a_refused_move_offers_slots_and_leaves_the_booking_where_it_was(client: Client, house: Database) -> None:
    put(house, when=span(26, 13, 15), person_id=COLLEAGUE)
    booking_id = put(house)
    sign_in(client, "researcher")
    found = values(client.get(f"/bookings/{booking_id}"), "move-form")
    answer = send(client, f"/bookings/{booking_id}/move", {**found, "from": "14:00", "until": "16:00"})
    assert answer.status_code == 409
    # Two hours nearest to 14:00: from 15:00, or before 13:00, where the booking's own time counts as free: from 11:00.
    slots = re.findall(r'name="slot" value="([^"]+)"', answer.text)
    assert slots[:2] == ["2026-11-26T04:00:00Z/2026-11-26T06:00:00Z", "2026-11-26T08:00:00Z/2026-11-26T10:00:00Z"]
    filled = send(client, f"/bookings/{booking_id}/move", {**found, "slot": slots[1]})
    assert values(filled, "move-form")["from"] == "15:00"
    assert stored(house, booking_id).span == span(26, 9, 11)


def test_a_move_that_cannot_be_read_names_its_field(client: Client, house: Database) -> None:
    booking_id = put(house)
    sign_in(client, "researcher")
    answer = send(client, f"/bookings/{booking_id}/move", {"date": DAY, "from": "x", "until": "11", "version": "1"})
    assert (answer.status_code, re.findall(r'id="error-(\w+)"', answer.text)) == (400, ["from"])
    typed = {"date": DAY, "from": "9", "until": "11"}
    assert send(client, f"/bookings/{booking_id}/move", {**typed, "version": "one"}).status_code == 400


def test_a_cancelled_booking_gives_its_time_back_and_offers_no_way_to_change(client: Client, house: Database) -> None:
    booking_id = put(house)
    sign_in(client, "researcher")
    assert 'popovertarget="cancel-booking"' in client.get(f"/bookings/{booking_id}").text
    answer = send(client, f"/bookings/{booking_id}/cancel", {"version": "1"})
    assert answer.headers["location"] == "/bookings"
    assert "Đã hủy lượt đặt; giờ này mở lại cho người khác." in text_of(client.get("/bookings"))
    assert stored(house, booking_id).state is BookingState.CANCELLED
    page = client.get(f"/bookings/{booking_id}")
    assert ("Đã hủy" in text_of(page), "cancel-booking" in page.text, "move-form" in page.text) == (True, False, False)


def test_what_has_begun_can_no_longer_be_changed(client: Client, house: Database) -> None:
    # Now is Monday 08:00:17.
    booking_id = put(house, when=span(23, 8, 10))
    sign_in(client, "researcher")
    answer = send(client, f"/bookings/{booking_id}/cancel", {"version": "1"})
    assert answer.status_code == 422
    assert "Lượt đặt này đã bắt đầu" in text_of(answer)


def test_a_stale_cancel_tells_a_changed_state(client: Client, house: Database) -> None:
    booking_id = put(house)
    with house.write() as db:
        change = {"state": BookingState.HELD.value, "version": 2, "hold_expires_at": at(25, 9)}
        db.execute(sa.update(t.bookings).where(t.bookings.c.id == booking_id).values(change))
    sign_in(client, "researcher")
    seen = {"version": "1", "seen_state": "confirmed"}
    answer = send(client, f"/bookings/{booking_id}/cancel", seen)
    assert answer.status_code == 412
    assert "Trạng thái Đã xác nhận Giữ chỗ" in text_of(answer)
    assert "Nội dung đã thay đổi từ lúc bạn mở" in text_of(answer)


def test_the_manager_moves_a_booking_for_its_user(client: Client, house: Database) -> None:
    booking_id = put(house)
    sign_in(client, "manager")
    found = values(client.get(f"/bookings/{booking_id}"), "move-form")
    assert send(client, f"/bookings/{booking_id}/move", {**found, "from": "13", "until": "15"}).status_code == 303
    assert stored(house, booking_id).person_id == RESEARCHER


# ---------------------------------------------------------------- blocks


BLOCK = {"instrument": "N001", "date": DAY, "from": "12", "until": "20", "kind": "maintenance", "purpose": "Thay đèn"}


def test_a_manager_blocks_time_beyond_opening_hours(client: Client, house: Database) -> None:
    sign_in(client, "manager")
    page = client.get(f"/bookings/block?instrument=N001&date={DAY}")
    assert re.findall(r'name="kind" value="(\w+)"', page.text) == ["maintenance", "engineering", "closure"]
    answer = send(client, "/bookings/block", BLOCK)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/instruments/N001?date={DAY}")
    with house.read() as db:
        (row,) = db.execute(sa.select(t.bookings)).all()
    assert (row.kind, row.person_id, row.purpose) == (BookingKind.MAINTENANCE, None, "Thay đèn")
    assert (row.starts_at, row.ends_at) == (at(26, 12), at(26, 20))


@pytest.mark.parametrize(
    ("login", "instrument", "status"),
    [("researcher", "N001", 403), ("office", "N001", 403), ("manager", "N003", 403), ("manager", "N999", 404)],
)
def test_only_the_managers_of_the_centre_block_its_time(
    client: Client, house: Database, login: str, instrument: str, status: int
) -> None:
    sign_in(client, login)
    assert client.get(f"/bookings/block?instrument={instrument}").status_code == status
    assert send(client, "/bookings/block", {**BLOCK, "instrument": instrument}).status_code == status
    with house.read() as db:
        assert db.execute(sa.select(t.bookings)).all() == []


@pytest.mark.parametrize(
    ("typed", "status", "says"),
    [
        ({"kind": "use"}, 400, "Hãy chọn bảo trì, hiệu chỉnh hoặc đóng cửa."),
        ({"until": "x"}, 400, "Không đọc được giờ"),
        ({"date": "2026-11-20"}, 422, "Giờ bắt đầu đã qua"),
        ({"from": "9"}, 409, "Khung giờ này đã có người đặt: 09:00–11:00 T5 26/11/2026."),
    ],
)
def test_a_block_that_cannot_be_is_refused_in_words(
    client: Client, house: Database, typed: dict[str, str], status: int, says: str
) -> None:
    put(house)
    sign_in(client, "manager")
    answer = send(client, "/bookings/block", {**BLOCK, **typed})
    assert (answer.status_code, says in text_of(answer)) == (status, True), text_of(answer)
    assert values(answer, "block-form")["purpose"] == "Thay đèn"


def test_another_centres_instrument_is_booked_like_any_other(client: Client, house: Database) -> None:
    sign_in(client, "manager")
    answer = send(client, "/bookings", {**TYPED, "instrument": "N003", "until": "10h"})
    assert answer.status_code == 303
    booking = stored(house, UUID(answer.headers["location"].rsplit("/", 1)[1]))
    # The NMR takes half an hour of clean-up, which is kept with the booking.
    assert (booking.instrument_number, booking.occupied_until) == (NMR, at(26, 10, 30))


def test_what_a_use_would_cost_stands_in_the_form_and_on_the_booking(client: Client, house: Database) -> None:
    """Public research pays half of the full cost of 2.4 m VND an hour: 2.4 m for two hours, 1.92 m with its data."""
    agreement = an_agreement(tariffs=whole().tariffs, covered=Scope(centres=("C-ONE",)), parties=("I-IMS",))
    with house.write() as db:
        agreements.add_version(db, Version(number=1, agreement=agreement), actor_id=None, now=NOW)
    booking_id = put(house, XRD)
    sign_in(client, "researcher")
    assert "Giá ước tính 1.200.000 ₫ mỗi giờ" in text_of(client.get("/bookings/new?instrument=N002"))
    page = text_of(client.get("/bookings/new?instrument=N002&date=2026-11-25&from=9:00&until=11:00"))
    assert "Giá ước tính 2.400.000 ₫ cho 2 giờ, mức 1.200.000 ₫ mỗi giờ" in page
    assert "1.920.000 ₫ nếu nộp dữ liệu" in page
    assert "Ước tính theo biểu giá 2026 của thỏa thuận A; chưa thu tiền." in page
    assert "Giá ước tính 2.400.000 ₫ cho 2 giờ" in text_of(client.get(f"/bookings/{booking_id}"))
    sign_in(client, "competitor")
    assert client.get(f"/bookings/{booking_id}").status_code == 404


def test_who_speaks_for_the_user_is_warned_that_a_late_cancellation_counts_against_them(
    client: Client, house: Database
) -> None:
    """The researcher leads the project, and booked it for the colleague."""
    clause = Courtesy(notice_hours=24, penalties=Penalties(late_cancel=True))
    agreement = an_agreement(courtesy=clause, covered=Scope(centres=("C-ONE",)), parties=("I-IMS",))
    with house.write() as db:
        agreements.add_version(db, Version(number=1, agreement=agreement), actor_id=None, now=NOW)
    soon = put(house, XRD, when=span(23, 11, 12), person_id=COLLEAGUE, booked_by_id=RESEARCHER)
    moved = put(house, XRD, when=span(30, 11, 12), late_notice=True)
    sign_in(client, "researcher")
    assert "hủy lúc này bị tính cho người sử dụng như vắng mặt" in text_of(client.get(f"/bookings/{soon}"))
    assert "đã được chuyển giờ quá hạn báo trước" in text_of(client.get(f"/bookings/{moved}"))
    # Whoever may only look cancels nothing.
    sign_in(client, "office")
    assert "bị tính" not in text_of(client.get(f"/bookings/{soon}"))


def test_a_manager_says_that_nobody_came_and_a_late_cancellation_is_warned_of(client: Client, house: Database) -> None:
    """Now is Monday, 08:00. The use began at 07:00 and the clause waits half an hour; another begins in 3 hours."""
    clause = Courtesy(notice_hours=24, penalties=Penalties(late_cancel=True))
    agreement = an_agreement(courtesy=clause, covered=Scope(centres=("C-ONE",)), parties=("I-IMS",))
    with house.write() as db:
        agreements.add_version(db, Version(number=1, agreement=agreement), actor_id=None, now=NOW)
    begun, soon = put(house, XRD, when=span(23, 7, 9)), put(house, XRD, when=span(23, 11, 12))
    sign_in(client, "researcher")
    assert "hủy lúc này bị tính như không đến" in text_of(client.get(f"/bookings/{soon}"))
    assert f"/bookings/{begun}/no-show" not in client.get(f"/bookings/{begun}").text
    assert send(client, f"/bookings/{begun}/no-show", {"version": "1"}).status_code == 403
    sign_in(client, "manager")
    assert f"/bookings/{begun}/no-show" in client.get(f"/bookings/{begun}").text
    assert "hủy lúc này bị tính" not in text_of(client.get(f"/bookings/{soon}"))
    refused = send(client, f"/bookings/{soon}/no-show", {"version": "1"})
    assert (refused.status_code, 'data-code="no_show_too_early"' in refused.text) == (422, True)
    assert send(client, f"/bookings/{begun}/no-show", {"version": "1"}).status_code == 303
    assert stored(house, begun).state == BookingState.NO_SHOW
