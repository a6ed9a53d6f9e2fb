"""The bridge to the solver, worked by hand on a week of half-hour slots: Monday 08:00 is slot 16, Tuesday's is 64."""

from __future__ import annotations

from fractions import Fraction
from typing import Any
from uuid import UUID

import msgspec

from labshare.domain.agreements import Kind, Selector, ShareRule, Term
from labshare.domain.ordering import Tier
from labshare.domain.profiles import Group, Size
from labshare.domain.projects import AccessClass, Activity, ProjectName
from labshare.domain.time_requests import Eligible, TimeRequest
from labshare.domain.timespan import Span
from labshare.domain.windows import Window
from labshare.scheduler.plan import Session
from labshare.scheduler.problem import Problem, encode
from labshare.scheduler.reading import parse
from labshare.services.planning import (
    Facts,
    bookings_of,
    build_problem,
    fair_share,
    request_of,
    session_ids,
    slot_value,
    weights_of,
)
from labshare.services.planning_rules import Standing
from tests.domain.test_agreements import an_agreement
from tests.domain.test_rounds import a_round
from tests.domain.test_time_requests import PERSON, PROJECT, ROUND, offered, request
from tests.furniture import NOW
from tests.round_of import at, span


def facts(*requests: TimeRequest, items: tuple[Eligible, ...] = (), **changes: Any) -> Facts:
    values: dict[str, Any] = {
        "round": ROUND,
        "now": NOW,
        "instruments": {item.rules.number: item for item in items or (offered(2, span(0, 8, 12)),)},
        "requests": requests,
        "projects": {PROJECT: None},
    }
    return Facts(**(values | changes))


def problem(*requests: TimeRequest, **changes: Any) -> Problem:
    """The problem, once it has been written and read: reading refuses every contradiction."""
    return parse(encode(build_problem(facts(*requests, **changes))))


def starts_of(built: Problem) -> list[tuple[tuple[int, int], ...]]:
    return [option.starts for option in built.requests[0].options]


# ---------------------------------------------------------------- time


def test_open_time_is_offer_times_opening_hours_without_what_is_booked() -> None:
    """Offered Monday to Tuesday noon; open 8 to 18; Monday 10 to 11 is taken: 16-20, 22-36 and 64-72 are left."""
    item = offered(2, Span(at(0, 0), at(1, 12)))
    built = problem(request(), items=(item,), busy={2: [span(0, 10, 11)]})
    assert built.instruments[0].open == ((16, 20), (22, 36), (64, 72))
    # Two hours are four slots: they start at 16, from 22 to 32, or from 64 to 68.
    assert starts_of(built) == [((16, 16), (22, 32), (64, 68))]


def test_a_booking_that_ends_within_a_slot_takes_the_whole_slot() -> None:
    """Taken until 08:40: the first whole free slot is 09:00, number 18."""
    built = problem(request(), busy={2: [Span(at(0, 8), at(0, 8, 40))]})
    assert built.instruments[0].open == ((18, 24),)
    assert starts_of(built) == [((18, 20),)]


def test_windows_narrow_the_starts() -> None:
    assert starts_of(problem(request(windows=(span(0, 9, 12),)))) == [((18, 20),)]


def test_nothing_starts_in_the_past() -> None:
    assert starts_of(problem(request(), now=at(0, 9))) == [((18, 20),)]


def test_a_person_who_is_elsewhere_attends_nothing_then() -> None:
    busy = {PERSON: [span(0, 8, 9)]}
    assert starts_of(problem(request(), person_busy=busy)) == [((18, 20),)]
    unattended = offered(2, span(0, 8, 12), attended=False)
    assert starts_of(problem(request(), items=(unattended,), person_busy=busy)) == [((16, 20),)]


def test_set_up_and_clean_up_are_inside_the_length() -> None:
    """60 minutes with 15 before and 30 after are 105, four slots; from 8 to 12 they begin at 16 to 20.

    The use begins a quarter after its first slot. At slot 20 it ends at 11:15 and is clean by 11:45.
    """
    item = offered(2, span(0, 8, 12), setup_minutes=15, cleanup_minutes=30)
    built = problem(request(session_minutes=60), items=(item,))
    option = built.requests[0].options[0]
    assert (option.slots, option.starts) == (4, ((16, 20),))


