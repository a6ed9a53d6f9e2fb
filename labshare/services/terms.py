"""The terms of share rules in force over a span, from the database.

What must not live here: what they do to a booking (weighing.py), or their meaning (domain/agreements.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from labshare.domain import round_terms
from labshare.domain.agreements import Term
from labshare.domain.rulebook import Rulebook
from labshare.domain.timespan import Span
from labshare.store import rounds as rounds_store
from labshare.store.engine import Connection
from labshare.store.rulebooks import rulebook


def in_force(
    db: Connection, span: Span, rounds: Mapping[str, Span] | None = None, *, as_signed: bool = False
) -> tuple[Term, ...]:
    """The rules in force at some moment of the span, as sandboxes change them or, when asked for, as they were signed.

    One query. `rounds` are horizons by code to be taken for those that have been announced.
    """
    book = rulebook(db)
    if as_signed or rounds is not None:
        holdings, announced = () if as_signed else book.holdings, book.rounds if rounds is None else rounds
        book = Rulebook(book.versions, holdings, announced)
    return book.over(span)


def with_rounds(db: Connection, terms: Iterable[Term], span: Span) -> list[Term]:
    """These terms, those whose window is the round once for each round announced over the span."""
    terms = list(terms)
    horizons = rounds_store.horizons(db, span) if round_terms.counts_rounds(terms) else {}
    return list(round_terms.in_rounds(terms, horizons))
