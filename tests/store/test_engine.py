"""Opening a database, and that a read changes nothing and a write is whole or nothing."""

from __future__ import annotations

import threading
import time
from contextlib import nullcontext
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError, InternalError

from labshare.errors import Busy, NotFound, StartupError
from labshare.store import bookings
from labshare.store import engine as engine_module
from labshare.store.engine import Database, open_database
from labshare.store.facts import STAMP
from labshare.store.tables import centres, facts
from tests.furniture import FESEM, RESEARCHER, furnish


def count(database: Database) -> int:
    with database.read() as db:
        return db.execute(sa.select(sa.func.count()).select_from(facts).where(facts.c.name != STAMP)).scalar_one()


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("nonsense", "database_url_unreadable"),
        ("mysql://root@localhost/x", "database_kind_unknown"),
        ("sqlite://", "database_needs_file"),
        ("sqlite:///:memory:", "database_needs_file"),
    ],
)
def test_an_address_that_cannot_serve_stops_the_start(url: str, code: str) -> None:
    with pytest.raises(StartupError, match=code):
        open_database(url)


def test_a_write_is_kept_and_a_read_is_not(database: Database) -> None:
    with database.write() as db:
        db.execute(sa.insert(facts).values(name="a", value="1"))
    # PostgreSQL says no to it, SQLite forgets it.
    refused = nullcontext() if database.is_sqlite else pytest.raises(InternalError, match="read-only")
    with refused, database.read() as db:
        db.execute(sa.insert(facts).values(name="b", value="2"))
    assert count(database) == 1


def test_nothing_is_locked_for_who_only_looks(database: Database) -> None:
    with database.write() as db:
        furnish(db)
    with database.read() as looking:
        seen = bookings.lock(looking, [FESEM], [RESEARCHER])
        assert seen == bookings.rules_of(looking, [FESEM])
        with database.write() as db:
            assert bookings.lock(db, [FESEM], [RESEARCHER])[FESEM].calendar_version == seen[FESEM].calendar_version + 1
        with pytest.raises(NotFound):
            bookings.lock(looking, [9999])


def test_an_exception_undoes_the_whole_write(database: Database) -> None:
    def fail() -> None:
        with database.write() as db:
            db.execute(sa.insert(facts).values(name="a", value="1"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert count(database) == 0


def test_an_attempt_that_fails_is_undone_by_itself(database: Database) -> None:
    """Also where the database itself said no, after which PostgreSQL would take nothing more in the transaction."""
    taken = sa.insert(facts).values(name="a", value="2")

    def try_again(db: Connection) -> None:
        with database.attempt(db):
            db.execute(sa.insert(facts).values(name="b", value="1"))
            db.execute(taken)

    with database.write() as db:
        db.execute(sa.insert(facts).values(name="a", value="1"))
        with pytest.raises(IntegrityError):
            try_again(db)
        with database.attempt(db):
            db.execute(sa.insert(facts).values(name="c", value="1"))
    with database.read() as db:
        names = set(db.execute(sa.select(facts.c.name).where(facts.c.name != STAMP)).scalars())
    assert names == {"a", "c"}


def test_a_reader_is_not_kept_waiting_by_a_writer(database: Database) -> None:
    with database.write() as db:
        db.execute(sa.insert(facts).values(name="a", value="1"))
        assert count(database) == 0
    assert count(database) == 1


def test_writers_of_one_process_take_turns(database: Database) -> None:
    with database.write() as db:
        db.execute(sa.insert(facts).values(name="n", value="0"))

    def add_one() -> None:
        with database.write() as db:
            value = int(db.execute(sa.select(facts.c.value).where(facts.c.name == "n").with_for_update()).scalar_one())
            time.sleep(0.01)
            db.execute(sa.update(facts).where(facts.c.name == "n").values(value=str(value + 1)))

    threads = [threading.Thread(target=add_one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as db:
        assert db.execute(sa.select(facts.c.value).where(facts.c.name == "n")).scalar_one() == "8"


def test_an_empty_pool_is_busy_and_not_a_fault(database_url: str) -> None:
    database = open_database(database_url, pool_size=1, pool_wait_seconds=0.1)
    with database.read(), pytest.raises(Busy), database.read():
        pass
    database.dispose()


def test_a_connection_whose_server_went_away_while_it_rested_is_replaced(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database_url.startswith("sqlite"):
        return
    monkeypatch.setattr(engine_module, "REST_SECONDS", -1.0)
    one, other = open_database(database_url, pool_size=1), open_database(database_url, pool_size=1)
    with one.read() as db:
        first = db.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
    with other.read() as db:
        db.execute(sa.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": first})
    with one.read() as db:
        assert db.execute(sa.text("SELECT pg_backend_pid()")).scalar_one() != first
    one.dispose()
    other.dispose()


def test_who_wants_the_same_waits_for_their_turn(database_url: str) -> None:
    """And takes no connection meanwhile: the one of this pool is free for whoever has the turn."""
    seen: list[str] = []
    one = open_database(database_url, pool_size=1)

    def second() -> None:
        with one.turn("N001"), one.read():
            seen.append("second")

    with one.turn("N001"):
        other = threading.Thread(target=second)
        other.start()
        time.sleep(0.05)
        with one.read():
            seen.append("first")
    other.join(5)
    one.dispose()
    assert seen == ["first", "second"]


def test_who_wants_something_else_does_not_wait(database: Database) -> None:
    others = (f"N{number}" for number in range(1000))
    other = next(name for name in others if (hash(name) - hash("N001")) % engine_module.TURNS)
    with database.turn("N001"), database.turn(other):
        pass


def test_a_turn_that_does_not_come_in_time_is_said(database_url: str) -> None:
    """And it comes once whoever had it has left, even with an error."""
    hurried = open_database(database_url, turn_seconds=0.05)

    def hold(then: threading.Thread) -> None:
        with hurried.turn("N001"):
            then.start()
            then.join(5)
            raise NotFound

    told: list[str] = []

    def hurry() -> None:
        try:
            with hurried.turn("N001"):
                told.append("came")
        except Busy:
            told.append("busy")

    with pytest.raises(NotFound):
        hold(threading.Thread(target=hurry))
    hurry()
    hurried.dispose()
    assert told == ["busy", "came"]


def test_a_result_has_the_columns_that_its_statement_names(database: Database) -> None:
    """Also where the same statement was run before, and where there is none."""
    with database.write() as db:
        for _ in range(2):
            row = db.execute(sa.text("SELECT 1 AS first, 'x' AS second")).mappings().one()
            assert dict(row) == {"first": 1, "second": "x"}
            found = db.execute(sa.select(centres.c.id, centres.c.name_vi))
            assert (list(found.keys()), found.all()) == (["id", "name_vi"], [])
            assert not db.execute(sa.update(centres).values(name_vi="x")).returns_rows
        columns: Any = db.exec_driver_sql("SELECT 1 AS first, 'x' AS second").cursor
        assert [each[0] for each in columns.description] == ["first", "second"]
        assert (len(columns.description), columns.description[-1][0]) == (2, "second")
