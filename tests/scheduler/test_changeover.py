"""Only neighbours need changeover: where a third session can stand between, the order on the instrument decides."""

from __future__ import annotations

import pytest

from labshare.scheduler.solve import solve
from tests.scheduler.making import Raw, ask, raw, read, starts

BOTH_WAYS = [["wet", "dry", 3], ["dry", "wet", 3]]


def test_a_session_of_no_family_between_two_others_needs_no_idle_slots() -> None:
    # wet 4, none 1, dry 4 stand without idle slots: 9 of 10. Asked of every pair, wet and dry would need 4 + 3 + 4.
    requests = ask("a", 4, 10, (0, 9), family="wet"), ask("b", 4, 8, (0, 9), family="dry"), ask("c", 1, 1, (0, 9))
    plan = solve(read(raw(10, *requests, instruments=[{"id": "i0", "changeover": BOTH_WAYS}])))
    assert plan.score.objective == 19
    assert starts(plan)["c"] in (4, 5)


@pytest.mark.parametrize(("family", "start"), [("wet", 5), ("dry", 2), (None, 2)])
def test_a_fixed_row_is_a_neighbour(family: str | None, start: int) -> None:
    # Dry until 2: wet must wait until 5.
    parts: Raw = {
        "instruments": [{"id": "i0", "changeover": BOTH_WAYS}],
        "fixed": [{"instrument": "i0", "start": 0, "end": 2, "family": "dry"}],
    }
    plan = solve(read(raw(10, ask("a", 4, 9, (0, 9), family=family, late=1), **parts)))
    assert starts(plan) == {"a": start}


def test_fixed_rows_that_break_their_own_changeover_do_not_forbid_a_plan() -> None:
    # Wet 0-2 and dry 3-5 stand 1 apart and stay so; after dry, wet waits until 8.
    fixed = [
        {"instrument": "i0", "start": 0, "end": 2, "family": "wet"},
        {"instrument": "i0", "start": 3, "end": 5, "family": "dry"},
    ]
    parts: Raw = {"instruments": [{"id": "i0", "changeover": BOTH_WAYS}], "fixed": fixed}
    assert starts(solve(read(raw(10, ask("a", 2, 9, (0, 8), family="wet"), **parts)))) == {"a": 8}


def test_one_family_may_need_idle_slots_after_itself() -> None:
    # 3 + 2 + 3 needs 8 slots.
    parts: Raw = {"instruments": [{"id": "i0", "changeover": [["wet", "wet", 2]]}]}
    requests = ask("a", 3, 5, (0, 9), family="wet"), ask("b", 3, 5, (0, 9), family="wet")
    assert solve(read(raw(7, *requests, **parts) | {"horizon": 10, "down": [["i0", 7, 10]]})).score.objective == 5
    assert solve(read(raw(10, *requests, **parts) | {"down": [["i0", 8, 10]]})).score.objective == 10


def test_a_direction_that_is_not_named_needs_none() -> None:
    # Dry before wet is free, so both fit into 8.
    parts: Raw = {"instruments": [{"id": "i0", "changeover": [["wet", "dry", 3]]}]}
    requests = ask("a", 4, 5, (0, 4), family="wet"), ask("b", 4, 5, (0, 4), family="dry")
    assert starts(solve(read(raw(8, *requests, **parts)))) == {"a": 4, "b": 0}
