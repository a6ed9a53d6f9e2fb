"""For whom a person works, and who stands behind that. Without a confirmed affiliation nobody has a right to anything
but their own account (access-rules.md, "Who is asking").

What must not live here: who may judge it (people.py), or what ends with it (services/affiliations.py).
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from labshare.errors import Refusal, Refused, WrongState

LONGEST_REASON = 500


class AffiliationState(StrEnum):
    """A person names an organisation; somebody who speaks for it, or the user office, says whether that is so."""

    WAITING = "waiting"
    CONFIRMED = "confirmed"
    DECLINED = "declined"
    ENDED = "ended"


class Affiliation(msgspec.Struct, frozen=True, kw_only=True):
    """The one organisation that a person works for or has named. `at` is when the state was reached."""

    person_id: UUID
    organisation_id: str
    state: AffiliationState
    reason: str = ""
    at: datetime | None = None
    version: int = 1


class AffiliationLine(msgspec.Struct, frozen=True, kw_only=True):
    """An affiliation as the people read it who judge it."""

    affiliation: Affiliation
    login: str
    name: str
    email: str
    name_vi: str
    name_en: str


def named(affiliation: Affiliation, organisation_id: str, now: datetime) -> Affiliation:
    """The person names an organisation, another one or the same again. Raises `WrongState` while one is confirmed."""
    if affiliation.state is AffiliationState.CONFIRMED:
        raise _wrong(affiliation)
    return _become(affiliation, AffiliationState.WAITING, "", now, organisation_id=organisation_id)


def confirmed(affiliation: Affiliation, now: datetime) -> Affiliation:
    """Raises `WrongState` unless it waits."""
    _require(affiliation, AffiliationState.WAITING)
    return _become(affiliation, AffiliationState.CONFIRMED, "", now)


def declined(affiliation: Affiliation, reason: str, now: datetime) -> Affiliation:
    """Raises `WrongState` unless it waits, and `Refused` without a reason, which the person will read."""
    _require(affiliation, AffiliationState.WAITING)
    return _become(affiliation, AffiliationState.DECLINED, _reason(reason), now)


def ended(affiliation: Affiliation, reason: str, now: datetime) -> Affiliation:
    """The person has left. Raises `WrongState` unless it was confirmed, and `Refused` without a reason."""
    _require(affiliation, AffiliationState.CONFIRMED)
    return _become(affiliation, AffiliationState.ENDED, _reason(reason), now)


def _require(affiliation: Affiliation, state: AffiliationState) -> None:
    if affiliation.state is not state:
        raise _wrong(affiliation)


def _wrong(affiliation: Affiliation) -> WrongState:
    return WrongState("affiliation_wrong_state", affiliation_state=affiliation.state.value)


def _reason(text: str) -> str:
    reason = text.strip()
    if not reason:
        raise Refused([Refusal(code="affiliation_reason_missing")])
    if len(reason) > LONGEST_REASON:
        raise Refused([Refusal(code="field_too_long", params={"field": "reason", "limit": LONGEST_REASON})])
    return reason


def _become(
    affiliation: Affiliation, state: AffiliationState, reason: str, now: datetime, *, organisation_id: str = ""
) -> Affiliation:
    return msgspec.structs.replace(
        affiliation,
        organisation_id=organisation_id or affiliation.organisation_id,
        state=state,
        reason=reason,
        at=now,
        version=affiliation.version + 1,
    )
