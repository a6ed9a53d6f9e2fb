"""How a plan is run: leases and attempts, what is kept, what is judged, and that agreements bind what is placed."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from uuid import UUID

import msgspec
import pytest

from labshare.domain.agreements import Kind, Scope, ShareRule, Version
from labshare.domain.profiles import Size
from labshare.domain.rounds import PlanRow, PlanState, RoundState
from labshare.errors import Refusal
from labshare.scheduler.plan import Plan, encode_plan
from labshare.scheduler.problem import sha256
from labshare.scheduler.reading import parse
from labshare.scheduler.solve import solve
from labshare.services import plans, rounds
from labshare.store import agreements as agreements_store
from labshare.store import plans as store
from labshare.store import rounds as rounds_store
from labshare.store import tables as t
from labshare.store.engine import Connection, Database
from tests.domain.test_agreements import an_agreement
from tests.furniture import COLLEAGUE, COMPETITOR, INDUSTRY_PROJECT, OFFICE, RESEARCHER, actor, furnish
from tests.round_of import LATER, approve, ask, close, open_round, propose, queue, span
from tests.services.test_planning_rules import INDUSTRY, PUBLIC, a_rule

ONE = Scope(centres=("C-ONE",))


def taken(db: Connection) -> PlanRow:
    """A plan of a small round with two requests, taken by a runner."""
    furnish(db)
    r = open_round(db)
    ask(db, r, RESEARCHER)
    ask(db, r, COLLEAGUE)
    plan = plans.take(db, LATER, plan_id=queue(db, close(db, r)).id)
    assert plan is not None
    return plan


def solved(db: Connection, plan: PlanRow) -> tuple[bytes, Plan]:
    problem = plans.build(db, plan, LATER)
    return problem, solve(parse(problem), seconds=5, problem_sha256=sha256(problem))


def under(db: Connection, rule: ShareRule) -> None:
    agreement = an_agreement(rule, id="PPP-1", parties=("I-IMS",))
    agreements_store.add_version(db, Version(number=1, agreement=agreement), actor_id=None, now=LATER)


# ---------------------------------------------------------------- leases and attempts


def test_a_plan_is_taken_once_and_again_when_its_lease_is_over(database: Database) -> None:
    with database.write() as db:
        first = taken(db)
        assert (first.state, first.attempt) == (PlanState.RUNNING, 1)
        assert plans.take(db, LATER) is None
        assert not plans.is_waiting(db, LATER)
        assert plans.is_waiting(db, LATER + plans.LEASE)
        second = plans.take(db, LATER + plans.LEASE)
        assert second is not None
        assert (second.id, second.attempt) == (first.id, 2)


def test_following_a_run_holds_its_lease(database: Database) -> None:
    with database.write() as db:
        plan = taken(db)
        soon = LATER + plans.LEASE - timedelta(seconds=1)
        assert plans.follow(db, plan, '{"placed":1}', soon) is not None
        assert not plans.is_waiting(db, LATER + plans.LEASE)
        assert store.get(db, plan.id).progress == '{"placed":1}'


def test_only_the_current_attempt_may_write(database: Database) -> None:
    with database.write() as db:
        old = taken(db)
        problem, found = solved(db, old)
        assert plans.take(db, LATER + plans.LEASE) is not None
        assert plans.follow(db, old, "late", LATER) is None
        assert not plans.propose(db, old, encode_plan(found), LATER)
        plans.put_aside(db, old, (Refusal(code="plan_crashed"),), LATER)
        now_stands = store.get(db, old.id)
        assert (now_stands.state, now_stands.attempt, now_stands.plan_sha256) == (PlanState.RUNNING, 2, "")
        assert sha256(problem) != ""


def test_a_plan_that_is_given_back_waits_for_nobody(database: Database) -> None:
    with database.write() as db:
        plan = taken(db)
        plans.give_back(db, plan, LATER)
        again = plans.take(db, LATER)
        assert again is not None
        assert again.attempt == 2


def test_a_plan_that_ends_its_process_time_and_again_is_put_aside(database: Database) -> None:
    with database.write() as db:
        plan = taken(db)
        moment = LATER
        for attempt in range(2, plans.MOST_ATTEMPTS + 1):
            moment += plans.LEASE
            again = plans.take(db, moment)
            assert again is not None
            assert again.attempt == attempt
        assert plans.take(db, moment + plans.LEASE) is None
        now_stands = store.get(db, plan.id)
        assert now_stands.state is PlanState.FAILED
        assert [no.code for no in plans.failure_of(now_stands)] == ["plan_gave_up"]
        assert rounds_store.get(db, plan.round_id).state is RoundState.CLOSED


# ---------------------------------------------------------------- judging


def test_a_sound_plan_is_refused_nothing(database: Database) -> None:
    with database.write() as db:
        problem, found = solved(db, taken(db))
    assert plans.judge(problem, encode_plan(found)) == ()


def test_a_plan_with_two_sessions_at_one_time_is_faulted(database: Database) -> None:
    with database.write() as db:
        problem, found = solved(db, taken(db))
    first, second = found.sessions
    overlapping = msgspec.structs.replace(second, start=first.start, end=first.end)
    wrong = msgspec.structs.replace(found, sessions=(first, overlapping))
    faults = plans.judge(problem, encode_plan(wrong))
    assert {no.code for no in faults} == {"plan_faulted"}
    assert "overlap" in {str(no.params["fault"]) for no in faults}


def test_a_plan_of_another_problem_is_faulted(database: Database) -> None:
    with database.write() as db:
        problem, found = solved(db, taken(db))
    stray = msgspec.structs.replace(found, problem_sha256="0" * 64)
    assert "another_problem" in {str(no.params["fault"]) for no in plans.judge(problem, encode_plan(stray))}


def test_what_cannot_be_read_is_faulted(database: Database) -> None:
    with database.write() as db:
        problem, _ = solved(db, taken(db))
    assert {no.code for no in plans.judge(problem, b"not a plan")} == {"plan_faulted"}


# ---------------------------------------------------------------- agreements bind a plan


def test_a_hard_cap_holds_in_the_plan_and_at_publication(database: Database) -> None:
    """Industry may have 2 % of 6,000 minutes, that is 120: one of its two sessions of two hours, and no minute more."""
    with database.write() as db:
        furnish(db)
        under(db, a_rule(who=INDUSTRY, where=ONE, share=Fraction(2, 100)))
        r = open_round(db)
        for _ in range(2):
            ask(db, r, COMPETITOR, project_id=INDUSTRY_PROJECT)
        plan = propose(db, close(db, r))
        _, found = plans.documents(db, plan.id) or pytest.fail("no plan was kept")
        assert len(found.sessions) == 1
        assert len(found.unplaced) == 1
        approve(db, plan)
        assert rounds.publish(db, actor(OFFICE), r.id, plan_sha256=plan.plan_sha256, now=LATER).state == "published"
        (balance,) = agreements_store.balances_of(db).values()
        assert (balance.base_minutes, balance.matched_minutes) == (6000, 120)


def test_a_hard_floor_of_others_is_kept_within_reach(database: Database) -> None:
    """Public research is promised 97 % of 6,000 minutes: 180 are left to others, and industry asks for twice 120.

    Without the cap that keeps the floor within reach both would be placed, as nobody else asks; publication would be
    refused. So one is placed, and publication goes through.
    """
    with database.write() as db:
        furnish(db)
        under(db, a_rule(kind=Kind.FLOOR, who=PUBLIC, where=ONE, share=Fraction(97, 100)))
        r = open_round(db)
        for _ in range(2):
            ask(db, r, COMPETITOR, project_id=INDUSTRY_PROJECT)
        plan = propose(db, close(db, r))
        _, found = plans.documents(db, plan.id) or pytest.fail("no plan was kept")
        assert len(found.sessions) == 1
        approve(db, plan)
        assert rounds.publish(db, actor(OFFICE), r.id, plan_sha256=plan.plan_sha256, now=LATER).state == "published"


def test_facts_know_how_each_organisation_counts_by_its_size(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        db.execute(t.organisations.update().where(t.organisations.c.id == "O-CO").values(size="small"))
        r = open_round(db)
        ask(db, r, RESEARCHER)
        ask(db, r, COMPETITOR, project_id=INDUSTRY_PROJECT)
        assert plans.load_facts(db, r, LATER).sizes == {"I-IMS": Size.LARGE, "O-CO": Size.SME}


def test_a_floor_lifts_its_party_over_a_higher_tier(database: Database) -> None:
    """Two hours are offered. Public work is worth 1,000 times more, but industry is promised 2 % of 6,000, 120 minutes.

    The miss would cost ten times the worth of each of the four slots, so industry is served.
    """
    with database.write() as db:
        furnish(db)
        under(db, a_rule(kind=Kind.FLOOR, who=INDUSTRY, where=ONE, share=Fraction(2, 100)))
        r = open_round(db, ("N002", span(0, 8, 10)))
        ask(db, r, RESEARCHER)
        promised = ask(db, r, COMPETITOR, project_id=INDUSTRY_PROJECT)
        plan = propose(db, close(db, r))
        _, found = plans.documents(db, plan.id) or pytest.fail("no plan was kept")
    assert [session.request for session in found.sessions] == [f"{promised.id}.1"]


def test_there_is_no_document_before_there_is_a_plan(database: Database) -> None:
    with database.write() as db:
        plan = taken(db)
        assert plans.documents(db, plan.id) is None
        assert plan.id != UUID(int=0)


def test_a_run_that_found_less_does_not_replace_the_better_plan(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        r = open_round(db)
        ask(db, r, RESEARCHER)
        r = close(db, r)
        best = propose(db, r)
        again = plans.take(db, LATER, plan_id=queue(db, r).id)
        assert again is not None
        problem, document = store.documents(db, best.id)
        plans.keep_problem(db, again, problem)
        plan = msgspec.json.decode(document, type=Plan)
        # As a run stopped early leaves it: the same problem, a lower score.
        less = msgspec.structs.replace(plan.score, objective=plan.score.objective - 1)
        assert plans.propose(db, again, encode_plan(msgspec.structs.replace(plan, score=less)), LATER)
        states = {each.id: each.state for each in store.of_round(db, r.id)}
        assert states == {best.id: PlanState.PROPOSED, again.id: PlanState.FAILED}
        assert store.get(db, again.id).failure == '[{"code":"plan_no_better","params":{}}]'
        assert rounds_store.get(db, r.id).state is RoundState.PROPOSED
