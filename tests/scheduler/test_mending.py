"""The search behind a repair: what falls back on what. How whole plans come out is in test_repair.py."""

from __future__ import annotations

from labshare.scheduler.mending import Mending, is_hit, loosened
from labshare.scheduler.search import Limits
from tests.scheduler.making import Raw, ask, raw, read, session

FOUR_IN_A_ROW: Raw = raw(
    16,
    *(ask(name, 4, 9, (0, 12)) for name in "abcd"),
    linked=[{"requests": ["a", "b"]}],
    groups=[{"requests": ["c", "d"], "min": 2}],
    current=[{"request": name, "instrument": "i0", "start": 4 * k} for k, name in enumerate("abcd")],
)
PLAN = {name: session(name, 4 * k, 4 * k + 4) for k, name in enumerate("abcd")}


def test_a_session_is_hit_when_a_down_time_of_its_instrument_meets_it() -> None:
    problem = read(raw(8, ask("a", 4, 9, (0, 4)), down=[["i0", 4, 6]]))
    assert is_hit(problem, session("a", 1, 5))
    assert not is_hit(problem, session("a", 0, 4))
    assert not is_hit(problem, session("a", 1, 5, "i1"))


def test_without_any_work_what_is_hit_goes_with_its_campaign_or_group() -> None:
    a_hit = read(FOUR_IN_A_ROW | {"down": [["i0", 1, 2]]})
    assert list(Mending(a_hit, PLAN, 0, Limits(steps=0)).run([], []) or {}) == ["c", "d"]
    d_hit = read(FOUR_IN_A_ROW | {"down": [["i0", 15, 16]]})
    assert list(Mending(d_hit, PLAN, 0, Limits(steps=0)).run([], []) or {}) == ["a", "b"]


def test_what_has_begun_is_cut_off_only_from_what_is_hit() -> None:
    problem = read(FOUR_IN_A_ROW | {"frozen_until": 9})
    # a, b and c have begun. Where d is hit its group is content with c; the campaign is none of its business.
    looser = loosened(problem, PLAN, {"d"})
    assert looser.groups[0].min == 1
    assert looser.linked == problem.linked
    assert loosened(problem, PLAN, {"b"}).linked == ()
    assert loosened(problem, PLAN, set()) == problem


def test_everything_may_be_planned_anew() -> None:
    problem = read(FOUR_IN_A_ROW)
    mending = Mending(problem, {}, 0, Limits(steps=10))
    assert mending.everything(100) == "optimal"
    assert sorted(mending.plan or {}) == ["a", "b", "c", "d"]
