"""The rows beside slots that have a price: caps, floors and fairness, as linear limits on what runs contribute.

A row says a.x <= limit + miss, with a charge of `most` for each slot missed (infinite where it is hard).

A floor on a share of what is allocated asks for the smaller of its limit and its demand, which is bent: as long as
nobody has said on which side of the bend the plan lies, its chord stands for it, which is lower, so that the bound
stays valid. Once the side is settled, the floor is exact, and a row of its own keeps the plan on that side.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
import numpy.typing as npt

from labshare.scheduler.counting import RuleCount
from labshare.scheduler.layout import Ints, Layout, contributions

Floats = npt.NDArray[np.float64]


Side = Literal["limit", "demand"]
# By rule: (run, slots used, slots allocated).
Parts = list[list[tuple[int, int, int]]]


@dataclass(frozen=True)
class Row:
    """`entries` are (run, amount); `most` is the largest price; `steps` (slots, reward) are of fairness alone."""

    entries: Sequence[tuple[int, float]]
    limit: float
    most: float
    steps: Sequence[tuple[float, float]] = ()


class PricedRows:
    """Rules in their order, fairness, then what settled floors add. `most`: the largest price of each row (rows,)."""

    def __init__(self, layout: Layout, sides: Mapping[int, Side] | None = None, parts: Parts | None = None) -> None:
        self.sides: Mapping[int, Side] = sides or {}
        self._layout = layout
        self._runs = len(layout.runs)
        self._parts = parts or [contributions(counted, layout.runs) for counted in layout.counts]
        self._fill()

    def settled(self, floor: int, side: Side) -> PricedRows:
        """The same rows, with this floor on one side of its bend."""
        return PricedRows(self._layout, {**self.sides, floor: side}, self._parts)

    def _fill(self) -> None:
        counts = self._layout.counts
        made = [self._row_of(j) for j in range(len(counts))] + _fairness_rows(self._layout)
        made += [_side_row(counts[j], self._parts[j], side) for j, side in self.sides.items()]
        self._limit: Floats = np.array([row.limit for row in made], dtype=np.float64)
        self.most: Floats = np.array([row.most for row in made], dtype=np.float64)
        self._steps = [(j, width, rate) for j, row in enumerate(made) for width, rate in row.steps]
        entries = [(j, run, amount) for j, row in enumerate(made) for run, amount in row.entries]
        # A rule moves by hundreds of slots where a slot moves by one: its steps are taken in a measure of its own.
        self.scale: Floats = np.array([max(1.0, math.sqrt(sum(abs(a) for _, a in row.entries))) for row in made])
        self._row: Ints = np.array([row for row, _, _ in entries], dtype=np.int64)
        self._run: Ints = np.array([run for _, run, _ in entries], dtype=np.int64)
        self._amount: Floats = np.array([amount for _, _, amount in entries], dtype=np.float64)

    def _row_of(self, j: int) -> Row:
        counted, parts = self._layout.counts[j], self._parts[j]
        rule = counted.rule
        most = math.inf if rule.penalty is None else float(rule.penalty)
        if rule.kind == "cap":
            share = float(rule.share)
            limit = rule.slots + share * counted.fixed_allocated - counted.fixed_used
            return Row([(k, used - share * allocated) for k, used, allocated in parts], limit, most)
        base, slope = self._asked(j)
        asked = base + slope * counted.fixed_allocated - counted.fixed_used
        return Row([(k, slope * allocated - used) for k, used, allocated in parts], -asked, most)

    def _asked(self, j: int) -> tuple[float, float]:
        """(base, slope): what a floor asks for, by what is allocated."""
        counted = self._layout.counts[j]
        if side := self.sides.get(j):
            return (counted.demand, 0.0) if side == "demand" else (counted.rule.slots, float(counted.rule.share))
        low, high = self._range(j)
        at_low, at_high = _limit(counted, low), _limit(counted, high)
        slope = float(at_high - at_low) / (high - low) if high > low else 0.0
        return float(at_low) - slope * low, slope

    def _range(self, j: int) -> tuple[int, int]:
        """The least and the most that can be allocated in the scope of a rule."""
        largest: dict[int, int] = {}
        for k, _, allocated in self._parts[j]:
            r = int(self._layout.run_request[k])
            largest[r] = max(largest.get(r, 0), allocated)
        low = self._layout.counts[j].fixed_allocated
        return low, low + sum(largest.values())

    def most_bent(self, times: Floats) -> int | None:
        """The floor whose chord forgives the most when each run is chosen so many times; None when all are exact."""
        found: tuple[float, int] | None = None
        for j, counted in enumerate(self._layout.counts):
            if counted.rule.kind == "cap" or not counted.rule.of_allocated or j in self.sides:
                continue
            base, slope = self._asked(j)
            allocated = counted.fixed_allocated + sum(float(times[k]) * part for k, _, part in self._parts[j])
            limit = min(counted.rule.slots + float(counted.rule.share) * allocated, counted.demand)
            gap = limit - base - slope * allocated
            forgiven = gap * (1e6 if counted.rule.penalty is None else counted.rule.penalty)
            if forgiven > 1 and (found is None or forgiven > found[0]):
                found = forgiven, j
        return found and found[1]

    def charge(self, prices: Floats) -> Floats:
        """What a session of each run pays for the rows it counts in. Shape (runs,)."""
        charge = np.bincount(self._run, weights=prices[self._row] * self._amount, minlength=self._runs)
        return charge.astype(np.float64)

    def constant(self, prices: Floats) -> float:
        """The rows' part of L that does not depend on what is chosen."""
        rewards = sum(width * max(0.0, rate - prices[row]) for row, width, rate in self._steps)
        return float((prices * self._limit).sum()) + rewards

    def downhill(self, prices: Floats, times: Floats) -> Floats:
        """The direction in which L falls when each run is chosen so often, in the measure of `scale`. Shape (rows,)."""
        used = np.bincount(self._row, weights=self._amount * times[self._run], minlength=len(self.most))
        slope = used[: len(self.most)] - self._limit
        for row, width, rate in self._steps:
            if rate > prices[row]:
                slope[row] += width
        return slope / self.scale


def _limit(counted: RuleCount, allocated: int) -> Fraction:
    return min(counted.rule.slots + counted.rule.share * allocated, Fraction(counted.demand))


def _side_row(counted: RuleCount, parts: Sequence[tuple[int, int, int]], side: Side) -> Row:
    """What is allocated stays on one side of the bend, where limit and demand are equal."""
    sign = 1 if side == "limit" else -1
    bend = float((counted.demand - counted.rule.slots) / counted.rule.share)
    entries = [(k, float(sign * allocated)) for k, _, allocated in parts if allocated]
    return Row(entries, sign * (bend - counted.fixed_allocated), math.inf)


def _fairness_rows(layout: Layout) -> list[Row]:
    """For each organisation: rewarded slots - served slots <= 0; the price is at most the first, largest reward."""
    rows: list[Row] = []
    for who, target in layout.problem.fairness.targets.items():
        served = [(k, float(-run.slots)) for k, run in enumerate(layout.runs) if run.request.organisation == who]
        reached, steps = 0, list[tuple[float, float]]()
        for percent, rate in layout.problem.fairness.steps:
            steps.append((float(percent * target // 100 - reached), float(rate)))
            reached = percent * target // 100
        rows.append(Row(served, 0.0, max((rate for _, rate in steps), default=0.0), steps))
    return rows
