"""A solve as a child process: it proposes, it can be cancelled, and nothing that goes wrong with it is proposed."""

from __future__ import annotations

import signal
import sys
import threading
import time
from datetime import datetime
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from labshare import solving
from labshare.cores import OURS, allowed_cores
from labshare.domain.agreements import Version
from labshare.domain.ordering import Tier
from labshare.domain.profiles import Group
from labshare.domain.projects import AccessClass
from labshare.domain.rounds import PlanRow, PlanState, RoundState
from labshare.domain.time_requests import TimeRequest
from labshare.domain.timespan import Span
from labshare.errors import Busy, Refusal
from labshare.scheduler.plan import encode_plan
from labshare.scheduler.problem import sha256
from labshare.scheduler.reading import parse
from labshare.scheduler.solve import solve
from labshare.services import plans, rounds
from labshare.services.planning import request_of
from labshare.services.stages import Stages
from labshare.solving import run_next, run_plan_now
from labshare.store import agreements as agreements_store
from labshare.store import plans as store
from labshare.store import rounds as rounds_store
from labshare.store.engine import Database
from tests.domain.test_agreements import an_agreement
from tests.furniture import COLLEAGUE, COMPETITOR, INDUSTRY_PROJECT, OFFICE, RESEARCHER, actor, furnish
from tests.round_of import LATER, ask, at, close, open_round, queue, span

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PATIENCE = 60.0


def clock() -> datetime:
    return LATER


def small(database: Database) -> PlanRow:
    """A queued plan of two requests that both fit."""
    with database.write() as db:
        furnish(db)
        r = open_round(db)
        ask(db, r, RESEARCHER)
        ask(db, r, COLLEAGUE)
        return queue(db, close(db, r))


def large(database: Database, seconds: int = 120) -> PlanRow:
    """A queued plan that no solver proves the best within seconds: many like sessions of odd lengths on one week."""
    with database.write() as db:
        furnish(db)
        days = [(code, span(day, 8, 18)) for code in ("N002", "N003") for day in range(5)]
        r = open_round(db, *days, slot_minutes=10)
        for k in range(40):
            ask(
                db, r, (RESEARCHER, COLLEAGUE)[k % 2], sessions=4, min_sessions=1 + k % 3,
                session_minutes=(70, 110, 130, 170, 190)[k % 5], instrument_ids=("N002", "N003"),
            )  # fmt: skip
        closed = close(db, r)
        return rounds.queue_plan(db, actor(OFFICE), closed.id, seconds=seconds, now=LATER)


def stands(database: Database, plan: PlanRow) -> PlanRow:
    with database.read() as db:
        return store.get(db, plan.id)


def failure(database: Database, plan: PlanRow) -> tuple[Refusal, ...]:
    return plans.failure_of(stands(database, plan))


def placed_so_far(database: Database, plan: PlanRow) -> int:
    progress = stands(database, plan).progress
    return msgspec.json.decode(progress)["placed"] if progress else 0


def state_of_round(database: Database, plan: PlanRow) -> RoundState:
    with database.read() as db:
        return rounds_store.get(db, plan.round_id).state


def wait_until(what: str, is_so: object) -> None:
    assert callable(is_so)
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end, f"{what} took too long"
        time.sleep(0.05)


# ---------------------------------------------------------------- running


def test_a_queued_plan_is_solved_in_a_process_of_its_own_and_proposed(database: Database) -> None:
    plan = small(database)
    run_plan_now(database, plan.id, clock=clock)
    done = stands(database, plan)
    assert (done.state, done.attempt, done.failure) == (PlanState.PROPOSED, 1, "")
    assert state_of_round(database, plan) is RoundState.PROPOSED
    with database.read() as db:
        _, found = plans.documents(db, plan.id) or pytest.fail("no plan was kept")
    assert sorted(session.start for session in found.sessions) == [16, 20]


@ON_SQLITE
def test_nothing_runs_when_nothing_waits(database: Database) -> None:
    assert not run_next(database, clock=clock, stopping=threading.Event())


@ON_SQLITE
def test_a_plan_that_another_runner_has_is_left_to_it(database: Database) -> None:
    plan = small(database)
    with database.write() as db:
        assert plans.take(db, LATER) is not None
    run_plan_now(database, plan.id, clock=clock)
    assert (stands(database, plan).state, stands(database, plan).attempt) == (PlanState.RUNNING, 1)


