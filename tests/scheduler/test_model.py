"""The variables of the model, and the sessions read back from a solution."""

from __future__ import annotations

from ortools.sat.python import cp_model

from labshare.scheduler.model import Model
from labshare.scheduler.rules import build
from tests.scheduler.making import ask, raw, read, session


def solved(model: Model) -> cp_model.CpSolver:
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    assert solver.solve(model.cp) == cp_model.OPTIMAL
    return solver


def test_sessions_come_back_in_the_order_of_requests() -> None:
    model = build(Model(read(raw(6, ask("b", 3, 5, (3, 3)), ask("a", 3, 5, (0, 3), late=1)))))
    assert model.sessions(solved(model).value) == [session("b", 3, 6), session("a", 0, 3)]


def test_a_hint_names_every_run() -> None:
    model = Model(read(raw(6, ask("a", 3, 5, (0, 3)), ask("b", 3, 5, (0, 0)))))
    model.hint([session("a", 2, 5)])
    hint = model.cp.proto.solution_hint
    values = dict(zip(hint.vars, hint.values, strict=True))
    assert values == {model.x[0].index: 1, model.s[0].index: 2, model.x[1].index: 0}


def test_switches_exist_only_where_conflicts_are_sought() -> None:
    problem = read(
        raw(6, ask("a", 3, 5, (0, 3)), rules=[{"id": "R", "kind": "cap"}, {"id": "S", "kind": "cap", "penalty": 1}])
    )
    assert build(Model(problem)).switches == {}
    assert list(build(Model(problem, assumable=True)).switches) == ["R"]
