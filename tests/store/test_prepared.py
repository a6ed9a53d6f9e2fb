"""Statements that are compiled once: they say and do what SQLAlchemy's own way would."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from labshare.domain.bookings import BookingState
from labshare.domain.timespan import Span
from labshare.errors import Malformed
from labshare.store import bookings as store
from labshare.store.engine import Database, open_database
from labshare.store.prepared import Prepared
from labshare.store.tables import bookings, facts, organisations
from tests.furniture import FESEM, NOW, RESEARCHER, a_booking, at, counted, furnish

_STARTED = (
    sa.select(
        bookings, sa.literal("it's at 50 % $1 :x ?").label("where"), (bookings.c.attended & sa.true()).label("both")
    )
    .where(
        bookings.c.state == BookingState.CONFIRMED,
        bookings.c.starts_at >= sa.bindparam("since", type_=bookings.c.starts_at.type),
    )
    .order_by(bookings.c.starts_at)
    .limit(1)
)
_ADD = Prepared(sa.insert(facts), ("name", "value"))
_NAMED = Prepared(sa.select(facts.c.value).where(facts.c.name == sa.bindparam("name")))


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
        store.add(
            db, [a_booking(FESEM, Span(at(25, hour), at(25, hour + 1)), person_id=RESEARCHER) for hour in (9, 11)]
        )
    return database


def test_rows_are_those_of_the_library(house: Database) -> None:
    """Every column of a booking: ids, times of both kinds, numbers, truths, texts, nothing; and constants."""
    prepared = Prepared(_STARTED)
    for since in (at(25, 9), at(25, 10), at(25, 12)):
        with house.read() as db:
            expected = db.execute(_STARTED, {"since": since}).mappings().all()
            found = prepared.rows(db, {"since": since}).mappings().all()
        assert [dict(row) for row in found] == [dict(row) for row in expected]
        assert [type(value) for row in found for value in row.values()] == [
            type(value) for row in expected for value in row.values()
        ]
    assert not found


def test_values_are_made_fit_for_the_database_and_refused_as_ever(house: Database) -> None:
    prepared = Prepared(_STARTED)
    with house.read() as db:
        assert prepared.rows(db, {"since": at(25, 10)}).one().starts_at == at(25, 11)
        with pytest.raises(Malformed):
            prepared.rows(db, {"since": datetime(2026, 11, 25, 10, 0, 30, tzinfo=UTC)})
        with pytest.raises(KeyError):
            prepared.rows(db, {})


def test_one_row_and_many_are_written_and_counted(database: Database) -> None:
    with database.write() as db:
        assert _ADD.write(db, {"name": "a", "value": "1"}) == 1
        assert _ADD.write(db, *({"name": name, "value": "2"} for name in "bcd")) == 3
        changed = Prepared(sa.update(facts).where(facts.c.value == sa.bindparam("old")).values(value="3"))
        assert changed.write(db, {"old": "2"}) == 3
        assert changed.write(db, {"old": "2"}) == 0
    with database.read() as db:
        assert [_NAMED.rows(db, {"name": name}).scalar_one() for name in "abcd"] == ["1", "3", "3", "3"]


_AMONG = facts.c.name.in_(sa.bindparam("names", expanding=True))


def test_a_list_may_have_any_length(database: Database) -> None:
    inside = Prepared(sa.select(facts.c.name).where(_AMONG).order_by(facts.c.name))
    outside = Prepared(sa.select(facts.c.name).where(~_AMONG, facts.c.value == "1").order_by(facts.c.name))
    with database.write() as db:
        _ADD.write(db, *({"name": name, "value": "1"} for name in "abcdefghi"))
        for names in ("", "a", "ib", "xyz", "abc", "dcba", "abcde", "abcdefghi", "i"):
            expected = sorted(set(names) & set("abcdefghi"))
            assert inside.rows(db, {"names": list(names)}).scalars().all() == expected
            rest = [name for name in "abcdefghi" if name not in names]
            assert outside.rows(db, {"names": tuple(names)}).scalars().all() == rest
        gone = Prepared(sa.delete(facts).where(_AMONG))
        assert gone.write(db, {"names": ["c", "a"]}) == 2
        assert gone.write(db, {"names": ["b"]}, {"names": ["a", "d", "e"]}, {"names": []}) == 3
        assert outside.rows(db, {"names": []}).scalars().all() == ["f", "g", "h", "i"]


def test_lists_of_like_lengths_share_a_statement(database: Database) -> None:
    """A list is filled up: statements as many as lengths would crowd each other out of where drivers keep them."""
    found = Prepared(sa.select(facts.c.name).where(_AMONG))
    with counted(database.engine) as statements, database.read() as db:
        for length in range(1, 17):
            assert found.rows(db, {"names": ["a"] * length}).all() == []
    # One, two, four, eight and sixteen.
    assert len(set(statements)) == 5


def test_entries_of_a_list_are_made_fit_for_the_database(house: Database) -> None:
    starts: sa.BindParameter[Any] = sa.bindparam("starts", expanding=True)
    found = Prepared(sa.select(bookings.c.starts_at).where(bookings.c.starts_at.in_(starts)))
    with house.read() as db:
        assert found.rows(db, {"starts": [at(25, 11), at(25, 10)]}).scalars().all() == [at(25, 11)]
        assert found.rows(db, {"starts": []}).all() == []
        with pytest.raises(KeyError):
            found.rows(db, {})


def test_a_list_of_several_columns_goes_the_librarys_own_way(database: Database) -> None:
    pairs = sa.tuple_(facts.c.name, facts.c.value).in_(sa.bindparam("pairs", expanding=True))
    found = Prepared(sa.select(facts.c.name).where(pairs).order_by(facts.c.name))
    with database.write() as db:
        _ADD.write(db, *({"name": name, "value": name} for name in "abc"))
        assert found.rows(db, {"pairs": [("c", "c"), ("a", "b"), ("a", "a")]}).scalars().all() == ["a", "c"]
        assert [*found.each(db, {"pairs": [("b", "b")]})] == [("b",)]
        assert Prepared(sa.delete(facts).where(pairs)).write(db, {"pairs": [("b", "b"), ("c", "a")]}) == 1


def test_rows_may_be_gone_through_while_others_are_read(database: Database) -> None:
    """More than are taken at a time; the same statement among them, and one that leaves off before its end."""
    every = Prepared(sa.select(facts.c.name, facts.c.value).where(facts.c.value == "1").order_by(facts.c.name))
    names = [f"n{number:03}" for number in range(100)]
    with database.write() as db:
        _ADD.write(db, *({"name": name, "value": "1"} for name in names))
    with database.read() as db:
        found: list[str] = []
        for name, _ in every.each(db, {}):
            found.append(name)
            assert _NAMED.rows(db, {"name": name}).scalar_one() == "1"
            assert next(iter(every.each(db, {})))[0] == names[0]
        assert found == names
    with database.write() as db:
        assert Prepared(sa.delete(facts).where(facts.c.value == "1")).write(db, {}) == 100


def test_rows_that_are_gone_through_are_of_the_same_types(house: Database) -> None:
    prepared = Prepared(_STARTED)
    with house.read() as db:
        (row,) = prepared.rows(db, {"since": at(25, 10)}).all()
        assert [*prepared.each(db, {"since": at(25, 10)})] == [tuple(row)]


def test_what_is_always_the_same_is_not_sent(house: Database) -> None:
    prepared = Prepared(_STARTED)
    with counted(house.engine) as statements, house.read() as db:
        assert prepared.rows(db, {"since": at(25, 9)}).one()
    (text,) = statements
    assert "'confirmed'" in text
    assert "LIMIT 1" in text
    assert "it''s at 50 % $1 :x ?" in text
    # A minus before a number could follow another, and a parameter with a usual value is none that stays the same.
    least = Prepared(sa.select(-sa.literal(-3), sa.bindparam("given", 4, sa.Integer)))
    with house.read() as db:
        assert tuple(least.rows(db, {"given": 5}).one()) == (3, 5)


def test_an_insert_fills_the_columns_that_are_named(database: Database) -> None:
    some = Prepared(sa.insert(organisations), ("id", "name_vi", "name_en", "kind"))
    with database.write() as db:
        assert some.write(db, {"id": "O-1", "name_vi": "một", "name_en": "one", "kind": "institute"}) == 1
        assert some.write(db) == 0
        found = db.execute(sa.select(organisations).where(organisations.c.id == "O-1")).one()
    assert (found.name_vi, found.name_en) == ("một", "one")


def test_an_error_is_the_librarys_and_undoes_the_write(database: Database) -> None:
    twice = [{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]
    with pytest.raises(IntegrityError) as refused, database.write() as db:
        _ADD.write(db, *twice)
    assert refused.value.orig is not None
    with database.write() as db:
        _ADD.write(db, {"name": "a", "value": "1"})
        with pytest.raises(IntegrityError), database.attempt(db):
            _ADD.write(db, *({"name": name, "value": "2"} for name in "ba"))
        assert _NAMED.rows(db, {"name": "b"}).all() == []
        assert _NAMED.rows(db, {"name": "a"}).scalar_one() == "1"


def test_whoever_listens_hears_them(database: Database) -> None:
    with counted(database.engine) as statements, database.write() as db:
        _ADD.write(db, {"name": "a", "value": "1"})
        _NAMED.rows(db, {"name": "a"})
    assert [statement.split()[0] for statement in statements] == ["INSERT", "SELECT"]


def test_what_is_read_belongs_to_one_transaction(database: Database) -> None:
    """On SQLite whoever reads sees one state throughout; PostgreSQL shows them each statement's own."""
    with database.read() as db:
        assert _NAMED.rows(db, {"name": "a"}).all() == []
        with database.write() as other:
            _ADD.write(other, {"name": "a", "value": "1"})
        assert len(_NAMED.rows(db, {"name": "a"}).all()) == (0 if database.is_sqlite else 1)
    with database.read() as db:
        assert _NAMED.rows(db, {"name": "a"}).scalar_one() == "1"


