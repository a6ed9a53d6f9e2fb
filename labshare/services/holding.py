"""What the people of a wish hold for its instrument, read under their locks: one query, where anything is asked for;
and what the user of a booking is told of the end of it.

What must not live here: what that means (domain/qualifications.py), or granting (qualifications.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from labshare.domain.bookings import OCCUPYING, Booking, BookingKind, InstrumentRules, Wish
from labshare.domain.modes import is_run_by_staff
from labshare.domain.people import Actor
from labshare.domain.qualifications import Held, ends, told
from labshare.errors import Refusal
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


def near_end(
    db: Connection, actor: Actor, booking: Booking, now: datetime, known: tuple[Held, InstrumentRules] | None = None
) -> tuple[Refusal, ...]:
    """What the user of a booking is told of the end of their qualification: one query, none for anybody else.

    None either where what was `known` to them before the booking ends late enough: what they use later can only put the
    end off.
    """
    is_own = booking.person_id == actor.person_id and booking.trainer_id is None
    if not is_own or booking.state not in OCCUPYING or booking.starts_at <= now:
        return ()
    if known is not None and not _is_near(*known, booking, now):
        return ()
    found = store.lines(db, *store.where(person_id=actor.person_id, number=booking.instrument_number))
    ahead = [end for line in found for end in ends(line.held, line.demand, line.timezone) if end.at > now]
    said = told(ahead[0], booking.span) if ahead else None
    return (said,) if said else ()


def _is_near(held: Held, rules: InstrumentRules, booking: Booking, now: datetime) -> bool:
    """Whether an end would be told of with this booking as the last use."""
    ahead = ends(_with(held, booking.ends_at), rules.demand, rules.timezone)
    first = next((end for end in ahead if end.at > now), None)
    return first is not None and told(first, booking.span) is not None


def _last(planned: Sequence[Booking], person_id: UUID) -> datetime | None:
    theirs = (each for each in planned if person_id in each.people)
    return max((each.ends_at for each in theirs), default=None)


def _with(held: Held, used: datetime | None) -> Held:
    known = [each for each in (held.last_used_at, used) if each is not None]
    return msgspec.structs.replace(held, last_used_at=max(known, default=None))
