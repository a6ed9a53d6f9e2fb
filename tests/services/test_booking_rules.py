"""Rules of booking are posted and ended by those who manage the calendar there, and read by everybody."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from labshare.domain.booking_rules import CutOff, Overnight, Scope, ScopeKind
from labshare.errors import Forbidden, Malformed, NotFound, WrongState
from labshare.services import booking_rules as rules_service
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import ADMINISTRATOR, MANAGER, NOW, RESEARCHER, XRD, actor, furnish, span
from tests.services.test_house_rules import CENTRE, book, posted, refused


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


def test_rules_are_posted_by_those_who_manage_the_calendar_there(house: Database) -> None:
    posted(house, CutOff(hours=1), CENTRE, MANAGER)
    posted(house, CutOff(hours=1), Scope(ScopeKind.INSTRUMENT, "N001"), MANAGER)
    for scope in (Scope(ScopeKind.CENTRE, "C-TWO"), Scope(ScopeKind.GROUP, "XRD"), Scope(ScopeKind.INSTRUMENT, "N003")):
        with pytest.raises(Forbidden):
            posted(house, CutOff(hours=1), scope, MANAGER)
    with pytest.raises(NotFound):
        posted(house, CutOff(hours=1), Scope(ScopeKind.CENTRE, "C-NONE"))
    with pytest.raises(Malformed):
        posted(house, CutOff(hours=0))


def test_a_rule_that_was_ended_no_longer_holds_and_can_still_be_read(house: Database) -> None:
    rule_id = posted(house, CutOff(hours=100))
    assert refused(house, XRD, span(25, 9, 10)).code == "rule_cut_off"
    with house.write() as db, pytest.raises(Forbidden):
        rules_service.end(db, actor(RESEARCHER), rule_id, NOW)
    with house.write() as db:
        ended = rules_service.end(db, actor(MANAGER), rule_id, NOW)
    assert (ended.until, ended.ended_by_id) == (NOW, MANAGER)
    book(house, XRD, span(25, 9, 10))
    with house.write() as db, pytest.raises(WrongState):
        rules_service.end(db, actor(MANAGER), rule_id, NOW)
    with house.read() as db:
        assert rules_service.of_scope(db, CENTRE) == ()
        assert rules_service.of_scope(db, CENTRE, ended=True) == (ended,)
        assert rules_service.of_places(db, rules_service.places(db, "C-ONE")) == []
        assert rules_service.at_instrument(db, "N001") == ()


def test_everybody_reads_what_holds_for_an_instrument_and_a_centre(house: Database) -> None:
    """Of an instrument its own rules, its centre's and its group's; of a centre those of all its instruments."""
    for scope in (
        Scope(ScopeKind.INSTRUMENT, "N001"),
        Scope(ScopeKind.INSTRUMENT, "N002"),
        CENTRE,
        Scope(ScopeKind.CENTRE, "C-TWO"),
        Scope(ScopeKind.GROUP, "FESEM"),
        Scope(ScopeKind.GROUP, "NMR"),
    ):
        posted(house, Overnight(level=2), scope)
    with house.read() as db:
        here = {each.scope.id for each in rules_service.at_instrument(db, "N001")}
        places = rules_service.places(db, "C-ONE")
        there = {place.scope.id for place, rules in rules_service.of_places(db, places) if len(rules) == 1}
    assert (here, there) == ({"N001", "C-ONE", "FESEM"}, {"N001", "N002", "C-ONE", "FESEM"})


def test_a_manager_chooses_among_the_centre_and_its_instruments_and_an_administrator_among_groups(
    house: Database,
) -> None:
    with house.read() as db:
        scopes = [each.scope for each in rules_service.places(db, "C-ONE")]
    chosen = [
        [scope.id for scope in scopes if rules_service.may_post(actor(who), scope, "C-ONE")]
        for who in (MANAGER, ADMINISTRATOR, RESEARCHER)
    ]
    assert chosen == [["C-ONE", "N001", "N002"], ["C-ONE", "N001", "N002", "FESEM", "XRD"], []]


def test_the_audit_tells_who_posted_and_ended_a_rule(house: Database) -> None:
    rule_id = posted(house, CutOff(hours=2))
    with house.write() as db:
        rules_service.end(db, actor(MANAGER), rule_id, NOW)
        lines = db.execute(sa.select(t.audit.c.actor_id, t.audit.c.action, t.audit.c.noun).order_by(t.audit.c.at))
        assert sorted(tuple(line) for line in lines) == [
            (MANAGER, "end", "booking_rule"),
            (ADMINISTRATOR, "post", "booking_rule"),
        ]
