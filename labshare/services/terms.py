"""The terms of share rules in force around a span, from the database.

What must not live here: what they do to a booking (agreements.py), or their meaning (domain/agreements.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from labshare.domain import round_terms
from labshare.domain.agreements import Term
from labshare.domain.sandbox import under
from labshare.domain.timespan import Span
from labshare.domain.windows import MOST_ROLLING_DAYS
from labshare.store import agreements as store
from labshare.store import rounds as rounds_store
from labshare.store import sandboxes as sandboxes_store
from labshare.store.engine import Connection

WEEK = timedelta(days=7)
CROSSING = timedelta(days=MOST_ROLLING_DAYS)


def in_force(
    db: Connection, span: Span, rounds: Mapping[str, Span] | None = None, *, as_signed: bool = False
) -> tuple[Term, ...]:
    """The rules in force at some moment of the span, as sandboxes change them or, when asked for, as they were signed.

    Two queries or one, and one more where a window is the round. `rounds` are horizons by code to be taken for those
    that have been announced.
    """
    return tuple(
        term
        for found in around(db, span, rounds, as_signed=as_signed).values()
        for term in found
        if any(force.overlaps(span) for force in term.spans)
    )


def around(
    db: Connection, span: Span, rounds: Mapping[str, Span] | None = None, *, as_signed: bool = False
) -> dict[str, tuple[Term, ...]]:
    """The rules of every agreement that are in force near the span, by agreement, with all that cuts their windows."""
    # Whole years, and the weeks and rolling days that cross their border: a window must be cut by every version that
    # ends or begins inside it, else two bookings of one window would disagree about its limit.
    # The years are those of so much before and after, as the first hours of a year are still the last one's in UTC.
    start, end = span.start - CROSSING, span.end + CROSSING
    first, last = date(start.year, 1, 1) - CROSSING, date(end.year, 12, 31) + CROSSING
    found = store.terms(db, first, last)
    # What the booking check, planning and reports read: here sandboxes come in, and nowhere else.
    holdings = [] if as_signed or not found else sandboxes_store.in_force(db, first, last)
    found = {key: under(terms, holdings) for key, terms in found.items()} if holdings else found
    if not any(round_terms.counts_rounds(terms) for terms in found.values()):
        return found
    rounds = rounds_store.horizons(db, span) if rounds is None else rounds
    return {key: tuple(round_terms.in_rounds(terms, rounds)) for key, terms in found.items()}


def with_rounds(db: Connection, terms: Iterable[Term], span: Span) -> list[Term]:
    """These terms, those whose window is the round once for each round announced over the span."""
    terms = list(terms)
    horizons = rounds_store.horizons(db, span) if round_terms.counts_rounds(terms) else {}
    return list(round_terms.in_rounds(terms, horizons))
