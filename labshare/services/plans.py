"""How a plan is run, seen from the database: taken, built, followed, kept or put aside. Nobody signs in for these.

Each function is one short transaction between which the solver works for minutes (labshare/solving.py). What must not
live here: processes and threads, or what a person asks for (rounds.py).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from labshare.domain.bookings import InstrumentRules
from labshare.domain.ordering import decayed
from labshare.domain.rounds import Offer, PlanRow, PlanState, Round, RoundState, require_next, state_with
from labshare.domain.standing_rules import hours_on_dates
from labshare.domain.time_requests import Eligible
from labshare.domain.timespan import MINUTE, Span
from labshare.errors import Refusal
from labshare.scheduler.check import check
from labshare.scheduler.plan import Plan
from labshare.scheduler.problem import Instrument, Problem, encode, sha256
from labshare.scheduler.reading import Malformed, parse, parse_plan
from labshare.services import calendars, clauses, clearances, stages, standings
from labshare.services.planning import REMEMBERED_HALF_LIVES, Facts, build_problem
from labshare.store import audit, outbox
from labshare.store import bookings as bookings_store
from labshare.store import organisations as organisations_store
from labshare.store import plans as store
from labshare.store import projects as projects_store
from labshare.store import qualifications as qualifications_store
from labshare.store import rounds as rounds_store
from labshare.store import time_requests as requests_store
from labshare.store.engine import Connection
from labshare.store.rulebooks import with_posted

LEASE = timedelta(seconds=20)
MOST_ATTEMPTS = 5
# A faulted plan is for whoever mends the solver; the first faults are enough to find the place.
MOST_FAULTS = 20
AROUND_MINUTES = 24 * 60


# ---------------------------------------------------------------- the runner's steps


def take(db: Connection, now: datetime, *, plan_id: UUID | None = None) -> PlanRow | None:
    """The next plan to run, leased to this attempt; None when none waits.

    A plan that has ended its process too often is put aside as failed: it would take every other down with it.
    """
    plan = store.take(db, now, LEASE, plan_id=plan_id)
    if plan is None or plan.attempt <= MOST_ATTEMPTS:
        return plan
    put_aside(db, plan, (Refusal(code="plan_gave_up", params={"attempts": MOST_ATTEMPTS}),), now)
    return None


def is_waiting(db: Connection, now: datetime) -> bool:
    """Whether a plan waits to be run, or lost its runner."""
    return store.is_waiting(db, now)


def build(db: Connection, plan: PlanRow, now: datetime) -> bytes:
    """The round as it stands now, as the problem's file. Reads only: it may take seconds."""
    facts = load_facts(db, rounds_store.get(db, plan.round_id), now)
    return encode(build_problem(facts, standings.standings(db, facts)))


def keep_problem(db: Connection, plan: PlanRow, data: bytes) -> None:
    """Keep the problem with the plan, which will be judged by it."""
    store.write(db, plan.id, plan.attempt, problem=data.decode(), problem_sha256=sha256(data))


def follow(db: Connection, plan: PlanRow, progress: str, now: datetime) -> PlanRow | None:
    """Write how far the run is and hold on to the lease; None when this attempt no longer has the plan."""
    if not store.write(db, plan.id, plan.attempt, progress=progress, lease_until=now + LEASE):
        return None
    return store.get(db, plan.id)


def give_back(db: Connection, plan: PlanRow, now: datetime) -> None:
    """Let somebody else take the plan at once: this process is about to end."""
    store.write(db, plan.id, plan.attempt, lease_until=now)


def propose(db: Connection, plan: PlanRow, document: bytes, now: datetime) -> bool:
    """Keep a plan that was judged sound as the round's proposal; the one before it is replaced.

    False, and nothing kept, when this attempt no longer has the plan.
    """
    current = rounds_store.get(db, plan.round_id, lock=True)
    standing = proposal(db, plan.round_id)
    if standing is not None and _is_worse(db, plan, document, standing):
        # "Keep the best" is meant over all runs on the same facts, not only within this one.
        put_aside(db, plan, (Refusal(code="plan_no_better"),), now)
        return True
    kept = store.write(
        db, plan.id, plan.attempt, state=PlanState.PROPOSED, plan=document.decode(), plan_sha256=sha256(document),
        finished_at=now, lease_until=None,
    )  # fmt: skip
    if not kept:
        return False
    before = [each.id for each in store.of_round(db, plan.round_id) if each.state is PlanState.PROPOSED]
    store.settle(db, [plan_id for plan_id in before if plan_id != plan.id], PlanState.REPLACED, now)
    become(db, current, RoundState.PROPOSED)
    _record(db, plan, current, "propose", now)
    return True


