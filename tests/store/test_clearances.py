"""Clearances in the database: one of each project and agreement, by version, with what was found."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from labshare.domain.agreements import Version
from labshare.domain.clearances import Clearance, ClearanceState
from labshare.store import agreements
from labshare.store import clearances as store
from labshare.store import tables as t
from labshare.store.engine import Connection, Database
from tests.domain.test_agreements import an_agreement
from tests.furniture import COMPETITOR, INDUSTRY_PROJECT, NOW, OFFICE, PUBLIC_PROJECT, furnish


def a_clearance(**changes: Any) -> Clearance:
    values: dict[str, Any] = {
        "project_id": PUBLIC_PROJECT,
        "agreement_id": "A",
        "lists": ("dual_use",),
        "found": ("máy bay không người lái", "UAV"),
        "since": NOW,
        "due_at": NOW + timedelta(days=7),
    }
    return Clearance(**(values | changes))


def house(db: Connection) -> None:
    furnish(db)
    for agreement_id in ("A", "B"):
        version = Version(number=1, agreement=an_agreement(id=agreement_id))
        agreements.add_version(db, version, actor_id=None, now=NOW)


def test_what_is_kept_is_read_again_whole(database: Database) -> None:
    first, other = a_clearance(), a_clearance(agreement_id="B")
    with database.write() as db:
        house(db)
        assert store.add(db, first)
        assert store.add(db, other)
        assert store.of_projects(db, [PUBLIC_PROJECT, INDUSTRY_PROJECT]) == {
            (PUBLIC_PROJECT, "A"): first,
            (PUBLIC_PROJECT, "B"): other,
        }
        assert store.line(db, INDUSTRY_PROJECT, "A") is None


def test_there_is_one_of_each_project_and_agreement_and_it_changes_by_version(database: Database) -> None:
    with database.write() as db:
        house(db)
        assert store.add(db, a_clearance())
        assert not store.add(db, a_clearance(found=("radar",)))
        cleared = msgspec.structs.replace(
            a_clearance(),
            state=ClearanceState.CLEARED,
            evidence="QĐ 12",
            decided_by_id=OFFICE,
            decided_at=NOW,
            version=2,
        )
        assert not store.save(db, cleared, seen_version=2)
        assert store.save(db, cleared, seen_version=1)
        line = store.line(db, PUBLIC_PROJECT, "A")
    assert line is not None
    assert (line.clearance, line.project, line.name_vi) == (cleared, "KC-01", "Viện Khoa học vật liệu")


def test_those_that_were_due_first_stand_in_front(database: Database) -> None:
    with database.write() as db:
        house(db)
        store.add(db, a_clearance())
        store.add(db, a_clearance(project_id=INDUSTRY_PROJECT, due_at=NOW))
        assert [line.project for line in store.lines(db)] == ["DN-01", "KC-01"]


def test_foreign_is_who_has_stated_another_country(database: Database) -> None:
    """An organisation of the registry has stated none."""
    with database.write() as db:
        furnish(db)
        values = {"state": "checked", "proposed_by_id": COMPETITOR, "proposed_at": NOW}
        checks = sa.insert(t.organisation_checks)
        db.execute(checks.values(organisation_id="O-CO", country="JP", **values))
        assert store.foreign(db, ["O-CO", "I-IMS"]) == {"O-CO"}
        db.execute(sa.update(t.organisation_checks).values(country="VN"))
        assert store.foreign(db, ["O-CO", "I-IMS"]) == frozenset()
