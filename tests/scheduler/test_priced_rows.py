"""Rows beside slots: what a run pays, what a price alone is worth, and which floor bends most."""

from __future__ import annotations

import math

import numpy as np

from labshare.scheduler.layout import Layout
from labshare.scheduler.priced_rows import PricedRows
from tests.scheduler.making import Raw, ask, raw, read

TWO = (ask("a", 3, 5, (0, 0), access_class="education"), ask("b", 3, 8, (3, 3), organisation="o"))
SHARE: Raw = {"id": "F", "kind": "floor", "who": {"access_class": ["education"]}, "of_allocated": "1/2"}


def rows(**parts: object) -> PricedRows:
    return PricedRows(Layout(read(raw(9, *TWO, **parts))))


def test_a_cap_is_paid_by_whom_it_counts_and_gives_back_its_limit() -> None:
    made = rows(rules=[{"id": "C", "kind": "cap", "who": {"organisation": ["o"]}, "slots": 2, "penalty": 7}])
    assert made.most.tolist() == [7.0]
    # Three slots of b at 4 each; L holds the price times the limit of 2.
    assert made.charge(np.array([4.0])).tolist() == [0.0, 12.0]
    assert made.constant(np.array([4.0])) == 8.0


def test_a_hard_rule_has_no_largest_price() -> None:
    assert rows(rules=[{"id": "C", "kind": "cap", "slots": 2}]).most.tolist() == [math.inf]


def test_a_floor_pays_whom_it_counts_and_asks_for_its_limit() -> None:
    made = rows(rules=[{"id": "F", "kind": "floor", "who": {"organisation": ["o"]}, "slots": 2, "penalty": 7}])
    assert made.charge(np.array([4.0])).tolist() == [0.0, -12.0]
    assert made.constant(np.array([4.0])) == -8.0


def test_rewards_above_the_price_are_kept() -> None:
    # Target 4: two slots at 9, two more at 5. At a price of 6 the first two keep 3 each, and a served slot is worth 6.
    made = rows(fairness={"targets": {"o": 4}, "steps": [[50, 9], [100, 5]]})
    assert made.constant(np.array([6.0])) == 6.0
    assert made.charge(np.array([6.0])).tolist() == [0.0, -18.0]


def test_a_floor_on_a_share_bends_where_its_limit_meets_its_demand() -> None:
    # Up to 6 slots can be allocated: the limit would be 3 = demand there, and half of what is allocated below: no bend.
    layout = Layout(read(raw(9, *TWO, rules=[{**SHARE, "penalty": 100}])))
    assert PricedRows(layout).most_bent(np.array([1.0, 0.5])) is None
    # With a share of 1 the limit meets the demand of 3 at 3 allocated; the chord to (6, 3) asks for 1.5 there.
    layout = Layout(read(raw(9, *TWO, rules=[{**SHARE, "of_allocated": "1", "penalty": 100}])))
    assert PricedRows(layout).most_bent(np.array([0.5, 0.5])) == 0


def test_a_settled_floor_is_exact_on_its_side() -> None:
    layout = Layout(read(raw(9, *TWO, rules=[{**SHARE, "of_allocated": "1", "penalty": 100}])))
    limit, demand = (PricedRows(layout).settled(0, side) for side in ("limit", "demand"))
    prices = np.array([2.0, 0.0])
    # Limit: each slot allocated asks for one more, so b pays 2 x 3 and a, who serves as much, nothing.
    assert (limit.charge(prices).tolist(), limit.constant(prices)) == ([0.0, 6.0], 0.0)
    # Demand: 3 are asked for, whoever else is there.
    assert (demand.charge(prices).tolist(), demand.constant(prices)) == ([-6.0, 0.0], -6.0)
    # The row of the side: at most, or at least, 3 slots are allocated.
    side = np.array([0.0, 1.0])
    assert (limit.constant(side), demand.constant(side)) == (3.0, -3.0)
