"""The checker finds each kind of fault in a plan that is wrong in just that way, and nothing in a right one."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from labshare.scheduler.check import check, faults_of_sessions
from labshare.scheduler.plan import Plan, Score, Session, Unplaced
from labshare.scheduler.solve import solve
from tests.scheduler.making import Raw, ask, offer, raw, read, session, two_instruments


def codes(problem: Raw, *sessions: Session) -> list[str]:
    return [violation.code for violation in faults_of_sessions(read(problem), sessions)]


A = ask("a", 3, 5, (0, 6))
B = ask("b", 3, 5, (0, 6))
WITH_DRY_ROW: Raw = {
    "instruments": [{"id": "i0", "changeover": [["dry", "wet", 2]]}],
    "fixed": [{"instrument": "i0", "start": 0, "end": 2, "family": "dry"}],
}
TWO: Raw = {"instruments": two_instruments()}
OPERATED = {"operator": {"pool": "p", "slots": 2}}
POOL: Raw = {"operator_pools": [{"id": "p", "shifts": [[0, 4, 1]]}]}
ATTENDED = {"person": "u", "attended": True}
CURRENT: Raw = {"current": [{"request": "a", "instrument": "i0", "start": 1}], "frozen_until": 2}

BOTH_OPERATED = raw(9, A | OPERATED, ask("b", 3, 5, (0, 6), "i1", **OPERATED), **TWO, **POOL)
FIXED = {"instrument": "i0", "start": 0, "end": 2}

FAULTS: list[tuple[str, Raw, Sequence[Session]]] = [
    ("unknown_request", raw(9, A), [session("z", 0, 3)]),
    ("start_not_allowed", raw(9, A), [session("a", 7, 10)]),
    ("placed_twice", raw(9, A), [session("a", 0, 3), session("a", 3, 6)]),
    ("wrong_length", raw(9, A), [session("a", 0, 4)]),
    ("closed", raw(9, A, instruments=[{"id": "i0", "open": [[0, 2], [2, 9]]}]), [session("a", 1, 4)]),
    ("closed", raw(8, A), [session("a", 6, 9)]),
    ("down", raw(9, A, down=[["i0", 2, 3]]), [session("a", 0, 3)]),
    ("overlap", raw(9, A, B), [session("a", 0, 3), session("b", 2, 5)]),
    ("overlap", raw(9, A, fixed=[{"instrument": "i0", "start": 2, "end": 4}]), [session("a", 0, 3)]),
    ("changeover", raw(9, A | {"family": "wet"}, **WITH_DRY_ROW), [session("a", 3, 6)]),
    (
        "person_in_two_places",
        raw(9, A | ATTENDED, ask("b", 3, 5, (0, 6), "i1", **ATTENDED), **TWO),
        [session("a", 0, 3), session("b", 2, 5, "i1")],
    ),
    (
        "person_in_two_places",
        raw(9, A | ATTENDED, **TWO, fixed=[{"instrument": "i1", "start": 2, "end": 3} | ATTENDED]),
        [session("a", 0, 3)],
    ),
    ("too_few_operators", BOTH_OPERATED, [session("a", 0, 3), session("b", 1, 4, "i1")]),
    ("too_few_operators", raw(9, A | OPERATED, **POOL), [session("a", 3, 6)]),
    ("group_too_small", raw(9, A, B, groups=[{"requests": ["a", "b"], "min": 2}]), [session("a", 0, 3)]),
    ("campaign_broken", raw(9, A, B, linked=[{"requests": ["a", "b"]}]), [session("a", 0, 3)]),
    ("campaign_gap", raw(9, A, B, linked=[{"requests": ["a", "b"]}]), [session("a", 3, 6), session("b", 0, 3)]),
    (
        "campaign_gap",
        raw(9, A, B, linked=[{"requests": ["a", "b"], "max_gap": 1}]),
        [session("a", 0, 3), session("b", 5, 8)],
    ),
    ("frozen_moved", raw(9, A, **CURRENT), [session("a", 0, 3)]),
    ("frozen_moved", raw(9, A, **CURRENT, down=[["i0", 5, 6]]), []),
    ("hard_rule_broken", raw(9, A, rules=[{"id": "R", "kind": "cap", "slots": 2}]), [session("a", 0, 3)]),
    ("hard_rule_broken", raw(9, A, rules=[{"id": "R", "kind": "floor", "slots": 1}]), []),
]


@pytest.mark.parametrize(("code", "problem", "sessions"), FAULTS, ids=[f"{n}-{row[0]}" for n, row in enumerate(FAULTS)])
def test_each_fault_is_found(code: str, problem: Raw, sessions: Sequence[Session]) -> None:
    assert set(codes(problem, *sessions)) == {code}


def details(problem: Raw, *sessions: Session) -> list[str]:
    return [violation.detail for violation in faults_of_sessions(read(problem), sessions)]


def test_a_clash_is_told_once_for_as_long_as_it_lasts() -> None:
    # The person attends 0-3 on i0 and 1-4 on i1: both from 1 to 3. Of the operators' two slots each, 1 is in both.
    both = raw(9, A | ATTENDED, ask("b", 3, 5, (0, 6), "i1", **ATTENDED), **TWO)
    assert details(both, session("a", 0, 3), session("b", 1, 4, "i1")) == ["from slot 1 to 3"]
    assert details(BOTH_OPERATED, session("a", 0, 3), session("b", 1, 4, "i1")) == ["at slot 1"]


def test_a_session_of_senseless_length_is_judged_at_once() -> None:
    # Going through each of its slots would take for ever.
    far = 10**15
    problem = raw(9, A | ATTENDED | OPERATED, ask("b", 3, 5, (0, 6), "i1", **ATTENDED), **TWO, **POOL)
    found = codes(problem, session("a", 0, far), session("b", 0, far, "i1"))
    assert found == ["wrong_length", "wrong_length", "closed", "closed", "person_in_two_places"]
    assert codes(problem, session("a", 3, -far)) == ["wrong_length"]


@pytest.mark.parametrize(
    ("problem", "sessions"),
    [
        (raw(9, A, B), [session("a", 0, 3), session("b", 3, 6)]),
        (raw(9, A | {"family": "wet"}, **WITH_DRY_ROW), [session("a", 4, 7)]),
        (BOTH_OPERATED, [session("a", 0, 3), session("b", 2, 5, "i1")]),
        (raw(9, A | OPERATED | {"options": [offer(5, (6, 6), operator=None)]}, **POOL), [session("a", 6, 9)]),
        (raw(9, A, **CURRENT, down=[["i0", 3, 4]]), []),
        (raw(9, A, rules=[{"id": "R", "kind": "cap", "slots": 1, "window": [0, 2]}]), [session("a", 1, 4)]),
        (raw(9, A, fixed=[FIXED, FIXED | {"start": 2, "end": 3}]), [session("a", 3, 6)]),
    ],
)  # fmt: skip
def test_what_keeps_the_rules_is_left_alone(problem: Raw, sessions: list[Session]) -> None:
    assert codes(problem, *sessions) == []


def everything() -> Raw:
    """Both placed: value 5 + 5 - 3 late, R missed by 2 at 4 each, 2 slots of fairness at 3, b moved at 7."""
    return raw(
        9,
        A | {"late": 1, "organisation": "o"},
        B | {"late": 1},
        rules=[{"id": "R", "kind": "cap", "slots": 4, "penalty": 4}],
        fairness={"targets": {"o": 4}, "steps": [[50, 3]]},
        current=[{"request": "b", "instrument": "i0", "start": 6}],
        change_penalty=7,
    )


def plan_for(problem: Raw) -> Plan:
    plan = solve(read(problem))
    sessions = (session("a", 0, 3), session("b", 3, 6))
    score = Score(objective=7 - 8 - 7 + 6, value=7, penalties={"R": 8}, fairness=6, changes=7)
    outcome = msgspec.structs.replace(plan.rules[0], limit=4, used=6, slack=-2, unavoidable=0)
    return msgspec.structs.replace(
        plan, sessions=sessions, unplaced=(), score=score, status="feasible", bound=10, gap=12 / 10, rules=(outcome,)
    )


def test_every_term_of_the_score_is_recomputed() -> None:
    assert check(read(everything()), plan_for(everything())) == []


@pytest.mark.parametrize(
    ("where", "change"),
    [
        ("problem_sha256", {"problem_sha256": "0" * 64}),
        ("score.value", {"score": Score(objective=-2, value=8, penalties={"R": 8}, fairness=6, changes=7)}),
        ("score.penalties", {"score": Score(objective=-2, value=7, penalties={}, fairness=6, changes=7)}),
        ("score.fairness", {"score": Score(objective=-2, value=7, penalties={"R": 8}, fairness=5, changes=7)}),
        ("score.changes", {"score": Score(objective=-2, value=7, penalties={"R": 8}, fairness=6, changes=0)}),
        ("bound", {"bound": -3, "gap": -1 / 3}),
        ("status", {"status": "optimal"}),
        ("gap", {"gap": 0.5}),
        ("a", {"unplaced": (Unplaced(request="a"),)}),
        ("rules", {"rules": ()}),
    ],
)
def test_each_false_statement_is_found(where: str, change: dict[str, object]) -> None:
    plan = msgspec.structs.replace(plan_for(everything()), **change)
    assert [violation.where for violation in check(read(everything()), plan)] == [where]


def test_a_wrong_objective_is_found() -> None:
    plan = plan_for(everything())
    score = msgspec.structs.replace(plan.score, objective=-1)
    found = check(read(everything()), msgspec.structs.replace(plan, score=score, gap=11 / 10))
    assert [violation.where for violation in found] == ["score.objective"]


@pytest.mark.parametrize("change", [{"used": 5}, {"limit": 5}, {"slack": 0}, {"unavoidable": 3}])
def test_a_wrong_outcome_of_a_rule_is_found(change: dict[str, int]) -> None:
    plan = plan_for(everything())
    wrong = msgspec.structs.replace(plan, rules=(msgspec.structs.replace(plan.rules[0], **change),))
    assert [violation.code for violation in check(read(everything()), wrong)] == ["rules_wrong"]


def test_a_request_is_either_placed_or_unplaced() -> None:
    problem = read(raw(9, A))
    forgotten = msgspec.structs.replace(solve(read(raw(2, ask("a", 3, 5, (0, 1))))), unplaced=())
    found = check(problem, forgotten, problem_sha256=forgotten.problem_sha256)
    assert [str(violation) for violation in found] == ["a: unplaced_wrong: is neither placed nor unplaced"]


def test_an_infeasible_plan_has_no_sessions_and_names_its_conflict() -> None:
    problem = read(raw(9, A, rules=[{"id": "R", "kind": "floor", "slots": 3}, {"id": "Q", "kind": "cap"}]))
    plan = solve(problem)
    assert plan.status == "infeasible"
    assert check(problem, plan) == []
    unknown = msgspec.structs.replace(plan, conflict=("R", "S"))
    assert [str(v) for v in check(problem, unknown)] == [
        "conflict: conflict_wrong: 'S' is no hard rule and nothing frozen"
    ]
    wrong = msgspec.structs.replace(plan, conflict=(), sessions=(session("a", 0, 3),))
    assert [v.code for v in check(problem, wrong)] == ["sessions_in_infeasible_plan", "conflict_not_named"]


def test_an_infeasible_plan_of_a_problem_that_has_one_is_refuted() -> None:
    # R is soft, so a plan without sessions keeps every hard rule.
    problem = read(raw(9, A, rules=[{"id": "R", "kind": "floor", "slots": 3, "penalty": 1}]))
    lie = msgspec.structs.replace(
        solve(problem), status="infeasible", sessions=(), unplaced=(Unplaced(request="a"),), conflict=("R",)
    )
    assert {v.where for v in check(problem, lie)} == {"conflict", "status", "score", "R"}