def _is_worse(db: Connection, plan: PlanRow, document: bytes, standing: PlanRow) -> bool:
    """Whether this plan is less than the standing one on the very same problem; on others they do not compare."""
    problem, _ = store.documents(db, plan.id)
    problem_before, before = store.documents(db, standing.id)
    if not stages.asks_alike(problem, problem_before):
        return False
    found, found_before = parse_plan(document), parse_plan(before)
    return stages.rank(problem, found) < stages.rank(problem_before, found_before)


def put_aside(db: Connection, plan: PlanRow, failure: tuple[Refusal, ...], now: datetime) -> None:
    """Keep on record that no plan came of this run, and why; without a reason it was cancelled."""
    current = rounds_store.get(db, plan.round_id, lock=True)
    state = PlanState.FAILED if failure else PlanState.CANCELLED
    kept = store.write(
        db, plan.id, plan.attempt, state=state, failure=msgspec.json.encode(failure).decode() if failure else "",
        finished_at=now, lease_until=None,
    )  # fmt: skip
    if kept:
        put_back(db, current, now)
        _record(db, plan, current, state.value, now)


def put_back(db: Connection, current: Round, now: datetime) -> None:
    """Bring a round out of planning to where it stood before: to its older proposal, or to none."""
    plan = proposal(db, current.id)
    offers = rounds_store.offers_of(db, current.id)
    instruments = bookings_store.rules_of(db, {offer.instrument_number for offer in offers})
    approved = [each.centre_id for each in store.approvals_of(db, plan.id)] if plan else []
    become(db, current, state_with(plan, approved, {rules.centre_id for rules in instruments.values()}))


def proposal(db: Connection, round_id: UUID) -> PlanRow | None:
    """The plan that is proposed for the round now."""
    found = (plan for plan in store.of_round(db, round_id) if plan.state is PlanState.PROPOSED)
    return next(found, None)


def become(db: Connection, current: Round, state: RoundState) -> Round:
    """Write the round's next state. Raises `WrongState` where it cannot become this."""
    require_next(current, state)
    changed = msgspec.structs.replace(current, state=state)
    return rounds_store.change(db, changed, seen_version=current.version)


def failure_of(plan: PlanRow) -> tuple[Refusal, ...]:
    """Why the plan failed, as refusals to be said in the reader's language."""
    return msgspec.json.decode(plan.failure, type=tuple[Refusal, ...]) if plan.failure else ()


def _record(db: Connection, plan: PlanRow, current: Round, action: str, now: datetime) -> None:
    audit.record(
        db, actor_id=None, action=action, noun="plan", noun_id=plan.id, now=now,
        details={"round": current.code, "attempt": plan.attempt},
    )  # fmt: skip
    outbox.post(db, "plans", {"round": str(current.id), "plan": str(plan.id)})


# ---------------------------------------------------------------- judging


def judge(problem: bytes, document: bytes) -> tuple[Refusal, ...]:
    """Why this plan must not be proposed; empty when the checker finds nothing. Reads no database and no solver."""
    try:
        asked, plan = parse(problem), parse_plan(document)
    except Malformed as error:
        return tuple(_fault("unreadable", fault.path, fault.message) for fault in error.faults[:MOST_FAULTS])
    if plan.status == "infeasible":
        return (Refusal(code="plan_infeasible", params={"rules": ", ".join(plan.conflict)}),)
    faults = check(asked, plan, problem_sha256=sha256(problem))
    return tuple(_fault(fault.code, fault.where, fault.detail) for fault in faults[:MOST_FAULTS])


