"""One database is served by one process; the claim ends with the process, however it ends."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from labshare.errors import StartupError
from labshare.store.engine import open_database
from labshare.store.process import ADVISORY_KEY, claim, require_reachable

HOLD = """
import sys, time
from labshare.store.engine import open_database
from labshare.store.process import claim
with claim(open_database(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_claim_is_refused_until_the_first_ends(database_url: str) -> None:
    first, second = open_database(database_url), open_database(database_url)
    with claim(first), pytest.raises(StartupError, match="already_served"), claim(second):
        pass
    with claim(second):
        pass
    first.dispose()
    second.dispose()


def test_a_killed_process_leaves_no_claim_behind(database_url: str) -> None:
    database = open_database(database_url)
    with subprocess.Popen([sys.executable, "-c", HOLD, database_url], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StartupError, match="already_served"), claim(database):
            pass
        holder.kill()
        holder.wait()
    with claim(database):
        pass
    database.dispose()


@pytest.fixture(autouse=True)
def released(request: pytest.FixtureRequest) -> Iterator[None]:
    """The server sees the end of a connection a moment after it: the next test begins once its claim has gone."""
    url: str = next((request.getfixturevalue(each) for each in _URLS if each in request.fixturenames), "")
    yield
    if not url.startswith("postgresql"):
        return
    database = open_database(url)
    for _ in range(100):
        with database.read() as db:
            if not db.execute(_HOLDERS, {"key": ADVISORY_KEY}).scalar_one():
                break
        time.sleep(0.05)
    database.dispose()


_URLS = ("postgres_url", "database_url")
_HOLDERS = sa.text(
    "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = pg_locks.database"
    " WHERE locktype = 'advisory' AND objid = :key AND d.datname = current_database()"
)


def _cut(url: str) -> None:
    """End the connection that holds the advisory lock, as a restart of the server would."""
    database = open_database(url)
    holders = sa.text(
        "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database d ON d.oid = pg_locks.database"
        " WHERE locktype = 'advisory' AND objid = :key AND d.datname = current_database()"
    )
    with database.write() as db:
        assert db.execute(holders, {"key": ADVISORY_KEY}).scalars().all() == [True]
    database.dispose()


def test_a_claim_lost_with_its_connection_is_taken_again(postgres_url: str) -> None:
    database, other = open_database(postgres_url), open_database(postgres_url)
    with claim(database) as held:
        _cut(postgres_url)
        # The first renewal finds the connection gone, the second takes the claim again.
        held.renew()
        held.renew()
        with pytest.raises(StartupError, match="already_served"), claim(other):
            pass
    database.dispose()
    other.dispose()


def test_a_claim_that_another_process_took_meanwhile_stops_the_first(postgres_url: str) -> None:
    database, other = open_database(postgres_url), open_database(postgres_url)
    with claim(database) as held:
        _cut(postgres_url)
        with claim(other):
            held.renew()
            with pytest.raises(StartupError, match="already_served"):
                held.renew()
    database.dispose()
    other.dispose()


def test_a_database_that_cannot_be_opened_is_said_in_its_own_words() -> None:
    database = open_database("postgresql://nobody:hidden@127.0.0.1:1/none")
    with pytest.raises(StartupError, match="database_unreachable") as caught:
        require_reachable(database)
    # The address may carry a password, so it is never repeated.
    assert "hidden" not in str(caught.value)
    assert "\n" not in str(caught.value)
    database.dispose()
