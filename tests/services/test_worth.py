"""What a request counts for, worked by hand: tiers, fair shares by use of late, stages, the reward for the least."""

from __future__ import annotations

from fractions import Fraction
from uuid import UUID

import msgspec
import pytest

from labshare.domain.ordering import Tier
from labshare.domain.profiles import Group, Size
from labshare.domain.projects import AccessClass
from labshare.domain.time_requests import TimeRequest
from labshare.services.slots import grid_of
from labshare.services.worth import (
    Claim,
    Worth,
    fair_shares,
    fairness,
    product,
    read_worth,
    stage_in,
    stages_of,
    tag_of_stage,
    tags_of_worth,
    weights_of,
)
from tests.domain.clauses import whole
from tests.domain.test_time_requests import ROUND, request

ONE, TWO, THREE, ELSE = (UUID(int=number) for number in (101, 102, 103, 104))
PUBLIC, PARTNER = AccessClass.PUBLIC_RESEARCH, AccessClass.PARTNER


def asked(
    number: int, organisation: str, project: UUID, access_class: AccessClass = PUBLIC, sessions: int = 1
) -> TimeRequest:
    return request(
        id=UUID(int=number),
        organisation_id=organisation,
        project_id=project,
        access_class=access_class,
        sessions=sessions,
    )


def shares(requests: list[TimeRequest], recent: dict[Claim, Fraction]) -> list[int]:
    found = fair_shares(requests, weights_of(requests, (), {}), recent)
    return [found[each.id] for each in requests]


# ---------------------------------------------------------------- fair shares


THREE_ASK = [asked(1, "A", ONE), asked(2, "A", TWO), asked(3, "B", THREE)]


def test_the_share_is_the_place_by_fair_tree() -> None:
    """A used 300 of 400 minutes, B 100; each is due half. A: (1/2) / (3/4) = 2/3, B: (1/2) / (1/4) = 2, so B is first.

    In A, ONE used 200 of 300 and TWO 100: (1/2) / (2/3) = 3/4 against (1/2) / (1/3) = 3/2, so TWO goes before ONE.
    The places THREE, TWO, ONE are 3/3, 2/3 and 1/3: 50 + 50, 50 + 33.3 and 50 + 16.7 percent.
    """
    recent = {("A", ONE): Fraction(200), ("A", TWO): Fraction(100), ("B", THREE): Fraction(100)}
    assert shares(THREE_ASK, recent) == [66, 83, 100]


def test_what_an_organisation_used_by_projects_that_do_not_ask_counts_for_it() -> None:
    """Of 300 minutes A used 200 by a project that does not ask, B 100: B is first, and A's two projects are equals.

    Equals share the better of their places, 2/3: 50 + 33.3.
    """
    recent = {("A", ELSE): Fraction(200), ("B", THREE): Fraction(100)}
    assert shares(THREE_ASK, recent) == [83, 83, 100]


def test_many_projects_bring_an_organisation_no_nearer() -> None:
    """A split over two projects used 60 as one of B's did: level, 1 each; then all are ranked as one family.

    ONE used 30 of A's 60 and TWO the other 30: (1/2) / (1/2) = 1. THREE used all of B's 60: 1 / 1 = 1. All are equals.
    """
    recent = {("A", ONE): Fraction(30), ("A", TWO): Fraction(30), ("B", THREE): Fraction(60)}
    assert shares(THREE_ASK, recent) == [100, 100, 100]


def test_all_are_full_where_nobody_used_anything() -> None:
    assert shares(THREE_ASK, {}) == [100, 100, 100]
    assert shares(THREE_ASK, {("OTHER", ELSE): Fraction(500)}) == [100, 100, 100]


def test_places_are_those_within_a_tier() -> None:
    """The partner is alone in its tier: however much it used, nobody there used less."""
    requests = [*THREE_ASK, asked(4, "C", ELSE, PARTNER)]
    assert shares(requests, {("C", ELSE): Fraction(900), ("B", THREE): Fraction(1)}) == [100, 100, 66, 100]


def test_requests_of_one_project_have_one_share() -> None:
    """Two places, of ONE's two requests and of THREE: the last of two has 50 + 25."""
    requests = [asked(1, "A", ONE), asked(2, "A", ONE), asked(3, "B", THREE)]
    assert shares(requests, {("A", ONE): Fraction(10)}) == [75, 75, 100]


