"""Each fault of a clause is told with its place, all at once; the agreement with every clause has none."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labshare.domain.agreement_documents import faults, from_json, from_toml, to_json, to_toml
from labshare.domain.agreements import Agreement, Scope
from labshare.domain.clause_faults import has_other_clauses, other_orders
from labshare.domain.contributions import ContractForm, Contribution, Preference
from labshare.domain.courtesy import Courtesy, Penalties, PrimeTime
from labshare.domain.disclosure import Confidentiality
from labshare.domain.ledger import Step
from labshare.domain.ledger_clauses import (
    Charging,
    Conversion,
    Entitlement,
    Reserved,
    StateOrder,
    Turn,
)
from labshare.domain.ledger_deadlines import CarryOver, Checkpoint, PullBack
from labshare.domain.ordering import FairShare, Mark, Tier
from labshare.domain.profiles import Group, Size
from labshare.domain.projects import AccessClass, Activity
from labshare.domain.screening import Screening, Silence, WatchList
from labshare.domain.tariffs import DataDiscount, Tariff, TariffClass, Waiver
from labshare.domain.windows import Window
from labshare.errors import Malformed
from tests.domain.clauses import DOCUMENT, KNOWN, whole
from tests.domain.test_agreements import an_agreement


def told(agreement: Agreement) -> list[tuple[str, object]]:
    """Each fault's code with the first of its parameters."""
    return [(fault.code, next(iter(fault.params.values()), None)) for fault in faults(agreement, KNOWN)]


def with_text(old: str, new: str) -> Agreement:
    assert DOCUMENT.count(old) >= 1
    return from_toml(DOCUMENT.replace(old, new, 1))


def test_the_agreement_with_every_clause_is_sound() -> None:
    assert told(whole()) == []
    assert has_other_clauses(whole())


def test_an_agreement_without_any_clause_says_nothing() -> None:
    assert not has_other_clauses(an_agreement())
    assert "agreement_without_rules" in {code for code, _ in told(an_agreement())}


