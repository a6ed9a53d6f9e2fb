"""What a use takes from the entitlement of its party once it is over (R22), or once it is known that nobody came (R21).

Called inside the check-out's transaction, by whoever has seen to who may check out. The account is locked last, after
instrument, person and balances (ARCHITECTURE.md, decision 4). What must not live here: what was delivered (usage.py),
or the price of it in money.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import floor
from uuid import UUID

import msgspec

from labshare.domain.agreements import Agreement
from labshare.domain.bookings import Booking
from labshare.domain.ledger import Cause, LedgerAccount, LedgerEntry
from labshare.domain.ledger_clauses import Charging
from labshare.domain.windows import window_at
from labshare.services.ledger import Terms, entry_of, keep, terms_of
from labshare.store import agreements as agreements_store
from labshare.store import ledger as store
from labshare.store.engine import Connection


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a use ended: the minutes delivered, and how many minutes into it the instrument failed, if it did; or that
    it takes nothing after all.
    """

    delivered: int = 0
    fault_at: int | None = None
    is_classical: bool = False
    is_no_show: bool = False
    is_void: bool = False


def charge(
    db: Connection, booking: Booking, outcome: Outcome, now: datetime, *, by: UUID | None = None
) -> list[LedgerEntry]:
    """Have the ledger say what this use took, and return what was posted for that: nothing where it says so already.

    The first time a delivery, and what a fault gives back; later, when the record of the use was put right, the
    difference as corrections. It refuses nothing: a delivered minute is a fact, and a balance may go below zero. A use
    of a party without an entitlement takes nothing.
    """
    if booking.agreement_id is None or booking.organisation_id is None:
        return []
    # No version comes into force meanwhile: that takes the lock of every instrument, and whoever calls holds one.
    versions = agreements_store.versions_of(db, booking.agreement_id)
    terms = terms_of(versions, booking.starts_at)
    account = _account(terms, booking, booking.organisation_id)
    if account is None:
        return []
    store.lock(db, booking.agreement_id)
    known = store.entries_about(db, account, str(booking.id))
    rule = "R21" if outcome.is_no_show else "R22"
    new: list[LedgerEntry] = []
    for cause, right in _right(terms.agreement, booking, outcome):
        first = next((each for each in known if each.cause is cause), None)
        difference = right - _stands(known, first)
        if not difference:
            continue
        entry = entry_of(
            terms, account, Cause.CORRECTED if first else cause, difference, rule, now, str(booking.id), by=by
        )
        new.append(msgspec.structs.replace(entry, corrects=first.id if first else None))
    if new:
        keep(db, terms_of(versions, now), new, now)
    return new


def _account(terms: Terms, booking: Booking, organisation_id: str) -> LedgerAccount | None:
    """The account of the period in which the use begins."""
    mine = [each for each in terms.agreement.entitlements if each.party == organisation_id]
    if not mine or not terms.force.start <= booking.starts_at < terms.force.end:
        return None
    period = window_at(mine[0].window, booking.starts_at, terms.agreement.timezone)
    return LedgerAccount(agreement_id=terms.agreement.id, organisation_id=organisation_id, period=period)


def _right(agreement: Agreement, booking: Booking, outcome: Outcome) -> tuple[tuple[Cause, int], ...]:
    """What the ledger is to say: after a fault the whole is charged and the rest given back. No part of a minute is."""
    booked = booking.span.minutes
    if outcome.is_void:
        return (Cause.DELIVERED, 0), (Cause.REFUNDED, 0)
    if outcome.is_no_show:
        penalties = agreement.courtesy.penalties if agreement.courtesy else None
        return (Cause.DELIVERED, -floor(penalties.no_show_charge * booked) if penalties else 0), (Cause.REFUNDED, 0)
    fault_at = None if outcome.fault_at is None else min(outcome.fault_at, booked)
    clause = agreement.charging or Charging()
    exact, refunded = clause.minutes(booked, outcome.delivered, is_classical=outcome.is_classical, fault_at=fault_at)
    return (Cause.DELIVERED, -floor(exact) - refunded), (Cause.REFUNDED, refunded)


def _stands(known: Sequence[LedgerEntry], first: LedgerEntry | None) -> int:
    """An entry with what its corrections have made of it."""
    return sum(each.minutes for each in known if first and first.id in (each.id, each.corrects))
