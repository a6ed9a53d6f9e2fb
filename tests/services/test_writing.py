"""Changes of bookings that are made together, on both databases: judged with each other in place, all or none."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from labshare.domain.bookings import Booking, BookingState, Wish
from labshare.domain.timespan import Span
from labshare.errors import Refused, Stale, TimeTaken
from labshare.services import bookings as service
from labshare.services.writing import Change, ended, judge, write
from labshare.store import audit, outbox
from labshare.store import bookings as store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import (
    COMPETITOR,
    FESEM,
    INDUSTRY_PROJECT,
    NMR,
    NOW,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    a_booking,
    actor,
    furnish,
    span,
)
from tests.shares import a_rule, an_agreement, balances, load


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


def wish(number: int, when: Span, **changes: Any) -> Wish:
    values: dict[str, Any] = {"instrument_number": number, "span": when, "project_id": PUBLIC_PROJECT}
    return Wish(**(values | changes))


def book_all(house: Database, *wishes: Wish) -> list[Booking]:
    with house.write() as db:
        return service.book_all(db, actor(RESEARCHER), wishes, NOW)


def placed(house: Database, *bookings: Booking) -> None:
    with house.write() as db:
        store.lock(db, {booking.instrument_number for booking in bookings})
        store.add(db, bookings)


def moved(booking: Booking, when: Span) -> Change:
    after = msgspec.structs.replace(
        booking, starts_at=when.start, ends_at=when.end, occupied_from=when.start, occupied_until=when.end
    )
    return Change(before=booking, after=after)


def count(house: Database) -> int:
    with house.read() as db:
        return db.execute(sa.select(sa.func.count()).select_from(t.bookings)).scalar_one()


def codes(error: Refused) -> list[tuple[object, str]]:
    return [(refusal.params.get("item"), refusal.code) for refusal in error.refusals]


def test_several_instruments_are_booked_in_one_go(house: Database) -> None:
    first, second = book_all(house, wish(FESEM, span(25, 9, 11)), wish(XRD, span(25, 11, 12)))
    assert (first.instrument_number, second.instrument_number) == (FESEM, XRD)
    with house.read() as db:
        assert [audit.lines(db, "booking", each.id)[0].action for each in (first, second)] == ["book", "book"]
        assert sorted(message.payload["instrument"] for message in outbox.waiting(db)) == ["N001", "N002"]


def test_one_refusal_among_several_leaves_nothing_written(house: Database) -> None:
    with pytest.raises(Refused) as refused:
        book_all(house, wish(FESEM, span(25, 9, 11)), wish(XRD, span(25, 3, 4)))
    assert codes(refused.value) == [(1, "closed")]
    assert count(house) == 0


def test_wishes_stand_in_each_others_way(house: Database) -> None:
    """The third meets the first from 9 to 11 and the second from 11 to 12. The XRD runs by itself, so time is all."""
    with house.write() as db:
        db.execute(sa.update(t.instruments).where(t.instruments.c.number == XRD).values(attended=False))
    with pytest.raises(TimeTaken) as taken:
        book_all(house, wish(XRD, span(25, 9, 11)), wish(XRD, span(25, 11, 12)), wish(XRD, span(25, 10, 12)))
    assert codes(taken.value) == [(2, "time_taken"), (2, "time_taken")]


def test_one_person_is_in_one_place_within_one_call(house: Database) -> None:
    with pytest.raises(Refused) as refused:
        book_all(house, wish(FESEM, span(25, 9, 11)), wish(XRD, span(25, 10, 12)))
    assert codes(refused.value) == [(1, "person_elsewhere")]


def test_an_agreement_weighs_them_together(house: Database, tmp_path: Path) -> None:
    """The cap is an eighth of the week's 4,800 minutes, 600: 5 hours fit, and 6 more do not."""
    wishes = [
        wish(FESEM, span(25, 9, 14), project_id=INDUSTRY_PROJECT),
        wish(XRD, span(26, 9, 15), project_id=INDUSTRY_PROJECT),
    ]
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_rule(share=Fraction(1, 8))))
    with house.write() as db:
        for each in wishes:
            locked = store.lock(db, [each.instrument_number])
            assert judge(db, [industry(each)], locked, NOW).weighed.refusals == ()
    with pytest.raises(Refused) as refused, house.write() as db:
        service.book_all(db, actor(COMPETITOR), wishes, NOW)
    assert [refusal.code for refusal in refused.value.refusals if "agreement" in refusal.code] == [
        "agreement_cap_private"
    ]
    assert count(house) == 0
    with house.read() as db:
        assert set(balances(db).values()) <= {(4800, 0, 0)}


