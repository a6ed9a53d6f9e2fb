"""Every term of the objective, worked by hand."""

from __future__ import annotations

from labshare.scheduler.plan import RuleOutcome, Score
from labshare.scheduler.score import changed, outcomes_of, reward, score
from tests.scheduler.making import ask, raw, read, session


def test_the_reward_is_paid_between_thresholds_rounded_down() -> None:
    # Target 10: thresholds 2 (25 %), 5 and 10; 20 a slot, then 10, then 5.
    steps = ((25, 20), (50, 10), (100, 5))
    assert [reward(steps, 10, served) for served in (0, 1, 2, 3, 5, 10, 99)] == [0, 20, 40, 50, 70, 95, 95]
    assert reward(steps, 0, 5) == 0


def test_the_score_adds_up() -> None:
    # a at 2 is two slots late at 1 each; R allows 4 of 6 slots; o is served 3 of 4 at 3 a slot up to half; b moved.
    problem = read(
        raw(
            9,
            ask("a", 3, 5, (0, 6), late=1, organisation="o"),
            ask("b", 3, 8, (0, 6)),
            rules=[{"id": "R", "kind": "cap", "slots": 4, "penalty": 4}],
            fairness={"targets": {"o": 4}, "steps": [[50, 3]]},
            current=[{"request": "b", "instrument": "i0", "start": 6}],
            change_penalty=7,
        )
    )
    sessions = [session("a", 2, 5), session("b", 5, 8)]
    outcomes = outcomes_of(problem, sessions)
    assert score(problem, sessions, outcomes) == Score(
        objective=11 - 8 - 7 + 6, value=11, penalties={"R": 8}, fairness=6, changes=7
    )
    assert changed(problem, sessions) == ["b"]
    assert changed(problem, [session("b", 6, 9)]) == []


def test_outcomes_round_a_cap_down_and_a_floor_up() -> None:
    # 5 slots allocated, all used; half is 2.5: a cap of 2 overrun by 3, a floor of 3 with 2 to spare. Of both, 5 asked.
    rules = [{"id": kind, "kind": kind, "of_allocated": "1/2", "penalty": 1} for kind in ("cap", "floor")]
    problem = read(raw(9, ask("a", 5, 5, (0, 4)), rules=rules))
    assert outcomes_of(problem, [session("a", 0, 5)], {"cap": 1}) == [
        RuleOutcome(id="cap", limit=2, used=5, slack=-3, unavoidable=1),
        RuleOutcome(id="floor", limit=3, used=5, slack=2, unavoidable=0, demand=5),
    ]


def test_the_slack_of_a_floor_is_bounded_by_demand() -> None:
    problem = read(raw(9, ask("a", 5, 5, (0, 4)), rules=[{"id": "F", "kind": "floor", "slots": 100}]))
    assert [row.slack for sessions in ([], [session("a", 0, 5)]) for row in outcomes_of(problem, sessions)] == [-5, 0]
