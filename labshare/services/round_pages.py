"""What the pages about rounds show, masked for their reader: calls, a round with its offer, and one's own requests.

Applicants see their own requests, and what became of them once the plan is published. Managers see the requests that
could be served at their centres, the user office all of them. What must not live here: the plan itself (desk.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from datetime import datetime
from uuid import UUID

import msgspec

from labshare.domain import clearances as clearance_rules
from labshare.domain.people import Action, Actor, may, may_somewhere
from labshare.domain.rounds import Offer, PlanRow, PlanState, Round, RoundState
from labshare.domain.time_requests import Eligible, RequestState, TimeRequest
from labshare.domain.timespan import Span
from labshare.errors import NotFound, Refusal
from labshare.services import clearances, plans, rounds, time_requests
from labshare.services.planning import worth_of
from labshare.services.reasons import Sight, placed_and_left
from labshare.services.worth import Worth
from labshare.store import bookings as bookings_store
from labshare.store import people as people_store
from labshare.store import plans as plans_store
from labshare.store import rounds as store
from labshare.store import time_requests as requests_store
from labshare.store.engine import Connection
from labshare.store.rounds import InstrumentName, Name

OVER = (RoundState.PUBLISHED, RoundState.WITHDRAWN)


class RoundLine(msgspec.Struct, frozen=True, kw_only=True):
    """A round in a list. `requests` is None for those who do not manage it."""

    round: Round
    centres: tuple[Name, ...]
    instruments: int
    requests: int | None
    is_accepting: bool


class RequestLine(msgspec.Struct, frozen=True, kw_only=True):
    """A request with the names around it. `label` numbers the requests of a round in the order in which they came.

    Once the round is published: `sessions` as (booking, instrument, use), `reason` why fewer than asked for were
    placed, `worth` what one session counted for in the plan.
    """

    request: TimeRequest
    round: Round
    label: str
    project: str
    person: str
    organisation: Name
    instruments: tuple[InstrumentName, ...]
    sessions: tuple[tuple[UUID, str, Span], ...] = ()
    reason: Refusal | None = None
    worth: Worth | None = None

    @property
    def shown_state(self) -> str:
        """The request's state as it is read; some sessions of several is a state of its own."""
        is_partly = self.request.state is RequestState.PLACED and len(self.sessions) < self.request.sessions
        return "partly_placed" if is_partly else self.request.state.value


class HeldLine(msgspec.Struct, frozen=True, kw_only=True):
    """A request that lacks a security clearance (R26) and is held out of the plan: why, as its reader may know it."""

    line: RequestLine
    reasons: tuple[Refusal, ...]
    is_overdue: bool


