"""The booking check, the solver and the report read a rule alike, to the minute, after whatever was booked."""

from __future__ import annotations

from datetime import datetime, timedelta
from fractions import Fraction
from math import floor

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labshare.domain.agreements import (
    Balance,
    BalanceKey,
    Counter,
    Kind,
    Level,
    Scope,
    Selector,
    ShareRule,
    Term,
    rule_windows,
)
from labshare.domain.bases import Base
from labshare.domain.bookings import Booking, BookingState
from labshare.domain.entitlements import Shown
from labshare.domain.projects import AccessClass, Activity
from labshare.domain.timespan import MINUTE, Span, intersection
from labshare.domain.windows import Window
from labshare.scheduler.problem import Rule
from labshare.services import agreements as service
from labshare.services import balances as balances_service
from labshare.services import entitlements, standings, weighing
from labshare.services.planning import Place
from labshare.services.planning_rules import Standing, linear_rules
from labshare.services.slots import Grid
from labshare.store import agreements as store
from labshare.store import bookings as booking_store
from labshare.store import tables as t
from labshare.store.engine import Connection, Database
from tests.furniture import FESEM, NMR, NOW, OFFICE, XRD, a_booking, actor, at, furnish
from tests.round_of import open_round
from tests.shares import a_floor, a_rule, an_agreement, by_industry, load, rolled_back, soft_rule, the_use

DAYS = {Window.ROLLING: 2}
# The fortnight and a day in which the property test books.
ALL_DAYS = Span(at(23, 0), at(23, 0) + timedelta(days=15))
# What is done, day, hour, hours, whether for the company, and the instrument.
Move = tuple[str, int, int, int, bool, int]

steps = st.lists(
    st.tuples(
        st.sampled_from(["add", "move", "cancel"]),
        st.integers(0, 13),
        st.integers(0, 23),
        st.integers(1, 30),
        st.booleans(),
        st.sampled_from([FESEM, XRD, NMR]),
    ),
    max_size=12,
)


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


@pytest.fixture
def furnished(house: Database) -> Database:
    return house


@given(steps)
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_booking_check_the_solver_and_the_report_agree_to_the_minute(
    furnished: Database, tmp_path_factory: pytest.TempPathFactory, moves: list[Move]
) -> None:
    _agree_after(furnished, tmp_path_factory, moves)


@pytest.mark.slow
@given(steps)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_they_agree_after_many_more_bookings(
    furnished: Database, tmp_path_factory: pytest.TempPathFactory, moves: list[Move]
) -> None:
    _agree_after(furnished, tmp_path_factory, moves)


def _agree_after(furnished: Database, tmp_path_factory: pytest.TempPathFactory, moves: list[Move]) -> None:
    """Of every selector, window and base, after any bookings, moves and cancellations: the running balance is a recount
    of the bookings, the page shows what it holds, and the solver may give away what the page says is left, in whole
    slots of 30 min. Of a base that moves, the page shows what the bookings say when they are added up by hand.
    """
    rules = [
        a_rule(share=Fraction(1), window=Window.WEEK),
        a_floor(share=Fraction(0), window=Window.MONTH),
        a_rule(id="each", share=Fraction(1), level=Level.INSTRUMENT, where=Scope(), window=Window.QUARTER),
        a_rule(id="outside", share=Fraction(1), who=Selector(outside=True), level=Level.CENTRE, where=Scope()),
        a_rule(id="project", share=Fraction(1), who=Selector(project=("KC-01",)), window=Window.YEAR),
        a_rule(id="programme", share=Fraction(1), who=Selector(programme=("state",)), window=Window.SEMESTER),
        a_rule(id="mixed", share=Fraction(1), who=Selector(activity=(Activity.ECONOMIC,), project=("DN-01",))),
        a_rule(id="round", share=Fraction(1), window=Window.ROUND, where=Scope()),
        a_rule(id="rolling", share=Fraction(1), window=Window.ROLLING, days=3, where=Scope()),
        *(
            soft_rule(id=f"{base}-{window}", base=base, window=window, days=DAYS.get(window))
            for base in Base
            for window in Window
        ),
    ]
    with rolled_back(furnished) as db:
        load(db, tmp_path_factory.mktemp("a"), an_agreement(*rules))
        open_round(db)
        standing: list[Booking] = []
        for action, day, hour, hours, is_industry, number in moves:
            start = at(23, 0) + timedelta(days=day, hours=hour)
            _step(db, action, standing, number, Span(start, start + timedelta(hours=hours)), is_industry)
        before = store.balances_of(db)
        assert balances_service.rebuild(db, NOW) == 0
        assert store.balances_of(db) == before
        _read_as_counted(db)
        pages = _Pages(db)
        for key, balance in before.items():
            _agree(db, pages, key, balance)
        for term in service.in_force(db, ALL_DAYS):
            if term.rule.is_moving:
                for window, _ in rule_windows(term, ALL_DAYS):
                    _agree_by_hand(db, pages, Counter(term=term, scope_key="", window=window), standing)
        # A wrong balance is noticed, so that the recount above means something.
        if before:
            db.execute(sa.update(t.balances).values(total_minutes=t.balances.c.total_minutes + 1))
            assert balances_service.rebuild(db, NOW) == len(before)
            assert store.balances_of(db) == before


