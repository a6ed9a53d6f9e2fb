"""A week planned twice on a small database, with the effect of each sandbox worked out by hand.

The week is Monday 16 to Sunday 22 November 2026 in Hanoi. The XRD is open for 10 hours on 5 days: 50 hours, of which
every use asked for here takes 5, so ten fit. The institute's public research wants six (30 hours), the company's
industry six as well. Public research is worth more in each slot, so it is served first, as far as the rules allow.
As signed, industry may have 20 % of the week, 10 hours.
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from labshare.domain.agreements import Agreement, Kind, Scope, Selector, ShareRule, Version
from labshare.domain.bookings import Booking, BookingState
from labshare.domain.people import Actor
from labshare.domain.projects import AccessClass, Activity
from labshare.domain.replay import Comparison, Count, Replayed, Row, RuleRow, compared, compared_for
from labshare.domain.sandbox import Change, Overlay
from labshare.domain.windows import Window
from labshare.errors import Forbidden, Malformed, NotSignedIn, Refused
from labshare.scheduler.plan import Plan, gap_between
from labshare.scheduler.problem import Problem
from labshare.services import replay
from labshare.services.replay import Asked
from labshare.store import agreements as agreements_store
from labshare.store import bookings as bookings_store
from labshare.store import tables as t
from labshare.store.engine import Connection, Database
from tests import round_of
from tests.domain.test_agreements import a_rule, an_agreement
from tests.domain.test_sandbox import an_overlay
from tests.furniture import (
    ADMINISTRATOR,
    COMPETITOR,
    INDUSTRY_PROJECT,
    MANAGER,
    NMR,
    NOW,
    OFFICE,
    PARTNER,
    RESEARCHER,
    XRD,
    a_booking,
    actor,
    counted,
    furnish,
    span,
)

INDUSTRY = Selector(access_class=(AccessClass.INDUSTRY,))
COMPANY: dict[str, Any] = {
    "person_id": COMPETITOR,
    "booked_by_id": COMPETITOR,
    "project_id": INDUSTRY_PROJECT,
    "organisation_id": "O-CO",
    "access_class": AccessClass.INDUSTRY,
    "activity": Activity.ECONOMIC,
}
SOLVER = replay.solver(seconds=None, steps=300, seed=1)


def a_cap(**changes: Any) -> ShareRule:
    """Industry's part of the XRD's week."""
    values: dict[str, Any] = {
        "id": "cap",
        "who": INDUSTRY,
        "where": Scope(instruments=("N002",)),
        "window": Window.WEEK,
        "share": Fraction(1, 5),
        "sentence_vi": "Tối đa.",
        "sentence_en": "At most.",
    }
    return a_rule(**(values | changes))


def a_week() -> list[Booking]:
    """Every morning the institute's and every afternoon the company's; one more of each on Wednesday was declined."""
    declined = {"state": BookingState.DECLINED}
    days = range(16, 21)
    return [
        *(a_booking(XRD, span(day, 8, 13), state=BookingState.DONE) for day in days),
        *(a_booking(XRD, span(day, 13, 18), **COMPANY) for day in days),
        a_booking(XRD, span(18, 13, 18), **declined),
        a_booking(XRD, span(18, 8, 13), **COMPANY, **declined),
    ]


def furnished(db: Connection, *agreements: Agreement, uses: list[Booking] | None = None) -> None:
    furnish(db)
    for agreement in agreements or (an_agreement(a_cap()),):
        agreements_store.add_version(db, Version(number=1, agreement=agreement), actor_id=None, now=NOW)
    bookings_store.add(db, a_week() if uses is None else uses)


def asked(*changes: Change, **values: Any) -> Asked:
    given: dict[str, Any] = {"first": date(2026, 11, 16), "last": date(2026, 11, 22), "freedom_days": 3}
    overlay = values.pop("overlay", None) or an_overlay(*changes)
    return Asked(overlay=overlay, **(given | values))


LIFT = Change(agreement="A", replace=a_cap(share=Fraction(3, 5)))


def replayed(database: Database, wanted: Asked) -> Replayed:
    with database.read() as db:
        case = replay.load(db, wanted, NOW)
    return replay.replayed(case, SOLVER)


def found(database: Database, *changes: Change, **values: Any) -> Comparison:
    return compared(replayed(database, asked(*changes, **values)))


def hours(rows: tuple[Row, ...]) -> dict[str, tuple[float, ...]]:
    return {row.key: tuple(n / 60 for n in (row.wanted, row.before, row.after, row.difference)) for row in rows}


# ---------------------------------------------------------------- who gains, who loses


def test_a_lifted_cap_gives_what_nobody_else_wanted(database: Database) -> None:
    """Before: public research 30 hours, industry the 10 of its cap, 10 hours free. With 60 % of 50 hours, which is 30,
    industry gets the 20 that public research leaves: 10 more, and nobody loses. Both plans are proven the best.
    """
    with database.write() as db:
        furnished(db)
    comparison = found(database, LIFT)
    expected = {"public": (30, 30, 30, 0), "industry": (30, 10, 20, 10)}
    assert hours(comparison.organisations) == {"I-IMS": expected["public"], "O-CO": expected["industry"]}
    assert hours(comparison.access_classes) == {
        "public_research": expected["public"],
        "industry": expected["industry"],
    }
    assert hours(comparison.by_centre) == {"C-ONE": (60, 40, 50, 10)}
    assert (comparison.before.gap, comparison.after.gap) == (0, 0)
    assert not any(row.may_be_noise for row in comparison.organisations)
    company = comparison.organisations[1]
    assert (company.share_before, company.share_after) == (Fraction(1, 4), Fraction(2, 5))
    (rule,) = comparison.rules
    assert rule.before == Count(limit=Fraction(600), counted=600)
    assert rule.after == Count(limit=Fraction(1800), counted=1200)
    assert (comparison.uses, comparison.requests, comparison.without_place) == (12, 0, 0)


def test_a_floor_takes_from_those_who_were_served_first(database: Database) -> None:
    """Half of 50 hours kept for industry is 25, five of its six uses; to public research the other 25 are left.

    It loses one use of its six, and industry gains three.
    """
    with database.write() as db:
        furnished(db)
    floor = a_cap(id="floor", kind=Kind.FLOOR, share=Fraction(1, 2))
    comparison = found(database, Change(agreement="A", remove="cap"), Change(agreement="A", add=floor))
    assert hours(comparison.organisations) == {"I-IMS": (30, 30, 25, -5), "O-CO": (30, 10, 25, 15)}
    by_id = {rule.rule_id: rule for rule in comparison.rules}
    assert (by_id["cap"].before, by_id["cap"].after) == (Count(limit=Fraction(600), counted=600), None)
    assert (by_id["floor"].before, by_id["floor"].after) == (None, Count(limit=Fraction(1500), counted=1500))


def test_a_tie_is_no_effect(database: Database) -> None:
    """The cap is written anew with the same share: whatever could be placed otherwise for the same worth stays."""
    with database.write() as db:
        furnished(db)
    same = Change(agreement="A", replace=a_cap(sentence_en="As before."))
    comparison = found(database, same)
    assert [row.difference for row in (*comparison.organisations, *comparison.by_centre)] == [0, 0, 0]
    assert comparison.after.objective == comparison.before.objective


class Watched:
    """The solver, with what it was asked and what it answered."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.plans: list[Plan] = []

    def __call__(self, problem: Problem) -> Plan:
        self.problems.append(problem)
        self.plans.append(SOLVER(problem))
        return self.plans[-1]


