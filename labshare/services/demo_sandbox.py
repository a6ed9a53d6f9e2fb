"""The demo's running trial: the floor for startups of fixtures/sandboxes, begun some weeks ago, replayed and measured.

It goes the way that people go, so that nothing stands in the demo that could not have come about. What must not live
here: what the trial says (fixtures/sandboxes).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

import msgspec

from labshare.domain.people import Actor
from labshare.domain.sandbox import MOST_DAYS
from labshare.domain.sandbox_documents import from_toml, to_toml
from labshare.services import replay, sandboxes
from labshare.store.engine import Connection

SINCE = timedelta(days=20)
# One day of demand, searched no longer than the start of a demo may wait; the comparison says how much it leaves open.
STEPS = 50
AUTHORITY = "Quyết định minh họa"
EVIDENCE = "Nhật ký sử dụng (minh họa)"


class Cast(msgspec.Struct, frozen=True, kw_only=True):
    """Who runs the trial, and a past day on which its centre was used."""

    office: Actor
    administrator: Actor
    busy_day: date


def run_trial(db: Connection, text: str, cast: Cast, today: date, now: datetime) -> None:
    """Propose, replay and approve the part of the trial that adds rules, and enter a value of each kind.

    It holds from now on: what stands in the demo's calendar was booked without it.
    """
    written = from_toml(text)
    start = today - SINCE
    overlay = msgspec.structs.replace(
        written,
        start=start,
        end=start + timedelta(days=MOST_DAYS - 1),
        changes=tuple(change for change in written.changes if change.add),
    )
    proposed = sandboxes.propose(db, cast.office, to_toml(overlay), now - SINCE)
    asked = replay.Asked(overlay=overlay, first=cast.busy_day, last=cast.busy_day, freedom_days=0)
    done = replay.replayed(replay.load(db, asked, now), replay.solver(seconds=None, steps=STEPS, seed=1))
    sandboxes.keep_replay(db, cast.office, overlay.id, proposed.number, done, now)
    sandboxes.approve(db, cast.administrator, overlay.id, seen_version=proposed.version, authority=AUTHORITY, now=now)
    for metric, value in (("startup-share", "2 %"), ("incidents", "1/800")):
        sandboxes.measure(
            db,
            cast.office,
            overlay.id,
            metric=metric,
            day=today - timedelta(days=1),
            value=value,
            evidence=EVIDENCE,
            now=now,
        )
