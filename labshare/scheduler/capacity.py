"""A quick bound on the objective from one thing alone: what is held on an instrument is no longer than its free time.

    L(y) = sum over instruments of y x free slots + sum over requests of max(0, max over options of value - y x slots)

is a bound for any prices y >= 0 of a slot. Fairness is rewarded in full; rules, persons, operators, order are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from labshare.scheduler.places import Stretch
from labshare.scheduler.problem import Option, Problem, Request
from labshare.scheduler.score import reward

# Subgradient steps, and how much shorter they become with each that does not help.
ROUNDS = 60
SLOWER = 0.8

# Request, instrument (both as positions), slots and most value of an option.
Row = tuple[int, int, int, int]
Floats = NDArray[np.float64]


def capacity_bound(problem: Problem, stretches: Mapping[str, Sequence[Stretch]], aim: int) -> int:
    """The least L(y) found. `stretches` are each instrument's free time; `aim` is the objective of a known plan."""
    position = {instrument.id: k for k, instrument in enumerate(problem.instruments)}
    free = [sum(stretch.end - stretch.start for stretch in stretches[name]) for name in position]
    rows = [
        (r, position[option.instrument], request.slots_on(option), _worth(request, option))
        for r, request in enumerate(problem.requests)
        for option in request.options
        if option.starts
    ]
    rewards = _rewards(problem)
    prices = _prices(rows, free, aim - rewards) if rows else [0] * len(free)
    return min(_bound(rows, free, prices), _bound(rows, free, [0] * len(free))) + rewards


def _bound(rows: Sequence[Row], free: Sequence[int], prices: Sequence[int]) -> int:
    """L(y) in whole numbers, however large."""
    best: dict[int, int] = {}
    for request, instrument, slots, value in rows:
        best[request] = max(best.get(request, 0), value - prices[instrument] * slots)
    return sum(price * slots for price, slots in zip(prices, free, strict=True)) + sum(best.values())


def _prices(rows: Sequence[Row], free: Sequence[int], aim: int) -> list[int]:
    """Good whole prices: subgradient steps after Polyak, towards the aim, from zero."""
    table = np.array(rows, dtype=np.float64)
    request, instrument = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)
    slots, value = table[:, 2], table[:, 3]
    first = np.flatnonzero(np.r_[True, request[1:] != request[:-1]])
    group = np.cumsum(np.r_[False, request[1:] != request[:-1]])
    capacity: Floats = np.array(free, dtype=np.float64)
    prices: Floats = np.zeros(len(free))
    kept, least, pace = prices, np.inf, 1.0
    for _ in range(ROUNDS):
        net = value - prices[instrument] * slots
        best = np.maximum.reduceat(net, first)
        bound = float(prices @ capacity + np.maximum(best, 0).sum())
        if bound < least:
            kept, least = prices, bound
        else:
            pace *= SLOWER
        # Of a request's best options the first counts; any would do for a subgradient.
        chosen = np.flatnonzero((net == best[group]) & (net > 0))
        chosen = chosen[np.unique(group[chosen], return_index=True)[1]]
        excess = np.bincount(instrument[chosen], weights=slots[chosen], minlength=len(free)) - capacity
        excess[(prices == 0) & (excess < 0)] = 0
        length = float(excess @ excess)
        if length == 0 or bound <= aim:
            break
        prices = np.maximum(0, prices + pace * (bound - aim) / length * excess)
    return [int(price) for price in np.rint(kept)]


def _worth(request: Request, option: Option) -> int:
    """The most that the option can be worth: at its first start."""
    return option.value - request.late * (min(first for first, _ in option.starts) - request.earliest)


def _rewards(problem: Problem) -> int:
    """Every organisation rewarded in full."""
    most = max((percent for percent, _ in problem.fairness.steps), default=0)
    targets = problem.fairness.targets.values()
    return sum(reward(problem.fairness.steps, target, most * target) for target in targets)
