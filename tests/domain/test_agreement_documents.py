"""An agreement is read from TOML, written back the same, and told everything that is wrong with it at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labshare.domain.agreement_documents import (
    Known,
    faults,
    format_share,
    from_json,
    from_toml,
    parse_share,
    to_json,
    to_toml,
)
from labshare.domain.agreements import Agreement, Kind, Scope, Selector, ShareRule, Strictness
from labshare.domain.bases import Base
from labshare.domain.ledger_clauses import Charging, Entitlement
from labshare.domain.projects import AccessClass, Activity
from labshare.domain.windows import Window
from labshare.errors import Malformed
from tests.domain.test_agreements import a_rule, an_agreement

KNOWN = Known(
    organisation_ids=frozenset({"I-IMS", "O-CO", "O-TWO"}),
    centre_ids=frozenset({"C-ONE", "C-TWO"}),
    instrument_ids=frozenset({"N001"}),
)
PUBLIC = Selector(access_class=(AccessClass.PUBLIC_RESEARCH,))


def a_good_rule(**changes: Any) -> ShareRule:
    return a_rule(**({"sentence_vi": "Tối đa 20 %.", "sentence_en": "At most 20 %."} | changes))


def codes(agreement: Agreement, known: Known = KNOWN) -> list[str]:
    return [fault.code for fault in faults(agreement, known)]


# ---------------------------------------------------------------- shares as text


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("16 %", Fraction(4, 25)),
        ("16%", Fraction(4, 25)),
        ("12.5 %", Fraction(1, 8)),
        ("1/3", Fraction(1, 3)),
        ("0 %", Fraction(0)),
    ],
)
def test_a_share_is_read_exactly(text: str, share: Fraction) -> None:
    assert parse_share(text) == share


@pytest.mark.parametrize("text", ["0.2", "20", "-5 %", "1/0", "16 percent", "", "1e3 %"])
def test_what_is_not_an_exact_share_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is written as"):
        parse_share(text)


@given(st.fractions(min_value=0, max_value=2, max_denominator=10_000))
def test_a_share_survives_writing(share: Fraction) -> None:
    assert parse_share(format_share(share)) == share


# ---------------------------------------------------------------- documents

DOCUMENT = """
format = "labshare-agreement/1"
id = "PPP-1"
title_vi = "Thỏa thuận một"
title_en = "Agreement one"
parties = ["I-IMS", "O-CO"]
partner_id = "O-CO"
effective_from = 2026-01-01
effective_until = 2028-12-31

