"""Many clients of a real server, and what comes of it: one slot that all want, ranges that cross while it is killed.

Run small as slow tests (test_race.py) and at full size by `make bench`, so that the same lines say both.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import sqlalchemy as sa

from labshare.domain.bookings import OCCUPYING
from labshare.domain.people import Actor, Grant, Role
from labshare.domain.timespan import MINUTE, Span
from labshare.errors import LabShareError
from labshare.services import bookings as service
from labshare.services import tokens, wishes
from labshare.services.calendars import closed_dates_over
from labshare.store import tables as t
from labshare.store.engine import Connection, Database, open_database
from tests.furniture import PUBLIC_PROJECT, add_instrument, furnish
from tests.histories import TAKEN, Action, Call, Line, Row, faults
from tests.serving import Server, served

HALF_HOUR = 30 * MINUTE
FIRST_NUMBER, FIRST_PERSON = 100, 1000


class Client(msgspec.Struct, frozen=True):
    """Somebody who may book, with the token of their program."""

    actor: Actor
    secret: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secret}"}


def house(db: Connection, clients: int, instruments: int) -> list[Client]:
    """Instruments that are always open and need nobody beside them, and members of one project who may book them."""
    furnish(db)
    for place in range(instruments):
        add_instrument(db, FIRST_NUMBER + place, "C-ONE", "XRD", opening="daily 00:00-24:00", attended=False)
    actors = [
        Actor(
            person_id=UUID(int=FIRST_PERSON + place),
            login=f"client-{place}",
            name=f"Client {place}",
            organisation_id="I-IMS",
            grants=(Grant(role=Role.RESEARCHER),),
        )
        for place in range(clients)
    ]
    db.execute(
        sa.insert(t.persons),
        [{"id": a.person_id, "login": a.login, "name": a.name, "organisation_id": "I-IMS"} for a in actors],
    )
    db.execute(sa.insert(t.grants), [{"id": uuid4(), "person_id": a.person_id, "role": "researcher"} for a in actors])
    db.execute(sa.insert(t.project_members), [{"project_id": PUBLIC_PROJECT, "person_id": a.person_id} for a in actors])
    now = datetime.now(UTC)
    return [Client(each, tokens.create(db, login=each.login, days=1, label="race", now=now).secret) for each in actors]


def open_days(count: int) -> list[datetime]:
    """The next days that are no holidays, as their mornings (8:00 in Hanoi)."""
    first = datetime.now(UTC).replace(hour=1, minute=0, second=0, microsecond=0) + timedelta(days=2)
    days = [first + timedelta(days=ahead) for ahead in range(3 * count + 20)]
    closed = closed_dates_over(Span(days[0], days[-1]))
    return [day for day in days if day.date() not in closed][:count]


def _asked(instrument: str, span: Span, purpose: str) -> dict[str, str]:
    times = {"starts_at": span.start.isoformat(), "ends_at": span.end.isoformat()}
    return {"instrument": instrument, "project": "KC-01", "purpose": purpose, **times}


# ---------------------------------------------------------------- one slot that all want


class Rounds(msgspec.Struct, kw_only=True):
    """What came of some rounds: the answers of each, and the CPU of the processes that gave them, for each refusal."""

    answers: list[Counter[str]]
    cpu_ms: list[float]

    @property
    def are_fair(self) -> bool:
        """Whether exactly one has the slot in each round, and all others were told that it is taken."""
        return all(each == {"booked": 1, "taken": each.total() - 1} for each in self.answers)


def same_slot_served(url: str, log: Path, clients: int, rounds: int) -> Rounds:
    """Each round all clients ask one server for the same slot at once, over connections that are open already."""
    database = open_database(url)
    with database.write() as db:
        who = house(db, clients, 1)
    database.dispose()
    found = Rounds(answers=[], cpu_ms=[])

    async def race() -> None:
        lines = [await asyncio.open_connection(*server.address) for _ in who]
        for day in open_days(rounds):
            body = msgspec.json.encode(_asked(f"N{FIRST_NUMBER}", Span(day, day + HALF_HOUR), "race"))
            before = server.cpu_seconds()
            for (_, writer), each in zip(lines, who, strict=True):
                writer.write(_request(each, body))
            answers = [await _status(reader) for reader, _ in lines]
            found.answers.append(Counter({201: "booked", TAKEN: "taken"}.get(each, str(each)) for each in answers))
            found.cpu_ms.append((server.cpu_seconds() - before) * 1000 / (clients - 1))
        for _, writer in lines:
            writer.close()

    with served(url, log) as server:
        asyncio.run(race())
    return found


def _request(client: Client, body: bytes) -> bytes:
    """A new booking as it is sent. Two hundred clients of httpx would use more of the machine than the server does."""
    head = {"Host": "localhost", "Content-Type": "application/json", "Content-Length": str(len(body)), **client.headers}
    lines = ["POST /api/v1/bookings HTTP/1.1", *(f"{name}: {value}" for name, value in head.items()), "", ""]
    return "\r\n".join(lines).encode() + body


async def _status(reader: asyncio.StreamReader) -> int:
    """The status of the next answer, which is read to its end."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower().splitlines()
    (length,) = (int(line.partition(":")[2]) for line in head if line.startswith("content-length:"))
    await reader.readexactly(length)
    return int(head[0].split()[1])


