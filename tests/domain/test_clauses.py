"""Whose order counts for an instrument."""

from __future__ import annotations

import msgspec

from labshare.domain.agreements import Scope
from labshare.domain.clauses import fair_share_at, tiers_at
from labshare.domain.ordering import FairShare
from tests.domain.clauses import whole
from tests.domain.test_agreements import a_use, an_agreement, local

# An instrument of centre one.
HERE = a_use(local(11, 25, 9), 1)


def test_an_order_counts_where_the_agreement_covers_an_instrument() -> None:
    agreement = whole()
    assert tiers_at([agreement], [HERE]) == agreement.tiers
    elsewhere = msgspec.structs.replace(agreement, covered=Scope(centres=("C-TWO",)))
    assert tiers_at([an_agreement(), elsewhere], [HERE]) == ()


def test_the_longest_half_life_that_is_stated_counts() -> None:
    def stating(days: int) -> object:
        return msgspec.structs.replace(whole(), fair_share=FairShare(half_life_days=days))

    both = [msgspec.convert(stating(days), type=type(whole())) for days in (7, 30)]
    assert fair_share_at(both, [HERE]) == FairShare(half_life_days=30)
    assert fair_share_at([an_agreement()], [HERE]) == FairShare(half_life_days=14)
