"""`python -m labshare.scheduler`: the arguments of the commands; what they do is in commands.py."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from labshare.scheduler.commands import check_command, explain_command, repair_command, schema_command, solve_command
from labshare.scheduler.schema import KINDS

# Without a budget a large problem would be searched until it is proven, which may be never.
DEFAULT_SECONDS = 60.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0 done, 1 violations found, 2 malformed input, 3 infeasible."""
    given = _parser().parse_args(arguments)
    if given.command == "solve":
        return solve_command(
            given.problem,
            given.output,
            seconds=DEFAULT_SECONDS if given.steps is None and given.seconds is None else given.seconds,
            steps=given.steps,
            seed=given.seed,
            workers=given.workers,
            progress=given.progress,
        )
    if given.command == "check":
        return check_command(given.problem, given.plan)
    if given.command == "repair":
        return repair_command(
            given.problem,
            given.plan,
            given.output,
            given.problem_out,
            now=given.now,
            down=given.down,
            cancel=given.cancel,
            add=given.add,
        )
    if given.command == "schema":
        return schema_command(given.format)
    return explain_command(given.problem, given.plan, given.request)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m labshare.scheduler", description="Plan instrument time.")
    commands = parser.add_subparsers(dest="command", required=True)
    solve = commands.add_parser(
        "solve", help="find a plan", epilog="example: solve week.problem.json -o week.plan.json"
    )
    solve.add_argument("problem", type=Path)
    solve.add_argument("-o", "--output", type=Path, required=True, metavar="PLAN")
    budget = solve.add_mutually_exclusive_group()
    budget.add_argument("--seconds", type=_positive_number, help="wall-clock budget (60 when none is given)")
    budget.add_argument("--steps", type=_positive, help="budget of work: the same steps give the same plan")
    solve.add_argument("--seed", type=_natural, default=1)
    solve.add_argument("--workers", type=_positive, help="1 on steps, 2 against a clock unless told")
    solve.add_argument("--progress", choices=("human", "json", "none"), default="human")
    check = commands.add_parser("check", help="judge a plan", epilog="example: check week.problem.json week.plan.json")
    check.add_argument("problem", type=Path)
    check.add_argument("plan", type=Path)
    explain = commands.add_parser("explain", help="why a request was left out")
    explain.add_argument("problem", type=Path)
    explain.add_argument("plan", type=Path)
    explain.add_argument("request")
    _add_repair(
        commands.add_parser(
            "repair",
            help="mend a plan after an outage, a cancellation or an urgent request",
            epilog="example: repair week.problem.json week.plan.json --down i3:96-240 --now 90"
            " -o week2.plan.json --problem-out week2.problem.json",
        )
    )
    schema = commands.add_parser(
        "schema", help="print a JSON Schema", epilog="example: schema problem > problem.schema.json"
    )
    schema.add_argument("format", choices=KINDS)
    return parser


def _add_repair(repair: argparse.ArgumentParser) -> None:
    repair.add_argument("problem", type=Path)
    repair.add_argument("plan", type=Path)
    repair.add_argument("-o", "--output", type=Path, required=True, metavar="PLAN2", help="the mended plan")
    repair.add_argument(
        "--problem-out", type=Path, required=True, metavar="P2", help="the problem that the mended plan is a plan of"
    )
    repair.add_argument("--now", type=_natural, required=True, metavar="SLOT", help="what starts earlier stays")
    repair.add_argument("--down", action="append", default=[], metavar="I:S-E", help="instrument, first slot, end")
    repair.add_argument("--cancel", action="append", default=[], metavar="REQUEST", help="a request that is gone")
    repair.add_argument(
        "--add", action="append", type=Path, default=[], metavar="FILE", help="new requests, as in a problem's list"
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _natural(text: str) -> int:
    number = int(text)
    if not 0 <= number < 2**31:
        raise argparse.ArgumentTypeError("must be from 0 to 2147483647")
    return number


def _positive_number(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError("must be above 0")
    return number


if __name__ == "__main__":
    sys.exit(main())
