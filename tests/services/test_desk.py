"""The planning desk under each reader's eyes: rows, what was left out, shares and approvals, worked by hand."""

from __future__ import annotations

from fractions import Fraction
from uuid import UUID

import msgspec
import pytest

from labshare.domain.agreements import Kind, Scope, Selector, ShareRule, Strictness, Version
from labshare.domain.bases import Base
from labshare.domain.projects import AccessClass
from labshare.domain.rounds import Approval, Round
from labshare.services import rounds
from labshare.services.desk import Desk, desk
from labshare.store import agreements as agreements_store
from labshare.store import bookings as bookings_store
from labshare.store import plans as plans_store
from labshare.store import rounds as store
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
    XRD,
    a_booking,
    actor,
    furnish,
)
from tests.round_of import LATER, approve, ask, close, open_round, propose, span
from tests.services.test_planning_rules import INDUSTRY, a_rule

BOTH = (("N002", span(0, 8, 12)), ("N003", span(0, 8, 12)))


def proposed(db: Connection, *rules: ShareRule) -> Round:
    """The XRD is asked for three times and the NMR once: two public requests fill the XRD, industry is left out."""
    furnish(db)
    if rules:
        agreement = an_agreement(*rules, id="PPP-1", parties=("O-CO",), partner_id="O-CO")
        agreements_store.add_version(db, Version(number=1, agreement=agreement), actor_id=None, now=NOW)
    r = open_round(db, *BOTH)
    ask(db, r, RESEARCHER, windows=(span(0, 8, 10),))
    ask(db, r, COLLEAGUE)
    ask(db, r, COMPETITOR, project_id=INDUSTRY_PROJECT)
    ask(db, r, COMPETITOR, project_id=INDUSTRY_PROJECT, instrument_ids=("N003",), session_minutes=60)
    propose(db, close(db, r))
    return store.get(db, r.id)


def shown(db: Connection, r: Round, who: UUID = OFFICE, centre_id: str | None = None) -> Desk:
    found = desk(db, actor(who), r.id, LATER, centre_id=centre_id)
    assert found is not None
    return found


