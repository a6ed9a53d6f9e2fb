"""Measurements as a table: each against the best bound that any solver proved on the same instance.

Unavoidable shortfall is taken out of both first: with U = the sum over rules of penalty x slots proven to be missed by
every plan, a plan is worth objective + U of the bound + U.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from labshare.scheduler.problem import Problem
from tests.benchmarks.measuring import Measurement, Solver, Task

HEAD = (
    "size", "rules", "solver", "objective, % of bound", "value, % of bound", "avoidable shortfall, slots", "seconds",
    "CPU seconds", "peak MB",
)  # fmt: skip


class Row(NamedTuple):
    """One solver on one instance. Shares are of the best bound; None without a bound or without a session."""

    task: Task
    objective: float | None
    value: float | None
    shortfall: int
    measured: Measurement | None


def rows_of(problem: Problem, measured: Sequence[tuple[Task, Measurement | None]]) -> list[Row]:
    """The rows of all solvers on one instance. A measurement is None when its process was stopped without an answer."""
    found = [measurement for _, measurement in measured if measurement]
    bounds = [measurement.bound for measurement in found if measurement.bound is not None]
    unavoidable = {
        rule.id: max((measurement.unavoidable.get(rule.id, 0) for measurement in found), default=0)
        for rule in problem.rules
    }
    excused = sum((rule.penalty or 0) * unavoidable[rule.id] for rule in problem.rules)
    top = min(bounds) + excused if bounds else 0
    floors = [rule.id for rule in problem.rules if rule.kind == "floor"]
    rows: list[Row] = []
    for task, measurement in measured:
        if measurement is None or not measurement.sessions or not top:
            rows.append(Row(task, None, None, 0, measurement))
            continue
        shortfall = sum(max(0, measurement.misses.get(rule, 0) - unavoidable[rule]) for rule in floors)
        worth = measurement.value + measurement.fairness
        rows.append(Row(task, (measurement.objective + excused) / top, worth / top, shortfall, measurement))
    return rows


def reached(rows: Iterable[Row], value: Solver = "plain MIP", by: Solver = "LabShare") -> float | None:
    """Seconds until one solver had a plan at least as good as the other's last; None where it never had."""
    found = {row.task.solver: row.measured for row in rows}
    goal, runner = found.get(value), found.get(by)
    if not goal or not runner:
        return None
    return next((seconds for seconds, objective in runner.trace if objective >= goal.objective), None)


def cells(rows: Sequence[Row]) -> list[str]:
    """One line of the table: the rows of one solver on the instances of one size, as a range over the seeds."""
    task = rows[0].task
    done = [row.measured for row in rows if row.measured]
    return [
        task.size,
        "on" if task.rules else "off",
        task.solver,
        _range([100 * row.objective for row in rows if row.objective is not None], 2),
        _range([100 * row.value for row in rows if row.value is not None], 2),
        _range([row.shortfall for row in rows if row.measured], 0) if task.rules else "",
        _range([measurement.seconds for measurement in done], 1),
        _range([measurement.cpu for measurement in done], 1),
        _range([measurement.peak_mb for measurement in done], 0),
    ]


def _range(numbers: Sequence[float], digits: int) -> str:
    if not numbers:
        return "-"
    low, high = f"{min(numbers):.{digits}f}", f"{max(numbers):.{digits}f}"
    return low if low == high else f"{low} to {high}"


def markdown(lines: Iterable[Sequence[str]]) -> str:
    rows = [HEAD, ["---"] * len(HEAD), *lines]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)
