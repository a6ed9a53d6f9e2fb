"""Versions are only added, balances are opened once and moved together, and the count masks what it is told to."""

from __future__ import annotations

import threading
from datetime import date
from fractions import Fraction

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from labshare.domain.agreement_documents import Known
from labshare.domain.agreements import Balance, BalanceKey, Counter, Version, terms
from labshare.domain.projects import AccessClass, Activity
from labshare.domain.weighing import Shift
from labshare.store import agreements as store
from labshare.store import bookings as booking_store
from labshare.store import tables as t
from labshare.store.engine import Connection, Database
from tests.domain.test_agreements import a_rule, an_agreement
from tests.furniture import FESEM, NOW, XRD, a_booking, at, furnish, span

FIRST, SECOND = at(2, 0), at(9, 0)


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
        add(db, 1)
    return database


def add(db: Connection, number: int, **changes: object) -> None:
    agreement = an_agreement(a_rule(share=Fraction(1, 3)), **changes)
    store.add_version(db, Version(number=number, agreement=agreement), actor_id=None, now=NOW)


def a_balance(start: object = FIRST, **changes: object) -> Balance:
    values = {"agreement_id": "A", "rule_id": "R", "scope_key": "", "window_start": start, "window_end": at(29, 0)}
    return Balance(**(values | {"base_minutes": 600, "matched_minutes": 60, "total_minutes": 90} | changes))  # type: ignore[arg-type]


def test_versions_are_kept_and_found_by_their_days(house: Database) -> None:
    with house.write() as db:
        add(db, 2, effective_from=date(2027, 1, 1), effective_until=date(2027, 6, 30), title_en="Renewed")
        assert [version.number for version in store.versions_of(db, "A")] == [1, 2]
        assert store.versions_of(db, "A")[0].agreement.rules[0].share == Fraction(1, 3)
        assert store.versions_of(db, "B") == []
        # The first has no end; the second is in force to its last day.
        assert [v.number for v in store.versions(db, date(2027, 6, 30), date(2027, 7, 1))["A"]] == [1, 2]
        assert [v.number for v in store.versions(db, date(2027, 7, 1), date(2027, 7, 1))["A"]] == [1]
        assert store.versions(db, date(2025, 12, 1), date(2025, 12, 31)) == {}
        row = db.execute(sa.select(t.agreements)).one()
        assert (row.version, row.title_en) == (2, "Renewed")


def test_a_version_is_never_written_twice(house: Database) -> None:
    with pytest.raises(IntegrityError), house.write() as db:
        add(db, 1, title_en="Another text")


def test_a_balance_that_somebody_opened_first_stands(house: Database) -> None:
    with house.write() as db:
        store.open_balances(db, [a_balance()])
        store.open_balances(db, [a_balance(matched_minutes=0, base_minutes=1), a_balance(SECOND)])
        found = store.balances_of(db, "A")
        assert [(each.window_start, each.base_minutes, each.matched_minutes) for each in found.values()] == [
            (FIRST, 600, 60),
            (SECOND, 600, 60),
        ]
        keys = set(found) | {BalanceKey("A", "R", "elsewhere", FIRST)}
        assert store.existing(db, keys) == set(found)
        # All or none: nothing is locked while one is missing.
        assert store.lock_if_open(db, keys) == {}
        assert store.lock_if_open(db, set(found)) == found
        assert store.frozen_bases(db, keys) == dict.fromkeys(found, 600)
        assert store.balances_of(db, "B") == {}


def test_balances_move_by_what_is_posted_and_never_below_nothing(house: Database) -> None:
    (term,) = terms(list(_versions(house)))
    balance = a_balance()
    shift = Shift(counter=Counter(term=term, scope_key="", window=balance.window), matched=-60, total=-30)
    with house.write() as db:
        store.open_balances(db, [balance])
        store.shift_balances(db, [shift])
        (moved,) = store.lock_balances(db, [balance.key]).values()
        assert (moved.matched_minutes, moved.total_minutes) == (0, 60)
    with pytest.raises(IntegrityError), house.write() as db:
        store.shift_balances(db, [shift])


def _versions(house: Database) -> list[Version]:
    with house.read() as db:
        return store.versions_of(db, "A")


def test_corrected_and_dropped_balances_are_those_named(house: Database) -> None:
    with house.write() as db:
        store.open_balances(db, [a_balance(), a_balance(SECOND)])
        store.correct_balances(db, [a_balance(matched_minutes=5, total_minutes=6, base_minutes=1)])
        store.drop_balances(db, [a_balance(SECOND).key])
        (left,) = store.balances_of(db).values()
    # What was frozen stays frozen.
    assert (left.matched_minutes, left.total_minutes, left.base_minutes) == (5, 6, 600)


def test_an_agreement_waits_for_bookings_that_are_being_written(house: Database) -> None:
    """Whoever brings an agreement into force sees every booking that was judged without it."""
    seen: list[int] = []
    locked, started = threading.Event(), threading.Event()

    def load() -> None:
        locked.wait()
        started.set()
        with house.write() as db:
            store.hold_still(db)
            seen.append(len(db.execute(sa.select(t.bookings.c.id)).all()))

    loader = threading.Thread(target=load)
    loader.start()
    with house.write() as db:
        booking_store.lock(db, [FESEM])
        locked.set()
        started.wait()
        booking_store.add(db, [a_booking(FESEM, span(26, 8, 9))])
    loader.join()
    assert seen == [1]


def test_a_count_sums_by_party_and_window_and_masks_the_rest(house: Database) -> None:
    industry = {"organisation_id": "O-CO", "access_class": AccessClass.INDUSTRY, "activity": Activity.ECONOMIC}
    with house.write() as db:
        booking_store.add(
            db,
            [
                a_booking(FESEM, span(20, 8, 10)),
                a_booking(FESEM, span(26, 8, 9)),
                a_booking(XRD, span(26, 8, 11), **industry),
            ],
        )
        whole, day = span(16, 0, 24 * 14), span(26, 0, 24)
        rows = store.count(db, [whole, day], NOW, None)
        assert sorted((r.window == day, r.organisation_id, r.used, r.committed, r.firm, r.rival) for r in rows) == [
            (False, "I-IMS", 120, 60, 60, None),
            (False, "O-CO", 0, 180, 180, None),
            (True, "I-IMS", 0, 60, 60, None),
            (True, "O-CO", 0, 180, 180, None),
        ]
        masked = store.count(db, [day], NOW, [FESEM, XRD], named={"O-CO"})
        assert {(row.organisation_id, row.rival is None) for row in masked} == {("O-CO", True), (None, False)}
        assert store.count(db, [], NOW, None) == []


def test_an_agreement_may_name_what_there_is(house: Database) -> None:
    with house.read() as db:
        assert store.known(db) == Known(
            organisation_ids=frozenset({"I-IMS", "O-CO"}),
            centre_ids=frozenset({"C-ONE", "C-TWO"}),
            instrument_ids=frozenset({"N001", "N002", "N003"}),
            project_codes=frozenset({"KC-01", "DN-01"}),
        )
