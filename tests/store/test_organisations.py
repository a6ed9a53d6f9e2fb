"""Organisations that onboarded themselves as rows. On both databases."""

from __future__ import annotations

import msgspec
import pytest

from labshare.domain.organisations import CheckState, NewOrganisation, OrganisationCheck, OrganisationSize
from labshare.domain.profiles import Size
from labshare.domain.registry_terms import OrganisationKind
from labshare.store import affiliations
from labshare.store import organisations as store
from labshare.store.engine import Connection, Database
from tests.furniture import NOW, OFFICE, RESEARCHER, furnish

NEW = NewOrganisation(
    name_vi="Đại học mẫu", name_en="Sample University", kind=OrganisationKind.UNIVERSITY, size=OrganisationSize.MICRO
)


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


def add(db: Connection, organisation_id: str = "O-NEW", number: str = "01") -> OrganisationCheck:
    check = OrganisationCheck(
        organisation_id=organisation_id, registration_number=number, country="VN", contact="office", evidence="paper",
        proposed_by_id=RESEARCHER, proposed_at=NOW,
    )  # fmt: skip
    store.add(db, organisation_id, NEW)
    store.ask(db, check)
    return check


def judge(db: Connection, check: OrganisationCheck, state: CheckState) -> OrganisationCheck:
    after = msgspec.structs.replace(check, state=state, judged_by_id=OFFICE, judged_at=NOW, version=check.version + 1)
    assert store.save(db, after, seen_version=check.version)
    return after


def test_a_check_is_read_as_it_was_written_with_its_names(house: Database) -> None:
    with house.write() as db:
        check = add(db)
        line = store.line(db, "O-NEW")
        assert line is not None
        assert line.check == check
        assert (line.name_vi, line.kind, line.proposer) == ("Đại học mẫu", OrganisationKind.UNIVERSITY, "Researcher")
        assert line.size is OrganisationSize.MICRO
        # What came with the registry has no check.
        assert store.line(db, "I-IMS") is None


def test_an_organisation_is_a_choice_once_it_is_checked(house: Database) -> None:
    with house.write() as db:
        check = add(db)
        assert not store.is_checked(db, "O-NEW")
        assert store.is_checked(db, "I-IMS")
        assert [line.check.organisation_id for line in store.proposed(db)] == ["O-NEW"]
        assert [choice.id for choice in affiliations.choices(db)] == ["I-IMS", "O-CO"]
        check = judge(db, check, CheckState.DECLINED)
        assert not store.is_checked(db, "O-NEW")
        judge(db, check, CheckState.CHECKED)
        assert store.is_checked(db, "O-NEW")
        assert store.proposed(db) == []
        # The furniture's own have no sort keys, so they stand before "dai0hoc0mau".
        assert [choice.id for choice in affiliations.choices(db)] == ["I-IMS", "O-CO", "O-NEW"]
        assert not store.save(db, check, seen_version=1)


def test_a_number_is_taken_within_its_country_unless_it_was_declined(house: Database) -> None:
    with house.write() as db:
        check = add(db)
        assert store.is_number_taken(db, "VN", "01")
        assert not store.is_number_taken(db, "JP", "01")
        assert not store.is_number_taken(db, "VN", "02")
        judge(db, check, CheckState.DECLINED)
        assert not store.is_number_taken(db, "VN", "01")


def test_a_size_counts_once_the_organisation_is_checked(house: Database) -> None:
    """What came with the registry has none, so it counts as large; nobody is counted who is not there."""
    with house.write() as db:
        check = add(db)
        asked = ["O-NEW", "I-IMS", "O-NONE"]
        assert store.sizes(db, asked) == {"O-NEW": Size.LARGE, "I-IMS": Size.LARGE}
        declined = judge(db, check, CheckState.DECLINED)
        assert store.sizes(db, asked)["O-NEW"] is Size.LARGE
        judge(db, declined, CheckState.CHECKED)
        assert store.sizes(db, asked) == {"O-NEW": Size.SME, "I-IMS": Size.LARGE}
