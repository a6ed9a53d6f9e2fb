"""The pages of rounds over HTTP: what each reader sees, each step by a plain form, and each unhappy twin."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from labshare.domain.rounds import Round, RoundState
from labshare.errors import Refusal
from labshare.services import plans, rounds
from labshare.store import bookings as bookings_store
from labshare.store import plans as plans_store
from labshare.store import rounds as store
from labshare.store import time_requests as requests_store
from labshare.store.engine import Database
from tests import round_of
from tests.furniture import (
    COLLEAGUE,
    COMPETITOR,
    INDUSTRY_PROJECT,
    NOW,
    OFFICE,
    PUBLIC_PROJECT,
    RESEARCHER,
    a_booking,
    actor,
)
from tests.round_of import LATER, at, span
from tests.web.conftest import Client, send, sign_in, text_of

# The form of a round as a browser sends it, on the clock of Hanoi.
TYPED: dict[str, Any] = {
    "code": "2026-W49",
    "title_vi": "Đợt tuần 49",
    "title_en": "Week 49",
    "opens_date": "2026-11-23",
    "opens_clock": "8h",
    "closes_date": "2026-11-25",
    "closes_clock": "17:00",
    "publishes_date": "2026-11-27",
    "publishes_clock": "12:00",
    "starts_date": "2026-11-30",
    "starts_clock": "0:00",
    "ends_date": "04/12/2026",
    "ends_clock": "24:00",
    "slot_minutes": "30",
    "instruments": ["N002", "N003"],
    "from_date": ["2026-11-30", ""],
    "from_clock": ["08:00", ""],
    "until_date": ["", ""],
    "until_clock": ["12:00", ""],
}
ASKED: dict[str, Any] = {
    "project": str(PUBLIC_PROJECT),
    "purpose": "thin films",
    "sessions": "2",
    "length": "1h30",
    "min_sessions": "1",
    "instruments": "N002",
    "from_date": "2026-11-30",
    "from_clock": "8",
    "until_date": "2026-11-30",
    "until_clock": "12:00",
}


@pytest.fixture
def english(client: Client) -> Client:
    client.cookies.set("language", "en")
    return client


def only_round(house: Database) -> Round:
    with house.read() as db:
        (found,) = store.listed(db)
    return found


def opened(house: Database, *offers: Any, **changes: Any) -> Round:
    with house.write() as db:
        return round_of.open_round(db, *offers, **changes)


def proposed(house: Database, *offers: Any) -> Round:
    """Two public requests fill what is offered of the XRD; the company's one is left out."""
    with house.write() as db:
        r = round_of.open_round(db, *offers)
        round_of.ask(db, r, RESEARCHER, windows=(span(0, 8, 10),))
        round_of.ask(db, r, COLLEAGUE)
        round_of.ask(db, r, COMPETITOR, project_id=INDUSTRY_PROJECT, purpose="secret alloy")
        round_of.propose(db, round_of.close(db, r))
        return store.get(db, r.id)


# ---------------------------------------------------------------- making a round


def test_the_user_office_makes_opens_and_closes_a_round(english: Client, house: Database) -> None:
    sign_in(english, "office")
    made = send(english, "/rounds", TYPED)
    assert made.status_code == 303
    r = only_round(house)
    assert made.headers["location"] == f"/rounds/{r.id}"
    assert (r.state, r.opens_at, r.ends_at) == (RoundState.DRAFT, at(-7, 8), at(5, 0))
    with house.read() as db:
        offers = store.offers_of(db, r.id)
    # Two instruments times one interval.
    assert [(offer.instrument_number, offer.span) for offer in offers] == [(2, span(0, 8, 12)), (3, span(0, 8, 12))]
    assert send(english, f"/rounds/{r.id}/open", {"version": r.version}).status_code == 303
    r = only_round(house)
    assert send(english, f"/rounds/{r.id}/close", {"version": r.version}).status_code == 303
    assert only_round(house).state is RoundState.CLOSED


