"""Prices of slots and rules, and the bound they prove: Lagrangian relaxation of everything but "once".

With a price y >= 0 for each slot of a line (instrument, person, pool of operators) and z for each row (rule, fairness)

    L(y, z) = sum of y * capacity + sum over rows of h(z)
            + sum over requests of max(0, max over its starts of value - prices of its slots - prices of its rows)

is at least the objective of every plan, for any y and z, so stopping early is safe. Groups count none or at least `min`
of their requests, campaigns all or none; changeover and the order of a campaign are left out, which keeps the bound
valid. The search is a deflected subgradient method with Polyak's step towards the value of a known plan.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labshare.scheduler.layout import NOBODY, Ints, Layout, before
from labshare.scheduler.priced_rows import PricedRows, Side

Floats = npt.NDArray[np.float64]

# Deflection, first step, how a step shrinks, and how many evaluations without a better bound make it shrink.
KEEP_DIRECTION = 0.7
FIRST_STEP = 6.0
SHRINK = 0.7
PATIENCE = 8
LEAST_STEP = 2e-3
# What the past counts for in the mean of what was chosen.
OFTEN = 0.95


@dataclass(frozen=True)
class Evaluation:
    """L at some prices, the columns chosen by the requests served there (indices), and reduced values (columns,)."""

    bound: float
    chosen: Ints
    reduced: Floats


class Prices:
    """Prices of a problem: the best found so far, and the bound they prove."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.columns = layout.columns
        self.rows = PricedRows(layout)
        self.slots: Floats = np.zeros(layout.capacity.shape)
        self.row_prices: Floats = np.zeros(len(self.rows.most))
        self._uses = self._columns_by_line()
        self._families = _Families(layout)
        self._value, self._constant = self._values()
        self._capacity = layout.capacity.astype(np.float64)
        found = self.evaluate(self.slots, self.row_prices)
        self.bound = found.bound
        # How often each run was chosen of late: near the prices sought this is what the relaxation would choose.
        self._often: Floats = self._times(found.chosen)
        self._at = self.slots, self.row_prices
        self._direction: tuple[Floats, Floats] | None = None
        self._step = FIRST_STEP
        self._waited = 0

    @property
    def proven(self) -> int:
        """The bound as a whole number, rounded so that no plan can be worth more."""
        return math.floor(self.bound + 1e-6 + 1e-11 * abs(self.bound))

    @property
    def is_done(self) -> bool:
        """Have the steps become too small to change anything?"""
        return self._step < LEAST_STEP

    def improve(self, evaluations: int, known: int, should_stop: Callable[[], bool]) -> int:
        """Look for a lower bound; `known` is the value of a plan. Returns how many evaluations were made."""
        for n in range(evaluations):
            if self._step < LEAST_STEP or self.bound - known < 1 or should_stop():
                return n
            self._once(known)
        return evaluations

    def split(self) -> list[Prices]:
        """The same with the floor that bends most settled, on either side; none when no floor bends."""
        floor = self.rows.most_bent(self._often)
        return [] if floor is None else [self._settled(floor, side) for side in ("limit", "demand")]

    def _settled(self, floor: int, side: Side) -> Prices:
        other = copy(self)
        other.rows = self.rows.settled(floor, side)
        other.row_prices = np.append(self.row_prices, 0.0)
        other.start_over()
        return other

    def start_over(self) -> None:
        """Search again from the best prices, in large steps. What is proven stays proven."""
        self._at = self.slots, self.row_prices
        self._direction, self._step, self._waited = None, FIRST_STEP, 0

    def _once(self, known: int) -> None:
        slots, row_prices = self._at
        found = self.evaluate(slots, row_prices)
        if found.bound < self.bound - 2e-5 * abs(self.bound):
            self._waited = 0
        else:
            self._waited += 1
        if found.bound < self.bound:
            self.bound, self.slots, self.row_prices = found.bound, slots, row_prices
        self._often = OFTEN * self._often + (1 - OFTEN) * self._times(found.chosen)
        if self._waited > PATIENCE:
            self._waited, self._step, self._direction = 0, self._step * SHRINK, None
            self._at = slots, row_prices = self.slots, self.row_prices
            found = self.evaluate(slots, row_prices)
        self._at = self._moved(slots, row_prices, found, known)

    def _moved(self, slots: Floats, row_prices: Floats, found: Evaluation, known: int) -> tuple[Floats, Floats]:
        downhill = self._taken(found.chosen) - self._capacity, self.rows.downhill(row_prices, self._times(found.chosen))
        if self._direction is not None:
            fresh, old = 1 - KEEP_DIRECTION, self._direction
            downhill = fresh * downhill[0] + KEEP_DIRECTION * old[0], fresh * downhill[1] + KEEP_DIRECTION * old[1]
        self._direction = downhill
        length = float((downhill[0] ** 2).sum() + (downhill[1] ** 2).sum())
        step = self._step * max(1.0, found.bound - known) / max(length, 1e-9)
        return (
            np.maximum(0.0, slots + step * downhill[0]),
            np.clip(row_prices + step * downhill[1] / self.rows.scale, 0.0, self.rows.most),
        )

    def evaluate(self, slots: Floats, row_prices: Floats) -> Evaluation:
        """L at these prices, shapes (lines, horizon) and (rows,)."""
        sums = before(slots).ravel()
        reduced = self._value - self.rows.charge(row_prices)[self.columns.run]
        for columns, first, last in self._uses:
            reduced[columns] -= sums[last] - sums[first]
        best, arg = self._best(reduced)
        gained, served = self._families.choose(best)
        bound = self._constant + gained + float((slots * self._capacity).sum()) + self.rows.constant(row_prices)
        return Evaluation(bound, arg[served], reduced)

    def _best(self, reduced: Floats) -> tuple[Floats, Ints]:
        """By request the best reduced value and its column; a request without a column has -inf."""
        best = np.full(len(self.layout.problem.requests), -np.inf)
        arg = np.full(len(best), -1, dtype=np.int64)
        if len(reduced):
            most = np.maximum.reduceat(reduced, self.columns.begins)
            best[self.columns.requests] = most
            at = np.flatnonzero(reduced == best[self.columns.request])[::-1]
            arg[self.columns.request[at]] = at
        return best, arg

    def _taken(self, chosen: Ints) -> Floats:
        """How many of the chosen columns take each slot of each line."""
        change = np.zeros(self.layout.capacity.shape[0] * (self.layout.capacity.shape[1] + 1))
        is_chosen = np.zeros(len(self.columns.run), dtype=bool)
        is_chosen[chosen] = True
        for columns, first, last in self._uses:
            here = is_chosen[columns]
            np.add.at(change, first[here], 1.0)
            np.add.at(change, last[here], -1.0)
        return np.cumsum(change.reshape(self.layout.capacity.shape[0], -1), axis=1)[:, :-1]

    def _times(self, chosen: Ints) -> Floats:
        """By run, how many of the chosen columns are its own."""
        return np.bincount(self.columns.run[chosen], minlength=len(self.layout.runs)).astype(np.float64)

    def _columns_by_line(self) -> list[tuple[Ints, Ints, Ints]]:
        """For instruments, persons and pools: the columns that take any, and where their slots begin and end."""
        width = self.layout.problem.horizon + 1
        uses = [self.layout.uses(run) for run in self.layout.runs]
        found: list[tuple[Ints, Ints, Ints]] = []
        for kind in range(3):
            line = np.array([use[kind].line for use in uses], dtype=np.int64)[self.columns.run]
            slots = np.array([use[kind].slots for use in uses], dtype=np.int64)[self.columns.run]
            columns = np.flatnonzero(line != NOBODY)
            first = line[columns] * width + self.columns.start[columns]
            found.append((columns, first, first + slots[columns]))
        return found

    def _values(self) -> tuple[Floats, float]:
        """Each column's value, with the charge for change as a gain of the place that is kept."""
        problem, value = self.layout.problem, self.columns.value.astype(np.float64)
        frozen = {row.request for row in problem.current if row.start < problem.frozen_until}
        for row in problem.current:
            r = self.layout.request_index[row.request]
            here = self.columns.request == r
            kept = [
                k for k in np.flatnonzero(here)
                if self.columns.start[k] == row.start
                and self.layout.runs[self.columns.run[k]].instrument == row.instrument
            ]  # fmt: skip
            value[kept] += problem.change_penalty
            if kept and row.request in frozen:
                value[here] = np.where(np.isin(np.flatnonzero(here), kept), value[here], -np.inf)
                self._families.force(r)
        return value, float(-problem.change_penalty * len(problem.current))