def industry(asked: Wish) -> Change:
    booking = a_booking(
        asked.instrument_number, asked.span, person_id=COMPETITOR, project_id=INDUSTRY_PROJECT,
        organisation_id="O-CO", access_class="industry", activity="economic",
    )  # fmt: skip
    return Change(after=booking)


def test_bookings_change_places_in_one_call(house: Database) -> None:
    """Written one after the other, the first would stand on the second."""
    early, late = a_booking(XRD, span(25, 9, 11)), a_booking(XRD, span(25, 11, 13))
    placed(house, early, late)
    with house.write() as db:
        locked = store.lock(db, [XRD])
        write(
            db, actor(RESEARCHER), [moved(early, span(25, 11, 13)), moved(late, span(25, 9, 11))], locked, NOW,
            action="move",
        )  # fmt: skip
    with house.read() as db:
        assert store.get(db, early.id).span == span(25, 11, 13)
        assert store.get(db, late.id).span == span(25, 9, 11)
        assert store.get(db, late.id).state is BookingState.CONFIRMED


def test_a_change_of_what_has_changed_meanwhile_changes_nothing(house: Database) -> None:
    first, second = a_booking(XRD, span(25, 9, 11)), a_booking(XRD, span(25, 11, 13))
    placed(house, first, second)
    seen = msgspec.structs.replace(second, version=2)
    changes = [moved(first, span(26, 9, 11)), moved(seen, span(26, 11, 13))]
    with pytest.raises(Stale), house.write() as db:
        write(db, actor(RESEARCHER), changes, store.lock(db, [XRD]), NOW, action="move")
    with house.read() as db:
        assert store.get(db, first.id) == first


def test_a_hold_that_is_due_ends_with_the_call_that_meets_it(house: Database) -> None:
    held = a_booking(NMR, span(25, 9, 11), state=BookingState.HELD, hold_expires_at=NOW - timedelta(minutes=1))
    placed(house, held)
    (booking,) = book_all(house, wish(NMR, span(25, 10, 12)))
    with house.read() as db:
        assert store.get(db, held.id).state is BookingState.EXPIRED
        assert store.get(db, booking.id).state is BookingState.CONFIRMED


def test_what_ends_keeps_the_version_that_judged_it(house: Database) -> None:
    signed = a_booking(XRD, span(25, 9, 11), agreement_version=3)
    placed(house, signed)
    with house.write() as db:
        locked = store.lock(db, [XRD])
        change = ended(signed, BookingState.CANCELLED, NOW)
        (cancelled,) = write(db, actor(RESEARCHER), [change], locked, NOW, action="cancel")
    assert (cancelled.state, cancelled.agreement_version) == (BookingState.CANCELLED, 3)


def test_each_booking_of_a_series_carries_the_version_of_its_own_day(house: Database, tmp_path: Path) -> None:
    """The second version is in force from the 26th on; both are booked in one call."""
    whole = a_rule(share=Fraction(1))
    with house.write() as db:
        load(db, tmp_path, an_agreement(whole))
        load(db, tmp_path, an_agreement(whole, effective_from=date(2026, 11, 26)))
        db.execute(sa.update(t.projects).where(t.projects.c.id == INDUSTRY_PROJECT).values(agreement_id="PPP-1"))
    wishes = [wish(XRD, span(day, 9, 10), project_id=INDUSTRY_PROJECT) for day in (25, 26)]
    with house.write() as db:
        made = service.book_all(db, actor(COMPETITOR), wishes, NOW)
    assert [booking.agreement_version for booking in made] == [1, 2]


def test_what_is_due_to_end_may_move_out_of_its_own_way(house: Database) -> None:
    """It waited for its centre, which by now asks nobody to wait; nobody else wants its time."""
    held = a_booking(NMR, span(25, 9, 11), state=BookingState.PENDING, hold_expires_at=NOW - timedelta(minutes=1))
    placed(house, held)
    with house.write() as db:
        found = service.move(db, actor(RESEARCHER), held.id, span(25, 10, 12), seen_version=held.version, now=NOW)
    assert (found.state, found.span) == (BookingState.CONFIRMED, span(25, 10, 12))