@pytest.mark.slow
@ON_SQLITE
def test_a_plan_is_cancelled_while_it_runs_and_the_best_so_far_is_proposed(database: Database) -> None:
    plan = large(database)
    runner = threading.Thread(target=run_plan_now, args=(database, plan.id), kwargs={"clock": clock})
    began = time.monotonic()
    runner.start()
    wait_until("the first sessions", lambda: placed_so_far(database, plan))
    with database.write() as db:
        rounds.cancel_plan(db, actor(OFFICE), plan.id, LATER)
    asked = time.monotonic()
    runner.join(PATIENCE)
    assert not runner.is_alive()
    # Within a second the runner sees the wish, and within five the child has written or is ended.
    assert time.monotonic() - asked < 20
    assert asked - began < 100
    done = stands(database, plan)
    assert done.state is PlanState.PROPOSED
    with database.read() as db:
        _, found = plans.documents(db, plan.id) or pytest.fail("no plan was kept")
    assert found.status == "feasible"
    assert found.sessions
    assert found.sessions


@ON_SQLITE
def test_a_process_that_stops_gives_its_plan_back_and_the_next_takes_it(database: Database) -> None:
    plan = large(database)
    stopping = threading.Event()
    runner = threading.Thread(target=run_next, args=(database,), kwargs={"clock": clock, "stopping": stopping})
    runner.start()
    wait_until("the child", lambda: stands(database, plan).problem_sha256)
    stopping.set()
    runner.join(3)
    assert not runner.is_alive()
    with database.write() as db:
        again = plans.take(db, LATER)
    assert again is not None
    assert (again.id, again.attempt) == (plan.id, 2)


# ---------------------------------------------------------------- stages


def staged(database: Database, *, strict: bool) -> tuple[PlanRow, TimeRequest, TimeRequest]:
    """On the XRD from 8 to 18 public research wants noon to 12:30, industry eight hours, which always hold noon.

    By the table public research is worth ten times as much a slot: 1 x 1,000 against 16 x 100.
    """
    rows = (AccessClass.PUBLIC_RESEARCH, AccessClass.INDUSTRY)
    tiers = tuple(Tier(id=each.value, who=(Group(access_class=(each,)),)) for each in rows)
    tiers = (msgspec.structs.replace(tiers[0], strict=strict), tiers[1])
    with database.write() as db:
        furnish(db)
        version = Version(number=1, agreement=an_agreement(id="ORDER", tiers=tiers))
        agreements_store.add_version(db, version, actor_id=None, now=LATER)
        r = open_round(db, ("N002", span(0, 8, 18)))
        noon = Span(at(0, 12), at(0, 12, 30))
        public = ask(db, r, RESEARCHER, session_minutes=30, windows=(noon,))
        industry = ask(db, r, COMPETITOR, project_id=INDUSTRY_PROJECT, session_minutes=480)
        return queue(db, close(db, r)), public, industry


def requests_placed(database: Database, plan: PlanRow) -> set[UUID]:
    with database.read() as db:
        _, found = plans.documents(db, plan.id) or pytest.fail("no plan was kept")
    return {request_of(session.request) for session in found.sessions}


@ON_SQLITE
@pytest.mark.parametrize("strict", [True, False])
def test_what_stands_below_a_strict_tier_takes_nothing_from_it(database: Database, strict: bool) -> None:
    plan, public, industry = staged(database, strict=strict)
    run_plan_now(database, plan.id, clock=clock)
    assert stands(database, plan).state is PlanState.PROPOSED
    assert requests_placed(database, plan) == {public.id if strict else industry.id}
    with database.read() as db:
        problem, found = plans.documents(db, plan.id) or pytest.fail("no plan was kept")
    assert len(problem.requests) == 2
    assert [row.request for row in problem.current] == ([f"{public.id}.1"] if strict else [])
    assert found.run.budget == ("5 seconds in 2 stages" if strict else "5 seconds")
    assert found.status == "optimal"


