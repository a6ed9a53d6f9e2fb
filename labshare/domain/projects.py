"""Projects: who pays and under which class. Nobody types an access class into a booking; it comes from here.

What must not live here: bookings or rounds; they copy what a project says at the moment they are written.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec

from labshare.errors import Refusal, Refused, WrongState


class AccessClass(StrEnum):
    """Who asks (access-rules.md, R13 and R15 are tables keyed by it)."""

    PUBLIC_RESEARCH = "public_research"
    STATE_ORDER = "state_order"
    PARTNER = "partner"
    STARTUP = "startup"
    INDUSTRY = "industry"
    EDUCATION = "education"
    HOST = "host"


class Activity(StrEnum):
    """Economic use is what state-aid style caps count (R02)."""

    ECONOMIC = "economic"
    NON_ECONOMIC = "non_economic"


class ProjectState(StrEnum):
    """A project is proposed by its PI; the user office verifies or declines it, and may do either again later."""

    PROPOSED = "proposed"
    VERIFIED = "verified"
    DECLINED = "declined"


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """One project. Its class and activity count only while it is verified and not expired."""

    id: UUID
    code: str
    title: str
    organisation_id: str
    pi_id: UUID
    access_class: AccessClass
    activity: Activity
    funding_line: str
    agreement_id: str | None = None
    state: ProjectState = ProjectState.PROPOSED
    evidence: str = ""
    verified_by_id: UUID | None = None
    verified_at: datetime | None = None
    expires_at: datetime | None = None
    version: int = 1

    def is_current(self, at: datetime) -> bool:
        """Whether its class counts at this instant."""
        return self.state is ProjectState.VERIFIED and (self.expires_at is None or at < self.expires_at)


class ProjectName(msgspec.Struct, frozen=True, kw_only=True):
    """What a share rule may name a project by; neither ever changes. `programme` is its funding line."""

    code: str
    programme: str


class ProjectLine(msgspec.Struct, frozen=True, kw_only=True):
    """A project as people read it: with the names of its organisation, its PI and its members."""

    project: Project
    organisation_vi: str
    organisation_en: str
    pi_name: str
    members: tuple[Member, ...] = ()

    @property
    def name_vi(self) -> str:
        return self.organisation_vi

    @property
    def name_en(self) -> str:
        return self.organisation_en


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may spend a project's time besides its PI."""

    person_id: UUID
    login: str
    name: str


def usable(project: Project, person_id: UUID, member_ids: frozenset[UUID], at: datetime) -> tuple[Refusal, ...]:
    """Why this person may not spend this project's time at this instant; empty when they may.

    `member_ids` are those who belong to it now, its PI among them: one who has left is still named, and may not.
    """
    refusals: list[Refusal] = []
    if person_id not in member_ids:
        refusals.append(Refusal(code="project_not_member", params={"project": project.code}))
    if project.state is not ProjectState.VERIFIED:
        refusals.append(Refusal(code="project_not_verified", params={"project": project.code}))
    if project.expires_at is not None and at >= project.expires_at:
        refusals.append(Refusal(code="project_expired", params={"project": project.code}))
    return tuple(refusals)


LONGEST_CODE, LONGEST_TEXT, LONGEST_EVIDENCE = 40, 300, 2000
# How long before its end a verification is to be looked at again, so that nobody stands before a closed door.
REVIEW_AHEAD = timedelta(days=30)
# The recognition of a startup holds for five years (Decree 260/2026); nothing is verified for longer.
LONGEST_VERIFICATION = timedelta(days=5 * 366)


