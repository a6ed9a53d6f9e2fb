"""State orders (R14): the ceiling with its figures, the displaced partner's credit and its day, and who is told."""

from __future__ import annotations

import threading
from datetime import date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from uuid import UUID

import pytest

from labshare.domain.ledger import Cause
from labshare.domain.ledger_clauses import StateOrder
from labshare.domain.ordering import Tier
from labshare.domain.profiles import Group
from labshare.domain.projects import AccessClass
from labshare.domain.timespan import Span
from labshare.errors import Forbidden, NotFound, Refused
from labshare.services import ledger as ledger_service
from labshare.services import ledger_pages
from labshare.services import state_orders as service
from labshare.services.state_orders import OrderWish
from labshare.store import agreements as agreements_store
from labshare.store import audit
from labshare.store import bookings as booking_store
from labshare.store import ledger as store
from labshare.store.engine import Connection, Database
from tests.furniture import FESEM, MANAGER, NOW, OFFICE, PARTNER, RESEARCHER, actor, at, span
from tests.ledger_house import HOUR, a_posting, account, furnish_ledger, later, the_agreement
from tests.shares import by_industry, load

ME = actor(OFFICE)
# 30 November 2026 to 15 January 2027: seven weeks without New Year's Day are 34 open days of ten hours on each of the
# two instruments, the 680 allocable hours of the access rule's example.
SEASON = Span(at(30, 0), datetime(2027, 1, 15, 17, tzinfo=at(30, 0).tzinfo))
PARTNERS = account(period=SEASON)
# Told on Monday 23 November: the tenth working day after it, as 24 November is a holiday.
FIRST_DAY = date(2026, 12, 8)


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Database:
    """The partner has 120 h in the season."""
    with database.write() as db:
        furnish_ledger(db, tmp_path)
        ledger_service.post(db, ME, a_posting(Cause.GRANTED, 120, account=PARTNERS), NOW)
    return database


def order(
    db: Connection, reference: str, hours: int, now: datetime = NOW, starts_on: date = FIRST_DAY, **taken: int
) -> None:
    wish = OrderWish(
        agreement_id="PPP-1",
        period=SEASON,
        reference=reference,
        starts_on=starts_on,
        minutes=hours * HOUR,
        taken={organisation.replace("_", "-"): part * HOUR for organisation, part in taken.items()},
    )
    service.state_order(db, ME, wish, now)


def test_r14_a_displaced_partner_is_credited_hour_for_hour_within_sixty_days(house: Database) -> None:
    """The mission needs 80 h, of which 24 h come from the partner: -24 and +24 until the end of 22 January."""
    with house.write() as db:
        order(db, "808/QĐ-TTg", 80, O_CO=24)
        taken, credit = store.entries_of(db, PARTNERS)[1:]
        assert store.balance(db, PARTNERS) == 120 * HOUR
    assert (taken.cause, taken.minutes, taken.until) == (Cause.DISPLACED, -1440, None)
    assert (credit.cause, credit.minutes, credit.rule_id) == (Cause.CREDITED, 1440, "R14")
    assert {taken.reference, credit.reference} == {"808/QĐ-TTg"}
    assert (taken.posted_at, taken.authorised_by) == (credit.posted_at, credit.authorised_by) == (NOW, OFFICE)
    # 23 November and 60 days are 22 January, which ends at 17:00 UTC.
    assert credit.until == datetime(2027, 1, 22, 17, tzinfo=NOW.tzinfo)


def test_r14_all_orders_together_take_at_most_the_ceiling(house: Database) -> None:
    """30 % of 680 h = 204 h: 80 h can be had; of another 150 h only the 124 h that are left."""
    with house.write() as db:
        terms = ledger_service.terms_of(agreements_store.versions_of(db, "PPP-1"), NOW)
        found = service.allowance(db, terms, SEASON)
        assert (found.allocable, found.ceiling, found.taken, found.left) == (
            680 * HOUR, 204 * HOUR, 0, 204 * HOUR,
        )  # fmt: skip
        order(db, "808/QĐ", 80, O_CO=24)
    with pytest.raises(Refused) as refused, house.write() as db:
        order(db, "809/QĐ", 150)
    (refusal,) = refused.value.refusals
    assert refusal.code == "ledger_order_ceiling"
    assert refusal.params == {
        "field": "order_hours", "order_minutes": 150 * HOUR, "left_minutes": 124 * HOUR,
        "ceiling_minutes": 204 * HOUR, "taken_minutes": 80 * HOUR,
    }  # fmt: skip
    with house.write() as db:
        order(db, "809/QĐ", 124)
        assert service.allowance(db, terms, SEASON).left == 0
        # An order that takes nobody's entitlement is recorded, and nothing is posted for it.
        assert len(store.entries(db, "PPP-1")) == 3


def test_r14_an_order_is_told_ten_working_days_ahead(house: Database) -> None:
    with pytest.raises(Refused) as refused, house.write() as db:
        order(db, "808/QĐ", 80, starts_on=FIRST_DAY - timedelta(days=1))
    (refusal,) = refused.value.refusals
    assert refusal.code == "ledger_order_notice"
    assert refusal.params == {"field": "starts", "earliest": "2026-12-08", "days": 10}
    # The season ends with 15 January.
    with pytest.raises(Refused, match="ledger_order_outside"), house.write() as db:
        order(db, "808/QĐ", 80, starts_on=date(2027, 1, 16))
    with house.write() as db:
        order(db, "808/QĐ", 80, starts_on=date(2027, 1, 15))
        order(db, "809/QĐ", 1)


