"""The registry on both databases: kept whole, changed without losing a row, organisations of others left alone."""

from __future__ import annotations

from datetime import datetime

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from labshare.domain.registry import Registry
from labshare.domain.registry_changes import TECHNOLOGY_NOUNS
from labshare.errors import NotFound
from labshare.store import registry as store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.registry_files import files, read, real


def write(db: Connection, registry: Registry) -> None:
    store.replace_technologies(db, registry)
    for noun in store.TABLES:
        if noun not in TECHNOLOGY_NOUNS:
            store.add(db, noun, getattr(registry, noun))


def test_the_real_registry_comes_back_as_it_was_written(database: Database) -> None:
    registry = read(real())
    with database.write() as db:
        write(db, registry)
    with database.read() as db:
        assert store.load(db) == registry


def test_a_child_may_stand_before_its_parent_in_the_files(database: Database) -> None:
    [institute] = read(files()).organisations
    child = msgspec.structs.replace(institute, id="I-0", parent_id="I-A", governing_body_vi="", governing_body_en="")
    with database.write() as db:
        store.add(db, "organisations", (child, institute))
        assert store.organisation(db, "I-0") == child


def test_a_changed_instrument_raises_its_calendar_version_and_its_products(database: Database) -> None:
    registry = read(files())
    [instrument] = registry.instruments
    changed = msgspec.structs.replace(instrument, max_minutes=300, products=instrument.products[1:])
    with database.write() as db:
        write(db, registry)
        store.change(db, "instruments", (changed,))
    with database.read() as db:
        assert store.instrument(db, "N1") == changed
        assert db.execute(sa.select(t.instruments.c.calendar_version)).scalar_one() == 1
        # Of NEW:P1 and NEW:P2 only the second is left.
        assert db.execute(sa.select(t.instrument_products.c.product_code)).scalars().all() == ["P2"]


def test_a_retired_row_is_kept_and_no_longer_listed(database: Database, now: datetime) -> None:
    registry = read(files())
    with database.write() as db:
        write(db, registry)
        store.retire(db, "capabilities", ["SEM"], now)
    with database.read() as db:
        assert store.capabilities(db) == []
        assert store.capability(db, "SEM").retired_at == now


def test_organisations_that_people_brought_are_not_the_registrys(database: Database) -> None:
    partner = {"id": "O-CO", "name_vi": "Công ty", "name_en": "Company", "kind": "company",
               "verification": "verified", "beyond_registry": True}  # fmt: skip
    with database.write() as db:
        write(db, read(files()))
        db.execute(sa.insert(t.organisations).values(partner))
    with database.read() as db:
        assert [row.id for row in store.load(db).organisations] == ["I-A"]
        assert [row.id for row in store.organisations(db)] == ["I-A"]
        assert store.organisation(db, "O-CO").name_en == "Company"


def test_an_organisation_that_people_brought_is_taken_over_when_the_registry_names_it(database: Database) -> None:
    registry = read(files())
    with database.write() as db:
        db.execute(
            sa.insert(t.organisations).values(id="I-A", name_vi="Tên cũ", kind="institute", beyond_registry=True)
        )
        write(db, registry)
    with database.read() as db:
        assert store.load(db).organisations == registry.organisations


def test_the_number_of_every_instrument_stays_known(database: Database, now: datetime) -> None:
    with database.write() as db:
        write(db, read(files()))
        store.retire(db, "instruments", ["N1"], now)
    with database.read() as db:
        assert store.numbers(db) == {1: "N1"}


def test_an_id_that_nobody_has_is_not_found(database: Database) -> None:
    with database.read() as db:
        for find in (store.instrument, store.centre, store.organisation, store.zone, store.capability):
            with pytest.raises(NotFound):
                find(db, "X")
