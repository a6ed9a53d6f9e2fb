"""What rules are made of is read once, and again as soon as any of it is other: signed, on trial, or for a round."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from labshare.domain.agreements import Version
from labshare.domain.windows import Window
from labshare.services import rounds
from labshare.store import agreements as store
from labshare.store import facts
from labshare.store import tables as t
from labshare.store.engine import Connection, Database
from labshare.store.rulebooks import rulebook
from tests.domain.test_agreements import a_rule, an_agreement
from tests.furniture import NOW, OFFICE, actor, counted, furnish
from tests.round_of import open_round


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
        add(db, 1)
    return database


def add(db: Connection, number: int, **changes: object) -> None:
    agreement = an_agreement(a_rule(window=Window.ROUND), **changes)
    store.add_version(db, Version(number=number, agreement=agreement), actor_id=None, now=NOW)


def test_the_agreements_are_read_once_until_somebody_signs(house: Database) -> None:
    with house.read() as db:
        book = rulebook(db)
        with counted(house.engine) as seen:
            assert rulebook(db) is book
        assert len(seen) == 1
    with house.write() as db:
        add(db, 2, title_en="Renewed")
    with house.read() as db, counted(house.engine) as seen:
        assert [version.number for version in rulebook(db).versions["A"]] == [1, 2]
    assert len(seen) == 5


def test_what_was_read_of_a_signing_that_came_to_nothing_is_never_used(house: Database) -> None:
    with house.write() as db:
        undone = db.begin_nested()
        add(db, 2, title_en="Never")
        assert len(rulebook(db).versions["A"]) == 2
        undone.rollback()
        assert len(rulebook(db).versions["A"]) == 1
        add(db, 2, title_en="Renewed")
        assert rulebook(db).versions["A"][-1].agreement.title_en == "Renewed"


def test_a_database_from_before_there_were_stamps_is_read_each_time(house: Database) -> None:
    with house.write() as db:
        db.execute(sa.delete(t.facts).where(t.facts.c.name == facts.STAMP))
        assert len(rulebook(db).versions["A"]) == 1
        db.execute(sa.update(t.agreement_versions).values(version=7))
        assert [version.number for version in rulebook(db).versions["A"]] == [7]


def test_a_round_has_its_rules_from_its_opening_until_it_is_withdrawn(house: Database) -> None:
    with house.write() as db:
        assert rulebook(db).terms["A"] == ()
        opened = open_round(db, code="OPEN")
        assert [term.round_code for term in rulebook(db).terms["A"]] == ["OPEN"]
        rounds.withdraw(db, actor(OFFICE), opened.id, seen_version=opened.version, now=NOW)
        assert rulebook(db).terms["A"] == ()
