"""A researcher books: in a real browser, watched by a colleague; and over HTTP, with everything that goes wrong."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, expect

from labshare.store import tables as t
from labshare.store.engine import Database
from tests.browser import enter, faults, overflow, window
from tests.furniture import PUBLIC_PROJECT, RESEARCHER
from tests.web.conftest import Client, send, sign_in, text_of

# The clock stands at Monday 23 November 2026, just after 08:00. The FE-SEM is open Mon-Fri 08:00-18:00, and Tuesday
# is a public holiday.
DAY = "2026-11-26"


def type_times(page: Page, start: str, end: str) -> None:
    page.locator("[name=from]").fill(start)
    page.locator("[name=until]").fill(end)


@pytest.mark.slow
def test_a_researcher_books_moves_and_cancels_while_a_colleague_watches(browser: Browser, site: str) -> None:
    with window(browser, site) as researcher, window(browser, site) as colleague:
        enter(colleague, "colleague")
        colleague.goto(f"/instruments/N001?date={DAY}")
        theirs = colleague.locator(f"section.day:has(#day-{DAY})")
        expect(theirs.locator("li.free")).to_have_count(1)

        enter(researcher, "researcher")
        researcher.goto(f"/instruments/N001?date={DAY}")
        researcher.locator(f"section.day:has(#day-{DAY}) li.free a").press("Enter")
        expect(researcher.get_by_label("Ngày", exact=True)).to_have_value(DAY)
        expect(researcher.get_by_label("Từ", exact=True)).to_have_value("08:00")
        type_times(researcher, "9h", "11:00")
        researcher.get_by_label("Mục đích").fill("Màng ZnO")
        researcher.get_by_role("button", name="Đặt", exact=True).click()
        expect(researcher.get_by_role("status").first).to_have_text("Đã đặt giờ máy.")
        expect(researcher.locator("h1")).to_contain_text("Máy FESEM")

        # The colleague's page is told, and fetches what a colleague may see: that the time is occupied.
        expect(theirs.locator("li.taken")).to_have_text(re.compile("09:00–11:00 Đã có người"), timeout=3000)
        assert "Researcher" not in theirs.inner_html()
        assert "ZnO" not in colleague.content()

        # Open is 08-18 and 09-11 is taken, so what is left is 08-09 and 11-18.
        expect(theirs.locator("li.free .time")).to_have_text(["08:00–09:00", "11:00–18:00"])

        colleague.goto(f"/bookings/new?instrument=N001&date={DAY}")
        type_times(colleague, "10:00", "12:00")
        colleague.get_by_role("button", name="Đặt", exact=True).click()
        refused = colleague.get_by_role("alert").filter(has_text="09:00–11:00 T5 26/11/2026")
        expect(refused).to_be_focused()
        assert faults(colleague) == []
        # Two hours that are free and nearest to 10:00: the same day from 11:00, the hour before is too short.
        colleague.get_by_role("button", name="11:00–13:00 T5 26/11/2026").click()
        expect(colleague.get_by_label("Từ", exact=True)).to_have_value("11:00")
        colleague.get_by_role("button", name="Đặt", exact=True).click()
        expect(colleague.get_by_role("status").first).to_have_text("Đã đặt giờ máy.")

        type_times(researcher, "8", "9")
        researcher.get_by_role("button", name="Đổi giờ", exact=True).click()
        expect(researcher.get_by_role("status").first).to_have_text("Đã đổi giờ và thời lượng.")
        expect(researcher.get_by_text("08:00–09:00 T5 26/11/2026").first).to_be_visible()

        researcher.get_by_role("button", name="Hủy lượt đặt").click()
        dialog = researcher.get_by_role("dialog")
        expect(dialog).to_contain_text("Hủy lượt đặt này?")
        assert faults(researcher) == []
        dialog.get_by_role("button", name="Hủy lượt đặt").click()
        expect(researcher.get_by_text("Bạn chưa có lượt đặt nào sắp tới")).to_be_visible()


@pytest.mark.slow
def test_a_live_update_keeps_the_focus_and_the_scroll(browser: Browser, site: str, house: Database) -> None:
    with window(browser, site) as page, window(browser, site) as other:
        enter(page, "researcher")
        page.goto(f"/instruments/N001?date={DAY}")
        held = page.locator("section.day:has(#day-2026-11-27) li.free a")
        held.focus()
        page.evaluate("scrollTo(0, 200)")
        before = page.evaluate("scrollY")
        enter(other, "colleague")
        other.goto(f"/bookings/new?instrument=N001&date={DAY}&from=9:00&until=10:00")
        other.get_by_role("button", name="Đặt", exact=True).click()
        expect(page.locator(f"section.day:has(#day-{DAY}) li.taken")).to_have_count(1, timeout=3000)
        expect(held).to_be_focused()
        assert page.evaluate("scrollY") == before


@pytest.mark.slow
def test_a_click_in_a_free_stretch_begins_the_booking_there_and_keeps_what_was_typed(
    browser: Browser, site: str
) -> None:
    with window(browser, site, width=1440) as page:
        enter(page, "researcher")
        page.goto(f"/bookings/new?instrument=N001&date={DAY}")
        page.get_by_label("Mục đích").fill("Mẫu 14")
        free = page.locator("section.day:has(#day-2026-11-27) li.free a")
        box = free.bounding_box()
        assert box is not None
        # Ten hours are drawn from 08:00; 52 % of the way down is 13:12, in the half hour that begins at 13:00.
        free.click(position={"x": box["width"] / 2, "y": box["height"] * 0.52})
        expect(page.get_by_label("Ngày", exact=True)).to_have_value("2026-11-27")
        expect(page.get_by_label("Từ", exact=True)).to_have_value("13:00")
        expect(page.locator("[name=until]")).to_have_value("14:00")
        expect(page.get_by_label("Mục đích")).to_have_value("Mẫu 14")


@pytest.mark.slow
def test_the_calendar_turns_its_pages_in_place_and_remembers_where_it_is(browser: Browser, site: str) -> None:
    with window(browser, site) as page:
        enter(page, "researcher")
        page.goto(f"/instruments/N001?date={DAY}")
        page.get_by_role("link", name="Tuần sau").click()
        expect(page).to_have_url(re.compile(r"/instruments/N001\?date=2026-12-03$"))
        expect(page.get_by_role("heading", name="30/11 – 06/12/2026")).to_be_visible()
        # Beside a form the leaves turn as well, and the form stays.
        page.goto(f"/bookings/new?instrument=N001&date={DAY}")
        page.get_by_role("link", name="Tuần sau").click()
        expect(page.get_by_role("heading", name="30/11 – 06/12/2026")).to_be_visible()
        expect(page).to_have_url(re.compile("/bookings/new"))


PAGES = (
    f"/instruments/N001?date={DAY}",
    f"/bookings/new?instrument=N001&date={DAY}",
    "/bookings",
    f"/centres/C-ONE/board?date={DAY}",
    f"/centres/C-ONE/board?date={DAY}&span=week",
    f"/bookings/block?instrument=N001&date={DAY}",
)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (360, "dark")])
def test_axe_finds_nothing_and_nobody_scrolls_sideways(browser: Browser, site: str, width: int, theme: str) -> None:
    with window(browser, site, theme=theme, width=width) as page:
        enter(page, "manager")
        for path in PAGES:
            page.goto(path)
            assert (faults(page), overflow(page)) == ([], 0), path


@pytest.mark.slow
def test_booking_works_without_javascript(browser: Browser, site: str) -> None:
    with window(browser, site, java_script_enabled=False) as page:
        page.goto("/sign-in")
        page.get_by_role("button", name="Researcher").click()
        page.goto(f"/instruments/N002?date={DAY}")
        page.get_by_role("link", name="Tuần sau").click()
        page.locator("section.day:has(#day-2026-12-03) li.free a").click()
        page.get_by_role("button", name="Đặt", exact=True).click()
        expect(page.get_by_text("08:00–09:00 T5 03/12/2026").first).to_be_visible()
        page.get_by_role("button", name="Hủy lượt đặt").click()
        page.get_by_role("dialog").get_by_role("button", name="Hủy lượt đặt").click()
        expect(page.get_by_role("status")).to_contain_text("Đã hủy lượt đặt")


# ---------------------------------------------------------------- the unhappy twin, over HTTP

GOOD = {"instrument": "N001", "date": DAY, "from": "09:00", "until": "10:00", "project": str(PUBLIC_PROJECT)}


def bookings_of(house: Database) -> list[tuple[object, ...]]:
    """Everything that is stored of bookings, so that a refused request can be shown to have changed nothing."""
    with house.read() as db:
        return [tuple(row) for row in db.execute(sa.select(t.bookings).order_by(t.bookings.c.created_at))]


@pytest.mark.parametrize(
    ("typed", "status", "says"),
    [
        ({"from": "9 o'clock"}, 400, "Không đọc được giờ"),
        ({"date": "31/02/2026"}, 400, "Không đọc được ngày"),
        ({"until": ""}, 400, "Hãy nhập giờ kết thúc"),
        ({"until": "08:00"}, 400, "Giờ kết thúc phải sau giờ bắt đầu"),
        ({"length": "2h"}, 400, "Giờ kết thúc và thời lượng không khớp nhau"),
        ({"project": "KC-01"}, 400, "Không đọc được dự án"),
        ({"slot": "tomorrow"}, 400, "Không đọc được giá trị ở ô “Khung giờ”"),
        ({"instrument": "N999"}, 404, "Không có thiết bị nào mang mã này"),
        ({"date": "2026-11-24"}, 422, "chỉ mở cửa: T2–T6 08:00–18:00, trừ ngày lễ"),
        ({"date": "2026-11-20"}, 422, "Giờ bắt đầu đã qua"),
        ({"until": "09:15"}, 422, "quá ngắn: máy này nhận đặt ít nhất 30 phút"),
        ({"from": "09:10", "until": "10:10"}, 422, "theo từng nấc 30 phút"),
        ({"until": "18:00"}, 422, "nhiều nhất 8 giờ"),
        ({"date": "2027-03-01"}, 422, "tối đa 60 ngày"),
        ({"project": ""}, 422, "Hãy chọn một dự án đã được xác minh"),
        # The industry project is real and verified, but not the researcher's.
        ({"project": "00000000-0000-0000-0000-000000000016"}, 422, "DN-01"),
    ],
)
def test_what_cannot_be_booked_is_refused_in_words_and_changes_nothing(
    client: Client, house: Database, typed: dict[str, str], status: int, says: str
) -> None:
    sign_in(client, "researcher")
    answer = send(client, "/bookings", {**GOOD, "purpose": "Màng ZnO", **typed})
    assert (answer.status_code, says in text_of(answer)) == (status, True), text_of(answer)
    assert bookings_of(house) == []
    if status in (400, 422) and "slot" not in typed:
        assert 'value="Màng ZnO"' in answer.text


def test_who_may_not_book_is_told_so(client: Client, house: Database) -> None:
    assert client.get("/bookings/new?instrument=N001").status_code == 401
    assert send(client, "/bookings", GOOD).status_code == 401
    sign_in(client, "partner")
    assert client.get("/bookings/new?instrument=N001").status_code == 403
    assert send(client, "/bookings", GOOD).status_code == 403
    assert bookings_of(house) == []


def test_one_hour_is_one_persons(client: Client, house: Database) -> None:
    sign_in(client, "researcher")
    booked = send(client, "/bookings", GOOD)
    assert booked.status_code == 303
    address = booked.headers["location"]
    before = bookings_of(house)
    sign_in(client, "colleague")
    taken = send(client, "/bookings", {**GOOD, "from": "09:30", "until": "10:30"})
    assert (taken.status_code, "Gần nhất còn trống:" in text_of(taken)) == (409, True)
    # Somebody else's booking is not there for a colleague, whatever they try with it.
    assert client.get(address).status_code == 404
    for way in ("move", "cancel"):
        assert send(client, f"{address}/{way}", {**GOOD, "version": "1"}).status_code == 404
    assert bookings_of(house) == before


def test_a_stale_form_is_answered_with_what_changed(client: Client, house: Database) -> None:
    sign_in(client, "researcher")
    address = send(client, "/bookings", GOOD).headers["location"]
    page = client.get(address).text
    seen = dict(re.findall(r'name="(version|seen_\w+)" value="([^"]+)"', page))
    assert send(client, f"{address}/move", {**seen, "date": DAY, "from": "13:00", "until": "14:00"}).status_code == 303
    before = bookings_of(house)
    for way in ("move", "cancel"):
        stale = send(client, f"{address}/{way}", {**seen, "date": DAY, "from": "15:00", "until": "16:00"})
        assert stale.status_code == 412
        assert "Thời gian 09:00–10:00 T5 26/11/2026 13:00–14:00 T5 26/11/2026" in text_of(stale)
    assert bookings_of(house) == before


def test_without_a_qualification_the_way_to_one_is_said(client: Client, house: Database) -> None:
    with house.write() as db:
        db.execute(sa.delete(t.qualifications).where(t.qualifications.c.person_id == RESEARCHER))
    sign_in(client, "researcher")
    answer = send(client, "/bookings", GOOD)
    assert answer.status_code == 422
    assert "Hãy xin cấp chứng nhận" in text_of(answer)
    assert 'href="/qualifications/new?instrument=N001"' in answer.text
