"""Moving over HTTP: what the dialog says before anything is written, and its form; test_dragging.py has the hands."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import urlencode
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from labshare.domain.booking_rules import CutOff, Scope, ScopeKind
from labshare.domain.bookings import Booking, BookingState, Wish
from labshare.domain.series import Conflicts, Frequency, Repeat
from labshare.domain.timespan import Span
from labshare.services import approvals, booking_rules, bookings, series, usage
from labshare.store import bookings as store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import (
    ADMINISTRATOR,
    COLLEAGUE,
    MANAGER,
    NOW,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    a_booking,
    actor,
    add_instrument,
    at,
    span,
)
from tests.web.conftest import Client, send, sign_in, text_of

# Thursday 26 November 2026; the instruments are open 08:00-18:00, in steps of half an hour, half an hour at least.
DAY = "2026-11-26"
TWIN = 4
AS_HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver.local/instruments/N002?date=2026-11-26"}


@pytest.fixture
def booked(house: Database) -> UUID:
    """The researcher's booking of the first diffractometer, Thursday 09:00-11:00; a second one stands beside it."""
    with house.write() as db:
        add_instrument(db, TWIN, "C-ONE", "XRD")
        return book(db, span(26, 9, 11)).id


def book(db: Connection, when: Span, who: UUID = RESEARCHER, number: int = XRD) -> Booking:
    wish = Wish(instrument_number=number, span=when, project_id=PUBLIC_PROJECT, purpose="Màng ZnO")
    return bookings.book(db, actor(who), wish, NOW)


def times(house: Database, booking_id: UUID) -> Span:
    with house.read() as db:
        return store.get(db, booking_id).span


def proposal(client: Client, booking_id: UUID, query: str) -> tuple[int, str, str]:
    answer = client.get(f"/bookings/{booking_id}/move?{query}", headers=AS_HTMX)
    return answer.status_code, text_of(answer), answer.text


def test_a_proposal_says_old_and_new_times_and_writes_nothing(client: Client, house: Database, booked: UUID) -> None:
    sign_in(client, "researcher")
    status, said, page = proposal(client, booked, f"version=1&date={DAY}&from=13:00&until=15:00")
    assert status == 200
    assert "Hiện tại 09:00–11:00 T5 26/11/2026 (2 giờ) Đổi thành 13:00–15:00 T5 26/11/2026 (2 giờ)" in said
    assert 'name="here" value="/instruments/N002?date=2026-11-26"' in page
    assert times(house, booked) == span(26, 9, 11)


def test_the_form_of_a_proposal_moves_and_comes_back(client: Client, house: Database, booked: UUID) -> None:
    sign_in(client, "researcher")
    _, _, page = proposal(client, booked, f"version=1&date={DAY}&from=13:00&until=15:00")
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    del fields["_csrf_token"]
    done = send(client, f"/bookings/{booked}/move", fields, **AS_HTMX)
    assert (done.status_code, done.headers["hx-redirect"]) == (200, "/instruments/N002?date=2026-11-26")
    assert times(house, booked) == span(26, 13, 15)
    # The same form again is stale: it says what it saw, and what stands now.
    stale = send(client, f"/bookings/{booked}/move", fields, **AS_HTMX)
    assert stale.status_code == 412
    assert "Thời gian 09:00–11:00 T5 26/11/2026 13:00–15:00 T5 26/11/2026" in text_of(stale)
    assert "<html" not in stale.text


@pytest.mark.parametrize(
    ("start", "until", "instrument", "said"),
    [
        ("13:00", "15:00", "", "Đã đổi giờ."),
        ("9:00", "11:30", "", "Đã đổi giờ và thời lượng."),
        ("9:00", "11:00", "", "Đã thay đổi lượt đặt."),
        # The same hours on another instrument.
        ("9:00", "11:00", "N004", "Đã đổi giờ."),
    ],
)
def test_a_notice_says_what_was_changed(
    client: Client, booked: UUID, start: str, until: str, instrument: str, said: str
) -> None:
    sign_in(client, "researcher")
    wanted = {"version": "1", "date": DAY, "from": start, "until": until, "instrument": instrument, "here": "/bookings"}
    assert send(client, f"/bookings/{booked}/move", wanted).status_code == 303
    assert said in text_of(client.get("/bookings"))


