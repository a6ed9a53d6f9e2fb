"""Where a rule stands, and how much of it a reader is told."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import msgspec
import pytest

from labshare.domain.agreements import Counter, Kind, Selector, ShareRule, Version, terms
from labshare.domain.bases import Base
from labshare.domain.entitlements import ShareState, Shown, Standing, shown, standing
from labshare.domain.projects import AccessClass, Activity
from labshare.domain.timespan import Span
from tests.domain.test_agreements import a_rule, an_agreement, local

# 100 hours of allocable time: the cap of 20 % is 1,200 min, a floor of 60 % is 3,600.
BASE = 6000
PUBLIC = Selector(access_class=(AccessClass.PUBLIC_RESEARCH,))


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """Counted minutes, as the store gives them."""

    organisation_id: str | None = None
    rival: int | None = None
    access_class: AccessClass = AccessClass.INDUSTRY
    activity: Activity = Activity.ECONOMIC
    project_code: str = ""
    programme: str = ""
    is_outside: bool = True
    used: int = 0
    committed: int = 0
    firm: int = 0
    booked: int = 0
    delivered: int = 0


def stand(rule: ShareRule, *shares: Counted, own: tuple[str, ...] = ("O-CO",)) -> Standing:
    (term,) = terms([Version(number=3, agreement=an_agreement(rule))])
    counter = Counter(term=term, scope_key="", window=Span(local(10, 1), local(12, 31)))
    return standing(counter, BASE, shares, own)


def a_floor(**changes: Any) -> ShareRule:
    return a_rule(kind=Kind.FLOOR, share=Fraction(3, 5), who=PUBLIC, **changes)


def rivals(*minutes: int) -> list[Counted]:
    return [Counted(rival=place, used=each, delivered=each) for place, each in enumerate(minutes)]


@pytest.mark.parametrize(
    ("used", "state"),
    [(959, ShareState.KEPT), (960, ShareState.NEAR), (1200, ShareState.NEAR), (1201, ShareState.OVER)],
)
def test_a_cap_is_near_from_four_fifths_and_over_beyond_its_limit(used: int, state: ShareState) -> None:
    # 80 % of 1,200 is 960 (R02: warn at 80 %). What is committed counts like what is used.
    assert stand(a_rule(), Counted(used=used - 100, committed=100)).state is state


@pytest.mark.parametrize(
    ("public", "others", "state"),
    [
        (3600, 0, ShareState.MET),
        (3599, 2400, ShareState.BEHIND),
        # Others have 2,401 of the 6,000: only 3,599 could still be reached.
        (0, 2401, ShareState.OUT_OF_REACH),
    ],
)
def test_a_floor_is_met_behind_or_out_of_reach(public: int, others: int, state: ShareState) -> None:
    researcher = Counted(access_class=AccessClass.PUBLIC_RESEARCH, used=public)
    assert stand(a_floor(), researcher, Counted(used=others)).state is state


def test_own_minutes_and_other_parties_are_told_apart() -> None:
    mine = Counted(organisation_id="O-CO", used=60, committed=30, firm=10, delivered=50)
    found = stand(a_rule(), mine, *rivals(100, 200), Counted(organisation_id="O-TWO", used=1))
    assert (found.own.used, found.own.committed, found.own.firm, found.own_delivered) == (60, 30, 10, 50)
    assert (found.usage.used, found.usage.committed, found.delivered) == (361, 30, 350)
    # Two masked rivals, and one organisation that a rule named.
    assert found.other_parties == 3


def tell(rule: ShareRule, *shares: Counted, sees_all: bool = False) -> Shown:
    return shown(stand(rule, *shares), sees_all=sees_all)


def test_those_who_answer_for_the_time_are_told_everything() -> None:
    told = tell(a_rule(), *rivals(100), sees_all=True)
    assert told.measure
    assert (told.measure.used, told.measure.slack, told.delivered, told.about) == (100, 1100, 100, None)


def test_a_rule_that_counts_nobody_else_is_told_whole() -> None:
    told = tell(a_rule(), Counted(organisation_id="O-CO", used=60, delivered=60))
    assert told.measure
    assert told.measure.slack == 1140


@pytest.mark.parametrize(("minutes", "about"), [((100, 100, 100), 25), ((110, 110, 111), 30), ((0, 0, 1), 0)])
def test_three_others_are_told_in_steps_of_five_percent(minutes: tuple[int, ...], about: int) -> None:
    # 300 of 1,200 is 25 %; 331 is 27.6 %, nearest to 30; one minute is nothing.
    told = tell(a_rule(), *rivals(*minutes))
    assert (told.measure, told.delivered, told.about) == (None, None, Fraction(about, 100))


def test_two_others_are_told_only_as_a_rule_that_holds() -> None:
    told = tell(a_rule(), Counted(organisation_id="O-CO", used=60), *rivals(100, 200))
    assert (told.measure, told.delivered, told.about) == (None, None, None)
    assert (told.state, told.own.used) == (ShareState.KEPT, 60)


def test_three_others_are_not_told_where_an_agreement_asks_for_four() -> None:
    some = stand(a_rule(), *rivals(100, 100, 100))
    assert shown(some, sees_all=False, least=4).about is None
    assert shown(some, sees_all=False, least=3).about == Fraction(25, 100)


def test_a_limit_of_nothing_has_no_steps() -> None:
    assert tell(a_rule(share=Fraction(0)), *rivals(1, 1, 1)).about is None


def moving(**changes: Any) -> ShareRule:
    return a_rule(who=Selector(organisation=("O-CO",)), base=Base.BOOKED, **changes)


def test_a_share_of_what_is_booked_counts_booked_minutes() -> None:
    # Of 100 booked minutes 60 are to come; what was delivered does not matter.
    found = stand(moving(), Counted(organisation_id="O-CO", used=30, committed=60, booked=100, delivered=30))
    assert (found.measure.used, found.measure.committed) == (40, 60)


def test_the_limit_of_a_moving_share_is_not_told_where_others_are_in_its_base() -> None:
    mine, others = Counted(organisation_id="O-CO", booked=100), [Counted(rival=k, booked=900) for k in range(4)]
    told = tell(moving(), mine, *others)
    assert (told.base_minutes, told.limit, told.measure, told.about) == (None, None, None, None)
    assert (told.own.used, told.state) == (100, ShareState.KEPT)
    assert tell(moving(), mine, *others, sees_all=True).limit == 1200
    # Whoever is alone reads its own figures.
    assert tell(moving(), mine, Counted(rival=1, delivered=5)).limit == 1200


def test_a_floor_of_a_moving_base_is_never_out_of_reach() -> None:
    floor = a_floor(base=Base.BOOKED)
    assert stand(floor, Counted(booked=BASE)).state is ShareState.BEHIND
