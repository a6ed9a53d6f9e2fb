"""R12: who has used less than is due comes first. R13: the higher tier has the slot, the lower the next free ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labshare.domain.ordering import (
    Account,
    Contender,
    FairShare,
    Mark,
    decayed,
    fair_tree,
    level_share,
    settle,
    tier_of,
    tier_stages,
    tier_weights,
)
from labshare.domain.profiles import Profile, Size
from labshare.domain.projects import AccessClass, Activity
from labshare.domain.timespan import Span
from tests.domain.clauses import whole

NOW = datetime(2026, 11, 25, 3, tzinfo=UTC)
FORTNIGHT = timedelta(days=14)
HOUR = 60


# ---------------------------------------------------------------- R12: decay and levels


def test_use_a_half_life_ago_counts_half() -> None:
    """R12: 20 h today + 40 h a half-life (14 days) ago = 20 + 20 = 40 h."""
    clause = whole().fair_share
    assert clause is not None
    uses = [("A", NOW, 20 * HOUR), ("A", NOW - FORTNIGHT, 40 * HOUR)]
    assert decayed(uses, NOW, clause.half_life) == {"A": Fraction(40 * HOUR)}


def test_decay_is_smooth() -> None:
    """Half a half-life leaves 2^(-1/2) = 0.7071 of 100 minutes; what lies ahead counts whole."""
    found = decayed([("A", NOW - FORTNIGHT / 2, 100), ("B", NOW + FORTNIGHT, 100)], NOW, FORTNIGHT)
    assert float(found["A"]) == pytest.approx(70.7107, abs=1e-4)
    assert found["B"] == 100


def test_a_half_life_is_above_nothing() -> None:
    with pytest.raises(ValueError, match="half_life"):
        decayed([], NOW, timedelta(0))


@given(st.permutations([("A", NOW - timedelta(hours=hours), 60) for hours in (1, 5, 77, 400, 1234)]))
def test_the_order_of_uses_changes_no_sum(uses: list[tuple[str, datetime, int]]) -> None:
    assert decayed(uses, NOW, FORTNIGHT) == decayed(sorted(uses), NOW, FORTNIGHT)


def test_level_share_is_due_over_used() -> None:
    """R12: 40 h used of a pool of 100 is 0.40; 0.25 / 0.40 = 0.625."""
    assert level_share(Fraction(1, 4), Fraction(40, 100)) == Fraction(5, 8)


def test_the_edges_of_a_level() -> None:
    assert level_share(Fraction(1, 4), Fraction(0)) is None
    assert level_share(Fraction(0), Fraction(0)) == 0


# ---------------------------------------------------------------- R12: the tree

# Two institutes with equal shares, 40 of 100 h used by the first. In it: p1 and p2, one share each, 10 and 30 h. In the
# second: p3 with one share and p4 with three, 30 h each.
TREE = (
    Account(id="one"),
    Account(id="two"),
    Account(id="p1", parent="one"),
    Account(id="p2", parent="one"),
    Account(id="p3", parent="two"),
    Account(id="p4", parent="two", shares=3),
)
USED = {"p1": Fraction(10), "p2": Fraction(30), "p3": Fraction(30), "p4": Fraction(30)}


def test_the_tree_is_walked_from_the_best_sibling_down() -> None:
    """One: (1/2) / (40/100) = 5/4, two: (1/2) / (60/100) = 5/6, so all of one come before all of two.

    p1 (1/2) / (10/40) = 2, p2 (1/2) / (30/40) = 2/3, p4 (3/4) / (30/60) = 3/2, p3 (1/4) / (30/60) = 1/2: although the
    level of p4 is above that of p2, an institute that used less goes first.
    """
    found = fair_tree(TREE, USED)
    assert [(each.id, each.level, each.factor) for each in found] == [
        ("p1", 2, Fraction(1)),
        ("p2", Fraction(2, 3), Fraction(3, 4)),
        ("p4", Fraction(3, 2), Fraction(2, 4)),
        ("p3", Fraction(1, 2), Fraction(1, 4)),
    ]


def test_branches_that_are_level_are_ranked_as_one_family() -> None:
    """Both used 40: (1/2) / (1/2) = 1. Then p4 (3/4) / (10/40) = 3, p1 2, p2 2/3, p3 (1/4) / (30/40) = 1/3."""
    used = {"p1": Fraction(10), "p2": Fraction(30), "p3": Fraction(30), "p4": Fraction(10)}
    assert [each.id for each in fair_tree(TREE, used)] == ["p4", "p1", "p2", "p3"]


def test_equals_share_a_place() -> None:
    """Nobody used anything: all are level, and each has the first place of four."""
    assert [(each.id, each.level, each.factor) for each in fair_tree(TREE, {})] == [
        (name, None, 1) for name in ("p1", "p2", "p3", "p4")
    ]


def test_a_leaf_goes_before_a_branch_of_the_same_level() -> None:
    accounts = (Account(id="branch"), Account(id="leaf"), Account(id="inner", parent="branch"))
    found = fair_tree(accounts, {"inner": Fraction(5), "leaf": Fraction(5)})
    assert [(each.id, each.factor) for each in found] == [("leaf", 1), ("inner", Fraction(1, 2))]


def test_what_an_account_used_beside_its_leaves_counts_for_it() -> None:
    """As above, but with 60 h more of one: (1/2) / (100/160) = 4/5 is below two's (1/2) / (60/160) = 4/3.

    Among its leaves nothing changes: p1 (1/2) / (10/100) = 5 is still three times p2 (1/2) / (30/100) = 5/3.
    """
    found = fair_tree(TREE, USED | {"one": Fraction(60)})
    assert [each.id for each in found] == ["p4", "p3", "p1", "p2"]


def test_who_is_due_nothing_comes_last() -> None:
    accounts = (Account(id="a", shares=0), Account(id="b"))
    assert [each.id for each in fair_tree(accounts, {"b": Fraction(100)})] == ["b", "a"]


@given(st.permutations(TREE), st.lists(st.integers(0, 3), min_size=4, max_size=4))
def test_the_order_of_accounts_changes_no_rank(accounts: list[Account], used: list[int]) -> None:
    usage: dict[str, Fraction] = dict(zip(("p1", "p2", "p3", "p4"), map(Fraction, used), strict=True))
    found = fair_tree(accounts, usage)
    assert found == fair_tree(TREE, usage)
    assert {each.id for each in found} == set(usage)
    assert [each.factor for each in found] == sorted((each.factor for each in found), reverse=True)


@given(st.integers(1, 50), st.integers(1, 50))
def test_using_more_never_brings_forward(used: int, more: int) -> None:
    def place(hours: int) -> Fraction:
        return next(each.factor for each in fair_tree(TREE, USED | {"p1": Fraction(hours)}) if each.id == "p1")

    assert place(used + more) <= place(used)


@pytest.mark.parametrize(
    "accounts",
    [
        (Account(id="a"), Account(id="a")),
        (Account(id="a", parent="nobody"),),
        (Account(id="a", parent="b"), Account(id="b", parent="a")),
        (Account(id="a", shares=-1),),
    ],
)
def test_what_is_no_tree_is_refused(accounts: tuple[Account, ...]) -> None:
    with pytest.raises(ValueError, match="account"):
        fair_tree(accounts, {})


# ---------------------------------------------------------------- R13: tiers


def profile(access_class: AccessClass, size: Size = Size.LARGE) -> Profile:
    return Profile(access_class=access_class, activity=Activity.ECONOMIC, size=size)


STATE, SMALL, LARGE = (
    profile(AccessClass.STATE_ORDER),
    profile(AccessClass.INDUSTRY, Size.SME),
    profile(AccessClass.INDUSTRY),
)


@pytest.mark.parametrize(
    ("who", "mark", "tier"),
    [
        (LARGE, Mark.SAFETY, "safety"),
        (STATE, Mark.ORDINARY, "state_order"),
        (profile(AccessClass.HOST), Mark.ORDINARY, "public_peer_reviewed"),
        (profile(AccessClass.STARTUP), Mark.ORDINARY, "sme_startup"),
        (SMALL, Mark.ORDINARY, "sme_startup"),
        (LARGE, Mark.ORDINARY, "industry"),
        (STATE, Mark.STANDBY, "standby"),
    ],
)
def test_the_first_row_that_has_them_is_their_tier(who: Profile, mark: Mark, tier: str) -> None:
    tiers = whole().tiers
    assert tiers[tier_of(tiers, who, mark)].id == tier


def test_whom_no_row_has_comes_after_all() -> None:
    assert tier_of(whole().tiers[:2], LARGE) == 2


def test_tiers_that_ask_are_ten_times_apart() -> None:
    assert tier_weights(whole().tiers, [LARGE, STATE, SMALL]) == {LARGE: 1, SMALL: 10, STATE: 100}


def test_each_strict_tier_ends_a_stage() -> None:
    """Safety and state orders are strict, the others are not: state orders come second, all below them third."""
    tiers = whole().tiers
    assert [tier.id for tier in tiers if tier.strict] == ["safety", "state_order"]
    # No request of a round is marked as safety, so that its stage is empty and does not count.
    assert tier_stages(tiers, [LARGE, STATE, SMALL]) == {STATE: 0, SMALL: 1, LARGE: 1}
    assert tier_stages(tiers, [LARGE, SMALL]) == {LARGE: 0, SMALL: 0}


def test_what_stands_above_a_strict_tier_is_planned_with_it() -> None:
    """SMEs, then state orders (strict), then everybody: two stages, not three."""
    rows = {tier.id: tier for tier in whole().tiers}
    tiers = (rows["sme_startup"], rows["state_order"], rows["industry"])
    assert tier_stages(tiers, [LARGE, STATE, SMALL]) == {SMALL: 0, STATE: 0, LARGE: 1}


def slot(hour: int) -> Span:
    return Span(NOW + timedelta(hours=hour), NOW + timedelta(hours=hour + 1))


CONTENDERS = (
    Contender(id="firm", profile=LARGE, asked_at=NOW - timedelta(days=9)),
    Contender(id="order", profile=STATE, asked_at=NOW),
)
FREE = [slot(hour) for hour in (4, 1, 3, 2, 5)]


def test_a_tie_goes_to_the_higher_tier_and_the_lower_is_offered_the_next_three_slots() -> None:
    """R13: two requests tie at the same slot; the state order wins, though the firm asked days before."""
    found = settle(whole().tiers, CONTENDERS, FREE)
    assert found.winner == "order"
    assert found.offered == {"firm": (slot(1), slot(2), slot(3))}


def test_no_slot_is_offered_twice() -> None:
    late = Contender(id="late", profile=LARGE, rank=1, asked_at=NOW - timedelta(days=30))
    found = settle(whole().tiers, (*CONTENDERS, late), FREE)
    # In the same tier the better fair share goes first, whoever asked first.
    assert found.offered == {"firm": (slot(1), slot(2), slot(3)), "late": (slot(4), slot(5))}


@given(st.permutations(CONTENDERS), st.permutations(FREE))
def test_the_order_of_asking_in_decides_nothing(contenders: list[Contender], free: list[Span]) -> None:
    assert settle(whole().tiers, contenders, free) == settle(whole().tiers, CONTENDERS, FREE)


def test_somebody_must_contend() -> None:
    with pytest.raises(ValueError, match="nobody"):
        settle(whole().tiers, [], FREE)


def test_the_half_life_is_fourteen_days_unless_stated() -> None:
    assert FairShare().half_life == FORTNIGHT
