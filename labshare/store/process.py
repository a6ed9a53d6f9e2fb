"""One serving process for one database: the claim that a second one runs into.

Live updates, the runner of plans and the ticker live in one process (ARCHITECTURE.md, decision 7); two on one database
would each tell half of the readers. On SQLite the claim is a lock on a file beside the database, on PostgreSQL an
advisory lock on a connection of its own. The operating system or the server ends both when the process ends, however.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from labshare.errors import StartupError
from labshare.store.engine import Database

# Any number will do, as long as nothing else takes advisory locks on it.
ADVISORY_KEY = 0x1AB5_4A2E


class Claim(Protocol):
    """The right to serve a database, for as long as it is held."""

    def renew(self) -> None:
        """Take the claim again if it was lost. Raises `StartupError` when another process has it by now."""


@contextmanager
def claim(database: Database) -> Generator[Claim]:
    """Hold the right to serve this database. Raises `StartupError` when another process holds it."""
    holding = _file_claim(database) if database.is_sqlite else _connection_claim(database)
    with holding as held:
        yield held


class _FileClaim:
    def renew(self) -> None:
        """A lock on an open file is never lost while the process lives."""


@contextmanager
def _file_claim(database: Database) -> Generator[Claim]:
    path = Path(f"{database.engine.url.database}.serving")
    with path.open("w", encoding="utf-8") as file:
        _lock(file)
        yield _FileClaim()


def _lock(file: IO[str]) -> None:
    # Only this function knows the call, which exists on every system but Windows.
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise StartupError("already_served") from error


class _ConnectionClaim:
    """An advisory lock ends with its connection, so a restart of the server loses it without a word."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._take()

    def renew(self) -> None:
        try:
            if self._connection is None:
                self._take()
            else:
                self._connection.execute(sa.select(1))
        except DBAPIError:
            # The server is away; the next renewal tries again, and pages answer with errors meanwhile.
            self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None

    def _take(self) -> None:
        self._connection = self._engine.connect()
        if not self._connection.execute(sa.select(sa.func.pg_try_advisory_lock(ADVISORY_KEY))).scalar_one():
            self.close()
            raise StartupError("already_served")


@contextmanager
def _connection_claim(database: Database) -> Generator[Claim]:
    # Not from the pool: every connection there is spoken for by a thread that answers requests.
    engine = sa.create_engine(database.engine.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    held = _ConnectionClaim(engine)
    try:
        yield held
    finally:
        held.close()


def require_reachable(database: Database) -> None:
    """Raise `StartupError` with the database's own words when it cannot be opened at all."""
    try:
        with database.read() as db:
            db.execute(sa.select(1))
    except DBAPIError as error:
        raise StartupError("database_unreachable", reason=str(error.orig).partition("\n")[0]) from error
