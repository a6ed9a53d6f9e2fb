"""A past period's demand as the facts of a round: what counts, how far it may move, and what stands as it was.

The period is the week from Monday 16 to Sunday 22 November 2026 in Hanoi; the XRD is open for ten hours on five days.
"""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from labshare.domain.bookings import Booking, BookingKind, BookingState
from labshare.domain.time_requests import RequestState
from labshare.domain.timespan import Span
from labshare.services import demand
from labshare.services.demand import Demand, slot_minutes
from labshare.store import bookings as bookings_store
from labshare.store import time_requests as requests_store
from labshare.store.engine import Connection, Database
from tests import round_of
from tests.furniture import COLLEAGUE, FESEM, NMR, PUBLIC_PROJECT, RESEARCHER, XRD, a_booking, at, furnish, span

WEEK = Span(at(16, 0), at(23, 0))


def load(db: Connection, *uses: Booking, numbers: tuple[int, ...] = (XRD,), days: int = 3) -> Demand:
    bookings_store.add(db, uses)
    return demand.load(db, WEEK, numbers, days, WEEK.start)


def test_a_use_asks_for_its_length_around_its_own_time(database: Database) -> None:
    """Wednesday 9 to 11 may begin from Monday 9 on, and no later than Friday: two days to either side."""
    use = a_booking(XRD, span(18, 9, 11), state=BookingState.DONE)
    with database.write() as db:
        furnish(db)
        found = load(db, use, days=2)
    (request,) = found.facts.requests
    assert (request.id, request.sessions, request.session_minutes, request.instrument_numbers) == (
        use.id,
        1,
        120,
        (XRD,),
    )
    assert request.windows == (Span(at(16, 9), at(20, 11)),)
    assert (request.organisation_id, request.access_class) == (use.organisation_id, use.access_class)
    assert (found.uses, found.requests, found.standing) == (1, 0, ())
    assert found.facts.now == found.facts.round.starts_at == WEEK.start


def test_nobody_moves_out_of_the_period(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        found = load(db, a_booking(XRD, span(16, 9, 11)), days=31)
    assert found.facts.requests[0].windows == (WEEK,)


@pytest.mark.parametrize("state", sorted(BookingState))
def test_what_was_wanted_counts_whatever_came_of_it(database: Database, state: BookingState) -> None:
    with database.write() as db:
        furnish(db)
        found = load(db, a_booking(XRD, span(18, 9, 11), state=state))
    is_wanted = state not in {BookingState.CANCELLED, BookingState.EXPIRED, BookingState.HELD}
    assert len(found.facts.requests) == is_wanted
    # A hold that still stands keeps its time.
    assert [each.state for each in found.standing] == ([BookingState.HELD] if state is BookingState.HELD else [])


def test_what_is_not_planned_again_keeps_its_time(database: Database) -> None:
    """A run over the end of the week, a block, and a use of the same person at another centre."""
    over = a_booking(XRD, Span(at(22, 20), at(23, 9)))
    block = a_booking(XRD, span(19, 8, 10), kind=BookingKind.MAINTENANCE, person_id=None, project_id=None)
    elsewhere = a_booking(NMR, span(18, 9, 11))
    with database.write() as db:
        furnish(db)
        found = load(db, a_booking(XRD, span(17, 9, 11)), over, block, elsewhere)
    assert len(found.facts.requests) == 1
    assert sorted(found.facts.busy[XRD]) == [block.occupied, over.occupied]
    assert found.facts.person_busy == {RESEARCHER: [elsewhere.span, over.span]}
    assert {each.id for each in found.standing} == {over.id, elsewhere.id}
    assert set(found.rules) == {XRD, NMR}


def test_uses_before_the_period_stand_from_the_earliest_window_on(database: Database) -> None:
    before = a_booking(XRD, span(9, 9, 11))
    with database.write() as db:
        furnish(db)
        bookings_store.add(db, [before])
        assert load(db).standing == ()
        assert demand.load(db, WEEK, {XRD}, 3, at(1, 0)).standing == (before,)


def test_who_used_an_instrument_was_qualified_for_it(database: Database) -> None:
    """Nobody has a licence for the XRD in the books; the one on the FE-SEM is the furnished one."""
    with database.write() as db:
        furnish(db)
        found = load(db, a_booking(XRD, span(17, 9, 11)), numbers=(XRD, FESEM))
    assert found.facts.qualified[RESEARCHER] == {XRD: None, FESEM: None}


# ---------------------------------------------------------------- rounds

LATER_WEEK = Span(round_of.at(0, 0), round_of.at(7, 0))


def test_a_request_of_a_round_counts_once_whatever_came_of_it(database: Database) -> None:
    """Two sessions were asked for; one of them became a booking, and the other nothing."""
    with database.write() as db:
        furnish(db)
        r = round_of.open_round(db)
        asked = round_of.ask(db, r, sessions=2, min_sessions=1)
        requests_store.decide(db, {asked.id: RequestState.PLACED})
        bookings_store.add(db, [a_booking(XRD, round_of.span(0, 8, 10), request_id=asked.id)])
        found = demand.load(db, LATER_WEEK, {XRD}, 3, LATER_WEEK.start)
    (request,) = found.facts.requests
    assert (request.id, request.sessions, request.min_sessions) == (asked.id, 2, 1)
    assert request.windows == (r.horizon,)
    assert (found.uses, found.requests, found.standing) == (0, 1, ())


def test_a_withdrawn_request_and_one_for_other_places_do_not_count(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        r = round_of.open_round(db, ("N002", round_of.span(0, 8, 12)), ("N003", round_of.span(0, 8, 12)))
        gone = round_of.ask(db, r)
        requests_store.decide(db, {gone.id: RequestState.WITHDRAWN})
        round_of.ask(db, r, COLLEAGUE, instrument_ids=("N002", "N003"))
        found = demand.load(db, LATER_WEEK, {XRD}, 3, LATER_WEEK.start)
    assert found.facts.requests == ()


def test_of_a_round_that_reaches_beyond_the_period_only_its_bookings_count(database: Database) -> None:
    use = a_booking(XRD, round_of.span(0, 8, 10))
    with database.write() as db:
        furnish(db)
        asked = round_of.ask(db, round_of.open_round(db))
        bookings_store.add(db, [msgspec.structs.replace(use, request_id=asked.id)])
        found = demand.load(db, Span(round_of.at(0, 0), round_of.at(3, 0)), {XRD}, 3, round_of.at(0, 0))
    assert [request.id for request in found.facts.requests] == [use.id]
    assert (found.uses, found.requests) == (1, 0)


# ---------------------------------------------------------------- slots


@pytest.mark.parametrize(
    ("lengths", "slot"),
    [([120, 240], 60), ([90, 240], 30), ([45, 60], 15), ([50, 60], 15), ([120, 61], 15), ([], 60)],
)
def test_a_slot_divides_every_length_or_is_a_quarter_of_an_hour(lengths: list[int], slot: int) -> None:
    assert slot_minutes(lengths) == slot


def test_set_up_and_clean_up_count_to_the_length(database: Database) -> None:
    """Two hours on the NMR occupy 150 minutes with its clean-up: half-hour slots."""
    use = a_booking(NMR, span(18, 9, 11), occupied_until=at(18, 11) + timedelta(minutes=30))
    with database.write() as db:
        furnish(db)
        found = load(db, use, numbers=(NMR,))
    assert found.facts.round.slot_minutes == 30
    assert found.facts.requests[0].project_id == PUBLIC_PROJECT
