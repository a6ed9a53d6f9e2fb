"""Sandboxes in the database: trials with their versions, when each holds, what was done, replays and measured values.

`hold` and `release` are all that changes what is in force. What must not live here: what may be done when
(domain/sandboxes.py). No other file writes these tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from labshare.domain.replay import Replayed
from labshare.domain.sandbox import Holding, Overlay
from labshare.domain.sandbox_documents import from_json, to_json
from labshare.domain.sandboxes import Reading, Sandbox, SandboxState, Taken
from labshare.domain.timespan import Span
from labshare.store import facts
from labshare.store.tables import (
    sandbox_readings,
    sandbox_replays,
    sandbox_spans,
    sandbox_steps,
    sandbox_versions,
    sandboxes,
)

_SPANS = (
    sa.select(sandbox_versions.c.document, sandbox_spans.c.starts_at, sandbox_spans.c.ends_at)
    .join(
        sandbox_versions,
        sa.and_(
            sandbox_versions.c.sandbox_id == sandbox_spans.c.sandbox_id,
            sandbox_versions.c.number == sandbox_spans.c.number,
        ),
    )
    .order_by(sandbox_spans.c.sandbox_id, sandbox_spans.c.starts_at)
)
# ---------------------------------------------------------------- what is in force


def every_holding(db: Connection) -> list[Holding]:
    """Every overlay that holds at some time, with its time. One query."""
    found: dict[str, list[Span]] = {}
    for document, start, end in db.execute(_SPANS):
        found.setdefault(document, []).append(Span(start, end))
    return [Holding(overlay=_overlay(document), spans=tuple(spans)) for document, spans in found.items()]


# A text that has been read before means what it meant then.
@lru_cache(maxsize=256)
def _overlay(document: str) -> Overlay:
    return from_json(document)


def hold(db: Connection, sandbox_id: str, number: int, span: Span) -> None:
    """Let this version hold for this time."""
    row = {"sandbox_id": sandbox_id, "number": number, "starts_at": span.start, "ends_at": span.end}
    db.execute(sa.insert(sandbox_spans).values(row))
    facts.renew_stamp(db)


def release(db: Connection, sandbox_id: str, moment: datetime) -> None:
    """Let nothing of this trial hold from this minute on. What was in force before it stays as it was."""
    mine = sandbox_spans.c.sandbox_id == sandbox_id
    db.execute(sa.delete(sandbox_spans).where(mine, sandbox_spans.c.starts_at >= moment))
    db.execute(sa.update(sandbox_spans).where(mine, sandbox_spans.c.ends_at > moment).values(ends_at=moment))
    facts.renew_stamp(db)


# ---------------------------------------------------------------- trials and versions


def add(db: Connection, overlay: Overlay) -> None:
    """Keep a new trial as a draft, with its first version."""
    row = {"id": overlay.id, "state": SandboxState.DRAFTED.value, "number": 1}
    db.execute(sa.insert(sandboxes).values(row))
    _add_version(db, overlay, 1)


def adjust(db: Connection, overlay: Overlay, number: int) -> None:
    """Keep a new version, which is not approved yet. The caller saves the trial."""
    _add_version(db, overlay, number)


def _add_version(db: Connection, overlay: Overlay, number: int) -> None:
    row = {"sandbox_id": overlay.id, "number": number, "document": to_json(overlay)}
    db.execute(sa.insert(sandbox_versions).values(row))


def get(db: Connection, sandbox_id: str, *, lock: bool = False) -> Sandbox | None:
    """One trial, or None. With `lock` nobody else changes it before this transaction ends."""
    if lock:
        db.execute(sa.select(sandboxes.c.id).where(sandboxes.c.id == sandbox_id).with_for_update())
    return next(iter(_sandboxes(db, sandboxes.c.id == sandbox_id)), None)


def every(db: Connection) -> list[Sandbox]:
    """Every trial, by id."""
    return _sandboxes(db, sa.true())


def save(db: Connection, sandbox: Sandbox, *, seen_version: int) -> bool:
    """Write where it stands over the version that was seen; False when that no longer stands."""
    values = {
        "state": sandbox.left.value,
        "number": sandbox.number,
        "approved_number": sandbox.approved_number,
        "version": seen_version + 1,
    }
    standing = sa.and_(sandboxes.c.id == sandbox.id, sandboxes.c.version == seen_version)
    return db.execute(sa.update(sandboxes).where(standing).values(values)).rowcount == 1


def _sandboxes(db: Connection, where: sa.ColumnElement[bool]) -> list[Sandbox]:
    query = (
        sa.select(sandboxes, sandbox_versions.c.document)
        .join(sandbox_versions, sandbox_versions.c.sandbox_id == sandboxes.c.id)
        .where(where)
        .order_by(sandboxes.c.id, sandbox_versions.c.number)
    )
    rows: dict[str, list[Any]] = {}
    for row in db.execute(query):
        rows.setdefault(row.id, []).append(row)
    return [
        Sandbox(
            id=sandbox_id,
            left=SandboxState(some[0].state),
            overlays=tuple(_overlay(row.document) for row in some),
            approved_number=some[0].approved_number,
            version=some[0].version,
        )
        for sandbox_id, some in rows.items()
    ]


# ---------------------------------------------------------------- what was done, replayed and measured


def add_step(db: Connection, sandbox_id: str, taken: Taken) -> None:
    db.execute(sa.insert(sandbox_steps).values(msgspec.structs.asdict(taken) | {"sandbox_id": sandbox_id}))


def steps(db: Connection, sandbox_id: str) -> list[Taken]:
    """What was done with it, the first thing first."""
    query = sa.select(sandbox_steps).where(sandbox_steps.c.sandbox_id == sandbox_id).order_by(sandbox_steps.c.id)
    return [msgspec.convert(row, Taken, from_attributes=True) for row in db.execute(query)]


class KeptReplay(msgspec.Struct, frozen=True, kw_only=True):
    """A replay that is kept with a version of a trial."""

    id: UUID
    number: int
    replayed: Replayed
    at: datetime


def add_replay(
    db: Connection, sandbox_id: str, number: int, replayed: Replayed, *, person_id: UUID | None, now: datetime
) -> None:
    document = msgspec.json.encode(replayed, enc_hook=_write).decode()
    row = {"id": uuid4(), "sandbox_id": sandbox_id, "number": number, "document": document}
    db.execute(sa.insert(sandbox_replays).values(row | {"person_id": person_id, "at": now}))


def replays(db: Connection, sandbox_id: str) -> list[KeptReplay]:
    """The newest first."""
    mine = sandbox_replays.c.sandbox_id == sandbox_id
    query = sa.select(sandbox_replays).where(mine).order_by(sandbox_replays.c.at.desc(), sandbox_replays.c.id)
    return [
        KeptReplay(
            id=row.id,
            number=row.number,
            replayed=msgspec.json.decode(row.document, type=Replayed, dec_hook=_read),
            at=row.at,
        )
        for row in db.execute(query)
    ]


def has_replay(db: Connection, sandbox_id: str, number: int) -> bool:
    """Whether one is kept with this version."""
    query = sa.select(sandbox_replays.c.id)
    mine = query.where(sandbox_replays.c.sandbox_id == sandbox_id, sandbox_replays.c.number == number)
    return db.execute(mine).first() is not None


def add_reading(db: Connection, sandbox_id: str, reading: Reading) -> None:
    row = msgspec.structs.asdict(reading) | {"sandbox_id": sandbox_id, "value": str(reading.value)}
    db.execute(sa.insert(sandbox_readings).values(row))


def readings(db: Connection, sandbox_ids: Sequence[str]) -> dict[str, list[Reading]]:
    """The values of these trials in the order in which they were entered. One query."""
    query = sa.select(sandbox_readings).where(sandbox_readings.c.sandbox_id.in_(sandbox_ids))
    found: dict[str, list[Reading]] = {sandbox_id: [] for sandbox_id in sandbox_ids}
    for row in db.execute(query.order_by(sandbox_readings.c.id)):
        found[row.sandbox_id].append(
            Reading(
                metric=row.metric,
                day=row.day,
                value=Fraction(row.value),
                evidence=row.evidence,
                person_id=row.person_id,
                at=row.at,
            )
        )
    return found


def _write(value: object) -> str:
    if not isinstance(value, Fraction):
        raise NotImplementedError(repr(value))
    return str(value)


def _read(kind: type[Any], value: Any) -> Any:
    return Fraction(value)
