"""Plans mended: what is hit moves or goes, what is new comes in, and the rest stays. All answers are worked by hand."""

from __future__ import annotations

from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labshare.scheduler.changes import Changes, changed
from labshare.scheduler.check import check
from labshare.scheduler.plan import Plan
from labshare.scheduler.problem import Problem, Request
from labshare.scheduler.repair import NoPlanFound, Repaired, repair
from labshare.scheduler.solve import solve
from labshare.scheduler.validation import contradictions
from tests.scheduler import samples
from tests.scheduler.making import Raw, ask, offer, raw, read, starts, two_instruments

TWO: Raw = {"instruments": two_instruments()}


def on_both(name: str, slots: int, value: int, starts: tuple[int, int], **parts: object) -> Raw:
    """A request that either instrument can serve."""
    return ask(name, slots, value, starts) | {"options": [offer(value, starts), offer(value, starts, "i1")]} | parts


def new(row: Raw) -> Request:
    return msgspec.convert(row, Request)


def mended(problem: Raw, changes: Changes) -> Repaired:
    """The best plan of the problem, mended; nothing that the checker faults."""
    before = read(problem)
    repaired = repair(before, solve(before), changes)
    assert contradictions(repaired.problem) == []
    assert check(repaired.problem, repaired.plan) == []
    return repaired


def places(plan: Plan) -> dict[str, tuple[str, int]]:
    return {row.request: (row.instrument, row.start) for row in plan.sessions}


def test_an_outage_moves_the_session_it_hits_and_nothing_else() -> None:
    # a and b fill i0, c the first half of i1. The second half of i0 fails: b has one place left, the second half of i1.
    problem = raw(8, ask("a", 4, 9, (0, 0)), on_both("b", 4, 9, (4, 4)), ask("c", 4, 9, (0, 0), "i1"), **TWO)
    before = solve(read(problem))
    hit = dict(places(before))["b"][0]
    plan = mended(problem, Changes(now=0, down=((hit, 4, 8),))).plan
    other = {"i0": "i1", "i1": "i0"}[hit]
    assert places(plan) == {"a": ("i0", 0), "b": (other, 4), "c": ("i1", 0)}
    assert plan.unplaced == ()


def test_nothing_moves_for_a_gain_smaller_than_the_charge() -> None:
    # With b gone, a would be worth one more in its place; a change is charged 2.
    a = ask("a", 4, 30, (0, 0)) | {"options": [offer(31, (0, 0)), offer(30, (0, 0), "i1")]}
    problem = raw(4, a, ask("b", 4, 90, (0, 0)), change_penalty=2, **TWO)
    assert places(solve(read(problem))) == {"a": ("i1", 0), "b": ("i0", 0)}
    plan = mended(problem, Changes(now=0, cancel=("b",))).plan
    assert places(plan) == {"a": ("i1", 0)}
    assert plan.score.changes == 0


def test_nothing_happens_to_a_plan_that_nothing_happened_to() -> None:
    problem = raw(8, ask("a", 4, 9, (0, 4)), ask("b", 4, 9, (0, 4)), ask("c", 4, 5, (0, 4)))
    before = solve(read(problem))
    plan = repair(read(problem), before, Changes(now=0)).plan
    assert plan.sessions == before.sessions
    assert [row.request for row in plan.unplaced] == ["c"]


def test_a_campaign_moves_whole() -> None:
    # b must follow a at once. b is hit at 3..6, and the only room for both is 6..12.
    problem = raw(
        12, ask("a", 3, 9, (0, 9), late=1), ask("b", 3, 9, (0, 9)), linked=[{"requests": ["a", "b"], "max_gap": 0}]
    )
    assert starts(solve(read(problem))) == {"a": 0, "b": 3}
    assert starts(mended(problem, Changes(now=0, down=(("i0", 4, 6),))).plan) == {"a": 6, "b": 9}


