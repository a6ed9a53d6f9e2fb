"""A desk too long for one page is folded by centre; every part comes by itself, with scripts and without."""

from __future__ import annotations

from uuid import UUID

import pytest

from labshare.domain.rounds import Round
from labshare.services import desk as desks
from labshare.store.engine import Database
from labshare.web import desks as web
from tests.furniture import OFFICE, actor
from tests.round_of import LATER
from tests.services.test_explaining import MONDAY
from tests.services.test_explaining import proposed as with_tuesday
from tests.web.conftest import Client, sign_in, text_of
from tests.web.test_rounds import opened, proposed

HTMX = {"HX-Request": "true"}


@pytest.fixture
def english(client: Client) -> Client:
    client.cookies.set("language", "en")
    return client


def left_out(house: Database, r: Round) -> UUID:
    with house.read() as db:
        found = desks.desk(db, actor(OFFICE), r.id, LATER)
    assert found is not None
    (left,) = found.left_out
    return left.line.request.id


def test_a_short_desk_is_shown_whole(english: Client, house: Database) -> None:
    r = proposed(house)
    sign_in(english, "office")
    page = english.get(f"/rounds/{r.id}").text
    assert page.count('class="strip"') == 1
    assert "fold-body" not in page
    assert "offer-body" in page
    assert f"/rounds/{r.id}/offer" not in page


@pytest.fixture
def two_centres(house: Database) -> Round:
    return proposed(house, ("N002", MONDAY), ("N003", MONDAY))


def test_a_long_desk_is_folded_by_centre(english: Client, two_centres: Round, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "MOST_STRIPS", 1)
    sign_in(english, "office")
    address = f"/rounds/{two_centres.id}"
    page = english.get(address)
    assert 'class="strip"' not in page.text
    assert f'hx-get="{address}/strips?centre=C-ONE" hx-trigger="toggle once"' in page.text
    assert "Centre One 1 instrument · 2 sessions" in text_of(page)
    # The patterns of the strips stand once on the page, for all folds.
    assert page.text.count('id="hatch"') == 1
    part = english.get(f"{address}/strips?centre=C-ONE", headers=HTMX).text
    assert "<html" not in part
    assert part.count('<svg class="mark public_research" x=') == 2
    assert 'id="hatch"' not in part
    # One centre is shown as ever.
    assert english.get(f"{address}?centre=C-ONE").text.count('class="strip"') == 1


def test_without_scripts_a_fold_leads_to_the_centre_s_page(english: Client, two_centres: Round) -> None:
    sign_in(english, "office")
    answer = english.get(f"/rounds/{two_centres.id}/strips?centre=C-ONE", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/rounds/{two_centres.id}?centre=C-ONE")


def test_a_long_table_of_sessions_is_chosen_by_centre(
    english: Client, two_centres: Round, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "MOST_STRIPS", 1)
    sign_in(english, "office")
    table = english.get(f"/rounds/{two_centres.id}/sessions")
    assert "<table" not in table.text
    assert f'href="/rounds/{two_centres.id}/sessions?centre=C-TWO"' in table.text
    assert "XRD instrument" in text_of(english.get(f"/rounds/{two_centres.id}/sessions?centre=C-ONE"))


def test_more_of_those_left_out_are_fetched(english: Client, house: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    r = proposed(house)
    sign_in(english, "manager")
    monkeypatch.setattr(web, "FIRST_LEFT", 0)
    page = english.get(f"/rounds/{r.id}")
    more = f"/rounds/{r.id}/left-out?after=0"
    assert f'hx-get="{more}"' in page.text
    # The count is of all, however many are listed.
    assert "Not placed 1" in text_of(page)
    assert "#3 1 × 2 h" not in text_of(page)
    part = english.get(more, headers=HTMX)
    assert "<html" not in part.text
    assert "#3 1 × 2 h · Industry" in text_of(part)
    assert "Show more" not in part.text
    assert "#3 1 × 2 h · Industry" in text_of(english.get(more))
    assert "#3" not in text_of(english.get(f"/rounds/{r.id}/left-out?after=1", headers=HTMX))


@pytest.mark.parametrize(
    ("language", "standing", "nothing"),
    [
        (
            "en",
            "Not served in the best plan, which is proven to be the best.",
            "No single change that we know of would make room for it.",
        ),
        (
            "vi",
            "Không được xếp trong phương án tốt nhất, đã chứng minh là tối ưu.",
            "Chưa thấy thay đổi đơn lẻ nào tạo được chỗ cho đăng ký này.",
        ),
    ],
)
def test_what_would_help_is_said_when_it_is_opened(
    client: Client, house: Database, language: str, standing: str, nothing: str
) -> None:
    """All four hours that are offered are taken: no place is left, also for less."""
    r = proposed(house)
    client.cookies.set("language", language)
    sign_in(client, "manager")
    address = f"/rounds/{r.id}/left-out/{left_out(house, r)}"
    assert f'hx-get="{address}" hx-trigger="toggle once"' in client.get(f"/rounds/{r.id}").text
    part = client.get(address, headers=HTMX)
    assert "<html" not in part.text
    assert standing in text_of(part)
    assert nothing in text_of(part)
    assert standing in text_of(client.get(address))


def test_free_times_nearby_are_told(english: Client, house: Database) -> None:
    """The public requests ask for Monday morning and fill it; Tuesday morning is 22 hours after the last start."""
    with house.write() as db:
        r, left = with_tuesday(db, furnished=True)
    sign_in(english, "manager")
    told = text_of(english.get(f"/rounds/{r.id}/left-out/{left.id}", headers=HTMX))
    assert "XRD instrument Tue 1 Dec 2026, 08:00–10:00 22 h from the nearest start asked for" in told
    assert "NMR" not in told


def test_what_a_reader_types_for_a_centre_stays_one_value(english: Client, two_centres: Round) -> None:
    sign_in(english, "office")
    typed = f"/rounds/{two_centres.id}/strips?centre=C%0D%0AX-Y:%20z%26a=b"
    answer = english.get(typed, follow_redirects=False)
    assert answer.headers["location"] == f"/rounds/{two_centres.id}?centre=C%0D%0AX-Y%3A%20z%26a%3Db"
    assert english.get(typed, headers=HTMX).status_code == 404


@pytest.mark.parametrize("part", ["strips?centre=C-ONE", "sessions", "left-out", "left-out/one"])
def test_those_who_see_no_plan_find_none_of_its_parts(english: Client, house: Database, part: str) -> None:
    r = proposed(house)
    sign_in(english, "competitor")
    address = f"/rounds/{r.id}/{part.replace('one', str(left_out(house, r)))}"
    assert english.get(address, headers=HTMX).status_code == 404


def test_a_long_offer_is_fetched_when_it_is_opened(
    english: Client, house: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    r = opened(house)
    monkeypatch.setattr("labshare.web.rounds.MOST_OFFERED", 0)
    page = english.get(f"/rounds/{r.id}")
    assert f'hx-get="/rounds/{r.id}/offer"' in page.text
    assert "Offered, within opening hours" not in page.text
    for headers in ({}, HTMX):
        assert "Offered, within opening hours" in english.get(f"/rounds/{r.id}/offer", headers=headers).text
