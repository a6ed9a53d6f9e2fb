"""Several instruments in one go: rows that keep what was typed, all booked or none, each no beside its row."""

from __future__ import annotations

import re
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, expect

from labshare.domain.approvals import Approval
from labshare.domain.booking_rules import CutOff, Scope, ScopeKind
from labshare.domain.bookings import BookingState
from labshare.domain.modes import Mode
from labshare.domain.text import searchable
from labshare.services import approvals, booking_rules, modes, usage
from labshare.store import bookings as store
from labshare.store import qualifications
from labshare.store import tables as t
from labshare.store.engine import Database
from labshare.web import together
from tests.browser import enter, faults, overflow, small_targets, window
from tests.furniture import (
    ADMINISTRATOR,
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
    span,
)
from tests.web.conftest import Client, send, sign_in, text_of

DAY = "2026-11-25"
# An hour at the microscope, then two at the diffractometer; the second day is that of the first.
TWO = {
    "instrument_0": "N001", "date_0": DAY, "from_0": "9h", "until_0": "10h",
    "instrument_1": "N002", "date_1": "", "from_1": "10:00", "until_1": "12:00",
    "project": str(PUBLIC_PROJECT), "purpose": "Màng mỏng",
}  # fmt: skip


def booked(house: Database) -> list[tuple[int, Any, Any]]:
    query = sa.select(t.bookings.c.instrument_number, t.bookings.c.starts_at, t.bookings.c.ends_at).order_by(
        t.bookings.c.starts_at
    )
    mine = query.where(t.bookings.c.person_id == RESEARCHER, t.bookings.c.state == BookingState.CONFIRMED)
    with house.read() as db:
        return [tuple(row) for row in db.execute(mine)]


def chosen(page: str) -> list[str]:
    """What stands chosen in each list of instruments, '' where none is."""
    lists = re.findall(r'<select id="field-instrument_\d+".*?</select>', page, flags=re.DOTALL)
    return [(re.findall(r'value="(\w+)" selected', each) or [""])[0] for each in lists]


def test_the_form_of_a_booking_leads_there_with_what_was_typed(client: Client, house: Database) -> None:
    sign_in(client, "researcher")
    form = client.get("/bookings/new?instrument=N002").text
    assert 'name="further" value="1" formaction="/bookings/together" formnovalidate' in form
    typed = {
        "instrument": "N002", "date": DAY, "from": "13:00", "length": "1h", "project": str(PUBLIC_PROJECT),
        "purpose": "Màng mỏng", "further": "1",
    }  # fmt: skip
    answer = send(client, "/bookings/together", typed)
    assert (answer.status_code, chosen(answer.text), booked(house)) == (200, ["N002", ""], [])
    for name, value in (("date_0", DAY), ("from_0", "13:00"), ("length_0", "1h"), ("purpose", "Màng mỏng")):
        assert re.search(rf'name="{name}" type="\w+" value="{value}"', answer.text), name
    assert f'value="{PUBLIC_PROJECT}" selected' in answer.text


def test_all_rows_are_booked_together(client: Client, house: Database) -> None:
    sign_in(client, "researcher")
    answer = send(client, "/bookings/together", TWO)
    assert (answer.status_code, answer.headers["location"]) == (303, "/bookings")
    first, second = span(25, 9, 10), span(25, 10, 12)
    assert booked(house) == [(FESEM, first.start, first.end), (XRD, second.start, second.end)]


def test_what_waits_for_its_centre_is_not_said_to_be_booked(client: Client, house: Database) -> None:
    with house.write() as db:
        approvals.choose(db, actor(MANAGER), "N002", Approval.EVERYBODY, 48, NOW)
    sign_in(client, "researcher")
    send(client, "/bookings/together", TWO)
    assert "Đã đặt hoặc gửi yêu cầu tất cả." in text_of(client.get("/bookings"))


