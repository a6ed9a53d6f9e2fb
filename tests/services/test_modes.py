"""Modes and set-ups on bookings and instruments, on both databases: what is chosen, kept, and seen by whom."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from labshare.domain.booking_rules import Overnight, Scope, ScopeKind
from labshare.domain.bookings import Booking, Wish
from labshare.domain.modes import Mode
from labshare.domain.timespan import Span
from labshare.errors import Forbidden, Refused
from labshare.services import booking_rules, bookings, calendars, free_times, modes
from labshare.store import audit
from labshare.store import bookings as bookings_store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import (
    ADMINISTRATOR,
    COLLEAGUE,
    COMPETITOR,
    FESEM,
    INDUSTRY_PROJECT,
    MANAGER,
    NOW,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    actor,
    furnish,
    span,
)

SLOT = span(25, 9, 11)


@pytest.fixture
def house(database: Database) -> Database:
    """The FE-SEM offers all modes and two set-ups."""
    with database.write() as db:
        furnish(db)
        modes.choose(db, actor(MANAGER), "N001", [each.value for each in Mode], "cryo stage\n5 kV", NOW)
    return database


def book(house: Database, who: UUID = RESEARCHER, when: Span = SLOT, number: int = FESEM, **wish: Any) -> Booking:
    project = INDUSTRY_PROJECT if who == COMPETITOR else PUBLIC_PROJECT
    with house.write() as db:
        asked = Wish(instrument_number=number, span=when, project_id=project, **wish)
        return bookings.book(db, actor(who), asked, NOW)


def test_what_is_chosen_is_what_the_rules_know_and_leaves_one_audit_line(house: Database) -> None:
    with house.read() as db:
        rules = bookings_store.rules_of(db, [FESEM])[FESEM]
        lines = [line.action for line in audit.lines(db, "instrument", "N001")]
    assert (rules.modes, rules.setups, lines) == (tuple(Mode), ("cryo stage", "5 kV"), ["offer"])
    with house.write() as db:
        modes.choose(db, actor(MANAGER), "N001", [each.value for each in Mode], "cryo stage\n5 kV", NOW)
        assert len(audit.lines(db, "instrument", "N001")) == 1


def test_only_who_manages_the_calendar_chooses(house: Database) -> None:
    for who in (RESEARCHER, COMPETITOR):
        with pytest.raises(Forbidden), house.write() as db:
            modes.choose(db, actor(who), "N001", ["self"], "", NOW)
    with house.write() as db:
        modes.choose(db, actor(ADMINISTRATOR), "N001", ["self"], "", NOW)


def test_a_booking_has_the_mode_and_the_set_up_of_its_wish(house: Database) -> None:
    made = book(house, mode=Mode.ASSISTED, setup="cryo stage")
    with house.read() as db:
        found = bookings_store.get(db, made.id)
    assert (found.mode, found.setup, found.attended) == (Mode.ASSISTED, "cryo stage", True)
    usual = book(house, when=span(26, 9, 11))
    assert (usual.mode, usual.setup) == (Mode.SELF, "")


def test_what_is_not_offered_is_refused(house: Database) -> None:
    with pytest.raises(Refused) as refused:
        book(house, number=XRD, mode=Mode.COMMISSIONED, setup="cryo stage")
    assert [each.code for each in refused.value.refusals] == ["mode_not_offered", "setup_not_posted"]


def test_staff_run_a_commissioned_use_so_its_user_need_neither_be_able_nor_there(house: Database) -> None:
    with house.write() as db:
        db.execute(sa.delete(t.qualifications).where(t.qualifications.c.person_id == COLLEAGUE))
    book(house, COLLEAGUE, number=XRD)
    for mode in (Mode.SELF, Mode.ASSISTED):
        with pytest.raises(Refused) as refused:
            book(house, COLLEAGUE, mode=mode)
        assert [each.code for each in refused.value.refusals] == ["not_qualified", "person_elsewhere"]
    made = book(house, COLLEAGUE, mode=Mode.COMMISSIONED)
    assert not made.attended
    # Nor does it keep them from being elsewhere: they may book the same hours of the day after at both.
    book(house, COLLEAGUE, when=span(26, 9, 11), mode=Mode.COMMISSIONED)
    book(house, COLLEAGUE, when=span(26, 9, 11), number=XRD)


def test_the_staff_run_a_use_in_opening_hours_unless_a_manager_says_that_they_come(house: Database) -> None:
    """The rule opens the evenings to level 2: the researcher, who has it, may come, but nobody who would run it."""
    with house.write() as db:
        booking_rules.post(db, actor(MANAGER), Scope(ScopeKind.CENTRE, "C-ONE"), Overnight(level=2), NOW)
        db.execute(sa.update(t.qualifications).where(t.qualifications.c.person_id == RESEARCHER).values(level=2))
    evening = span(25, 18, 20)
    for who in (RESEARCHER, COLLEAGUE):
        with pytest.raises(Refused) as refused:
            book(house, who, evening, mode=Mode.COMMISSIONED)
        (refusal,) = refused.value.refusals
        assert (refusal.code, refusal.params) == ("rule_staff_hours", {"opening": "Mon-Fri 08:00-18:00"})
    assert book(house, when=evening).mode is Mode.SELF
    with house.write() as db:
        wish = Wish(
            instrument_number=FESEM, span=span(26, 18, 20), person_id=COLLEAGUE, project_id=PUBLIC_PROJECT,
            mode=Mode.COMMISSIONED, override="The staff come for it",
        )  # fmt: skip
        assert bookings.book(db, actor(MANAGER), wish, NOW).mode is Mode.COMMISSIONED


def test_the_staff_begin_and_end_a_long_run_while_it_is_open(house: Database) -> None:
    """It may go on over the night without them, whatever level a rule asks of users who come then."""
    with house.write() as db:
        booking_rules.post(db, actor(MANAGER), Scope(ScopeKind.CENTRE, "C-ONE"), Overnight(level=2), NOW)
        db.execute(
            sa.update(t.instruments)
            .where(t.instruments.c.number == FESEM)
            .values(spans_closed_hours=True, max_minutes=2880)
        )
    with pytest.raises(Refused) as refused:
        book(house, COLLEAGUE, span(25, 17, 19), mode=Mode.COMMISSIONED)
    assert [each.code for each in refused.value.refusals] == ["rule_staff_hours"]
    night = Wish(
        instrument_number=FESEM, span=span(25, 17, 33), person_id=COLLEAGUE, project_id=PUBLIC_PROJECT,
        mode=Mode.COMMISSIONED,
    )  # fmt: skip
    with house.read() as db:
        assert free_times.suggest(db, night, NOW, count=1) == [night.span]
    assert book(house, COLLEAGUE, span(25, 17, 33), mode=Mode.COMMISSIONED).span == span(25, 17, 33)


def test_a_move_keeps_both_or_changes_them_and_is_judged_anew(house: Database) -> None:
    made = book(house, mode=Mode.COMMISSIONED, setup="cryo stage")
    with house.write() as db:
        moved = bookings.move(db, actor(RESEARCHER), made.id, span(26, 9, 11), seen_version=1, now=NOW)
    assert (moved.mode, moved.setup, moved.attended) == (Mode.COMMISSIONED, "cryo stage", False)
    book(house, when=span(26, 10, 12), number=XRD)
    with pytest.raises(Refused) as refused, house.write() as db:
        bookings.move(db, actor(RESEARCHER), made.id, span(26, 9, 11), seen_version=2, now=NOW, mode=Mode.SELF)
    assert [each.code for each in refused.value.refusals] == ["person_elsewhere"]
    with house.write() as db:
        changed = bookings.move(
            db, actor(RESEARCHER), made.id, span(27, 9, 11), seen_version=2, now=NOW, mode=Mode.SELF, setup=""
        )
    assert (changed.mode, changed.setup, changed.attended) == (Mode.SELF, "", True)


def test_what_is_offered_no_more_stays_on_a_booking_and_is_left_out_when_it_moves(house: Database) -> None:
    made = book(house, mode=Mode.ASSISTED, setup="cryo stage")
    with house.write() as db:
        modes.choose(db, actor(MANAGER), "N001", ["self"], "5 kV", NOW)
    with house.read() as db:
        assert bookings_store.get(db, made.id).setup == "cryo stage"
    with house.write() as db:
        moved = bookings.move(db, actor(RESEARCHER), made.id, span(26, 9, 11), seen_version=1, now=NOW)
    assert (moved.mode, moved.setup) == (Mode.SELF, "")


def test_neighbours_read_the_set_up_and_nothing_else(house: Database) -> None:
    book(house, mode=Mode.ASSISTED, setup="cryo stage", purpose="alloy 7")

    def seen(who: UUID | None) -> Any:
        with house.read() as db:
            found = calendars.calendar(db, actor(who) if who else None, [FESEM], span(25, 0, 24))
        (entry,) = found.entries[FESEM]
        return entry

    for who in (COMPETITOR, None):
        entry = seen(who)
        assert entry.setup == "cryo stage"
        assert (entry.mode, entry.purpose, entry.person, entry.id) == (None, None, None, None)
    assert (seen(MANAGER).setup, seen(MANAGER).mode) == ("cryo stage", Mode.ASSISTED)


def test_the_staff_of_a_centre_are_told_which_uses_need_them(house: Database) -> None:
    helped = book(house, mode=Mode.ASSISTED)
    run = book(house, COMPETITOR, span(26, 9, 11), mode=Mode.COMMISSIONED)
    book(house, when=span(27, 9, 11))
    # A week before NOW the 30th, 8:00, is two weeks away; the use of the 30th begins an hour later.
    book(house, when=span(30, 9, 11), mode=Mode.ASSISTED)
    with house.read() as db:
        earlier = NOW - timedelta(days=7)
        assert [line.booking.id for line in modes.staffed(db, actor(MANAGER), earlier)] == [helped.id, run.id]
        assert len(modes.staffed(db, actor(MANAGER), NOW)) == 3
        assert modes.staffed(db, actor(RESEARCHER), NOW) == []


def test_a_free_time_beside_a_use_with_the_same_set_up_is_known(house: Database) -> None:
    book(house, setup="cryo stage")
    asked = Wish(instrument_number=FESEM, span=SLOT, setup="cryo stage")
    # Right before, right after, an hour later, and on another day.
    spans = [span(25, 8, 9), span(25, 11, 12), span(25, 12, 13), span(26, 11, 12)]
    with house.read() as db:
        assert free_times.beside_setup(db, asked, spans) == {spans[0], spans[1]}
        other = Wish(instrument_number=FESEM, span=SLOT, setup="5 kV")
        assert free_times.beside_setup(db, other, spans) == frozenset()
        assert free_times.beside_setup(db, Wish(instrument_number=FESEM, span=SLOT), spans) == frozenset()
