"""The bridge between laboratories and the solver: datetimes to slots and back, requests to options.

Pure: `Facts` in, a scheduler `Problem` out; a plan's sessions in, bookings out. Agreements become linear rules in
planning_rules.py, and what a request is worth is found in worth.py. What must not live here: the database
(services/rounds.py loads the facts) or the search itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from functools import lru_cache
from typing import Protocol
from uuid import UUID, uuid5

import msgspec

from labshare.domain.bookings import Booking, BookingKind, BookingState, InstrumentRules
from labshare.domain.modes import usual
from labshare.domain.ordering import Tier
from labshare.domain.profiles import Size
from labshare.domain.projects import ProjectName
from labshare.domain.rounds import Round
from labshare.domain.time_requests import Eligible, TimeRequest, eligible, starts
from labshare.domain.timespan import MINUTE, Span, clipped, merged, subtracted
from labshare.scheduler.plan import Session
from labshare.scheduler.problem import Group, Instrument, Option, Problem, Request
from labshare.services.planning_rules import Asker, Standing, linear_rules, tags_of, tags_of_place
from labshare.services.slots import Grid, grid_of
from labshare.services.worth import (
    Claim,
    Worth,
    fair_shares,
    fairness,
    product,
    read_worth,
    stages_of,
    tag_of_stage,
    tags_of_worth,
    weights_of,
)

# So many half-lives ago use weighs less than one part in 250.
REMEMBERED_HALF_LIVES = 8


class Place(msgspec.Struct, frozen=True):
    """An instrument of the round, as the scope of share rules reads it."""

    instrument_id: str
    centre_id: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What planning needs to know of a round, loaded at one moment.

    `instruments` say nothing of qualifications: `qualified` holds, for each person, the instruments they are qualified
    for and until when (None: for ever). `busy` are occupied ranges by instrument, `person_busy` where people already
    are. `projects` says when each ends, `project_names` what rules may call it; `recent` is the use of late by
    organisation and project, in minutes that lose half their weight every half-life (R12). `tiers` are the order that
    an agreement in force states for these instruments (R13); without one the house's own order holds. `sizes` are those
    of organisations.
    """

    round: Round
    now: datetime
    instruments: dict[int, Eligible]
    requests: tuple[TimeRequest, ...]
    busy: dict[int, list[Span]] = {}
    person_busy: dict[UUID, list[Span]] = {}
    qualified: dict[UUID, dict[int, datetime | None]] = {}
    projects: dict[UUID, datetime | None] = {}
    project_names: Mapping[UUID | None, ProjectName] = {}
    recent: dict[Claim, Fraction] = {}
    tiers: tuple[Tier, ...] = ()
    sizes: Mapping[str, Size] = {}

    @property
    def places(self) -> list[Place]:
        return [Place(item.rules.id, item.rules.centre_id) for _, item in sorted(self.instruments.items())]


# ---------------------------------------------------------------- laboratories to slots


def build_problem(facts: Facts, standings: Sequence[Standing] = ()) -> Problem:
    """The round as a problem: time is offer x open - occupied, worth is what worth.py says.

    Existing bookings are closed time, never fixed rows; so its rules say what is left, and count sessions only.
    """
    grid = grid_of(facts.round)
    options = _Options(facts, grid)
    attended = {item.rules.id for item in facts.instruments.values() if item.rules.attended}
    values, told = _worth(facts)
    requests: list[Request] = []
    for request in facts.requests:
        mine = options.of(request, values[request.id], standings)
        is_attended = any(option.instrument in attended for option in mine)
        tags = (*tags_of(asker_of(request, facts), standings), *told[request.id])
        requests += _requests(request, mine, grid, tags, attended=is_attended)
    groups = [
        Group(requests=session_ids(request), min=request.min_sessions)
        for request in facts.requests
        if request.sessions > 1
    ]
    return Problem(
        format="labshare-problem/1",
        horizon=grid.horizon,
        slot_minutes=grid.slot_minutes,
        instruments=tuple(options.instruments()),
        requests=tuple(requests),
        groups=tuple(groups),
        rules=tuple(linear_rules(standings, facts.places, grid, facts.now, max(values.values(), default=0))),
        fairness=fairness(
            facts.requests,
            weights_of(facts.requests, facts.tiers, facts.sizes),
            grid,
            offered=sum(b - a for item in facts.instruments.values() for a, b in grid.inside(item.offered)),
        ),
    )


