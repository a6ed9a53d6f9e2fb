"""Rounds: a call that offers instrument time, the plans that divide it, and what each may become.

Reading ROUND_RULES is reading the policy. What must not live here: requests for time (time_requests.py), slots
(services/planning.py), or where the facts of a `Draft` come from (services/rounds.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from uuid import UUID

import msgspec

from labshare.domain.bookings import InstrumentRules
from labshare.domain.timespan import Span
from labshare.errors import Refusal, WrongState

SLOT_CHOICES = (10, 15, 20, 30, 60)
LONGEST_ROUND_DAYS = 184


# ---------------------------------------------------------------- what a round is


class RoundState(StrEnum):
    """Where a round stands. It keeps its offer from `open` until it is published or withdrawn."""

    DRAFT = "draft"
    OPEN = "open"
    CLOSED = "closed"
    PLANNING = "planning"
    PROPOSED = "proposed"
    APPROVED = "approved"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


_S = RoundState
KEEPING = frozenset({_S.OPEN, _S.CLOSED, _S.PLANNING, _S.PROPOSED, _S.APPROVED})
# What a round may become next. Re-solving brings it back to planning; a plan that fails, to what stood before.
NEXT: dict[RoundState, frozenset[RoundState]] = {
    _S.DRAFT: frozenset({_S.OPEN, _S.WITHDRAWN}),
    _S.OPEN: frozenset({_S.CLOSED, _S.WITHDRAWN}),
    _S.CLOSED: frozenset({_S.PLANNING, _S.WITHDRAWN}),
    _S.PLANNING: frozenset({_S.CLOSED, _S.PROPOSED, _S.APPROVED, _S.WITHDRAWN}),
    _S.PROPOSED: frozenset({_S.PLANNING, _S.APPROVED, _S.WITHDRAWN}),
    _S.APPROVED: frozenset({_S.PLANNING, _S.PUBLISHED, _S.WITHDRAWN}),
    _S.PUBLISHED: frozenset(),
    _S.WITHDRAWN: frozenset(),
}


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One allocation cycle over the horizon [starts_at, ends_at). Slots are counted from `starts_at`."""

    id: UUID
    code: str
    title_vi: str
    title_en: str
    state: RoundState = RoundState.DRAFT
    opens_at: datetime
    closes_at: datetime
    publishes_at: datetime
    starts_at: datetime
    ends_at: datetime
    slot_minutes: int
    created_by_id: UUID | None = None
    created_at: datetime
    version: int = 1

    @property
    def name_vi(self) -> str:
        return self.title_vi

    @property
    def name_en(self) -> str:
        return self.title_en

    @property
    def horizon(self) -> Span:
        return Span(self.starts_at, self.ends_at)

    @property
    def keeps_time(self) -> bool:
        return self.state in KEEPING

    def is_accepting(self, now: datetime) -> bool:
        """Whether requests may be made, changed and withdrawn now."""
        return self.state is RoundState.OPEN and self.opens_at <= now < self.closes_at


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """An interval of one instrument that a round divides. `released_at` is set once it is free for direct booking."""

    id: UUID
    round_id: UUID
    instrument_number: int
    starts_at: datetime
    ends_at: datetime
    released_at: datetime | None = None

    @property
    def span(self) -> Span:
        return Span(self.starts_at, self.ends_at)


class KeptOffer(msgspec.Struct, frozen=True, kw_only=True):
    """Time that a round keeps for itself now, and the day by which it is to be given back."""

    instrument_number: int
    span: Span
    round_code: str
    freed_at: datetime


def require_next(current: Round, wanted: RoundState) -> None:
    """Raises `WrongState` when the round cannot become this."""
    if wanted not in NEXT[current.state]:
        raise WrongState("round_wrong_state", round=current.code, round_state=current.state.value)


# ---------------------------------------------------------------- plans


class PlanState(StrEnum):
    """A plan is queued, run, and then proposed; what another proposal replaces, or nobody can use, stays on record."""

    QUEUED = "queued"
    RUNNING = "running"
    PROPOSED = "proposed"
    PUBLISHED = "published"
    REPLACED = "replaced"
    CANCELLED = "cancelled"
    FAILED = "failed"


UNFINISHED = frozenset({PlanState.QUEUED, PlanState.RUNNING})


