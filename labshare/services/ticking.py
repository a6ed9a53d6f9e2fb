"""What the ticker does between two waits, each step one short transaction: deliver messages, do what is due.

What must not live here: threads and clocks (labshare/jobs.py), or what each deadline means (the services named below).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from labshare.services import (
    approvals,
    booking_notices,
    expiring,
    freeing,
    idempotency,
    ledger,
    ledger_deadlines,
    notices,
    projects,
    qualifications,
    rounds,
    waitlist,
)
from labshare.services.writing import APPROVAL_ENDS, HOLD_EXPIRES
from labshare.store import bookings as bookings_store
from labshare.store import due as due_store
from labshare.store import outbox
from labshare.store.due import Due
from labshare.store.engine import Connection
from labshare.store.outbox import Message

KEPT = timedelta(days=1)


def messages(db: Connection) -> list[Message]:
    """What waits to be delivered, oldest first."""
    return outbox.waiting(db)


def delivered(db: Connection, done: Sequence[Message], now: datetime) -> None:
    """These have been told."""
    outbox.delivered(db, [message.id for message in done], now)


def forget(db: Connection, now: datetime) -> None:
    """Forget the messages that were told a day ago, keys of calls that are answered no more, and old notices."""
    outbox.forget(db, now - KEPT)
    idempotency.forget(db, now)
    notices.forget(db, now)


def deadlines(db: Connection, now: datetime) -> list[Due]:
    """What is due, oldest first. Each is dealt with in a transaction of its own, so that one fault stops no other."""
    return due_store.over(db, now)


def deal_with(db: Connection, row: Due, now: datetime) -> None:
    """Do what is due; whoever does it may put the noun's next deadline in the row's place.

    Raises `KeyError` for a kind that nobody handles.
    """
    HANDLERS[row.kind](db, UUID(row.noun_id), now)
    due_store.done(db, row)


def put_off(db: Connection, row: Due, now: datetime) -> None:
    """It failed: try again later."""
    due_store.put_off(db, row, now)


def _expire_hold(db: Connection, booking_id: UUID, now: datetime) -> None:
    booking = bookings_store.get(db, booking_id)
    expiring.expire_holds(db, [booking.instrument_number], booking.occupied, now)


HANDLERS: dict[str, Callable[[Connection, UUID, datetime], None]] = {
    rounds.CLOSES: rounds.close_when_due,
    HOLD_EXPIRES: _expire_hold,
    APPROVAL_ENDS: approvals.end,
    booking_notices.ASK: booking_notices.ask,
    booking_notices.ASK_SERIES: booking_notices.ask_series,
    qualifications.ENDS: qualifications.warn,
    freeing.FREED: waitlist.offer_freed,
    ledger.DUE: ledger_deadlines.settle,
    ledger.JUDGED: ledger_deadlines.judge,
    **{kind.value: partial(projects.remind, kind=kind) for kind in projects.REMINDERS},
}