def _worth(facts: Facts) -> tuple[dict[UUID, int], dict[UUID, tuple[str, ...]]]:
    """What a slot of each request is worth, and the tags that say why; where nobody waits for others, no stage."""
    weights = weights_of(facts.requests, facts.tiers, facts.sizes)
    factors = fair_shares(facts.requests, weights, facts.recent)
    stages = stages_of(facts.requests, facts.tiers, facts.sizes)
    has_stages = len(set(stages.values())) > 1
    values = {each.id: product(weights[each.id], each.review_score, factors[each.id]) for each in facts.requests}
    return values, {
        each: (*tags_of_worth(weights[each], factors[each]), *([tag_of_stage(stages[each])] if has_stages else []))
        for each in values
    }


def asker_of(request: TimeRequest, facts: Facts) -> Asker:
    """Who asks, as the matcher of share rules reads it, on an instrument of no particular host."""
    name = facts.project_names.get(request.project_id)
    return Asker(
        organisation_id=request.organisation_id,
        access_class=request.access_class,
        activity=request.activity,
        project_code=name.code if name else "",
        programme=name.programme if name else "",
    )


def session_ids(request: TimeRequest) -> tuple[str, ...]:
    """The ids of a request's sessions in the problem: `<request>.1`, `<request>.2`, ..."""
    return tuple(f"{request.id}.{k}" for k in range(1, request.sessions + 1))


@lru_cache(maxsize=20_000)
def request_of(session_id: str) -> UUID:
    """The time request that a session of the problem belongs to. A page asks for each of thousands several times."""
    return UUID(session_id.partition(".")[0])


class _Options:
    """Where and when each request could be served. Start ranges are shared by requests that wish alike."""

    def __init__(self, facts: Facts, grid: Grid) -> None:
        self._facts = facts
        self._grid = grid
        self._open = {number: grid.inside(self._segments(item)) for number, item in facts.instruments.items()}
        self._starts: dict[tuple[int, int, tuple[Span, ...]], tuple[tuple[int, int], ...]] = {}

    def instruments(self) -> Iterable[Instrument]:
        for number, item in sorted(self._facts.instruments.items()):
            yield Instrument(id=item.rules.id, centre=item.rules.centre_id, open=tuple(self._open[number]))

    def of(self, request: TimeRequest, value: int, standings: Sequence[Standing]) -> tuple[Option, ...]:
        found: list[Option] = []
        asker = asker_of(request, self._facts)
        use_slots = self._grid.slots(request.session_minutes)
        for item in eligible(request, self._for_person(request.person_id)):
            rules = item.rules
            if not rules.min_minutes <= request.session_minutes <= rules.max_minutes:
                continue
            windows = tuple(self._windows(request, item))
            if ranges := self._ranges(rules.number, request.session_minutes, windows):
                length = self._grid.slots(request.session_minutes + rules.setup_minutes + rules.cleanup_minutes)
                here = msgspec.structs.replace(asker, is_outside=asker.organisation_id != rules.host_id)
                found.append(
                    Option(
                        instrument=rules.id,
                        value=use_slots * value,
                        starts=ranges,
                        slots=length,
                        tags=tags_of_place(here, standings),
                    )
                )
        return tuple(found)

    def _for_person(self, person_id: UUID) -> dict[int, Eligible]:
        held = self._facts.qualified.get(person_id, {})
        return {
            number: msgspec.structs.replace(item, qualified=True, qualified_until=held[number])
            if number in held
            else item
            for number, item in self._facts.instruments.items()
        }

    def _windows(self, request: TimeRequest, item: Eligible) -> list[Span]:
        """When the person could be there: inside the windows, not elsewhere, while project and qualification hold."""
        facts = self._facts
        if request.project_id not in facts.projects:
            return []
        ends = [facts.round.ends_at, facts.projects[request.project_id], item.qualified_until]
        first, last = max(facts.now, facts.round.starts_at), min(end for end in ends if end is not None)
        if first >= last:
            return []
        windows = clipped(merged(request.windows or [facts.round.horizon]), Span(first, last))
        return subtracted(windows, facts.person_busy.get(request.person_id, ())) if item.rules.attended else windows

    def _ranges(self, number: int, minutes: int, windows: tuple[Span, ...]) -> tuple[tuple[int, int], ...]:
        key = (number, minutes, windows)
        if key not in self._starts:
            self._starts[key] = tuple(self._found(number, minutes, windows))
        return self._starts[key]

    def _found(self, number: int, minutes: int, windows: tuple[Span, ...]) -> Iterable[tuple[int, int]]:
        """Inclusive ranges of start slots; the whole occupied length lies in one segment of free slots."""
        item, grid = self._facts.instruments[number], self._grid
        before = item.rules.setup_minutes * MINUTE
        length = grid.slots(minutes + item.rules.setup_minutes + item.rules.cleanup_minutes)
        found = [
            (max(grid.first(start.first - before), a), min(grid.last(start.last - before), b - length))
            for start in starts(item, minutes, windows, self._facts.busy.get(number, ()))
            for a, b in self._open[number]
        ]
        return _joined(pair for pair in found if pair[0] <= pair[1])

    def _segments(self, item: Eligible) -> list[Span]:
        """Offered time that nobody occupies; closed hours are left out where no run may span them."""
        free = subtracted(item.offered, self._facts.busy.get(item.rules.number, ()))
        if item.rules.spans_closed_hours:
            return free
        # Set-up and clean-up may lie outside opening hours, the use itself may not.
        opened = merged(item.rules.occupied(span) for span in item.opened)
        return [part for span in opened for part in clipped(free, span)]


