"""Why a request was left out: the code, the ids that stand in the way, and what would have helped."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random

import msgspec
import pytest

from labshare.scheduler.explain import Explanation, Nearest, PlaceReport, Reader, explain, reasons
from labshare.scheduler.solve import solve
from tests.scheduler import samples
from tests.scheduler.making import Raw, ask, raw, read, two_instruments

ROOT = Path(__file__).parents[2]


def why(problem: Raw, request: str) -> Explanation:
    """The explanation of the best plan."""
    asked = read(problem)
    return explain(asked, solve(asked), request)


def test_a_taken_instrument_names_the_sessions_and_their_value() -> None:
    # a (7) wins 0-4 of 5; b would need it too.
    found = why(
        raw(8, ask("a", 4, 7, (0, 0)), ask("b", 4, 5, (0, 1)), instruments=[{"id": "i0", "open": [[0, 5], [5, 8]]}]),
        "b",
    )
    assert (found.code, found.proven, found.gap) == ("taken", False, 0.0)
    assert found.cheapest == PlaceReport(instrument="i0", start=0, end=4, value=5, price=7, sessions=("a",))
    # Free are 4-5 and 5-8, and never 4 slots in one open segment; at 4, in one's own window, nothing: 1 slot too late.
    assert found.nearest == ()
    assert found.helps == ()


def test_the_nearest_free_place_is_outside_what_was_asked() -> None:
    # b asks to start at 0 or 1 where a sits until 4: 4 is 3 slots after 1.
    found = why(raw(10, ask("a", 4, 7, (0, 0)), ask("b", 4, 5, (0, 1))), "b")
    assert found.nearest == (Nearest(instrument="i0", start=4, end=8, distance=3),)
    assert [(help.code, help.instrument, help.start) for help in found.helps] == [("other_start", "i0", 4)]


def test_what_would_help_can_be_kept_to_some_instruments() -> None:
    # a takes 0-4 of both; 4 is free on either, 3 slots after the last start that was asked for.
    takers = [ask(f"a{n}", 4, 9, (0, 0), f"i{n}") for n in range(2)]
    request = ask("b", 4, 5, (0, 1))
    request["options"].append({"instrument": "i1", "value": 5, "starts": [[0, 1]]})
    problem = read(raw(10, *takers, request, instruments=two_instruments()))
    reader = Reader(problem, solve(problem))
    assert [near.instrument for near in reader.explain("b").nearest] == ["i0", "i1"]
    found = reader.explain("b", instruments={"i1"})
    assert [near.instrument for near in found.nearest] == ["i1"]
    assert {help.instrument for help in found.helps} == {"i1"}
    nowhere = reader.explain("b", instruments=())
    assert (nowhere.nearest, nowhere.helps, nowhere.code) == ((), (), "taken")


def test_a_shorter_session_would_have_fitted() -> None:
    # a at 0-4 of an instrument open until 6: at 4 two slots are free, b wants three.
    found = why(raw(6, ask("a", 4, 7, (0, 0)), ask("b", 3, 5, (0, 4))), "b")
    assert [(help.code, help.start, help.slots) for help in found.helps] == [("shorter", 4, 2)]


def test_a_shorter_session_must_fit_in_every_way() -> None:
    # From 4 on the instrument is free, but not the person, who is elsewhere from 5 on.
    fixed = [{"instrument": "i1", "start": 5, "end": 8} | ATTENDED]
    parts: Raw = {"instruments": two_instruments(), "fixed": fixed}
    found = why(raw(8, ask("a", 4, 7, (0, 0)), ask("b", 3, 5, (4, 4)) | ATTENDED, **parts), "b")
    assert [help.code for help in found.helps] == []
    # A hard cap of nothing lets no session in, however short.
    capped = why(raw(4, ask("a", 2, 7, (0, 2)), rules=[{"id": "R", "kind": "cap"}]), "a")
    assert [help.code for help in capped.helps] == ["higher_limit"]


def test_the_cheapest_place_loses_least() -> None:
    # On i0 it meets 9, on i1 only 6.
    request = ask("c", 4, 5, (0, 0))
    request["options"].append({"instrument": "i1", "value": 5, "starts": [[0, 0]]})
    found = why(
        raw(4, ask("a", 4, 9, (0, 0)), ask("b", 4, 6, (0, 0), "i1"), request, instruments=two_instruments()), "c"
    )
    assert found.cheapest == PlaceReport(instrument="i1", start=0, end=4, value=5, price=6, sessions=("b",))


def test_a_place_that_is_never_open_is_proven_impossible() -> None:
    found = why(raw(8, ask("a", 4, 7, (0, 3)), instruments=[{"id": "i0", "open": [[4, 8]]}]), "a")
    assert (found.code, found.proven, found.cheapest) == ("no_possible_place", True, None)
    assert found.nearest == (Nearest(instrument="i0", start=4, end=8, distance=1),)


ATTENDED: Raw = {"person": "u", "attended": True}
OPERATED: Raw = {"operator": {"pool": "p", "slots": 1}}


def test_a_person_with_a_fixed_row_then_is_proven_impossible() -> None:
    fixed = [{"instrument": "i1", "start": 0, "end": 3} | ATTENDED]
    found = why(raw(4, ask("a", 2, 7, (0, 2)) | ATTENDED, instruments=two_instruments(), fixed=fixed), "a")
    assert (found.code, found.proven) == ("no_possible_place", True)


def test_a_person_elsewhere_names_the_session() -> None:
    both = ask("a", 4, 7, (0, 0)) | ATTENDED, ask("b", 4, 5, (0, 0), "i1") | ATTENDED
    found = why(raw(4, *both, instruments=two_instruments()), "b")
    assert found.code == "person_elsewhere"
    assert found.cheapest
    assert (found.cheapest.elsewhere, found.cheapest.sessions, found.cheapest.price) == (("a",), (), 7)


def test_busy_operators_name_the_sessions_they_serve_and_more_would_help() -> None:
    both = ask("a", 2, 7, (0, 0)) | OPERATED, ask("b", 2, 5, (0, 0), "i1") | OPERATED
    pools = [{"id": "p", "shifts": [[0, 1, 1]]}]
    found = why(raw(2, *both, instruments=two_instruments(), operator_pools=pools), "b")
    assert found.code == "operators_busy"
    assert found.cheapest
    assert found.cheapest.operators == ("a",)
    assert ("more_operators", "p") in [(help.code, help.pool) for help in found.helps]


def test_no_operators_on_shift_is_proven_impossible() -> None:
    found = why(raw(2, ask("a", 2, 7, (0, 0)) | OPERATED, operator_pools=[{"id": "p"}]), "a")
    assert (found.code, found.proven) == ("no_possible_place", True)


def test_a_hard_rule_is_named() -> None:
    found = why(raw(4, ask("a", 2, 7, (0, 2)), rules=[{"id": "R", "kind": "cap", "slots": 1}]), "a")
    assert found.code == "rules"
    assert found.cheapest
    assert found.cheapest.rules == ("R",)
    assert ("higher_limit", "R") in [(help.code, help.rule) for help in found.helps]


def test_not_worth_it_when_penalties_exceed_the_value() -> None:
    # 2 slots over the cap at 5 each cost 10, the session is worth 7.
    found = why(raw(4, ask("a", 2, 7, (0, 2)), rules=[{"id": "R", "kind": "cap", "penalty": 5}]), "a")
    assert found.code == "not_worth_it"
    assert found.cheapest
    assert (found.cheapest.value, found.cheapest.price) == (7, 10)


def test_incomplete_groups_and_campaigns_name_the_others() -> None:
    # b never opens, so a stays out with it.
    requests = ask("a", 2, 5, (0, 2)), ask("b", 2, 5, (0, 2), "i1")
    closed: Raw = {"instruments": [{"id": "i0"}, {"id": "i1", "open": []}]}
    group = why(raw(4, *requests, **closed, groups=[{"requests": ["a", "b"], "min": 2}]), "a")
    campaign = why(raw(4, *requests, **closed, linked=[{"requests": ["a", "b"]}]), "a")
    assert (group.code, group.with_requests) == ("group_incomplete", ("b",))
    assert (campaign.code, campaign.with_requests) == ("campaign_incomplete", ("b",))


def test_a_plan_that_left_room_says_so() -> None:
    problem = read(raw(4, ask("a", 2, 7, (0, 2))))
    reason = reasons(problem, [], gap=1.0)["a"]
    assert (reason["code"], reason["proven"], reason["gap"]) == ("room_left", False, 1.0)


def test_changeover_counts_as_taken() -> None:
    # a (wet) at 0-4, 2 idle slots to dry: b at 4 or 5 is too early.
    parts: Raw = {"instruments": [{"id": "i0", "changeover": [["wet", "dry", 2]]}]}
    found = why(raw(8, ask("a", 4, 7, (0, 0), family="wet"), ask("b", 2, 5, (4, 5), family="dry"), **parts), "b")
    assert (found.code, found.nearest[0].start) == ("taken", 6)


def test_only_requests_that_were_left_out_are_explained() -> None:
    problem = read(raw(4, ask("a", 2, 7, (0, 2))))
    with pytest.raises(LookupError, match="no request 'z'"):
        explain(problem, solve(problem), "z")
    with pytest.raises(LookupError, match="the plan serves 'a'"):
        explain(problem, solve(problem), "a")


def test_an_infeasible_plan_is_explained_as_such() -> None:
    found = why(
        raw(4, ask("a", 2, 7, (0, 2)), rules=[{"id": "R", "kind": "floor", "slots": 2}, {"id": "Q", "kind": "cap"}]),
        "a",
    )
    assert (found.code, found.proven) == ("no_plan", True)


def test_every_blocker_of_a_random_plan_is_a_placed_request() -> None:
    for seed in range(40):
        problem = read(samples.problem(Random(seed), requests=10, horizon=24, starts=12))
        plan = solve(problem, steps=50)
        placed = {row.request for row in plan.sessions}
        for row in plan.unplaced if plan.status != "infeasible" else ():
            found = explain(problem, plan, row.request)
            if found.cheapest:
                named = {*found.cheapest.sessions, *found.cheapest.elsewhere, *found.cheapest.operators}
                assert named <= placed


def test_one_reader_says_of_many_what_each_is_told_alone() -> None:
    for seed in range(20):
        problem = read(samples.problem(Random(seed), requests=12, horizon=24, starts=12))
        plan = solve(problem, steps=30)
        reader = Reader(problem, plan)
        for row in plan.unplaced:
            found = reader.explain(row.request)
            assert found == explain(problem, plan, row.request)
            if plan.status != "infeasible":
                short = msgspec.structs.replace(found, nearest=(), helps=())
                assert msgspec.json.decode(msgspec.json.encode(short)) == {"request": row.request, **row.reason}
        for session in plan.sessions:
            with pytest.raises(LookupError):
                reader.explain(session.request)


def test_explaining_does_not_load_the_solver() -> None:
    """The web explains in its own process, which must stay small."""
    question = "import sys, labshare.scheduler.explain; print([m for m in sys.modules if m.split('.')[0] == 'ortools'])"
    done = subprocess.run([sys.executable, "-c", question], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
