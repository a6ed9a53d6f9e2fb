"""The demo's booking that waits: a manager has outsiders wait at one instrument, and one of them has just booked it.

It goes the way that people go. What must not live here: what waiting means (approvals.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from labshare.domain.approvals import Approval
from labshare.domain.bookings import InstrumentRules, Wish
from labshare.domain.people import Actor
from labshare.domain.projects import Project
from labshare.errors import Refused
from labshare.services import approvals, bookings, free_times
from labshare.store.engine import Connection

HOURS_TO_DECIDE = 48


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who might book an instrument from outside, on account of a project."""

    manager: Actor
    rules: InstrumentRules
    user: Actor
    project: Project


def wait(db: Connection, asks: Iterable[Ask], now: datetime) -> None:
    """Make the first of these that can be made."""
    for ask in asks:
        slot = free_times.next_free(db, ask.user.person_id, ask.rules.number, ask.rules.min_minutes, now)
        if slot is None or slot.start.date() <= now.date():
            continue
        approvals.choose(db, ask.manager, ask.rules.id, Approval.OUTSIDERS, HOURS_TO_DECIDE, now)
        try:
            wish = Wish(instrument_number=ask.rules.number, span=slot, project_id=ask.project.id)
            bookings.book(db, ask.user, wish, now)
        except Refused:
            # A clause or a share may say no where the calendar does not.
            continue
        return