class OfferLine(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument of the round with its offered intervals."""

    instrument: InstrumentName
    offers: tuple[Offer, ...]


class RoundPage(msgspec.Struct, frozen=True, kw_only=True):
    """One round as its reader may see it."""

    round: Round
    offers: tuple[OfferLine, ...]
    mine: tuple[RequestLine, ...]
    others: tuple[RequestLine, ...]
    held: tuple[HeldLine, ...]
    plans: tuple[PlanRow, ...]
    may_manage: bool
    may_apply: bool
    sees_requests: bool

    @property
    def running(self) -> PlanRow | None:
        """The plan that waits or runs now."""
        return next((plan for plan in self.plans if plan.state in (PlanState.QUEUED, PlanState.RUNNING)), None)


def sight_of(actor: Actor | None) -> Sight:
    """How far this reader sees: their own requests, their centres', or everybody's."""
    if actor is None:
        return Sight(person_id=None)
    return Sight(person_id=actor.person_id, centre_ids=actor.centre_ids, sees_all=may(actor, Action.SEE_BOOKING))


def listing(db: Connection, actor: Actor | None, now: datetime) -> list[RoundLine]:
    """All rounds; a draft only for those who may manage it."""
    found = store.listed(db)
    numbers = store.numbers_by_round(db, [r.id for r in found])
    names = store.instrument_names(db, {number for each in numbers.values() for number in each})
    rules = bookings_store.rules_of(db, names)
    counts = requests_store.count_by_round(db, numbers)
    lines: list[RoundLine] = []
    for r in found:
        offered = sorted(numbers.get(r.id, ()))
        manages = rounds.may_manage(actor, [rules[number] for number in offered])
        if r.state is RoundState.DRAFT and not manages:
            continue
        centres = {names[number].centre.id: names[number].centre for number in offered}
        lines.append(
            RoundLine(
                round=r,
                centres=tuple(centres.values()),
                instruments=len(offered),
                requests=counts.get(r.id, 0) if manages else None,
                is_accepting=r.is_accepting(now),
            )
        )
    return lines


def mine(db: Connection, actor: Actor) -> list[RequestLine]:
    """The actor's requests in all rounds, the newest first."""
    requests = requests_store.of_person(db, actor.person_id)
    found = store.by_ids(db, {request.round_id for request in requests})
    return [line for r in found.values() for line in _own_lines(db, actor, r)][::-1]


def page(
    db: Connection, actor: Actor | None, round_id: UUID, now: datetime, *, with_requests: bool = True
) -> RoundPage:
    """One round. A draft is not found by those who may not manage it.

    Without `with_requests` the requests of others are left out, because the desk beside it shows them.
    """
    r = store.get(db, round_id)
    offers = store.offers_of(db, round_id)
    numbers = {offer.instrument_number for offer in offers}
    rules = bookings_store.rules_of(db, numbers)
    manages = rounds.may_manage(actor, rules.values())
    if r.state is RoundState.DRAFT and not manages:
        raise NotFound("round_not_found")
    names = store.instrument_names(db, numbers)
    sight = sight_of(actor)
    sees_requests = sight.sees_all or any(name.centre.id in sight.centre_ids for name in names.values())
    return RoundPage(
        round=r,
        offers=tuple(
            OfferLine(
                instrument=name, offers=tuple(offer for offer in offers if offer.instrument_number == name.number)
            )
            for name in names.values()
        ),
        mine=tuple(_own_lines(db, actor, r)) if actor else (),
        others=tuple(visible_requests(db, r, sight)) if sees_requests and with_requests else (),
        held=tuple(_held(db, r, sight, now)) if sees_requests else (),
        plans=tuple(plans_store.of_round(db, round_id)) if sees_requests else (),
        may_manage=manages,
        may_apply=r.is_accepting(now) and may_somewhere(actor, Action.APPLY),
        sees_requests=sees_requests,
    )


def own_request(db: Connection, actor: Actor, request_id: UUID) -> RequestLine:
    """One of the actor's own requests; `NotFound` for anybody else's."""
    request = time_requests.own(db, actor, request_id)
    lines = _own_lines(db, actor, store.get(db, request.round_id))
    return next(line for line in lines if line.request.id == request_id)


def held_reasons(db: Connection, line: RequestLine, now: datetime) -> tuple[Refusal, ...]:
    """Why a request of a round that is not over is held; empty when it is not."""
    if line.request.state is not RequestState.SUBMITTED or line.round.state in OVER:
        return ()
    lacks = clearances.of_requests(db, line.round, [line.request], now).get(line.request.id, ())
    return tuple(clearance_rules.refusal(each, line.project, now) for each in lacks)


def _held(db: Connection, r: Round, sight: Sight, now: datetime) -> Iterable[HeldLine]:
    """The requests that this reader may see and that are held, while the round is not over."""
    found = clearances.of_round(db, r, now) if r.state not in OVER else {}
    lines = visible_requests(db, r, sight) if found else []
    for line in lines:
        if lacks := found.get(line.request.id, ()):
            yield HeldLine(
                line=line,
                reasons=tuple(clearance_rules.refusal(each, line.project, now) for each in lacks),
                is_overdue=any(each.is_overdue(now) for each in lacks),
            )


def visible_requests(db: Connection, r: Round, sight: Sight, *, at: Set[str] | None = None) -> list[RequestLine]:
    """The requests of a round that this reader may see, withdrawn ones left out; `at` keeps those of some centres."""
    offered = _offered_names(db, r)
    requests = requests_store.of_round(db, r.id)
    centres = {
        request_id: {each.centre.id for each in instruments}
        for request_id, instruments in instruments_of(requests, offered).items()
    }
    seen = [
        request
        for request in requests
        if sight.sees(request, centres[request.id]) and (at is None or at & centres[request.id])
    ]
    return lines_of(db, r, seen, offered)


def lines_of(
    db: Connection, r: Round, requests: Iterable[TimeRequest], offered: Mapping[int, InstrumentName]
) -> list[RequestLine]:
    """Requests with their names. Labels number the round's requests, so every page calls a request the same."""
    listed = list(requests)
    labels = labels_of(db, r)
    instruments = instruments_of(listed, offered)
    people = people_store.names(db, {request.person_id for request in listed})
    organisations = store.organisation_names(db, {request.organisation_id for request in listed})
    projects = requests_store.project_codes(db, {request.project_id for request in listed})
    return [
        RequestLine(
            request=request,
            round=r,
            label=labels.get(request.id, "–"),
            project=projects[request.project_id],
            person=people.get(request.person_id, ""),
            organisation=organisations[request.organisation_id],
            instruments=instruments[request.id],
        )
        for request in listed
    ]


def labels_of(db: Connection, r: Round) -> dict[UUID, str]:
    """#1, #2, ... in the order in which the requests came."""
    return {request_id: f"#{at}" for at, request_id in enumerate(requests_store.ids_of_round(db, r.id), 1)}


def instruments_of(
    requests: Iterable[TimeRequest], offered: Mapping[int, InstrumentName]
) -> dict[UUID, tuple[InstrumentName, ...]]:
    """The offered instruments that each request names or, by its capability, means."""
    able: dict[str, list[InstrumentName]] = defaultdict(list)
    for each in offered.values():
        able[each.capability.id].append(each)
    by_capability = {capability: tuple(names) for capability, names in able.items()}
    return {
        request.id: tuple(offered[number] for number in request.instrument_numbers if number in offered)
        if request.capability_id is None
        else by_capability.get(request.capability_id, ())
        for request in requests
    }


def offered_to(db: Connection, actor: Actor, round_id: UUID) -> tuple[Round, dict[int, Eligible], list[InstrumentName]]:
    """What the form of a request needs: the round, its instruments as this person may use them, and their names.

    A draft is not found: nobody applies in a round before it is announced.
    """
    r = store.get(db, round_id)
    if r.state is RoundState.DRAFT:
        raise NotFound("round_not_found")
    offered = time_requests.offered_to(db, r, actor.person_id)
    return r, offered, list(store.instrument_names(db, offered).values())


def offerable(db: Connection, actor: Actor) -> list[InstrumentName]:
    """The instruments that this person may offer in a round."""
    everywhere = may(actor, Action.MANAGE_ROUND)
    return store.offerable(db, None if everywhere else actor.centre_ids)


def _own_lines(db: Connection, actor: Actor, r: Round) -> list[RequestLine]:
    requests = requests_store.of_person(db, actor.person_id, round_id=r.id)
    if not requests:
        return []
    lines = lines_of(db, r, requests, _offered_names(db, r))
    if r.state is not RoundState.PUBLISHED:
        return lines
    sessions = requests_store.published_sessions(db, [request.id for request in requests])
    reasons, worth = _decided(db, r)
    return [
        msgspec.structs.replace(
            line,
            sessions=tuple(sessions.get(line.request.id, ())),
            reason=reasons.get(line.request.id),
            worth=worth.get(line.request.id),
        )
        for line in lines
    ]


def _decided(db: Connection, r: Round) -> tuple[dict[UUID, Refusal], dict[UUID, Worth]]:
    """Why requests of a published round got less than asked for, in terms that name nobody else; and their worth."""
    plan = next((each for each in plans_store.of_round(db, r.id) if each.state is PlanState.PUBLISHED), None)
    found = plans.outlines(db, plan.id) if plan else None
    if found is None:
        return {}, {}
    return placed_and_left(r, found[1], {}, {}).reasons, worth_of(found[0].requests)


def _offered_names(db: Connection, r: Round) -> dict[int, InstrumentName]:
    return store.instrument_names(db, store.numbers_by_round(db, [r.id]).get(r.id, ()))
