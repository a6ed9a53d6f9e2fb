"""Replay: a past period's real demand planned twice, under the agreements as signed and with a sandbox in force.

The plan is made as of the period's first minute: a window that began earlier has been used as it was, and what stands
beside the period's demand (other instruments, uses over its ends) has been used too; what came after is unknown. The
sandbox is taken to have been in force throughout, so that both rule sets have the same windows and are measured on the
same base, what can be allocated by the blocks that are known today. Booked time is counted, never delivered time.

The second plan begins with the first one, and each session that it moves costs it one unit of objective: of plans that
are worth the same it takes the one that changes least, so that a tie is not mistaken for an effect. Where the first
plan is not proven the best, it is then searched once more from the second one, and the better of its two plans counts.
Both plans are made in one piece: here a strict tier weighs ten times as much a slot, like any other, and no more.

Nothing here writes. What must not live here: what counts as demand (demand.py), rows and masks (domain/replay.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date, datetime
from fractions import Fraction
from uuid import UUID

import msgspec

from labshare.domain import sandbox
from labshare.domain.agreements import Balance, BalanceKey, Counter, Term, Use, limit
from labshare.domain.people import Action, Actor
from labshare.domain.replay import (
    Comparison,
    Count,
    Replayed,
    RuleRow,
    Served,
    Side,
    Want,
    period_span,
    rule_rows,
)
from labshare.domain.round_terms import in_rounds
from labshare.domain.sandbox import Overlay
from labshare.domain.sandbox_documents import Around, sandbox_faults
from labshare.domain.timespan import Span
from labshare.domain.weighing import shifts
from labshare.errors import Forbidden, Malformed, NotSignedIn, Refusal, Refused
from labshare.scheduler.plan import Plan, encode_plan, gap_between
from labshare.scheduler.problem import CurrentSession, Problem, encode
from labshare.services import agreements, counting, demand, plans, standings, weighing
from labshare.services.agreements import sees_all
from labshare.services.counting import Tally, hull
from labshare.services.demand import REPLAY, Demand
from labshare.services.feasibility import clashes
from labshare.services.planning import bookings_of, build_problem, request_of, worth_of
from labshare.services.planning_rules import Standing
from labshare.services.slots import grid_of
from labshare.store import agreements as agreements_store
from labshare.store import capacity as capacity_store
from labshare.store.engine import Connection
from labshare.store.rulebooks import rulebook

# What a moved session costs the second plan: less than any slot is worth, so that it only breaks ties.
TIE = 1
# The code of the round that never was, for rules whose window is the round.
PERIOD = "replay"
Solve = Callable[[Problem], Plan]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which sandbox to replay over which days, and how far uses may move."""

    overlay: Overlay
    first: date
    last: date
    freedom_days: int


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A replay before it is solved: the demand, and where each rule stands under both rule sets."""

    asked: Asked
    demand: Demand
    before: tuple[Standing, ...]
    after: tuple[Standing, ...]


# ---------------------------------------------------------------- loading


def require_may_run(actor: Actor | None, overlay: Overlay) -> Actor:
    """Those who see everybody's figures in the named centres may replay a sandbox there. Raises `Forbidden`."""
    if actor is None:
        raise NotSignedIn()
    if not sees_all(actor, overlay.centres):
        raise Forbidden("forbidden", action=Action.READ_AGREEMENT.value)
    return actor


