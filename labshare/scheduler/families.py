"""Families: requests that a group or a campaign binds together, moved in and out of a draft whole.

A family of one is an ordinary request. What must not live here: which family to try next, and when to keep a change.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from labshare.scheduler.draft import Choice, Draft, Spot, bits_of
from labshare.scheduler.problem import Problem

# How a place is judged: what it adds to the objective goes in with the choice and the start, a rank comes out.
Rank = Callable[[int, Choice, int], float]
FIRST_STEPS = 6


@dataclass(frozen=True)
class Order:
    """`after` must start `least` to `most` slots after `before` ends."""

    before: int
    after: int
    least: int
    most: int


@dataclass(frozen=True)
class Family:
    """Members in the order in which they are placed; campaigns all or none, groups none or at least so many."""

    members: tuple[int, ...]
    campaigns: tuple[tuple[int, ...], ...]
    groups: tuple[tuple[tuple[int, ...], int], ...]


class Families:
    """The families of a problem, and how they go in and out of a draft."""

    def __init__(self, problem: Problem) -> None:
        number = {request.id: r for r, request in enumerate(problem.requests)}
        campaigns = [tuple(number[r] for r in link.requests) for link in problem.linked]
        groups = [(tuple(dict.fromkeys(number[r] for r in group.requests)), group.min) for group in problem.groups]
        self.orders: defaultdict[int, list[Order]] = defaultdict(list)
        for link, steps in zip(problem.linked, campaigns, strict=True):
            for before, after in pairwise(steps):
                most = problem.horizon if link.max_gap is None else link.max_gap
                order = Order(before, after, link.min_gap, most)
                self.orders[before].append(order)
                self.orders[after].append(order)
        self.all = _families(len(problem.requests), campaigns, groups)
        self.of = {r: family for family in self.all for r in family.members}

    def remove(self, draft: Draft, family: Family) -> list[Spot]:
        """Take out every session of the family; returns where they stood."""
        return [draft.take(r) for r in family.members if draft.spots[r]]

    def insert(self, draft: Draft, family: Family, rank: Rank) -> bool:
        """Place what is missing of the family where it ranks best; nothing changes unless all its bonds then hold.

        A place that lowers the objective is taken only where a campaign or group needs it, and only when the family
        as a whole is a gain; unless what stands of it, being frozen, cannot stand alone.
        """
        if len(family.members) == 1:
            return self._insert_one(draft, family.members[0], rank)
        before = draft.objective if self.is_whole(draft, family) else -math.inf
        there = {r for r in family.members if draft.spots[r]}
        for first in self._first_starts(draft, family, there):
            self._fill(draft, family, rank, first, there)
            if self.is_whole(draft, family) and draft.objective > before:
                return True
            for r in family.members:
                if r not in there and draft.spots[r]:
                    draft.take(r)
        return False

    def is_whole(self, draft: Draft, family: Family) -> bool:
        """Do its campaigns and groups hold?"""
        spots = draft.spots
        return all(len({spots[r] is None for r in steps}) == 1 for steps in family.campaigns) and all(
            not (placed := sum(spots[r] is not None for r in members)) or placed >= least
            for members, least in family.groups
        )

    def _insert_one(self, draft: Draft, request: int, rank: Rank) -> bool:
        best = None if draft.spots[request] else self._best(draft, request, rank, must=False)
        if best:
            draft.put(*best)
        return best is not None

    def _first_starts(self, draft: Draft, family: Family, there: set[int]) -> Iterator[int]:
        """Where a campaign could begin: anywhere, then not before some later starts; a group has one try."""
        yield 0
        if family.campaigns and not there:
            starts = 0
            for choice in draft.choices[family.members[0]]:
                starts |= draft.starts(choice)
            low = list(bits_of(starts & ~(starts << 1)))
            yield from low[1:FIRST_STEPS]

    def _fill(self, draft: Draft, family: Family, rank: Rank, first: int, there: set[int]) -> None:
        """Place the members one by one; the steps of a campaign as early as their order lets them, after the first."""
        bound = {r for steps in family.campaigns for r in steps}
        failed: set[tuple[int, ...]] = set()
        for n, r in enumerate(family.members):
            if draft.spots[r] or any(r in steps for steps in failed):
                continue
            must = r in bound or _is_needed(draft, family, r)
            best = self._best(draft, r, _early if r in bound else rank, must=must, first=0 if n else first)
            if best:
                draft.put(*best)
            else:
                failed |= {steps for steps in family.campaigns if r in steps}
        for steps in failed:
            for r in steps:
                if draft.spots[r] and r not in there:
                    draft.take(r)

    def _best(self, draft: Draft, request: int, rank: Rank, *, must: bool, first: int = 0) -> tuple[Choice, int] | None:
        """The place with the best rank among the ends of each stretch of feasible starts.

        Unless it `must` be placed, a place counts only when it adds to the objective.
        """
        best = 0.0
        found: tuple[Choice, int] | None = None
        for choice in draft.choices[request]:
            starts = self._allowed(draft, choice) & -(1 << first)
            last_run = -1
            common = 0
            for start in bits_of(starts & ~(starts << 1) | starts & ~(starts >> 1)):
                if (run := choice.run_at(start)) != last_run:
                    last_run, common = run, draft.rule_gain(choice, run)
                gain = common + draft.own_gain(choice, start)
                if must or gain > 0:
                    at = rank(gain, choice, start)
                    if found is None or at > best:
                        best, found = at, (choice, start)
        return found

    def _allowed(self, draft: Draft, choice: Choice) -> int:
        """The feasible starts that keep the order of the campaign's steps that are placed."""
        starts = draft.starts(choice)
        for order in self.orders.get(choice.request, ()) if starts else ():
            if choice.request == order.after and (other := draft.spots[order.before]):
                low, high = other.end + order.least, other.end + order.most
            elif choice.request == order.before and (other := draft.spots[order.after]):
                low = max(0, other.start - order.most - choice.slots)
                high = other.start - order.least - choice.slots
            else:
                continue
            starts &= ((1 << high + 1) - 1) & -(1 << low) if high >= 0 else 0
        return starts


