"""Who may do what: the permission table, read as rules."""

from __future__ import annotations

from uuid import uuid4

import pytest

from labshare.domain.people import (
    PERMISSIONS,
    TRIES_PER_ADDRESS,
    TRIES_PER_LOGIN,
    Action,
    Actor,
    Grant,
    Role,
    may,
    may_somewhere,
    reach,
    require,
    require_try,
)
from labshare.errors import Forbidden, NotSignedIn, TooManyTries


def an_actor(*grants: Grant) -> Actor:
    return Actor(person_id=uuid4(), login="somebody", name="Somebody", organisation_id="O-CO", grants=grants)


MANAGER = an_actor(Grant(role=Role.LAB_MANAGER, centre_id="C-ONE"))
PARTNER = an_actor(Grant(role=Role.PARTNER, organisation_id="O-CO"))


def test_every_action_has_somebody_who_may_do_it() -> None:
    assert set(PERMISSIONS) == set(Action)
    assert all(PERMISSIONS.values())


def test_a_lab_manager_decides_at_their_own_centre_only() -> None:
    assert may(MANAGER, Action.APPROVE_PLAN, centre="C-ONE")
    assert not may(MANAGER, Action.APPROVE_PLAN, centre="C-TWO")
    assert not may(MANAGER, Action.APPROVE_PLAN)


def test_a_centre_does_not_open_what_is_an_organisations() -> None:
    """A manager's grant names no organisation, so an organisation that is not named must not match it."""
    assert not may(MANAGER, Action.READ_AGREEMENT, organisation="O-CO")
    assert not may(MANAGER, Action.READ_AGREEMENT, organisation=None)


def test_a_partner_reads_only_what_is_their_organisations() -> None:
    assert may(PARTNER, Action.READ_AGREEMENT, organisation="O-CO")
    assert not may(PARTNER, Action.READ_AGREEMENT, organisation="O-OTHER")
    assert not may(PARTNER, Action.READ_AGREEMENT)


def test_nobody_may_nothing() -> None:
    assert not any(may(None, action) or may_somewhere(None, action) for action in Action)


def test_a_person_without_a_role_may_nothing() -> None:
    actor = an_actor()
    assert not any(may(actor, action, centre="C-ONE", organisation="O-CO") for action in Action)


def test_only_the_user_office_verifies_projects() -> None:
    holders = {role for role in Role if may(an_actor(Grant(role=role)), Action.VERIFY_PROJECT)}
    assert holders == {Role.USER_OFFICE}


def test_an_administrator_does_not_approve_plans() -> None:
    """Approval is a centre's own; whoever runs the computers does not answer for the division of time."""
    assert not may(an_actor(Grant(role=Role.ADMINISTRATOR)), Action.APPROVE_PLAN, centre="C-ONE")


def test_grants_add_up() -> None:
    both = an_actor(*MANAGER.grants, Grant(role=Role.LAB_MANAGER, centre_id="C-TWO"))
    assert both.centre_ids == {"C-ONE", "C-TWO"}
    assert may(both, Action.MANAGE_CALENDAR, centre="C-TWO")


def test_a_link_is_shown_to_whoever_may_somewhere() -> None:
    assert may_somewhere(MANAGER, Action.APPROVE_PLAN)
    assert not may_somewhere(PARTNER, Action.APPROVE_PLAN)


def test_require_tells_nobody_from_somebody_else() -> None:
    with pytest.raises(NotSignedIn):
        require(None, Action.BOOK)
    with pytest.raises(Forbidden) as refused:
        require(PARTNER, Action.APPROVE_PLAN, centre="C-ONE")
    assert refused.value.params["action"] == "approve_plan"
    assert require(MANAGER, Action.APPROVE_PLAN, centre="C-ONE") is MANAGER


@pytest.mark.parametrize(
    ("login_tries", "address_tries", "is_allowed"),
    [
        (0, 0, True),
        (TRIES_PER_LOGIN - 1, TRIES_PER_ADDRESS - 1, True),
        (TRIES_PER_LOGIN, 0, False),
        (0, TRIES_PER_ADDRESS, False),
    ],
)
def test_tries_are_limited_for_the_login_and_for_the_address(
    login_tries: int, address_tries: int, is_allowed: bool
) -> None:
    if is_allowed:
        require_try(login_tries, address_tries)
        return
    with pytest.raises(TooManyTries) as refused:
        require_try(login_tries, address_tries)
    assert refused.value.params == {"minutes": 15}


def test_a_representative_manages_the_people_of_their_organisation_and_nothing_else() -> None:
    speaker = an_actor(Grant(role=Role.REPRESENTATIVE, organisation_id="O-CO"))
    held = {action for action in Action if may(speaker, action, centre="C-ONE", organisation="O-CO")}
    assert held == {Action.MANAGE_PEOPLE}
    assert not may(speaker, Action.MANAGE_PEOPLE, organisation="O-OTHER")
    assert not may(speaker, Action.MANAGE_PEOPLE)


def test_the_reach_of_an_action_is_what_the_grants_name_or_everything() -> None:
    assert reach(PARTNER, Action.MANAGE_PEOPLE) == {"O-CO"}
    two = an_actor(*PARTNER.grants, Grant(role=Role.REPRESENTATIVE, organisation_id="O-MORE"))
    assert reach(two, Action.MANAGE_PEOPLE) == {"O-CO", "O-MORE"}
    assert reach(an_actor(*PARTNER.grants, Grant(role=Role.USER_OFFICE)), Action.MANAGE_PEOPLE) is None
    # Who speaks for nobody reaches nobody, which is not the same as everybody.
    assert reach(MANAGER, Action.MANAGE_PEOPLE) == frozenset()
    assert reach(an_actor(), Action.MANAGE_PEOPLE) == frozenset()