def _joined(pairs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Inclusive ranges, sorted, with overlapping and neighbouring ones made one."""
    result: list[tuple[int, int]] = []
    for first, last in sorted(pairs):
        if result and first <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(result[-1][1], last))
        else:
            result.append((first, last))
    return result


def _requests(
    request: TimeRequest, options: tuple[Option, ...], grid: Grid, tags: tuple[str, ...], *, attended: bool
) -> Iterable[Request]:
    for session_id in session_ids(request):
        yield Request(
            id=session_id,
            slots=grid.slots(request.session_minutes),
            options=options,
            access_class=request.access_class.value,
            organisation=request.organisation_id,
            person=str(request.person_id),
            tags=tags,
            attended=attended,
        )


# ---------------------------------------------------------------- worth


class _Valued(Protocol):
    @property
    def value(self) -> int: ...


class _Asked(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def tags(self) -> Sequence[str]: ...
    @property
    def options(self) -> Sequence[_Valued]: ...


def worth_of(requests: Iterable[_Asked]) -> dict[UUID, Worth]:
    """What one session of each of a problem's requests is worth, where it can be placed at all."""
    return {
        request_of(asked.id): read_worth(max(option.value for option in asked.options), asked.tags)
        for asked in requests
        if asked.options
    }


# ---------------------------------------------------------------- slots to bookings


def bookings_of(
    r: Round,
    requests: Iterable[TimeRequest],
    instruments: Mapping[int, InstrumentRules],
    plan_id: UUID,
    sessions: Iterable[Session],
    now: datetime,
) -> list[Booking]:
    """The sessions of a plan as confirmed bookings. Their ids follow from the plan, so publishing twice cannot double.

    The use begins after the set-up; what the last slot has left over stays free.
    """
    grid = grid_of(r)
    by_id = {request.id: request for request in requests}
    rules = {each.id: each for each in instruments.values()}
    found: list[Booking] = []
    for session in sessions:
        request, on = by_id[request_of(session.request)], rules[session.instrument]
        use = use_of(grid, request, on, session.start)
        found.append(_booking(request, on, use, uuid5(plan_id, session.request), plan_id, now))
    return found


def use_of(grid: Grid, request: TimeRequest, rules: InstrumentRules, start: int) -> Span:
    """The use that people see of a session that occupies its instrument from this slot on."""
    starts_at = grid.at(start) + rules.setup_minutes * MINUTE
    return Span(starts_at, starts_at + request.session_minutes * MINUTE)


def _booking(
    request: TimeRequest, rules: InstrumentRules, use: Span, booking_id: UUID, plan_id: UUID, now: datetime
) -> Booking:
    occupied = rules.occupied(use)
    return Booking(
        id=booking_id,
        instrument_number=rules.number,
        kind=BookingKind.USE,
        state=BookingState.CONFIRMED,
        starts_at=use.start,
        ends_at=use.end,
        occupied_from=occupied.start,
        occupied_until=occupied.end,
        person_id=request.person_id,
        booked_by_id=request.person_id,
        project_id=request.project_id,
        organisation_id=request.organisation_id,
        access_class=request.access_class,
        activity=request.activity,
        agreement_id=request.agreement_id,
        attended=rules.attended,
        mode=usual(rules.modes),
        purpose=request.purpose,
        request_id=request.id,
        plan_id=plan_id,
        created_at=now,
        updated_at=now,
    )
