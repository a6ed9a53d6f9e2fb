"""Opening a database, and the two ways to use it: `read()` and `write()`. One request or job is one of them.

What must not live here: tables or queries.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from psycopg import Column, RawCursor
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import ArgumentError, DisconnectionError, OperationalError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

from labshare.errors import Busy, LabShareError, Malformed, StartupError, TimeTaken
from labshare.store import guard
from labshare.store.prepared import fail

SQLITE_WAIT_SECONDS = 10
# So many queues for turns; two things that share one wait for each other, which costs time and nothing else.
TURNS = 64
# Each before one in the queue may wait for a lock as long as may be.
TURN_SECONDS = 10
POOL_WAIT_SECONDS = 10
# A connection that was used so recently is lent again without a look at whether its server is still there.
REST_SECONDS = 1.0
# A full disk, a file that may not be written, a server that went away: no fault of ours, and nothing to translate.
DatabaseFault = OperationalError
# PostgreSQL: lock_not_available, deadlock_detected, serialization_failure.
BUSY_STATES = frozenset({"55P03", "40P01", "40001"})


class Database:
    """A pool of connections to one database. `db` in the rest of the code is a connection that this class lent.

    `write()` takes the write lock at once on SQLite (BEGIN IMMEDIATE), because a reader that turns writer there fails
    under load; on PostgreSQL the rows that matter are locked by the store functions.
    """

    def __init__(self, engine: Engine, *, wait_seconds: float, turn_seconds: float) -> None:
        self.engine = engine
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._writer = threading.Lock()
        self._turns = [threading.Lock() for _ in range(TURNS)]
        self._wait_seconds, self._turn_seconds = wait_seconds, turn_seconds
        # Called after each commit, outside the transaction, with nothing: whoever wants to know looks (jobs.py).
        self.after_write: list[Callable[[], None]] = []

    @contextmanager
    def read(self) -> Generator[Connection]:
        """A connection for reading. What it would change by mistake is rolled back on SQLite, refused on PostgreSQL."""
        with _translated(), self.engine.connect() as db:
            yield db
            db.rollback()

    @contextmanager
    def write(self) -> Generator[Connection]:
        """A connection whose changes are committed on leaving, or all undone when an exception leaves.

        Raises `Busy` when a lock was not to be had in time, and `TimeTaken` when the booking guard says no.
        """
        with self._writers_turn(), _translated(), self.engine.connect() as plain:
            db = plain.execution_options(labshare_write=True)
            with db.begin():
                yield db
        for tell in self.after_write:
            tell()

    @contextmanager
    def turn(self, key: str) -> Generator[None]:
        """Let those of this process who want one thing go one after the other, before any takes a connection. When many
        want one time, all but the first then see that it is gone, and need not queue for locks in the database.

        It guards nothing: other processes have turns of their own. Raises `Busy` when it does not come in time.
        """
        lock = self._turns[hash(key) % TURNS]
        if not lock.acquire(timeout=self._turn_seconds):
            raise Busy()
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def attempt(self, db: Connection) -> Generator[None]:
        """A part of a write that may fail by itself: what it changed is undone when an exception leaves, no more.

        Raises as `write` does.
        """
        with _translated(), db.begin_nested():
            yield

    @contextmanager
    def _writers_turn(self) -> Generator[None]:
        """Queue this process's SQLite writers fairly: SQLite itself polls with sleeps of up to 100 ms."""
        if not self.is_sqlite:
            yield
            return
        if not self._writer.acquire(timeout=self._wait_seconds):
            raise Busy()
        try:
            yield
        finally:
            self._writer.release()

    def dispose(self) -> None:
        self.engine.dispose()


def open_database(
    url: str,
    *,
    pool_size: int = 10,
    lock_timeout_seconds: float = 2.0,
    sqlite_wait_seconds: float = SQLITE_WAIT_SECONDS,
    pool_wait_seconds: float = POOL_WAIT_SECONDS,
    turn_seconds: float = TURN_SECONDS,
) -> Database:
    """Open `sqlite:///path` or `postgresql://...`. Raises `StartupError` for another kind of address.

    A lock is waited for `lock_timeout_seconds` on PostgreSQL, where few want the same rows, and
    `sqlite_wait_seconds` on SQLite, where all writers stand in one queue.
    """
    address = _address(url)
    kind = address.get_backend_name()
    pool: dict[str, Any] = {
        "pool_size": pool_size,
        "max_overflow": 0,
        "pool_timeout": pool_wait_seconds,
        "pool_use_lifo": True,
    }
    if kind == "sqlite":
        if address.database:
            Path(address.database).resolve().parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(address, connect_args={"timeout": sqlite_wait_seconds}, **pool)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        milliseconds = int(lock_timeout_seconds * 1000)
        options = f"-c lock_timeout={milliseconds} -c timezone=UTC -c default_transaction_read_only=on"
        # Parameters as the server itself names them: statements go as they were compiled, and are not read once more.
        driver = {"options": options, "cursor_factory": _Cursor}
        engine = sa.create_engine(address, paramstyle="numeric_dollar", connect_args=driver, **pool)
        event.listen(engine, "connect", _prepare_postgresql)
        event.listen(engine, "begin", _begin_postgresql)
        _ping_after_rest(engine)
    wait_seconds = sqlite_wait_seconds if kind == "sqlite" else lock_timeout_seconds
    return Database(engine, wait_seconds=wait_seconds, turn_seconds=turn_seconds)


