"""What a booking would cost, on both databases: by the tariff of the preset, whose full cost is 2.4 m VND an hour."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

import msgspec
import pytest

from labshare.domain.agreements import Agreement, Scope, Version
from labshare.domain.profiles import Group
from labshare.domain.projects import AccessClass, Activity
from labshare.domain.sandbox import Change
from labshare.domain.sandbox_documents import to_toml
from labshare.domain.tariffs import HourRate, Tariff, TariffClass
from labshare.services import prices
from labshare.services import sandboxes as sandboxes_service
from labshare.store import agreements as agreements_store
from labshare.store import bookings as bookings_store
from labshare.store import projects as projects_store
from labshare.store import sandboxes as sandboxes_store
from labshare.store.engine import Database
from labshare.store.rulebooks import rulebook
from tests.domain.clauses import whole
from tests.domain.test_agreements import an_agreement
from tests.domain.test_replay import FOUR, replayed
from tests.domain.test_sandbox import an_overlay
from tests.furniture import (
    ADMINISTRATOR,
    FESEM,
    INDUSTRY_PROJECT,
    NMR,
    NOW,
    OFFICE,
    PUBLIC_PROJECT,
    a_booking,
    actor,
    counted,
    furnish,
    span,
)

(TARIFF,) = whole().tariffs
TWO_HOURS = span(25, 9, 11)


def priced(**changes: Any) -> Agreement:
    values: dict[str, Any] = {"tariffs": (TARIFF,), "covered": Scope(centres=("C-ONE",)), "parties": ("I-IMS",)}
    return an_agreement(**(values | changes))


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
        agreements_store.add_version(db, Version(number=1, agreement=priced()), actor_id=None, now=NOW)
    return database


def estimates(house: Database, number: int = FESEM, **changes: Any) -> list[tuple[str, int, int]]:
    """(project, VND an hour, VND for two hours) of the public and the industry project."""
    with house.read() as db:
        rules = bookings_store.rules_of(db, [number])[number]
        found = projects_store.by_ids(db, [PUBLIC_PROJECT, INDUSTRY_PROJECT])
        asked = [msgspec.structs.replace(found[each], **changes) for each in (PUBLIC_PROJECT, INDUSTRY_PROJECT)]
        rulebook(db)
        with counted(house.engine) as seen:
            told = prices.of_projects(db, rules, asked, TWO_HOURS)
        assert len(seen) == 1
    return [(each.project, each.hour, each.price.total) for each in told]


def test_each_project_is_told_the_price_of_its_class(house: Database) -> None:
    """Public research pays a half, industry of unproven size all: 1.2 m and 2.4 m an hour."""
    assert estimates(house) == [("KC-01", 1_200_000, 2_400_000), ("DN-01", 2_400_000, 4_800_000)]


def test_where_no_agreement_states_a_price_none_is_told(house: Database) -> None:
    assert estimates(house, NMR) == []


def test_the_agreement_of_the_project_goes_before_others(house: Database) -> None:
    dearer = msgspec.structs.replace(TARIFF, full_cost=3_000_000)
    with house.write() as db:
        own = priced(id="OWN", tariffs=(dearer,))
        agreements_store.add_version(db, Version(number=1, agreement=own), actor_id=None, now=NOW)
    assert estimates(house)[1] == ("DN-01", 2_400_000, 4_800_000)
    assert estimates(house, agreement_id="OWN")[1] == ("DN-01", 3_000_000, 6_000_000)


def test_a_tariff_that_has_ended_prices_nothing(house: Database) -> None:
    ended = msgspec.structs.replace(TARIFF, effective_until=date(2026, 11, 24))
    with house.write() as db:
        version = Version(number=2, agreement=priced(tariffs=(ended,)))
        agreements_store.add_version(db, version, actor_id=None, now=NOW)
    assert estimates(house) == []


def test_an_agreement_without_a_class_for_the_project_prices_nothing(house: Database) -> None:
    only_host = msgspec.structs.replace(TARIFF, classes=TARIFF.classes[:1])
    with house.write() as db:
        version = Version(number=2, agreement=priced(tariffs=(only_host,)))
        agreements_store.add_version(db, version, actor_id=None, now=NOW)
    assert estimates(house) == []


def test_a_booking_is_priced_by_what_was_copied_onto_it(house: Database) -> None:
    """A startup pays all, 4.8 m for two hours, before what its recognition lets off; with data four fifths of that."""
    with house.read() as db:
        rules = bookings_store.rules_of(db, [FESEM])[FESEM]
        booking = a_booking(FESEM, TWO_HOURS, access_class=AccessClass.STARTUP, activity=Activity.ECONOMIC)
        told = prices.of_booking(db, rules, booking, "KC-01")
        nobody = msgspec.structs.replace(booking, access_class=None)
        assert prices.of_booking(db, rules, nobody, "") is None
    assert told is not None
    assert (told.agreement_id, told.price.total, told.with_data) == ("A", 4_800_000, 3_840_000)
    assert told.may_be_waived


def test_a_trial_asks_its_own_price_while_it_holds(house: Database) -> None:
    """On the 25th the FE-SEM costs industry half of 1 m an hour from 9 to 11; the day after the trial as before."""
    everybody = (TariffClass(id="all", share=Fraction(1), who=(Group(),)),)
    morning = HourRate(id="morning", hours="daily 08:00-12:00", share=Fraction(1, 2), who=(Group(),))
    tariff = Tariff(
        id="trial", full_cost=1_000_000, effective_from=date(2026, 11, 1), instruments=("N001",), classes=everybody,
        hours=(morning,),
    )  # fmt: skip
    overlay = an_overlay(Change(agreement="A", tariff=tariff), start=date(2026, 11, 23), end=date(2026, 11, 25))
    with house.write() as db:
        sandboxes_service.propose(db, actor(OFFICE), to_toml(overlay), NOW)
        assert estimates(house)[1][1:] == (2_400_000, 4_800_000)
        found = sandboxes_store.get(db, overlay.id)
        assert found
        sandboxes_service.keep_replay(db, actor(OFFICE), overlay.id, found.number, replayed(*FOUR), NOW)
        sandboxes_service.approve(
            db, actor(ADMINISTRATOR), overlay.id, seen_version=found.version, authority="QĐ 12", now=NOW
        )
    # The hour that is told beside it is one without a rate.
    assert estimates(house)[1][1:] == (1_000_000, 1_000_000)
    with house.read() as db:
        rules = bookings_store.rules_of(db, [FESEM])[FESEM]
        pays = projects_store.by_ids(db, [INDUSTRY_PROJECT])[INDUSTRY_PROJECT]
        (after,) = prices.of_projects(db, rules, [pays], span(26, 9, 11))
        booked = a_booking(FESEM, TWO_HOURS, access_class=AccessClass.INDUSTRY, activity=Activity.ECONOMIC)
        told = prices.of_booking(db, rules, booked, "DN-01")
    assert (after.price.total, told and told.price.total) == (4_800_000, 1_000_000)
