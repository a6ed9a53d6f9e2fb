"""What the ledger posts by itself, through the rows of deadlines as the ticker meets them: R08, R09, R11 and R14."""

from __future__ import annotations

import threading
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from labshare.domain.ledger import Cause
from labshare.domain.ledger_deadlines import CarryOver, LedgerRules, PullBack, next_period
from labshare.domain.timespan import Span
from labshare.domain.windows import CENTRE_ZONE_NAME
from labshare.errors import NotFound
from labshare.services import ledger as ledger_service
from labshare.services import ledger_deadlines as service
from labshare.services import ticking
from labshare.store import ledger as store
from labshare.store.engine import Database
from tests.furniture import NOW, OFFICE, actor
from tests.ledger_house import (
    HOUR,
    NEXT_QUARTER,
    QUARTER,
    R08,
    R09,
    YEAR,
    a_posting,
    account,
    furnish_ledger,
    later,
    the_agreement,
)
from tests.shares import load

ME = actor(OFFICE)


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Database:
    with database.write() as db:
        furnish_ledger(db, tmp_path)
    return database


def tick(database: Database, now: datetime) -> int:
    """Deal with everything that is due, as jobs.py does; returns how many deadlines there were."""
    with database.read() as db:
        rows = ticking.deadlines(db, now)
    for row in rows:
        with database.write() as db:
            ticking.deal_with(db, row, now)
    return len(rows)


def post(database: Database, cause: Cause, hours: int, at: datetime, period: Span = QUARTER, **changes: object) -> None:
    with database.write() as db:
        posting = a_posting(cause, hours, account=account(period=period), **changes)
        ledger_service.post(db, ME, posting, at)


def told(database: Database, period: Span = QUARTER) -> list[tuple[str, float]]:
    """The account's entries after the first two, by cause, in hours."""
    with database.read() as db:
        return [(each.cause.value, each.minutes / HOUR) for each in store.entries_of(db, account(period=period))]


def with_rules(database: Database, folder: Path, rules: LedgerRules) -> None:
    with database.write() as db:
        load(db, folder, the_agreement(ledger=rules))


# ---------------------------------------------------------------- R08, R09


def test_r08_unused_time_is_pulled_back_at_a_third_of_the_year(house: Database, tmp_path: Path) -> None:
    """120 h, 9 used (7.5 %): 0.30 x 111 = 33.3 h at the first checkpoint.

    At the second 9 of the 86.7 h that are left are used (10.4 %): 0.50 x 77.7 = 38.85 h.
    """
    with_rules(house, tmp_path, LedgerRules(pull_back=R08))
    post(house, Cause.GRANTED, 120, YEAR.start, YEAR)
    post(house, Cause.DELIVERED, 9, YEAR.start + timedelta(days=30), YEAR)
    first, second = (R08.judged_at(YEAR, each) for each in R08.checkpoints)
    assert tick(house, first - timedelta(minutes=1)) == 0
    assert tick(house, first) == 1
    assert told(house, YEAR) == [("granted", 120), ("delivered", -9), ("pulled_back", -33.3)]
    assert tick(house, first) == 0
    assert tick(house, second) == 1
    assert told(house, YEAR)[3:] == [("pulled_back", -38.85)]
    with house.read() as db:
        pulled = store.entries_of(db, account(period=YEAR))[2]
        assert store.balance(db, account(period=YEAR)) == (120 - 9) * HOUR - 1998 - 2331
    assert (pulled.rule_id, pulled.reference, pulled.authorised_by, pulled.version) == ("R08", "1/3", None, 2)


def test_r09_a_share_of_the_unused_balance_is_removed(house: Database, tmp_path: Path) -> None:
    """200 h with 16 used (8 %): 0.25 x 184 = 46 h."""
    with_rules(house, tmp_path, LedgerRules(pull_back=R09))
    post(house, Cause.GRANTED, 200, YEAR.start, YEAR)
    post(house, Cause.DELIVERED, 16, YEAR.start + timedelta(days=30), YEAR)
    # Two weeks' notice: the loss is told, and nothing is posted before.
    assert tick(house, R09.judged_at(YEAR, R09.checkpoints[0])) == 1
    assert told(house, YEAR)[2:] == []
    assert tick(house, R09.posted_at(YEAR, R09.checkpoints[0])) == 1
    assert told(house, YEAR)[2:] == [("pulled_back", -46)]


def test_a_checkpoint_judges_what_stood_then_however_late_it_is_dealt_with(house: Database, tmp_path: Path) -> None:
    """The 100 h used after the checkpoint do not save the 33.3 h, but no more than the 11 h left can be taken."""
    with_rules(house, tmp_path, LedgerRules(pull_back=PullBack(checkpoints=R08.checkpoints[:1])))
    at = R08.judged_at(YEAR, R08.checkpoints[0])
    post(house, Cause.GRANTED, 120, YEAR.start, YEAR)
    post(house, Cause.DELIVERED, 9, at - timedelta(days=1), YEAR, reference="B-1")
    post(house, Cause.DELIVERED, 100, at + timedelta(days=1), YEAR, reference="B-2")
    assert tick(house, at + timedelta(days=2)) == 1
    assert told(house, YEAR)[3:] == [("pulled_back", -11)]


