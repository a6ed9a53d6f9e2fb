"""An organisation onboards itself, is checked by the user office, and only then has people. On both databases."""

from __future__ import annotations

import threading
from uuid import UUID

import msgspec
import pytest

from labshare.domain.affiliations import AffiliationState
from labshare.domain.organisations import CheckState, NewOrganisation
from labshare.domain.people import Actor, Grant, Role
from labshare.errors import Forbidden, NotFound, Refused, Stale, WrongState
from labshare.services import affiliations, organisations
from labshare.store import audit
from labshare.store import people as people_store
from labshare.store import tables as t
from labshare.store.engine import Connection, Database
from tests.furniture import ADMINISTRATOR, COLLEAGUE, MANAGER, NOW, OFFICE, PARTNER, RESEARCHER, actor, furnish

NEWCOMER, SECOND = UUID(int=40), UUID(int=41)
STATED = NewOrganisation(
    name_vi="Công ty mẫu", registration_number="0100000000", contact="office@x.vn", evidence="Giấy phép 1"
)


@pytest.fixture
def house(database: Database) -> Database:
    """The furnished house, and two people whom nobody has confirmed."""
    with database.write() as db:
        furnish(db)
        for person_id, login in ((NEWCOMER, "newcomer"), (SECOND, "second")):
            values = {"login": login, "name": login.title(), "organisation_id": "I-IMS", "affiliation": "waiting"}
            db.execute(t.persons.insert().values(id=person_id, affiliation_at=NOW, **values))
    return database


def loaded(db: Connection, person_id: UUID) -> Actor:
    found = people_store.actor(db, person_id)
    assert found is not None
    return found


def propose(db: Connection, person_id: UUID = NEWCOMER, new: NewOrganisation = STATED) -> str:
    return organisations.propose(db, loaded(db, person_id), new, NOW)


def check(db: Connection, organisation_id: str, by: UUID = OFFICE, version: int = 1) -> None:
    organisations.check(db, actor(by), organisation_id, version=version, now=NOW)


def test_who_onboards_an_organisation_speaks_for_it_once_it_is_checked(house: Database) -> None:
    with house.write() as db:
        organisation_id = propose(db)
        assert loaded(db, NEWCOMER).organisation_id == organisation_id
        assert loaded(db, NEWCOMER).grants == ()
        assert [line.check.organisation_id for line in organisations.waiting(db, actor(OFFICE))] == [organisation_id]
        check(db, organisation_id)
        speaks = Grant(role=Role.REPRESENTATIVE, organisation_id=organisation_id)
        assert set(loaded(db, NEWCOMER).grants) == {Grant(role=Role.RESEARCHER), speaks}
        assert organisations.waiting(db, actor(OFFICE)) == []
        # From now on others may name it, and the one who speaks for it confirms them.
        affiliations.name_organisation(db, loaded(db, SECOND), organisation_id, NOW)
        affiliations.confirm(db, loaded(db, NEWCOMER), SECOND, version=2, now=NOW)
        assert loaded(db, SECOND).grants == (Grant(role=Role.RESEARCHER),)


def test_until_it_is_checked_nobody_is_confirmed_there_and_nobody_else_names_it(house: Database) -> None:
    with house.write() as db:
        organisation_id = propose(db)
        with pytest.raises(Refused, match="organisation_unchecked"):
            affiliations.confirm(db, actor(OFFICE), NEWCOMER, version=2, now=NOW)
        with pytest.raises(Refused, match="organisation_unknown"):
            affiliations.name_organisation(db, loaded(db, SECOND), organisation_id, NOW)


