"""What the people of a wish hold for its instrument, read under their locks: one query, where anything is asked for.

What must not live here: what that means (domain/qualifications.py), or granting (qualifications.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from labshare.domain.bookings import Booking, BookingKind, InstrumentRules, Wish
from labshare.domain.modes import is_run_by_staff
from labshare.domain.qualifications import Held
from labshare.store import qualifications as store
from labshare.store.engine import Connection


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """What the user, the trainer and the operator of a wish hold; nothing where there is none."""

    user: Held = Held()
    trainer: Held = Held()
    operator: Held = Held()


def is_asked(rules: InstrumentRules, wish: Wish) -> bool:
    """Whether the rules of booking look at what anybody holds."""
    is_use = wish.kind is BookingKind.USE and wish.person_id is not None
    asks = rules.qualification or rules.demand.course_months
    return is_use and bool(wish.attendants or (asks and not is_run_by_staff(wish, rules)))


def where_asked(db: Connection, rules: InstrumentRules, wish: Wish, planned: Sequence[Booking] = ()) -> Holding:
    """The same as `of_wish`, without a query where nothing is looked at."""
    return of_wish(db, rules, wish, planned) if is_asked(rules, wish) else Holding()


def of_wish(db: Connection, rules: InstrumentRules, wish: Wish, planned: Sequence[Booking] = ()) -> Holding:
    """What they hold, where uses of the same call count as uses that were booked before."""
    found = store.held(db, wish.people, rules, before=wish.span.start, but=wish.replaces_id)
    here = [
        each
        for each in planned
        if each.instrument_number == rules.number and each.starts_at < wish.span.start and each.id != wish.replaces_id
    ]
    used = {person_id: _with(held, _last(here, person_id)) for person_id, held in found.items()}
    nothing = Held()
    return Holding(
        user=used.get(wish.person_id, nothing) if wish.person_id else nothing,
        trainer=used.get(wish.trainer_id, nothing) if wish.trainer_id else nothing,
        operator=used.get(wish.operator_id, nothing) if wish.operator_id else nothing,
    )


def _last(planned: Sequence[Booking], person_id: UUID) -> datetime | None:
    theirs = (each for each in planned if person_id in each.people)
    return max((each.ends_at for each in theirs), default=None)


def _with(held: Held, used: datetime | None) -> Held:
    known = [each for each in (held.last_used_at, used) if each is not None]
    return msgspec.structs.replace(held, last_used_at=max(known, default=None))
