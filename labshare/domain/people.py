"""Who somebody is and what they may do: roles, grants, the one permission table.

What must not live here: passwords, cookies, or any look-up; an `Actor` arrives loaded.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec

from labshare.errors import Forbidden, Malformed, NotSignedIn, TooManyTries


class Role(StrEnum):
    """What a person is to a centre, an organisation or the whole network."""

    RESEARCHER = "researcher"
    LAB_MANAGER = "lab_manager"
    PARTNER = "partner"
    REPRESENTATIVE = "representative"
    USER_OFFICE = "user_office"
    ADMINISTRATOR = "administrator"


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """A role somewhere: `lab_manager` names a centre, `partner` and `representative` an organisation; the others hold
    everywhere.
    """

    role: Role
    centre_id: str | None = None
    organisation_id: str | None = None


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody with a login. Name and email are empty once erased; a disabled person cannot sign in."""

    id: UUID
    login: str
    name: str
    email: str = ""
    organisation_id: str
    language: str = "vi"
    disabled_at: datetime | None = None
    erased_at: datetime | None = None


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """That a browser speaks for a person until it expires. Only the hash of its token is kept."""

    token_hash: str
    person_id: UUID
    created_at: datetime
    expires_at: datetime


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """The person who asks, with every grant they hold. `organisation_id` is the one that employs them."""

    person_id: UUID
    login: str
    name: str
    organisation_id: str
    language: str = "vi"
    grants: tuple[Grant, ...] = ()

    def has(self, role: Role) -> bool:
        return any(grant.role is role for grant in self.grants)

    def place_id(self, grant: Grant) -> str:
        """Where the grant holds; a role that holds everywhere is told by its person's employer."""
        return grant.centre_id or grant.organisation_id or self.organisation_id

    @property
    def centre_ids(self) -> frozenset[str]:
        """The centres that this person manages."""
        return frozenset(g.centre_id for g in self.grants if g.role is Role.LAB_MANAGER and g.centre_id)

    @property
    def partner_ids(self) -> frozenset[str]:
        """The organisations for which this person speaks as a partner."""
        return frozenset(g.organisation_id for g in self.grants if g.role is Role.PARTNER and g.organisation_id)


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a grant holds, or whom a person works for: a centre's or an organisation's names."""

    id: str
    name_vi: str
    name_en: str


class Action(StrEnum):
    """A thing that only some people may do."""

    BOOK = "book"
    BOOK_FOR_OTHERS = "book_for_others"
    MANAGE_CALENDAR = "manage_calendar"
    SEE_BOOKING = "see_booking"
    APPLY = "apply"
    MANAGE_ROUND = "manage_round"
    APPROVE_PLAN = "approve_plan"
    PUBLISH_PLAN = "publish_plan"
    READ_REPORT = "read_report"
    READ_AGREEMENT = "read_agreement"
    PROPOSE_PROJECT = "propose_project"
    SEE_PROJECT = "see_project"
    VERIFY_PROJECT = "verify_project"
    LOAD_REGISTRY = "load_registry"
    LOAD_AGREEMENT = "load_agreement"
    MANAGE_SANDBOX = "manage_sandbox"
    APPROVE_SANDBOX = "approve_sandbox"
    POST_LEDGER = "post_ledger"
    MANAGE_PEOPLE = "manage_people"
    CHECK_ORGANISATION = "check_organisation"
    DECIDE_CLEARANCE = "decide_clearance"
    GRANT_QUALIFICATION = "grant_qualification"


ANYWHERE, THERE = "anywhere", "there"

# Reading this table is reading the policy. THERE means: only for the centre or organisation that the grant names.
PERMISSIONS: dict[Action, tuple[tuple[Role, str], ...]] = {
    Action.BOOK: ((Role.RESEARCHER, ANYWHERE), (Role.LAB_MANAGER, ANYWHERE), (Role.ADMINISTRATOR, ANYWHERE)),
    Action.BOOK_FOR_OTHERS: ((Role.LAB_MANAGER, THERE), (Role.ADMINISTRATOR, ANYWHERE)),
    Action.MANAGE_CALENDAR: ((Role.LAB_MANAGER, THERE), (Role.ADMINISTRATOR, ANYWHERE)),
    Action.SEE_BOOKING: ((Role.LAB_MANAGER, THERE), (Role.USER_OFFICE, ANYWHERE), (Role.ADMINISTRATOR, ANYWHERE)),
    Action.APPLY: ((Role.RESEARCHER, ANYWHERE), (Role.LAB_MANAGER, ANYWHERE)),
    Action.MANAGE_ROUND: ((Role.USER_OFFICE, ANYWHERE), (Role.LAB_MANAGER, THERE), (Role.ADMINISTRATOR, ANYWHERE)),
    Action.APPROVE_PLAN: ((Role.LAB_MANAGER, THERE),),
    Action.PUBLISH_PLAN: ((Role.USER_OFFICE, ANYWHERE), (Role.LAB_MANAGER, THERE)),
    Action.READ_REPORT: (
        (Role.LAB_MANAGER, THERE),
        (Role.PARTNER, THERE),
        (Role.USER_OFFICE, ANYWHERE),
        (Role.ADMINISTRATOR, ANYWHERE),
    ),
    Action.READ_AGREEMENT: (
        (Role.PARTNER, THERE),
        (Role.LAB_MANAGER, THERE),
        (Role.USER_OFFICE, ANYWHERE),
        (Role.ADMINISTRATOR, ANYWHERE),
    ),
    Action.PROPOSE_PROJECT: ((Role.RESEARCHER, ANYWHERE), (Role.LAB_MANAGER, ANYWHERE), (Role.PARTNER, ANYWHERE)),
    # Besides its PI and its members.
    Action.SEE_PROJECT: ((Role.USER_OFFICE, ANYWHERE), (Role.ADMINISTRATOR, ANYWHERE)),
    Action.VERIFY_PROJECT: ((Role.USER_OFFICE, ANYWHERE),),
    Action.LOAD_REGISTRY: ((Role.ADMINISTRATOR, ANYWHERE),),
    Action.LOAD_AGREEMENT: ((Role.ADMINISTRATOR, ANYWHERE),),
    # To propose and adjust a trial, keep replays with it and enter values: for every centre that it names.
    Action.MANAGE_SANDBOX: ((Role.LAB_MANAGER, THERE), (Role.USER_OFFICE, ANYWHERE), (Role.ADMINISTRATOR, ANYWHERE)),
    # To approve, resume and end one.
    Action.APPROVE_SANDBOX: ((Role.ADMINISTRATOR, ANYWHERE),),
    Action.POST_LEDGER: ((Role.USER_OFFICE, ANYWHERE), (Role.ADMINISTRATOR, ANYWHERE)),
    # To invite people, and to confirm or end that somebody works for the organisation.
    Action.MANAGE_PEOPLE: (
        (Role.PARTNER, THERE),
        (Role.REPRESENTATIVE, THERE),
        (Role.USER_OFFICE, ANYWHERE),
        (Role.ADMINISTRATOR, ANYWHERE),
    ),
    Action.CHECK_ORGANISATION: ((Role.USER_OFFICE, ANYWHERE),),
    Action.DECIDE_CLEARANCE: ((Role.USER_OFFICE, ANYWHERE),),
    # Besides the trainers of an instrument, who grant what is below their own level.
    Action.GRANT_QUALIFICATION: ((Role.LAB_MANAGER, THERE), (Role.ADMINISTRATOR, ANYWHERE)),
}


def may(actor: Actor | None, action: Action, *, centre: str | None = None, organisation: str | None = None) -> bool:
    """Whether the actor may do this, at this centre or for this organisation where the table says THERE."""
    if actor is None:
        return False
    return any(
        grant.role is role and (reach == ANYWHERE or _is_there(grant, centre, organisation))
        for role, reach in PERMISSIONS[action]
        for grant in actor.grants
    )


def may_somewhere(actor: Actor | None, action: Action) -> bool:
    """Whether there is any centre or organisation for which the actor may do this; for links, never for decisions."""
    if actor is None:
        return False
    return any(grant.role is role for role, _ in PERMISSIONS[action] for grant in actor.grants)


def reach(actor: Actor, action: Action) -> frozenset[str] | None:
    """The organisations for which the actor may do this; None means for all of them."""
    held = [(grant, how) for role, how in PERMISSIONS[action] for grant in actor.grants if grant.role is role]
    if any(how == ANYWHERE for _, how in held):
        return None
    return frozenset(grant.organisation_id for grant, _ in held if grant.organisation_id)


def _is_there(grant: Grant, centre: str | None, organisation: str | None) -> bool:
    if grant.role is Role.LAB_MANAGER:
        return centre is not None and grant.centre_id == centre
    return organisation is not None and grant.organisation_id == organisation


def require(
    actor: Actor | None, action: Action, *, centre: str | None = None, organisation: str | None = None
) -> Actor:
    """The actor, once it is sure that they may. Raises `NotSignedIn` for nobody and `Forbidden` for somebody else."""
    if actor is None:
        raise NotSignedIn()
    if not may(actor, action, centre=centre, organisation=organisation):
        raise Forbidden("forbidden", action=action.value)
    return actor


_LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{1,63}")


def is_login(text: str) -> bool:
    """Whether this can be a login: what anybody can type on any keyboard, 2 to 64 signs."""
    return _LOGIN.fullmatch(text) is not None


def require_login(text: str) -> str:
    """The login. Raises `Malformed` when it cannot be one."""
    if not is_login(text):
        raise Malformed("malformed_login", login=text)
    return text


TRY_WINDOW = timedelta(minutes=15)
TRIES_PER_LOGIN = 5
# A whole laboratory may sit behind one address, so the address is allowed more than a login.
TRIES_PER_ADDRESS = 30


def require_try(login_tries: int, address_tries: int) -> None:
    """Raises `TooManyTries` when as many failed in the last `TRY_WINDOW` as a login or an address is allowed."""
    if login_tries >= TRIES_PER_LOGIN or address_tries >= TRIES_PER_ADDRESS:
        raise TooManyTries("too_many_tries", minutes=TRY_WINDOW // timedelta(minutes=1))
