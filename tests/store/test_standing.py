"""Everything that a booking asks of its person beforehand comes in one query, and says what the others say by parts."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from labshare.domain.qualifications import Demand, Held
from labshare.store import bookings as bookings_store
from labshare.store import facts, projects, qualifications
from labshare.store import tables as t
from labshare.store.engine import Database
from labshare.store.standing import Standing, standing_of
from tests.furniture import (
    COMPETITOR,
    FESEM,
    INDUSTRY_PROJECT,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    a_booking,
    at,
    counted,
    furnish,
    span,
)


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
        qualifications.choose(db, FESEM, Demand(lapse_months=6))
        bookings_store.add(db, [a_booking(FESEM, span(day, 9, 10)) for day in (24, 25)])
    return database


def standing(house: Database, project_id: UUID, person_id: UUID, number: int = FESEM) -> Standing:
    with counted(house.engine) as seen, house.read() as db:
        found = standing_of(db, project_id, person_id, number, before=at(25, 9), but=None)
    assert len(seen) == 1
    return found


@pytest.mark.parametrize("person_id", [RESEARCHER, COMPETITOR])
@pytest.mark.parametrize("project_id", [PUBLIC_PROJECT, INDUSTRY_PROJECT, uuid4()])
@pytest.mark.parametrize("number", [FESEM, XRD])
def test_it_is_what_the_parts_say(house: Database, project_id: UUID, person_id: UUID, number: int) -> None:
    found = standing(house, project_id, person_id, number)
    with house.read() as db:
        rules = bookings_store.rules_of(db, [number])[number]
        held = qualifications.held(db, [person_id], rules, before=at(25, 9))[person_id]
        assert found == (*projects.with_membership(db, project_id, person_id), facts.stamp(db), held)


@pytest.mark.parametrize("project_ends", [None, at(28, 9)])
@pytest.mark.parametrize("licence_ends", [None, at(26, 9)])
def test_a_project_and_a_licence_end_each_by_itself(
    house: Database, project_ends: datetime | None, licence_ends: datetime | None
) -> None:
    with house.write() as db:
        db.execute(sa.update(t.projects).values(expires_at=project_ends))
        db.execute(sa.update(t.qualifications).values(expires_at=licence_ends))
    found = standing(house, PUBLIC_PROJECT, RESEARCHER)
    assert found.project
    assert (found.project.expires_at, found.held.expires_at) == (project_ends, licence_ends)


def test_its_last_use_is_the_one_before(house: Database) -> None:
    """Of the 24th, as the wish begins when the other does."""
    assert standing(house, PUBLIC_PROJECT, RESEARCHER).held.last_used_at == at(24, 10)


def test_who_has_left_belongs_to_no_project_and_holds_nothing(house: Database) -> None:
    assert standing(house, PUBLIC_PROJECT, RESEARCHER).is_member
    with house.write() as db:
        db.execute(sa.update(t.persons).where(t.persons.c.id == RESEARCHER).values(affiliation="ended"))
    found = standing(house, PUBLIC_PROJECT, RESEARCHER)
    assert (found.is_member, found.held.level) == (False, Held().level)
    assert found.project is not None