def test_a_project_or_qualification_that_ends_bounds_the_session() -> None:
    ends = at(0, 11)
    assert starts_of(problem(request(), projects={PROJECT: ends})) == [((16, 18),)]
    assert starts_of(problem(request(), projects={})) == []
    guarded = offered(2, span(0, 8, 12), qualification="licence")
    assert starts_of(problem(request(), items=(guarded,))) == []
    held: dict[UUID, dict[int, Any]] = {PERSON: {2: ends}}
    assert starts_of(problem(request(), items=(guarded,), qualified=held)) == [((16, 18),)]


def test_a_run_over_closed_hours_needs_one_free_stretch() -> None:
    """26 hours, 52 slots, from Monday 8 to 16 when Monday and Tuesday are offered whole."""
    item = offered(2, Span(at(0, 0), at(2, 0)), spans_closed_hours=True, max_minutes=2880)
    built = problem(request(session_minutes=26 * 60), items=(item,))
    assert built.instruments[0].open == ((0, 96),)
    assert starts_of(built) == [((16, 32),)]


def test_of_a_capability_every_instrument_that_allows_the_length_is_an_option() -> None:
    items = (
        offered(2, span(0, 8, 12)),
        offered(3, span(1, 8, 12), max_minutes=60),
        offered(4, span(2, 8, 12), capability="NMR"),
        offered(5, span(3, 8, 12)),
    )
    built = problem(request(instrument_numbers=(), capability_id="XRD"), items=items)
    assert [option.instrument for option in built.requests[0].options] == ["N002", "N005"]


# ---------------------------------------------------------------- requests and groups


def test_several_sessions_are_a_group_with_the_fewest_worth_having() -> None:
    wish = request(sessions=3, min_sessions=2)
    built = problem(wish)
    assert [each.id for each in built.requests] == [f"{wish.id}.1", f"{wish.id}.2", f"{wish.id}.3"]
    assert [(group.requests, group.min) for group in built.groups] == [(session_ids(wish), 2)]
    assert {request_of(each.id) for each in built.requests} == {wish.id}


def test_the_solver_is_told_class_organisation_person_and_activity() -> None:
    (asked,) = problem(request(access_class=AccessClass.INDUSTRY, activity=Activity.ECONOMIC)).requests
    assert (asked.access_class, asked.organisation, asked.person) == ("industry", "I-IMS", str(PERSON))
    assert asked.tags == ("economic",)
    assert asked.attended


# ---------------------------------------------------------------- worth


def test_worth_is_slots_of_use_times_tier_times_review_times_fair_share() -> None:
    """1,000 x 80 x 150 / 100 = 120,000 a slot; four slots of use make 480,000, whatever the set-up adds."""
    wish = request(review_score=80)
    assert slot_value(wish, 1_000, 150) == 120_000
    item = offered(2, span(0, 8, 12), setup_minutes=30)
    (asked,) = problem(wish, items=(item,)).requests
    # Nobody has used anything of late: the factor is 100, and 1,000 x 80 x 4 = 320,000.
    assert [option.value for option in asked.options] == [320_000]


def test_fair_share_is_the_due_share_over_the_used_one_within_bounds() -> None:
    """Of 400 minutes A had 300, B 100, C none; each of three is due a third.

    A: (1/3) / (3/4) = 44 %, raised to 50. B: (1/3) / (1/4) = 133 %. C: 150.
    """
    recent = {"A": Fraction(300), "B": Fraction(100)}
    assert fair_share(["A", "B", "C"], recent) == {"A": 50, "B": 133, "C": 150}
    assert fair_share(["A", "B"], {}) == {"A": 100, "B": 100}


def test_an_agreements_tiers_replace_the_houses_own() -> None:
    """By the table public research goes before partners, ten times; by the house's order it is the other way round.

    100 of review and 100 of fair share: a slot of the lower tier is worth 1 x 100 x 100 / 100 = 100.
    """
    tiers = (
        Tier(id="public", who=(Group(access_class=(AccessClass.PUBLIC_RESEARCH,)),)),
        Tier(id="partner", who=(Group(access_class=(AccessClass.PARTNER,)),)),
    )
    public, partner = request(), request(id=UUID(int=902), access_class=AccessClass.PARTNER)

    def worth(**changes: Any) -> dict[UUID, int]:
        return weights_of(facts(public, partner, **changes))

    assert worth(tiers=tiers) == {public.id: 10, partner.id: 1}
    assert worth() == {public.id: 1_000, partner.id: 10_000}
    values = {each.access_class: each.options[0].value for each in problem(public, partner, tiers=tiers).requests}
    assert values == {"public_research": 4 * 1_000, "partner": 4 * 100}


