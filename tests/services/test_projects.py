"""What people may do with projects, and what is kept of it. On both databases."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from labshare.domain.projects import AccessClass, Activity, Project, ProjectState
from labshare.errors import Forbidden, NotFound, Refused, Stale
from labshare.services import projects
from labshare.store import audit
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
    actor,
    furnish,
)

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
