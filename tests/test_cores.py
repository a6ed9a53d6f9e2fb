"""The core that the server's threads keep to: which one, when they move, and that a solver has all of them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from labshare import cores
from labshare.cores import Cores, allowed_cores, choice


@pytest.mark.parametrize(
    ("kept", "used", "chosen"),
    [
        (None, {0: 0.4, 1: 0.1, 2: 0.3}, 1),
        (None, {0: 0.2, 1: 0.2}, 0),
        # Not worth a move, and worth one.
        (0, {0: 0.3, 1: 0.1}, 0),
        (0, {0: 0.36, 1: 0.1}, 1),
        (0, {0: 1.0, 1: 1.0}, 0),
        # The core that was kept is no longer there; nothing is known at all.
        (3, {0: 0.2, 1: 0.1}, 1),
        (None, {}, None),
        (2, {}, 2),
    ],
)
def test_the_least_used_core_is_chosen_and_left_only_for_a_much_better_one(
    kept: int | None, used: dict[int, float], chosen: int | None
) -> None:
    assert choice(kept, used) == chosen


@pytest.fixture
def allowed() -> frozenset[int]:
    """The cores of this process. Whoever keeps to one of them lets go of it again."""
    return allowed_cores()


def test_every_thread_keeps_to_the_core_and_what_is_started_beside_has_all(allowed: frozenset[int]) -> None:
    begun, end = threading.Event(), threading.Event()
    seen: list[frozenset[int]] = []

    def work() -> None:
        begun.set()
        end.wait(10)
        seen.append(allowed_cores())

    early = threading.Thread(target=work)
    early.start()
    begun.wait(10)
    kept = Cores()
    kept.keep()
    # A machine with one core leaves no choice.
    expected = frozenset(allowed if kept.kept is None else {kept.kept})
    assert (len(expected), expected <= allowed) == (min(1, len(allowed)), True)
    late = threading.Thread(target=work)
    late.start()
    end.set()
    for thread in (early, late):
        thread.join(10)
    assert seen == [expected, expected]

    asked = [sys.executable, "-c", "from labshare.cores import allowed_cores; print(sorted(allowed_cores()))"]
    with kept.all():
        beside = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    assert beside.strip() == str(sorted(allowed))
    assert allowed_cores() == expected
    kept.release()
    assert allowed_cores() == allowed


def test_the_threads_move_when_others_use_their_core(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = 4, 7
    moves: list[object] = []
    readings = iter([
        {first: (0, 0), second: (0, 0)},
        {first: (10, 1000), second: (600, 1000)},
        # A second of 1,000 ticks later: much of the first core was used, but by ourselves.
        {first: (910, 2000), second: (700, 2000)},
        {first: (1810, 3000), second: (710, 3000)},
        {first: (2710, 4000), second: (720, 4000)},
    ])  # fmt: skip
    own = iter([0.0, 0.0, 9.0, 9.0, 9.0])
    monkeypatch.setattr(cores, "_move", moves.append)
    # The second time that a move is worth it comes the one that is made.
    chances = iter([0.4, 0.6])
    monkeypatch.setattr(cores.random, "random", lambda: next(chances))
    monkeypatch.setattr(cores, "_ticks", lambda: next(readings))
    monkeypatch.setattr(cores.time, "process_time", lambda: next(own))
    monkeypatch.setattr(os, "sysconf", lambda _: 100)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    found = Cores(frozenset({first, second}))
    chosen: list[int | None] = []
    for _ in range(4):
        found.keep()
        chosen.append(found.kept)
    assert chosen == [first, first, first, second]
    assert moves == [{first}, {second}]


def test_a_core_that_is_taken_from_the_process_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(cores, "_move", refuse)
    ticks = {5: (0, 1000), 6: (900, 1000), 7: (900, 1000)}
    monkeypatch.setattr(cores, "_ticks", lambda: ticks)
    found = Cores(frozenset({5, 6, 7}))
    found.keep()
    assert found.kept is None
    moves: list[object] = []
    monkeypatch.setattr(cores, "_move", moves.append)
    found.keep()
    assert moves == [{6}]
    # Nor does a way back that is refused stop whoever went.
    monkeypatch.setattr(cores.os, "sched_setaffinity", refuse, raising=False)
    with found.all():
        pass


def test_nothing_happens_where_there_is_no_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = allowed_cores()
    # The system may keep what its cores do to itself.
    monkeypatch.setattr(cores, "_STAT", tmp_path / "stat")
    hidden = Cores()
    hidden.keep()
    assert hidden.kept is None
    for alone in (frozenset[int](), frozenset({0})):
        found = Cores(alone)
        found.keep()
        with found.all():
            assert found.kept is None
    assert allowed_cores() == before