def test_a_form_that_cannot_be_read_is_shown_again_with_every_fault(english: Client, house: Database) -> None:
    sign_in(english, "office")
    answer = send(english, "/rounds", TYPED | {"opens_date": "soon", "ends_clock": ""})
    assert answer.status_code == 422
    assert answer.text.count("field-error") == 2
    assert 'value="2026-W49"' in answer.text
    with house.read() as db:
        assert store.listed(db) == []


def test_a_round_that_rules_refuse_says_every_reason(english: Client) -> None:
    sign_in(english, "office")
    answer = send(english, "/rounds", TYPED | {"closes_date": "2026-11-22", "slot_minutes": "25"})
    assert answer.status_code == 422
    assert "Dates must follow each other" in answer.text
    assert "raster of starts must be one of 10, 15, 20, 30, 60" in text_of(answer)


def test_a_draft_is_changed_as_it_was_typed(english: Client, house: Database) -> None:
    sign_in(english, "office")
    send(english, "/rounds", TYPED)
    r = only_round(house)
    page = english.get(f"/rounds/{r.id}/edit")
    assert page.text.count('value="2026-11-30"') == 3
    changed = send(english, f"/rounds/{r.id}/edit", TYPED | {"title_en": "Another", "version": r.version})
    assert changed.status_code == 303
    assert only_round(house).title_en == "Another"
    assert send(english, f"/rounds/{r.id}/edit", TYPED | {"version": r.version}).status_code == 412


def test_opening_what_another_round_keeps_is_refused_in_words(english: Client, house: Database) -> None:
    with house.write() as db:
        other = rounds.create(db, actor(OFFICE), round_of.new_round(code="other"), NOW)
    opened(house)
    sign_in(english, "office")
    answer = send(english, f"/rounds/{other.id}/open", {"version": 1})
    assert answer.status_code == 422
    assert "Round 2026-W49 keeps that time of N002 already" in text_of(answer)


def test_only_those_who_manage_rounds_find_the_form(english: Client, house: Database) -> None:
    sign_in(english, "researcher")
    assert english.get("/rounds/new").status_code == 403
    assert send(english, "/rounds", TYPED).status_code == 403
    sign_in(english, "office")
    send(english, "/rounds", TYPED)
    r = only_round(house)
    sign_in(english, "researcher")
    assert english.get(f"/rounds/{r.id}").status_code == 404
    assert english.get("/rounds").text.count("2026-W49") == 0


# ---------------------------------------------------------------- looking


def test_everybody_reads_open_calls_with_their_deadline(english: Client, house: Database) -> None:
    r = opened(house)
    text = text_of(english.get("/rounds"))
    assert "Week 49" in text
    assert "Wed 25 Nov 2026, 08:00" in text
    page = english.get(f"/rounds/{r.id}")
    assert page.status_code == 200
    assert "1 instrument offered" in text_of(page)
    assert "request waits" not in text_of(page)


def test_an_unknown_round_is_not_found(client: Client) -> None:
    assert client.get(f"/rounds/{UUID(int=9)}").status_code == 404
    assert client.get("/rounds/not-a-round").status_code == 404


def test_applicants_see_their_own_requests_and_nobody_elses(english: Client, house: Database) -> None:
    r = proposed(house)
    sign_in(english, "researcher")
    text = text_of(english.get(f"/rounds/{r.id}"))
    assert "thin films" in text
    assert "secret alloy" not in text
    assert "Not placed" not in text
    assert "Shares against agreements" not in text


def test_the_desk_shows_sessions_and_those_left_out_with_their_reasons(english: Client, house: Database) -> None:
    r = proposed(house)
    sign_in(english, "manager")
    page = english.get(f"/rounds/{r.id}")
    text = text_of(page)
    # Both public requests fill the four hours; the company's is left out because of them.
    assert page.text.count('<svg class="mark public_research" x=') == 2
    assert "#3 1 × 2 h · Industry" in text
    assert "gives N002 at Mon 30 Nov 2026, 08:00 to #1" in text
    assert "proven: no plan is worth more" in text


