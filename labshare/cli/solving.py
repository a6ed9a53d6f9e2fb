"""`labshare solve`, `check`, `explain`, `repair`, `schema`: the scheduler on files of its two formats, no database.

What must not live here: what the commands do; that is in scheduler/commands.py.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import rich_click as click
from click.exceptions import Exit

from labshare.cli.common import with_example

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)
# Without a budget a large problem would be searched until it is proven, which may be never.
DEFAULT_SECONDS = 60.0
LARGEST_SEED = 2**31 - 1


def finite(_: click.Context, __: click.Parameter, value: float | None) -> float | None:
    """A range lets nan and inf through: neither compares as too large."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter("must be a number of seconds.")
    return value


@with_example("labshare solve NAME.problem.json -o NAME.plan.json --seconds 30")
@click.command()
@click.argument("problem", type=FILE)
@click.option("-o", "--output", required=True, type=NEW_FILE, metavar="PLAN", help="Where the plan is written.")
@click.option(
    "--seconds", type=click.FloatRange(min=0, min_open=True), callback=finite,
    help="Stop after so many seconds; 60 unless --steps is given.",
)  # fmt: skip
@click.option("--steps", type=click.IntRange(min=1), help="Stop after so much work: the same plan on every machine.")
@click.option(
    "--seed", default=1, show_default=True, type=click.IntRange(0, LARGEST_SEED), help="Which of equal plans is found."
)
@click.option("--workers", type=click.IntRange(min=1), help="Threads to search with: 1 on steps, else 2 unless told.")
def solve(
    problem: Path, output: Path, seconds: float | None, steps: int | None, seed: int, workers: int | None
) -> None:
    """Divide the time of a problem's instruments among its requests. Ctrl-C keeps the best plan found so far.

    Exit codes: 0 done, 2 input that cannot be read, 3 infeasible.
    """
    from labshare.scheduler.commands import solve_command

    if seconds is not None and steps is not None:
        raise click.UsageError("--seconds and --steps exclude each other.")
    budget = DEFAULT_SECONDS if seconds is None and steps is None else seconds
    raise Exit(solve_command(problem, output, seconds=budget, steps=steps, seed=seed, workers=workers))


@with_example(
    "labshare repair P.problem.json P.plan.json --down i3:96-240 --now 90 -o P2.plan.json --problem-out P2.json"
)
@click.command()
@click.argument("problem", type=FILE)
@click.argument("plan", type=FILE)
@click.option("--down", multiple=True, metavar="I:S-E", help="Instrument I is down from slot S to E. Repeatable.")
@click.option("--cancel", multiple=True, metavar="REQUEST", help="This request is gone. Repeatable.")
@click.option("--add", multiple=True, type=FILE, metavar="FILE", help="New requests, as a problem's list. Repeatable.")
@click.option("--now", required=True, type=click.IntRange(min=0), metavar="SLOT", help="What starts before it stays.")
@click.option("-o", "--output", required=True, type=NEW_FILE, metavar="PLAN2", help="Where the new plan is written.")
@click.option("--problem-out", required=True, type=NEW_FILE, metavar="P2", help="Where its problem is written.")
def repair(
    problem: Path,
    plan: Path,
    down: tuple[str, ...],
    cancel: tuple[str, ...],
    add: tuple[Path, ...],
    now: int,
    output: Path,
    problem_out: Path,
) -> None:
    """Mend a plan after an outage, a cancelled session or an urgent request, changing as little as it takes.

    Exit codes: 0 done, 2 input that cannot be read or makes no sense, 3 infeasible.
    """
    from labshare.scheduler.commands import repair_command

    raise Exit(repair_command(problem, plan, output, problem_out, now=now, down=down, cancel=cancel, add=add))


@with_example("labshare check NAME.problem.json NAME.plan.json")
@click.command()
@click.argument("problem", type=FILE)
@click.argument("plan", type=FILE)
def check(problem: Path, plan: Path) -> None:
    """Judge a plan without the solver: every rule, every session, every number of the score. One line for each find.

    Exit codes: 0 nothing found, 1 violations found, 2 input that cannot be read.
    """
    from labshare.scheduler.commands import check_command

    raise Exit(check_command(problem, plan))


@with_example("labshare explain NAME.problem.json NAME.plan.json r118")
@click.command()
@click.argument("problem", type=FILE)
@click.argument("plan", type=FILE)
@click.argument("request")
def explain(problem: Path, plan: Path, request: str) -> None:
    """Say why a plan leaves a request out, what holds the cheapest place it asked for, and what would help (JSON)."""
    from labshare.scheduler.commands import explain_command

    raise Exit(explain_command(problem, plan, request))


@with_example("labshare schema problem > problem.schema.json")
@click.command()
@click.argument("kind", type=click.Choice(["problem", "plan"]))
def schema(kind: Literal["problem", "plan"]) -> None:
    """Print the JSON Schema of the files that solve reads and writes. An editor can complete and check them with it."""
    from labshare.scheduler.commands import schema_command

    raise Exit(schema_command(kind))
