"""What would have helped a request that a plan leaves out: the nearest free times, and changes that would make room.

Worked out for one request when somebody asks, on the plan as it was stored. What must not live here: the reasons that
the desk lists (reasons.py), sentences (locale/*/rounds.po), or any claim of what serving it would cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil
from uuid import UUID

import msgspec

from labshare.domain.agreements import Term
from labshare.domain.bookings import InstrumentRules
from labshare.domain.people import Actor
from labshare.domain.rounds import PlanRow, Round
from labshare.domain.time_requests import TimeRequest
from labshare.domain.timespan import MINUTE, Span
from labshare.errors import NotFound, Param, Refusal
from labshare.scheduler.explain import Explanation, Help, Reader
from labshare.scheduler.plan import Plan
from labshare.services import desk, plans, round_pages
from labshare.services.planning import Place, request_of, use_of
from labshare.services.planning_rules import read_name
from labshare.services.slots import Grid, grid_of
from labshare.store import bookings as bookings_store
from labshare.store import rounds as rounds_store
from labshare.store import time_requests as requests_store
from labshare.store.engine import Connection
from labshare.store.rounds import InstrumentName


class Near(msgspec.Struct, frozen=True, kw_only=True):
    """A use that the plan leaves room for, and how far it is from the starts that were possible for the request."""

    instrument: InstrumentName
    use: Span
    away_minutes: int


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """A request left out: how sure that is, free times nearby, and what would make room, each as a sentence's code."""

    round: Round
    plan: PlanRow
    request: TimeRequest
    label: str
    standing: Refusal
    nearest: tuple[Near, ...]
    helps: tuple[Refusal, ...]


def explained(db: Connection, actor: Actor, round_id: UUID, request_id: UUID) -> Explained:
    """What would help a request that the plan on the desk leaves out, as far as this reader may know.

    A manager is told of free times at the own centres alone: those elsewhere are for their managers until publication.

    Raises:
        NotFound: there is no such plan or request, the plan serves it whole, or it is not this reader's to see.
    """
    r = rounds_store.get(db, round_id)
    request = requests_store.get(db, request_id)
    plan = desk.shown_plan(db, round_id)
    found = plans.documents(db, plan.id) if plan else None
    names = rounds_store.instrument_names(db, rounds_store.numbers_by_round(db, [r.id]).get(r.id, ()))
    seen = _seen(actor, request, names) if request.round_id == round_id else {}
    if plan is None or found is None or not seen:
        raise NotFound("request_not_found")
    problem, document = found
    explanation = Reader(problem, document).explain(_left_out(document, request_id), instruments=seen)
    rules = {each.id: each for each in bookings_store.rules_of(db, names).values()}
    places = [Place(name.id, name.centre.id) for name in names.values()]
    words = _Words(grid_of(r), request, rules, desk.readable_terms(db, actor, r, places))
    return Explained(
        round=r,
        plan=plan,
        request=request,
        label=round_pages.labels_of(db, r)[request_id],
        standing=_standing(explanation),
        nearest=tuple(
            Near(
                instrument=seen[near.instrument],
                use=words.use(near.instrument, near.start),
                away_minutes=near.distance * words.grid.slot_minutes,
            )
            for near in explanation.nearest
        ),
        helps=tuple(words.helps(explanation)),
    )


def _seen(actor: Actor, request: TimeRequest, names: Mapping[int, InstrumentName]) -> dict[str, InstrumentName]:
    """The request's instruments at the centres that this reader answers for, by id; none where it is not theirs."""
    sight = round_pages.sight_of(actor)
    meant = round_pages.instruments_of([request], names)[request.id]
    return {each.id: each for each in meant if sight.sees_all or each.centre.id in sight.centre_ids}


def _left_out(document: Plan, request_id: UUID) -> str:
    """The first of the request's sessions that the plan leaves out, which is the one whose reason the desk shows."""
    for left in document.unplaced:
        if request_of(left.request) == request_id:
            return left.request
    raise NotFound("request_not_found")


def _standing(explanation: Explanation) -> Refusal:
    """Whether it could not be served, or was not served in the best plan found: never one for the other."""
    if explanation.proven:
        return Refusal(code="explained_proven")
    # "At most": rounded up, so that a plan that is not proven never claims to be the best.
    permille = ceil(round(1000 * explanation.gap, 6))
    if permille == 0:
        return Refusal(code="explained_best")
    return Refusal(code="explained_found", params={"gap_permille": permille})


class _Words:
    """Slots of one round and request in the terms of its sentences."""

    def __init__(
        self,
        grid: Grid,
        request: TimeRequest,
        rules: Mapping[str, InstrumentRules],
        terms: Mapping[tuple[str, str], Term],
    ) -> None:
        self.grid, self._request, self._rules, self._terms = grid, request, rules, terms

    def use(self, instrument: str, start: int) -> Span:
        return use_of(self.grid, self._request, self._rules[instrument], start)

    def helps(self, explanation: Explanation) -> Iterable[Refusal]:
        """What would make room; another start is told by the nearest times already."""
        for help in explanation.helps:
            if help.code == "shorter":
                yield from self._shorter(help)
            elif help.code == "higher_limit":
                yield self._limit(help.rule or "")
            elif help.code == "more_operators" and help.start is not None:
                yield Refusal(code="helps_more_operators", params={"at": self.grid.at(help.start).isoformat()})

    def _shorter(self, help: Help) -> Iterable[Refusal]:
        """A use shorter than asked for, where what is left after set-up and clean-up is long enough to be booked."""
        rules = self._rules[help.instrument or ""]
        minutes = (help.slots or 0) * self.grid.slot_minutes - rules.setup_minutes - rules.cleanup_minutes
        if minutes >= rules.min_minutes:
            starts_at = self.grid.at(help.start or 0) + rules.setup_minutes * MINUTE
            params: dict[str, Param] = {"instrument": rules.id, "at": starts_at.isoformat(), "use_minutes": minutes}
            yield Refusal(code="helps_shorter", params=params)

    def _limit(self, text: str) -> Refusal:
        """The limit by its agreement, to those who may read it."""
        name = read_name(text)
        if (name.agreement_id, name.rule_id) not in self._terms:
            return Refusal(code="helps_higher_limit_private")
        return Refusal(code="helps_higher_limit", params={"agreement": name.agreement_id, "rule": name.rule_id})
