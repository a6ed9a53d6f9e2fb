"""A plan being made: sessions go in and out, and what the objective becomes is known at every moment.

Free time is one big integer for each line, a bit for each slot, so that all feasible starts of a length are a few
shifts. A draft keeps every rule of place (lines, changeover). Caps and floors, hard ones too, charge a rate for each
slot missed that the search may set below the true penalty, so that it can pass through plans that miss them; `worth` is
the truth. Campaigns and groups hold when its user moves whole families (families.py).

What must not live here: a search.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from labshare.scheduler.layout import NOBODY, Layout, contributions
from labshare.scheduler.places import Run
from labshare.scheduler.plan import Session
from labshare.scheduler.problem import Fairness, Request
from labshare.scheduler.resources import Idle, idle_slots
from labshare.scheduler.score import reward


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """One option of a request: what it takes, the starts it may have (a bit each) and the runs they lie in."""

    request: int
    instrument: int
    person: int
    pool: int
    slots: int
    operator_slots: int
    value: int
    late: int
    earliest: int
    family: str | None
    starts: int
    firsts: tuple[int, ...]
    runs: tuple[int, ...]

    def run_at(self, start: int) -> int:
        return self.runs[bisect_right(self.firsts, start) - 1]

    def value_at(self, start: int) -> int:
        return self.value - self.late * (start - self.earliest)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a request stands or could stand."""

    choice: Choice
    start: int
    run: int

    @property
    def end(self) -> int:
        return self.start + self.choice.slots


class _Count:
    """One rule while sessions come and go."""

    __slots__ = ("allocated", "base", "demand", "denominator", "is_cap", "miss", "numerator", "penalty", "rate", "used")

    def __init__(self, layout: Layout, j: int) -> None:
        counted = layout.counts[j]
        self.is_cap = counted.rule.kind == "cap"
        self.base = counted.rule.slots
        self.numerator, self.denominator = counted.rule.share.as_integer_ratio()
        self.demand = counted.demand
        self.penalty = counted.rule.penalty
        self.rate = 0
        self.used, self.allocated = counted.fixed_used, counted.fixed_allocated
        self.miss = 0
        self.add(0, 0)

    def missed(self, more_used: int, more_allocated: int) -> int:
        """The slots missed with so many more used and allocated."""
        used = self.used + more_used
        limit = self.base
        if self.is_cap:
            if self.numerator:
                limit += self.numerator * (self.allocated + more_allocated) // self.denominator
            return used - limit if used > limit else 0
        if self.numerator:
            limit -= -self.numerator * (self.allocated + more_allocated) // self.denominator
        limit = min(limit, self.demand)
        return limit - used if limit > used else 0

    def add(self, used: int, allocated: int) -> None:
        self.miss = self.missed(used, allocated)
        self.used += used
        self.allocated += allocated


