"""Applying for time over HTTP, by plain forms: the happy way and each unhappy twin."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from labshare.domain.rounds import Round
from labshare.domain.time_requests import RequestState, TimeRequest
from labshare.services import rounds
from labshare.store import bookings as bookings_store
from labshare.store import time_requests as store
from labshare.store.engine import Database
from tests.furniture import (
    COLLEAGUE,
    OFFICE,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    a_booking,
    actor,
    add_project,
)
from tests.furniture import span as a_span
from tests.round_of import LATER, approve, ask, close, open_round, propose, span
from tests.web.conftest import Client, send, sign_in, text_of

TYPED: dict[str, Any] = {
    "project": str(PUBLIC_PROJECT),
    "purpose": "thin films",
    "sessions": "2",
    "length": "1h30",
    "min_sessions": "1",
    "instruments": "N002",
    "from_date": "2026-11-30",
    "from_clock": "8",
    "until_clock": "12",
}


@pytest.fixture
def english(client: Client) -> Client:
    client.cookies.set("language", "en")
    sign_in(client, "researcher")
    return client


@pytest.fixture
def call(house: Database) -> Round:
    with house.write() as db:
        return open_round(db)


def requests(house: Database) -> list[TimeRequest]:
    with house.read() as db:
        return store.of_person(db, RESEARCHER)


def test_a_researcher_applies_with_a_plain_form(english: Client, house: Database, call: Round) -> None:
    page = english.get(f"/rounds/{call.id}/apply")
    assert page.status_code == 200
    assert 'action="/rounds/' in page.text
    answer = send(english, f"/rounds/{call.id}/requests", TYPED)
    assert answer.status_code == 303
    (made,) = requests(house)
    assert answer.headers["location"] == f"/requests/{made.id}"
    assert (made.sessions, made.session_minutes, made.windows) == (2, 90, (span(0, 8, 12),))
    shown = text_of(english.get(f"/requests/{made.id}"))
    assert "2 × 1 h 30 min" in shown
    assert "You can change or withdraw this request until" in shown


def test_nobody_claims_a_class_by_typing_it_into_the_form(english: Client, house: Database, call: Round) -> None:
    claimed = {"access_class": "state_order", "activity": "economic", "agreement_id": "A-1", "organisation_id": "O-CO"}
    assert send(english, f"/rounds/{call.id}/requests", TYPED | claimed).status_code == 303
    (made,) = requests(house)
    assert (made.access_class, made.activity, made.agreement_id, made.organisation_id) == (
        "public_research", "non_economic", None, "I-IMS",
    )  # fmt: skip


def test_what_cannot_be_read_stays_in_the_form_with_its_faults(english: Client, house: Database, call: Round) -> None:
    answer = send(english, f"/rounds/{call.id}/requests", TYPED | {"length": "long", "from_clock": "late"})
    assert answer.status_code == 422
    assert answer.text.count("field-error") == 2
    assert "thin films" in answer.text
    assert requests(house) == []


def test_rules_refuse_with_every_reason(english: Client, house: Database, call: Round) -> None:
    answer = send(english, f"/rounds/{call.id}/requests", TYPED | {"length": "9h", "sessions": "99"})
    assert answer.status_code == 422
    text = text_of(answer)
    assert "Ask for 1 to 50 sessions." in text
    assert "N002 takes sessions from 30 min to 8 h." in text
    assert requests(house) == []


def test_a_request_is_changed_and_a_stale_change_is_refused(english: Client, house: Database, call: Round) -> None:
    send(english, f"/rounds/{call.id}/requests", TYPED)
    (made,) = requests(house)
    page = english.get(f"/requests/{made.id}/edit")
    assert 'value="1:30"' in page.text or 'value="01:30"' in page.text
    change = TYPED | {"length": "2h", "version": made.version}
    assert send(english, f"/requests/{made.id}/edit", change).status_code == 303
    assert requests(house)[0].session_minutes == 120
    assert send(english, f"/requests/{made.id}/edit", change).status_code == 412


def test_a_request_is_withdrawn(english: Client, house: Database, call: Round) -> None:
    send(english, f"/rounds/{call.id}/requests", TYPED)
    (made,) = requests(house)
    assert send(english, f"/requests/{made.id}/withdraw", {"version": made.version}).status_code == 303
    assert requests(house)[0].state is RequestState.WITHDRAWN
    assert "Withdrawn" in text_of(english.get(f"/requests/{made.id}"))


def test_an_applicant_is_shown_what_the_worth_of_a_session_is_made_of(
    english: Client, house: Database, call: Round
) -> None:
    """Of two projects of one tier the one that used the instrument two weeks ago comes last: 50 + 50/2 percent."""
    other = UUID(int=31)
    with house.write() as db:
        add_project(db, other, "KC-31", "I-IMS", COLLEAGUE)
        bookings_store.add(db, [a_booking(XRD, a_span(10, 8, 10))])
        used, unused = ask(db, call), ask(db, call, COLLEAGUE, project_id=other)
        plan = propose(db, close(db, call))
        approve(db, plan)
        rounds.publish(db, actor(OFFICE), call.id, plan_sha256=plan.plan_sha256, now=LATER)
    shown = text_of(english.get(f"/requests/{used.id}"))
    assert "300,000 4 slots × tier 1,000 × review 100 × fair share 75 %; others of this tier have used less" in shown
    sign_in(english, "colleague")
    shown = text_of(english.get(f"/requests/{unused.id}"))
    assert "400,000 4 slots × tier 1,000 × review 100 × fair share 100 %" in shown
    assert "others of this tier" not in shown


def test_somebody_else_s_request_is_not_found(english: Client, house: Database, call: Round) -> None:
    with house.write() as db:
        made = ask(db, call)
    sign_in(english, "colleague")
    assert english.get(f"/requests/{made.id}").status_code == 404
    assert english.get(f"/requests/{made.id}/edit").status_code == 404
    assert send(english, f"/requests/{made.id}/withdraw", {"version": 1}).status_code == 404


def test_a_closed_round_takes_no_request(english: Client, house: Database, call: Round) -> None:
    with house.write() as db:
        close(db, call)
    assert "takes no requests now" in text_of(english.get(f"/rounds/{call.id}/apply"))
    answer = send(english, f"/rounds/{call.id}/requests", TYPED)
    assert answer.status_code == 422
    assert "takes, changes and withdraws requests from" in text_of(answer)


def test_whoever_is_not_signed_in_is_asked_to(client: Client, call: Round) -> None:
    assert client.get(f"/rounds/{call.id}/apply").status_code in (303, 401)
    assert send(client, f"/rounds/{call.id}/requests", TYPED).status_code in (303, 401)


def test_a_partner_does_not_apply(english: Client, call: Round) -> None:
    sign_in(english, "partner")
    assert english.get(f"/rounds/{call.id}/apply").status_code == 403


def test_unknown_and_foreign_ids_change_nothing(english: Client, house: Database, call: Round) -> None:
    assert english.get(f"/rounds/{UUID(int=9)}/apply").status_code == 404
    unknown = send(english, f"/rounds/{call.id}/requests", TYPED | {"instruments": "N999"})
    assert unknown.status_code == 404
    foreign = send(english, f"/rounds/{call.id}/requests", TYPED | {"project": str(UUID(int=9))})
    assert foreign.status_code == 422
    assert "project" in text_of(foreign)
    assert requests(house) == []
