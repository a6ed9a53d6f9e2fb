"""The base pages in a real browser: for everybody, in both themes, on a phone and by keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from shutil import copy

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from labshare.app import create_app
from labshare.domain.notices import NoticeKind
from labshare.services import notices
from labshare.settings import Settings
from labshare.store.engine import open_database
from tests.browser import enter, faults, overflow, serving, small_targets, window
from tests.furniture import NOW, OFFICE, PUBLIC_PROJECT, furnish
from tests.web.conftest import SECRET

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One server for all these tests: what one of them changes, no other looks at."""
    house = open_database(f"sqlite:///{copy(sqlite_template, tmp_path_factory.mktemp('look') / 'house.sqlite3')}")
    with house.write() as db:
        furnish(db)
        for kind in NoticeKind:
            names = ("Kính hiển vi điện tử quét phát xạ trường", "Field-emission scanning electron microscope")
            notices.tell(db, OFFICE, kind, names, "/bookings", NOW, until=NOW)
    settings = Settings(secret=SECRET, secure_cookies=False, demo=True)
    with serving(create_app(settings, database=house, clock=lambda: NOW)) as address:
        yield address
    house.dispose()


BASE_PAGES = (
    "/", "/account", "/projects", "/projects/new", f"/projects/{PUBLIC_PROJECT}", "/feeds", "/notices",
    "/notices/preferences", "/no/such/place",
)  # fmt: skip


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_the_base_pages(browser: Browser, site: str, theme: str) -> None:
    with window(browser, site, theme=theme) as page:
        page.goto("/sign-in")
        assert faults(page) == []
        enter(page, "office")
        for path in BASE_PAGES:
            page.goto(path)
            assert faults(page) == [], path


@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_phone_needs_no_sideways_scrolling_and_no_fine_fingers(browser: Browser, site: str, language: str) -> None:
    with window(browser, site, width=360, language=language) as page:
        page.goto("/sign-in")
        assert (overflow(page), small_targets(page)) == (0, [])
        enter(page, "office")
        for path in BASE_PAGES:
            page.goto(path)
            assert (overflow(page), small_targets(page)) == (0, []), path


@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_new_calendar_address_fits_a_phone(browser: Browser, site: str, language: str) -> None:
    with window(browser, site, width=360, language=language) as page:
        enter(page, "researcher")
        page.goto("/feeds?instrument=N001")
        page.locator("main form button").first.click()
        expect(page.locator("#field-address")).to_have_value(
            re.compile(r"^http://127\.0\.0\.1:8000/feeds/\S{43}\.ics$")
        )
        assert (overflow(page), small_targets(page)) == (0, [])
        assert faults(page) == []


def test_a_refused_form_is_announced_and_axe_finds_nothing_there(browser: Browser, site: str) -> None:
    with window(browser, site) as page:
        enter(page, "researcher")
        page.goto(f"/projects/{PUBLIC_PROJECT}")
        page.get_by_label("Tên đăng nhập của thành viên mới").fill("ghost")
        page.get_by_role("button", name="Thêm vào").click()
        refused = page.get_by_role("alert").filter(has_text="ghost")
        expect(refused).to_be_focused()
        assert faults(page) == []


def test_what_changes_something_asks_once_and_can_be_left_by_the_keyboard(browser: Browser, site: str) -> None:
    with window(browser, site) as page:
        enter(page, "office")
        page.goto(f"/projects/{PUBLIC_PROJECT}")
        page.get_by_role("button", name="Từ chối").press("Enter")
        dialog = page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        assert faults(page) == []
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()


