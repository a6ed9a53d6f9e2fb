"""Projects: who pays and under which class. Nobody types an access class into a booking; it comes from here.

What must not live here: bookings or rounds; they copy what a project says at the moment they are written.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from labshare.errors import Refusal


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


def usable(project: Project, person_id: UUID, member_ids: frozenset[UUID], at: datetime) -> tuple[Refusal, ...]:
    """Why this person may not spend this project's time at this instant; empty when they may."""
    refusals: list[Refusal] = []
    if person_id != project.pi_id and person_id not in member_ids:
        refusals.append(Refusal(code="project_not_member", params={"project": project.code}))
    if project.state is not ProjectState.VERIFIED:
        refusals.append(Refusal(code="project_not_verified", params={"project": project.code}))
    if project.expires_at is not None and at >= project.expires_at:
        refusals.append(Refusal(code="project_expired", params={"project": project.code}))
    return tuple(refusals)
