"""Agreements as pages: who may read which, and where every rule stands for them."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from labshare.domain.agreements import Kind, Level, Scope, Version, terms
from labshare.domain.entitlements import ShareState
from labshare.domain.timespan import Span
from labshare.domain.windows import Window
from labshare.errors import Forbidden, NotFound, NotSignedIn
from labshare.services import entitlements as service
from labshare.store import agreements as store
from labshare.store import bookings as booking_store
from labshare.store import capacity as capacity_store
from labshare.store.engine import Database
from tests.furniture import (
    ADMINISTRATOR,
    FESEM,
    MANAGER,
    NOW,
    OFFICE,
    PARTNER,
    RESEARCHER,
    XRD,
    actor,
    at,
    furnish,
    span,
)
from tests.shares import PUBLIC, a_floor, a_rule, an_agreement, by_industry, load, put, statements


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Database:
    """One agreement of the partner at centre one, one between others at centre two, one of the partner that is over."""
    mine = an_agreement(
        a_rule(level=Level.INSTRUMENT), a_floor(share=Fraction(1, 2)), id="MINE", parties=("I-IMS", "O-CO"),
        partner_id="O-CO",
    )  # fmt: skip
    theirs = an_agreement(a_rule(where=Scope(centres=("C-TWO",))), id="THEIRS")
    over = an_agreement(
        a_rule(), id="OVER", parties=("O-CO",), effective_from=date(2025, 1, 1), effective_until=date(2025, 12, 31)
    )
    with database.write() as db:
        furnish(db)
        load(db, tmp_path, mine, theirs, over)
        put(db, by_industry(FESEM, span(25, 8, 12)))
        booking_store.add(db, [by_industry(XRD, span(25, 8, 9))])
    return database


def test_a_partner_reads_the_agreements_that_name_it_and_no_other(house: Database) -> None:
    with house.read() as db:
        lines, names = service.agreements(db, actor(PARTNER), NOW)
        assert [(line.agreement.id, line.in_force) for line in lines] == [("MINE", True), ("OVER", False)]
        assert names["O-CO"].name_en == "Partner company"
        assert service.agreement(db, actor(PARTNER), "MINE", NOW).is_masked
        for unreadable in ("THEIRS", "NONE"):
            with pytest.raises(NotFound):
                service.agreement(db, actor(PARTNER), unreadable, NOW)


def test_a_manager_reads_what_concerns_their_centre(house: Database) -> None:
    with house.read() as db:
        lines, _ = service.agreements(db, actor(MANAGER), NOW)
        assert {line.agreement.id for line in lines} == {"MINE", "OVER"}
        assert not service.agreement(db, actor(MANAGER), "MINE", NOW).is_masked


@pytest.mark.parametrize("who", [OFFICE, ADMINISTRATOR])
def test_who_answers_for_the_network_reads_all(house: Database, who: object) -> None:
    with house.read() as db:
        lines, _ = service.agreements(db, actor(who), NOW)  # type: ignore[arg-type]
    assert [line.agreement.id for line in lines] == ["MINE", "THEIRS", "OVER"]


def test_others_read_none(house: Database) -> None:
    with house.read() as db:
        with pytest.raises(Forbidden):
            service.agreements(db, actor(RESEARCHER), NOW)
        with pytest.raises(NotSignedIn):
            service.agreement(db, None, "MINE", NOW)


def test_each_denominator_stands_by_itself(house: Database) -> None:
    with house.read() as db:
        page = service.agreement(db, actor(MANAGER), "MINE", NOW)
    first, second, floor = page.line.standings
    # An eighth of one instrument's 2,400 min is 300: 240 taken on FE-SEM (80 %: near), 60 on XRD.
    assert [(each.scope_key, each.limit, each.state) for each in (first, second)] == [
        ("N001", 300, ShareState.NEAR),
        ("N002", 300, ShareState.KEPT),
    ]
    assert first.measure
    assert first.measure.slack == 60
    assert (floor.rule.kind, floor.rule.who) == (Kind.FLOOR, PUBLIC)
    # Half of 4,800; nobody public has booked, and industry took 300.
    assert floor.measure
    assert (floor.measure.slack, floor.state) == (-2400, ShareState.BEHIND)


def test_standings_of_an_instant_are_those_of_its_window(house: Database) -> None:
    with house.read() as db:
        next_week = service.standings(db, actor(OFFICE), NOW + timedelta(days=7), NOW)
    # The week of 30 November has no holiday: an eighth of 3,000 min on one instrument.
    assert {each.limit for each in next_week if each.scope_key} == {375}
    assert all(each.window.start == span(30, 0, 24).start for each in next_week)


def test_standings_can_be_narrowed_to_instruments(house: Database) -> None:
    with house.read() as db:
        found = service.standings(db, actor(OFFICE), NOW, NOW, within={XRD})
    assert [(each.agreement_id, each.scope_key) for each in found] == [("MINE", "N002"), ("MINE", "")]


def test_standings_cost_ten_queries_where_some_are_read_and_some_are_counted(house: Database) -> None:
    with house.read() as db, statements(house) as seen:
        service.standings(db, actor(OFFICE), NOW, NOW)
    assert len([each for each in seen if each.startswith("SELECT")]) == 10


def test_the_page_and_the_booking_check_count_the_same_minutes(house: Database) -> None:
    """Two readers of one rule: what is used and committed on the page is what the running balance holds."""
    with house.write() as db:
        put(db, by_industry(XRD, span(26, 8, 9)))
        held = store.balances_of(db, "MINE")
        shown = [each for each in service.standings(db, actor(OFFICE), NOW, NOW) if each.agreement_id == "MINE"]
    counted = {
        (each.rule.id, each.scope_key): each.measure.used + each.measure.committed for each in shown if each.measure
    }
    assert {(key.rule_id, key.scope_key): balance.matched_minutes for key, balance in held.items()} == counted
    assert {(key.rule_id, key.scope_key): balance.base_minutes for key, balance in held.items()} == {
        (each.rule.id, each.scope_key): each.base_minutes for each in shown
    }


def test_of_runs_of_days_the_one_that_ends_with_the_day_is_told(house: Database) -> None:
    with house.read() as db:
        instruments = capacity_store.timed_instruments(db, span(26, 8, 9))
    rule = a_rule(window=Window.ROLLING, days=3)
    (term,) = terms([Version(number=1, agreement=an_agreement(rule))])
    (counter,) = service.Places(instruments).counters(term, span(26, 8, 9))
    assert counter.window == span(24, 0, 72)


def test_a_report_tells_what_the_window_before_came_to(house: Database) -> None:
    """The week before has five open days: an eighth of 3,000 minutes on the XRD is 375, of which industry used 150.

    Whoever asks for the page of today is told nothing of it.
    """
    with house.write() as db:
        booking_store.add(db, [by_industry(XRD, Span(at(18, 9), at(18, 11, 30)))])
        told = {
            (each.rule.id, each.scope_key): each.before
            for each in service.standings(db, actor(OFFICE), NOW, NOW, delivered=True)
            if each.agreement_id == "MINE"
        }
        today = service.standings(db, actor(OFFICE), NOW, NOW)
    assert told == {
        ("industry-cap", "N001"): 0,
        ("industry-cap", "N002"): Fraction(2, 5),
        ("public-floor", ""): 0,
    }
    assert {each.before for each in today} == {None}
