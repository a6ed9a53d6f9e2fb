"""The scheduler against what it replaces: `make bench-scheduler` runs every solver on the seeded instances.

Each run has a process of its own, so that its time and memory are its own; those of one core run side by side, LabShare
alone with all of them. Prints a line a run, then the table, which `--readme` writes into the scheduler's README with
date, command and machine. Half an hour may be interrupted: what stands in the folder `--keep` is not run again.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import groupby
from math import ceil
from pathlib import Path

import msgspec

from tests.benchmarks.instances import SIZES
from tests.benchmarks.measuring import SOLVERS, Measurement, Solver, Task
from tests.benchmarks.repairing import Repairs
from tests.benchmarks.tables import Row, cells, markdown, reached, rows_of

ROOT = Path(__file__).parents[2]
README = ROOT / "labshare" / "scheduler" / "README.md"
BEGIN, END = "<!-- benchmark -->\n", "<!-- end of benchmark -->\n"
# A process that does not come back long after its time is stopped: building and reading out are not in the limit.
PATIENCE = 5


def main() -> None:
    chosen = _arguments()
    with tempfile.TemporaryDirectory() as passing:
        folder = chosen.keep or passing
        Path(folder).mkdir(parents=True, exist_ok=True)
        by_instance = _run(list(_tasks(chosen, folder)), Kept(Path(folder) / "measurements.jsonl"))
        text = _report(by_instance, chosen) + "".join(_repairs(by_instance))
    print(f"\n{text}")
    if chosen.readme:
        before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        README.write_text(f"{before}{BEGIN}{text}{END}{after}", encoding="utf-8")


class Kept:
    """Measurements by instance and solver, each written down as soon as it is there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        lines = path.read_bytes().splitlines() if path.is_file() else []
        self._found = dict(msgspec.json.decode(line, type=tuple[str, Measurement]) for line in lines)

    def of(self, task: Task) -> Measurement | None:
        """Measured now or before. None where its process failed or was stopped."""
        name = f"{task.size} {task.rules} {task.seed} {task.solver} {task.seconds:g} {task.workers}"
        if name not in self._found and (measurement := _measured(task)):
            self._found[name] = measurement
            with self._path.open("ab") as file:
                file.write(msgspec.json.encode((name, measurement)) + b"\n")
        return self._found.get(name)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-scheduler")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["S", "60", "M"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--rules", nargs="+", choices=("off", "on"), default=["off", "on"])
    parser.add_argument("--solvers", nargs="+", choices=SOLVERS, default=list(SOLVERS))
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", help="a folder for what was measured, not to be measured again")
    parser.add_argument("--readme", action="store_true", help="write the table into the scheduler's README")
    return parser.parse_args()


def _tasks(chosen: argparse.Namespace, folder: str) -> Iterator[Task]:
    for size in chosen.sizes:
        for rules in chosen.rules:
            for seed in chosen.seeds:
                for solver in chosen.solvers:
                    # The plain MIP cannot express the rules.
                    if rules == "off" or solver != "plain MIP":
                        yield Task(size, rules == "on", seed, solver, chosen.seconds, chosen.workers, folder)


def _run(tasks: Sequence[Task], kept: Kept) -> list[list[Row]]:
    """The rows of each instance."""
    cores = max(task.workers for task in tasks)
    single = [task for task in tasks if task.solver != "LabShare"]
    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(kept.of, single))
    measured = [(task, kept.of(task)) for task in tasks]
    groups = groupby(measured, lambda pair: (pair[0].size, pair[0].rules, pair[0].seed))
    return [rows_of(group[0][0].problem(), group) for group in (list(pairs) for _, pairs in groups)]


def _measured(task: Task) -> Measurement | None:
    try:
        measurement = msgspec.json.decode(_child("measuring", task), type=Measurement)
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as failure:
        print(f"{task.solver} on {task.size}, seed {task.seed}: {failure}", flush=True)
        return None
    print(
        f"{task.size:>3} rules {'on ' if task.rules else 'off'} seed {task.seed} {task.solver:>10}:"
        f" {measurement.objective} of {measurement.bound}, {measurement.seconds:.1f} s, {measurement.peak_mb} MB,"
        f" {measurement.faults} faults",
        flush=True,
    )
    return measurement


