"""Share rules as linear rules, worked by hand: minutes that are left of a window become slots of the round's week.

The round's horizon is Monday to Friday, 240 half-hour slots; 60 minutes are two slots.
"""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from labshare.domain.agreements import Kind, Level, Scope, Selector, ShareRule, Strictness, Term, matches
from labshare.domain.bases import Base
from labshare.domain.projects import AccessClass, Activity
from labshare.domain.timespan import Span
from labshare.domain.windows import Window
from labshare.scheduler.problem import Rule
from labshare.services.planning import Place
from labshare.services.planning_rules import (
    Asker,
    RuleName,
    Standing,
    linear_rules,
    read_name,
    tags_of,
    tags_of_place,
    who_of,
)
from labshare.services.slots import Grid
from tests.domain.test_agreements import an_agreement
from tests.furniture import NOW
from tests.round_of import at

GRID = Grid(at(0, 0), 30, 240)
PLACES = [Place("N001", "C-ONE"), Place("N002", "C-ONE"), Place("N003", "C-TWO")]
WEEK = Span(at(0, 0), at(7, 0))
INDUSTRY = Selector(access_class=(AccessClass.INDUSTRY,))
PUBLIC = Selector(access_class=(AccessClass.PUBLIC_RESEARCH,))


def a_rule(**changes: Any) -> ShareRule:
    values: dict[str, Any] = {
        "id": "R",
        "kind": Kind.CAP,
        "window": Window.WEEK,
        "who": INDUSTRY,
        "share": Fraction(1, 5),
        "penalty": None,
    }
    return ShareRule(**(values | changes))


def asker(**changes: Any) -> Asker:
    values: dict[str, Any] = {
        "organisation_id": "I-IMS",
        "access_class": AccessClass.PUBLIC_RESEARCH,
        "activity": Activity.NON_ECONOMIC,
    }
    return Asker(**(values | changes))


def a_standing(rule: ShareRule, **changes: Any) -> Standing:
    """1,000 minutes of base in the week; the round's five days are all of it that is left to plan."""
    values: dict[str, Any] = {
        "term": Term(agreement=an_agreement(rule), version=1, rule=rule, spans=(Span(at(-30, 0), at(30, 0)),)),
        "scope_key": "",
        "window": WEEK,
        "part": Span(at(0, 0), at(5, 0)),
        "base_minutes": 1000,
        "matched_minutes": 0,
        "total_minutes": 0,
        "left_minutes": 1000,
        "inside_minutes": 1000,
    }
    return Standing(**(values | changes))


def linear(standing: Standing, most: int = 100) -> list[Rule]:
    return linear_rules([standing], PLACES, GRID, NOW, most)


def test_a_cap_is_what_is_left_of_it_in_whole_slots() -> None:
    """A fifth of 1,000 is 200; 50 are booked; of the 150 left, five slots of 30 fit. With 51 booked only four do."""
    (rule,) = linear(a_standing(a_rule(), matched_minutes=50))
    assert (rule.kind, rule.slots, rule.window, rule.penalty) == ("cap", 5, (0, 240), None)
    assert rule.who.access_class == ("industry",)
    (rule,) = linear(a_standing(a_rule(), matched_minutes=51))
    assert rule.slots == 4


def test_a_cap_that_is_broken_already_leaves_nothing() -> None:
    (rule,) = linear(a_standing(a_rule(), matched_minutes=300))
    assert rule.slots == 0


def test_a_soft_cap_costs_its_penalty_per_minute() -> None:
    (rule,) = linear(a_standing(a_rule(strict=Strictness.SOFT, penalty=7)))
    assert rule.penalty == 7 * 30


def test_a_floor_owes_the_round_its_part_of_what_is_left_of_the_window() -> None:
    """Promised 600 of 1,000, 120 are booked: 480 are missing. The round has 250 of the 1,000 minutes that are left:
    a quarter of 480 is 120, four slots.
    """
    floor = a_rule(kind=Kind.FLOOR, who=PUBLIC, share=Fraction(3, 5), strict=Strictness.SOFT, penalty=2)
    (rule,) = linear(a_standing(floor, matched_minutes=120, inside_minutes=250))
    assert (rule.kind, rule.slots, rule.penalty) == ("floor", 4, 60)


