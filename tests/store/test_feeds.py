"""Feeds as rows, and the bookings that one shows, on both databases: what is masked never leaves them."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy.exc import IntegrityError

from labshare.domain.bookings import BookingKind, BookingState
from labshare.domain.feeds import Feed
from labshare.domain.timespan import Span
from labshare.store import bookings
from labshare.store import feeds as store
from labshare.store.calendars import Viewer
from labshare.store.engine import Database
from tests.furniture import COLLEAGUE, COMPETITOR, FESEM, NMR, NOW, RESEARCHER, XRD, a_booking, at, furnish, span

# Two days around the bookings below.
AROUND = Span(at(25, 0), at(27, 0))


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


def feed(number: int, now: datetime = NOW, instrument: str | None = None, centre: str | None = None) -> Feed:
    return Feed(
        id=UUID(int=number), person_id=RESEARCHER, instrument_id=instrument, centre_id=centre, created_at=now
    )  # fmt: skip


def test_feeds_come_back_with_the_names_of_their_places(house: Database) -> None:
    made = [feed(1), feed(2, NOW + timedelta(1), instrument="N001"), feed(3, NOW + timedelta(2), centre="C-TWO")]
    with house.write() as db:
        for each in made:
            store.add(db, each, str(each.id))
        lines = store.lines(db, RESEARCHER)
        assert [(line.feed, line.name_en) for line in lines] == [
            (made[0], ""), (made[1], "FESEM instrument"), (made[2], "Centre Two"),
        ]  # fmt: skip
        assert store.lines(db, COLLEAGUE) == []
        assert store.by_secret(db, str(made[1].id)) == lines[1]


def test_only_its_owner_ends_a_feed_and_once(house: Database) -> None:
    with house.write() as db:
        store.add(db, feed(1), "a")
        assert not store.revoke(db, UUID(int=1), COLLEAGUE, NOW)
        assert store.by_secret(db, "a") is not None
        assert store.revoke(db, UUID(int=1), RESEARCHER, NOW)
        assert not store.revoke(db, UUID(int=1), RESEARCHER, NOW)
        assert store.by_secret(db, "a") is None
        assert store.lines(db, RESEARCHER) == []


def test_two_feeds_cannot_share_a_hash_and_one_has_one_place(house: Database) -> None:
    with house.write() as db:
        store.add(db, feed(1), "same")
    for wrong, token_hash in ((feed(2), "same"), (feed(3, instrument="N001", centre="C-ONE"), "b")):
        with pytest.raises(IntegrityError), house.write() as db:
            store.add(db, wrong, token_hash)


def test_a_masked_event_is_what_it_occupies_and_no_words(house: Database) -> None:
    # The use is 9 to 11 on the 26th in Hanoi, UTC+7; with set-up and clean-up 8 to 12.
    use = span(26, 9, 11)
    booking = a_booking(FESEM, use, occupied_from=at(26, 8), occupied_until=at(26, 12), purpose="bí mật")
    with house.write() as db:
        bookings.add(db, [booking])
        masked, named, own = (
            store.FeedEvent._make(event)
            for viewer in (
                Viewer(person_id=COMPETITOR),
                Viewer(person_id=COMPETITOR, centre_ids=frozenset({"C-ONE"})),
                Viewer(person_id=RESEARCHER),
            )
            for event in store.events(db, [FESEM], AROUND, viewer)
        )
    # 26 November 2026, 01:00 UTC is day 20,783: 20,783 * 1,440 + 60.
    assert (masked.start_minute, masked.end_minute) == (29_927_580, 29_927_580 + 240)
    # Person, project, mode, whom a trainer trains, and who operates it; and the purpose.
    assert (*masked[-5:], masked.purpose) == (None,) * 6
    assert (masked.id, masked.version, masked.state, masked.is_own) == (booking.id.hex, 1, "confirmed", 0)
    assert masked.modified == NOW.timestamp()
    assert (named.start_minute, named.end_minute) == (29_927_640, 29_927_640 + 120)
    assert named[-6:] == ("confirmed", "Researcher", "KC-01", None, None, None)
    assert (named.is_own, named.purpose, own.is_own, own.purpose) == (0, "bí mật", 1, "bí mật")


def test_what_was_given_back_is_told_while_the_feed_looks_back(house: Database) -> None:
    before = AROUND.start - timedelta(microseconds=1)
    new = [
        a_booking(FESEM, span(26, 8 + hour, 9 + hour), state=state, updated_at=updated_at)
        for hour, (state, updated_at) in enumerate(
            [
                (BookingState.CANCELLED, AROUND.start),
                (BookingState.DECLINED, NOW + timedelta(days=4)),
                (BookingState.RELEASED, before),
                (BookingState.CONFIRMED, before),
            ]
        )
    ]
    with house.write() as db:
        bookings.add(db, new)
        told = [*map(store.FeedEvent._make, store.events(db, [FESEM], AROUND, Viewer(person_id=COMPETITOR)))]
        own = [*map(store.FeedEvent._make, store.own_events(db, AROUND, Viewer(person_id=RESEARCHER)))]
    ids = [new[0].id.hex, new[1].id.hex, new[3].id.hex]
    # Whoever may not see it learns that it is given back, and not how.
    assert [(each.id, each.state) for each in told] == [*zip(ids, ("cancelled", "cancelled", "confirmed"), strict=True)]
    assert [(each.id, each.state) for each in own] == [*zip(ids, ("cancelled", "declined", "confirmed"), strict=True)]


def test_only_what_lies_in_the_span_and_on_the_instruments(house: Database) -> None:
    inside = [a_booking(FESEM, span(24, 20, 28)), a_booking(NMR, span(26, 20, 28))]
    new = [*inside, a_booking(FESEM, span(24, 9, 11)), a_booking(NMR, span(27, 4, 6))]
    blocked = a_booking(
        FESEM, span(25, 9, 11), kind=BookingKind.MAINTENANCE, person_id=None, project_id=None, organisation_id=None
    )
    with house.write() as db:
        bookings.add(db, [*new, blocked])
        found = list(store.events(db, [FESEM], AROUND, Viewer(person_id=None)))
        own = list(store.own_events(db, AROUND, Viewer(person_id=RESEARCHER)))
    assert [each[0] for each in found] == [inside[0].id.hex, blocked.id.hex]
    assert [each[0] for each in own] == [inside[0].id.hex, inside[1].id.hex]


def test_the_instruments_of_a_centre_are_those_of_its_board(house: Database) -> None:
    with house.read() as db:
        centre = store.instruments_of(db, feed(1, centre="C-ONE"))
        one = store.instruments_of(db, feed(1, instrument="N003"))
        assert [each.id for each in centre] == ["N001", "N002"]
        assert [(each.number, each.centre_en) for each in one] == [(NMR, "Centre Two")]
        assert store.instruments_by_number(db, [NMR]) == one


def test_own_bookings_that_begin_together_stand_in_the_order_of_their_ids(house: Database) -> None:
    """Whatever order a database finds them in, nothing has changed for who reads the feed."""
    ids = [UUID(int=number) for number in (3, 1, 2)]
    with house.write() as db:
        for number, each in zip((NMR, FESEM, XRD), ids, strict=True):
            bookings.add(db, [a_booking(number, span(25, 9, 11), id=each, attended=False)])
        found = [each[0] for each in store.own_editions(db, RESEARCHER, AROUND)[0]]
        told = [each[0] for each in store.own_events(db, AROUND, Viewer(person_id=RESEARCHER))]
    assert found == told == [each.hex for each in sorted(ids)]


def test_the_editions_are_those_of_the_events_and_change_with_each_change_of_a_booking(house: Database) -> None:
    booking, later = a_booking(FESEM, span(25, 9, 11)), a_booking(FESEM, span(26, 9, 11))
    outside = [a_booking(NMR, span(25, 9, 11), person_id=COLLEAGUE), a_booking(FESEM, span(28, 9, 11))]
    with house.write() as db:
        bookings.add(db, [later, booking, *outside])
        for version in (1, 2):
            stand = [(booking.id.hex, version), (later.id.hex, 1)]
            assert store.editions(db, [FESEM], AROUND) == stand
            assert store.own_editions(db, RESEARCHER, AROUND) == (stand, {FESEM: "C-ONE"})
            viewer = Viewer(person_id=RESEARCHER)
            assert [event[:2] for event in store.events(db, [FESEM], AROUND, viewer)] == stand
            assert [event[:2] for event in store.own_events(db, AROUND, viewer, stand[:1])] == stand[:1]
            bookings.change(db, booking, seen_version=version)