@pytest.mark.parametrize("by", [ADMINISTRATOR, MANAGER, PARTNER, RESEARCHER])
def test_only_the_user_office_checks(house: Database, by: UUID) -> None:
    with house.write() as db:
        organisation_id = propose(db)
        with pytest.raises(Forbidden):
            check(db, organisation_id, by)
        with pytest.raises(Forbidden):
            organisations.decline(db, actor(by), organisation_id, version=1, reason="x", now=NOW)
        with pytest.raises(Forbidden):
            organisations.waiting(db, actor(by))
        with pytest.raises(NotFound):
            organisations.show(db, actor(by), organisation_id)
        with pytest.raises(Forbidden):
            organisations.check(db, loaded(db, NEWCOMER), organisation_id, version=1, now=NOW)
        assert organisations.show(db, loaded(db, NEWCOMER), organisation_id).check.state is CheckState.PROPOSED


def test_a_declined_one_is_read_by_its_proposer_and_may_be_stated_anew(house: Database) -> None:
    with house.write() as db:
        first = propose(db)
        organisations.decline(db, actor(OFFICE), first, version=1, reason="no such number", now=NOW)
        told = organisations.of_actor(db, loaded(db, NEWCOMER))
        assert told is not None
        assert (told.state, told.reason) == (CheckState.DECLINED, "no such number")
        second = propose(db, new=msgspec.structs.replace(STATED, registration_number="0200000000"))
        assert second != first
        check(db, second)
        assert loaded(db, NEWCOMER).organisation_id == second
        # The one that was declined may be looked at again, and gives its proposer nothing who names another by now.
        check(db, first, version=2)
        assert Grant(role=Role.REPRESENTATIVE, organisation_id=first) not in loaded(db, NEWCOMER).grants


def test_a_known_number_is_refused(house: Database) -> None:
    with house.write() as db:
        propose(db)
        with pytest.raises(Refused, match="organisation_known"):
            propose(db, SECOND)
        assert affiliations.mine(db, loaded(db, SECOND)).organisation_id == "I-IMS"


def twice_stated(db: Connection) -> tuple[str, str]:
    """Two with one number: the first was declined when the second was stated, and may be looked at again."""
    first = propose(db)
    organisations.decline(db, actor(OFFICE), first, version=1, reason="no such number", now=NOW)
    return first, propose(db, SECOND)


def test_a_number_is_checked_once(house: Database) -> None:
    with house.write() as db:
        first, second = twice_stated(db)
        check(db, second)
        with pytest.raises(Refused, match="organisation_known"):
            check(db, first, version=2)


def test_of_two_checks_of_one_number_at_the_same_moment_one_is_refused(house: Database) -> None:
    with house.write() as db:
        first, second = twice_stated(db)
    start, outcomes = threading.Barrier(2), list[str]()

    def judge(organisation_id: str, version: int) -> None:
        start.wait()
        try:
            with house.write() as db:
                check(db, organisation_id, version=version)
            outcomes.append("checked")
        except Refused as refused:
            outcomes.append(refused.refusals[0].code)

    both = [threading.Thread(target=judge, args=each) for each in ((first, 2), (second, 1))]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert sorted(outcomes) == ["checked", "organisation_known"]


def test_who_is_confirmed_somewhere_onboards_nothing(house: Database) -> None:
    with pytest.raises(WrongState), house.write() as db:
        propose(db, COLLEAGUE)
    with house.read() as db:
        assert organisations.waiting(db, actor(OFFICE)) == []


def test_a_decision_on_what_has_changed_is_stale(house: Database) -> None:
    with house.write() as db:
        organisation_id = propose(db)
        organisations.decline(db, actor(OFFICE), organisation_id, version=1, reason="x", now=NOW)
        with pytest.raises(Stale):
            check(db, organisation_id)
        assert affiliations.mine(db, loaded(db, NEWCOMER)).state is AffiliationState.WAITING


def test_each_step_leaves_a_line_without_its_words(house: Database) -> None:
    with house.write() as db:
        organisation_id = propose(db)
        check(db, organisation_id)
        lines = audit.lines(db, "organisation", organisation_id)
    assert [(line.action, line.actor_id) for line in lines] == [("propose", NEWCOMER), ("check", OFFICE)]
    assert "Giấy phép" not in str(lines)