def test_nobody_is_led_elsewhere_after_a_move(client: Client, booked: UUID) -> None:
    sign_in(client, "researcher")
    wanted = {"version": "1", "date": DAY, "from": "13:00", "until": "15:00", "here": "https://example.com/"}
    assert send(client, f"/bookings/{booked}/move", wanted).headers["location"] == "/"


def test_what_cannot_be_is_told_with_the_nearest_times(client: Client, house: Database, booked: UUID) -> None:
    with house.write() as db:
        book(db, span(26, 13, 15), COLLEAGUE)
    sign_in(client, "researcher")
    status, said, page = proposal(client, booked, f"version=1&date={DAY}&from=12:00&until=14:00")
    assert (status, "Gần nhất còn trống:" in said) == (409, True)
    # 11:00-13:00 is the nearest, and a button that asks for it.
    (address,) = re.findall(r'hx-get="([^"]+from=11:00[^"]+)"', page)
    assert client.get(address.replace("&amp;", "&"), headers=AS_HTMX).status_code == 200
    assert "proposal-form" not in page


def test_the_nearest_times_say_that_the_instrument_is_down(client: Client, house: Database, booked: UUID) -> None:
    """In the dialog and on the page alike; of the other instrument when that one is wanted, which runs."""
    with house.write() as db:
        for number in (XRD, TWIN):
            book(db, span(26, 13, 15), COLLEAGUE if number == XRD else MANAGER, number)
        usage.record_down(db, actor(MANAGER), "N002", "Hỏng bơm", NOW)
    sign_in(client, "researcher")
    wanted = {"version": "1", "date": DAY, "from": "12:00", "until": "14:00"}
    _, said, _ = proposal(client, booked, urlencode(wanted))
    assert "Gần nhất còn trống: Hỏng từ 08:00 T2 23/11/2026" in said
    page = text_of(send(client, f"/bookings/{booked}/move", wanted))
    assert "Gần nhất còn trống: Hỏng từ 08:00 T2 23/11/2026" in page
    _, said, _ = proposal(client, booked, urlencode({**wanted, "instrument": "N004"}))
    assert ("Gần nhất còn trống:" in said, "Hỏng từ" in said) == (True, False)
    with house.write() as db:
        usage.record_up(db, actor(MANAGER), "N002", NOW)
    page = text_of(send(client, f"/bookings/{booked}/move", wanted))
    assert ("Gần nhất còn trống:" in page, "Hỏng từ" in page) == (True, False)


def test_a_stale_proposal_can_be_asked_again(client: Client, house: Database, booked: UUID) -> None:
    with house.write() as db:
        bookings.move(db, actor(RESEARCHER), booked, span(27, 9, 11), seen_version=1, now=NOW)
    sign_in(client, "researcher")
    status, said, page = proposal(client, booked, f"version=1&date={DAY}&from=13:00&until=15:00")
    assert status == 412
    assert "Hiện tại 09:00–11:00 T6 27/11/2026" in said
    (address,) = re.findall(r'hx-get="([^"]+version=2[^"]+)"', page)
    assert client.get(address.replace("&amp;", "&"), headers=AS_HTMX).status_code == 200


def test_another_instrument_of_the_same_kind(client: Client, house: Database, booked: UUID) -> None:
    sign_in(client, "researcher")
    wanted = f"version=1&date={DAY}&from=09:00&until=11:00&instrument="
    status, said, page = proposal(client, booked, wanted + "N004")
    assert (status, "Thiết bị Máy XRD Máy XRD · N004" in said) == (200, True)
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    del fields["_csrf_token"]
    assert send(client, f"/bookings/{booked}/move", fields, **AS_HTMX).status_code == 200
    with house.read() as db:
        assert store.get(db, booked).state is BookingState.CANCELLED
        (line,) = bookings.mine(db, actor(RESEARCHER), NOW)
    assert (line.instrument_id, line.booking.span) == ("N004", span(26, 9, 11))
    assert proposal(client, line.booking.id, wanted + "N001")[0] == 422
    assert proposal(client, line.booking.id, wanted + "N999")[0] == 404