def test_r14_what_spared_tiers_have_booked_is_left_to_the_party(house: Database, tmp_path: Path) -> None:
    """Of 120 h the party has booked 8 h of industry from the first day on, which are spared, and 8 h before it, which
    are not: 112 h can be taken.
    """
    spared = Tier(id="industry", who=(Group(access_class=(AccessClass.INDUSTRY,)),))
    others = tuple(each for each in AccessClass if each is not AccessClass.INDUSTRY)
    tiers = (Tier(id="others", who=(Group(access_class=others),)), spared)
    clause = StateOrder(ceiling=Fraction(3, 10), spared=("industry",))
    with house.write() as db:
        load(db, tmp_path, the_agreement(tiers=tiers, state_order=clause))
        uses = [by_industry(FESEM, span(25, 24 * days + 8, 24 * days + 16), agreement_id="PPP-1") for days in (1, 14)]
        booking_store.add(db, uses)
    with pytest.raises(Refused) as refused, house.write() as db:
        order(db, "808/QĐ", 120, O_CO=113)
    (refusal,) = refused.value.refusals
    assert refusal.code == "ledger_order_spared"
    assert refusal.params == {
        "field": "hours", "organisation": "O-CO", "wanted_minutes": 113 * HOUR, "left_minutes": 120 * HOUR,
        "spared_minutes": 8 * HOUR, "may_minutes": 112 * HOUR,
    }  # fmt: skip
    with house.write() as db:
        order(db, "808/QĐ", 120, O_CO=112)
        assert ledger_pages.credits(db, actor(PARTNER), NOW)[0].taken == 112 * HOUR


def test_an_order_is_posted_once(house: Database) -> None:
    with house.write() as db:
        order(db, "808/QĐ", 80, O_CO=24)
    with pytest.raises(Refused, match="ledger_posted_already"), house.write() as db:
        order(db, "808/QĐ", 10, O_CO=5)
    with house.read() as db:
        assert len(store.entries(db, "PPP-1")) == 3


def test_two_orders_cannot_break_the_ceiling_together(house: Database) -> None:
    """Six of 60 h at once, 204 h in all: three are recorded and three refused."""
    ready = threading.Barrier(6)
    seen: list[str] = []

    def work(number: int) -> None:
        ready.wait()
        try:
            with house.write() as db:
                order(db, f"{number}/QĐ", 60, O_CO=1)
            seen.append("posted")
        except Refused as error:
            seen.append(error.refusals[0].code)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == ["ledger_order_ceiling"] * 3 + ["posted"] * 3
    with house.read() as db:
        assert store.ordered_minutes(db, "PPP-1", SEASON) == 180 * HOUR
        assert len(store.entries(db, "PPP-1")) == 1 + 2 * 3


def test_every_reason_is_told_and_nothing_is_kept(house: Database) -> None:
    with pytest.raises(Refused) as refused, house.write() as db:
        order(db, "", 100, O_CO=121, O_ELSE=0)
    assert [each.code for each in refused.value.refusals] == [
        "field_missing",
        "ledger_overdrawn",
        "ledger_not_a_party",
        "ledger_amount",
        "ledger_order_smaller_than_parts",
    ]
    with house.read() as db:
        assert store.ordered_minutes(db, "PPP-1", SEASON) == 0
        assert len(store.entries(db, "PPP-1")) == 1


def test_an_agreement_that_does_not_provide_for_orders_gives_none(house: Database, tmp_path: Path) -> None:
    with house.write() as db:
        load(db, tmp_path, the_agreement(state_order=None))
    with pytest.raises(Refused) as refused, house.write() as db:
        order(db, "808/QĐ", 1)
    assert [each.code for each in refused.value.refusals] == ["ledger_no_state_orders"]


@pytest.mark.parametrize("who", [RESEARCHER, MANAGER, PARTNER])
def test_only_the_user_office_posts_orders(house: Database, who: UUID) -> None:
    wish = OrderWish(agreement_id="PPP-1", period=SEASON, reference="808/QĐ", starts_on=FIRST_DAY, minutes=60)
    with pytest.raises(Forbidden), house.write() as db:
        service.state_order(db, actor(who), wish, NOW)


def test_an_order_under_no_agreement_is_not_found(house: Database) -> None:
    wish = OrderWish(agreement_id="PPP-9", period=SEASON, reference="808/QĐ", starts_on=FIRST_DAY, minutes=60)
    with pytest.raises(NotFound), house.write() as db:
        service.state_order(db, ME, wish, NOW)


def test_the_partner_is_told_and_the_order_stands_in_the_audit(house: Database) -> None:
    with house.write() as db:
        order(db, "808/QĐ", 80, O_CO=24)
        line = audit.lines(db, "agreement", "PPP-1")[-1]
        told = ledger_pages.credits(db, actor(PARTNER), later(1))
    assert (line.action, line.actor_id) == ("state_order", OFFICE)
    assert (line.details["minutes"], line.details["from_parties"]) == (4800, 1440)
    assert [(each.taken, each.entry.minutes, each.left) for each in told] == [(1440, 1440, 1440)]
