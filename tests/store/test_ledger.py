"""The ledger's table: entries are only added, none is lost, and the database's sums equal the pure fold."""

from __future__ import annotations

import threading
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError

from labshare.domain.ledger import ONCE, Cause, LedgerEntry
from labshare.domain.ledger import balance as fold
from labshare.store import ledger as store
from labshare.store.engine import Database
from labshare.store.ledger import StateOrder
from labshare.store.tables import ledger_entries, state_orders
from tests.furniture import NOW, OFFICE, counted
from tests.ledger_house import HOUR, NEXT_QUARTER, QUARTER, account, furnish_ledger, later


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Database:
    with database.write() as db:
        furnish_ledger(db, tmp_path)
    return database


def entry(
    minutes: int,
    *,
    cause: Cause = Cause.GRANTED,
    at: datetime = NOW,
    organisation_id: str = "O-CO",
    reference: str = "",
    corrects: UUID | None = None,
    until: datetime | None = None,
) -> LedgerEntry:
    return LedgerEntry(
        id=uuid4(),
        account=account(organisation_id),
        cause=cause,
        minutes=minutes,
        posted_at=at,
        rule_id="R04",
        version=1,
        reference=reference,
        authorised_by=OFFICE,
        corrects=corrects,
        until=until,
    )


def add(database: Database, *new: LedgerEntry) -> bool:
    with database.write() as db:
        return store.append(db, new)


def test_an_entry_comes_back_as_it_was_posted(house: Database) -> None:
    wrong = entry(120 * HOUR, reference="15/2026/QĐ", until=later(60))
    right = entry(-20 * HOUR, cause=Cause.CORRECTED, corrects=wrong.id, at=later(1))
    assert add(house, wrong)
    assert add(house, right)
    with house.read() as db:
        assert store.get(db, wrong.id) == wrong
        assert store.get(db, uuid4()) is None
        assert store.entries(db, "PPP-1") == [wrong, right]
        assert store.entries(db, "PPP-1", NOW) == [wrong]


def test_entries_of_one_posting_are_one_statement(house: Database) -> None:
    with house.write() as db, counted(house.engine) as seen:
        store.append(db, [entry(-HOUR, cause=Cause.TRANSFERRED), entry(HOUR, cause=Cause.TRANSFERRED)])
    assert len(seen) == 1
    assert seen[0].startswith("INSERT INTO ledger_entries")


@pytest.mark.parametrize("table", [ledger_entries, state_orders], ids=lambda table: table.name)
@pytest.mark.parametrize("change", ["update", "delete"])
def test_the_database_itself_refuses_to_change_or_delete(house: Database, table: sa.Table, change: str) -> None:
    add(house, entry(HOUR))
    with house.write() as db:
        store.add_order(db, an_order("808/QĐ", 80))
    with house.read() as db:
        before = db.execute(sa.select(table)).all()
    assert len(before) == 1
    statement = sa.delete(table) if change == "delete" else sa.update(table).values(minutes=1)
    with pytest.raises(DBAPIError, match="ledger_append_only"), house.write() as db:
        db.execute(statement)
    with house.read() as db:
        assert db.execute(sa.select(table)).all() == before


def test_postgresql_refuses_to_empty_the_ledger_at_a_stroke(house: Database) -> None:
    add(house, entry(HOUR))
    if house.is_sqlite:
        # SQLite has no TRUNCATE; a DELETE without WHERE meets the trigger because there is one.
        with pytest.raises(DBAPIError, match="ledger_append_only"), house.write() as db:
            db.exec_driver_sql("DELETE FROM ledger_entries")
    else:
        with pytest.raises(DBAPIError, match="ledger_append_only"), house.write() as db:
            db.exec_driver_sql("TRUNCATE ledger_entries CASCADE")
    with house.read() as db:
        assert store.balance(db, account()) == HOUR