def test_without_a_script_the_address_is_the_booking_with_these_times_typed(client: Client, booked: UUID) -> None:
    sign_in(client, "researcher")
    page = client.get(f"/bookings/{booked}/move?version=1&date={DAY}&from=13:00&until=15:00")
    assert page.status_code == 200
    assert 'name="from" type="text" value="13:00"' in page.text
    assert client.get(f"/bookings/{booked}/move").status_code == 200


WANTED = {"version": "1", "date": DAY, "from": "13:00", "until": "15:00"}
QUERY = f"version=1&date={DAY}&from=13:00&until=15:00"
WHY = "Sample decays before Friday"


def late(house: Database) -> None:
    """The centre takes no booking later than 100 hours before, which Thursday at 13:00 is on a Monday."""
    with house.write() as db:
        booking_rules.post(db, actor(ADMINISTRATOR), Scope(ScopeKind.CENTRE, "C-ONE"), CutOff(hours=100), NOW)


def test_a_manager_gives_the_reason_in_the_dialog(client: Client, house: Database, booked: UUID) -> None:
    late(house)
    sign_in(client, "manager")
    status, _, page = proposal(client, booked, QUERY)
    assert status == 422
    assert ('data-code="rule_cut_off"' in page, 'name="override_reason"' in page, "Vẫn thực hiện" in page) == (
        True,
    ) * 3
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    del fields["_csrf_token"]
    # None, and one that says nothing, leave the dialog as it is, with what was typed.
    for typed, answered in (("", 422), ("urgent", 400)):
        again = send(client, f"/bookings/{booked}/move", {**fields, "override_reason": typed}, **AS_HTMX)
        assert again.status_code == answered
        assert 'data-code="rule_cut_off"' in again.text
        assert f'name="override_reason" type="text" value="{typed}"' in again.text
        assert ("field-error" in again.text, "<html" in again.text) == (answered == 400, False)
    assert times(house, booked) == span(26, 9, 11)
    done = send(client, f"/bookings/{booked}/move", {**fields, "override_reason": WHY}, **AS_HTMX)
    assert (done.status_code, done.headers["hx-redirect"]) == (200, fields["here"])
    assert times(house, booked) == span(26, 13, 15)
    with house.read() as db:
        assert store.get(db, booked).override_reason == WHY
        query = sa.select(t.audit.c.details).where(t.audit.c.action == "move", t.audit.c.noun_id == str(booked))
        assert "override" in str(db.execute(query).scalar_one())


def test_a_manager_who_gives_a_reason_knows_that_this_approves_what_waits(
    client: Client, house: Database, booked: UUID
) -> None:
    late(house)
    with house.write() as db:
        waiting = t.bookings.update().where(t.bookings.c.id == booked)
        db.execute(waiting.values(state="pending", hold_expires_at=at(26, 8)))
    sign_in(client, "manager")
    status, said, page = proposal(client, booked, QUERY)
    assert (status, 'name="override_reason"' in page) == (422, True)
    assert "Đổi sang giờ khác cũng là duyệt luôn lượt này." in said


def test_nobody_is_asked_for_a_reason_that_would_not_do(client: Client, house: Database, booked: UUID) -> None:
    late(house)
    sign_in(client, "researcher")
    status, _, page = proposal(client, booked, QUERY)
    assert (status, "override_reason" in page, "proposal-form" in page) == (422, False, False)
    assert send(client, f"/bookings/{booked}/move", {**WANTED, "override_reason": WHY}, **AS_HTMX).status_code == 403
    # Not the manager either where somebody has the time.
    with house.write() as db:
        store.add(db, [a_booking(XRD, span(26, 14, 16), person_id=COLLEAGUE)])
    sign_in(client, "manager")
    status, said, page = proposal(client, booked, QUERY)
    assert (status, "override_reason" in page, "proposal-form" in page) == (422, False, False)
    assert "đã có người đặt" in said
    assert times(house, booked) == span(26, 9, 11)


