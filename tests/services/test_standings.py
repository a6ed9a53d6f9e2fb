"""Where share rules stand before a plan, from the database. The round's week has 10 open hours on each of five days."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

import sqlalchemy as sa

from labshare.domain.agreements import Agreement, Kind, Level, Scope, ShareRule, Strictness, Version
from labshare.domain.bases import Base
from labshare.domain.projects import AccessClass
from labshare.domain.timespan import Span
from labshare.domain.windows import Window
from labshare.scheduler.solve import solve
from labshare.services import plans
from labshare.services.planning import build_problem, request_of
from labshare.services.planning_rules import Standing
from labshare.services.standings import standings
from labshare.store import agreements as agreements_store
from labshare.store import bookings as bookings_store
from labshare.store import tables as t
from labshare.store.engine import Connection, Database
from tests.domain.test_agreements import an_agreement
from tests.furniture import COMPETITOR, INDUSTRY_PROJECT, NOW, XRD, a_booking, furnish
from tests.round_of import ask, at, open_round, span
from tests.services.test_planning_rules import PUBLIC, a_rule
from tests.shares import rolled_back

WEEK = Span(at(0, 0), at(7, 0))


def stand(db: Connection, agreement: Agreement, *offers: tuple[str, Span]) -> list[Standing]:
    agreements_store.add_version(db, Version(number=1, agreement=agreement), actor_id=None, now=NOW)
    r = open_round(db, *offers)
    return standings(db, plans.load_facts(db, r, NOW))


def at_centre(rule: ShareRule) -> Agreement:
    return an_agreement(rule, id="PPP-1", parties=("I-IMS",))


def test_base_and_booked_minutes_are_those_of_the_window(database: Database) -> None:
    """Centre One has two instruments: 2 x 5 x 600 = 6,000 minutes. Two public hours are booked on Monday."""
    floor = a_rule(kind=Kind.FLOOR, who=PUBLIC, where=Scope(centres=("C-ONE",)), share=Fraction(3, 5))
    with database.write() as db:
        furnish(db)
        bookings_store.add(db, [a_booking(XRD, span(0, 8, 10))])
        (found,) = stand(db, at_centre(floor))
    assert (found.window, found.part) == (WEEK, Span(at(0, 0), at(5, 0)))
    assert (found.base_minutes, found.matched_minutes, found.total_minutes) == (6000, 120, 120)
    # The week is wholly ahead, and all its open days are in the round.
    assert (found.left_minutes, found.inside_minutes) == (6000, 6000)


def test_a_longer_window_owes_the_round_only_a_part(database: Database) -> None:
    """From Monday 23 November 08:00 to the end of the month's week: the month has 4 days of the first week (Tuesday is
    a holiday) and Monday 30 left, 5 x 600 minutes on each of two instruments; the round has Monday 30 alone of them.
    """
    floor = a_rule(kind=Kind.FLOOR, who=PUBLIC, where=Scope(centres=("C-ONE",)), window=Window.MONTH)
    with database.write() as db:
        furnish(db)
        november, december = stand(db, at_centre(floor))
    assert november.window.end == at(1, 0) == december.window.start
    assert (november.left_minutes, november.inside_minutes) == (2 * 5 * 600, 2 * 600)
    assert november.part == Span(at(0, 0), at(1, 0))
    assert december.part == Span(at(1, 0), at(5, 0))


def test_there_is_one_for_each_denominator_that_the_round_offers(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        rule = a_rule(level=Level.INSTRUMENT)
        found = stand(db, at_centre(rule), ("N002", span(0, 8, 12)), ("N003", span(0, 8, 12)))
    assert [(each.scope_key, each.base_minutes) for each in found] == [("N002", 3000), ("N003", 3000)]


def test_rules_of_other_places_and_times_do_not_count(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        elsewhere = at_centre(a_rule(where=Scope(centres=("C-TWO",))))
        assert stand(db, elsewhere, ("N002", span(0, 8, 12))) == []


def test_looking_opens_no_balance(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        stand(db, at_centre(a_rule()))
        assert db.execute(sa.select(sa.func.count()).select_from(t.balances)).scalar_one() == 0
    assert NOW + timedelta(days=7) < WEEK.end


def test_a_plan_keeps_to_a_share_of_what_is_booked_and_allocated(database: Database) -> None:
    """Four hours of the XRD, and three sessions of two hours: two of public research, which is worth more, and one of
    industry. Without the rule public research has all; with at most half of what is booked, one of each is served.
    """
    cap = a_rule(who=PUBLIC, base=Base.BOOKED, share=Fraction(1, 2), strict=Strictness.SOFT, penalty=100_000)
    assert _served(database, at_centre(a_rule())) == [AccessClass.PUBLIC_RESEARCH, AccessClass.PUBLIC_RESEARCH]
    assert _served(database, at_centre(cap)) == [AccessClass.INDUSTRY, AccessClass.PUBLIC_RESEARCH]


def _served(database: Database, agreement: Agreement) -> list[AccessClass]:
    with rolled_back(database) as db:
        furnish(db)
        agreements_store.add_version(db, Version(number=1, agreement=agreement), actor_id=None, now=NOW)
        r = open_round(db)
        asked = {
            made.id: made.access_class
            for made in (ask(db, r, sessions=2), ask(db, r, COMPETITOR, project_id=INDUSTRY_PROJECT))
        }
        facts = plans.load_facts(db, r, NOW)
        plan = solve(build_problem(facts, standings(db, facts)), steps=200)
        return sorted(asked[request_of(session.request)] for session in plan.sessions)
