"""Who matches a rule, and what is demanded of it."""

from __future__ import annotations

from random import Random
from typing import Literal

import pytest

from labshare.scheduler.counting import RuleCount, Weigher, count, counts_of, matches
from labshare.scheduler.places import Run, runs_of
from labshare.scheduler.problem import Problem, Request, Rule, Who
from tests.scheduler import samples
from tests.scheduler.making import Raw, ask, offer, raw, read, two_instruments

REQUEST = Request(
    id="a", slots=3, access_class="industry", organisation="o1", person="u", family="wet", tags=("x",), options=()
)


@pytest.mark.parametrize(
    ("who", "meant"),
    [
        (Who(), True),
        (Who(access_class=("education", "industry")), True),
        (Who(access_class=("education",)), False),
        (Who(access_class=()), False),
        (Who(organisation=("o1",), person=("u",), family=("wet",)), True),
        (Who(organisation=("o1",), person=("v",)), False),
        (Who(family=("dry",)), False),
        (Who(tags=("x",)), True),
        (Who(tags=("x", "y")), True),  # y comes from the option
        (Who(tags=("x", "z")), False),
    ],
)
def test_all_given_keys_match_and_all_tags_are_present(who: Who, meant: bool) -> None:
    assert matches(who, REQUEST, ("y",)) is meant


def demand(*requests: Raw, **rule: object) -> int:
    fixed = [{"instrument": "i0", "start": 8, "end": 10}]
    problem = read(
        raw(10, *requests, instruments=two_instruments(), fixed=fixed, rules=[{"id": "R", "kind": "floor"} | rule])
    )
    return count(problem, problem.rules[0]).demand


def test_demand_is_what_was_applied_for_in_scope() -> None:
    here, there = ask("a", 3, 1, (0, 5)), ask("b", 4, 1, (0, 5), "i1")
    assert demand(here, there) == 7
    assert demand(here, there, instruments=["i1"]) == 4
    assert demand(here, there, count_fixed=True) == 9
    assert demand(here, there, who={"tags": ["none"]}, count_fixed=True) == 0


def test_demand_counts_the_longest_option_and_only_what_can_lie_in_the_window() -> None:
    longer = ask("a", 3, 1, (0, 5)) | {"options": [offer(1, (0, 5)), offer(1, (0, 5), "i1", slots=5)]}
    assert demand(longer) == 5
    # Window 4-6: started at 0 nothing of 3 slots lies in it, at 2 one, at 4 two.
    assert [demand(ask("a", 3, 1, (0, last)), window=[4, 6]) for last in (0, 2, 3, 4, 9)] == [0, 1, 2, 2, 2]
    assert demand(ask("a", 3, 1, (5, 9)), window=[4, 6]) == 1


# Half of what is allocated and one slot more; 9 were asked for in all.
def half(kind: Literal["cap", "floor"]) -> RuleCount:
    return RuleCount(Rule(id="R", kind=kind, slots=1, of_allocated="1/2"), frozenset(), 0, 0, 9)


@pytest.mark.parametrize(
    ("kind", "used", "allocated", "missed"),
    [
        ("cap", 4, 7, 0),  # the limit is 4.5: 4 are within it,
        ("cap", 5, 7, 1),  # 5 half a slot beyond, which is counted as a whole one
        ("floor", 4, 7, 1),  # 4.5 are due, half a slot is missing
        ("floor", 5, 7, 0),
        ("floor", 2, 40, 7),  # 21 are due, but no more than 9 were asked for
    ],
)
def test_what_is_missed_is_rounded_up_to_whole_slots(
    kind: Literal["cap", "floor"], used: int, allocated: int, missed: int
) -> None:
    assert half(kind).missed(used, allocated) == missed


RULES = [
    {"id": "everybody", "kind": "cap"},
    {"id": "industry", "kind": "cap", "who": {"access_class": ["industry"]}, "window": [2, 4]},
    {"id": "share", "kind": "floor", "who": {"access_class": ["industry"]}, "of_allocated": "1/2"},
    {"id": "there", "kind": "cap", "instruments": ["i1"]},
    {"id": "tagged", "kind": "floor", "who": {"tags": ["x"]}},
]


def test_a_session_weighs_on_the_rules_that_read_it() -> None:
    # 3 slots at 1: two of them in the window. A share is of what others have, too.
    requests = ask("a", 3, 1, (0, 5), access_class="industry"), ask("b", 3, 1, (0, 5))
    problem = read(raw(10, *requests, instruments=two_instruments(), rules=RULES))
    weigher, (industry, other) = Weigher(problem), runs_at(problem, 1)
    assert weigher.weights(industry, 1) == [(0, 3, 3), (1, 2, 2), (2, 3, 3)]
    assert weigher.weights(other, 1) == [(0, 3, 3), (2, 0, 3)]
    assert weigher.totals([*weigher.weights(industry, 1), *weigher.weights(other, 1)]) == (
        [6, 2, 3, 0, 0],
        [6, 2, 6, 0, 0],
    )


def runs_at(problem: Problem, start: int) -> list[Run]:
    return [run for run in runs_of(problem) if run.first <= start <= run.last]


def test_all_rules_at_once_are_counted_as_one_by_one() -> None:
    for seed in range(60):
        problem = read(samples.problem(Random(seed), requests=8))
        counts = counts_of(problem)
        assert counts == [count(problem, rule) for rule in problem.rules]
        for run in runs_of(problem):
            weights = Weigher(problem).weights(run, run.first)
            read_here = {k: (used, allocated) for k, used, allocated in weights}
            for k, counted in enumerate(counts):
                used, allocated = read_here.get(k, (0, 0))
                assert used == counted.used_by(run)
                assert allocated == counted.allocated_by(run) or not (counted.rule.of_allocated or used)
