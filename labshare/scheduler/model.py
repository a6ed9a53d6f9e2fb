"""The CP-SAT model's variables, and how a solution is read back. The rules stand in rules.py, one function each.

For each run k (consecutive starts of one option that every rule counts alike):

    x_k   1 when the request is placed in this run
    s_k   its start, first_k <= s_k <= last_k
    I_k   the optional interval [s_k, s_k + slots_k), present when x_k
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ortools.sat.python import cp_model

from labshare.scheduler.counting import RuleCount, counts_of
from labshare.scheduler.places import Run, runs_of
from labshare.scheduler.plan import Session
from labshare.scheduler.problem import FixedRow, Problem

# Sums of variables. OR-Tools' own alias admits numpy numbers too, which strict typing cannot follow.
Linear = cp_model.LinearExpr

# No bound: what CP-SAT takes for infinity.
LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Around:
    """What stays while the requests of a model are planned anew, when they are a part of a larger problem.

    `runs` are clear of what stays. `kept` are the sessions that matter to instruments, persons and operators, as rows;
    `placed` requests of groups that keep one; `counts` hold them as if they were fixed; `served` slots by organisation.
    """

    runs: list[Run]
    counts: list[RuleCount]
    kept: Sequence[FixedRow]
    placed: Collection[str]
    served: Mapping[str | None, int]


class Model:
    """Variables of a problem. `assumable` gives each hard rule a switch, so that a conflict can be named."""

    def __init__(self, problem: Problem, *, assumable: bool = False, around: Around | None = None) -> None:
        self.problem = problem
        self.around = around or Around(runs_of(problem), counts_of(problem), kept=(), placed=(), served={})
        self.cp = cp_model.CpModel()
        self.runs = self.around.runs
        self.x = [self.cp.new_bool_var("") for _ in self.runs]
        self.s = [self._start(run) for run in self.runs]
        self.intervals = [self.optional_interval(k, run.slots) for k, run in enumerate(self.runs)]
        self.runs_by_request = _index(self.runs, lambda run: run.request.id)
        self.runs_by_instrument = _index(self.runs, lambda run: run.instrument)
        self.counts = self.around.counts
        self.gains: list[Linear] = []
        self.misses: dict[str, Linear] = {}
        self.switches: dict[str, cp_model.IntVar] = {}
        self._assumable = assumable

    def _start(self, run: Run) -> cp_model.IntVar:
        if run.first == run.last:
            return self.cp.new_constant(run.first)
        return self.cp.new_int_var(run.first, run.last, "")

    def optional_interval(self, k: int, slots: int) -> cp_model.IntervalVar:
        """An interval that starts with run k, is `slots` long and exists only when run k is used."""
        return self.cp.new_optional_fixed_size_interval_var(self.s[k], slots, self.x[k], "")

    def placed(self, request_id: str) -> Linear:
        """1 when the request has a session."""
        if request_id in self.around.placed:
            return self.cp.new_constant(1)
        return add_up(self.x[k] for k in self.runs_by_request[request_id])

    def total(self, slots: Callable[[Run], int]) -> Linear:
        """The sum over used runs of `slots(run)`."""
        weights = [(k, slots(run)) for k, run in enumerate(self.runs)]
        chosen = [(k, weight) for k, weight in weights if weight]
        return cp_model.LinearExpr.weighted_sum([self.x[k] for k, _ in chosen], [weight for _, weight in chosen])

    def used(self, count: RuleCount) -> Linear:
        return self.total(count.used_by) + count.fixed_used

    def allocated(self, count: RuleCount) -> Linear:
        return self.total(count.allocated_by) + count.fixed_allocated

    def at_least(self, left: Linear, right: Linear | int, when: Sequence[cp_model.IntVar] = ()) -> None:
        """Require left >= right, if all literals of `when` hold."""
        constraint = self.cp.add_linear_constraint(left - right, 0, LARGEST)
        if when:
            constraint.only_enforce_if(list(when))

    def at_most(self, left: Linear, right: Linear | int, when: Sequence[cp_model.IntVar] = ()) -> None:
        """Require left <= right, if all literals of `when` hold."""
        constraint = self.cp.add_linear_constraint(left - right, -LARGEST, 0)
        if when:
            constraint.only_enforce_if(list(when))

    def equal(self, left: Linear, right: Linear | int, when: Sequence[cp_model.IntVar] = ()) -> None:
        """Require left = right, if all literals of `when` hold."""
        self.at_least(left, right, when)
        self.at_most(left, right, when)

    def either(self) -> tuple[cp_model.IntVar, cp_model.IntVar]:
        """Two literals of which exactly one holds."""
        one, other = self.cp.new_bool_var(""), self.cp.new_bool_var("")
        self.cp.add_exactly_one(one, other)
        return one, other

    def switch(self, name: str) -> list[cp_model.IntVar]:
        """The literals that enforce the hard rule `name`: none, unless conflicts are being sought."""
        if not self._assumable:
            return []
        if name not in self.switches:
            self.switches[name] = self.cp.new_bool_var(name)
        return [self.switches[name]]

    def maximise(self) -> None:
        self.cp.maximize(add_up(self.gains))

    def sessions(self, value: Callable[[Linear], int]) -> list[Session]:
        """The sessions of a solution, in the order of the problem's requests; `value` evaluates a variable."""
        return [
            Session(request=run.request.id, instrument=run.instrument, start=start, end=start + run.slots)
            for k, run in enumerate(self.runs)
            if value(self.x[k])
            for start in [value(self.s[k])]
        ]

    def hint(self, sessions: Iterable[Session]) -> None:
        """Offer a known plan as a place to start the search."""
        starts = {session.request: session for session in sessions}
        for k, run in enumerate(self.runs):
            session = starts.get(run.request.id)
            here = session and session.instrument == run.instrument and run.first <= session.start <= run.last
            self.cp.add_hint(self.x[k], bool(here))
            if session and here and run.first < run.last:
                self.cp.add_hint(self.s[k], session.start)


def add_up(parts: Iterable[Linear]) -> Linear:
    """The sum of expressions, 0 when there are none."""
    return cp_model.LinearExpr.sum(list(parts))


def _index(runs: list[Run], key: Callable[[Run], str]) -> defaultdict[str, list[int]]:
    index: defaultdict[str, list[int]] = defaultdict(list)
    for k, run in enumerate(runs):
        index[key(run)].append(k)
    return index
