"""Why a request was left out, and what would help: codes, ids and numbers; sentences are for the reader's language.

The words matter. A request is "not served in the best plan found", with the plan's gap; only `proven` reasons say
that it could not be. The price of a place is the value of what stands there, never "what serving you would cost".
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import Any, Literal

import msgspec

from labshare.scheduler.board import Board, Place
from labshare.scheduler.counting import Weigher
from labshare.scheduler.places import Run, Stretch, merged_starts
from labshare.scheduler.plan import Plan, Session
from labshare.scheduler.problem import Option, Problem, Request
from labshare.scheduler.score import option_at

NEAREST = 3

Code = Literal[
    "no_possible_place",  # every start it asks for is closed, down, fixed, without operators or clashes with its person
    "taken",  # other sessions hold the instrument
    "person_elsewhere",  # the person attends another session then
    "operators_busy",  # the operators on shift serve other sessions then
    "rules",  # a hard rule would be broken
    "group_incomplete",  # fewer sessions of its group fit than are worth having
    "campaign_incomplete",  # another step of its campaign does not fit
    "not_worth_it",  # what it would cost in penalties and lateness is more than its value
    "room_left",  # a free place is known that the search had not come to
    "no_plan",  # the hard rules conflict: there is no plan at all
]


class _Struct(msgspec.Struct, frozen=True, omit_defaults=True):
    pass


class PlaceReport(_Struct, frozen=True, kw_only=True):
    """A place the request asked for. `price` = value of the sessions there plus what soft rules would charge more."""

    instrument: str
    start: int
    end: int
    value: int
    price: int
    sessions: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()


class Nearest(_Struct, frozen=True, kw_only=True):
    """A place that the plan leaves free, outside the starts that were asked for by `distance` slots."""

    instrument: str
    start: int
    end: int
    distance: int


class Help(_Struct, frozen=True, kw_only=True):
    """One change that would have made room: a code with its numbers."""

    code: Literal["other_start", "shorter", "higher_limit", "more_operators"]
    instrument: str | None = None
    start: int | None = None
    slots: int | None = None
    rule: str | None = None
    pool: str | None = None


class Explanation(_Struct, frozen=True, kw_only=True):
    """Why a request was left out of a plan. `proven` means no plan could serve it; otherwise read it with `gap`."""

    request: str
    code: Code
    proven: bool
    gap: float
    cheapest: PlaceReport | None = None
    with_requests: tuple[str, ...] = ()
    nearest: tuple[Nearest, ...] = ()
    helps: tuple[Help, ...] = ()


def explain(problem: Problem, plan: Plan, request_id: str) -> Explanation:
    """Why the plan leaves this request out.

    Raises:
        LookupError: there is no such request, or the plan serves it.
    """
    return Reader(problem, plan).explain(request_id)


class Reader:
    """Reads one plan for many requests: what all of them share is worked out once.

    The plan must be one that `check` finds right about the sessions.
    """

    def __init__(self, problem: Problem, plan: Plan) -> None:
        self._plan = plan
        self._requests = {request.id: request for request in problem.requests}
        self._causes = _Causes(problem, plan.sessions, plan.gap)

    def explain(self, request_id: str, *, instruments: Container[str] | None = None) -> Explanation:
        """Why the plan leaves this request out, with what would help, on these instruments alone where they are given.

        Raises `LookupError` as `explain` does.
        """
        request = self._requests.get(request_id)
        if request is None:
            raise LookupError(f"no request '{request_id}'")
        if self._causes.places(request_id):
            raise LookupError(f"the plan serves '{request_id}'")
        if self._plan.status == "infeasible":
            return Explanation(request=request_id, code="no_plan", proven=True, gap=self._plan.gap)
        return self._causes.explain(request, instruments)


def reasons(
    problem: Problem,
    sessions: Sequence[Session],
    gap: float,
    only: Collection[str] | None = None,
    weigher: Weigher | None = None,
) -> dict[str, dict[str, Any]]:
    """The short reason of every request that has no session, by its id, in the order of the problem.

    With `only`, of those among them that it names; a `weigher` of the problem saves counting again.
    """
    causes = _Causes(problem, sessions, gap, weigher)
    return {
        request.id: _short(causes.cause(request))
        for request in problem.requests
        if not causes.places(request.id) and (only is None or request.id in only)
    }


def _short(explanation: Explanation) -> dict[str, Any]:
    """The explanation in the form that a plan carries: without the request's id, which stands beside it."""
    reason: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(explanation))
    return {key: part for key, part in reason.items() if key != "request"}


