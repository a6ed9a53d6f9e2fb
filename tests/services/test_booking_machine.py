"""Whatever people do to bookings in whatever order, the database answers as a model of a few lines does.

The model knows a calendar, not the product: who holds which hours of which instrument, whose open form keeps some for
a few minutes, who waits for the centre until when, that nobody is in two places, which bookings repeat together or are
offered from hand to hand, and who waits for time that comes free. What is offered to whom it finds by trying every half
hour for everybody in their order. Both databases.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar, TypeVar
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from labshare.domain.bookings import Booking, BookingState, Wish
from labshare.domain.exchanges import MOST_OPEN, Exchange, ExchangeState
from labshare.domain.holds import MOST_AGAIN, MOST_HOLDS
from labshare.domain.series import Conflicts, Frequency, Reach, Repeat
from labshare.domain.timespan import Span
from labshare.domain.waitlist import MOST_ENTRIES, WaitingEntry, WaitingState
from labshare.errors import Malformed, Refused, Stale, TimeTaken, WrongState
from labshare.services import approvals, bookings, exchanges, freeing, holds, series, ticking, waitlist
from labshare.store import tables as t
from labshare.store.due import Due
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
FORM = timedelta(minutes=5)
STANDING = (BookingState.HELD, BookingState.PENDING, BookingState.CONFIRMED)
HALF_HOUR = timedelta(minutes=30)
DAYS = (25, 26, 27)
CLOSES = span(27, 17, 18).end
CAPABILITIES = {FESEM: "FESEM", XRD: "XRD", NMR: "NMR"}


def _slot(day: int, start: int, length: int) -> Span:
    return span(day, start, min(start + length, 18))


instruments = st.sampled_from((FESEM, XRD, NMR))
people = st.sampled_from((RESEARCHER, COLLEAGUE))
# Wednesday to Friday, whole hours from 8:00 to at most 18:00, when everything closes.
slots = st.builds(_slot, st.integers(25, 27), st.integers(8, 17), st.integers(1, 3))
places = st.integers(0, 30)
REACHES = (Reach.FOLLOWING, Reach.ALL)


class Entry(msgspec.Struct, kw_only=True):
    """What the model knows of one booking."""

    instrument: int
    person: UUID
    times: Span
    state: BookingState
    until: datetime | None
    version: int = 1
    # When it last changed, as far as that is asked for.
    changed_at: datetime = NOW
    # Kept by an open form, once or twice, and since when.
    form: int = 0
    kept_at: datetime = NOW
    series: UUID | None = None

    @property
    def occupied(self) -> Span:
        return Span(self.times.start, self.times.end + AFTER.get(self.instrument, timedelta()))


class Waiter(msgspec.Struct, kw_only=True):
    """What the model knows of somebody who waits. `offers` are all that they had, the last one perhaps still open."""

    id: UUID
    instrument: int
    person: UUID
    length: timedelta
    days: tuple[int, int]
    since: datetime
    state: WaitingState = WaitingState.WAITING
    passed: int = 0
    offers: list[UUID] = []

    @property
    def is_open(self) -> bool:
        return self.state in (WaitingState.WAITING, WaitingState.OFFERED)


class Passing(msgspec.Struct, kw_only=True):
    """What the model knows of a booking that is offered to the other person, for nothing or for theirs."""

    id: UUID
    key: UUID
    giver: UUID
    receiver: UUID
    until: datetime
    other: UUID | None = None
    other_version: int = 0
    state: ExchangeState = ExchangeState.OPEN


def daytime_after(moment: datetime, halves: int) -> datetime:
    """When so many half hours have passed, those between 22:00 and 6:00 in Hanoi not counted."""
    while halves:
        halves -= 6 <= (moment + 7 * HOUR).hour < 22
        moment += HALF_HOUR
    return moment


class Machine(RuleBasedStateMachine):
    """The services beside the model."""

    # How often each thing happened, over all runs.
    seen: ClassVar[Counter[str]] = Counter()

    def __init__(self, house: Database) -> None:
        super().__init__()
        self.house = house
        self.now = NOW
        self.entries: dict[UUID, Entry] = {}
        self.waiters: list[Waiter] = []
        self.freed: Counter[tuple[int, Span, UUID | None]] = Counter()
        self.passing: list[Passing] = []
        with house.write() as db:
            for table in (
                t.notices, t.waiting_offers, t.waiting_entries, t.freed_times, t.exchanges, t.bookings, t.series, t.due,
                t.outbox,
            ):  # fmt: skip
                db.execute(sa.delete(table))

    # ------------------------------------------------------------ what the model says

    def expected(self, entries: Sequence[Entry], *, leaving: Collection[UUID] = ()) -> type[Exception] | None:
        """What is raised when these are written together, in place of those that are leaving."""
        standing = [
            each
            for key, each in self.entries.items()
            if key not in leaving and each.state in STANDING and not self.is_due(each)
        ]
        taken = elsewhere = past = False
        for entry in entries:
            taken |= any(
                each.instrument == entry.instrument and each.occupied.overlaps(entry.occupied) for each in standing
            )
            elsewhere |= any(each.person == entry.person and each.times.overlaps(entry.times) for each in standing)
            # Nothing opens on a Saturday.
            past |= entry.times.start < self.now or entry.times.start > CLOSES
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

    def written(self, key: UUID, entry: Entry) -> None:
        """It stands; what is due to end and was in its way has given way."""
        for other, each in self.entries.items():
            is_here = other != key and each.instrument == entry.instrument and each.occupied.overlaps(entry.occupied)
            if is_here and self.is_due(each):
                self.end(other, BookingState.EXPIRED)
        self.entries[key] = entry

    def chosen(self, place: int, *, form: bool = False) -> tuple[UUID, Entry]:
        keys = [key for key, each in self.entries.items() if each.form or not form]
        key = keys[place % len(keys)]
        return key, self.entries[key]

    def is_movable(self, entry: Entry) -> bool:
        return entry.state in STANDING and entry.times.start > self.now

    # ------------------------------------------------------------ what people do

    @initialize(
        wanted=st.lists(st.tuples(instruments, people, slots), min_size=2, max_size=4),
        waits=st.lists(st.tuples(places, people, st.integers(1, 2)), min_size=1, max_size=3),
    )
    def a_busy_house(self, wanted: list[tuple[int, UUID, Span]], waits: list[tuple[int, UUID, int]]) -> None:
        for instrument, person, times in wanted:
            self.book(instrument, person, times)
        for place, person, hours in waits:
            self.join(place, person, hours, more=2, by_capability=False)

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
            self.written(booking.id, entry)

    @rule(
        instrument=instruments,
        person=people,
        times=slots,
        count=st.integers(2, 3),
        skips=st.booleans(),
        given_up=st.sampled_from((None, None, *REACHES)),
    )
    def repeat(
        self, instrument: int, person: UUID, times: Span, count: int, skips: bool, given_up: Reach | None
    ) -> None:
        """On days that follow each other, which may reach into the weekend: every one, or those that can be had. Some
        are given up at once, from the last of them on or all.
        """
        days = [Span(times.start + n * 24 * HOUR, times.end + n * 24 * HOUR) for n in range(count)]
        new = [self.entry(instrument, person, each) for each in days]
        expected = self.expected(new)
        if skips:
            kept: list[Entry] = []
            found = [self.expected([*kept, each]) or kept.append(each) for each in new]
            expected = None if kept else Refused if Refused in found else TimeTaken
            new = kept
        wish = Wish(instrument_number=instrument, span=times, project_id=PUBLIC_PROJECT)
        rule = Repeat(frequency=Frequency.DAILY, count=count)
        conflicts = Conflicts.SKIP if skips else Conflicts.STOP
        made = self.doing(
            lambda db: series.create(db, actor(person), wish, rule, conflicts, self.now), expected=expected
        )
        if made:
            assert len(made.left_out) == count - len(new)
            for booking, entry in zip(made.line.bookings, new, strict=True):
                entry.series = made.line.series.id
                self.written(booking.id, entry)
            if given_up:
                self.give_up(made.line.bookings[-1].id, given_up)

    @precondition(lambda self: any(each.series for each in self.entries.values()))
    @rule(place=places, reach=st.sampled_from(REACHES))
    def give_up_a_series(self, place: int, reach: Reach) -> None:
        keys = [key for key, each in self.entries.items() if each.series]
        self.give_up(keys[place % len(keys)], reach)

    def give_up(self, key: UUID, reach: Reach) -> None:
        anchor = self.entries[key]
        ahead = [
            other
            for other, each in self.entries.items()
            if each.series == anchor.series and self.is_movable(each)
            if reach is Reach.ALL or each.times.start >= anchor.times.start
        ]
        with self.house.read() as db:
            seen = series.show(db, actor(ADMINISTRATOR), anchor.series).version if anchor.series else 0
        done = self.doing(
            lambda db: series.cancel(db, actor(anchor.person), key, reach, seen_version=seen, now=self.now),
            expected=None if ahead else WrongState,
        )
        for other in ahead if done else ():
            self.seen["series given up"] += 1
            self.end(other, BookingState.CANCELLED)

    # ------------------------------------------------------------ forms keep time for a few minutes

    @rule(instrument=instruments, person=people, times=slots, is_sent=st.booleans())
    def open_a_form(self, instrument: int, person: UUID, times: Span, is_sent: bool) -> None:
        """Two at a time, and the same time four times an hour, are as many as somebody may keep. What another form of
        theirs keeps of that time, the newest of them if there are two, goes on as this one's.
        """
        new = self.entry(instrument, person, times)
        new.state, new.until, new.form = BookingState.HELD, min(self.now + FORM, times.start), 1
        new.changed_at = new.kept_at = self.now
        own = [
            (each.kept_at, -key.int, key)
            for key, each in self.entries.items()
            if each.form and each.person == person and each.instrument == instrument
            if each.state is BookingState.HELD and not self.is_due(each) and each.occupied.overlaps(times)
        ]
        if own:
            self.take_over(max(own)[2], new, is_sent=is_sent)
            return
        theirs = [each for each in self.entries.values() if each.form and each.person == person]
        standing = sum(each.state is BookingState.HELD and not self.is_due(each) for each in theirs)
        again = sum(
            each.instrument == instrument and each.occupied.overlaps(new.occupied)
            for each in theirs
            if each.changed_at > self.now - HOUR
        )
        wish = Wish(instrument_number=instrument, span=times, project_id=PUBLIC_PROJECT)
        held = self.doing(
            lambda db: holds.hold(db, actor(person), wish, self.now),
            expected=self.expected([new]) or (Refused if standing >= MOST_HOLDS or again >= MOST_AGAIN else None),
        )
        if held:
            self.written(held.id, new)
            if is_sent:
                self.send(held.id, times)

    def take_over(self, key: UUID, new: Entry, *, is_sent: bool) -> None:
        entry = self.entries[key]
        assert entry.until
        assert new.until
        new.until, new.form, new.kept_at = min(entry.until, new.until), entry.form, entry.kept_at
        new.version = entry.version + 1
        wish = Wish(instrument_number=new.instrument, span=new.times, project_id=PUBLIC_PROJECT)
        held = self.doing(
            lambda db: holds.hold(db, actor(new.person), wish, self.now), expected=self.expected([new], leaving=[key])
        )
        if held:
            assert held.id == key
            self.seen["form taken over"] += 1
            self.written(key, new)
            self.free(entry, new.occupied)
            if is_sent:
                self.send(key, new.times)

    @precondition(lambda self: any(each.form for each in self.entries.values()))
    @rule(place=places, kept=st.booleans(), to=slots)
    def send_a_form(self, place: int, kept: bool, to: Span) -> None:
        key, entry = self.chosen(place, form=True)
        self.send(key, entry.times if kept else to)

    def send(self, key: UUID, times: Span) -> None:
        """What the form kept becomes the booking, also at other times; what has ended counts for nothing."""
        entry = self.entries[key]
        new = self.entry(entry.instrument, entry.person, times)
        stands = entry.state is BookingState.HELD and not self.is_due(entry)
        wish = Wish(
            instrument_number=entry.instrument, span=new.times, project_id=PUBLIC_PROJECT, replaces_id=key
        )  # fmt: skip
        booked = self.doing(
            lambda db: bookings.book(db, actor(entry.person), wish, self.now),
            expected=self.expected([new], leaving=[key] if stands else []),
        )
        if booked and stands:
            assert booked.id == key
            self.seen["form sent"] += 1
            new.version = entry.version + 1
            self.written(key, new)
            self.free(entry, new.occupied)
        elif booked:
            assert booked.id != key
            self.written(booked.id, new)

    @precondition(lambda self: any(each.form for each in self.entries.values()))
    @rule(place=places, goes_on=st.booleans())
    def keep_or_leave_a_form(self, place: int, goes_on: bool) -> None:
        key, entry = self.chosen(place, form=True)
        done = holds.prolong if goes_on else holds.release
        is_held = entry.state is BookingState.HELD
        may_go_on = is_held and not self.is_due(entry) and entry.form == 1
        self.doing(
            lambda db: done(db, actor(entry.person), key, self.now),
            expected=WrongState if goes_on and not may_go_on else None,
        )
        if goes_on and may_go_on:
            entry.until, entry.form = min(self.now + FORM, entry.times.start), 2
            entry.version, entry.changed_at = entry.version + 1, self.now
        elif is_held and not goes_on:
            self.end(key, BookingState.RELEASED)

    # ------------------------------------------------------------ from hand to hand

    @precondition(lambda self: self.entries)
    @rule(place=places, for_theirs=st.booleans(), other_place=places)
    def offer_a_booking(self, place: int, for_theirs: bool, other_place: int) -> None:
        """To the other of the two people, for nothing or for what they have at a moment."""
        key, entry = self.chosen(place)
        self.propose(key, self.theirs(entry, other_place) if for_theirs else None)

    @precondition(lambda self: self.passing)
    @rule(place=places)
    def take_a_booking(self, place: int) -> None:
        self.take(self.passing[place % len(self.passing)])

    @precondition(lambda self: any(map(self.is_firm, self.entries.values())))
    @rule(place=places, for_theirs=st.booleans(), other_place=places)
    def pass_on_at_once(self, place: int, for_theirs: bool, other_place: int) -> None:
        firm = [key for key, each in self.entries.items() if self.is_firm(each)]
        key = firm[place % len(firm)]
        if asked := self.propose(key, self.theirs(self.entries[key], other_place) if for_theirs else None):
            self.take(asked)

    def theirs(self, entry: Entry, place: int) -> UUID | None:
        """A booking of the other person's, if they have one."""
        found = [key for key, each in self.entries.items() if each.person != entry.person and self.is_firm(each)]
        return found[place % len(found)] if found else None

    def propose(self, key: UUID, other: UUID | None) -> Passing | None:
        entry = self.entries[key]
        giver, receiver = entry.person, COLLEAGUE if entry.person == RESEARCHER else RESEARCHER
        if sum(each.giver == giver and each.state is ExchangeState.OPEN for each in self.passing) >= MOST_OPEN:
            return None
        of_it = [each for each in self.passing if each.key == key and each.state is ExchangeState.OPEN]
        is_open = any(self.may_be_answered(each) for each in of_it)

        def offer(db: Connection) -> Exchange:
            if other is None:
                return exchanges.hand_over(db, actor(giver), key, receiver, seen_version=entry.version, now=self.now)
            wanted = self.entries[other]
            return exchanges.swap(
                db, actor(giver), key, f"N{wanted.instrument:03}", wanted.times.start, seen_version=entry.version,
                now=self.now,
            )  # fmt: skip

        made = self.doing(offer, expected=Refused if is_open or not self.is_firm(entry) else None)
        if made is None:
            return None
        for each in of_it:
            each.state = ExchangeState.WITHDRAWN
        starts = [self.entries[each].times.start for each in (key, other) if each]
        asked = Passing(
            id=made.id, key=key, giver=giver, receiver=receiver, until=min(self.now + 48 * HOUR, *starts),
            other=other, other_version=self.entries[other].version if other else 0,
        )  # fmt: skip
        self.passing.append(asked)
        return asked

    def take(self, asked: Passing) -> None:
        """The rules are asked of whoever gets it, and the centre decides anew."""
        keys = [each for each in (asked.key, asked.other) if each]
        was = [self.entries[each] for each in keys]
        new = [
            self.entry(each.instrument, person, each.times)
            for each, person in zip(was, (asked.receiver, asked.giver), strict=False)
        ]
        is_over = asked.state is not ExchangeState.OPEN or asked.until <= self.now or not self.is_as_asked(asked)
        done = self.doing(
            lambda db: exchanges.accept(
                db, actor(asked.receiver), asked.id, PUBLIC_PROJECT,
                seen_version=sum(each.version for each in was), now=self.now,
            ),
            expected=WrongState if is_over else self.expected(new, leaving=keys),
        )  # fmt: skip
        if done:
            self.seen["swapped" if asked.other else "handed over"] += 1
            asked.state = ExchangeState.ACCEPTED
            for key, before, after in zip(keys, was, new, strict=True):
                after.version = before.version + 1
                self.written(key, after)

    @precondition(lambda self: self.passing)
    @rule(place=places, by_giver=st.booleans())
    def leave_a_booking_where_it_is(self, place: int, by_giver: bool) -> None:
        asked = self.passing[place % len(self.passing)]
        is_open = asked.state is ExchangeState.OPEN and self.now < asked.until
        answered, person = (
            (exchanges.withdraw, asked.giver) if by_giver else (exchanges.decline, asked.receiver)
        )  # fmt: skip
        self.doing(lambda db: answered(db, actor(person), asked.id, self.now), expected=None if is_open else WrongState)
        if is_open:
            asked.state = ExchangeState.WITHDRAWN if by_giver else ExchangeState.DECLINED

    def is_firm(self, entry: Entry) -> bool:
        return entry.state in (BookingState.PENDING, BookingState.CONFIRMED) and entry.times.start > self.now

    def is_as_asked(self, asked: Passing) -> bool:
        """Whether each still has what they had, and what is wanted is what it was."""
        entry, other = self.entries[asked.key], self.entries[asked.other] if asked.other else None
        if entry.person != asked.giver or not self.is_firm(entry):
            return False
        return other is None or (
            other.person == asked.receiver and self.is_firm(other) and other.version == asked.other_version
        )

    def may_be_answered(self, asked: Passing) -> bool:
        return asked.until > self.now and asked.giver == self.entries[asked.key].person and self.is_wanted(asked)

    def is_wanted(self, asked: Passing) -> bool:
        other = self.entries[asked.other] if asked.other else None
        return other is None or (
            other.person == asked.receiver
            and other.version == asked.other_version
            and other.state in (BookingState.PENDING, BookingState.CONFIRMED)
        )

    # ------------------------------------------------------------ what becomes of one

    @precondition(lambda self: self.entries)
    @rule(place=places, to=slots)
    def move(self, place: int, to: Span) -> None:
        key, entry = self.chosen(place)
        moved = self.entry(entry.instrument, entry.person, to)
        if to == entry.times:
            moved.state, moved.until = entry.state, entry.until
        moved.series, moved.changed_at = entry.series, self.now
        # What is only kept is taken or let go.
        may_move = self.is_movable(entry) and entry.state is not BookingState.HELD
        expected = self.expected([moved], leaving=[key]) if may_move else WrongState
        done = self.doing(
            lambda db: bookings.move(db, actor(entry.person), key, to, seen_version=entry.version, now=self.now),
            expected=expected,
        )
        if done:
            moved.version = entry.version + 1
            self.written(key, moved)
            self.free(entry, moved.occupied)

    @precondition(lambda self: self.entries)
    @rule(place=places)
    def cancel(self, place: int) -> None:
        key, entry = self.chosen(place)
        done = self.doing(
            lambda db: bookings.cancel(db, actor(entry.person), key, seen_version=entry.version, now=self.now),
            expected=None if self.is_movable(entry) else WrongState,
        )
        if done:
            self.end(key, BookingState.RELEASED if entry.form else BookingState.CANCELLED)

    @precondition(lambda self: self.entries)
    @rule(place=places, says_yes=st.booleans())
    def decide(self, place: int, says_yes: bool) -> None:
        key, entry = self.chosen(place)
        decide = approvals.approve if says_yes else approvals.decline
        done = self.doing(
            lambda db: decide(
                db, actor(ADMINISTRATOR), key, seen_version=entry.version, now=self.now, note="Máy đang hiệu chuẩn"
            ),
            expected=None if entry.state is BookingState.PENDING and not self.is_due(entry) else WrongState,
        )
        if done and says_yes:
            entry.state, entry.until, entry.version = BookingState.CONFIRMED, None, entry.version + 1
        elif done:
            self.end(key, BookingState.DECLINED)

    @precondition(lambda self: self.entries)
    @rule(place=places)
    def change_what_was_changed_meanwhile(self, place: int) -> None:
        key, entry = self.chosen(place)
        self.doing(
            lambda db: bookings.cancel(db, actor(entry.person), key, seen_version=entry.version + 1, now=self.now),
            expected=Stale,
        )

    @rule(hours=st.sampled_from((0, 0, 1, 1, 2, 9, 20)))
    def wait(self, hours: int) -> None:
        """Time passes, and the ticker does what has come due, until nothing is: what ends may free time."""
        self.now += hours * HOUR
        while rows := self.due():
            for row in rows:
                if row.kind == freeing.FREED:
                    self.offer(row)
                    continue
                with self.house.write() as db:
                    ticking.deal_with(db, row, self.now)
                # What asks the managers about a series is called by its id.
                entry = self.entries.get(UUID(row.noun_id))
                if entry and self.is_due(entry):
                    self.seen["run out"] += entry.state is BookingState.HELD
                    self.end(UUID(row.noun_id), BookingState.EXPIRED)

    @precondition(lambda self: self.wanted())
    @rule(place=places, hours=st.integers(0, 1), takes=st.sampled_from((None, True, False)))
    def give_way(self, place: int, hours: int, takes: bool | None) -> None:
        """Somebody gives time back for which others wait, the ticker comes, and who is offered it may answer."""
        wanted = self.wanted()
        key = wanted[place % len(wanted)]
        self.cancel(list(self.entries).index(key))
        self.wait(hours)
        if takes is not None and any(each.offers for each in self.waiters):
            self.answer(place + 1, takes)

    def wanted(self) -> list[UUID]:
        waited_for = {each.instrument for each in self.waiters if each.state is WaitingState.WAITING}
        return [key for key, each in self.entries.items() if each.instrument in waited_for and self.is_movable(each)]

    def due(self) -> Sequence[Due]:
        with self.house.read() as db:
            return ticking.deadlines(db, self.now)

    # ------------------------------------------------------------ who waits, and what is offered

    @precondition(lambda self: any(each.state in STANDING for each in self.entries.values()))
    @rule(place=places, person=people, hours=st.integers(1, 3), more=st.integers(0, 2), by_capability=st.booleans())
    def join(self, place: int, person: UUID, hours: int, more: int, by_capability: bool) -> None:
        """Wait from the day on which somebody has the instrument."""
        taken = [each for each in self.entries.values() if each.state in STANDING]
        has = taken[place % len(taken)]
        instrument, first = has.instrument, (has.times.start + 7 * HOUR).day
        waiter = Waiter(
            id=UUID(int=len(self.waiters) + 1),
            instrument=instrument,
            person=person,
            length=hours * HOUR,
            days=(first, first + more),
            since=self.now,
        )
        entry = WaitingEntry(
            id=waiter.id, person_id=person, project_id=PUBLIC_PROJECT, minutes=hours * 60,
            instrument_number=None if by_capability else instrument,
            capability_id=CAPABILITIES[instrument] if by_capability else None,
            from_date=date(2026, 11, first), until_date=date(2026, 11, first + more), created_at=self.now,
        )  # fmt: skip
        mine = sum(each.person == person and each.is_open and not self.is_over(each) for each in self.waiters)
        expected = Malformed if self.is_over(waiter) else Refused if mine >= MOST_ENTRIES else None
        if self.doing(lambda db: waitlist.join(db, actor(person), entry, self.now), expected=expected):
            self.waiters.append(waiter)

    @precondition(lambda self: self.waiters)
    @rule(place=places)
    def leave(self, place: int) -> None:
        waiter = self.waiters[place % len(self.waiters)]
        self.doing(
            lambda db: waitlist.leave(db, actor(waiter.person), waiter.id, self.now),
            expected=None if waiter.is_open else WrongState,
        )
        if waiter.is_open:
            if waiter.state is WaitingState.OFFERED:
                self.end(waiter.offers[-1], BookingState.DECLINED)
            waiter.state = WaitingState.LEFT

    @precondition(lambda self: any(each.offers for each in self.waiters))
    @rule(place=places, takes=st.booleans())
    def answer(self, place: int, takes: bool) -> None:
        """To an offer that stands, if there is one."""
        asked = [each for each in self.waiters if each.state is WaitingState.OFFERED]
        waiter = asked[place % len(asked)] if asked and place else self.waiters[place % len(self.waiters)]
        is_open = waiter.state is WaitingState.OFFERED
        answered = waitlist.accept if takes else waitlist.decline
        self.doing(
            lambda db: answered(db, actor(waiter.person), waiter.id, self.now) or True,
            expected=None if is_open else WrongState,
        )
        if is_open and takes:
            self.seen["taken"] += 1
            entry = self.entries[waiter.offers[-1]]
            booked = self.entry(entry.instrument, entry.person, entry.times)
            entry.state, entry.until, entry.version = booked.state, booked.until, entry.version + 1
            waiter.state = WaitingState.TAKEN
        elif is_open:
            self.seen["declined"] += 1
            self.end(waiter.offers[-1], BookingState.DECLINED)

    def offer(self, row: Due) -> None:
        """The ticker offers time that came free: to each in their order what fits them and begins nearest to it."""
        with self.house.read() as db:
            found = db.execute(sa.select(t.freed_times).where(t.freed_times.c.id == UUID(row.noun_id))).one()
        number, freed, whose = found.instrument_number, Span(found.starts_at, found.ends_at), found.freed_by_id
        waiting = [each for each in self.waiters if each.instrument == number and not self.is_over(each)]
        in_order = sorted(waiting, key=lambda each: (each.passed, self.used(each), each.since, each.id.int))
        # One offer at a time, until nothing is left that fits anybody.
        while again := [each for each in self.due() if each.noun_id == row.noun_id]:
            with self.house.write() as db:
                ticking.deal_with(db, again[0], self.now)
        made = self.made_since()
        for waiter in (each for each in in_order if each.state is WaitingState.WAITING):
            # Nobody is offered what they gave back.
            fits = self.fitting(waiter, freed) if waiter.person != whose else []
            key, booking = next(((k, b) for k, b in made.items() if self.waiter_of(k) == waiter.id), (None, None))
            assert (booking is not None) == bool(fits), (waiter, freed, fits)
            if key is not None and booking is not None:
                assert booking.span in fits
                nearest = min(abs(each.start - freed.start) for each in fits)
                assert abs(booking.starts_at - freed.start) == nearest
                self.adopt(waiter, made.pop(key))
        assert made == {}
        self.freed[number, freed, whose] -= 1

    def made_since(self) -> dict[UUID, Booking]:
        with self.house.read() as db:
            return {each.id: each for each in _everything(db) if each.id not in self.entries}

    def waiter_of(self, booking: UUID) -> UUID | None:
        query = sa.select(t.waiting_offers.c.entry_id).where(t.waiting_offers.c.booking_id == booking)
        with self.house.read() as db:
            return db.execute(query).scalar_one_or_none()

    def adopt(self, waiter: Waiter, booking: Booking) -> None:
        self.seen["offered"] += 1
        until = min(daytime_after(self.now, 4), booking.starts_at - HALF_HOUR)
        held = Entry(
            instrument=waiter.instrument, person=waiter.person, times=booking.span, state=BookingState.HELD, until=until
        )  # fmt: skip
        assert booking.hold_expires_at == until
        # What is due to end and stands in the way gives way.
        for key, each in self.entries.items():
            if each.instrument == held.instrument and self.is_due(each) and each.occupied.overlaps(held.occupied):
                self.end(key, BookingState.EXPIRED)
        self.entries[booking.id] = held
        waiter.state, waiter.offers = WaitingState.OFFERED, [*waiter.offers, booking.id]

    def fitting(self, waiter: Waiter, freed: Span) -> list[Span]:
        """Every use that the waiter could be offered now, which takes some of the freed time."""
        had = [self.entries[key].times for key in waiter.offers]
        had += [each.times for each in self.entries.values() if self.gave_back(waiter, each)]
        had = [each for each in had if each.overlaps(freed)]
        standing = [each for each in self.entries.values() if each.state in STANDING and not self.is_due(each)]
        found: list[Span] = []
        for day in range(waiter.days[0], min(waiter.days[1], 27) + 1):
            for half in range(20):
                start = span(day, 8, 9).start + half * HALF_HOUR
                times = Span(start, start + waiter.length)
                tried = self.entry(waiter.instrument, waiter.person, times)
                if times.end > span(day, 17, 18).end or start < daytime_after(self.now, 2):
                    continue
                if not tried.occupied.overlaps(freed) or any(each.overlaps(times) for each in had):
                    continue
                if any(
                    (each.instrument == tried.instrument and each.occupied.overlaps(tried.occupied))
                    or (each.person == tried.person and each.times.overlaps(times))
                    for each in standing
                ):
                    continue
                found.append(times)
        return found

    def gave_back(self, waiter: Waiter, entry: Entry) -> bool:
        is_theirs = entry.person == waiter.person and entry.instrument == waiter.instrument
        return is_theirs and entry.state is BookingState.CANCELLED and entry.changed_at >= waiter.since

    def used(self, waiter: Waiter) -> timedelta:
        counted = [
            each.times.end - each.times.start
            for each in self.entries.values()
            if each.instrument == waiter.instrument and each.person == waiter.person
            if each.state in (BookingState.PENDING, BookingState.CONFIRMED)
        ]
        return sum(counted, timedelta())

    def is_over(self, waiter: Waiter) -> bool:
        return waiter.days[1] < (self.now + 7 * HOUR - datetime(2026, 11, 1, tzinfo=UTC)).days + 1

    def is_due(self, entry: Entry) -> bool:
        return entry.state in STANDING and entry.until is not None and entry.until <= self.now

    def end(self, key: UUID, state: BookingState) -> None:
        """The booking takes no more time; what was an offer is passed on."""
        entry = self.entries[key]
        for waiter in self.waiters:
            if waiter.state is WaitingState.OFFERED and waiter.offers[-1] == key:
                waiter.state, waiter.passed = WaitingState.WAITING, waiter.passed + 1
        self.free(entry, None)
        entry.state, entry.version, entry.changed_at = state, entry.version + 1, self.now

    def free(self, entry: Entry, kept: Span | None) -> None:
        """Somebody waits for what the booking had occupied: it is kept in mind, as far as it is not over."""
        if not any(each.is_open and each.instrument == entry.instrument for each in self.waiters):
            return
        was = entry.occupied
        parts = [was] if kept is None or not kept.overlaps(was) else []
        if kept is not None and kept.overlaps(was):
            parts += [Span(was.start, kept.start)] if was.start < kept.start else []
            parts += [Span(kept.end, was.end)] if kept.end < was.end else []
        # Who lets a form go, or passes on an offer, gives nothing back.
        whose = None if entry.state is BookingState.HELD else entry.person
        self.freed.update((entry.instrument, part, whose) for part in parts if part.end > self.now)

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

    @invariant()
    def what_is_offered_from_hand_to_hand_is_that_of_the_model(self) -> None:
        with self.house.read() as db:
            rows = db.execute(sa.select(t.exchanges.c.id, t.exchanges.c.state)).all()
        assert {row.id: row.state for row in rows} == {each.id: each.state for each in self.passing}

    @invariant()
    def the_waitlist_is_that_of_the_model(self) -> None:
        with self.house.read() as db:
            rows = db.execute(sa.select(t.waiting_entries)).all()
            freed = db.execute(sa.select(t.freed_times)).all()
        assert {row.id: (row.state, row.passed) for row in rows} == {
            each.id: (each.state, each.passed) for each in self.waiters
        }
        spans = ((row.instrument_number, Span(row.starts_at, row.ends_at), row.freed_by_id) for row in freed)
        assert Counter(spans) == +self.freed


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
    # Many runs meet every part of it often.
    parts = (
        "offered", "taken", "declined", "run out", "form sent", "handed over", "swapped", "series given up",
    )  # fmt: skip
    assert runs < 100 or min(Machine.seen[what] for what in parts) > 5, Machine.seen
