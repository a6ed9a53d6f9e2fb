"""The ledger in a real browser: on a phone and on a desk, in both themes and languages, with and without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shutil import copy

import pytest
from playwright.sync_api import Browser, expect

from labshare.app import create_app
from labshare.domain.ledger import Cause
from labshare.services import ledger as service
from labshare.settings import Settings
from labshare.store.engine import open_database
from tests.browser import enter, faults, overflow, serving, small_targets, window
from tests.furniture import NOW, OFFICE, actor
from tests.ledger_house import a_posting, account, furnish_ledger, later
from tests.web.conftest import SECRET

pytestmark = pytest.mark.slow

LEDGER = "/agreements/PPP-1/ledger"


@pytest.fixture(scope="module")
def site(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One server for all these tests: the partner has 120 h and used 10 of them, the institute has 50."""
    folder = tmp_path_factory.mktemp("ledger")
    house = open_database(f"sqlite:///{copy(sqlite_template, folder / 'house.sqlite3')}")
    with house.write() as db:
        furnish_ledger(db, folder)
        me = actor(OFFICE)
        service.post(db, me, a_posting(Cause.GRANTED, 120), later(-10))
        service.post(db, me, a_posting(Cause.GRANTED, 50, account=account("I-IMS")), later(-10))
        service.post(db, me, a_posting(Cause.DELIVERED, 10), later(-5))
    settings = Settings(secret=SECRET, secure_cookies=False, demo=True)
    with serving(create_app(settings, database=house, clock=lambda: NOW)) as address:
        yield address
    house.dispose()


@pytest.mark.parametrize(
    ("width", "theme", "language"), [(360, "dark", "vi"), (360, "light", "en"), (1440, "dark", "en")]
)
def test_every_page_of_the_ledger_fits_and_axe_finds_nothing(
    browser: Browser, site: str, width: int, theme: str, language: str
) -> None:
    with window(browser, site, width=width, theme=theme, language=language) as page:
        enter(page, "office")
        page.goto(LEDGER)
        correct = page.locator(".mend a").first.get_attribute("href")
        assert correct
        for path in (LEDGER, f"{LEDGER}/new", correct):
            page.goto(path)
            assert (overflow(page), small_targets(page), faults(page)) == (0, [], []), path


def test_another_day_or_account_is_fetched_without_leaving_the_page(browser: Browser, site: str) -> None:
    with window(browser, site) as page:
        enter(page, "office")
        page.goto(LEDGER)
        balance = page.locator(".stat .value").first
        expect(balance).to_have_text("110 giờ")
        page.get_by_label("Số liệu tại ngày").fill("2026-11-14")
        page.get_by_label("Số liệu tại ngày").press("Tab")
        expect(balance).to_have_text("120 giờ")
        assert "on=2026-11-14" in page.url
        page.get_by_label("Tài khoản giờ").select_option(label="Viện Khoa học vật liệu · 01/10/2026 – 31/12/2026")
        expect(balance).to_have_text("50 giờ")
        page.reload()
        expect(balance).to_have_text("50 giờ")


def test_an_entry_is_posted_and_its_fault_announced_without_javascript(browser: Browser, site: str) -> None:
    with window(browser, site, java_script_enabled=False) as page:
        page.goto("/sign-in")
        page.locator('button[name="login"][value="office"]').click()
        page.goto(f"{LEDGER}/new")
        page.get_by_label("Sự việc").select_option("converted")
        page.get_by_label("Số giờ", exact=True).fill("8")
        page.get_by_label("Số tham chiếu").fill("hai từ")
        page.get_by_role("button", name="Ghi sổ").click()
        expect(page.get_by_label("Số tham chiếu")).to_have_attribute("aria-invalid", "true")
        page.get_by_label("Số tham chiếu").fill("GV-03")
        page.get_by_role("button", name="Ghi sổ").click()
        expect(page.get_by_role("status")).to_have_text("Đã ghi bút toán vào sổ.")
        expect(page.get_by_role("row", name="GV-03")).to_contain_text("8 giờ")
