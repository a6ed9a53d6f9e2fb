"""The structs of the problem: neutral values for what is absent, exact fractions, one file form."""

from __future__ import annotations

from fractions import Fraction

import msgspec
import pytest

from labshare.scheduler.problem import OperatorNeed, Option, Problem, Request, Rule, encode, sha256


def test_absent_keys_take_the_neutral_value() -> None:
    problem = msgspec.json.decode(b'{"format": "labshare-problem/1", "horizon": 4}', type=Problem)
    assert problem == Problem(format="labshare-problem/1", horizon=4)
    assert (problem.instruments, problem.rules, problem.change_penalty, problem.frozen_until) == ((), (), 0, 0)


@pytest.mark.parametrize(
    ("text", "share"), [("1/5", Fraction(1, 5)), ("2/4", Fraction(1, 2)), ("1", Fraction(1)), (None, 0)]
)
def test_shares_are_exact(text: str | None, share: Fraction) -> None:
    assert Rule(id="R", kind="cap", of_allocated=text).share == share


def test_a_rule_without_a_penalty_is_hard() -> None:
    assert Rule(id="R", kind="cap").is_hard
    assert not Rule(id="R", kind="cap", penalty=0).is_hard


def test_an_option_overrides_length_and_operator() -> None:
    need = OperatorNeed(pool="p", slots=2)
    request = Request(id="a", slots=4, operator=need)
    plain, own = Option(instrument="i"), Option(instrument="i", slots=3, operator=None)
    assert (request.slots_on(plain), request.operator_on(plain)) == (4, need)
    assert (request.slots_on(own), request.operator_on(own)) == (3, None)


def test_the_earliest_start_is_that_of_all_options() -> None:
    options = (
        Option(instrument="i", starts=((7, 9), (5, 6))),
        Option(instrument="j", starts=((3, 3),)),
        Option(instrument="k"),
    )
    assert Request(id="a", slots=1, options=options).earliest == 3
    assert Request(id="a", slots=1).earliest == 0


def test_structs_are_frozen() -> None:
    with pytest.raises(AttributeError, match="immutable"):
        Option(instrument="i").value = 3  # pyright: ignore[reportAttributeAccessIssue]


def test_the_file_of_a_problem_is_always_the_same() -> None:
    problem = Problem(format="labshare-problem/1", horizon=4)
    # Printed with one blank of indentation and an end of line; digest by sha256sum of these bytes.
    assert encode(problem) == b'{\n "format": "labshare-problem/1",\n "horizon": 4\n}\n'
    assert sha256(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