@ON_SQLITE
def test_of_two_runs_in_stages_the_second_is_kept_where_it_is_as_good(database: Database) -> None:
    first, _, _ = staged(database, strict=True)
    run_plan_now(database, first.id, clock=clock)
    with database.write() as db:
        again = rounds.queue_plan(db, actor(OFFICE), first.round_id, seconds=5, now=LATER)
    run_plan_now(database, again.id, clock=clock)
    assert (stands(database, first).state, stands(database, again).state) == (PlanState.REPLACED, PlanState.PROPOSED)


@ON_SQLITE
def test_whoever_stops_a_stage_still_gets_a_plan_of_all(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The first child writes its plan when it is asked to; the second is the solver itself and is given a second."""
    plan, public, _ = staged(database, strict=True)
    with database.read() as db:
        problem = Stages(plans.build(db, plan, LATER)).data
    (tmp_path / "first.json").write_bytes(encode_plan(solve(parse(problem), problem_sha256=sha256(problem))))
    script = f"""
trap 'touch "{tmp_path}/stopped"; cp "{tmp_path}/first.json" "$6"; exit 0' INT
echo "$8" >> "{tmp_path}/seconds"
[ -e "{tmp_path}/stopped" ] && exec "{sys.executable}" "$@"
while :; do sleep 0.1; done"""
    instead_of_python(monkeypatch, tmp_path, script)
    # A shell cannot trap a signal that was ignored before it began, as a run in the background may have it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    monkeypatch.setattr(solving, "FOLLOW_SECONDS", 0.1)
    runner = threading.Thread(target=run_plan_now, args=(database, plan.id), kwargs={"clock": clock})
    runner.start()
    wait_until("the first stage", (tmp_path / "seconds").exists)
    with database.write() as db:
        rounds.cancel_plan(db, actor(OFFICE), plan.id, LATER)
    runner.join(PATIENCE)
    assert not runner.is_alive()
    # Half of the requests are in the first stage: half of five seconds, but for the moment that passed before it.
    first, second = (float(text) for text in (tmp_path / "seconds").read_text().split())
    assert 2.0 < first <= 2.5
    assert second == solving.LEAST_SECONDS
    assert stands(database, plan).state is PlanState.PROPOSED
    assert requests_placed(database, plan) == {public.id}


@ON_SQLITE
def test_a_solver_has_all_cores_though_the_server_keeps_to_one(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    plan = small(database)
    allowed = allowed_cores()
    request.addfinalizer(OURS.release)
    OURS.keep()
    seen = tmp_path / "cores"
    instead_of_python(monkeypatch, tmp_path, f"sed -n 's/^Cpus_allowed_list:[^0-9]*//p' /proc/self/status > {seen}")
    run_plan_now(database, plan.id, clock=clock)
    # Written as "0-1" or "0,2-3".
    spans = [span.partition("-") for span in seen.read_text().strip().split(",")]
    assert {core for first, _, last in spans for core in range(int(first), int(last or first) + 1)} == allowed
    assert len(allowed_cores()) == 1


# ---------------------------------------------------------------- what goes wrong


def instead_of_python(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    """Have another program run in the solver's place: $4 is its problem file, $6 the plan it is to write."""
    program = folder / "solver"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(solving.sys, "executable", str(program))


@ON_SQLITE
def test_a_plan_that_the_checker_faults_is_never_proposed(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The solver's program writes a plan in which two sessions share the instrument; only its faults are kept."""
    plan = small(database)
    with database.read() as db:
        problem = plans.build(db, plan, LATER)
    honest = solve(parse(problem), seconds=5, problem_sha256=sha256(problem))
    both = tuple(msgspec.structs.replace(session, start=16, end=20) for session in honest.sessions)
    (tmp_path / "wrong.json").write_bytes(encode_plan(msgspec.structs.replace(honest, sessions=both)))
    instead_of_python(monkeypatch, tmp_path, f'cp "{tmp_path}/wrong.json" "$6"')
    run_plan_now(database, plan.id, clock=clock)
    done = stands(database, plan)
    assert (done.state, done.plan_sha256) == (PlanState.FAILED, "")
    assert {no.code for no in failure(database, plan)} == {"plan_faulted"}
    assert "overlap" in {no.params["fault"] for no in failure(database, plan)}
    assert state_of_round(database, plan) is RoundState.CLOSED


@ON_SQLITE
def test_a_solver_that_crashes_is_told_on_the_plan(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plan = small(database)
    instead_of_python(monkeypatch, tmp_path, "exit 7")
    run_plan_now(database, plan.id, clock=clock)
    assert [no.code for no in failure(database, plan)] == ["plan_crashed"]


@ON_SQLITE
def test_a_solver_that_finds_nothing_in_time_says_so(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plan = small(database)
    instead_of_python(monkeypatch, tmp_path, "exit 3")
    run_plan_now(database, plan.id, clock=clock)
    assert failure(database, plan) == (Refusal(code="plan_none_found", params={"seconds": 5}),)


@ON_SQLITE
def test_a_solver_that_does_not_end_when_asked_is_ended(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plan = small(database)
    instead_of_python(monkeypatch, tmp_path, "trap '' INT; while :; do sleep 0.1; done")
    monkeypatch.setattr(solving, "GRACE_SECONDS", 0.3)
    monkeypatch.setattr(solving, "FOLLOW_SECONDS", 0.1)
    runner = threading.Thread(target=run_plan_now, args=(database, plan.id), kwargs={"clock": clock})
    runner.start()
    wait_until("the start", lambda: stands(database, plan).state is PlanState.RUNNING)
    with database.write() as db:
        rounds.cancel_plan(db, actor(OFFICE), plan.id, LATER)
    runner.join(PATIENCE)
    assert not runner.is_alive()
    assert stands(database, plan).state is PlanState.CANCELLED
    assert state_of_round(database, plan) is RoundState.CLOSED


@pytest.mark.slow
@ON_SQLITE
def test_a_run_that_is_stopped_before_it_placed_anything_leaves_the_older_proposal(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = small(database)
    run_plan_now(database, first.id, clock=clock)
    with database.write() as db:
        again = rounds.queue_plan(db, actor(OFFICE), first.round_id, seconds=5, now=LATER)
        _, found = plans.documents(db, first.id) or pytest.fail("no plan was kept")
    empty = msgspec.structs.replace(found, status="feasible", sessions=())
    (tmp_path / "empty.json").write_bytes(encode_plan(empty))
    script = f'trap \'cp "{tmp_path}/empty.json" "$6"; exit 0\' INT; while :; do sleep 0.1; done'
    instead_of_python(monkeypatch, tmp_path, script)
    monkeypatch.setattr(solving, "FOLLOW_SECONDS", 0.1)
    runner = threading.Thread(target=run_plan_now, args=(database, again.id), kwargs={"clock": clock})
    runner.start()
    wait_until("the start", lambda: stands(database, again).state is PlanState.RUNNING)
    with database.write() as db:
        rounds.cancel_plan(db, actor(OFFICE), again.id, LATER)
    runner.join(PATIENCE)
    assert not runner.is_alive()
    assert (stands(database, again).state, stands(database, again).failure) == (PlanState.CANCELLED, "")
    assert stands(database, first).state is PlanState.PROPOSED
    assert state_of_round(database, first) is RoundState.PROPOSED


@ON_SQLITE
def test_a_run_whose_round_is_withdrawn_ends_without_a_trace(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plan = small(database)
    instead_of_python(monkeypatch, tmp_path, "sleep 30")
    monkeypatch.setattr(solving, "FOLLOW_SECONDS", 0.1)
    runner = threading.Thread(target=run_plan_now, args=(database, plan.id), kwargs={"clock": clock})
    runner.start()
    wait_until("the start", lambda: stands(database, plan).state is PlanState.RUNNING)
    with database.write() as db:
        r = rounds_store.get(db, plan.round_id)
        rounds.withdraw(db, actor(OFFICE), r.id, seen_version=r.version, now=LATER)
    runner.join(10)
    assert not runner.is_alive()
    assert stands(database, plan).state is PlanState.CANCELLED


@pytest.mark.slow
@ON_SQLITE
def test_a_database_that_is_busy_for_a_while_costs_a_plan_no_more_than_its_attempt(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = small(database)

    def busy(*_: object) -> None:
        raise Busy()

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(plans, "keep_problem", busy)
        run_plan_now(database, plan.id, clock=clock)
    left = stands(database, plan)
    assert (left.state, left.attempt, left.failure) == (PlanState.RUNNING, 1, "")
    run_plan_now(database, plan.id, clock=lambda: LATER + plans.LEASE)
    assert (stands(database, plan).state, stands(database, plan).attempt) == (PlanState.PROPOSED, 2)
