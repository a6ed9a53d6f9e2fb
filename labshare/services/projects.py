"""What people do with projects: propose, verify, decline, choose who may spend their time.

What must not live here: bookings and requests; they copy what a project says at the moment they are written.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from labshare.domain import projects as rules
from labshare.domain.agreements import Agreement
from labshare.domain.notices import NoticeKind
from labshare.domain.people import Action, Actor, Person, Place, may, require
from labshare.domain.projects import AccessClass, Activity, Project, ProjectLine, ProjectState, Standing
from labshare.domain.windows import CENTRE_ZONE_NAME
from labshare.errors import Forbidden, NotFound, Refusal, Refused, Stale
from labshare.services import notices
from labshare.store import agreements, audit, due, organisations, people
from labshare.store import projects as store
from labshare.store.engine import Connection

# How long before the end of a verification each letter leaves.
REMINDERS = {NoticeKind.PROJECT_REVIEW: rules.REVIEW_AHEAD, NoticeKind.PROJECT_EXPIRED: timedelta(0)}


def mine(db: Connection, actor: Actor) -> list[ProjectLine]:
    """The projects whose time the actor may spend, once they are verified."""
    return store.lines_of(db, actor.person_id) if actor.grants else []


def mine_after(db: Connection, actor: Actor, *, after: str = "", limit: int) -> list[ProjectLine]:
    """The same by code, from behind the code `after`: for programs."""
    return store.lines_after(db, actor.person_id, after=after, limit=limit) if actor.grants else []


def usable(db: Connection, actor: Actor, now: datetime) -> list[Project]:
    """Those of them that are verified and have not expired: what a booking form offers."""
    return [line.project for line in mine(db, actor) if line.project.is_current(now)]


def members_led(db: Connection, actor: Actor) -> list[tuple[str, str, tuple[str, ...]]]:
    """The members of the verified projects that the actor leads, by name: login, name, codes."""
    if not actor.grants:
        return []
    found: dict[str, tuple[str, list[str]]] = {}
    for line in store.lines_led(db, actor.person_id):
        for member in line.members:
            found.setdefault(member.login, (member.name, []))[1].append(line.project.code)
    return sorted(((login, name, tuple(codes)) for login, (name, codes) in found.items()), key=lambda each: each[1])


def waiting(db: Connection, actor: Actor) -> list[ProjectLine]:
    """What the user office has to verify. Raises `Forbidden` for others."""
    require(actor, Action.VERIFY_PROJECT)
    return store.lines_in(db, ProjectState.PROPOSED)


def everything(db: Connection, actor: Actor) -> list[ProjectLine]:
    """All projects, for those who may see them all. Raises `Forbidden` for others."""
    require(actor, Action.SEE_PROJECT)
    return store.all_lines(db)


def show(db: Connection, actor: Actor, project_id: UUID) -> ProjectLine:
    """One project. Raises `NotFound` when it is not there or not the actor's to see."""
    line = store.line(db, project_id)
    if line is None or not (is_of(line, actor) or may(actor, Action.SEE_PROJECT)):
        raise NotFound()
    return line


def verifier_name(db: Connection, project: Project) -> str:
    """Who verified or declined it; empty when nobody did, or they have been erased."""
    return people.names(db, [project.verified_by_id]).get(project.verified_by_id, "") if project.verified_by_id else ""


def is_of(line: ProjectLine, actor: Actor) -> bool:
    """Whether the actor is its PI or a member."""
    # Whoever has left, or is not confirmed, holds no grant.
    return bool(actor.grants) and actor.person_id in {line.project.pi_id, *(each.person_id for each in line.members)}


