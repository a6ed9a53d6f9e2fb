"""The demo's ledger: what the story tells of entitlements this quarter, posted by the services that people use.

What must not live here: how many minutes a rule moves (domain/ledger.py), or amounts (fixtures/demo/story.toml).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from labshare.domain.ledger import Cause, LedgerAccount, Posting
from labshare.domain.people import Actor
from labshare.domain.timespan import Span
from labshare.domain.windows import CENTRE_ZONE_NAME, Window, window_at
from labshare.services import ledger, state_orders
from labshare.services.demo_story import EntryStory
from labshare.services.state_orders import OrderWish
from labshare.store import agreements as agreements_store
from labshare.store.engine import Connection

HOUR = 60


def post_entries(db: Connection, told: Sequence[EntryStory], office: Actor, now: datetime) -> None:
    """Post the entries in their order, each at its part of the time that has passed of the quarter."""
    quarter = window_at(Window.QUARTER, now, CENTRE_ZONE_NAME)
    for each in told:
        _post(db, each, office, quarter, quarter.start + (now - quarter.start) * each.percent / 100)


def _post(db: Connection, told: EntryStory, office: Actor, quarter: Span, at: datetime) -> None:
    if told.cause == Cause.DISPLACED:
        starts_on = state_orders.first_day(agreements_store.versions_of(db, told.agreement)[-1].agreement, at)
        wish = OrderWish(
            agreement_id=told.agreement,
            period=quarter,
            reference=told.reference,
            starts_on=starts_on or at.date(),
            minutes=told.order_hours * HOUR,
            taken={told.organisation: told.hours * HOUR},
        )
        state_orders.state_order(db, office, wish, at)
        return
    posting = Posting(
        account=LedgerAccount(agreement_id=told.agreement, organisation_id=told.organisation, period=quarter),
        cause=Cause(told.cause),
        minutes=told.hours * HOUR,
        rule_id=told.clause,
        reference=told.reference,
    )
    if posting.cause is Cause.TRANSFERRED:
        ledger.transfer(db, office, posting, told.to, at)
    else:
        ledger.post(db, office, posting, at)
