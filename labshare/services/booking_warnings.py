"""What somebody is told of a booking that stands and that nothing refuses: on its page, and in the answer that made it.

What must not live here: refusals (domain/bookings.py), or the counting of shares (share_warnings.py).
"""

from __future__ import annotations

from datetime import datetime

from labshare.domain.agreements import Agreement
from labshare.domain.booking_rules import NoShows
from labshare.domain.bookings import OCCUPYING, Booking, BookingState, Wish
from labshare.domain.clauses import Conduct
from labshare.domain.conduct_rules import blocked, nearly_blocked
from labshare.domain.operators import may_operate
from labshare.domain.people import Actor
from labshare.domain.standing_rules import at
from labshare.errors import Refusal
from labshare.services import holding
from labshare.services.booking_changes import again
from labshare.services.bookings import Booked
from labshare.services.clauses import conducts, covering_at, missed_since
from labshare.services.holding import near_end
from labshare.services.share_warnings import notices
from labshare.store import bookings as bookings_store
from labshare.store import person_times
from labshare.store import series as series_store
from labshare.store.engine import Connection
from labshare.store.rulebooks import rulebook


def warnings(
    db: Connection, reader: Actor, booking: Booking, now: datetime, new: Booked | None = None
) -> tuple[Refusal, ...]:
    """That its user's qualification ends, that its operator is none any more, that its user did not come before, and
    which moving shares do not hold with it and the others of its series.

    With what was read in the same transaction for a `new` one, no query where nothing is to be told.
    """
    together = [booking] if booking.series_id is None else series_store.bookings_of(db, booking.series_id)
    stamp, held = (new.payer.stamp, new.held) if new else (None, None)
    return (
        *near_end(db, reader, booking, now, (held, new.rules) if new and held else None),
        *(() if new else operator_gone(db, booking, now)),
        *no_shows(db, reader, booking, now, new),
        *notices(db, reader, together, now, stamp),
    )


def operator_gone(db: Connection, booking: Booking, now: datetime) -> tuple[Refusal, ...]:
    """That whoever was named for a booking ahead does not operate its instrument until then: they were relieved since,
    or what they hold ends before. Two queries, where somebody is named.
    """
    if booking.operator_id is None or booking.state not in OCCUPYING or booking.starts_at <= now:
        return ()
    rules = bookings_store.rules_of(db, [booking.instrument_number])[booking.instrument_number]
    held = holding.of_wish(db, rules, again(booking, booking.span, rules=rules, mode=booking.mode)).operator
    if may_operate(held, rules.demand, rules.timezone, booking.ends_at):
        return ()
    return (Refusal(code="operator_gone"),)


def no_shows(
    db: Connection, reader: Actor, booking: Booking, now: datetime, new: Booked | None = None
) -> tuple[Refusal, ...]:
    """What the user of a booking that lies ahead, or that they missed, has against them by the rules of its centre and
    the clauses of agreements (R21), and what comes of it. None for others.

    One query, and two more where such a rule or clause stands; none for a `new` booking, of which it was judged.
    """
    is_ahead = booking.state in OCCUPYING and booking.starts_at > now
    if booking.person_id != reader.person_id or not (is_ahead or booking.state is BookingState.NO_SHOW):
        return ()
    held = new.conducts if new else _conducts(db, booking, reader, now)
    said = (blocked(each, now) or nearly_blocked(each, now) for each in held)
    return tuple(each for each in said if each)


def _conducts(db: Connection, booking: Booking, reader: Actor, now: datetime) -> tuple[Conduct, ...]:
    book, moment = rulebook(db), max(booking.starts_at, now)
    standing = [each for each in book.posted if isinstance(each.rule, NoShows)]
    if not standing and not any(_bars(each) for each in book.agreements_at(moment)):
        return ()
    rules = bookings_store.rules_of(db, [booking.instrument_number])[booking.instrument_number]
    posted = at(standing, rules.site)
    covering = [each for each in covering_at(book, rules, moment) if _bars(each)]
    since = missed_since(covering, posted, now)
    missed = person_times.missed(db, reader.person_id, since) if since else ()
    wish = Wish(instrument_number=rules.number, span=booking.span, person_id=reader.person_id)
    return conducts(covering, rules, wish, posted=posted, missed=missed)


def _bars(agreement: Agreement) -> bool:
    return agreement.courtesy is not None and agreement.courtesy.penalties is not None
