"""Security clearances at work, on both databases: no booking and no plan for a project that lacks one.

The agreement covers Centre One (the FE-SEM and the XRD) and looks for UAV, and for radar where the asker is foreign. It
asks for a decision within five working days: after Monday 23 November 2026 these are 25, 26, 27, 30 November and
1 December (the 24th is a holiday), so it is due before 2 December, 00:00 in Hanoi.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa

from labshare.domain.agreements import Scope, Version
from labshare.domain.bookings import Booking, Wish
from labshare.domain.clearances import Clearance, ClearanceState
from labshare.domain.rounds import RoundState
from labshare.domain.screening import Screening, WatchList
from labshare.domain.time_requests import RequestState
from labshare.errors import Forbidden, NotFound, Refused, Stale
from labshare.services import bookings, exchanges, holds, moves, plans, round_pages, rounds, time_requests
from labshare.services import clearances as service
from labshare.store import agreements as agreements_store
from labshare.store import clearances as store
from labshare.store import tables as t
from labshare.store import time_requests as requests_store
from labshare.store.engine import Connection, Database
from tests.domain.test_agreements import an_agreement
from tests.furniture import (
    COLLEAGUE,
    COMPETITOR,
    FESEM,
    INDUSTRY_PROJECT,
    MANAGER,
    NMR,
    NOW,
    OFFICE,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    actor,
    add_project,
    counted,
    furnish,
    span,
)
from tests.round_of import LATER, approve, ask, close, open_round, propose, wish

DUE = datetime(2026, 12, 1, 17, tzinfo=UTC)
SCREENING = Screening(
    lists=(WatchList(id="dual_use", terms=("UAV",)), WatchList(id="defence", terms=("radar",), foreign_only=True))
)


def screen(db: Connection, number: int = 1, **changes: Any) -> None:
    values: dict[str, Any] = {"screening": SCREENING, "covered": Scope(centres=("C-ONE",)), "parties": ("I-IMS",)}
    version = Version(number=number, agreement=an_agreement(**(values | changes)))
    agreements_store.add_version(db, version, actor_id=None, now=NOW)


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
        screen(db)
    return database


def asked(number: int, purpose: str, *, day: int = 25, who: UUID = RESEARCHER) -> Wish:
    project = INDUSTRY_PROJECT if who == COMPETITOR else PUBLIC_PROJECT
    return Wish(instrument_number=number, span=span(day, 9, 10), person_id=who, project_id=project, purpose=purpose)


def book(house: Database, wanted: Wish) -> Booking:
    assert wanted.person_id is not None
    with house.write() as db:
        return bookings.book(db, actor(wanted.person_id), wanted, NOW)


def held(house: Database, wanted: Wish) -> list[str]:
    """The codes of the refusal, which is then kept as the pages keep it."""
    assert wanted.person_id is not None
    with pytest.raises(Refused) as caught:
        book(house, wanted)
    with house.write() as db:
        service.hold_back(db, actor(wanted.person_id), wanted, NOW)
    return [refusal.code for refusal in caught.value.refusals]


def on_record(house: Database, project_id: UUID = PUBLIC_PROJECT) -> Clearance:
    with house.read() as db:
        (found,) = service.of_project(db, project_id)
    return found


def decide(house: Database, state: ClearanceState, who: UUID = OFFICE, project_id: UUID = PUBLIC_PROJECT) -> Clearance:
    with house.write() as db:
        version = store.of_projects(db, [project_id])[project_id, "A"].version
        return service.decide(db, actor(who), project_id, "A", state, version=version, evidence="QĐ 12", now=NOW)


def test_a_wish_that_names_what_is_looked_for_is_refused_until_the_project_is_cleared(house: Database) -> None:
    assert held(house, asked(XRD, "Vỏ của UAV")) == ["clearance_waiting"]
    found = on_record(house)
    assert (found.state, found.lists, found.found) == (ClearanceState.WAITING, ("dual_use",), ("UAV",))
    assert (found.since, found.due_at) == (NOW, DUE)
    # Other words and other members change nothing: the project is held. Where the clause does not hold, it is not.
    assert held(house, asked(FESEM, "Màng mỏng")) == ["clearance_waiting"]
    assert held(house, asked(XRD, "", who=COLLEAGUE)) == ["clearance_waiting"]
    assert on_record(house) == found
    book(house, asked(NMR, "UAV"))
    decide(house, ClearanceState.CLEARED)
    book(house, asked(XRD, "Vỏ của UAV", day=26))


def test_a_refused_project_books_nothing_there_and_moves_nothing(house: Database) -> None:
    booking = book(house, asked(XRD, "Màng mỏng"))
    held(house, asked(XRD, "UAV", day=26))
    decide(house, ClearanceState.REFUSED)
    assert held(house, asked(XRD, "Màng mỏng", day=26)) == ["clearance_refused"]
    with house.write() as db, pytest.raises(Refused) as caught:
        bookings.move(db, actor(RESEARCHER), booking.id, span(26, 9, 10), seen_version=1, now=NOW)
    assert [each.code for each in caught.value.refusals] == ["clearance_refused"]
    with house.write() as db:
        bookings.cancel(db, actor(RESEARCHER), booking.id, seen_version=1, now=NOW)


def test_a_booking_that_stands_moves_with_the_words_it_has(house: Database) -> None:
    """The clause began after it was booked; only a new wish is looked at."""
    with house.write() as db:
        screen(db, 2, screening=None)
    booking = book(house, asked(XRD, "UAV"))
    with house.write() as db:
        screen(db, 3)
        moved = bookings.move(db, actor(RESEARCHER), booking.id, span(26, 9, 10), seen_version=1, now=NOW)
    assert moved.starts_at == span(26, 9, 10).start


def test_a_booking_that_stands_is_not_said_to_be_for_what_is_looked_for(house: Database) -> None:
    booking, elsewhere = book(house, asked(XRD, "")), book(house, asked(NMR, "", day=26))
    with pytest.raises(Refused) as caught, house.write() as db:
        bookings.describe(db, actor(RESEARCHER), booking.id, "Vỏ của UAV", seen_version=1, now=NOW)
    assert [each.code for each in caught.value.refusals] == ["clearance_waiting"]
    with house.write() as db:
        assert bookings.describe(db, actor(RESEARCHER), booking.id, "Gốm", seen_version=1, now=NOW).purpose == "Gốm"
        bookings.describe(db, actor(RESEARCHER), elsewhere.id, "Vỏ của UAV", seen_version=1, now=NOW)


def test_words_that_come_after_the_hold_are_looked_at(house: Database) -> None:
    """The form held its time before anything was written in it."""
    with house.write() as db:
        kept = holds.hold(db, actor(RESEARCHER), asked(XRD, ""), NOW)
    wanted = msgspec.structs.replace(asked(XRD, "Vỏ của UAV"), replaces_id=kept.id)
    # Nor is it a way around to say in other words what the hold is for.
    with pytest.raises(Refused), house.write() as db:
        bookings.describe(db, actor(RESEARCHER), kept.id, wanted.purpose, seen_version=1, now=NOW)
    assert held(house, wanted) == ["clearance_waiting"]
    assert on_record(house).found == ("UAV",)


def test_what_moves_to_another_instrument_is_looked_at_there(house: Database) -> None:
    """At the NMR of Centre Two nobody looks; the XRD of Centre One is under the clause."""
    with house.write() as db:
        db.execute(sa.update(t.instruments).where(t.instruments.c.number == NMR).values(capability_id="XRD"))
    booking = book(house, asked(NMR, "Vỏ của UAV"))
    with house.write() as db, pytest.raises(Refused) as caught:
        moves.move_to(db, actor(RESEARCHER), booking.id, XRD, booking.span, seen_version=1, now=NOW)
    assert [each.code for each in caught.value.refusals] == ["clearance_waiting"]


def test_what_another_project_takes_over_is_looked_at_for_it(house: Database) -> None:
    """The colleague takes it on account of a project whose title names what is looked for."""
    other = UUID(int=23)
    booking = book(house, asked(XRD, ""))
    with house.write() as db:
        add_project(db, other, "KC-02", "O-CO", COLLEAGUE)
        db.execute(sa.update(t.projects).where(t.projects.c.id == other).values(title="Vỏ của UAV"))
        found = exchanges.hand_over(db, actor(RESEARCHER), booking.id, COLLEAGUE, seen_version=1, now=NOW)
    with house.write() as db, pytest.raises(Refused) as caught:
        exchanges.accept(db, actor(COLLEAGUE), found.id, other, seen_version=1, now=NOW)
    assert "clearance_waiting" in [each.code for each in caught.value.refusals]


def test_a_list_for_foreign_users_asks_what_the_organisation_has_stated(house: Database) -> None:
    book(house, asked(XRD, "radar", who=COMPETITOR))
    with house.write() as db:
        db.execute(
            sa.insert(t.organisation_checks).values(
                organisation_id="O-CO", state="checked", country="DE", proposed_by_id=COMPETITOR, proposed_at=NOW
            )
        )
    assert held(house, asked(XRD, "radar", day=26, who=COMPETITOR)) == ["clearance_waiting"]
    assert on_record(house, INDUSTRY_PROJECT).lists == ("defence",)


def test_who_does_not_belong_to_a_project_neither_holds_it_nor_learns_that_it_is_held(house: Database) -> None:
    stranger = Wish(
        instrument_number=XRD, span=span(25, 9, 10), person_id=COMPETITOR, project_id=PUBLIC_PROJECT, purpose="UAV"
    )
    assert held(house, stranger) == ["project_not_member"]
    with house.read() as db:
        assert service.of_project(db, PUBLIC_PROJECT) == []


def test_the_user_office_decides_on_the_version_that_it_saw(house: Database) -> None:
    held(house, asked(XRD, "UAV"))
    with house.write() as db:
        for who in (RESEARCHER, MANAGER):
            with pytest.raises(Forbidden):
                service.everything(db, actor(who))
            with pytest.raises(Forbidden):
                service.decide(
                    db, actor(who), PUBLIC_PROJECT, "A", ClearanceState.CLEARED, version=1, evidence="x", now=NOW
                )
        with pytest.raises(Stale):
            service.decide(
                db, actor(OFFICE), PUBLIC_PROJECT, "A", ClearanceState.CLEARED, version=2, evidence="x", now=NOW
            )
        with pytest.raises(NotFound):
            service.show(db, actor(OFFICE), INDUSTRY_PROJECT, "A")
        (line,) = service.waiting(db, actor(OFFICE))
    assert (line.project, line.name_en) == ("KC-01", "Institute of Materials Science")
    decide(house, ClearanceState.CLEARED)
    with house.read() as db:
        assert service.waiting(db, actor(OFFICE)) == []
        assert service.show(db, actor(OFFICE), PUBLIC_PROJECT, "A")[1] == "Office"


def test_a_request_is_taken_and_held_out_of_the_plan(house: Database) -> None:
    with house.write() as db:
        r = open_round(db)
        stopped, free = ask(db, r, purpose="UAV"), ask(db, r, COMPETITOR, project_id=INDUSTRY_PROJECT)
        assert stopped.state is RequestState.SUBMITTED
        facts = plans.load_facts(db, r, NOW)
        assert [each.id for each in facts.requests] == [free.id]
        page = round_pages.page(db, actor(OFFICE), r.id, NOW)
        assert [(each.line.label, each.is_overdue) for each in page.held] == [("#1", False)]
        assert round_pages.page(db, actor(OFFICE), r.id, DUE).held[0].is_overdue
        assert round_pages.page(db, actor(COMPETITOR), r.id, NOW).held == ()
        line = round_pages.own_request(db, actor(RESEARCHER), stopped.id)
        (reason,) = round_pages.held_reasons(db, line, NOW)
        assert (reason.code, reason.params["due_at"]) == ("clearance_waiting", DUE.isoformat())
    decide(house, ClearanceState.CLEARED)
    with house.read() as db:
        assert len(plans.load_facts(db, r, NOW).requests) == 2
        assert round_pages.page(db, actor(OFFICE), r.id, NOW).held == ()


def test_a_request_for_other_instruments_is_not_held(house: Database) -> None:
    """The NMR is covered by nobody; a capability means the instruments that have it."""
    with house.write() as db:
        r = open_round(db, ("N002", span(30, 8, 12)), ("N003", span(30, 8, 12)))
        named = ask(db, r, purpose="UAV", instrument_ids=("N003",))
        meant = ask(db, r, purpose="UAV", instrument_ids=(), capability_id="NMR")
        assert service.of_project(db, PUBLIC_PROJECT) == []
        assert {each.id for each in plans.load_facts(db, r, NOW).requests} == {named.id, meant.id}
        ask(db, r, purpose="UAV", instrument_ids=(), capability_id="XRD")
        # Now the project waits, and still only for the instruments of the agreement.
        assert {each.id for each in plans.load_facts(db, r, NOW).requests} == {named.id, meant.id}


def test_a_request_that_is_written_anew_is_looked_at_again(house: Database) -> None:
    with house.write() as db:
        r = open_round(db)
        made = ask(db, r)
        assert service.of_project(db, PUBLIC_PROJECT) == []
        time_requests.edit(db, actor(RESEARCHER), made.id, wish(purpose="UAV"), seen_version=1, now=NOW)
        assert service.of_project(db, PUBLIC_PROJECT)[0].found == ("UAV",)


def test_a_clause_that_begins_after_the_request_is_put_on_record_as_the_plan_is_queued(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        r = open_round(db)
        ask(db, r, purpose="UAV")
        screen(db)
        assert service.of_project(db, PUBLIC_PROJECT) == []
        propose(db, close(db, r))
        assert service.of_project(db, PUBLIC_PROJECT)[0].since == LATER


def test_what_was_planned_for_a_project_that_is_held_by_now_is_not_published(house: Database) -> None:
    with house.write() as db:
        r = open_round(db)
        first = ask(db, r)
        second = ask(db, r, COMPETITOR, project_id=INDUSTRY_PROJECT)
        plan = propose(db, close(db, r))
        approve(db, plan)
    held(house, asked(FESEM, "UAV"))
    with house.write() as db:
        published = rounds.publish(db, actor(OFFICE), r.id, plan_sha256=plan.plan_sha256, now=LATER)
        assert published.state is RoundState.PUBLISHED
        states = {each.id: each.state for each in requests_store.of_round(db, r.id)}
    assert states == {first.id: RequestState.UNPLACED, second.id: RequestState.PLACED}


def test_two_who_meet_the_same_list_at_once_make_one_record(house: Database) -> None:
    held(house, asked(XRD, "UAV"))
    found = on_record(house)
    with house.write() as db:
        assert not store.add(db, found)
        service.keep(db, actor(COLLEAGUE), [found], NOW + timedelta(hours=1))
    assert on_record(house) == found


def test_without_a_clause_nothing_more_is_asked(database: Database) -> None:
    """One query, for the agreements in force, which the clauses of courtesy ask anyway."""
    with database.write() as db:
        furnish(db)
        r = open_round(db)
        ask(db, r, purpose="UAV")
    with database.read() as db, counted(database.engine) as seen:
        assert service.of_round(db, r, NOW) == {}
    assert len(seen) == 1
