"""Who is told of what they wait for, in the app and by letter, when and how they chose. On both databases."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from labshare.domain.notices import Mail, NoticeKind, next_digest
from labshare.domain.organisations import NewOrganisation
from labshare.domain.projects import AccessClass, Activity, Project
from labshare.errors import Refused
from labshare.services import affiliations, notices, organisations, projects, ticking
from labshare.store import bookings as bookings_store
from labshare.store import outbox
from labshare.store import people as people_store
from labshare.store import tables as t
from labshare.store.engine import Connection, Database
from tests.furniture import (
    MANAGER,
    NOW,
    OFFICE,
    PARTNER,
    RESEARCHER,
    XRD,
    a_booking,
    actor,
    counted,
    furnish,
    span,
)

NEWCOMER = UUID(int=40)
IN_A_YEAR = NOW + timedelta(days=365)
K = NoticeKind


@pytest.fixture
def house(database: Database) -> Database:
    """The furnished house with addresses, and somebody who waits to be confirmed by the partner company."""
    with database.write() as db:
        furnish(db)
        values = {"login": "newcomer", "name": "Newcomer", "organisation_id": "O-CO", "affiliation": "waiting"}
        db.execute(t.persons.insert().values(id=NEWCOMER, affiliation_at=NOW, email="n@x.vn", **values))
        db.execute(t.persons.update().where(t.persons.c.id == RESEARCHER).values(email="r@x.vn"))
    return database


def told(db: Connection, now: datetime = NOW) -> list[tuple[str, NoticeKind, str]]:
    """Address, kind and page of each letter that waits; they are on their way then."""
    waiting = notices.letters(db, now)
    for each in waiting:
        notices.sent(db, each)
    return [(each.email, each.notice.kind, each.notice.page) for each in waiting]


def proposed(db: Connection) -> Project:
    return projects.propose(
        db, actor(RESEARCHER), code="KC-77", title="A secret alloy", funding_line="KC.02",
        access_class=AccessClass.PUBLIC_RESEARCH, activity=Activity.NON_ECONOMIC, now=NOW,
    )  # fmt: skip


def verified(db: Connection, project: Project, until: datetime = IN_A_YEAR, now: datetime = NOW) -> Project:
    return projects.verify(
        db, actor(OFFICE), project.id, version=project.version, evidence="Decision 7", expires_at=until, now=now
    )


def tick(db: Connection, now: datetime) -> None:
    for row in ticking.deadlines(db, now):
        ticking.deal_with(db, row, now)


def test_who_waits_to_be_confirmed_hears_of_it_and_the_sender_is_woken(house: Database) -> None:
    with house.write() as db:
        affiliations.confirm(db, actor(OFFICE), NEWCOMER, version=1, now=NOW)
        assert [m.topic for m in outbox.waiting(db)] == [notices.LETTERS]
        assert told(db) == [("n@x.vn", K.AFFILIATION_CONFIRMED, "/account")]


def test_a_decline_is_told_without_its_reason(house: Database) -> None:
    with house.write() as db:
        affiliations.decline(db, actor(OFFICE), NEWCOMER, version=1, reason="never seen", now=NOW)
        (letter,) = notices.letters(db, NOW)
        assert (letter.notice.name_vi, letter.notice.name_en) == ("Công ty đối tác", "Partner company")
        assert "never seen" not in str(letter)


def test_an_organisations_proposer_hears_of_its_check_once(house: Database) -> None:
    """The check confirms the proposer too, and one letter says both."""
    with house.write() as db:
        found = people_store.actor(db, NEWCOMER)
        assert found is not None
        stated = NewOrganisation(name_vi="Mẫu", registration_number="1", contact="office@x.vn", evidence="x")
        made = organisations.propose(db, found, stated, NOW)
        organisations.decline(db, actor(OFFICE), made, version=1, reason="no such number", now=NOW)
        assert told(db) == [("n@x.vn", K.ORGANISATION_DECLINED, f"/organisations/{made}")]
        organisations.check(db, actor(OFFICE), made, version=2, now=NOW)
        assert told(db) == [("n@x.vn", K.ORGANISATION_CHECKED, f"/organisations/{made}")]


def test_an_investigator_hears_what_the_office_decided_of_the_project(house: Database) -> None:
    with house.write() as db:
        project = verified(db, proposed(db))
        page = f"/projects/{project.id}"
        (letter,) = notices.letters(db, NOW)
        assert (letter.notice.name_vi, letter.notice.until) == ("KC-77", IN_A_YEAR)
        assert "alloy" not in str(letter)
        assert told(db) == [("r@x.vn", K.PROJECT_VERIFIED, page)]
        projects.decline(db, actor(OFFICE), project.id, version=2, reason="a mistake", now=NOW)
        assert told(db) == [("r@x.vn", K.PROJECT_DECLINED, page)]
        tick(db, IN_A_YEAR)
        assert told(db, IN_A_YEAR) == []


def test_a_review_is_told_thirty_days_before_the_end_and_the_end_when_it_has_come(house: Database) -> None:
    with house.write() as db:
        project = verified(db, proposed(db))
        page = f"/projects/{project.id}"
        told(db)
        tick(db, IN_A_YEAR - timedelta(days=30, seconds=1))
        assert told(db, IN_A_YEAR) == []
        tick(db, IN_A_YEAR - timedelta(days=30))
        assert told(db, IN_A_YEAR) == [("r@x.vn", K.PROJECT_REVIEW, page)]
        tick(db, IN_A_YEAR - timedelta(seconds=1))
        assert told(db, IN_A_YEAR) == []
        tick(db, IN_A_YEAR)
        assert told(db, IN_A_YEAR) == [("r@x.vn", K.PROJECT_EXPIRED, page)]


def test_a_verification_that_was_prolonged_ends_later(house: Database) -> None:
    with house.write() as db:
        project = verified(db, proposed(db))
        prolonged = verified(db, project, IN_A_YEAR + timedelta(days=100))
        told(db)
        tick(db, IN_A_YEAR)
        assert told(db, IN_A_YEAR) == []
        # One for less than thirty days is up for review already, and only its end is told.
        soon = NOW + timedelta(days=20)
        verified(db, prolonged, soon)
        told(db)
        tick(db, soon)
        assert [kind for _, kind, _ in told(db, soon)] == [K.PROJECT_EXPIRED]


def test_an_investigator_who_has_left_hears_no_more_of_the_project(house: Database) -> None:
    with house.write() as db:
        verified(db, proposed(db))
        told(db)
        affiliations.end(db, actor(OFFICE), RESEARCHER, version=1, reason="moved", now=NOW)
        tick(db, IN_A_YEAR)
        assert told(db, IN_A_YEAR) == []


def test_who_has_no_address_reads_it_in_the_app(house: Database) -> None:
    with house.write() as db:
        notices.tell(db, OFFICE, K.PROJECT_REVIEW, ("KC-01", "KC-01"), "/projects/1", NOW)
        assert told(db) == []
        assert [each.kind for each in notices.mine(db, actor(OFFICE))] == [K.PROJECT_REVIEW]
        # There is no letter for anybody to be woken for.
        assert outbox.waiting(db) == []


def test_several_are_told_in_as_many_statements_as_one(house: Database) -> None:
    with house.write() as db:
        everybody = [RESEARCHER, NEWCOMER, OFFICE]
        with counted(house.engine) as seen:
            notices.tell_all(db, everybody, K.ROUND_WITHDRAWN, ("Đợt 1", "Round 1"), "/rounds/1", NOW)
        # Who they are and what they chose, the notices, and one message to the sender of letters.
        assert len(seen) == 3
        assert [notices.unread(db, actor(each)) for each in (RESEARCHER, OFFICE)] == [1, 1]
        with counted(house.engine) as seen:
            notices.tell_all(db, [], K.ROUND_WITHDRAWN, ("Đợt 1", "Round 1"), "/rounds/1", NOW)
        assert seen == []


def test_letters_come_as_each_person_chose(house: Database) -> None:
    morning = next_digest(NOW)
    with house.write() as db:
        chosen = {K.BOOKING_MADE: Mail.NEVER, K.BOOKING_MOVED: Mail.DAILY, K.BOOKING_MISSED: Mail.DAILY}
        notices.choose(db, actor(RESEARCHER), chosen)
        for kind in (*chosen, K.BOOKING_CANCELLED):
            notices.tell(db, RESEARCHER, kind, ("Máy", "Machine"), "/bookings/1", NOW)
        assert notices.unread(db, actor(RESEARCHER)) == 4
        assert told(db, morning - timedelta(seconds=1)) == [("r@x.vn", K.BOOKING_CANCELLED, "/bookings/1")]
        (digest,) = notices.letters(db, morning)
        assert {each.kind for each in digest.notices} == {K.BOOKING_MOVED, K.BOOKING_MISSED}
        # Once: what was sent is not sent the day after.
        notices.sent(db, digest)
        assert notices.letters(db, morning + timedelta(days=1)) == []


def test_what_was_read_in_the_app_is_left_out_of_the_digest(house: Database) -> None:
    morning = next_digest(NOW)
    with house.write() as db:
        notices.choose(db, actor(RESEARCHER), {K.BOOKING_MOVED: Mail.DAILY})
        for page in ("/bookings/1", "/bookings/2"):
            notices.tell(db, RESEARCHER, K.BOOKING_MOVED, ("Máy", "Machine"), page, NOW)
        first, second = notices.mine(db, actor(RESEARCHER))
        notices.read(db, actor(RESEARCHER), first.id, NOW)
        (digest,) = notices.letters(db, morning)
        assert [each.id for each in digest.notices] == [second.id]
        notices.read_all(db, actor(RESEARCHER), NOW)
        assert notices.letters(db, morning) == []


def test_what_is_always_written_cannot_be_chosen_otherwise(house: Database) -> None:
    with house.write() as db:
        wanted = {K.BOOKING_MOVED: Mail.DAILY, K.AFFILIATION_DECLINED: Mail.NEVER, K.SLOT_OFFERED: Mail.DAILY}
        with pytest.raises(Refused) as error:
            notices.choose(db, actor(RESEARCHER), wanted)
        kinds = [each.params["kind"] for each in error.value.refusals]
        assert kinds == ["affiliation_declined", "slot_offered"]
        groups = notices.preferences(db, actor(RESEARCHER))
        # None of it was kept.
        assert {each.mail for group in groups.values() for each in group} == {Mail.AT_ONCE}


def test_a_person_chooses_among_what_may_concern_them(house: Database) -> None:
    with house.read() as db:
        shown = {who: list(notices.preferences(db, actor(who))) for who in (RESEARCHER, MANAGER, PARTNER)}
    assert shown == {
        RESEARCHER: ["bookings", "rounds", "qualifications", "people"],
        MANAGER: ["bookings", "rounds", "qualifications", "centre", "people"],
        PARTNER: ["bookings", "rounds", "qualifications", "agreements", "people"],
    }


def test_a_calendar_file_is_of_its_readers_bookings_alone(house: Database) -> None:
    booking = a_booking(XRD, span(25, 9, 11))
    with house.write() as db:
        bookings_store.add(db, [booking])
        for person_id, kind in ((RESEARCHER, K.BOOKING_MOVED), (OFFICE, K.BOOKING_MOVED), (RESEARCHER, K.SLOT_OFFERED)):
            notices.tell(db, person_id, kind, ("Máy", "Machine"), "/bookings/1", NOW, booking_id=booking.id)
        offered, moved = sorted(notices.mine(db, actor(RESEARCHER)), key=lambda each: each.kind, reverse=True)
        (others,) = notices.mine(db, actor(OFFICE))
        assert [line.booking.id for line in notices.calendar_of(db, moved)] == [booking.id]
        assert notices.calendar_of(db, offered) == notices.calendar_of(db, others) == []


def test_notices_are_forgotten_after_ninety_days(house: Database) -> None:
    with house.write() as db:
        notices.tell(db, RESEARCHER, K.BOOKING_MOVED, ("Máy", "Machine"), "/bookings/1", NOW)
        ticking.forget(db, NOW + timedelta(days=90))
        assert notices.unread(db, actor(RESEARCHER)) == 1
        ticking.forget(db, NOW + timedelta(days=90, seconds=1))
        assert notices.unread(db, actor(RESEARCHER)) == 0


def test_a_letter_that_could_not_be_sent_waits(house: Database) -> None:
    with house.write() as db:
        affiliations.confirm(db, actor(OFFICE), NEWCOMER, version=1, now=NOW)
        (letter,) = notices.letters(db, NOW)
        notices.put_off(db, letter, NOW)
        assert told(db) == []
        assert len(told(db, NOW + timedelta(seconds=30))) == 1
