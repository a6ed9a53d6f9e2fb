"""Who speaks for a party is written to when its time is taken, each time once, and nobody else is."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa

from labshare.domain.ledger import Cause
from labshare.domain.ledger_deadlines import LedgerRules
from labshare.domain.notices import NoticeKind
from labshare.domain.timespan import Span
from labshare.services import ledger, notices, state_orders, ticking
from labshare.services.state_orders import OrderWish
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import NOW, OFFICE, PARTNER, actor
from tests.ledger_house import HOUR, QUARTER, R08, R09, YEAR, a_posting, account, furnish_ledger, the_agreement
from tests.shares import load

Told = list[tuple[UUID, NoticeKind, str, datetime | None]]
FOURTH = "/agreements/PPP-1/ledger?account=O-CO%3A2026-10-01%2F2026-12-31"
WHOLE = "/agreements/PPP-1/ledger?account=O-CO%3A2027-01-01%2F2027-12-31"


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Database:
    """Everybody has an address; one person speaks for the partner company."""
    with database.write() as db:
        furnish_ledger(db, tmp_path)
        db.execute(t.persons.update().values(email=t.persons.c.login + "@x.vn"))
    return database


def told(database: Database, now: datetime) -> Told:
    with database.read() as db:
        found = [each.notice for each in notices.letters(db, now)]
    return [(each.person_id, each.kind, each.page, each.until) for each in found]


def tick(database: Database, now: datetime) -> None:
    with database.read() as db:
        rows = ticking.deadlines(db, now)
    for row in rows:
        with database.write() as db:
            ticking.deal_with(db, row, now)


def grant(database: Database, hours: int, period: Span, at: datetime) -> None:
    with database.write() as db:
        ledger.post(db, actor(OFFICE), a_posting(Cause.GRANTED, hours, account=account(period=period)), at)


def order(database: Database) -> None:
    wish = OrderWish(
        agreement_id="PPP-1", period=QUARTER, reference="808/QĐ", starts_on=date(2026, 12, 8), minutes=10 * HOUR,
        taken={"O-CO": 4 * HOUR},
    )  # fmt: skip
    with database.write() as db:
        state_orders.state_order(db, actor(OFFICE), wish, NOW)


def test_a_state_order_is_told_to_who_speaks_for_the_party(house: Database) -> None:
    """The grant is told to nobody."""
    grant(house, 120, QUARTER, NOW)
    assert told(house, NOW) == []
    order(house)
    assert told(house, NOW) == [(PARTNER, NoticeKind.LEDGER_DISPLACED, FOURTH, None)]


def test_a_pull_back_is_told_when_it_is_judged_and_when_it_is_posted(house: Database, tmp_path: Path) -> None:
    """R09 at a third of the year, fourteen days' notice; each deadline met again tells nothing again."""
    with house.write() as db:
        load(db, tmp_path, the_agreement(ledger=LedgerRules(pull_back=R09)))
    grant(house, 200, YEAR, YEAR.start)
    judged = R09.judged_at(YEAR, R09.checkpoints[0])
    tick(house, judged - timedelta(minutes=1))
    assert told(house, judged) == []
    first = (PARTNER, NoticeKind.LEDGER_TO_PULL_BACK, WHOLE, judged + timedelta(days=14))
    for days in (0, 1):
        tick(house, judged + timedelta(days=days))
        assert told(house, judged + timedelta(days=days)) == [first]
    # What is posted meanwhile, and a new version, bring no second letter.
    grant(house, 1, YEAR, judged + timedelta(days=2))
    with house.write() as db:
        changed = the_agreement(ledger=LedgerRules(pull_back=R09), title_en="Another")
        load(db, tmp_path, changed, now=judged + timedelta(days=3))
    tick(house, judged + timedelta(days=4))
    assert told(house, judged + timedelta(days=4)) == [first]
    tick(house, judged + timedelta(days=14))
    assert told(house, judged + timedelta(days=14)) == [first, (PARTNER, NoticeKind.LEDGER_PULLED_BACK, WHOLE, None)]


def test_without_notice_only_the_loss_is_told_and_without_a_loss_nothing(house: Database, tmp_path: Path) -> None:
    with house.write() as db:
        load(db, tmp_path, the_agreement(ledger=LedgerRules(pull_back=R08)))
    grant(house, 100, YEAR, YEAR.start)
    first, second = (R08.judged_at(YEAR, each) for each in R08.checkpoints)
    tick(house, first)
    assert [kind for _, kind, _, _ in told(house, first)] == [NoticeKind.LEDGER_PULLED_BACK]
    with house.write() as db:
        # 50 of the 70 h that are left are used: no step of the second checkpoint applies.
        use = a_posting(Cause.DELIVERED, 50, account=account(period=YEAR), reference="B-1")
        ledger.post(db, actor(OFFICE), use, first + timedelta(days=1))
    tick(house, second)
    assert len(told(house, second)) == 1


def test_whoever_speaks_for_the_party_no_more_is_not_written_to(house: Database) -> None:
    with house.write() as db:
        db.execute(sa.update(t.persons).where(t.persons.c.id == PARTNER).values(affiliation="ended"))
    grant(house, 120, QUARTER, NOW)
    order(house)
    assert told(house, NOW) == []