[[rules]]
id = "partner-floor"
kind = "floor"
window = "quarter"
share = "16 %"
release_hours = 168
sentence_vi = "Giữ 16 %."
sentence_en = "Keeps 16 %."
[rules.who]
organisation = ["O-CO"]
[rules.where]
centres = ["C-ONE"]
"""


def test_a_document_says_what_the_rule_is() -> None:
    agreement = from_toml(DOCUMENT)
    assert agreement.effective_until == date(2028, 12, 31)
    assert agreement.rules == (
        ShareRule(
            id="partner-floor",
            kind=Kind.FLOOR,
            window=Window.QUARTER,
            who=Selector(organisation=("O-CO",)),
            where=Scope(centres=("C-ONE",)),
            share=Fraction(4, 25),
            release_hours=168,
            sentence_vi="Giữ 16 %.",
            sentence_en="Keeps 16 %.",
        ),
    )
    assert faults(agreement, KNOWN) == ()


rules = st.builds(
    ShareRule,
    id=st.text(min_size=1, max_size=8),
    kind=st.sampled_from(Kind),
    window=st.sampled_from(Window),
    who=st.builds(
        Selector,
        access_class=st.lists(st.sampled_from(AccessClass), max_size=2).map(tuple),
        activity=st.lists(st.sampled_from(Activity), max_size=1).map(tuple),
        organisation=st.lists(st.text(max_size=5), max_size=2).map(tuple),
    ),
    where=st.builds(Scope, centres=st.lists(st.text(max_size=5), max_size=2).map(tuple)),
    base=st.sampled_from(Base),
    share=st.none() | st.fractions(min_value=0, max_value=1, max_denominator=999),
    minutes=st.none() | st.integers(0, 10**6),
    strict=st.sampled_from(Strictness),
    penalty=st.none() | st.integers(0, 100),
    release_hours=st.none() | st.integers(0, 1000),
    sentence_vi=st.text(max_size=20),
)


@given(st.lists(rules, max_size=3), st.none() | st.dates(date(2020, 1, 1), date(2040, 1, 1)))
def test_an_agreement_survives_its_documents(some: list[ShareRule], until: date | None) -> None:
    agreement = an_agreement(*some, effective_until=until)
    assert from_toml(to_toml(agreement)) == agreement
    assert from_json(to_json(agreement)) == agreement


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({'share = "16 %"': "share = 0.16"}, 'a share is written as text, "16 %" or "4/25", not 0.16'),
        ({'share = "16 %"': 'share = "sixteen"'}, "a share is written as `16 %` or `4/25`"),
        ({'kind = "floor"': 'kind = "ceiling"'}, "Invalid enum value 'ceiling' - at `$.rules[0].kind`"),
        ({'window = "quarter"\n': ""}, "missing required field `window` - at `$.rules[0]`"),
        ({"release_hours": "release"}, "unknown field `release` - at `$.rules[0]`"),
        ({"agreement/1": "agreement/2"}, "labshare-agreement/2"),
        ({"[[rules]]": "[[rules"}, "line"),
        ({"release_hours = 168": "release_hours = " + "9" * 5000}, ""),
        ({"release_hours = 168": "release_hours = " + "[" * 5000}, ""),
    ],
)
def test_an_unreadable_document_names_the_place_in_one_line(change: Mapping[str, str], reason: str) -> None:
    document = DOCUMENT
    for old, new in change.items():
        document = document.replace(old, new)
    with pytest.raises(Malformed) as caught:
        from_toml(document)
    assert caught.value.code == "agreement_unreadable"
    told = str(caught.value.params["reason"])
    assert reason in told
    assert "\n" not in told


# ---------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"parties": ("I-IMS", "O-NONE")}, "agreement_unknown_party"),
        ({"partner_id": "O-TWO"}, "agreement_partner_not_party"),
        ({"effective_until": date(2025, 12, 31)}, "agreement_dates_reversed"),
        ({"timezone": "Asia/Nowhere"}, "agreement_unknown_timezone"),
        ({"timezone": "Asia"}, "agreement_unknown_timezone"),
        ({"timezone": "x" * 300}, "agreement_unknown_timezone"),
        ({"effective_until": date(9999, 12, 31)}, "agreement_date_unlikely"),
        ({"effective_from": date(1, 1, 1)}, "agreement_date_unlikely"),
        ({"rules": ()}, "agreement_without_rules"),
        ({"rules": (a_good_rule(), a_good_rule())}, "agreement_rule_twice"),
    ],
)
def test_a_fault_of_the_agreement_is_named(changes: dict[str, Any], code: str) -> None:
    assert codes(an_agreement(**({"rules": (a_good_rule(),)} | changes))) == [code]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"who": Selector(organisation=("O-NONE",))}, "agreement_unknown_party"),
        ({"who": Selector(project=("P-NONE",))}, "agreement_unknown_project"),
        ({"where": Scope(centres=("C-NONE",))}, "agreement_unknown_centre"),
        ({"where": Scope(instruments=("N999",))}, "agreement_unknown_instrument"),
        ({"where": Scope(centres=("C-ONE",), instruments=("N001",))}, "agreement_where_both"),
        ({"share": Fraction(101, 100)}, "agreement_share_over_one"),
        ({"share": None}, "agreement_amount"),
        ({"minutes": 60}, "agreement_amount"),
        ({"share": None, "minutes": -1}, "agreement_minutes_negative"),
        ({"base": Base.OFFERED}, "agreement_hard_base"),
        ({"base": Base.BOOKED}, "agreement_hard_base"),
        ({"base": Base.DELIVERED}, "agreement_hard_base"),
        ({"base": Base.CHARGED}, "agreement_hard_base"),
        ({"base": Base.BOOKED, "share": None, "minutes": 60}, "agreement_base_of_minutes"),
        ({"window": Window.ROLLING}, "agreement_rolling_days"),
        ({"days": 30}, "agreement_rolling_days"),
        ({"window": Window.ROLLING, "days": 32}, "agreement_days_over"),
        ({"window": Window.ROLLING, "days": 1}, "agreement_days_over"),
        ({"strict": Strictness.SOFT}, "agreement_penalty"),
        ({"penalty": 5}, "agreement_penalty"),
        ({"release_hours": 72}, "agreement_release"),
        ({"sentence_vi": " "}, "agreement_sentence"),
    ],
)
def test_a_fault_of_a_rule_is_named(changes: dict[str, Any], code: str) -> None:
    found = faults(an_agreement(a_good_rule(**changes)), KNOWN)
    assert [fault.code for fault in found] == [code]
    assert found[0].params["rule"] == "R"


def test_all_faults_are_told_at_once() -> None:
    agreement = an_agreement(a_good_rule(share=Fraction(2), sentence_en=""), parties=("O-NONE",))
    assert codes(agreement) == ["agreement_unknown_party", "agreement_share_over_one", "agreement_sentence"]


def test_a_share_of_charged_time_needs_faults_to_be_refunded_whole() -> None:
    rule = a_good_rule(base=Base.CHARGED, strict=Strictness.SOFT, penalty=1)
    assert codes(an_agreement(rule)) == []
    assert codes(an_agreement(rule, charging=Charging())) == []
    halved = Charging(fault_refund=Fraction(1, 2))
    assert codes(an_agreement(rule, charging=halved)) == ["agreement_charged_refund"]


def test_an_entitlement_is_due_in_windows_of_the_calendar() -> None:
    due = Entitlement(party="I-IMS", window=Window.ROUND, minutes=600)
    assert "agreement_entitlement_window" in codes(an_agreement(a_good_rule(), entitlements=(due,)))


@pytest.mark.parametrize("window", Window)
@pytest.mark.parametrize("base", Base)
def test_every_window_and_base_may_be_agreed_softly_and_round_trips(window: Window, base: Base) -> None:
    days = 30 if window is Window.ROLLING else None
    agreement = an_agreement(a_good_rule(window=window, days=days, base=base, strict=Strictness.SOFT, penalty=1))
    assert codes(agreement) == []
    assert from_toml(to_toml(agreement)) == agreement


# ---------------------------------------------------------------- the agreements that are shipped

FOLDER = Path(__file__).parents[2] / "fixtures" / "agreements"
FIXTURES, PRESETS = sorted(FOLDER.glob("*.toml")), sorted((FOLDER / "presets").glob("*.toml"))


@pytest.mark.parametrize("path", FIXTURES + PRESETS, ids=lambda path: path.stem)
def test_a_shipped_agreement_is_without_fault_and_round_trips(path: Path) -> None:
    agreement = from_toml(path.read_text(encoding="utf-8"))
    assert agreement.id == path.stem
    assert from_toml(to_toml(agreement)) == agreement
    known = Known(
        organisation_ids=frozenset(agreement.parties),
        centre_ids=frozenset(
            centre
            for scope in (agreement.covered, *(rule.where for rule in agreement.rules))
            for centre in scope.centres
        ),
        instrument_ids=frozenset(),
    )
    assert faults(agreement, known) == ()


def test_the_shipped_agreements_keep_the_shares_of_the_access_rules() -> None:
    # R01: public research at least 60 %.  R02: economic use at most 20 % of the year.  R03: a 16 % payer gets 16 %.
    for path in FIXTURES:
        rules = from_toml(path.read_text(encoding="utf-8")).rules
        found = {(rule.kind.value, rule.window.value, rule.share) for rule in rules}
        assert {("floor", "quarter", Fraction(3, 5)), ("cap", "year", Fraction(1, 5))} < found
        assert Fraction(16, 100) in {share for _, window, share in found if window == "quarter"}
    assert (len(FIXTURES), len(PRESETS)) == (2, 5)