def propose(
    db: Connection,
    actor: Actor,
    *,
    code: str,
    title: str,
    funding_line: str,
    access_class: AccessClass,
    activity: Activity,
    now: datetime,
    evidence: str = "",
    agreement_id: str = "",
) -> Project:
    """A new project of the actor's organisation with the actor as its PI, for the user office to verify.

    Raises `Refused` when a text is missing or too long, the code is taken, or the agreement does not name the
    organisation.
    """
    require(actor, Action.PROPOSE_PROJECT)
    code, title, funding_line = rules.check_proposal(code, title, funding_line)
    rules.check_evidence(evidence)
    if agreement_id and agreement_id not in {choice.id for choice in agreements_of(db, actor, now)}:
        raise Refused([Refusal(code="agreement_not_party", params={"agreement": agreement_id})])
    project = Project(
        id=uuid4(),
        code=code,
        title=title,
        organisation_id=actor.organisation_id,
        pi_id=actor.person_id,
        access_class=access_class,
        activity=activity,
        funding_line=funding_line,
        agreement_id=agreement_id or None,
        evidence=evidence.strip(),
    )
    if not store.add(db, project):
        raise Refused([Refusal(code="project_code_taken", params={"project": code})])
    _audit(db, actor, "propose", project, now)
    return project


def verify(
    db: Connection, actor: Actor, project_id: UUID, *, version: int, evidence: str, expires_at: datetime, now: datetime
) -> Project:
    """Confirm the class of a project, with the evidence and until when. Raises `Stale` and what `verified` raises."""
    require(actor, Action.VERIFY_PROJECT)
    before = _seen(db, actor, project_id, version)
    standing = Standing(
        pi_is_here=not people.absent(db, [before.pi_id]),
        organisation_is_checked=organisations.is_checked(db, before.organisation_id),
        parties=_parties(db, before.agreement_id, now) if before.agreement_id else frozenset(),
    )
    after = rules.verified(
        before, by_id=actor.person_id, evidence=evidence, expires_at=expires_at, now=now, standing=standing
    )
    saved = _save(db, actor, after, version, "verify", now)
    _tell(db, saved, NoticeKind.PROJECT_VERIFIED, now)
    return saved


def decline(db: Connection, actor: Actor, project_id: UUID, *, version: int, reason: str, now: datetime) -> Project:
    """Refuse a project or take its verification back. Raises `Stale` and what `declined` raises."""
    require(actor, Action.VERIFY_PROJECT)
    before = _seen(db, actor, project_id, version)
    after = rules.declined(before, by_id=actor.person_id, reason=reason, now=now)
    saved = _save(db, actor, after, version, "decline", now)
    _tell(db, saved, NoticeKind.PROJECT_DECLINED, now)
    return saved


def hand_over(db: Connection, actor: Actor, project_id: UUID, login: str, *, version: int, now: datetime) -> Project:
    """Name another investigator of the same organisation, as after the first one has left. For the user office.

    Raises `Stale`, `WrongState` when it is the same one, and `Refused` for a login that is unknown, gone or elsewhere.
    """
    require(actor, Action.VERIFY_PROJECT)
    before = _seen(db, actor, project_id, version)
    person = _present(db, login)
    if person.organisation_id != before.organisation_id:
        raise Refused([Refusal(code="pi_elsewhere", params={"login": person.login})])
    return _save(db, actor, rules.handed_over(before, person.id), version, "hand_over", now)


def reviews(db: Connection, actor: Actor, now: datetime) -> list[ProjectLine]:
    """Projects whose verification ends soon or has just ended: the actor's own as PI, and all for the user office."""
    ending = store.ending(db, now - rules.REVIEW_AHEAD, now + rules.REVIEW_AHEAD)
    return [line for line in ending if line.project.pi_id == actor.person_id or may(actor, Action.VERIFY_PROJECT)]


def schedule_reminders(db: Connection, project: Project, now: datetime) -> None:
    """Have its investigator written to when its verification is to be looked at again, and when it has ended."""
    ends = project.expires_at if project.state is ProjectState.VERIFIED else None
    for kind, ahead in REMINDERS.items():
        if ends and ends - ahead > now:
            due.schedule(db, kind.value, project.id, ends - ahead)
        else:
            due.forget(db, kind.value, project.id)


def remind(db: Connection, project_id: UUID, now: datetime, *, kind: NoticeKind) -> None:
    """The day has come. A verification that was prolonged or taken back meanwhile has another day, or none."""
    line = store.line(db, project_id)
    if line and rules.is_for_review(line.project, now):
        _tell(db, line.project, kind, now)


