"""Loading a file of people: whole or not at all, and twice the same as once. On both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from labshare.domain.agreements import Selector
from labshare.domain.people import Grant, Role
from labshare.domain.profiles import Size
from labshare.errors import Malformed, Refused
from labshare.services import affiliations, balances, people_document
from labshare.services import people as people_service
from labshare.services.people_document import Loaded
from labshare.store import agreements, due, organisations, people, projects, qualifications
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import FESEM, MANAGER, NMR, NOW, OFFICE, XRD, actor, furnish, span
from tests.shares import a_rule, an_agreement, by_industry, put
from tests.shares import load as load_agreements

FILE = """
[[organisation]]
id = "O-CHILD"
parent_id = "O-MOTHER"
kind = "company"
name_vi = "Công ty con"
name_en = "Daughter company"

[[organisation]]
id = "O-MOTHER"
kind = "company"
size = "medium"
name_vi = "Công ty mẹ"
name_en = "Mother company"

[[person]]
login = "partner.child"
name = "Đại diện Công ty con"
organisation = "O-CHILD"
roles = [{ role = "partner", organisation = "O-CHILD" }, { role = "researcher" }]
qualifications = [{ instrument = "N001", until = 2026-12-31 }, { instrument = "N002", level = 2 }]

[[person]]
login = "new.office"
name = "Văn phòng người dùng"
organisation = "I-IMS"
roles = [{ role = "user_office" }]