class PlanRow(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the solver for a round. Results count only for the current `attempt` (ARCHITECTURE.md, decision 8).

    `failure` is a refusal code; the problem and the plan themselves are large and are loaded apart.
    """

    id: UUID
    round_id: UUID
    state: PlanState
    attempt: int
    lease_until: datetime | None
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    cancel_requested_at: datetime | None
    seed: int
    budget_seconds: int
    progress: str
    problem_sha256: str
    plan_sha256: str
    failure: str
    created_by_id: UUID | None
    version: int


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """A centre's yes to its own part of one plan, by the hash of the plan that was seen."""

    plan_id: UUID
    centre_id: str
    person_id: UUID
    plan_sha256: str
    note: str = ""
    approved_at: datetime


def state_with(plan: PlanRow | None, approved: Iterable[str], centres: Iterable[str]) -> RoundState:
    """Where a closed round stands, given the proposal in force and which of its centres have approved that."""
    if plan is None or plan.state is not PlanState.PROPOSED:
        return RoundState.CLOSED
    return RoundState.APPROVED if set(centres) <= set(approved) else RoundState.PROPOSED


# ---------------------------------------------------------------- rules for making a round


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A round as somebody wants it, with what its rules look at: the offered instruments and what others keep."""

    round: Round
    offers: tuple[Offer, ...]
    instruments: dict[int, InstrumentRules]
    kept: tuple[KeptOffer, ...] = ()


RoundRule = Callable[[Draft], Iterable[Refusal]]


def in_order(draft: Draft) -> Iterable[Refusal]:
    """Opens, closes, is published, starts, ends: each no earlier than the one before."""
    r = draft.round
    if not (r.opens_at < r.closes_at <= r.publishes_at <= r.starts_at < r.ends_at):
        yield Refusal(code="round_times_out_of_order")


def not_too_long(draft: Draft) -> Iterable[Refusal]:
    if (draft.round.ends_at - draft.round.starts_at).days > LONGEST_ROUND_DAYS:
        yield Refusal(code="round_too_long", params={"days": LONGEST_ROUND_DAYS})


def slots_fit(draft: Draft) -> Iterable[Refusal]:
    if draft.round.slot_minutes not in SLOT_CHOICES:
        yield Refusal(code="round_slot", params={"choices": ", ".join(map(str, SLOT_CHOICES))})


def offers_inside(draft: Draft) -> Iterable[Refusal]:
    """What is offered lies within the horizon, and no interval of an instrument is offered twice."""
    r = draft.round
    if r.starts_at >= r.ends_at:
        return
    for number, rules in draft.instruments.items():
        spans = sorted(offer.span for offer in draft.offers if offer.instrument_number == number)
        if not all(r.horizon.contains(span) for span in spans):
            yield Refusal(code="offer_outside_round", params={"instrument": rules.id})
        if any(a.overlaps(b) for a, b in pairwise(spans)):
            yield Refusal(code="offer_twice", params={"instrument": rules.id})


def offered_by_time(draft: Draft) -> Iterable[Refusal]:
    for rules in draft.instruments.values():
        if not rules.takes_bookings:
            yield Refusal(code="offer_not_by_time", params={"instrument": rules.id})


def one_at_a_time(draft: Draft) -> Iterable[Refusal]:
    """A plan gives an instrument to one session at a time; where several may use it, there is room to book directly."""
    for rules in draft.instruments.values():
        if rules.capacity > 1:
            yield Refusal(code="offer_for_several", params={"instrument": rules.id, "capacity": rules.capacity})


def not_kept_elsewhere(draft: Draft) -> Iterable[Refusal]:
    """Contested time has one owner (ARCHITECTURE.md, decision 11)."""
    for other in draft.kept:
        mine = (offer.span for offer in draft.offers if offer.instrument_number == other.instrument_number)
        if any(span.overlaps(other.span) for span in mine):
            instrument = draft.instruments[other.instrument_number].id
            yield Refusal(code="offer_kept_elsewhere", params={"instrument": instrument, "round": other.round_code})


ROUND_RULES: tuple[RoundRule, ...] = (
    in_order,
    not_too_long,
    slots_fit,
    offered_by_time,
    one_at_a_time,
    offers_inside,
    not_kept_elsewhere,
)


def check_round(draft: Draft) -> tuple[Refusal, ...]:
    """Every refusal of every rule, in the order of the list. Empty when the round may be written."""
    return tuple(refusal for rule in ROUND_RULES for refusal in rule(draft))
