"""What agreements cost in a large house: 1,000 share rules, 1,000 instruments, 1,000,000 bookings of one year.

Where all rules stand, what they add to the check of a booking, and a posting to the ledger. The year is the 305 days
behind `NOW` and the 60 ahead, which is how far people may book; no day of it has fewer bookings than another. CPU is
that of this process; PostgreSQL's own is not in it. `make bench` prints a line for each.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from datetime import date, timedelta
from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from labshare.domain.agreements import (
    Agreement,
    Counter,
    Kind,
    Level,
    Scope,
    Selector,
    ShareRule,
    Use,
    Version,
    measure,
)
from labshare.domain.ledger import Cause, LedgerAccount, Posting
from labshare.domain.projects import AccessClass, Activity
from labshare.domain.timespan import MINUTE, Span
from labshare.domain.windows import Window, window_at
from labshare.services import balances, entitlements, ledger, weighing
from labshare.services.usages import usages
from labshare.store import agreements as store
from labshare.store import balance_days as days_store
from labshare.store import tables as t
from labshare.store.engine import Connection, Database
from labshare.store.rulebooks import rulebook
from labshare.store.types import EPOCH, UTCDateTime
from tests.furniture import NOW, OFFICE, RESEARCHER, actor, counted, furnish

CENTRES, INSTRUMENTS_EACH, PARTIES = 50, 20, 40
AGREEMENTS, RULES_EACH = 50, 20
BOOKINGS_EACH, MINUTES = 1000, 240
FIRST = 1000  # the number of the first instrument
BEHIND = timedelta(days=305)
YEAR = timedelta(days=365)
CLASSES = tuple(AccessClass)[:5]


def _kind(database: Database) -> str:
    return "sqlite" if database.is_sqlite else "postgresql"


# ---------------------------------------------------------------- the house


def _centre(place: int) -> str:
    return f"B-{place:02}"


def _furnish(db: Connection) -> None:
    furnish(db)
    parties = [{"id": f"P-{place:02}", "kind": "company"} for place in range(PARTIES)]
    db.execute(sa.insert(t.organisations), parties)
    centres = [{"id": _centre(place), "host_id": "I-IMS", "stage": "operating"} for place in range(CENTRES)]
    db.execute(sa.insert(t.centres), centres)
    db.execute(
        sa.insert(t.instruments),
        [
            {
                "number": FIRST + place, "id": f"B{place:04}", "centre_id": _centre(place // INSTRUMENTS_EACH),
                "capability_id": "XRD", "booking_mode": "time", "opening": "Mon-Fri 08:00-18:00", "min_minutes": 30,
                "max_minutes": 480, "granularity_minutes": 30, "advance_days": 60,
            }
            for place in range(CENTRES * INSTRUMENTS_EACH)
        ],
    )  # fmt: skip
    db.execute(
        sa.insert(t.projects),
        [
            {
                "id": UUID(int=1000 + place), "code": f"BP-{place}", "organisation_id": f"P-{place:02}",
                "pi_id": RESEARCHER, "access_class": CLASSES[place % len(CLASSES)], "activity": Activity.ECONOMIC,
            }
            for place in range(PARTIES)
        ],
    )  # fmt: skip


def _book(db: Connection, database: Database) -> int:
    """A booking of four hours each 8 h 45 min on each instrument, by one party after another. Returns how many.

    PostgreSQL, whose guard takes minutes for a year, gets the last fifth of it: 13 days behind, and all that is ahead.
    """
    step = YEAR // BOOKINGS_EACH // MINUTE
    turns = sa.select(sa.literal(0 if database.is_sqlite else BOOKINGS_EACH * 4 // 5).label("turn")).cte(recursive=True)
    turns = turns.union_all(sa.select(turns.c.turn + 1).where(turns.c.turn < BOOKINGS_EACH - 1))
    number = t.instruments.c.number
    begins = sa.literal((NOW - BEHIND - EPOCH) // MINUTE) + turns.c.turn * step + (number % 10) * 3
    new_id = sa.func.lower(sa.func.hex(sa.func.randomblob(16))) if database.is_sqlite else sa.func.gen_random_uuid()
    values: dict[str, Any] = {
        "id": new_id, "instrument_number": number, "kind": sa.literal("use"), "state": sa.literal("confirmed"),
        "starts_at": begins, "ends_at": begins + MINUTES, "occupied_from": begins, "occupied_until": begins + MINUTES,
        "person_id": sa.literal(RESEARCHER, sa.Uuid()), "project_id": t.projects.c.id,
        "organisation_id": t.projects.c.organisation_id, "access_class": t.projects.c.access_class,
        "activity": t.projects.c.activity, "created_at": sa.literal(NOW, UTCDateTime()),
        "updated_at": sa.literal(NOW, UTCDateTime()),
    }  # fmt: skip
    party = sa.cast((number * 7 + turns.c.turn) % PARTIES, sa.Text)
    rows = sa.select(*values.values()).where(number >= FIRST, t.projects.c.code == sa.literal("BP-") + party)
    db.execute(sa.insert(t.bookings).from_select(list(values), rows))
    return db.execute(sa.select(sa.func.count()).select_from(t.bookings)).scalar_one()


def _agreement(place: int) -> Agreement:
    """Twenty rules over one centre, an instrument of it, or the network: of classes, of parties, of everybody."""
    party = f"P-{place % PARTIES:02}"
    scopes = (Scope(centres=(_centre(place % CENTRES),)),) * 7 + (
        Scope(instruments=(f"B{place * INSTRUMENTS_EACH:04}",)),
        Scope(instruments=(f"B{place * INSTRUMENTS_EACH + 1:04}",)),
        Scope(),
    )
    whom = (
        Selector(organisation=(party,)),
        Selector(access_class=(CLASSES[place % len(CLASSES)],)),
        Selector(organisation=(party,), activity=(Activity.ECONOMIC,)),
        Selector(outside=True),
    )
    kinds = (Kind.CAP, Kind.CAP, Kind.FLOOR)
    windows = (Window.MONTH, Window.QUARTER, Window.YEAR)
    return Agreement(
        format="labshare-agreement/1",
        id=f"BENCH-{place:02}",
        title_vi="Đo",
        title_en="Bench",
        parties=(party, "I-IMS"),
        effective_from=date(2025, 1, 1),
        rules=tuple(
            ShareRule(
                id=f"r{turn:02}",
                # A rule over the network counts one party.
                kind=kinds[turn % 3] if scopes[turn % 10] != Scope() else Kind.CAP,
                window=windows[turn % 3],
                who=whom[turn % 4] if scopes[turn % 10] != Scope() else whom[0],
                where=scopes[turn % 10],
                level=Level.SCOPE,
                share=Fraction(1) if kinds[turn % 3] is Kind.CAP else Fraction(0),
            )
            for turn in range(RULES_EACH)
        ),
    )


@pytest.fixture
def house(database: Database) -> Database:
    """The house with every balance of today open, as bookings open them."""
    began = time.monotonic()
    with database.write() as db:
        _furnish(db)
        many = _book(db, database)
        for place in range(AGREEMENTS):
            store.add_version(db, Version(number=1, agreement=_agreement(place)), actor_id=None, now=NOW)
    if not database.is_sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            db.exec_driver_sql("ANALYZE")
    filled = time.monotonic() - began
    with database.write() as db:
        book = rulebook(db)
        counters = [
            Counter(term=term, scope_key="", window=window_at(term.rule.window, NOW, term.agreement.timezone))
            for term in book.over(Span(NOW, NOW + MINUTE))
        ]
        before = time.monotonic()
        store.open_balances(db, balances.counted(db, counters, NOW))
        days_store.open_days(db, balances.days_ahead(db, book, counters, NOW))
        opened = time.monotonic() - before
    print(f"\n{_kind(database)}: {many} bookings filled in {filled:.0f} s, {len(counters)} balances in {opened:.1f} s")
    return database


def _measured(what: str, database: Database, call: Callable[[int], object], rounds: int = 20) -> None:
    """One line: how many statements the first call makes, and how long each of the later ones takes."""
    with counted(database.engine) as statements:
        first = time.perf_counter()
        call(0)
        first = (time.perf_counter() - first) * 1000
    gc.collect()
    walls: list[float] = []
    cpus: list[float] = []
    for turn in range(1, 1 + rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        call(turn)
        cpus.append((time.process_time() - cpu) * 1000)
        walls.append((time.perf_counter() - wall) * 1000)
    print(
        f"{what:44} {_kind(database):10} {len(statements):3} queries  ms: median {statistics.median(walls):7.2f}"
        f"  least {min(walls):7.2f}  CPU: median {statistics.median(cpus):6.2f}  least {min(cpus):6.2f}"
        f"  first {first:8.1f}"
    )


# ---------------------------------------------------------------- what is measured


def test_measures_bookings_and_postings(house: Database) -> None:
    _where_all_rules_stand(house)
    _check_of_a_booking(house)
    _posting(house)


def _where_all_rules_stand(house: Database) -> None:
    def read(delivered: bool) -> int:
        with house.read() as db:
            return len(entitlements.standings(db, actor(OFFICE), NOW, NOW, delivered=delivered))

    def measured() -> int:
        with house.read() as db:
            book = rulebook(db)
            counters = [
                Counter(term=term, scope_key="", window=window_at(term.rule.window, NOW, term.agreement.timezone))
                for term in book.over(Span(NOW, NOW + MINUTE))
            ]
            found = usages(db, counters, NOW, NOW)
            return len([measure(each.term.rule, found[each.key][0]) for each in counters])

    assert read(False) == measured() == AGREEMENTS * RULES_EACH
    _measured("measure 1,000 rules, from balances", house, lambda _: measured())
    _measured("their page, for who sees all of them", house, lambda _: read(False))
    _measured("the same, counted from the bookings", house, lambda _: read(True), rounds=1)


def _check_of_a_booking(house: Database) -> None:
    def use(turn: int) -> Use:
        start = NOW + timedelta(days=61, minutes=turn)
        return Use(
            organisation_id="P-00", access_class=CLASSES[0], activity=Activity.ECONOMIC, project_id=UUID(int=1000),
            instrument_number=FIRST, instrument_id="B0000", centre_id=_centre(0), span=Span(start, start + 60 * MINUTE),
        )  # fmt: skip

    with house.write() as db:
        # In the new year and month most of its balances are still to be opened: the first booking of a window does.
        opening = weighing.weigh(db, added=[use(0)], now=NOW)
        weighing.post(db, opening)
        _measured(
            f"weigh a booking ({len(opening.shifts)} of 1,000 rules count it)",
            house,
            lambda turn: weighing.weigh(db, added=[use(turn)], now=NOW),
            rounds=200,
        )
        weighed = weighing.weigh(db, added=[use(1)], now=NOW)
        _measured("post it to its balances", house, lambda _: weighing.post(db, weighed), rounds=50)


def _posting(house: Database) -> None:
    quarter = window_at(Window.QUARTER, NOW, "Asia/Ho_Chi_Minh")
    account = LedgerAccount(agreement_id="BENCH-00", organisation_id="P-00", period=quarter)

    def post(turn: int) -> None:
        posting = Posting(account=account, cause=Cause.GRANTED, minutes=60, rule_id="r00", reference=f"{turn + 2}/QD")
        ledger.post(db, actor(OFFICE), posting, NOW)

    with house.write() as db:
        with counted(house.engine) as statements:
            post(-1)
        inserts = [each for each in statements if "INTO ledger_entries" in each]
        print(f"a posting is {len(inserts)} insert into the ledger, of {len(statements)} statements:")
        print("  " + "; ".join(" ".join(each.split()[:4]) for each in statements))
        _measured("post to the ledger", house, post)
