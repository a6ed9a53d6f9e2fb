"""Notices in the database: kept until they are old, unread until they are read, their letters sent once. On both."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from labshare.domain.bookings import BookingState
from labshare.domain.notices import Addressed, Mail, Notice, NoticeKind
from labshare.errors import NotFound
from labshare.store import bookings as bookings_store
from labshare.store import notices as store
from labshare.store import tables as t
from labshare.store.engine import Connection, Database
from tests.furniture import COLLEAGUE, MANAGER, NOW, RESEARCHER, XRD, a_booking, furnish, span

K = NoticeKind
MINUTE = timedelta(minutes=1)


@pytest.fixture
def house(database: Database) -> Database:
    """The researcher has an address, the colleague has none."""
    with database.write() as db:
        furnish(db)
        change(db, RESEARCHER, email="r@x.vn", language="en")
        change(db, COLLEAGUE, email="")
    return database


def change(db: Connection, person_id: UUID, **values: Any) -> None:
    db.execute(t.persons.update().where(t.persons.c.id == person_id).values(values))


def a_notice(number: int = 1, **changes: Any) -> Notice:
    values: dict[str, Any] = {
        "id": UUID(int=number), "person_id": RESEARCHER, "kind": K.PROJECT_VERIFIED, "name_vi": "Dự án",
        "name_en": "Project", "page": "/projects/1", "until": NOW + timedelta(days=9), "created_at": NOW,
        "send_at": NOW,
    }  # fmt: skip
    return Notice(**(values | changes))


def numbers(letters: list[Addressed]) -> list[list[int]]:
    return [[notice.id.int for notice in each.notices] for each in letters]


# ---------------------------------------------------------------- letters


def test_a_letter_waits_with_its_readers_address_and_language_until_it_is_sent(house: Database) -> None:
    with house.write() as db:
        store.add(db, [a_notice(1), a_notice(2, send_at=NOW - MINUTE, until=None)])
        later = store.due(db, NOW)
        assert numbers(later) == [[2], [1]]
        assert numbers(store.due(db, NOW, limit=1)) == [[2]]
        assert later[1].notice == a_notice(1)
        assert (later[1].email, later[1].language) == ("r@x.vn", "en")
        store.sent(db, [UUID(int=2)])
        assert numbers(store.due(db, NOW)) == [[1]]
        # It is kept to be read in the app.
        assert store.unread(db, RESEARCHER) == 2


def test_a_letter_is_put_off_twice_as_long_each_time(house: Database) -> None:
    with house.write() as db:
        store.add(db, [a_notice()])
        store.put_off(db, [a_notice()], NOW)
        assert store.due(db, NOW + timedelta(seconds=29)) == []
        (again,) = store.due(db, NOW + timedelta(seconds=30))
        assert again.notice.attempts == 1
        store.put_off(db, again.notices, NOW)
        assert store.due(db, NOW + timedelta(seconds=59)) == []
        assert len(store.due(db, NOW + timedelta(seconds=60))) == 1


def test_what_was_settled_while_its_letter_could_not_be_sent_is_not_put_off(house: Database) -> None:
    with house.write() as db:
        store.add(db, [a_notice(1), a_notice(2)])
        store.sent(db, [UUID(int=1)])
        assert store.unsent(db, [UUID(int=1), UUID(int=2)]) == {UUID(int=2)}
        store.put_off(db, [a_notice(1), a_notice(2)], NOW)
        assert numbers(store.due(db, NOW + timedelta(days=1))) == [[2]]


def test_nobody_who_is_gone_is_told_or_written_to(house: Database) -> None:
    with house.write() as db:
        everybody = [RESEARCHER, COLLEAGUE, UUID(int=99)]
        assert store.readers(db, everybody, K.SLOT_OFFERED) == {RESEARCHER: (True, None), COLLEAGUE: (False, None)}
        store.add(db, [a_notice(1), a_notice(2, in_digest=True)])
        for gone in ({"disabled_at": NOW}, {"erased_at": NOW, "disabled_at": None}):
            change(db, RESEARCHER, **gone)
            assert store.readers(db, everybody, K.SLOT_OFFERED) == {COLLEAGUE: (False, None)}
            assert store.due(db, NOW) == store.digests(db, NOW) == []


def test_what_was_put_off_is_one_letter_for_each_person(house: Database) -> None:
    late = {"in_digest": True, "send_at": NOW + MINUTE}
    with house.write() as db:
        change(db, COLLEAGUE, email="c@x.vn")
        store.add(db, [
            a_notice(1, created_at=NOW - MINUTE, **late),
            a_notice(2, created_at=NOW - 2 * MINUTE, **late),
            a_notice(3, person_id=COLLEAGUE, **late),
            # Of the day after.
            a_notice(4, in_digest=True, send_at=NOW + timedelta(days=1)),
        ])  # fmt: skip
        assert store.digests(db, NOW) == store.due(db, NOW + MINUTE) == []
        found = store.digests(db, NOW + MINUTE)
        assert sorted(numbers(found)) == [[2, 1], [3]]
        assert len(store.digests(db, NOW + MINUTE, limit=1)) == 1
        # A server that is away puts all of it off, and it goes out whole.
        (mine,) = (each for each in found if each.email == "r@x.vn")
        store.put_off(db, mine.notices, NOW + MINUTE)
        assert numbers(store.digests(db, NOW + MINUTE)) == [[3]]
        assert sorted(numbers(store.digests(db, NOW + 2 * MINUTE))) == [[2, 1], [3]]
        store.sent(db, [notice.id for notice in mine.notices])
        assert numbers(store.digests(db, NOW + 2 * MINUTE)) == [[3]]
        assert store.due(db, NOW + 2 * MINUTE) == []


def test_nobody_is_written_to_of_what_is_over(house: Database) -> None:
    with house.write() as db:
        store.add(db, [
            a_notice(1, kind=K.SLOT_OFFERED, until=NOW + MINUTE),
            a_notice(2, kind=K.BOOKING_TO_DECIDE, until=NOW + MINUTE),
            a_notice(3, kind=K.PROJECT_EXPIRED, until=NOW + MINUTE),
        ])  # fmt: skip
        assert numbers(store.due(db, NOW)) == [[1], [2], [3]]
        assert numbers(store.due(db, NOW + MINUTE)) == [[3]]


# ---------------------------------------------------------------- reading


def test_a_persons_notices_come_page_after_page_newest_first(house: Database) -> None:
    with house.write() as db:
        # Two of the same instant are told apart by their ids.
        times = {1: NOW, 2: NOW + MINUTE, 3: NOW + MINUTE, 4: NOW + 2 * MINUTE}
        store.add(db, [a_notice(number, created_at=at, send_at=None) for number, at in times.items()])
        store.add(db, [a_notice(9, person_id=COLLEAGUE)])
        store.read(db, RESEARCHER, UUID(int=3), NOW)

        def page(unread: bool = False, after: tuple[Any, UUID] | None = None, limit: int = 2) -> list[int]:
            found = store.of_person(db, RESEARCHER, unread=unread, after=after, limit=limit)
            return [each.id.int for each in found]

        assert page() == [4, 3]
        assert page(after=(NOW + MINUTE, UUID(int=3))) == [2, 1]
        assert page(after=(NOW, UUID(int=1))) == []
        assert page(unread=True, limit=9) == [4, 2, 1]


def test_what_is_read_is_read_once_and_by_its_person_alone(house: Database) -> None:
    with house.write() as db:
        store.add(
            db, [a_notice(1), a_notice(2, in_digest=True, kind=K.BOOKING_MOVED), a_notice(3, person_id=COLLEAGUE)]
        )
        with pytest.raises(NotFound):
            store.read(db, COLLEAGUE, UUID(int=1), NOW)
        assert store.unread(db, RESEARCHER) == 2
        assert store.read(db, RESEARCHER, UUID(int=1), NOW).page == "/projects/1"
        store.read(db, RESEARCHER, UUID(int=1), NOW + MINUTE)
        (first,) = (each for each in store.of_person(db, RESEARCHER, unread=False, after=None, limit=9) if each.read_at)
        assert (first.id.int, first.read_at) == (1, NOW)
        # Its own letter is sent all the same; of a digest it is left out.
        assert numbers(store.due(db, NOW)) == [[1]]
        assert numbers(store.digests(db, NOW)) == [[2]]
        store.read_all(db, RESEARCHER, NOW, NOW)
        assert store.digests(db, NOW) == []
        assert (store.unread(db, RESEARCHER), store.unread(db, COLLEAGUE)) == (0, 1)


def test_what_came_after_the_page_was_shown_stays_unread(house: Database) -> None:
    with house.write() as db:
        store.add(db, [a_notice(1), a_notice(2, created_at=NOW + MINUTE)])
        store.read_all(db, RESEARCHER, NOW, NOW + 2 * MINUTE)
        assert store.unread(db, RESEARCHER) == 1


def test_old_notices_are_forgotten(house: Database) -> None:
    with house.write() as db:
        store.add(db, [a_notice(1), a_notice(2, created_at=NOW - MINUTE, send_at=NOW)])
        store.forget(db, NOW)
        assert numbers(store.due(db, NOW)) == [[1]]


def test_what_need_not_be_decided_any_more_is_read_and_not_sent(house: Database) -> None:
    with house.write() as db:
        series = UUID(int=50)
        values = {"rrule": "FREQ=DAILY", "starts_at": span(25, 9, 10).start, "ends_at": span(25, 9, 10).end}
        db.execute(t.series.insert().values(
            id=series, instrument_number=XRD, person_id=RESEARCHER, created_at=NOW, **values
        ))  # fmt: skip
        alone, first, second = (
            a_booking(XRD, span(day, 9, 10), state=BookingState.PENDING, hold_expires_at=NOW + MINUTE, series_id=of)
            for day, of in ((25, None), (26, series), (27, series))
        )
        bookings_store.add(db, [alone, first, second])
        asked = {"person_id": MANAGER, "kind": K.BOOKING_TO_DECIDE}
        store.add(db, [
            a_notice(1, booking_id=alone.id, **asked),
            a_notice(2, booking_id=first.id, series_id=series, **asked),
            a_notice(3, booking_id=alone.id, kind=K.BOOKING_MADE, person_id=MANAGER),
        ])  # fmt: skip

        def unread() -> set[int]:
            return {each.id.int for each in store.of_person(db, MANAGER, unread=True, after=None, limit=9)}

        store.settle(db, [alone.id], [], NOW)
        assert unread() == {2, 3}
        # One of the series is decided, the other still waits.
        db.execute(t.bookings.update().where(t.bookings.c.id == first.id).values(state=BookingState.CONFIRMED))
        store.settle(db, [first.id], [series], NOW)
        assert unread() == {2, 3}
        db.execute(t.bookings.update().where(t.bookings.c.id == second.id).values(state=BookingState.DECLINED))
        store.settle(db, [second.id], [series], NOW)
        assert unread() == {3}
        change(db, MANAGER, email="m@x.vn")
        assert numbers(store.due(db, NOW)) == [[3]]


def test_no_letter_asks_for_what_its_reader_saw_in_the_app_and_somebody_decided(house: Database) -> None:
    waits = a_booking(XRD, span(25, 9, 10), state=BookingState.PENDING, hold_expires_at=NOW + MINUTE)
    with house.write() as db:
        bookings_store.add(db, [waits])
        store.add(db, [a_notice(1, booking_id=waits.id, person_id=MANAGER, kind=K.BOOKING_TO_DECIDE)])
        change(db, MANAGER, email="m@x.vn")
        store.read(db, MANAGER, UUID(int=1), NOW)
        assert numbers(store.due(db, NOW)) == [[1]]
        store.settle(db, [waits.id], [], NOW + MINUTE)
        assert numbers(store.due(db, NOW)) == []
        (left,) = store.of_person(db, MANAGER, unread=False, after=None, limit=9)
    assert (left.read_at, left.send_at) == (NOW, None)


# ---------------------------------------------------------------- preferences


def test_what_was_chosen_holds_until_something_else_is(house: Database) -> None:
    with house.write() as db:
        store.choose(db, RESEARCHER, {K.BOOKING_MOVED: Mail.DAILY, K.BOOKING_MADE: Mail.NEVER})
        store.choose(db, COLLEAGUE, {K.BOOKING_MOVED: Mail.NEVER})
        assert store.preferences(db, RESEARCHER) == {"booking_moved": "daily", "booking_made": "never"}
        assert store.readers(db, [RESEARCHER, COLLEAGUE], K.BOOKING_MOVED) == {
            RESEARCHER: (True, "daily"), COLLEAGUE: (False, "never"),
        }  # fmt: skip
        assert store.readers(db, [RESEARCHER], K.BOOKING_CANCELLED) == {RESEARCHER: (True, None)}
        store.choose(db, RESEARCHER, {K.BOOKING_MOVED: Mail.AT_ONCE})
        assert store.preferences(db, RESEARCHER) == {"booking_moved": "at_once", "booking_made": "never"}


def test_what_waits_for_the_morning_is_not_sent_once_no_letter_is_wanted(house: Database) -> None:
    with house.write() as db:
        late = {"in_digest": True, "send_at": NOW}
        store.add(db, [a_notice(1, kind=K.BOOKING_MOVED, **late), a_notice(2, kind=K.BOOKING_MADE, **late)])
        store.choose(db, RESEARCHER, {K.BOOKING_MOVED: Mail.NEVER, K.BOOKING_MADE: Mail.AT_ONCE})
        assert numbers(store.digests(db, NOW)) == [[2]]
