"""The planning desk: one plan as its reader may see it, with sessions in time, what was left out, and shares.

A centre's manager sees the part at that centre, the user office the whole, a partner the share rules that count nobody
else. What must not live here: geometry and words (web/), or anything that changes a plan (rounds.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from math import floor
from uuid import UUID

import msgspec

from labshare.domain.agreements import Balance, Counter, Kind, ShareRule, Term, covers, limit
from labshare.domain.people import Action, Actor, may
from labshare.domain.projects import AccessClass
from labshare.domain.rounds import Approval, PlanRow, PlanState, Round
from labshare.domain.timespan import Span
from labshare.domain.windows import Window
from labshare.errors import Refusal
from labshare.scheduler.plan import Plan, RuleOutcome
from labshare.services import agreements, plans, round_pages, standings
from labshare.services.planning import Place, request_of, use_of, worth_of
from labshare.services.planning_rules import RuleName, in_scope
from labshare.services.plans import Outline
from labshare.services.reasons import Outcome, placed_and_left
from labshare.services.round_pages import RequestLine
from labshare.services.slots import Grid, grid_of
from labshare.services.worth import stage_in
from labshare.store import bookings as bookings_store
from labshare.store import people as people_store
from labshare.store import plans as plans_store
from labshare.store import rounds as rounds_store
from labshare.store.engine import Connection
from labshare.store.rounds import InstrumentName, Name

SHOWN = (PlanState.PUBLISHED, PlanState.PROPOSED)


class DeskSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session as it will be used, with the slots that it occupies."""

    line: RequestLine
    use: Span
    first: int
    last: int


