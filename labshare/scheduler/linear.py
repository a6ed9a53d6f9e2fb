"""Linear rows that may be missed: the least that they must be missed by, all together.

For questions beside planning, such as whether the shares of some agreements can all be kept. What must not live here:
what a row stands for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labshare.scheduler.timed_model import Program
from labshare.scheduler.timed_solver import simplex


@dataclass(frozen=True)
class LinearRow:
    """The sum of these variables shall be at least `low` and at most `high`."""

    variables: Sequence[int]
    low: float = -np.inf
    high: float = np.inf


def least_missed(most: Sequence[float], kept: Sequence[LinearRow], asked: Sequence[LinearRow]) -> float:
    """The least total by which the rows of `asked` are missed, by variables from 0 to `most` that keep all of `kept`.

    A floating-point number: compare it with a tolerance. Raises ValueError when even `kept` cannot hold.
    """
    rows = [*kept, *asked]
    count, misses = len(most), len(asked)
    # For each row of `asked` one variable that says by how much it is missed, each unit of which costs 1.
    entries = [(k, v, 1.0) for k, row in enumerate(rows) for v in row.variables]
    entries += [(len(kept) + k, count + k, 1.0 if row.low > -np.inf else -1.0) for k, row in enumerate(asked)]
    entries.sort()
    program = Program(
        lower=np.zeros(count + misses),
        upper=np.concatenate((np.array(most, dtype=np.float64), np.full(misses, np.inf))),
        gain=np.concatenate((np.zeros(count), np.full(misses, -1.0))),
        offset=0.0,
        row=np.array([k for k, _, _ in entries], dtype=np.int64),
        variable=np.array([v for _, v, _ in entries], dtype=np.int64),
        amount=np.array([amount for _, _, amount in entries]),
        low=np.array([row.low for row in rows]),
        high=np.array([row.high for row in rows]),
    )
    found = simplex(program, seconds=None, steps=None, should_stop=lambda: False)
    if found is None:
        raise ValueError("the rows to be kept cannot hold together")
    return float(found.values[count:].sum())