def _is_needed(draft: Draft, family: Family, request: int) -> bool:
    """Has a group of this request fewer members placed than are worth having?"""
    return any(
        request in members and sum(draft.spots[r] is not None for r in members) < least
        for members, least in family.groups
    )


def _early(gain: int, choice: Choice, start: int) -> float:
    return -float(start + choice.slots)


def _families(
    requests: int, campaigns: Sequence[tuple[int, ...]], groups: Sequence[tuple[tuple[int, ...], int]]
) -> list[Family]:
    """Requests that share a bond, however indirectly, are one family; in the order of their first member."""
    root = list(range(requests))

    def find(r: int) -> int:
        while root[r] != r:
            root[r] = root[root[r]]
            r = root[r]
        return r

    for members in [*campaigns, *(members for members, _ in groups)]:
        for r in members[1:]:
            root[find(r)] = find(members[0])
    together: defaultdict[int, list[int]] = defaultdict(list)
    for r in range(requests):
        together[find(r)].append(r)
    return [_family(members, campaigns, groups) for members in together.values()]


def _family(
    members: list[int], campaigns: Sequence[tuple[int, ...]], groups: Sequence[tuple[tuple[int, ...], int]]
) -> Family:
    own = set(members)
    # The steps of campaigns first and in their order, then the rest.
    steps = list(dict.fromkeys(r for campaign in campaigns if campaign[0] in own for r in campaign))
    return Family(
        members=tuple(dict.fromkeys([*steps, *members])),
        campaigns=tuple(campaign for campaign in campaigns if campaign[0] in own),
        groups=tuple((some, least) for some, least in groups if some[0] in own),
    )
