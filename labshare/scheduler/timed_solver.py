"""How a program of arrays is handed to OR-Tools, and what comes back. Nothing here knows of sessions.

GLOP solves relaxations; of whole numbers SCIP proves most, and CP-SAT comes soonest from a plan to a better one: on
time-indexed rows they were the quickest of those bundled. HiGHS can neither be stopped nor given a plan to begin with;
SCIP cannot be stopped through MathOpt, but directly.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from ortools.linear_solver import pywraplp
from ortools.math_opt import (
    callback_pb2,
    model_parameters_pb2,
    model_pb2,
    parameters_pb2,
    result_pb2,
    solution_pb2,
)
from ortools.math_opt.core.python import solver
from ortools.math_opt.python import mathopt
from ortools.util.python.solve_interrupter import SolveInterrupter

from labshare.scheduler.layout import Ints
from labshare.scheduler.search import POLL_SECONDS, ShouldStop
from labshare.scheduler.timed_model import Floats, Program, Relaxed

# Compiled modules without types.
_MATHOPT: Any = solver
_SCIP: Any = pywraplp.Solver

_INFEASIBLE = (
    result_pb2.TERMINATION_REASON_INFEASIBLE,
    result_pb2.TERMINATION_REASON_INFEASIBLE_OR_UNBOUNDED,
)
# For a search that others find plans for: nothing spent on plans at the first node, and cuts nearer to each other.
_PROVING = "\n".join(
    (
        "cutselection/hybrid/minorthoroot = 0.1",
        *(f"heuristics/{name}/freq = -1" for name in ("farkasdiving", "alns", "rens", "rins", "crossover", "feaspump")),
    )
)
_AT_LOWER, _BASIC = solution_pb2.BASIS_STATUS_AT_LOWER_BOUND, solution_pb2.BASIS_STATUS_BASIC


@dataclass(frozen=True)
class Mixed:
    """What a search for whole numbers found: a bound (infinite when none is known) and the best values, if any."""

    bound: float
    values: Floats | None
    is_infeasible: bool
    nodes: int


@dataclass(frozen=True)
class Basis:
    """Where a simplex method stands, by variable and by row, in MathOpt's numbers."""

    variables: Ints
    rows: Sequence[int]

    def of(self, variables: Ints) -> Basis:
        """The same for these variables alone."""
        return Basis(self.variables[variables], self.rows)

    def spread(self, variables: Ints, count: int) -> Basis:
        """The same for so many variables, of which these are what it was for: all others stand at their lower ends."""
        everywhere = np.full(count, _AT_LOWER, dtype=np.int64)
        everywhere[variables] = self.variables
        return Basis(everywhere, self.rows)

    def with_rows(self, count: int) -> Basis:
        """The same with so many more rows, which nothing has been done about yet."""
        return Basis(self.variables, [*self.rows, *[_BASIC] * count])


@dataclass(frozen=True)
class Vertex:
    """Where GLOP came to: prices by row, values by variable, and the basis where it has one."""

    prices: Floats
    values: Floats
    basis: Basis | None
    is_optimal: bool


def relax(program: Program, *, seconds: float | None, steps: float | None, should_stop: ShouldStop) -> Relaxed | None:
    """The linear relaxation by GLOP; None when it was stopped before it had prices. `steps` is deterministic time."""
    found = simplex(program, seconds=seconds, steps=steps, should_stop=should_stop)
    return None if found is None else priced(program, found.prices, found.values)


def simplex(
    program: Program,
    *,
    seconds: float | None,
    steps: float | None,
    should_stop: ShouldStop,
    basis: Basis | None = None,
    has_more_rows: bool = False,
) -> Vertex | None:
    """The relaxation as GLOP leaves it, from a basis if there is one (which presolve would lose).

    From a basis the primal method is quick where columns were added to it, the dual where rows were.
    """
    parameters = parameters_pb2.SolveParametersProto()
    if seconds is not None:
        parameters.time_limit.FromTimedelta(timedelta(seconds=max(0.0, seconds)))
    if steps is not None:
        parameters.glop.max_deterministic_time = steps
    beginning = model_parameters_pb2.ModelSolveParametersProto()
    if basis is not None:
        parameters.presolve = parameters_pb2.EMPHASIS_OFF
        parameters.glop.use_dual_simplex = has_more_rows
        _fill(beginning.initial_basis.variable_status, basis.variables.tolist())
        _fill(beginning.initial_basis.constraint_status, basis.rows)
    result = _by_mathopt(program.proto(), mathopt.SolverType.GLOP, parameters, beginning, should_stop)
    if result.termination.reason in _INFEASIBLE:
        return None
    is_optimal = result.termination.reason == result_pb2.TERMINATION_REASON_OPTIMAL
    for solution in result.solutions:
        if solution.HasField("dual_solution"):
            prices = _dense(solution.dual_solution.dual_values, len(program.low))
            values = _dense(solution.primal_solution.variable_values, len(program.gain))
            return Vertex(prices, values, _basis_of(solution), is_optimal)
    return None


def _fill(statuses: Any, values: Sequence[int]) -> None:
    statuses.ids.extend(range(len(values)))
    statuses.values.extend(values)


def _basis_of(solution: Any) -> Basis | None:
    if not solution.HasField("basis"):
        return None
    basis = solution.basis
    return Basis(np.array(basis.variable_status.values, dtype=np.int64), list(basis.constraint_status.values))


