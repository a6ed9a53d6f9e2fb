"""Choosing times by hand in a real browser: with the mouse, with the keys, and what a narrow screen gets."""

from __future__ import annotations

import re
from itertools import pairwise
from uuid import UUID

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Locator, Page, expect

from labshare.domain.bookings import BookingKind
from labshare.domain.timespan import Span
from labshare.services import bookings
from labshare.store.engine import Database
from labshare.store.tables import instruments
from tests.browser import enter, faults, overflow, small_targets, window
from tests.furniture import COLLEAGUE, MANAGER, NOW, RESEARCHER, XRD, actor, at, span
from tests.web.test_moves import DAY, book, booked, late, times

__all__ = ["booked"]

pytestmark = pytest.mark.slow
FRIDAY = "2026-11-27"


def becomes(words: str) -> re.Pattern[str]:
    """What the dialog says of the new times."""
    return re.compile(r"Đổi thành\s*" + re.escape(words))


def column(page: Page, day: str = DAY) -> Locator:
    return page.locator(f'.column[data-date="{day}"]')


def spot(track: Locator, hour: float, first: int = 8, hours: int = 10) -> tuple[float, float]:
    """Where an hour is on a track that shows ten of them from 08:00."""
    box = track.bounding_box()
    assert box
    share = (hour - first) / hours
    if "lane" in (track.get_attribute("class") or ""):
        return box["x"] + share * box["width"], box["y"] + box["height"] / 2
    return box["x"] + box["width"] / 2, box["y"] + share * box["height"]


def drag(page: Page, start: tuple[float, float], end: tuple[float, float], *, drop: bool = True) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(start[0] + (end[0] - start[0]) / 2, start[1] + (end[1] - start[1]) / 2)
    page.mouse.move(*end)
    if drop:
        page.mouse.up()


def at_week(page: Page, instrument: str = "N002") -> None:
    enter(page, "researcher")
    page.goto(f"/instruments/{instrument}?date={DAY}")
    page.locator("#week").scroll_into_view_if_needed()


def test_dragging_over_free_time_opens_the_form_with_it(browser: Browser, site: str, booked: UUID) -> None:
    with window(browser, site) as page:
        at_week(page)
        drag(page, spot(column(page), 13.1), spot(column(page), 15.4), drop=False)
        # From the step in which it began to the end of the one in which it is: 13:00-15:30.
        expect(page.locator(".choice i")).to_have_text("13:00–15:30")
        with page.expect_navigation():
            page.mouse.up()
        expect(page.locator("[name=from]")).to_have_value("13:00")
        expect(page.locator("[name=until]")).to_have_value("15:30")
        # Upwards it is the same, and no further than the booking that stands there: 11:00-12:30.
        drag(page, spot(column(page), 12.3), spot(column(page), 8.2))
        expect(page.locator("[name=from]")).to_have_value("11:00")
        expect(page.locator("[name=until]")).to_have_value("12:30")


def test_dragging_a_booking_asks_and_then_moves_it(browser: Browser, site: str, house: Database, booked: UUID) -> None:
    with window(browser, site) as page:
        at_week(page)
        drag(page, spot(column(page), 10), spot(column(page, FRIDAY), 14.1))
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text(becomes("13:00–15:00 T6 27/11/2026"))
        assert faults(page) == []
        assert times(house, booked) == span(26, 9, 11)
        with page.expect_navigation():
            dialog.get_by_role("button", name="Đổi giờ", exact=True).click()
        expect(page).to_have_url(re.compile(r"/instruments/N002\?date="))
        expect(page.get_by_role("status").first).to_contain_text("Đã đổi")
        assert times(house, booked) == span(27, 13, 15)


def test_its_last_edge_changes_its_length(browser: Browser, site: str, house: Database, booked: UUID) -> None:
    with window(browser, site) as page:
        at_week(page)
        x, y = spot(column(page), 11)
        drag(page, (x, y - 4), (x, spot(column(page), 12.4)[1]))
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text(becomes("09:00–12:30"))
        with page.expect_navigation():
            dialog.get_by_role("button", name="Đổi thời lượng").click()
        assert times(house, booked) == Span(at(26, 9), at(26, 12, 30))