def agreements_of(db: Connection, actor: Actor, now: datetime) -> list[Place]:
    """The agreements, in force today or later, that name the actor's organisation as a party, to propose under.

    Raises `Forbidden` for those who may not propose, before they have filled a form in.
    """
    require(actor, Action.PROPOSE_PROJECT)
    ahead = agreements.versions(db, _today(now), date.max)
    return [
        Place(id=agreement_id, name_vi=versions[-1].agreement.title_vi, name_en=versions[-1].agreement.title_en)
        for agreement_id, versions in sorted(ahead.items())
        if any(actor.organisation_id in _named_by(version.agreement) for version in versions)
    ]


def add_member(db: Connection, actor: Actor, project_id: UUID, login: str, now: datetime) -> None:
    """Let somebody spend the project's time; adding a member twice changes nothing.

    Raises `Forbidden` unless the actor is its PI or may verify it, and `Refused` for a login that is
    unknown, or whose person has left or is not confirmed yet.
    """
    line = _managed(db, actor, project_id)
    person = _present(db, login)
    if person.id != line.project.pi_id and store.add_member(db, project_id, person.id):
        _audit(db, actor, "add_member", line.project, now, person=str(person.id))


def remove_member(db: Connection, actor: Actor, project_id: UUID, person_id: UUID, now: datetime) -> None:
    """Take a member out; what they booked stays. Raises `NotFound` for somebody who is none."""
    line = _managed(db, actor, project_id)
    if not store.remove_member(db, project_id, person_id):
        raise NotFound()
    _audit(db, actor, "remove_member", line.project, now, person=str(person_id))


def may_manage(line: ProjectLine, actor: Actor) -> bool:
    """Whether the actor may choose the members."""
    is_pi = bool(actor.grants) and line.project.pi_id == actor.person_id
    return is_pi or may(actor, Action.VERIFY_PROJECT)


def _tell(db: Connection, project: Project, kind: NoticeKind, now: datetime) -> None:
    """To its investigator, unless they have left: then the project is nobody's to hear of but the user office's."""
    investigator = people.actor(db, project.pi_id)
    if investigator and investigator.grants:
        page = f"/projects/{project.id}"
        notices.tell(db, project.pi_id, kind, (project.code, project.code), page, now, until=project.expires_at)


def _managed(db: Connection, actor: Actor, project_id: UUID) -> ProjectLine:
    line = show(db, actor, project_id)
    if not may_manage(line, actor):
        raise Forbidden("only_the_pi", project=line.project.code)
    return line


def _present(db: Connection, login: str) -> Person:
    person = people.by_login(db, login.strip())
    if person is None or people.absent(db, [person.id]):
        raise Refused([Refusal(code="person_unknown", params={"login": login.strip()})])
    return person


def _parties(db: Connection, agreement_id: str, now: datetime) -> frozenset[str]:
    """Whom an agreement names in a version that is in force today or later."""
    versions = agreements.versions(db, _today(now), date.max).get(agreement_id, ())
    return frozenset(party for version in versions for party in _named_by(version.agreement))


def _today(now: datetime) -> date:
    return now.astimezone(ZoneInfo(CENTRE_ZONE_NAME)).date()


def _named_by(agreement: Agreement) -> set[str]:
    return {*agreement.parties, *([agreement.partner_id] if agreement.partner_id else [])}


def _seen(db: Connection, actor: Actor, project_id: UUID, version: int) -> Project:
    project = show(db, actor, project_id).project
    if project.version != version:
        raise Stale()
    return project


def _save(db: Connection, actor: Actor, project: Project, seen_version: int, action: str, now: datetime) -> Project:
    if not store.save(db, project, seen_version=seen_version):
        raise Stale()
    schedule_reminders(db, project, now)
    _audit(db, actor, action, project, now, evidence=audit.hashed(db, project.evidence))
    return project


def _audit(db: Connection, actor: Actor, action: str, project: Project, now: datetime, **details: str) -> None:
    audit.record(
        db, actor_id=actor.person_id, action=action, noun="project", noun_id=project.id, now=now,
        details={"version": project.version, **details},
    )  # fmt: skip