PENALTY = "courtesy penalties no_show_charge"
TEACHING = 'who = [{ access_class = ["education"] }]'
DEFENCE = 'terms = ["tác chiến điện tử"]\norganisations = ["O-WATCHED"]'


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        # Plain numbers.
        ("land = 15_000_000_000", "land = -1", ("clause_amount", "contributions I-IMS land")),
        ("minutes = 7_200", "minutes = -7_200", ("clause_amount", "entitlements O-A minutes")),
        ("minutes = 180", "minutes = 0", ("clause_amount", "entitlements O-A turn minutes")),
        ("rate = 2_500_000", "rate = 0", ("clause_amount", "entitlements O-A conversion rate")),
        ("grace_days = 60", "grace_days = -1", ("clause_amount", "entitlements O-B pull_back grace_days")),
        ("half_life_days = 14", "half_life_days = 0", ("clause_amount", "fair_share half_life_days")),
        ("credit_days = 60", "credit_days = 0", ("clause_amount", "state_order credit_days")),
        ("full_cost = 2_400_000", "full_cost = -1", ("clause_amount", "tariffs 2026 full_cost")),
        ("valid_years = 5", "valid_years = 2", ("clause_amount", "tariffs 2026 waiver valid_years")),
        ("advance_days = 14", "advance_days = 0", ("clause_amount", "courtesy advance_days")),
        ("day_minutes = 300", "day_minutes = 0", ("clause_amount", "courtesy prime day_minutes")),
        ("strikes = 3", "strikes = 0", ("clause_amount", "courtesy penalties strikes")),
        ("embargo_months = 24", "embargo_months = -1", ("clause_amount", "confidentiality embargo_months")),
        ("working_days = 5", "working_days = 0", ("clause_amount", "screening working_days")),
        ("credit_days = 60", "credit_days = 36_526", ("clause_amount_over", "state_order credit_days")),
        ("minutes = 7_200", "minutes = 52_596_001", ("clause_amount_over", "entitlements O-A minutes")),
        # Shares.
        ('threshold = "10 %"', 'threshold = "110 %"', ("clause_share_over_one", "preference threshold")),
        ('clamp = "1/2"', 'clamp = "3/2"', ("clause_share_over_one", "entitlements O-A turn clamp")),
        ('forfeit = "25 %"', 'forfeit = "125 %"', ("clause_share_over_one", "entitlements O-A step forfeit")),
        ('ceiling = "30 %"', 'ceiling = "130 %"', ("clause_share_over_one", "state_order ceiling")),
        ('share = "75 %"', 'share = "175 %"', ("clause_share_over_one", "tariffs 2026 class sme")),
        ('after = "50 %"', 'after = "150 %"', ("clause_share_over_one", "tariffs 2026 waiver after")),
        ('no_show_charge = "100 %"', 'no_show_charge = "2/1"', ("clause_share_over_one", PENALTY)),
        ('classical_rate = "3/4"', 'classical_rate = "4/3"', ("clause_share_over_one", "charging classical_rate")),
        # Places and parties.
        ('centres = ["C-ONE"]', 'centres = ["C-NONE"]', ("clause_unknown_place", "covered")),
        ('centres = ["C-ONE"]', 'centres = ["C-ONE"]\ninstruments = ["N001"]', ("clause_covered_both", None)),
        ('party = "I-IMS"', 'party = "I-ELSE"', ("clause_not_a_party", "contributions")),
        ('party = "I-IMS"', 'party = "O-B"', ("clause_twice", "contributions")),
        ("investment = 50_000_000_000", "investment = 49_000_000_000", ("clause_over_investment", 50_000_000_000)),
        # Checkpoints.
        ('at = "2/3"', 'at = "1/3"', ("clause_checkpoints_not_rising", "entitlements O-A")),
        ('at = "1/3"', 'at = "0/3"', ("clause_checkpoints_not_rising", "entitlements O-A")),
        ('used_less_than = "25 %"', 'used_less_than = "5 %"', ("clause_steps_not_rising", "entitlements O-A")),
        ("appeal_days = 7", "appeal_days = 15", ("clause_appeal_after_notice", "entitlements O-A")),
        ("standby_hours = 24", "standby_hours = 72", ("clause_standby_before_release", 72)),
        # Tiers.
        ('id = "industry"', 'id = "education"', ("clause_twice", "tiers")),
        (TEACHING, 'who = [{ access_class = ["host"] }]', ("clause_tier_missing", "education")),
        ('mark = "safety"', 'who = [{ size = ["sme"] }]\nmark = "safety"', ("clause_tier_who", "safety")),
        ('mark = "standby"', 'mark = "standby"\nstrict = true', ("clause_tier_strict_last", "standby")),
        ('spared = ["safety"]', 'spared = ["running"]', ("clause_tier_unknown", "running")),
        # Tariffs.
        ("effective_until = 2035-12-31", "effective_until = 2025-12-31", ("clause_dates_reversed", "tariffs 2026")),
        ("full_cost = 2_400_000", 'full_cost = 1\ninstruments = ["N999"]', ("clause_unknown_place", "tariffs 2026")),
        ('id = "sme"', 'id = "large"', ("clause_twice", "tariffs 2026")),
        ('size = ["large"] }]', 'size = ["sme", "large"] }]', ("clause_class_both", "tariffs 2026")),
        # Courtesy, confidentiality, security.
        ('hours = "Mon-Fri 08:00-18:00"', 'hours = "mornings"', ("clause_prime_hours", "mornings")),
        (", day_minutes = 300", "", ("clause_prime_without_limit", None)),
        ("min_cell = 3", "min_cell = 2", ("clause_min_cell", "2")),
        ('id = "defence"', 'id = "dual_use"', ("clause_twice", "screening lists")),
        (DEFENCE, "terms = [' ']", ("clause_list_empty", "defence")),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_place(old: str, new: str, fault: tuple[str, object]) -> None:
    assert told(with_text(old, new)) == [fault]


def test_a_conversion_needs_something_in_kind() -> None:
    assert told(with_text("in_kind = 1_200_000_000\n", "")) == [("clause_nothing_in_kind", "O-A")]


def test_a_preference_needs_contributions() -> None:
    lone = an_agreement(preference=Preference(), parties=("I-IMS",))
    assert told(lone) == [("clause_preference_alone", None)]


