"""Deadlines are rows: one of a kind for each noun, tried again ever later."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from labshare.store import due
from labshare.store.engine import Database
from tests.furniture import NOW

ROUND = UUID(int=4)


def test_a_row_is_due_from_its_time_on(database: Database) -> None:
    with database.write() as db:
        due.schedule(db, "round_closes", ROUND, NOW)
        assert due.over(db, NOW - timedelta(microseconds=1)) == []
        (row,) = due.over(db, NOW)
        assert (row.kind, row.noun_id, row.due_at, row.attempts) == ("round_closes", str(ROUND), NOW, 0)


def test_scheduling_again_moves_the_row(database: Database) -> None:
    with database.write() as db:
        due.schedule(db, "round_closes", ROUND, NOW)
        due.schedule(db, "round_closes", ROUND, NOW + timedelta(days=1))
        due.schedule(db, "round_closes", UUID(int=5), NOW)
        assert [row.noun_id for row in due.over(db, NOW)] == [str(UUID(int=5))]
        assert len(due.over(db, NOW + timedelta(days=1))) == 2


def test_what_is_done_is_forgotten(database: Database) -> None:
    with database.write() as db:
        due.schedule(db, "round_closes", ROUND, NOW)
        due.forget(db, "round_closes", ROUND)
        assert due.over(db, NOW) == []


def test_a_deadline_that_was_moved_while_it_was_dealt_with_stays(database: Database) -> None:
    """SQLite may give the new row the old one's id, so that the id alone would forget the wrong one."""
    with database.write() as db:
        due.schedule(db, "round_closes", ROUND, NOW)
        (row,) = due.over(db, NOW)
        assert due.when(db, "round_closes", ROUND) == NOW
        due.schedule(db, "round_closes", ROUND, NOW + timedelta(days=1))
        due.done(db, row)
        assert due.when(db, "round_closes", ROUND) == NOW + timedelta(days=1)
        due.done(db, due.over(db, NOW + timedelta(days=1))[0])
        assert due.when(db, "round_closes", ROUND) is None


def test_what_fails_is_tried_again_each_time_twice_as_late(database: Database) -> None:
    """After 5, 10 and 20 seconds; never more than an hour."""
    with database.write() as db:
        due.schedule(db, "round_closes", ROUND, NOW)
        moment = NOW
        for seconds in (5, 10, 20):
            (row,) = due.over(db, moment)
            due.put_off(db, row, moment)
            assert due.over(db, moment + timedelta(seconds=seconds - 1)) == []
            moment += timedelta(seconds=seconds)
        (row,) = due.over(db, moment)
        assert row.attempts == 3
        for _ in range(30):
            (row,) = due.over(db, moment)
            due.put_off(db, row, moment)
            moment += timedelta(hours=1)
            assert len(due.over(db, moment)) == 1
