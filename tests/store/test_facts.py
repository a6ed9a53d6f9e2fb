"""Small facts of an installation: absent until written, and written once."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from labshare.store import facts
from labshare.store.engine import Database


def test_a_fact_is_absent_until_it_is_written(database: Database) -> None:
    with database.write() as db:
        assert facts.get(db, "demo_loaded") is None
        facts.add(db, "demo_loaded", "2026-11-23")
    with database.read() as db:
        assert facts.get(db, "demo_loaded") == "2026-11-23"
        assert facts.get(db, "another") is None


def test_a_fact_is_written_once(database: Database) -> None:
    with database.write() as db:
        facts.add(db, "demo_loaded", "2026-11-23")
    with pytest.raises(IntegrityError), database.write() as db:
        facts.add(db, "demo_loaded", "2026-11-24")
