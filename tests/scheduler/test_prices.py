"""Prices prove a bound: never below the best plan, and tight where nothing but slots is contested."""

from __future__ import annotations

import json
from random import Random

import numpy as np
import pytest

from labshare.scheduler.layout import Layout
from labshare.scheduler.prices import Prices
from labshare.scheduler.reading import parse
from labshare.scheduler.solve import solve
from tests.scheduler import samples
from tests.scheduler.making import Raw, ask, raw, read

# A few seeds each day, all of them before a change lands.
SEEDS = [*range(12), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(12, 60))]


def bound_of(problem: Raw, known: int) -> int:
    prices = Prices(Layout(read(problem)))
    prices.improve(300, known, lambda: False)
    return prices.proven


def test_without_prices_everybody_is_at_their_best() -> None:
    prices = Prices(Layout(read(raw(9, ask("a", 3, 5, (0, 0)), ask("b", 3, 8, (0, 0))))))
    assert prices.proven == 5 + 8


def test_a_price_on_the_contested_slot_proves_the_best_plan() -> None:
    # Both want [0, 3): one of them can have it, so 8 is best; a price of 5 on one of the slots proves it.
    assert bound_of(raw(9, ask("a", 3, 5, (0, 0)), ask("b", 3, 8, (0, 0))), 8) == 8
    prices = Prices(Layout(read(raw(9, ask("a", 3, 5, (0, 0)), ask("b", 3, 8, (0, 0))))))
    slots = np.zeros((1, 9))
    slots[0, 1] = 5
    assert prices.evaluate(slots, np.zeros(0)).bound == 5 + 0 + 3


def test_a_campaign_is_worth_something_only_whole() -> None:
    # The second step has no start at all, so the campaign is worth nothing.
    asked = (ask("a", 3, 5, (0, 0)), ask("b", 3, 8, (8, 8)))
    assert bound_of(raw(9, *asked, linked=[{"requests": ["a", "b"]}]), 0) == 0


def test_a_group_is_none_or_at_least_so_many() -> None:
    # Two of three are worth having; only one has a start.
    asked = (ask("a", 3, 5, (0, 0)), ask("b", 3, 8, (8, 8)), ask("c", 3, 8, (8, 8)))
    assert bound_of(raw(9, *asked, groups=[{"requests": ["a", "b", "c"], "min": 2}]), 0) == 0


def test_what_is_frozen_is_served_whatever_it_costs() -> None:
    # The frozen one is worth 5 and holds [0, 3); the other, worth 8, fits nowhere else.
    asked = (ask("a", 3, 5, (0, 0)), ask("b", 3, 8, (0, 0)))
    current: Raw = {"current": [{"request": "a", "instrument": "i0", "start": 0}], "frozen_until": 1}
    assert bound_of(raw(9, *asked, **current), 5) == 5


@pytest.mark.parametrize("seed", SEEDS)
def test_no_plan_is_worth_more_than_the_bound(seed: int) -> None:
    problem = parse(json.dumps(samples.problem(Random(seed))).encode())
    plan = solve(problem, steps=2000)
    prices = Prices(Layout(problem))
    for _ in range(4):
        prices.improve(20, plan.score.objective - 10, lambda: False)
        assert plan.status == "infeasible" or prices.proven >= plan.score.objective
