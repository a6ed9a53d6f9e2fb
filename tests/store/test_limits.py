"""What is taken of a limit is counted alike by the query and by hand, for whatever stands in the calendar."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from labshare.domain.booking_rules import Holder, Scope, ScopeKind
from labshare.domain.bookings import BookingKind, BookingState
from labshare.domain.timespan import Span
from labshare.store import bookings as bookings_store
from labshare.store.engine import Connection, Database
from labshare.store.limits import AskedLimits, Seat, Taken
from labshare.store.surroundings import around
from tests.furniture import (
    COLLEAGUE,
    COMPETITOR,
    FESEM,
    INDUSTRY_PROJECT,
    NMR,
    NOW,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    a_booking,
    counted,
    furnish,
    span,
)

CENTRE = Scope(ScopeKind.CENTRE, "C-ONE")


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


def taken(db: Connection, seats: Sequence[Seat], now: datetime, leaving: Collection[UUID] = ()) -> list[Taken]:
    """What is counted beside the surroundings of a night in which nothing stands."""
    return list(around(db, NMR, span(20, 1, 2), limits=AskedLimits(seats, now, leaving)).taken)


def test_each_holder_is_counted_in_one_query_in_the_order_asked(house: Database) -> None:
    """At the XRD: an hour and two by the researcher, three by a colleague; at the NMR one, of another centre."""
    first = a_booking(XRD, span(25, 8, 9))
    put = [
        first,
        a_booking(XRD, span(26, 8, 10)),
        a_booking(XRD, span(25, 10, 13), person_id=COLLEAGUE),
        a_booking(NMR, span(25, 10, 11)),
        a_booking(
            XRD, span(27, 8, 12), person_id=COMPETITOR, project_id=INDUSTRY_PROJECT, organisation_id="O-CO",
            access_class="industry",
        ),
        a_booking(XRD, span(27, 13, 14), kind=BookingKind.CLOSURE),
        a_booking(XRD, span(27, 14, 15), state=BookingState.DECLINED),
    ]  # fmt: skip
    seats = [
        Seat(uuid4(), CENTRE, Holder.PERSON, RESEARCHER, None, 9),
        Seat(uuid4(), CENTRE, Holder.TEAM, PUBLIC_PROJECT, None, 9),
        Seat(uuid4(), Scope(ScopeKind.GROUP, "NMR"), Holder.PERSON, RESEARCHER, None, 9),
        Seat(uuid4(), CENTRE, Holder.ORGANISATION, "I-IMS", None, 9),
        Seat(uuid4(), Scope(ScopeKind.INSTRUMENT, "N002"), Holder.ACCESS_CLASS, "industry", None, 9),
        # Two days from now end on Wednesday at eight, where the first use begins.
        Seat(uuid4(), CENTRE, Holder.PERSON, RESEARCHER, 2, 9),
        Seat(uuid4(), CENTRE, Holder.PERSON, RESEARCHER, 3, 9),
    ]
    with house.write() as db:
        bookings_store.add(db, put)
        with counted(house.engine) as seen:
            found = taken(db, seats, NOW)
        assert len(seen) == 1
        assert found == [
            Taken(2, 180), Taken(3, 360), Taken(1, 60), Taken(3, 360), Taken(1, 240), Taken(0, 0), Taken(1, 60),
        ]  # fmt: skip
        assert taken(db, seats[:1], NOW, leaving=[first.id]) == [Taken(1, 120)]
        # A second later the use at the end of the days begins within them.
        assert taken(db, seats[5:6], NOW + timedelta(seconds=1)) == [Taken(1, 60)]


def test_what_goes_beyond_a_limit_is_not_counted_to_its_end(house: Database) -> None:
    """Four uses of an hour: a limit of two is passed with the third, one of 120 minutes is far from 121 uses."""
    put = [a_booking(XRD, span(25, hour, hour + 1)) for hour in (8, 10, 12, 14)]
    with house.write() as db:
        bookings_store.add(db, put)
        seats = [Seat(uuid4(), CENTRE, Holder.PERSON, RESEARCHER, None, most) for most in (2, 3, 4, 120)]
        found = taken(db, seats, NOW)
    assert found == [Taken(3, 180), Taken(4, 240), Taken(4, 240), Taken(4, 240)]


@pytest.mark.parametrize(
    ("holder", "plan"),
    [
        (Holder.PERSON, "person_id=? AND starts_at>? AND starts_at<?"),
        (Holder.TEAM, "project_id=? AND ends_at>? AND ends_at<?"),
        (Holder.ORGANISATION, "organisation_id=? AND ends_at>? AND ends_at<?"),
        (Holder.ACCESS_CLASS, "access_class=? AND instrument_number=? AND ends_at>? AND ends_at<?"),
    ],
)
def test_what_is_over_is_not_read(house: Database, holder: Holder, plan: str) -> None:
    """Each holder's uses are found by an index that begins where they may not be over, however many there were."""
    if not house.is_sqlite:
        return
    seat = Seat(uuid4(), CENTRE, holder, uuid4() if holder in (Holder.PERSON, Holder.TEAM) else "industry", None, 9)
    with counted(house.engine) as statements, house.read() as db:
        taken(db, [seat], NOW)
        (statement,) = statements
        steps = db.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", (1,) * statement.count("?"))
        text = " ".join(str(step) for step in steps)
    assert plan in text


def test_a_server_that_plans_for_any_values_does_not_read_what_is_over(house: Database) -> None:
    """After a few calls PostgreSQL plans a statement once for whatever values come. Where one team or organisation has
    most bookings it would expect a third of them ahead, and sooner read all that there ever were.
    """
    if house.is_sqlite:
        return
    begin = span(20, 0, 1).start - timedelta(days=125)
    starts = [begin + timedelta(hours=number) for number in range(3000)]
    put = [a_booking(FESEM, Span(start, start + timedelta(hours=1))) for start in starts]
    seats = [
        Seat(uuid4(), CENTRE, Holder.TEAM, PUBLIC_PROJECT, None, 9),
        Seat(uuid4(), CENTRE, Holder.ORGANISATION, "I-IMS", None, 9),
        Seat(uuid4(), CENTRE, Holder.ACCESS_CLASS, "industry", None, 9),
    ]
    with house.write() as db:
        bookings_store.add(db, put)
        db.execute(sa.text("ANALYZE bookings"))
    with counted(house.engine) as statements, house.write() as db:
        taken(db, seats, NOW)
        (statement,) = statements
        db.exec_driver_sql("SET LOCAL plan_cache_mode = force_generic_plan")
        db.exec_driver_sql(f"PREPARE counting AS {statement}")
        many = max(map(int, re.findall(r"\$(\d+)", statement)))
        steps = db.exec_driver_sql(f"EXPLAIN EXECUTE counting ({', '.join(['NULL'] * many)})").scalars().all()
        db.exec_driver_sql("DEALLOCATE counting")
    # How many rows it expects to find in each index, before it looks at them.
    read = re.findall(r"ix_bookings_\w+_ends\b.* rows=(\d+)", "\n".join(steps))
    assert len(read) == len(seats)
    assert max(map(int, read)) <= len(put) // 10
