"""Many people who do all at once whatever writes bookings, and what comes of it on a real database.

Each thread does one thing after the other by the services, as the serving process does, while another does what is due.
What is looked for: time that is given twice, deadlocks, and balances or deadlines that do not say what the bookings do.
Run small as a slow test (test_storm.py) and longer by `make bench`, as the races are (races.py).
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import sqlalchemy as sa

from labshare.domain.agreements import Level, Version
from labshare.domain.agreements import Scope as Where
from labshare.domain.booking_rules import CutOff, Holder, MostBookings, Scope, ScopeKind
from labshare.domain.bookings import OCCUPYING, Booking, BookingKind, BookingState, Wish
from labshare.domain.people import Actor
from labshare.domain.series import Conflicts, Frequency, Reach, Repeat
from labshare.domain.timespan import MINUTE, Span
from labshare.domain.waitlist import WaitingEntry, WaitingState
from labshare.errors import LabShareError
from labshare.services import (
    approvals,
    balances,
    booking_rules,
    bookings,
    exchanges,
    holds,
    moves,
    qualifications,
    series,
    ticking,
    time_requests,
    waitlist,
)
from labshare.services.time_requests import RequestWish
from labshare.store import agreements
from labshare.store import bookings as bookings_store
from labshare.store import tables as t
from labshare.store.due import Due
from labshare.store.engine import Connection, Database
from tests.domain.test_agreements import a_rule, an_agreement
from tests.furniture import ADMINISTRATOR, MANAGER, NOW, PUBLIC_PROJECT, actor
from tests.races import FIRST_NUMBER, deadlocks, house
from tests.round_of import open_round
from tests.round_of import span as span_in_round

PEOPLE, INSTRUMENTS, HALF_HOUR, MOST = 12, 4, 30 * MINUTE, 6
NUMBERS = tuple(range(FIRST_NUMBER, FIRST_NUMBER + INSTRUMENTS))
# Two at a time use the last one; what is booked of the first waits for its centre.
DOUBLE, DECIDED = NUMBERS[-1], NUMBERS[0]
TEAM = MostBookings(holder=Holder.TEAM, most=25)
BOSS = actor(MANAGER)
# No two of these are mended by a retry of ours: the database gave one of two transactions up.
DEADLOCK = "40P01"


class Storm(msgspec.Struct, kw_only=True):
    """What came of it: how often each thing was done or refused, and whatever must not be."""

    done: Counter[str]
    faults: list[str]
    deadlocks: int
    overlaps: int
    mended_balances: int
    without_deadline: int
    most_of_team: int


def storm(database: Database, *, threads: int, tries: int, seed: int) -> Storm:
    """So many threads, each with so many tries."""
    with database.write() as db:
        people = _house(db)
    before = deadlocks(database)
    clock, over = _Clock(), threading.Event()
    crowd = [_One(database, people, random.Random(f"{seed}-{place}"), clock) for place in range(threads)]
    running = [threading.Thread(target=each.run, args=(tries,)) for each in crowd]
    ticker = threading.Thread(target=crowd[0].tick, args=(over,))
    for each in [*running, ticker]:
        each.start()
    for each in running:
        each.join()
    over.set()
    ticker.join()
    with database.write() as db:
        return Storm(
            done=sum((each.done for each in crowd), Counter[str]()),
            faults=[fault for each in crowd for fault in each.faults],
            deadlocks=deadlocks(database) - before,
            overlaps=_over_capacity(db),
            mended_balances=balances.recount(db, clock.now),
            without_deadline=_without_deadline(db),
            most_of_team=_ahead(db, clock.now),
        )


def _house(db: Connection) -> list[Actor]:
    """The house of the races with an agreement over it, a limit for the team, and a round to which people may apply."""
    people = [client.actor for client in house(db, PEOPLE, INSTRUMENTS)]
    db.execute(sa.update(t.instruments).where(t.instruments.c.number == DOUBLE).values(capacity=2))
    db.execute(sa.update(t.instruments).where(t.instruments.c.number == NUMBERS[1]).values(attended=True))
    share = a_rule(id="r01", where=Where(centres=("C-ONE",)), level=Level.SCOPE)
    agreement = an_agreement(share, parties=("I-IMS",), covered=Where(centres=("C-ONE",)))
    agreements.add_version(db, Version(number=1, agreement=agreement), actor_id=None, now=NOW - timedelta(days=9))
    booking_rules.post(db, actor(ADMINISTRATOR), Scope(ScopeKind.CENTRE, "C-ONE"), TEAM, NOW)
    approvals.choose(db, BOSS, f"N{DECIDED}", "everybody", 24, NOW)
    open_round(db, *((f"N{number}", span_in_round(2, 8, 12)) for number in NUMBERS[1:3]))
    return people


class _Clock:
    """Twenty seconds go by between two things that anybody does."""

    def __init__(self) -> None:
        self._lock, self.now = threading.Lock(), NOW

    def next(self) -> datetime:
        with self._lock:
            self.now += timedelta(seconds=20)
            return self.now


class _One:
    """One thread: each time somebody else, who does something else."""

    def __init__(self, database: Database, people: list[Actor], rng: random.Random, clock: _Clock) -> None:
        self._database, self._people, self._rng, self._clock = database, people, rng, clock
        self.done: Counter[str] = Counter()
        self.faults: list[str] = []

    def run(self, tries: int) -> None:
        ways = list(_WAYS)
        for _ in range(tries):
            way = self._rng.choices(ways, [_WAYS[each] for each in ways])[0]
            self.attempt(way.__name__, lambda db, way=way: way(self, db, self._rng.choice(self._people)))

    def tick(self, over: threading.Event) -> None:
        """What is due, until all others are done and nothing is left."""
        rows: list[Due] = []
        while not over.wait(0.05) or rows:
            with self._database.read() as db:
                rows = ticking.deadlines(db, self._clock.now)
            for row in rows:
                self.attempt(f"tick {row.kind}", lambda db, row=row: ticking.deal_with(db, row, self._clock.now))

    def attempt(self, what: str, work: Callable[[Connection], object]) -> None:
        try:
            with self._database.write() as db:
                work(db)
            self.done[f"{what}: done"] += 1
        except LabShareError as error:
            self.done[f"{what}: {error.status}"] += 1
            if getattr(getattr(error.__cause__, "orig", None), "sqlstate", None) == DEADLOCK:
                self.faults.append(f"{what}: deadlock")
        except Exception as fault:  # noqa: BLE001 - a fault of any kind is what is looked for
            self.faults.append(f"{what}: {fault!r}")

    # ------------------------------------------------------------ what people do

    def span(self) -> Span:
        start = self._clock.now.replace(minute=0, second=0, microsecond=0)
        start += HALF_HOUR * self._rng.randrange(3, 60)
        return Span(start, start + HALF_HOUR * self._rng.randrange(1, 6))

    def wish(self, who: Actor) -> Wish:
        number = self._rng.choice(NUMBERS)
        return Wish(instrument_number=number, span=self.span(), person_id=who.person_id, project_id=PUBLIC_PROJECT)

    def any(self, db: Connection, *conditions: Any) -> Booking | None:
        ids = list(db.execute(sa.select(t.bookings.c.id).where(*conditions)).scalars())
        return bookings_store.get(db, self._rng.choice(ids)) if ids else None

    def own(self, db: Connection, who: Actor, *conditions: Any) -> Booking | None:
        stands = t.bookings.c.state.in_(sorted({BookingState.CONFIRMED, BookingState.PENDING}))
        return self.any(db, t.bookings.c.person_id == who.person_id, stands, *conditions)

    def book(self, db: Connection, who: Actor) -> None:
        bookings.book(db, who, self.wish(who), self._clock.next())

    def several(self, db: Connection, who: Actor) -> None:
        wishes = [self.wish(who) for _ in range(self._rng.randrange(2, 4))]
        bookings.book_all(db, who, wishes, self._clock.next())

    def move(self, db: Connection, who: Actor) -> None:
        if booking := self.own(db, who):
            number = self._rng.choice((booking.instrument_number, *NUMBERS))
            version, now = booking.version, self._clock.next()
            moves.move_to(db, who, booking.id, number, self.span(), seen_version=version, now=now)

    def cancel(self, db: Connection, who: Actor) -> None:
        if booking := self.own(db, who):
            bookings.cancel(db, who, booking.id, seen_version=booking.version, now=self._clock.next())

    def hold(self, db: Connection, who: Actor) -> None:
        wish = self.wish(who)
        kept = holds.hold(db, who, wish, self._clock.next())
        if self._rng.random() < 0.5:
            bookings.book(db, who, msgspec.structs.replace(wish, replaces_id=kept.id), self._clock.next())

    def series(self, db: Connection, who: Actor) -> None:
        repeat = Repeat(frequency=Frequency.DAILY, count=self._rng.randrange(2, 5))
        series.create(db, who, self.wish(who), repeat, self._rng.choice(list(Conflicts)), self._clock.next())

    def dates(self, db: Connection, who: Actor) -> None:
        booking = self.own(db, who, t.bookings.c.series_id.is_not(None))
        if booking is None or booking.series_id is None:
            return
        reach, version = self._rng.choice(list(Reach)), series.show(db, who, booking.series_id).version
        if self._rng.random() < 0.5:
            now = self._clock.next()
            series.move(db, who, booking.id, self.span(), reach, seen_version=version, now=now)
        else:
            series.cancel(db, who, booking.id, reach, seen_version=version, now=self._clock.next())

    def decide(self, db: Connection, who: Actor) -> None:
        if booking := self.any(db, t.bookings.c.state == BookingState.PENDING):
            decided = self._rng.choice((approvals.approve, approvals.decline))
            decided(db, BOSS, booking.id, seen_version=booking.version, now=self._clock.next(), note="busy")

    def block(self, db: Connection, who: Actor) -> None:
        number = self._rng.choice(NUMBERS)
        bookings.block(db, BOSS, number, BookingKind.MAINTENANCE, self.span(), "pump", self._clock.next())

    def wait(self, db: Connection, who: Actor) -> None:
        number = self._rng.choice((None, *NUMBERS))
        day = (self._clock.now + timedelta(hours=7)).date()
        entry = WaitingEntry(
            id=uuid4(), person_id=who.person_id, project_id=PUBLIC_PROJECT, instrument_number=number,
            capability_id=None if number else "XRD", minutes=self._rng.choice((30, 60, 90)), from_date=day,
            until_date=day + timedelta(days=2), created_at=self._clock.now,
        )  # fmt: skip
        waitlist.join(db, who, entry, self._clock.next())

    def answer(self, db: Connection, who: Actor) -> None:
        places = [each.line.entry for each in waitlist.mine(db, who, self._clock.now)]
        offered = [each for each in places if each.state is WaitingState.OFFERED]
        if offered:
            way = self._rng.choice((waitlist.accept, waitlist.accept, waitlist.decline, waitlist.leave))
            way(db, who, offered[0].id, self._clock.next())

    def exchange(self, db: Connection, who: Actor) -> None:
        mine = exchanges.mine(db, who, self._clock.now)
        asked = [line for line in mine if line.exchange.giver_id != who.person_id]
        if asked:
            line, now = self._rng.choice(asked), self._clock.next()
            exchanges.accept(db, who, line.exchange.id, PUBLIC_PROJECT, seen_version=line.version, now=now)
        elif booking := self.own(db, who):
            to, version = self._rng.choice(exchanges.colleagues(db, who)), booking.version
            exchanges.hand_over(db, who, booking.id, UUID(to.id), seen_version=version, now=self._clock.next())

    def apply(self, db: Connection, who: Actor) -> None:
        round_id = db.execute(sa.select(t.rounds.c.id)).scalar_one()
        wish = RequestWish(
            project_id=PUBLIC_PROJECT, purpose="films", sessions=1, session_minutes=60, min_sessions=1,
            instrument_ids=tuple(f"N{number}" for number in NUMBERS[1:3]),
        )  # fmt: skip
        time_requests.apply(db, who, round_id, wish, self._clock.next())

    def qualify(self, db: Connection, who: Actor) -> None:
        code, now = f"N{self._rng.choice(NUMBERS)}", self._clock.next()
        asked = qualifications.ask(db, who, code, 1, "", now)
        if self._rng.random() < 0.7:
            qualifications.grant(db, BOSS, asked.id, level=1, until=None, now=now)

    def rule(self, db: Connection, who: Actor) -> None:
        scope = Scope(ScopeKind.INSTRUMENT, f"N{self._rng.choice(NUMBERS)}")
        posted = booking_rules.post(db, BOSS, scope, CutOff(hours=1), self._clock.next())
        booking_rules.end(db, BOSS, posted.id, self._clock.next())


# How often each is done, beside the others.
_WAYS: dict[Callable[[_One, Connection, Actor], None], int] = {
    _One.book: 20, _One.several: 8, _One.move: 12, _One.cancel: 10, _One.hold: 6, _One.series: 4,
    _One.dates: 4, _One.decide: 8, _One.block: 2, _One.wait: 8, _One.answer: 12, _One.exchange: 8,
    _One.apply: 6, _One.qualify: 3, _One.rule: 1,
}  # fmt: skip


# ---------------------------------------------------------------- what must hold


def _over_capacity(db: Connection) -> int:
    """How many times an instrument begins to be in use by more than it has room for. A block takes all of it."""
    found = 0
    capacities = {number: 2 if number == DOUBLE else 1 for number in NUMBERS}
    for number, capacity in capacities.items():
        stand = sa.select(t.bookings.c.kind, t.bookings.c.occupied_from, t.bookings.c.occupied_until).where(
            t.bookings.c.instrument_number == number, t.bookings.c.state.in_(sorted(OCCUPYING))
        )
        steps: list[tuple[datetime, int]] = []
        for kind, begins, ends in db.execute(stand):
            units = 1 if kind == BookingKind.USE else capacity
            steps += [(begins, units), (ends, -units)]
        taken = 0
        for _, units in sorted(steps):
            taken += units
            found += taken > capacity
    return found


def _without_deadline(db: Connection) -> int:
    """Bookings that are only kept, or wait for their centre, and that nothing would ever end."""
    waits = sa.select(t.bookings.c.id, t.bookings.c.state).where(
        t.bookings.c.state.in_(sorted({BookingState.HELD, BookingState.PENDING}))
    )
    due = {(row.kind, row.noun_id) for row in db.execute(sa.select(t.due.c.kind, t.due.c.noun_id))}
    kinds = {BookingState.HELD: "hold_expires", BookingState.PENDING: "approval_ends"}
    return sum((kinds[row.state], str(row.id)) not in due for row in db.execute(waits))


def _ahead(db: Connection, now: datetime) -> int:
    """What counts against the limit of the one team there is."""
    counted = sa.select(sa.func.count()).where(
        t.bookings.c.project_id == PUBLIC_PROJECT,
        t.bookings.c.instrument_number.in_(NUMBERS),
        t.bookings.c.kind == BookingKind.USE,
        t.bookings.c.state.in_(sorted(OCCUPYING)),
        t.bookings.c.ends_at > now.replace(second=0, microsecond=0),
    )
    return db.execute(counted).scalar_one()