def test_a_campaign_that_finds_no_room_goes_whole() -> None:
    problem = raw(12, ask("a", 3, 9, (0, 0)), ask("b", 3, 9, (3, 3)), linked=[{"requests": ["a", "b"]}])
    plan = mended(problem, Changes(now=0, down=(("i0", 4, 6),))).plan
    assert plan.sessions == ()
    assert [row.request for row in plan.unplaced] == ["a", "b"]


def test_a_step_that_has_begun_stays_when_the_next_one_fails() -> None:
    # At slot 3 step a is done. Step b can be nowhere else, so that the campaign ends with a.
    problem = raw(12, ask("a", 3, 9, (0, 0)), ask("b", 3, 9, (4, 4)), linked=[{"requests": ["a", "b"]}])
    repaired = mended(problem, Changes(now=3, down=(("i0", 4, 12),)))
    assert starts(repaired.plan) == {"a": 0}
    assert repaired.problem.linked == ()


def test_the_next_step_follows_the_one_that_has_begun() -> None:
    # b must start 1 to 3 slots after a's end at 3. i0 is down from 4, so it moves to i1: 4, 5 or 6, as early as it can.
    b = on_both("b", 3, 9, (0, 9), late=1)
    link = {"requests": ["a", "b"], "min_gap": 1, "max_gap": 3}
    problem = raw(12, ask("a", 3, 90, (0, 0)), b, linked=[link], **TWO)
    repaired = mended(problem, Changes(now=3, down=(("i0", 4, 12),)))
    assert places(repaired.plan) == {"a": ("i0", 0), "b": ("i1", 4)}
    assert len(repaired.problem.linked) == 1


def test_a_group_moves_or_goes_whole() -> None:
    group: Raw = {"groups": [{"requests": ["a", "b"], "min": 2}], **TWO}
    # b can move to i1, or it cannot; then a alone is not worth having.
    movable = raw(8, ask("a", 4, 9, (0, 0)), on_both("b", 4, 9, (4, 4)) | {"late": 0}, **group)
    hit = places(solve(read(movable)))["b"][0]
    plan = mended(movable, Changes(now=0, down=((hit, 4, 8),))).plan
    assert places(plan) == {"a": ("i0", 0), "b": ("i1" if hit == "i0" else "i0", 4)}
    bound_to_i0 = raw(8, ask("a", 4, 9, (0, 0)), ask("b", 4, 9, (4, 4)), **group)
    assert mended(bound_to_i0, Changes(now=0, down=(("i0", 4, 8),))).plan.sessions == ()


def test_a_group_whose_first_session_has_begun_is_content_with_it() -> None:
    problem = raw(8, ask("a", 4, 9, (0, 0)), ask("b", 4, 9, (4, 4)), groups=[{"requests": ["a", "b"], "min": 2}])
    assert starts(mended(problem, Changes(now=1, down=(("i0", 4, 8),))).plan) == {"a": 0}


def test_a_cancellation_lets_a_waiting_request_in() -> None:
    problem = raw(4, ask("a", 4, 9, (0, 0)), ask("b", 4, 5, (0, 0)))
    repaired = mended(problem, Changes(now=0, cancel=("a",)))
    assert starts(repaired.plan) == {"b": 0}
    assert (repaired.plan.status, repaired.plan.score.objective) == ("optimal", 5)


def test_room_that_is_past_is_not_filled() -> None:
    problem = raw(8, ask("a", 4, 9, (0, 0)), ask("b", 4, 5, (0, 3)))
    assert starts(solve(read(problem))) == {"a": 0}
    repaired = mended(problem, Changes(now=2, cancel=("a",)))
    assert starts(repaired.plan) in ({"b": 2}, {"b": 3})
    late = mended(problem, Changes(now=4, cancel=("a",)))
    assert late.plan.sessions == ()
    assert late.plan.unplaced[0].reason["code"] == "no_possible_place"