def test_an_error_while_rows_are_fetched_is_the_librarys(database: Database) -> None:
    """SQLite finds it at the second row only."""
    least = sa.cast(sa.literal_column("-9223372036854775808"), sa.BigInteger)
    rows = sa.union_all(sa.select(sa.literal(1).label("n")), sa.select(sa.func.abs(least)))
    with pytest.raises(DBAPIError), database.read() as db:
        Prepared(rows).rows(db, {})
    with pytest.raises(DBAPIError), database.read() as db:
        list(Prepared(rows).each(db, {}))
    with database.read() as db:
        assert _NAMED.rows(db, {"name": "a"}).all() == []


def test_a_connection_that_was_lost_is_not_lent_again(postgres_url: str) -> None:
    database = open_database(postgres_url)
    try:
        with database.read() as db:
            assert _NAMED.rows(db, {"name": "a"}).all() == []
            mine: Any = db.connection.dbapi_connection
            with psycopg.connect(postgres_url, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s)", [mine.info.backend_pid])
            with pytest.raises(OperationalError) as lost:
                _NAMED.rows(db, {"name": "a"})
            assert lost.value.connection_invalidated
        with database.read() as db:
            assert _NAMED.rows(db, {"name": "a"}).all() == []
    finally:
        database.dispose()


def test_two_columns_of_one_name_are_refused(database: Database) -> None:
    """Whoever reads one of them by its name would get the other one."""
    both = Prepared(sa.select(bookings.c.id, organisations.c.id, organisations.c.name_vi))
    with database.read() as db:
        with pytest.raises(ValueError, match=r"one name: \['id'\]"):
            both.rows(db, {})
        assert Prepared(sa.select(bookings.c.id, organisations.c.id.label("other"))).rows(db, {}).all() == []


def test_a_constant_may_be_of_any_kind(house: Database) -> None:
    """Worked into the statement once, as the database wants it."""
    when, who = sa.literal(at(25, 9), bookings.c.starts_at.type), sa.literal(RESEARCHER, sa.Uuid())
    found = Prepared(
        sa.select(bookings.c.id, sa.literal(NOW, bookings.c.created_at.type).label("now")).where(
            bookings.c.starts_at == when, bookings.c.person_id == who
        )
    )
    with house.read() as db:
        row = found.rows(db, {}).one()
    assert isinstance(row.id, UUID)
    assert row.now == NOW
