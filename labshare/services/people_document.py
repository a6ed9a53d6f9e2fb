"""Loading a file of people: `labshare load people FILE` and the demo. Loading the same file again changes nothing.

A person, organisation or project that the file does not name stays as it is; one that it names becomes what it says.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import msgspec

from labshare.domain.people import Grant
from labshare.domain.people_document import (
    OrganisationEntry,
    PeopleDocument,
    PersonEntry,
    ProjectEntry,
    faults,
    from_toml,
)
from labshare.domain.projects import Project, ProjectState
from labshare.domain.text import searchable, sort_key
from labshare.domain.windows import CENTRE_ZONE_NAME
from labshare.errors import Refused
from labshare.services import balances, qualifications
from labshare.services.projects import schedule_reminders
from labshare.store import affiliations, audit, people, projects
from labshare.store import agreements as agreements_store
from labshare.store import people_document as store
from labshare.store.engine import Connection


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """How many entries of each kind were new or different."""

    organisations: int = 0
    persons: int = 0
    projects: int = 0


def load(db: Connection, text: str, now: datetime) -> Loaded:
    """Bring the file into the database. Raises `Malformed`, or `Refused` with every fault; then nothing has changed."""
    return load_document(db, from_toml(text), now)


def load_document(db: Connection, document: PeopleDocument, now: datetime) -> Loaded:
    """The same for a document that was read or made already."""
    found = faults(document, store.known(db))
    if found:
        raise Refused(found)
    # A share may be of a programme: what stands then counts for another one. Nothing is booked meanwhile.
    is_counted_anew = any(_has_other_programme(db, entry) for entry in document.project)
    if is_counted_anew:
        agreements_store.hold_still(db)
    loaded = Loaded(
        organisations=sum(_put_organisation(db, entry) for entry in _parents_first(document.organisation)),
        persons=sum(_put_person(db, entry, now) for entry in document.person),
        projects=sum(_put_project(db, entry, now) for entry in document.project),
    )
    if is_counted_anew:
        balances.rebuild(db, now)
    if loaded != Loaded():
        audit.record(
            db, actor_id=None, action="load", noun="people", noun_id="file", now=now,
            details=msgspec.structs.asdict(loaded),
        )  # fmt: skip
    return loaded


def _parents_first(entries: tuple[OrganisationEntry, ...]) -> list[OrganisationEntry]:
    """So that a parent stands before a row that refers to it; entries of a circle keep their order."""
    waiting, ordered = list(entries), list[OrganisationEntry]()
    while waiting:
        absent = {entry.id for entry in waiting}
        ready = [entry for entry in waiting if entry.parent_id not in absent] or waiting
        ordered += ready
        waiting = [entry for entry in waiting if entry not in ready]
    return ordered


def _put_organisation(db: Connection, entry: OrganisationEntry) -> bool:
    values = msgspec.structs.asdict(entry)
    values |= {
        "folded": searchable(f"{entry.id} {entry.name_vi} {entry.name_en} {entry.abbr}"),
        "sort_vi": sort_key(entry.name_vi),
        "sort_en": sort_key(entry.name_en),
    }
    return store.put_organisation(db, values)


def _put_person(db: Connection, entry: PersonEntry, now: datetime) -> bool:
    values = {
        "login": entry.login,
        "name": entry.name,
        "email": entry.email,
        "organisation_id": entry.organisation,
        "language": entry.language,
    }
    # A file without a password leaves the one that the person has chosen, but not to somebody at another address: a
    # newcomer may have chosen the login that the file means for this one.
    before = people.by_login(db, entry.login)
    is_another = before is not None and before.email != "" and before.email.lower() != entry.email.lower()
    if entry.password_hash or is_another:
        values["password_hash"] = entry.password_hash
    person_id, changed = store.put_person(db, values)
    if is_another:
        people.end_sign_ins_of(db, person_id)
    roles = [Grant(role=held.role, centre_id=held.centre, organisation_id=held.organisation) for held in entry.roles]
    held = {q.instrument: (q.level, _end_of(q.until) if q.until else None) for q in entry.qualifications}
    # Whoever has left has no role that could wake up where another organisation confirms them.
    if before is None or not affiliations.has_ended(db, before.id):
        changed |= store.put_grants(db, person_id, roles)
    if not store.put_qualifications(db, person_id, held, now):
        return changed
    qualifications.look_at(db, [person_id], now)
    return True


def _has_other_programme(db: Connection, entry: ProjectEntry) -> bool:
    standing = projects.by_code(db, entry.code)
    return standing is not None and standing.funding_line != entry.funding_line


def _put_project(db: Connection, entry: ProjectEntry, now: datetime) -> bool:
    standing = projects.by_code(db, entry.code)
    wanted = _project(db, entry, standing, now)
    if standing is None:
        projects.add(db, wanted)
    elif wanted != standing:
        projects.save(db, msgspec.structs.replace(wanted, version=standing.version + 1), seen_version=standing.version)
    if wanted != standing:
        schedule_reminders(db, wanted, now)
    return _put_members(db, wanted.id, frozenset(_id(db, login) for login in entry.members)) or wanted != standing


def _project(db: Connection, entry: ProjectEntry, standing: Project | None, now: datetime) -> Project:
    return Project(
        id=standing.id if standing else uuid4(),
        code=entry.code,
        title=entry.title,
        organisation_id=entry.organisation,
        pi_id=_id(db, entry.pi),
        access_class=entry.access_class,
        activity=entry.activity,
        funding_line=entry.funding_line,
        agreement_id=entry.agreement,
        state=ProjectState.VERIFIED if entry.verified_by else ProjectState.PROPOSED,
        evidence=entry.evidence,
        verified_by_id=_id(db, entry.verified_by) if entry.verified_by else None,
        verified_at=((standing and standing.verified_at) or now) if entry.verified_by else None,
        expires_at=_end_of(entry.expires) if entry.expires else None,
        version=standing.version if standing else 1,
    )


def _put_members(db: Connection, project_id: UUID, wanted: frozenset[UUID]) -> bool:
    standing = projects.member_ids(db, project_id)
    for person_id in standing - wanted:
        projects.remove_member(db, project_id, person_id)
    for person_id in wanted - standing:
        projects.add_member(db, project_id, person_id)
    return standing != wanted


def _id(db: Connection, login: str) -> UUID:
    person = people.by_login(db, login)
    if person is None:
        raise LookupError(login)  # The document was checked: whoever it names is there by now.
    return person.id


def _end_of(day: date) -> datetime:
    """The first instant after that day, where the centres stand."""
    midnight = datetime.combine(day + timedelta(days=1), time(), tzinfo=ZoneInfo(CENTRE_ZONE_NAME))
    return midnight.astimezone(UTC)
