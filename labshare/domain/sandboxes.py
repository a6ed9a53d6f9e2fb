"""Trials that are kept and switched on (R25): where one stands, what may be done with it, and what stops it by itself.

A trial has versions; each is an overlay, and an adjustment is a new one. `FROM` says from which state each step may be
taken. In force is only what has been approved, in the stretches of time that the steps leave open; what a value beyond
a stop condition ends never comes back.

What must not live here: what an overlay says and does (sandbox.py), or who may take a step (people.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from enum import StrEnum
from fractions import Fraction
from uuid import UUID

import msgspec

from labshare.domain.agreement_documents import parse_share
from labshare.domain.sandbox import Criterion, Metric, Overlay, StopCondition
from labshare.domain.timespan import Span
from labshare.errors import Malformed, Refusal, Refused, WrongState

# What the longest reason or evidence may be, in signs.
LONGEST_TEXT = 2_000


class SandboxState(StrEnum):
    """Where a trial stands. An approved one is running on its days, and has ended after the last of them."""

    DRAFTED = "drafted"
    APPROVED = "approved"
    RUNNING = "running"
    SUSPENDED = "suspended"
    ENDED = "ended"


class Step(StrEnum):
    """What is done with a trial. Only STOPPED is done by nobody: a value beyond a stop condition does it."""

    PROPOSED = "proposed"
    ADJUSTED = "adjusted"
    REPLAYED = "replayed"
    APPROVED = "approved"
    SUSPENDED = "suspended"
    RESUMED = "resumed"
    MEASURED = "measured"
    ENDED = "ended"
    STOPPED = "stopped"


_ALIVE = frozenset({SandboxState.DRAFTED, SandboxState.APPROVED, SandboxState.RUNNING, SandboxState.SUSPENDED})
# Reading this table is reading what may follow what. A value may come after the end, for the final evaluation.
FROM: dict[Step, frozenset[SandboxState]] = {
    Step.ADJUSTED: _ALIVE,
    Step.REPLAYED: _ALIVE,
    Step.APPROVED: _ALIVE,
    Step.SUSPENDED: frozenset({SandboxState.APPROVED, SandboxState.RUNNING}),
    Step.RESUMED: frozenset({SandboxState.SUSPENDED}),
    Step.MEASURED: frozenset({SandboxState.RUNNING, SandboxState.SUSPENDED, SandboxState.ENDED}),
    Step.ENDED: _ALIVE,
}


class Sandbox(msgspec.Struct, frozen=True, kw_only=True):
    """A trial with all its versions, the first one first. `left` is the state in which the last step left it."""

    id: str
    left: SandboxState
    overlays: tuple[Overlay, ...]
    approved_number: int | None
    version: int

    @property
    def number(self) -> int:
        """The newest version's."""
        return len(self.overlays)

    @property
    def newest(self) -> Overlay:
        return self.overlays[-1]

    @property
    def overlay(self) -> Overlay:
        """The approved version, or the newest while none is."""
        return self.overlays[(self.approved_number or self.number) - 1]

    @property
    def waits(self) -> bool:
        """Whether the newest version is not approved."""
        return self.approved_number != self.number


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A step that was taken, on which version, by whom (None: by itself) and why."""

    step: Step
    number: int
    reason: str
    person_id: UUID | None
    at: datetime


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A metric as it was measured on a day, and the evidence of it."""

    metric: str
    day: date
    value: Fraction
    evidence: str
    person_id: UUID | None
    at: datetime


# ---------------------------------------------------------------- where it stands


def state_at(sandbox: Sandbox, now: datetime) -> SandboxState:
    """Where the trial stands at this instant: its days begin and end it without anybody's doing."""
    span = sandbox.overlay.span
    if sandbox.left is SandboxState.ENDED or (sandbox.approved_number and now >= span.end):
        return SandboxState.ENDED
    if sandbox.left is SandboxState.APPROVED and now >= span.start:
        return SandboxState.RUNNING
    return sandbox.left


def holds_from(overlay: Overlay, now: datetime) -> Span | None:
    """The time in which an overlay holds that is switched on now: never before now. None when its days are over."""
    span, moment = overlay.span, now.replace(second=0, microsecond=0)
    start = max(span.start, moment)
    return Span(start, span.end) if start < span.end else None