def test_a_class_of_payers_without_a_price_is_named_once() -> None:
    agreement = with_text('access_class = ["industry", "partner"], size = ["sme"]', 'access_class = ["industry"]')
    codes = told(agreement)
    # Small partners have no class; large industry has two.
    assert codes == [("clause_class_missing", "tariffs 2026"), ("clause_class_both", "tariffs 2026")]
    assert faults(agreement, KNOWN)[0].params["access_class"] == "partner"


def test_tariffs_of_the_same_instruments_follow_one_another() -> None:
    (tariff,) = whole().tariffs
    first = msgspec.structs.replace(tariff, effective_until=date(2026, 12, 31))
    second = msgspec.structs.replace(tariff, id="2027", effective_from=date(2027, 1, 1))
    own = msgspec.structs.replace(tariff, id="own", instruments=("N001",))
    assert told(msgspec.structs.replace(whole(), tariffs=(first, second, own))) == []
    assert told(msgspec.structs.replace(whole(), tariffs=(tariff, second))) == [("clause_tariffs_overlap", "2026")]


def test_two_agreements_in_force_state_one_order_of_tiers() -> None:
    """A beside others: with another order at the same time, with the same one, with another that is over, with none."""
    other = msgspec.structs.replace(whole(), id="OTHER", tiers=tuple(reversed(whole().tiers)))
    same = msgspec.structs.replace(other, tiers=whole().tiers)
    over = msgspec.structs.replace(other, effective_from=date(2025, 1, 1), effective_until=date(2025, 12, 31))
    (refusal,) = other_orders(whole(), [other, same, over, an_agreement()])
    assert (refusal.code, refusal.params) == ("clause_tiers_differ", {"other": "OTHER"})
    assert list(other_orders(an_agreement(), [other])) == []


def test_a_strike_for_late_cancelling_needs_a_notice() -> None:
    strict = Courtesy(penalties=Penalties(late_cancel=True))
    assert told(msgspec.structs.replace(whole(), courtesy=strict)) == [("clause_late_without_notice", None)]
    sound = msgspec.structs.replace(strict, notice_hours=24)
    assert told(msgspec.structs.replace(whole(), courtesy=sound)) == []


def test_empty_lists_are_told() -> None:
    none = msgspec.structs.replace(whole(), screening=Screening(lists=()))
    assert told(none) == [("clause_screening_empty", None)]
    no_checkpoint = Entitlement(party="O-A", window=Window.YEAR, minutes=1, pull_back=PullBack(checkpoints=()))
    assert told(msgspec.structs.replace(whole(), entitlements=(no_checkpoint,))) == [
        ("clause_no_checkpoint", "entitlements O-A")
    ]


def test_faults_of_rules_and_of_clauses_are_told_together() -> None:
    agreement = msgspec.structs.replace(whole(), timezone="Nowhere", confidentiality=Confidentiality(min_cell=1))
    assert [code for code, _ in told(agreement)] == ["agreement_unknown_timezone", "clause_min_cell"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('share = "75 %"', "share = 0.75", 'a share is written as text, "16 %" or "4/25", not 0.75'),
        ('share = "75 %"', 'share = "-75 %"', "a share is written as"),
        ('contract = "joint_venture"', 'contract = "handshake"', "Invalid enum value 'handshake' - at `$.contract`"),
        ("late_minutes = 30", "late_hours = 1", "unknown field `late_hours` - at `$.courtesy.penalties`"),
        ('mark = "standby"', 'mark = "later"', "Invalid enum value 'later' - at `$.tiers[7].mark`"),
    ],
)
def test_what_cannot_be_read_names_its_place(old: str, new: str, reason: str) -> None:
    with pytest.raises(Malformed) as caught:
        with_text(old, new)
    assert reason in str(caught.value.params["reason"])


# ---------------------------------------------------------------- documents


def test_an_agreement_without_clauses_reads_as_before() -> None:
    """A version written before there were other clauses is the same value, and no document names what is not there."""
    old = (
        '{"format":"labshare-agreement/1","id":"A","title_vi":"Một","title_en":"One","parties":["I"],'
        '"effective_from":"2026-01-01"}'
    )
    agreement = from_json(old)
    assert not has_other_clauses(agreement)
    assert agreement.covered == Scope()
    assert msgspec.json.decode(to_json(agreement)).keys() - {"covered"} == msgspec.json.decode(old).keys()


