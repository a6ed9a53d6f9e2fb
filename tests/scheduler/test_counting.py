"""Who matches a rule, and what is demanded of it."""

from __future__ import annotations

import pytest

from labshare.scheduler.counting import count, matches
from labshare.scheduler.problem import Request, Who
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
