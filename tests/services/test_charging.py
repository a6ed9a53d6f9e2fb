"""What a use takes from its party's entitlement: as delivered, once, below zero if need be, and put right later."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import pytest

from labshare.domain.bookings import Booking
from labshare.domain.courtesy import Courtesy, Penalties
from labshare.domain.ledger import Cause, used
from labshare.domain.ledger_clauses import Charging
from labshare.services import charging as service
from labshare.services import ledger as ledger_service
from labshare.services.charging import Outcome
from labshare.store import bookings as booking_store
from labshare.store import ledger as store
from labshare.store.engine import Connection, Database
from tests.furniture import COMPETITOR, FESEM, INDUSTRY_PROJECT, MANAGER, NOW, OFFICE, a_booking, actor, span
from tests.ledger_house import HOUR, NEXT_QUARTER, a_posting, account, furnish_ledger, later, the_agreement
from tests.shares import load

# Wednesday 25 November, 8:00 to 16:00.
EIGHT_HOURS = span(25, 8, 16)


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Database:
    """The partner has 120 h in the quarter."""
    with database.write() as db:
        furnish_ledger(db, tmp_path, charging=Charging())
        ledger_service.post(db, actor(OFFICE), a_posting(Cause.GRANTED, 120), NOW)
    return database


def a_use(db: Connection, **changes: Any) -> Booking:
    """Eight hours of the partner's project under PPP-1."""
    partners = {
        "person_id": COMPETITOR, "project_id": INDUSTRY_PROJECT, "organisation_id": "O-CO", "agreement_id": "PPP-1",
    }  # fmt: skip
    booking = a_booking(FESEM, changes.pop("when", EIGHT_HOURS), **(partners | changes))
    booking_store.add(db, [booking])
    return booking


def told(db: Connection, **of: Any) -> list[tuple[str, float]]:
    """The entries after the grant, in hours."""
    return [(each.cause.value, each.minutes / HOUR) for each in store.entries_of(db, account(**of))[1:]]


@pytest.mark.parametrize(
    ("outcome", "entries"),
    [
        (Outcome(delivered=7 * HOUR), [("delivered", -7)]),
        # A classical night of 8 h counts three quarters of it.
        (Outcome(delivered=8 * HOUR, is_classical=True), [("delivered", -6)]),
        # After a fault 3 h into 8, 8 h go and 5 h come back.
        (Outcome(delivered=3 * HOUR, fault_at=3 * HOUR), [("delivered", -8), ("refunded", 5)]),
        (Outcome(delivered=0), []),
    ],
)
def test_r22_what_was_delivered_is_charged_and_a_fault_refunded(
    house: Database, outcome: Outcome, entries: list[tuple[str, float]]
) -> None:
    with house.write() as db:
        use = a_use(db)
        posted = service.charge(db, use, outcome, later(3), by=MANAGER)
        assert told(db) == entries
    for each in posted:
        assert (each.reference, each.rule_id, each.version, each.authorised_by) == (str(use.id), "R22", 1, MANAGER)


def test_half_of_what_a_fault_spoils_is_given_back_where_the_clause_says_so(house: Database, tmp_path: Path) -> None:
    """A fault 3 h into 8 with half refunded: 5.5 h are charged; 8 h go and 2.5 h come back."""
    with house.write() as db:
        load(db, tmp_path, the_agreement(charging=Charging(fault_refund=Fraction(1, 2))))
        service.charge(db, a_use(db), Outcome(delivered=3 * HOUR, fault_at=3 * HOUR), later(3))
        assert told(db) == [("delivered", -8), ("refunded", 2.5)]


def test_a_use_is_charged_once_and_a_changed_record_is_put_right(house: Database) -> None:
    """8 h, then a fault after 3 h is found (5 h back), then it was after 4 h (4 h back); then 6 h and no fault."""
    with house.write() as db:
        use = a_use(db)
        for _ in range(2):
            service.charge(db, use, Outcome(delivered=8 * HOUR), later(3))
        assert told(db) == [("delivered", -8)]
        for hours in (3, 4, 4):
            service.charge(db, use, Outcome(delivered=hours * HOUR, fault_at=hours * HOUR), later(4))
        assert told(db)[1:] == [("refunded", 5), ("corrected", -1)]
        service.charge(db, use, Outcome(delivered=6 * HOUR), later(5))
        assert told(db)[3:] == [("corrected", 2), ("corrected", -4)]
        known = store.entries_of(db, account())
        assert [known[place].corrects for place in (3, 4, 5)] == [known[2].id, known[1].id, known[2].id]
        assert used(known, later(6)) == 6 * HOUR
        # The same figures again: nothing.
        assert service.charge(db, use, Outcome(delivered=6 * HOUR), later(6)) == []


def test_a_use_is_charged_though_nothing_is_left(house: Database) -> None:
    """120 h granted, 118 used: a use of 8 h leaves 6 h below zero."""
    with house.write() as db:
        ledger_service.post(db, actor(OFFICE), a_posting(Cause.DELIVERED, 118, reference="B-1"), NOW)
        service.charge(db, a_use(db), Outcome(delivered=8 * HOUR), later(3))
        assert store.balance(db, account()) == -6 * HOUR


def test_the_period_is_the_one_in_which_the_use_begins(house: Database) -> None:
    """Whatever the day of the check-out: a use of January is the next quarter's, one of November this quarter's."""
    with house.write() as db:
        january = a_use(db, when=span(25, 49 * 24 + 8, 49 * 24 + 10))
        assert [each.account.period for each in service.charge(db, january, Outcome(delivered=120), later(60))] == [
            NEXT_QUARTER
        ]
        service.charge(db, a_use(db), Outcome(delivered=60), later(60))
        assert told(db) == [("delivered", -1)]


@pytest.mark.parametrize("changes", [{"agreement_id": None}, {"organisation_id": "I-IMS"}, {"organisation_id": None}])
def test_who_has_no_entitlement_is_charged_nothing(house: Database, tmp_path: Path, changes: dict[str, Any]) -> None:
    with house.write() as db:
        both = the_agreement()
        partners = tuple(each for each in both.entitlements if each.party == "O-CO")
        load(db, tmp_path, msgspec.structs.replace(both, entitlements=partners))
        assert service.charge(db, a_use(db, **changes), Outcome(delivered=60), later(3)) == []
        assert len(store.entries(db, "PPP-1")) == 1


def test_r21_nobody_came_and_a_part_of_the_booking_is_charged(house: Database, tmp_path: Path) -> None:
    """Half of 8 h are 4 h. Where the agreement says nothing of it, nothing."""
    with house.write() as db:
        nobody = Outcome(is_no_show=True)
        assert service.charge(db, a_use(db), nobody, later(3)) == []
        courtesy = Courtesy(penalties=Penalties(no_show_charge=Fraction(1, 2)))
        load(db, tmp_path, the_agreement(courtesy=courtesy))
        (entry,) = service.charge(db, a_use(db, when=span(26, 8, 16)), nobody, later(3))
        assert (entry.cause, entry.minutes, entry.rule_id, entry.version) == (Cause.DELIVERED, -240, "R21", 2)
        # A manager takes that back: once, and where nothing was charged nothing.
        use = a_use(db, when=span(27, 8, 16))
        service.charge(db, use, nobody, later(3))
        (back,) = service.charge(db, use, Outcome(is_void=True), later(4))
        assert (back.cause, back.minutes) == (Cause.CORRECTED, 240)
        assert service.charge(db, use, Outcome(is_void=True), later(5)) == []
        assert service.charge(db, a_use(db, when=span(28, 8, 16)), Outcome(is_void=True), later(5)) == []