class _Causes:
    """What stands in the way of requests on one board."""

    def __init__(
        self, problem: Problem, sessions: Sequence[Session], gap: float, weigher: Weigher | None = None
    ) -> None:
        self._problem = problem
        self._board = Board(problem, sessions, weigher)
        self._gap = gap
        self._groups = _by_request(group.requests for group in problem.groups)
        self._campaigns = _by_request(link.requests for link in problem.linked)

    def places(self, request_id: str) -> bool:
        """Does the plan serve this request?"""
        return request_id in self._board.runs

    def explain(self, request: Request, instruments: Container[str] | None) -> Explanation:
        """The cause together with what would help."""
        cause = self.cause(request)
        options = [option for option in request.options if instruments is None or option.instrument in instruments]
        nearest = self._nearest(request, options)
        helps = tuple(self._helps(request, options, cause, nearest))
        return msgspec.structs.replace(cause, nearest=nearest, helps=helps)

    def cause(self, request: Request) -> Explanation:
        """What stands in the way at the request's cheapest place."""
        candidates = list(self._candidates(request))
        places = [place for place in candidates if not place.barred]
        if not places:
            # A session in between could yet spare the changeover from a fixed row; all else bars for good.
            proven = not any("fixed_row" in place.barred for place in candidates)
            return Explanation(request=request.id, code="no_possible_place", proven=proven, gap=self._gap)
        place = min(places, key=_cheapness)
        code, others = self._code(request, place)
        return Explanation(
            request=request.id, code=code, proven=False, gap=self._gap, cheapest=_report(place), with_requests=others
        )

    def _code(self, request: Request, place: Place) -> tuple[Code, tuple[str, ...]]:
        blocked: list[tuple[Code, object]] = [
            ("taken", place.sessions),
            ("person_elsewhere", place.elsewhere),
            ("operators_busy", place.served),
            ("rules", place.rules),
        ]
        for code, blockers in blocked:
            if blockers:
                return code, ()
        if others := self._campaign(request):
            return "campaign_incomplete", others
        if others := self._group(request):
            return "group_incomplete", others
        return ("room_left" if self._board.gain(place) > 0 else "not_worth_it"), ()

    def _campaign(self, request: Request) -> tuple[str, ...]:
        """The other steps of its campaigns, which stand or fall with it."""
        links = [self._problem.linked[k].requests for k in self._campaigns.get(request.id, ())]
        return tuple(dict.fromkeys(other for link in links for other in link if other != request.id))

    def _group(self, request: Request) -> tuple[str, ...]:
        """The unplaced requests of a group that would still be too small with this one."""
        for group in (self._problem.groups[k] for k in self._groups.get(request.id, ())):
            missing = [other for other in group.requests if not self.places(other) and other != request.id]
            if len(group.requests) - len(missing) < group.min:
                return tuple(missing)
        return ()

    def _candidates(self, request: Request) -> Iterator[Place]:
        """The places worth looking at: in each run its ends, and the starts where something else begins or ends."""
        for _, runs in groupby(self._board.geometry.runs(request), key=lambda run: id(run.option)):
            edges: list[int] | None = None
            for run in runs:
                edges = sorted(self._board.edges(run)) if edges is None else edges
                inside = edges[bisect_right(edges, run.first) : bisect_left(edges, run.last)]
                for start in dict.fromkeys((run.first, *inside, run.last)):
                    yield self._board.place(run, start)

    def _nearest(self, request: Request, options: Sequence[Option]) -> tuple[Nearest, ...]:
        """The free places closest to the starts that were asked for, on the instruments that were asked for."""
        outside = [
            (Nearest(instrument=run.instrument, start=start, end=start + run.slots, distance=distance), run)
            for run, start, distance in self._outside(request, options)
            if distance
        ]
        outside.sort(key=lambda found: (found[0].distance, found[0].instrument, found[0].start))
        free = (near for near, run in outside if self._board.place(run, near.start).is_free)
        return tuple(islice(free, NEAREST))

    def _outside(self, request: Request, options: Sequence[Option]) -> Iterator[tuple[Run, int, int]]:
        """In each gap long enough the start closest to each range that was asked for, and how far that is."""
        for option in options:
            slots = request.slots_on(option)
            ranges = merged_starts(option)
            for a, b in self._board.gaps(option.instrument, request.family):
                for first, last in ranges if b - a >= slots else ():
                    start = min(max(a, min(max(first, a), last)), b - slots)
                    run = Run(request, option, Stretch(option.instrument, a, b), start, start, slots)
                    yield run, start, max(first - start, start - last, 0)

    def _helps(
        self, request: Request, options: Sequence[Option], cause: Explanation, nearest: tuple[Nearest, ...]
    ) -> Iterator[Help]:
        for near in nearest[:1]:
            yield Help(code="other_start", instrument=near.instrument, start=near.start)
        if shorter := self._shorter(request, options):
            yield shorter
        place = cause.cheapest
        for rule in place.rules if place else ():
            yield Help(code="higher_limit", rule=rule)
        if place and place.operators:
            need = request.operator_on(option_at(request, place.instrument, place.start))
            yield Help(code="more_operators", pool=need.pool if need else None, start=place.start)

    def _shorter(self, request: Request, options: Sequence[Option]) -> Help | None:
        """The longest shorter session that an instrument leaves room for, where nothing else stands in its way."""
        found: list[tuple[int, int, str, Run]] = []
        for option in options:
            ranges = merged_starts(option)
            for a, b in self._board.gaps(option.instrument, request.family):
                for first, last in ranges:
                    start = max(a, first)
                    slots = min(b - start, request.slots_on(option) - 1)
                    if start <= min(last, b - 1) and slots:
                        run = Run(request, option, Stretch(option.instrument, a, b), start, start, slots)
                        found.append((-slots, start, option.instrument, run))
        for slots, start, instrument, run in sorted(found, key=lambda each: each[:3]):
            if self._board.place(run, start).is_free:
                return Help(code="shorter", instrument=instrument, start=start, slots=-slots)
        return None


def _by_request(families: Iterable[Sequence[str]]) -> dict[str, list[int]]:
    """The positions of the families that name each request."""
    found: dict[str, list[int]] = {}
    for k, family in enumerate(families):
        for request in family:
            found.setdefault(request, []).append(k)
    return found


def _cheapness(place: Place) -> tuple[bool, int, int]:
    """Least is best: places that eviction frees before those that break a hard rule, then the price less the value."""
    return bool(place.rules), place.price - place.value, place.start


def _report(place: Place) -> PlaceReport:
    return PlaceReport(
        instrument=place.run.instrument,
        start=place.start,
        end=place.end,
        value=place.value,
        price=place.price,
        sessions=place.sessions,
        elsewhere=place.elsewhere,
        operators=place.served,
        rules=place.rules,
    )
