"""The pages about people and organisations in a real browser: for everybody, in both themes, on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shutil import copy
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Page

from labshare.app import create_app
from labshare.domain.organisations import NewOrganisation
from labshare.services import affiliations, invitations, organisations, people
from labshare.settings import Settings
from labshare.store import bookings as bookings_store
from labshare.store import people as people_store
from labshare.store import tables as t
from labshare.store.engine import Connection, open_database
from tests.browser import faults, overflow, serving, small_targets, window
from tests.furniture import NOW, OFFICE, PUBLIC_PROJECT, RESEARCHER, XRD, a_booking, actor, furnish, span
from tests.web.conftest import SECRET

pytestmark = pytest.mark.slow

WAITING, FOUNDER = UUID(int=40), UUID(int=41)
# Names as long as they come, because those are what breaks a page.
STATED = NewOrganisation(
    name_vi="Công ty trách nhiệm hữu hạn một thành viên Vật liệu mẫu minh họa", name_en="Illustrative Materials Ltd",
    registration_number="0100000000-001", contact="office-of-international-affairs@illustrative.example",
    evidence="Giấy phép 1",
)  # fmt: skip


@pytest.fixture(scope="module")
def house(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """One of everything: somebody who waits, somebody who left, an invitation, an organisation to check. Yields the
    address and who may look.
    """
    database = open_database(f"sqlite:///{copy(sqlite_template, tmp_path_factory.mktemp('look') / 'house.sqlite3')}")
    with database.write() as db:
        furnish(db)
        tokens = fill(db)
    settings = Settings(secret=SECRET, secure_cookies=False, demo=True)
    with serving(create_app(settings, database=database, clock=lambda: NOW)) as address:
        yield address, tokens
    database.dispose()


def fill(db: Connection) -> dict[str, str]:
    """Returns the sign-in of each one who looks: the demo's click offers those alone who hold a role."""
    for person_id, login in ((WAITING, "waiting"), (FOUNDER, "founder")):
        values = {"login": login, "name": login.title(), "organisation_id": "O-CO", "affiliation": "waiting"}
        db.execute(t.persons.insert().values(id=person_id, affiliation_at=NOW, **values))
    founder = people_store.actor(db, FOUNDER)
    assert founder is not None
    organisations.propose(db, founder, STATED, NOW)
    invitations.invite(
        db, actor(OFFICE), email="somebody-with-a-long-name@illustrative.example", name="", organisation_id="O-CO",
        language="vi", secret=SECRET, now=NOW,
    )  # fmt: skip
    bookings_store.add(db, [a_booking(XRD, span(25, 9, 11))])
    affiliations.end(db, actor(OFFICE), RESEARCHER, version=1, reason="Chuyển công tác", now=NOW)
    people_of = {"office": OFFICE, "founder": FOUNDER, "researcher": RESEARCHER}
    return {login: people.sign_in(db, person_id, login, NOW, hours=12)[1] for login, person_id in people_of.items()}


def become(page: Page, site: str, token: str) -> None:
    page.context.add_cookies([{"name": "sign_in", "value": token, "url": site}])


# Who opens which page; the organisation and the invitation have paths of their own.
PLACES = (
    ("office", "/"),
    ("office", "/people"),
    ("office", f"/projects/{PUBLIC_PROJECT}"),
    ("founder", "/"),
    ("founder", "/account"),
    ("founder", "/organisations/new"),
    ("researcher", "/account"),
)


def paths(browser: Browser, site: str, tokens: dict[str, str]) -> tuple[str, str]:
    """The organisation that waits to be checked, and the link of the invitation."""
    with window(browser, site) as page:
        become(page, site, tokens["office"])
        page.goto("/people")
        organisation = page.locator('a[href^="/organisations/"]').first.get_attribute("href")
        link = page.locator("code.link").first.inner_text()
    assert organisation
    return organisation, f"/join/{link.rpartition('/')[2]}"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_the_pages_about_people(
    browser: Browser, house: tuple[str, dict[str, str]], theme: str
) -> None:
    site, tokens = house
    organisation, link = paths(browser, site, tokens)
    with window(browser, site, theme=theme) as page:
        for path in ("/register", link):
            page.goto(path)
            assert faults(page) == [], path
        for login, path in (*PLACES, ("office", organisation)):
            become(page, site, tokens[login])
            page.goto(path)
            assert faults(page) == [], (login, path)


@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_phone_needs_no_sideways_scrolling_and_no_fine_fingers(
    browser: Browser, house: tuple[str, dict[str, str]], language: str
) -> None:
    site, tokens = house
    organisation, link = paths(browser, site, tokens)
    with window(browser, site, width=360, language=language) as page:
        for path in ("/register", link):
            page.goto(path)
            assert (overflow(page), small_targets(page)) == (0, []), path
        for login, path in (*PLACES, ("office", organisation)):
            become(page, site, tokens[login])
            page.goto(path)
            assert (overflow(page), small_targets(page)) == (0, []), (login, path)