def test_a_tier_of_small_ones_has_whoever_is_known_to_be_small() -> None:
    """Two tiers that somebody asks in: ten times apart."""
    tiers = (Tier(id="small", who=(Group(size=(Size.SME,)),)), Tier(id="others", who=(Group(size=(Size.LARGE,)),)))
    small, unknown = request(organisation_id="O-SMALL"), request(id=UUID(int=903), organisation_id="O-UNKNOWN")
    found = weights_of(facts(small, unknown, tiers=tiers, sizes={"O-SMALL": Size.SME}))
    assert found == {small.id: 10, unknown.id: 1}


def test_fairness_rewards_the_organisations_of_the_tier_that_asks_for_most() -> None:
    """Public A asks 4 slots, public B 8, a company 4. Eight slots are offered: each of two is due 4.

    The reward is 20, 10 and 5 % of a public slot's 100,000.
    """
    a = request()
    b = request(id=UUID(int=4), organisation_id="B", sessions=2)
    c = request(id=UUID(int=5), organisation_id="C", access_class=AccessClass.INDUSTRY)
    built = problem(a, b, c)
    assert built.fairness.targets == {"I-IMS": 4, "B": 4}
    assert built.fairness.steps == ((25, 20_000), (50, 10_000), (100, 5_000))


def test_one_organisation_alone_needs_no_fairness() -> None:
    assert problem(request()).fairness.targets == {}


def test_an_organisation_that_asks_in_another_tier_too_has_no_target() -> None:
    a = request()
    b = request(id=UUID(int=4), organisation_id="B")
    both = request(id=UUID(int=5), organisation_id="B", access_class=AccessClass.INDUSTRY)
    assert problem(a, b, both).fairness.targets == {}


# ---------------------------------------------------------------- back to bookings


def test_a_session_becomes_a_booking_with_its_set_up_and_clean_up() -> None:
    """Slot 16 is 08:00: set-up until 08:15, use until 09:15, clean-up until 09:45; the last quarter stays free."""
    item = offered(2, span(0, 8, 12), setup_minutes=15, cleanup_minutes=30)
    wish = request(session_minutes=60)
    plan_id = UUID(int=77)
    session = Session(request=f"{wish.id}.1", instrument="N002", start=16, end=20)
    (made,) = bookings_of(a_round(), [wish], {2: item.rules}, plan_id, [session], NOW)
    assert (made.starts_at, made.ends_at) == (at(0, 8, 15), at(0, 9, 15))
    assert (made.occupied_from, made.occupied_until) == (at(0, 8), at(0, 9, 45))
    assert (made.request_id, made.plan_id, made.organisation_id) == (wish.id, plan_id, "I-IMS")
    (again,) = bookings_of(a_round(), [wish], {2: item.rules}, plan_id, [session], NOW)
    assert again.id == made.id


# ---------------------------------------------------------------- agreements


def test_the_solver_is_told_who_comes_from_outside_where_and_of_which_programme() -> None:
    """R19 and R24: one organisation is at home on the first instrument and from outside on the second."""
    outside = ShareRule(id="out", kind=Kind.FLOOR, window=Window.WEEK, who=Selector(outside=True), share=Fraction(1, 2))
    programme = ShareRule(
        id="prog", kind=Kind.CAP, window=Window.WEEK, who=Selector(programme=("state",)), share=Fraction(1, 2)
    )
    week = Span(at(0, 0), at(7, 0))
    standings = [
        Standing(
            term=Term(agreement=an_agreement(rule), version=1, rule=rule, spans=(week,)),
            scope_key="",
            window=week,
            part=Span(at(0, 0), at(5, 0)),
            base_minutes=1000,
            matched_minutes=0,
            total_minutes=0,
            left_minutes=1000,
            inside_minutes=1000,
        )
        for rule in (outside, programme)
    ]
    home, away = (
        msgspec.structs.replace(item, rules=msgspec.structs.replace(item.rules, host_id=host))
        for item, host in ((offered(2, span(0, 8, 12)), "I-IMS"), (offered(3, span(0, 8, 12)), "O-ELSE"))
    )
    asked = request(organisation_id="I-IMS", instrument_numbers=(2, 3))
    names = {PROJECT: ProjectName(code="KC-01", programme="state")}
    built = build_problem(facts(asked, items=(home, away), project_names=names), standings)
    assert built.requests[0].tags == ("non_economic", "A|prog")
    assert [option.tags for option in built.requests[0].options] == [("not A|out",), ("A|out",)]
    assert [(rule.kind, rule.who.tags) for rule in built.rules] == [
        ("floor", ("A|out",)),
        ("cap", ("not A|out",)),
        ("cap", ("A|prog",)),
    ]
