"""Posted rules are kept as they were posted, until they are ended."""

from __future__ import annotations

from uuid import uuid4

import pytest

from labshare.domain.booking_rules import CutOff, Posted, Scope, ScopeKind
from labshare.errors import NotFound
from labshare.store import booking_rules as store
from labshare.store.engine import Database
from tests.furniture import MANAGER, NOW, furnish

CENTRE = Scope(ScopeKind.CENTRE, "C-ONE")


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


def test_a_rule_is_read_back_and_ended(house: Database) -> None:
    posted = Posted(id=uuid4(), scope=CENTRE, rule=CutOff(hours=2), since=NOW, posted_by_id=MANAGER)
    with house.write() as db:
        store.add(db, posted)
        assert store.standing(db) == store.of_scopes(db, [CENTRE]) == (posted,)
        store.end(db, posted.id, ended_by_id=MANAGER, now=NOW)
        assert store.standing(db) == store.of_scopes(db, [Scope(ScopeKind.GROUP, "XRD")], ended=True) == ()
        assert store.get(db, posted.id).until == NOW
        with pytest.raises(NotFound):
            store.get(db, uuid4())


def test_whether_there_is_what_a_scope_names(house: Database) -> None:
    with house.read() as db:
        there = [store.exists(db, Scope(kind, "N001")) for kind in ScopeKind]
        group = store.exists(db, Scope(ScopeKind.GROUP, "XRD"))
    assert (there, group) == ([False, False, True], True)