def test_the_first_tab_stop_skips_to_the_content_and_focus_is_seen(browser: Browser, site: str) -> None:
    with window(browser, site) as page:
        page.goto("/")
        page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="Tới nội dung chính")
        expect(skip).to_be_focused()
        assert skip.evaluate("link => getComputedStyle(link).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()


@pytest.mark.parametrize(("device", "offered", "then"), [("light", "Nền tối", "dark"), ("dark", "Nền sáng", "light")])
def test_one_click_turns_the_theme_the_device_has_into_the_other(
    browser: Browser, site: str, device: str, offered: str, then: str
) -> None:
    with window(browser, site, theme=device) as page:
        page.goto("/")
        before = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        page.get_by_role("button", name=offered).click()
        expect(page.locator("html")).to_have_attribute("data-theme", then)
        assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") != before


def test_what_is_typed_stays_when_colours_change_and_is_asked_about_before_another_language(
    browser: Browser, site: str
) -> None:
    with window(browser, site, theme="light", language="en") as page:
        enter(page, "researcher")
        page.goto("/projects/new")
        page.fill("#field-title", "Màng mỏng")
        with page.expect_response("**/theme") as answered:
            page.locator(".preferences .to-dark").click()
        assert answered.value.status == 303
        asked: list[str] = []

        def stay(dialog: Dialog) -> None:
            asked.append(dialog.type)
            dialog.dismiss()

        page.on("dialog", stay)
        page.locator(".preferences button[value=vi]").click()
        expect(page.locator("#field-title")).to_have_value("Màng mỏng")
        assert (asked, page.locator("html").get_attribute("data-theme")) == (["beforeunload"], "dark")
        page.goto("/projects")
        assert page.locator("html").get_attribute("data-theme") == "dark"
        with page.expect_navigation():
            page.locator(".preferences button[value=vi]").click()
        assert (asked, page.locator("html").get_attribute("lang")) == (["beforeunload"], "vi")


def test_everything_works_without_javascript(browser: Browser, site: str) -> None:
    with window(browser, site, java_script_enabled=False) as page:
        page.goto("/sign-in")
        page.get_by_role("button", name="colleague").click()
        page.get_by_role("link", name="Dự án").first.click()
        page.get_by_role("link", name="Đề nghị dự án").click()
        page.get_by_label("Mã dự án").fill("KC-88")
        page.get_by_label("Nguồn kinh phí").fill("Nafosted")
        page.get_by_label("Tên dự án").fill("Màng mỏng")
        page.get_by_role("button", name="Gửi văn phòng người dùng").click()
        expect(page.get_by_role("status")).to_have_text("Đã gửi dự án. Văn phòng người dùng sẽ xác minh.")


def test_on_a_phone_the_rest_of_the_navigation_opens_as_a_column(browser: Browser, site: str) -> None:
    with window(browser, site, width=360) as page:
        enter(page, "manager")
        page.goto("/")
        page.get_by_role("button", name="Thêm").click()
        more = page.get_by_role("navigation", name="Các trang khác")
        expect(more).to_be_visible()
        boxes = [box for link in more.get_by_role("link").all() if (box := link.bounding_box())]
        assert len(boxes) >= 2
        assert len({box["x"] for box in boxes}) == 1
        assert max(box["x"] + box["width"] for box in boxes) <= 360
        assert faults(page) == []


@pytest.mark.parametrize(
    ("system", "chosen", "is_dark"),
    [("light", "", False), ("dark", "", True), ("light", "dark", True), ("dark", "light", False)],
)
def test_the_documentation_of_the_api_is_as_dark_as_the_other_pages(
    browser: Browser, site: str, system: str, chosen: str, is_dark: bool
) -> None:
    """As the reader chose, else as their system is; what Swagger UI draws inside goes with the frame around it."""
    with window(browser, site, theme=system) as page:
        if chosen:
            page.context.add_cookies([{"name": "theme", "value": chosen, "url": site}])
        page.goto("/api")
        page.locator(".swagger-ui .opblock").first.wait_for()
        (ground, *_) = _colour(page, "body", "backgroundColor")
        assert (ground < 64) is is_dark
        for text in (".back a", ".swagger-ui .info .title", ".swagger-ui .opblock-summary-description"):
            assert (min(_colour(page, text, "color")) > 100) is is_dark, text


def _colour(page: Page, part: str, which: str) -> list[int]:
    """Red, green and blue of the first such part, 0 to 255."""
    read = f"each => getComputedStyle(each).{which}.match(/\\d+/g).slice(0, 3).map(Number)"
    return page.locator(part).first.evaluate(read)
