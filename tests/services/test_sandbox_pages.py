"""Trials through the eyes of each reader: those who answer for the centres, a party, and everybody else."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from uuid import uuid4

import pytest

from labshare.domain.agreements import Version
from labshare.domain.people import Actor, Grant, Role
from labshare.domain.sandbox import Change
from labshare.domain.sandboxes import SandboxState, Step
from labshare.errors import Forbidden, NotFound, NotSignedIn
from labshare.services import sandbox_pages, sandboxes
from labshare.store import agreements as agreements_store
from labshare.store import sandboxes as store
from labshare.store.engine import Database
from tests.domain.test_agreements import an_agreement
from tests.domain.test_replay import FOUR, a_count, a_rule_row, replayed
from tests.furniture import ADMINISTRATOR, MANAGER, NOW, OFFICE, PARTNER, RESEARCHER, actor
from tests.services.test_replay import LIFT, a_cap
from tests.services.test_replay_pages import a_partner
from tests.services.test_sandboxes import a_trial, approve, house, measure, propose, run, step

__all__ = ["house"]


@pytest.fixture
def two(house: Database) -> Database:
    """A trial that changes the agreement A of the company, and B of somebody else."""
    with house.write() as db:
        for agreement in (
            an_agreement(a_cap(), parties=("O-CO", "I-IMS")),
            an_agreement(a_cap(id="b"), id="B", parties=("I-IMS",)),
        ):
            number = 2 if agreement.id == "A" else 1
            version = Version(number=number, agreement=agreement)
            agreements_store.add_version(db, version, actor_id=None, now=NOW)
    propose(house, a_trial(LIFT, Change(agreement="B", remove="b")))
    propose(house, a_trial(Change(agreement="B", remove="b"), id="OTHERS"))
    return house


def ids(house: Database, reader: Actor) -> list[str]:
    with house.read() as db:
        return [line.sandbox.id for line in sandbox_pages.trials(db, reader, NOW)[0]]


def test_a_party_sees_the_trials_of_its_agreements_and_of_them_only_its_part(two: Database) -> None:
    assert ids(two, actor(OFFICE)) == ids(two, actor(MANAGER)) == ["OTHERS", "SBX"]
    assert ids(two, actor(PARTNER)) == ["SBX"]
    with two.read() as db:
        mine = sandbox_pages.trial(db, actor(PARTNER), "SBX", NOW)
        whole = sandbox_pages.trial(db, actor(MANAGER), "SBX", NOW)
        assert [each.change.agreement for each in mine.changes] == ["A"]
        assert [each.change.agreement for each in whole.changes] == ["A", "B"]
        assert [each.signed.share if each.signed else None for each in whole.changes] == [Fraction(1, 5)] * 2
        # The document names the other agreement too, so only those who may adjust it get it.
        assert mine.text == ""
        assert 'agreement = "B"' in whole.text
        with pytest.raises(NotFound):
            sandbox_pages.trial(db, actor(PARTNER), "OTHERS", NOW)


def test_others_see_no_trial(two: Database) -> None:
    elsewhere = Actor(
        person_id=MANAGER, login="m", name="M", organisation_id="I-IMS",
        grants=(Grant(role=Role.LAB_MANAGER, centre_id="C-TWO"),),
    )  # fmt: skip
    for stranger in (a_partner("O-OTHER"), elsewhere):
        assert ids(two, stranger) == []
        with two.read() as db, pytest.raises(NotFound):
            sandbox_pages.require_seen(db, stranger, "SBX")
    with two.read() as db:
        with pytest.raises(NotSignedIn):
            sandbox_pages.trials(db, None, NOW)
        with pytest.raises(Forbidden):
            sandbox_pages.trials(db, actor(RESEARCHER), NOW)
        with pytest.raises(Forbidden):
            sandbox_pages.newest(db, actor(PARTNER), "SBX")
        assert sandbox_pages.newest(db, actor(MANAGER), "SBX").number == 1


def test_a_kept_replay_is_read_through_the_mask(two: Database) -> None:
    """The company's own row and its agreement's rules, whose counts of others stay away; the manager reads all."""
    counts = {"before": a_count(600, 500), "after": a_count(900, 700)}
    mine = a_rule_row("cap", parties=frozenset({"O-CO", "I-IMS"}), **counts)
    other = a_rule_row("b", agreement_id="B", parties=frozenset({"I-IMS"}), **counts)
    with two.write() as db:
        made = replayed(*FOUR, ("O-CO", "industry", 8, 2, 3), rules=(mine, other))
        sandboxes.keep_replay(db, actor(OFFICE), "SBX", 1, made, NOW)
    with two.read() as db:
        (kept,) = store.replays(db, "SBX")
        whole = sandbox_pages.comparison(db, actor(MANAGER), "SBX", kept.id)
        masked = sandbox_pages.comparison(db, actor(PARTNER), "SBX", kept.id)
        assert [row.key for row in whole.organisations] == ["B", "C", "D", "O-CO", "OWN"]
        assert [row.key for row in masked.organisations] == ["O-CO", ""]
        assert [(rule.agreement_id, rule.before) for rule in masked.rules] == [("A", a_count(600, None))]
        with pytest.raises(NotFound):
            sandbox_pages.comparison(db, a_partner("O-OTHER"), "SBX", kept.id)
        with pytest.raises(NotFound):
            sandbox_pages.comparison(db, actor(MANAGER), "SBX", uuid4())


def test_each_reader_is_offered_the_steps_that_they_may_take_now(house: Database) -> None:
    def offered(who: Actor) -> set[Step]:
        with house.read() as db:
            return set(sandbox_pages.trial(db, who, "SBX", NOW).may_take)

    propose(house, a_trial(start=date(2026, 11, 23)))
    assert offered(actor(OFFICE)) == {Step.ADJUSTED, Step.REPLAYED}
    assert offered(actor(ADMINISTRATOR)) == {Step.ADJUSTED, Step.REPLAYED, Step.APPROVED, Step.ENDED}
    approve(house)
    assert offered(actor(MANAGER)) == {Step.ADJUSTED, Step.REPLAYED, Step.MEASURED, Step.SUSPENDED}
    step(house, "suspend", NOW)
    assert offered(actor(ADMINISTRATOR)) == {Step.ADJUSTED, Step.REPLAYED, Step.MEASURED, Step.RESUMED, Step.ENDED}
    step(house, "end", NOW)
    assert offered(actor(ADMINISTRATOR)) == {Step.MEASURED}


def test_a_running_trial_stands_first_with_its_values(house: Database) -> None:
    """26 % of night use meets the target of 25 %."""
    propose(house, a_trial(id="A-DRAFT"))
    run(house, a_trial(start=date(2026, 11, 23)))
    measure(house, "26 %", date(2026, 11, 23), NOW, metric="night")
    with house.read() as db:
        first, second = sandbox_pages.trials(db, actor(OFFICE), NOW)[0]
        page = sandbox_pages.trial(db, actor(OFFICE), "SBX", NOW)
    assert (first.sandbox.id, first.state) == ("SBX", SandboxState.RUNNING)
    assert (second.sandbox.id, second.state) == ("A-DRAFT", SandboxState.DRAFTED)
    assert [is_met for each in first.measured for _, is_met in each.criteria] == [True]
    assert page.people == {OFFICE: "Office", ADMINISTRATOR: "Administrator"}
    assert [each.step for each in page.steps] == [Step.PROPOSED, Step.APPROVED]
    assert len(page.replays) == 1
