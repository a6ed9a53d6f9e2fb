"""Operators over HTTP: named on the page of an instrument's people, chosen in the form, assigned from a booking."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from labshare.domain.bookings import Wish
from labshare.domain.modes import Mode
from labshare.domain.series import Conflicts, Frequency, Repeat
from labshare.services import bookings, modes, operators, series
from labshare.store import qualifications as store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import COLLEAGUE, FESEM, MANAGER, NOW, PUBLIC_PROJECT, RESEARCHER, XRD, actor, span
from tests.web.conftest import Client, send, sign_in, text_of

PEOPLE = "/instruments/N001/people"
FORM = {
    "instrument": "N001", "date": "2026-11-25", "from": "9:00", "until": "11:00", "project": str(PUBLIC_PROJECT),
    "mode": "commissioned",
}  # fmt: skip


@pytest.fixture(autouse=True)
def staffed(client: Client, house: Database) -> None:
    """The FE-SEM is run in every mode, by the colleague; pages are in English."""
    client.cookies.set("language", "en")
    with house.write() as db:
        modes.choose(db, actor(MANAGER), "N001", list(Mode), "", NOW)
        store.name_operator(db, COLLEAGUE, FESEM, operates=True)


def book(client: Client, **changes: Any) -> UUID:
    answer = send(client, "/bookings", FORM | changes)
    assert answer.status_code == 303, text_of(answer)
    return UUID(answer.headers["location"].rpartition("/")[2])


def operator_of(house: Database, booking_id: UUID) -> UUID | None:
    with house.read() as db:
        return bookings.show(db, actor(MANAGER), booking_id).booking.operator_id


def test_a_manager_names_an_operator_among_the_qualified(client: Client) -> None:
    sign_in(client, "manager")
    assert "operates it for others" in text_of(client.get(PEOPLE))
    answer = send(client, f"{PEOPLE}/operator", {"login": "researcher", "operates": "1"})
    assert (answer.status_code, answer.headers["location"]) == (303, PEOPLE)
    assert text_of(client.get(PEOPLE)).count("operates it for others") == 2
    assert send(client, f"{PEOPLE}/operator", {"login": "researcher"}).status_code == 303
    assert text_of(client.get(PEOPLE)).count("operates it for others") == 1
    refused = send(client, f"{PEOPLE}/operator", {"login": "office", "operates": "1"})
    assert (refused.status_code, 'data-code="qualification_not_held"' in refused.text) == (422, True)
    sign_in(client, "colleague")
    assert send(client, f"{PEOPLE}/operator", {"login": "colleague"}).status_code == 403


def test_the_form_offers_them_where_the_staff_run_it(client: Client, house: Database) -> None:
    sign_in(client, "researcher")
    page = client.get("/bookings/new?instrument=N001").text
    assert f'value="{COLLEAGUE}"' in page
    assert 'name="operator"' not in client.get("/bookings/new?instrument=N002").text
    booking_id = book(client, operator=str(COLLEAGUE))
    assert operator_of(house, booking_id) == COLLEAGUE
    assert "Operator Colleague" in text_of(client.get(f"/bookings/{booking_id}"))
    assert "Operator: Colleague, for Researcher" in text_of(client.get("/bookings"))
    # Who works alone after all needs none, whatever stands in the field.
    alone = book(client, operator=str(COLLEAGUE), mode="self", **{"from": "11:00", "until": "12:00"})
    assert operator_of(house, alone) is None
    assert send(client, "/bookings", FORM | {"operator": "x"}).status_code == 400


def test_an_operator_who_is_busy_is_a_sentence_with_other_times(client: Client, house: Database) -> None:
    with house.write() as db:
        store.put(db, COLLEAGUE, XRD, level=1, until=None, by=MANAGER, now=NOW)
        modes.choose(db, actor(MANAGER), "N002", list(Mode), "", NOW)
        store.name_operator(db, COLLEAGUE, XRD, operates=True)
    sign_in(client, "researcher")
    book(client, operator=str(COLLEAGUE), instrument="N002")
    refused = send(client, "/bookings", FORM | {"operator": str(COLLEAGUE)})
    assert refused.status_code == 422
    assert "The operator is busy at that time." in text_of(refused)
    assert 'name="slot"' in refused.text
    client.cookies.set("language", "vi")
    refused = send(client, "/bookings", FORM | {"operator": str(COLLEAGUE)})
    assert "Người vận hành bận vào giờ đó." in text_of(refused)


def test_the_staff_find_who_has_none_and_name_one(client: Client, house: Database) -> None:
    sign_in(client, "researcher")
    booking_id = book(client)
    page = f"/bookings/{booking_id}"
    sign_in(client, "manager")
    assert "no operator yet" in text_of(client.get("/"))
    assert f'action="{page}/operator"' in client.get(page).text
    form = {"version": "1", "operator": str(COLLEAGUE)}
    answer = send(client, f"{page}/operator", form)
    assert (answer.status_code, answer.headers["location"]) == (303, page)
    assert operator_of(house, booking_id) == COLLEAGUE
    assert "Operator: Colleague" in text_of(client.get("/"))
    assert send(client, f"{page}/operator", form).status_code == 412
    assert send(client, f"{page}/operator", {"version": "2", "operator": "x"}).status_code == 400
    refused = send(client, f"{page}/operator", {"version": "2", "operator": str(RESEARCHER)})
    assert 'data-code="operator_is_user"' in refused.text
    with house.read() as db:
        kinds = db.execute(sa.select(t.notices.c.kind).where(t.notices.c.person_id == RESEARCHER)).scalars().all()
    assert kinds == ["booking_operator"]


def test_a_move_keeps_the_operator_or_names_another(client: Client, house: Database) -> None:
    with house.write() as db:
        store.put(db, MANAGER, FESEM, level=1, until=None, by=MANAGER, now=NOW)
        store.name_operator(db, MANAGER, FESEM, operates=True)
    sign_in(client, "researcher")
    booking_id = book(client, operator=str(COLLEAGUE))
    times = {"date": "2026-11-25", "from": "10:00", "until": "12:00", "mode": "commissioned"}
    move = f"/bookings/{booking_id}/move"
    # As the dialog does it, whose form says nothing of operators.
    assert send(client, move, times | {"version": "1"}).status_code == 303
    assert operator_of(house, booking_id) == COLLEAGUE
    times |= {"from": "13:00", "until": "15:00", "operator": str(MANAGER)}
    assert send(client, move, times | {"version": "2"}).status_code == 303
    assert operator_of(house, booking_id) == MANAGER
    assert send(client, move, times | {"version": "3", "operator": "x"}).status_code == 400


def test_a_series_keeps_its_operators_unless_another_is_chosen_than_the_form_had(
    client: Client, house: Database
) -> None:
    with house.write() as db:
        store.put(db, MANAGER, FESEM, level=1, until=None, by=MANAGER, now=NOW)
        store.name_operator(db, MANAGER, FESEM, operates=True)
        who = actor(RESEARCHER)
        asked = Wish(
            instrument_number=FESEM, span=span(25, 9, 11), person_id=RESEARCHER, project_id=PUBLIC_PROJECT,
            mode=Mode.COMMISSIONED, operator_id=COLLEAGUE,
        )  # fmt: skip
        weekly = Repeat(frequency=Frequency.WEEKLY, count=2)
        first, last = series.create(db, who, asked, weekly, Conflicts.STOP, NOW).line.bookings
        operators.assign(db, who, last.id, MANAGER, seen_version=1, now=NOW)
    sign_in(client, "researcher")
    move = {
        "date": "2026-11-25", "from": "13:00", "until": "15:00", "mode": "commissioned", "operator": str(COLLEAGUE),
        "reach": "all", "version": "1", "series_version": "3",
    }  # fmt: skip
    # Later, by whom they were.
    assert send(client, f"/bookings/{first.id}/move", move).status_code == 303
    assert [operator_of(house, each.id) for each in (first, last)] == [COLLEAGUE, MANAGER]
    # Both by the manager.
    move |= {"operator": str(MANAGER), "series_version": "5"}
    assert send(client, f"/bookings/{first.id}/move", move).status_code == 303
    assert [operator_of(house, each.id) for each in (first, last)] == [MANAGER, MANAGER]


def test_who_operates_sees_it_in_the_calendar_and_may_not_drag_it(client: Client, house: Database) -> None:
    sign_in(client, "researcher")
    booking_id = book(client, operator=str(COLLEAGUE), purpose="secret")
    sign_in(client, "colleague")
    week = client.get("/instruments/N001?date=2026-11-25").text
    assert "You operate it for Researcher" in week
    assert f'href="/bookings/{booking_id}"' in week
    assert "data-version" not in week
    page = client.get(f"/bookings/{booking_id}")
    assert page.status_code == 200
    assert "secret" not in page.text + week
    assert f'action="/bookings/{booking_id}/operator"' not in page.text
    file = client.get(f"/bookings/{booking_id}.ics").text
    assert "Operator: Colleague\\, for Researcher" in file.replace("\r\n ", "")


def test_a_form_takes_nobody_off_who_was_relieved_since(client: Client, house: Database) -> None:
    """Whether another is named still or nobody: the field has them, marked, and the page says what to do."""
    with house.write() as db:
        modes.choose(db, actor(MANAGER), "N001", list(Mode), "5 kV\n15 kV", NOW)
    for other in (False, True):
        with house.write() as db:
            store.name_operator(db, COLLEAGUE, FESEM, operates=True)
            store.name_operator(db, RESEARCHER, FESEM, operates=other)
        sign_in(client, "researcher")
        use = book(client, operator=str(COLLEAGUE), date=f"2026-11-2{6 + other}")
        with house.write() as db:
            operators.name(db, actor(MANAGER), "N001", "colleague", operates=False, now=NOW)
        page = client.get(f"/bookings/{use}")
        assert page.text.count(f'<option value="{COLLEAGUE}" selected>Colleague (operates it no more)') == 2
        assert "does not operate it any more" in text_of(page)
        fields = {
            "date": f"2026-11-2{6 + other}", "from": "9:00", "until": "11:00", "version": "1", "mode": "commissioned",
            "operator": str(COLLEAGUE), "setup": "5 kV",
        }  # fmt: skip
        assert send(client, f"/bookings/{use}/move", fields).status_code == 303
        assert operator_of(house, use) == COLLEAGUE
        refused = send(client, f"/bookings/{use}/move", fields | {"from": "13:00", "until": "15:00", "version": "2"})
        assert (refused.status_code, 'data-code="operator_not_named"' in refused.text) == (422, True)
        assert f'<option value="{COLLEAGUE}" selected>' in refused.text
        moved = fields | {"from": "13:00", "until": "15:00", "version": "2", "operator": ""}
        assert send(client, f"/bookings/{use}/move", moved).status_code == 303
        assert operator_of(house, use) is None
