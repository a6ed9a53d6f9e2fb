"""A sheet of bookings: each row judged with those before it, made through the one way in, never twice."""

from __future__ import annotations

from uuid import UUID

import pytest
import sqlalchemy as sa

from labshare.domain.booking_rules import CutOff, Holder, MostBookings, Posted, Scope, ScopeKind
from labshare.domain.bookings import BookingState
from labshare.errors import Forbidden, Malformed, Refused
from labshare.services import approvals, booking_rules, booking_sheets
from labshare.services.booking_sheets import Sheet
from labshare.store import booking_pages
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import (
    COLLEAGUE,
    COMPETITOR,
    MANAGER,
    NOW,
    PARTNER,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    actor,
    at,
    furnish,
)

HEAD = "instrument,starts_at,ends_at,person,project,purpose"
# At the XRD (N002) of C-ONE on Wednesday 25 November; the third takes time of the first.
ROWS = f"""{HEAD}
N002,2026-11-25 08:00,2026-11-25 09:00,researcher,KC-01,first
N002,2026-11-25 09:00,2026-11-25 10:00,colleague,KC-01,second
N002,2026-11-25 08:30,2026-11-25 09:00,manager,KC-01,third
"""


@pytest.fixture
def house(database: Database) -> Database:
    """RESEARCHER leads KC-01, to which COLLEAGUE and MANAGER belong; MANAGER manages C-ONE, where N003 is not."""
    with database.write() as db:
        furnish(db)
    return database


def look(house: Database, who: UUID, text: str = ROWS, override: str = "") -> Sheet:
    with house.read() as db:
        return booking_sheets.look(db, actor(who), text, override, NOW)


def codes(sheet: Sheet) -> list[list[str]]:
    return [[each.code for each in line.refusals] for line in sheet.lines]


def standing(house: Database, person_id: UUID) -> list[str]:
    with house.read() as db:
        found = booking_pages.lines_of_person(db, person_id, since=NOW, states=list(BookingState))
    return [line.booking.purpose for line in found]


def test_each_row_is_judged_with_those_before_it_and_nothing_is_written(house: Database) -> None:
    """On a connection for reading, where PostgreSQL would refuse a write."""
    assert codes(look(house, MANAGER)) == [[], [], ["time_taken"]]
    assert standing(house, RESEARCHER) == standing(house, COLLEAGUE) == []


def test_all_or_none_or_what_can_be_made(house: Database) -> None:
    with house.write() as db, pytest.raises(Refused) as error:
        booking_sheets.load(db, actor(MANAGER), ROWS, "", NOW, skips=False)
    assert [(each.code, each.params) for each in error.value.refusals] == [("sheet_rows_refused", {"count": 1})]
    assert standing(house, RESEARCHER) == []
    with house.write() as db:
        made = booking_sheets.load(db, actor(MANAGER), ROWS, "", NOW, skips=True)
    assert [(each.purpose, each.person_id, each.booked_by_id) for each in made] == [
        ("first", RESEARCHER, MANAGER),
        ("second", COLLEAGUE, MANAGER),
    ]
    assert made[0].starts_at == at(25, 8)


def test_a_sheet_that_is_sent_again_books_nothing_twice(house: Database) -> None:
    with house.write() as db:
        booking_sheets.load(db, actor(MANAGER), ROWS, "", NOW, skips=True)
    with house.write() as db, pytest.raises(Refused) as error:
        booking_sheets.load(db, actor(MANAGER), ROWS, "", NOW, skips=True)
    assert [each.params for each in error.value.refusals] == [{"count": 3}]
    assert standing(house, RESEARCHER) == ["first"]


def test_a_row_that_will_wait_for_its_centre_says_so(house: Database) -> None:
    """What a manager brings is decided with it; what the leader of a project brings waits, and takes its time."""
    with house.write() as db:
        approvals.choose(db, actor(MANAGER), "N002", "everybody", 24, NOW)
    own = f"{HEAD}\nN002,2026-11-25 08:00,2026-11-25 09:00,,KC-01,mine\n"
    assert [line.waits for line in look(house, RESEARCHER, own).lines] == [True]
    assert [line.waits for line in look(house, MANAGER).lines] == [False] * 3
    with house.write() as db:
        (made,) = booking_sheets.load(db, actor(RESEARCHER), own, "", NOW, skips=False)
    assert made.state is BookingState.PENDING


def test_who_may_book_for_whom_is_asked_for_each_row(house: Database) -> None:
    """The leader of KC-01 books for its members anywhere, and for nobody else; a manager at their own centre alone."""
    text = f"""{HEAD}
N002,2026-11-25 08:00,2026-11-25 09:00,,KC-01,mine
N002,2026-11-25 10:00,2026-11-25 11:00,colleague,KC-01,of a member
N002,2026-11-25 12:00,2026-11-25 13:00,competitor,DN-01,of another
N404,2026-11-25 12:00,2026-11-25 13:00,,KC-01,nowhere
N002,soon,2026-11-25 13:00,,KC-01,unread
"""
    assert codes(look(house, RESEARCHER, text)) == [
        [], [], ["person_not_yours"], ["instrument_not_found"], ["sheet_time_unreadable"],
    ]  # fmt: skip
    elsewhere = f"{HEAD}\nN003,2026-11-25 08:00,2026-11-25 09:00,competitor,DN-01,\n"
    assert codes(look(house, MANAGER, elsewhere)) == [["person_not_yours"]]
    with pytest.raises(Forbidden):
        look(house, PARTNER)