def _child(module: str, task: Task) -> bytes:
    command = [sys.executable, "-m", f"tests.benchmarks.{module}", msgspec.json.encode(task).decode()]
    patience = PATIENCE * (task.seconds + 60)
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=patience).stdout


def _repairs(by_instance: Sequence[Sequence[Row]]) -> Iterator[str]:
    """A sentence for one of LabShare's plans of each size, with rules where there is a choice."""
    solved = [row.task for rows in by_instance for row in rows if row.task.solver == "LabShare" and row.measured]
    by_size = [list(tasks) for _, tasks in groupby(solved, lambda task: task.size)]
    for tasks in by_size:
        yield _repaired(max(tasks, key=lambda task: (task.rules, -task.seed)))


def _repaired(task: Task) -> str:
    done = msgspec.json.decode(_child("repairing", task), type=Repairs)
    times = sorted(done.seconds)
    losses = ", ".join(f"{100 * loss:.2f} %" for loss in done.losses)
    return (
        f"\nRepair at {task.size} (seed {task.seed}), {len(times)} changes one at a time: median"
        f" {times[len(times) // 2]:.2f} s, 95 % within {times[ceil(0.95 * len(times)) - 1]:.2f} s;"
        f" {done.moved} sessions moved, {done.dropped} dropped. Planning anew in {task.seconds:g} s gains {losses}"
        f" of the value.{f' {done.faults} faults.' if done.faults else ''}\n"
    )


def _report(by_instance: Sequence[Sequence[Row]], chosen: argparse.Namespace) -> str:
    rows = [row for instance in by_instance for row in instance]
    lines: dict[tuple[str, bool, Solver], list[Row]] = {}
    for row in rows:
        lines.setdefault((row.task.size, row.task.rules, row.task.solver), []).append(row)
    command = (
        f'make bench-scheduler SIZES="{" ".join(chosen.sizes)}" SEEDS="{" ".join(map(str, chosen.seeds))}"'
        f" SECONDS={chosen.seconds:g} CORES={chosen.workers}"
    )
    return (
        f"{datetime.now(UTC):%d %B %Y}, `{command}`, {_machine()}:\n\n"
        + markdown(cells(line) for line in lines.values())
        + "".join(f"\n{note}\n" for note in (_as_good(by_instance), _first_plans(rows)) if note)
    )


def _as_good(by_instance: Sequence[Sequence[Row]]) -> str:
    """When LabShare was where the plain MIP ended."""
    compared = [rows for rows in by_instance if {"plain MIP", "LabShare"} <= {row.task.solver for row in rows}]
    times = [(rows[0].task, reached(rows)) for rows in compared]
    told = [
        f"{task.size} (seed {task.seed}) " + ("not reached" if seconds is None else f"{seconds:.0f} s")
        for task, seconds in times
    ]
    return f"LabShare had a plan worth the plain MIP's last after: {', '.join(told)}." if told else ""


def _first_plans(rows: Sequence[Row]) -> str:
    """When LabShare had any plan, by size and rules."""
    times: dict[str, list[float]] = {}
    for row in rows:
        if row.measured and row.measured.trace:
            name = f"{row.task.size} rules {'on' if row.task.rules else 'off'}"
            times.setdefault(name, []).append(row.measured.trace[0][0])
    told = [f"{name} {max(seconds):.1f} s" for name, seconds in times.items()]
    return f"Its first plan was there after at most: {', '.join(told)}." if told else ""


def _machine() -> str:
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text(encoding="utf-8").splitlines() if cpus.is_file() else []
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
    # What else ran on the machine shows in its load: the runs themselves make about one for each core in use.
    load = f"load average {os.getloadavg()[2]:.1f}"
    return f"{os.cpu_count()} cores ({model}), {load}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
