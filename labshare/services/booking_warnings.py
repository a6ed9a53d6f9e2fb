"""What somebody is told of a booking that stands and that nothing refuses: on its page, and in the answer that made it.

What must not live here: refusals (domain/bookings.py), or the counting of shares (share_warnings.py).
"""

from __future__ import annotations

from datetime import datetime

from labshare.domain.booking_rules import NoShows, at
from labshare.domain.bookings import OCCUPYING, Booking, BookingState
from labshare.domain.conduct_rules import blocked, nearly_blocked
from labshare.domain.people import Actor
from labshare.errors import Refusal
from labshare.services.clauses import missed_since, posted_conduct
from labshare.services.qualifications import near_end
from labshare.services.share_warnings import notices
from labshare.store import bookings as bookings_store
from labshare.store import person_times
from labshare.store import series as series_store
from labshare.store.engine import Connection
from labshare.store.rulebooks import with_posted


def warnings(db: Connection, reader: Actor, booking: Booking, now: datetime) -> tuple[Refusal, ...]:
    """That its user's qualification ends, that they did not come before, and which moving shares do not hold with it
    and the others of its series.
    """
    together = [booking] if booking.series_id is None else series_store.bookings_of(db, booking.series_id)
    return (
        *near_end(db, reader, booking, now),
        *no_shows(db, reader, booking, now),
        *notices(db, reader, together, now),
    )


def no_shows(db: Connection, reader: Actor, booking: Booking, now: datetime) -> tuple[Refusal, ...]:
    """What the user of a booking that lies ahead, or that they missed, has against them by the rules of its centre, and
    what comes of it. One query, and two more where such a rule stands; none for anybody else.
    """
    is_ahead = booking.state in OCCUPYING and booking.starts_at > now
    if booking.person_id != reader.person_id or not (is_ahead or booking.state is BookingState.NO_SHOW):
        return ()
    standing = [each for each in with_posted(db).posted if isinstance(each.rule, NoShows)]
    if not standing:
        return ()
    posted = at(standing, bookings_store.rules_of(db, [booking.instrument_number])[booking.instrument_number].site)
    since = missed_since((), posted, now)
    missed = person_times.missed(db, reader.person_id, since) if since else ()
    conducts = [posted_conduct(each, (), missed, frozenset()) for each in posted]
    said = (blocked(each, now) or nearly_blocked(each, now) for each in conducts)
    return tuple(each for each in said if each)