def load(db: Connection, asked: Asked, now: datetime) -> Case:
    """Read everything that the replay needs, in the caller's reading transaction.

    Raises `Malformed` for a period that cannot be replayed, and `Refused` with every fault of the overlay, or where the
    period has nothing to change or to plan.
    """
    period = period_span(asked.first, asked.last, now)
    require_sound(db, asked.overlay)
    within = [each for each in capacity_store.timed_instruments(db, period) if each.centre_id in asked.overlay.centres]
    # The period is planned as one round, whatever rounds there were.
    rounds = {PERIOD: period}
    terms = agreements.in_force(db, period, rounds, as_signed=True)
    others = tuple(in_rounds(_changed(terms, asked.overlay), rounds))
    touched = [standings.touched_by(each, period, within) for each in (terms, others)]
    counters = [counter for found in touched for counter, _ in found]
    whole = hull([period, *(counter.window for counter in counters)])
    assert whole is not None
    # A plan gives an instrument to one at a time: what several use stands as it was, and is counted.
    numbers = {each.number for each in within if each.capacity == 1}
    found = demand.load(db, period, numbers, asked.freedom_days, whole.start)
    if not found.facts.requests:
        raise Refused([Refusal(code="replay_no_demand", params={"centres": ", ".join(asked.overlay.centres)})])
    tally = Tally(db, counters, whole, period.start)
    uses = weighing.with_projects(db, _uses_until(found, period.end))
    before, after = (_standings(db, tally, each, uses, period) for each in touched)
    return Case(asked=asked, demand=found, before=before, after=after)


def require_sound(db: Connection, overlay: Overlay) -> None:
    """Raises `Refused` with everything that is wrong with the overlay."""
    around = agreements.around(db, overlay, rulebook(db).versions)
    if faults := sandbox_faults(overlay, around) or _clashes(db, overlay, around):
        raise Refused(faults)


def _clashes(db: Connection, overlay: Overlay, around: Around) -> tuple[Refusal, ...]:
    """Rules that could not hold together while the trial is on."""
    sites = agreements.sites(db, overlay.span.start)
    newest = {agreement_id: sandbox.changed(each[0], overlay) for agreement_id, each in around.agreements.items()}
    found = (
        fault
        for agreement_id in sorted({change.agreement for change in overlay.changes})
        for each in around.agreements[agreement_id]
        for others in ([other for key, other in newest.items() if key != agreement_id],)
        for fault in clashes(sandbox.changed(each, overlay), others, sites)
    )
    return tuple({(fault.code, str(fault.params)): fault for fault in found}.values())


def require_organisations(db: Connection, ids: Collection[str]) -> None:
    """Raises `Malformed` for an id that no organisation has: its partner would be shown an empty comparison."""
    known = agreements_store.known(db).organisation_ids
    for organisation_id in ids:
        if organisation_id not in known:
            raise Malformed("replay_unknown_reader", party=organisation_id)


def _changed(terms: Sequence[Term], overlay: Overlay) -> tuple[Term, ...]:
    """The rules with the overlay in force all the time. Raises `Refused` for a change of what was not there then."""
    held, keys = {term.agreement.id for term in terms}, {term.clause for term in terms}
    missing = [
        change
        for change in overlay.changes
        if change.agreement not in held or (change.is_of_rule and (change.agreement, change.rule_id) not in keys)
    ]
    if missing:
        raise Refused(
            [
                Refusal(code="replay_rule_not_then", params={"agreement": each.agreement, "rule": each.rule_id})
                for each in missing
            ]
        )
    return sandbox.applied(terms, overlay, hull([span for term in terms for span in term.spans]))


def _uses_until(found: Demand, end: datetime) -> Iterable[Use]:
    """What is not planned again, as share rules count it, up to the end of the period."""
    for booking in found.standing:
        for use in counting.uses(found.rules[booking.instrument_number], booking):
            if use.span.start < end:
                yield msgspec.structs.replace(use, span=Span(use.span.start, min(use.span.end, end)))


def _standings(
    db: Connection, tally: Tally, touched: Sequence[tuple[Counter, Span]], uses: Sequence[Use], period: Span
) -> tuple[Standing, ...]:
    counts = counted([counter.term for counter, _ in touched], uses, period.start)
    found: list[Standing] = []
    for counter, part in touched:
        matched, total = counts.get(counter.key, (0, 0))
        balance = Balance(
            **counter.key._asdict(),
            window_end=counter.window.end,
            # What moves is as far as it had come then: `tally` knows what happened since.
            base_minutes=total if counter.term.rule.is_moving else tally.base_minutes(counter),
            matched_minutes=matched,
            total_minutes=total,
        )
        found.append(standings.standing(db, balance, counter, part, period.start))
    return tuple(found)


