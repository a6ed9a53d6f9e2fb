"""The ledger as its readers may see it: an account as a statement at any instant, and the credits of a partner.

A party sees its own account under the agreements that name it; the user office and the managers of the centres that
the agreement concerns see all. What must not live here: anything that posts (ledger.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from math import floor
from uuid import UUID

import msgspec

from labshare.domain.agreements import Agreement
from labshare.domain.ledger import Cause, LedgerAccount, LedgerEntry, by_cause, credits_left, period_name, used
from labshare.domain.ledger_deadlines import Announced, announced
from labshare.domain.people import Action, Actor, may, require
from labshare.domain.timespan import Span
from labshare.domain.windows import Window, windows
from labshare.errors import NotFound
from labshare.services.entitlements import readable
from labshare.services.ledger import Terms, terms_of
from labshare.services.state_orders import Allowance, allowance, first_day
from labshare.store import agreements as agreements_store
from labshare.store import ledger as store
from labshare.store import names, people
from labshare.store.engine import Connection
from labshare.store.names import Name

# Entitlements are posted for a quarter, a semester or a year of the agreement's calendar.
PERIODS = (Window.QUARTER, Window.SEMESTER, Window.YEAR)
AROUND = timedelta(days=366)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a statement with the balance after it. `corrected` is the entry that a correction speaks of."""

    entry: LedgerEntry
    balance: int
    corrected: LedgerEntry | None = None


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """One account as it stood at an instant: the lines in the order of posting, and their sums by cause.

    `credits` are those that had not lapsed, each with what was left of it.
    """

    account: LedgerAccount
    at: datetime
    lines: tuple[Line, ...]
    sums: tuple[tuple[Cause, int], ...]
    credits: tuple[tuple[LedgerEntry, int], ...]

    @property
    def entries(self) -> tuple[LedgerEntry, ...]:
        return tuple(line.entry for line in self.lines)

    @property
    def balance(self) -> int:
        return self.lines[-1].balance if self.lines else 0

    @property
    def came(self) -> int:
        return sum(line.entry.minutes for line in self.lines if line.entry.minutes > 0)

    @property
    def went(self) -> int:
        return -sum(line.entry.minutes for line in self.lines if line.entry.minutes < 0)


class LedgerPage(msgspec.Struct, frozen=True, kw_only=True):
    """What the page of a ledger says. `authors` are the names that this reader may know, by person.

    `orders` says how much state orders may take in the statement's period, for those who answer for the time.
    `announced` is what waits to be pulled back (R08, R09), `turn` the minutes of the party's next turn (R05).
    """

    agreement: Agreement
    accounts: tuple[LedgerAccount, ...]
    statement: Statement | None
    names: dict[str, Name]
    authors: dict[UUID, str]
    sees_all: bool
    orders: Allowance | None = None
    announced: tuple[Announced, ...] = ()
    turn: int | None = None


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """Which account to show (`period` as `period_name` writes it) and as of when; what is not chosen is the newest
    period of the partner, and now.
    """

    organisation_id: str = ""
    period: str = ""
    at: datetime | None = None


def page(db: Connection, actor: Actor | None, agreement_id: str, chosen: Chosen, now: datetime) -> LedgerPage:
    """The ledger of an agreement for this reader.

    Raises `NotFound` when the agreement does not name this reader, or for an account that is not theirs to see.
    """
    reader, versions, centre_ids = readable(db, actor, agreement_id, now)
    found, terms = versions[-1].agreement, terms_of(versions, now)
    is_whole = may(reader, Action.READ_AGREEMENT) or any(
        may(reader, Action.READ_AGREEMENT, centre=centre_id) for centre_id in centre_ids
    )
    own = [each for each in store.accounts(db, agreement_id) if is_whole or each.organisation_id in reader.partner_ids]
    account = _chosen(own, chosen, found)
    at = min(chosen.at or now, now)
    shown = statement(db, account, at) if account else None
    authors = {line.entry.authorised_by for line in shown.lines if line.entry.authorised_by} if shown else set[UUID]()
    return LedgerPage(
        agreement=found,
        accounts=tuple(own),
        statement=shown,
        names=names.names(db, {*found.parties, *(each.organisation_id for each in own)}),
        authors=people.names(db, authors) if is_whole else {},
        sees_all=is_whole,
        orders=_orders(db, terms, account) if is_whole and account else None,
        announced=_announced(terms, shown) if shown else (),
        turn=_turn(terms, shown) if shown else None,
    )


def _chosen(accounts: Sequence[LedgerAccount], chosen: Chosen, agreement: Agreement) -> LedgerAccount | None:
    if not chosen.organisation_id and not chosen.period:
        # The partner's account is the one that most readers come for.
        ordered = sorted(accounts, key=lambda each: each.organisation_id != agreement.partner_id)
        return ordered[0] if ordered else None
    for each in accounts:
        if (each.organisation_id, period_name(each.period, agreement.timezone)) == (
            chosen.organisation_id, chosen.period
        ):  # fmt: skip
            return each
    raise NotFound("ledger_account_not_found")