[[project]]
code = "DN-09"
title = "Lớp phủ"
organisation = "O-CHILD"
pi = "partner.child"
members = ["researcher"]
access_class = "industry"
activity = "economic"
funding_line = "hợp đồng"
evidence = "Hợp đồng số 7"
verified_by = "new.office"
expires = 2027-06-30
"""


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


def everything(database: Database) -> dict[str, list[Any]]:
    """Every row that a load may touch, the audit trail apart."""
    tables = (t.organisations, t.persons, t.grants, t.qualifications, t.projects, t.project_members)
    with database.read() as db:
        return {table.name: sorted(map(str, db.execute(sa.select(table)).all())) for table in tables}


def load(database: Database, text: str) -> Loaded:
    with database.write() as db:
        return people_document.load(db, text, NOW)


def test_a_file_brings_organisations_people_and_verified_projects(house: Database) -> None:
    assert load(house, FILE) == Loaded(organisations=2, persons=2, projects=1)
    with house.read() as db:
        partner = people.by_login(db, "partner.child")
        assert partner is not None
        actor = people.actor(db, partner.id)
        assert actor is not None
        assert set(actor.grants) == {
            Grant(role=Role.PARTNER, organisation_id="O-CHILD"),
            Grant(role=Role.RESEARCHER),
        }
        # The end of 31 December in Hanoi (UTC+7) is 17:00 of that day in UTC.
        held = qualifications.qualified_on(db, [partner.id], [FESEM, XRD])
        assert held == {partner.id: {FESEM: datetime(2026, 12, 31, 17, tzinfo=UTC), XRD: None}}
        project = projects.by_code(db, "DN-09")
        assert project is not None
        assert project.is_current(NOW)
        assert organisations.sizes(db, ["O-MOTHER", "O-CHILD"]) == {"O-MOTHER": Size.SME, "O-CHILD": Size.LARGE}
        # Its investigator hears before the verification ends, as of one that was verified here.
        assert project.expires_at
        assert due.when(db, "project_review", project.id) == project.expires_at - timedelta(days=30)
        assert project.expires_at == datetime(2027, 6, 30, 17, tzinfo=UTC)
        assert [line.name_en for line in projects.lines_of(db, partner.id)] == ["Daughter company"]


def test_loading_the_same_file_again_changes_nothing(house: Database) -> None:
    load(house, FILE)
    before = everything(house)
    assert load(house, FILE) == Loaded()
    assert everything(house) == before


def test_what_the_file_says_anew_replaces_what_it_said(house: Database) -> None:
    load(house, FILE)
    changed = (
        FILE.replace(', { role = "researcher" }', "")
        .replace(', { instrument = "N002", level = 2 }', "")
        .replace('members = ["researcher"]', 'members = ["colleague"]')
        .replace("Lớp phủ", "Lớp phủ cứng")
    )
    assert load(house, changed) == Loaded(organisations=0, persons=1, projects=1)
    with house.read() as db:
        partner = people.by_login(db, "partner.child")
        assert partner is not None
        actor = people.actor(db, partner.id)
        assert actor is not None
        assert actor.grants == (Grant(role=Role.PARTNER, organisation_id="O-CHILD"),)
        assert XRD not in qualifications.qualified_on(db, [partner.id], [FESEM, XRD])[partner.id]
        line = projects.lines_of(db, partner.id)[0]
        assert (line.project.title, line.project.version) == ("Lớp phủ cứng", 2)
        assert [member.login for member in line.members] == ["colleague"]


def test_whom_the_file_does_not_name_stays(house: Database) -> None:
    before = everything(house)
    load(house, FILE)
    after = everything(house)
    assert all(set(rows) <= set(after[name]) for name, rows in before.items())


def test_a_file_with_a_fault_changes_nothing(house: Database) -> None:
    before = everything(house)
    with pytest.raises(Refused):
        load(house, FILE.replace('instrument = "N002"', 'instrument = "N999"'))
    assert everything(house) == before


def test_an_organisation_of_the_registry_stays_as_the_registry_says(house: Database) -> None:
    renamed = '[[organisation]]\nid = "I-IMS"\nkind = "company"\nname_vi = "Khác"\nname_en = "Other"\n'
    assert load(house, renamed) == Loaded()


def test_roles_of_a_file_do_not_go_to_a_stranger_who_chose_its_login(house: Database) -> None:
    """A newcomer is here as new.office; the file means somebody at another address, whose letter gives a password."""
    meant = FILE.replace('login = "new.office"', 'login = "new.office"\nemail = "office@x.vn"')
    with house.write() as db:
        db.execute(
            t.persons.insert().values(
                id=(stranger := uuid4()), login="new.office", name="S", email="stranger@x.vn", organisation_id="I-IMS",
                password_hash="$argon2id$stranger",
            )
        )  # fmt: skip
        _, token = people_service.sign_in(db, stranger, "new.office", NOW, hours=12)
    load(house, meant)
    with house.write() as db:
        assert people.password_hash(db, "new.office") == (stranger, "")
        assert people_service.actor_of_sign_in(db, token, NOW) is None


def test_whoever_has_left_gets_no_role_by_a_file(house: Database) -> None:
    load(house, FILE)
    with house.write() as db:
        person = people.by_login(db, "partner.child")
        assert person is not None
        affiliations.end(db, actor(OFFICE), person.id, version=1, reason="moved", now=NOW)
    load(house, FILE)
    with house.read() as db:
        assert db.execute(sa.select(t.grants).where(t.grants.c.person_id == person.id)).all() == []


def test_a_file_without_a_password_keeps_the_one_that_was_chosen(house: Database) -> None:
    load(house, FILE)
    with house.write() as db:
        person = people.by_login(db, "partner.child")
        assert person is not None
        people.set_password_hash(db, person.id, "$argon2id$chosen")
    assert load(house, FILE) == Loaded()
    with house.write() as db:
        assert people.password_hash(db, "partner.child") == (person.id, "$argon2id$chosen")


def test_a_project_of_another_programme_is_counted_anew(house: Database, tmp_path: Path) -> None:
    """Two rules, one for each programme: the hour that stands goes from the one to the other."""
    load(house, FILE)
    rules = [a_rule(id=name, who=Selector(programme=(name,)), share=Fraction(1)) for name in ("hợp đồng", "quỹ")]
    with house.write() as db:
        load_agreements(db, tmp_path, an_agreement(*rules))
        project = projects.by_code(db, "DN-09")
        assert project
        put(db, by_industry(FESEM, span(25, 8, 9), project_id=project.id, organisation_id="O-CHILD"))
    load(house, FILE.replace("hợp đồng", "quỹ"))
    with house.write() as db:
        assert balances.recount(db, NOW) == 0
        found = {key.rule_id: each.matched_minutes for key, each in agreements.balances_of(db).items()}
    assert found["hợp đồng"] == 0


def test_no_file_takes_away_what_an_instrument_scientist_granted(house: Database) -> None:
    """The file grants N001 until the year's end and N002 at level 2; N001 is raised here, N003 granted."""
    load(house, FILE)
    with house.write() as db:
        partner = people.by_login(db, "partner.child")
        assert partner is not None
        for number, level in ((FESEM, 3), (NMR, 1)):
            qualifications.put(db, partner.id, number, level=level, until=None, by=MANAGER, now=NOW)
    load(house, FILE)
    load(house, FILE.replace(', { instrument = "N002", level = 2 }', ""))
    with house.read() as db:
        held = {line.instrument_number: line.held.level for line in qualifications.of_person(db, partner.id)}
        assert due.when(db, "qualification_ends", partner.id) == NOW
    assert held == {FESEM: 3, NMR: 1}


def test_a_level_in_a_file_is_one_of_three(house: Database) -> None:
    with pytest.raises(Malformed):
        load(house, FILE.replace("level = 2", "level = 4"))