def test_the_picture_says_the_same_as_its_table(english: Client, house: Database) -> None:
    """Only 8 to 12 of Monday is open: two sessions of two hours are the halves of the strip."""
    r = proposed(house)
    sign_in(english, "manager")
    page = english.get(f"/rounds/{r.id}")
    assert '<svg class="mark public_research" x="0.000%" width="50.000%"' in page.text
    assert '<svg class="mark public_research" x="50.000%" width="50.000%"' in page.text
    assert f'href="/rounds/{r.id}/sessions"' in page.text
    table = text_of(english.get(f"/rounds/{r.id}/sessions"))
    assert "XRD instrument Mon 30 Nov 2026, 08:00–10:00 #1 Researcher" in table
    assert "XRD instrument Mon 30 Nov 2026, 10:00–12:00 #2 Colleague" in table
    sign_in(english, "researcher")
    assert english.get(f"/rounds/{r.id}/sessions").status_code == 404


def test_a_partner_without_an_agreement_sees_no_plan(english: Client, house: Database) -> None:
    r = proposed(house)
    sign_in(english, "partner")
    text = text_of(english.get(f"/rounds/{r.id}"))
    assert "Sessions placed" not in text
    assert "thin films" not in text


# ---------------------------------------------------------------- planning, approving, publishing


def test_progress_asks_for_itself_until_the_plan_is_there(english: Client, house: Database) -> None:
    with house.write() as db:
        r = round_of.close(db, round_of.open_round(db))
        queued = round_of.queue(db, r)
        # Leased to a runner elsewhere, so that the application's own does not take it.
        plan = plans.take(db, LATER, plan_id=queued.id)
        assert plan is not None
        told = '{"objective":1,"bound":2,"gap":0.5,"seconds":2.5,"placed":7}'
        assert plans.follow(db, plan, told, LATER)
    sign_in(english, "office")
    fragment = english.get(f"/rounds/{r.id}/progress", headers={"HX-Request": "true"})
    assert "<html" not in fragment.text
    assert f'hx-get="/rounds/{r.id}/progress" hx-trigger="every 1s"' in fragment.text
    # Half of the five seconds are over.
    assert 'value="0.5"' in fragment.text
    words = "7 sessions placed, at most 50.0 % from the best possible; 3 of 5 seconds."
    assert words in text_of(fragment)
    assert "Stage" not in text_of(fragment)
    with house.write() as db:
        assert plans.follow(db, plan, told[:-1] + ',"stage":1,"stages":2}', LATER)
    fragment = english.get(f"/rounds/{r.id}/progress", headers={"HX-Request": "true"})
    assert f"Stage 1 of 2, by strict priority. {words}" in text_of(fragment)
    assert send(english, f"/rounds/{r.id}/plans/{plan.id}/cancel").status_code == 303
    asked = english.get(f"/rounds/{r.id}/progress", headers={"HX-Request": "true"})
    assert "Stopping; the best plan found so far is kept." in text_of(asked)
    with house.write() as db:
        plans.put_aside(db, plan, (), LATER)
    done = english.get(f"/rounds/{r.id}/progress", headers={"HX-Request": "true"})
    assert "hx-trigger" not in done.text
    assert done.headers["HX-Refresh"] == "true"
    assert only_round(house).state is RoundState.CLOSED


def test_progress_is_for_those_who_see_the_round_s_requests(english: Client, house: Database) -> None:
    r = opened(house)
    sign_in(english, "researcher")
    assert english.get(f"/rounds/{r.id}/progress").status_code == 404


def test_a_run_that_failed_says_why(english: Client, house: Database) -> None:
    with house.write() as db:
        r = round_of.close(db, round_of.open_round(db))
        plan = plans.take(db, LATER, plan_id=round_of.queue(db, r).id)
        assert plan is not None
        plans.put_aside(db, plan, (Refusal(code="plan_none_found", params={"seconds": 5}),), LATER)
    sign_in(english, "office")
    text = text_of(english.get(f"/rounds/{r.id}"))
    assert "The last run brought no plan" in text
    assert "No plan that keeps every limit was found in 5 seconds" in text


