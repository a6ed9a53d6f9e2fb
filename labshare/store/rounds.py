"""Rounds and their offers in the database.

What must not live here: rules (domain/rounds.py), requests (time_requests.py) and plans (plans.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from labshare.domain.rounds import KEEPING, KeptOffer, Offer, Round, RoundState
from labshare.domain.timespan import Span
from labshare.errors import NotFound, Refusal, Refused, Stale
from labshare.store.tables import instruments, offers, rounds

_KEEPING = tuple(sorted(KEEPING))


def offers_over(db: Connection, numbers: Iterable[int], span: Span, *, but: UUID | None = None) -> list[KeptOffer]:
    """What rounds keep of these instruments during the span, the round `but` left out, by instrument and time."""
    query = (
        sa.select(
            offers.c.instrument_number, offers.c.starts_at, offers.c.ends_at, rounds.c.code, rounds.c.publishes_at
        )
        .join(rounds, rounds.c.id == offers.c.round_id)
        .where(
            offers.c.instrument_number.in_(sorted(set(numbers))),
            offers.c.ends_at > span.start,
            offers.c.starts_at < span.end,
            offers.c.released_at.is_(None),
            rounds.c.state.in_(_KEEPING),
        )
        .order_by(offers.c.instrument_number, offers.c.starts_at)
    )
    if but is not None:
        query = query.where(rounds.c.id != but)
    return [
        KeptOffer(
            instrument_number=row.instrument_number,
            span=Span(row.starts_at, row.ends_at),
            round_code=row.code,
            freed_at=row.publishes_at,
        )
        for row in db.execute(query)
    ]


# ---------------------------------------------------------------- rounds


def add(db: Connection, new: Round) -> None:
    """Write a new round. Raises `Refused` when the code is already another round's."""
    if db.execute(sa.select(rounds.c.id).where(rounds.c.code == new.code)).one_or_none():
        raise Refused([Refusal(code="round_code_taken", params={"round": new.code})])
    db.execute(sa.insert(rounds).values(msgspec.structs.asdict(new)))


def get(db: Connection, round_id: UUID, *, lock: bool = False) -> Round:
    """One round; locked until the transaction ends when something will follow from its state. Raises `NotFound`."""
    query = sa.select(rounds).where(rounds.c.id == round_id)
    row = db.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFound("round_not_found")
    return msgspec.convert(row, Round, from_attributes=True)


def by_code(db: Connection, code: str) -> Round | None:
    row = db.execute(sa.select(rounds).where(rounds.c.code == code)).one_or_none()
    return None if row is None else msgspec.convert(row, Round, from_attributes=True)


def change(db: Connection, changed: Round, *, seen_version: int) -> Round:
    """Write a round; returns it with its new version. Raises `Stale` when `seen_version` no longer stands."""
    result = msgspec.structs.replace(changed, version=seen_version + 1)
    values = msgspec.structs.asdict(result)
    del values["id"], values["created_at"], values["created_by_id"]
    done = db.execute(
        sa.update(rounds).where(rounds.c.id == changed.id, rounds.c.version == seen_version).values(**values)
    )
    if done.rowcount != 1:
        raise Stale("round_changed")
    return result


def listed(db: Connection, *, drafts: bool) -> list[Round]:
    """All rounds, those that close last first; drafts only for those who make rounds."""
    query = sa.select(rounds).order_by(rounds.c.closes_at.desc(), rounds.c.code)
    if not drafts:
        query = query.where(rounds.c.state != RoundState.DRAFT)
    return [msgspec.convert(row, Round, from_attributes=True) for row in db.execute(query)]


def by_ids(db: Connection, ids: Iterable[UUID]) -> dict[UUID, Round]:
    rows: Any = db.execute(sa.select(rounds).where(rounds.c.id.in_(set(ids))))
    return {row.id: msgspec.convert(row, Round, from_attributes=True) for row in rows}


# ---------------------------------------------------------------- offers


def offers_of(db: Connection, round_id: UUID) -> tuple[Offer, ...]:
    """The offer of a round, by instrument and time."""
    query = (
        sa.select(offers).where(offers.c.round_id == round_id).order_by(offers.c.instrument_number, offers.c.starts_at)
    )
    return tuple(msgspec.convert(row, Offer, from_attributes=True) for row in db.execute(query))


def put_offers(db: Connection, round_id: UUID, new: Sequence[Offer]) -> None:
    """Make these the whole offer of the round, under the locks of old and new instruments alike."""
    db.execute(sa.delete(offers).where(offers.c.round_id == round_id))
    if new:
        db.execute(sa.insert(offers), [msgspec.structs.asdict(offer) for offer in new])


def release(db: Connection, round_id: UUID, now: datetime) -> None:
    """Give what the round still keeps back to direct booking."""
    held = sa.and_(offers.c.round_id == round_id, offers.c.released_at.is_(None))
    db.execute(sa.update(offers).where(held).values(released_at=now))


def capabilities_of(db: Connection, numbers: Iterable[int]) -> dict[int, str]:
    """The capability of each of these instruments."""
    query = sa.select(instruments.c.number, instruments.c.capability_id)
    rows = db.execute(query.where(instruments.c.number.in_(sorted(set(numbers)))))
    return {row.number: row.capability_id for row in rows}