class _Families:
    """Which requests are served at given best values: groups none or at least `min`, campaigns all or none."""

    def __init__(self, layout: Layout) -> None:
        problem, number = layout.problem, layout.request_index
        self._forced: set[int] = set()
        self._campaigns = _joined([[number[r] for r in link.requests] for link in problem.linked])
        taken = {r for campaign in self._campaigns for r in campaign}
        self._groups: list[tuple[list[int], int]] = []
        for group in problem.groups:
            members = list(dict.fromkeys(number[r] for r in group.requests))
            if not taken & set(members):
                self._groups.append((members, group.min))
                taken |= set(members)
        self._single = np.ones(len(problem.requests), dtype=bool)
        self._single[sorted(taken)] = False

    def force(self, request: int) -> None:
        """Serve a request whatever it costs; its group or campaign is no longer asked."""
        self._forced.add(request)
        for members in [*self._campaigns, *(members for members, _ in self._groups)]:
            if request in members:
                self._single[[r for r in members if r != request]] = True
        self._campaigns = [members for members in self._campaigns if request not in members]
        self._groups = [(members, least) for members, least in self._groups if request not in members]
        self._single[request] = False

    def choose(self, best: Floats) -> tuple[float, Ints]:
        """The sum of what is served, and the requests that are."""
        single = np.flatnonzero(self._single & (best > 0))
        total = float(best[single].sum())
        served: list[int] = single.tolist()
        for r in sorted(self._forced):
            total += float(best[r])
            served.append(r)
        for members in self._campaigns:
            if (gain := float(best[members].sum())) > 0:
                total += gain
                served += members
        for members, least in self._groups:
            order = sorted(members, key=lambda r: -best[r])
            some = [r for n, r in enumerate(order) if n < least or best[r] > 0]
            if len(some) >= least and (gain := float(best[some].sum())) > 0:
                total += gain
                served += some
        return total, np.array(sorted(served), dtype=np.int64)


def _joined(links: Sequence[Sequence[int]]) -> list[list[int]]:
    """Campaigns that share a request stand or fall together."""
    joined: list[set[int]] = []
    for link in links:
        touching = [family for family in joined if family & set(link)]
        joined = [family for family in joined if not family & set(link)]
        joined.append(set(link).union(*touching))
    return [sorted(family) for family in joined]
