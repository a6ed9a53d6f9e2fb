"""Plans made stage by stage, worked by hand on one instrument of a few slots."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from labshare.scheduler.plan import Plan, Score, encode_plan
from labshare.scheduler.problem import CurrentSession, encode, sha256
from labshare.scheduler.reading import parse, parse_plan
from labshare.scheduler.solve import solve
from labshare.services import plans
from labshare.services.stages import Stages, asks_alike, rank
from labshare.services.worth import tag_of_stage
from tests.scheduler.making import Raw, ask, raw, read, starts

BUDGET = 60.0


def first(name: str, slots: int, value: int, at: tuple[int, int], **parts: Any) -> Raw:
    return ask(name, slots, value, at, tags=[tag_of_stage(0)], **parts)


def then(name: str, slots: int, value: int, at: tuple[int, int], **parts: Any) -> Raw:
    return ask(name, slots, value, at, tags=[tag_of_stage(1)], **parts)


def solved(data: bytes) -> bytes:
    return encode_plan(solve(parse(data), problem_sha256=sha256(data)))


def made(problem: Raw) -> tuple[bytes, Plan]:
    """The last stage's problem, and the plan of all; nothing that the checker faults, in any stage."""
    stages = Stages(encode(read(problem)))
    while True:
        document = solved(stages.data)
        assert plans.judge(stages.data, document) == ()
        if stages.is_last:
            document = stages.concluded(document, BUDGET)
            assert plans.judge(stages.data, document) == ()
            return stages.data, parse_plan(document)
        stages.go_on(document)


# ---------------------------------------------------------------- precedence


def test_a_long_session_below_never_takes_the_place_of_a_short_one_above() -> None:
    """S wants slot 1 for 30, a wants 0 to 4 for 40. Together a is worth more; by stages s stands and a is left out."""
    problem = raw(4, first("s", 1, 30, (1, 1)), then("a", 4, 40, (0, 0)), then("b", 1, 5, (0, 3)))
    assert starts(solve(read(problem))) == {"a": 0}
    _, plan = made(problem)
    assert starts(plan).keys() == {"s", "b"}
    assert plan.score.objective == 35
    assert [row.request for row in plan.unplaced] == ["a"]


def test_the_last_problem_is_the_whole_one_around_what_stands() -> None:
    problem = raw(4, then("a", 4, 40, (0, 0)), first("s", 1, 30, (1, 1)))
    data, _ = made(problem)
    last = parse(data)
    assert last.requests == read(problem).requests
    assert (last.current, last.frozen_until) == ((CurrentSession(request="s", instrument="i0", start=1),), 4)
    assert last.change_penalty == 0


def test_what_an_earlier_stage_left_out_is_placed_where_there_is_room_after_all() -> None:
    """The first stage was stopped with s alone, though t would have fitted beside it; a has what t leaves."""
    rows = [first("s", 1, 9, (0, 0)), first("t", 1, 8, (1, 1)), then("a", 1, 1, (1, 2))]
    stages = Stages(encode(read(raw(3, *rows))))
    plan = parse_plan(solved(stages.data))
    stages.go_on(encode_plan(msgspec.structs.replace(plan, sessions=plan.sessions[:1])))
    assert starts(parse_plan(solved(stages.data))) == {"s": 0, "t": 1, "a": 2}


def test_a_problem_of_one_stage_is_left_as_it_is() -> None:
    data = encode(read(raw(4, ask("a", 4, 40, (0, 0)))))
    stages = Stages(data)
    assert (stages.data, stages.count, stages.is_last, stages.standing, stages.share) == (data, 1, True, 0, 1)
    document = solved(data)
    assert stages.concluded(document, BUDGET) == document
    assert stages.progress('{"seconds":1}', 5) == '{"seconds":1}'


# ---------------------------------------------------------------- rules, groups, fairness


def test_a_cap_counts_the_sessions_of_all_stages() -> None:
    """Of three slots under the cap s has two, so that a, which needs two, is left out though the instrument is free."""
    cap = {"id": "C", "kind": "cap", "slots": 3}
    _, plan = made(raw(8, first("s", 2, 9, (0, 0)), then("a", 2, 90, (4, 4)), then("b", 1, 5, (6, 6)), rules=[cap]))
    assert starts(plan) == {"s": 0, "b": 6}
    assert [(row.used, row.slack) for row in plan.rules] == [(3, 0)]


def test_a_floor_counts_the_sessions_of_all_stages() -> None:
    """Three slots are owed to industry: s has two in the first stage, a gets the third, and b cannot have it."""
    floor = {"id": "F", "kind": "floor", "who": {"access_class": ["industry"]}, "slots": 3, "penalty": 100}
    rows = [
        first("s", 2, 9, (0, 0), access_class="industry"),
        then("a", 1, 1, (2, 2), access_class="industry"),
        then("b", 1, 50, (2, 2)),
    ]
    _, plan = made(raw(3, *rows, rules=[floor]))
    assert starts(plan) == {"s": 0, "a": 2}
    assert (plan.score.penalties, plan.rules[0].used) == ({"F": 0}, 3)