def test_escape_gives_up_and_a_slip_is_a_click(browser: Browser, site: str, house: Database, booked: UUID) -> None:
    with window(browser, site) as page:
        at_week(page)
        drag(page, spot(column(page), 10), spot(column(page), 15), drop=False)
        expect(page.locator(".choice i")).to_have_count(1)
        page.keyboard.press("Escape")
        expect(page.locator(".choice")).to_have_count(0)
        page.mouse.up()
        expect(page).to_have_url(re.compile("/instruments/N002"))
        expect(page.get_by_role("dialog")).to_be_hidden()
        x, y = spot(column(page), 10)
        with page.expect_navigation():
            drag(page, (x, y), (x + 2, y + 2))
        expect(page).to_have_url(re.compile(f"/bookings/{booked}$"))
        assert times(house, booked) == span(26, 9, 11)


def test_a_refusal_stands_in_the_dialog_with_times_that_would_do(
    browser: Browser, site: str, house: Database, booked: UUID
) -> None:
    with house.write() as db:
        book(db, span(26, 13, 15), COLLEAGUE)
    with window(browser, site) as page:
        at_week(page)
        drag(page, spot(column(page), 10), spot(column(page), 13.1))
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_role("alert")).to_be_focused()
        assert faults(page) == []
        dialog.get_by_role("button", name="11:00–13:00").click()
        expect(dialog).to_contain_text(becomes("11:00–13:00"))
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        assert times(house, booked) == span(26, 9, 11)


def test_a_booking_that_changed_meanwhile_is_told_so(
    browser: Browser, site: str, house: Database, booked: UUID
) -> None:
    with window(browser, site) as page:
        at_week(page)
        drag(page, spot(column(page), 10), spot(column(page), 14))
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text(becomes("13:00–15:00"))
        with house.write() as db:
            bookings.move(db, actor(RESEARCHER), booked, span(27, 9, 11), seen_version=1, now=NOW)
        dialog.get_by_role("button", name="Đổi giờ", exact=True).click()
        expect(dialog).to_contain_text("09:00–11:00 T6 27/11/2026")
        dialog.get_by_role("button", name="Hỏi lại").click()
        with page.expect_navigation():
            dialog.get_by_role("button", name="Đổi giờ", exact=True).click()
        assert times(house, booked) == span(26, 13, 15)


def test_nothing_is_drawn_under_the_hand(browser: Browser, site: str, house: Database, booked: UUID) -> None:
    with window(browser, site) as page, window(browser, site) as other:
        at_week(other)
        at_week(page)
        drag(page, spot(column(page), 10), spot(column(page), 13), drop=False)
        with house.write() as db:
            book(db, span(27, 9, 11), COLLEAGUE)
        # Whoever drags nothing sees it at once.
        expect(column(other, FRIDAY).locator("li.taken")).to_have_count(1)
        page.mouse.move(*spot(column(page), 14))
        expect(page.locator(".choice i")).to_have_text("13:00–15:00")
        expect(column(page, FRIDAY).locator("li.taken")).to_have_count(0)
        page.keyboard.press("Escape")
        expect(column(page, FRIDAY).locator("li.taken")).to_have_count(1)
        page.mouse.up()


# ---------------------------------------------------------------- a board


def lane(page: Page, instrument: str) -> Locator:
    return page.locator(f'.lane[data-instrument="{instrument}"]')


def test_on_a_board_a_booking_goes_to_another_instrument_of_its_kind(
    browser: Browser, site: str, house: Database, booked: UUID
) -> None:
    with window(browser, site, width=1440) as page:
        enter(page, "researcher")
        page.goto(f"/centres/C-ONE/board?date={DAY}")
        # The first microscope cannot do what a diffractometer does: the booking stays in its lane.
        drag(page, spot(lane(page, "N002"), 10), spot(lane(page, "N001"), 14), drop=False)
        expect(lane(page, "N002").locator(".choice i")).to_have_text("13:00–15:00")
        page.mouse.move(*spot(lane(page, "N004"), 15))
        expect(lane(page, "N004").locator(".choice i")).to_have_text("14:00–16:00")
        page.mouse.up()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("Máy XRD · N004")
        assert faults(page) == []
        with page.expect_navigation():
            dialog.get_by_role("button", name="Đổi giờ", exact=True).click()
        expect(lane(page, "N004").locator("li.mine .time")).to_have_text("14:00–16:00")
        expect(lane(page, "N002").locator("li.mine")).to_have_count(0)