def test_enough_use_keeps_everything_and_a_late_grant_meets_no_earlier_checkpoint(
    house: Database, tmp_path: Path
) -> None:
    with_rules(house, tmp_path, LedgerRules(pull_back=R09))
    at = R09.judged_at(YEAR, R09.checkpoints[0])
    # A quarter of 200 h is used: no step applies, at the judgement or after its notice.
    post(house, Cause.GRANTED, 200, YEAR.start, YEAR)
    post(house, Cause.DELIVERED, 50, at - timedelta(days=1), YEAR)
    assert tick(house, at + timedelta(days=14)) == 2
    assert told(house, YEAR)[2:] == []
    with house.write() as db:
        late = account("I-IMS", YEAR)
        entry = ledger_service.post(db, ME, a_posting(Cause.GRANTED, 10, account=late), at + timedelta(days=1))
        service.settle(db, entry.id, at + timedelta(days=2))
        assert store.entries_of(db, late) == [entry]


# ---------------------------------------------------------------- R11


def test_a_version_that_carries_over_holds_for_accounts_that_were_there_before(house: Database, tmp_path: Path) -> None:
    """120 h granted under a version without R11; by the next version 30 h go over and 90 h lapse."""
    with_rules(house, tmp_path, LedgerRules())
    post(house, Cause.GRANTED, 120, QUARTER.start + timedelta(days=60))
    with house.write() as db:
        load(db, tmp_path, the_agreement(), now=QUARTER.start + timedelta(days=70))
    assert tick(house, QUARTER.end) == 1
    assert told(house)[1:] == [("lapsed", -90), ("carried_over", -30)]


def test_r11_a_quarter_of_what_was_due_goes_into_the_next_quarter(house: Database) -> None:
    """120 h, 90 used: all 30 h go over, to be used in the next quarter; what is not used there lapses."""
    post(house, Cause.GRANTED, 120, later(0))
    post(house, Cause.DELIVERED, 90, later(1))
    assert tick(house, QUARTER.end) == 1
    assert told(house)[2:] == [("carried_over", -30)]
    with house.read() as db:
        (over,) = store.entries_of(db, account(period=NEXT_QUARTER))
    assert (over.minutes, over.until, over.reference) == (30 * HOUR, NEXT_QUARTER.end, "2026-10-01/2026-12-31")
    post(house, Cause.DELIVERED, 12, QUARTER.end + timedelta(days=9), NEXT_QUARTER, reference="B-9")
    assert tick(house, NEXT_QUARTER.end) == 1
    # 18 h of the 30 were not used; they die after one quarter and are not carried a second time.
    assert told(house, NEXT_QUARTER) == [("carried_over", 30), ("delivered", -12), ("lapsed", -18)]
    assert tick(house, NEXT_QUARTER.end + timedelta(days=200)) == 0


def test_r11_what_was_carried_goes_on_for_so_many_periods_and_no_further(house: Database, tmp_path: Path) -> None:
    """Two periods: 30 h go from autumn into winter, the 18 h of them that are left into spring, and there they end.

    The 12 h used in winter are taken from what was carried. Of the 40 h granted there and the 12 used a quarter, 13 h,
    goes over and 27 h lapse.
    """
    with_rules(house, tmp_path, LedgerRules(carry_over=CarryOver(periods=2)))
    spring = next_period(NEXT_QUARTER, CENTRE_ZONE_NAME)
    summer = next_period(spring, CENTRE_ZONE_NAME)
    post(house, Cause.GRANTED, 120, later(0))
    post(house, Cause.DELIVERED, 90, later(1))
    assert tick(house, QUARTER.end) == 1
    post(house, Cause.DELIVERED, 12, QUARTER.end + timedelta(days=9), NEXT_QUARTER, reference="B-8")
    post(house, Cause.GRANTED, 40, QUARTER.end + timedelta(days=10), NEXT_QUARTER)
    assert tick(house, NEXT_QUARTER.end) == 1
    assert told(house, NEXT_QUARTER) == [
        ("carried_over", 30), ("delivered", -12), ("granted", 40), ("carried_over", -18), ("lapsed", -27),
        ("carried_over", -13),
    ]  # fmt: skip
    assert told(house, spring) == [("carried_over", 18), ("carried_over", 13)]
    with house.read() as db:
        assert [each.until for each in store.entries_of(db, account(period=spring))] == [spring.end, summer.end]
    assert tick(house, spring.end) == 1
    assert told(house, spring)[2:] == [("lapsed", -18), ("carried_over", -13)]
    assert told(house, summer) == [("carried_over", 13)]
    assert tick(house, summer.end) == 1
    assert told(house, summer)[1:] == [("lapsed", -13)]
    assert tick(house, summer.end + timedelta(days=900)) == 0


