"""What the home page says of shares: a partner's own always, everybody's when they press."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from labshare.domain.agreements import Selector
from labshare.i18n import speaking
from labshare.store.engine import Database
from labshare.web.share_sections import shares
from tests.furniture import FESEM, NOW, OFFICE, PARTNER, RESEARCHER, actor, span
from tests.services.test_agreements import a_floor, a_rule, an_agreement, by_industry, load, put


@pytest.fixture(autouse=True)
def agreements(house: Database, tmp_path: Path) -> None:
    own = a_rule(id="own", who=Selector(organisation=("O-CO",)), share=Fraction(1, 2))
    with house.write() as db:
        load(
            db,
            tmp_path,
            an_agreement(own, a_rule(), a_floor(share=Fraction(1, 2)), parties=("I-IMS", "O-CO"), partner_id="O-CO"),
        )
        put(db, by_industry(FESEM, span(25, 8, 16)))


def test_a_partner_always_sees_its_own_share(house: Database) -> None:
    with house.read() as db, speaking("en"):
        section = shares(db, actor(PARTNER), NOW)
    assert section
    # Half of 4,800 min is 40 h, 8 are booked; of the common cap of 10 h they are 80 %.
    assert [(line.href, line.detail, line.state) for line in section.lines] == [
        ("/agreements/PPP-1#own", "32 h left · until 29 Nov 2026", ("share_state", "kept")),
        ("/agreements/PPP-1#industry-cap", "2 h left · until 29 Nov 2026", ("share_state", "near")),
    ]


def test_the_user_office_sees_what_presses(house: Database) -> None:
    with house.read() as db:
        section = shares(db, actor(OFFICE), NOW)
    assert section
    assert [line.href for line in section.lines] == ["/agreements/PPP-1#industry-cap"]


def test_a_researcher_is_told_nothing(house: Database) -> None:
    with house.read() as db:
        assert shares(db, actor(RESEARCHER), NOW) is None