class _Pages:
    """The page of agreements at any instant, which is read once for each."""

    def __init__(self, db: Connection) -> None:
        self._db = db
        self._read: dict[datetime, list[Shown]] = {}

    def shown(self, rule: ShareRule, scope_key: str, window: Span) -> Shown:
        """A rule where it stands in this window: a run of days is told on its last one."""
        moment = window.end - MINUTE if rule.window is Window.ROLLING else max(window.start, NOW)
        if moment not in self._read:
            self._read[moment] = entitlements.standings(self._db, actor(OFFICE), moment, NOW)
        (found,) = [
            each
            for each in self._read[moment]
            if (each.rule.id, each.scope_key, each.window) == (rule.id, scope_key, window)
        ]
        return found


def _agree_by_hand(db: Connection, pages: _Pages, counter: Counter, standing: list[Booking]) -> None:
    """What page and solver make of a share of what moves, beside the bookings themselves. Nothing was delivered yet."""
    parts = [
        (each.access_class is AccessClass.INDUSTRY, part.minutes)
        for each in standing
        if each.instrument_number != NMR and (part := intersection(each.occupied, counter.window))
    ]
    is_booked = counter.term.rule.base is Base.BOOKED
    total = sum(minutes for _, minutes in parts) if is_booked else 0
    matched = sum(minutes for is_industry, minutes in parts if is_industry) if is_booked else 0
    shown = pages.shown(counter.term.rule, "", counter.window)
    assert shown.measure
    assert (shown.base_minutes, shown.measure.used + shown.measure.committed) == (total, matched)
    assert shown.limit == Fraction(total, 8)
    balance = standings.balances(db, [counter], NOW)[counter.key]
    assert (balance.base_minutes, balance.matched_minutes) == (total, matched)
    linear = _linear(counter.term, balance)
    assert (linear.slots, linear.of_allocated) == (max(0, floor(shown.measure.slack / 30)), "1/8")


def _read_as_counted(db: Connection) -> None:
    """What balances and their days say is what the bookings say, at whatever minute they are asked: in the middle of a
    booking, of a day of UTC, and after all is over.
    """
    for minutes in (0, 1, 2 * 1440 + 555, 6 * 1440 + 1, 9 * 1440, 40 * 1440):
        now = NOW + timedelta(minutes=minutes)
        read, counted = (
            [
                (each.rule.id, each.scope_key, each.window, each.measure, each.state)
                for each in entitlements.standings(db, actor(OFFICE), now, now, delivered=is_counted)
            ]
            for is_counted in (False, True)
        )
        assert read == counted


def _agree(db: Connection, pages: _Pages, key: BalanceKey, balance: Balance) -> None:
    """What the page and the solver make of a window, beside its running balance. All bookings lie after NOW."""
    (term,) = [each for each in service.in_force(db, balance.window) if each.key == (key.agreement_id, key.rule_id)]
    shown = pages.shown(term.rule, key.scope_key, balance.window)
    assert shown.measure
    assert shown.measure.used + shown.measure.committed == balance.matched_minutes
    if shown.rule.kind is Kind.FLOOR:
        return
    assert shown.limit is not None
    assert shown.measure.slack == shown.limit - balance.matched_minutes
    assert _linear(term, balance).slots == max(0, floor(shown.measure.slack / 30))


def _linear(term: Term, balance: Balance) -> Rule:
    standing = Standing(
        term=term,
        scope_key=balance.scope_key,
        window=balance.window,
        part=balance.window,
        base_minutes=balance.base_minutes,
        matched_minutes=balance.matched_minutes,
        total_minutes=balance.total_minutes,
    )
    places = [Place("N001", "C-ONE"), Place("N002", "C-ONE"), Place("N003", "C-TWO")]
    (linear,) = linear_rules([standing], places, Grid(balance.window.start, 30, 1000), NOW, 1)
    return linear


def _step(db: Connection, action: str, standing: list[Booking], number: int, when: Span, is_industry: bool) -> None:
    make = by_industry if is_industry else a_booking
    old = standing.pop(0) if standing and action != "add" else None
    new = make(number, when) if action != "cancel" else None
    others = [each for each in standing if new and each.instrument_number == number and each.occupied.overlaps(when)]
    if others:
        new = None
    weighed = weighing.weigh(
        db,
        added=[the_use(new)] if new else [],
        removed=[the_use(old)] if old else [],
        now=NOW,
    )
    if old:
        booking_store.change(db, msgspec.structs.replace(old, state=BookingState.CANCELLED), seen_version=old.version)
    if new:
        booking_store.add(db, [new])
        standing.append(new)
    weighing.post(db, weighed)