def test_the_second_plan_begins_with_the_first_and_each_move_costs_it_one_unit(database: Database) -> None:
    """So that of plans of the same worth it takes the one that changes least: both ask for the same, but for rules."""
    with database.write() as db:
        furnished(db)
    with database.read() as db:
        case = replay.load(db, asked(LIFT), NOW)
    watched = Watched()
    replay.replayed(case, watched)
    first, second = watched.problems
    assert (first.current, first.change_penalty, second.change_penalty) == ((), 0, 1)
    assert {(row.request, row.instrument, row.start) for row in second.current} == {
        (session.request, session.instrument, session.start) for session in watched.plans[0].sessions
    }
    assert msgspec.structs.replace(second, current=(), change_penalty=0, rules=first.rules) == first
    assert [(rule.kind, rule.slots) for rule in (*first.rules, *second.rules)] == [("cap", 10), ("cap", 30)]


def test_a_first_plan_that_is_not_proven_is_searched_again_from_the_second(database: Database) -> None:
    """Else what the second search found beyond the first would pass for an effect of the rules."""
    with database.write() as db:
        furnished(db)
    with database.read() as db:
        case = replay.load(db, asked(LIFT), NOW)
    watched = Watched()

    def unsure(problem: Problem) -> Plan:
        plan = watched(problem)
        if len(watched.plans) > 1:
            return plan
        bound = plan.bound + 100
        gap = gap_between(plan.score.objective, bound)
        return msgspec.structs.replace(plan, status="feasible", bound=bound, gap=gap)

    done = replay.replayed(case, unsure)
    first, _, again = watched.problems
    assert {(row.request, row.start) for row in again.current} == {
        (session.request, session.start) for session in watched.plans[1].sessions
    }
    assert msgspec.structs.replace(again, current=()) == first
    # The third plan is as good and proven, so its bound counts and no gap is left.
    assert (done.gaps, done.plain.before.gap) == (0, 0)
    assert hours(compared(done).organisations)["O-CO"] == (30, 10, 20, 10)


