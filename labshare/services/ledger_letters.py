"""Writing to those who speak for a party when its time is taken: by a state order (R14), or for want of use (R08, R09).

Each letter is written with what it tells of. What must not live here: how many minutes go, or when
(domain/ledger_deadlines.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlencode

from labshare.domain.agreements import Agreement
from labshare.domain.ledger import Cause, LedgerAccount, LedgerEntry, period_name
from labshare.domain.notices import NoticeKind
from labshare.services import notices
from labshare.store import people
from labshare.store.engine import Connection

# What a party did not ask for.
TOLD = {Cause.DISPLACED: NoticeKind.LEDGER_DISPLACED, Cause.PULLED_BACK: NoticeKind.LEDGER_PULLED_BACK}


def tell(db: Connection, agreement: Agreement, entries: Sequence[LedgerEntry], now: datetime) -> None:
    """Of what was posted, what its party is to hear of."""
    for entry in entries:
        if entry.cause in TOLD:
            write(db, agreement, entry.account, TOLD[entry.cause], now)


def write(
    db: Connection,
    agreement: Agreement,
    account: LedgerAccount,
    kind: NoticeKind,
    now: datetime,
    *,
    until: datetime | None = None,
) -> None:
    """One letter to each who speaks for the party as a partner, and so may read the account that it leads to."""
    asked = urlencode({"account": f"{account.organisation_id}:{period_name(account.period, agreement.timezone)}"})
    page = f"/agreements/{agreement.id}/ledger?{asked}"
    for reader in people.partners_of(db, account.organisation_id):
        notices.tell(db, reader.person_id, kind, (agreement.id, agreement.id), page, now, until=until)