def counted(terms: Iterable[Term], uses: Sequence[Use], now: datetime) -> dict[BalanceKey, tuple[int, int]]:
    """Minutes of the counted and of everybody in each window that these uses touch, as a booking would count them."""
    distinct = {id(term): term for term in terms}
    return {shift.counter.key: (shift.matched, shift.total) for shift in shifts(distinct.values(), uses, (), now)}


# ---------------------------------------------------------------- planning twice


def replayed(case: Case, solve: Solve) -> Replayed:
    """Plan the period under both rule sets with this solver, and judge every plan. Touches no database.

    Raises `Refused` when a plan does not stand before the checker, or when there is none.
    """
    facts = case.demand.facts
    before = build_problem(facts, case.before)
    first = _sound(before, solve)
    after = _from(build_problem(facts, case.after), first, TIE)
    second = _sound(after, solve)
    if first.status != "optimal":
        # What the second search found beyond the first is no effect of the rules: the first one begins there as well.
        again = _sound(_from(before, second, 0), solve)
        best, bound = max(again, first, key=lambda plan: plan.score.objective), min(again.bound, first.bound)
        first = msgspec.structs.replace(best, bound=bound, gap=gap_between(best.score.objective, bound))
    wants = _wants(case, before)
    served = [_served(case, wants, plan) for plan in (first, second)]
    sides = [_side(plan, given) for plan, given in zip((first, second), served, strict=True)]
    return Replayed(
        plain=_plain(case, before, first, second, sides),
        gaps=sum(plan.bound - plan.score.objective for plan in (first, second)),
        wants=tuple(wants.values()),
        before=served[0],
        after=served[1],
    )


def _sound(problem: Problem, solve: Solve) -> Plan:
    plan = solve(problem)
    if faults := plans.judge(encode(problem), encode_plan(plan)):
        raise Refused(faults)
    return plan


def _from(problem: Problem, plan: Plan, penalty: int) -> Problem:
    """The problem with this plan to begin with, where its rules allow it, and what a session costs that is moved."""
    current = (
        CurrentSession(request=each.request, instrument=each.instrument, start=each.start) for each in plan.sessions
    )
    return msgspec.structs.replace(problem, current=tuple(current), change_penalty=penalty)


def _wants(case: Case, problem: Problem) -> dict[UUID, Want]:
    facts = case.demand.facts
    grid, worth = grid_of(facts.round), worth_of(problem.requests)
    centre_of = {number: each.rules.centre_id for number, each in facts.instruments.items()}
    return {
        request.id: Want(
            id=request.id,
            organisation_id=request.organisation_id,
            access_class=request.access_class.value,
            centre_ids=frozenset(centre_of[number] for number in request.instrument_numbers),
            minutes=request.sessions * request.session_minutes,
            # What can be placed nowhere moves no minutes either; its worth must not widen anybody's margin.
            worth=(worth[request.id].value if request.id in worth else _BOUNDLESS)
            // grid.slots(request.session_minutes),
        )
        for request in facts.requests
    }


_BOUNDLESS = 10**15


def _served(case: Case, wants: dict[UUID, Want], plan: Plan) -> tuple[Served, ...]:
    facts = case.demand.facts
    centre_of = {each.rules.id: each.rules.centre_id for each in facts.instruments.values()}
    lengths = {request.id: request.session_minutes for request in facts.requests}
    return tuple(
        Served(want=wants[request_id], centre_id=centre_of[session.instrument], minutes=lengths[request_id])
        for session in plan.sessions
        for request_id in (request_of(session.request),)
    )


