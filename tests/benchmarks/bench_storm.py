"""Whatever writes bookings, all at once and for longer than the tests do it: what was done, refused, and must not be.

`make bench` prints a line for each database.
"""

from __future__ import annotations

import time
from collections import Counter

from labshare.store.engine import Database
from tests.storms import storm

THREADS, TRIES, SEED = 8, 500, 20261201


def test_a_storm(database: Database) -> None:
    began = time.monotonic()
    found = storm(database, threads=THREADS, tries=TRIES, seed=SEED)
    ends = Counter[str]()
    for what, count in found.done.items():
        ends[what.rpartition(": ")[2]] += count
    print(
        f"\nall that writes, {THREADS} threads  {'sqlite' if database.is_sqlite else 'postgresql':10}"
        f" {found.done.total()} in {time.monotonic() - began:.0f} s: {dict(sorted(ends.items()))};"
        f" {found.overlaps} overlaps, {found.deadlocks} deadlocks, {len(found.faults)} faults,"
        f" {found.mended_balances} balances mended, {found.without_deadline} without a deadline"
    )
    assert (found.faults, found.overlaps, found.deadlocks) == ([], 0, 0)
    assert (found.mended_balances, found.without_deadline) == (0, 0)
