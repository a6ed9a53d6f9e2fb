"""What people may do with projects, and what is kept of it. On both databases."""

from __future__ import annotations

import threading
from datetime import date, timedelta
from uuid import UUID

import pytest

from labshare.domain.agreements import Agreement, Version
from labshare.domain.bookings import Wish
from labshare.domain.organisations import OrganisationCheck
from labshare.domain.projects import AccessClass, Activity, Project, ProjectState
from labshare.errors import Forbidden, NotFound, Refused, Stale, WrongState
from labshare.services import affiliations, bookings, projects, time_requests
from labshare.services.time_requests import RequestWish
from labshare.store import agreements as agreements_store
from labshare.store import audit, organisations
from labshare.store import projects as projects_store
from labshare.store import tables as t
from labshare.store.engine import Connection, Database
from tests.furniture import (
    ADMINISTRATOR,
    COLLEAGUE,
    COMPETITOR,
    INDUSTRY_PROJECT,
    MANAGER,
    NOW,
    OFFICE,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    actor,
    furnish,
    span,
)
from tests.round_of import open_round
from tests.round_of import wish as round_wish

IN_A_YEAR = NOW + timedelta(days=365)


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


def propose(db: Connection, person_id: UUID = RESEARCHER, code: str = "KC-77") -> Project:
    return projects.propose(
        db, actor(person_id), code=code, title="Màng mỏng", funding_line="Nafosted",
        access_class=AccessClass.PUBLIC_RESEARCH, activity=Activity.NON_ECONOMIC, now=NOW,
    )  # fmt: skip


def verify(db: Connection, project: Project, person_id: UUID = OFFICE, version: int = 1) -> Project:
    return projects.verify(
        db, actor(person_id), project.id, version=version, evidence="Hợp đồng 7", expires_at=IN_A_YEAR, now=NOW
    )


def test_a_proposal_waits_for_the_user_office_and_counts_for_nothing(house: Database) -> None:
    with house.write() as db:
        project = propose(db)
        assert (project.organisation_id, project.pi_id, project.state) == ("I-IMS", RESEARCHER, ProjectState.PROPOSED)
        assert [line.project.code for line in projects.waiting(db, actor(OFFICE))] == ["KC-77"]
        assert [usable.code for usable in projects.usable(db, actor(RESEARCHER), NOW)] == ["KC-01"]


def test_a_verified_project_can_be_used_until_it_expires(house: Database) -> None:
    with house.write() as db:
        verify(db, propose(db))
        assert [p.code for p in projects.usable(db, actor(RESEARCHER), NOW)] == ["KC-01", "KC-77"]
        assert [p.code for p in projects.usable(db, actor(RESEARCHER), IN_A_YEAR)] == ["KC-01"]
        assert projects.waiting(db, actor(OFFICE)) == []


@pytest.mark.parametrize("person_id", [RESEARCHER, MANAGER, ADMINISTRATOR])
def test_only_the_user_office_verifies_or_sees_what_waits(house: Database, person_id: UUID) -> None:
    with house.write() as db:
        project = propose(db)
        with pytest.raises(Forbidden):
            verify(db, project, person_id)
        with pytest.raises(Forbidden):
            projects.decline(db, actor(person_id), project.id, version=1, reason="no", now=NOW)
        with pytest.raises(Forbidden):
            projects.waiting(db, actor(person_id))


def test_a_decision_on_a_version_that_has_changed_is_stale(house: Database) -> None:
    with house.write() as db:
        project = propose(db)
        verify(db, project)
        with pytest.raises(Stale):
            projects.decline(db, actor(OFFICE), project.id, version=1, reason="too late", now=NOW)
        assert projects.show(db, actor(OFFICE), project.id).project.state is ProjectState.VERIFIED


def test_a_code_is_refused_when_it_is_taken(house: Database) -> None:
    with house.write() as db, pytest.raises(Refused) as refused:
        propose(db, code=" KC-01 ")
    assert [refusal.code for refusal in refused.value.refusals] == ["project_code_taken"]


@pytest.mark.parametrize(
    ("person_id", "sees"),
    [(RESEARCHER, True), (COLLEAGUE, True), (OFFICE, True), (ADMINISTRATOR, True), (COMPETITOR, False)],
)
def test_a_project_is_seen_by_its_people_and_the_offices_alone(house: Database, person_id: UUID, sees: bool) -> None:
    with house.read() as db:
        if sees:
            assert projects.show(db, actor(person_id), PUBLIC_PROJECT).project.code == "KC-01"
            return
        with pytest.raises(NotFound):
            projects.show(db, actor(person_id), PUBLIC_PROJECT)


def test_an_unknown_project_is_not_found(house: Database) -> None:
    with house.read() as db, pytest.raises(NotFound):
        projects.show(db, actor(OFFICE), UUID(int=999))


