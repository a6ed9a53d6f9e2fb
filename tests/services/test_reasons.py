"""Reasons in the reader's terms: instruments and times, labels only of what the reader may see."""

from __future__ import annotations

from typing import Any, get_args
from uuid import UUID

import pytest

from labshare.i18n import LANGUAGES, Language, has, speaking
from labshare.scheduler.explain import Code
from labshare.scheduler.plan import Plan, Run, Score, Session, Unplaced
from labshare.services.planning_rules import RuleName
from labshare.services.reasons import Sight, placed_and_left, reason
from tests.domain.test_rounds import a_round
from tests.domain.test_time_requests import PERSON, request
from tests.round_of import at
from tests.services.test_planning_rules import a_rule

MINE, OTHER, THIRD = UUID(int=3), UUID(int=4), UUID(int=5)
ROUND = a_round()
NAME = str(RuleName("PPP-1", "R", "", at(0, 0)))


def told(code: str, **changes: Any) -> dict[str, Any]:
    """What the solver says: at the cheapest place, slot 16 (Monday 08:00) of N002, others hold the instrument."""
    place = {"instrument": "N002", "start": 16, "end": 20, "value": 1, "price": 2, **changes}
    return {"code": code, "gap": 0.0284, "cheapest": place}


def test_others_are_named_to_those_who_may_see_them() -> None:
    said = reason(ROUND, MINE, told("taken", sessions=[f"{OTHER}.2", f"{THIRD}.1"]), {OTHER: "#7", THIRD: "#12"}, {})
    assert said.code == "unplaced_taken"
    # 2.84 % are 28 of a thousand, rounded.
    assert said.params == {
        "gap_permille": 29,
        "instrument": "N002",
        "at": at(0, 8).isoformat(),
        "others": "#7, #12",
    }


def test_others_are_only_counted_for_everybody_else() -> None:
    said = reason(ROUND, MINE, told("taken", sessions=[f"{OTHER}.1", f"{OTHER}.2", f"{THIRD}.1"]), {}, {})
    assert said.code == "unplaced_taken_private"
    assert said.params["count"] == 2
    assert str(OTHER) not in str(said)


@pytest.mark.parametrize("code", ["taken", "not_worth_it", "room_left", "operators_busy", "person_elsewhere"])
def test_a_place_at_a_centre_that_is_not_the_reader_s_is_not_described(code: str) -> None:
    """Neither which instrument, nor when, nor who holds it: that part of the plan is for its own manager."""
    told_of_n002 = told(code, sessions=[f"{OTHER}.1"])
    said = reason(ROUND, MINE, told_of_n002, {OTHER: "#7"}, {}, {"N001"})
    assert (said.code, said.params) == ("unplaced_elsewhere", {"gap_permille": 29})
    assert reason(ROUND, MINE, told_of_n002, {OTHER: "#7"}, {}, {"N002"}).code == f"unplaced_{code}"


def test_many_others_are_not_all_named() -> None:
    ids = [UUID(int=number) for number in range(10, 15)]
    labels = {each: f"#{at}" for at, each in enumerate(ids, 1)}
    said = reason(ROUND, MINE, told("taken", sessions=[f"{each}.1" for each in ids]), labels, {})
    assert said.params["others"] == "#1, #2, #3 …"


def test_a_request_that_stands_in_its_own_way_is_told_so() -> None:
    assert reason(ROUND, MINE, told("taken", sessions=[f"{MINE}.1"]), {}, {}).code == "unplaced_own_sessions"


def test_an_agreement_is_named_to_those_who_may_read_it() -> None:
    rule = a_rule(sentence_vi="Tối đa một phần năm.", sentence_en="A fifth at most.")
    known = reason(ROUND, MINE, told("rules", rules=[NAME]), {}, {("PPP-1", "R"): rule})
    assert (known.code, known.params["agreement"], known.params["sentence_en"]) == (
        "unplaced_rules",
        "PPP-1",
        "A fifth at most.",
    )
    hidden = reason(ROUND, MINE, told("rules", rules=[NAME]), {}, {})
    assert hidden.code == "unplaced_rules_private"
    assert "PPP-1" not in str(hidden)


def test_a_plan_is_told_by_request_with_the_reason_of_its_first_session_left_out() -> None:
    plan = Plan(
        problem_sha256="",
        status="feasible",
        sessions=(
            Session(request=f"{MINE}.2", instrument="N002", start=20, end=24),
            Session(request=f"{MINE}.1", instrument="N002", start=16, end=20),
        ),
        unplaced=(
            Unplaced(request=f"{MINE}.3", reason=told("person_elsewhere")),
            Unplaced(request=f"{OTHER}.1", reason=told("no_possible_place")),
            Unplaced(request=f"{OTHER}.2", reason=told("taken")),
        ),
        score=Score(),
        bound=0,
        gap=0.0,
        run=Run(seed=1, budget="", seconds=0.0, versions={}),
    )
    outcome = placed_and_left(ROUND, plan, {}, {})
    assert [session.start for session in outcome.sessions[MINE]] == [16, 20]
    assert outcome.missing == {MINE: 1, OTHER: 2}
    assert {each: said.code for each, said in outcome.reasons.items()} == {
        MINE: "unplaced_person_elsewhere",
        OTHER: "unplaced_no_possible_place",
    }


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", get_args(Code))
def test_every_reason_of_the_solver_has_its_sentences(code: str, language: Language) -> None:
    for labels in ({}, {OTHER: "#1"}):
        said = reason(ROUND, MINE, told(code, sessions=[f"{OTHER}.1"], rules=[NAME]), labels, {})
        with speaking(language):
            assert has(f"refusal.{said.code}")


def test_sight_reaches_one_s_own_requests_and_those_of_one_s_centres() -> None:
    own, foreign = request(), request(person_id=UUID(int=9))
    nobody = Sight(person_id=None)
    applicant = Sight(person_id=PERSON)
    manager = Sight(person_id=UUID(int=7), centre_ids=frozenset({"C-ONE"}))
    assert [sight.sees(own, {"C-ONE"}) for sight in (nobody, applicant, manager)] == [False, True, True]
    assert [sight.sees(foreign, {"C-TWO"}) for sight in (applicant, manager)] == [False, False]
    assert Sight(person_id=None, sees_all=True).sees(foreign, set())