def test_r11_what_is_above_the_quarter_lapses(house: Database) -> None:
    """120 h, 60 used: 30 h go over and 30 h lapse."""
    post(house, Cause.GRANTED, 120, later(0))
    post(house, Cause.DELIVERED, 60, later(1))
    assert tick(house, QUARTER.end) == 1
    assert told(house)[2:] == [("lapsed", -30), ("carried_over", -30)]
    assert told(house, NEXT_QUARTER) == [("carried_over", 30)]


def test_nothing_goes_over_into_a_time_after_the_agreement(house: Database, tmp_path: Path) -> None:
    ending = account(agreement_id="PPP-2")
    with house.write() as db:
        load(db, tmp_path, the_agreement(id="PPP-2", effective_until=date(2026, 12, 31)))
        ledger_service.post(db, ME, a_posting(Cause.GRANTED, 120, account=ending), NOW)
    assert tick(house, QUARTER.end) == 1
    with house.read() as db:
        assert [(each.cause, each.minutes) for each in store.entries(db, "PPP-2")[1:]] == [(Cause.LAPSED, -120 * HOUR)]


def test_a_credit_that_still_runs_outlives_its_period(house: Database) -> None:
    """10 h granted and 4 h credited until January: 2.5 h go over, 7.5 h lapse, and the credit stays until its day."""
    post(house, Cause.GRANTED, 10, later(0))
    post(house, Cause.CREDITED, 4, later(0), until=QUARTER.end + timedelta(days=20))
    assert tick(house, QUARTER.end) == 1
    assert told(house)[2:] == [("lapsed", -7.5), ("carried_over", -2.5)]
    assert tick(house, QUARTER.end + timedelta(days=20)) == 1
    assert told(house)[4:] == [("lapsed", -4)]


# ---------------------------------------------------------------- lapsing, and doing it once


def test_a_credit_lapses_on_its_day_as_far_as_it_is_unused(house: Database, tmp_path: Path) -> None:
    with_rules(house, tmp_path, LedgerRules())
    post(house, Cause.CREDITED, 24, later(0), until=later(60))
    post(house, Cause.DELIVERED, 10, later(10))
    assert tick(house, later(59)) == 0
    assert tick(house, later(60)) == 1
    assert told(house) == [("credited", 24), ("delivered", -10), ("lapsed", -14)]
    assert tick(house, later(900)) == 0


def test_settling_again_posts_nothing_again(house: Database, tmp_path: Path) -> None:
    """At any later time and as often as anybody likes."""
    with_rules(house, tmp_path, LedgerRules(carry_over=CarryOver(), pull_back=R08))
    post(house, Cause.GRANTED, 120, QUARTER.start)
    post(house, Cause.CREDITED, 8, QUARTER.start, until=later(1))
    with house.read() as db:
        first = store.entries(db, "PPP-1")[0]
    for days in (0, 0, 1, 5):
        with house.write() as db:
            service.settle(db, first.id, QUARTER.end + timedelta(days=days))
            known = store.entries(db, "PPP-1")
        assert len(known) == 8, days
    # Of 128 h nothing was used. The credit's 8 h lapse in November; at a third 30 % of 128 h are pulled back (38.4), at
    # two thirds 75 % of 128 - 8 - 38.4 (61.2). Of the 20.4 h that are left 25 % go over (5.1) and 15.3 lapse.
    assert [(each.cause.value, each.minutes / HOUR) for each in known] == [
        ("granted", 120), ("credited", 8), ("lapsed", -8), ("pulled_back", -38.4), ("pulled_back", -61.2),
        ("lapsed", -15.3), ("carried_over", -5.1), ("carried_over", 5.1),
    ]  # fmt: skip


def test_two_workers_cannot_settle_one_account_twice(house: Database) -> None:
    post(house, Cause.GRANTED, 120, later(0))
    post(house, Cause.DELIVERED, 60, later(1))
    with house.read() as db:
        first = store.entries(db, "PPP-1")[0]
    ready = threading.Barrier(4)
    faults: list[Exception] = []

    def work() -> None:
        ready.wait()
        try:
            with house.write() as db:
                service.settle(db, first.id, QUARTER.end)
        except Exception as fault:  # noqa: BLE001 - a fault of any kind is what this test looks for
            faults.append(fault)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert told(house)[2:] == [("lapsed", -30), ("carried_over", -30)]
    assert told(house, NEXT_QUARTER) == [("carried_over", 30)]


def test_the_deadline_of_an_entry_that_is_not_there_is_a_fault(house: Database) -> None:
    with pytest.raises(NotFound), house.write() as db:
        service.settle(db, uuid4(), NOW)
