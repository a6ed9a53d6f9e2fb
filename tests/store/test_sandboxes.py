"""Trials as rows: versions in order, the time in which one holds, replays and values as they were written."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

import msgspec
import pytest
from sqlalchemy.exc import IntegrityError

from labshare.domain.replay import Count
from labshare.domain.sandbox import Holding
from labshare.domain.sandboxes import Reading, SandboxState, Step, Taken
from labshare.domain.timespan import Span
from labshare.store import sandboxes as store
from labshare.store.engine import Connection, Database
from tests.domain.test_agreements import local
from tests.domain.test_replay import FOUR, a_count, a_rule_row, replayed
from tests.domain.test_sandbox import an_overlay
from tests.furniture import ADMINISTRATOR, NOW, counted, furnish

TRIAL = Span(local(4, 1), local(6, 1))
YEAR = (date(2026, 1, 1), date(2026, 12, 31))


def test_versions_come_back_in_order_and_the_seen_one_is_written_over(database: Database) -> None:
    longer = an_overlay(end=date(2026, 6, 30))
    with database.write() as db:
        store.add(db, an_overlay())
        first = store.get(db, "SBX")
        assert first
        assert (first.left, first.overlays, first.approved_number) == (SandboxState.DRAFTED, (an_overlay(),), None)
        store.adjust(db, longer, 2)
        after = msgspec.structs.replace(
            first, left=SandboxState.APPROVED, overlays=(an_overlay(), longer), approved_number=1
        )
        assert store.save(db, after, seen_version=1)
        assert not store.save(db, after, seen_version=1)
    with database.write() as db:
        assert store.get(db, "SBX", lock=True) == msgspec.structs.replace(after, version=2)
        assert store.every(db) == [store.get(db, "SBX")]
        assert store.get(db, "NONE") is None


def held(db: Connection) -> list[Holding]:
    return store.every_holding(db)


def test_what_holds_is_what_was_let_hold_until_it_was_released(database: Database) -> None:
    with database.write() as db:
        store.add(db, an_overlay())
        assert held(db) == []
        store.hold(db, "SBX", 1, TRIAL)
        assert held(db) == [Holding(overlay=an_overlay(), spans=(TRIAL,))]
        store.release(db, "SBX", local(5, 1))
        store.hold(db, "SBX", 1, Span(local(5, 10), TRIAL.end))
        april, may = Span(TRIAL.start, local(5, 1)), Span(local(5, 10), TRIAL.end)
        assert held(db) == [Holding(overlay=an_overlay(), spans=(april, may))]
        store.release(db, "SBX", local(5, 10))
        assert held(db) == [Holding(overlay=an_overlay(), spans=(april,))]


def test_what_holds_is_one_query(database: Database) -> None:
    with database.write() as db:
        for name in ("ONE", "TWO"):
            store.add(db, an_overlay(id=name))
            store.hold(db, name, 1, TRIAL)
    with counted(database.engine) as statements, database.read() as db:
        assert [each.overlay.id for each in held(db)] == ["ONE", "TWO"]
    assert len(statements) == 1


def test_only_a_version_that_there_is_can_hold(database: Database) -> None:
    with database.write() as db:
        store.add(db, an_overlay())
    with pytest.raises(IntegrityError), database.write() as db:
        store.hold(db, "SBX", 2, TRIAL)


def test_steps_replays_and_values_come_back_as_they_were_written(database: Database) -> None:
    taken = Taken(step=Step.APPROVED, number=1, reason="QĐ 12", person_id=ADMINISTRATOR, at=NOW)
    stopped = Taken(step=Step.STOPPED, number=1, reason="incidents", person_id=None, at=NOW)
    value = Reading(
        metric="incidents", day=date(2026, 4, 20), value=Fraction(1, 400), evidence="sổ 7", person_id=None, at=NOW
    )
    counts = {"before": a_count(600, 500), "after": Count(limit=Fraction(1, 3), counted=None)}
    made = replayed(*FOUR, rules=(a_rule_row("cap", parties=frozenset({"O-CO"}), **counts),))
    with database.write() as db:
        furnish(db)
        store.add(db, an_overlay())
        store.add(db, an_overlay(id="OTHER"))
        for each in (taken, stopped):
            store.add_step(db, "SBX", each)
        store.add_reading(db, "SBX", value)
        store.add_replay(db, "SBX", 1, made, person_id=ADMINISTRATOR, now=NOW)
        store.add_replay(db, "SBX", 1, made, person_id=None, now=NOW + timedelta(hours=1))
    with database.read() as db:
        assert store.steps(db, "SBX") == [taken, stopped]
        assert store.readings(db, ["SBX", "OTHER"]) == {"SBX": [value], "OTHER": []}
        newest, _ = store.replays(db, "SBX")
        assert (newest.replayed, newest.number, newest.at) == (made, 1, NOW + timedelta(hours=1))
        assert store.has_replay(db, "SBX", 1)
        assert not store.has_replay(db, "SBX", 2)
        assert not store.has_replay(db, "OTHER", 1)
