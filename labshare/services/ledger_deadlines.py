"""What the ledger posts by itself: credits that lapse, time pulled back at checkpoints, time carried into a new period.

Run by ticking.py. What must not live here: how many minutes each rule moves, or when (domain/ledger_deadlines.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from uuid import UUID

import msgspec

from labshare.domain import ledger_deadlines as rules
from labshare.domain.ledger import Cause, LedgerAccount, LedgerEntry, lapsing, period_name
from labshare.domain.notices import NoticeKind
from labshare.errors import NotFound
from labshare.services import ledger_letters
from labshare.services.ledger import DUE, JUDGED, Terms, entry_of, keep, locked
from labshare.store import due as due_store
from labshare.store import ledger as store
from labshare.store.engine import Connection


def settle(db: Connection, entry_id: UUID, now: datetime) -> None:
    """Post what has come due on the account of this entry: lapsed credits, pull-backs (R08, R09), the end of its period
    (R11). Whatever has been posted is not posted again, so a deadline may be dealt with twice.
    """
    entry = store.get(db, entry_id)
    if entry is None:
        raise NotFound("ledger_entry_not_found")
    account = entry.account
    terms = locked(db, account.agreement_id, now)
    known = store.entries_of(db, account)
    new = _lapsed(terms, known, now)
    new += _pulled_back(terms, account, [*known, *new], now)
    new += _closed(terms, account, [*known, *new], now)
    if new:
        keep(db, terms, new, now)
    after = [*known, *(each for each in new if each.account == account)]
    moment = rules.next_deadline(after, account.period, terms.rules(account), now)
    if moment is not None:
        due_store.schedule(db, DUE, store.first_id(db, account), moment)


def judge(db: Connection, entry_id: UUID, now: datetime) -> None:
    """A checkpoint has come: write to the party what it will lose (R09), and wait for the next one."""
    entry = store.get(db, entry_id)
    if entry is None:
        raise NotFound("ledger_entry_not_found")
    account = entry.account
    terms = locked(db, account.agreement_id, now)
    mine = terms.rules(account)
    found = rules.just_judged(store.entries_of(db, account), account.period, mine, now)
    if found:
        kind = NoticeKind.LEDGER_TO_PULL_BACK
        ledger_letters.write(db, terms.agreement, account, kind, now, until=found.posted_at)
    moment = rules.next_judgement(account.period, mine, now)
    if moment is not None:
        due_store.schedule(db, JUDGED, entry_id, moment)


def _lapsed(terms: Terms, known: Sequence[LedgerEntry], now: datetime) -> list[LedgerEntry]:
    return [
        entry_of(terms, credit.account, Cause.LAPSED, -minutes, credit.rule_id, now, str(credit.id))
        for credit, minutes in lapsing(known, now)
    ]


def _pulled_back(
    terms: Terms, account: LedgerAccount, known: Sequence[LedgerEntry], now: datetime
) -> list[LedgerEntry]:
    pull_back = terms.rules(account).pull_back
    new: list[LedgerEntry] = []
    for checkpoint in pull_back.checkpoints if pull_back else ():
        assert pull_back
        minutes = rules.pulled_back_at([*known, *new], account.period, pull_back, checkpoint, now)
        if minutes and pull_back.posted_at(account.period, checkpoint) <= now:
            name = str(checkpoint.at)
            new.append(entry_of(terms, account, Cause.PULLED_BACK, -minutes, pull_back.rule, now, name))
    return new


def _closed(terms: Terms, account: LedgerAccount, known: Sequence[LedgerEntry], now: datetime) -> list[LedgerEntry]:
    timezone = terms.agreement.timezone
    name = period_name(account.period, timezone)
    is_closed = any(each.rule_id == "R11" and each.reference == name for each in known)
    carry_over = terms.rules(account).carry_over
    if carry_over is None or now < account.period.end or is_closed:
        return []
    following = rules.next_period(account.period, timezone)
    after = msgspec.structs.replace(account, period=following)
    goes_on = following.start < terms.force.end
    new = _carried_on(terms, after, known, now) if goes_on else []
    most = carry_over.most if goes_on else Fraction(0)
    carried, lapsed = rules.closing([*known, *(each for each in new if each.account == account)], most, now)
    if lapsed:
        new.append(entry_of(terms, account, Cause.LAPSED, -lapsed, "R11", now, name))
    if carried:
        until = carry_over.until(account.period, timezone)
        new.append(entry_of(terms, account, Cause.CARRIED_OVER, -carried, "R11", now, name))
        new.append(entry_of(terms, after, Cause.CARRIED_OVER, carried, "R11", now, name, until=until))
    return new


def _carried_on(terms: Terms, after: LedgerAccount, known: Sequence[LedgerEntry], now: datetime) -> list[LedgerEntry]:
    """What was carried into the period that ends and may go on. It keeps its day, so nothing is carried for ever."""
    new: list[LedgerEntry] = []
    for credit, minutes in rules.carried_on(known, known[0].account.period, now):
        there = entry_of(terms, after, Cause.CARRIED_OVER, minutes, "R11", now, credit.reference, until=credit.until)
        here = entry_of(terms, credit.account, Cause.CARRIED_OVER, -minutes, "R11", now, str(credit.id))
        new += [here, there]
    return new
