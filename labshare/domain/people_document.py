"""A file of people: organisations beyond the registry, persons with roles and qualifications, and their projects.

It is TOML, made by a user office or for a demo. All its faults are told at once, each with the entry that it stands in.
What must not live here: the database (services/people.py compares and writes), or plain passwords.

    [[organisation]]   id kind name_vi name_en [size abbr parent_id city_vi city_en source verification]
    [[person]]         login name organisation [email language password_hash]
                       roles = [{ role = "lab_manager", centre = "C-ONE" }, { role = "partner", organisation = "O-CO" }]
                       qualifications = [{ instrument = "N001", until = 2027-12-31 }]
    [[project]]        code title organisation pi access_class activity funding_line
                       [members agreement evidence verified_by expires]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import date

import msgspec

from labshare.domain.document_faults import unreadable
from labshare.domain.organisations import OrganisationSize
from labshare.domain.people import Role, is_login
from labshare.domain.projects import AccessClass, Activity
from labshare.domain.qualifications import Level
from labshare.domain.registry_terms import OrganisationKind, Verification
from labshare.errors import Refusal

_HASH_PREFIX = "$argon2id$"
_PLACES = {Role.LAB_MANAGER: "centre", Role.PARTNER: "organisation", Role.REPRESENTATIVE: "organisation"}


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A misspelt word in the file must not pass for an absent one."""


class OrganisationEntry(_Entry, frozen=True, kw_only=True):
    id: str
    kind: OrganisationKind
    name_vi: str
    name_en: str
    size: OrganisationSize = OrganisationSize.NONE
    abbr: str = ""
    parent_id: str | None = None
    city_vi: str = ""
    city_en: str = ""
    source: str = ""
    verification: Verification = Verification.VERIFIED


class RoleEntry(_Entry, frozen=True, kw_only=True):
    role: Role
    centre: str | None = None
    organisation: str | None = None


class QualificationEntry(_Entry, frozen=True, kw_only=True):
    """`until` is the last day on which it holds; absent, it holds for good. Levels are those of qualifications.py."""

    instrument: str
    level: Level = Level.USER
    until: date | None = None


class PersonEntry(_Entry, frozen=True, kw_only=True):
    login: str
    name: str
    organisation: str
    email: str = ""
    language: str = "vi"
    password_hash: str = ""
    roles: tuple[RoleEntry, ...] = ()
    qualifications: tuple[QualificationEntry, ...] = ()


class ProjectEntry(_Entry, frozen=True, kw_only=True):
    """With `verified_by` (a login of the user office) it stands verified until the end of `expires`; else proposed."""

    code: str
    title: str
    organisation: str
    pi: str
    members: tuple[str, ...] = ()
    access_class: AccessClass
    activity: Activity
    funding_line: str
    agreement: str | None = None
    evidence: str = ""
    verified_by: str | None = None
    expires: date | None = None