class DeskRow(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument: slots that the round could give, and the sessions in them, both in time order."""

    instrument: InstrumentName
    free: tuple[tuple[int, int], ...]
    sessions: tuple[DeskSession, ...]


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A request that got fewer sessions than it asked for. `worth` is that of one session; None where none can be."""

    line: RequestLine
    placed: int
    worth: int | None
    reason: Refusal


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """A share rule in one window: minutes before the plan, minutes in the plan, and the limit. Exact, in minutes."""

    agreement_id: str
    title_vi: str
    title_en: str
    rule: ShareRule
    scope_key: str
    window: Span
    before_minutes: int
    plan_minutes: int
    limit_minutes: int
    missed_slots: int

    @property
    def is_floor(self) -> bool:
        return self.rule.kind is Kind.FLOOR


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """What a class, or an organisation, asked for and got: minutes of use."""

    asked_minutes: int
    placed_minutes: int
    requests: int
    access_class: AccessClass | None = None
    organisation: Name | None = None


class CentrePart(msgspec.Struct, frozen=True, kw_only=True):
    """A centre's part of the plan, and its approval."""

    centre: Name
    sessions: int
    approval: Approval | None
    approved_by: str
    may_approve: bool


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """One plan. `rows`, `left_out` and `parties` are what this reader may see of it; the figures are of the whole.

    Of several `stages` each was planned around those before it, and what is proven is proven of each.
    """

    round: Round
    plan: PlanRow
    grid: Grid
    status: str
    stages: int
    gap: float
    value: int
    seconds: float
    placed: int
    asked: int
    rows: tuple[DeskRow, ...]
    left_out: tuple[LeftOut, ...]
    shares: tuple[Share, ...]
    classes: tuple[Party, ...]
    organisations: tuple[Party, ...]
    parts: tuple[CentrePart, ...]
    may_publish: bool


def desk(db: Connection, actor: Actor, round_id: UUID, now: datetime, *, centre_id: str | None = None) -> Desk | None:
    """The plan that is proposed or published for the round; None while there is none, or none for this reader to see.

    `centre_id` narrows it to one centre.
    """
    r = rounds_store.get(db, round_id)
    plan = shown_plan(db, round_id)
    found = plans.outlines(db, plan.id) if plan else None
    if plan is None or found is None:
        return None
    view = _View(db, actor, r, plan, found[0], found[1], centre_id, now)
    return view.desk() if view.sees_rows or view.shares else None


def shown_plan(db: Connection, round_id: UUID) -> PlanRow | None:
    """The plan that the desk shows."""
    return next((each for each in plans_store.of_round(db, round_id) if each.state in SHOWN), None)


class _View:
    """One plan under one reader's eyes: everything is read once, then put together."""

    def __init__(
        self,
        db: Connection,
        actor: Actor,
        r: Round,
        plan: PlanRow,
        problem: Outline,
        document: Plan,
        centre_id: str | None,
        now: datetime,
    ) -> None:
        self.db, self.actor, self.round, self.plan, self.problem, self.document = db, actor, r, plan, problem, document
        self.grid = grid_of(r)
        self.names = rounds_store.instrument_names(db, rounds_store.numbers_by_round(db, [r.id]).get(r.id, ()))
        self.rules = {rules.id: rules for rules in bookings_store.rules_of(db, self.names).values()}
        self.sight = round_pages.sight_of(actor)
        self.centres = {
            name.centre.id
            for name in self.names.values()
            if (self.sight.sees_all or name.centre.id in self.sight.centre_ids) and centre_id in (None, name.centre.id)
        }
        self.sees_rows = bool(self.centres)
        self.places = [Place(name.id, name.centre.id) for name in self.names.values()]
        self.terms = readable_terms(db, actor, r, self.places)
        self.told = {key for key, term in self.terms.items() if _is_told_whole(actor, term, self.places)}
        self.shares = self._shares(now)
        self.lines = self._lines() if self.sees_rows else {}

    def desk(self) -> Desk:
        document = self.document
        outcome = placed_and_left(
            self.round,
            document,
            {request_id: line.label for request_id, line in self.lines.items()},
            {key: term.rule for key, term in self.terms.items()},
            instruments=self._own_instruments(),
        )
        return Desk(
            round=self.round,
            plan=self.plan,
            grid=self.grid,
            status=document.status,
            stages=1 + max((stage_in(each.tags) for each in self.problem.requests), default=0),
            gap=document.gap,
            value=document.score.value,
            seconds=document.run.seconds,
            placed=len(document.sessions),
            asked=len(self.problem.requests),
            rows=tuple(self._rows()),
            left_out=tuple(self._left_out(outcome)),
            shares=self.shares,
            classes=tuple(self._by_class(outcome)),
            organisations=tuple(self._by_organisation(outcome)),
            parts=tuple(self._parts()),
            may_publish=all(
                may(self.actor, Action.PUBLISH_PLAN, centre=name.centre.id) for name in self.names.values()
            ),
        )

    def _own_instruments(self) -> set[str] | None:
        """Those whose part of a plan this reader may know of before it is published; None for all."""
        if self.sight.sees_all or self.plan.state is PlanState.PUBLISHED:
            return None
        return {name.id for name in self.names.values() if name.centre.id in self.sight.centre_ids}

    def _lines(self) -> dict[UUID, RequestLine]:
        """Requests that could be served at a centre in view; one that is placed elsewhere is not shown there."""
        lines = round_pages.visible_requests(self.db, self.round, self.sight, at=self.centres)
        return {line.request.id: line for line in lines}

    def _rows(self) -> Iterable[DeskRow]:
        free = {instrument.id: instrument.open or () for instrument in self.problem.instruments}
        sessions: dict[str, list[DeskSession]] = defaultdict(list)
        for session in sorted(self.document.sessions, key=lambda each: each.start):
            line = self.lines.get(request_of(session.request))
            if line is not None:
                use = use_of(self.grid, line.request, self.rules[session.instrument], session.start)
                placed = DeskSession(line=line, use=use, first=session.start, last=session.end)
                sessions[session.instrument].append(placed)
        for name in self.names.values():
            if name.centre.id in self.centres:
                yield DeskRow(
                    instrument=name, free=tuple(free.get(name.id, ())), sessions=tuple(sessions.get(name.id, ()))
                )

    def _left_out(self, outcome: Outcome) -> Iterable[LeftOut]:
        worth = worth_of(self.problem.requests)
        for request_id, line in self.lines.items():
            if request_id in outcome.reasons:
                yield LeftOut(
                    line=line,
                    placed=len(outcome.sessions.get(request_id, ())),
                    worth=worth[request_id].value if request_id in worth else None,
                    reason=outcome.reasons[request_id],
                )

    def _by_class(self, outcome: Outcome) -> Iterable[Party]:
        for access_class in AccessClass:
            lines = [line for line in self.lines.values() if line.request.access_class is access_class]
            if lines:
                yield _party(lines, outcome, access_class=access_class)

    def _by_organisation(self, outcome: Outcome) -> Iterable[Party]:
        by_name: dict[str, list[RequestLine]] = defaultdict(list)
        for line in self.lines.values():
            by_name[line.organisation.id].append(line)
        for _, lines in sorted(by_name.items()):
            yield _party(lines, outcome, organisation=lines[0].organisation)

    def _parts(self) -> Iterable[CentrePart]:
        approvals = {each.centre_id: each for each in plans_store.approvals_of(self.db, self.plan.id)}
        people = people_store.names(self.db, {each.person_id for each in approvals.values()})
        centre_of = {name.id: name.centre for name in self.names.values()}
        counts: dict[str, int] = defaultdict(int)
        for session in self.document.sessions:
            counts[centre_of[session.instrument].id] += 1
        for centre in {name.centre.id: name.centre for name in self.names.values()}.values():
            if self.sight.sees_all or centre.id in self.sight.centre_ids:
                approval = approvals.get(centre.id)
                yield CentrePart(
                    centre=centre,
                    sessions=counts[centre.id],
                    approval=approval,
                    approved_by=people.get(approval.person_id, "") if approval else "",
                    may_approve=may(self.actor, Action.APPROVE_PLAN, centre=centre.id),
                )

    def _shares(self, now: datetime) -> tuple[Share, ...]:
        """Every rule of the plan whose figures are the reader's; minutes before the plan are those of its balance."""
        if not self.told:
            return ()
        outcomes = {outcome.id: outcome for outcome in self.document.rules}
        counters = {
            str(RuleName(*counter.key)): counter
            for counter, _ in standings.touched(self.db, self.round.horizon, self.places)
            if counter.term.key in self.told
        }
        held = standings.balances(self.db, counters.values(), now)
        told = tightest((counters[name], outcome) for name, outcome in outcomes.items() if name in counters)
        return tuple(self._share(counter, outcome, held[counter.key]) for counter, outcome in told)

    def _share(self, counter: Counter, outcome: RuleOutcome, balance: Balance) -> Share:
        planned = outcome.used * self.grid.slot_minutes
        # Once published, the balance holds the plan's minutes too, and a moving base all that the plan gives.
        is_published = self.plan.state is PlanState.PUBLISHED
        of_plan = planned if is_published else 0
        rule, base_minutes = counter.term.rule, balance.base_minutes
        if rule.is_moving and not is_published:
            base_minutes += self._given(counter) * self.grid.slot_minutes
        return Share(
            agreement_id=counter.term.agreement.id,
            title_vi=counter.term.agreement.title_vi,
            title_en=counter.term.agreement.title_en,
            rule=rule,
            scope_key=counter.scope_key,
            window=counter.window,
            before_minutes=max(0, balance.matched_minutes - of_plan),
            plan_minutes=planned,
            limit_minutes=floor(limit(rule, base_minutes)),
            missed_slots=max(0, -outcome.slack),
        )

    def _given(self, counter: Counter) -> int:
        """Slots that the plan gives in the rule's denominator and window, to whomever."""
        scope = in_scope(counter.term.rule, counter.scope_key, self.places)
        first, last = self.grid.last(counter.window.start), self.grid.first(counter.window.end)
        return sum(
            max(0, min(last, session.end) - max(first, session.start))
            for session in self.document.sessions
            if session.instrument in scope
        )


def tightest(told: Iterable[tuple[Counter, RuleOutcome]]) -> list[tuple[Counter, RuleOutcome]]:
    """Of the rolling windows of one clause and denominator the one with the least slack; of all others each."""
    found: dict[tuple[object, ...], tuple[Counter, RuleOutcome]] = {}
    for counter, outcome in sorted(told, key=lambda each: each[0].key):
        start = None if counter.term.rule.window is Window.ROLLING else counter.window.start
        key = (counter.term.key, counter.scope_key, start)
        if key not in found or outcome.slack < found[key][1].slack:
            found[key] = counter, outcome
    return list(found.values())


def readable_terms(db: Connection, actor: Actor, r: Round, places: Sequence[Place]) -> dict[tuple[str, str], Term]:
    """The rules that this reader may read: a manager those that count at the own centre, a partner those it signed."""
    return {
        term.key: term
        for term in agreements.in_force(db, r.horizon)
        if agreements.may_read(actor, term.agreement, {at.centre_id for at in places if covers(term.rule.where, at)})
    }


def _is_told_whole(actor: Actor, term: Term, places: Sequence[Place]) -> bool:
    """Whether a rule's exact minutes are the reader's to know: who answers for the time, or speaks for all it counts.

    Of a rule that counts others too, a partner reads on the agreement's page what domain/entitlements.py lets it know;
    the exact minutes here would give it those of a rival by subtraction.
    """
    # The limit of a share that moves tells what everybody took.
    counted = frozenset(() if term.rule.is_moving else term.rule.who.organisation)
    covered = {at.centre_id for at in places if covers(term.rule.where, at)}
    return agreements.sees_all(actor, covered) or (bool(counted) and counted <= actor.partner_ids)


def _party(
    lines: Sequence[RequestLine],
    outcome: Outcome,
    *,
    access_class: AccessClass | None = None,
    organisation: Name | None = None,
) -> Party:
    requests = [line.request for line in lines]
    return Party(
        asked_minutes=sum(each.sessions * each.session_minutes for each in requests),
        placed_minutes=sum(len(outcome.sessions.get(each.id, ())) * each.session_minutes for each in requests),
        requests=len(requests),
        access_class=access_class,
        organisation=organisation,
    )
