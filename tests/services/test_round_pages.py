"""What pages about rounds may show to whom."""

from __future__ import annotations

from uuid import UUID

import pytest

from labshare.domain.people import Actor
from labshare.errors import NotFound
from labshare.services import round_pages, rounds
from labshare.services.worth import Worth
from labshare.store import rounds as store
from labshare.store.engine import Connection, Database
from tests.furniture import (
    COLLEAGUE,
    COMPETITOR,
    INDUSTRY_PROJECT,
    MANAGER,
    NOW,
    OFFICE,
    PARTNER,
    RESEARCHER,
    actor,
    furnish,
)
from tests.round_of import LATER, approve, ask, close, new_round, open_round, propose, span

BOTH = (("N002", span(0, 8, 12)), ("N003", span(0, 8, 12)))


def seen_by(db: Connection, who: Actor | None, round_id: UUID) -> round_pages.RoundPage:
    return round_pages.page(db, who, round_id, NOW)


def test_a_draft_is_seen_by_those_who_manage_all_of_it(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        made = rounds.create(db, actor(OFFICE), new_round(*BOTH), NOW)
        assert seen_by(db, actor(OFFICE), made.id).may_manage
        assert [line.round.id for line in round_pages.listing(db, actor(OFFICE), NOW)] == [made.id]
        for somebody in (actor(MANAGER), actor(RESEARCHER), actor(PARTNER), None):
            with pytest.raises(NotFound):
                seen_by(db, somebody, made.id)
            assert round_pages.listing(db, somebody, NOW) == []


def test_an_open_call_is_seen_by_everybody_with_its_offer_and_without_its_requests(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        r = open_round(db, *BOTH)
        ask(db, r)
        page = seen_by(db, None, r.id)
        assert [(line.instrument.id, [offer.span for offer in line.offers]) for line in page.offers] == [
            ("N002", [span(0, 8, 12)]),
            ("N003", [span(0, 8, 12)]),
        ]
        assert (page.mine, page.others, page.plans) == ((), (), ())
        assert (page.may_manage, page.may_apply, page.sees_requests) == (False, False, False)
        (line,) = round_pages.listing(db, None, NOW)
        assert (line.instruments, line.requests, line.is_accepting) == (2, None, True)
        assert [centre.id for centre in line.centres] == ["C-ONE", "C-TWO"]


def test_a_manager_sees_the_requests_that_could_be_served_at_the_own_centre(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        r = open_round(db, *BOTH)
        here = ask(db, r, RESEARCHER)
        there = ask(db, r, COLLEAGUE, instrument_ids=("N003",))
        either = ask(db, r, COMPETITOR, project_id=INDUSTRY_PROJECT, instrument_ids=("N002", "N003"))
        seen = seen_by(db, actor(MANAGER), r.id).others
        assert [line.request.id for line in seen] == [here.id, either.id]
        # The labels are those of the whole round, so that everybody calls a request the same.
        assert [line.label for line in seen] == ["#1", "#3"]
        everything = seen_by(db, actor(OFFICE), r.id).others
        assert [line.request.id for line in everything] == [here.id, there.id, either.id]
        assert everything[2].organisation.name_en == "Partner company"


def test_an_applicant_sees_the_own_requests_alone(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        r = open_round(db)
        own = ask(db, r, RESEARCHER)
        ask(db, r, COLLEAGUE)
        page = seen_by(db, actor(RESEARCHER), r.id)
        assert [line.request.id for line in page.mine] == [own.id]
        assert (page.others, page.may_apply) == ((), True)
        assert [line.request.id for line in round_pages.mine(db, actor(RESEARCHER))] == [own.id]
        with pytest.raises(NotFound):
            round_pages.own_request(db, actor(COLLEAGUE), own.id)


def test_sessions_and_reasons_are_told_after_publication_only(database: Database) -> None:
    """Two public requests fill the four hours; the company learns that its place went to one other, and not to whom."""
    with database.write() as db:
        furnish(db)
        r = open_round(db)
        placed = ask(db, r, RESEARCHER, windows=(span(0, 8, 10),))
        ask(db, r, COLLEAGUE)
        left = ask(db, r, COMPETITOR, project_id=INDUSTRY_PROJECT)
        plan = propose(db, close(db, r))
        before = round_pages.own_request(db, actor(COMPETITOR), left.id)
        assert (before.sessions, before.reason, before.shown_state) == ((), None, "submitted")
        approve(db, plan)
        rounds.publish(db, actor(OFFICE), r.id, plan_sha256=plan.plan_sha256, now=LATER)
        after = round_pages.own_request(db, actor(COMPETITOR), left.id)
        assert after.shown_state == "unplaced"
        assert after.reason is not None
        assert (after.reason.code, after.reason.params["count"]) == ("unplaced_taken_private", 1)
        mine = round_pages.own_request(db, actor(RESEARCHER), placed.id)
        assert [(instrument, use) for _, instrument, use in mine.sessions] == [("N002", span(0, 8, 10))]
        assert (mine.shown_state, mine.reason) == ("placed", None)
        # What each session counted for: four slots of 1,000 x 100, and four of 1 x 100; nobody used anything of late.
        assert mine.worth == Worth(value=400_000, tier=1_000, fair_share=100)
        assert after.worth == Worth(value=400, tier=1, fair_share=100)


def test_some_sessions_of_several_are_partly_placed(database: Database) -> None:
    """Two of three sessions of two hours fit into four; two are worth having."""
    with database.write() as db:
        furnish(db)
        r = open_round(db)
        made = ask(db, r, sessions=3, min_sessions=2)
        plan = propose(db, close(db, r))
        approve(db, plan)
        rounds.publish(db, actor(OFFICE), r.id, plan_sha256=plan.plan_sha256, now=LATER)
        line = round_pages.own_request(db, actor(RESEARCHER), made.id)
    assert (line.shown_state, len(line.sessions)) == ("partly_placed", 2)
    assert line.reason is not None
    assert line.reason.code == "unplaced_own_sessions"


def test_one_may_offer_what_one_answers_for(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        assert [each.id for each in round_pages.offerable(db, actor(MANAGER))] == ["N001", "N002"]
        assert [each.id for each in round_pages.offerable(db, actor(OFFICE))] == ["N001", "N002", "N003"]


def test_the_form_of_a_request_gets_what_the_round_offers(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        r = open_round(db, *BOTH)
        found, offered, names = round_pages.offered_to(db, actor(RESEARCHER), r.id)
        assert found == store.get(db, r.id)
    assert list(offered) == [name.number for name in names] == [2, 3]