def test_no_fair_share_outweighs_a_tier() -> None:
    """Of so many projects the last has just over 50 %: a tenth of the first in the tier above is still less."""
    many = [asked(number, "A", UUID(int=1000 + number)) for number in range(1, 201)]
    recent = {("A", each.project_id): Fraction(k) for k, each in enumerate(many)}
    found = shares(many, recent)
    assert (max(found), min(found)) == (100, 50)
    assert product(10, 100, min(found)) > product(1, 100, max(found))


# ---------------------------------------------------------------- tiers and stages


def table(*strict: str) -> tuple[Tier, ...]:
    """Public research before partners."""
    return tuple(
        Tier(id=access_class.value, who=(Group(access_class=(access_class,)),), strict=access_class.value in strict)
        for access_class in (PUBLIC, PARTNER)
    )


def test_an_agreements_tiers_weigh_by_their_order() -> None:
    public, partner = asked(1, "A", ONE), asked(2, "B", TWO, PARTNER)
    assert weights_of([public, partner], table(), {}) == {public.id: 10, partner.id: 1}
    assert weights_of([public, partner], (), {}) == {public.id: 1_000, partner.id: 10_000}


def test_a_tier_of_small_ones_has_whoever_is_known_to_be_small() -> None:
    """Two tiers that somebody asks in: ten times apart."""
    tiers = (Tier(id="small", who=(Group(size=(Size.SME,)),)), Tier(id="others", who=(Group(size=(Size.LARGE,)),)))
    small, unknown = request(organisation_id="O-SMALL"), request(id=UUID(int=903), organisation_id="O-UNKNOWN")
    found = weights_of([small, unknown], tiers, {"O-SMALL": Size.SME})
    assert found == {small.id: 10, unknown.id: 1}


def test_below_a_strict_tier_one_waits() -> None:
    public, partner = asked(1, "A", ONE), asked(2, "B", TWO, PARTNER)
    assert stages_of([partner, public], table("public_research"), {}) == {public.id: 0, partner.id: 1}
    assert stages_of([partner, public], table(), {}) == {public.id: 0, partner.id: 0}
    assert stages_of([partner, public], (), {}) == {public.id: 0, partner.id: 0}


def test_a_state_order_is_planned_before_all_others_by_the_preset() -> None:
    classes = (AccessClass.INDUSTRY, AccessClass.STATE_ORDER, PUBLIC)
    requests = [asked(k, "A", ONE, access_class) for k, access_class in enumerate(classes, 1)]
    assert list(stages_of(requests, whole().tiers, {}).values()) == [1, 0, 1]


# ---------------------------------------------------------------- told


def test_the_parts_of_a_worth_are_read_from_its_tags() -> None:
    """4 slots x (10 x 80 x 83 / 100 = 664) = 2,656."""
    worth = read_worth(2_656, ("economic", *tags_of_worth(10, 83), tag_of_stage(1)))
    assert worth == Worth(value=2_656, tier=10, fair_share=83)
    assert worth.slots(80) == 4


@pytest.mark.parametrize("tags", [(), ("economic",)])
def test_a_plan_that_says_no_parts_has_none(tags: tuple[str, ...]) -> None:
    assert read_worth(7, tags) == Worth(value=7)
    assert read_worth(7, tags).slots(100) is None
    assert stage_in(tags) == 0


def test_the_stage_is_read_from_its_tag() -> None:
    assert [stage_in(("economic", tag_of_stage(k))) for k in (0, 1, 12)] == [0, 1, 12]


# ---------------------------------------------------------------- the reward


def targets(*requests: TimeRequest) -> dict[str, int]:
    return fairness(requests, weights_of(requests, (), {}), grid_of(ROUND), offered=8).targets


def test_one_organisation_alone_needs_no_fairness() -> None:
    assert targets() == {}
    assert targets(asked(1, "A", ONE)) == {}


def test_each_is_due_an_equal_part_or_what_it_asks_for() -> None:
    """Of eight slots each of two is due four; both ask for two hours, four slots, at least."""
    assert targets(asked(1, "A", ONE), asked(2, "B", TWO, sessions=3)) == {"A": 4, "B": 4}
    short = msgspec.structs.replace(asked(1, "A", ONE), session_minutes=60)
    assert targets(short, asked(2, "B", TWO)) == {"A": 2, "B": 4}


def test_an_organisation_that_asks_in_another_tier_too_has_no_target() -> None:
    assert targets(asked(1, "A", ONE), asked(2, "B", TWO), asked(3, "B", TWO, AccessClass.INDUSTRY)) == {}