def _side(plan: Plan, served: Sequence[Served]) -> Side:
    return Side(
        objective=plan.score.objective,
        bound=plan.bound,
        gap=plan.gap,
        status=plan.status,
        sessions=len(served),
        minutes=sum(each.minutes for each in served),
    )


def _plain(case: Case, problem: Problem, first: Plan, second: Plan, sides: Sequence[Side]) -> Comparison:
    placed = {request_of(request.id) for request in problem.requests if request.options}
    overlay = case.asked.overlay
    return Comparison(
        sandbox_id=overlay.id,
        title_vi=overlay.title_vi,
        title_en=overlay.title_en,
        centres=overlay.centres,
        first=case.asked.first,
        last=case.asked.last,
        freedom_days=case.asked.freedom_days,
        slot_minutes=problem.slot_minutes,
        seed=first.run.seed,
        budget=first.run.budget,
        uses=case.demand.uses,
        requests=case.demand.requests,
        without_place=sum(request.id not in placed for request in case.demand.facts.requests),
        before=sides[0],
        after=sides[1],
        organisations=(),
        access_classes=(),
        by_centre=(),
        rules=rule_rows(_rules(case, case.before, first, "before"), _rules(case, case.after, second, "after")),
    )


def _rules(case: Case, held: Sequence[Standing], plan: Plan, side: str) -> dict[tuple[str, ...], RuleRow]:
    """Each rule with what it counts in its window: what stood, and what the plan gives."""
    facts = case.demand.facts
    rules = {number: each.rules for number, each in facts.instruments.items()}
    made = bookings_of(facts.round, facts.requests, rules, REPLAY, plan.sessions, facts.now)
    uses = [use for booking in made for use in counting.uses(rules[booking.instrument_number], booking)]
    counts = counted([each.term for each in held], uses, facts.now)
    found: dict[tuple[str, ...], RuleRow] = {}
    for each in held:
        rule, agreement = each.term.rule, each.term.agreement
        key = BalanceKey(*each.term.key, each.scope_key, each.window.start)
        matched, total = counts.get(key, (0, 0))
        base_minutes = each.base_minutes + (total if rule.is_moving else 0)
        count = Count(limit=limit(rule, base_minutes), counted=each.matched_minutes + matched)
        found[(*key[:3], key.window_start.isoformat())] = RuleRow(
            agreement_id=agreement.id,
            parties=frozenset(agreement.parties),
            organisations=frozenset(rule.who.organisation),
            rule_id=rule.id,
            kind=rule.kind,
            is_moving=rule.is_moving,
            scope_key=each.scope_key,
            window=each.window,
            sentence_vi=rule.sentence_vi,
            sentence_en=rule.sentence_en,
            before=count if side == "before" else None,
            after=count if side == "after" else None,
        )
    return found


# ---------------------------------------------------------------- the solver, and the file


def solver(*, seconds: float | None, steps: int | None, seed: int) -> Solve:
    """The solver in this process, with a budget for each plan. On steps the same replay gives the same plans."""

    def run(problem: Problem) -> Plan:
        # OR-Tools takes a second to load, and whoever only reads pages never needs it.
        from labshare.scheduler.effort import NoPlanFound
        from labshare.scheduler.solve import solve

        try:
            return solve(problem, seconds=seconds, steps=steps, seed=seed)
        except NoPlanFound as error:
            raise Refused([Refusal(code="replay_no_plan")]) from error

    return run


def to_json(comparison: Comparison) -> bytes:
    """The comparison's file: lengths are minutes, shares and limits numbers of at most six decimals."""
    data = msgspec.json.encode(comparison, enc_hook=_number, order="deterministic")
    return msgspec.json.format(data, indent=1) + b"\n"


def _number(value: object) -> int | float:
    if not isinstance(value, Fraction):
        raise NotImplementedError(repr(value))
    return value.numerator if value.denominator == 1 else round(float(value), 6)
