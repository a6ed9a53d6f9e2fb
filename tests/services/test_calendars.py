"""What a reader may see of a calendar, and where a wish would fit, on both databases."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from labshare.domain.bookings import Booking, BookingKind, Wish
from labshare.domain.timespan import Span
from labshare.errors import NotFound
from labshare.services import bookings as service
from labshare.services import calendars, usage
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import (
    COLLEAGUE,
    COMPETITOR,
    FESEM,
    MANAGER,
    NOW,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    actor,
    at,
    counted,
    furnish,
    span,
)


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


def wish(number: int, when: Span, **changes: Any) -> Wish:
    values: dict[str, Any] = {"instrument_number": number, "span": when, "project_id": PUBLIC_PROJECT}
    return Wish(**(values | changes))


def book(house: Database, who: UUID, asked: Wish, now: datetime = NOW) -> Booking:
    with house.write() as db:
        return service.book(db, actor(who), asked, now)


def test_a_rival_sees_when_and_nothing_else(house: Database) -> None:
    book(house, RESEARCHER, wish(FESEM, span(25, 9, 11), purpose="bí mật"))

    def seen_by(who: UUID | None) -> calendars.CalendarEntry:
        with house.read() as db:
            view = calendars.calendar(db, actor(who) if who else None, [FESEM], span(25, 0, 23))
        (entry,) = view.entries[FESEM]
        return entry

    hidden = calendars.CalendarEntry(
        instrument_number=FESEM,
        kind=BookingKind.USE,
        starts_at=at(25, 9),
        ends_at=at(25, 11),
        occupied_from=at(25, 9),
        occupied_until=at(25, 11),
        is_own=False,
    )
    assert seen_by(COMPETITOR) == hidden
    assert seen_by(None) == hidden
    own, managed = seen_by(RESEARCHER), seen_by(MANAGER)
    assert (own.is_own, own.person, own.purpose, own.project) == (True, "Researcher", "bí mật", "KC-01")
    assert (managed.is_own, managed.person, managed.purpose) == (False, "Researcher", "bí mật")


def test_a_board_shows_every_instrument_of_the_centre_in_a_few_queries(house: Database) -> None:
    book(house, RESEARCHER, wish(FESEM, span(25, 9, 11)))
    with counted(house.engine) as statements, house.read() as db:
        board = calendars.board(db, actor(RESEARCHER), "C-ONE", span(25, 0, 23))
    assert [rules.id for rules in board.instruments] == ["N001", "N002"]
    assert board.opened[XRD] == [span(25, 8, 18)]
    assert len(statements) <= 6


def test_a_board_and_its_picture_say_what_is_down(house: Database) -> None:
    week = Span(at(23, 0), at(30, 0))
    with house.write() as db:
        usage.record_down(db, actor(MANAGER), "N002", "", at(23, 8))
        usage.record_down(db, actor(MANAGER), "N001", "", at(23, 8))
        usage.record_up(db, actor(MANAGER), "N001", at(23, 9))
        for looked in (calendars.board, calendars.occupancy):
            assert looked(db, None, "C-ONE", week).down_since == {XRD: at(23, 8)}


def test_a_picture_of_a_centre_is_its_board_without_names(house: Database) -> None:
    book(house, RESEARCHER, wish(FESEM, span(26, 9, 11)))
    book(house, COLLEAGUE, wish(XRD, span(26, 9, 11)))
    week = Span(at(23, 0), at(30, 0))
    with house.read() as db:
        board = calendars.board(db, actor(RESEARCHER), "C-ONE", week)
        picture = calendars.occupancy(db, actor(RESEARCHER), "C-ONE", week)
    assert (picture.instruments, picture.opened, picture.kept) == (board.instruments, board.opened, board.kept)
    assert {number: [row.own_state for row in rows] for number, rows in picture.occupied.items()} == {
        FESEM: ["confirmed"], XRD: [None],
    }  # fmt: skip
    # Both are open Mon-Fri 08-18, so they share one list.
    assert picture.opened[FESEM] is picture.opened[XRD]


def test_the_next_open_time_is_now_or_the_first_of_several_instruments(house: Database) -> None:
    with house.write() as db:
        db.execute(sa.update(t.instruments).where(t.instruments.c.number == XRD).values(opening="Sat 09:00-12:00"))
    with house.read() as db:
        fesem, xrd = (calendars.rules_of(db, each) for each in ("N001", "N002"))
        assert calendars.next_open(db, [fesem], at(25, 10)) == at(25, 10)
        # From Friday evening on the one is closed until Monday, the other until Saturday.
        assert calendars.next_open(db, [fesem], at(27, 19)) == at(30, 8)
        assert calendars.next_open(db, [fesem, xrd], at(27, 19)) == at(28, 9)
        assert calendars.next_open_at(db, "C-ONE", at(27, 19)) == at(28, 9)
        assert calendars.next_open(db, [], at(27, 19)) == at(27, 19)


def test_versions_of_calendars_are_told_only_of_instruments_that_exist(house: Database) -> None:
    with house.read() as db:
        assert calendars.versions(db, ["N003", "N001"]) == {"N003": 0, "N001": 0}
        with pytest.raises(NotFound) as caught:
            calendars.versions(db, ["N001", "N999"])
        assert calendars.rules_of(db, "N003").cleanup_minutes == 30
    assert caught.value.params == {"instrument": "N999"}