def test_nothing_begins_before_now_though_the_problem_has_open_windows_there() -> None:
    """At slot 6 v is cancelled, i1 fails from 8 to 12 and u is urgent: i0 before 6 and i1 before 8 stand free.

    w, who waited, fits only there and stays out. b, who is hit, and u would be worth most at 0; they begin at 6 on i0
    and at 12 on i1, the first that is neither past nor down.
    """
    b = ask("b", 4, 90, (8, 8), "i1", late=1) | {"options": [offer(20, (0, 12)), offer(90, (8, 8), "i1")]}
    problem = raw(16, b, ask("v", 6, 50, (0, 0)), ask("w", 3, 5, (0, 3)), **TWO)
    before = solve(read(problem))
    assert places(before) == {"b": ("i1", 8), "v": ("i0", 0)}
    urgent = new(ask("u", 4, 100, (0, 12), "i1", late=1))
    plan = mended(problem, Changes(now=6, down=(("i1", 8, 12),), cancel=("v",), add=(urgent,))).plan
    assert places(plan) == {"b": ("i0", 6), "u": ("i1", 12)}
    assert [row.request for row in plan.unplaced] == ["w"]


def test_an_urgent_request_displaces_the_cheapest() -> None:
    problem = raw(4, ask("a", 4, 50, (0, 0)), ask("b", 4, 30, (0, 0), "i1"), **TWO)
    plan = mended(problem, Changes(now=0, add=(new(on_both("u", 4, 100, (0, 0))),))).plan
    assert places(plan) == {"a": ("i0", 0), "u": ("i1", 0)}
    # The change is charged a tenth of the average session: 80 / 2 / 10.
    assert (plan.score.value, plan.score.changes) == (150, 4)


def test_an_urgent_request_displaces_nobody_where_a_session_can_make_room() -> None:
    # a is moved from i0 to i1 where it is as good, so that u has i0.
    problem = raw(4, on_both("a", 4, 50, (0, 0)) | {"options": [offer(60, (0, 0)), offer(50, (0, 0), "i1")]}, **TWO)
    plan = mended(problem, Changes(now=0, add=(new(ask("u", 4, 100, (0, 0))),))).plan
    assert places(plan) == {"a": ("i1", 0), "u": ("i0", 0)}


def test_a_new_request_that_is_worth_less_than_what_it_would_displace_waits() -> None:
    problem = raw(4, ask("a", 4, 50, (0, 0)))
    plan = mended(problem, Changes(now=0, add=(new(ask("u", 4, 49, (0, 0))),))).plan
    assert starts(plan) == {"a": 0}
    assert plan.unplaced[0].reason["code"] == "taken"


def test_what_has_begun_stays_however_urgent_the_rest() -> None:
    # u could have a's place or b's; a is worth less, but it has begun.
    problem = raw(8, ask("a", 4, 10, (0, 0)), ask("b", 4, 80, (4, 4)))
    plan = mended(problem, Changes(now=2, add=(new(ask("u", 4, 100, (0, 4))),))).plan
    assert starts(plan) == {"a": 0, "u": 4}


def test_a_session_that_an_outage_cuts_is_held_elsewhere_from_now_on() -> None:
    # a runs from 0 to 4 on i0, which fails at 3; it is slot 2. On i1 it may start at 2, 3 or 4: none is past.
    problem = raw(
        8, on_both("a", 4, 10, (0, 4), late=1) | {"options": [offer(20, (0, 4)), offer(9, (0, 4), "i1")]}, **TWO
    )
    plan = mended(problem, Changes(now=2, down=(("i0", 3, 8),))).plan
    assert places(plan) == {"a": ("i1", 2)}


def test_persons_operators_and_changeover_hold_for_what_moves() -> None:
    # i0 fails. On i1 b's person is elsewhere until 8, its operator on shift from 9, and the clean-up takes until 10.
    b = on_both(
        "b", 2, 50, (4, 14), person="u", attended=True, operator={"pool": "p", "slots": 1}, family="dry", late=1
    )
    problem = raw(
        20,
        b,
        fixed=[
            {"instrument": "i2", "start": 4, "end": 8, "person": "u", "attended": True},
            {"instrument": "i1", "start": 6, "end": 8, "family": "wet"},
        ],
        operator_pools=[{"id": "p", "shifts": [[0, 6, 1], [9, 20, 1]]}],
        instruments=[
            {"id": "i0", "open": [[8, 12]]},
            {"id": "i1", "changeover": [["wet", "dry", 2]]},
            {"id": "i2"},
        ],
    )
    assert places(solve(read(problem))) == {"b": ("i0", 9)}
    assert places(mended(problem, Changes(now=0, down=(("i0", 8, 12),))).plan) == {"b": ("i1", 10)}