def require_step(sandbox: Sandbox, step: Step, now: datetime) -> None:
    """Raises `WrongState` when the trial stands where this step cannot be taken."""
    state = state_at(sandbox, now)
    if state not in FROM[step]:
        raise WrongState("sandbox_wrong_state", sandbox_state=state.value, sandbox_step=step.value)


def require_reason(text: str) -> str:
    """The reason without spaces around it. Raises `Refused` where there is none, or one that nobody would read."""
    reason = text.strip()
    if not reason or len(reason) > LONGEST_TEXT:
        raise Refused([Refusal(code="sandbox_reason", params={"field": "reason", "most": LONGEST_TEXT})])
    return reason


def adjustment_faults(sandbox: Sandbox, overlay: Overlay, now: datetime) -> Iterator[Refusal]:
    """What keeps a document from being this trial's next version: another id, the same text, another first day of what
    has begun (else a trial could go on for longer than any may last).
    """
    if overlay.id != sandbox.id:
        yield Refusal(code="sandbox_other_id", params={"sandbox": sandbox.id})
    if overlay == sandbox.newest:
        yield Refusal(code="sandbox_same")
    has_begun = sandbox.approved_number is not None and now >= sandbox.overlay.span.start
    if has_begun and overlay.start != sandbox.overlay.start:
        yield Refusal(code="sandbox_start_moved", params={"first": sandbox.overlay.start.isoformat()})


def overlaps(mine: Overlay, others: Iterable[tuple[Overlay, Span]], during: Span) -> Iterator[Refusal]:
    """One for each rule that another trial changes in the same time: nobody could say which of the two holds."""
    named = {(change.agreement, change.rule_id) for change in mine.changes}
    for other, span in others:
        for change in other.changes if other.id != mine.id and span.overlaps(during) else ():
            if (change.agreement, change.rule_id) in named:
                params = {"agreement": change.agreement, "rule": change.rule_id, "sandbox": other.id}
                yield Refusal(code="sandbox_overlaps", params={**params})


# ---------------------------------------------------------------- what is measured


def read_value(text: str) -> Fraction:
    """A measured value as it is written in overlays: `12 %`, `1/500`, or a whole number. Raises `Malformed`."""
    text = text.strip().replace(",", ".")
    try:
        return Fraction(int(text)) if text.isdecimal() and len(text) < 12 else parse_share(text)
    except ValueError:
        raise Malformed("sandbox_value", field="value") from None


def reading_faults(overlay: Overlay, reading: Reading, today: date) -> Iterator[Refusal]:
    """What keeps a value from being taken: a metric that the trial has not, a day that is none of its or still to
    come, no evidence.
    """
    if reading.metric not in {metric.id for metric in overlay.metrics}:
        yield Refusal(code="sandbox_no_metric", params={"metric": reading.metric, "field": "metric"})
    last = min(overlay.end, today)
    if not overlay.start <= reading.day <= last:
        params = {"first": overlay.start.isoformat(), "last": last.isoformat(), "field": "day"}
        yield Refusal(code="sandbox_day_outside", params={**params})
    if not reading.evidence.strip() or len(reading.evidence) > LONGEST_TEXT:
        yield Refusal(code="sandbox_evidence", params={"field": "evidence", "most": LONGEST_TEXT})


def stopped_by(overlay: Overlay, reading: Reading) -> StopCondition | None:
    """The condition that this value meets, if there is one."""
    met = (each for each in overlay.stop_if if each.metric == reading.metric and each.stops_at(reading.value))
    return next(met, None)


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A metric with its newest value, the criterion it serves and whether that is met (None without a value)."""

    metric: Metric
    reading: Reading | None
    criteria: tuple[tuple[Criterion, bool | None], ...]
    stops: tuple[StopCondition, ...]


def measured(overlay: Overlay, readings: Sequence[Reading]) -> list[Measured]:
    """Each metric of the overlay at its value of the latest day; of several of one day the one entered last counts."""
    found: list[Measured] = []
    for metric in overlay.metrics:
        mine = [each for each in readings if each.metric == metric.id]
        newest = max(mine, key=lambda each: (each.day, each.at), default=None)
        found.append(
            Measured(
                metric=metric,
                reading=newest,
                criteria=tuple(
                    (each, each.is_met(newest.value) if newest else None)
                    for each in overlay.criteria
                    if each.metric == metric.id
                ),
                stops=tuple(each for each in overlay.stop_if if each.metric == metric.id),
            )
        )
    return found
