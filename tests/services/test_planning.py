"""The bridge to the solver, worked by hand on a week of half-hour slots: Monday 08:00 is slot 16, Tuesday's is 64."""

from __future__ import annotations

from fractions import Fraction
from typing import Any
from uuid import UUID

import msgspec

from labshare.domain.agreements import Kind, Selector, ShareRule, Term
from labshare.domain.ordering import Tier
from labshare.domain.profiles import Group
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
    request_of,
    session_ids,
    worth_of,
)
from labshare.services.planning_rules import Standing
from labshare.services.worth import Worth
from tests.domain.test_agreements import an_agreement
from tests.domain.test_rounds import a_round
from tests.domain.test_time_requests import PERSON, PROJECT, ROUND, offered, request
from tests.furniture import NOW
from tests.round_of import at, span

PUBLIC_FIRST = (
    Tier(id="public", who=(Group(access_class=(AccessClass.PUBLIC_RESEARCH,)),)),
    Tier(id="partner", who=(Group(access_class=(AccessClass.PARTNER,)),)),
)


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
    assert asked.tags == ("economic", "fair_share 100", "tier 1")
    assert asked.attended


# ---------------------------------------------------------------- worth


def test_worth_is_slots_of_use_times_tier_times_review_times_fair_share() -> None:
    """1,000 x 80 x 4 slots of use = 320,000, whatever the set-up adds; alone, a project's fair share is full."""
    item = offered(2, span(0, 8, 12), setup_minutes=30)
    built = problem(request(review_score=80), items=(item,))
    assert [option.value for option in built.requests[0].options] == [320_000]
    (worth,) = worth_of(built.requests).values()
    assert worth == Worth(value=320_000, tier=1_000, fair_share=100)
    assert worth.slots(80) == 4


def test_use_of_late_lowers_the_worth_and_the_problem_says_so() -> None:
    """Of two projects of one tier the one that used 60 minutes comes last: 50 + 50/2 = 75 %, of 4 x 1,000 x 100."""
    used, unused = request(), request(id=UUID(int=4), project_id=UUID(int=5), organisation_id="B")
    projects = {used.project_id: None, unused.project_id: None}
    built = problem(used, unused, projects=projects, recent={("I-IMS", used.project_id): Fraction(60)})
    found = worth_of(built.requests)
    assert found[used.id] == Worth(value=300_000, tier=1_000, fair_share=75)
    assert found[unused.id] == Worth(value=400_000, tier=1_000, fair_share=100)


def test_an_agreements_tiers_replace_the_houses_own() -> None:
    """By the table public research goes before partners, ten times; by the house's order it is the other way round."""
    public, partner = request(), request(id=UUID(int=902), access_class=AccessClass.PARTNER)

    def values(**changes: Any) -> dict[str | None, int]:
        return {each.access_class: each.options[0].value for each in problem(public, partner, **changes).requests}

    assert values(tiers=PUBLIC_FIRST) == {"public_research": 4 * 1_000, "partner": 4 * 100}
    assert values() == {"public_research": 4 * 100_000, "partner": 4 * 1_000_000}


def test_the_problem_says_in_which_stage_each_request_is_planned() -> None:
    """Nothing is said of stages where no tier is strict, or where the strict one asks alone."""
    public, partner = request(), request(id=UUID(int=902), access_class=AccessClass.PARTNER)
    strict = (msgspec.structs.replace(PUBLIC_FIRST[0], strict=True), PUBLIC_FIRST[1])

    def stages(*requests: TimeRequest, tiers: tuple[Tier, ...]) -> list[list[str]]:
        built = problem(*requests, tiers=tiers)
        return [[tag for tag in each.tags if tag.startswith("stage")] for each in built.requests]

    assert stages(partner, public, tiers=strict) == [["stage 1"], ["stage 0"]]
    assert stages(partner, public, tiers=PUBLIC_FIRST) == [[], []]
    assert stages(public, tiers=strict) == [[]]


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
    out, prog = (f"A|{name}|1|{week.start:%Y-%m-%dT%H:%M}" for name in ("out", "prog"))
    assert built.requests[0].tags == ("non_economic", prog, "fair_share 100", "tier 1000")
    assert [option.tags for option in built.requests[0].options] == [(f"not {out}",), (out,)]
    assert [(rule.kind, rule.who.tags) for rule in built.rules] == [
        ("floor", (out,)),
        ("cap", (f"not {out}",)),
        ("cap", (prog,)),
    ]