def check_proposal(code: str, title: str, funding_line: str) -> tuple[str, str, str]:
    """The three texts, trimmed. Raises `Refused` with what is missing or too long."""
    texts = {"code": code.strip(), "title": title.strip(), "funding_line": funding_line.strip()}
    longest = {"code": LONGEST_CODE}
    refusals = [Refusal(code="field_missing", params={"field": field}) for field, text in texts.items() if not text]
    refusals += [
        Refusal(code="field_too_long", params={"field": field, "limit": longest.get(field, LONGEST_TEXT)})
        for field, text in texts.items()
        if len(text) > longest.get(field, LONGEST_TEXT)
    ]
    if refusals:
        raise Refused(refusals)
    return texts["code"], texts["title"], texts["funding_line"]


def check_evidence(evidence: str) -> None:
    """Raises `Refused` for more than anybody would read; a proposal may leave it to the user office."""
    if len(evidence) > LONGEST_EVIDENCE:
        raise Refused([Refusal(code="field_too_long", params={"field": "evidence", "limit": LONGEST_EVIDENCE})])


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification rests on besides the evidence. `parties` are those of the agreement that it names."""

    pi_is_here: bool = True
    organisation_is_checked: bool = True
    parties: frozenset[str] = frozenset()


def standing_faults(project: Project, standing: Standing) -> Iterator[Refusal]:
    """Why nothing that the project says can be confirmed, whatever the evidence."""
    if not standing.pi_is_here:
        yield Refusal(code="pi_absent")
    if not standing.organisation_is_checked:
        yield Refusal(code="organisation_unchecked")
    if project.agreement_id is None and project.access_class is AccessClass.PARTNER:
        yield Refusal(code="partner_needs_agreement")
    if project.agreement_id is not None and project.organisation_id not in standing.parties:
        yield Refusal(code="agreement_not_party", params={"agreement": project.agreement_id})


def is_for_review(project: Project, now: datetime) -> bool:
    """Whether its verification ends within `REVIEW_AHEAD`, or has ended no longer ago than that."""
    if project.state is not ProjectState.VERIFIED or project.expires_at is None:
        return False
    return abs(project.expires_at - now) <= REVIEW_AHEAD


def handed_over(project: Project, pi_id: UUID) -> Project:
    """The project with another investigator; what was verified stays verified. Raises `WrongState` for the same one."""
    if project.pi_id == pi_id:
        raise WrongState("pi_already", project=project.code)
    return msgspec.structs.replace(project, pi_id=pi_id, version=project.version + 1)


def verified(
    project: Project,
    *,
    by_id: UUID,
    evidence: str,
    expires_at: datetime,
    now: datetime,
    standing: Standing | None = None,
) -> Project:
    """The project with its class confirmed until `expires_at`. A verified one may be verified anew, to prolong it.

    Raises `Refused` without evidence, with an expiry that has passed or lies too far ahead, and for what `standing`
    does not bear.
    """
    refusals = list(standing_faults(project, standing or Standing()))
    if not evidence.strip():
        refusals.append(Refusal(code="evidence_missing"))
    if expires_at <= now:
        refusals.append(Refusal(code="expiry_passed"))
    if expires_at > now + LONGEST_VERIFICATION:
        refusals.append(Refusal(code="expiry_too_far", params={"years": 5}))
    if refusals:
        raise Refused(refusals)
    return _judged(project, ProjectState.VERIFIED, by_id, evidence, now, expires_at)


def declined(project: Project, *, by_id: UUID, reason: str, now: datetime) -> Project:
    """The project refused, or its verification taken back; the reason stands where the evidence stood.

    Raises `Refused` without a reason and `WrongState` when it is declined already.
    """
    if project.state is ProjectState.DECLINED:
        raise WrongState("project_declined", project=project.code)
    if not reason.strip():
        raise Refused([Refusal(code="reason_missing")])
    return _judged(project, ProjectState.DECLINED, by_id, reason, now, None)


def _judged(
    project: Project, state: ProjectState, by_id: UUID, words: str, now: datetime, expires_at: datetime | None
) -> Project:
    return msgspec.structs.replace(
        project,
        state=state,
        evidence=words.strip(),
        verified_by_id=by_id,
        verified_at=now,
        expires_at=expires_at,
        version=project.version + 1,
    )