shares = st.fractions(min_value=0, max_value=1, max_denominator=999)
amounts = st.integers(0, 10**12)
names = st.text(max_size=6)


Value = TypeVar("Value")


def some(each: st.SearchStrategy[Value]) -> st.SearchStrategy[tuple[Value, ...]]:
    return st.lists(each, max_size=2).map(tuple)


groups = some(
    st.builds(
        Group,
        access_class=some(st.sampled_from(AccessClass)),
        activity=some(st.sampled_from(Activity)),
        size=some(st.sampled_from(Size)),
    )
)
steps = some(st.builds(Step, used_less_than=shares, forfeit=shares))
pull_backs = st.builds(
    PullBack, checkpoints=some(st.builds(Checkpoint, at=shares, steps=steps)), grace_days=amounts, notice_days=amounts
)
entitlements = st.builds(
    Entitlement,
    party=names,
    window=st.sampled_from(Window),
    minutes=amounts,
    turn=st.none() | st.builds(Turn, minutes=amounts, clamp=shares),
    conversion=st.none() | st.builds(Conversion, rate=amounts, repaid=shares),
    pull_back=st.none() | pull_backs,
    carry_over=st.none() | st.builds(CarryOver, most=shares),
)
tariffs = st.builds(
    Tariff,
    id=names,
    full_cost=amounts,
    effective_from=st.dates(),
    effective_until=st.none() | st.dates(),
    instruments=some(names),
    classes=some(st.builds(TariffClass, id=names, share=shares, who=groups)),
    waiver=st.none() | st.builds(Waiver, first=shares, after=shares),
    data_discount=st.none() | st.builds(DataDiscount, share=shares, on_waived=st.booleans()),
)
courtesies = st.builds(
    Courtesy,
    advance_days=st.none() | amounts,
    prime=st.none() | st.builds(PrimeTime, hours=names, week_minutes=st.none() | amounts),
    penalties=st.none() | st.builds(Penalties, no_show_charge=shares),
)
watch_lists = st.builds(WatchList, id=names, terms=some(names), foreign_only=st.booleans())
clauses = st.fixed_dictionaries(
    {
        "contract": st.none() | st.sampled_from(ContractForm),
        "covered": st.builds(Scope, centres=some(names)),
        "contributions": some(st.builds(Contribution, party=names, cash=amounts, land=amounts)),
        "preference": st.none() | st.builds(Preference, threshold=shares, investment=st.none() | amounts),
        "entitlements": some(entitlements),
        "reserved": st.none() | st.builds(Reserved, release_hours=amounts),
        "fair_share": st.none() | st.builds(FairShare, half_life_days=amounts),
        "tiers": some(st.builds(Tier, id=names, who=groups, mark=st.sampled_from(Mark), strict=st.booleans())),
        "state_order": st.none() | st.builds(StateOrder, ceiling=shares, credit=shares),
        "tariffs": some(tariffs),
        "courtesy": st.none() | courtesies,
        "charging": st.none() | st.builds(Charging, classical_rate=shares, low_demand_free=st.booleans()),
        "confidentiality": st.none() | st.builds(Confidentiality, min_cell=amounts),
        "screening": st.none() | st.builds(Screening, lists=some(watch_lists), default=st.sampled_from(Silence)),
    }
)


@given(clauses)
def test_an_agreement_survives_its_documents(said: dict[str, Any]) -> None:
    agreement = an_agreement(**said)
    assert from_toml(to_toml(agreement)) == agreement
    assert from_json(to_json(agreement)) == agreement
    # Whatever stands in it, its faults can be told.
    assert all(fault.code for fault in faults(agreement, KNOWN))


def test_numbers_that_no_document_can_write_are_told_too() -> None:
    negative = msgspec.structs.replace(whole(), preference=Preference(threshold=Fraction(-1, 10)))
    assert told(negative)[0] == ("clause_share_over_one", "preference threshold")
