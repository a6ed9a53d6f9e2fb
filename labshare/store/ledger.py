"""The entitlement ledger in the database: entries are only added, and a balance is the sum of those posted by then.

No function here changes or deletes; the database refuses it too (guard.py). What must not live here: what an entry
means or how many minutes a rule posts (domain/ledger.py). No other file writes `ledger_entries` or `state_orders`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from labshare.domain.ledger import Cause, LedgerAccount, LedgerEntry
from labshare.domain.timespan import Span
from labshare.store.minutes import total
from labshare.store.tables import agreements, ledger_entries, state_orders

_COLUMNS = ledger_entries.c


class StateOrder(msgspec.Struct, frozen=True, kw_only=True):
    """R14: what one state order takes under an agreement in a period, from whomever. `minutes` are all of it.

    `starts_on` is the first day on which it takes time; None for orders from before that was asked for.
    """

    id: UUID
    agreement_id: str
    reference: str
    period: Span
    starts_on: date | None
    minutes: int
    ordered_at: datetime
    authorised_by: UUID


def lock(db: Connection, agreement_id: str) -> None:
    """Let nobody else weigh a posting under this agreement before this transaction ends.

    Not the lock of a key, so that bookings, which only name the agreement, do not wait. SQLite has one writer anyway.
    """
    db.execute(
        sa.select(agreements.c.id).where(agreements.c.id == agreement_id).with_for_update(key_share=True)
    ).one_or_none()


def append(db: Connection, entries: Sequence[LedgerEntry]) -> bool:
    """Add these entries: one statement, however many. False when one of them has been posted before; then the caller
    must leave the transaction with an error, so that none is kept.
    """
    insert = postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert
    statement = insert(ledger_entries).values([_row(entry) for entry in entries]).on_conflict_do_nothing()
    return len(db.execute(statement.returning(_COLUMNS.id)).all()) == len(entries)


def get(db: Connection, entry_id: UUID) -> LedgerEntry | None:
    """One entry, or None when there is none of this id."""
    row = db.execute(sa.select(ledger_entries).where(_COLUMNS.id == entry_id)).one_or_none()
    return _entry(row) if row else None


def entries(
    db: Connection, agreement_id: str, at: datetime | None = None, *, organisation_ids: Collection[str] | None = None
) -> list[LedgerEntry]:
    """The entries under an agreement that were posted by then (None: all), of everybody or of these organisations.

    In the order of posting.
    """
    query = sa.select(ledger_entries).where(_COLUMNS.agreement_id == agreement_id)
    if organisation_ids is not None:
        query = query.where(_COLUMNS.organisation_id.in_(sorted(organisation_ids)))
    return _entries(db, query, at)


def entries_of(db: Connection, account: LedgerAccount, at: datetime | None = None) -> list[LedgerEntry]:
    """The entries of one account, in the order of posting."""
    return _entries(db, sa.select(ledger_entries).where(*_is(account)), at)


def entries_about(db: Connection, account: LedgerAccount, reference: str) -> list[LedgerEntry]:
    """What one account says of one thing: the entries with this reference, and whatever corrects them."""
    about = sa.select(_COLUMNS.id).where(*_is(account), _COLUMNS.reference == reference)
    return _entries(db, sa.select(ledger_entries).where(_COLUMNS.id.in_(about) | _COLUMNS.corrects.in_(about)), None)


def entries_for(db: Connection, organisation_ids: Collection[str], at: datetime) -> list[LedgerEntry]:
    """Everything that was posted by then to the accounts of these organisations, under whatever agreement."""
    query = sa.select(ledger_entries).where(_COLUMNS.organisation_id.in_(sorted(organisation_ids)))
    return _entries(db, query, at) if organisation_ids else []


def balance(db: Connection, account: LedgerAccount, at: datetime | None = None) -> int:
    """The minutes due at an instant (None: all that has been posted), summed by the database. One query."""
    query = sa.select(total(_COLUMNS.minutes)).where(*_is(account))
    return int(db.execute(_posted_by(query, at)).scalar_one())


def first_id(db: Connection, account: LedgerAccount) -> UUID:
    """The entry with which the account began: it never changes. The account must have one."""
    query = sa.select(_COLUMNS.id).where(*_is(account)).order_by(_COLUMNS.number).limit(1)
    return db.execute(query).scalar_one()


def accounts(db: Connection, agreement_id: str) -> list[LedgerAccount]:
    """Every account under the agreement that has an entry, by organisation, the newest period first."""
    key = (_COLUMNS.agreement_id, _COLUMNS.organisation_id, _COLUMNS.period_start, _COLUMNS.period_end)
    query = (
        sa.select(*key)
        .where(_COLUMNS.agreement_id == agreement_id)
        .distinct()
        .order_by(_COLUMNS.organisation_id, _COLUMNS.period_start.desc(), _COLUMNS.period_end.desc())
    )
    return [_account(row) for row in db.execute(query)]


def add_order(db: Connection, order: StateOrder) -> bool:
    """Write a state order. False when the agreement has one of this reference."""
    insert = postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert
    values = {
        "id": order.id,
        "agreement_id": order.agreement_id,
        "reference": order.reference,
        "period_start": order.period.start,
        "period_end": order.period.end,
        "starts_on": order.starts_on,
        "minutes": order.minutes,
        "ordered_at": order.ordered_at,
        "authorised_by_id": order.authorised_by,
    }
    statement = insert(state_orders).values(values).on_conflict_do_nothing().returning(state_orders.c.id)
    return db.execute(statement).one_or_none() is not None


def ordered_minutes(db: Connection, agreement_id: str, period: Span) -> int:
    """R14: what all state orders under the agreement take in periods that touch this one."""
    query = sa.select(total(state_orders.c.minutes)).where(
        state_orders.c.agreement_id == agreement_id,
        state_orders.c.period_start < period.end,
        state_orders.c.period_end > period.start,
    )
    return int(db.execute(query).scalar_one())


# ---------------------------------------------------------------- parts


def _is(account: LedgerAccount) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        _COLUMNS.agreement_id == account.agreement_id,
        _COLUMNS.organisation_id == account.organisation_id,
        _COLUMNS.period_start == account.period.start,
        _COLUMNS.period_end == account.period.end,
    )


def _entries(db: Connection, query: sa.Select[*tuple[Any, ...]], at: datetime | None) -> list[LedgerEntry]:
    return [_entry(row) for row in db.execute(_posted_by(query, at).order_by(_COLUMNS.posted_at, _COLUMNS.number))]


def _posted_by(query: sa.Select[*tuple[Any, ...]], at: datetime | None) -> sa.Select[*tuple[Any, ...]]:
    return query if at is None else query.where(_COLUMNS.posted_at <= at)


def _account(row: Any) -> LedgerAccount:
    return LedgerAccount(
        agreement_id=row.agreement_id,
        organisation_id=row.organisation_id,
        period=Span(row.period_start, row.period_end),
    )


def _entry(row: Any) -> LedgerEntry:
    return LedgerEntry(
        id=row.id,
        account=_account(row),
        cause=Cause(row.cause),
        minutes=row.minutes,
        posted_at=row.posted_at,
        rule_id=row.rule_id,
        version=row.version,
        until=row.until,
        authorised_by=row.authorised_by_id,
        reference=row.reference,
        corrects=row.corrects,
    )


def _row(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "agreement_id": entry.account.agreement_id,
        "organisation_id": entry.account.organisation_id,
        "period_start": entry.account.period.start,
        "period_end": entry.account.period.end,
        "cause": entry.cause.value,
        "minutes": entry.minutes,
        "posted_at": entry.posted_at,
        "rule_id": entry.rule_id,
        "version": entry.version,
        "until": entry.until,
        "authorised_by_id": entry.authorised_by,
        "reference": entry.reference,
        "corrects": entry.corrects,
    }
