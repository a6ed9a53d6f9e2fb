"""Organisations that onboard themselves: what they state, and whether the user office has checked it.

An organisation of the registry or of a file of the user office has no check: it came checked. What must not live here:
who may check (people.py), or its people (affiliations.py).
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from labshare.domain.profiles import Size
from labshare.domain.registry_terms import OrganisationKind
from labshare.errors import Refusal, Refused, WrongState

LONGEST = {"registration_number": 40, "contact": 300, "evidence": 500, "reason": 500}
LONGEST_NAME = 200
_COUNTRY = re.compile(r"[A-Z]{2}")


class CheckState(StrEnum):
    PROPOSED = "proposed"
    CHECKED = "checked"
    DECLINED = "declined"


class OrganisationSize(StrEnum):
    """What kind of enterprise it is by its size; none where it is no enterprise, or states nothing."""

    NONE = "none"
    MICRO = "micro"
    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"

    @property
    def counts_as(self) -> Size:
        """As tables of tariffs and priorities count it."""
        return Size.SME if self in {self.MICRO, self.SMALL, self.MEDIUM} else Size.LARGE


class NewOrganisation(msgspec.Struct, frozen=True, kw_only=True):
    """What an organisation states of itself. `registration_number` is its number of enterprise, tax or decision."""

    name_vi: str = ""
    name_en: str = ""
    kind: OrganisationKind = OrganisationKind.COMPANY
    size: OrganisationSize = OrganisationSize.NONE
    registration_number: str = ""
    country: str = "VN"
    contact: str = ""
    evidence: str = ""


class OrganisationCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Where the check of an organisation stands."""

    organisation_id: str
    state: CheckState = CheckState.PROPOSED
    registration_number: str
    country: str
    contact: str
    evidence: str
    proposed_by_id: UUID
    proposed_at: datetime
    judged_by_id: UUID | None = None
    judged_at: datetime | None = None
    reason: str = ""
    version: int = 1


class OrganisationLine(msgspec.Struct, frozen=True, kw_only=True):
    """A check with the names that people read it by."""

    check: OrganisationCheck
    kind: OrganisationKind
    size: OrganisationSize
    name_vi: str
    name_en: str
    proposer: str


def check_new(new: NewOrganisation) -> NewOrganisation:
    """What was stated, trimmed. Raises `Refused` with all that is missing, too long or no country."""
    given = {name: value for name, value in msgspec.structs.asdict(new).items() if name not in {"kind", "size"}}
    texts = {name: " ".join(value.split()) for name, value in given.items()}
    texts["country"] = texts["country"].upper()
    needed = ["name_vi", "registration_number", "contact", "evidence"]
    if texts["name_en"]:
        # A foreign organisation may have no name in Vietnamese.
        needed.remove("name_vi")
    refusals = [Refusal(code="field_missing", params={"field": name}) for name in needed if not texts[name]]
    for name, text in texts.items():
        if len(text) > LONGEST.get(name, LONGEST_NAME):
            limit = LONGEST.get(name, LONGEST_NAME)
            refusals.append(Refusal(code="field_too_long", params={"field": name, "limit": limit}))
    if not _COUNTRY.fullmatch(texts["country"]):
        refusals.append(Refusal(code="country_unreadable"))
    if refusals:
        raise Refused(refusals)
    return msgspec.structs.replace(new, **texts)


def checked(check: OrganisationCheck, *, by_id: UUID, now: datetime) -> OrganisationCheck:
    """Raises `WrongState` when it is checked already; one that was declined may be looked at again."""
    _require_unchecked(check)
    return _judged(check, CheckState.CHECKED, by_id, "", now)


def declined(check: OrganisationCheck, *, by_id: UUID, reason: str, now: datetime) -> OrganisationCheck:
    """Raises `WrongState` when it is checked already, and `Refused` without a reason, which the proposer reads."""
    _require_unchecked(check)
    if not reason.strip():
        raise Refused([Refusal(code="affiliation_reason_missing")])
    if len(reason.strip()) > LONGEST["reason"]:
        raise Refused([Refusal(code="field_too_long", params={"field": "reason", "limit": LONGEST["reason"]})])
    return _judged(check, CheckState.DECLINED, by_id, reason.strip(), now)


def _require_unchecked(check: OrganisationCheck) -> None:
    if check.state is CheckState.CHECKED:
        raise WrongState("organisation_checked")


def _judged(check: OrganisationCheck, state: CheckState, by_id: UUID, reason: str, now: datetime) -> OrganisationCheck:
    return msgspec.structs.replace(
        check, state=state, judged_by_id=by_id, judged_at=now, reason=reason, version=check.version + 1
    )
