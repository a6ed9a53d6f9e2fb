"""The life of a round: made, opened, closed, planned, approved, published or withdrawn. One function for each step.

Steps that touch the calendar lock the offered instruments first, in number order, and the round after them, so that a
booking and an offer can never both have the same time. What must not live here: requests for time (time_requests.py)
and how a plan is run (plans.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID, uuid4

import msgspec

from labshare.domain.bookings import InstrumentRules
from labshare.domain.people import Action, Actor, may, may_somewhere, require
from labshare.domain.rounds import (
    UNFINISHED,
    Approval,
    Draft,
    Offer,
    PlanRow,
    PlanState,
    Round,
    RoundState,
    check_round,
    require_next,
    state_with,
)
from labshare.domain.time_requests import RequestState
from labshare.domain.timespan import Span
from labshare.errors import Forbidden, Malformed, NotFound, Refused, Stale, WrongState
from labshare.scheduler.reading import parse_plan
from labshare.services import clearances, freeing, planning, plans, round_letters
from labshare.services.sessions import publish_sessions
from labshare.store import agreements as agreements_store
from labshare.store import audit, due, facts, outbox
from labshare.store import bookings as bookings_store
from labshare.store import people as people_store
from labshare.store import plans as plans_store
from labshare.store import rounds as store
from labshare.store import time_requests as requests_store
from labshare.store.engine import Connection

CLOSES = "round_closes"
LONGEST_CODE, LONGEST_TITLE, LONGEST_NOTE = 40, 200, 500


class NewRound(msgspec.Struct, frozen=True, kw_only=True):
    """A round as a form states it. `offers` are (registry code of an instrument, interval)."""

    code: str
    title_vi: str
    title_en: str
    opens_at: datetime
    closes_at: datetime
    publishes_at: datetime
    starts_at: datetime
    ends_at: datetime
    slot_minutes: int
    offers: tuple[tuple[str, Span], ...]


# ---------------------------------------------------------------- making


def create(db: Connection, actor: Actor, new: NewRound, now: datetime) -> Round:
    """Write a draft with its offer. Raises `Forbidden` unless the actor answers for every centre of the offer."""
    made = _round_of(new, uuid4(), actor.person_id, now)
    offers = _offers_of(db, made.id, new)
    instruments = _lock(db, offers)
    _require_everywhere(actor, Action.MANAGE_ROUND, instruments.values())
    _refuse(db, made, offers, instruments)
    store.add(db, made)
    store.put_offers(db, made.id, offers)
    _record(db, actor, "create", made, now)
    return made


def change_draft(
    db: Connection, actor: Actor, round_id: UUID, new: NewRound, *, seen_version: int, now: datetime
) -> Round:
    """Write a draft anew, offer and all. Raises `WrongState` once it has been opened, and `Stale`."""
    old = store.offers_of(db, round_id)
    offers = _offers_of(db, round_id, new)
    instruments = _lock(db, (*old, *offers))
    before = _seen(db, actor, round_id, instruments.values(), seen_version)
    if before.state is not RoundState.DRAFT:
        raise WrongState("round_wrong_state", round=before.code, round_state=before.state.value)
    made = _round_of(new, round_id, before.created_by_id, before.created_at)
    if made.code != before.code and store.by_code(db, made.code) is not None:
        raise Malformed("round_code_taken", round=made.code)
    used = {offer.instrument_number for offer in offers}
    _refuse(db, made, offers, {number: rules for number, rules in instruments.items() if number in used})
    changed = store.change(db, made, seen_version=seen_version)
    store.put_offers(db, round_id, offers)
    _record(db, actor, "change", changed, now)
    return changed


def open_round(db: Connection, actor: Actor, round_id: UUID, *, seen_version: int, now: datetime) -> Round:
    """Announce the round and keep its offer from direct booking, from this moment on.

    Bookings that stand already stay; planning works around them. Raises `Refused` when another round keeps the time.
    """
    # Share rules may be kept over its horizon from now on: every booking is judged by them or counted for them.
    agreements_store.hold_still(db)
    offers = store.offers_of(db, round_id)
    instruments = _lock(db, offers)
    before = _seen(db, actor, round_id, instruments.values(), seen_version)
    require_next(before, RoundState.OPEN)
    if before.closes_at <= now:
        raise WrongState("round_closed_already", round=before.code, closes_at=before.closes_at.isoformat())
    _refuse(db, before, offers, instruments)
    opened = _become(db, actor, before, RoundState.OPEN, now)
    facts.renew_stamp(db)
    due.schedule(db, CLOSES, round_id, opened.closes_at)
    _tell_calendars(db, instruments.values())
    return opened


def close(db: Connection, actor: Actor, round_id: UUID, *, seen_version: int, now: datetime) -> Round:
    """Take no more requests, before the announced time if need be."""
    before = _seen(db, actor, round_id, _instruments(db, round_id), seen_version)
    require_next(before, RoundState.CLOSED)
    due.forget(db, CLOSES, round_id)
    return _become(db, actor, before, RoundState.CLOSED, now)


def close_when_due(db: Connection, round_id: UUID, now: datetime) -> None:
    """What the ticker does at the announced time; nothing when somebody closed or withdrew the round before."""
    current = store.get(db, round_id, lock=True)
    if current.state is RoundState.OPEN and current.closes_at <= now:
        _become(db, None, current, RoundState.CLOSED, now)


def withdraw(db: Connection, actor: Actor, round_id: UUID, *, seen_version: int, now: datetime) -> Round:
    """End the round without a plan and give its time back to direct booking. Requests and plans stay on record."""
    offers = store.offers_of(db, round_id)
    instruments = _lock(db, offers)
    before = _seen(db, actor, round_id, instruments.values(), seen_version)
    require_next(before, RoundState.WITHDRAWN)
    due.forget(db, CLOSES, round_id)
    unfinished = [plan.id for plan in plans_store.of_round(db, round_id) if plan.state in UNFINISHED]
    plans_store.settle(db, unfinished, PlanState.CANCELLED, now)
    _release(db, round_id, offers, now)
    round_letters.withdrawn(db, before, requests_store.of_round(db, round_id), now)
    _tell_calendars(db, instruments.values())
    withdrawn = _become(db, actor, before, RoundState.WITHDRAWN, now)
    facts.renew_stamp(db)
    return withdrawn


# ---------------------------------------------------------------- planning


def queue_plan(db: Connection, actor: Actor, round_id: UUID, *, seconds: int, seed: int = 1, now: datetime) -> PlanRow:
    """Queue a run of the solver; the runner takes it from its row. A proposal that stands, stands until the next.

    Raises `WrongState` while the round still takes requests or another plan waits or runs.
    """
    current = store.get(db, round_id, lock=True)
    _require_everywhere(actor, Action.MANAGE_ROUND, _instruments(db, round_id))
    require_next(current, RoundState.PLANNING)
    plan = PlanRow(
        id=uuid4(), round_id=round_id, state=PlanState.QUEUED, attempt=0, lease_until=None, queued_at=now,
        started_at=None, finished_at=None, cancel_requested_at=None, seed=seed, budget_seconds=seconds, progress="",
        problem_sha256="", plan_sha256="", failure="", created_by_id=actor.person_id, version=1,
    )  # fmt: skip
    plans_store.add(db, plan)
    clearances.keep_of_round(db, actor, current, now)
    _become(db, actor, current, RoundState.PLANNING, now)
    outbox.post(db, "plans", {"round": str(round_id), "plan": str(plan.id)})
    return plan


def cancel_plan(db: Connection, actor: Actor, plan_id: UUID, now: datetime) -> PlanRow:
    """Stop a plan: one that waits is cancelled, one that runs is asked for the best it has so far.

    Raises `WrongState` once it is finished.
    """
    plan = plans_store.get(db, plan_id)
    current = store.get(db, plan.round_id, lock=True)
    _require_everywhere(actor, Action.MANAGE_ROUND, _instruments(db, plan.round_id))
    plan = plans_store.get(db, plan_id)
    if plan.state not in UNFINISHED:
        raise WrongState("plan_finished", plan_state=plan.state.value)
    if plan.state is PlanState.QUEUED:
        plans_store.settle(db, [plan_id], PlanState.CANCELLED, now)
        plans.put_back(db, current, now)
    else:
        plans_store.ask_to_cancel(db, plan_id, now)
    audit.record(
        db, actor_id=actor.person_id, action="cancel", noun="plan", noun_id=plan_id, now=now,
        details={"round": current.code},
    )  # fmt: skip
    outbox.post(db, "plans", {"round": str(current.id), "plan": str(plan_id)})
    return plans_store.get(db, plan_id)


# ---------------------------------------------------------------- deciding


def approve(
    db: Connection, actor: Actor, plan_id: UUID, centre_id: str, *, plan_sha256: str, note: str = "", now: datetime
) -> Round:
    """A centre's yes to its own part of the proposal, by the hash of the plan that its manager saw.

    Raises `Stale` when another plan is proposed by now, and `NotFound` for a centre that the round offers nothing of.
    """
    require(actor, Action.APPROVE_PLAN, centre=centre_id)
    if len(note) > LONGEST_NOTE:
        raise Malformed("note_too_long", most=LONGEST_NOTE)
    current = store.get(db, plans_store.get(db, plan_id).round_id, lock=True)
    plan = _proposal(db, current, plan_sha256)
    if plan.id != plan_id:
        raise Stale("plan_changed")
    centres = {rules.centre_id for rules in _instruments(db, current.id)}
    if centre_id not in centres:
        raise NotFound("round_not_of_centre")
    plans_store.approve(
        db,
        Approval(
            plan_id=plan_id, centre_id=centre_id, person_id=actor.person_id, plan_sha256=plan_sha256, note=note.strip(),
            approved_at=now,
        ),
    )  # fmt: skip
    audit.record(
        db, actor_id=actor.person_id, action="approve", noun="plan", noun_id=plan_id, now=now,
        details={"centre": centre_id, "plan_sha256": plan_sha256},
    )  # fmt: skip
    reached = state_with(plan, (each.centre_id for each in plans_store.approvals_of(db, plan_id)), centres)
    return current if reached is current.state else _become(db, actor, current, reached, now)


def publish(db: Connection, actor: Actor, round_id: UUID, *, plan_sha256: str, now: datetime) -> Round:
    """Turn the approved plan's sessions into bookings and give the rest of the offer back, all in one transaction.

    Raises `WrongState` before every centre has approved, `Stale` when another plan is proposed by now, `TimeTaken`
    naming each clash and `Refused` naming each agreement that no longer has room; then nothing has changed.
    """
    offers = store.offers_of(db, round_id)
    instruments = _lock(db, offers)
    current = store.get(db, round_id, lock=True)
    _require_everywhere(actor, Action.PUBLISH_PLAN, instruments.values())
    plan = _proposal(db, current, plan_sha256)
    require_next(current, RoundState.PUBLISHED)
    _, document = plans_store.documents(db, plan.id)
    requests = tuple(requests_store.of_round(db, round_id))
    sessions = parse_plan(document).sessions
    planned = planning.bookings_of(current, requests, instruments, plan.id, sessions, now)
    # What was planned for somebody who has left since, or whose project is held by now, is given back to everybody.
    gone = people_store.absent(db, {booking.person_id for booking in planned if booking.person_id})
    held = clearances.of_requests(db, current, requests, now)
    new = [booking for booking in planned if booking.person_id not in gone and booking.request_id not in held]
    publish_sessions(db, actor, new, now)
    placed = {booking.request_id for booking in new}
    requests_store.decide(
        db,
        {each.id: RequestState.PLACED if each.id in placed else RequestState.UNPLACED for each in requests},
    )
    round_letters.published(db, current, requests, placed, now)
    plans_store.settle(db, [plan.id], PlanState.PUBLISHED, now)
    _release(db, round_id, offers, now)
    _tell_calendars(db, instruments.values())
    return _become(db, actor, current, RoundState.PUBLISHED, now)


# ---------------------------------------------------------------- parts


def may_manage(actor: Actor | None, instruments: Iterable[InstrumentRules]) -> bool:
    """Whether the actor answers for every centre that these instruments stand in."""
    centres = {rules.centre_id for rules in instruments}
    if not centres:
        return may_somewhere(actor, Action.MANAGE_ROUND)
    return all(may(actor, Action.MANAGE_ROUND, centre=centre) for centre in centres)


def _require_everywhere(actor: Actor, action: Action, instruments: Iterable[InstrumentRules]) -> None:
    centres = {rules.centre_id for rules in instruments}
    if not centres and not may_somewhere(actor, action):
        raise Forbidden("forbidden", action=action.value)
    for centre in sorted(centres):
        require(actor, action, centre=centre)


def _round_of(new: NewRound, round_id: UUID, maker_id: UUID | None, created_at: datetime) -> Round:
    code, title_vi, title_en = new.code.strip(), new.title_vi.strip(), new.title_en.strip()
    if not 0 < len(code) <= LONGEST_CODE or not code.isprintable():
        raise Malformed("round_code", most=LONGEST_CODE)
    if not (title_vi or title_en) or max(len(title_vi), len(title_en)) > LONGEST_TITLE:
        raise Malformed("round_title", most=LONGEST_TITLE)
    return Round(
        id=round_id, code=code, title_vi=title_vi or title_en, title_en=title_en or title_vi, opens_at=new.opens_at,
        closes_at=new.closes_at, publishes_at=new.publishes_at, starts_at=new.starts_at, ends_at=new.ends_at,
        slot_minutes=new.slot_minutes, created_by_id=maker_id, created_at=created_at,
    )  # fmt: skip


def _offers_of(db: Connection, round_id: UUID, new: NewRound) -> tuple[Offer, ...]:
    if not new.offers:
        raise Malformed("round_offers_nothing")
    numbers = {code: bookings_store.instrument_number(db, code) for code, _ in new.offers}
    return tuple(
        Offer(id=uuid4(), round_id=round_id, instrument_number=numbers[code], starts_at=span.start, ends_at=span.end)
        for code, span in new.offers
    )


def _lock(db: Connection, offers: Sequence[Offer]) -> dict[int, InstrumentRules]:
    return bookings_store.lock(db, {offer.instrument_number for offer in offers})


def _instruments(db: Connection, round_id: UUID) -> list[InstrumentRules]:
    numbers = {offer.instrument_number for offer in store.offers_of(db, round_id)}
    return list(bookings_store.rules_of(db, numbers).values())


def _seen(
    db: Connection, actor: Actor, round_id: UUID, instruments: Iterable[InstrumentRules], seen_version: int
) -> Round:
    """The round, locked, once it is sure that the actor may manage it and saw the version that stands."""
    current = store.get(db, round_id, lock=True)
    _require_everywhere(actor, Action.MANAGE_ROUND, instruments)
    if current.version != seen_version:
        raise Stale("round_changed")
    return current


def _refuse(db: Connection, made: Round, offers: tuple[Offer, ...], instruments: dict[int, InstrumentRules]) -> None:
    ends = [offer.ends_at for offer in offers]
    whole = Span(min(offer.starts_at for offer in offers), max(ends))
    kept = tuple(store.offers_over(db, instruments, whole, but=made.id))
    refusals = check_round(Draft(round=made, offers=offers, instruments=instruments, kept=kept))
    if refusals:
        raise Refused(refusals)


def _proposal(db: Connection, current: Round, plan_sha256: str) -> PlanRow:
    """The plan proposed for the round now. Raises `WrongState` without one and `Stale` when it is not the one seen."""
    if current.state not in (RoundState.PROPOSED, RoundState.APPROVED):
        raise WrongState("round_wrong_state", round=current.code, round_state=current.state.value)
    plan = plans.proposal(db, current.id)
    if plan is None or plan.plan_sha256 != plan_sha256:
        raise Stale("plan_changed")
    return plan


def _become(db: Connection, actor: Actor | None, current: Round, state: RoundState, now: datetime) -> Round:
    changed = plans.become(db, current, state)
    _record(db, actor, state.value, changed, now)
    return changed


def _record(db: Connection, actor: Actor | None, action: str, changed: Round, now: datetime) -> None:
    audit.record(
        db, actor_id=actor.person_id if actor else None, action=action, noun="round", noun_id=changed.id, now=now,
        details={"round": changed.code, "version": changed.version},
    )  # fmt: skip


def _release(db: Connection, round_id: UUID, offers: Iterable[Offer], now: datetime) -> None:
    """Give what the round still keeps back to direct booking, and to those who wait for it."""
    store.release(db, round_id, now)
    freeing.released(db, ((each.instrument_number, each.span) for each in offers if each.released_at is None), now)


def _tell_calendars(db: Connection, instruments: Iterable[InstrumentRules]) -> None:
    for rules in instruments:
        message = {"instrument": rules.id, "version": rules.calendar_version, "number": rules.number}
        outbox.post(db, "calendar", message)
