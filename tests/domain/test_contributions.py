"""R03: who bears a tenth of the investment or more has access in proportion."""

from __future__ import annotations

from fractions import Fraction

import pytest

from labshare.domain.contributions import (
    ContractForm,
    Contribution,
    Preference,
    investment_of,
    preferential_shares,
)
from tests.domain.clauses import whole


def test_a_sixth_part_payer_has_its_part_and_a_small_one_none() -> None:
    """R03: of 50 bn A bore 8 bn = 16 %; B bore 4 bn = 8 %, below a tenth."""
    agreement = whole()
    assert agreement.preference is not None
    partners = [each for each in agreement.contributions if each.party != "I-IMS"]
    assert preferential_shares(agreement.preference, partners) == {"O-A": Fraction(4, 25)}


def test_all_that_a_party_puts_in_counts() -> None:
    assert Contribution(party="P", cash=1, in_kind=20, land=300, staff=4_000).total == 4_321


def test_exactly_the_threshold_is_enough_and_without_an_investment_the_sum_is_the_whole() -> None:
    some = [Contribution(party="A", cash=1), Contribution(party="B", land=9)]
    assert investment_of(Preference(), some) == 10
    assert preferential_shares(Preference(), some) == {"A": Fraction(1, 10), "B": Fraction(9, 10)}


@pytest.mark.parametrize("some", [[], [Contribution(party="A")]])
def test_who_puts_in_nothing_has_nothing(some: list[Contribution]) -> None:
    assert preferential_shares(Preference(), some) == {}


def test_the_form_of_contract_is_one_of_the_decrees() -> None:
    assert whole().contract is ContractForm.JOINT_VENTURE
