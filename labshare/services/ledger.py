"""Posting to the entitlement ledger by hand, and the steps that every posting takes.

The agreement's lock first, then read, then weigh, then write one statement. State orders are in state_orders.py, uses
in charging.py, what is posted by itself in ledger_deadlines.py. What must not live here: how many minutes a rule moves
(domain/ledger.py) or what a reader may see (ledger_pages.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

import msgspec

from labshare.domain import ledger as rules
from labshare.domain.agreements import Agreement, Version, effective_span
from labshare.domain.ledger import BY_HAND, Cause, LedgerAccount, LedgerEntry, Posting
from labshare.domain.ledger_clauses import Entitlement
from labshare.domain.ledger_deadlines import LedgerRules, next_deadline, next_judgement
from labshare.domain.people import Action, Actor, require
from labshare.domain.timespan import Span
from labshare.domain.windows import window_at
from labshare.errors import NotFound, Refusal, Refused
from labshare.services import ledger_letters
from labshare.store import agreements as agreements_store
from labshare.store import audit
from labshare.store import due as due_store
from labshare.store import ledger as store
from labshare.store.engine import Connection

DUE = "ledger_due"
# When a loss is judged that will be posted only after its notice.
JUDGED = "ledger_judged"


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """The version of an agreement by which something is posted now."""

    version: Version

    @property
    def agreement(self) -> Agreement:
        return self.version.agreement

    def entitlement(self, account: LedgerAccount) -> Entitlement | None:
        """What is due to the party of this account: of such periods, else of any."""
        mine = [each for each in self.agreement.entitlements if each.party == account.organisation_id]
        zone = self.agreement.timezone
        mine.sort(key=lambda each: window_at(each.window, account.period.start, zone) != account.period)
        return mine[0] if mine else None

    def rules(self, account: LedgerAccount) -> LedgerRules:
        """What happens by itself on this account."""
        found = self.entitlement(account)
        return found.ledger_rules if found else LedgerRules()

    @property
    def force(self) -> Span:
        return effective_span(self.agreement)

    @property
    def clauses(self) -> frozenset[str]:
        return frozenset(rule.id for rule in self.agreement.rules)


def terms_of(versions: Sequence[Version], now: datetime) -> Terms:
    """By the newest version that is in force, or where none is (before or after its time) by the newest of all."""
    standing = [each for each in versions if (span := effective_span(each.agreement)).start <= now < span.end]
    return Terms(version=(standing or versions)[-1])


def locked(db: Connection, agreement_id: str, now: datetime) -> Terms:
    """The terms, once nobody else can weigh a posting under them. Raises `NotFound` when there is no such agreement."""
    store.lock(db, agreement_id)
    versions = agreements_store.versions_of(db, agreement_id)
    if not versions:
        raise NotFound("agreement_not_found")
    return terms_of(versions, now)


# ---------------------------------------------------------------- by hand


def post(db: Connection, actor: Actor | None, posting: Posting, now: datetime) -> LedgerEntry:
    """Post a grant, a conversion, a credit, a refund or a charge by hand.

    Raises `Forbidden`, and `Refused` with every reason; taking more than is left is one, told with the figures.
    """
    by = require(actor, Action.POST_LEDGER)
    account = posting.account
    terms = locked(db, account.agreement_id, now)
    refuse(rules.check_posting(posting, terms.agreement.parties, terms.clauses, terms.force, now))
    sign = BY_HAND[posting.cause]
    if sign < 0:
        refuse(rules.check_cover(account, store.balance(db, account), posting.minutes))
    entry = _entry_by_hand(posting, posting.cause, sign * posting.minutes, terms, by, now)
    keep(db, terms, [entry], now)
    return entry


def transfer(db: Connection, actor: Actor | None, posting: Posting, to: str, now: datetime) -> list[LedgerEntry]:
    """Move time of `posting.account` to the account of the organisation `to` in the same period: two entries at once.

    Raises what `post` raises. `posting.cause` is TRANSFERRED.
    """
    by = require(actor, Action.POST_LEDGER)
    account = posting.account
    terms = locked(db, account.agreement_id, now)
    # What arrives there is judged like time that was contributed.
    arriving = msgspec.structs.replace(posting, cause=Cause.CONVERTED)
    problems = list(rules.check_posting(arriving, terms.agreement.parties, terms.clauses, terms.force, now))
    if to not in terms.agreement.parties:
        problems.append(rules.not_a_party(to, "to"))
    if to == account.organisation_id:
        problems.append(Refusal(code="ledger_transfer_to_itself", params={"field": "to"}))
    refuse(problems)
    refuse(rules.check_cover(account, store.balance(db, account), posting.minutes))
    there = msgspec.structs.replace(posting, account=msgspec.structs.replace(account, organisation_id=to))
    here = msgspec.structs.replace(posting, until=None)
    entries = [
        _entry_by_hand(here, Cause.TRANSFERRED, -posting.minutes, terms, by, now),
        _entry_by_hand(there, Cause.TRANSFERRED, posting.minutes, terms, by, now),
    ]
    keep(db, terms, entries, now)
    return entries


def _entry_by_hand(posting: Posting, cause: Cause, minutes: int, terms: Terms, by: Actor, now: datetime) -> LedgerEntry:
    return entry_of(
        terms, posting.account, cause, minutes, posting.rule_id, now, posting.reference,
        by=by.person_id, until=posting.until,
    )  # fmt: skip


def correct(
    db: Connection, actor: Actor | None, entry_id: UUID, *, minutes: int, reference: str, now: datetime
) -> LedgerEntry:
    """Say what an entry should have been: `minutes` with its sign, 0 for one that should not be. Posts the difference.

    Raises `NotFound`, and `Refused` when nothing changes, when more would be gone than is left, or for an entry that is
    put right in another way: a correction (correct its entry), a transfer (transfer back).
    """
    by = require(actor, Action.POST_LEDGER)
    wrong = store.get(db, entry_id)
    if wrong is None:
        raise NotFound("ledger_entry_not_found")
    terms = locked(db, wrong.account.agreement_id, now)
    if wrong.cause in (Cause.CORRECTED, Cause.TRANSFERRED):
        raise Refused([Refusal(code="ledger_not_correctable", params={"ledger_cause": wrong.cause.value})])
    known = store.entries_of(db, wrong.account)
    stands = wrong.minutes + sum(entry.minutes for entry in known if entry.corrects == entry_id)
    difference = minutes - stands
    problems = list(rules.check_reference(reference))
    if minutes * wrong.minutes < 0:
        problems.append(Refusal(code="ledger_other_sign", params={"field": "hours"}))
    if abs(minutes) > rules.MOST_MINUTES:
        problems.append(Refusal(code="ledger_amount", params={"field": "hours", "most_minutes": rules.MOST_MINUTES}))
    if difference == 0:
        problems.append(Refusal(code="ledger_nothing_to_correct", params={"field": "hours"}))
    refuse(problems)
    if difference < 0:
        refuse(rules.check_cover(wrong.account, sum(entry.minutes for entry in known), -difference))
    entry = entry_of(terms, wrong.account, Cause.CORRECTED, difference, wrong.rule_id, now, reference, by=by.person_id)
    entry = msgspec.structs.replace(entry, corrects=wrong.id)
    keep(db, terms, [entry], now)
    return entry


# ---------------------------------------------------------------- parts


def entry_of(
    terms: Terms,
    account: LedgerAccount,
    cause: Cause,
    minutes: int,
    rule_id: str,
    now: datetime,
    reference: str,
    *,
    by: UUID | None = None,
    until: datetime | None = None,
) -> LedgerEntry:
    """A new entry of this instant; `by` is None for what the house posts by itself."""
    return LedgerEntry(
        id=uuid4(),
        account=account,
        cause=cause,
        minutes=minutes,
        posted_at=now,
        rule_id=rule_id,
        version=terms.version.number,
        until=until,
        authorised_by=by,
        reference=reference,
    )


def keep(db: Connection, terms: Terms, entries: Sequence[LedgerEntry], now: datetime) -> None:
    """Write the entries in one statement, tell the audit and the parties, and see to the next deadlines."""
    if not store.append(db, entries):
        raise Refused([posted_already(entries[0].reference)])
    for entry in entries:
        audit.record(
            db,
            actor_id=entry.authorised_by,
            action="post",
            noun="agreement",
            noun_id=entry.account.agreement_id,
            now=now,
            details={
                "entry": str(entry.id),
                "organisation": entry.account.organisation_id,
                "cause": entry.cause.value,
                "minutes": entry.minutes,
            },
        )
    ledger_letters.tell(db, terms.agreement, entries, now)
    for account in dict.fromkeys(entry.account for entry in entries):
        _bring_forward(db, terms, account, [entry for entry in entries if entry.account == account], now)


def _bring_forward(
    db: Connection, terms: Terms, account: LedgerAccount, new: Sequence[LedgerEntry], now: datetime
) -> None:
    """An account has one deadline, its next, under the id of its first entry; new entries can only make it earlier.

    So posting costs the same however long the statement is, and one that waits to be dealt with is not put off.
    """
    mine = terms.rules(account)
    moments = {
        DUE: next_deadline(new, account.period, mine, now),
        JUDGED: next_judgement(account.period, mine, now),
    }
    for kind, moment in moments.items():
        if moment is None:
            continue
        first_id = store.first_id(db, account)
        waiting = due_store.when(db, kind, first_id)
        if waiting is None or moment < waiting:
            due_store.schedule(db, kind, first_id, moment)


def reschedule(db: Connection, agreement_id: str, now: datetime) -> None:
    """The deadlines of every account under a version that has come into force: what it does by itself may be new."""
    accounts = store.accounts(db, agreement_id)
    if accounts:
        terms = locked(db, agreement_id, now)
        for account in accounts:
            _bring_forward(db, terms, account, store.entries_of(db, account), now)


def refuse(problems: Sequence[Refusal]) -> None:
    """Raises `Refused` when there is any problem."""
    if problems:
        raise Refused(tuple(problems))


def posted_already(reference: str) -> Refusal:
    """What the second of two equal postings is told."""
    return Refusal(code="ledger_posted_already", params={"field": "reference", "reference": reference})
