"""Free time is exact on both databases: what is offered is booked, and nothing earlier that would be is left out.

The rules behind labshare/services/leeways.py and labshare/store/free_times.py are held by these tests too.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from labshare.domain.agreements import Scope, Version
from labshare.domain.booking_rules import Holder, MostBookings, ScopeKind, ShortNotice
from labshare.domain.booking_rules import Scope as RuleScope
from labshare.domain.bookings import BookingState, Wish
from labshare.domain.courtesy import Courtesy, Penalties, PrimeTime
from labshare.domain.modes import Mode
from labshare.domain.registry_search import Search
from labshare.domain.timespan import MINUTE, Span
from labshare.errors import Forbidden, Refused
from labshare.services import booking_rules, free_times, usage
from labshare.services import bookings as service
from labshare.services.free_times import FreeTimes, Sought
from labshare.services.writing import undone
from labshare.store import agreements as agreements_store
from labshare.store import bookings as store
from labshare.store import projects as projects_store
from labshare.store import qualifications
from labshare.store import tables as t
from labshare.store.engine import Connection, Database
from labshare.store.rulebooks import rulebook
from tests.domain.test_agreements import an_agreement
from tests.furniture import (
    COLLEAGUE,
    FESEM,
    MANAGER,
    NMR,
    NOW,
    PARTNER,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    a_booking,
    actor,
    add_instrument,
    at,
    counted,
    furnish,
    span,
)
from tests.round_of import open_round

# Wednesday to Friday; the 24th is a public holiday.
CENTRE = RuleScope(ScopeKind.CENTRE, "C-ONE")
WED, THU, FRI = date(2026, 11, 25), date(2026, 11, 26), date(2026, 11, 27)


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


def looked(house: Database, now: datetime = NOW, **changes: Any) -> FreeTimes:
    values: dict[str, Any] = {"minutes": 180, "dates": (WED, THU)}
    with house.read() as db:
        return free_times.find(db, actor(RESEARCHER), Sought(**(values | changes)), now)


def shown(found: FreeTimes) -> dict[tuple[date, str], tuple[Span, ...]]:
    return {(day.date, row.place.id): row.spans for day in found.days for row in day.rows}


def wish(number: int, when: Span, **changes: Any) -> Wish:
    values: dict[str, Any] = {
        "instrument_number": number, "span": when, "project_id": PUBLIC_PROJECT, "person_id": RESEARCHER,
    }  # fmt: skip
    return Wish(**(values | changes))


def accepted(db: Connection, asked: Wish, now: datetime = NOW) -> bool:
    """Whether it could be booked; nothing is kept of it."""
    saved = db.begin_nested()
    try:
        service.book(db, actor(RESEARCHER), asked, now)
    except Refused:
        return False
    finally:
        saved.rollback()
    return True


# ---------------------------------------------------------------- a search


def test_the_first_starts_of_each_day_one_for_each_gap(house: Database) -> None:
    """Open 8 to 18. On Wednesday 10 to 14 is taken: three hours fit after it. The XRD's wait for the person, who is at
    the FE-SEM on Thursday from 9 to 12.
    """
    with house.write() as db:
        store.add(db, [
            a_booking(FESEM, span(25, 10, 14), person_id=COLLEAGUE), a_booking(FESEM, span(26, 9, 12)),
        ])  # fmt: skip
    assert shown(looked(house, search=Search(centre_id="C-ONE"))) == {
        (WED, "N001"): (span(25, 14, 17),),
        (WED, "N002"): (span(25, 8, 11),),
        (THU, "N001"): (span(26, 12, 15),),
        (THU, "N002"): (span(26, 12, 15),),
    }
    two_hours = shown(looked(house, minutes=120, dates=(WED,), search=Search(capability_id="FESEM")))
    assert two_hours == {(WED, "N001"): (span(25, 8, 10), span(25, 14, 16))}


def test_a_part_of_the_day_holds_the_whole_use(house: Database) -> None:
    """Until noon three hours fit from 8 and 9; from 12 on the first is at 12; nothing lies between 8 and 10."""
    xrd = Search(capability_id="XRD")
    assert shown(looked(house, dates=(WED,), search=xrd, since=540, until=720)) == {(WED, "N002"): (span(25, 9, 12),)}
    assert shown(looked(house, dates=(WED,), search=xrd, since=720)) == {(WED, "N002"): (span(25, 12, 15),)}
    assert shown(looked(house, dates=(WED,), search=xrd, since=480, until=600)) == {}


def test_only_days_that_were_asked_for_and_no_holiday(house: Database) -> None:
    found = looked(house, dates=(date(2026, 11, 24), FRI), number=XRD)
    assert [day.date for day in found.days] == [FRI]


def test_an_instrument_that_is_not_for_the_person_is_told_only_when_asked_for(house: Database) -> None:
    with house.write() as db:
        db.execute(sa.delete(t.qualifications).where(t.qualifications.c.person_id == RESEARCHER))
    sem = Search(capability_id="FESEM")
    assert looked(house, search=sem).days == ()
    rows = [row for day in looked(house, search=sem, everyone=True).days for row in day.rows]
    assert [[each.code for each in row.lacking] for row in rows] == [["not_qualified"], ["not_qualified"]]


def test_a_qualification_and_a_project_last_until_the_end_of_the_use(house: Database) -> None:
    """Until 12:30 on Wednesday: three hours may begin at 8:00, 8:30, 9:00 and 9:30; from 9:30 on that one is left."""
    end = at(25, 12, 30)
    with house.write() as db:
        db.execute(sa.update(t.qualifications).values(expires_at=end))
    assert shown(looked(house, number=FESEM, since=570)) == {(WED, "N001"): (Span(at(25, 9, 30), end),)}
    assert shown(looked(house, number=FESEM, since=600)) == {}
    with house.write() as db:
        db.execute(sa.update(t.projects).values(expires_at=end))
        project, _ = projects_store.with_membership(db, PUBLIC_PROJECT, RESEARCHER)
        sought = Sought(minutes=180, dates=(WED,), number=XRD, since=540)
        # A project must outlast the use: 12:30 itself is too late, so 9:00 is the last.
        assert shown(free_times.find(db, actor(RESEARCHER), sought, NOW, project)) == {
            (WED, "N002"): (span(25, 9, 12),)
        }
        later = msgspec.structs.replace(sought, since=570)
        assert shown(free_times.find(db, actor(RESEARCHER), later, NOW, project)) == {}


def test_a_length_that_an_instrument_does_not_know_becomes_the_next_longer_one(house: Database) -> None:
    assert shown(looked(house, minutes=50, number=XRD, dates=(WED,))) == {(WED, "N002"): (span(25, 8, 9),)}
    # It allows eight hours and no more.
    assert looked(house, minutes=481, number=XRD).days == ()


def test_the_instruments_that_are_free_first_are_shown_and_the_others_counted(house: Database) -> None:
    with house.write() as db:
        for number in range(100, 125):
            add_instrument(db, number, "C-TWO", "NMR")
        store.add(db, [a_booking(100, span(25, 8, 9), person_id=COLLEAGUE)])
    found = looked(house, search=Search(capability_id="NMR"))
    # 26 of them, of which N100 alone is not free at 8.
    assert (found.instruments, found.others) == (20, 6)
    assert "N100" not in {row.place.id for day in found.days for row in day.rows}


def test_only_who_may_book_looks_for_time(house: Database) -> None:
    with house.read() as db, pytest.raises(Forbidden):
        free_times.find(db, actor(PARTNER), Sought(minutes=60, dates=(WED,)), NOW)


def test_eight_queries_at_most_however_many_instruments_and_clauses(house: Database) -> None:
    with house.write() as db:
        _courteous(db, Courtesy(prime=PrimeTime(hours="daily 08:00-18:00", day_minutes=600), penalties=Penalties()))
        for number in range(100, 150):
            add_instrument(db, number, "C-ONE", "XRD")
    with house.read() as db:
        rulebook(db)
        with counted(house.engine) as statements:
            free_times.find(db, actor(RESEARCHER), Sought(minutes=60, dates=(WED, THU)), NOW)
    assert len(statements) <= 8


def test_what_is_down_is_found_and_says_so(house: Database) -> None:
    """People may book what lies after the repair, which nobody knows the day of."""
    with house.write() as db:
        usage.record_down(db, actor(MANAGER), "N002", "", NOW)
    with house.read() as db:
        found = free_times.find(db, actor(RESEARCHER), Sought(minutes=60, dates=(WED, THU)), NOW)
    rows = [(row.place.id, row.down_since) for day in found.days for row in day.rows]
    assert rows == [("N001", None), ("N002", NOW), ("N003", None)] * 2


# ---------------------------------------------------------------- one instrument


def test_next_free_looks_as_far_as_one_may_book(house: Database) -> None:
    """The XRD is taken for twenty days from Monday the 23rd; the first day after is Monday 14 December."""
    with house.write() as db:
        store.add(db, [a_booking(XRD, Span(at(23, 8), at(23, 8) + timedelta(days=20)), person_id=COLLEAGUE)])
        monday = at(23, 8) + timedelta(days=21)
        assert free_times.next_free(db, RESEARCHER, XRD, 60, NOW) == Span(monday, monday + 60 * MINUTE)
        assert free_times.next_free(db, RESEARCHER, FESEM, 60, NOW + 10 * MINUTE) == Span(at(23, 8, 30), at(23, 9, 30))


def test_every_suggestion_can_be_booked(house: Database) -> None:
    with house.write() as db:
        store.add(db, [a_booking(FESEM, span(25, 9, 12), person_id=COLLEAGUE), a_booking(XRD, span(25, 14, 15))])
        asked = wish(FESEM, span(25, 10, 12))
        found = free_times.suggest(db, asked, NOW)
        # Two hours free for the researcher: at 12:00 (until the XRD at 14:00), from 15:00, and the next morning at
        # 08:00. From 10:00 on the 25th these lie 2 h, 5 h and 22 h away; the 24th is a public holiday.
        assert found == [span(25, 12, 14), span(25, 15, 17), span(26, 8, 10)]
        assert all(accepted(db, msgspec.structs.replace(asked, span=each)) for each in found)


def test_who_is_at_a_limit_is_suggested_nothing_but_what_it_does_not_hold_for(house: Database) -> None:
    """One use ahead at most, but for what begins within 50 hours: until ten on Wednesday, from eight on Monday."""
    wish = Wish(instrument_number=XRD, span=span(25, 9, 10), person_id=RESEARCHER, project_id=PUBLIC_PROJECT)
    with house.write() as db:
        booking_rules.post(db, actor(MANAGER), CENTRE, MostBookings(holder=Holder.PERSON, most=1), NOW)
        assert free_times.suggest(db, wish, NOW)
        stands = a_booking(XRD, span(26, 9, 10))
        store.add(db, [stands])
        assert free_times.suggest(db, wish, NOW) == []
        # It makes room for itself.
        assert free_times.suggest(db, msgspec.structs.replace(wish, replaces_id=stands.id), NOW)
        assert free_times.suggest(db, msgspec.structs.replace(wish, person_id=COLLEAGUE), NOW)
        booking_rules.post(db, actor(MANAGER), CENTRE, ShortNotice(hours=50), NOW)
        near = free_times.suggest(db, wish, NOW, count=9)
        assert near
        assert all(each.start <= at(25, 10) for each in near)
        for each in near:
            with undone(db):
                service.book(db, actor(RESEARCHER), msgspec.structs.replace(wish, span=each), NOW)


def test_a_length_that_is_not_allowed_is_mended_in_the_suggestion(house: Database) -> None:
    with house.read() as db:
        (first, *_) = free_times.suggest(db, wish(FESEM, Span(at(25, 9), at(25, 9, 10))), NOW)
    assert first == Span(at(25, 9), at(25, 9, 30))


def test_a_short_use_elsewhere_is_no_way_round_set_up_and_clean_up(house: Database) -> None:
    """Ten minutes elsewhere are shorter than the NMR's clean-up of 30, and bar the use all the same: from 9:50 an hour
    may begin at 10:00 again, or end by 9:30 (9:50 is off the raster).
    """
    with house.write() as db:
        store.add(db, [a_booking(XRD, Span(at(25, 9, 40), at(25, 9, 50)))])
        found = free_times.suggest(db, wish(NMR, span(25, 9, 10)), NOW, count=2)
    assert found == [Span(at(25, 8, 30), at(25, 9, 30)), span(25, 10, 11)]


def test_who_moves_a_booking_may_have_its_own_time(house: Database) -> None:
    with house.write() as db:
        booking = a_booking(FESEM, span(25, 9, 12))
        store.add(db, [booking])
        asked = wish(FESEM, span(25, 10, 12), replaces_id=booking.id)
        assert free_times.suggest(db, asked, NOW, count=1) == [span(25, 10, 12)]


def test_who_moves_a_booking_is_not_offered_where_it_is(house: Database) -> None:
    """Two hours from 9 to 11 shall move to 10, where they would run into the next from 11. Where it stands is an hour
    off and no help; 8:30, by the half hour, is an hour and a half off, and 12:00, after the other, two. On another
    instrument the same hours are a help.
    """
    with house.write() as db:
        booking = a_booking(FESEM, span(25, 9, 11))
        other = a_booking(FESEM, span(25, 11, 12), person_id=COLLEAGUE)
        store.add(db, [booking, other])
        asked = wish(FESEM, span(25, 10, 12), replaces_id=booking.id)
        assert free_times.suggest(db, asked, NOW, count=2) == [Span(at(25, 8, 30), at(25, 10, 30)), span(25, 12, 14)]
        elsewhere = wish(XRD, span(25, 9, 11), replaces_id=booking.id)
        assert free_times.suggest(db, elsewhere, NOW, count=1) == [span(25, 9, 11)]


def test_where_only_the_staff_run_it_nobody_need_be_able_nor_there(house: Database) -> None:
    """The researcher is at the XRD from 9 to 11, and lost what the FE-SEM asks for. A wish without a mode is run by its
    user where that is offered, and by the staff where nothing else is: then the wish itself would be booked.
    """
    asked = wish(FESEM, span(25, 9, 11))
    with house.write() as db:
        store.add(db, [a_booking(XRD, span(25, 9, 11))])
        db.execute(sa.delete(t.qualifications).where(t.qualifications.c.person_id == RESEARCHER))
        assert free_times.suggest(db, asked, NOW) == []
        assert free_times.next_free(db, RESEARCHER, FESEM, 60, NOW) is None
        db.execute(sa.update(t.instruments).where(t.instruments.c.number == FESEM).values(modes="commissioned"))
        assert free_times.suggest(db, asked, NOW, count=1) == [span(25, 9, 11)]
        assert accepted(db, asked)
        first = free_times.next_free(db, RESEARCHER, FESEM, 60, at(25, 8, 50))
        assert first == span(25, 9, 10)


def test_what_somebody_is_qualified_for_may_end_before_a_use_by_the_staff(house: Database) -> None:
    asked = wish(FESEM, span(26, 9, 11), mode=Mode.COMMISSIONED)
    with house.write() as db:
        db.execute(sa.update(t.instruments).where(t.instruments.c.number == FESEM).values(modes="self commissioned"))
        db.execute(sa.update(t.qualifications).values(expires_at=at(25, 12)))
        assert free_times.suggest(db, asked, NOW, count=1) == [span(26, 9, 11)]
        assert accepted(db, asked)
        # By oneself it must be over by noon of the day before.
        assert free_times.suggest(db, wish(FESEM, span(26, 9, 11)), NOW, count=1) == [span(25, 10, 12)]


@pytest.mark.parametrize(
    ("role", "holds", "modes", "mode"),
    [
        ("trainer_id", {"level": 3}, "self", None),
        ("operator_id", {"level": 1, "operates": True}, "self assisted", Mode.ASSISTED),
    ],
)
def test_what_trainer_and_operator_hold_lasts_until_the_end_of_the_use(
    house: Database, role: str, holds: dict[str, Any], modes: str, mode: Mode | None
) -> None:
    """They are qualified until noon on Wednesday: two hours wished for on Thursday may end then at the latest."""
    asked = wish(FESEM, span(26, 9, 11), mode=mode, **{role: COLLEAGUE})
    theirs = sa.update(t.qualifications).where(t.qualifications.c.person_id == COLLEAGUE)
    with house.write() as db:
        db.execute(sa.update(t.instruments).where(t.instruments.c.number == FESEM).values(modes=modes))
        assert free_times.suggest(db, asked, NOW) == []
        db.execute(theirs.values(**holds))
        assert free_times.suggest(db, asked, NOW, count=1) == [span(26, 9, 11)]
        assert accepted(db, asked)
        db.execute(theirs.values(expires_at=at(25, 12)))
        assert not accepted(db, asked)
        (nearest,) = free_times.suggest(db, asked, NOW, count=1)
        assert nearest == span(25, 10, 12)
        assert accepted(db, msgspec.structs.replace(asked, span=nearest))


@pytest.mark.parametrize(
    "changes",
    [
        {"mode": Mode.COMMISSIONED},
        {"setup": "Hot stage"},
        {"trainer_id": RESEARCHER},
        {"mode": Mode.ASSISTED, "operator_id": RESEARCHER},
        {"operator_id": COLLEAGUE},
    ],
    ids=["mode", "set-up", "own trainer", "own operator", "operator of nothing"],
)
def test_nothing_is_suggested_where_no_time_would_help(house: Database, changes: dict[str, Any]) -> None:
    """Run by its user or with help, with no set-up posted; researcher and colleague may train and operate there."""
    asked = wish(FESEM, span(25, 9, 11))
    with house.write() as db:
        db.execute(sa.update(t.instruments).where(t.instruments.c.number == FESEM).values(modes="self assisted"))
        db.execute(sa.update(t.qualifications).values(level=3, operates=True))
        assert free_times.suggest(db, asked, NOW, count=1) == [span(25, 9, 11)]
        assert free_times.suggest(db, msgspec.structs.replace(asked, **changes), NOW) == []


def test_a_use_to_come_keeps_a_qualification_from_then_on_and_not_before(house: Database) -> None:
    """Granted on 24 October and, as is demanded since the booking of Friday was made, over with 24 November unless it
    is used: Friday's use is the first. Before it there is today alone, and what follows it is free again.
    """
    with house.write() as db:
        store.add(db, [a_booking(FESEM, span(27, 9, 11))])
        db.execute(sa.update(t.instruments).where(t.instruments.c.number == FESEM).values(first_use_days=31))
    asked = wish(FESEM, span(25, 9, 10))
    with house.write() as db:
        found = free_times.suggest(db, asked, NOW)
        assert found == [span(23, 17, 18), span(27, 11, 12), span(30, 8, 9)]
        assert all(accepted(db, msgspec.structs.replace(asked, span=each)) for each in found)
        assert not accepted(db, asked)
    rows = shown(looked(house, minutes=60, dates=(WED, THU, FRI)))
    assert {day: spans for (day, code), spans in rows.items() if code == "N001"} == {FRI: (span(27, 11, 12),)}


def test_a_qualification_that_nobody_asks_for_need_not_be_used(house: Database) -> None:
    """The course alone is asked for: that the level was granted too long ago, and is not used before Friday, is nothing
    to the booking, nor to what is offered.
    """
    with house.write() as db:
        store.add(db, [a_booking(XRD, span(27, 9, 11))])
        demand = {"qualification": "", "first_use_days": 10, "course_months": 12}
        db.execute(sa.update(t.instruments).where(t.instruments.c.number == XRD).values(demand))
        qualifications.put(db, RESEARCHER, XRD, level=1, until=None, by=MANAGER, now=NOW - timedelta(days=30))
        course = {"person_id": RESEARCHER, "centre_id": "C-ONE", "completed_on": date(2026, 6, 1), "recorded_at": NOW}
        db.execute(sa.insert(t.safety_courses).values(course))
        assert free_times.suggest(db, wish(XRD, span(25, 9, 10)), NOW)[0] == span(25, 9, 10)


def test_with_a_trainer_only_the_safety_course_has_to_last(house: Database) -> None:
    """A course of the 25th of November a year before is good until the end of that day: the last two hours of it are
    from 16:00, as the instrument closes at 18:00.
    """
    asked = wish(FESEM, span(26, 9, 11), trainer_id=COLLEAGUE)
    own, course = t.qualifications.c.person_id == RESEARCHER, sa.insert(t.safety_courses)
    with house.write() as db:
        db.execute(sa.update(t.qualifications).where(~own).values(level=3))
        db.execute(sa.delete(t.qualifications).where(own))
        db.execute(sa.update(t.instruments).where(t.instruments.c.number == FESEM).values(course_months=12))
        today = {"centre_id": "C-ONE", "completed_on": date(2026, 11, 20), "recorded_at": NOW}
        db.execute(course.values(person_id=COLLEAGUE, **today))
        assert free_times.suggest(db, asked, NOW) == []
        db.execute(course.values(person_id=RESEARCHER, **today | {"completed_on": date(2025, 11, 25)}))
        assert not accepted(db, asked)
        (nearest,) = free_times.suggest(db, asked, NOW, count=1)
        assert nearest == span(25, 16, 18)
        assert accepted(db, msgspec.structs.replace(asked, span=nearest))


# ---------------------------------------------------------------- exact


def _courteous(db: Connection, courtesy: Courtesy, since: date = date(2026, 1, 1)) -> None:
    agreement = an_agreement(
        courtesy=courtesy, covered=Scope(centres=("C-ONE",)), parties=("I-IMS",), effective_from=since
    )
    agreements_store.add_version(db, Version(number=1, agreement=agreement), actor_id=None, now=NOW)


def _small_house(db: Connection, chance: Random) -> None:
    """Hours of three mornings, rasters that fit nothing, set-up, runs over noon; and whatever may stand in the way."""
    furnish(db)
    changes: dict[int, dict[str, Any]] = {
        FESEM: {"granularity_minutes": 20, "min_minutes": 20, "setup_minutes": 7, "cleanup_minutes": 13},
        XRD: {"granularity_minutes": 15, "min_minutes": 30, "opening": "Mon-Fri 08:00-09:30,10:00-12:00",
              "modes": chance.choice(("self", "commissioned", "assisted commissioned"))},
        NMR: {"granularity_minutes": 5, "min_minutes": 5, "spans_closed_hours": True, "attended": False,
              "opening": "Mon-Fri 08:00-09:00,09:20-12:00", "cleanup_minutes": 0, "setup_minutes": 10},
    }  # fmt: skip
    for number, values in changes.items():
        hours = {"opening": "Mon-Fri 08:00-12:00", "max_minutes": 120, "advance_days": 5}
        db.execute(sa.update(t.instruments).where(t.instruments.c.number == number).values(hours | values))
    expires = at(27, 10, chance.randrange(60))
    db.execute(sa.update(t.qualifications).values(expires_at=expires))
    _courteous(
        db,
        Courtesy(
            least_minutes=chance.choice((None, 40)),
            advance_days=chance.choice((None, 4)),
            prime=PrimeTime(hours="daily 09:00-11:00", day_minutes=chance.choice((60, 100)), week_minutes=170),
            penalties=Penalties(strikes=chance.choice((1, 2))),
        ),
        since=date(2026, 11, 26),
    )
    open_round(
        db,
        ("N002", Span(at(26, 10), at(26, 11))),
        closes_at=NOW + 2 * MINUTE,
        publishes_at=NOW + 3 * MINUTE,
        starts_at=at(26, 0),
        ends_at=at(28, 0),
    )
    if chance.random() < 0.3:
        store.add(db, [a_booking(XRD, span(19, 9, 10), state=BookingState.NO_SHOW)])
    _fill(db, chance)


def _fill(db: Connection, chance: Random) -> None:
    free_from: dict[int, datetime] = {}
    for day in (25, 26, 27):
        for number in (FESEM, XRD, NMR):
            for _ in range(chance.randrange(3)):
                begins = at(day, 8) + chance.randrange(200) * MINUTE
                begins = max(begins, free_from.get(number, begins))
                ends = begins + chance.randrange(3, 50) * MINUTE
                free_from[number] = ends
                store.add(db, [a_booking(number, Span(begins, ends), **_whose(chance, number))])


def _whose(chance: Random, number: int) -> dict[str, Any]:
    """Somebody else's, now and then a hold that is due or stands; or the person's own."""
    kind = chance.choice(("theirs", "due", "held", "own"))
    if kind == "own":
        return {"attended": number != NMR}
    held = {"state": BookingState.HELD, "hold_expires_at": NOW + timedelta(days=1 if kind == "held" else -1)}
    return {"person_id": COLLEAGUE, "attended": False} | ({} if kind == "theirs" else held)


def _every_start(day: int) -> Iterator[datetime]:
    return (at(day, 7, 55) + minute * MINUTE for minute in range(250))


@pytest.mark.parametrize("seed", range(4))
def test_what_is_offered_is_booked_and_nothing_earlier_would_be(database: Database, seed: int) -> None:
    """Tried minute by minute: the first start of each day that could be booked is the first that is offered."""
    chance = Random(seed)
    now = NOW + timedelta(hours=2, minutes=10, seconds=17)
    minutes = chance.choice((20, 40, 45, 60))
    with database.write() as db:
        _small_house(db, chance)
        found = shown(free_times.find(db, actor(RESEARCHER), Sought(minutes=minutes, dates=(WED, THU, FRI)), now))
        assert found
        for (day, code), spans in found.items():
            for each in spans:
                assert accepted(db, wish(int(code[1:]), each), now), (day, code, each)
        for number, code in ((FESEM, "N001"), (XRD, "N002"), (NMR, "N003")):
            for day in (25, 26, 27):
                offered = found.get((date(2026, 11, day), code))
                length = offered[0].end - offered[0].start if offered else _length(db, number, minutes, day)
                first = next(
                    (
                        start
                        for start in _every_start(day)
                        if accepted(db, wish(number, Span(start, start + length)), now)
                    ),
                    None,
                )
                assert first == (offered[0].start if offered else None), (day, code)


def _length(db: Connection, number: int, minutes: int, day: int) -> timedelta:
    """The next length of the instrument that is not shorter, nor than what the agreement asks for from Thursday on."""
    rules = store.rules_of(db, [number])[number]
    agreed = 40 if number != NMR and day > 25 and _least(db) else 0
    least = max(minutes, rules.min_minutes, agreed)
    return -(-least // rules.granularity_minutes) * rules.granularity_minutes * MINUTE


def _least(db: Connection) -> int | None:
    (agreement,) = rulebook(db).agreements_at(at(26, 9))
    return agreement.courtesy.least_minutes if agreement.courtesy else None


@pytest.mark.parametrize("seed", range(4))
def test_what_is_suggested_is_booked(database: Database, seed: int) -> None:
    chance = Random(100 + seed)
    with database.write() as db:
        _small_house(db, chance)
        for number in (FESEM, XRD, NMR):
            start = at(chance.choice((25, 26, 27)), 8) + chance.randrange(240) * MINUTE
            asked = wish(number, Span(start, start + chance.choice((20, 40, 60)) * MINUTE))
            for each in free_times.suggest(db, asked, NOW, count=5):
                assert accepted(db, msgspec.structs.replace(asked, span=each)), (number, each)