def test_a_hard_floor_is_never_hard_in_a_round_and_keeps_within_reach() -> None:
    """Promised 600 of 1,000. Others may have 400, and have 130: 270 are left to them, nine slots, and that is hard.

    The floor itself costs ten times the most that a slot is worth.
    """
    floor = a_rule(kind=Kind.FLOOR, who=PUBLIC, share=Fraction(3, 5))
    rules = linear(a_standing(floor, matched_minutes=0, total_minutes=130), most=400)
    assert [(rule.kind, rule.slots, rule.penalty) for rule in rules] == [("floor", 20, 4000), ("cap", 9, None)]
    assert read_name(rules[1].id).is_for_others
    # Whom the floor does not count carries the tag by which the cap finds them.
    standing = a_standing(floor)
    assert set(rules[1].who.tags) <= set(tags_of(asker(access_class=AccessClass.INDUSTRY), [standing]))
    assert tags_of(asker(), [standing]) == ("non_economic",)


def test_time_that_a_floor_has_released_is_free_for_others() -> None:
    """The round ends on Saturday 00:00. A floor that is released 12 days before, keeps nothing of it any more."""
    floor = a_rule(kind=Kind.FLOOR, who=PUBLIC, share=Fraction(3, 5), release_hours=12 * 24)
    assert NOW + timedelta(hours=12 * 24) > at(5, 0)
    assert [rule.kind for rule in linear(a_standing(floor))] == ["floor"]


def test_a_floor_that_is_met_asks_for_nothing() -> None:
    floor = a_rule(kind=Kind.FLOOR, who=PUBLIC, share=Fraction(3, 5), strict=Strictness.SOFT, penalty=2)
    assert linear(a_standing(floor, matched_minutes=600)) == []


def test_a_share_of_what_is_booked_grows_with_the_plan() -> None:
    """Booked are 1,000 minutes, 110 of them by industry: a fifth is 200, so 90 minutes are left, three slots, and a
    fifth of each slot that the plan allocates.
    """
    moving = a_rule(base=Base.BOOKED, strict=Strictness.SOFT, penalty=1)
    (rule,) = linear(a_standing(moving, matched_minutes=110))
    assert (rule.kind, rule.slots, rule.of_allocated, rule.penalty) == ("cap", 3, "1/5", 30)
    # Over before the plan: the plan keeps to its share of what it allocates itself.
    (rule,) = linear(a_standing(moving, matched_minutes=500))
    assert (rule.slots, rule.of_allocated) == (0, "1/5")


def test_a_floor_on_what_is_delivered_owes_its_part_of_the_lack_and_its_share_of_the_plan() -> None:
    """Delivered are 1,000 minutes, 480 short of three fifths of it; the round has a quarter of what is left: 120."""
    moving = a_rule(kind=Kind.FLOOR, base=Base.DELIVERED, share=Fraction(3, 5), strict=Strictness.SOFT, penalty=1)
    (rule,) = linear(a_standing(moving, matched_minutes=120, inside_minutes=250))
    assert (rule.kind, rule.slots, rule.of_allocated) == ("floor", 4, "3/5")
    # Met before the plan, it still binds what the plan allocates.
    (rule,) = linear(a_standing(moving, matched_minutes=700))
    assert (rule.slots, rule.of_allocated) == (0, "3/5")


def test_a_rule_counts_on_the_instruments_of_its_scope_and_denominator() -> None:
    (of_centre,) = linear(a_standing(a_rule(where=Scope(centres=("C-ONE",)))))
    assert of_centre.instruments == ("N001", "N002")
    (of_one,) = linear(a_standing(a_rule(level=Level.INSTRUMENT), scope_key="N003"))
    assert of_one.instruments == ("N003",)
    (of_all,) = linear(a_standing(a_rule()))
    assert of_all.instruments is None
    assert linear(a_standing(a_rule(where=Scope(centres=("C-SIX",))))) == []


