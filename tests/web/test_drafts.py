"""The editor of agreements over HTTP: a text, its effect beside what stands, its faults, its signature."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from labshare.domain.agreement_documents import to_toml
from labshare.store.engine import Database
from tests.furniture import FESEM, span
from tests.shares import a_floor, a_rule, an_agreement, by_industry, load, put
from tests.web.conftest import Client, send, sign_in, text_of


@pytest.fixture(autouse=True)
def agreement(house: Database, tmp_path: Path) -> None:
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_rule(), a_floor(share=Fraction(1, 2))))
        put(db, by_industry(FESEM, span(25, 8, 13)))


def test_the_effect_of_a_draft_stands_beside_what_is_in_force(client: Client) -> None:
    """An eighth of 4,800 min is 10 h, half of it booked; a twentieth is 4 h: one too many."""
    sign_in(client, "office")
    assert "industry-cap" in client.get("/agreements/draft?of=PPP-1").text
    draft = to_toml(an_agreement(a_rule(share=Fraction(1, 20))))
    page = text_of(send(client, "/agreements/draft", {"text": draft.replace("\n", "\r\n")}))
    assert "còn 5 giờ" in page
    assert "vượt 1 giờ" in page
    assert "bị bỏ" in page
    # The user office weighs; it is an administrator who signs.
    assert "Cho hiệu lực" not in page


def test_faults_stand_above_the_text_that_was_typed(client: Client) -> None:
    sign_in(client, "office")
    answer = send(client, "/agreements/draft", {"text": "id = 3"})
    assert answer.status_code == 400
    assert "id = 3" in answer.text
    answer = send(client, "/agreements/draft", {"text": to_toml(an_agreement(a_rule(share=Fraction(2))))})
    assert answer.status_code == 422
    assert "100 %" in text_of(answer)
    assert send(client, "/agreements/draft", {"text": "x" * 200_001}).status_code == 400


def test_an_administrator_signs(client: Client) -> None:
    sign_in(client, "administrator")
    draft = to_toml(an_agreement(a_rule(share=Fraction(1, 10))))
    assert "Cho hiệu lực thành bản 2" in text_of(send(client, "/agreements/draft", {"text": draft}))
    answer = send(client, "/agreements/draft/sign", {"text": draft, "version": "1"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/agreements/PPP-1")
    assert "bản 2" in text_of(client.get("/agreements/PPP-1"))
    broken = draft.replace("10 %", "110 %")
    assert send(client, "/agreements/draft/sign", {"text": broken, "version": "2"}).status_code == 422


def test_whoever_signs_on_an_old_version_is_asked_to_look_again(client: Client) -> None:
    sign_in(client, "administrator")
    first, second = (to_toml(an_agreement(a_rule(share=Fraction(1, part)))) for part in (10, 5))
    page = send(client, "/agreements/draft", {"text": second}).text
    assert '<input type="hidden" name="version" value="1">' in page
    assert send(client, "/agreements/draft/sign", {"text": first, "version": "1"}).status_code == 303
    for version in ("1", ""):
        answer = send(client, "/agreements/draft/sign", {"text": second} | ({"version": version} if version else {}))
        assert answer.status_code == 412
        assert "20 %" in answer.text
    assert "bản 2" in text_of(client.get("/agreements/PPP-1"))


@pytest.mark.parametrize("who", ["researcher", "partner", "manager"])
def test_others_are_turned_away(client: Client, who: str) -> None:
    sign_in(client, who)
    assert client.get("/agreements/draft?of=PPP-1").status_code == 403
    assert client.get("/agreements/draft").status_code == 403
    assert send(client, "/agreements/draft", {"text": "x"}).status_code == 403
    assert send(client, "/agreements/draft/sign", {"text": "x"}).status_code == 403