def test_a_reason_that_does_not_do_is_not_asked_for_again(client: Client, house: Database, booked: UUID) -> None:
    """Somebody takes the time while the manager types."""
    late(house)
    sign_in(client, "manager")
    assert 'name="override_reason"' in proposal(client, booked, QUERY)[2]
    with house.write() as db:
        store.add(db, [a_booking(XRD, span(26, 14, 16), person_id=COLLEAGUE)])
    refused = send(client, f"/bookings/{booked}/move", {**WANTED, "override_reason": WHY}, **AS_HTMX)
    assert (refused.status_code, 'data-code="time_taken"' in refused.text) == (409, True)
    assert ("rule_cut_off" in refused.text, "override_reason" in refused.text) == (False, False)


def later(when: Span) -> Span:
    """A week after it."""
    return Span(when.start + timedelta(days=7), when.end + timedelta(days=7))


def test_a_reason_moves_as_much_of_a_series_as_is_chosen(client: Client, house: Database) -> None:
    """Thursdays at nine; the second is far enough ahead of the rule, the first is not."""
    with house.write() as db:
        wish = Wish(instrument_number=XRD, span=span(26, 9, 11), person_id=RESEARCHER, project_id=PUBLIC_PROJECT)
        repeat = Repeat(frequency=Frequency.WEEKLY, count=2)
        made = series.create(db, actor(RESEARCHER), wish, repeat, Conflicts.STOP, NOW)
    late(house)
    first, second = (each.id for each in made.line.bookings)
    sign_in(client, "manager")
    _, _, page = proposal(client, first, QUERY)
    assert 'name="override_reason"' in page
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    del fields["_csrf_token"]
    chosen = {**fields, "reach": "all", "override_reason": WHY}
    assert send(client, f"/bookings/{first}/move", chosen, **AS_HTMX).status_code == 200
    assert (times(house, first), times(house, second)) == (span(26, 13, 15), later(span(26, 13, 15)))


def test_nobody_else_is_told_of_it(client: Client, booked: UUID) -> None:
    query = f"version=1&date={DAY}&from=13:00&until=15:00"
    assert client.get(f"/bookings/{booked}/move?{query}").status_code == 401
    sign_in(client, "colleague")
    assert proposal(client, booked, query)[0] == 404


@pytest.mark.parametrize("until", ["11:00", "10:00"])
def test_another_instrument_at_the_same_times_may_ask_its_centre(
    client: Client, house: Database, booked: UUID, until: str
) -> None:
    """On its own instrument a part needs nobody."""
    with house.write() as db:
        for code in ("N002", "N004"):
            approvals.choose(db, actor(MANAGER), code, "everybody", 24, NOW)
    sign_in(client, "researcher")
    times = f"version=1&date={DAY}&from=9:00&until={until}"
    assert "phải được trung tâm duyệt lại" in proposal(client, booked, f"{times}&instrument=N004")[1]
    assert "phải được trung tâm duyệt lại" not in proposal(client, booked, times)[1]


# ---------------------------------------------------------------- what has begun


def test_who_is_done_gives_back_the_rest_from_its_page(client: Client, house: Database) -> None:
    """Begun at seven in Hanoi, until eleven; it is just after eight. One that has not begun offers nothing like it."""
    with house.write() as db:
        use = a_booking(XRD, span(23, 7, 11))
        ahead = a_booking(XRD, span(23, 12, 13))
        store.add(db, [use, ahead])
    sign_in(client, "researcher")
    assert f"/bookings/{ahead.id}/finish" not in client.get(f"/bookings/{ahead.id}").text
    page = client.get(f"/bookings/{use.id}").text
    assert "Lượt đặt sẽ kết thúc lúc 08:30 T2 23/11/2026" in text_of(client.get(f"/bookings/{use.id}"))
    assert f'action="/bookings/{use.id}/finish"' in page
    stale = send(client, f"/bookings/{use.id}/finish", {"version": "7"})
    assert (stale.status_code, times(house, use.id)) == (412, use.span)
    done = send(client, f"/bookings/{use.id}/finish", {"version": "1"})
    assert done.headers["location"] == f"/bookings/{use.id}"
    assert times(house, use.id) == Span(use.starts_at, use.starts_at + timedelta(minutes=90))
    again = send(client, f"/bookings/{use.id}/finish", {"version": "2"})
    assert (again.status_code, 'data-code="booking_nothing_left"' in again.text) == (422, True)
    sign_in(client, "competitor")
    assert send(client, f"/bookings/{use.id}/finish", {"version": "2"}).status_code == 404