class Draft:
    """`objective` is the score's at the rates set; `worth` the score's, None where a hard rule is missed."""

    def __init__(self, layout: Layout) -> None:
        problem = layout.problem
        self.layout = layout
        self.spots: list[Spot | None] = [None] * len(problem.requests)
        self.choices = _choices(layout)
        self.busy = [0] * layout.lines
        self.on: list[dict[int, tuple[int, str | None]]] = [{} for _ in problem.instruments]
        self.idle: list[Idle] = [idle_slots(instrument) for instrument in problem.instruments]
        for row in problem.fixed:
            self.on[layout.instrument_index[row.instrument]][row.start] = row.end, row.family
        self._present = {line: [0] * problem.horizon for line in layout.pool_index.values()}
        self._people: dict[int, list[int]] = {
            line: layout.capacity[line].tolist() for line in layout.pool_index.values()
        }
        self._counts = [_Count(layout, j) for j in range(len(layout.counts))]
        self._parts: list[list[tuple[_Count, int, int]]] = [[] for _ in layout.runs]
        for counted, rule in zip(layout.counts, self._counts, strict=True):
            for k, used, allocated in contributions(counted, layout.runs):
                self._parts[k].append((rule, used, allocated))
        self._served: defaultdict[str | None, int] = defaultdict(int)
        self._organisations = [request.organisation for request in problem.requests]
        self._rewards = _rewards(problem.fairness)
        self._current = self._current_places()
        self.objective = -problem.change_penalty * len(problem.current)

    def _current_places(self) -> dict[int, tuple[int, int]]:
        index, instruments = self.layout.request_index, self.layout.instrument_index
        return {index[row.request]: (instruments[row.instrument], row.start) for row in self.layout.problem.current}

    # --- rules -------------------------------------------------------------------------------------------------------

    def charge(self, rates: Sequence[int]) -> None:
        """From now on a rule, in the order of the problem's, charges so much for each slot missed."""
        for rule, rate in zip(self._counts, rates, strict=True):
            self.objective -= (rate - rule.rate) * rule.miss
            rule.rate = rate

    @property
    def misses(self) -> list[int]:
        """By rule the slots missed."""
        return [rule.miss for rule in self._counts]

    def has_room(self, rule: int, slots: int) -> bool:
        """Could the rule, a cap, count so many slots more without a miss?"""
        return self._counts[rule].missed(slots, slots) == 0

    @property
    def worth(self) -> int | None:
        """The objective of the score; None when a hard rule is missed."""
        worth = self.objective
        for rule in self._counts:
            if rule.miss:
                if rule.penalty is None:
                    return None
                worth += (rule.rate - rule.penalty) * rule.miss
        return worth

    # --- what a session would bring ---------------------------------------------------------------------------------

    def starts(self, choice: Choice) -> int:
        """The starts at which a session of this choice fits now, a bit each."""
        starts = choice.starts & _fitting(~self._blocked(choice), choice.slots)
        if starts and choice.person != NOBODY:
            starts &= _fitting(~self.busy[choice.person], choice.slots)
        if starts and choice.pool != NOBODY:
            starts &= _fitting(~self.busy[choice.pool], choice.operator_slots)
        return starts

    def _blocked(self, choice: Choice) -> int:
        """Slots of the instrument that are taken for this family, changeover included."""
        idle, blocked = self.idle[choice.instrument], self.busy[choice.instrument]
        if idle:
            for start, (end, family) in self.on[choice.instrument].items():
                first = max(0, start - idle.get((choice.family, family), 0))
                blocked |= _bits(first, end + idle.get((family, choice.family), 0))
        return blocked

    def gain(self, choice: Choice, start: int) -> int:
        """What a session there would add to the objective."""
        return self.rule_gain(choice, choice.run_at(start)) + self.own_gain(choice, start)

    def rule_gain(self, choice: Choice, run: int) -> int:
        """The part of `gain` that is the same throughout a run: rules and fairness."""
        gain = 0
        for rule, used, allocated in self._parts[run]:
            if more := rule.missed(used, allocated) - rule.miss:
                gain -= more * rule.rate
        who = self._organisations[choice.request]
        if (rewards := self._rewards.get(who)) is not None:
            served, most = self._served[who], len(rewards) - 1
            gain += rewards[min(served + choice.slots, most)] - rewards[min(served, most)]
        return gain

    def own_gain(self, choice: Choice, start: int) -> int:
        """The part of `gain` that depends on the start: value, lateness, and staying where it was."""
        kept = self._current.get(choice.request) == (choice.instrument, start)
        return choice.value_at(start) + (self.layout.problem.change_penalty if kept else 0)

    # --- in and out --------------------------------------------------------------------------------------------------

    def put(self, choice: Choice, start: int) -> None:
        """Place the request of this choice; it has no session and the start is one of `starts(choice)`."""
        spot = Spot(choice, start, choice.run_at(start))
        self.objective += self.gain(choice, start)
        self.spots[choice.request] = spot
        self._count(spot, 1)
        taken = _bits(start, spot.end)
        self.busy[choice.instrument] |= taken
        if self.idle[choice.instrument]:
            self.on[choice.instrument][start] = spot.end, choice.family
        if choice.person != NOBODY:
            self.busy[choice.person] |= taken
        if choice.pool != NOBODY:
            self._operate(spot, 1)

    def take(self, request: int) -> Spot:
        """Remove the session of the request, which has one."""
        spot = self.spots[request]
        assert spot is not None
        choice, start = spot.choice, spot.start
        self.spots[request] = None
        self._count(spot, -1)
        self.objective -= self.gain(choice, start)
        free = ~_bits(start, spot.end)
        self.busy[choice.instrument] &= free
        if self.idle[choice.instrument]:
            del self.on[choice.instrument][start]
        if choice.person != NOBODY:
            self.busy[choice.person] &= free
        if choice.pool != NOBODY:
            self._operate(spot, -1)
        return spot

    def _count(self, spot: Spot, sign: int) -> None:
        for rule, used, allocated in self._parts[spot.run]:
            rule.add(sign * used, sign * allocated)
        self._served[self._organisations[spot.choice.request]] += sign * spot.choice.slots

    def _operate(self, spot: Spot, sign: int) -> None:
        pool = spot.choice.pool
        present, people = self._present[pool], self._people[pool]
        for t in range(spot.start, spot.start + spot.choice.operator_slots):
            present[t] += sign
            if present[t] >= people[t]:
                self.busy[pool] |= 1 << t
            else:
                self.busy[pool] &= ~(1 << t)

    # --- whole plans -------------------------------------------------------------------------------------------------

    def sessions(self, spots: Iterable[Spot | None] | None = None) -> list[Session]:
        """The sessions of these spots (by default those of the draft), in the order of requests."""
        problem = self.layout.problem
        return [
            Session(
                request=problem.requests[spot.choice.request].id,
                instrument=problem.instruments[spot.choice.instrument].id,
                start=spot.start,
                end=spot.end,
            )
            for spot in (self.spots if spots is None else spots)
            if spot
        ]

    def spots_of(self, sessions: Iterable[Session]) -> Iterator[Spot]:
        """The sessions of a plan as spots of this problem."""
        for session in sessions:
            r, i = self.layout.request_index[session.request], self.layout.instrument_index[session.instrument]
            for choice in self.choices[r]:
                if choice.instrument == i and choice.starts >> session.start & 1:
                    yield Spot(choice, session.start, choice.run_at(session.start))

    def become(self, spots: Iterable[Spot | None]) -> None:
        """Hold exactly these spots; those that stay where they are are not touched."""
        wanted = {spot.choice.request: spot for spot in spots if spot}
        for r, spot in enumerate(self.spots):
            if spot and ((new := wanted.get(r)) is None or new.start != spot.start or new.choice is not spot.choice):
                self.take(r)
        for r, spot in wanted.items():
            if self.spots[r] is None:
                self.put(spot.choice, spot.start)


