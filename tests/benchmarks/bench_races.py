"""Many clients at once: 200 that want one slot, and 24 whose ranges cross while the server is killed with -9.

The slot is asked for over HTTP against one `labshare serve`, and by the services in two processes with a `Database` of
their own each, as several machines on one PostgreSQL would (one process serves SQLite; its lock holds all the same).
What is asserted here is what the product promises; CPU is that of the server (of all store processes) over a round, for
each refusal in it. `make bench` prints a line for each.
"""

from __future__ import annotations

import statistics
from collections import Counter
from pathlib import Path

from tests.races import Rounds, crossing, same_slot_by_stores, same_slot_served

CLIENTS, ROUNDS = 200, 8


def _print(what: str, url: str, found: Rounds) -> None:
    answers = dict(sum(found.answers, Counter[str]()))
    print(
        f"\n{what:38} {url.partition(':')[0]:10} {len(found.answers)} rounds of {CLIENTS}: {answers}"
        f"  CPU ms for each refusal: median {statistics.median(found.cpu_ms):.2f}  least {min(found.cpu_ms):.2f}"
        f"  most {max(found.cpu_ms):.2f}"
    )
    assert found.are_fair, found.answers


def test_one_slot_over_http(database_url: str, tmp_path: Path) -> None:
    found = same_slot_served(database_url, tmp_path / "log", CLIENTS, ROUNDS)
    _print("one slot, over HTTP", database_url, found)


def test_one_slot_by_two_processes(database_url: str) -> None:
    _print("one slot, by two store processes", database_url, same_slot_by_stores(database_url, CLIENTS, ROUNDS, 2))


def test_crossing_ranges_on_a_server_that_is_killed(database_url: str, tmp_path: Path) -> None:
    found = crossing(database_url, tmp_path / "log", clients=24, calls=100, kills=5, seed=20261129)
    answers = dict(sorted(found.answers.items()))
    print(
        f"\n{'crossing ranges, 24 clients':38} {database_url.partition(':')[0]:10} {found.answers.total()} calls in"
        f" {found.seconds:.0f} s, {found.kills} kills: by status {answers}, {found.retried} sent again; {found.stand}"
        f" stand; {found.looks} looks, {found.overlaps} overlaps, {found.deadlocks} deadlocks,"
        f" {len(found.faults)} faults"
    )
    assert (found.faults, found.overlaps, found.deadlocks) == ([], 0, 0)