def test_a_plan_that_the_checker_faults_is_not_compared(database: Database) -> None:
    """A solver that puts its second session where its first one is."""

    def careless(problem: Problem) -> Plan:
        plan = SOLVER(problem)
        one, two, *rest = plan.sessions
        return msgspec.structs.replace(
            plan, sessions=(one, msgspec.structs.replace(two, start=one.start, end=one.end), *rest)
        )

    with database.write() as db:
        furnished(db)
    with database.read() as db:
        case = replay.load(db, asked(LIFT), NOW)
    with pytest.raises(Refused) as raised:
        replay.replayed(case, careless)
    assert {refusal.code for refusal in raised.value.refusals} == {"plan_faulted"}


# ---------------------------------------------------------------- what stands beside the period


def test_what_was_used_before_in_the_same_window_counts(database: Database) -> None:
    """20 hours a month; 15 were used on 9 to 11 November, so one use of 5 is left. Of 40 hours 25 would be left."""
    before = [a_booking(XRD, span(day, 8, 13), **COMPANY) for day in (9, 10, 11)]
    monthly = a_cap(window=Window.MONTH, share=None, minutes=1200)
    lifted = Change(agreement="A", replace=a_cap(window=Window.MONTH, share=None, minutes=2400))
    with database.write() as db:
        furnished(db, an_agreement(monthly), uses=[*a_week(), *before])
    comparison = found(database, lifted)
    assert hours(comparison.organisations)["O-CO"] == (30, 5, 20, 15)
    (rule,) = comparison.rules
    assert rule.before == Count(limit=Fraction(1200), counted=900 + 300)
    assert rule.after == Count(limit=Fraction(2400), counted=900 + 1200)


def test_what_comes_after_the_period_is_not_known(database: Database) -> None:
    """The same month with uses on 25 to 27 November instead: none of them lessens what the week may have."""
    after = [a_booking(XRD, span(day, 8, 13), **COMPANY) for day in (25, 26, 27)]
    monthly = a_cap(window=Window.MONTH, share=None, minutes=600)
    with database.write() as db:
        furnished(db, an_agreement(monthly), uses=[*a_week(), *after])
    comparison = found(database, Change(agreement="A", remove="cap"))
    assert hours(comparison.organisations)["O-CO"] == (30, 10, 20, 10)