@pytest.mark.slow
def test_the_application_runs_what_is_queued(english: Client, house: Database) -> None:
    with house.write() as db:
        r = round_of.open_round(db)
        round_of.ask(db, r)
        round_of.close(db, r)
    sign_in(english, "office")
    assert send(english, f"/rounds/{r.id}/plan").status_code == 303
    end = time.monotonic() + 30
    while only_round(house).state is RoundState.PLANNING:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert only_round(house).state is RoundState.PROPOSED
    assert "of 1 asked for" in text_of(english.get(f"/rounds/{r.id}"))


def test_nobody_else_queues_or_cancels_a_plan(english: Client, house: Database) -> None:
    with house.write() as db:
        r = round_of.close(db, round_of.open_round(db, ("N003", span(0, 8, 12))))
    sign_in(english, "manager")
    assert send(english, f"/rounds/{r.id}/plan").status_code == 403
    assert only_round(house).state is RoundState.CLOSED


def test_a_manager_approves_and_the_office_publishes(english: Client, house: Database) -> None:
    r = proposed(house)
    with house.read() as db:
        (plan,) = plans_store.of_round(db, r.id)
    sign_in(english, "manager")
    form = {"centre": "C-ONE", "plan_sha256": plan.plan_sha256, "note": "fine"}
    assert send(english, f"/rounds/{r.id}/plans/{plan.id}/approve", form).status_code == 303
    sign_in(english, "office")
    assert send(english, f"/rounds/{r.id}/publish", {"plan_sha256": plan.plan_sha256}).status_code == 303
    assert only_round(house).state is RoundState.PUBLISHED
    sign_in(english, "competitor")
    text = text_of(english.get(f"/rounds/{r.id}"))
    assert "secret alloy" in text
    # The reason counts the others and names none of them.
    assert "to requests of equal or higher priority (1)" in text
    assert "#1" not in text
    sign_in(english, "researcher")
    assert "1 of 1 sessions" in text_of(english.get("/rounds"))


def test_an_approval_of_another_plan_is_stale(english: Client, house: Database) -> None:
    r = proposed(house)
    with house.read() as db:
        (plan,) = plans_store.of_round(db, r.id)
    sign_in(english, "manager")
    form = {"centre": "C-ONE", "plan_sha256": "0" * 64}
    assert send(english, f"/rounds/{r.id}/plans/{plan.id}/approve", form).status_code == 412
    assert only_round(house).state is RoundState.PROPOSED


def test_a_clash_at_publication_is_409_and_named(english: Client, house: Database) -> None:
    r = proposed(house)
    with house.write() as db:
        (plan,) = plans_store.of_round(db, r.id)
        round_of.approve(db, plan)
        bookings_store.add(db, [a_booking(2, span(0, 9, 10), person_id=COLLEAGUE)])
    sign_in(english, "office")
    answer = send(english, f"/rounds/{r.id}/publish", {"plan_sha256": plan.plan_sha256})
    assert answer.status_code == 409
    assert "N002" in text_of(answer)
    assert only_round(house).state is RoundState.APPROVED


def test_a_withdrawn_round_says_so(english: Client, house: Database) -> None:
    r = opened(house)
    sign_in(english, "office")
    assert send(english, f"/rounds/{r.id}/withdraw", {"version": r.version}).status_code == 303
    assert "Withdrawn" in text_of(english.get(f"/rounds/{r.id}"))
    assert send(english, f"/rounds/{r.id}/withdraw", {"version": r.version}).status_code == 412


# ---------------------------------------------------------------- home


def test_home_says_what_waits_and_which_calls_are_open(english: Client, house: Database, now: datetime) -> None:
    opened(house)
    sign_in(english, "researcher")
    assert "Open calls" in text_of(english.get("/"))
    with house.write() as db:
        (r,) = store.listed(db)
        round_of.close(db, r)
        assert requests_store.of_round(db, r.id) == []
    sign_in(english, "manager")
    assert "Rounds that wait for a decision" in text_of(english.get("/"))
