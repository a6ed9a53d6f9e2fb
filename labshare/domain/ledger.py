"""The entitlement ledger: the time that an agreement makes due to a party in a period, as entries that are only added.

A balance is the sum of the entries posted until an instant, so that any past balance can be told again. What changes an
entitlement by rule (use it or lose it, carry over, conversion, state orders, charging) is one small function each, with
the number of its access rule; it says how many minutes, and whoever calls it posts the entry.

What must not live here: share rules, which limit what is booked (agreements.py), or how entries are kept.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from math import floor
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from labshare.domain.timespan import MINUTE, Span
from labshare.domain.windows import CALENDAR, window_at
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
# What somebody may post by hand, with the sign that it has. The rest is posted by rules, or names another entry.
BY_HAND: Mapping[Cause, int] = {
    Cause.GRANTED: 1, Cause.CONVERTED: 1, Cause.CREDITED: 1, Cause.REFUNDED: 1, Cause.DELIVERED: -1,
}  # fmt: skip
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
    lapsed when it went. What lapses or is corrected names its credit; what is carried over is no credit's.
    """
    known = sorted((entry for entry in entries if entry.posted_at <= at), key=lambda entry: entry.posted_at)
    left = {str(entry.id): entry.minutes for entry in known if entry.until and entry.minutes > 0}
    credits = sorted((entry for entry in known if str(entry.id) in left), key=lambda entry: entry.until or at)
    for entry in known:
        own = str(entry.corrects) if entry.corrects else entry.reference if entry.cause is Cause.LAPSED else ""
        if own in left:
            left[own] += entry.minutes
        elif entry.minutes < 0 and entry.cause not in (Cause.LAPSED, Cause.CARRIED_OVER):
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


# ---------------------------------------------------------------- what an agreement says of its ledger


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """When this part of the period is over, unused time is pulled back by these steps; `rule` says after whom.

    Nothing is lost in the first `grace_days` of the period. The loss is judged at the checkpoint and posted
    `notice_days` later.
    """

    at: Fraction
    steps: tuple[Step, ...]
    rule: Literal["R08", "R09"] = "R08"
    grace_days: int = 0
    notice_days: int = 0


class LedgerRules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules by which one party's entitlement changes by itself. What is not there does not happen.

    `carry_over` is the part of what was due that may go into the next period; the rest of it lapses at the end (R11).
    """

    carry_over: Fraction | None = None
    checkpoints: tuple[Checkpoint, ...] = ()


def checkpoint_at(period: Span, checkpoint: Checkpoint) -> datetime:
    """The whole minute at which this part of the period is over, and the grace too."""
    at = period.start + floor(checkpoint.at * period.minutes) * MINUTE
    return max(at, period.start + timedelta(days=checkpoint.grace_days))


def posted_at(period: Span, checkpoint: Checkpoint) -> datetime:
    """When what is lost at the checkpoint is posted: after the notice."""
    return checkpoint_at(period, checkpoint) + timedelta(days=checkpoint.notice_days)


def next_period(period: Span, timezone: str) -> Span:
    """The window of the calendar that follows; a period that is no window is followed by one of the same length."""
    for kind in CALENDAR:
        if window_at(kind, period.start, timezone) == period:
            return window_at(kind, period.end, timezone)
    return Span(period.end, period.end + (period.end - period.start))


def period_name(period: Span, timezone: str) -> str:
    """The first and the last day of a period, for machines: 2026-10-01/2026-12-31. It refers to a closed period."""
    zone = ZoneInfo(timezone)
    first, last = period.start.astimezone(zone), (period.end - MINUTE).astimezone(zone)
    return f"{first.date().isoformat()}/{last.date().isoformat()}"


def next_deadline(entries: Sequence[LedgerEntry], period: Span, rules: LedgerRules, after: datetime) -> datetime | None:
    """When something is to be posted to an account by itself: a checkpoint, the end of the period, a credit's day."""
    moments = [posted_at(period, each) for each in rules.checkpoints]
    moments += [period.end] if rules.carry_over is not None else []
    moments += [credit.until for credit, _ in credits_left(entries, after) if credit.until]
    return min((moment for moment in moments if moment > after), default=None)


def pulled_back_at(entries: Sequence[LedgerEntry], period: Span, checkpoint: Checkpoint, now: datetime) -> int:
    """R08, R09: minutes to pull back for a checkpoint, judged as things stood then; never more than is left now."""
    at = checkpoint_at(period, checkpoint)
    gone = used(entries, at)
    due = sum(entry.minutes for entry in _stood(entries, at)) + gone
    return max(0, min(pulled_back(due, gone, checkpoint.steps), balance(entries, now)))


def _stood(entries: Sequence[LedgerEntry], at: datetime) -> list[LedgerEntry]:
    """What counted at an instant, with what rules posted late taken at its own time: a credit's day, a checkpoint."""
    days = {str(entry.id): entry.until for entry in entries if entry.until}
    return [
        entry
        for entry in entries
        if entry.cause is Cause.PULLED_BACK or (days.get(entry.reference) or entry.posted_at) <= at
    ]


def closing(entries: Sequence[LedgerEntry], most: Fraction, now: datetime) -> tuple[int, int]:
    """R11: (minutes carried over, minutes that lapse) as a period ends. Credits that still run stay as they are."""
    open_minutes = sum(minutes for credit, minutes in credits_left(entries, now) if credit.until and credit.until > now)
    rest = max(0, balance(entries, now) - open_minutes)
    gone = used(entries, now)
    carried = min(rest, carried_over(rest + gone, gone, most))
    return carried, rest - carried


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