def test_a_rule_that_reaches_other_centres_counts_what_was_used_there(database: Database) -> None:
    """Another agreement gives industry 15 hours of the whole network, and 5 were used on the NMR of the other centre:
    two uses of 5 are left here, so lifting the cap of this centre changes nothing.
    """
    wide = an_agreement(a_cap(id="wide", where=Scope(), share=None, minutes=900), id="B")
    with database.write() as db:
        furnished(db, an_agreement(a_cap()), wide, uses=[*a_week(), a_booking(NMR, span(17, 8, 13), **COMPANY)])
    comparison = found(database, LIFT)
    assert hours(comparison.organisations)["O-CO"] == (30, 10, 10, 0)
    by_id = {rule.rule_id: rule for rule in comparison.rules}
    assert by_id["wide"].before == by_id["wide"].after == Count(limit=Fraction(900), counted=900)


def test_uses_that_may_not_move_stay_in_their_days(database: Database) -> None:
    """With no freedom each use keeps its own time. The two that were declined meet another use at theirs: 50 hours are
    wanted at ten times, and of each pair public research has its own morning and Wednesday's afternoon.
    """
    with database.write() as db:
        furnished(db)
    comparison = found(database, Change(agreement="A", remove="cap"), freedom_days=0)
    assert hours(comparison.organisations) == {"I-IMS": (30, 30, 30, 0), "O-CO": (30, 10, 20, 10)}


def test_requests_of_a_round_are_planned_with_their_sessions(database: Database) -> None:
    """In the round's week of 50 hours the company asked for four sessions of 5 hours and got none. Its cap is 10 hours
    a week, and 30 with the sandbox: two sessions, and all four.
    """
    offers = [("N002", round_of.span(day, 8, 18)) for day in range(5)]
    with database.write() as db:
        furnished(db, uses=[])
        r = round_of.open_round(db, *offers)
        wanted = {"sessions": 4, "session_minutes": 300, "project_id": INDUSTRY_PROJECT}
        round_of.ask(db, r, COMPETITOR, **wanted)
    with database.read() as db:
        days = {"first": date(2026, 11, 30), "last": date(2026, 12, 6)}
        case = replay.load(db, asked(LIFT, **days), round_of.at(7, 0))
    comparison = compared(replay.replayed(case, SOLVER))
    assert hours(comparison.organisations) == {"O-CO": (20, 10, 20, 10)}
    assert (comparison.uses, comparison.requests) == (0, 1)
    assert (comparison.before.sessions, comparison.after.sessions) == (2, 4)


# ---------------------------------------------------------------- the same again, and nothing written


def test_the_same_replay_gives_the_same_file(database: Database) -> None:
    with database.write() as db:
        furnished(db)
    files = {replay.to_json(found(database, LIFT)) for _ in range(2)}
    assert len(files) == 1
    assert b'"difference": 600' in files.pop()


def test_nothing_is_written(database: Database) -> None:
    with database.write() as db:
        furnished(db)
    with counted(database.engine) as statements:
        found(database, LIFT)
    assert statements
    assert [each for each in statements if not each.lstrip().startswith(("SELECT", "WITH"))] == []
    with database.read() as db:
        assert db.execute(sa.select(sa.func.count()).select_from(t.balances)).scalar_one() == 0


# ---------------------------------------------------------------- refusals


def refused(database: Database, wanted: Asked) -> list[str]:
    with database.read() as db, pytest.raises((Refused, Malformed)) as raised:
        replay.load(db, wanted, NOW)
    return [refusal.code for refusal in raised.value.refusals]


def test_an_unsound_overlay_is_refused_with_every_fault(database: Database) -> None:
    with database.write() as db:
        furnished(db)
    unsound = an_overlay(LIFT, evaluator="O-NONE", stop_if=())
    assert refused(database, asked(overlay=unsound)) == [
        "sandbox_unknown_party",
        "sandbox_without_stop",
        "sandbox_metric_unused",
    ]


