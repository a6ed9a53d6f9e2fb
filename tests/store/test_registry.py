"""The registry on both databases: kept whole, changed without losing a row, organisations of others left alone."""

from __future__ import annotations

from datetime import datetime

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from labshare.domain.booking_rules import Scope, ScopeKind
from labshare.domain.opening import parse_opening
from labshare.domain.registry import Registry
from labshare.domain.registry_changes import TECHNOLOGY_NOUNS
from labshare.errors import NotFound
from labshare.store import registry as store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import add_instrument, furnish
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


# ---------------------------------------------------------------- what is in force of it


def test_what_is_in_force_is_read_and_what_the_registry_says_is_loaded(database: Database) -> None:
    registry = read(files())
    [registered] = registry.instruments
    held = msgspec.structs.replace(
        registered, opening=parse_opening("Sat 09:00-12:00"), min_minutes=60, max_minutes=120, granularity_minutes=20,
        setup_minutes=5, cleanup_minutes=0,
    )  # fmt: skip
    with database.write() as db:
        write(db, registry)
        assert store.timed(db) == [(registered, registered)]
        store.put_in_force(db, [(registered, held)])
    with database.read() as db:
        assert store.instrument(db, "N1") == held
        assert store.timed(db) == [(registered, held)]
        assert store.load(db) == registry
        assert db.execute(sa.select(t.instruments.c.calendar_version)).scalar_one() == 1
    with database.write() as db:
        store.put_in_force(db, [(registered, registered)])
        assert store.instrument(db, "N1") == registered
        assert db.execute(sa.select(t.instruments.c.registered)).scalar_one() is None


def test_a_row_that_is_written_anew_is_the_registrys(database: Database) -> None:
    registry = read(files())
    [registered] = registry.instruments
    changed = msgspec.structs.replace(registered, max_minutes=300)
    with database.write() as db:
        write(db, registry)
        store.put_in_force(db, [(registered, msgspec.structs.replace(registered, max_minutes=60))])
        store.change(db, "instruments", (changed,))
        assert store.timed(db) == [(changed, changed)]


@pytest.mark.parametrize(
    ("scope", "numbers"),
    [
        (Scope(ScopeKind.INSTRUMENT, "N002"), [2]),
        (Scope(ScopeKind.CENTRE, "C-ONE"), [1, 2]),
        (Scope(ScopeKind.GROUP, "NMR"), [3]),
        (None, [1, 2, 3]),
    ],
)
def test_a_scope_finds_what_is_booked_by_time_and_in_service(
    database: Database, now: datetime, scope: Scope | None, numbers: list[int]
) -> None:
    with database.write() as db:
        furnish(db)
        add_instrument(db, 4, "C-ONE", "NMR", booking_mode="service")
        add_instrument(db, 5, "C-ONE", "NMR", retired_at=now)
        assert [stands.number for _, stands in store.timed(db, scope)] == numbers
