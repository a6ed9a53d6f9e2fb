"""Families go in and out whole: campaigns in their order and gaps, groups none or at least so many."""

from __future__ import annotations

from labshare.scheduler.draft import Choice, Draft
from labshare.scheduler.families import Families
from labshare.scheduler.layout import Layout
from tests.scheduler.making import Raw, ask, raw, read


def worth(gain: int, choice: Choice, start: int) -> float:
    return float(gain)


def made(problem: Raw) -> tuple[Draft, Families]:
    return Draft(Layout(read(problem))), Families(read(problem))


def placed(draft: Draft) -> dict[str, int]:
    return {session.request: session.start for session in draft.sessions()}


def test_a_campaign_goes_in_with_its_gaps() -> None:
    # At least 2 idle slots between the end of the first at 3 and the start of the second.
    problem = raw(12, ask("a", 3, 5, (0, 4)), ask("b", 2, 5, (0, 9)), linked=[{"requests": ["a", "b"], "min_gap": 2}])
    draft, families = made(problem)
    assert families.insert(draft, families.all[0], worth)
    assert placed(draft) == {"a": 0, "b": 5}


def test_a_campaign_with_a_step_that_does_not_fit_stays_out() -> None:
    problem = raw(12, ask("a", 3, 5, (4, 4)), ask("b", 2, 5, (0, 5)), linked=[{"requests": ["a", "b"]}])
    draft, families = made(problem)
    assert not families.insert(draft, families.all[0], worth)
    assert (draft.sessions(), draft.objective) == ([], 0)


def test_a_campaign_begins_later_where_its_largest_gap_asks_for_it() -> None:
    # The second can start only at 8; it must begin within 1 slot of the end of the first, so that starts at 4 or 5.
    instruments = [{"id": "i0", "open": [[0, 3], [4, 12]]}]
    asked = (ask("a", 3, 5, (0, 6)), ask("b", 2, 5, (8, 8)))
    problem = raw(12, *asked, instruments=instruments, linked=[{"requests": ["a", "b"], "max_gap": 1}])
    draft, families = made(problem)
    assert families.insert(draft, families.all[0], worth)
    assert placed(draft)["a"] in (4, 5)


def test_a_group_takes_a_loss_for_what_it_needs_and_none_beyond() -> None:
    # Two of three are needed: 9 - 1 is a gain; the third would lose 2.
    asked = (ask("a", 1, 9, (0, 5)), ask("b", 1, -1, (0, 5)), ask("c", 1, -2, (0, 5)))
    draft, families = made(raw(9, *asked, groups=[{"requests": ["a", "b", "c"], "min": 2}]))
    assert families.insert(draft, families.all[0], worth)
    assert (sorted(placed(draft)), draft.objective) == (["a", "b"], 8)
    families.remove(draft, families.all[0])
    assert (placed(draft), draft.objective) == ({}, 0)


def test_a_group_that_cannot_reach_its_least_stays_out() -> None:
    asked = (ask("a", 3, 9, (0, 0)), ask("b", 3, 9, (0, 0)))
    draft, families = made(raw(9, *asked, groups=[{"requests": ["a", "b"], "min": 2}]))
    assert not families.insert(draft, families.all[0], worth)
    assert placed(draft) == {}


def test_requests_that_share_a_bond_are_one_family() -> None:
    asked = [ask(name, 1, 1, (0, 5)) for name in "abcde"]
    problem = raw(
        9,
        *asked,
        groups=[{"requests": ["a", "b"], "min": 1}],
        linked=[{"requests": ["c", "b"]}, {"requests": ["c", "d"]}],
    )
    assert [sorted(family.members) for family in Families(read(problem)).all] == [[0, 1, 2, 3], [4]]
