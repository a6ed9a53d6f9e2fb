"""The bell, the page of notices and the choice of letters, without JavaScript; nobody reads those of others."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from labshare.domain.notices import Mail, NoticeKind
from labshare.services import notices
from labshare.store.engine import Database
from tests.furniture import COLLEAGUE, NOW, RESEARCHER, actor, counted
from tests.web.conftest import Client, send, sign_in, text_of

K = NoticeKind


def tell(house: Database, number: int = 1, person_id: UUID = RESEARCHER, now: datetime = NOW) -> None:
    with house.write() as db:
        names = (f"Máy {number}", f"Machine {number}")
        notices.tell(db, person_id, K.BOOKING_MOVED, names, f"/bookings/{number}", now, until=NOW)


def ids(house: Database) -> list[UUID]:
    with house.read() as db:
        return [each.id for each in notices.mine(db, actor(RESEARCHER))]


def bell(client: Client, path: str = "/") -> str:
    """What the bell of a page says to a screen reader."""
    (said,) = re.findall(r'class="quiet bell"[^>]* aria-label="([^"]*)"', client.get(path).text)
    return said


def test_the_bell_counts_what_is_unread_and_is_nobodys_who_is_not_signed_in(client: Client, house: Database) -> None:
    assert 'href="/notices"' not in client.get("/").text
    sign_in(client, "researcher")
    assert bell(client) == "Thông báo"
    for number in (1, 2):
        tell(house, number)
    tell(house, 3, COLLEAGUE)
    assert bell(client) == bell(client, "/instruments") == "Thông báo, 2 chưa đọc"


def test_the_bell_costs_a_page_one_query_and_a_fragment_none(client: Client, house: Database) -> None:
    def asked(headers: dict[str, str] | None = None) -> int:
        with counted(house.engine) as seen:
            assert client.get("/instruments", headers=headers).status_code == 200
        return len([each for each in seen if "FROM notices" in each])

    assert asked() == 0
    sign_in(client, "researcher")
    assert asked() == 1
    assert asked({"HX-Request": "true"}) == 0
    assert asked({"HX-Request": "true", "HX-Boosted": "true"}) == 1


def test_the_page_says_what_happened_when_and_leads_there(client: Client, house: Database) -> None:
    sign_in(client, "researcher")
    assert "Chưa có thông báo" in text_of(client.get("/notices"))
    tell(house, 1)
    tell(house, 2, now=NOW + timedelta(minutes=5))
    tell(house, 3, COLLEAGUE)
    page = text_of(client.get("/notices"))
    # NOW is Monday 23 November 2026, 08:00 in Hanoi.
    newer = "Lượt đặt Máy 2 của bạn đã được chuyển giờ giờ mới 08:00 T2 23/11/2026 · báo lúc 08:05 T2 23/11/2026"
    assert newer in page
    assert page.index("Máy 2") < page.index("Máy 1")
    assert "Máy 3" not in page
    newest = ids(house)[0]
    answer = send(client, f"/notices/{newest}/open")
    assert (answer.status_code, answer.headers["location"]) == (303, "/bookings/2")
    assert bell(client) == "Thông báo, 1 chưa đọc"
    assert '<a class="line" href="/bookings/2">' in client.get("/notices").text


def test_the_page_is_in_the_language_that_is_read_now(client: Client, house: Database) -> None:
    sign_in(client, "researcher")
    tell(house)
    send(client, "/language", {"value": "en", "next": "/"})
    assert "Your booking of Machine 1 was moved now begins Mon 23 Nov 2026, 08:00" in text_of(client.get("/notices"))


def test_one_is_marked_as_read_and_all_that_the_page_has_shown(client: Client, house: Database) -> None:
    sign_in(client, "researcher")
    for number in (1, 2, 3):
        tell(house, number, now=NOW + timedelta(minutes=number))
    answer = send(client, f"/notices/{ids(house)[1]}/read", {"next": "/notices"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/notices")
    page = client.get("/notices").text
    assert page.count("/open") == 2
    (until,) = re.findall(r'name="until" value="([^"]+)"', page)
    # One more comes while the page is looked at.
    tell(house, 4, now=NOW + timedelta(minutes=4))
    assert send(client, "/notices/read", {"until": until}).status_code == 303
    assert bell(client) == "Thông báo, 1 chưa đọc"


@pytest.mark.parametrize("until", ["", "gestern", "2026-11-23T08:00:00", "0001-01-01T00:00:00+07:00"])
def test_a_time_that_cannot_be_read_marks_nothing(client: Client, house: Database, until: str) -> None:
    sign_in(client, "researcher")
    tell(house)
    assert send(client, "/notices/read", {"until": until}).status_code == 400
    assert bell(client) == "Thông báo, 1 chưa đọc"


def test_nobody_reads_or_marks_those_of_others(client: Client, house: Database) -> None:
    tell(house)
    (notice_id,) = ids(house)
    for path in ("open", "read"):
        assert send(client, f"/notices/{notice_id}/{path}").status_code == 401
    sign_in(client, "colleague")
    for path in ("open", "read"):
        assert send(client, f"/notices/{notice_id}/{path}").status_code == 404
    assert send(client, "/notices/read", {"until": NOW.isoformat()}).status_code == 303
    with house.read() as db:
        assert notices.unread(db, actor(RESEARCHER)) == 1


def test_a_link_of_another_site_is_not_followed(client: Client, house: Database) -> None:
    sign_in(client, "researcher")
    tell(house)
    answer = send(client, f"/notices/{ids(house)[0]}/read", {"next": "https://x.example/"})
    assert answer.headers["location"] == "/"


def test_many_come_page_after_page(client: Client, house: Database) -> None:
    sign_in(client, "researcher")
    for number in range(35):
        tell(house, number, now=NOW + timedelta(minutes=number))
    first = client.get("/notices")
    (older,) = re.findall(r'rel="next" href="([^"]+)"', first.text)
    second = client.get(older.replace("&amp;", "&"))
    # 35 are 30 and 5; the sixth from the beginning begins neither.
    assert [page.text.count("/open") for page in (first, second)] == [30, 5]
    assert "Máy 5 " in text_of(first)
    assert "Máy 4 " in text_of(second)
    assert 'rel="next"' not in second.text
    # What was not shown is not marked from here.
    assert "/notices/read" not in second.text
    assert client.get("/notices?cursor=bm8").status_code == 400


def test_letters_are_chosen_by_kind_and_what_gives_a_right_is_fixed(client: Client, house: Database) -> None:
    sign_in(client, "researcher")
    page = client.get("/notices/preferences")
    assert 'name="booking_moved"' in page.text
    assert 'name="affiliation_confirmed"' not in page.text
    assert 'name="booking_to_decide"' not in page.text
    answer = send(client, "/notices/preferences", {"booking_moved": "daily", "slot_offered": "never"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/notices/preferences")
    chosen = re.findall(r'<option value="(daily|never)" selected', client.get("/notices/preferences").text)
    assert chosen == ["daily", "never"]
    fixed = send(client, "/notices/preferences", {"project_verified": "never", "booking_moved": "never"})
    assert fixed.status_code == 422
    assert "Không thể chọn cách nhận thư này" in text_of(fixed)
    assert send(client, "/notices/preferences", {"booking_moved": "weekly"}).status_code == 400
    with house.read() as db:
        kept = {each.kind: each.mail for group in notices.preferences(db, actor(RESEARCHER)).values() for each in group}
    assert (kept[K.BOOKING_MOVED], kept[K.SLOT_OFFERED]) == (Mail.DAILY, Mail.NEVER)