def test_a_hard_floor_is_kept_by_whoever_can() -> None:
    industry: Raw = {"access_class": "industry"}
    floor = {"id": "F", "kind": "floor", "who": {"access_class": ["industry"]}, "slots": 4}
    # i0 is down. The floor asks for 4 slots of a and b; a had them, b is let in for c, who is worth more.
    problem = raw(
        4,
        ask("a", 4, 9, (0, 0), **industry),
        ask("b", 4, 1, (0, 0), "i1", **industry),
        ask("c", 4, 30, (0, 0), "i1"),
        rules=[floor],
        **TWO,
    )
    assert starts(solve(read(problem))) == {"a": 0, "c": 0}
    plan = mended(problem, Changes(now=0, down=(("i0", 0, 4),))).plan
    assert places(plan) == {"b": ("i1", 0)}


def test_hard_rules_that_can_no_longer_hold_are_named() -> None:
    floor = {"id": "F", "kind": "floor", "slots": 4}
    plan = mended(raw(4, ask("a", 4, 9, (0, 0)), rules=[floor]), Changes(now=0, down=(("i0", 0, 4),))).plan
    assert (plan.status, plan.conflict, plan.sessions) == ("infeasible", ("F",), ())


def test_sessions_go_until_a_hard_cap_holds_again() -> None:
    # Industry may have half of what is allocated. With b gone, a has all of it.
    cap = {"id": "C", "kind": "cap", "who": {"access_class": ["industry"]}, "of_allocated": "1/2"}
    problem = raw(4, ask("a", 2, 9, (0, 0), access_class="industry"), ask("b", 2, 9, (2, 2)), rules=[cap])
    assert starts(solve(read(problem))) == {"a": 0, "b": 2}
    assert mended(problem, Changes(now=0, cancel=("b",))).plan.sessions == ()


def test_neighbours_that_need_more_time_between_them_are_parted() -> None:
    # From wet to dry takes 3 slots, through b none. With b gone, a ends at 2 and c may start at 5.
    wet, dry = {"family": "wet"}, {"family": "dry"}
    problem = raw(
        8,
        ask("a", 2, 90, (0, 0), **wet),
        ask("b", 2, 9, (2, 2)),
        ask("c", 2, 30, (4, 6), late=1, **dry),
        instruments=[{"id": "i0", "changeover": [["wet", "dry", 3]]}],
    )
    assert starts(solve(read(problem))) == {"a": 0, "b": 2, "c": 4}
    assert starts(mended(problem, Changes(now=0, cancel=("b",))).plan) == {"a": 0, "c": 5}


def test_the_old_bound_holds_after_an_outage() -> None:
    # One person asks for a and b at the same time, so that 9 + 9 were proven; then c is lost. By the time of the
    # instruments alone 21 would be possible: 5 for b, and 7 slots at 2 with 1 each left of a and c.
    who: Raw = {"person": "u", "attended": True}
    rows = [ask("a", 4, 9, (0, 0)) | who, ask("b", 4, 5, (0, 0), "i1") | who, ask("c", 4, 9, (4, 4))]
    plan = mended(raw(8, *rows, **TWO), Changes(now=0, down=(("i0", 5, 6),))).plan
    assert (plan.score.value, plan.bound, plan.status) == (9, 18, "feasible")


def test_after_other_changes_the_time_of_the_instruments_bounds() -> None:
    # a and b fill i0 and c waits; without a, b and c fill it again: nothing is worth more than 9 + 5.
    problem = raw(8, ask("a", 4, 9, (0, 0)), ask("b", 4, 9, (4, 4)), ask("c", 4, 5, (0, 4)))
    plan = mended(problem, Changes(now=0, cancel=("a",))).plan
    assert (plan.score.objective, plan.bound, plan.status) == (14, 14, "optimal")


