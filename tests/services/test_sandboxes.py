"""Trials on a small database: bookings obey them in their days and centres, and the signed rule everywhere else.

The XRD is open Monday to Friday 08:00 to 18:00. As signed, industry may have 20 % of its week, in the trial 60 %. The
week of 30 November has 50 open hours: 10 and 30. NOW is Monday 23 November, 08:00, and Tuesday 24 is a holiday.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any
from uuid import UUID

import msgspec
import pytest

from labshare.domain.agreement_documents import to_toml as text_of
from labshare.domain.agreements import Scope, Version
from labshare.domain.bookings import Wish
from labshare.domain.people import Actor, Grant, Role
from labshare.domain.sandbox import Change, Overlay
from labshare.domain.sandbox_documents import to_toml
from labshare.domain.sandboxes import SandboxState, Step, state_at
from labshare.domain.timespan import Span
from labshare.domain.windows import Window
from labshare.errors import Forbidden, NotFound, Refused, Stale, WrongState
from labshare.services import agreements, balances, bookings, entitlements, standings
from labshare.services import sandboxes as service
from labshare.services.planning import Place
from labshare.store import agreements as agreements_store
from labshare.store import audit
from labshare.store import sandboxes as store
from labshare.store.engine import Connection, Database
from tests.domain.test_agreements import an_agreement
from tests.domain.test_replay import FOUR, replayed
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
    actor,
    at,
    furnish,
    span,
)
from tests.services.test_replay import LIFT, a_cap

WEEKS = {"start": date(2026, 11, 30), "end": date(2026, 12, 13)}
ELSEWHERE = a_cap(id="nmr-cap", where=Scope(instruments=("N003",)))


def a_trial(*changes: Change, **values: Any) -> Overlay:
    """Two weeks from Monday 30 November."""
    return an_overlay(*(changes or (LIFT,)), **(WEEKS | values))


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
        signed = an_agreement(a_cap(), ELSEWHERE)
        agreements_store.add_version(db, Version(number=1, agreement=signed), actor_id=None, now=NOW)
    return database


def seen(db: Connection, sandbox_id: str = "SBX") -> int:
    found = store.get(db, sandbox_id)
    assert found
    return found.version


def propose(house: Database, overlay: Overlay, who: UUID = OFFICE, now: datetime = NOW) -> None:
    with house.write() as db:
        service.propose(db, actor(who), to_toml(overlay), now)


def approve(house: Database, sandbox_id: str = "SBX", now: datetime = NOW) -> None:
    """With a replay kept, by the administrator."""
    with house.write() as db:
        found = store.get(db, sandbox_id)
        assert found
        service.keep_replay(db, actor(OFFICE), sandbox_id, found.number, replayed(*FOUR), now)
        service.approve(db, actor(ADMINISTRATOR), sandbox_id, seen_version=found.version, authority="QĐ 12", now=now)


def run(house: Database, overlay: Overlay, now: datetime = NOW) -> None:
    propose(house, overlay, now=now)
    approve(house, overlay.id, now)


def step(house: Database, name: str, now: datetime, who: UUID = ADMINISTRATOR) -> None:
    with house.write() as db:
        getattr(service, name)(db, actor(who), "SBX", seen_version=seen(db), reason="vì sao", now=now)


def measure(house: Database, value: str, day: date, now: datetime, metric: str = "incidents") -> bool:
    with house.write() as db:
        return service.measure(db, actor(OFFICE), "SBX", metric=metric, day=day, value=value, evidence="sổ 7", now=now)


def ahead(days: int, start: int, end: int) -> Span:
    """Whole hours of the day so many days after Monday 23 November."""
    return span(23, 24 * days + start, 24 * days + end)


def company(house: Database, number: int, *times: Span, now: datetime = NOW) -> list[str]:
    """What keeps the company from booking the last of these times, in the booking path itself; the others it books."""
    for when in times[:-1]:
        _book(house, number, when, now)
    try:
        _book(house, number, times[-1], now)
    except Refused as error:
        return [refusal.code for refusal in error.refusals]
    return []


def _book(house: Database, number: int, when: Span, now: datetime) -> None:
    wish = Wish(instrument_number=number, span=when, project_id=INDUSTRY_PROJECT)
    with house.write() as db:
        bookings.book(db, actor(COMPETITOR), wish, now)


def shifts_of(days: int, hours: int) -> list[Span]:
    """Use of so many hours from Monday on in the week that begins so many days after 23 November, 5 hours each."""
    halves = [ahead(days + day, start, start + 5) for day in range(5) for start in (8, 13)]
    whole, rest = divmod(hours, 5)
    last = halves[whole].start
    return [*halves[:whole], *([Span(last, last + timedelta(hours=rest))] if rest else [])]


def recounted(house: Database, now: datetime = NOW) -> int:
    with house.write() as db:
        return balances.rebuild(db, now)


CAP = ["agreement_cap_clause"]

# ---------------------------------------------------------------- in force


@pytest.mark.parametrize(
    ("days", "most"), [(7, 30), (14, 30), (0, 8), (21, 10)], ids=["first week", "second week", "before", "after"]
)
def test_a_booking_is_judged_by_the_trial_in_its_days_and_as_signed_outside_them(
    house: Database, days: int, most: int
) -> None:
    """Of the week of 23 November 40 hours are open: 20 % are 8. Of the others 50: 10 as signed, 30 in the trial."""
    run(house, a_trial())
    first = days + 2 if days == 0 else days
    times = shifts_of(first, most)
    assert company(house, XRD, *times) == []
    rest = ahead(first + 4 if days else 4, 13, 14)
    assert company(house, XRD, rest) == CAP
    assert recounted(house) == 0


def test_another_centre_keeps_its_rule(house: Database) -> None:
    """The NMR's own cap: 10 of 50 hours in the trial's first week. 30 minutes of clean-up count with each use: 8.5, and
    2.5 more are too many.
    """
    run(house, a_trial())
    assert company(house, NMR, ahead(7, 8, 16), ahead(8, 8, 10)) == CAP


def test_a_draft_changes_nothing(house: Database) -> None:
    propose(house, a_trial())
    assert company(house, XRD, *shifts_of(7, 10), ahead(11, 8, 9)) == CAP


def test_planning_and_reports_read_the_same_rule(house: Database) -> None:
    run(house, a_trial())
    week = Span(ahead(7, 0, 1).start, ahead(14, 0, 1).start)
    with house.read() as db:
        planned = [
            (counter.term.rule.share, counter.window)
            for counter, _ in standings.touched(db, week, [Place("N002", "C-ONE")])
        ]
        assert planned == [(Fraction(3, 5), week)]
        (shown,) = [
            each
            for each in entitlements.standings(db, actor(OFFICE), ahead(9, 8, 9).start, NOW)
            if each.rule.id == "cap"
        ]
        # 60 % of 50 hours.
        assert (shown.limit, shown.window) == (30 * 60, week)
        assert agreements.in_force(db, week, as_signed=True)[0].rule.share == Fraction(1, 5)


def test_while_it_is_suspended_the_signed_rule_holds_at_once(house: Database) -> None:
    """The trial of this week begins at 08:00 today: 60 % of 40 hours. It is suspended on Wednesday at 08:00: of what is
    left of the week, 30 hours, the signed cap leaves 6. What was booked before stands; the pause counts it.
    """
    run(house, a_trial(start=date(2026, 11, 23)))
    wednesday = at(25, 8)
    assert company(house, XRD, ahead(3, 8, 13), ahead(3, 13, 18)) == []
    step(house, "suspend", wednesday, MANAGER)
    assert company(house, XRD, ahead(4, 8, 9), now=wednesday) == CAP
    # The first part of the window is as it was: 60 % of Monday's 10 hours.
    with house.read() as db:
        shares = {
            term.rule.share: term.spans
            for term in agreements.in_force(db, Span(at(23, 8), at(28, 8)))
            if term.key[1] == "cap"
        }
    assert shares[Fraction(3, 5)] == (Span(at(23, 8), wednesday),)
    step(house, "resume", at(26, 8))
    # From Thursday 08:00 on two days are left: 60 % of 20 hours are 12, of which 10 are booked.
    assert company(house, XRD, ahead(4, 8, 10), now=at(26, 8)) == []
    assert company(house, XRD, ahead(4, 10, 11), now=at(26, 8)) == CAP
    assert recounted(house, at(26, 8)) == 0


def test_the_rest_of_the_day_on_which_it_is_suspended_is_in_a_run_of_days(database: Database) -> None:
    """As signed, industry has 5 hours in any three days, in the trial 20. It is suspended on Wednesday at 08:00: from
    then on Wednesday, Thursday and Friday have 5.
    """
    signed = a_cap(window=Window.ROLLING, days=3, share=None, minutes=300)
    with database.write() as db:
        furnish(db)
        version = Version(number=1, agreement=an_agreement(signed))
        agreements_store.add_version(db, version, actor_id=None, now=NOW)
    lift = Change(agreement="A", replace=msgspec.structs.replace(signed, minutes=1200))
    run(database, a_trial(lift, start=date(2026, 11, 23)))
    wednesday = at(25, 8)
    step(database, "suspend", wednesday, MANAGER)
    assert company(database, XRD, ahead(2, 9, 14), ahead(2, 14, 15), now=wednesday) == CAP
    assert company(database, XRD, ahead(4, 8, 9), now=wednesday) == CAP
    assert recounted(database, wednesday) == 0


def test_switching_a_trial_off_and_on_allows_no_more_than_leaving_it_alone(database: Database) -> None:
    """10 hours a week as signed and 5 in the trial, which runs from Monday 08:00, is suspended on Wednesday, resumed on
    Thursday and suspended on Friday: the trial's days have 5 hours together, the others 10.
    """
    signed = a_cap(share=None, minutes=600)
    with database.write() as db:
        furnish(db)
        version = Version(number=1, agreement=an_agreement(signed))
        agreements_store.add_version(db, version, actor_id=None, now=NOW)
    fewer = Change(agreement="A", replace=msgspec.structs.replace(signed, minutes=300))
    run(database, a_trial(fewer, start=date(2026, 11, 23)))
    assert company(database, XRD, ahead(0, 9, 12)) == []
    step(database, "suspend", at(25, 8), MANAGER)
    assert company(database, XRD, ahead(2, 9, 16), now=at(25, 8)) == []
    step(database, "resume", at(26, 8))
    # 3 of 5 hours are used in the trial.
    assert company(database, XRD, ahead(3, 9, 11), ahead(3, 11, 12), now=at(26, 8)) == CAP
    assert recounted(database, at(26, 8)) == 0
    step(database, "suspend", at(27, 8), MANAGER)
    # 7 of 10 outside it.
    assert company(database, XRD, ahead(4, 9, 12), ahead(4, 12, 13), now=at(27, 8)) == CAP
    assert recounted(database, at(27, 8)) == 0
    with database.read() as db:
        (shown,) = [
            each for each in entitlements.standings(db, actor(OFFICE), at(27, 9), at(27, 8)) if each.rule.id == "cap"
        ]
        week = Span(at(23, 0), at(30, 0))
        parts = [part for _, part in standings.touched(db, week, [Place("N002", "C-ONE")])]
    assert shown.measure is not None
    assert (shown.measure.limit, shown.measure.used + shown.measure.committed) == (600, 600)
    # As signed before Monday 08:00 and from Friday on, and the trial between: each once.
    assert sorted(parts) == [Span(at(23, 0), at(30, 0)), Span(at(23, 8), at(27, 8))]


def test_ending_it_is_doing_nothing_more(house: Database) -> None:
    run(house, a_trial())
    step(house, "end", at(25, 8))
    assert company(house, XRD, *shifts_of(7, 10), ahead(11, 8, 9), now=at(25, 8)) == CAP
    with house.read() as db:
        found = store.get(db, "SBX")
        assert found
        assert state_at(found, NOW) is SandboxState.ENDED
    with pytest.raises(WrongState):
        step(house, "resume", at(25, 9))
    with house.write() as db, pytest.raises(WrongState):
        service.keep_replay(db, actor(OFFICE), "SBX", 1, replayed(*FOUR), at(25, 9))


def test_the_balances_of_a_running_window_follow(house: Database) -> None:
    """Ten hours of the week are booked before the trial is known: with it they are 10 of 30, after its end 10 of 10."""
    assert company(house, XRD, *shifts_of(7, 10), ahead(11, 8, 9)) == CAP
    run(house, a_trial())
    assert recounted(house) == 0
    assert company(house, XRD, ahead(9, 8, 13)) == []
    step(house, "end", NOW)
    assert recounted(house) == 0
    with house.read() as db:
        (balance,) = agreements_store.balances_of(db, "A").values()
    assert (balance.base_minutes, balance.matched_minutes) == (3000, 900)


def test_a_rule_of_another_measure_begins_its_balance_anew(house: Database) -> None:
    """The trial counts both instruments of the centre: 100 hours a week, of which 20 % are 20."""
    wide = a_cap(where=Scope(centres=("C-ONE",)))
    assert company(house, XRD, *shifts_of(7, 10)) == []
    run(house, a_trial(Change(agreement="A", replace=wide)))
    assert company(house, XRD, ahead(9, 8, 9)) == []
    with house.read() as db:
        (balance,) = agreements_store.balances_of(db, "A").values()
    assert (balance.base_minutes, balance.matched_minutes) == (6000, 660)


def test_a_new_version_of_the_agreement_is_signed_under_a_trial(house: Database) -> None:
    """What the trial changes it goes on changing; what it leaves alone is the new version's. A balance that neither
    touches keeps its base.
    """
    run(house, a_trial())
    assert company(house, XRD, *shifts_of(7, 10)) == []
    signed = an_agreement(a_cap(share=Fraction(1, 10)), msgspec.structs.replace(ELSEWHERE, share=Fraction(1, 10)))
    with house.write() as db:
        agreements.sign(db, actor(ADMINISTRATOR), text_of(signed), NOW, seen_version=1)
    assert company(house, XRD, *shifts_of(14, 30)) == []
    assert company(house, NMR, ahead(8, 8, 13)) == CAP
    assert recounted(house) == 0


def test_a_version_that_a_trial_could_not_go_on_under_is_not_signed(house: Database) -> None:
    """The trial of centre one may not change a rule that reaches centre two: signed so, it would lift the cap there."""
    run(house, a_trial())
    wider = an_agreement(a_cap(where=Scope(), share=Fraction(0)), ELSEWHERE)
    with pytest.raises(Refused) as refused, house.write() as db:
        agreements.sign(db, actor(ADMINISTRATOR), text_of(wider), NOW, seen_version=1)
    first, *reasons = [(each.code, each.params.get("sandbox")) for each in refused.value.refusals]
    assert first == ("agreement_breaks_trial", "SBX")
    assert reasons
    step(house, "end", NOW)
    with house.write() as db:
        assert agreements.sign(db, actor(ADMINISTRATOR), text_of(wider), NOW, seen_version=1).version == 2


def test_two_trials_cannot_change_one_rule_in_the_same_days(house: Database) -> None:
    run(house, a_trial())
    propose(house, a_trial(id="LATER", start=date(2026, 12, 14), end=date(2026, 12, 20)))
    approve(house, "LATER")
    propose(house, a_trial(id="TWO"))
    with pytest.raises(Refused) as caught:
        approve(house, "TWO")
    assert [refusal.code for refusal in caught.value.refusals] == ["sandbox_overlaps"]


# ---------------------------------------------------------------- the way to it


def test_nothing_is_approved_without_a_replay_of_that_version(house: Database) -> None:
    propose(house, a_trial())
    with house.write() as db, pytest.raises(Refused) as caught:
        service.approve(db, actor(ADMINISTRATOR), "SBX", seen_version=1, authority="QĐ 12", now=NOW)
    assert [refusal.code for refusal in caught.value.refusals] == ["sandbox_without_replay"]
    with house.write() as db, pytest.raises(Stale):
        service.keep_replay(db, actor(OFFICE), "SBX", 2, replayed(*FOUR), NOW)
    approve(house)
    with house.read() as db:
        taken = store.steps(db, "SBX")[-1]
    assert (taken.step, taken.reason, taken.person_id) == (Step.APPROVED, "QĐ 12", ADMINISTRATOR)


def test_an_adjustment_is_a_version_that_says_why_and_waits_for_its_own_replay(house: Database) -> None:
    """Half of the week instead of 60 %: 25 hours, from the minute at which it is approved."""
    run(house, a_trial())
    half = a_trial(Change(agreement="A", replace=a_cap(share=Fraction(1, 2))))
    with house.write() as db:
        service.adjust(db, actor(OFFICE), "SBX", seen_version=seen(db), text=to_toml(half), reason="quá nhiều", now=NOW)
    assert company(house, XRD, *shifts_of(7, 30)) == []
    with house.write() as db, pytest.raises(Refused, match="sandbox_without_replay"):
        service.approve(db, actor(ADMINISTRATOR), "SBX", seen_version=seen(db), authority="QĐ 13", now=NOW)
    approve(house)
    assert company(house, XRD, *shifts_of(14, 25), ahead(18, 8, 9)) == CAP
    with house.read() as db:
        found = store.get(db, "SBX")
        assert found
        assert (found.number, found.approved_number, found.overlay) == (2, 2, half)
        assert [(each.step, each.number) for each in store.steps(db, "SBX")] == [
            (Step.PROPOSED, 1), (Step.APPROVED, 1), (Step.ADJUSTED, 2), (Step.APPROVED, 2),
        ]  # fmt: skip


def test_a_document_is_checked_again_when_it_is_approved(house: Database) -> None:
    """Meanwhile the agreement has lost the rule."""
    propose(house, a_trial())
    with house.write() as db:
        version = Version(number=2, agreement=an_agreement(ELSEWHERE))
        agreements_store.add_version(db, version, actor_id=None, now=NOW)
    with pytest.raises(Refused) as caught:
        approve(house)
    assert {refusal.code for refusal in caught.value.refusals} == {"sandbox_unknown_rule"}


def test_a_version_in_force_during_the_trial_counts_besides_the_newest(house: Database) -> None:
    """The newest version begins in 2027; the trial falls into the days of the first, which has no such rule."""
    newest = an_agreement(a_cap(), a_cap(id="new"), effective_from=date(2027, 1, 1))
    with house.write() as db:
        agreements_store.add_version(db, Version(number=2, agreement=newest), actor_id=None, now=NOW)
    with pytest.raises(Refused) as caught:
        propose(house, a_trial(Change(agreement="A", replace=a_cap(id="new"))))
    assert [refusal.code for refusal in caught.value.refusals] == ["sandbox_unknown_rule"]
    propose(house, a_trial())


@pytest.mark.parametrize(
    ("who", "name", "may"),
    [
        (MANAGER, "suspend", True),
        (OFFICE, "suspend", True),
        (PARTNER, "suspend", False),
        (MANAGER, "end", False),
        (OFFICE, "end", False),
        (ADMINISTRATOR, "end", True),
    ],
)
def test_who_may_suspend_and_who_may_end(house: Database, who: UUID, name: str, may: bool) -> None:
    run(house, a_trial())
    if may:
        step(house, name, NOW, who)
        return
    with pytest.raises(Forbidden):
        step(house, name, NOW, who)


@pytest.mark.parametrize("who", [PARTNER, RESEARCHER])
def test_only_those_who_answer_for_the_centres_propose(house: Database, who: UUID) -> None:
    with pytest.raises(Forbidden):
        propose(house, a_trial(), who)
    propose(house, a_trial(), MANAGER)
    with pytest.raises(Refused, match="sandbox_taken"):
        propose(house, a_trial(), MANAGER)
    with pytest.raises(Forbidden):
        propose(house, a_trial(id="WIDE", centres=("C-ONE", "C-TWO")), MANAGER)
    with house.write() as db, pytest.raises(Forbidden):
        service.approve(db, actor(OFFICE), "SBX", seen_version=1, authority="x", now=NOW)


def test_what_was_not_seen_is_not_changed(house: Database) -> None:
    run(house, a_trial())
    with house.write() as db, pytest.raises(Stale):
        service.end(db, actor(ADMINISTRATOR), "SBX", seen_version=1, reason="x", now=NOW)
    with house.write() as db, pytest.raises(NotFound):
        service.end(db, actor(ADMINISTRATOR), "NONE", seen_version=1, reason="x", now=NOW)
    with house.write() as db, pytest.raises(Refused, match="sandbox_reason"):
        service.end(db, actor(ADMINISTRATOR), "SBX", seen_version=seen(db), reason=" ", now=NOW)


# ---------------------------------------------------------------- values and rollback


def test_a_value_beyond_a_stop_condition_rolls_back_at_once(house: Database) -> None:
    """One incident in 400 hours is more than one in 500. The audit says that nobody ended it."""
    run(house, a_trial(start=date(2026, 11, 23)))
    assert not measure(house, "1/500", date(2026, 11, 25), at(25, 8))
    assert not measure(house, "40 %", date(2026, 11, 25), at(25, 8), metric="night")
    assert measure(house, "1/400", date(2026, 11, 25), at(25, 9))
    assert company(house, XRD, *shifts_of(7, 10), ahead(11, 8, 9), now=at(25, 9)) == CAP
    with house.read() as db:
        found = store.get(db, "SBX")
        assert found
        assert state_at(found, at(25, 9)) is SandboxState.ENDED
        stopped = store.steps(db, "SBX")[-1]
        assert (stopped.step, stopped.reason, stopped.person_id) == (Step.STOPPED, "incidents", None)
        lines = audit.lines(db, "sandbox", "SBX")
    assert [line.action for line in lines] == ["propose", "replay", "approve", "measure", "measure", "measure", "stop"]
    assert lines[-1].actor_id is None
    assert recounted(house) == 0
    # For the final evaluation a value may still be entered; it stops nothing again.
    assert not measure(house, "1/300", date(2026, 11, 25), at(26, 8))


def test_a_value_of_a_trial_that_never_ran_is_refused(house: Database) -> None:
    propose(house, a_trial())
    with pytest.raises(WrongState):
        measure(house, "1/400", date(2026, 11, 30), ahead(8, 8, 9).start)
    approve(house)
    with pytest.raises(WrongState):
        measure(house, "1/400", date(2026, 11, 30), NOW)
    with pytest.raises(Refused, match="sandbox_day_outside"):
        measure(house, "1/400", date(2026, 12, 2), ahead(8, 8, 9).start)


def test_only_those_who_answer_for_the_centres_enter_values(house: Database) -> None:
    run(house, a_trial(start=date(2026, 11, 23)))
    partner = Actor(
        person_id=PARTNER, login="p", name="P", organisation_id="O-CO",
        grants=(Grant(role=Role.PARTNER, organisation_id="O-CO"),),
    )  # fmt: skip
    with house.write() as db, pytest.raises(Forbidden):
        service.measure(
            db, partner, "SBX", metric="incidents", day=date(2026, 11, 23), value="0", evidence="x", now=NOW
        )


def test_every_step_leaves_one_audit_line_without_its_words(house: Database) -> None:
    run(house, a_trial())
    step(house, "suspend", at(24, 8))
    step(house, "resume", at(24, 9))
    step(house, "end", at(24, 10))
    with house.read() as db:
        lines = audit.lines(db, "sandbox", "SBX")
    assert [line.action for line in lines] == ["propose", "replay", "approve", "suspend", "resume", "end"]
    assert "vì sao" not in str(lines)
    assert all(line.details["version"] == 1 for line in lines)
