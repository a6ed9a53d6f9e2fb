"""Share rules whose window is the round: which rounds they are kept over.

The share counts over the horizon of each round that has been announced and not withdrawn, on whatever instruments the
rule covers: the round's own plan, and what is booked directly inside the horizon before and after it is published. So a
hard rule is kept at booking too, like one of any other window. Two rounds may begin together or overlap; each has a
window, and balances, of its own.

What must not live here: which rounds there are (store/rounds.py), or what a rule means (agreements.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from labshare.domain.agreements import Term
from labshare.domain.timespan import Span, clipped
from labshare.domain.windows import Window


def counts_rounds(terms: Iterable[Term]) -> bool:
    """Whether any of these terms must be told of the rounds."""
    return any(term.rule.window is Window.ROUND for term in terms)


def in_rounds(terms: Iterable[Term], horizons: Mapping[str, Span]) -> Iterator[Term]:
    """The terms, those whose window is the round once for each of these rounds (horizon by code) that they touch."""
    for term in terms:
        if term.rule.window is not Window.ROUND:
            yield term
            continue
        for code, horizon in sorted(horizons.items()):
            if spans := tuple(clipped(term.spans, horizon)):
                yield msgspec.structs.replace(term, spans=spans, round_code=code)
