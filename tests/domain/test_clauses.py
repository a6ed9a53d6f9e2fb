"""Whose order counts for an instrument."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import msgspec

from labshare.domain.agreements import Scope, Version
from labshare.domain.clauses import fair_share_at, min_cell_over, tariff_at, tiers_at
from labshare.domain.disclosure import Confidentiality
from labshare.domain.ordering import FairShare
from labshare.domain.windows import days_span
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


def test_a_tariff_counts_by_the_agreement_s_own_day_and_that_of_the_payer_goes_first() -> None:
    """The tariff begins on 1 January 2026, which in Hanoi is at 17:00 UTC the day before."""
    first, own = whole(), msgspec.structs.replace(whole(), id="OWN")
    midnight = datetime(2025, 12, 31, 17, tzinfo=UTC)
    found = tariff_at([first, own], "N001", midnight, None)
    assert found is not None
    assert found[0] is first
    assert tariff_at([first, own], "N001", midnight - timedelta(minutes=1), None) is None
    payers = tariff_at([first, own], "N001", midnight, "OWN")
    assert payers is not None
    assert payers[0] is own


def asking(number: int, cell: int, first: date, last: date | None = None, **changes: object) -> Version:
    agreement = an_agreement(
        effective_from=first, effective_until=last, confidentiality=Confidentiality(min_cell=cell), **changes
    )
    return Version(number=number, agreement=agreement)


def test_the_largest_cell_asked_for_in_a_month_counts_where_its_agreement_covers_the_place() -> None:
    """November 2026 of Hanoi. The second version asks for 4 from the 20th on; the third is another centre's."""
    november = days_span(date(2026, 11, 1), date(2026, 12, 1), "Asia/Ho_Chi_Minh")
    october = days_span(date(2026, 10, 1), date(2026, 11, 1), "Asia/Ho_Chi_Minh")
    mine = [asking(1, 5, date(2026, 1, 1), date(2026, 10, 31)), asking(2, 4, date(2026, 11, 20))]
    elsewhere = [asking(1, 9, date(2026, 1, 1), covered=Scope(centres=("C-TWO",)))]
    assert min_cell_over([mine, elsewhere], [HERE], november) == 4
    assert min_cell_over([mine, elsewhere], [HERE], october) == 5
    assert min_cell_over([elsewhere], [HERE], november) == 3


def test_a_version_that_was_replaced_asks_for_nothing() -> None:
    november = days_span(date(2026, 11, 1), date(2026, 12, 1), "Asia/Ho_Chi_Minh")
    assert min_cell_over([[asking(1, 6, date(2026, 1, 1)), asking(2, 4, date(2026, 1, 1))]], [HERE], november) == 4
