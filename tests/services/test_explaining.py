"""What would have helped a request left out, worked by hand, and who is told what of it."""

from __future__ import annotations

from fractions import Fraction
from uuid import UUID

import pytest

from labshare.domain.agreements import Scope, ShareRule, Version
from labshare.domain.rounds import Round
from labshare.domain.time_requests import TimeRequest
from labshare.domain.timespan import Span
from labshare.errors import NotFound
from labshare.services import desk
from labshare.services.explaining import Explained, explained
from labshare.store import agreements as agreements_store
from labshare.store import rounds as store
from labshare.store import time_requests as requests_store
from labshare.store.engine import Connection, Database
from tests.domain.test_agreements import an_agreement
from tests.furniture import (
    COLLEAGUE,
    COMPETITOR,
    INDUSTRY_PROJECT,
    MANAGER,
    NOW,
    OFFICE,
    PARTNER,
    RESEARCHER,
    actor,
    furnish,
)
from tests.round_of import LATER, ask, at, close, open_round, propose, span
from tests.services.test_planning_rules import INDUSTRY, a_rule

MONDAY, TUESDAY = span(0, 8, 12), span(1, 8, 12)
ON_BOTH = ("N002", "N003")


def proposed(db: Connection, *, furnished: bool = False) -> tuple[Round, TimeRequest]:
    """Public research fills Monday of XRD and NMR; industry asks for Monday on either and is left out; Tuesday is free.

    The NMR is offered on Monday for one session of two hours with its half hour of clean-up.
    """
    if not furnished:
        furnish(db)
    offers = [(number, TUESDAY) for number in ON_BOTH]
    r = open_round(db, ("N002", MONDAY), ("N003", Span(at(0, 8), at(0, 10, 30))), *offers)
    ask(db, r, RESEARCHER, windows=(MONDAY,), session_minutes=240)
    ask(db, r, COLLEAGUE, instrument_ids=("N003",), windows=(MONDAY,))
    left = ask(
        db, r, COMPETITOR, project_id=INDUSTRY_PROJECT, instrument_ids=ON_BOTH, windows=(MONDAY,),
    )  # fmt: skip
    propose(db, close(db, r))
    return store.get(db, r.id), left


def told(db: Connection, r: Round, left: TimeRequest, who: UUID = OFFICE) -> Explained:
    return explained(db, actor(who), r.id, left.id)


def desk_of(db: Connection, r: Round, who: UUID) -> desk.Desk:
    found = desk.desk(db, actor(who), r.id, LATER)
    assert found is not None
    return found


def test_the_nearest_free_times_are_told_as_uses_with_their_distance(database: Database) -> None:
    """On the XRD the last start asked for is Monday 10:00, on the NMR 8:00; Tuesday 8:00 is 22 and 24 hours later."""
    with database.write() as db:
        found = told(db, *proposed(db))
    assert [(near.instrument.id, near.use, near.away_minutes) for near in found.nearest] == [
        ("N002", span(1, 8, 10), 22 * 60),
        ("N003", span(1, 8, 10), 24 * 60),
    ]
    assert (found.label, found.standing.code, found.helps) == ("#3", "explained_best", ())


def test_a_manager_is_told_of_the_own_centre_alone(database: Database) -> None:
    """What the plan leaves free at the other centre is for its manager until the plan is published."""
    with database.write() as db:
        found = told(db, *proposed(db), MANAGER)
    assert [near.instrument.id for near in found.nearest] == ["N002"]


def test_nor_does_the_desk_s_reason_tell_of_the_other_centre(database: Database) -> None:
    """Of the two places that were asked for, the cheapest is on the NMR: 400,000 lost there, 800,000 on the XRD."""
    with database.write() as db:
        r, _ = proposed(db)
        (office,), (manager,) = (desk_of(db, r, who).left_out for who in (OFFICE, MANAGER))
    assert office.reason.params["instrument"] == "N003"
    assert (manager.reason.code, manager.reason.params) == ("unplaced_elsewhere", {"gap_permille": 0})


@pytest.mark.parametrize("who", [COMPETITOR, RESEARCHER, PARTNER])
def test_nobody_else_is_told_anything(database: Database, who: UUID) -> None:
    """Not even whoever asked for the time: its decision comes with publication."""
    with database.write() as db:
        r, left = proposed(db)
        with pytest.raises(NotFound):
            told(db, r, left, who)


def test_a_request_that_is_served_or_of_another_centre_has_no_explanation(database: Database) -> None:
    with database.write() as db:
        r, left = proposed(db)
        served = [each for each in requests_store.of_round(db, r.id) if each.id != left.id]
        for each in served:
            with pytest.raises(NotFound):
                told(db, r, each)
        # The manager answers for the XRD's centre; the second request is for the NMR alone.
        with pytest.raises(NotFound):
            told(db, r, served[1], MANAGER)
        with pytest.raises(NotFound):
            explained(db, actor(OFFICE), UUID(int=9), left.id)


def test_a_shorter_session_is_told_without_its_clean_up(database: Database) -> None:
    """The NMR is offered from 8 to 12:30; 10 to 12 and its clean-up go to public research, industry asks for 3 hours.

    Four slots are left from 8 to 10: an hour and a half of use and half an hour of clean-up.
    """
    with database.write() as db:
        furnish(db)
        r = open_round(db, ("N003", Span(at(0, 8), at(0, 12, 30))))
        ask(db, r, instrument_ids=("N003",), windows=(span(0, 10, 12),))
        left = ask(
            db, r, COMPETITOR, project_id=INDUSTRY_PROJECT, instrument_ids=("N003",), session_minutes=180,
        )  # fmt: skip
        propose(db, close(db, r))
        (help,) = told(db, r, left).helps
    assert (help.code, help.params) == (
        "helps_shorter",
        {"instrument": "N003", "at": at(0, 8).isoformat(), "use_minutes": 90},
    )


def of_industry(db: Connection, rule: ShareRule) -> tuple[Round, TimeRequest]:
    """Industry asks for two free hours of the XRD, which a hard rule of an agreement between others forbids."""
    furnish(db)
    agreement = an_agreement(rule, id="MOU-7", parties=("I-IMS",))
    agreements_store.add_version(db, Version(number=1, agreement=agreement), actor_id=None, now=NOW)
    r = open_round(db, ("N002", MONDAY))
    left = ask(db, r, COMPETITOR, project_id=INDUSTRY_PROJECT)
    propose(db, close(db, r))
    return store.get(db, r.id), left


def test_a_limit_is_named_to_those_who_may_read_its_agreement(database: Database) -> None:
    everywhere = a_rule(who=INDUSTRY, share=Fraction(0), where=Scope(centres=("C-ONE",)))
    with database.write() as db:
        (help,) = told(db, *of_industry(db, everywhere)).helps
    assert (help.code, help.params) == ("helps_higher_limit", {"agreement": "MOU-7", "rule": "R"})