def _orders(db: Connection, terms: Terms, account: LedgerAccount) -> Allowance | None:
    return allowance(db, terms, account.period) if terms.agreement.state_order is not None else None


def _announced(terms: Terms, shown: Statement) -> tuple[Announced, ...]:
    account = shown.account
    return tuple(announced(shown.entries, account.period, terms.rules(account), shown.at))


def _turn(terms: Terms, shown: Statement) -> int | None:
    """R05: whole minutes of the next turn, by what was due and what of it was delivered; None outside the period."""
    found = terms.entitlement(shown.account)
    if found is None or found.turn is None or not shown.account.period.start <= shown.at < shown.account.period.end:
        return None
    delivered = used(shown.entries, shown.at)
    return floor(found.turn.next(shown.balance + delivered, delivered))


def statement(db: Connection, account: LedgerAccount, at: datetime) -> Statement:
    """The account as it stood at the instant. One query; whoever calls it has seen to who may read it."""
    entries = store.entries_of(db, account, at)
    by_id = {entry.id: entry for entry in entries}
    lines: list[Line] = []
    so_far = 0
    for entry in entries:
        so_far += entry.minutes
        corrected = by_id.get(entry.corrects) if entry.corrects else None
        lines.append(Line(entry=entry, balance=so_far, corrected=corrected))
    sums = by_cause(entries, at)
    return Statement(
        account=account,
        at=at,
        lines=tuple(lines),
        sums=tuple((cause, sums[cause]) for cause in Cause if cause in sums),
        credits=_running(entries, at),
    )


def _running(entries: Sequence[LedgerEntry], at: datetime) -> tuple[tuple[LedgerEntry, int], ...]:
    return tuple((each, left) for each, left in credits_left(entries, at) if each.until and each.until > at)


# ---------------------------------------------------------------- for the forms and the home page


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """What the form of a posting offers: parties, periods around today, clauses of the version in force.

    `orders_from` is the first day on which a state order may take time; None where none may.
    """

    agreement: Agreement
    names: dict[str, Name]
    periods: tuple[Span, ...]
    orders_from: date | None


def desk(db: Connection, actor: Actor | None, agreement_id: str, now: datetime) -> Desk:
    """For whoever may post. Raises `Forbidden` for others and `NotFound` when there is no such agreement."""
    require(actor, Action.POST_LEDGER)
    _, versions, _ = readable(db, actor, agreement_id, now)
    terms = terms_of(versions, now)
    around = Span(now - AROUND, now + AROUND)
    kinds = {kind: windows(kind, around, terms.agreement.timezone) for kind in PERIODS}
    return Desk(
        agreement=terms.agreement,
        names=names.names(db, terms.agreement.parties),
        periods=tuple(each for kind in PERIODS for each in kinds[kind] if each.overlaps(terms.force)),
        orders_from=first_day(terms.agreement, now),
    )


def line(db: Connection, actor: Actor | None, agreement_id: str, entry_id: UUID, now: datetime) -> tuple[Line, Desk]:
    """One entry of the agreement as it stands now, for whoever may correct it: `balance` is what its corrections have
    made of it. Raises `NotFound`.
    """
    found = desk(db, actor, agreement_id, now)
    entry = store.get(db, entry_id)
    if entry is None or entry.account.agreement_id != agreement_id:
        raise NotFound("ledger_entry_not_found")
    known = store.entries_of(db, entry.account)
    return Line(
        entry=entry, balance=entry.minutes + sum(each.minutes for each in known if each.corrects == entry.id)
    ), found


class Credit(msgspec.Struct, frozen=True, kw_only=True):
    """The minutes that a state order took from a party, and its credit for them with what is left of that."""

    agreement: Agreement
    entry: LedgerEntry
    taken: int
    left: int


def credits(db: Connection, actor: Actor, now: datetime) -> list[Credit]:
    """R14: the running credits of the organisations for which this person speaks, the soonest to lapse first.

    Only of state orders: a credit posted by hand has no order that took the time.
    """
    by_account: dict[LedgerAccount, list[LedgerEntry]] = {}
    for entry in store.entries_for(db, actor.partner_ids, now):
        by_account.setdefault(entry.account, []).append(entry)
    found: list[Credit] = []
    for account, entries in by_account.items():
        agreement = agreements_store.versions_of(db, account.agreement_id)[-1].agreement
        taken = {each.reference: -each.minutes for each in entries if each.cause is Cause.DISPLACED}
        if account.organisation_id in agreement.parties:
            found += [
                Credit(agreement=agreement, entry=each, taken=taken[each.reference], left=left)
                for each, left in _running(entries, now)
                if each.cause is Cause.CREDITED and each.rule_id == "R14" and each.reference in taken
            ]
    return sorted(found, key=lambda credit: credit.entry.until or now)
