"""The entitlement ledger: the time that an agreement makes due to a party in a period, as entries that are only added.

A balance is the sum of the entries posted until an instant, so that any past balance can be told again. What changes an
entitlement by rule (use it or lose it, carry over, conversion, state orders, charging) is one small function each, with
the number of its access rule; it says how many minutes, and whoever calls it posts the entry.

What must not live here: share rules, which limit what is booked (agreements.py), when a rule comes due
(ledger_deadlines.py), or how entries are kept.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from math import floor
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from labshare.domain.timespan import MINUTE, Span
from labshare.errors import Refusal

# A number or code that can be looked up. The ledger is never edited, so no name of a person may get into it.
_REFERENCE = re.compile(r"[\w./:#-]{1,60}")
MOST_MINUTES = 10_000_000


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


# What is posted once and never again for one account, clause and reference: a second try changes nothing.
ONCE = frozenset(
    {
        Cause.CARRIED_OVER, Cause.PULLED_BACK, Cause.RELEASED, Cause.DISPLACED, Cause.CREDITED, Cause.DELIVERED,
        Cause.REFUNDED, Cause.LAPSED,
    }
)  # fmt: skip
_NAMES_CREDIT = (Cause.LAPSED, Cause.CARRIED_OVER)
# What somebody may post by hand, with the sign that it has. The rest is posted by rules, or names another entry.
BY_HAND: Mapping[Cause, int] = {
    Cause.GRANTED: 1, Cause.CONVERTED: 1, Cause.CREDITED: 1, Cause.REFUNDED: 1, Cause.DELIVERED: -1,
}  # fmt: skip
# What would be due in a period. Once that is over nobody could use it, and all that ends a period has been done.
_COMES_IN = (Cause.GRANTED, Cause.CONVERTED)
# The access rules that change entitlements; an entry names one of them or a clause of its agreement.
RULES = ("R04", "R05", "R06", "R08", "R09", "R10", "R11", "R14", "R22")


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


def credits_left(entries: Iterable[LedgerEntry], at: datetime) -> list[tuple[LedgerEntry, int]]:
    """Credits that were posted until a day, each with what is left of it, in the order of their days.

    Time that went was taken from the credits that would lapse soonest, of those that were there before and had not
    lapsed when it went. What lapses, is corrected or is carried on names its credit; what else is carried over is no
    credit's.
    """
    known = sorted((entry for entry in entries if entry.posted_at <= at), key=lambda entry: entry.posted_at)
    left = {str(entry.id): entry.minutes for entry in known if entry.until and entry.minutes > 0}
    credits = sorted((entry for entry in known if str(entry.id) in left), key=lambda entry: entry.until or at)
    for entry in known:
        own = str(entry.corrects) if entry.corrects else entry.reference if entry.cause in _NAMES_CREDIT else ""
        if own in left:
            left[own] += entry.minutes
        elif entry.minutes < 0 and entry.cause not in _NAMES_CREDIT:
            _take(entry, credits, left)
    return [(credit, left[str(credit.id)]) for credit in credits if left[str(credit.id)] > 0]


def _take(entry: LedgerEntry, credits: Sequence[LedgerEntry], left: dict[str, int]) -> None:
    gone = -entry.minutes
    for credit in credits:
        if credit.until and credit.posted_at < entry.posted_at < credit.until:
            taken = max(0, min(left[str(credit.id)], gone))
            left[str(credit.id)] -= taken
            gone -= taken


def lapsing(entries: Iterable[LedgerEntry], at: datetime) -> list[tuple[LedgerEntry, int]]:
    """Credits whose day has come, each with what is left of it. What has lapsed once is an entry that refers to it."""
    return [(credit, minutes) for credit, minutes in credits_left(entries, at) if credit.until and credit.until <= at]


def used(entries: Sequence[LedgerEntry], at: datetime) -> int:
    """The minutes that were used: delivered, less what was refunded, as corrected since."""
    uses = {entry.id for entry in entries if entry.cause in (Cause.DELIVERED, Cause.REFUNDED)}
    return -sum(
        entry.minutes for entry in entries if entry.posted_at <= at and (entry.id in uses or entry.corrects in uses)
    )


def period_name(period: Span, timezone: str) -> str:
    """The first and the last day of a period, for machines: 2026-10-01/2026-12-31. It refers to a closed period."""
    zone = ZoneInfo(timezone)
    first, last = period.start.astimezone(zone), (period.end - MINUTE).astimezone(zone)
    return f"{first.date().isoformat()}/{last.date().isoformat()}"


# ---------------------------------------------------------------- the rules that change entitlements


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


# ---------------------------------------------------------------- what may be posted


class Posting(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to post by hand. `minutes` is a length above 0 whatever the cause, which has the sign."""

    account: LedgerAccount
    cause: Cause
    minutes: int
    rule_id: str
    reference: str = ""
    until: datetime | None = None


