"""Qualifications over HTTP (qualifications.py, qualified_people.py): asked for from a refusal, granted by an instrument
scientist, seen by who may see them; and a trainer is named where somebody is not qualified.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser

from labshare.domain.qualifications import Demand
from labshare.services import bookings, qualifications
from labshare.store import qualifications as store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.browser import enter, window
from tests.furniture import COLLEAGUE, COMPETITOR, FESEM, MANAGER, NOW, RESEARCHER, actor, at
from tests.web.conftest import Client, send, sign_in, text_of

TIMES = {"instrument": "N001", "date": "2026-11-25", "from": "9:00", "until": "11:00"}
PEOPLE = "/instruments/N001/people"


@pytest.fixture(autouse=True)
def unqualified(house: Database) -> None:
    """The researcher is not qualified for the FE-SEM, and the colleague trains people there."""
    with house.write() as db:
        store.take(db, RESEARCHER, FESEM)
        trains = sa.update(t.qualifications).where(t.qualifications.c.person_id == COLLEAGUE)
        db.execute(trains.values(level=3))


def project(house: Database) -> str:
    with house.read() as db:
        return str(db.execute(sa.select(t.projects.c.id).where(t.projects.c.code == "KC-01")).scalar_one())


def asked(house: Database, who: UUID = RESEARCHER, level: int = 1) -> UUID:
    with house.write() as db:
        return qualifications.ask(db, actor(who), "N001", level, "Đã dùng SEM", NOW).id


def level_of(house: Database, person_id: UUID) -> int:
    with house.read() as db:
        found = store.lines(db, *store.where(person_id=person_id, number=FESEM))
    return found[0].held.level if found else 0


def test_a_refusal_leads_to_asking_and_the_manager_grants(client: Client, house: Database) -> None:
    sign_in(client, "researcher")
    answer = send(client, "/bookings", {**TIMES, "project": project(house)})
    assert answer.status_code == 422
    assert 'href="/qualifications/new?instrument=N001"' in answer.text
    assert 'name="level"' in client.get("/qualifications/new?instrument=N001").text
    form = {"instrument": "N001", "level": "1", "note": "Đã dùng SEM"}
    answer = send(client, "/qualifications", form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/qualifications")
    assert "chờ trả lời" in text_of(client.get("/qualifications"))
    twice = send(client, "/qualifications", form)
    assert twice.status_code == 422
    assert "đang chờ trả lời" in text_of(twice)
    with house.read() as db:
        (line,) = qualifications.waiting(db, actor(MANAGER), NOW)
    sign_in(client, "manager")
    assert "Chứng nhận chờ cấp" in text_of(client.get("/"))
    assert "Đã dùng SEM" in text_of(client.get("/qualifications/requests"))
    address = f"/qualifications/requests/{line.ask.id}"
    assert send(client, f"{address}/grant", {"level": "2", "until": "2026-11-22"}).status_code == 400
    assert send(client, f"{address}/grant", {"level": "2", "until": "2027-11-23"}).status_code == 303
    assert level_of(house, RESEARCHER) == 2
    late = send(client, f"{address}/decline", {"note": "Không"})
    assert (late.status_code, level_of(house, RESEARCHER)) == (422, 2)


def levels_offered(client: Client) -> tuple[list[str], list[str]]:
    """The levels that the form offers, and those that it has chosen by itself."""
    page = client.get("/qualifications/new?instrument=N001").text
    form = page.partition('action="/qualifications"')[2].partition("</form>")[0]
    found = re.findall(r'<option value="([^"]*)"( selected)?>', form)
    return [value for value, _ in found], [value for value, chosen in found if chosen]


def test_who_holds_a_level_without_an_end_is_told_and_asks_for_a_higher_one(client: Client, house: Database) -> None:
    sign_in(client, "researcher")
    assert levels_offered(client) == (["1", "2", "3"], ["1"])
    with house.write() as db:
        store.put(db, RESEARCHER, FESEM, level=1, until=None, by=MANAGER, now=NOW)
    assert "Bạn đã có chứng nhận này: người sử dụng , không thời hạn" in text_of(
        client.get("/qualifications/new?instrument=N001")
    )
    assert levels_offered(client) == (["", "2", "3"], [])
    again = send(client, "/qualifications", {"instrument": "N001", "level": "1", "note": ""})
    assert (again.status_code, "không cần xin lại" in text_of(again)) == (422, True)
    assert send(client, "/qualifications", {"instrument": "N001", "level": "", "note": ""}).status_code == 400
    assert send(client, "/qualifications", {"instrument": "N001", "level": "2", "note": ""}).status_code == 303


def test_what_ends_may_be_asked_for_again_and_nothing_lies_above_a_trainer(client: Client, house: Database) -> None:
    sign_in(client, "researcher")
    with house.write() as db:
        store.put(db, RESEARCHER, FESEM, level=2, until=NOW + timedelta(days=90), by=MANAGER, now=NOW)
    assert levels_offered(client) == (["", "1", "2", "3"], ["2"])
    sign_in(client, "colleague")
    assert levels_offered(client) == ([], [])
    assert "Không còn bậc nào cao hơn" in text_of(client.get("/qualifications/new?instrument=N001"))


def test_a_trainer_sees_requests_and_grants_no_trainers(client: Client, house: Database) -> None:
    ask = asked(house, level=3)
    sign_in(client, "colleague")
    page = client.get("/qualifications/requests")
    assert "Researcher" in page.text
    assert 'value="3"' not in page.text
    assert send(client, f"/qualifications/requests/{ask}/grant", {"level": "3"}).status_code == 403
    assert send(client, f"/qualifications/requests/{ask}/decline", {"note": ""}).status_code == 400
    assert send(client, f"/qualifications/requests/{ask}/decline", {"note": "Cần học thêm"}).status_code == 303
    sign_in(client, "researcher")
    assert "Cần học thêm" in text_of(client.get("/qualifications"))


def test_whoever_grants_nothing_sees_no_requests_and_no_people(client: Client, house: Database) -> None:
    ask = asked(house)
    for login in ("competitor", "partner", "office"):
        sign_in(client, login)
        assert client.get("/qualifications/requests").status_code == 403
        assert client.get(PEOPLE).status_code == 403
        assert send(client, f"/qualifications/requests/{ask}/grant", {"level": "1"}).status_code == 404
        assert send(client, PEOPLE, {"login": "researcher", "level": "1"}).status_code == 403
        assert send(client, f"{PEOPLE}/revoke", {"login": "colleague", "note": "Không"}).status_code == 403
        assert PEOPLE not in client.get("/instruments/N001").text
    assert level_of(house, RESEARCHER) == 0
    assert level_of(house, COLLEAGUE) == 3


def test_managers_see_the_people_and_grant_revoke_demand_and_record(client: Client, house: Database) -> None:
    sign_in(client, "manager")
    assert PEOPLE in client.get("/instruments/N001").text
    assert "Colleague" in client.get(PEOPLE).text
    assert send(client, PEOPLE, {"login": "researcher", "level": "1", "until": ""}).status_code == 303
    assert level_of(house, RESEARCHER) == 1
    wrong = send(client, PEOPLE, {"login": "nobody", "level": "1"})
    assert (wrong.status_code, "nobody" in wrong.text) == (400, True)
    assert send(client, f"{PEOPLE}/revoke", {"login": "researcher", "note": ""}).status_code == 400
    assert send(client, f"{PEOPLE}/revoke", {"login": "researcher", "note": "Nghỉ việc"}).status_code == 303
    assert level_of(house, RESEARCHER) == 0
    assert send(client, f"{PEOPLE}/demand", {"course_months": "12", "lapse_months": "x"}).status_code == 400
    assert send(client, f"{PEOPLE}/demand", {"course_months": "12", "lapse_months": "6"}).status_code == 303
    page = text_of(client.get("/instruments/N001"))
    assert "Cần khóa an toàn của trung tâm, học xong chưa quá 12 tháng." in page
    assert "Mất hiệu lực nếu 6 tháng không dùng máy." in page
    assert "thiếu khóa an toàn" in text_of(client.get(PEOPLE))
    assert send(client, f"{PEOPLE}/course", {"login": "colleague", "completed_on": "2027-01-01"}).status_code == 400
    assert send(client, f"{PEOPLE}/course", {"login": "colleague", "completed_on": "2026-11-20"}).status_code == 303
    assert "còn hiệu lực" in text_of(client.get(PEOPLE))


def test_who_is_not_qualified_is_offered_trainers_and_both_see_the_booking(client: Client, house: Database) -> None:
    sign_in(client, "researcher")
    page = client.get("/bookings/new?instrument=N001").text
    assert f'<option value="{COLLEAGUE}">Colleague</option>' in page
    booked = send(
        client, "/bookings",
        {**TIMES, "project": project(house), "trainer": str(COLLEAGUE), "purpose": "Mẫu riêng"},
    )  # fmt: skip
    assert booked.status_code == 303, booked.text
    address = booked.headers["location"]
    assert "Colleague" in text_of(client.get(address))
    assert "Thực hành: Researcher; hướng dẫn: Colleague" in text_of(client.get("/bookings"))
    sign_in(client, "colleague")
    for page in ("/bookings", "/"):
        assert "Thực hành: Researcher; hướng dẫn: Colleague" in text_of(client.get(page))
    assert "Bạn hướng dẫn Researcher" in client.get("/instruments/N001?date=2026-11-25").text
    seen = client.get(address).text
    assert "Mẫu riêng" not in seen
    assert "KC-01" not in seen
    assert f'action="{address}/cancel"' in seen
    assert f'action="{address}/move"' not in seen
    assert send(client, f"{address}/cancel", {"version": "1"}).status_code == 303


def test_a_refusal_leads_to_a_trainer_while_none_is_chosen(client: Client, house: Database) -> None:
    sign_in(client, "researcher")
    form = {**TIMES, "project": project(house)}
    refused = send(client, "/bookings", form).text
    # So does the notice beside the form that is being filled in.
    noticed = send(client, "/bookings/holds", form, **{"HX-Request": "true"}).text
    for said in (refused, noticed):
        assert 'data-code="not_qualified"' in said
        assert 'href="#field-trainer"' in said
        assert 'href="/qualifications/new?instrument=N001"' in said
    assert 'id="field-trainer"' in refused
    elsewhere = send(client, "/bookings", {**form, "from": "3:00", "until": "4:00", "trainer": str(COLLEAGUE)}).text
    assert 'href="#field-trainer"' not in elsewhere
    with house.write() as db:
        store.take(db, COLLEAGUE, FESEM)
    alone = send(client, "/bookings", form).text
    assert ('href="#field-trainer"' in alone, 'href="/qualifications/new?instrument=N001"' in alone) == (False, True)


def test_many_people_are_searched_paged_and_folded(client: Client, house: Database) -> None:
    with house.write() as db:
        for number in range(1, 26):
            person_id = UUID(int=7000 + number)
            values = {"id": person_id, "login": f"user{number:02}", "name": f"Điện tử {number:02}"}
            db.execute(sa.insert(t.persons).values(**values, organisation_id="I-IMS"))
            # The last three have lost it.
            until = NOW - timedelta(days=1) if number > 22 else None
            store.put(db, person_id, FESEM, level=1, until=until, by=MANAGER, now=NOW - timedelta(days=9))
    sign_in(client, "manager")

    def listed(query: str = "") -> tuple[set[str], set[str]]:
        """Whom the list has, and whom the fold below it."""
        shown, _, over = client.get(f"{PEOPLE}{query}").text.partition('class="folded"')
        return set(re.findall(r"user\d\d", shown)), set(re.findall(r"user\d\d", over))

    def users(first: int, last: int) -> set[str]:
        return {f"user{number:02}" for number in range(first, last + 1)}

    # Twenty to a page: the colleague, who trains people, the competitor, and 18 of the 22 more.
    assert listed() == (users(1, 18), users(23, 25))
    assert listed("?page=2") == (users(19, 22), users(23, 25))
    assert listed("?q=dien+tu+07") == ({"user07"}, set())
    assert listed("?q=user24")[1] == {"user24"}
    assert "Không có ai tên như vậy" in text_of(client.get(f"{PEOPLE}?q=zzz"))
    for odd in ("?page=99", "?page=x", "?page=0"):
        assert client.get(f"{PEOPLE}{odd}").status_code == 200


def test_who_is_qualified_is_asked_for_no_trainer(client: Client) -> None:
    sign_in(client, "competitor")
    assert 'name="trainer"' not in client.get("/bookings/new?instrument=N001").text
    sign_in(client, "researcher")
    # The XRD asks for nothing.
    assert 'name="trainer"' not in client.get("/bookings/new?instrument=N002").text
    assert send(client, "/bookings", {**TIMES, "trainer": "x"}).status_code == 400


def test_an_end_that_is_near_is_told_at_home_and_beside_the_booking(client: Client, house: Database) -> None:
    with house.write() as db:
        ends = sa.update(t.qualifications).where(t.qualifications.c.person_id == COMPETITOR)
        end = NOW + timedelta(days=2, hours=4)
        db.execute(ends.values(granted_at=NOW - timedelta(days=300), expires_at=end))
        members = [{"project_id": UUID(project(house)), "person_id": COMPETITOR}]
        db.execute(sa.insert(t.project_members), members)
    sign_in(client, "competitor")
    home = client.get("/").text
    assert "Chứng nhận sắp hoặc đã hết hiệu lực" in home
    assert 'href="/qualifications/new?instrument=N001"' in home
    booked = send(client, "/bookings", {**TIMES, "project": project(house)})
    # It ends at 12:00 of the 25th; after 11:00 no two hours fit.
    assert "Đây là lượt dùng cuối cùng còn kịp" in text_of(client.get(booked.headers["location"]))
    with house.read() as db:
        (line,) = bookings.mine(db, actor(COMPETITOR), NOW)
    assert line.trainer is None


@pytest.mark.parametrize(
    ("end", "said"),
    [(at(26, 0), "đến hết 25/11/2026"), (at(25, 12), "đến 12:00 T4 25/11/2026")],
    ids=["with its day", "at noon"],
)
def test_an_end_is_told_alike_wherever_it_is_told(client: Client, house: Database, end: datetime, said: str) -> None:
    """At home, in my list, beside what is booked before it, and to whom it refuses a booking after it."""
    with house.write() as db:
        store.put(db, RESEARCHER, FESEM, level=1, until=end, by=MANAGER, now=NOW - timedelta(days=60))
    sign_in(client, "researcher")
    wish = {**TIMES, "project": project(house)}
    booked = send(client, "/bookings", wish).headers["location"]
    refused = send(client, "/bookings", {**wish, "date": "2026-11-26"})
    assert refused.status_code == 422
    for page in (client.get("/"), client.get("/qualifications"), client.get(booked), refused):
        assert said in text_of(page)


@pytest.mark.parametrize("width", [360, 1440])
def test_what_is_demanded_stands_inside_its_card_with_its_bullets(
    browser: Browser, site: str, house: Database, width: int
) -> None:
    with house.write() as db:
        qualifications.choose(db, actor(MANAGER), "N001", Demand(course_months=12), NOW)
    with window(browser, site, width=width) as page:
        enter(page, "researcher")
        page.goto("/instruments/N001")
        inset = """words => document.querySelector(words).getBoundingClientRect().left"""
        facts, demand, card = (
            page.evaluate(inset, f'[aria-labelledby="access"]{part}') for part in (" > .facts", " > .house-rules", "")
        )
        assert facts == demand > card