def test_floors_of_the_trial_must_hold_together_with_those_of_other_agreements(database: Database) -> None:
    """Public research has 95 % under another agreement; a tenth more for startups is 5 % more than there is."""
    public, startups = (
        a_cap(id=name, kind=Kind.FLOOR, share=share, who=Selector(access_class=(access_class,)))
        for name, share, access_class in (
            ("most", Fraction(19, 20), AccessClass.PUBLIC_RESEARCH),
            ("floor", Fraction(1, 10), AccessClass.STARTUP),
        )
    )
    with database.write() as db:
        furnished(db, an_agreement(a_cap()), an_agreement(public, id="B"))
        with pytest.raises(Refused) as caught:
            replay.load(db, asked(Change(agreement="A", add=startups)), NOW)
    assert [(each.code, each.params["lacking"]) for each in caught.value.refusals] == [("agreement_cannot_hold", "5")]


def test_a_period_without_demand_or_without_the_rule_or_not_over_is_refused(database: Database) -> None:
    with database.write() as db:
        furnished(db, an_agreement(a_cap(), effective_from=date(2026, 3, 1)))
    january = {"first": date(2026, 1, 5), "last": date(2026, 1, 11)}
    assert refused(database, asked(LIFT, **january)) == ["replay_rule_not_then"]
    october = {"first": date(2026, 10, 5), "last": date(2026, 10, 11)}
    assert refused(database, asked(LIFT, **october)) == ["replay_no_demand"]
    assert refused(database, asked(LIFT, last=date(2026, 11, 23))) == ["replay_not_over"]


def test_a_budget_in_which_nothing_is_found_says_so(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    from labshare.scheduler import effort, solve

    def nothing(*_: Any, **__: Any) -> Any:
        raise effort.NoPlanFound

    monkeypatch.setattr(solve, "solve", nothing)
    with database.write() as db:
        furnished(db)
    with pytest.raises(Refused) as raised:
        replayed(database, asked(LIFT))
    assert [refusal.code for refusal in raised.value.refusals] == ["replay_no_plan"]


# ---------------------------------------------------------------- who may run it, and who sees what


@pytest.mark.parametrize("person_id", [OFFICE, ADMINISTRATOR, MANAGER])
def test_those_who_answer_for_the_centre_may_run_it(person_id: Any) -> None:
    assert replay.require_may_run(actor(person_id), an_overlay()) == actor(person_id)


@pytest.mark.parametrize(
    ("reader", "overlay", "error"),
    [
        (None, an_overlay(), NotSignedIn),
        (actor(PARTNER), an_overlay(), Forbidden),
        (actor(RESEARCHER), an_overlay(), Forbidden),
        (actor(MANAGER), an_overlay(centres=("C-ONE", "C-TWO")), Forbidden),
    ],
)
def test_others_may_not(reader: Actor | None, overlay: Overlay, error: type[Exception]) -> None:
    with pytest.raises(error):
        replay.require_may_run(reader, overlay)


def test_a_partner_sees_its_own_hours_and_nothing_of_a_single_other(database: Database) -> None:
    """The company's row is exact; the institute is its only rival, so neither its hours nor any total is told."""
    with database.write() as db:
        furnished(db)
    told = compared_for(replayed(database, asked(LIFT)), {"O-CO"})
    assert hours(told.organisations) == {"O-CO": (30, 10, 20, 10)}
    assert told.withheld
    text = replay.to_json(told).decode()
    # The agreement names its parties; the institute appears nowhere else.
    assert text.count("I-IMS") == len(told.rules)
    assert told.before.minutes is None
    assert [rule_counts(rule) for rule in told.rules] == [(None, None)]


def rule_counts(rule: RuleRow) -> tuple[int | None, int | None]:
    assert rule.before
    assert rule.after
    return rule.before.counted, rule.after.counted
