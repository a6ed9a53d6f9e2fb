"""Agreements in the database: versions as documents, running balances as locked rows, and the recount they must equal.

What must not live here: what a rule means (domain/agreements.py) or when it refuses (domain/weighing.py). No other
file writes `agreements`, `agreement_versions` or `balances`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from labshare.cores import OURS
from labshare.domain.agreement_documents import Known, from_json, to_json
from labshare.domain.agreements import Balance, BalanceKey, Version
from labshare.domain.projects import AccessClass, Activity
from labshare.domain.timespan import Span
from labshare.domain.weighing import Shift
from labshare.store import facts
from labshare.store.minutes import total
from labshare.store.prepared import Prepared
from labshare.store.tables import (
    agreement_versions,
    agreements,
    balances,
    centres,
    instruments,
    organisations,
    projects,
)
from labshare.store.usage import uses

_KEY = (balances.c.agreement_id, balances.c.rule_id, balances.c.scope_key, balances.c.window_start)
Query = sa.Select[*tuple[Any, ...]]

# Whether a balance's key is among some. On PostgreSQL the keys are four arrays: its driver keeps the reading of a query
# with no more than 50 parameters, and reading costs more than asking.
_ARRAYS = (
    sa.func.unnest(*(sa.bindparam(column.name, type_=postgresql.ARRAY(column.type)) for column in _KEY))
    .table_valued(*(column.name for column in _KEY), name="keys")
    .render_derived()
)
_AMONG = {
    "sqlite": sa.tuple_(*_KEY).in_(sa.bindparam("keys", expanding=True)),
    "postgresql": sa.tuple_(*_KEY).in_(sa.select(*_ARRAYS.c)),
}
# Statements of the booking path are built once: building them costs more than asking.
_IS_KEY = tuple(column == sa.bindparam(f"at_{column.name}", type_=column.type) for column in _KEY)
_EXISTING = {dialect: sa.select(*_KEY).where(among) for dialect, among in _AMONG.items()}
_SEEN = {dialect: sa.select(balances).where(among) for dialect, among in _AMONG.items()}
_LOCKED = {dialect: seen.order_by(*_KEY).with_for_update(of=balances) for dialect, seen in _SEEN.items()}
_SEE = {dialect: Prepared(seen) for dialect, seen in _SEEN.items()}
_LOCK = {dialect: Prepared(locked) for dialect, locked in _LOCKED.items()}
# All of them or none: who still has to open one must hold no lock meanwhile. The writer on SQLite holds every lock.
_LOCK_IF_OPEN = _LOCK | {
    "postgresql": Prepared(
        _LOCKED["postgresql"].where(
            sa.select(sa.func.count()).select_from(balances).where(_AMONG["postgresql"]).scalar_subquery()
            == sa.bindparam("many")
        )
    )
}
_SHIFT = Prepared(
    sa.update(balances)
    .where(*_IS_KEY)
    .values(
        matched_minutes=balances.c.matched_minutes + sa.bindparam("matched"),
        total_minutes=balances.c.total_minutes + sa.bindparam("total"),
    )
)
_DOCUMENTS = sa.select(
    agreement_versions.c.agreement_id, agreement_versions.c.version, agreement_versions.c.document
).order_by(agreement_versions.c.agreement_id, agreement_versions.c.version)
_TOUCHED = _DOCUMENTS.where(
    agreement_versions.c.effective_from <= sa.bindparam("last", type_=sa.Date),
    sa.or_(
        agreement_versions.c.effective_until.is_(None),
        agreement_versions.c.effective_until >= sa.bindparam("first", type_=sa.Date),
    ),
)

# ---------------------------------------------------------------- versions


def every_version(db: Connection) -> dict[str, tuple[Version, ...]]:
    """All versions of all agreements, by agreement in the order of their ids, the oldest first. One query."""
    found: dict[str, list[Version]] = {}
    for agreement_id, number, document in sorted(tuple(row) for row in db.execute(_DOCUMENTS)):
        found.setdefault(agreement_id, []).append(_version(number, document))
    return {agreement_id: tuple(some) for agreement_id, some in found.items()}


# A signing changes one text of many; one that has been read before means what it meant then.
@lru_cache(maxsize=4096)
def _version(number: int, document: str) -> Version:
    return Version(number=number, agreement=from_json(document))


def versions(db: Connection, first: date, last: date) -> dict[str, list[Version]]:
    """Every version whose days touch `first` to `last`, by agreement."""
    found: dict[str, list[Version]] = {}
    for agreement_id, number, document in db.execute(_TOUCHED, {"first": first, "last": last}):
        found.setdefault(agreement_id, []).append(_version(number, document))
    return found


def versions_of(db: Connection, agreement_id: str) -> list[Version]:
    """All versions of one agreement, the oldest first; empty when there is no such agreement."""
    rows = db.execute(_DOCUMENTS.where(agreement_versions.c.agreement_id == agreement_id))
    return [_version(number, document) for _, number, document in rows]


def add_version(db: Connection, version: Version, *, actor_id: UUID | None, now: datetime) -> None:
    """Write a version and make it the agreement's newest. Versions are only ever added."""
    agreement = version.agreement
    values = {
        "partner_id": agreement.partner_id,
        "title_vi": agreement.title_vi,
        "title_en": agreement.title_en,
        "version": version.number,
    }
    insert = _insert(db)(agreements).values(id=agreement.id, **values)
    db.execute(insert.on_conflict_do_update(index_elements=[agreements.c.id], set_=values))
    db.execute(
        sa.insert(agreement_versions).values(
            agreement_id=agreement.id,
            version=version.number,
            effective_from=agreement.effective_from,
            effective_until=agreement.effective_until,
            document=to_json(agreement),
            created_at=now,
            created_by_id=actor_id,
        )
    )
    facts.renew_stamp(db)