def bits_of(mask: int) -> Iterator[int]:
    """The positions of the bits that are set, rising."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _bits(start: int, end: int) -> int:
    """Ones in [start, end)."""
    return (1 << end) - (1 << start)


def _fitting(free: int, slots: int) -> int:
    """The starts at which this many slots in a row are free."""
    have = 1
    while have < slots:
        step = min(have, slots - have)
        free &= free >> step
        have += step
    return free


def _rewards(fairness: Fairness) -> dict[str | None, list[int]]:
    """By organisation: the reward for so many slots served, as a list; more than its last entry brings nothing more."""
    most = max((percent for percent, _ in fairness.steps), default=0)
    return {
        who: [reward(fairness.steps, target, served) for served in range(most * target // 100 + 1)]
        for who, target in fairness.targets.items()
    }


def _choices(layout: Layout) -> list[tuple[Choice, ...]]:
    """By request: one choice for each option that has a start."""
    runs: defaultdict[tuple[int, int], list[tuple[int, Run]]] = defaultdict(list)
    for k, run in enumerate(layout.runs):
        # An option is told from the others of its request by where it stands: two may be equal.
        runs[layout.request_index[run.request.id], id(run.option)].append((k, run))
    return [
        tuple(_choice(layout, request, own) for option in request.options if (own := runs[r, id(option)]))
        for r, request in enumerate(layout.problem.requests)
    ]


def _choice(layout: Layout, request: Request, own: list[tuple[int, Run]]) -> Choice:
    own = sorted(own, key=lambda numbered: numbered[1].first)
    run = own[0][1]
    instrument, person, pool = layout.uses(run)
    starts = 0
    for _, part in own:
        starts |= _bits(part.first, part.last + 1)
    return Choice(
        layout.request_index[request.id], instrument.line, person.line, pool.line, run.slots, pool.slots,
        run.option.value, request.late, request.earliest, request.family, starts,
        tuple(part.first for _, part in own), tuple(k for k, _ in own),
    )  # fmt: skip
