"""Why no plan exists: a set of hard rules that cannot hold together."""

from __future__ import annotations

import msgspec
from ortools.sat.python import cp_model

from labshare.scheduler.counting import count, matches
from labshare.scheduler.model import Model
from labshare.scheduler.problem import Fairness, Problem, Rule
from labshare.scheduler.rules import build
from labshare.scheduler.search import Limits, solver_for

# What one question "do these hold together?" may cost, in steps; unanswered, a rule stays in the set.
STEPS_A_QUESTION = 500


def conflict(problem: Problem, seed: int) -> list[str]:
    """Rule ids (and `frozen:REQUEST` for frozen sessions) that cannot hold together; the problem is infeasible.

    Starts from CP-SAT's assumption core and leaves out each member without which the others still conflict. The set is
    irreducible unless a question could not be answered within its steps.
    """
    model = build(Model(problem, assumable=True))
    model.cp.clear_objective()
    names = list(model.switches)
    core = _core(model, names, seed) or names
    for name in list(core):
        without = [other for other in core if other != name]
        smaller = _core(model, without, seed)
        if smaller is not None:
            core = smaller
    return sorted(core)


def is_hopeless(problem: Problem, floor: Rule, seed: int) -> bool:
    """Is it proven that this hard floor, which asks for no share, cannot be met even by those it counts alone?

    All others are left out, and with them groups, campaigns, changeover and what is frozen: that only makes it easier.
    """
    scope = count(problem, floor).scope
    wanted = [
        r for r in problem.requests if any(o.instrument in scope and matches(floor.who, r, o.tags) for o in r.options)
    ]
    alone = msgspec.structs.replace(
        problem,
        requests=tuple(wanted),
        instruments=tuple(msgspec.structs.replace(instrument, changeover=()) for instrument in problem.instruments),
        rules=(floor,),
        groups=(),
        linked=(),
        current=(),
        fairness=Fairness(),
    )
    model = build(Model(alone))
    model.cp.clear_objective()
    return solver_for(Limits(steps=STEPS_A_QUESTION, seed=seed)).solve(model.cp) == cp_model.INFEASIBLE


def _core(model: Model, names: list[str], seed: int) -> list[str] | None:
    """The members of `names` that CP-SAT used to show that they conflict; None when they do not, or it cannot tell."""
    index = {model.switches[name].index: name for name in names}
    model.cp.clear_assumptions()
    model.cp.add_assumptions([model.switches[name] for name in names])
    solver = solver_for(Limits(steps=STEPS_A_QUESTION, seed=seed))
    solver.parameters.interleave_search = False
    # Presolve renames literals, and the core may then name ones that are no assumption.
    solver.parameters.cp_model_presolve = False
    if solver.solve(model.cp) != cp_model.INFEASIBLE:
        return None
    used = {index[literal] for literal in solver.sufficient_assumptions_for_infeasibility()}
    return [name for name in names if name in used]
