"""Requests for time: made, changed and withdrawn by the people who need it, while their round takes requests.

What must not live here: the rules themselves (domain/time_requests.py) or how requests are weighed (worth.py).
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

import msgspec

from labshare.domain.people import Action, Actor, require
from labshare.domain.projects import Project
from labshare.domain.rounds import Round, RoundState
from labshare.domain.time_requests import Application, Eligible, RequestState, TimeRequest, check_request
from labshare.domain.timespan import Span
from labshare.errors import NotFound, Refusal, Refused, Stale, WrongState
from labshare.services import clearances, plans
from labshare.store import audit
from labshare.store import bookings as bookings_store
from labshare.store import people as people_store
from labshare.store import projects as projects_store
from labshare.store import qualifications as qualifications_store
from labshare.store import rounds as rounds_store
from labshare.store import time_requests as store
from labshare.store.engine import Connection


class RequestWish(msgspec.Struct, frozen=True, kw_only=True):
    """A request as a form states it: registry codes of instruments, or a capability; windows may be empty."""

    project_id: UUID
    purpose: str
    sessions: int
    session_minutes: int
    min_sessions: int
    instrument_ids: tuple[str, ...] = ()
    capability_id: str | None = None
    windows: tuple[Span, ...] = ()


def apply(db: Connection, actor: Actor, round_id: UUID, wish: RequestWish, now: datetime) -> TimeRequest:
    """Write a request for the actor, or raise every refusal at once and change nothing. A draft is not found."""
    require(actor, Action.APPLY)
    current = rounds_store.get(db, round_id, lock=True)
    if current.state is RoundState.DRAFT:
        raise NotFound("round_not_found")
    made = _checked(db, actor, current, wish, uuid4(), now, created_at=now)
    store.add(db, made)
    _hold(db, actor, current, made, now)
    _record(db, actor, "apply", made, now)
    return made


def edit(
    db: Connection, actor: Actor, request_id: UUID, wish: RequestWish, *, seen_version: int, now: datetime
) -> TimeRequest:
    """Write a request anew under the same rules as a new one. Raises as `apply` does, and `Stale`."""
    before, current = _own(db, actor, request_id, seen_version)
    made = _checked(db, actor, current, wish, request_id, now, created_at=before.created_at)
    changed = store.change(db, made, seen_version=seen_version)
    _hold(db, actor, current, changed, now)
    _record(db, actor, "change", changed, now)
    return changed


def withdraw(db: Connection, actor: Actor, request_id: UUID, *, seen_version: int, now: datetime) -> TimeRequest:
    """Take no part in the round after all. Raises `Refused` once the round takes no more changes."""
    before, current = _own(db, actor, request_id, seen_version)
    if not current.is_accepting(now):
        closes = current.closes_at.isoformat()
        params: dict[str, str | int] = {"round": current.code, "opens_at": current.opens_at.isoformat()}
        raise Refused([Refusal(code="round_not_accepting", params=params | {"closes_at": closes})])
    gone = store.change(db, msgspec.structs.replace(before, state=RequestState.WITHDRAWN), seen_version=seen_version)
    _record(db, actor, "withdraw", gone, now)
    return gone


def own(db: Connection, actor: Actor, request_id: UUID) -> TimeRequest:
    """One of the actor's own requests; somebody else's is not found, so that nobody learns who applies."""
    found = store.get(db, request_id)
    if found.person_id != actor.person_id:
        raise NotFound("request_not_found")
    return found


def offered_to(db: Connection, current: Round, person_id: UUID) -> dict[int, Eligible]:
    """The instruments of the round, with what this person is qualified for."""
    offers = rounds_store.offers_of(db, current.id)
    rules = bookings_store.rules_of(db, {offer.instrument_number for offer in offers})
    held = qualifications_store.qualified_on(db, [person_id], rules).get(person_id, {})
    return {
        number: msgspec.structs.replace(each, qualified=number in held, qualified_until=held.get(number))
        for number, each in plans.offered(db, current, offers, rules).items()
    }


def _own(db: Connection, actor: Actor, request_id: UUID, seen_version: int) -> tuple[TimeRequest, Round]:
    require(actor, Action.APPLY)
    before = own(db, actor, request_id)
    current = rounds_store.get(db, before.round_id, lock=True)
    if before.state is not RequestState.SUBMITTED:
        raise WrongState("request_wrong_state", request_state=before.state.value)
    if before.version != seen_version:
        raise Stale("request_changed")
    return before, current


def _checked(
    db: Connection,
    actor: Actor,
    current: Round,
    wish: RequestWish,
    request_id: UUID,
    now: datetime,
    *,
    created_at: datetime,
) -> TimeRequest:
    # Whoever leaves beside it is held, or has left: a request is before the leaving, which withdraws it, or refused.
    has_left = bool(people_store.absent(db, [actor.person_id]))
    project, belongs = projects_store.with_membership(db, wish.project_id, actor.person_id)
    offered = offered_to(db, current, actor.person_id)
    if project is None:
        raise Refused([Refusal(code="project_unknown")])
    made = _made(db, actor, current, wish, project, request_id, created_at)
    refusals = check_request(
        Application(
            request=made,
            round=current,
            now=now,
            offered=offered,
            project=project,
            is_member=belongs and not has_left,
        )
    )
    if refusals:
        raise Refused(refusals)
    return made


def _made(
    db: Connection,
    actor: Actor,
    current: Round,
    wish: RequestWish,
    project: Project,
    request_id: UUID,
    created_at: datetime,
) -> TimeRequest:
    return TimeRequest(
        id=request_id,
        round_id=current.id,
        person_id=actor.person_id,
        project_id=project.id,
        organisation_id=project.organisation_id,
        access_class=project.access_class,
        activity=project.activity,
        agreement_id=project.agreement_id,
        purpose=wish.purpose.strip(),
        sessions=wish.sessions,
        session_minutes=wish.session_minutes,
        min_sessions=wish.min_sessions,
        instrument_numbers=tuple(sorted({bookings_store.instrument_number(db, code) for code in wish.instrument_ids})),
        capability_id=wish.capability_id,
        windows=wish.windows,
        created_at=created_at,
    )


def _hold(db: Connection, actor: Actor, current: Round, request: TimeRequest, now: datetime) -> None:
    """A request that lacks a security clearance is taken all the same, and held until that is decided (R26)."""
    clearances.keep(db, actor, clearances.of_requests(db, current, [request], now).get(request.id, ()), now)


def _record(db: Connection, actor: Actor, action: str, request: TimeRequest, now: datetime) -> None:
    audit.record(
        db, actor_id=actor.person_id, action=action, noun="time_request", noun_id=request.id, now=now,
        details={"round": str(request.round_id), "version": request.version},
    )  # fmt: skip
