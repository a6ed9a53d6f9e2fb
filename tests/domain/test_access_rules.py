"""The access rules that are shares, R01 to R24, each with its worked number: hours of its base and of its limit."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from labshare.domain.agreement_documents import from_toml
from labshare.domain.agreements import WARN_AT, Kind, Selector, ShareRule, Usage, limit, measure
from labshare.domain.projects import AccessClass, Activity
from labshare.domain.windows import Window

PRESETS = Path(__file__).parents[2] / "fixtures" / "agreements" / "presets"


def share(kind: Kind, percent: str, who: Selector, window: Window = Window.QUARTER) -> ShareRule:
    return ShareRule(id="R", kind=kind, share=Fraction(percent), who=who, window=window)


def preset(name: str) -> dict[str, ShareRule]:
    return {rule.id: rule for rule in from_toml((PRESETS / f"PRESET-{name}.toml").read_text(encoding="utf-8")).rules}


def hours(rule: ShareRule, base_hours: int) -> Fraction:
    return limit(rule, base_hours * 60) / 60


def test_r01_public_research_has_408_of_680_hours_and_others_stop_at_272() -> None:
    rule = share(Kind.FLOOR, "3/5", Selector(access_class=(AccessClass.PUBLIC_RESEARCH,)))
    assert hours(rule, 680) == 408
    # What is left to everybody else while the floor can still be kept: 680 - 408.
    assert 680 - hours(rule, 680) == 272


def test_r02_economic_use_has_544_of_2720_hours_and_is_warned_at_435_2() -> None:
    rule = preset("EU")["economic-cap"]
    assert (rule.who, rule.window) == (Selector(activity=(Activity.ECONOMIC,)), Window.YEAR)
    assert hours(rule, 2720) == 544
    assert WARN_AT * hours(rule, 2720) == Fraction("435.2")


def test_r03_whoever_bore_16_percent_has_108_8_of_680_hours() -> None:
    """8 of 50 billion are 16 %."""
    assert preset("EU")["contributor"].share == Fraction(8, 50)
    assert hours(preset("EU")["contributor"], 680) == Fraction("108.8")


def test_r04_partners_keep_their_part_of_1000_hours_but_a_tenth() -> None:
    """1,000 - 120 = 880; less 44 and 88 leave 748: 374, 224.4 and 149.6, of which each keeps nine tenths."""
    rules = preset("GEMINI")
    kept = [hours(rules[name], 1000) for name in ("host", "partner-a", "partner-b", "partner-c")]
    assert kept == [88, Fraction(9, 10) * 374, Fraction(9, 10) * Fraction("224.4"), Fraction(9, 10) * Fraction("149.6")]


def test_r07_of_600_shifts_200_are_public_and_400_the_operators() -> None:
    rules = preset("ESRF")
    assert [hours(rules[name], 600) for name in ("public-third", "operator-two-thirds")] == [200, 400]


def test_r18_education_has_54_4_of_680_hours_until_a_week_before() -> None:
    rule = share(Kind.FLOOR, "8/100", Selector(access_class=(AccessClass.EDUCATION,)))
    assert hours(rule, 680) == Fraction("54.4")


def test_r19_outsiders_have_204_of_680_hours() -> None:
    rule = share(Kind.FLOOR, "30/100", Selector(outside=True))
    assert hours(rule, 680) == 204
    # Reported for 2025: 273 of 1,599 hours came from outside, 17.1 %, so 206.7 h less than the floor of 479.7.
    found = measure(rule, Usage(base_minutes=1599 * 60, used=273 * 60))
    assert found.slack / 60 == Fraction("-206.7")


@pytest.mark.parametrize(("name", "expected"), [("missions", 1632), ("programme", 816), ("discretion", 272)])
def test_r24_a_year_of_2720_hours_is_divided_among_programmes(name: str, expected: int) -> None:
    rule = preset("INCITE")[name]
    assert rule.who.programme
    assert hours(rule, 2720) == expected
