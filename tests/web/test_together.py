"""Several instruments in one go: rows that keep what was typed, all booked or none, each no beside its row."""

from __future__ import annotations

import re
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser

from labshare.domain.bookings import BookingState
from labshare.domain.modes import Mode
from labshare.services import modes
from labshare.store import bookings as store
from labshare.store import qualifications
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.browser import enter, faults, overflow, small_targets, window
from tests.furniture import (
    COLLEAGUE,
    FESEM,
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
    lists = re.findall(r'<select id="field-instrument_\d".*?</select>', page, flags=re.DOTALL)
    return [(re.findall(r'value="(\w+)" selected', each) or [""])[0] for each in lists]


def test_the_form_of_a_booking_leads_there_with_what_was_typed(client: Client) -> None:
    sign_in(client, "researcher")
    form = client.get(f"/bookings/new?instrument=N002&date={DAY}&from=13:00&until=14:00").text
    (address,) = re.findall(r'href="(/bookings/together\?[^"]*)"', form)
    page = client.get(address.replace("&amp;", "&")).text
    assert chosen(page) == ["N002", "", "", ""]
    assert f'name="date_0" type="date" value="{DAY}"' in page
    assert 'name="from_0" type="text" value="13:00"' in page


def test_all_rows_are_booked_together(client: Client, house: Database) -> None:
    sign_in(client, "researcher")
    answer = send(client, "/bookings/together", TWO)
    assert (answer.status_code, answer.headers["location"]) == (303, "/bookings")
    first, second = span(25, 9, 10), span(25, 10, 12)
    assert booked(house) == [(FESEM, first.start, first.end), (XRD, second.start, second.end)]


def test_one_row_that_is_refused_keeps_all_from_being_booked_and_says_why(client: Client, house: Database) -> None:
    """The diffractometer is a colleague's from 11:00; an empty row between counts for nothing."""
    with house.write() as db:
        store.add(db, [a_booking(XRD, span(25, 11, 13), person_id=COLLEAGUE)])
    sign_in(client, "researcher")
    moved = {name.replace("_1", "_2"): value for name, value in TWO.items()}
    answer = send(client, "/bookings/together", moved)
    assert (answer.status_code, booked(house)) == (409, [])
    rows = re.findall(r'<fieldset class="together-row">.*?</fieldset>', answer.text, flags=re.DOTALL)
    assert [re.findall(r'data-code="(\w+)"', row) for row in rows] == [[], [], ["time_taken"], []]
    assert chosen(answer.text) == ["N001", "", "N002", ""]
    assert "Số dòng không đặt được: 1." in text_of(answer)
    # The same person in two places, and the third instrument closed on a Saturday: each no beside its own row.
    clash = {**TWO, "from_1": "9:30", "instrument_2": "N003", "date_2": "2026-11-28", "from_2": "9", "until_2": "10"}
    answer = send(client, "/bookings/together", clash)
    rows = re.findall(r'<fieldset class="together-row">.*?</fieldset>', answer.text, flags=re.DOTALL)
    assert [set(re.findall(r'data-code="(\w+)"', row)) for row in rows] == [
        set(), {"person_elsewhere", "time_taken"}, {"closed"}, set(),
    ]  # fmt: skip
    assert "đang có lượt đặt máy N001: 09:00–10:00" in text_of(answer)
    assert booked(house) == []


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
    part = client.get("/bookings/together/staff?instrument_2=N002").text
    assert (offered(part), 'name="staff_2"' in part) == (choices, True)
    assert ">With staff help: Colleague<" in part
    # A row without an instrument, and an instrument that there is none of, offer nothing.
    assert client.get("/bookings/together/staff?instrument_1=").text.strip() == ""
    assert client.get("/bookings/together/staff?instrument_1=N999").text.strip() == ""
    # What was chosen in the form of one booking comes along.
    (address,) = re.findall(
        r'href="(/bookings/together\?[^"]*)"',
        client.get(f"/bookings/new?instrument=N001&mode=assisted&operator={COLLEAGUE}").text,
    )
    page = client.get(address.replace("&amp;", "&")).text
    assert (offered(page), f'value="{helped}" selected' in page) == (choices, True)
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
    rows = re.findall(r'<fieldset class="together-row">.*?</fieldset>', answer.text, flags=re.DOTALL)
    assert [re.findall(r'data-code="(\w+)"', row) for row in rows] == [[], ["operator_elsewhere"], [], []]
    assert [f'value="{run}" selected' in row for row in rows] == [True, True, False, False]
    assert (answer.status_code, booked(house)) == (422, [])
    # What is no mode, and no person.
    for wrong in ("nobody", "assisted:x"):
        answer = send(client, "/bookings/together", {**TWO, "staff_1": wrong})
        rows = re.findall(r'<fieldset class="together-row">.*?</fieldset>', answer.text, flags=re.DOTALL)
        assert [answer.status_code, *("field-error" in row for row in rows)] == [400, False, True, False, False]
    assert booked(house) == []
    # By somebody else at the second instrument both are.
    assert send(client, "/bookings/together", {**at_once, "staff_1": f"commissioned:{MANAGER}"}).status_code == 303
    assert {number for number, _, _ in booked(house)} == {FESEM, XRD}


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
        rows = re.findall(r'<fieldset class="together-row">.*?</fieldset>', answer.text, flags=re.DOTALL)
        assert ["field-error" in each for each in rows] == [place == row for place in range(4)]
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
    with window(browser, site, theme=theme, width=width, language=language) as page:
        enter(page, "researcher")
        page.goto(f"/bookings/together?instrument=N001&date={DAY}&from=9:00&until=10:00")
        # Open from eight to six: an hour at night is refused beside its row.
        page.select_option("#field-instrument_1", "N002")
        page.select_option("#field-staff_1", f"assisted:{COLLEAGUE}")
        page.fill("#field-from_1", "22:00")
        page.fill("#field-until_1", "23:00")
        page.locator("#together-form button[type=submit]").click()
        page.locator(".row-refusals").wait_for()
        assert faults(page) == []
        assert overflow(page) == 0
        assert small_targets(page) == []