def known(db: Connection) -> Known:
    """What an agreement may name, for its check at entry."""
    organisation_ids, centre_ids, instrument_ids, project_codes = (
        frozenset(db.execute(sa.select(column)).scalars())
        for column in (organisations.c.id, centres.c.id, instruments.c.id, projects.c.code)
    )
    return Known(
        organisation_ids=organisation_ids,
        centre_ids=centre_ids,
        instrument_ids=instrument_ids,
        project_codes=project_codes,
    )


def centres_of_instruments(db: Connection) -> dict[str, str]:
    """The centre of every instrument, by their ids."""
    return {row.id: row.centre_id for row in db.execute(sa.select(instruments.c.id, instruments.c.centre_id))}


def hold_still(db: Connection) -> None:
    """Wait until no booking is being written, and let none begin before this transaction ends.

    A booking reads the agreements under the lock of its instrument. Taking the locks of all instruments before an
    agreement changes makes sure that every booking is judged by it or counted for it, never neither. Not the lock of a
    key, as in `bookings.lock`.
    """
    if db.dialect.name == "postgresql":
        db.execute(sa.select(instruments.c.number).order_by(instruments.c.number).with_for_update(key_share=True))


# ---------------------------------------------------------------- balances


def existing(db: Connection, keys: Collection[BalanceKey]) -> frozenset[BalanceKey]:
    """Which of these balances have been opened. Takes no lock."""
    return frozenset(BalanceKey(*row) for row in db.execute(_EXISTING[db.dialect.name], _keys(db, keys)))


def frozen_bases(db: Connection, keys: Collection[BalanceKey]) -> dict[BalanceKey, int]:
    """The frozen base of each of these balances that has been opened. Takes no lock."""
    query = sa.select(*_KEY, balances.c.base_minutes).where(_AMONG[db.dialect.name])
    return {BalanceKey(*row[:4]): row.base_minutes for row in db.execute(query, _keys(db, keys))}


def open_balances(db: Connection, new: Iterable[Balance]) -> None:
    """Open balances that are missing. When somebody else opens the same one first, theirs stands: it holds what they
    booked. Written in key order, before any balance is locked, so that two openers cannot deadlock.
    """
    rows = [msgspec.structs.asdict(balance) for balance in sorted(new, key=lambda balance: balance.key)]
    if rows:
        db.execute(_insert(db)(balances).on_conflict_do_nothing(), rows)


def lock_if_open(db: Connection, keys: Collection[BalanceKey]) -> dict[BalanceKey, Balance]:
    """Lock these balances in key order and return them; where one has not been opened, lock and return none."""
    found = _balances(_LOCK_IF_OPEN[db.dialect.name].rows(db, {**_keys(db, keys), "many": len(keys)}))
    return found if len(found) == len(keys) else {}


def see_balances(db: Connection, keys: Collection[BalanceKey]) -> dict[BalanceKey, Balance]:
    """Those of these balances that have been opened. Takes no lock."""
    return _balances(_SEE[db.dialect.name].rows(db, _keys(db, keys)))


def lock_balances(db: Connection, keys: Collection[BalanceKey]) -> dict[BalanceKey, Balance]:
    """Lock these balances in key order and return them."""
    return _balances(_LOCK[db.dialect.name].rows(db, _keys(db, keys)))


def balances_of(db: Connection, agreement_id: str | None = None) -> dict[BalanceKey, Balance]:
    """The open balances of one agreement, or of all."""
    query = sa.select(balances)
    if agreement_id is not None:
        query = query.where(balances.c.agreement_id == agreement_id)
    return _balances(db.execute(query))


def shift_balances(db: Connection, shifts: Sequence[Shift]) -> None:
    """Move locked balances by these minutes: one statement, however many."""
    if shifts:
        rows = [_key_values(shift.counter.key) | {"matched": shift.matched, "total": shift.total} for shift in shifts]
        _SHIFT.write(db, *rows)


def correct_balances(db: Connection, corrected: Sequence[Balance]) -> None:
    """Write the counts of these balances anew; what was frozen stays frozen."""
    if corrected:
        rows = [
            _key_values(balance.key) | {"matched": balance.matched_minutes, "total": balance.total_minutes}
            for balance in corrected
        ]
        change: dict[str, Any] = {"matched_minutes": sa.bindparam("matched"), "total_minutes": sa.bindparam("total")}
        db.execute(sa.update(balances).where(*_IS_KEY).values(change), rows)


