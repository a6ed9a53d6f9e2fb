"""Who may say who works where, and what a leaver can no longer do from that moment. On both databases."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from labshare.domain.affiliations import AffiliationState
from labshare.domain.bookings import Booking, BookingState, Wish
from labshare.domain.people import Actor, Grant, Role
from labshare.domain.projects import AccessClass, Activity
from labshare.domain.rounds import RoundState
from labshare.domain.time_requests import RequestState
from labshare.errors import Forbidden, NotFound, NotSignedIn, Refused, Stale, WrongState
from labshare.services import affiliations, bookings, people, projects, rounds, time_requests, tokens
from labshare.store import affiliations as store
from labshare.store import audit
from labshare.store import bookings as bookings_store
from labshare.store import people as people_store
from labshare.store import people_document as people_store_document
from labshare.store import tables as t
from labshare.store import time_requests as requests_store
from labshare.store.engine import Connection, Database
from tests.furniture import (
    ADMINISTRATOR,
    COLLEAGUE,
    COMPETITOR,
    MANAGER,
    NOW,
    OFFICE,
    PARTNER,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    actor,
    furnish,
    span,
)
from tests.round_of import LATER, approve, ask, close, open_round, propose, wish

NEWCOMER = UUID(int=40)
S = AffiliationState


@pytest.fixture
def house(database: Database) -> Database:
    """The furnished house, and somebody who says that they work for the partner company."""
    with database.write() as db:
        furnish(db)
        values = {"login": "newcomer", "name": "Newcomer", "organisation_id": "O-CO", "affiliation": S.WAITING}
        db.execute(t.persons.insert().values(id=NEWCOMER, affiliation_at=NOW, **values))
    return database


def loaded(db: Connection, person_id: UUID) -> Actor:
    """The person as a request would know them now."""
    found = people_store.actor(db, person_id)
    assert found is not None
    return found


def book(db: Connection, by: Actor, person_id: UUID | None = None, hour: int = 9) -> Booking:
    asked = Wish(instrument_number=XRD, span=span(25, hour, hour + 1), project_id=PUBLIC_PROJECT, person_id=person_id)
    return bookings.book(db, by, asked, NOW)


def end(db: Connection, person_id: UUID, by: UUID = OFFICE, version: int = 1) -> None:
    affiliations.end(db, actor(by), person_id, version=version, reason="moved away", now=NOW)


@pytest.mark.parametrize(
    ("by", "sees"),
    [(OFFICE, True), (ADMINISTRATOR, True), (PARTNER, True), (RESEARCHER, None), (MANAGER, None), (COMPETITOR, None)],
)
def test_who_speaks_for_the_organisation_or_the_office_judges_and_nobody_else(
    house: Database, by: UUID, sees: bool | None
) -> None:
    with house.write() as db:
        if sees is None:
            for judge in (affiliations.confirm, affiliations.decline, affiliations.end):
                words = {} if judge is affiliations.confirm else {"reason": "no"}
                with pytest.raises(Forbidden):
                    judge(db, actor(by), NEWCOMER, version=1, now=NOW, **words)  # type: ignore[arg-type]
            with pytest.raises(Forbidden):
                affiliations.waiting(db, actor(by))
            with pytest.raises(Forbidden):
                affiliations.people_of(db, actor(by))
            assert affiliations.mine(db, loaded(db, NEWCOMER)).state is S.WAITING
            return
        assert [line.login for line in affiliations.waiting(db, actor(by))] == ["newcomer"]
        assert affiliations.confirm(db, actor(by), NEWCOMER, version=1, now=NOW).state is S.CONFIRMED
        assert affiliations.waiting(db, actor(by)) == []
        assert loaded(db, NEWCOMER).grants == (Grant(role=Role.RESEARCHER),)


def test_who_speaks_for_another_organisation_does_not_even_find_the_person(house: Database) -> None:
    with house.write() as db:
        store.give(db, COLLEAGUE, Grant(role=Role.REPRESENTATIVE, organisation_id="I-IMS"))
        speaker = loaded(db, COLLEAGUE)
        assert affiliations.waiting(db, speaker) == []
        logins = ["administrator", "colleague", "manager", "office", "researcher"]
        assert [line.login for line in affiliations.people_of(db, speaker)] == logins
        with pytest.raises(NotFound):
            affiliations.confirm(db, speaker, NEWCOMER, version=1, now=NOW)
        with pytest.raises(NotFound):
            affiliations.end(db, speaker, COMPETITOR, version=1, reason="rival", now=NOW)


def test_a_person_who_waits_has_no_right_but_their_account(house: Database) -> None:
    with house.write() as db:
        newcomer = loaded(db, NEWCOMER)
        db.execute(t.project_members.insert().values(project_id=PUBLIC_PROJECT, person_id=NEWCOMER))
        with pytest.raises(Forbidden):
            book(db, newcomer)
        with pytest.raises(Forbidden):
            projects.propose(
                db, newcomer, code="X-1", title="x", funding_line="x", access_class=AccessClass.STATE_ORDER,
                activity=Activity.NON_ECONOMIC, now=NOW,
            )  # fmt: skip
        with pytest.raises(Forbidden):
            time_requests.apply(db, newcomer, open_round(db).id, wish(), NOW)
        with pytest.raises(Refused, match="project_not_member"):
            book(db, actor(MANAGER), NEWCOMER)
        with pytest.raises(Refused, match="person_unknown"):
            projects.add_member(db, actor(RESEARCHER), PUBLIC_PROJECT, "newcomer", NOW)
        assert people.employer(db, newcomer).id == "O-CO"
        assert affiliations.mine(db, newcomer).state is S.WAITING


def test_a_grant_that_a_file_gives_counts_only_after_the_confirmation(house: Database) -> None:
    with house.write() as db:
        store.give(db, NEWCOMER, Grant(role=Role.USER_OFFICE))
        assert loaded(db, NEWCOMER).grants == ()


def test_who_is_declined_reads_why_and_names_another_organisation(house: Database) -> None:
    with house.write() as db:
        affiliations.decline(db, actor(PARTNER), NEWCOMER, version=1, reason=" never seen ", now=NOW)
        newcomer = loaded(db, NEWCOMER)
        mine = affiliations.mine(db, newcomer)
        assert (mine.state, mine.reason, mine.version) == (S.DECLINED, "never seen", 2)
        with pytest.raises(Refused, match="organisation_unknown"):
            affiliations.name_organisation(db, newcomer, "O-NONE", NOW)
        affiliations.name_organisation(db, newcomer, "I-IMS", NOW)
        # The company that knows nothing of them is no longer asked.
        assert affiliations.waiting(db, actor(PARTNER)) == []
        assert [line.affiliation.organisation_id for line in affiliations.waiting(db, actor(OFFICE))] == ["I-IMS"]


def test_who_is_confirmed_does_not_move_by_their_own_word(house: Database) -> None:
    with house.write() as db, pytest.raises(WrongState):
        affiliations.name_organisation(db, actor(RESEARCHER), "O-CO", NOW)


def test_a_judgement_on_what_has_changed_is_stale(house: Database) -> None:
    with house.write() as db:
        affiliations.name_organisation(db, loaded(db, NEWCOMER), "I-IMS", NOW)
        with pytest.raises(Stale):
            affiliations.confirm(db, actor(OFFICE), NEWCOMER, version=1, now=NOW)
        assert loaded(db, NEWCOMER).grants == ()


def test_an_investigator_who_has_left_manages_no_members(house: Database) -> None:
    """The project names them still; whoever has no right left chooses nobody who spends its time."""
    with house.write() as db:
        end(db, RESEARCHER)
        gone = loaded(db, RESEARCHER)
        assert projects.mine(db, gone) == []
        with pytest.raises(NotFound):
            projects.show(db, gone, PUBLIC_PROJECT)
        with pytest.raises(NotFound):
            projects.add_member(db, gone, PUBLIC_PROJECT, "competitor", NOW)
        with pytest.raises(NotFound):
            projects.remove_member(db, gone, PUBLIC_PROJECT, COLLEAGUE, NOW)


def test_an_administrator_s_new_password_ends_what_the_login_held_before(house: Database) -> None:
    with house.write() as db:
        _, token = people.sign_in(db, COLLEAGUE, "colleague", NOW, hours=12)
        people.create_admin(db, login="colleague", name="Admin", organisation_id="I-IMS", password_hash="x", now=NOW)
        assert people.actor_of_sign_in(db, token, NOW) is None


def test_a_representative_ends_nobody_with_an_office_beyond_the_organisation(house: Database) -> None:
    with house.write() as db:
        people_store_document.put_grants(db, COMPETITOR, [Grant(role=Role.ADMINISTRATOR)])
        with pytest.raises(Refused, match="affiliation_of_office"):
            end(db, COMPETITOR, by=PARTNER)
        assert loaded(db, COMPETITOR).has(Role.ADMINISTRATOR)
        end(db, COMPETITOR, by=OFFICE)
        assert loaded(db, COMPETITOR).grants == ()


def test_a_leaver_loses_everything_at_once(house: Database) -> None:
    with house.write() as db:
        booked = book(db, actor(COLLEAGUE))
        _, token = people.sign_in(db, COLLEAGUE, "colleague", NOW, hours=12)
        secret = tokens.create(db, login="colleague", days=9, label="", now=NOW).secret
        end(db, COLLEAGUE)
        assert people.actor_of_sign_in(db, token, NOW) is None
        with pytest.raises(NotSignedIn):
            tokens.actor_of(db, secret, NOW)
        leaver = loaded(db, COLLEAGUE)
        assert leaver.grants == ()
        with pytest.raises(Forbidden):
            book(db, leaver, hour=10)
        # Even with the rights that a page opened a moment before had shown.
        with pytest.raises(Refused, match="project_not_member"):
            book(db, actor(COLLEAGUE), hour=10)
        with pytest.raises(Forbidden):
            bookings.move(db, leaver, booked.id, span(25, 14, 15), seen_version=booked.version, now=NOW)
        with pytest.raises(Forbidden):
            bookings.cancel(db, leaver, booked.id, seen_version=booked.version, now=NOW)
        with pytest.raises(Refused, match="project_not_member"):
            book(db, actor(MANAGER), COLLEAGUE, hour=10)
        # What was done stays, and the office sees what is to be decided.
        assert bookings_store.get(db, booked.id).state is BookingState.CONFIRMED
        left = affiliations.left_behind(db, actor(OFFICE), NOW)
        assert [line.booking.id for line in left.bookings] == [booked.id]
        # The manager of the centre gives the time back.
        bookings.cancel(db, actor(MANAGER), booked.id, seen_version=booked.version, now=NOW)
        assert affiliations.left_behind(db, actor(OFFICE), NOW).bookings == []


def test_the_office_gives_back_what_a_leaver_has_booked_and_only_that(house: Database) -> None:
    with house.write() as db:
        theirs, others = book(db, actor(COLLEAGUE)), book(db, actor(RESEARCHER), hour=11)

        def give_back(booked: Booking, by: UUID) -> Booking:
            return bookings.give_back(db, actor(by), booked.id, seen_version=booked.version, now=NOW)

        with pytest.raises(WrongState, match="person_is_here"):
            give_back(theirs, OFFICE)
        end(db, COLLEAGUE)
        for by in (MANAGER, PARTNER, RESEARCHER):
            # Whoever may not see the booking does not even find it.
            with pytest.raises((Forbidden, NotFound)):
                give_back(theirs, by)
        assert give_back(theirs, OFFICE).state is BookingState.CANCELLED
        with pytest.raises(WrongState, match="person_is_here"):
            give_back(others, ADMINISTRATOR)
        # Others can have the time, and the watchers of the calendar and the audit hear of it.
        book(db, actor(RESEARCHER))
        assert [line.action for line in audit.lines(db, "booking", theirs.id)] == ["book", "cancel"]


def test_a_booking_made_while_somebody_is_leaving_waits_and_is_refused(house: Database) -> None:
    outcomes = list[str]()

    def try_to_book() -> None:
        try:
            with house.write() as db:
                book(db, actor(COLLEAGUE))
            outcomes.append("booked")
        except Refused as refused:
            outcomes.append(refused.refusals[0].code)

    other = threading.Thread(target=try_to_book)
    with house.write() as db:
        end(db, COLLEAGUE)
        other.start()
        other.join(0.3)
        assert outcomes == []
    other.join()
    assert outcomes == ["project_not_member"]


def test_a_request_made_while_somebody_is_leaving_waits_and_is_refused(house: Database) -> None:
    outcomes = list[str]()
    with house.write() as db:
        r = open_round(db)

    def try_to_ask() -> None:
        try:
            with house.write() as db:
                ask(db, r, COLLEAGUE)
            outcomes.append("asked")
        except Refused as refused:
            outcomes.append(refused.refusals[0].code)

    other = threading.Thread(target=try_to_ask)
    with house.write() as db:
        end(db, COLLEAGUE)
        other.start()
        other.join(0.3)
        assert outcomes == []
    other.join()
    assert outcomes == ["project_not_member"]


def test_a_leaving_beside_a_request_waits_and_withdraws_it(house: Database) -> None:
    with house.write() as db:
        r = open_round(db)

    def leave() -> None:
        with house.write() as db:
            end(db, COLLEAGUE)

    other = threading.Thread(target=leave)
    with house.write() as db:
        asked = ask(db, r, COLLEAGUE)
        other.start()
        other.join(0.3)
        assert other.is_alive()
    other.join()
    with house.read() as db:
        assert requests_store.get(db, asked.id).state is RequestState.WITHDRAWN


def test_an_investigator_who_left_spends_nothing_although_they_are_still_named(house: Database) -> None:
    with house.write() as db:
        end(db, RESEARCHER)
        with pytest.raises(Refused, match="project_not_member"):
            book(db, actor(MANAGER), RESEARCHER)
        left = affiliations.left_behind(db, actor(OFFICE), NOW)
        assert [line.project.code for line in left.projects] == ["KC-01"]
        for by in (PARTNER, MANAGER, COLLEAGUE):
            with pytest.raises(Forbidden):
                affiliations.left_behind(db, actor(by), NOW)


def test_who_comes_back_to_another_organisation_begins_as_a_researcher(house: Database) -> None:
    with house.write() as db:
        end(db, PARTNER)
        leaver = loaded(db, PARTNER)
        affiliations.name_organisation(db, leaver, "I-IMS", NOW)
        affiliations.confirm(db, actor(OFFICE), PARTNER, version=3, now=NOW)
        assert loaded(db, PARTNER).grants == (Grant(role=Role.RESEARCHER),)


def test_a_plan_made_before_somebody_left_gives_their_time_back_at_publication(house: Database) -> None:
    """Two people are placed on one plan; one has left when it is published, and the other one's booking is written."""
    with house.write() as db:
        r = open_round(db)
        stays, leaves = ask(db, r, RESEARCHER), ask(db, r, COLLEAGUE)
        close(db, r)
        plan = propose(db, r)
        approve(db, plan)
        end(db, COLLEAGUE)
        published = rounds.publish(db, actor(OFFICE), r.id, plan_sha256=plan.plan_sha256, now=LATER)
        assert published.state is RoundState.PUBLISHED
        written = db.execute(t.bookings.select()).all()
        assert {row.person_id for row in written} == {RESEARCHER}
        assert requests_store.get(db, stays.id).state is RequestState.PLACED
        assert requests_store.get(db, leaves.id).state is RequestState.UNPLACED


def test_each_judgement_leaves_a_line_without_its_words(house: Database) -> None:
    with house.write() as db:
        affiliations.confirm(db, actor(PARTNER), NEWCOMER, version=1, now=NOW)
        affiliations.end(db, actor(PARTNER), NEWCOMER, version=2, reason="a private matter", now=NOW)
        lines = audit.lines(db, "affiliation", NEWCOMER)
    assert [(line.action, line.actor_id, line.details["organisation"]) for line in lines] == [
        ("confirm", PARTNER, "O-CO"),
        ("end", PARTNER, "O-CO"),
    ]
    assert "private" not in str(lines)
    assert len(str(lines[1].details["reason"])) == 64


def test_an_unknown_person_is_not_found(house: Database) -> None:
    with house.write() as db, pytest.raises(NotFound):
        affiliations.confirm(db, actor(OFFICE), uuid4(), version=1, now=NOW + timedelta(days=1))
