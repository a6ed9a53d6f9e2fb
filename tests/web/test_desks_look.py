"""A national planning desk in a real browser: folded, opened part by part, on a phone and on a desk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shutil import copy

import pytest
from playwright.sync_api import Browser, expect

from labshare.app import create_app
from labshare.settings import Settings
from labshare.store.engine import open_database
from tests.browser import enter, faults, overflow, serving, window
from tests.national_round import CENTRES, proposed
from tests.round_of import LATER
from tests.web.conftest import SECRET

pytestmark = pytest.mark.slow

# The page itself, without what is fetched when it is opened.
MOST_BYTES = 300_000


@pytest.fixture(scope="module")
def desk(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A server with 200 instruments, 3,000 requests and a plan for them: its address and the round's page."""
    house = open_database(f"sqlite:///{copy(sqlite_template, tmp_path_factory.mktemp('desk') / 'house.sqlite3')}")
    with house.write() as db:
        r, _ = proposed(db)
    settings = Settings(secret=SECRET, secure_cookies=False, demo=True)
    with serving(create_app(settings, database=house, clock=lambda: LATER)) as site:
        yield site, f"/rounds/{r.id}"
    house.dispose()


@pytest.mark.parametrize(("width", "theme", "language"), [(360, "dark", "vi"), (1440, "light", "en")])
def test_a_national_desk_is_opened_part_by_part(
    browser: Browser, desk: tuple[str, str], width: int, theme: str, language: str
) -> None:
    site, address = desk
    with window(browser, site, width=width, theme=theme, language=language) as page:
        enter(page, "office")
        answer = page.goto(address)
        assert answer is not None
        assert len(answer.body()) < MOST_BYTES
        folds = page.locator("details.fold")
        expect(folds).to_have_count(CENTRES)
        expect(page.locator(".strip")).to_have_count(0)
        folds.first.locator("summary").click()
        # Ten instruments, under one line of days.
        expect(folds.first.locator(".strip")).to_have_count(11)
        why = page.locator("details.why").first
        why.locator("summary").click()
        expect(why.locator(".why-body a")).to_have_count(0)
        expect(why.locator(".why-body p").first).to_contain_text("4,8 %" if language == "vi" else "4.8 %")
        listed = page.locator(".left-out > li")
        # The last line is the wish for more.
        expect(listed).to_have_count(26)
        listed.last.locator("a").click()
        expect(listed).to_have_count(126)
        assert overflow(page) == 0
        assert faults(page) == []


def test_a_manager_of_one_centre_sees_it_unfolded(browser: Browser, desk: tuple[str, str]) -> None:
    site, address = desk
    with window(browser, site, width=1440) as page:
        enter(page, "manager")
        page.goto(address)
        expect(page.locator("details.fold")).to_have_count(0)
        expect(page.locator(".strip")).to_have_count(11)