def test_what_a_rule_posts_once_is_posted_once(house: Database) -> None:
    """Every cause that rules post, and none of those that people may post again under one reference."""
    for cause in Cause:
        values = {"corrects": None, "until": later(60) if cause is Cause.CREDITED else None}
        if cause is Cause.CORRECTED:
            continue
        first, second = (entry(HOUR, cause=cause, reference="A-1", **values) for _ in range(2))  # type: ignore[arg-type]
        assert add(house, first)
        assert add(house, second) is (cause not in ONCE), cause
        assert add(house, entry(HOUR, cause=cause, reference="A-2", until=values["until"])), cause


@pytest.mark.parametrize(
    "broken",
    [
        entry(0),
        entry(HOUR, cause=Cause.CORRECTED),
        entry(HOUR, corrects=uuid4()),
        entry(HOUR, cause=Cause.CREDITED),
        entry(HOUR, organisation_id="O-NONE"),
    ],
    ids=["no minutes", "corrects nothing", "corrects and grants", "a credit without a day", "nobody's"],
)
def test_the_table_refuses_what_can_mean_nothing(house: Database, broken: LedgerEntry) -> None:
    with pytest.raises(DBAPIError):
        add(house, broken)
    with house.read() as db:
        assert store.entries(db, "PPP-1") == []


def test_no_posting_is_lost_however_many_post_at_once(house: Database) -> None:
    """Eight threads post 15 entries of one hour each: 120 h, and 120 entries."""

    def work(number: int) -> None:
        for turn in range(15):
            add(house, entry(HOUR, reference=f"{number}-{turn}"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with house.read() as db:
        assert store.balance(db, account()) == 120 * HOUR
        assert len({each.reference for each in store.entries(db, "PPP-1")}) == 120


MOVES = st.lists(
    st.tuples(
        st.integers(-5000, 5000).filter(bool), st.integers(0, 40), st.sampled_from(["O-CO", "I-IMS"]), st.booleans()
    ),
    max_size=12,
)


@given(moves=MOVES, days=st.integers(-1, 41))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
def test_the_databases_sum_is_the_fold_at_every_instant(
    house: Database, moves: list[tuple[int, int, str, bool]], days: int
) -> None:
    """Whatever was posted, in whatever order, by the end of any hour of any day."""
    with house.read() as db:
        before = len(store.entries(db, "PPP-1"))
    new = [
        entry(minutes, at=later(day) + timedelta(microseconds=odd), organisation_id=who)
        for minutes, day, who, odd in moves
    ]
    if new:
        add(house, *new)
    at = later(days)
    with house.read() as db:
        known = store.entries(db, "PPP-1")
        assert len(known) == before + len(new)
        for who in ("O-CO", "I-IMS"):
            own = [each for each in known if each.account.organisation_id == who]
            assert store.balance(db, account(who), at) == fold(own, at)
            assert store.entries_of(db, account(who), at) == [each for each in own if each.posted_at <= at]
            assert store.entries(db, "PPP-1", at, organisation_ids=[who]) == store.entries_of(db, account(who), at)


def test_accounts_and_the_entries_of_an_organisation(house: Database) -> None:
    first, other = entry(HOUR), entry(2 * HOUR, organisation_id="I-IMS")
    add(house, first, other)
    with house.read() as db:
        assert store.accounts(db, "PPP-1") == [account("I-IMS"), account("O-CO")]
        assert store.entries_for(db, ["O-CO"], NOW) == [first]
        assert store.entries_for(db, [], NOW) == []
        assert store.balance(db, account(period=NEXT_QUARTER)) == 0


def an_order(reference: str, hours: int) -> StateOrder:
    return StateOrder(
        id=uuid4(), agreement_id="PPP-1", reference=reference, period=QUARTER, starts_on=date(2026, 12, 8),
        minutes=hours * HOUR, ordered_at=NOW, authorised_by=OFFICE,
    )  # fmt: skip


def test_state_orders_of_a_period_add_up_and_each_stands_once(house: Database) -> None:
    with house.write() as db:
        assert store.add_order(db, an_order("808/QĐ", 80))
        assert store.add_order(db, an_order("809/QĐ", 4))
        assert not store.add_order(db, an_order("808/QĐ", 1))
        assert store.ordered_minutes(db, "PPP-1", QUARTER) == 84 * HOUR
        assert store.ordered_minutes(db, "PPP-1", NEXT_QUARTER) == 0