def check_posting(
    posting: Posting, parties: Collection[str], clauses: Collection[str], force: Span, now: datetime
) -> tuple[Refusal, ...]:
    """Why this cannot be posted, all reasons at once, each with the `field` of the form where it stands.

    `parties` and `clauses` are those of the agreement, `force` the time in which it is in force.
    """
    account, until = posting.account, posting.until
    found: list[Refusal] = []
    if posting.cause not in BY_HAND:
        found.append(
            Refusal(code="ledger_cause_not_by_hand", params={"field": "cause", "ledger_cause": posting.cause.value})
        )
    if account.organisation_id not in parties:
        found.append(not_a_party(account.organisation_id, "organisation"))
    if not account.period.overlaps(force):
        found.append(Refusal(code="ledger_not_in_force", params={"field": "period"}))
    if posting.rule_id not in clauses and posting.rule_id not in RULES:
        found.append(Refusal(code="ledger_clause_unknown", params={"field": "clause", "clause": posting.rule_id}))
    found += check_amount(posting.minutes, "hours")
    found += check_reference(posting.reference, required=posting.cause is not Cause.GRANTED)
    if until is None and posting.cause in _COMES_IN and account.period.end <= now:
        found.append(Refusal(code="ledger_period_over", params={"field": "period"}))
    if until is None and posting.cause is Cause.CREDITED:
        found.append(Refusal(code="field_missing", params={"field": "until"}))
    if until is not None and until <= now:
        found.append(Refusal(code="ledger_until_passed", params={"field": "until"}))
    if until is not None and BY_HAND.get(posting.cause) == -1:
        found.append(Refusal(code="ledger_until_of_no_use", params={"field": "until"}))
    return tuple(found)


def not_a_party(organisation_id: str, field: str) -> Refusal:
    """Time under an agreement is due to its parties only."""
    return Refusal(code="ledger_not_a_party", params={"field": field, "organisation": organisation_id})


def check_amount(minutes: int, field: str) -> tuple[Refusal, ...]:
    """Why this is no number of minutes that can be posted."""
    if 0 < minutes <= MOST_MINUTES:
        return ()
    return (Refusal(code="ledger_amount", params={"field": field, "most_minutes": MOST_MINUTES}),)


def check_reference(reference: str, *, required: bool = True) -> tuple[Refusal, ...]:
    """Why this is no reference: a number or code without spaces, of at most 60 signs."""
    if not reference and required:
        return (Refusal(code="field_missing", params={"field": "reference"}),)
    if reference and not _REFERENCE.fullmatch(reference):
        return (Refusal(code="ledger_reference", params={"field": "reference", "limit": 60}),)
    return ()


def check_cover(account: LedgerAccount, left: int, wanted: int, field: str = "hours") -> tuple[Refusal, ...]:
    """The refusal, with the figures, when an account has fewer minutes than are to be taken from it."""
    if wanted <= left:
        return ()
    params = {
        "field": field,
        "organisation": account.organisation_id,
        "left_minutes": max(0, left),
        "wanted_minutes": wanted,
        "missing_minutes": wanted - max(0, left),
    }
    return (Refusal(code="ledger_overdrawn", params=params),)