def test_a_length_stands_for_an_end_and_a_run_may_end_another_day(client: Client, house: Database) -> None:
    with house.write() as db:
        whole_nights = {"opening": "daily 00:00-24:00", "max_minutes": 24 * 60}
        db.execute(sa.update(t.instruments).where(t.instruments.c.number == XRD).values(whole_nights))
    sign_in(client, "researcher")
    over_night = {**TWO, "until_0": "", "length_0": "1h", "until_1": "8:00", "until_date_1": "2026-11-26"}
    answer = send(client, "/bookings/together", over_night)
    assert answer.status_code == 303
    first, second = span(25, 9, 10), span(25, 10, 32)
    assert booked(house) == [(FESEM, first.start, first.end), (XRD, second.start, second.end)]
    # Both stay where they were typed, and what they contradict is told there.
    page = send(client, "/bookings/together", {**over_night, "until_date_1": "2026-11-24"})
    assert (page.status_code, page.text.count('value="1h"'), page.text.count('value="2026-11-24"')) == (400, 1, 1)
    assert ["field-error" in row for row in rows_of(page.text)] == [False, True]


def test_one_row_that_is_refused_keeps_all_from_being_booked_and_says_why(client: Client, house: Database) -> None:
    """The diffractometer is a colleague's from 11:00; an empty row between counts for nothing."""
    with house.write() as db:
        store.add(db, [a_booking(XRD, span(25, 11, 13), person_id=COLLEAGUE)])
    sign_in(client, "researcher")
    moved = {name.replace("_1", "_2"): value for name, value in TWO.items()}
    answer = send(client, "/bookings/together", moved)
    assert (answer.status_code, booked(house)) == (409, [])
    rows = rows_of(answer.text)
    assert [re.findall(r'data-code="(\w+)"', row) for row in rows] == [[], [], ["time_taken"]]
    assert chosen(answer.text) == ["N001", "", "N002"]
    assert "Số dòng không đặt được: 1." in text_of(answer)
    # The same person in two places, and the third instrument closed on a Saturday: each no beside its own row.
    clash = {**TWO, "from_1": "9:30", "instrument_2": "N003", "date_2": "2026-11-28", "from_2": "9", "until_2": "10"}
    answer = send(client, "/bookings/together", clash)
    rows = rows_of(answer.text)
    assert [set(re.findall(r'data-code="(\w+)"', row)) for row in rows] == [
        set(), {"person_elsewhere", "time_taken"}, {"closed"},
    ]  # fmt: skip
    assert "đang có lượt đặt hoặc được giữ chỗ trên máy N001: 09:00–10:00" in text_of(answer)
    assert booked(house) == []


def test_a_refused_row_offers_the_nearest_times_and_one_click_fills_them_in(client: Client, house: Database) -> None:
    """A colleague has the diffractometer from 10:00 to 12:00, and the first row is from 9:00 to 10:00: the nearest two
    hours are at 12:00, on Thursday morning, and on Monday until it closes, as Tuesday is a holiday.
    """
    with house.write() as db:
        store.add(db, [a_booking(XRD, span(25, 10, 12), person_id=COLLEAGUE)])
    sign_in(client, "researcher")
    refused = send(client, "/bookings/together", TWO).text
    slots = re.findall(r'name="slot_1" value="([^"]+)"', refused)
    assert slots == [
        "2026-11-23T09:00:00Z/2026-11-23T11:00:00Z",
        "2026-11-25T05:00:00Z/2026-11-25T07:00:00Z",
        "2026-11-26T01:00:00Z/2026-11-26T03:00:00Z",
    ]
    assert "slot_0" not in refused
    page = send(client, "/bookings/together", {**TWO, "slot_1": slots[1]})
    assert (page.status_code, booked(house)) == (200, [])
    assert [page.text.count(f'value="{each}"') for each in ("9h", "12:00", "14:00", "Màng mỏng")] == [1] * 4
    assert send(client, "/bookings/together", {**TWO, "slot_1": "tomorrow"}).status_code == 400


