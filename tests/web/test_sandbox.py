"""Sandboxes over HTTP: the office pastes one and reads who gains; a partner reads its own row; others are turned away.

The week, its demand and the effect of the lifted cap are those of tests/services/test_replay.py.
"""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser

from labshare.domain.agreements import Version
from labshare.domain.sandbox_documents import to_toml
from labshare.store import agreements as agreements_store
from labshare.store import bookings as bookings_store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.browser import enter, faults, overflow, small_targets, window
from tests.domain.test_agreements import an_agreement
from tests.domain.test_sandbox import an_overlay
from tests.furniture import NOW
from tests.services.test_replay import LIFT, a_cap, a_week
from tests.web.conftest import Client, send, sign_in, text_of

PAGE = "/agreements/sandbox"


@pytest.fixture(autouse=True)
def week(house: Database) -> None:
    with house.write() as db:
        version = Version(number=1, agreement=an_agreement(a_cap()))
        agreements_store.add_version(db, version, actor_id=None, now=NOW)
        bookings_store.add(db, a_week())


def typed(**changes: str) -> dict[str, str]:
    given = {"overlay": to_toml(an_overlay(LIFT)), "first": "2026-11-16", "last": "2026-11-22", "freedom": "3"}
    return given | changes


def run(client: Client, **changes: str) -> Any:
    return send(client, PAGE, typed(**changes))


def rows(house: Database) -> list[int]:
    with house.read() as db:
        return [
            db.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in (t.balances, t.agreement_versions, t.bookings, t.plans, t.audit)
        ]


def test_the_office_replays_a_week_and_the_partner_reads_its_own_row(client: Client, house: Database) -> None:
    """Industry gets 20 hours instead of 10; the institute keeps its 30, which the partner is not told."""
    before = rows(house)
    sign_in(client, "office")
    before[-1] = rows(house)[-1]
    done = run(client)
    assert done.status_code == 303, text_of(done)
    address = done.headers["location"]
    page = text_of(client.get(address))
    assert "Công ty đối tác 30 giờ 10 giờ 20 giờ +10 giờ 25,0 % → 40,0 %" in page
    assert "Viện Khoa học vật liệu 30 giờ 30 giờ 30 giờ 0 giờ" in page
    # A sign would say that what falls short of its floor is above it.
    assert "10 giờ, tối đa 10 giờ 20 giờ, tối đa 30 giờ" in page
    assert "có thể là nhiễu" not in page
    assert rows(house) == before
    assert address in client.get(PAGE).text
    sign_in(client, "partner")
    assert address in client.get(PAGE).text
    masked = text_of(client.get(address))
    assert "Công ty đối tác 30 giờ 10 giờ 20 giờ +10 giờ – → –" in masked
    assert "Viện Khoa học vật liệu" not in masked
    assert "Chỉ nêu về bên khác khi kỳ là trọn một tháng" in masked
    sign_in(client, "manager")
    send(client, "/language", {"value": "en", "next": address})
    english = text_of(client.get(address))
    assert "Partner company 30 h 10 h 20 h +10 h" in english
    assert "12 uses and 0 requests of rounds" in english


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"overlay": "[[changes"}, 400, "sandbox_unreadable"),
        ({"overlay": to_toml(an_overlay(LIFT, evaluator="O-NONE"))}, 422, "sandbox_unknown_party"),
        ({"first": "2026-11-22", "last": "2026-11-16"}, 400, "replay_dates_reversed"),
        ({"first": "soon"}, 400, "malformed_date"),
        ({"freedom": "32"}, 400, "replay_freedom"),
        ({"freedom": "-1"}, 400, "replay_freedom"),
        ({"first": "2026-10-05", "last": "2026-10-11"}, 422, "replay_no_demand"),
    ],
)
def test_what_is_wrong_is_said_above_the_form_with_what_was_typed(
    client: Client, changes: dict[str, str], status: int, code: str
) -> None:
    sign_in(client, "office")
    answer = run(client, **changes)
    assert answer.status_code == status
    assert f'data-code="{code}"' in answer.text
    assert f'value="{typed(**changes)["last"]}"' in answer.text


def test_only_those_who_answer_for_the_centres_run_one(client: Client) -> None:
    assert run(client).status_code == 401
    sign_in(client, "partner")
    assert run(client).status_code == 403
    assert 'name="overlay"' not in client.get(PAGE).text
    sign_in(client, "researcher")
    assert run(client).status_code == 403
    assert client.get(PAGE).status_code == 403
    sign_in(client, "manager")
    elsewhere = to_toml(an_overlay(LIFT, centres=("C-ONE", "C-TWO")))
    assert run(client, overlay=elsewhere).status_code == 403


def test_a_comparison_that_is_not_there_is_not_found(client: Client) -> None:
    sign_in(client, "office")
    assert client.get(f"{PAGE}/999").status_code == 404


def test_the_agreements_lead_there(client: Client) -> None:
    sign_in(client, "manager")
    assert f'href="{PAGE}"' in client.get("/agreements").text


# ---------------------------------------------------------------- in a browser


@pytest.mark.slow
@pytest.mark.parametrize(("width", "theme", "language"), [(1280, "light", "vi"), (360, "dark", "en")])
def test_the_pages_can_be_read_by_everybody(browser: Browser, site: str, width: int, theme: str, language: str) -> None:
    with window(browser, site, width=width, theme=theme, language=language) as page:
        page.set_default_timeout(60_000)
        enter(page, "office")
        page.goto(PAGE)
        assert (faults(page), overflow(page), small_targets(page)) == ([], 0, [])
        page.locator("#field-overlay").fill(typed()["overlay"])
        page.locator("#field-first").fill(typed()["first"])
        page.locator("#field-last").fill(typed()["last"])
        page.locator("form[action='/agreements/sandbox'] button:not([formaction])").click()
        page.wait_for_url(f"**{PAGE}/*")
        assert (faults(page), overflow(page), small_targets(page)) == ([], 0, [])
