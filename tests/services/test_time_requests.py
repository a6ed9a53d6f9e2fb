"""Applying for time through the services: own requests only, refused with every reason, changed by version."""

from __future__ import annotations

import msgspec
import pytest

from labshare.domain.time_requests import RequestState
from labshare.errors import Forbidden, NotFound, Refused, Stale, WrongState
from labshare.services import round_pages, rounds
from labshare.services import time_requests as service
from labshare.store import time_requests as store
from labshare.store.engine import Database
from tests.furniture import (
    COLLEAGUE,
    COMPETITOR,
    FESEM,
    INDUSTRY_PROJECT,
    MANAGER,
    NOW,
    OFFICE,
    PARTNER,
    RESEARCHER,
    XRD,
    actor,
    furnish,
)
from tests.round_of import LATER, ask, new_round, open_round, span, wish


def codes(error: pytest.ExceptionInfo[Refused]) -> list[str]:
    return [refusal.code for refusal in error.value.refusals]


def test_a_request_copies_class_and_organisation_from_its_project(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        made = ask(db, open_round(db), COMPETITOR, project_id=INDUSTRY_PROJECT)
        assert store.get(db, made.id) == made
    assert (made.organisation_id, made.access_class, made.activity) == ("O-CO", "industry", "economic")
    assert (made.instrument_numbers, made.state) == ((XRD,), RequestState.SUBMITTED)


def test_every_reason_is_told_at_once_and_nothing_is_written(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        r = open_round(db)
        with pytest.raises(Refused) as error:
            ask(db, r, sessions=0, purpose="", project_id=INDUSTRY_PROJECT, instrument_ids=("N001",))
        assert store.of_round(db, r.id) == []
    assert codes(error) == [
        "project_not_member",
        "request_purpose",
        "request_sessions",
        "request_instrument_not_offered",
    ]


def test_a_qualification_is_looked_up_for_the_person(database: Database) -> None:
    """The researcher holds the licence of the FE-SEM, the manager does not."""
    with database.write() as db:
        furnish(db)
        r = open_round(db, ("N001", span(0, 8, 12)))
        assert ask(db, r, RESEARCHER, instrument_ids=("N001",)).instrument_numbers == (FESEM,)
        with pytest.raises(Refused) as error:
            ask(db, r, MANAGER, instrument_ids=("N001",))
    assert codes(error) == ["request_not_qualified"]


def test_an_instrument_that_does_not_exist_is_not_found(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        with pytest.raises(NotFound):
            ask(db, open_round(db), instrument_ids=("N999",))


def test_those_without_the_role_do_not_apply(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        r = open_round(db)
        nobody = msgspec.structs.replace(actor(RESEARCHER), grants=())
        for somebody in (actor(PARTNER), nobody):
            with pytest.raises(Forbidden):
                service.apply(db, somebody, r.id, wish(), NOW)


def test_a_request_is_changed_until_the_deadline_by_the_version_that_was_seen(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        r = open_round(db)
        made = ask(db, r)
        changed = service.edit(
            db, actor(RESEARCHER), made.id, wish(session_minutes=60, windows=(span(0, 9, 12),)), seen_version=1, now=NOW
        )
        assert (changed.session_minutes, changed.version, changed.created_at) == (60, 2, made.created_at)
        with pytest.raises(Stale):
            service.edit(db, actor(RESEARCHER), made.id, wish(), seen_version=1, now=NOW)
        with pytest.raises(Refused) as error:
            service.edit(db, actor(RESEARCHER), made.id, wish(), seen_version=2, now=r.closes_at)
        assert codes(error) == ["round_not_accepting"]


def test_a_request_is_withdrawn_once_and_until_the_deadline(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        r = open_round(db)
        made, other = ask(db, r), ask(db, r)
        gone = service.withdraw(db, actor(RESEARCHER), made.id, seen_version=1, now=NOW)
        assert gone.state is RequestState.WITHDRAWN
        assert [each.id for each in store.of_round(db, r.id)] == [other.id]
        with pytest.raises(WrongState):
            service.withdraw(db, actor(RESEARCHER), made.id, seen_version=2, now=NOW)
        with pytest.raises(Refused):
            service.withdraw(db, actor(RESEARCHER), other.id, seen_version=1, now=LATER)


def test_somebody_else_s_request_is_not_found(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        made = ask(db, open_round(db))
        for somebody in (actor(COLLEAGUE), actor(MANAGER)):
            with pytest.raises(NotFound):
                service.own(db, somebody, made.id)
            with pytest.raises(NotFound):
                service.edit(db, somebody, made.id, wish(), seen_version=1, now=NOW)
            with pytest.raises(NotFound):
                service.withdraw(db, somebody, made.id, seen_version=1, now=NOW)


def test_what_is_offered_tells_this_person_s_qualification(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        r = open_round(db, ("N001", span(0, 8, 12)), ("N002", span(0, 8, 12)))
        mine = service.offered_to(db, r, RESEARCHER)
        theirs = service.offered_to(db, r, MANAGER)
    assert [(number, each.is_allowed) for number, each in mine.items()] == [(FESEM, True), (XRD, True)]
    assert [(number, each.is_allowed) for number, each in theirs.items()] == [(FESEM, False), (XRD, True)]
    assert mine[XRD].offered == (span(0, 8, 12),)


def test_a_person_may_apply_again_and_again(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        r = open_round(db)
        own = {ask(db, r).id for _ in range(3)}
        assert {each.id for each in store.of_person(db, RESEARCHER)} == own


def test_nobody_applies_in_a_draft_or_learns_that_there_is_one(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        draft = rounds.create(db, actor(OFFICE), new_round(), NOW)
        with pytest.raises(NotFound):
            ask(db, draft)
        with pytest.raises(NotFound):
            round_pages.offered_to(db, actor(RESEARCHER), draft.id)
