"""What the commands do, apart from their arguments: read files, call one function, write files, answer an exit code.

`__main__.py` and the product's own command line both call these. Faults go to standard error, one line each.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from labshare.scheduler.check import check
from labshare.scheduler.output import answer, must_be_writable, one_line, say, write_atomically
from labshare.scheduler.plan import Plan, encode_plan
from labshare.scheduler.problem import Problem, Request, encode, sha256
from labshare.scheduler.reading import Fault, Malformed, parse, parse_plan, parse_requests
from labshare.scheduler.schema import Kind, encode_schema

if TYPE_CHECKING:
    from labshare.scheduler.effort import OnProgress

DONE, VIOLATIONS, MALFORMED, INFEASIBLE = 0, 1, 2, 3

ProgressForm = Literal["human", "json", "none"]


def solve_command(
    problem_file: Path,
    plan_file: Path,
    *,
    seconds: float | None = None,
    steps: int | None = None,
    seed: int = 1,
    workers: int | None = None,
    progress: ProgressForm = "human",
) -> int:
    """Solve the problem and write the plan. SIGINT and SIGTERM stop the search; the best plan found is written."""
    with _stop_on_signals() as stop, _faults_reported() as reported:
        must_be_writable(plan_file)
        data, problem = _read_problem(problem_file)
        limits = {"seconds": seconds, "steps": steps, "seed": seed, "workers": workers}
        plan = _in_a_thread(problem, sha256(data), limits, _printer(progress), stop)
        if plan is None:
            say(f"{problem_file}: the budget ended before a plan that keeps the hard rules was found")
            return INFEASIBLE
        write_atomically(plan_file, encode_plan(plan))
        if plan.status == "infeasible":
            say(f"{problem_file}: infeasible; these cannot hold together: {', '.join(plan.conflict)}")
            return INFEASIBLE
        return DONE
    return reported.exit_code


def _in_a_thread(
    problem: Problem, digest: str, limits: dict[str, Any], on_progress: OnProgress | None, stop: threading.Event
) -> Plan | None:
    """Solve beside this thread, which handles the signals; None when the budget ended without a plan."""
    from labshare.scheduler.effort import NoPlanFound
    from labshare.scheduler.solve import solve

    with ThreadPoolExecutor(1) as pool:
        try:
            return pool.submit(
                solve, problem, **limits, on_progress=on_progress, should_stop=stop.is_set, problem_sha256=digest
            ).result()
        except NoPlanFound:
            return None


def check_command(problem_file: Path, plan_file: Path) -> int:
    """Check the plan; each violation is one line on standard output."""
    with _faults_reported() as reported:
        data, problem = _read_problem(problem_file)
        violations = check(problem, _read_plan(plan_file), problem_sha256=sha256(data))
        for violation in violations:
            answer(one_line(str(violation)) + "\n")
        return VIOLATIONS if violations else DONE
    return reported.exit_code


def explain_command(problem_file: Path, plan_file: Path, request: str) -> int:
    """Print why a request was left out, as JSON on standard output."""
    from labshare.scheduler.explain import explain

    with _faults_reported() as reported:
        data, problem = _read_problem(problem_file)
        plan = _read_plan(plan_file)
        _is_right(problem, plan, data, plan_file)
        try:
            explanation = explain(problem, plan, request)
        except LookupError as error:
            raise Malformed([Fault("REQUEST", str(error))]) from error
        answer(msgspec.json.format(msgspec.json.encode(explanation), indent=1).decode() + "\n")
        return DONE
    return reported.exit_code


def schema_command(kind: Kind) -> int:
    """Print the JSON Schema of a format on standard output."""
    answer(encode_schema(kind).decode())
    return DONE


def repair_command(
    problem_file: Path,
    plan_file: Path,
    new_plan_file: Path,
    new_problem_file: Path,
    *,
    now: int,
    down: Sequence[str] = (),
    cancel: Sequence[str] = (),
    add: Sequence[Path] = (),
) -> int:
    """Mend the plan after these changes and write both files, or neither. `down` are spans `INSTRUMENT:START-END`."""
    from labshare.scheduler.changes import Changes, parse_down
    from labshare.scheduler.repair import NoPlanFound, repair

    with _faults_reported() as reported:
        must_be_writable(new_plan_file, new_problem_file)
        data, problem = _read_problem(problem_file)
        plan = _read_plan(plan_file)
        _is_right(problem, plan, data, plan_file)
        new = tuple(request for path in add for request in _read_requests(path))
        changes = Changes(now=now, down=tuple(parse_down(text) for text in down), cancel=tuple(cancel), add=new)
        try:
            repaired = repair(problem, plan, changes)
        except NoPlanFound:
            say(f"{plan_file}: no plan that keeps the hard rules was found")
            return INFEASIBLE
        write_atomically(new_problem_file, encode(repaired.problem))
        write_atomically(new_plan_file, encode_plan(repaired.plan))
        if repaired.plan.status == "infeasible":
            say(f"{new_problem_file}: infeasible; these cannot hold together: {', '.join(repaired.plan.conflict)}")
            return INFEASIBLE
        return DONE
    return reported.exit_code


def _is_right(problem: Problem, plan: Plan, data: bytes, path: Path) -> None:
    """Only a right plan of this very problem can be explained or mended: one fault is enough to say so."""
    for violation in check(problem, plan, problem_sha256=sha256(data)):
        raise Malformed([Fault(str(path), f"is no plan of this problem ({violation})")])


def _read_requests(path: Path) -> tuple[Request, ...]:
    try:
        return parse_requests(path.read_bytes())
    except Malformed as error:
        raise Malformed([Fault(f"{path}: {fault.path}", fault.message) for fault in error.faults]) from error


class _Reported:
    exit_code = DONE


@contextlib.contextmanager
def _faults_reported() -> Generator[_Reported]:
    """Faults of the input become lines on standard error and exit code 2."""
    reported = _Reported()
    try:
        yield reported
    except Malformed as error:
        for fault in error.faults:
            say(str(fault))
        reported.exit_code = MALFORMED
    except OSError as error:
        say(f"{error.filename or 'a file'}: {error.strerror}")
        reported.exit_code = MALFORMED


def _read_problem(path: Path) -> tuple[bytes, Problem]:
    data = path.read_bytes()
    return data, parse(data)


def _read_plan(path: Path) -> Plan:
    return parse_plan(path.read_bytes())


@contextlib.contextmanager
def _stop_on_signals() -> Generator[threading.Event]:
    """An event that SIGINT and SIGTERM set, instead of ending the process."""
    stop = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _printer(form: ProgressForm) -> OnProgress | None:
    if form == "none":
        return None
    if form == "json":
        return lambda progress: say(msgspec.json.encode(progress).decode())
    return lambda progress: say(_line(msgspec.structs.asdict(progress)))


def _line(now: dict[str, float]) -> str:
    return (
        f"{now['seconds']:8.1f} s  objective {now['objective']:,}  bound {now['bound']:,}"
        f"  gap {now['gap']:.2%}  {now['placed']:,} placed"
    )