def test_on_a_board_free_time_is_chosen_to_the_right(browser: Browser, site: str, booked: UUID) -> None:
    with window(browser, site, width=1440) as page:
        enter(page, "researcher")
        page.goto(f"/centres/C-ONE/board?date={DAY}")
        with page.expect_navigation():
            drag(page, spot(lane(page, "N004"), 13.1), spot(lane(page, "N004"), 14.4))
        expect(page).to_have_url(re.compile(f"instrument=N004&date={DAY}&from=13%3A00&until=14%3A30"))


# ---------------------------------------------------------------- keys


def cursor(page: Page) -> Locator:
    return page.get_by_role("gridcell")


def test_the_arrows_choose_free_time(browser: Browser, site: str, booked: UUID) -> None:
    with window(browser, site) as page:
        at_week(page)
        # The cell begins at the first free time: today is Monday, 08:00 and some seconds, so that 08:30 is the first.
        cursor(page).focus()
        expect(cursor(page)).to_have_accessible_name(re.compile("^Thứ Hai 23/11/2026, 08:30–09:00: Còn trống$"))
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        expect(cursor(page)).to_have_accessible_name(re.compile("26/11/2026, 08:30–09:00: Còn trống"))
        page.keyboard.press("ArrowDown")
        expect(cursor(page)).to_be_focused()
        expect(cursor(page)).to_have_accessible_name(re.compile("09:00–09:30: 09:00–11:00 Của bạn: Màng ZnO"))
        for _ in range(4):
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(page.locator(".choice i")).to_have_text("11:00–11:30")
        assert faults(page) == []
        for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp"):
            page.keyboard.press(key)
        expect(cursor(page)).to_have_accessible_name(re.compile("Đã chọn .*11:00–12:30"))
        with page.expect_navigation():
            page.keyboard.press("Enter")
        expect(page.locator("[name=from]")).to_have_value("11:00")
        expect(page.locator("[name=until]")).to_have_value("12:30")


def test_the_keys_move_a_booking_and_change_its_length(
    browser: Browser, site: str, house: Database, booked: UUID
) -> None:
    with window(browser, site) as page:
        at_week(page)
        column(page).locator("li.mine a").focus()
        page.keyboard.press("m")
        for key in ("ArrowRight", "ArrowDown", "Shift+ArrowDown"):
            page.keyboard.press(key)
        expect(column(page, FRIDAY).locator(".choice i")).to_have_text("09:30–12:00")
        page.keyboard.press("Escape")
        expect(page.locator(".choice")).to_have_count(0)
        expect(page.locator("p[role=status]")).to_have_text("Đã thôi, không có gì thay đổi")
        # The cell is where the booking still is.
        expect(cursor(page)).to_be_focused()
        expect(cursor(page)).to_have_accessible_name(re.compile("09:00–09:30: 09:00–11:00 Của bạn"))
        for key in ("m", "Shift+ArrowUp", "ArrowUp", "Enter"):
            page.keyboard.press(key)
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text(becomes("08:30–10:00 T5 26/11/2026"))
        expect(dialog.get_by_role("button", name="Đổi giờ", exact=True)).to_be_focused()
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert times(house, booked) == Span(at(26, 8, 30), at(26, 10))


def test_the_keys_find_ones_booking_beside_a_place_that_is_free(
    browser: Browser, site: str, house: Database, booked: UUID
) -> None:
    """On an instrument for two; and one that becomes longer than a day says its days."""
    with house.write() as db:
        db.execute(sa.update(instruments).values(capacity=2, opening="daily 00:00-24:00", max_minutes=2880))
    with window(browser, site) as page:
        at_week(page)
        cursor(page).focus()
        page.keyboard.press("Home")
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        for _ in range(18):
            page.keyboard.press("ArrowDown")
        expect(cursor(page)).to_have_accessible_name(re.compile("26/11/2026, 09:00–09:30: .*09:00–11:00 Của bạn"))
        expect(cursor(page)).to_have_accessible_name(re.compile("Còn trống"))
        page.keyboard.press("m")
        expect(column(page).locator(".choice i")).to_have_text("09:00–11:00")
        for _ in range(48):
            page.keyboard.press("Shift+ArrowDown")
        expect(column(page).locator(".choice i")).to_have_text("26/11 09:00 – 27/11 11:00")


def test_a_calendar_that_is_drawn_anew_keeps_the_cell_and_the_focus(
    browser: Browser, site: str, house: Database, booked: UUID
) -> None:
    with window(browser, site) as page:
        at_week(page)
        cursor(page).focus()
        page.keyboard.press("ArrowDown")
        with house.write() as db:
            book(db, span(23, 9, 11), COLLEAGUE)
        expect(cursor(page)).to_have_accessible_name(re.compile("23/11/2026, 09:00–09:30: 09:00–11:00 Đã có người"))
        expect(cursor(page)).to_be_focused()