def same_slot_by_stores(url: str, clients: int, rounds: int, processes: int) -> Rounds:
    """The same against several processes, each with a database of its own opened on one address, as in a cluster."""
    database = open_database(url)
    with database.write() as db:
        who = [each.actor for each in house(db, clients, 1)]
    database.dispose()
    days = open_days(rounds)
    spawn = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[list[tuple[Counter[str], float]]] = spawn.Queue()
    together = spawn.Barrier(processes)
    workers = [
        spawn.Process(target=_ask, args=(url, who[place::processes], days, together, results))
        for place in range(processes)
    ]
    for worker in workers:
        worker.start()
    each_round = list(zip(*(results.get(timeout=300) for _ in workers), strict=True))
    for worker in workers:
        worker.join()
    return Rounds(
        answers=[sum((answers for answers, _ in told), Counter[str]()) for told in each_round],
        cpu_ms=[sum(cpu for _, cpu in told) * 1000 / (clients - 1) for told in each_round],
    )


def _ask(url: str, who: Sequence[Actor], days: Sequence[datetime], together: Any, results: Any) -> None:
    """One process: in each round all of these ask at once, as the API does, in as many threads as a server has. They
    wait for as long as it takes: on a machine that is busy a lock may come late, and who gave up would tell nothing.
    """
    database = open_database(url, lock_timeout_seconds=60)
    instrument = f"N{FIRST_NUMBER}"

    def ask(actor: Actor) -> str:
        now = datetime.now(UTC)
        try:
            with database.turn(instrument):
                with database.read() as db:
                    wish, seen = wishes.wish_of(db, actor, instrument, "KC-01", span, "")
                    if seen.is_taken:
                        service.look(db, actor, wish, seen.rules, now)
                with database.write() as db:
                    service.book(db, actor, wish, now)
        except LabShareError as error:
            return "taken" if error.status == TAKEN else repr(error)
        return "booked"

    told: list[tuple[Counter[str], float]] = []
    span = Span(days[0], days[0] + HALF_HOUR)
    with ThreadPoolExecutor(10) as threads:
        with ExitStack() as opened:
            # What connections cost to open is not measured.
            for _ in range(10):
                opened.enter_context(database.read()).execute(sa.select(1))
        for day in days:
            together.wait()
            before = time.process_time()
            span = Span(day, day + HALF_HOUR)
            answers = Counter(threads.map(ask, who))
            told.append((answers, time.process_time() - before))
    database.dispose()
    results.put(told)


# ---------------------------------------------------------------- ranges that cross, on a server that is killed


class Crossing(msgspec.Struct, kw_only=True):
    """What came of it. `answers` by status, 0 for those that no answer came to; `looks` for overlaps meanwhile."""

    answers: Counter[int]
    retried: int
    kills: int
    looks: int
    overlaps: int
    deadlocks: int
    faults: list[str]
    stand: int
    seconds: float


def crossing(url: str, log: Path, *, clients: int, calls: int, kills: int, seed: int) -> Crossing:
    """Clients book, move and cancel at random on three instruments and two days, each at most one booking at a time on
    its way, while the server is killed and started again so many times. `calls` is how many each client makes.
    """
    database = open_database(url)
    with database.write() as db:
        who = house(db, clients, 3)
    before = deadlocks(database)
    looking = _Looking(database)
    began = time.monotonic()
    with served(url, log) as server, looking:
        progress = _Progress(clients * calls, kills)
        racers = [_Racer(server, each, random.Random(f"{seed}-{place}"), progress) for place, each in enumerate(who)]
        threads = [threading.Thread(target=racer.run, args=(calls,)) for racer in racers]
        for thread in threads:
            thread.start()
        for _ in range(kills):
            progress.due.acquire()
            server.kill()
            server.start()
        for thread in threads:
            thread.join()
    every = [call for racer in racers for call in racer.calls]
    rows = _rows(database)
    result = Crossing(
        answers=Counter(call.status for call in every),
        retried=sum(racer.retried for racer in racers),
        kills=kills,
        looks=looking.looks,
        overlaps=looking.overlaps,
        deadlocks=deadlocks(database) - before,
        faults=faults(every, _lines(database), rows),
        stand=sum(row.stands for row in rows),
        seconds=time.monotonic() - began,
    )
    database.dispose()
    return result


