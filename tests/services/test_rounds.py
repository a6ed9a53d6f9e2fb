"""The life of a round through the services, on both databases: who may take each step, and what it changes."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from labshare.domain.bookings import Wish
from labshare.domain.rounds import KeptOffer, PlanState, RoundState
from labshare.domain.time_requests import RequestState
from labshare.domain.timespan import Span
from labshare.errors import Forbidden, Malformed, NotFound, Refused, Stale, TimeTaken, WrongState
from labshare.services import bookings as bookings_service
from labshare.services import notices, plans, rounds
from labshare.store import audit, due
from labshare.store import bookings as bookings_store
from labshare.store import plans as plans_store
from labshare.store import rounds as store
from labshare.store import time_requests as requests_store
from labshare.store.engine import Database
from labshare.store.tables import bookings, outbox
from tests.furniture import (
    COLLEAGUE,
    COMPETITOR,
    INDUSTRY_PROJECT,
    MANAGER,
    NOW,
    OFFICE,
    PARTNER,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    a_booking,
    actor,
    furnish,
)
from tests.round_of import LATER, approve, ask, at, close, new_round, open_round, propose, queue, span


def codes(error: pytest.ExceptionInfo[Refused]) -> list[str]:
    return [refusal.code for refusal in error.value.refusals]


# ---------------------------------------------------------------- the whole way


def test_a_round_runs_from_call_to_bookings(database: Database) -> None:
    """Four hours of the XRD are offered, three people ask for two each.

    Worth: public research 4 slots x 1,000 x 100 x 100 / 100 = 400,000 each, industry 4 x 1 x 100 x 100 / 100 = 400. So
    both public requests are placed; the one that can only come from 8 to 10 has that time, the other the time after it.
    """
    with database.write() as db:
        furnish(db)
        r = open_round(db)
        first = ask(db, r, RESEARCHER, windows=(span(0, 8, 10),))
        second = ask(db, r, COLLEAGUE)
        third = ask(db, r, COMPETITOR, project_id=INDUSTRY_PROJECT)
        r = close(db, r)
        plan = propose(db, r)
        approved = approve(db, plan)
        assert approved.state is RoundState.APPROVED
        published = rounds.publish(db, actor(OFFICE), r.id, plan_sha256=plan.plan_sha256, now=LATER)
    with database.read() as db:
        rows = db.execute(sa.select(bookings).order_by(bookings.c.starts_at)).all()
        assert [(row.person_id, row.starts_at, row.ends_at, row.state) for row in rows] == [
            (RESEARCHER, at(0, 8), at(0, 10), "confirmed"),
            (COLLEAGUE, at(0, 10), at(0, 12), "confirmed"),
        ]
        assert {(row.request_id, row.plan_id) for row in rows} == {(first.id, plan.id), (second.id, plan.id)}
        states = {request.id: request.state for request in requests_store.of_round(db, r.id)}
        assert states == {
            first.id: RequestState.PLACED,
            second.id: RequestState.PLACED,
            third.id: RequestState.UNPLACED,
        }
        _, found = plans.documents(db, plan.id) or pytest.fail("no plan was kept")
        assert [(row.request, row.reason["code"]) for row in found.unplaced] == [(f"{third.id}.1", "taken")]
        assert published.state is RoundState.PUBLISHED
        assert plans_store.get(db, plan.id).state is PlanState.PUBLISHED
        assert store.offers_over(db, [XRD], r.horizon) == []
        heard = {who: [each.kind.value for each in notices.mine(db, actor(who))] for who in (RESEARCHER, COMPETITOR)}
        assert heard == {RESEARCHER: ["round_placed"], COMPETITOR: ["round_unplaced"]}
        steps = [line.action for line in audit.lines(db, "round", r.id)]
        assert steps == ["create", "open", "closed", "planning", "approved", "published"]


def test_a_session_with_setup_and_cleanup_occupies_both(database: Database) -> None:
    """The NMR needs 30 minutes of clean-up: a use of 60 minutes takes three slots, and two of them fill three hours."""
    with database.write() as db:
        furnish(db)
        r = open_round(db, ("N003", span(1, 8, 11)))
        for _ in range(3):
            ask(db, r, instrument_ids=("N003",), session_minutes=60)
        r = close(db, r)
        plan = propose(db, r)
    with database.read() as db:
        _, found = plans.documents(db, plan.id) or pytest.fail("no plan was kept")
        # Slots are counted from Monday 00:00: Tuesday 08:00 is slot 48 + 16 = 64.
        assert sorted((s.start, s.end) for s in found.sessions) == [(64, 67), (67, 70)]


def test_kept_time_is_not_booked_directly_and_what_is_left_over_is(database: Database) -> None:
    """Nobody applies, so the published plan is empty and everything goes back to direct booking."""
    with database.write() as db:
        furnish(db)
        wish = Wish(instrument_number=XRD, span=span(0, 8, 10), person_id=RESEARCHER, project_id=PUBLIC_PROJECT)
        r = open_round(db)
        with pytest.raises(Refused) as error:
            bookings_service.book(db, actor(RESEARCHER), wish, NOW)
        assert codes(error) == ["kept_for_round"]
        plan = propose(db, close(db, r))
        with pytest.raises(Refused):
            bookings_service.book(db, actor(RESEARCHER), wish, LATER)
        approve(db, plan)
        rounds.publish(db, actor(OFFICE), r.id, plan_sha256=plan.plan_sha256, now=LATER)
        assert bookings_service.book(db, actor(RESEARCHER), wish, LATER).state == "confirmed"


# ---------------------------------------------------------------- making and opening


def test_opening_keeps_the_time_and_publication_gives_it_back(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        made = rounds.create(db, actor(OFFICE), new_round(), NOW)
        assert store.offers_over(db, [XRD], made.horizon) == []
        rounds.open_round(db, actor(OFFICE), made.id, seen_version=1, now=NOW)
        kept = KeptOffer(
            instrument_number=XRD, span=span(0, 8, 12), round_code="2026-W49", freed_at=NOW + timedelta(days=5)
        )
        assert store.offers_over(db, [XRD], made.horizon) == [kept]
        assert store.offers_over(db, [XRD], span(0, 12, 18)) == []


def test_opening_and_publishing_are_told_to_the_watchers_of_the_calendar(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        open_round(db)
        told = [row.payload for row in db.execute(sa.select(outbox).where(outbox.c.topic == "calendar"))]
    assert len(told) == 1
    assert '"N002"' in told[0]


def test_a_manager_makes_rounds_of_the_own_centre_only(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        rounds.create(db, actor(MANAGER), new_round(), NOW)
        with pytest.raises(Forbidden):
            rounds.create(db, actor(MANAGER), new_round(("N003", span(0, 8, 12)), code="other"), NOW)
        for somebody in (RESEARCHER, PARTNER):
            with pytest.raises(Forbidden):
                rounds.create(db, actor(somebody), new_round(code="third"), NOW)


def test_every_fault_of_a_round_is_told_at_once(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        offers = (("N002", span(0, 8, 12)), ("N002", span(0, 11, 13)), ("N002", Span(at(6, 8), at(6, 9))))
        wrong = new_round(*offers, closes_at=NOW - timedelta(days=1), slot_minutes=25)
        with pytest.raises(Refused) as error:
            rounds.create(db, actor(OFFICE), wrong, NOW)
    assert codes(error) == ["round_times_out_of_order", "round_slot", "offer_outside_round", "offer_twice"]


def test_a_code_names_one_round(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        rounds.create(db, actor(OFFICE), new_round(), NOW)
        with pytest.raises(Refused) as error:
            rounds.create(db, actor(OFFICE), new_round(), NOW)
    assert codes(error) == ["round_code_taken"]


def test_two_rounds_never_keep_the_same_time(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        other = rounds.create(db, actor(OFFICE), new_round(("N002", span(0, 11, 14)), code="other"), NOW)
        open_round(db)
        with pytest.raises(Refused) as error:
            rounds.open_round(db, actor(OFFICE), other.id, seen_version=1, now=NOW)
    assert codes(error) == ["offer_kept_elsewhere"]


def test_a_draft_is_changed_with_its_offer_until_it_is_opened(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        made = rounds.create(db, actor(OFFICE), new_round(), NOW)
        wider = new_round(("N002", span(0, 8, 18)), ("N003", span(1, 8, 18)), title_en="Wider")
        changed = rounds.change_draft(db, actor(OFFICE), made.id, wider, seen_version=1, now=NOW)
        assert (changed.title_en, changed.version) == ("Wider", 2)
        assert [offer.span for offer in store.offers_of(db, made.id)] == [span(0, 8, 18), span(1, 8, 18)]
        with pytest.raises(Stale):
            rounds.change_draft(db, actor(OFFICE), made.id, wider, seen_version=1, now=NOW)
        opened = rounds.open_round(db, actor(OFFICE), made.id, seen_version=2, now=NOW)
        with pytest.raises(WrongState):
            rounds.change_draft(db, actor(OFFICE), made.id, wider, seen_version=opened.version, now=NOW)


def test_a_round_whose_deadline_has_passed_is_not_opened(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        made = rounds.create(db, actor(OFFICE), new_round(), NOW)
        with pytest.raises(WrongState) as error:
            rounds.open_round(db, actor(OFFICE), made.id, seen_version=1, now=LATER)
    assert error.value.code == "round_closed_already"


def test_an_offer_names_something_that_exists(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        with pytest.raises(NotFound):
            rounds.create(db, actor(OFFICE), new_round(("N999", span(0, 8, 12))), NOW)
        with pytest.raises(Malformed):
            rounds.create(db, actor(OFFICE), new_round(offers=()), NOW)


# ---------------------------------------------------------------- closing and withdrawing


def test_a_round_closes_by_itself_at_its_announced_time(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        r = open_round(db)
        assert [(row.kind, row.noun_id) for row in due.over(db, r.closes_at)] == [(rounds.CLOSES, str(r.id))]
        rounds.close_when_due(db, r.id, r.closes_at - timedelta(minutes=1))
        assert store.get(db, r.id).state is RoundState.OPEN
        rounds.close_when_due(db, r.id, r.closes_at)
        assert store.get(db, r.id).state is RoundState.CLOSED
        rounds.close_when_due(db, r.id, r.closes_at)
        assert store.get(db, r.id).state is RoundState.CLOSED


def test_a_withdrawn_round_gives_its_time_back_and_stops_its_plans(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        opened = open_round(db)
        ask(db, opened)
        r = close(db, opened)
        plan = queue(db, r)
        r = store.get(db, r.id)
        gone = rounds.withdraw(db, actor(OFFICE), r.id, seen_version=r.version, now=LATER)
        assert gone.state is RoundState.WITHDRAWN
        assert [each.kind.value for each in notices.mine(db, actor(RESEARCHER))] == ["round_withdrawn"]
        assert plans_store.get(db, plan.id).state is PlanState.CANCELLED
        assert store.offers_over(db, [XRD], r.horizon) == []
        assert due.over(db, r.closes_at) == []
        with pytest.raises(WrongState):
            queue(db, r)


# ---------------------------------------------------------------- planning


def test_a_round_that_takes_requests_is_not_planned(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        with pytest.raises(WrongState):
            queue(db, open_round(db))


def test_a_plan_that_waits_is_cancelled_at_once(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        r = close(db, open_round(db))
        plan = rounds.cancel_plan(db, actor(OFFICE), queue(db, r).id, LATER)
        assert plan.state is PlanState.CANCELLED
        assert store.get(db, r.id).state is RoundState.CLOSED
        with pytest.raises(WrongState):
            rounds.cancel_plan(db, actor(OFFICE), plan.id, LATER)


def test_a_plan_that_runs_is_asked_for_its_best(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        r = close(db, open_round(db))
        taken = plans.take(db, LATER, plan_id=queue(db, r).id)
        assert taken is not None
        asked = rounds.cancel_plan(db, actor(OFFICE), taken.id, LATER)
        assert (asked.state, asked.cancel_requested_at) == (PlanState.RUNNING, LATER)


def test_only_those_who_manage_every_centre_of_a_round_plan_it(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        r = close(db, open_round(db, ("N002", span(0, 8, 12)), ("N003", span(0, 8, 12))))
        for somebody in (MANAGER, RESEARCHER, PARTNER):
            with pytest.raises(Forbidden):
                rounds.queue_plan(db, actor(somebody), r.id, seconds=5, now=LATER)


def test_a_second_proposal_replaces_the_first_and_its_approvals(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        r = open_round(db)
        ask(db, r)
        first = propose(db, close(db, r))
        assert approve(db, first).state is RoundState.APPROVED
        second = propose(db, store.get(db, r.id), seed=2)
        assert plans_store.get(db, first.id).state is PlanState.REPLACED
        assert store.get(db, r.id).state is RoundState.PROPOSED
        with pytest.raises(Stale):
            approve(db, first)
        assert approve(db, second).state is RoundState.APPROVED


def test_a_run_that_fails_leaves_the_older_proposal_standing(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        r = open_round(db)
        ask(db, r)
        first = propose(db, close(db, r))
        approve(db, first)
        taken = plans.take(db, LATER, plan_id=queue(db, store.get(db, r.id)).id)
        assert taken is not None
        plans.put_aside(db, taken, plans.judge(b"{}", b"{}"), LATER)
        assert plans_store.get(db, taken.id).state is PlanState.FAILED
        assert store.get(db, r.id).state is RoundState.APPROVED


# ---------------------------------------------------------------- approval and publication


def test_each_centre_approves_its_own_part_and_only_that(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        r = open_round(db, ("N002", span(0, 8, 12)), ("N003", span(0, 8, 12)))
        ask(db, r)
        plan = propose(db, close(db, r))
        with pytest.raises(Forbidden):
            approve(db, plan, "C-TWO")
        with pytest.raises(Forbidden):
            approve(db, plan, by=OFFICE)
        assert approve(db, plan).state is RoundState.PROPOSED
        with pytest.raises(WrongState):
            rounds.publish(db, actor(OFFICE), r.id, plan_sha256=plan.plan_sha256, now=LATER)


def test_an_approval_names_the_plan_that_was_seen(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        r = open_round(db)
        ask(db, r)
        plan = propose(db, close(db, r))
        with pytest.raises(Stale):
            rounds.approve(db, actor(MANAGER), plan.id, "C-ONE", plan_sha256="0" * 64, now=LATER)
        approve(db, plan)
        with pytest.raises(Stale):
            rounds.publish(db, actor(OFFICE), r.id, plan_sha256="0" * 64, now=LATER)


def test_a_clash_at_publication_is_named_and_changes_nothing(database: Database) -> None:
    """Somebody was given ten o'clock meanwhile, past the rules that keep the round's time."""
    with database.write() as db:
        furnish(db)
        r = open_round(db)
        request = ask(db, r, windows=(span(0, 10, 12),))
        plan = propose(db, close(db, r))
        approve(db, plan)
        bookings_store.add(db, [a_booking(XRD, span(0, 11, 12), person_id=COLLEAGUE)])
    with pytest.raises(TimeTaken) as error, database.write() as db:
        rounds.publish(db, actor(OFFICE), r.id, plan_sha256=plan.plan_sha256, now=LATER)
    assert [(no.code, no.params["instrument"], no.params["from"]) for no in error.value.refusals] == [
        ("time_taken_at", "N002", at(0, 11).isoformat())
    ]
    with database.read() as db:
        assert db.execute(sa.select(sa.func.count()).select_from(bookings)).scalar_one() == 1
        assert requests_store.get(db, request.id).state is RequestState.SUBMITTED
        assert store.get(db, r.id).state is RoundState.APPROVED
        assert len(store.offers_over(db, [XRD], r.horizon)) == 1


def test_what_is_booked_already_is_planned_around(database: Database) -> None:
    """Of 8 to 12 on Monday, 8 to 9 is taken: a session of two hours may start from 9 to 10, and not before."""
    with database.write() as db:
        furnish(db)
        bookings_store.add(db, [a_booking(XRD, span(0, 8, 9), person_id=COLLEAGUE)])
        r = open_round(db)
        ask(db, r)
        plan = propose(db, close(db, r))
        asked, found = plans.documents(db, plan.id) or pytest.fail("no plan was kept")
    # Monday 09:00 is slot 18, and the last start is 10:00, slot 20.
    assert asked.requests[0].options[0].starts == ((18, 20),)
    assert 18 <= found.sessions[0].start <= 20
