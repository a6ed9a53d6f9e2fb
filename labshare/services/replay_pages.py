"""Replays that a page asks for and waits for: solved in child processes with a few seconds each, kept in memory only.

Whoever sees everybody's figures in the named centres runs one; it is kept until the process ends, so that the parties
of a changed agreement can look at it too, each through their mask. Nothing is written to the database. One runs at a
time: a second one would make both worse. What must not live here: what a replay is (replay.py).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from labshare.cores import OURS
from labshare.domain.people import Action, Actor, may_somewhere
from labshare.domain.replay import Comparison, Replayed, compared, compared_for
from labshare.domain.sandbox import Overlay
from labshare.errors import Busy, Forbidden, NotFound, NotSignedIn, Refusal, Refused
from labshare.scheduler.plan import Plan
from labshare.scheduler.problem import Problem, encode
from labshare.scheduler.reading import parse_plan
from labshare.services.agreements import sees_all
from labshare.services.replay import Solve
from labshare.store import names
from labshare.store.engine import Connection
from labshare.store.names import Name

# What each of the two or three searches may take, and how far it may overrun that before it is ended.
SECONDS, OVERRUN = 3.0, 12.0
MOST_KEPT = 20


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A replay that somebody has made. `parties` are those of the agreements that its sandbox changes."""

    id: str
    overlay: Overlay
    parties: frozenset[str]
    replayed: Replayed
    made_at: datetime


class Shelf:
    """The newest replays of this process, by number. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = threading.Lock()
        self._made = 0
        self._kept: dict[str, Kept] = {}

    def add(self, overlay: Overlay, replayed: Replayed, now: datetime) -> str:
        """Keep a replay; returns its number. The oldest one gives way."""
        changed = {change.agreement for change in overlay.changes}
        parties = frozenset(
            party for row in replayed.plain.rules if row.agreement_id in changed for party in row.parties
        )
        with self._lock:
            self._made += 1
            kept = Kept(id=str(self._made), overlay=overlay, parties=parties, replayed=replayed, made_at=now)
            self._kept[kept.id] = kept
            while len(self._kept) > MOST_KEPT:
                del self._kept[next(iter(self._kept))]
        return kept.id

    def all(self) -> list[Kept]:
        """The newest first."""
        with self._lock:
            return list(reversed(self._kept.values()))

    @contextmanager
    def alone(self) -> Generator[None]:
        """One replay at a time. Raises `Busy` while another one runs."""
        if not self._running.acquire(blocking=False):
            raise Busy("replay_busy")
        try:
            yield
        finally:
            self._running.release()


def listed(shelf: Shelf, actor: Actor | None) -> list[Kept]:
    """The replays that this person may look at. Raises `NotSignedIn`, and `Forbidden` for who reads no agreement."""
    if actor is None:
        raise NotSignedIn()
    if not may_somewhere(actor, Action.READ_AGREEMENT):
        raise Forbidden("forbidden", action=Action.READ_AGREEMENT.value)
    return [kept for kept in shelf.all() if _sees(actor, kept)]


def look(shelf: Shelf, actor: Actor | None, kept_id: str) -> tuple[Kept, Comparison]:
    """One replay as this person may see it. Raises `NotFound` when it is gone or does not concern them."""
    kept = next((each for each in listed(shelf, actor) if each.id == kept_id), None)
    if kept is None or actor is None:
        raise NotFound("replay_not_found")
    if sees_all(actor, kept.overlay.centres):
        return kept, compared(kept.replayed)
    return kept, compared_for(kept.replayed, actor.partner_ids)


def _sees(actor: Actor, kept: Kept) -> bool:
    return sees_all(actor, kept.overlay.centres) or bool(actor.partner_ids & kept.parties)


def names_of(db: Connection, found: Comparison) -> dict[str, Name]:
    """The names behind the ids of a comparison. One query."""
    return names.names(
        db,
        {row.key for row in found.organisations if row.key},
        {*found.centres, *(row.key for row in found.by_centre if row.key)},
    )


# ---------------------------------------------------------------- a solve that somebody waits for


def solver(*, seconds: float = SECONDS, overrun: float = OVERRUN, seed: int = 1) -> Solve:
    """The solver in a child process, ended when it overruns its budget. Raises `Refused` when it left no plan."""

    def run(problem: Problem) -> Plan:
        with tempfile.TemporaryDirectory(prefix="labshare-") as name:
            problem_file, plan_file = Path(name) / "replay.problem.json", Path(name) / "replay.plan.json"
            problem_file.write_bytes(encode(problem))
            command = [
                *(sys.executable, "-m", "labshare.scheduler", "solve", str(problem_file), "-o", str(plan_file)),
                # One worker: the others answer requests meanwhile.
                *("--seconds", str(seconds), "--seed", str(seed), "--workers", "1", "--progress", "none"),
            ]
            _run(command, seconds + overrun)
            if not plan_file.exists():
                raise Refused([Refusal(code="replay_no_plan")])
            return parse_plan(plan_file.read_bytes())

    return run


def _run(command: list[str], seconds: float) -> None:
    try:
        with OURS.all():
            subprocess.run(  # noqa: S603  our own interpreter and module, no shell
                command, check=False, timeout=seconds, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )  # fmt: skip
    except subprocess.TimeoutExpired:
        return
