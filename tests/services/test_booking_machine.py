"""Whatever people do to bookings in whatever order, the database answers as a model of a few lines does.

The model knows a calendar, not the product: who holds which hours of which instrument, who waits for the centre until
when, and that nobody is in two places. Both databases.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from labshare.domain.bookings import Booking, BookingState, Wish
from labshare.domain.timespan import Span
from labshare.errors import Refused, Stale, TimeTaken, WrongState
from labshare.services import approvals, bookings, ticking
from labshare.store import tables as t
from labshare.store.engine import Connection, Database
from tests.furniture import (
    ADMINISTRATOR,
    COLLEAGUE,
    FESEM,
    MANAGER,
    NMR,
    NOW,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    actor,
    furnish,
    span,
)

T = TypeVar("T")
HOUR = timedelta(hours=1)
# The centre has so long to decide on bookings of the FE-SEM; the NMR is cleaned for half an hour after each use.
DECIDED_WITHIN = 24 * HOUR
AFTER = {NMR: timedelta(minutes=30)}
STANDING = (BookingState.PENDING, BookingState.CONFIRMED)


def _slot(day: int, start: int, length: int) -> Span:
    return span(day, start, min(start + length, 18))


instruments = st.sampled_from((FESEM, XRD, NMR))
people = st.sampled_from((RESEARCHER, COLLEAGUE))
# Wednesday to Friday, whole hours from 8:00 to at most 18:00, when everything closes.
slots = st.builds(_slot, st.integers(25, 27), st.integers(8, 17), st.integers(1, 3))
places = st.integers(0, 30)


class Entry(msgspec.Struct, kw_only=True):
    """What the model knows of one booking."""

    instrument: int
    person: UUID
    times: Span
    state: BookingState
    until: datetime | None
    version: int = 1

    @property
    def occupied(self) -> Span:
        return Span(self.times.start, self.times.end + AFTER.get(self.instrument, timedelta()))


class Machine(RuleBasedStateMachine):
    """The services beside the model."""

    def __init__(self, house: Database) -> None:
        super().__init__()
        self.house = house
        self.now = NOW
        self.entries: dict[UUID, Entry] = {}
        with house.write() as db:
            for table in (t.notices, t.bookings, t.due, t.outbox):
                db.execute(sa.delete(table))

    # ------------------------------------------------------------ what the model says

    def expected(self, entries: Sequence[Entry], *, leaving: UUID | None = None) -> type[Exception] | None:
        """What is raised when these are written together."""
        standing = [each for key, each in self.entries.items() if key != leaving and each.state in STANDING]
        taken = elsewhere = past = False
        for entry in entries:
            taken |= any(
                each.instrument == entry.instrument and each.occupied.overlaps(entry.occupied) for each in standing
            )
            elsewhere |= any(each.person == entry.person and each.times.overlaps(entry.times) for each in standing)
            past |= entry.times.start < self.now
            standing.append(entry)
        return Refused if elsewhere or past else TimeTaken if taken else None

    def entry(self, instrument: int, person: UUID, times: Span) -> Entry:
        waits = instrument == FESEM
        return Entry(
            instrument=instrument,
            person=person,
            times=times,
            state=BookingState.PENDING if waits else BookingState.CONFIRMED,
            until=min(self.now + DECIDED_WITHIN, times.start) if waits else None,
        )

    def chosen(self, place: int) -> tuple[UUID, Entry]:
        keys = list(self.entries)
        key = keys[place % len(keys)]
        return key, self.entries[key]

    def is_movable(self, entry: Entry) -> bool:
        return entry.state in STANDING and entry.times.start > self.now

    # ------------------------------------------------------------ what people do

    @rule(instrument=instruments, person=people, times=slots)
    def book(self, instrument: int, person: UUID, times: Span) -> None:
        self.book_together([(instrument, times)], person)

    @rule(wanted=st.lists(st.tuples(instruments, slots), min_size=2, max_size=4), person=people)
    def book_together(self, wanted: list[tuple[int, Span]], person: UUID) -> None:
        """As the dates of a series are, or several instruments for one experiment: all of them or none."""
        new = [self.entry(instrument, person, times) for instrument, times in wanted]
        wishes = [Wish(instrument_number=each, span=times, project_id=PUBLIC_PROJECT) for each, times in wanted]
        made = self.doing(
            lambda db: bookings.book_all(db, actor(person), wishes, self.now), expected=self.expected(new)
        )
        for booking, entry in zip(made or (), new, strict=False):
            self.entries[booking.id] = entry

    @precondition(lambda self: self.entries)
    @rule(place=places, to=slots)
    def move(self, place: int, to: Span) -> None:
        key, entry = self.chosen(place)
        moved = self.entry(entry.instrument, entry.person, to)
        if to == entry.times:
            moved.state, moved.until = entry.state, entry.until
        expected = self.expected([moved], leaving=key) if self.is_movable(entry) else WrongState
        done = self.doing(
            lambda db: bookings.move(db, actor(entry.person), key, to, seen_version=entry.version, now=self.now),
            expected=expected,
        )
        if done:
            moved.version = entry.version + 1
            self.entries[key] = moved

    @precondition(lambda self: self.entries)
    @rule(place=places)
    def cancel(self, place: int) -> None:
        key, entry = self.chosen(place)
        done = self.doing(
            lambda db: bookings.cancel(db, actor(entry.person), key, seen_version=entry.version, now=self.now),
            expected=None if self.is_movable(entry) else WrongState,
        )
        if done:
            entry.state, entry.version = BookingState.CANCELLED, entry.version + 1

    @precondition(lambda self: self.entries)
    @rule(place=places, says_yes=st.booleans())
    def decide(self, place: int, says_yes: bool) -> None:
        key, entry = self.chosen(place)
        decide = approvals.approve if says_yes else approvals.decline
        done = self.doing(
            lambda db: decide(
                db, actor(ADMINISTRATOR), key, seen_version=entry.version, now=self.now, note="Máy đang hiệu chuẩn"
            ),
            expected=None if entry.state is BookingState.PENDING else WrongState,
        )
        if done:
            entry.state = BookingState.CONFIRMED if says_yes else BookingState.DECLINED
            entry.until, entry.version = None, entry.version + 1

    @precondition(lambda self: self.entries)
    @rule(place=places)
    def change_what_was_changed_meanwhile(self, place: int) -> None:
        key, entry = self.chosen(place)
        self.doing(
            lambda db: bookings.cancel(db, actor(entry.person), key, seen_version=entry.version + 1, now=self.now),
            expected=Stale,
        )

    @rule(hours=st.integers(1, 30))
    def wait(self, hours: int) -> None:
        """Time passes, and the ticker does what has come due."""
        self.now += hours * HOUR
        with self.house.read() as db:
            rows = ticking.deadlines(db, self.now)
        for row in rows:
            with self.house.write() as db:
                ticking.deal_with(db, row, self.now)
        for entry in self.entries.values():
            if entry.state is BookingState.PENDING and entry.until is not None and entry.until <= self.now:
                entry.state, entry.version = BookingState.EXPIRED, entry.version + 1

    # ------------------------------------------------------------ both agree

    def doing(self, call: Callable[[Connection], T], *, expected: type[Exception] | None) -> T | None:
        """Do it in a transaction of its own, and find that it ends as expected; None when it was to be refused."""
        if expected is None:
            with self.house.write() as db:
                return call(db)
        with pytest.raises(expected) as caught, self.house.write() as db:
            call(db)
        assert type(caught.value) is expected
        return None

    @invariant()
    def the_database_holds_what_the_model_does(self) -> None:
        with self.house.read() as db:
            stored = {each.id: each for each in _everything(db)}
        assert {key: (b.state, b.span, b.occupied, b.version) for key, b in stored.items()} == {
            key: (entry.state, entry.times, entry.occupied, entry.version) for key, entry in self.entries.items()
        }
        standing = [each for each in stored.values() if each.state in STANDING]
        for place, one in enumerate(standing):
            for other in standing[place + 1 :]:
                assert one.instrument_number != other.instrument_number or not one.occupied.overlaps(other.occupied)


def _everything(db: Connection) -> list[Booking]:
    rows = db.execute(sa.select(t.bookings)).all()
    return [msgspec.convert(row, Booking, from_attributes=True) for row in rows]


@pytest.mark.parametrize(
    ("runs", "steps"), [(6, 20), pytest.param(120, 40, marks=pytest.mark.slow)], ids=["some", "many"]
)
def test_bookings_behave_as_the_model_says(database: Database, runs: int, steps: int) -> None:
    with database.write() as db:
        furnish(db)
        approvals.choose(db, actor(MANAGER), "N001", "everybody", 24, NOW)
    run_state_machine_as_test(
        lambda: Machine(database),  # pyright: ignore[reportArgumentType]  any callable that gives a machine will do
        settings=settings(
            max_examples=runs,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