def test_the_times_offered_to_a_row_say_that_its_instrument_is_down(client: Client, house: Database) -> None:
    """Both are down, and times are offered to the second row only. NOW is 08:00 of 23 November in Hanoi."""
    with house.write() as db:
        store.add(db, [a_booking(XRD, span(25, 10, 12), person_id=COLLEAGUE)])
        for code in ("N001", "N002"):
            usage.record_down(db, actor(MANAGER), code, "Hỏng bơm", NOW)
    sign_in(client, "researcher")
    refused = text_of(send(client, "/bookings/together", TWO))
    assert refused.count("Gần nhất còn trống: Hỏng từ 08:00 T2 23/11/2026") == 1
    assert (refused.count("Hỏng từ"), refused.count("bơm")) == (1, 0)
    with house.write() as db:
        usage.record_up(db, actor(MANAGER), "N002", NOW)
    assert "Hỏng từ" not in text_of(send(client, "/bookings/together", TWO))


def test_rows_are_added_as_they_are_needed_and_keep_what_was_typed(client: Client, house: Database) -> None:
    sign_in(client, "researcher")
    page = send(client, "/bookings/together", {**TWO, "more": "1"})
    assert (page.status_code, booked(house), chosen(page.text)) == (200, [], ["N001", "N002", ""])
    assert [page.text.count(f'value="{each}"') for each in ("9h", "12:00", "Màng mỏng")] == [1] * 3
    # A row that was added is sent empty, and is still there when another one is refused.
    three = {**TWO, "instrument_2": ""}
    assert chosen(send(client, "/bookings/together", {**three, "from_1": "25h"}).text) == ["N001", "N002", ""]
    assert 'action="/bookings/together#row-3"' in page.text
    # Twelve are the most, whatever is sent.
    full = {f"instrument_{place}": "" for place in range(14)}
    page = send(client, "/bookings/together", {**full, "more": "1"})
    assert (len(chosen(page.text)), 'name="more"' in page.text) == (12, False)
    assert send(client, "/bookings/together", three).status_code == 303


def test_no_row_is_offered_the_time_of_another(client: Client, house: Database) -> None:
    """From nine to ten at the microscope, from half past nine to half past ten at the diffractometer: an hour that is
    clear of the first row begins at eight or at ten.
    """
    sign_in(client, "researcher")
    page = send(client, "/bookings/together", {**TWO, "from_1": "9:30", "until_1": "10:30"})
    slots = re.findall(r'name="slot_1" value="([^"]+)"', page.text)
    assert (page.status_code, booked(house)) == (422, [])
    assert slots[:2] == ["2026-11-25T01:00:00Z/2026-11-25T02:00:00Z", "2026-11-25T03:00:00Z/2026-11-25T04:00:00Z"]
    assert send(client, "/bookings/together", {**TWO, "from_1": "10:00", "until_1": "11:00"}).status_code == 303


def test_a_first_row_may_be_left_empty_too(client: Client, house: Database) -> None:
    sign_in(client, "researcher")
    page = client.get("/bookings/together").text
    assert "required" not in "".join(rows_of(page))
    second = {name: value for name, value in TWO.items() if not name.endswith("_0")} | {"date_1": DAY}
    assert send(client, "/bookings/together", second).status_code == 303
    assert [number for number, _, _ in booked(house)] == [XRD]


def staffed(house: Database) -> None:
    """Both instruments are run in every mode; the colleague and the manager operate each."""
    with house.write() as db:
        for number, code in ((FESEM, "N001"), (XRD, "N002")):
            modes.choose(db, actor(MANAGER), code, list(Mode), "", NOW)
            for person_id in (COLLEAGUE, MANAGER):
                qualifications.put(db, person_id, number, level=1, until=None, by=MANAGER, now=NOW)
                qualifications.name_operator(db, person_id, number, operates=True)


def offered(page: str) -> list[str]:
    """The values that the choices of who runs an instrument have, in their order."""
    return re.findall(r'<option value="((?:self|assisted|commissioned)[^"]*)"', page)


