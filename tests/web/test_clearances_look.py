"""Security clearances and estimated prices in a real browser: on a phone and on a desk, in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from shutil import copy

import pytest
from playwright.sync_api import Browser

from labshare.app import create_app
from labshare.domain.agreements import Scope, Version
from labshare.domain.courtesy import Courtesy, Penalties
from labshare.domain.screening import Screening, WatchList
from labshare.settings import Settings
from labshare.store import agreements, clearances
from labshare.store import bookings as bookings_store
from labshare.store.engine import open_database
from tests.browser import enter, faults, overflow, serving, small_targets, window
from tests.domain.clauses import whole
from tests.domain.test_agreements import an_agreement
from tests.furniture import INDUSTRY_PROJECT, NOW, PUBLIC_PROJECT, XRD, a_booking, furnish, span
from tests.round_of import ask, open_round
from tests.store.test_clearances import a_clearance
from tests.web.conftest import SECRET

pytestmark = pytest.mark.slow

BOOKING = a_booking(XRD, span(23, 10, 12))
PLACES = (
    ("office", "/clearances"),
    ("office", f"/clearances/{PUBLIC_PROJECT}/A"),
    ("office", f"/projects/{PUBLIC_PROJECT}"),
    ("researcher", "/bookings/new?instrument=N002&date=2026-11-25&from=9:00&until=11:00"),
    ("researcher", f"/bookings/{BOOKING.id}"),
)


@pytest.fixture(scope="module")
def site(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """One clearance is overdue, one waits; a request is held, a booking has a price. Yields address and round."""
    folder = tmp_path_factory.mktemp("clearances")
    house = open_database(f"sqlite:///{copy(sqlite_template, folder / 'house.sqlite3')}")
    agreement = an_agreement(
        screening=Screening(lists=(WatchList(id="dual_use", terms=("UAV",)),)),
        tariffs=whole().tariffs,
        courtesy=Courtesy(notice_hours=24, penalties=Penalties(late_cancel=True)),
        covered=Scope(centres=("C-ONE",)),
        parties=("I-IMS",),
    )
    with house.write() as db:
        furnish(db)
        agreements.add_version(db, Version(number=1, agreement=agreement), actor_id=None, now=NOW)
        clearances.add(db, a_clearance(due_at=NOW - timedelta(days=1)))
        clearances.add(db, a_clearance(project_id=INDUSTRY_PROJECT))
        bookings_store.add(db, [BOOKING])
        r = open_round(db)
        ask(db, r)
    settings = Settings(secret=SECRET, secure_cookies=False, demo=True)
    with serving(create_app(settings, database=house, clock=lambda: NOW)) as address:
        yield address, f"/rounds/{r.id}"
    house.dispose()


@pytest.mark.parametrize(
    ("width", "theme", "language"), [(360, "dark", "vi"), (360, "light", "en"), (1440, "light", "vi")]
)
def test_every_page_fits_and_axe_finds_nothing(
    browser: Browser, site: tuple[str, str], width: int, theme: str, language: str
) -> None:
    address, r = site
    with window(browser, address, width=width, theme=theme, language=language) as page:
        for login, path in PLACES:
            enter(page, login)
            page.goto(path)
            assert (overflow(page), small_targets(page), faults(page)) == (0, [], []), path
        enter(page, "office")
        page.goto(r)
        assert page.locator("h2", has_text="an ninh" if language == "vi" else "security clearance").count() == 1
        assert (overflow(page), faults(page)) == (0, [])
