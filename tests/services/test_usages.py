"""Where a rule stands is read from its balance, and is what its bookings say, whatever state they are in."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from labshare.domain.agreements import Level, Scope
from labshare.domain.bookings import BookingState
from labshare.services import balances, entitlements
from labshare.store import bookings as booking_store
from labshare.store.engine import Database
from tests.furniture import FESEM, MANAGER, NMR, NOW, OFFICE, XRD, a_booking, actor, at, counted, furnish, span
from tests.shares import a_floor, a_rule, a_run, an_agreement, by_industry, load, put


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Database:
    """A floor of public research and a cap of industry, with a balance each, and bookings in every state."""
    with database.write() as db:
        furnish(db)
        each = a_rule(id="each", share=Fraction(1), level=Level.INSTRUMENT, where=Scope())
        load(db, tmp_path, an_agreement(a_floor(share=Fraction(1, 10)), a_rule(), each))
        done = a_booking(XRD, span(23, 6, 7), state=BookingState.DONE)
        running = a_booking(FESEM, span(23, 7, 10), state=BookingState.IN_USE)
        held = a_booking(XRD, span(26, 8, 10), state=BookingState.HELD, hold_expires_at=NOW + timedelta(days=1))
        pending = a_booking(FESEM, span(23, 14, 15), state=BookingState.PENDING)
        # 17:00 in Hanoi on the 26th to 09:00 on the 27th: over midnight of UTC.
        put(db, done, running, held, pending, a_booking(FESEM, span(26, 17, 33)), by_industry(XRD, span(24, 8, 10)))
        early = a_booking(XRD, span(23, 10, 12), state=BookingState.DONE)
        booking_store.add(db, [early])
        a_run(db, early.id, XRD, span(23, 7, 8))
        balances.rebuild(db, NOW)
    return database


@pytest.mark.parametrize("hours", [0, 0.5, 8, 24, 75, 82, 95, 24 * 8])
def test_a_balance_tells_what_the_bookings_say(house: Database, hours: float) -> None:
    now = NOW + timedelta(hours=hours)
    with house.read() as db:
        read, by_hand = (
            [
                (each.rule.id, each.scope_key, each.window, each.base_minutes, each.measure, each.state)
                for each in entitlements.standings(db, actor(OFFICE), NOW, now, delivered=is_counted)
            ]
            for is_counted in (False, True)
        )
    assert read == by_hand
    assert {row[:2] for row in read} == {
        ("public-floor", ""), ("industry-cap", ""), ("each", "N001"), ("each", "N002"), ("each", "N003"),
    }  # fmt: skip


def test_the_figures_of_a_floor_are_those_worked_by_hand(house: Database) -> None:
    with house.read() as db:
        (floor,) = [
            each for each in entitlements.standings(db, actor(OFFICE), NOW, NOW) if each.rule.id == "public-floor"
        ]
    assert floor.measure
    # Now is 08:00. Past: an hour that is done, 60 delivered of the two hours that ended early, and one of the running.
    assert floor.measure.used == 60 + 60 + 60
    # To come: two hours of the running one, two held, one pending, 16 over night.
    assert floor.measure.committed == 120 + 120 + 60 + 960
    # Neither what is held nor what is pending satisfies a floor; a tenth of 4,800 minutes is to be reached.
    assert floor.measure.slack == 180 + 1260 - 180 - 480
    assert floor.delivered is None


def test_who_sees_all_of_a_rule_has_it_read_and_no_booking_of_its_window_counted(house: Database) -> None:
    with house.read() as db, counted(house.engine) as seen:
        entitlements.standings(db, actor(OFFICE), NOW, NOW)
    # Industry has not been on two of three instruments, so their balances are missing, and are counted.
    assert len(seen) == 10
    with house.write() as db:
        put(db, by_industry(FESEM, span(25, 8, 9)), by_industry(NMR, span(25, 8, 9)))
    with house.read() as db, counted(house.engine) as seen:
        entitlements.standings(db, actor(OFFICE), NOW, NOW)
    # Instruments, stamp, balances with their days, stamp, the rest of today, what is not firm.
    assert len(seen) == 6


def test_a_manager_reads_the_same_of_the_rules_of_their_centre(house: Database) -> None:
    later = at(26, 20)
    with house.read() as db:
        office, manager = (
            {
                (each.rule.id, each.scope_key): each.measure
                for each in entitlements.standings(db, actor(person), NOW, later)
                if each.rule.id != "each"
            }
            for person in (OFFICE, MANAGER)
        )
    assert office == manager