def test_there_is_no_desk_before_there_is_a_plan(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        assert desk(db, actor(OFFICE), open_round(db).id, LATER) is None


def test_the_office_sees_every_session_where_it_is(database: Database) -> None:
    """Worth: two public requests of four slots, 400,000 each; industry's hour on the NMR is two slots of 100."""
    with database.write() as db:
        found = shown(db, proposed(db))
    assert (found.placed, found.asked, found.status, found.value) == (3, 4, "optimal", 800_200)
    xrd, nmr = found.rows
    assert [(each.line.label, each.use, each.first, each.last) for each in xrd.sessions] == [
        ("#1", span(0, 8, 10), 16, 20),
        ("#2", span(0, 10, 12), 20, 24),
    ]
    # The NMR's hour and its 30 minutes of clean-up are three slots; Monday 8 to 12 is free for them.
    assert nmr.free == ((16, 24),)
    assert [(each.line.label, each.last - each.first) for each in nmr.sessions] == [("#4", 3)]


def test_what_was_left_out_stands_beside_with_its_reason(database: Database) -> None:
    with database.write() as db:
        (left,) = shown(db, proposed(db)).left_out
    assert (left.line.label, left.placed, left.worth, left.reason.code) == ("#3", 0, 400, "unplaced_taken")
    assert left.reason.params["others"] in ("#1", "#2")


def test_a_manager_sees_the_own_centre_s_part_alone(database: Database) -> None:
    with database.write() as db:
        found = shown(db, proposed(db), MANAGER)
    assert [row.instrument.id for row in found.rows] == ["N002"]
    assert [part.centre.id for part in found.parts] == ["C-ONE"]
    assert [(part.sessions, part.may_approve, part.approval) for part in found.parts] == [(2, True, None)]
    assert {party.access_class for party in found.classes} == {AccessClass.PUBLIC_RESEARCH, AccessClass.INDUSTRY}
    assert not found.may_publish


def test_one_centre_can_be_looked_at_alone(database: Database) -> None:
    with database.write() as db:
        found = shown(db, proposed(db), OFFICE, "C-TWO")
    assert [row.instrument.id for row in found.rows] == ["N003"]
    assert found.left_out == ()


def test_each_party_s_hours_are_asked_for_and_placed(database: Database) -> None:
    """Public research asks for 240 minutes and gets them; industry asks for 180 and gets 60."""
    with database.write() as db:
        found = shown(db, proposed(db))
    assert [(each.access_class, each.requests, each.asked_minutes, each.placed_minutes) for each in found.classes] == [
        (AccessClass.PUBLIC_RESEARCH, 2, 240, 240),
        (AccessClass.INDUSTRY, 2, 180, 60),
    ]
    assert [(each.organisation and each.organisation.id, each.placed_minutes) for each in found.organisations] == [
        ("I-IMS", 240),
        ("O-CO", 60),
    ]


@pytest.mark.parametrize("who", [RESEARCHER, PARTNER])
def test_those_who_answer_for_nothing_see_no_plan(database: Database, who: UUID) -> None:
    with database.write() as db:
        r = proposed(db)
        assert desk(db, actor(who), r.id, LATER) is None


# ---------------------------------------------------------------- shares


def a_cap(who: Selector = INDUSTRY) -> ShareRule:
    """A tenth of 9,000 minutes: three instruments, five days of ten hours."""
    return a_rule(who=who, share=Fraction(1, 10), sentence_vi="Tối đa 10 %.", sentence_en="At most 10 %.")


def test_a_partner_sees_its_own_share_and_nothing_of_the_plan(database: Database) -> None:
    """The plan adds 90 minutes of industry: an hour on the NMR with its clean-up."""
    with database.write() as db:
        furnished = proposed(db, a_cap(who=Selector(organisation=("O-CO",))))
        found = shown(db, furnished, PARTNER)
    assert (found.rows, found.left_out, found.classes, found.organisations, found.parts) == ((), (), (), (), ())
    (share,) = found.shares
    assert (share.agreement_id, share.limit_minutes, share.before_minutes, share.plan_minutes) == ("PPP-1", 900, 0, 90)
    assert not share.is_floor


def test_a_partner_is_not_told_the_minutes_of_a_rule_that_counts_others_too(database: Database) -> None:
    """Less its own minutes, which it knows, those of all of industry would be those of its rivals."""
    with database.write() as db:
        r = proposed(db, a_cap(who=INDUSTRY), a_rule(id="own", who=Selector(organisation=("O-CO",))))
        assert [share.rule.id for share in shown(db, r, PARTNER).shares] == ["own"]
        assert [share.rule.id for share in shown(db, r, OFFICE).shares] == ["R", "own"]


def test_a_share_of_what_is_booked_is_measured_by_what_the_plan_gives_to_everybody(database: Database) -> None:
    """The plan gives two sessions of two hours on the XRD and 90 minutes on the NMR: 330, of which a tenth is 33.

    The limit tells how much the others have, so the partner whose share it is reads of no plan.
    """
    moving = a_cap(who=Selector(organisation=("O-CO",)))
    moving = msgspec.structs.replace(moving, base=Base.BOOKED, strict=Strictness.SOFT, penalty=0)
    with database.write() as db:
        r = proposed(db, moving)
        (share,) = shown(db, r).shares
        assert (share.before_minutes, share.plan_minutes, share.limit_minutes) == (0, 90, 33)
        assert desk(db, actor(PARTNER), r.id, LATER) is None


def test_a_partner_of_rules_that_all_count_others_sees_no_plan(database: Database) -> None:
    with database.write() as db:
        r = proposed(db, a_cap(who=INDUSTRY))
        assert desk(db, actor(PARTNER), r.id, LATER) is None


def test_a_manager_reads_the_agreements_that_count_at_the_own_centre(database: Database) -> None:
    here = a_rule(id="here", where=Scope(centres=("C-ONE",)))
    there = a_rule(id="there", where=Scope(centres=("C-TWO",)))
    with database.write() as db:
        r = proposed(db, here, there)
        assert [share.rule.id for share in shown(db, r, MANAGER).shares] == ["here"]
        assert [share.rule.id for share in shown(db, r, OFFICE).shares] == ["here", "there"]


def test_what_was_booked_before_is_told_apart_from_what_the_plan_adds(database: Database) -> None:
    with database.write() as db:
        r = proposed(db, a_cap())
        by_industry = {
            "person_id": COMPETITOR,
            "project_id": INDUSTRY_PROJECT,
            "organisation_id": "O-CO",
            "access_class": AccessClass.INDUSTRY,
            "activity": "economic",
        }
        bookings_store.add(db, [a_booking(XRD, span(2, 8, 10), **by_industry)])
        (share,) = shown(db, r).shares
        assert (share.before_minutes, share.plan_minutes) == (120, 90)


def test_publication_moves_the_plan_s_minutes_into_the_balance_once(database: Database) -> None:
    with database.write() as db:
        r = proposed(db, a_cap())
        plan = shown(db, r).plan
        approve(db, plan)
        # Nobody of the tests manages the other centre; its approval is written as its manager would.
        plans_store.approve(
            db,
            Approval(
                plan_id=plan.id, centre_id="C-TWO", person_id=MANAGER, plan_sha256=plan.plan_sha256, approved_at=LATER
            ),
        )
        approve(db, plan)
        rounds.publish(db, actor(OFFICE), r.id, plan_sha256=plan.plan_sha256, now=LATER)
        (share,) = shown(db, r).shares
    assert (share.before_minutes, share.plan_minutes) == (0, 90)


def test_a_floor_s_shortfall_is_told(database: Database) -> None:
    """Industry is promised 2 % of Centre One's 6,000 minutes, 120: four slots, and the plan gives it none there.

    Its request of two hours would cost a public one 400,000; missing four slots of a soft floor costs 4 x 30 x 1.
    """
    floor = a_rule(
        kind=Kind.FLOOR,
        who=INDUSTRY,
        where=Scope(centres=("C-ONE",)),
        share=Fraction(2, 100),
        strict=Strictness.SOFT,
        penalty=1,
    )
    with database.write() as db:
        (share,) = shown(db, proposed(db, floor)).shares
    assert (share.is_floor, share.plan_minutes, share.missed_slots) == (True, 0, 4)
