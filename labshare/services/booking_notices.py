"""Telling of bookings: people of what others do with theirs, and the managers of a centre of what waits for them.

Nobody is told of what they did themselves, so a booking of one's own costs nothing here; one that waits for its centre
costs one statement more, a row that the ticker deals with afterwards. What must not live here: decisions
(approvals.py), offers (waitlist.py) and plans (rounds.py), which tell by themselves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from labshare.domain.approvals import is_waiting
from labshare.domain.bookings import Booking, BookingState, InstrumentRules
from labshare.domain.notices import NoticeKind, begins_to_wait, of_change, waits_no_more
from labshare.services import notices
from labshare.store import booking_pages, people
from labshare.store import bookings as bookings_store
from labshare.store import due as due_store
from labshare.store import series as series_store
from labshare.store.booking_pages import BookingLine
from labshare.store.engine import Connection

# What the ticker tells managers of: a booking that waits for them, or all those of a series in one notice.
ASK = "approval_asked"
ASK_SERIES = "series_approval_asked"

# A booking before its change, None for a new one, and as it now stands.
Changed = tuple[Booking | None, Booking]


def tell(
    db: Connection,
    by_id: UUID,
    changed: Sequence[Changed],
    rules: Mapping[int, InstrumentRules],
    now: datetime,
    *,
    action: str,
) -> None:
    """Tell whom these changes concern. `action` is the word for the audit."""
    groups: defaultdict[tuple[UUID, NoticeKind, UUID], list[Booking]] = defaultdict(list)
    for before, after in changed:
        kind = of_change(action, before, after, by_id)
        if kind is not None and after.person_id is not None:
            groups[after.person_id, kind, after.series_id or after.id].append(after)
    for (person_id, kind, _), found in groups.items():
        first = min(found, key=lambda each: each.starts_at)
        at = rules[first.instrument_number]
        notices.tell(
            db, person_id, kind, (at.name_vi, at.name_en), f"/bookings/{first.id}", now, until=first.starts_at,
            booking_id=first.id, series_id=first.series_id if len(found) > 1 else None,
        )  # fmt: skip
    _settle(db, changed, now)
    _ask(db, changed, now)


def settle(db: Connection, booking: Booking, now: datetime) -> None:
    """Nobody need decide on this booking any more."""
    notices.settle(db, [booking.id], [booking.series_id] if booking.series_id else [], now)


def ask(db: Connection, booking_id: UUID, now: datetime) -> None:
    """What the ticker does: a notice to each manager of the centre, unless somebody has decided by now.

    Read under the lock of the instrument: whoever decides at this moment sees the notice, and settles it, or was first.
    """
    bookings_store.hold_still(db, bookings_store.get(db, booking_id).instrument_number)
    _ask_about(db, booking_pages.lines_with(db, booking_id, None), now)


def ask_series(db: Connection, series_id: UUID, now: datetime) -> None:
    """The same for the bookings of a series, in one notice."""
    bookings_store.hold_still(db, series_store.get(db, series_id).instrument_number)
    _ask_about(db, booking_pages.lines_of_series(db, series_id), now, series_id=series_id)


# ---------------------------------------------------------------- parts


def _ask(db: Connection, changed: Sequence[Changed], now: datetime) -> None:
    new: dict[str, dict[UUID, datetime]] = {ASK: {}, ASK_SERIES: {}}
    for before, after in changed:
        if not begins_to_wait(before, after):
            continue
        kind, noun_id = (ASK_SERIES, after.series_id) if after.series_id else (ASK, after.id)
        if before is None or before.state is BookingState.HELD:
            new[kind][noun_id] = now
        else:
            # It was asked about before, perhaps at this moment.
            due_store.schedule(db, kind, noun_id, now)
    for kind, nouns in new.items():
        if nouns:
            due_store.add(db, kind, nouns)


def _settle(db: Connection, changed: Sequence[Changed], now: datetime) -> None:
    over = [after for before, after in changed if waits_no_more(before, after)]
    if over:
        notices.settle(db, [each.id for each in over], {each.series_id for each in over if each.series_id}, now)


def _ask_about(db: Connection, lines: Sequence[BookingLine], now: datetime, *, series_id: UUID | None = None) -> None:
    waiting = [line for line in lines if is_waiting(line.booking, now)]
    if not waiting:
        return
    first = waiting[0]
    names = (first.instrument_vi, first.instrument_en)
    # Nobody decides on a booking of their own.
    managers = {each.person_id for each in people.managers_of(db, first.centre_id)} - {first.booking.person_id}
    notices.tell_all(
        db, managers, NoticeKind.BOOKING_TO_DECIDE, names,
        f"/bookings/{first.booking.id}" if len(waiting) == 1 else "/approvals", now,
        until=min(line.booking.hold_expires_at or now for line in waiting), booking_id=first.booking.id,
        series_id=series_id,
    )  # fmt: skip