def decide(
    program: Program, known: Floats, *, steps: float | None, seed: int, should_stop: ShouldStop
) -> Floats | None:
    """Whole numbers by CP-SAT, sooner than SCIP at a better plan near a known one; None when stopped at once.

    `steps` is deterministic time: the same program, values and seed give the same answer.
    """
    parameters = parameters_pb2.SolveParametersProto(relative_gap_tolerance=0.0, threads=1, random_seed=seed % 2**31)
    if steps is not None:
        parameters.cp_sat.max_deterministic_time = steps
    # One strategy that solves relaxations as it goes, and little presolve: twice as many small rests in the same time.
    # What presolve does with symmetries fails on some models in OR-Tools 9.15.
    parameters.cp_sat.linearization_level = 2
    parameters.cp_sat.interleave_search = False
    parameters.cp_sat.max_presolve_iterations = 1
    parameters.cp_sat.cp_model_probing_level = 0
    parameters.cp_sat.symmetry_level = 0
    beginning = model_parameters_pb2.ModelSolveParametersProto()
    hint = beginning.solution_hints.add()
    hint.variable_values.ids.extend(range(len(known)))
    hint.variable_values.values.extend(known.tolist())
    result = _by_mathopt(program.proto(whole=True), mathopt.SolverType.CP_SAT, parameters, beginning, should_stop)
    for solution in result.solutions:
        return np.round(_dense(solution.primal_solution.variable_values, len(program.gain)))
    return None


def _by_mathopt(
    proto: model_pb2.ModelProto,
    solver_type: mathopt.SolverType,
    parameters: parameters_pb2.SolveParametersProto,
    beginning: model_parameters_pb2.ModelSolveParametersProto,
    should_stop: ShouldStop,
) -> Any:
    interrupter = SolveInterrupter()
    with _asking(should_stop, interrupter.interrupt):
        return _MATHOPT.solve(
            proto,
            solver_type.value,
            parameters_pb2.SolverInitializerProto(),
            parameters,
            beginning,
            None,
            callback_pb2.CallbackRegistrationProto(),
            None,
            interrupter.pybind_interrupter,
        )


def priced(program: Program, prices: Floats, values: Floats) -> Relaxed:
    """What these prices prove: sum of price x side + sum over variables of the better of its ends x reduced gain.

    A price whose side is infinite is taken for 0, so that any prices will do (weak duality).
    """
    prices = np.where(np.isinf(program.high), np.minimum(prices, 0.0), prices)
    prices = np.where(np.isinf(program.low), np.maximum(prices, 0.0), prices)
    side = np.where(prices > 0, program.high, np.where(prices < 0, program.low, 0.0))
    charged = np.bincount(program.variable, program.amount * prices[program.row], minlength=len(program.gain))
    reduced = program.gain - charged
    most = np.maximum(reduced * program.lower, reduced * program.upper)
    return Relaxed(float(program.offset + (prices * side).sum() + most.sum()), prices, values, reduced)


def mix(
    program: Program,
    *,
    seconds: float | None,
    nodes: int | None,
    seed: int,
    known: Floats | None,
    should_stop: ShouldStop,
    proving: bool = False,
) -> Mixed:
    """Whole numbers by SCIP, beginning at the values `known`; one thread, so that `nodes` alone decides the answer.

    `proving`: the bound matters more than values, which others look for.
    """
    scip = _scip(program)
    if proving:
        accepted = scip.SetSolverSpecificParametersAsString(_PROVING)
        assert accepted
    scip.SetSolverSpecificParametersAsString(f"randomization/randomseedshift = {seed}")
    if nodes is not None:
        scip.SetSolverSpecificParametersAsString(f"limits/totalnodes = {nodes}")
    if seconds is not None:
        scip.SetTimeLimit(max(1, round(1000 * seconds)))
    if known is not None:
        scip.SetHint(scip.variables(), known.tolist())
    parameters = pywraplp.MPSolverParameters()
    parameters.SetDoubleParam(pywraplp.MPSolverParameters.RELATIVE_MIP_GAP, 0.0)
    with _asking(should_stop, scip.InterruptSolve):
        status = scip.Solve(parameters)
    if status == _SCIP.INFEASIBLE:
        return Mixed(-math.inf, None, is_infeasible=True, nodes=scip.nodes())
    if status not in (_SCIP.OPTIMAL, _SCIP.FEASIBLE):
        return Mixed(math.inf, None, is_infeasible=False, nodes=scip.nodes())
    values: Floats = np.round(np.array([variable.solution_value() for variable in scip.variables()], dtype=np.float64))
    return Mixed(scip.Objective().BestBound(), values, is_infeasible=False, nodes=scip.nodes())


def _scip(program: Program) -> Any:
    scip = _SCIP.CreateSolver("SCIP")
    fault = scip.LoadModelFromProto(program.linear_proto())
    assert not fault, fault
    return scip


def _dense(sparse: Any, count: int) -> Floats:
    found = np.zeros(count)
    found[np.array(sparse.ids, dtype=np.int64)] = np.array(sparse.values)
    return found


@contextmanager
def _asking(should_stop: ShouldStop, stop: Callable[[], object]) -> Generator[None]:
    """Ask `should_stop` beside the search, and pass it on to the solver."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(POLL_SECONDS):
            if should_stop():
                stop()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
