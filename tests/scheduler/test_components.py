"""What shares nothing is taken apart; whatever is shared keeps its requests together."""

from __future__ import annotations

import pytest

from labshare.scheduler.components import components
from tests.scheduler.making import Raw, ask, raw, read, two_instruments

A, B = ask("a", 2, 5, (0, 2)), ask("b", 2, 5, (0, 2), "i1")


def parts(problem: Raw) -> list[list[str]]:
    """The requests of each part that has some."""
    found = [[request.id for request in part.requests] for part in components(read(problem))]
    return sorted(part for part in found if part)


def pair(one: Raw | None = None, other: Raw | None = None, **more: object) -> Raw:
    return raw(4, A | (one or {}), B | (other or {}), **({"instruments": two_instruments()} | more))


def test_requests_on_different_instruments_are_apart() -> None:
    assert parts(pair()) == [["a"], ["b"]]


ATTENDED: Raw = {"person": "u", "attended": True}
OPERATED: Raw = {"operator": {"pool": "p", "slots": 1}}
POOLS: Raw = {"operator_pools": [{"id": "p"}]}


@pytest.mark.parametrize(
    "problem",
    [
        pair({}, {"options": [*A["options"], *B["options"]]}),
        pair(ATTENDED, ATTENDED),
        pair(OPERATED, OPERATED, **POOLS),
        pair(groups=[{"requests": ["a", "b"]}]),
        pair(linked=[{"requests": ["a", "b"]}]),
        pair(rules=[{"id": "R", "kind": "cap"}]),
        pair({"organisation": "o"}, {"organisation": "o"}, fairness={"targets": {"o": 3}, "steps": [[100, 1]]}),
        pair(ATTENDED, OPERATED, **POOLS, fixed=[{"instrument": "i0", "start": 0, "end": 1} | OPERATED]),
    ],
)
def test_requests_that_share_anything_stay_together(problem: Raw) -> None:
    assert parts(problem) == [["a", "b"]]


def test_a_rule_joins_only_what_it_counts() -> None:
    # A cap on i0 leaves b alone; a share of all allocated time does not.
    assert parts(pair(rules=[{"id": "R", "kind": "cap", "instruments": ["i0"]}])) == [["a"], ["b"]]
    who: Raw = {"id": "R", "kind": "cap", "who": {"access_class": ["industry"]}}
    assert parts(pair({"access_class": "industry"}, rules=[who])) == [["a"], ["b"]]
    assert parts(pair({"access_class": "industry"}, rules=[who | {"of_allocated": "1/2"}])) == [["a", "b"]]


def test_nothing_is_lost_on_the_way() -> None:
    problem = pair(
        ATTENDED,
        OPERATED,
        **POOLS,
        rules=[{"id": "R", "kind": "cap", "instruments": ["i1"]}, {"id": "Q", "kind": "floor", "who": {"tags": ["x"]}}],
        fixed=[{"instrument": "i1", "start": 0, "end": 1}],
        down=[["i0", 0, 1]],
        current=[{"request": "a", "instrument": "i0", "start": 1}],
        fairness={"targets": {"o": 3, "q": 1}, "steps": [[100, 1]]},
    )
    found = components(read(problem))
    for name in ("instruments", "requests", "operator_pools", "rules", "fixed", "down", "current"):
        assert sum(len(getattr(part, name)) for part in found) == len(problem[name]), name


def test_an_empty_problem_is_one_part() -> None:
    assert len(components(read(raw(4, instruments=[])))) == 1