class _Progress:
    """Counts calls; `due` is released each time another part of them is over, and the server is to be killed."""

    def __init__(self, calls: int, kills: int) -> None:
        self.due = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._count = 0
        self._at = {calls * (turn + 1) // (kills + 1) for turn in range(kills)}

    def add(self) -> None:
        with self._lock:
            self._count += 1
            if self._count in self._at:
                self.due.release()


class _Racer:
    """One client. After a call that was not answered it asks nothing more of that booking, as nobody knows how it
    stands; but every other time it sends the same call with the same key again, until it is answered.
    """

    def __init__(self, server: Server, client: Client, dice: random.Random, progress: _Progress) -> None:
        self.calls: list[Call] = []
        self.retried = 0
        self._server, self._client, self._dice, self._progress = server, client, dice, progress
        self._mine: list[tuple[UUID, str, int]] = []
        self._days = open_days(2)
        self._http = httpx.Client(base_url=server.url, timeout=60, verify=False)

    def run(self, calls: int) -> None:
        for turn in range(calls):
            chance = self._dice.random()
            if self._mine and chance < 0.6:
                mine = self._mine.pop(self._dice.randrange(len(self._mine)))
                self._change(f"{self._client.actor.login}-{turn}", *mine, is_moving=chance < 0.35)
            else:
                instrument = f"N{FIRST_NUMBER + self._dice.randrange(3)}"
                self._book(f"{self._client.actor.login}-{turn}", instrument)
            self._progress.add()
        self._http.close()

    def _span(self) -> Span:
        start = self._dice.choice(self._days) + self._dice.randrange(20) * HALF_HOUR
        return Span(start, start + self._dice.randrange(1, 6) * HALF_HOUR)

    def _book(self, name: str, instrument: str) -> None:
        span = self._span()
        call = Call(name=name, action="book", instrument=instrument, span=span, asked=time.monotonic())
        told = self._ask(call, "POST", "", _asked(instrument, span, name))
        if told:
            call.booking, call.version = UUID(told["id"]), told["version"]
            self._mine.append((call.booking, instrument, call.version))

    def _change(self, name: str, booking: UUID, instrument: str, seen: int, *, is_moving: bool) -> None:
        action: Action = "move" if is_moving else "cancel"
        span = self._span() if is_moving else None
        call = Call(
            name=name, action=action, instrument=instrument, span=span, booking=booking, seen=seen,
            asked=time.monotonic(),
        )  # fmt: skip
        body = {"starts_at": span.start.isoformat(), "ends_at": span.end.isoformat(), "purpose": name} if span else None
        told = self._ask(call, "PATCH" if is_moving else "DELETE", f"/{booking}", body)
        if told:
            call.version = told["version"]
        if is_moving and call.status:
            self._mine.append((booking, instrument, call.version or seen))

    def _ask(self, call: Call, method: str, path: str, body: Any) -> dict[str, Any] | None:
        """Make a call and note what comes of it; the body of the answer, where the change was made."""
        self.calls.append(call)
        headers = {**self._client.headers, "Idempotency-Key": call.name}
        if call.seen:
            headers["If-Match"] = f'"{call.seen}"'
        while True:
            assert self._server.answers.wait(60)
            try:
                answer = self._http.request(method, f"/api/v1/bookings{path}", json=body, headers=headers)
            except httpx.TransportError:
                if self._dice.random() < 0.5:
                    return None
                self.retried += 1
                continue
            call.answered, call.status = time.monotonic(), answer.status_code
            return answer.json() if call.is_done else None


class _Looking:
    """Looks for overlaps all the while, from a connection of its own."""

    def __init__(self, database: Database) -> None:
        self.looks = self.overlaps = 0
        self._database = database
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.05):
            with self._database.read() as db:
                self.overlaps += overlaps(db)
            self.looks += 1


def overlaps(db: Connection) -> int:
    """How many pairs of bookings stand on one instrument at one time."""
    one, other = t.bookings.alias(), t.bookings.alias()
    states = sorted(OCCUPYING)
    query = sa.select(sa.func.count()).where(
        one.c.instrument_number == other.c.instrument_number,
        one.c.id < other.c.id,
        one.c.state.in_(states),
        other.c.state.in_(states),
        one.c.occupied_from < other.c.occupied_until,
        other.c.occupied_from < one.c.occupied_until,
    )
    return db.execute(query).scalar_one()


def deadlocks(database: Database) -> int:
    """How many the server has counted in this database. SQLite knows none: it has one writer."""
    if database.is_sqlite:
        return 0
    with database.read() as db:
        # Connections report as they end, and those of the server that was killed have. A deadlock is also answered 503.
        query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        return db.execute(sa.text(query)).scalar_one()


def _lines(database: Database) -> list[Line]:
    query = sa.select(t.audit).where(t.audit.c.noun == "booking").order_by(t.audit.c.id)
    with database.read() as db:
        rows = [(row, msgspec.json.decode(row.details)) for row in db.execute(query)]
    return [Line(row.action, said["instrument"], UUID(row.noun_id), said["version"]) for row, said in rows]


def _rows(database: Database) -> list[Row]:
    query = sa.select(t.bookings, t.instruments.c.id.label("instrument")).join(t.instruments)
    with database.read() as db:
        return [
            Row(
                row.id, row.instrument, Span(row.starts_at, row.ends_at), row.state in OCCUPYING, row.version,
                row.purpose,
            )
            for row in db.execute(query)
        ]  # fmt: skip