def test_the_investigator_chooses_the_members(house: Database) -> None:
    with house.write() as db:
        projects.add_member(db, actor(RESEARCHER), PUBLIC_PROJECT, " competitor ", NOW)
        projects.add_member(db, actor(RESEARCHER), PUBLIC_PROJECT, "competitor", NOW)
        assert [p.code for p in projects.usable(db, actor(COMPETITOR), NOW)] == ["DN-01", "KC-01"]
        projects.remove_member(db, actor(RESEARCHER), PUBLIC_PROJECT, COMPETITOR, NOW)
        assert [p.code for p in projects.usable(db, actor(COMPETITOR), NOW)] == ["DN-01"]
        with pytest.raises(NotFound):
            projects.remove_member(db, actor(RESEARCHER), PUBLIC_PROJECT, COMPETITOR, NOW)


def test_a_double_click_adds_a_member_once(house: Database) -> None:
    """The second one has read the members before the first was written."""
    start, outcomes = threading.Barrier(2), list[str]()

    def add() -> None:
        start.wait()
        with house.write() as db:
            projects.add_member(db, actor(RESEARCHER), PUBLIC_PROJECT, "competitor", NOW)
        outcomes.append("added")

    both = [threading.Thread(target=add) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert outcomes == ["added", "added"]
    with house.write() as db:
        assert not projects_store.add_member(db, PUBLIC_PROJECT, COMPETITOR)
        lines = audit.lines(db, "project", PUBLIC_PROJECT)
    assert [line.action for line in lines] == ["add_member"]


def test_a_member_does_not_choose_members_and_a_stranger_does_not_even_see_them(house: Database) -> None:
    with house.write() as db:
        with pytest.raises(Forbidden):
            projects.add_member(db, actor(COLLEAGUE), PUBLIC_PROJECT, "competitor", NOW)
        with pytest.raises(NotFound):
            projects.add_member(db, actor(COLLEAGUE), INDUSTRY_PROJECT, "colleague", NOW)


def test_nobody_unknown_becomes_a_member(house: Database) -> None:
    with house.write() as db, pytest.raises(Refused) as refused:
        projects.add_member(db, actor(RESEARCHER), PUBLIC_PROJECT, "ghost", NOW)
    assert [refusal.code for refusal in refused.value.refusals] == ["person_unknown"]


def test_each_change_leaves_a_line_without_its_words(house: Database) -> None:
    with house.write() as db:
        project = verify(db, propose(db))
        lines = audit.lines(db, "project", project.id)
    assert [(line.action, line.actor_id) for line in lines] == [("propose", RESEARCHER), ("verify", OFFICE)]
    assert "Hợp đồng 7" not in str(lines)
    assert len(str(lines[1].details["evidence"])) == 64


# ---------------------------------------------------------------- what a verification rests on


def add_agreement(db: Connection, agreement_id: str, *parties: str, until: date | None = None) -> None:
    agreement = Agreement(
        format="labshare-agreement/1", id=agreement_id, title_vi="Thỏa thuận", title_en="Agreement", parties=parties,
        effective_from=date(2026, 1, 1), effective_until=until,
    )  # fmt: skip
    agreements_store.add_version(db, Version(number=1, agreement=agreement), actor_id=None, now=NOW)


def under_agreement(db: Connection, agreement_id: str, access_class: AccessClass = AccessClass.PARTNER) -> Project:
    return projects.propose(
        db, actor(RESEARCHER), code="PPP-1", title="x", funding_line="x", access_class=access_class,
        activity=Activity.ECONOMIC, now=NOW, agreement_id=agreement_id, evidence=" Hợp đồng 9 ",
    )  # fmt: skip


def test_a_proposal_names_its_evidence_and_an_agreement_of_its_organisation(house: Database) -> None:
    """NOW is 23 November 2026: an agreement that ended the day before is none any more."""
    with house.write() as db:
        add_agreement(db, "A-OURS", "I-IMS", "O-CO")
        add_agreement(db, "A-THEIRS", "O-CO")
        add_agreement(db, "A-OVER", "I-IMS", until=date(2026, 11, 22))
        assert [place.id for place in projects.agreements_of(db, actor(RESEARCHER), NOW)] == ["A-OURS"]
        for agreement_id in ("A-THEIRS", "A-OVER", "A-NONE"):
            with pytest.raises(Refused, match="agreement_not_party"):
                under_agreement(db, agreement_id)
        project = under_agreement(db, "A-OURS")
        assert (project.agreement_id, project.evidence) == ("A-OURS", "Hợp đồng 9")
        assert verify(db, project).state is ProjectState.VERIFIED


def test_an_agreement_that_no_longer_names_the_organisation_bears_no_verification(house: Database) -> None:
    with house.write() as db:
        add_agreement(db, "A-OURS", "I-IMS")
        project = under_agreement(db, "A-OURS")
        db.execute(t.agreement_versions.update().values(effective_until=date(2026, 11, 22)))
        with pytest.raises(Refused, match="agreement_not_party"):
            verify(db, project)


def test_nobody_is_a_partner_without_an_agreement(house: Database) -> None:
    with house.write() as db:
        project = under_agreement(db, "")
        with pytest.raises(Refused, match="partner_needs_agreement"):
            verify(db, project)
        assert [p.code for p in projects.usable(db, actor(RESEARCHER), NOW)] == ["KC-01"]


def test_a_project_of_somebody_who_left_or_of_an_unchecked_organisation_is_not_verified(house: Database) -> None:
    with house.write() as db:
        project = propose(db)
        check = OrganisationCheck(
            organisation_id="I-IMS", registration_number="1", country="VN", contact="x", evidence="x",
            proposed_by_id=RESEARCHER, proposed_at=NOW,
        )  # fmt: skip
        organisations.ask(db, check)
        affiliations.end(db, actor(OFFICE), RESEARCHER, version=1, reason="moved", now=NOW)
        with pytest.raises(Refused) as refused:
            verify(db, project)
    assert [refusal.code for refusal in refused.value.refusals] == ["pi_absent", "organisation_unchecked"]


def test_the_office_hands_a_project_over_to_somebody_of_the_same_organisation(house: Database) -> None:
    with house.write() as db:
        affiliations.end(db, actor(OFFICE), RESEARCHER, version=1, reason="moved", now=NOW)

        def hand_over(login: str, by: UUID = OFFICE, version: int = 1) -> Project:
            return projects.hand_over(db, actor(by), PUBLIC_PROJECT, login, version=version, now=NOW)

        for login, code in (
            ("competitor", "pi_elsewhere"),
            ("ghost", "person_unknown"),
            ("researcher", "person_unknown"),
        ):
            with pytest.raises(Refused, match=code):
                hand_over(login)
        with pytest.raises(Forbidden):
            hand_over("colleague", by=COLLEAGUE)
        with pytest.raises(Stale):
            hand_over("colleague", version=9)
        after = hand_over(" colleague ")
        assert (after.pi_id, after.state) == (COLLEAGUE, ProjectState.VERIFIED)
        # The new investigator admits members from now on.
        projects.add_member(db, actor(COLLEAGUE), PUBLIC_PROJECT, "competitor", NOW)
        with pytest.raises(WrongState):
            hand_over("colleague", version=2)


def test_a_review_is_due_to_its_investigator_and_the_office_thirty_days_before_the_end(house: Database) -> None:
    with house.write() as db:
        project = verify(db, propose(db))

        def due(person_id: UUID, days: int) -> list[str]:
            lines = projects.reviews(db, actor(person_id), IN_A_YEAR + timedelta(days=days))
            return [line.project.code for line in lines]

        for person_id, codes in ((RESEARCHER, ["KC-77"]), (OFFICE, ["KC-77"]), (COLLEAGUE, []), (ADMINISTRATOR, [])):
            assert due(person_id, -31) == []
            assert due(person_id, -30) == codes
            assert due(person_id, 30) == codes
            assert due(person_id, 31) == []
        projects.decline(db, actor(OFFICE), project.id, version=2, reason="over", now=NOW)
        assert due(OFFICE, 0) == []


def test_who_is_removed_from_a_project_books_nothing_for_it_right_after(house: Database) -> None:
    def book(db: Connection, hour: int) -> None:
        wish = Wish(instrument_number=XRD, span=span(25, hour, hour + 1), project_id=PUBLIC_PROJECT)
        bookings.book(db, actor(COLLEAGUE), wish, NOW)

    with house.write() as db:
        book(db, 9)
        projects.remove_member(db, actor(RESEARCHER), PUBLIC_PROJECT, COLLEAGUE, NOW)
        with pytest.raises(Refused, match="project_not_member"):
            book(db, 10)


@pytest.mark.parametrize("state", [ProjectState.PROPOSED, ProjectState.DECLINED])
@pytest.mark.parametrize("access_class", list(AccessClass))
def test_a_class_that_was_not_verified_books_and_applies_for_nothing(
    house: Database, state: ProjectState, access_class: AccessClass
) -> None:
    """Whatever class is claimed, on both ways to time; and a booking copies its class, it takes none from the form."""
    assert not {"access_class", "activity", "agreement_id"} & {*Wish.__struct_fields__, *RequestWish.__struct_fields__}
    with house.write() as db:
        project = projects.propose(
            db, actor(RESEARCHER), code="X-1", title="x", funding_line="x", access_class=access_class,
            activity=Activity.NON_ECONOMIC, now=NOW,
        )  # fmt: skip
        if state is ProjectState.DECLINED:
            projects.decline(db, actor(OFFICE), project.id, version=1, reason="no", now=NOW)
        asked = Wish(instrument_number=XRD, span=span(25, 9, 10), project_id=project.id)
        with pytest.raises(Refused, match="project_not_verified"):
            bookings.book(db, actor(RESEARCHER), asked, NOW)
        with pytest.raises(Refused, match="project_not_verified"):
            time_requests.apply(db, actor(RESEARCHER), open_round(db).id, round_wish(project_id=project.id), NOW)