def test_who_runs_each_instrument_is_chosen_with_its_row(client: Client, house: Database) -> None:
    staffed(house)
    client.cookies.set("language", "en")
    sign_in(client, "researcher")
    helped, run = f"assisted:{COLLEAGUE}", f"commissioned:{MANAGER}"
    choices = [
        "self",
        *("assisted", helped, f"assisted:{MANAGER}"),
        *("commissioned", f"commissioned:{COLLEAGUE}", run),
    ]
    part = client.get("/bookings/together/row?place=2&instrument_2=N002").text
    assert (offered(part), 'name="staff_2"' in part) == (choices, True)
    assert ">With staff help: Colleague<" in part
    # A row without an instrument, and an instrument that there is none of, offer nothing.
    for none in ("place=1&instrument_1=", "place=1&instrument_1=N999"):
        assert "staff_1" not in client.get(f"/bookings/together/row?{none}").text
    assert client.get("/bookings/together/row?place=12").status_code == 400
    # What was chosen in the form of one booking comes along.
    for mode, taken in (("assisted", helped), ("self", "self")):
        form = {"instrument": "N001", "mode": mode, "operator": str(COLLEAGUE), "further": "1"}
        page = send(client, "/bookings/together", form).text
        assert (offered(page), f'value="{taken}" selected' in page) == (choices, True)
    # One after the other, each with somebody else.
    answer = send(client, "/bookings/together", {**TWO, "staff_0": helped, "staff_1": run})
    assert (answer.status_code, answer.headers["location"]) == (303, "/bookings")
    query = sa.select(t.bookings.c.mode, t.bookings.c.operator_id, t.bookings.c.attended).order_by(
        t.bookings.c.starts_at
    )
    with house.read() as db:
        assert [tuple(row) for row in db.execute(query)] == [
            (Mode.ASSISTED, COLLEAGUE, True), (Mode.COMMISSIONED, MANAGER, False),
        ]  # fmt: skip


def test_one_operator_in_two_rows_at_once_keeps_both_from_being_booked(client: Client, house: Database) -> None:
    staffed(house)
    sign_in(client, "researcher")
    # Both from nine to ten, so that the colleague would be in two places; the user need be at neither.
    run = f"commissioned:{COLLEAGUE}"
    at_once = {**TWO, "from_1": "9:00", "until_1": "10:00", "staff_0": run, "staff_1": run}
    answer = send(client, "/bookings/together", at_once)
    rows = rows_of(answer.text)
    assert [re.findall(r'data-code="(\w+)"', row) for row in rows] == [[], ["operator_elsewhere"]]
    assert [f'value="{run}" selected' in row for row in rows] == [True, True]
    assert (answer.status_code, booked(house)) == (422, [])
    # What is no mode, and no person.
    for wrong in ("nobody", "assisted:x"):
        answer = send(client, "/bookings/together", {**TWO, "staff_1": wrong})
        rows = rows_of(answer.text)
        assert [answer.status_code, *("field-error" in row for row in rows)] == [400, False, True]
    assert booked(house) == []
    # By somebody else at the second instrument both are.
    assert send(client, "/bookings/together", {**at_once, "staff_1": f"commissioned:{MANAGER}"}).status_code == 303
    assert {number for number, _, _ in booked(house)} == {FESEM, XRD}


def listed(page: str, place: int = 0) -> list[str]:
    """The instruments that a row offers, in their order."""
    (found,) = re.findall(rf'<select id="field-instrument_{place}".*?</select>', page, flags=re.DOTALL)
    return re.findall(r'value="(\w+)"', found)


def searched(house: Database) -> None:
    """The words by which they are found, as the loaders write them."""
    with house.write() as db:
        for table, names in ((t.instruments, ("id", "name_vi", "name_en")), (t.centres, ("name_vi", "name_en"))):
            for row in db.execute(sa.select(table)).mappings().all():
                folded = searchable(" ".join(row[name] for name in names))
                db.execute(sa.update(table).where(table.c.id == row["id"]).values(folded=folded))


def rows_of(page: str) -> list[str]:
    return re.findall(r'<fieldset class="together-row" id="row-\d+">.*?</fieldset>', page, flags=re.DOTALL)


