"""The ledger as each reader may see it, and as it stood at any instant."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pytest

from labshare.domain.agreements import Scope
from labshare.domain.ledger import Cause
from labshare.domain.ledger_clauses import Turn
from labshare.domain.ledger_deadlines import LedgerRules
from labshare.errors import Forbidden, NotFound, NotSignedIn
from labshare.services import ledger as ledger_service
from labshare.services import ledger_pages as service
from labshare.services import state_orders
from labshare.services.ledger_pages import Chosen
from labshare.services.state_orders import OrderWish
from labshare.store.engine import Database
from tests.furniture import ADMINISTRATOR, MANAGER, NOW, OFFICE, PARTNER, RESEARCHER, actor
from tests.ledger_house import (
    HOUR,
    NEXT_QUARTER,
    QUARTER,
    R09,
    a_posting,
    account,
    furnish_ledger,
    later,
    the_agreement,
)
from tests.shares import a_rule, load

ME = actor(OFFICE)
FOURTH = "2026-10-01/2026-12-31"


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Database:
    """The partner: 120 h granted, 9 h delivered a day later, 4 h credited on day 2; the institute 50 h; and others."""
    elsewhere = a_rule(where=Scope(centres=("C-TWO",)))
    with database.write() as db:
        furnish_ledger(db, tmp_path)
        load(
            db,
            tmp_path,
            the_agreement(
                id="THEIRS", parties=("I-IMS",), partner_id=None, rules=(elsewhere,), covered=elsewhere.where
            ),
        )
        for day, posting in enumerate(
            (
                a_posting(Cause.GRANTED, 120),
                a_posting(Cause.DELIVERED, 9),
                a_posting(Cause.CREDITED, 4, until=later(60)),
                a_posting(Cause.GRANTED, 50, account=account("I-IMS")),
                a_posting(Cause.GRANTED, 7, account=account("I-IMS", agreement_id="THEIRS")),
            )
        ):
            ledger_service.post(db, ME, posting, later(day))
    return database


def seen(database: Database, who: UUID, agreement_id: str = "PPP-1", **chosen: object) -> service.LedgerPage:
    with database.read() as db:
        return service.page(db, actor(who), agreement_id, Chosen(**chosen), later(9))  # type: ignore[arg-type]


def test_a_statement_has_each_entry_with_the_balance_after_it(house: Database) -> None:
    found = seen(house, OFFICE).statement
    assert found
    assert [(line.entry.cause.value, line.entry.minutes / HOUR, line.balance / HOUR) for line in found.lines] == [
        ("granted", 120, 120), ("delivered", -9, 111), ("credited", 4, 115),
    ]  # fmt: skip
    assert (found.balance, found.came, found.went) == (115 * HOUR, 124 * HOUR, 9 * HOUR)
    # In the order in which the causes stand in the domain.
    assert found.sums == ((Cause.GRANTED, 7200), (Cause.CREDITED, 240), (Cause.DELIVERED, -540))
    assert [(credit.cause, left) for credit, left in found.credits] == [(Cause.CREDITED, 240)]


@pytest.mark.parametrize(
    ("at", "balance"),
    [(timedelta(seconds=-1), 0), (timedelta(), 120), (timedelta(days=1), 111), (timedelta(days=2), 115)],
)
def test_any_past_balance_can_be_told_again(house: Database, at: timedelta, balance: int) -> None:
    before = seen(house, OFFICE, at=NOW + at).statement
    with house.write() as db:
        ledger_service.post(db, ME, a_posting(Cause.GRANTED, 1000), later(5))
    after = seen(house, OFFICE, at=NOW + at).statement
    assert before == after
    assert after
    assert after.balance == balance * HOUR


def test_the_future_has_not_been_posted(house: Database) -> None:
    found = seen(house, OFFICE, at=later(900)).statement
    assert found
    assert found.at == later(9)


def test_a_partner_sees_its_own_account_and_no_other(house: Database) -> None:
    page = seen(house, PARTNER)
    assert page.accounts == (account(),)
    assert not page.sees_all
    # Neither who authorised it nor how much state orders may take of everybody's time is theirs to know.
    assert (page.authors, page.orders) == ({}, None)
    with pytest.raises(NotFound):
        seen(house, PARTNER, organisation_id="I-IMS", period=FOURTH)
    with pytest.raises(NotFound):
        seen(house, PARTNER, "THEIRS")


@pytest.mark.parametrize("who", [OFFICE, ADMINISTRATOR, MANAGER])
def test_those_who_answer_for_the_time_see_all_accounts_with_names(house: Database, who: UUID) -> None:
    page = seen(house, who)
    assert page.accounts == (account("I-IMS"), account())
    # The partner's account comes first without being asked for.
    assert page.statement
    assert page.statement.account == account()
    assert page.authors == {OFFICE: "Office"}
    assert page.orders
    chosen = seen(house, who, organisation_id="I-IMS", period=FOURTH).statement
    assert chosen
    assert chosen.balance == 50 * HOUR


def test_a_manager_sees_nothing_of_an_agreement_about_another_centre(house: Database) -> None:
    with pytest.raises(NotFound):
        seen(house, MANAGER, "THEIRS")


def test_strangers_are_turned_away(house: Database) -> None:
    with pytest.raises(Forbidden):
        seen(house, RESEARCHER)
    with house.read() as db, pytest.raises(NotSignedIn):
        service.page(db, None, "PPP-1", Chosen(), NOW)
    with pytest.raises(NotFound):
        seen(house, OFFICE, "PPP-9")


def test_a_period_without_entries_is_not_there(house: Database) -> None:
    with pytest.raises(NotFound):
        seen(house, OFFICE, organisation_id="O-CO", period="2027-01-01/2027-03-31")


def test_the_form_offers_parties_and_periods_in_force(house: Database) -> None:
    with house.read() as db:
        found = service.desk(db, ME, "PPP-1", NOW)
        assert {QUARTER, NEXT_QUARTER} <= set(found.periods)
        # The agreement began in January 2026: no quarter of 2025 is offered.
        assert min(each.start for each in found.periods) >= later(-400)
        assert all(each.end.year >= 2026 for each in found.periods)
        # Ten working days after 23 November, with a holiday on the 24th.
        assert found.orders_from == date(2026, 12, 8)
        for other in (PARTNER, MANAGER):
            with pytest.raises(Forbidden):
                service.desk(db, actor(other), "PPP-1", NOW)


def test_an_entry_to_correct_is_shown_as_corrections_have_left_it(house: Database) -> None:
    found = seen(house, OFFICE).statement
    assert found
    granted = found.lines[0].entry
    with house.write() as db:
        fixed = ledger_service.correct(db, ME, granted.id, minutes=100 * HOUR, reference="BB-1", now=later(5))
        line, _ = service.line(db, ME, "PPP-1", granted.id, later(6))
        assert (line.entry, line.balance) == (granted, 100 * HOUR)
        for agreement_id, entry_id in (("THEIRS", granted.id), ("PPP-1", uuid4())):
            with pytest.raises(NotFound):
                service.line(db, ME, agreement_id, entry_id, later(6))
    shown = seen(house, OFFICE).statement
    assert shown
    assert (shown.lines[-1].entry, shown.lines[-1].corrected) == (fixed, granted)


def test_a_partner_is_told_of_its_running_credits_only(house: Database) -> None:
    """A state order takes 4 h on day 3, to be used until the end of day 60 after it; 4 h credited by hand are no
    order's.
    """
    wish = OrderWish(
        agreement_id="PPP-1", period=QUARTER, reference="808/QĐ", starts_on=date(2026, 12, 15), minutes=240,
        taken={"O-CO": 240},
    )  # fmt: skip
    with house.write() as db:
        assert service.credits(db, actor(PARTNER), later(3)) == []
        state_orders.state_order(db, ME, wish, later(3))
        (credit,) = service.credits(db, actor(PARTNER), later(9))
        assert (credit.agreement.id, credit.taken, credit.left) == ("PPP-1", 240, 240)
        assert service.credits(db, actor(PARTNER), later(64)) == []
        assert service.credits(db, ME, later(9)) == []
    with house.write() as db:
        ledger_service.post(db, ME, a_posting(Cause.DELIVERED, 3, reference="B-7"), later(10))
        (credit,) = service.credits(db, actor(PARTNER), later(11))
    assert credit.left == 60


def test_r05_the_next_turn_is_longer_for_whoever_got_less_than_was_due(house: Database, tmp_path: Path) -> None:
    """9 of 120 + 4 h were delivered: 3 h x (1 + 1/2), as far as it may grow. After 84 more, 93 of 124 h:
    3 h x (1 + 31/124) = 3.75 h. Outside its period nobody picks.
    """
    rules = the_agreement()
    entitlements = tuple(msgspec.structs.replace(each, turn=Turn(minutes=180)) for each in rules.entitlements)
    with house.write() as db:
        load(db, tmp_path, msgspec.structs.replace(rules, entitlements=entitlements))
    assert seen(house, PARTNER).turn == 270
    with house.write() as db:
        ledger_service.post(db, ME, a_posting(Cause.DELIVERED, 84, reference="B-8"), later(5))
        assert service.page(db, ME, "PPP-1", Chosen(), QUARTER.end).turn is None
    assert seen(house, PARTNER).turn == 225
    assert seen(house, PARTNER, at=later(4)).turn == 270


def test_a_pull_back_is_told_with_its_dates_before_it_counts(house: Database, tmp_path: Path) -> None:
    """50 h granted as the quarter begins, nothing used: a quarter of them, 12.5 h, is told at a third of the quarter;
    7 days to object, 14 until it counts.
    """
    judged = R09.judged_at(NEXT_QUARTER, R09.checkpoints[0])
    with house.write() as db:
        load(db, tmp_path, the_agreement(ledger=LedgerRules(pull_back=R09)))
        grant = a_posting(Cause.GRANTED, 50, account=account(period=NEXT_QUARTER))
        ledger_service.post(db, ME, grant, NEXT_QUARTER.start)
        told = [
            service.page(db, actor(PARTNER), "PPP-1", Chosen(), judged + timedelta(days=days)).announced
            for days in (-1, 0, 14)
        ]
    assert told[0] == told[2] == ()
    (each,) = told[1]
    assert (each.minutes, each.appeal_until - judged, each.posted_at - judged) == (
        750, timedelta(days=7), timedelta(days=14),
    )  # fmt: skip