class PeopleDocument(_Entry, frozen=True, kw_only=True):
    organisation: tuple[OrganisationEntry, ...] = ()
    person: tuple[PersonEntry, ...] = ()
    project: tuple[ProjectEntry, ...] = ()


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the database holds already and the file may therefore name."""

    organisation_ids: frozenset[str] = frozenset()
    centre_ids: frozenset[str] = frozenset()
    instrument_ids: frozenset[str] = frozenset()
    agreement_ids: frozenset[str] = frozenset()
    logins: frozenset[str] = frozenset()
    office_logins: frozenset[str] = frozenset()


def from_toml(text: str) -> PeopleDocument:
    """The document. Raises `Malformed` with `reason`, one line that names the place."""
    try:
        return msgspec.toml.decode(text, type=PeopleDocument)
    except msgspec.MsgspecError as error:
        raise unreadable("people_unreadable", error) from error


def faults(document: PeopleDocument, known: Known) -> tuple[Refusal, ...]:
    """Everything that keeps the file from being loaded, in the order of the checks; empty when nothing does."""
    return tuple(fault for check in CHECKS for fault in check(document, _with(known, document)))


def entries_are_named_once(document: PeopleDocument, _: Known) -> Iterator[Refusal]:
    """Two entries for one id would let the last one win unseen."""
    named = {
        "organisation": [entry.id for entry in document.organisation],
        "person": [entry.login for entry in document.person],
        "project": [entry.code for entry in document.project],
    }
    for noun, names in named.items():
        for name, count in Counter(names).items():
            if count > 1:
                yield _fault("people_twice", f"{noun} {name}")


def logins_can_be_typed(document: PeopleDocument, _: Known) -> Iterator[Refusal]:
    for person in document.person:
        if not is_login(person.login):
            yield _fault("people_bad_login", f"person {person.login}")


def passwords_are_hashed(document: PeopleDocument, _: Known) -> Iterator[Refusal]:
    for person in document.person:
        if person.password_hash and not person.password_hash.startswith(_HASH_PREFIX):
            yield _fault("people_plain_password", f"person {person.login}")


def languages_are_ours(document: PeopleDocument, _: Known) -> Iterator[Refusal]:
    for person in document.person:
        if person.language not in ("vi", "en"):
            yield _fault("people_bad_language", f"person {person.login}", value=person.language)


def roles_stand_where_they_hold(document: PeopleDocument, _: Known) -> Iterator[Refusal]:
    """A lab manager belongs to a centre, a partner or representative to an organisation, the others hold everywhere."""
    for person in document.person:
        for held in person.roles:
            wanted = _PLACES.get(held.role, "nothing")
            given = {"centre": held.centre, "organisation": held.organisation}
            if {name for name, value in given.items() if value} != {wanted} - {"nothing"}:
                yield _fault("people_role_place", f"person {person.login}", role=held.role.value, wanted=wanted)


def references_stand(document: PeopleDocument, known: Known) -> Iterator[Refusal]:
    """Every organisation, centre, instrument, agreement and login that is named exists, here or in the database."""
    for place, noun, name in _references(document):
        if name is not None and name not in _known_as(noun, known):
            yield _fault("people_unknown", place, noun=noun, name=name)


def verified_projects_carry_their_evidence(document: PeopleDocument, known: Known) -> Iterator[Refusal]:
    for project in document.project:
        if project.verified_by is None:
            continue
        place = f"project {project.code}"
        if project.verified_by not in known.office_logins:
            yield _fault("people_not_office", place, name=project.verified_by)
        if not project.evidence:
            yield _fault("people_no_evidence", place)
        if project.expires is None:
            yield _fault("people_no_expiry", place)


CHECKS: tuple[Callable[[PeopleDocument, Known], Iterator[Refusal]], ...] = (
    entries_are_named_once,
    logins_can_be_typed,
    passwords_are_hashed,
    languages_are_ours,
    roles_stand_where_they_hold,
    references_stand,
    verified_projects_carry_their_evidence,
)


def _references(document: PeopleDocument) -> Iterator[tuple[str, str, str | None]]:
    """Place, noun and name of everything that an entry names."""
    for organisation in document.organisation:
        yield f"organisation {organisation.id}", "organisation", organisation.parent_id
    for person in document.person:
        place = f"person {person.login}"
        yield place, "organisation", person.organisation
        for held in person.roles:
            yield place, "centre", held.centre
            yield place, "organisation", held.organisation
        for qualification in person.qualifications:
            yield place, "instrument", qualification.instrument
    for project in document.project:
        place = f"project {project.code}"
        yield place, "organisation", project.organisation
        yield place, "agreement", project.agreement
        for login in (project.pi, *project.members, project.verified_by):
            yield place, "person", login


def _known_as(noun: str, known: Known) -> Iterable[str]:
    return {
        "organisation": known.organisation_ids,
        "centre": known.centre_ids,
        "instrument": known.instrument_ids,
        "agreement": known.agreement_ids,
        "person": known.logins,
    }[noun]


def _with(known: Known, document: PeopleDocument) -> Known:
    """What is known once the file is loaded: entries may name each other in any order."""
    office = {p.login for p in document.person if any(held.role is Role.USER_OFFICE for held in p.roles)}
    listed = {person.login for person in document.person}
    return msgspec.structs.replace(
        known,
        organisation_ids=known.organisation_ids | {entry.id for entry in document.organisation},
        logins=known.logins | listed,
        # The file says anew which roles its persons hold.
        office_logins=(known.office_logins - listed) | office,
    )


def _fault(code: str, place: str, **params: str) -> Refusal:
    return Refusal(code=code, params={"place": place, **params})
