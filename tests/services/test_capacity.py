"""Open and allocable minutes of real instruments: hours, holidays, closures and planned work together."""

from __future__ import annotations

from labshare.domain.booking_rules import Scope, ScopeKind, WeekHours
from labshare.domain.bookings import BookingKind
from labshare.domain.capacity import Capacity
from labshare.services import booking_rules
from labshare.services.capacity import capacities, opened
from labshare.store import bookings as booking_store
from labshare.store.capacity import timed_instruments
from labshare.store.engine import Database
from tests.furniture import ADMINISTRATOR, FESEM, NMR, XRD, a_booking, actor, at, furnish, span

# Monday 23 to Sunday 29 November 2026; Tuesday is Vietnamese Culture Day.
WEEK = span(23, 0, 24 * 7)
NOBODY = {"person_id": None, "project_id": None}


def test_a_week_with_a_holiday_a_closure_and_planned_work(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        booking_store.add(
            db,
            [
                a_booking(FESEM, span(26, 8, 12), kind=BookingKind.MAINTENANCE, **NOBODY),
                a_booking(FESEM, span(27, 6, 9), kind=BookingKind.ENGINEERING, **NOBODY),
                a_booking(XRD, span(27, 8, 18), kind=BookingKind.CLOSURE, **NOBODY),
                a_booking(NMR, span(25, 8, 18)),
            ],
        )
        found = capacities(db, timed_instruments(db, WEEK), WEEK)
    # Four days of 600 open minutes. FE-SEM: 240 min of maintenance and one open hour of engineering. XRD: a day closed.
    assert found[FESEM] == Capacity(calendar=10080, open=2400, allocable=2100, offered=2100)
    assert found[XRD] == Capacity(calendar=10080, open=1800, allocable=1800, offered=1800)
    # A use takes nothing from what there is.
    assert found[NMR] == Capacity(calendar=10080, open=2400, allocable=2400, offered=2400)


def test_hours_that_are_posted_count_from_then_on_until_they_end(database: Database) -> None:
    """Mondays to Fridays 08:00-18:00, from Wednesday at ten to Thursday at nine 06:00-12:00; Tuesday is a holiday."""
    hours = WeekHours(hours="Mon-Fri 06:00-12:00")
    with database.write() as db:
        furnish(db)
        rule = booking_rules.post(db, actor(ADMINISTRATOR), Scope(ScopeKind.CENTRE, "C-ONE"), hours, at(25, 10))
        posted = {each.number: opened(each, WEEK) for each in timed_instruments(db, WEEK)}
        booking_rules.end(db, actor(ADMINISTRATOR), rule.id, at(26, 9))
        ended = {each.number: opened(each, WEEK) for each in timed_instruments(db, WEEK)}
    assert list(posted[XRD]) == [span(23, 8, 18), span(25, 8, 12), span(26, 6, 12), span(27, 6, 12)]
    assert list(ended[XRD]) == [span(23, 8, 18), span(25, 8, 12), span(26, 6, 18), span(27, 8, 18)]
    assert list(posted[NMR]) == [span(day, 8, 18) for day in (23, 25, 26, 27)]


def test_open_hours_are_those_of_the_instruments_zone(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        (fesem, *_) = timed_instruments(db, WEEK)
    assert list(opened(fesem, WEEK)) == [span(day, 8, 18) for day in (23, 25, 26, 27)]
