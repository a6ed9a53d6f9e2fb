"""Plan rows and approvals in the database. Leases and attempts in play are in tests/services/test_plans.py."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import msgspec
import pytest

from labshare.domain.rounds import Approval, PlanRow, PlanState
from labshare.errors import NotFound
from labshare.store import plans as store
from labshare.store import rounds as rounds_store
from labshare.store.engine import Connection, Database
from tests.domain.test_rounds import a_plan, a_round
from tests.furniture import MANAGER, NOW, OFFICE, furnish

LEASE = timedelta(seconds=20)


def put(db: Connection, state: PlanState = PlanState.QUEUED, **changes: object) -> PlanRow:
    new = msgspec.structs.replace(a_plan(state), **{"id": uuid4(), "attempt": 0, "finished_at": None} | changes)
    store.add(db, new)
    return new


def furnished(db: Connection) -> None:
    furnish(db)
    rounds_store.add(db, a_round())


def test_a_plan_comes_back_as_it_was_written(database: Database) -> None:
    with database.write() as db:
        furnished(db)
        plan = put(db)
        assert store.get(db, plan.id) == plan
        assert store.documents(db, plan.id) == (b"", b"")
        for look in (store.get, store.documents):
            with pytest.raises(NotFound):
                look(db, UUID(int=99))


def test_who_has_waited_longest_is_taken_first(database: Database) -> None:
    with database.write() as db:
        furnished(db)
        late = put(db, queued_at=NOW + timedelta(hours=1))
        early = put(db)
        put(db, PlanState.PROPOSED)
        first, second = store.take(db, NOW, LEASE), store.take(db, NOW, LEASE)
        assert first is not None
        assert second is not None
        assert (first.id, second.id) == (early.id, late.id)
        assert (first.state, first.attempt, first.lease_until) == (PlanState.RUNNING, 1, NOW + LEASE)
        assert store.take(db, NOW, LEASE) is None


def test_only_the_attempt_that_holds_a_running_plan_writes(database: Database) -> None:
    with database.write() as db:
        furnished(db)
        plan = put(db)
        assert not store.write(db, plan.id, 0, progress="too early")
        taken = store.take(db, NOW, LEASE)
        assert taken is not None
        assert not store.write(db, plan.id, 0, progress="another attempt")
        assert store.write(db, plan.id, 1, progress="ours")
        assert store.get(db, plan.id).progress == "ours"


def test_settling_keeps_the_end_that_was_written_first(database: Database) -> None:
    with database.write() as db:
        furnished(db)
        running, done = put(db), put(db, PlanState.PROPOSED, finished_at=NOW)
        store.settle(db, [running.id, done.id], PlanState.REPLACED, NOW + timedelta(hours=1))
        assert store.get(db, running.id).finished_at == NOW + timedelta(hours=1)
        assert (store.get(db, done.id).finished_at, store.get(db, done.id).state) == (NOW, PlanState.REPLACED)


def test_a_wish_to_cancel_is_kept_from_its_first_moment(database: Database) -> None:
    with database.write() as db:
        furnished(db)
        plan = put(db)
        store.ask_to_cancel(db, plan.id, NOW)
        store.ask_to_cancel(db, plan.id, NOW + timedelta(minutes=1))
        assert store.get(db, plan.id).cancel_requested_at == NOW


def test_the_newest_plan_of_a_round_comes_first(database: Database) -> None:
    with database.write() as db:
        furnished(db)
        old, new = put(db), put(db, queued_at=NOW + timedelta(hours=1))
        assert [plan.id for plan in store.of_round(db, old.round_id)] == [new.id, old.id]


def test_a_centre_approves_a_plan_once_and_its_last_word_counts(database: Database) -> None:
    with database.write() as db:
        furnished(db)
        plan = put(db)
        first = Approval(
            plan_id=plan.id, centre_id="C-ONE", person_id=MANAGER, plan_sha256="abc", note="yes", approved_at=NOW
        )
        second = msgspec.structs.replace(first, person_id=OFFICE, note="")
        store.approve(db, first)
        store.approve(db, second)
        assert store.approvals_of(db, plan.id) == [second]
