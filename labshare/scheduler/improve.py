"""Plans made and made better by hand, as it were: price-guided construction, then ruin and recreate.

One step takes a family that is left out, clears a window on some of its instruments, and fills it again in a random
order of value density; annealing decides whether the change stays. What must not live here: exact methods.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from math import ceil
from random import Random

from labshare.scheduler.draft import NOBODY, Choice, Draft, Spot, bits_of
from labshare.scheduler.families import Families, Family, Rank
from labshare.scheduler.layout import Layout, contributions
from labshare.scheduler.plan import Session
from labshare.scheduler.prices import Floats, Prices, before

# A window is cleared on at most so many instruments, and refilled from at most so many that waited.
MOST_INSTRUMENTS = 4
MOST_WAITING = 14
# Lengths of a window in slots: 12 to 48 hours at 30 minutes.
LEAST_WINDOW, MOST_WINDOW = 16, 96
# Annealing, as a part of the mean value of a request: where it begins and ends.
WARM, COLD = 0.25, 0.005
# After so many steps a draft that is worse than the best by so many times the heat is given up.
STRAY, FAR = 400, 12
# For this part of a search floors may be missed on the way.
ROAM = 0.5
# After so many steps the rates of rules are looked at again.
PRESS = 40
# What a hard rule charges at most while it is missed on the way.
NEVER = 10**9


def _caps(layout: Layout) -> tuple[dict[int, list[int]], list[list[int]]]:
    """By cap the requests that it counts, and by request the caps that count it."""
    under: dict[int, list[int]] = {}
    caps_of: list[list[int]] = [[] for _ in layout.problem.requests]
    for j, counted in enumerate(layout.counts):
        if counted.rule.kind == "cap":
            parts = contributions(counted, layout.runs)
            under[j] = list(dict.fromkeys(int(layout.run_request[k]) for k, used, _ in parts if used))
            for r in under[j]:
                caps_of[r].append(j)
    return under, caps_of


def guide(slots: Floats, weight: float) -> Rank:
    """Rank a place by what it adds less so much of the price of its slots."""
    sums: list[list[float]] = before(slots).tolist()

    def rank(gain: int, choice: Choice, start: int) -> float:
        line = sums[choice.instrument]
        cost = line[start + choice.slots] - line[start]
        if choice.person != NOBODY:
            line = sums[choice.person]
            cost += line[start + choice.slots] - line[start]
        if choice.pool != NOBODY:
            line = sums[choice.pool]
            cost += line[start + choice.operator_slots] - line[start]
        return gain - weight * cost

    return rank


def plainly(gain: int, choice: Choice, start: int) -> float:
    """Rank a place by what it adds, and earlier before later."""
    return gain - start * 1e-6


class Improver:
    """A draft that gets better, and the best that it has been. All choices come from the seed."""

    def __init__(self, layout: Layout, seed: int) -> None:
        self.draft = Draft(layout)
        self.families = Families(layout.problem)
        self.best: list[Spot | None] | None = None
        self.best_objective = 0
        self._random = Random(seed)  # noqa: S311  a search, not a secret
        self._rank: Rank = plainly
        # Set where frozen sessions cannot stand as they are: then nothing that is tried here is a plan.
        self._is_lost = layout.frozen_is_gone
        self._frozen = self._freeze()
        self._layout = layout
        # Families that a frozen session is of: nobody moves them, but what is lacking has to join.
        self._bound = [family for family in self.families.all if self._frozen & set(family.members)]
        self._movable = [family for family in self.families.all if not self._frozen & set(family.members)]
        self._asking: defaultdict[int, list[Choice]] = defaultdict(list)
        for choices in self.draft.choices:
            for choice in choices:
                self._asking[choice.instrument].append(choice)
        self._under, self._caps_of = _caps(layout)
        values = [max((choice.value for choice in choices), default=0) for choices in self.draft.choices]
        self._value = max(1.0, sum(values) / max(1, len(values)))
        self._density = [
            max((choice.value / choice.slots for choice in choices), default=0.0) for choices in self.draft.choices
        ]
        self._since = 0
        self._penalties = [NEVER if rule.penalty is None else rule.penalty for rule in layout.problem.rules]
        self._least = [0] * len(self._penalties)
        self._rates: list[int] = []
        self._has_floors = any(rule.kind == "floor" for rule in layout.problem.rules)
        # The same with what rules charge and give at the prices known.
        self._ruled = self._density
        self._set_rates([ceil(2 * self._value)] * len(self._penalties))
        self.keep()

    def _freeze(self) -> set[int]:
        problem = self.draft.layout.problem
        frozen = [row for row in problem.current if row.start < problem.frozen_until]
        ids = {row.request for row in frozen}
        wanted = [
            Session(request=row.request, instrument=row.instrument, start=row.start, end=row.start)
            for row in problem.current
            if row.request in ids
        ]
        spots = list(self.draft.spots_of(wanted))
        for spot in spots:
            # Too close to a neighbour: only a session in between could spare the idle time.
            self._is_lost |= not self.draft.starts(spot.choice) >> spot.start & 1
            self.draft.put(spot.choice, spot.start)
        return {spot.choice.request for spot in spots}

    # --- what is known -----------------------------------------------------------------------------------------------

    def keep(self) -> bool:
        """Remember the draft if it is a plan and the best yet."""
        draft = self.draft
        # Rates never exceed penalties, so the draft is worth no more than its objective.
        if self.best is not None and draft.objective <= self.best_objective:
            return False
        if self._is_lost or not all(self.families.is_whole(draft, bound) for bound in self._bound):
            return False
        worth = draft.worth
        if worth is None or (self.best is not None and worth <= self.best_objective):
            return False
        self.best, self.best_objective = list(draft.spots), worth
        return True

    def sessions(self) -> list[Session] | None:
        """The sessions of the best plan known."""
        return None if self.best is None else self.draft.sessions(self.best)

    def offer(self, sessions: Sequence[Session]) -> None:
        """Go on from this plan, which keeps every hard rule, if it is better than what is known."""
        self.draft.become(self.draft.spots_of(sessions))
        if not self.keep():
            self.restart()

    # --- construction ------------------------------------------------------------------------------------------------

    def construct(self, prices: Prices | None, weight: float) -> None:
        """Fill an empty draft: families in the order of value density, price-adjusted when there are prices."""
        self.draft.become(spot for spot in self.draft.spots if spot and spot.choice.request in self._frozen)
        self._rank = guide(prices.slots, weight) if prices else plainly
        for family in self._bound:
            self.families.insert(self.draft, family, self._rank)
        density = self._density if prices is None else self._reduced_density(prices)
        order = sorted(self._movable, key=lambda family: (-max(density[r] for r in family.members), family.members[0]))
        for family in order:
            self.families.insert(self.draft, family, self._rank)
        self.keep()

    def _reduced_density(self, prices: Prices) -> list[float]:
        layout, columns = self.draft.layout, prices.columns
        reduced = prices.evaluate(prices.slots, prices.row_prices).reduced
        slots = layout.by_run(lambda run: run.slots)[columns.run]
        density = [-math.inf] * len(self._density)
        best = (reduced / slots).tolist()
        for r, at in zip(columns.request.tolist(), best, strict=True):
            if at > density[r]:
                density[r] = at
        return density

    # --- ruin and recreate -------------------------------------------------------------------------------------------

    def improve(self, steps: int, spent: Callable[[], float], should_stop: Callable[[], bool]) -> bool:
        """Make so many steps; `spent` is the part of the budget that is gone, 0 to 1. True when the best got better."""
        better = False
        for n in range(steps):
            if n % 16 == 0 and should_stop():
                break
            gone = spent()
            heat = self._value * WARM * (COLD / WARM) ** gone
            better |= self._step(heat)
            self._since += 1
            if self._has_floors and self._since % PRESS == 0:
                self._press(in_full=gone > ROAM)
            if self._since > STRAY:
                self._since = 0
                if self.draft.objective < self.best_objective - FAR * heat:
                    self.restart()
        return better

    def heed(self, prices: Prices) -> None:
        """From now on know what a session of each request is worth to the rules, by their prices."""
        ordinary = 0.3 * sum(self._density) / max(1, len(self._density))
        prices_of_rules = prices.row_prices[: len(self._penalties)].tolist()
        self._least = [ceil(max(0.8 * price, ordinary)) for price in prices_of_rules]
        if self._rates != self._penalties:
            self._set_rates(self._least)
        charge = prices.rows.charge(prices.row_prices).tolist()
        self._ruled = [
            max(
                ((choice.value - min(charge[k] for k in choice.runs)) / choice.slots for choice in choices), default=0.0
            )
            for choices in self.draft.choices
        ]

    def _set_rates(self, rates: Sequence[int]) -> None:
        """Floors charge these rates, at most their penalties; caps always charge in full."""
        self._rates = [
            min(rate, penalty) if rule.kind == "floor" else penalty
            for rule, rate, penalty in zip(self.draft.layout.problem.rules, rates, self._penalties, strict=True)
        ]
        self.draft.charge(self._rates)

    def _press(self, *, in_full: bool) -> None:
        """Floors that are missed charge more, those that hold a little less, down to somewhat below their price.

        In the end they charge in full, and the search goes on from the best plan.
        """
        misses = self.draft.misses
        if in_full:
            if self._rates != self._penalties:
                self._set_rates(self._penalties)
                self.restart()
            return
        self._set_rates([
            rate + rate // 8 + 1 if miss else max(1, least, rate - rate // 16)
            for rate, miss, least in zip(self._rates, misses, self._least, strict=True)
        ])  # fmt: skip

    def restart(self) -> None:
        """Go on from the best plan known."""
        if self.best is not None:
            self.draft.become(self.best)

    def _step(self, heat: float) -> bool:
        family = self._left_out()
        if family is None:
            return False
        draft = self.draft
        was = draft.objective
        removed, waiting = self._ruin(family)
        stood = [spot for spots in removed.values() for spot in spots]
        stood += [spot for other in waiting for r in other.members if (spot := draft.spots[r])]
        changed = self._recreate(family, removed, waiting)
        worse = was - draft.objective
        if worse > 0 and self._random.random() >= math.exp(-worse / heat):
            for other in changed:
                self.families.remove(draft, other)
            for spot in stood:
                draft.put(spot.choice, spot.start)
            return False
        return self.keep()

    def _left_out(self) -> Family | None:
        """A family with somebody who waits, chosen at random, of three the one worth most."""
        spots = self.draft.spots
        found: list[Family] = []
        for _ in range(60):
            family = self._movable[self._random.randrange(len(self._movable))] if self._movable else None
            if family and any(spots[r] is None and self.draft.choices[r] for r in family.members):
                found.append(family)
                if len(found) == 2:
                    break
        return max(found, key=lambda family: max(self._density[r] for r in family.members), default=None)

    def _ruin(self, family: Family) -> tuple[dict[int, list[Spot]], list[Family]]:
        """Clear a window; returns where the families stood that were there, by first member, and who else waits."""
        random, draft = self._random, self.draft
        r = random.choice([r for r in family.members if draft.spots[r] is None and draft.choices[r]])
        choices = list(draft.choices[r])
        random.shuffle(choices)
        choices = choices[:MOST_INSTRUMENTS]
        first = random.choice(list(bits_of(choices[0].starts)))
        length = random.randint(LEAST_WINDOW, MOST_WINDOW)
        low = max(0, first - random.randint(0, length // 2))
        high = max(low + length, first + choices[0].slots)
        instruments = list(dict.fromkeys(choice.instrument for choice in choices))
        hit: dict[int, Family] = {family.members[0]: family}
        waiting: dict[int, Family] = {}
        window = (1 << high) - (1 << low)
        for instrument in instruments:
            for asked in self._asking[instrument]:
                other = self.families.of[asked.request]
                spot = draft.spots[asked.request]
                if spot is None:
                    if asked.starts & window:
                        waiting[other.members[0]] = other
                elif spot.choice.instrument == instrument and spot.start < high and spot.end > low:
                    hit[other.members[0]] = other
        for other in self._under_full_caps(r):
            hit[self.families.of[other].members[0]] = self.families.of[other]
        return self._cleared(hit), self._some(waiting, hit)

    def _under_full_caps(self, request: int) -> list[int]:
        """For each cap that has no room for the request, a few that stand under it, rather those of little density."""
        random, draft = self._random, self.draft
        found: list[int] = []
        slots = draft.choices[request][0].slots
        for rule in self._caps_of[request]:
            if not draft.has_room(rule, slots):
                there = [r for r in self._under[rule] if draft.spots[r]]
                some = random.sample(there, min(len(there), 6))
                some.sort(key=lambda r: self._density[r])
                found += some[: random.randint(1, 3)]
        return found

    def _cleared(self, hit: dict[int, Family]) -> dict[int, list[Spot]]:
        """Take most of these families out; a frozen one stays."""
        removed: dict[int, list[Spot]] = {}
        for n, (first, family) in enumerate(hit.items()):
            if not self._frozen & set(family.members) and (n == 0 or self._random.random() < 0.85):
                removed[first] = self.families.remove(self.draft, family)
        return removed

    def _some(self, waiting: dict[int, Family], hit: dict[int, Family]) -> list[Family]:
        others = [
            family for first, family in waiting.items() if first not in hit and not self._frozen & set(family.members)
        ]
        if len(others) <= MOST_WAITING:
            return others
        random, density = self._random, self._density
        ranked = sorted((-density[family.members[0]] * (0.3 + random.random()), family.members[0]) for family in others)
        return [self.families.of[r] for _, r in ranked[:MOST_WAITING]]

    def _recreate(self, family: Family, removed: dict[int, list[Spot]], waiting: Sequence[Family]) -> list[Family]:
        """Fill again from those removed and those waiting, in a random order of density; returns who was tried."""
        random = self._random
        density = self._ruled if random.random() < 0.5 else self._density
        tried = [self.families.of[r] for r in removed] + list(waiting)
        by_slots = random.random() < 0.7
        noise = random.choice((0.05, 0.3, 1.0))

        def key(other: Family) -> float:
            r = max(other.members, key=lambda r: density[r])
            worth = (
                density[r] if by_slots else density[r] * self.draft.choices[r][0].slots if self.draft.choices[r] else 0
            )
            return -worth * (1 + noise * (random.random() - 0.5)) * (1.5 if other is family else 1)

        left = [other for other in sorted(tried, key=key) if not self.families.insert(self.draft, other, self._rank)]
        # What a rule would not have at first may be welcome once another session has made up for it.
        for other in left if self._has_floors else ():
            self.families.insert(self.draft, other, self._rank)
        return tried
