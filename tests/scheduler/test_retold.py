"""Which reasons are worked out anew after a repair, and which are carried over."""

from __future__ import annotations

import msgspec
import pytest

from labshare.scheduler import retold as module
from labshare.scheduler.changes import Changes, changed
from labshare.scheduler.plan import Plan, Session
from labshare.scheduler.problem import Problem
from labshare.scheduler.retold import retold
from labshare.scheduler.solve import solve
from labshare.scheduler.standing import Standing
from tests.scheduler.making import ask, raw, read, session

# On i0 a keeps x out, on i1 b keeps y and z out; z asks for the second half only.
PROBLEM: Problem = read(
    raw(
        8,
        ask("a", 8, 90, (0, 0)),
        ask("b", 8, 90, (0, 0), "i1"),
        ask("x", 4, 9, (0, 4)),
        ask("y", 4, 9, (0, 4), "i1"),
        ask("z", 4, 9, (4, 4), "i1"),
        instruments=[{"id": "i0"}, {"id": "i1"}, {"id": "i2"}],
    )
)
A, B = session("a", 0, 8), session("b", 0, 8, "i1")


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take three for many."""
    monkeypatch.setattr(module, "FEW", 0)


def marked(plan: Plan) -> Plan:
    """The plan with reasons that can be told from fresh ones."""
    rows = [msgspec.structs.replace(row, reason=row.reason | {"old": True}) for row in plan.unplaced]
    return msgspec.structs.replace(plan, unplaced=tuple(rows))


def carried(changes: Changes, *sessions: Session) -> list[str]:
    """The requests whose reasons are the old ones when the plan becomes these sessions."""
    before = marked(solve(PROBLEM))
    standing = Standing(changed(PROBLEM, before.sessions, changes))
    standing.become({row.request: row for row in sessions})
    told = retold(standing, before, changes, 0.25)
    assert list(told) == [row.id for row in standing.problem.requests if row.id not in standing.seats]
    assert all(reason["gap"] == 0.25 for reason in told.values())
    return [name for name, reason in told.items() if "old" in reason]


@pytest.mark.usefixtures("many")
def test_reasons_are_carried_over_where_nothing_happened() -> None:
    assert carried(Changes(now=0), A, B) == ["x", "y", "z"]


@pytest.mark.usefixtures("many")
def test_reasons_that_name_what_is_gone_are_worked_out_anew() -> None:
    assert carried(Changes(now=0), B) == ["y", "z"]


@pytest.mark.usefixtures("many")
def test_reasons_are_worked_out_anew_where_the_cheapest_place_fails() -> None:
    assert carried(Changes(now=0, down=(("i1", 4, 8),)), A, B) == ["x", "y"]


def test_few_reasons_are_all_worked_out_anew() -> None:
    assert carried(Changes(now=0), A, B) == []


def test_no_place_is_named_that_is_past() -> None:
    # At slot 6 nothing can start any more that x asked for.
    standing = Standing(changed(PROBLEM, [A, B], Changes(now=6)))
    standing.become({"a": A, "b": B})
    told = retold(standing, solve(PROBLEM), Changes(now=6), 0.0)
    assert [reason["code"] for reason in told.values()] == ["no_possible_place"] * 3
    # At slot 3 there is a start left, which a holds.
    assert retold(standing, solve(PROBLEM), Changes(now=3), 0.0)["x"]["cheapest"]["start"] in (3, 4)


def test_lateness_still_counts_from_the_earliest_start_that_was_asked_for() -> None:
    # x may start at 0..4 for 20, less 2 a slot; at slot 3 that leaves 14 at 3 and 12 at 4, both where a stands.
    problem = read(raw(8, ask("a", 8, 90, (0, 0)), ask("x", 4, 20, (0, 4), late=2)))
    standing = Standing(changed(problem, [A], Changes(now=3)))
    standing.become({"a": A})
    place = retold(standing, solve(problem), Changes(now=3), 0.0)["x"]["cheapest"]
    assert (place["start"], place["value"], place["sessions"]) == (3, 14, ["a"])