def test_the_keys_are_explained_where_they_are_wanted(browser: Browser, site: str, booked: UUID) -> None:
    with window(browser, site) as page:
        at_week(page)
        cursor(page).focus()
        page.keyboard.press("?")
        expect(page.locator(".keys li").first).to_be_visible()
        expect(page.locator(".keys summary")).to_be_focused()
        assert faults(page) == []


# ---------------------------------------------------------------- narrow screens, and none of it


@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_phone_gets_the_list_and_the_dialog_fits(browser: Browser, site: str, booked: UUID, language: str) -> None:
    with window(browser, site, width=360, language=language, has_touch=True) as page:
        at_week(page)
        expect(cursor(page)).to_be_hidden()
        expect(page.locator(".keys")).to_be_hidden()
        page.locator(f"#day-{DAY}").scroll_into_view_if_needed()
        with page.expect_navigation():
            column(page).locator("li.free a").last.tap()
        expect(page.locator("[name=from]")).to_have_value("11:00")
        page.goto(f"/centres/C-ONE/board?date={DAY}")
        assert (overflow(page), small_targets(page)) == (0, [])


def test_a_phone_books_moves_and_lengthens_by_taps(browser: Browser, site: str, house: Database, booked: UUID) -> None:
    with window(browser, site, width=360, has_touch=True, is_mobile=True) as page:
        at_week(page)
        # To book: free time, then the button; the only project is chosen.
        with page.expect_navigation():
            column(page).locator("li.free a").last.tap()
        with page.expect_navigation():
            page.get_by_role("button", name="Đặt", exact=True).tap()
        expect(page.get_by_text("11:00–12:00 T5 26/11/2026").first).to_be_visible()
        # To move: the booking, free time beneath its form, then the button. It keeps its two hours.
        page.goto(f"/instruments/N002?date={DAY}")
        with page.expect_navigation():
            column(page).locator("li.mine a").first.tap()
        column(page).locator("li.free a").last.tap()
        assert [page.locator(f"[name={name}]").input_value() for name in ("from", "until")] == ["12:00", "14:00"]
        with page.expect_navigation():
            page.get_by_role("button", name="Đổi giờ", exact=True).tap()
        assert times(house, booked) == span(26, 12, 14)
        # To lengthen: to its form, another end, then the button.
        page.get_by_role("link", name="Đổi giờ hoặc thời lượng").tap()
        page.locator("[name=until]").fill("15h")
        assert (overflow(page), small_targets(page)) == (0, [])
        with page.expect_navigation():
            page.get_by_role("button", name="Đổi giờ", exact=True).tap()
        assert times(house, booked) == span(26, 12, 15)


def test_a_manager_drags_somebody_elses_booking_and_a_block(
    browser: Browser, site: str, house: Database, booked: UUID
) -> None:
    with house.write() as db:
        block = bookings.block(db, actor(MANAGER), XRD, BookingKind.MAINTENANCE, span(26, 15, 16), "Bơm", NOW)
    with window(browser, site) as page:
        enter(page, "manager")
        page.goto(f"/instruments/N002?date={DAY}")
        page.locator("#week").scroll_into_view_if_needed()
        drag(page, spot(column(page), 10), spot(column(page, FRIDAY), 14.1))
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text(becomes("13:00–15:00 T6 27/11/2026"))
        expect(dialog).to_contain_text("Researcher (sẽ được báo)")
        assert faults(page) == []
        with page.expect_navigation():
            dialog.get_by_role("button", name="Đổi giờ", exact=True).click()
        assert times(house, booked) == span(27, 13, 15)
        page.locator("#week").scroll_into_view_if_needed()
        drag(page, spot(column(page), 15.5), spot(column(page), 9.6))
        expect(dialog).to_contain_text(becomes("09:00–10:00 T5 26/11/2026"))
        with page.expect_navigation():
            dialog.get_by_role("button", name="Đổi giờ", exact=True).click()
        assert times(house, block.id) == span(26, 9, 10)