def test_groups_and_rewards_stay_with_those_whom_they_concern() -> None:
    problem = raw(
        8,
        first("s", 1, 9, (0, 7), organisation="S"),
        then("a", 1, 9, (0, 7), organisation="A"),
        then("b", 1, 9, (0, 7), organisation="B"),
        groups=[{"requests": ["a", "b"], "min": 2}],
        fairness={"targets": {"A": 4, "B": 4}, "steps": [[100, 1]]},
    )
    stages = Stages(encode(read(problem)))
    part = parse(stages.data)
    assert (part.groups, part.fairness.targets, [each.id for each in part.requests]) == ((), {}, ["s"])
    data, plan = made(problem)
    assert (parse(data).groups, parse(data).fairness) == (read(problem).groups, read(problem).fairness)
    # Three sessions of 9, and a slot for A and one for B on the way to their targets.
    assert (plan.score.value, plan.score.fairness) == (27, 2)


# ---------------------------------------------------------------- what is proven


def test_a_plan_is_optimal_when_every_stage_was() -> None:
    _, plan = made(raw(4, first("s", 1, 30, (1, 1)), then("a", 4, 40, (0, 0))))
    assert (plan.status, plan.bound, plan.gap) == ("optimal", 30, 0.0)
    assert plan.run.budget == "60 seconds in 2 stages"


def test_the_bound_adds_what_an_earlier_stage_may_have_missed() -> None:
    """The first stage found 30 of at most 42. The last is solved to its end at 35: 35 + 12, and 12 / 47 of a gap."""
    stages = Stages(encode(read(raw(4, first("s", 1, 30, (1, 1)), then("b", 1, 5, (0, 3))))))
    plan = parse_plan(solved(stages.data))
    stages.go_on(encode_plan(msgspec.structs.replace(plan, status="feasible", bound=42, gap=12 / 42)))
    found = parse_plan(stages.concluded(solved(stages.data), BUDGET))
    assert (found.status, found.score.objective, found.bound) == ("feasible", 35, 47)
    assert found.gap == pytest.approx(12 / 47)
    assert plans.judge(stages.data, encode_plan(found)) == ()


def test_the_time_is_shared_by_those_who_ask_with_a_fifth_at_least() -> None:
    """1 of 10 gets a fifth, 5 of 10 half; the last stage gets all that is left."""
    few = Stages(encode(read(raw(9, first("s", 1, 9, (0, 8)), *(then(f"a{k}", 1, 1, (0, 8)) for k in range(9))))))
    assert few.share * 5 == 1
    half = [*(first(f"s{k}", 1, 9, (0, 8)) for k in range(5)), *(then(f"a{k}", 1, 1, (0, 8)) for k in range(5))]
    even = Stages(encode(read(raw(9, *half))))
    assert (even.share * 2, even.standing) == (1, 0)
    even.go_on(solved(even.data))
    assert (even.share, even.standing, even.is_last) == (1, 5, True)


def test_progress_is_that_of_the_whole_run() -> None:
    stages = Stages(encode(read(raw(4, first("s", 1, 30, (1, 1)), then("b", 1, 5, (0, 3))))))
    line = '{"objective":30,"gap":0.5,"seconds":1.5,"placed":1}'
    assert msgspec.json.decode(stages.progress(line, 4.0)) == {
        "objective": 30, "gap": 0.5, "seconds": 5.5, "placed": 1, "stage": 1, "stages": 2,
    }  # fmt: skip
    assert '"placed":1,' in stages.progress(line, 4.0)
    assert stages.progress("", 4.0) == ""


# ---------------------------------------------------------------- the better of two


def test_of_two_plans_the_earlier_stage_is_compared_first() -> None:
    """The first has 30 above and 5 below; the second 20 above and 90 below: the first is the better one."""
    rows = [first("s", 1, 30, (1, 1)), first("t", 1, 20, (1, 1)), then("a", 1, 5, (2, 2)), then("b", 1, 90, (2, 2))]
    data, plan = made(raw(4, *rows))
    assert rank(data, plan) == (30, 120)
    (taken,) = (row for row in plan.sessions if row.request == "s")
    lesser = msgspec.structs.replace(
        plan,
        sessions=tuple(msgspec.structs.replace(row, request="t") if row is taken else row for row in plan.sessions),
        score=Score(objective=110, value=110),
    )
    assert rank(data, lesser) == (20, 110)
    assert rank(data, lesser) < rank(data, plan)
    whole = encode(read(raw(4, ask("a", 1, 5, (0, 0)))))
    assert rank(whole, parse_plan(solved(whole))) == (5,)


def test_problems_are_alike_whatever_earlier_stages_got() -> None:
    rows = [first("s", 1, 30, (0, 1)), then("a", 1, 5, (2, 2))]
    data, _ = made(raw(4, *rows))
    elsewhere = parse(data)
    other = encode(msgspec.structs.replace(elsewhere, current=(CurrentSession(request="s", instrument="i0", start=1),)))
    assert asks_alike(data, other)
    assert asks_alike(data, data)
    assert not asks_alike(data, made(raw(4, rows[0], then("a", 1, 6, (2, 2))))[0])
    assert not asks_alike(data, encode(read(raw(4, *rows))))
