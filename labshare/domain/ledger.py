"""The entitlement ledger: the time that an agreement makes due to a party in a period, as entries that are only added.

A balance is the sum of the entries posted until an instant, so that any past balance can be told again. What changes an
entitlement by rule (use it or lose it, carry over, conversion, state orders, charging) is one small function each, with
the number of its access rule; it says how many minutes, and whoever calls it posts the entry.

What must not live here: share rules, which limit what is booked (agreements.py), or how entries are kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from math import floor
from uuid import UUID

import msgspec

from labshare.domain.timespan import Span


class Cause(StrEnum):
    """Why time came or went. A correction names the entry that it corrects; what lapses was credited until a day."""

    GRANTED = "granted"
    CONVERTED = "converted"
    CARRIED_OVER = "carried_over"
    PULLED_BACK = "pulled_back"
    RELEASED = "released"
    DISPLACED = "displaced"
    CREDITED = "credited"
    DELIVERED = "delivered"
    REFUNDED = "refunded"
    TRANSFERRED = "transferred"
    LAPSED = "lapsed"
    CORRECTED = "corrected"


class LedgerAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Whose time it is, under which agreement, and for which period."""

    agreement_id: str
    organisation_id: str
    period: Span


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One change: `minutes` above 0 are due, below 0 gone. `until` is when what is left of a credit lapses.

    `rule_id` and `version` name the clause that caused it, `authorised_by` who stood for it (None: the house itself,
    at a deadline), `reference` what it is about: a booking, a state order, another agreement. `corrects` is the id of
    an entry that was wrong.
    """

    id: UUID
    account: LedgerAccount
    cause: Cause
    minutes: int
    posted_at: datetime
    rule_id: str
    version: int
    until: datetime | None = None
    authorised_by: UUID | None = None
    reference: str = ""
    corrects: UUID | None = None


def balance(entries: Iterable[LedgerEntry], at: datetime) -> int:
    """The minutes due at this instant, as far as they were posted by then."""
    return sum(entry.minutes for entry in entries if entry.posted_at <= at)


def by_cause(entries: Iterable[LedgerEntry], at: datetime) -> Mapping[Cause, int]:
    """The same, by what caused it: the lines of a statement."""
    sums: defaultdict[Cause, int] = defaultdict(int)
    for entry in entries:
        if entry.posted_at <= at:
            sums[entry.cause] += entry.minutes
    return dict(sums)


def lapsing(entries: Iterable[LedgerEntry], at: datetime) -> list[tuple[LedgerEntry, int]]:
    """Credits whose day has come, each with what is left of it, in the order of their days.

    Time that went was taken from the credits that would lapse soonest, of those that were there before and had not
    lapsed when it went. What has lapsed once is an entry that refers to its credit.
    """
    known = sorted((entry for entry in entries if entry.posted_at <= at), key=lambda entry: entry.posted_at)
    left: dict[UUID, int] = {entry.id: entry.minutes for entry in known if entry.until and entry.minutes > 0}
    credits = sorted((entry for entry in known if entry.id in left), key=lambda entry: entry.until or at)
    for entry in known:
        gone = -entry.minutes
        for credit in credits if gone > 0 else ():
            is_own = entry.cause is Cause.LAPSED and entry.reference == str(credit.id)
            is_open = credit.posted_at < entry.posted_at < (credit.until or at)
            if is_own or (entry.cause is not Cause.LAPSED and is_open):
                taken = min(left[credit.id], gone)
                left[credit.id] -= taken
                gone -= taken
    return [(credit, left[credit.id]) for credit in credits if credit.until and credit.until <= at and left[credit.id]]


# ---------------------------------------------------------------- the rules that change entitlements


def shared_out(
    minutes: int, before: Sequence[Fraction], shares: Mapping[str, Fraction], pool: Fraction
) -> tuple[dict[str, Fraction], Fraction]:
    """R04: what each partner gets, and what of it all goes to the common pool.

    The first of `before` is taken of everything, the others each of what the first has left (Gemini: engineering, then
    director and host); the rest is divided by `shares`, and each gives the part `pool` of its own.
    """
    left = minutes * (1 - sum(before[:1], Fraction(0)))
    left -= left * sum(before[1:], Fraction(0))
    own = {who: left * share for who, share in shares.items()}
    return own, sum(own.values(), Fraction(0)) * pool


def next_chunk(chunk: int, due: int, delivered: int, clamp: Fraction = Fraction(1, 2)) -> Fraction:
    """R05: minutes of a partner's next turn, more for whoever got less than was due, at most by the part `clamp`.

    After Gemini's merge sequence: the turn grows and shrinks with (due - delivered) / due.
    """
    if due <= 0:
        return Fraction(chunk)
    return chunk * (1 + max(-clamp, min(clamp, Fraction(due - delivered, due))))


def converted(worth: int, repaid: Fraction, rate: int) -> int:
    """R06: whole minutes for a contribution worth so much (VND), of which a part is repaid at a full-cost rate an hour.

    Raises ValueError for a rate that is not above 0.
    """
    if rate <= 0:
        raise ValueError("rate must be above 0")
    return floor(worth * repaid / rate * 60)


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Whoever has used less than this part of the entitlement loses that part of what is unused."""

    used_less_than: Fraction
    forfeit: Fraction


def pulled_back(due: int, used: int, steps: Sequence[Step]) -> int:
    """R08, R09: whole minutes lost at a checkpoint; of the steps that apply the one with the least use counts.

    After the pull-back of INCITE and the reductions of ALCC.
    """
    for step in sorted(steps, key=lambda step: step.used_less_than):
        if used < step.used_less_than * due:
            return floor(step.forfeit * max(0, due - used))
    return 0


def carried_over(due: int, used: int, most: Fraction) -> int:
    """R11: whole unused minutes that go into the next period, at most this part of what was due."""
    return min(max(0, due - used), floor(most * due))


def displaced(wanted: int, taken_before: int, allocable: int, ceiling: Fraction) -> int:
    """R14: the minutes of `wanted` that a state order may still take, all orders together at most `ceiling` of all."""
    return max(0, min(wanted, floor(ceiling * allocable) - taken_before))


def charged(
    booked: int, delivered: int, *, rate: Fraction = Fraction(1), fault_at: int | None = None
) -> tuple[Fraction, int]:
    """R22: (minutes charged, minutes refunded). What was delivered is charged at `rate` (3/4 of a classical night).

    `fault_at` is how many minutes into a booking of `booked` the instrument failed: the rest is given back.
    """
    if fault_at is not None:
        return Fraction(fault_at) * rate, booked - fault_at
    return Fraction(delivered) * rate, 0