def test_a_manager_types_the_reason_where_the_rules_say_no(
    browser: Browser, site: str, house: Database, booked: UUID
) -> None:
    """By the keys alone: the reasons have the focus, then come the nearest times, the reason and the button."""
    late(house)
    with window(browser, site, language="en") as page:
        enter(page, "manager")
        page.goto(f"/instruments/N002?date={DAY}")
        column(page).get_by_role("link", name="Researcher").focus()
        for key in ("m", "ArrowDown", "Enter"):
            page.keyboard.press(key)
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_role("alert")).to_be_focused()
        assert faults(page) == []
        reason = dialog.get_by_label("Reason for passing the centre's rules")
        reason.fill("urgent")
        page.keyboard.press("Enter")
        expect(dialog).to_contain_text("at least 3 words")
        expect(reason).to_have_value("urgent")
        assert faults(page) == []
        assert times(house, booked) == span(26, 9, 11)
        reason.fill("Sample decays before Friday")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert times(house, booked) == Span(at(26, 9, 30), at(26, 11, 30))


def test_an_hour_has_room_for_whole_lines(browser: Browser, site: str, house: Database, booked: UUID) -> None:
    with house.write() as db:
        book(db, span(27, 9, 10), COLLEAGUE)
    with window(browser, site, width=1440) as page:
        enter(page, "manager")
        page.goto(f"/instruments/N002?date={DAY}")
        block = column(page, FRIDAY).locator("li.short > *").filter(has_text="Colleague")
        lines = block.locator(".time, .what, .more")
        expect(lines).to_have_text(["09:00–10:00", "Colleague", "KC-01 · Màng ZnO"])
        assert block.evaluate("block => block.scrollHeight - block.clientHeight") <= 0
        tops = [box["y"] for each in lines.all() if (box := each.bounding_box())]
        assert len(set(tops)) == 3


def test_a_phone_folds_what_a_manager_does_and_asks_for_a_swap(
    browser: Browser, site: str, house: Database, booked: UUID
) -> None:
    with window(browser, site, width=360, has_touch=True) as page:
        enter(page, "manager")
        page.goto("/instruments/N002")
        link = page.get_by_role("link", name="Chặn giờ")
        expect(link).to_be_hidden()
        page.locator(".menu summary").tap()
        expect(link).to_be_visible()
        assert (faults(page), overflow(page), small_targets(page)) == ([], 0, [])
    with house.write() as db:
        book(db, span(27, 9, 11), COLLEAGUE)
    with window(browser, site, width=360, has_touch=True) as page:
        at_week(page)
        page.goto(f"/instruments/N002?date={FRIDAY}")
        with page.expect_navigation():
            column(page, FRIDAY).locator("li.taken a").tap()
        assert (faults(page), overflow(page), small_targets(page)) == ([], 0, [])
        with page.expect_navigation():
            page.get_by_role("button", name="Đưa lượt này ra đổi").tap()
        expect(page).to_have_url(re.compile("/exchanges$"))
        expect(page.locator(".lines")).to_contain_text("09:00–11:00 T6 27/11/2026")


def test_a_phone_lists_what_is_at_the_same_time_one_under_the_other(
    browser: Browser, site: str, house: Database, booked: UUID
) -> None:
    with house.write() as db:
        db.execute(sa.update(instruments).where(instruments.c.number == XRD).values(capacity=2))
        book(db, span(26, 9, 11), COLLEAGUE)
    with window(browser, site, width=360) as page:
        enter(page, "manager")
        page.goto(f"/instruments/N002?date={DAY}")
        boxes = [each.bounding_box() for each in column(page).locator("li").all()]
        # Free from 08:00, two from 09:00 to 11:00, free until 18:00: none over another.
        tops = [(box["y"], box["y"] + box["height"]) for box in boxes if box]
        assert sum("09:00–11:00" in words for words in column(page).locator("li").all_inner_texts()) == 2
        assert all(end <= start for (_, end), (start, _) in pairwise(tops))


def test_without_a_script_nothing_is_promised(browser: Browser, site: str, booked: UUID) -> None:
    with window(browser, site, java_script_enabled=False) as page:
        page.goto("/sign-in")
        page.get_by_role("button", name="Researcher").click()
        page.goto(f"/instruments/N002?date={DAY}")
        expect(page.locator(".keys")).to_be_hidden()
        expect(page.locator(".grip")).to_be_hidden()
        column(page).locator("li.mine a").click()
        page.locator("[name=from]").fill("13h")
        page.locator("[name=until]").fill("14h")
        page.get_by_role("button", name="Đổi giờ").click()
        expect(page.get_by_text("13:00–14:00 T5 26/11/2026").first).to_be_visible()