def test_a_plan_without_sessions_can_be_mended() -> None:
    problem = read(
        raw(4, ask("a", 4, 9, (0, 0)), rules=[{"id": "F", "kind": "floor", "slots": 8}], down=[["i0", 0, 2]])
    )
    empty = solve(problem)
    assert empty.status == "infeasible"
    repaired = repair(problem, empty, Changes(now=0, cancel=("a",)))
    assert (repaired.plan.status, repaired.plan.sessions) == ("optimal", ())
    assert check(repaired.problem, repaired.plan) == []


def test_hard_rules_that_only_the_past_could_keep_leave_no_plan() -> None:
    # At slot 4 the floor of 4 slots, which the cancelled a kept, could be kept only by b, at 0.
    problem = read(
        raw(8, ask("a", 4, 9, (0, 0)), ask("b", 4, 5, (0, 0)), rules=[{"id": "F", "kind": "floor", "slots": 4}])
    )
    with pytest.raises(NoPlanFound):
        repair(problem, solve(problem), Changes(now=4, cancel=("a",)))


def some_changes(random: Random, problem: Problem) -> Changes:
    horizon = problem.horizon
    down: list[tuple[str, int, int]] = []
    if random.random() < 0.6:
        start = random.randint(0, horizon - 2)
        down = [(random.choice(problem.instruments).id, start, random.randint(start + 1, horizon))]
    names = [row.id for row in problem.requests]
    others = read(samples.problem(random, requests=3, horizon=horizon, instruments=3)).requests
    return Changes(
        now=random.choice([0, 0, 3, 8]),
        down=tuple(down),
        cancel=tuple(random.sample(names, random.randint(0, min(2, len(names))))) if random.random() < 0.4 else (),
        add=tuple(msgspec.structs.replace(row, id=f"n{row.id}") for row in others) if random.random() < 0.4 else (),
    )


def random_repairs_are_right(seed: int) -> None:
    random = Random(seed)
    problem = read(samples.problem(random, requests=8, horizon=20, instruments=3))
    plan = solve(problem)
    if plan.status == "infeasible":
        return
    changes = some_changes(random, problem)
    before = set(plan.sessions)
    try:
        repaired = repair(problem, plan, changes)
    except NoPlanFound:
        # Only a start that is past could keep the hard rules.
        late = solve(changed(problem, plan.sessions, changes)).sessions
        assert any(row.start < changes.now and row not in before for row in late)
        return
    assert contradictions(repaired.problem) == []
    assert check(repaired.problem, repaired.plan) == []
    assert all(row.start >= changes.now or row in before for row in repaired.plan.sessions)
    best = solve(repaired.problem)
    assert (best.status == "infeasible") == (repaired.plan.status == "infeasible")
    assert best.status == "infeasible" or best.score.objective <= repaired.plan.bound


@pytest.mark.slow
@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(min_value=0, max_value=10**9))
def test_whatever_happens_the_mended_plan_is_right(seed: int) -> None:
    random_repairs_are_right(seed)


@pytest.mark.slow
@settings(max_examples=400, deadline=None, derandomize=True)
@given(seed=st.integers(min_value=0, max_value=10**9))
def test_whatever_happens_the_mended_plan_is_right_at_length(seed: int) -> None:
    random_repairs_are_right(seed)


def test_the_same_changes_give_the_same_bytes() -> None:
    def told(repaired: Repaired) -> bytes:
        run = msgspec.structs.replace(repaired.plan.run, seconds=0.0)
        return msgspec.json.encode(msgspec.structs.replace(repaired.plan, run=run))

    random = Random(5)
    problem = read(samples.problem(random, requests=30, horizon=40, instruments=4))
    plan = solve(problem, steps=30)
    changes = Changes(now=3, down=(("i0", 4, 30),))
    assert told(repair(problem, plan, changes)) == told(repair(problem, plan, changes))