def drop_balances(db: Connection, keys: Collection[BalanceKey]) -> None:
    """Forget balances whose rule has changed so much that they say nothing any more."""
    if keys:
        db.execute(sa.delete(balances).where(*_IS_KEY), [_key_values(key) for key in sorted(keys)])


def _balances(rows: Iterable[Any]) -> dict[BalanceKey, Balance]:
    found = (msgspec.convert(row, Balance, from_attributes=True) for row in rows)
    return {balance.key: balance for balance in found}


def _keys(db: Connection, keys: Collection[BalanceKey]) -> dict[str, Any]:
    if db.dialect.name == "sqlite":
        return {"keys": [tuple(key) for key in sorted(keys)]}
    columns = zip(*sorted(keys), strict=True) if keys else [()] * len(_KEY)
    return {column.name: list(values) for column, values in zip(_KEY, columns, strict=True)}


def _key_values(key: BalanceKey) -> dict[str, Any]:
    return {f"at_{column.name}": value for column, value in zip(_KEY, key, strict=True)}


def _insert(db: Connection) -> Any:
    return postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert


# ---------------------------------------------------------------- the count that balances must equal


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """Minutes of one window, on one instrument, by those who share organisation, access class and activity, and project
    where that was asked for.

    `used` is past: delivered where a usage record exists, else booked. `committed` is to come; `firm` is the part of
    it that is confirmed or running. `booked` is occupied, past and to come; `delivered` is what usage records prove.
    Where organisations are masked, `rival` tells those apart that have no id.
    """

    window: Span
    instrument_number: int
    organisation_id: str | None
    rival: int | None
    access_class: AccessClass
    activity: Activity
    is_outside: bool
    project_code: str
    programme: str
    used: int
    committed: int
    firm: int
    booked: int
    delivered: int


# SQLite counts in this very process, for seconds where a year of bookings is asked for.
@OURS.all()
def count(
    db: Connection,
    windows: Collection[Span],
    now: datetime,
    numbers: Collection[int] | None,
    *,
    named: Collection[str] | None = None,
    by_project: bool = False,
) -> list[Counted]:
    """Count the uses of these windows from the bookings themselves, on these instruments or (None) on all.

    One query, however many windows. A use that crosses a border of a window counts with its minutes inside. With
    `named`, the ids of all other organisations stay in the database. `by_project` tells projects apart.
    """
    if not windows:
        return []
    ordered = sorted(windows)
    parts = sa.union_all(
        *(_counted(place, window, now, numbers, by_project=by_project) for place, window in enumerate(ordered))
    ).subquery()
    is_named = parts.c.organisation_id.in_(sorted(named)) if named is not None else sa.true()
    query = sa.select(
        *(column for column in parts.c if column.name != "organisation_id"),
        sa.case((is_named, parts.c.organisation_id)).label("organisation_id"),
        sa.case((is_named, None), else_=sa.func.dense_rank().over(order_by=parts.c.organisation_id)).label("rival"),
        (parts.c.organisation_id != centres.c.host_id).label("is_outside"),
        *(projects.c[name] if by_project else sa.literal("").label(name) for name in ("code", "funding_line")),
    ).select_from(
        parts.join(instruments, instruments.c.number == parts.c.instrument_number).join(
            centres, centres.c.id == instruments.c.centre_id
        )
    )
    if by_project:
        query = query.outerjoin(projects, projects.c.id == parts.c.project_id)
    return [_as_counted(row, ordered) for row in db.execute(query).all()]


def _as_counted(row: Any, windows: Sequence[Span]) -> Counted:
    place: int = row.place
    return Counted(
        window=windows[place],
        instrument_number=row.instrument_number,
        organisation_id=row.organisation_id,
        rival=row.rival,
        access_class=AccessClass(row.access_class),
        activity=Activity(row.activity),
        is_outside=bool(row.is_outside),
        project_code=row.code or "",
        programme=row.funding_line or "",
        used=row.used,
        committed=row.committed,
        firm=row.firm,
        booked=row.booked,
        delivered=row.delivered,
    )


def _counted(place: int, window: Span, now: datetime, numbers: Collection[int] | None, *, by_project: bool) -> Query:
    each = uses(window, now, numbers).subquery()
    # A use that is done and has a record counts as it was delivered. It is the check-out that changes the count, never
    # the passing of time, so that running balances can follow it.
    is_delivered = sa.and_(each.c.records > 0, each.c.is_done)
    apart = (each.c.instrument_number, each.c.organisation_id, each.c.access_class, each.c.activity)
    if by_project:
        apart += (each.c.project_id,)
    return sa.select(
        sa.literal(place).label("place"),
        *apart,
        total(sa.case((is_delivered, each.c.delivered), else_=each.c.past)).label("used"),
        total(sa.case((is_delivered, 0), else_=each.c.ahead)).label("committed"),
        total(sa.case((sa.and_(each.c.is_firm, sa.not_(is_delivered)), each.c.ahead), else_=0)).label("firm"),
        total(each.c.past + each.c.ahead).label("booked"),
        total(each.c.delivered).label("delivered"),
    ).group_by(*apart)
