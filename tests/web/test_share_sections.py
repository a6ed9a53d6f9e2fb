"""What the home page says of shares: a partner's own always, everybody's when they press."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest

from labshare.domain.agreements import Selector
from labshare.domain.ledger import Cause
from labshare.domain.ledger_clauses import StateOrder
from labshare.i18n import speaking
from labshare.services import ledger, state_orders
from labshare.services.state_orders import OrderWish
from labshare.store.engine import Database
from labshare.web.share_sections import credits, shares
from tests.furniture import FESEM, NOW, OFFICE, PARTNER, RESEARCHER, actor, span
from tests.ledger_house import QUARTER, a_posting, later, the_agreement
from tests.shares import a_floor, a_rule, an_agreement, by_industry, load, put


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


def test_only_state_orders_stand_under_state_orders_with_what_they_took(house: Database, tmp_path: Path) -> None:
    """An order took 24 h and credits half of them; 8 h credited by hand are no order's, whatever clause they name."""
    order = StateOrder(ceiling=Fraction(1, 2), credit=Fraction(1, 2))
    wish = OrderWish(
        agreement_id="PPP-1",
        period=QUARTER,
        reference="808/QĐ",
        starts_on=date(2026, 12, 8),
        minutes=1440,
        taken={"O-CO": 1440},
    )
    with house.write() as db:
        load(db, tmp_path, the_agreement(state_order=order))
        ledger.post(db, actor(OFFICE), a_posting(Cause.GRANTED, 120), NOW)
        for number, rule in enumerate(("R14", "industry-cap")):
            by_hand = a_posting(Cause.CREDITED, 8, rule_id=rule, reference=f"BB-{number}", until=later(60))
            ledger.post(db, actor(OFFICE), by_hand, NOW)
        state_orders.state_order(db, actor(OFFICE), wish, NOW)
    with house.read() as db, speaking("en"):
        section = credits(db, actor(PARTNER), NOW)
    assert section
    assert [line.title for line in section.lines] == ["24 h taken for state order 808/QĐ, 12 h of the credit left"]
