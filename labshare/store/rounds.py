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
from labshare.store.tables import capabilities, centres, instruments, offers, organisations, rounds

_KEEPING = tuple(sorted(KEEPING))


# Built once: every booking asks it, and building it would cost more than running it.
_OFFERS_OVER = (
    sa.select(offers.c.instrument_number, offers.c.starts_at, offers.c.ends_at, rounds.c.code, rounds.c.publishes_at)
    .join(rounds, rounds.c.id == offers.c.round_id)
    .where(
        offers.c.instrument_number.in_(sa.bindparam("numbers", expanding=True)),
        offers.c.ends_at > sa.bindparam("start"),
        offers.c.starts_at < sa.bindparam("end"),
        offers.c.released_at.is_(None),
        rounds.c.state.in_(_KEEPING),
    )
    .order_by(offers.c.instrument_number, offers.c.starts_at)
)


def offers_over(db: Connection, numbers: Iterable[int], span: Span, *, but: UUID | None = None) -> list[KeptOffer]:
    """What rounds keep of these instruments during the span, the round `but` left out, by instrument and time."""
    query = _OFFERS_OVER if but is None else _OFFERS_OVER.where(rounds.c.id != but)
    asked = {"numbers": sorted(set(numbers)), "start": span.start, "end": span.end}
    return [
        KeptOffer(
            instrument_number=row.instrument_number,
            span=Span(row.starts_at, row.ends_at),
            round_code=row.code,
            freed_at=row.publishes_at,
        )
        for row in db.execute(query, asked)
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


def listed(db: Connection) -> list[Round]:
    """All rounds, drafts too, those that close last first."""
    query = sa.select(rounds).order_by(rounds.c.closes_at.desc(), rounds.c.code)
    return [msgspec.convert(row, Round, from_attributes=True) for row in db.execute(query)]


def horizons(db: Connection, span: Span | None = None) -> dict[str, Span]:
    """The horizons (those that touch the span), by code, of rounds that were announced and not withdrawn. One query."""
    query = sa.select(rounds.c.code, rounds.c.starts_at, rounds.c.ends_at).where(
        rounds.c.state.not_in((RoundState.DRAFT, RoundState.WITHDRAWN))
    )
    if span is not None:
        query = query.where(rounds.c.starts_at < span.end, rounds.c.ends_at > span.start)
    return {code: Span(start, end) for code, start, end in db.execute(query)}


def numbers_by_round(db: Connection, round_ids: Iterable[UUID]) -> dict[UUID, set[int]]:
    """The instruments that each of these rounds offers or offered."""
    found: dict[UUID, set[int]] = {}
    query = sa.select(offers.c.round_id, offers.c.instrument_number).distinct()
    for round_id, number in db.execute(query.where(offers.c.round_id.in_(set(round_ids)))):
        found.setdefault(round_id, set()).add(number)
    return found


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


# ---------------------------------------------------------------- names beside them on a page


class Name(msgspec.Struct, frozen=True, kw_only=True):
    """A centre, a capability or an organisation as a page names it."""

    id: str
    name_vi: str
    name_en: str


class InstrumentName(Name, frozen=True, kw_only=True):
    """An instrument as a page names it, with where it stands and what it can do."""

    number: int
    centre: Name
    capability: Name


def instrument_names(db: Connection, numbers: Iterable[int]) -> dict[int, InstrumentName]:
    """These instruments by number, in the order of centre and code."""
    query = (
        sa.select(*_named(instruments, ""), instruments.c.number, *_named(centres, "c_"), *_named(capabilities, "k_"))
        .join(centres, centres.c.id == instruments.c.centre_id)
        .join(capabilities, capabilities.c.id == instruments.c.capability_id)
        .where(instruments.c.number.in_(sorted(set(numbers))))
        .order_by(centres.c.id, instruments.c.id)
    )
    return {
        row.number: InstrumentName(
            id=row.id,
            name_vi=row.name_vi,
            name_en=row.name_en,
            number=row.number,
            centre=Name(id=row.c_id, name_vi=row.c_name_vi, name_en=row.c_name_en),
            capability=Name(id=row.k_id, name_vi=row.k_name_vi, name_en=row.k_name_en),
        )
        for row in db.execute(query)
    }


def offerable(db: Connection, centre_ids: Iterable[str] | None) -> list[InstrumentName]:
    """Instruments that a round may offer, of these centres or (None) of all: booked by time, for one at a time."""
    query = sa.select(instruments.c.number).where(
        instruments.c.booking_mode == "time", instruments.c.capacity == 1, instruments.c.retired_at.is_(None)
    )
    if centre_ids is not None:
        query = query.where(instruments.c.centre_id.in_(sorted(centre_ids)))
    return list(instrument_names(db, db.execute(query).scalars()).values())


def organisation_names(db: Connection, ids: Iterable[str]) -> dict[str, Name]:
    rows = db.execute(sa.select(*_named(organisations, "")).where(organisations.c.id.in_(sorted(set(ids)))))
    return {row.id: Name(id=row.id, name_vi=row.name_vi, name_en=row.name_en) for row in rows}


def _named(table: sa.Table, prefix: str) -> list[sa.Label[str]]:
    return [table.c[name].label(prefix + name) for name in ("id", "name_vi", "name_en")]
