"""A call that is sent again does its work once: who comes later waits, and gets the answer of the first."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest

from labshare.errors import Busy, WrongState
from labshare.services import idempotency as service
from labshare.services import ticking
from labshare.services.idempotency import Answer
from labshare.store.engine import Connection, Database, open_database
from tests.furniture import COLLEAGUE, NOW, RESEARCHER, actor

ME = actor(RESEARCHER)
ANSWER = Answer(status=201, etag='"1"', location="/there", body="{}")


def finished(database: Database, key: str = "k", asked: str = "asked") -> None:
    with database.write() as db:
        assert service.begin(db, ME, key, asked, NOW) is None
        service.finish(db, ME, key, ANSWER)


def test_a_retry_is_answered_as_the_first_call_was(database: Database) -> None:
    finished(database)
    with database.write() as db:
        assert service.begin(db, ME, "k", "asked", NOW + timedelta(hours=23)) == ANSWER


def test_a_key_is_of_one_person_and_one_call(database: Database) -> None:
    finished(database)
    with database.write() as db:
        assert service.begin(db, actor(COLLEAGUE), "k", "asked", NOW) is None
        with pytest.raises(WrongState, match="idempotency_key_reused"):
            service.begin(db, ME, "k", "something else", NOW)


def _begin_and_fail(db: Connection) -> None:
    service.begin(db, ME, "k", "asked", NOW)
    raise ZeroDivisionError


def test_what_is_undone_leaves_the_key_free(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as db:
        _begin_and_fail(db)
    with database.write() as db:
        assert service.begin(db, ME, "k", "something else", NOW) is None


def test_a_key_is_kept_for_a_day_and_then_forgotten_by_the_ticker(database: Database) -> None:
    finished(database)
    day_later = NOW + timedelta(hours=24)
    with database.write() as db:
        ticking.forget(db, day_later - timedelta(microseconds=1))
        assert service.begin(db, ME, "k", "asked", day_later - timedelta(microseconds=1)) == ANSWER
        ticking.forget(db, day_later)
        # Asked at the old time: were the row still there, it would answer.
        assert service.begin(db, ME, "k", "asked", NOW) is None


def test_a_key_that_was_not_forgotten_in_time_is_new_all_the_same(database: Database) -> None:
    finished(database)
    with database.write() as db:
        assert service.begin(db, ME, "k", "something else", NOW + timedelta(hours=24)) is None


def test_who_comes_while_the_first_call_runs_waits_for_its_answer(database: Database) -> None:
    found: list[Answer | None] = []
    waits = threading.Event()

    def second() -> None:
        waits.set()
        with database.write() as db:
            found.append(service.begin(db, ME, "k", "asked", NOW))

    thread = threading.Thread(target=second)
    with database.write() as db:
        assert service.begin(db, ME, "k", "asked", NOW) is None
        thread.start()
        waits.wait(10)
        # Long enough for it to come as far as it can.
        time.sleep(0.3)
        assert found == []
        service.finish(db, ME, "k", ANSWER)
    thread.join(10)
    assert found == [ANSWER]


def test_who_waits_too_long_is_told_to_try_again(database_url: str) -> None:
    database = open_database(database_url, lock_timeout_seconds=0.2, sqlite_wait_seconds=0.2)
    faults: list[Exception] = []

    def second() -> None:
        try:
            with database.write() as db:
                service.begin(db, ME, "k", "asked", NOW)
        except Busy as busy:
            faults.append(busy)

    thread = threading.Thread(target=second)
    with database.write() as db:
        service.begin(db, ME, "k", "asked", NOW)
        thread.start()
        thread.join(10)
    assert len(faults) == 1
    database.dispose()