def test_a_window_that_cuts_a_slot_counts_it_for_a_cap_and_not_for_a_floor() -> None:
    """The part begins at 00:10: slot 0 is cut."""
    part = Span(at(0, 0, 10), at(5, 0))
    (cap,) = linear(a_standing(a_rule(), part=part))
    assert cap.window == (0, 240)
    floor = a_rule(kind=Kind.FLOOR, who=PUBLIC, strict=Strictness.SOFT, penalty=1)
    (rule,) = linear(a_standing(floor, part=part))
    assert rule.window == (1, 240)


def test_a_name_says_whose_clause_it_is() -> None:
    name = RuleName("A", "R", "N001", at(0, 0), True)
    assert read_name(str(name)) == name


ANYBODY = st.builds(
    asker,
    access_class=st.sampled_from(AccessClass),
    activity=st.sampled_from(Activity),
    organisation_id=st.sampled_from(["A", "B"]),
    project_code=st.sampled_from(["P", "Q"]),
    programme=st.sampled_from(["P", "Q"]),
    is_outside=st.booleans(),
)
SELECTORS = st.builds(
    Selector,
    access_class=st.lists(st.sampled_from(AccessClass), unique=True).map(tuple),
    activity=st.lists(st.sampled_from(Activity), unique=True).map(tuple),
    organisation=st.lists(st.sampled_from(["A", "B"]), unique=True).map(tuple),
    project=st.lists(st.sampled_from(["P", "Q"]), unique=True).map(tuple),
    programme=st.lists(st.sampled_from(["P", "Q"]), unique=True).map(tuple),
    outside=st.booleans(),
)


@given(SELECTORS, ANYBODY)
def test_the_solver_counts_whom_the_booking_check_counts(selector: Selector, asks: Any) -> None:
    """The selector in the solver's words: listed values match any of theirs, every tag must be there."""
    standing = a_standing(a_rule(who=selector))
    who = who_of(standing.term)
    counted = (
        (who.access_class is None or asks.access_class.value in who.access_class)
        and (who.organisation is None or asks.organisation_id in who.organisation)
        and set(who.tags) <= {*tags_of(asks, [standing]), *tags_of_place(asks, [standing])}
    )
    assert counted == matches(selector, asks)


def test_a_clause_that_changes_within_the_round_is_told_apart() -> None:
    """From Wednesday on the floor is for industry and no longer for public research: either half keeps time from others
    than its own, and a cap on one project's time becomes one on another's.
    """
    halves = (Span(at(0, 0), at(2, 0)), Span(at(2, 0), at(7, 0)))
    floor, cap = a_rule(kind=Kind.FLOOR, share=Fraction(3, 5)), a_rule(id="C")

    def of(rule: ShareRule, *selectors: Selector) -> list[Standing]:
        return [
            a_standing(
                rule,
                term=Term(
                    agreement=an_agreement(rule),
                    version=1,
                    rule=msgspec.structs.replace(rule, who=who),
                    spans=(half,),
                ),
                window=half,
                part=half,
            )
            for who, half in zip(selectors, halves, strict=True)
        ]

    standings = of(floor, PUBLIC, INDUSTRY) + of(cap, Selector(project=("P",)), Selector(project=("Q",)))
    found = {
        (rule.kind, read_name(rule.id).rule_id, (rule.window or (0, 0))[0]): set(rule.who.tags)
        for rule in linear_rules(standings, PLACES, GRID, NOW, 100)
    }
    public = {*tags_of(asker(project_code="P"), standings)}
    assert not found["cap", "R", 0] <= public
    assert found["cap", "R", 96] <= public
    assert found["cap", "C", 0] <= public
    assert not found["cap", "C", 96] <= public