def test_instruments_are_searched_row_by_row(client: Client, house: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    searched(house)
    client.cookies.set("language", "en")
    sign_in(client, "researcher")
    # All there are, or those beside the instrument of the first row.
    assert listed(client.get("/bookings/together").text) == ["N001", "N002", "N003"]
    assert listed(client.get("/bookings/together?instrument=N003").text, 1) == ["N003"]
    part = "/bookings/together/row?place=1&instrument_0=N003"
    assert listed(client.get(f"{part}&q_1=trung+tam+mot").text, 1) == ["N001", "N002"]
    nothing = client.get(f"{part}&q_1=laser").text
    assert (listed(nothing, 1), "0 instruments" in nothing) == ([], True)
    # One that is found alone is chosen; what was chosen stays where it is found, or nothing is searched for any more.
    assert chosen(client.get(f"{part}&q_1=n002").text) == ["N002"]
    assert chosen(client.get(f"{part}&q_1=may&instrument_1=N002").text) == ["N002"]
    assert chosen(client.get(f"{part}&q_1=may&sought_1=n001&instrument_1=N001").text) == ["N001"]
    assert chosen(client.get(f"{part}&q_1=laser&instrument_1=N002").text) == [""]
    assert chosen(client.get(f"{part}&q_1=&sought_1=laser&instrument_1=N002").text) == ["N002"]
    # More than the list takes; what is chosen stands in it all the same.
    monkeypatch.setattr(together, "MOST_FOUND", 1)
    many = client.get("/bookings/together?instrument=N002").text
    assert (listed(many), "More than 1 instruments" in many) == (["N002", "N001"], True)


def test_without_javascript_a_button_searches_and_nothing_is_booked(client: Client, house: Database) -> None:
    searched(house)
    sign_in(client, "researcher")
    searching = {**TWO, "q_1": "trung tam mot", "instrument_1": "", "purpose": "Màng mỏng", "search": "1"}
    page = send(client, "/bookings/together", searching)
    assert (page.status_code, listed(page.text, 1), booked(house)) == (200, ["N001", "N002"], [])
    assert [f'value="{typed}"' in page.text for typed in ("9h", "12:00", "trung tam mot", "Màng mỏng")] == [True] * 4
    # Neither is anything where an instrument stands in a row that was searched anew since.
    stale = {**TWO, "q_1": "nmr", "sought_1": "xrd"}
    page = send(client, "/bookings/together", stale)
    assert (page.status_code, booked(house)) == (400, [])
    assert ["field-error" in row for row in rows_of(page.text)] == [False, True]
    assert (chosen(page.text), 'name="sought_1" value="nmr"' in page.text) == (["N001", "N003"], True)
    # A search that led to nothing is no row, once its list was there.
    assert send(client, "/bookings/together", {**TWO, "q_2": "laser", "sought_2": "laser"}).status_code == 303


def test_the_leader_of_a_project_books_all_of_it_for_a_member(client: Client, house: Database) -> None:
    sign_in(client, "researcher")
    assert 'name="person"' in client.get("/bookings/together").text
    assert send(client, "/bookings/together", {**TWO, "person": "colleague"}).status_code == 303
    with house.read() as db:
        query = sa.select(t.bookings.c.person_id, t.bookings.c.booked_by_id, t.bookings.c.project_id)
        assert [tuple(row) for row in db.execute(query)] == [(COLLEAGUE, RESEARCHER, PUBLIC_PROJECT)] * 2
    # For nobody else, which is told at the field.
    page = send(client, "/bookings/together", {**TWO, "person": "competitor"})
    assert (page.status_code, "field-error" in "".join(rows_of(page.text))) == (400, False)
    sign_in(client, "colleague")
    assert 'name="person"' not in client.get("/bookings/together").text


def test_a_manager_books_for_anybody_at_their_centre_alone(client: Client, house: Database) -> None:
    sign_in(client, "manager")
    theirs = {**TWO, "person": "competitor", "their_project": "DN-01"}
    # The second row is at another centre, so that it alone says no.
    page = send(client, "/bookings/together", {**theirs, "instrument_1": "N003"})
    assert page.status_code == 400
    assert ["field-error" in row for row in rows_of(page.text)] == [False, True]
    assert [f'value="{typed}"' in page.text for typed in ("competitor", "DN-01")] == [True, True]
    assert send(client, "/bookings/together", theirs).status_code == 303
    with house.read() as db:
        query = sa.select(t.bookings.c.person_id, t.bookings.c.booked_by_id, t.bookings.c.project_id)
        assert [tuple(row) for row in db.execute(query)] == [(COMPETITOR, MANAGER, INDUSTRY_PROJECT)] * 2


def test_what_is_only_asked_for_is_not_told_as_done(client: Client, house: Database) -> None:
    with house.write() as db:
        approvals.choose(db, actor(MANAGER), "N002", Approval.EVERYBODY, 24, NOW)
    sign_in(client, "researcher")
    assert send(client, "/bookings/together", TWO).status_code == 303
    page = client.get("/bookings").text
    assert ('class="notice info"' in page, 'class="notice good"' in page) == (True, False)


def test_a_trainer_is_named_in_the_row_that_wants_one(client: Client, house: Database) -> None:
    with house.write() as db:
        qualifications.take(db, RESEARCHER, FESEM)
        qualifications.put(db, COLLEAGUE, FESEM, level=3, until=None, by=MANAGER, now=NOW)
    sign_in(client, "researcher")
    # The diffractometer asks for no qualification.
    page = send(client, "/bookings/together", TWO)
    first, second = rows_of(page.text)[:2]
    assert ("not_qualified" in first, 'href="#field-trainer_0"' in first, 'name="trainer_0"' in first) == (True,) * 3
    assert "/qualifications/new?instrument=N001" in first
    assert ("data-code" in second, 'name="trainer_1"' in second) == (False, False)
    assert booked(house) == []
    assert send(client, "/bookings/together", {**TWO, "trainer_0": str(COLLEAGUE)}).status_code == 303
    with house.read() as db:
        query = sa.select(t.bookings.c.trainer_id).order_by(t.bookings.c.starts_at)
        assert list(db.execute(query).scalars()) == [COLLEAGUE, None]


def test_a_manager_passes_the_rules_of_a_row_with_a_reason(client: Client, house: Database) -> None:
    with house.write() as db:
        booking_rules.post(db, actor(ADMINISTRATOR), Scope(ScopeKind.CENTRE, "C-ONE"), CutOff(hours=100), NOW)
        qualifications.put(db, MANAGER, FESEM, level=1, until=None, by=MANAGER, now=NOW)
    sign_in(client, "manager")
    why = "Sample decays before Friday"
    for second, status, faulty in (("", 422, False), ("urgent", 400, True)):
        page = send(client, "/bookings/together", {**TWO, "override_reason_0": why, "override_reason_1": second})
        first, other = rows_of(page.text)[:2]
        assert (page.status_code, f'value="{why}"' in first, "field-error" in other) == (status, True, faulty)
        assert ("data-code" in first, 'data-code="rule_cut_off"' in other) == (False, not faulty)
    both = {**TWO, "override_reason_0": why, "override_reason_1": "The staff will be there"}
    assert send(client, "/bookings/together", both).status_code == 303
    with house.read() as db:
        query = sa.select(t.bookings.c.override_reason).order_by(t.bookings.c.starts_at)
        assert list(db.execute(query).scalars()) == [why, "The staff will be there"]
    # What is no reason of theirs passes nothing.
    sign_in(client, "colleague")
    page = send(client, "/bookings/together", {**both, "date_0": "2026-11-26"})
    assert (page.status_code, page.text.count('data-code="rule_cut_off"'), "override_reason" in page.text) == (
        422,
        2,
        False,
    )


def test_what_cannot_be_read_is_told_in_its_row(client: Client, house: Database) -> None:
    sign_in(client, "researcher")
    for wrong, row in (
        ({**TWO, "from_1": "25h"}, 1),
        ({**TWO, "instrument_1": ""}, 1),
        ({**TWO, "instrument_1": "N999"}, 1),
        ({"project": str(PUBLIC_PROJECT)}, 0),
    ):
        answer = send(client, "/bookings/together", wrong)
        assert answer.status_code == 400
        rows = rows_of(answer.text)
        assert ["field-error" in each for each in rows] == [place == row for place in range(2)]
    assert booked(house) == []


def test_only_who_may_book_sees_it_and_for_their_own_project(client: Client, house: Database) -> None:
    assert client.get("/bookings/together", follow_redirects=False).status_code in (303, 401)
    sign_in(client, "partner")
    assert client.get("/bookings/together").status_code == 403
    assert send(client, "/bookings/together", TWO).status_code == 403
    sign_in(client, "competitor")
    answer = send(client, "/bookings/together", {**TWO, "instrument_1": "", "from_1": "", "until_1": ""})
    assert answer.status_code == 422
    with house.read() as db:
        assert db.execute(sa.select(sa.func.count()).select_from(t.bookings)).scalar_one() == 0


@pytest.mark.slow
@pytest.mark.parametrize(("theme", "width", "language"), [("light", 1440, "en"), ("dark", 360, "vi")])
def test_the_page_reads_well_wherever_it_is_read(
    browser: Browser, site: str, house: Database, theme: str, width: int, language: str
) -> None:
    staffed(house)
    searched(house)
    with window(browser, site, theme=theme, width=width, language=language) as page:
        enter(page, "researcher")
        page.goto(f"/bookings/together?instrument=N001&date={DAY}&from=9:00&until=10:00")
        # Open from eight to six: an hour at night is refused beside its row.
        page.fill("#field-q_1", "xrd")
        page.press("#field-q_1", "Enter")
        # What is found alone is chosen, with who may run it.
        page.locator("#field-staff_1").wait_for()
        assert page.locator("#field-instrument_1").input_value() == "N002"
        assert page.locator(".together-row").count() == 2
        page.locator("button[name=more]").click()
        page.locator("#row-2").wait_for()
        # The page is read on from the new row.
        assert page.url.endswith("#row-2")
        assert page.locator("#field-instrument_1").input_value() == "N002"
        assert page.locator(".refused").count() == 0
        page.select_option("#field-staff_1", f"assisted:{COLLEAGUE}")
        page.fill("#field-from_1", "22:00")
        page.fill("#field-until_1", "23:00")
        page.locator("#together-form button[type=submit]").click()
        page.locator(".row-refusals .offers").wait_for()
        assert faults(page) == []
        assert overflow(page) == 0
        assert small_targets(page) == []
        # The Enter key sends what was typed, and takes none of the times that are offered.
        page.fill("#field-from_1", "10:00")
        page.fill("#field-until_1", "11:00")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert [number for number, _, _ in booked(house)] == [FESEM, XRD]


@pytest.mark.slow
def test_what_stands_in_the_form_of_a_booking_comes_along_and_its_time_is_let_go(
    browser: Browser, site: str, house: Database
) -> None:
    with window(browser, site) as page:
        enter(page, "researcher")
        page.goto("/bookings/new?instrument=N001")
        page.select_option("#field-project", str(PUBLIC_PROJECT))
        for name, value in (("date", DAY), ("purpose", "Màng mỏng"), ("from", "9:00"), ("until", "10:00")):
            page.fill(f"#field-{name}", value)
        page.press("#field-until", "Tab")
        page.locator("[data-hold]").wait_for()
        with page.expect_navigation():
            page.locator("button[name=further]").click()
        assert page.url == f"{site}/bookings/together"
        values = [page.input_value(f"#field-{name}") for name in ("instrument_0", "date_0", "from_0", "until_0")]
        assert values == ["N001", DAY, "9:00", "10:00"]
        assert [page.input_value(f"#field-{name}") for name in ("project", "purpose")] == [
            str(PUBLIC_PROJECT), "Màng mỏng",
        ]  # fmt: skip
        page.goto(f"/instruments/N001?date={DAY}")
        # The time is free again once the beacon has arrived, and an open calendar hears of it.
        expect(page.locator("li.held")).to_have_count(0)
    with house.read() as db:
        assert db.execute(sa.select(t.bookings.c.state)).scalars().all() == [BookingState.RELEASED]
