"""The demo's trial: of the written one only what it adds, running today, with a replay and a value of each kind."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from labshare.domain.agreements import Version
from labshare.domain.sandbox import Change
from labshare.domain.sandbox_documents import from_toml, to_toml
from labshare.domain.sandboxes import SandboxState, state_at
from labshare.errors import Refused
from labshare.services.demo_sandbox import Cast, run_trial
from labshare.store import agreements as agreements_store
from labshare.store import bookings as bookings_store
from labshare.store import sandboxes as store
from labshare.store.engine import Database
from tests.domain.test_agreements import an_agreement
from tests.domain.test_sandbox import an_overlay
from tests.furniture import ADMINISTRATOR, NOW, OFFICE, actor, furnish
from tests.services.test_replay import LIFT, a_cap, a_week

FIXTURE = Path(__file__).parents[2] / "fixtures" / "sandboxes" / "SBX-SHSEM-STARTUP.toml"
TODAY, BUSY = date(2026, 11, 23), date(2026, 11, 18)


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
        version = Version(number=1, agreement=an_agreement(a_cap()))
        agreements_store.add_version(db, version, actor_id=None, now=NOW)
        bookings_store.add(db, a_week())
    return database


def a_text() -> str:
    """As the fixture has it: the same metrics, one rule replaced and one added."""
    written = an_overlay(LIFT, Change(agreement="A", add=a_cap(id="new")))
    text = to_toml(written)
    return text.replace('"night"', '"startup-share"')


def cast(busy_day: date = BUSY) -> Cast:
    return Cast(office=actor(OFFICE), administrator=actor(ADMINISTRATOR), busy_day=busy_day)


def test_the_trial_is_running_with_what_it_adds_and_its_values(house: Database) -> None:
    with house.write() as db:
        run_trial(db, a_text(), cast(), TODAY, NOW)
    with house.read() as db:
        found = store.get(db, "SBX")
        assert found
        assert state_at(found, NOW) is SandboxState.RUNNING
        assert [change.rule_id for change in found.overlay.changes] == ["new"]
        # 180 days from twenty days ago.
        assert (found.overlay.start, found.overlay.days) == (TODAY - timedelta(days=20), 180)
        assert {each.metric for each in store.readings(db, ["SBX"])["SBX"]} == {"startup-share", "incidents"}
        assert store.has_replay(db, "SBX", 1)


def test_a_day_without_demand_is_refused(house: Database) -> None:
    with pytest.raises(Refused, match="replay_no_demand"), house.write() as db:
        run_trial(db, a_text(), cast(date(2026, 11, 22)), TODAY, NOW)


def test_the_written_trial_adds_a_rule_and_says_that_it_is_illustrative() -> None:
    written = from_toml(FIXTURE.read_text(encoding="utf-8"))
    assert [change.rule_id for change in written.changes if change.add] == ["startup-floor"]
    assert {metric.id for metric in written.metrics} == {"startup-share", "incidents"}
    assert "minh họa" in written.title_vi