def test_a_row_that_cannot_be_taken_leaves_the_others_as_they_are(house: Database) -> None:
    """A purpose that is too long, and a member of the project who has left."""
    with house.write() as db:
        db.execute(sa.update(t.persons).where(t.persons.c.id == COLLEAGUE).values(disabled_at=NOW))
    text = f"""{HEAD}
N002,2026-11-25 08:00,2026-11-25 09:00,,KC-01,{"x" * 501}
N002,2026-11-25 09:00,2026-11-25 10:00,colleague,KC-01,of who has left
N002,2026-11-25 10:00,2026-11-25 11:00,,KC-01,mine
"""
    assert codes(look(house, RESEARCHER, text)) == [["purpose_too_long"], ["person_not_yours"], []]


def test_a_sheet_that_is_sent_again_books_nothing_twice_where_several_use_at_a_time(house: Database) -> None:
    """Two places of three, at an instrument that nobody need be at: the same rows again would fit once more."""
    with house.write() as db:
        db.execute(sa.update(t.instruments).where(t.instruments.c.number == XRD).values(capacity=3, attended=False))
    text = f"""{HEAD}
N002,2026-11-25 08:00,2026-11-25 09:00,researcher,KC-01,first
N002,2026-11-25 08:00,2026-11-25 09:00,researcher,KC-01,second
N002,2026-11-25 08:00,2026-11-25 09:00,colleague,KC-01,third
"""
    with house.write() as db:
        assert len(booking_sheets.load(db, actor(MANAGER), text.rpartition("N002")[0], "", NOW, skips=False)) == 2
    assert codes(look(house, MANAGER, text)) == [["sheet_row_stands"], ["sheet_row_stands"], []]
    with house.write() as db:
        made = booking_sheets.load(db, actor(MANAGER), text, "", NOW, skips=True)
    assert [each.purpose for each in made] == ["third"]


def test_a_manager_passes_the_rules_of_their_centre_with_a_reason(house: Database) -> None:
    posted = Posted(id=UUID(int=77), scope=Scope(ScopeKind.CENTRE, "C-ONE"), rule=CutOff(hours=2000), since=NOW)
    with house.write() as db:
        booking_rules.store.add(db, posted)
    # What is refused stands in nobody's way.
    assert codes(look(house, MANAGER)) == [["rule_cut_off"]] * 3
    reason = "brought along from the calendar before"
    assert codes(look(house, MANAGER, override=reason)) == [[], [], ["time_taken"]]
    # Whoever manages nothing there passes nothing.
    own = f"{HEAD}\nN002,2026-11-25 08:00,2026-11-25 09:00,,KC-01,\n"
    assert codes(look(house, RESEARCHER, own, reason)) == [["rule_cut_off"]]
    with house.write() as db:
        made = booking_sheets.load(db, actor(MANAGER), ROWS, reason, NOW, skips=True)
    assert [each.override_reason for each in made] == [reason, reason]
    with pytest.raises(Malformed):
        look(house, MANAGER, override="because")


def test_a_row_of_no_sheet_is_refused_as_a_whole(house: Database) -> None:
    with pytest.raises(Malformed, match="sheet_column_missing"):
        look(house, COMPETITOR, "instrument,starts_at\nN001,x")


def test_a_sheet_may_be_for_more_people_than_one_query_counts(house: Database) -> None:
    """170 people, half an hour each, against three limits of persons: 510 counts. Each may have one booking ahead."""
    people = [UUID(int=1000 + each) for each in range(170)]
    with house.write() as db:
        db.execute(
            sa.insert(t.persons),
            [{"id": each, "login": f"u{each.int}", "name": "U", "organisation_id": "I-IMS"} for each in people],
        )
        db.execute(sa.insert(t.project_members), [{"project_id": PUBLIC_PROJECT, "person_id": each} for each in people])
        for id, scope in enumerate((ScopeKind.CENTRE, ScopeKind.INSTRUMENT, ScopeKind.GROUP)):
            at = {ScopeKind.CENTRE: "C-ONE", ScopeKind.INSTRUMENT: "N002", ScopeKind.GROUP: "XRD"}[scope]
            rule = MostBookings(holder=Holder.PERSON, most=1)
            booking_rules.store.add(db, Posted(id=UUID(int=50 + id), scope=Scope(scope, at), rule=rule, since=NOW))
    rows = [HEAD]
    for place, person in enumerate(people):
        day, half = divmod(place, 20)
        # Days that are open: from Wednesday 2 December on, without weekends.
        date = [2, 3, 4, 7, 8, 9, 10, 11, 14][day]
        starts, ends = half * 30 + 480, half * 30 + 510
        clock = (f"2026-12-{date:02} {minute // 60:02}:{minute % 60:02}" for minute in (starts, ends))
        rows.append(f"N002,{','.join(clock)},u{person.int},KC-01,")
    assert codes(look(house, MANAGER, "\n".join(rows))) == [[]] * 170
    again = f"N002,2026-12-15 08:00,2026-12-15 08:30,u{people[-1].int},KC-01,"
    refused = codes(look(house, MANAGER, "\n".join([*rows, again])))[-1]
    # What they have of a group, at other centres too, is not told to the manager of one.
    assert sorted(refused) == ["rule_most_bookings", "rule_most_bookings", "rule_most_bookings_others"]