def is_unbegun(document: bytes, standing: int = 0) -> bool:
    """Whether the solver had placed nothing yet beside the sessions that stood, and not proven that nothing can be."""
    try:
        plan = parse_plan(document)
    except Malformed:
        return False
    return plan.status == "feasible" and len(plan.sessions) <= standing


def _fault(code: str, where: str, detail: str) -> Refusal:
    return Refusal(code="plan_faulted", params={"fault": code, "where": where, "detail": detail})


# ---------------------------------------------------------------- the facts


def load_facts(db: Connection, r: Round, now: datetime) -> Facts:
    """Everything planning needs to know, read in one transaction."""
    offers = rounds_store.offers_of(db, r.id)
    rules = bookings_store.rules_of(db, {offer.instrument_number for offer in offers})
    everything = requests_store.of_round(db, r.id)
    held = clearances.of_requests(db, r, everything, now)
    requests = tuple(request for request in everything if request.id not in held)
    persons = {request.person_id for request in requests}
    around = r.horizon.widened(AROUND_MINUTES, AROUND_MINUTES)
    # What occupies an instrument is counted in whole minutes; a minute that has begun belongs to the past.
    whole = now.replace(second=0, microsecond=0)
    now = whole if whole == now else whole + MINUTE
    order = clauses.order_at(db, list(rules.values()), r.starts_at)
    recent = requests_store.recent_use(db, rules, Span(now - REMEMBERED_HALF_LIVES * order.half_life, now))
    return Facts(
        round=r,
        now=now,
        instruments=offered(db, r, offers, rules),
        requests=requests,
        busy=bookings_store.busy_spans(db, rules, around),
        person_busy=requests_store.persons_busy(db, persons, around, now),
        qualified=qualifications_store.qualified_on(db, persons, rules),
        projects=requests_store.usable_projects(db, {request.project_id for request in requests}),
        project_names=projects_store.names_of(db, {request.project_id for request in requests}),
        recent=decayed(recent, now, order.half_life),
        tiers=order.tiers,
        sizes=organisations_store.sizes(db, {request.organisation_id for request in requests}),
    )


def offered(
    db: Connection, r: Round, offers: tuple[Offer, ...], rules: dict[int, InstrumentRules]
) -> dict[int, Eligible]:
    """The instruments of the round with their offered intervals and open hours, by number."""
    around = r.horizon.widened(AROUND_MINUTES, AROUND_MINUTES)
    book, closed = with_posted(db), calendars.closed_dates_over(around)
    capabilities = rounds_store.capabilities_of(db, rules)
    return {
        number: Eligible(
            rules=each,
            capability_id=capabilities[number],
            offered=tuple(offer.span for offer in offers if offer.instrument_number == number),
            opened=tuple(calendars.open_spans_of(each, around, closed, hours_on_dates(book.posted_at(each.site)))),
        )
        for number, each in sorted(rules.items())
    }


class OutlinedOption(msgspec.Struct, frozen=True):
    """An option without its starts, of which a large problem has hundreds of thousands."""

    instrument: str
    value: int = 0


class OutlinedRequest(msgspec.Struct, frozen=True):
    id: str
    tags: tuple[str, ...] = ()
    options: tuple[OutlinedOption, ...] = ()


class Outline(msgspec.Struct, frozen=True):
    """What a page shows of a problem: free time by instrument, and what each request is worth where."""

    instruments: tuple[Instrument, ...] = ()
    requests: tuple[OutlinedRequest, ...] = ()


def outlines(db: Connection, plan_id: UUID) -> tuple[Outline, Plan] | None:
    """The outline of the problem and the plan of a finished run; None while there is none."""
    problem, plan = store.documents(db, plan_id)
    if not (problem and plan):
        return None
    return msgspec.json.decode(problem, type=Outline), msgspec.json.decode(plan, type=Plan)


def documents(db: Connection, plan_id: UUID) -> tuple[Problem, Plan] | None:
    """The problem and the plan of a finished run; None while there is none.

    Both were judged before they were kept, so reading them looks for no contradictions again.
    """
    problem, plan = store.documents(db, plan_id)
    if not (problem and plan):
        return None
    return msgspec.json.decode(problem, type=Problem), msgspec.json.decode(plan, type=Plan)
