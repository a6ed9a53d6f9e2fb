"""What the limits of a centre's own rules cost in a very large centre.

300 instruments, 54,000 bookings ahead and as many behind within 60 days, all of one access class, organisation and
project, and none of another class.

CPU is that of this process on SQLite; PostgreSQL counts in its server, so there the time it takes is told as well.
`make bench` prints a line for each holder.
"""

from __future__ import annotations

import statistics
import time
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from labshare.domain.booking_rules import Holder, Scope, ScopeKind
from labshare.domain.projects import AccessClass
from labshare.domain.timespan import MINUTE
from labshare.store import tables as t
from labshare.store.engine import Connection, Database
from labshare.store.limits import AskedLimits, Seat
from labshare.store.surroundings import around
from labshare.store.types import EPOCH, UTCDateTime
from tests.furniture import FESEM, NOW, PUBLIC_PROJECT, RESEARCHER, furnish, span

INSTRUMENTS, EACH, FIRST = 300, 180, 1000
DAYS = 60
ALL = INSTRUMENTS * EACH
# Who holds a limit, and how much they have ahead.
HOLDERS: tuple[tuple[Holder, UUID | str, int], ...] = (
    (Holder.PERSON, RESEARCHER, ALL),
    (Holder.TEAM, PUBLIC_PROJECT, ALL),
    (Holder.ORGANISATION, "I-IMS", ALL),
    (Holder.ACCESS_CLASS, AccessClass.PUBLIC_RESEARCH.value, ALL),
    (Holder.ACCESS_CLASS, AccessClass.STARTUP.value, 0),
)


def _fill(db: Connection, *, is_sqlite: bool) -> None:
    furnish(db)
    db.execute(
        sa.insert(t.instruments),
        [
            {
                "number": FIRST + place, "id": f"B{place:04}", "centre_id": "C-TWO", "capability_id": "XRD",
                "booking_mode": "time", "opening": "daily 00:00-24:00", "min_minutes": 30, "max_minutes": 480,
                "granularity_minutes": 30, "advance_days": DAYS,
            }
            for place in range(INSTRUMENTS)
        ],
    )  # fmt: skip
    step = DAYS * 1440 // EACH
    turns = sa.select(sa.literal(-EACH).label("turn")).cte(recursive=True)
    turns = turns.union_all(sa.select(turns.c.turn + 1).where(turns.c.turn < EACH - 1))
    begins = sa.literal((NOW - EPOCH) // MINUTE) + turns.c.turn * step
    new_id = sa.func.lower(sa.func.hex(sa.func.randomblob(16))) if is_sqlite else sa.func.gen_random_uuid()
    number = t.instruments.c.number
    values: dict[str, Any] = {
        "id": new_id, "instrument_number": number, "kind": sa.literal("use"), "state": sa.literal("confirmed"),
        "starts_at": begins, "ends_at": begins + 240, "occupied_from": begins, "occupied_until": begins + 240,
        "person_id": sa.literal(RESEARCHER, sa.Uuid()), "project_id": sa.literal(PUBLIC_PROJECT, sa.Uuid()),
        "organisation_id": sa.literal("I-IMS"), "access_class": sa.literal("public_research"),
        "activity": sa.literal("non_economic"), "created_at": sa.literal(NOW, UTCDateTime()),
        "updated_at": sa.literal(NOW, UTCDateTime()),
    }  # fmt: skip
    rows = sa.select(*values.values()).select_from(sa.join(t.instruments, turns, sa.true())).where(number >= FIRST)
    db.execute(sa.insert(t.bookings).from_select(list(values), rows))
    db.execute(sa.text("ANALYZE"))


def test_counting_what_is_ahead(database: Database) -> None:
    with database.write() as db:
        _fill(db, is_sqlite=database.is_sqlite)
    for holder, holder_id, stand in HOLDERS:
        _measure(database, holder, holder_id, stand)


def _measure(database: Database, holder: Holder, holder_id: UUID | str, stand: int) -> None:
    for most in (20, 1_000, 9_999, 100_000):
        seat = Seat(uuid4(), Scope(ScopeKind.CENTRE, "C-TWO"), holder, holder_id, None, most)
        cpu: list[float] = []
        wall: list[float] = []
        with database.read() as db:
            for _ in range(7):
                before, began = time.process_time(), time.monotonic()
                (taken,) = around(db, FESEM, span(25, 1, 2), limits=AskedLimits([seat], NOW)).taken
                cpu.append((time.process_time() - before) * 1000)
                wall.append((time.monotonic() - began) * 1000)
                assert taken.uses == min(most + 1, stand)
        kind = "sqlite" if database.is_sqlite else "postgresql"
        what = f"a limit of {most:7,} uses, {holder.value:12} with {stand:6,} ahead"
        print(
            f"\n{what} {kind:10} CPU ms: median {statistics.median(cpu):6.2f}"
            f"  least {min(cpu):6.2f}  time: least {min(wall):6.2f}"
        )
