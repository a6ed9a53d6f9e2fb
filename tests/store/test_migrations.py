"""`labshare migrate`: once is enough, a missing guard is put up again, and never over bookings that overlap already."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from labshare.domain.bookings import BookingState
from labshare.errors import StartupError, TimeTaken
from labshare.store import bookings as store
from labshare.store import guard
from labshare.store import notices as notices_store
from labshare.store.engine import Database, open_database
from labshare.store.migrations import alembic_config, migrate, require_current
from labshare.store.tables import due, metadata, notices, projects
from tests.furniture import FESEM, NMR, XRD, a_booking, furnish, span


@pytest.fixture
def unguarded(own_database_url: str) -> Iterator[Database]:
    """A furnished database from which the guard was taken away."""
    database = open_database(own_database_url)
    with database.write() as db:
        furnish(db)
        if database.is_sqlite:
            db.exec_driver_sql(f"DROP TRIGGER {guard.NAME}_insert")
        else:
            db.exec_driver_sql(f"ALTER TABLE bookings DROP CONSTRAINT {guard.NAME}")
    yield database
    database.dispose()


def test_a_database_at_this_version_is_left_alone(database: Database) -> None:
    assert not migrate(database)


def test_tables_of_a_newer_version_are_left_alone(own_database_url: str) -> None:
    database = open_database(own_database_url)
    with database.write() as db:
        db.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StartupError, match="database_newer"):
        migrate(database)
    with database.read() as db:
        assert db.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one() == "9999"
    database.dispose()


def test_a_missing_guard_is_put_up_again(unguarded: Database) -> None:
    assert migrate(unguarded)
    with unguarded.write() as db:
        guard.require(db)
        store.add(db, [a_booking(FESEM, span(23, 9, 11))])
    with pytest.raises(TimeTaken), unguarded.write() as db:
        store.add(db, [a_booking(FESEM, span(23, 10, 12))])


def test_no_guard_is_put_up_over_bookings_that_overlap(unguarded: Database) -> None:
    with unguarded.write() as db:
        # The long one and the last one overlap although a short one starts between them.
        hours = ((9, 17), (10, 11), (16, 18))
        store.add(db, [a_booking(FESEM, span(23, *pair)) for pair in hours])
    with pytest.raises(StartupError, match="guard_refused"):
        migrate(unguarded)
    with unguarded.read() as db:
        assert not guard.stands(db)


def test_what_only_touches_or_was_given_back_is_no_overlap(unguarded: Database) -> None:
    with unguarded.write() as db:
        store.add(
            db,
            [
                a_booking(FESEM, span(23, 9, 11)),
                a_booking(FESEM, span(23, 11, 12)),
                a_booking(XRD, span(23, 9, 11)),
                a_booking(NMR, span(23, 9, 11)),
                a_booking(NMR, span(23, 10, 12), state=BookingState.CANCELLED),
            ],
        )
    assert migrate(unguarded)


def test_a_database_of_the_first_version_gets_its_ledger_with_its_guard(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'old.sqlite3'}")
    config = alembic_config()
    with database.write() as db:
        config.attributes["connection"] = db
        command.upgrade(config, "0001")
        db.exec_driver_sql("INSERT INTO organisations (id) VALUES ('O-OLD')")
    assert migrate(database)
    with database.read() as db:
        require_current(db)
        assert guard.stands(db)
        assert {"ledger_entries", "state_orders"} <= set(sa.inspect(db).get_table_names())
        assert db.exec_driver_sql("SELECT count(*) FROM organisations").scalar_one() == 1
    assert not migrate(database)
    database.dispose()


def test_migrations_make_the_tables_that_the_code_names(database: Database) -> None:
    """A column added to tables.py without a migration shows here, before an operator meets it."""
    with database.read() as db:
        context = MigrationContext.configure(db, opts={"compare_type": True})
        # The guard's own index stands in guard.py.
        differences = [each for each in compare_metadata(context, metadata) if guard.NAME not in str(each)]
        assert differences == []
        found = sa.inspect(db)
        for table in metadata.sorted_tables:
            named = {each.name for each in table.constraints if isinstance(each, sa.CheckConstraint)}
            assert {each["name"] for each in found.get_check_constraints(table.name)} == named, table.name


def test_projects_verified_before_are_reminded_of_their_end(tmp_path: Path) -> None:
    """Only of what lies ahead: 10 days from now the review is past, and what has ended is told to nobody."""
    database = open_database(f"sqlite:///{tmp_path / 'old.sqlite3'}")
    config = alembic_config()
    ends = {1: 100, 2: 10, 3: -1}
    with database.write() as db:
        config.attributes["connection"] = db
        command.upgrade(config, "0003")
        db.exec_driver_sql("INSERT INTO organisations (id) VALUES ('O-OLD')")
        person = uuid4()
        db.exec_driver_sql(f"INSERT INTO persons (id, login, organisation_id) VALUES ('{person.hex}', 'old', 'O-OLD')")
        for number, days in ends.items():
            values = {"id": UUID(int=number), "code": str(number), "organisation_id": "O-OLD", "pi_id": person}
            values |= {"access_class": "host", "activity": "economic", "state": "verified"}
            db.execute(projects.insert().values(values | {"expires_at": datetime.now(UTC) + timedelta(days=days)}))
    assert migrate(database)
    with database.read() as db:
        found = {(row.kind, UUID(row.noun_id).int) for row in db.execute(sa.select(due))}
    assert found == {("project_review", 1), ("project_expired", 1), ("project_expired", 2)}
    database.dispose()


def test_people_of_an_older_database_stay_who_they_were(tmp_path: Path) -> None:
    """They came with a file of the user office, so nobody has to confirm them anew."""
    database = open_database(f"sqlite:///{tmp_path / 'old.sqlite3'}")
    config = alembic_config()
    with database.write() as db:
        config.attributes["connection"] = db
        command.upgrade(config, "0001")
        db.exec_driver_sql("INSERT INTO organisations (id) VALUES ('O-OLD')")
        db.exec_driver_sql("INSERT INTO persons (id, login, organisation_id) VALUES ('1', 'old', 'O-OLD')")
    assert migrate(database)
    with database.read() as db:
        found = db.exec_driver_sql("SELECT affiliation, affiliation_version FROM persons").one()
    assert tuple(found) == ("confirmed", 1)
    database.dispose()


def test_letters_that_wait_are_sent_and_read_in_the_app_after_a_migration(own_database_url: str) -> None:
    database = open_database(own_database_url)
    config = alembic_config()
    now, letter = datetime(2026, 11, 23, 1, 0, tzinfo=UTC), uuid4()
    with database.write() as db:
        metadata.drop_all(db)
        db.exec_driver_sql("DROP TABLE alembic_version")
        config.attributes["connection"] = db
        command.upgrade(config, "0015")
        db.exec_driver_sql("INSERT INTO organisations (id) VALUES ('O-OLD')")
        values = {"login": "old", "organisation_id": "O-OLD", "email": "old@x.vn"}
        people = sa.table("persons", sa.column("id", sa.Uuid()), *map(sa.column, values))
        db.execute(sa.insert(people).values(id=letter, **values))
        names = ("id", "person_id", "kind", "send_at")
        old = sa.table("notices", *(sa.column(name, notices.c[name].type) for name in names))
        db.execute(sa.insert(old).values(id=letter, person_id=letter, kind="project_expired", send_at=now))
    assert migrate(database)
    with database.read() as db:
        (waiting,) = notices_store.due(db, now)
        assert (waiting.email, waiting.notice.created_at, waiting.notice.read_at) == ("old@x.vn", now, None)
        assert notices_store.unread(db, letter) == 1
    database.dispose()


def test_levels_become_three_and_whoever_is_qualified_is_looked_at(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'old.sqlite3'}")
    config = alembic_config()
    person = UUID(int=7)
    with database.write() as db:
        config.attributes["connection"] = db
        command.upgrade(config, "0015")
        db.exec_driver_sql("INSERT INTO organisations (id) VALUES ('O-OLD')")
        db.exec_driver_sql("INSERT INTO centres (id, host_id) VALUES ('C-OLD', 'O-OLD')")
        db.exec_driver_sql("INSERT INTO capabilities (id) VALUES ('SEM')")
        for number in (1, 2):
            db.exec_driver_sql(
                "INSERT INTO instruments (number, id, centre_id, capability_id, booking_mode, min_minutes, max_minutes,"
                " granularity_minutes, advance_days)"
                f" VALUES ({number}, 'N{number}', 'C-OLD', 'SEM', 'time', 1, 2, 1, 1)"
            )
        db.exec_driver_sql(f"INSERT INTO persons (id, login, organisation_id) VALUES ('{person.hex}', 'old', 'O-OLD')")
        for number, level in ((1, 2), (2, 9)):
            db.exec_driver_sql(
                "INSERT INTO qualifications (person_id, instrument_number, level, granted_at)"
                f" VALUES ('{person.hex}', {number}, {level}, 0)"
            )
        for rule, level in ((1, 2), (2, 7)):
            params = json.dumps({"level": level})
            db.exec_driver_sql(
                "INSERT INTO booking_rules (id, scope_kind, scope_id, kind, params, since)"
                f" VALUES ('{UUID(int=rule).hex}', 'centre', 'C-OLD', 'overnight', '{params}', 0)"
            )
    assert migrate(database)
    with database.read() as db:
        levels = db.exec_driver_sql("SELECT level FROM qualifications ORDER BY instrument_number").scalars().all()
        params = db.exec_driver_sql("SELECT params FROM booking_rules ORDER BY id").scalars().all()
        found = [(row.kind, row.noun_id) for row in db.execute(sa.select(due))]
    assert (levels, params) == ([2, 3], ['{"level": 2}', '{"level": 3}'])
    assert found == [("qualification_ends", str(person))]
    database.dispose()