class _Cursor(RawCursor[Any]):
    """A cursor that puts its columns in words for whoever looks at them. SQLAlchemy asks of each result whether it has
    columns, and which they are only where it has not compiled the statement before; psycopg would write each of them
    down each time. (A SELECT of nothing, which has rows without columns, is not told from a statement without rows.)
    """

    @property
    def description(self) -> Any:
        result = self.pgresult
        return _Columns(self, result.nfields) if result and result.nfields else None


class _Columns(Sequence[Column]):
    """The columns of a result that its cursor still has."""

    def __init__(self, cursor: RawCursor[Any], count: int) -> None:
        self._cursor, self._count = cursor, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        chosen = cast("int | range", range(self._count)[index])
        if isinstance(chosen, int):
            return Column(self._cursor, chosen)
        return [Column(self._cursor, number) for number in chosen]


def is_writing(db: Connection) -> bool:
    """Whether what is done on this connection is kept. On one that was lent for reading nothing is locked either: who
    only looks judges what they see, and keeps nobody waiting.
    """
    return bool(db.get_execution_options().get("labshare_write", False))


def _address(url: str) -> sa.URL:
    try:
        address = sa.make_url(url)
    except ArgumentError as error:
        raise StartupError("database_url_unreadable") from error
    kind = address.get_backend_name()
    if kind == "postgresql":
        return address.set(drivername="postgresql+psycopg")
    if kind != "sqlite":
        raise StartupError("database_kind_unknown", kind=kind)
    if not address.database or address.database == ":memory:":
        # Every pooled connection would see an empty database of its own.
        raise StartupError("database_needs_file")
    return address


def _prepare_sqlite(connection: Any, _: ConnectionPoolEntry) -> None:
    # The driver must not open transactions by itself: the "begin" event does, and chooses which kind.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_postgresql(connection: Any, _: ConnectionPoolEntry) -> None:
    # Neither must this driver: who reads begins none, as a transaction would show them no more than statements by
    # themselves do (READ COMMITTED), and its begin and end are most of what a single row costs.
    connection.autocommit = True


def _begin_postgresql(db: Connection) -> None:
    if is_writing(db):
        # A statement by itself may not write.
        _say(db, "BEGIN READ WRITE")


def _ping_after_rest(engine: Engine) -> None:
    """Try a connection that has rested before it is lent, as its server may have gone away meanwhile.

    SQLAlchemy's own `pool_pre_ping` asks each time, which is a third of what a refusal costs.
    """

    def returned(_: Any, record: ConnectionPoolEntry) -> None:
        record.info["returned"] = time.monotonic()

    def lent(connection: Any, record: ConnectionPoolEntry, _: Any) -> None:
        # One that was just opened has not been returned yet.
        if time.monotonic() - record.info.get("returned", math.inf) > REST_SECONDS:
            try:
                engine.dialect.do_ping(connection)
            except engine.dialect.loaded_dbapi.Error as error:
                raise DisconnectionError from error

    event.listen(engine, "checkin", returned)
    event.listen(engine, "checkout", lent)


def _begin_sqlite(db: Connection) -> None:
    _say(db, "BEGIN IMMEDIATE" if is_writing(db) else "BEGIN")


def _say(db: Connection, words: str) -> None:
    """Begin a transaction, which each request does several times, by the driver alone. Raises as `db.execute` does."""
    try:
        cast("Any", db.connection.dbapi_connection).execute(words)
    except db.dialect.loaded_dbapi.Error as error:
        fail(db, words, error)


@contextmanager
def _translated() -> Generator[None]:
    """Turn what a database says into the house's errors; a fault of ours stays what it is."""
    try:
        yield
    except StatementError as error:
        known = _known(error)
        if known is None:
            raise
        raise known from error
    except PoolTimeoutError as error:
        raise Busy() from error


def _known(error: StatementError) -> LabShareError | None:
    if isinstance(error.orig, LabShareError):
        # A value that a column's type refused, such as a naive time.
        return error.orig
    text = str(error.orig)
    state = getattr(error.orig, "sqlstate", None)
    if guard.NAME in text:
        return TimeTaken()
    if state in BUSY_STATES or "database is locked" in text:
        return Busy()
    if "NUL (0x00)" in text:
        # No text of ours holds one; PostgreSQL refuses it, and so an address that carries one is not a fault of ours.
        return Malformed("malformed_request")
    return None
