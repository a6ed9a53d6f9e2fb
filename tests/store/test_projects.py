"""Projects as rows: nothing stale is written, a code is taken once. On both databases."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import msgspec
import pytest

from labshare.domain.projects import AccessClass, Activity, Project, ProjectState
from labshare.store import projects
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import COLLEAGUE, COMPETITOR, INDUSTRY_PROJECT, MANAGER, NOW, PUBLIC_PROJECT, RESEARCHER, furnish


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


def a_project(code: str) -> Project:
    return Project(
        id=uuid4(), code=code, title="Màng mỏng", organisation_id="I-IMS", pi_id=RESEARCHER,
        access_class=AccessClass.PUBLIC_RESEARCH, activity=Activity.NON_ECONOMIC, funding_line="state",
    )  # fmt: skip


def test_a_project_is_read_as_it_was_written(house: Database) -> None:
    project = a_project("KC-77")
    with house.write() as db:
        assert projects.add(db, project)
    with house.read() as db:
        assert projects.by_code(db, "KC-77") == project


def test_a_code_is_taken_once(house: Database) -> None:
    with house.write() as db:
        assert projects.add(db, a_project("KC-77"))
        assert not projects.add(db, a_project("KC-77"))
        assert len(projects.lines_in(db, ProjectState.PROPOSED)) == 1


def test_a_version_that_no_longer_stands_is_not_written_over(house: Database) -> None:
    project = a_project("KC-77")
    second = msgspec.structs.replace(project, title="Second", version=2)
    late = msgspec.structs.replace(project, title="Late", version=2)
    with house.write() as db:
        projects.add(db, project)
        assert projects.save(db, second, seen_version=1)
        assert not projects.save(db, late, seen_version=1)
        assert projects.by_code(db, "KC-77") == second


@pytest.mark.parametrize(
    ("person_id", "codes"),
    [(RESEARCHER, ["KC-01"]), (COLLEAGUE, ["KC-01"]), (COMPETITOR, ["DN-01"]), (UUID(int=7), [])],
)
def test_a_persons_projects_are_those_they_lead_or_belong_to(
    house: Database, person_id: UUID, codes: list[str]
) -> None:
    with house.read() as db:
        assert [line.project.code for line in projects.lines_of(db, person_id)] == codes


def test_a_line_names_the_organisation_the_investigator_and_the_members(house: Database) -> None:
    with house.read() as db:
        line = projects.line(db, PUBLIC_PROJECT)
    assert line is not None
    assert (line.name_en, line.pi_name) == ("Institute of Materials Science", "Researcher")
    assert [member.login for member in line.members] == ["colleague", "manager"]


def test_members_come_and_go(house: Database) -> None:
    with house.write() as db:
        projects.add_member(db, INDUSTRY_PROJECT, COLLEAGUE)
        assert projects.member_ids(db, INDUSTRY_PROJECT) == {COLLEAGUE}
        assert projects.remove_member(db, INDUSTRY_PROJECT, COLLEAGUE)
        assert not projects.remove_member(db, INDUSTRY_PROJECT, COLLEAGUE)


def test_membership_tells_a_member_from_a_stranger_and_from_no_project(house: Database) -> None:
    with house.read() as db:
        project, is_member = projects.with_membership(db, PUBLIC_PROJECT, MANAGER)
        assert (project and project.code, is_member) == ("KC-01", True)
        assert projects.with_membership(db, PUBLIC_PROJECT, COMPETITOR)[1] is False
        assert projects.with_membership(db, uuid4(), MANAGER) == (None, False)


def test_projects_are_found_by_the_end_of_their_verification(house: Database) -> None:
    with house.write() as db:
        assert projects.ending(db, NOW, NOW + timedelta(days=30)) == []
        for project_id, days in ((PUBLIC_PROJECT, 0), (INDUSTRY_PROJECT, 30)):
            ends = t.projects.update().where(t.projects.c.id == project_id)
            db.execute(ends.values(expires_at=NOW + timedelta(days=days)))
        found = projects.ending(db, NOW, NOW + timedelta(days=30))
        assert [line.project.code for line in found] == ["DN-01", "KC-01"]
        assert projects.ending(db, NOW + timedelta(seconds=1), NOW + timedelta(days=29)) == []
        db.execute(t.projects.update().values(state="declined"))
        assert projects.ending(db, NOW, NOW + timedelta(days=30)) == []
