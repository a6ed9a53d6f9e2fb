"""A draft of an agreement tells what it would do to the current period, and changes nothing until it is signed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from labshare.domain.agreement_documents import to_toml
from labshare.domain.agreements import Agreement, Selector
from labshare.domain.bookings import BookingKind
from labshare.domain.entitlements import ShareState
from labshare.errors import Forbidden, Malformed, NotFound, Refused, Stale
from labshare.services import agreements, drafts
from labshare.services.drafts import Effect
from labshare.store import bookings as booking_store
from labshare.store.engine import Database
from tests.furniture import (
    ADMINISTRATOR,
    FESEM,
    MANAGER,
    NOW,
    OFFICE,
    PARTNER,
    XRD,
    a_booking,
    actor,
    counted,
    furnish,
    span,
)
from tests.shares import a_floor, a_rule, an_agreement, balances, by_industry, load, put


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Database:
    """Industry may have an eighth of 4,800 min, 600; five of its ten hours are booked. Half is kept for the public."""
    with database.write() as db:
        furnish(db)
        load(db, tmp_path, an_agreement(a_rule(), a_floor(share=Fraction(1, 2))))
        put(db, by_industry(FESEM, span(25, 8, 13)))
    return database


def effects(house: Database, agreement: Agreement) -> dict[str, Effect]:
    with house.read() as db:
        draft = drafts.weighed(db, actor(OFFICE), to_toml(agreement), NOW)
    return {effect.rule.id: effect for effect in draft.effects}


def test_a_changed_amount_is_told_against_what_is_booked(house: Database) -> None:
    """A sixteenth is 300 min, and 300 are booked: nothing is left. A twentieth is 240: 60 too many."""
    found = effects(house, an_agreement(a_rule(share=Fraction(1, 16)), a_floor(share=Fraction(1, 2))))
    cap = found["industry-cap"]
    assert cap.before
    assert cap.before.measure
    assert cap.after
    assert cap.after.measure
    assert (cap.before.measure.slack, cap.after.measure.slack) == (300, 0)
    assert cap.is_changed
    assert not found["public-floor"].is_changed
    found = effects(house, an_agreement(a_rule(share=Fraction(1, 20)), a_floor(share=Fraction(1, 2))))
    assert (after := found["industry-cap"].after)
    assert after.measure
    assert (after.state, after.measure.slack) == (ShareState.OVER, -60)


def test_what_is_added_and_left_out_is_told(house: Database) -> None:
    """R19: outsiders, here the company, have booked 300 of the 1,440 min that a floor of 30 % asks for."""
    outside = a_floor(id="outside", who=Selector(outside=True), share=Fraction(3, 10))
    found = effects(house, an_agreement(a_rule(), outside))
    assert [name for name, effect in found.items() if effect.before is None] == ["outside"]
    assert [name for name, effect in found.items() if effect.after is None] == ["public-floor"]
    assert (after := found["outside"].after)
    assert after.measure
    assert after.measure.slack == 300 - 1440


def test_a_draft_of_another_day_is_told_as_if_it_held_today(house: Database) -> None:
    later = an_agreement(a_rule(share=Fraction(1, 20)), effective_from=NOW.date().replace(year=2030))
    assert (after := effects(house, later)["industry-cap"].after)
    assert after.measure
    assert after.measure.slack == -60


def test_an_outage_since_the_window_was_frozen_shrinks_only_what_begins_anew(house: Database) -> None:
    """The base of the cap stays at 4,800 min after a day of maintenance; a rule of another scope counts 4,200."""
    with house.write() as db:
        planned = a_booking(XRD, span(27, 8, 18), kind=BookingKind.MAINTENANCE, person_id=None, project_id=None)
        booking_store.add(db, [planned])
    found = effects(house, an_agreement(a_rule(share=Fraction(1, 10)), a_floor(id="new")))
    assert found["industry-cap"].after
    assert found["new"].after
    assert (found["industry-cap"].after.base_minutes, found["new"].after.base_minutes) == (4800, 4200)


def test_weighing_a_draft_changes_nothing(house: Database) -> None:
    with house.write() as db:
        before = balances(db)
        with counted(house.engine) as statements:
            drafts.weighed(db, actor(OFFICE), to_toml(an_agreement(a_floor(id="new"))), NOW)
        assert all(each.startswith("SELECT") for each in statements)
        assert balances(db) == before


def test_the_text_in_force_is_known_again(house: Database) -> None:
    with house.read() as db:
        text = drafts.text_of(db, actor(OFFICE), "PPP-1")
        draft = drafts.weighed(db, actor(OFFICE), text, NOW)
    assert draft.is_same
    assert not any(effect.is_changed for effect in draft.effects)


def test_faults_are_told_all_at_once(house: Database) -> None:
    broken = an_agreement(a_rule(share=Fraction(2)), parties=("O-NONE",))
    with house.read() as db:
        with pytest.raises(Refused) as caught:
            drafts.weighed(db, actor(OFFICE), to_toml(broken), NOW)
        assert [each.code for each in caught.value.refusals] == ["agreement_unknown_party", "agreement_share_over_one"]
        with pytest.raises(Malformed):
            drafts.weighed(db, actor(OFFICE), "id = 3", NOW)
        clashing = an_agreement(
            a_floor(share=Fraction(9, 10)), a_floor(id="rest", who=a_rule().who, share=Fraction(1, 5))
        )
        with pytest.raises(Refused) as caught:
            drafts.weighed(db, actor(OFFICE), to_toml(clashing), NOW)
        assert [each.code for each in caught.value.refusals] == ["agreement_cannot_hold"]


@pytest.mark.parametrize("who", [PARTNER, MANAGER])
def test_only_those_who_see_all_agreements_weigh_drafts(house: Database, who: object) -> None:
    with house.read() as db:
        with pytest.raises(Forbidden):
            drafts.weighed(db, actor(who), to_toml(an_agreement(a_rule())), NOW)  # type: ignore[arg-type]
        with pytest.raises(Forbidden):
            drafts.text_of(db, actor(who), "PPP-1")  # type: ignore[arg-type]


def test_signing_is_for_administrators_and_gives_a_new_version(house: Database) -> None:
    text = to_toml(an_agreement(a_rule(share=Fraction(1, 10))))
    with house.write() as db:
        with pytest.raises(Forbidden):
            agreements.sign(db, actor(OFFICE), text, NOW, seen_version=1)
        loaded = agreements.sign(db, actor(ADMINISTRATOR), text, NOW, seen_version=1)
        assert (loaded.agreement_id, loaded.version, loaded.outcome) == ("PPP-1", 2, "changed")
        # A tenth of 4,800 min, of which 300 are booked.
        assert list(balances(db).values()) == [(4800, 300, 300)]


def test_a_draft_is_signed_on_the_version_it_was_weighed_against(house: Database) -> None:
    """Two administrators weigh against version 1; whoever signs second has not seen what the first one signed."""
    texts = [to_toml(an_agreement(a_rule(share=Fraction(1, part)))) for part in (10, 5)]
    with house.read() as db:
        seen = [drafts.weighed(db, actor(ADMINISTRATOR), text, NOW).seen_version for text in texts]
    assert seen == [1, 1]
    with house.write() as db:
        agreements.sign(db, actor(ADMINISTRATOR), texts[0], NOW, seen_version=1)
    with pytest.raises(Stale), house.write() as db:
        agreements.sign(db, actor(ADMINISTRATOR), texts[1], NOW, seen_version=1)
    new = to_toml(an_agreement(a_rule(), id="PPP-2"))
    with house.write() as db:
        assert drafts.weighed(db, actor(ADMINISTRATOR), new, NOW).seen_version == 0
        assert agreements.sign(db, actor(ADMINISTRATOR), new, NOW, seen_version=0).version == 1
    with pytest.raises(Stale), house.write() as db:
        agreements.sign(db, actor(ADMINISTRATOR), new, NOW, seen_version=0)


def test_an_agreement_that_is_not_there_cannot_be_changed(house: Database) -> None:
    with house.read() as db, pytest.raises(NotFound):
        drafts.text_of(db, actor(OFFICE), "NONE")
