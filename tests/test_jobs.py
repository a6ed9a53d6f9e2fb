"""The work beside requests: messages are delivered after the commit, deadlines are kept, plans survive a restart."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from labshare import jobs as module
from labshare.domain.rounds import PlanState, RoundState
from labshare.jobs import Jobs
from labshare.live import Hub
from labshare.services import plans, rounds
from labshare.store import due, outbox
from labshare.store import plans as plans_store
from labshare.store import rounds as rounds_store
from labshare.store.engine import Database
from tests.furniture import furnish
from tests.round_of import LATER, ask, close, open_round, queue
from tests.test_solving import ON_SQLITE, large

PATIENCE = 30.0


class Ear(Hub):
    """A hub that remembers what it was told, and when."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[str, Mapping[str, Any], float]] = []

    def publish(self, topic: str, payload: Mapping[str, str | int]) -> None:
        self.heard.append((topic, dict(payload), time.monotonic()))
        super().publish(topic, payload)


@contextmanager
def working(database: Database, ear: Ear, now: datetime = LATER) -> Generator[Jobs]:
    running = Jobs(database, ear, clock=lambda: now)
    running.start()
    try:
        yield running
    finally:
        running.stop()


def wait_until(is_so: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


# ---------------------------------------------------------------- messages


def test_a_message_is_delivered_right_after_its_commit(database: Database) -> None:
    ear = Ear()
    with working(database, ear):
        with database.write() as db:
            outbox.post(db, "calendar", {"instrument": "N001", "version": 7})
            time.sleep(0.3)
            # Not before: whoever fetched now would see the old calendar.
            assert ear.heard == []
        committed = time.monotonic()
        wait_until(lambda: ear.heard)
    topic, payload, heard_at = ear.heard[0]
    assert (topic, payload) == ("calendar", {"instrument": "N001", "version": 7})
    assert heard_at - committed < 0.9
    with database.read() as db:
        assert outbox.waiting(db) == []
    assert len(ear.heard) == 1


def test_a_message_of_a_change_that_is_undone_is_never_delivered(database: Database) -> None:
    def post_and_fail() -> None:
        with database.write() as db:
            outbox.post(db, "calendar", {"instrument": "N001", "version": 7})
            raise RuntimeError

    ear = Ear()
    with working(database, ear):
        with pytest.raises(RuntimeError):
            post_and_fail()
        with database.write() as db:
            outbox.post(db, "calendar", {"instrument": "N001", "version": 8})
        wait_until(lambda: ear.heard)
    assert [payload["version"] for _, payload, _ in ear.heard] == [8]


def test_what_waited_while_nobody_ran_is_delivered_at_the_next_start(database: Database) -> None:
    with database.write() as db:
        outbox.post(db, "calendar", {"instrument": "N001", "version": 1})
        outbox.post(db, "plans", {"plan": "p"})
    ear = Ear()
    with working(database, ear):
        wait_until(lambda: len(ear.heard) == 2)
    assert [topic for topic, _, _ in ear.heard] == ["calendar", "plans"]


# ---------------------------------------------------------------- deadlines


def test_a_round_is_closed_when_its_deadline_has_come(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        r = open_round(db)
    with working(database, Ear(), now=r.closes_at):
        wait_until(lambda: state(database, r.id) is RoundState.CLOSED)
    with database.read() as db:
        assert due.over(db, r.closes_at) == []


def test_a_deadline_that_cannot_be_kept_is_put_off_and_holds_up_no_other(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with database.write() as db:
        furnish(db)
        r = open_round(db)
        due.schedule(db, "nobody_knows", r.id, r.closes_at - timedelta(hours=1))
    with working(database, Ear(), now=r.closes_at):
        wait_until(lambda: state(database, r.id) is RoundState.CLOSED)
    with database.read() as db:
        assert due.over(db, r.closes_at) == []
        (row,) = due.over(db, r.closes_at + due.FIRST_WAIT)
    assert (row.kind, row.attempts) == ("nobody_knows", 1)
    assert "nobody_knows" in caplog.text


# ---------------------------------------------------------------- plans


def test_a_plan_that_was_queued_before_a_restart_is_run_after_it(database: Database) -> None:
    """It was taken once by a process that ended without a word; its lease is over, and the next process takes it."""
    with database.write() as db:
        furnish(db)
        r = open_round(db)
        ask(db, r)
        plan = queue(db, close(db, r))
        assert plans.take(db, LATER) is not None
    ear = Ear()
    with working(database, ear, now=LATER + plans.LEASE):
        wait_until(lambda: plan_state(database, plan.id) is PlanState.PROPOSED)
        wait_until(lambda: any(topic == "plans" for topic, _, _ in ear.heard))
    with database.read() as db:
        assert plans_store.get(db, plan.id).attempt == 2


@ON_SQLITE
def test_it_stops_within_three_seconds_and_gives_the_running_plan_back(database: Database) -> None:
    plan = large(database)
    running = Jobs(database, Ear(), clock=lambda: LATER)
    running.start()
    wait_until(lambda: problem_of(database, plan.id))
    began = time.monotonic()
    running.stop()
    assert time.monotonic() - began < 3
    with database.read() as db:
        assert plans.is_waiting(db, LATER)


@ON_SQLITE
def test_a_database_that_fails_for_a_while_does_not_end_the_work(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "TICK_SECONDS", 0.05)
    messages = module.ticking.messages
    faults = iter([True, False])

    def sometimes(db: Any) -> Any:
        if next(faults, False):
            raise OSError("the disk is away")
        return messages(db)

    monkeypatch.setattr(module.ticking, "messages", sometimes)
    with database.write() as db:
        outbox.post(db, "calendar", {"instrument": "N001", "version": 1})
    ear = Ear()
    with working(database, ear):
        wait_until(lambda: ear.heard)
    assert "the disk is away" in caplog.text


def state(database: Database, round_id: Any) -> RoundState:
    with database.read() as db:
        return rounds_store.get(db, round_id).state


def plan_state(database: Database, plan_id: Any) -> PlanState:
    with database.read() as db:
        return plans_store.get(db, plan_id).state


def problem_of(database: Database, plan_id: Any) -> str:
    with database.read() as db:
        return plans_store.get(db, plan_id).problem_sha256


def test_the_deadline_of_a_round_has_someone_to_keep_it() -> None:
    assert rounds.CLOSES in module.ticking.HANDLERS


def test_a_letter_wakes_its_sender_right_after_the_commit(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait between two looks is made longer than the test waits, so that only the message can have woken it."""
    monkeypatch.setattr(module, "TICK_SECONDS", 2 * PATIENCE)
    looks: list[float] = []
    running = Jobs(database, Ear(), clock=lambda: LATER, send=lambda: looks.append(time.monotonic()))
    running.start()
    try:
        wait_until(lambda: looks)
        before = len(looks)
        with database.write() as db:
            outbox.post(db, "letters", {"invitation": "i"})
        wait_until(lambda: len(looks) > before)
        assert len(looks) > before
    finally:
        running.stop()
