"""Each rule tested alone: without its function one optimum, with it another, both worked by hand."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from ortools.sat.python import cp_model

from labshare.scheduler import changeover, rules
from labshare.scheduler.model import Model
from labshare.scheduler.rules import RULES
from labshare.scheduler.solve import solve
from tests.scheduler import samples
from tests.scheduler.making import Raw, ask, offer, raw, read, starts, two_instruments

Rule = Callable[[Model], None]


def optimum(problem: Raw, without: Rule | None = None) -> int:
    """The best objective under every rule but one."""
    model = Model(read(problem))
    for rule in RULES:
        if rule is not without:
            rule(model)
    model.maximise()
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    assert solver.solve(model.cp) == cp_model.OPTIMAL
    return round(solver.objective_value)


def test_the_list_of_rules_is_the_contract() -> None:
    assert [rule.__name__ for rule in RULES] == [
        "once", "no_overlap", "changeovers", "one_place_per_person", "operators", "caps", "floors", "groups",
        "campaigns", "fairness", "stability", "value",
    ]  # fmt: skip


def test_each_rule_of_the_list_is_left_out_by_a_test_of_its_own() -> None:
    left_out = set(re.findall(r"without=\w+\.(\w+)", Path(__file__).read_text(encoding="utf-8")))
    assert left_out == {rule.__name__ for rule in RULES}


def test_a_request_is_placed_once() -> None:
    # Worth 5 on i0 and 7 on i1: both without the rule, the better one with it.
    request = {"id": "a", "slots": 2, "options": [offer(5, (0, 2)), offer(7, (0, 2), "i1")]}
    problem = raw(4, request, instruments=two_instruments())
    assert optimum(problem, without=rules.once) == 12
    assert optimum(problem) == 7


def test_sessions_on_one_instrument_do_not_overlap() -> None:
    # 6 + 6 slots do not fit into 10: the one worth 12 stays.
    problem = raw(10, ask("a", 6, 10, (0, 4)), ask("b", 6, 12, (0, 4)))
    assert optimum(problem, without=rules.no_overlap) == 22
    assert optimum(problem) == 12


def test_a_session_lies_inside_one_open_segment_clear_of_fixed_rows_and_down_times() -> None:
    # Open 0-5 and 5-10, fixed 1-2, down 6-7: what is left are 0-1, 2-5, 5-6 and 7-10; two sessions of 3 fit, of 4 none.
    parts: Raw = {
        "instruments": [{"id": "i0", "open": [[0, 5], [5, 10]]}],
        "fixed": [{"instrument": "i0", "start": 1, "end": 2}],
        "down": [["i0", 6, 7]],
    }
    assert starts(solve(read(raw(10, ask("a", 3, 5, (0, 9)), ask("b", 3, 5, (0, 2)), **parts)))) == {"a": 7, "b": 2}
    assert optimum(raw(10, ask("a", 4, 5, (0, 9)), **parts)) == 0


def test_changeover_adds_idle_slots_between_families() -> None:
    # 4 + 4 slots fit into 10; with 3 idle slots between them they need 11.
    families = {"instruments": [{"id": "i0", "changeover": [["wet", "dry", 3], ["dry", "wet", 3]]}]}
    wet, dry = ask("a", 4, 10, (0, 7), family="wet"), ask("b", 4, 8, (0, 7), family="dry")
    assert optimum(raw(10, wet, dry, **families), without=changeover.changeovers) == 18
    assert optimum(raw(10, wet, dry, **families)) == 10
    assert optimum(raw(11, wet, dry, **families)) == 18


def test_floors_hold_per_centre_and_instrument() -> None:
    # 3 slots on i1 are due to anybody: the request worth 9 on i0 and 2 on i1 goes to i1. Both conditions name i1.
    request = {"id": "a", "slots": 3, "options": [offer(9, (0, 1)), offer(2, (0, 1), "i1")]}
    for scope in ({"centres": ["c1"]}, {"instruments": ["i1"]}):
        floor = {"id": "R", "kind": "floor", "slots": 3, **scope}
        problem = raw(4, request, instruments=two_instruments(), rules=[floor])
        assert optimum(problem, without=rules.floors) == 9
        assert optimum(problem) == 2


def test_a_person_is_in_one_place() -> None:
    # Both start at 0 on different instruments: only without the rule, or when the person need not be there.
    both = [ask("a", 3, 5, (0, 0), person="u"), ask("b", 3, 6, (0, 0), "i1", person="u")]
    attended = raw(4, *(row | {"attended": True} for row in both), instruments=two_instruments())
    assert optimum(attended, without=rules.one_place_per_person) == 11
    assert optimum(attended) == 6
    assert optimum(raw(4, *both, instruments=two_instruments())) == 11


def test_a_person_attends_fixed_rows_too() -> None:
    # The person is on i1 from 1 to 3, as two rows that overlap there say: of starts 0, 1, 2, 3 on i0 only 3 is left.
    rows = [{"instrument": "i1", "start": 1, "end": 3, "person": "u", "attended": True}]
    rows += [{"instrument": "i0", "start": 4, "end": 5}, {"instrument": "i1", "start": 3, "end": 4, "person": "u"}]
    problem = raw(
        5, ask("a", 1, 5, (1, 3), person="u", attended=True, late=1), instruments=two_instruments(), fixed=rows
    )
    assert optimum(problem, without=rules.one_place_per_person) == 5
    assert optimum(problem) == 3


def test_operators_serve_as_many_as_are_on_shift() -> None:
    # One operator: two sessions that start at 0 need two; started at 2, when the first two slots are over, both fit.
    need: Raw = {"operator": {"pool": "p", "slots": 2}}
    pools = [{"id": "p", "shifts": [[0, 4, 1]]}]

    def problem(last: int) -> Raw:
        requests = ask("a", 3, 5, (0, 0), **need), ask("b", 3, 6, (0, last), "i1", **need)
        return raw(5, *requests, instruments=two_instruments(), operator_pools=pools)

    assert optimum(problem(0), without=rules.operators) == 11
    assert optimum(problem(0)) == 6
    assert optimum(problem(2)) == 11


def test_an_option_may_have_its_own_length_and_operator() -> None:
    # On i1 it takes 2 slots and no operator, so it fits where i0 has nobody on shift.
    request = ask("a", 4, 5, (0, 0), operator={"pool": "p", "slots": 1})
    request["options"].append(offer(3, (0, 0), "i1", slots=2, operator=None))
    plan = solve(read(raw(4, request, instruments=two_instruments(), operator_pools=[{"id": "p"}])))
    assert [(row.instrument, row.start, row.end) for row in plan.sessions] == [("i1", 0, 2)]


INDUSTRY = {"access_class": "industry"}


def cap(**parts: object) -> Raw:
    return {"id": "R", "kind": "cap", "who": {"access_class": ["industry"]}} | parts


def test_a_hard_cap_holds_exactly() -> None:
    # 4 + 4 slots of industry under a cap of 4.
    problem = raw(8, ask("a", 4, 5, (0, 4), **INDUSTRY), ask("b", 4, 6, (0, 4), **INDUSTRY), rules=[cap(slots=4)])
    assert optimum(problem, without=rules.caps) == 11
    assert optimum(problem) == 6


def test_a_soft_cap_charges_whole_slots() -> None:
    # Both: 11 less 4 slots too many at 1; b alone: 6.
    requests = ask("a", 4, 5, (0, 4), **INDUSTRY), ask("b", 4, 6, (0, 4), **INDUSTRY)
    assert optimum(raw(8, *requests, rules=[cap(slots=4, penalty=1)])) == 7


def test_a_cap_on_a_share_of_allocated_time_is_exact() -> None:
    # Half of 7 slots is 3.5: 4 of industry are too many by a rounded-up 1. Alone they are 4 of at most 2.
    requests = ask("a", 4, 5, (0, 6), **INDUSTRY), ask("b", 3, 2, (0, 6), access_class="education")
    hard = raw(7, *requests, rules=[cap(of_allocated="1/2")])
    assert optimum(hard, without=rules.caps) == 7
    assert optimum(hard) == 2
    assert optimum(raw(7, *requests, rules=[cap(of_allocated="1/2", penalty=3)])) == 7 - 3


def test_fixed_rows_count_only_where_a_rule_says_so() -> None:
    # 3 fixed slots of industry leave 1 of 4; uncounted they leave all 4.
    fixed = [{"instrument": "i0", "start": 0, "end": 3, "access_class": "industry"}]
    request = ask("a", 4, 5, (3, 3), **INDUSTRY)
    assert optimum(raw(7, request, fixed=fixed, rules=[cap(slots=4, count_fixed=True)])) == 0
    assert optimum(raw(7, request, fixed=fixed, rules=[cap(slots=4)])) == 5


def test_only_the_part_inside_the_window_counts() -> None:
    # 2 slots are allowed before slot 4: of the starts 0 to 2 only 2 leaves as few as 2 there.
    plan = solve(read(raw(10, ask("a", 4, 5, (0, 2), **INDUSTRY), rules=[cap(slots=2, window=[0, 4])])))
    assert starts(plan) == {"a": 2}


def test_tags_must_all_be_present_on_request_or_option() -> None:
    # Counted only on i1, where the option adds the second tag: with a cap of 0 it goes to i0.
    request = ask("a", 2, 5, (0, 0), tags=["economic"])
    request["options"].append(offer(9, (0, 0), "i1", tags=["outside_host"]))
    rule = {"id": "R", "kind": "cap", "who": {"tags": ["economic", "outside_host"]}}
    problem = raw(2, request, instruments=two_instruments(), rules=[rule])
    assert optimum(problem, without=rules.caps) == 9
    assert optimum(problem) == 5


def floor(**parts: object) -> Raw:
    return {"id": "R", "kind": "floor", "who": {"access_class": ["education"]}} | parts


# 3 slots of education worth 1 and 4 of others worth 10; together they need 7 slots.
CONTEST = (ask("a", 3, 1, (0, 9), access_class="education"), ask("b", 4, 10, (0, 9)))


def test_a_hard_floor_comes_before_value() -> None:
    problem = raw(10, *CONTEST, instruments=[{"id": "i0", "open": [[0, 5]]}], rules=[floor(slots=3)])
    assert optimum(problem, without=rules.floors) == 10
    assert optimum(problem) == 1


@pytest.mark.parametrize(
    ("penalty", "best"),
    [
        (2, 10 - 3 * 2),  # missing all 3 slots is cheaper than the 9 lost by serving them
        (4, 1),  # 10 - 3 x 4 = -2 is worse than 1
    ],
)
def test_a_soft_floor_charges_each_missing_slot(penalty: int, best: int) -> None:
    parts: Raw = {"instruments": [{"id": "i0", "open": [[0, 5]]}], "rules": [floor(slots=3, penalty=penalty)]}
    assert optimum(raw(10, *CONTEST, **parts)) == best


def test_a_floor_never_asks_for_more_than_was_applied_for() -> None:
    # 100 slots are due, 3 were applied for: serving those misses nothing.
    assert optimum(raw(10, *CONTEST, rules=[floor(slots=100)])) == 11


def test_a_floor_on_a_share_does_not_make_the_empty_plan_best() -> None:
    # Nobody in education asked: half of what is allocated is due to them, and still b is served.
    only_others = raw(10, CONTEST[1], rules=[floor(of_allocated="1/2", penalty=1000)])
    assert optimum(only_others) == 10
    # With a in play half of 7 is 3.5, more than the 3 applied for: both are served and nothing is missed.
    assert optimum(raw(10, *CONTEST, rules=[floor(of_allocated="1/2")])) == 11


@pytest.mark.slow
@pytest.mark.parametrize("penalty", [None, 1000])
def test_a_floor_for_a_class_that_asked_for_nothing_changes_no_optimum(penalty: int | None) -> None:
    # State orders are asked for by nobody in these problems, so nothing can be due to them.
    floor = {"kind": "floor", "who": {"access_class": ["state_order"]}, "penalty": penalty, "slots": 7}
    for seed in range(60):
        problem = samples.problem(Random(seed))
        more = [{"id": f"Z{n}", **floor, "of_allocated": share} for n, share in enumerate(["1/2", "1", None])]
        without, plan = solve(read(problem)), solve(read(problem | {"rules": problem["rules"] + more}))
        assert (plan.status, plan.score.objective) == (without.status, without.score.objective)
        assert all(row.demand == 0 <= row.slack for row in plan.rules if row.id.startswith("Z"))


def test_a_floor_on_a_share_counts_halves_up() -> None:
    # c is 5 slots of education that do not fit beside b: demand 8. With a and b half of 7 is 3.5: 3 served, 1 missed.
    long = ask("c", 5, 0, (0, 9), access_class="education")
    parts: Raw = {"instruments": [{"id": "i0", "open": [[0, 7]]}], "rules": [floor(of_allocated="1/2", penalty=2)]}
    problem = raw(10, *CONTEST, long, **parts)
    assert optimum(problem, without=rules.floors) == 11
    assert optimum(problem) == 11 - 2


def test_a_group_has_none_or_enough() -> None:
    # One of the two fits; worth having are two.
    requests = ask("a", 3, 5, (0, 2)), ask("b", 3, 5, (0, 2))
    problem = raw(5, *requests, groups=[{"requests": ["a", "b"], "min": 2}])
    assert optimum(problem, without=rules.groups) == 5
    assert optimum(problem) == 0


@pytest.mark.parametrize(
    ("horizon", "link", "best"),
    [
        (7, {"min_gap": 2}, 0),  # 3 + 2 + 3 = 8 slots needed
        (8, {"min_gap": 2}, 10),
        (8, {"max_gap": 0}, 10),
    ],
)
def test_a_campaign_is_whole_and_keeps_its_gaps(horizon: int, link: Raw, best: int) -> None:
    requests = ask("a", 3, 5, (0, 6)), ask("b", 3, 5, (0, 6))
    problem = raw(horizon, *requests, linked=[{"requests": ["a", "b"]} | link])
    assert optimum(problem, without=rules.campaigns) == 10
    assert optimum(problem) == best


def test_a_campaign_keeps_its_order_and_its_largest_gap() -> None:
    # b may only come first: no campaign. With a in 0-3 and b from 5 the gap is 2, more than 1.
    backwards = raw(8, ask("a", 3, 5, (4, 5)), ask("b", 3, 5, (0, 1)), linked=[{"requests": ["a", "b"]}])
    apart = raw(8, ask("a", 3, 5, (0, 0)), ask("b", 3, 5, (5, 5)), linked=[{"requests": ["a", "b"], "max_gap": 1}])
    for problem in (backwards, apart):
        assert optimum(problem, without=rules.campaigns) == 10
        assert optimum(problem) == 0


def test_fairness_rewards_the_way_to_the_target() -> None:
    # a: 1 + 2 slots at 3 + 2 at 1 = 9 for o1; b: 5 for o2, which has no target.
    requests = ask("a", 4, 1, (0, 0), organisation="o1"), ask("b", 4, 5, (0, 0), organisation="o2")
    problem = raw(4, *requests, fairness={"targets": {"o1": 4}, "steps": [[50, 3], [100, 1]]})
    assert optimum(problem, without=rules.fairness) == 5
    assert optimum(problem) == 9


# a stands at 0; b can only start there.
MOVING = (ask("a", 3, 5, (0, 3)), ask("b", 3, 2, (0, 0)))
CURRENT: Raw = {"current": [{"request": "a", "instrument": "i0", "start": 0}]}


def test_a_change_has_its_price() -> None:
    # Moving a to 3 makes room for b: 5 + 2, less 3 for the change; leaving it is worth 5.
    problem = raw(6, *MOVING, **CURRENT, change_penalty=3)
    assert optimum(problem, without=rules.stability) == 7
    assert optimum(problem) == 5
    assert optimum(raw(6, *MOVING, **CURRENT, change_penalty=1)) == 6


def test_the_frozen_part_cannot_move_unless_its_instrument_is_down() -> None:
    assert optimum(raw(6, *MOVING, **CURRENT)) == 7
    frozen = raw(6, *MOVING, **CURRENT, frozen_until=1)
    assert optimum(frozen, without=rules.stability) == 7
    assert optimum(frozen) == 5
    # Down from 2 to 3 meets a, which may then move to 3; b cannot be held at all.
    assert starts(solve(read(raw(6, *MOVING, **CURRENT, frozen_until=1, down=[["i0", 2, 3]])))) == {"a": 3}


def test_lateness_costs_from_the_earliest_start_of_all_options() -> None:
    # Fixed until 2; offered from 0 on i1, which never opens: starting at 2 is two slots late, at 2 each.
    request = {"id": "a", "slots": 1, "late": 2, "options": [offer(9, (1, 5)), offer(9, (0, 5), "i1")]}
    problem = raw(
        6,
        request,
        instruments=[{"id": "i0"}, {"id": "i1", "open": []}],
        fixed=[{"instrument": "i0", "start": 0, "end": 2}],
    )
    assert optimum(problem, without=rules.value) == 0
    assert optimum(problem) == 5
