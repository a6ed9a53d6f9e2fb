"""Clearances (R26): that a project waits before time is allocated to it, until when, and what was decided.

A screening clause says what is looked at (screening.py); here is what becomes of a project that it stops. What must not
live here: who may decide (people.py), or which instruments a clause covers (agreements.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from labshare.domain.screening import Hold, Screening
from labshare.errors import Param, Refusal, Refused, WrongState

LONGEST_EVIDENCE = 2000


class ClearanceState(StrEnum):
    WAITING = "waiting"
    CLEARED = "cleared"
    REFUSED = "refused"


class Clearance(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of one project under one agreement, and the decision. `evidence` is what that rests on.

    It speaks of all that is in `found`, and of nothing that is found later.
    """

    project_id: UUID
    agreement_id: str
    state: ClearanceState = ClearanceState.WAITING
    lists: tuple[str, ...]
    found: tuple[str, ...]
    since: datetime
    due_at: datetime
    evidence: str = ""
    decided_by_id: UUID | None = None
    decided_at: datetime | None = None
    version: int = 1

    @property
    def hold(self) -> Hold:
        return Hold(lists=self.lists, found=self.found, since=self.since, due_at=self.due_at)

    def is_overdue(self, now: datetime) -> bool:
        """Whether somebody should have decided by now, and nobody has."""
        return self.state is ClearanceState.WAITING and self.hold.is_overdue(now)


class ClearanceLine(msgspec.Struct, frozen=True, kw_only=True):
    """A clearance with the names that people read it by."""

    clearance: Clearance
    project: str
    title: str
    name_vi: str
    name_en: str


def lacking(
    clause: Screening, known: Clearance | None, met: Hold | None, project_id: UUID, agreement_id: str, now: datetime
) -> Clearance | None:
    """The clearance that a project still lacks, None when nothing is in its way. `met` is what a wish meets now.

    One that waits or was refused binds the whole project, in whatever words it asks next; one that was given, or that
    silence gave, holds for what was found then.
    """
    if known is None:
        return met and Clearance(
            project_id=project_id,
            agreement_id=agreement_id,
            lists=met.lists,
            found=met.found,
            since=met.since,
            due_at=met.due_at,
        )
    if known.state is ClearanceState.REFUSED:
        return known
    is_waiting = known.state is ClearanceState.WAITING and known.hold.stands(clause, now)
    if met is None or set(met.found) <= set(known.found):
        return known if is_waiting else None
    more = msgspec.structs.replace(
        known,
        lists=tuple(dict.fromkeys((*known.lists, *met.lists))),
        found=tuple(dict.fromkeys((*known.found, *met.found))),
    )
    if is_waiting:
        # Whoever adds to what is looked at does not put off the day of the decision.
        return more
    return msgspec.structs.replace(more, state=ClearanceState.WAITING, since=met.since, due_at=met.due_at)


def refusal(clearance: Clearance, project: str, now: datetime) -> Refusal:
    """A lacking clearance as a no that says what to do, and when a decision is due; never what was found."""
    if clearance.state is ClearanceState.REFUSED:
        return Refusal(code="clearance_refused", params={"project": project})
    params: dict[str, Param] = {"project": project, "due_at": clearance.due_at.isoformat()}
    if clearance.is_overdue(now):
        return Refusal(code="clearance_overdue", params=params)
    return Refusal(code="clearance_waiting", params=params)


def is_open(refusals: Iterable[Refusal]) -> bool:
    """Whether any of these says that a clearance is still to be decided."""
    return any(each.code in ("clearance_waiting", "clearance_overdue") for each in refusals)


def decided(clearance: Clearance, state: ClearanceState, *, by_id: UUID, evidence: str, now: datetime) -> Clearance:
    """The clearance given or refused; either may be changed into the other later.

    Raises `WrongState` when that is decided already, and `Refused` without evidence or with more than anybody reads.
    """
    if state is clearance.state or state is ClearanceState.WAITING:
        raise WrongState("clearance_decided", clearance_state=clearance.state.value)
    if not evidence.strip():
        raise Refused([Refusal(code="clearance_evidence_missing")])
    if len(evidence) > LONGEST_EVIDENCE:
        raise Refused([Refusal(code="field_too_long", params={"field": "evidence", "limit": LONGEST_EVIDENCE})])
    return msgspec.structs.replace(
        clearance, state=state, evidence=evidence.strip(), decided_by_id=by_id, decided_at=now,
        version=clearance.version + 1,
    )  # fmt: skip
