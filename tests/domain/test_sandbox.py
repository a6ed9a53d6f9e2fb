"""A sandbox changes its rules in its days, ends by itself, and stops by itself. Dates are of 2026, worked by hand."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from labshare.domain.agreements import Kind, Scope, Term, Version, rule_windows, terms
from labshare.domain.sandbox import (
    Authority,
    Change,
    Compared,
    Criterion,
    Holding,
    Metric,
    Overlay,
    StopCondition,
    Words,
    applied,
    changed,
    under,
)
from labshare.domain.timespan import Span
from tests.domain.test_agreements import a_rule, an_agreement, local

MINUTE = timedelta(minutes=1)
AT_ONE = Scope(centres=("C-ONE",))
CAP = a_rule(id="cap", where=AT_ONE, share=Fraction(1, 5), sentence_vi="Tối đa 20 %.", sentence_en="At most 20 %.")
LIFTED = a_rule(id="cap", where=AT_ONE, share=Fraction(2, 5), sentence_vi="Tối đa 40 %.", sentence_en="At most 40 %.")
FLOOR = a_rule(
    id="floor", kind=Kind.FLOOR, where=AT_ONE, share=Fraction(1, 10), sentence_vi="Tối thiểu.", sentence_en="At least."
)
LIFT = Change(agreement="A", replace=LIFTED)


def words(text: str) -> Words:
    return Words(vi=f"{text} (vi)", en=text)


def an_overlay(*changes: Change, **values: Any) -> Overlay:
    """Two months, April and May, in which night use should rise from 12 % to 25 %; it stops at an incident too many."""
    given: dict[str, Any] = {
        "format": "labshare-sandbox/1",
        "id": "SBX",
        "title_vi": "Thử nghiệm",
        "title_en": "Trial",
        "goal": words("more use at night"),
        "participants": ("O-CO",),
        "centres": ("C-ONE",),
        "start": date(2026, 4, 1),
        "end": date(2026, 5, 31),
        "rollback": "auto",
        "evaluator": "I-IMS",
        "authority": Authority(approved_by="I-IMS", legal="93/2025"),
        "adjust": words("by agreement"),
        "suspend": words("by the director"),
        "ending": words("by itself"),
        "metrics": (Metric(id="night", says=words("share of night")), Metric(id="incidents", says=words("per hour"))),
        "criteria": (Criterion(metric="night", baseline=Fraction(3, 25), target=Fraction(1, 4)),),
        "stop_if": (StopCondition(metric="incidents", when=Compared.ABOVE, threshold=Fraction(1, 500)),),
        "changes": changes or (LIFT,),
    }
    return Overlay(**(given | values))


def in_days(found: tuple[Term, ...]) -> list[tuple[str, Fraction | None, list[Span]]]:
    return [(term.rule.id, term.rule.share, list(term.spans)) for term in found]


SIGNED = terms([Version(number=1, agreement=an_agreement(CAP, effective_until=date(2026, 12, 31)))])
YEAR = Span(local(1, 1), local(12, 31) + timedelta(days=1))


# ---------------------------------------------------------------- what it changes


def test_a_rule_is_another_one_in_the_days_of_the_trial_and_the_same_outside_them() -> None:
    """April and May have the lifted cap; January to March and June to December the one that was signed."""
    trial = Span(local(4, 1), local(6, 1))
    assert in_days(applied(SIGNED, an_overlay())) == [
        ("cap", Fraction(1, 5), [Span(YEAR.start, trial.start), Span(trial.end, YEAR.end)]),
        ("cap", Fraction(2, 5), [trial]),
    ]


def test_each_minute_has_one_rule() -> None:
    """The quarters of the year, cut at the borders of the trial, are 1 January to 1 April, to 1 June, and so on."""
    found = applied(SIGNED, an_overlay())
    cut = sorted((window.start, term.rule.share) for term in found for window, _ in rule_windows(term, YEAR))
    fifth, lifted = Fraction(1, 5), Fraction(2, 5)
    assert cut == [
        (local(1, 1), fifth), (local(4, 1), lifted), (local(6, 1), fifth), (local(7, 1), fifth), (local(10, 1), fifth),
    ]  # fmt: skip


def test_what_the_trial_does_not_name_is_untouched() -> None:
    both = terms([Version(number=1, agreement=an_agreement(CAP, FLOOR))])
    found = applied(both, an_overlay())
    assert [term for term in found if term.rule.id == "floor"] == [term for term in both if term.rule.id == "floor"]
    other = terms([Version(number=1, agreement=an_agreement(CAP, id="B"))])
    assert list(applied(other, an_overlay())) == other


def test_a_removed_rule_is_away_for_the_days_of_the_trial() -> None:
    found = applied(SIGNED, an_overlay(Change(agreement="A", remove="cap")))
    assert in_days(found) == [
        ("cap", Fraction(1, 5), [Span(YEAR.start, local(4, 1)), Span(local(6, 1), YEAR.end)]),
    ]


def test_an_added_rule_holds_in_the_trial_only_and_in_every_version() -> None:
    """The second version comes on 1 May: the new rule belongs to the first in April and to the second in May."""
    versions = [
        Version(number=1, agreement=an_agreement(CAP)),
        Version(number=2, agreement=an_agreement(CAP, effective_from=date(2026, 5, 1))),
    ]
    found = applied(terms(versions), an_overlay(Change(agreement="A", add=FLOOR)))
    assert [(term.version, *term.spans) for term in found if term.rule.id == "floor"] == [
        (1, Span(local(4, 1), local(5, 1))),
        (2, Span(local(5, 1), local(6, 1))),
    ]


def test_an_agreement_that_is_over_is_changed_no_more() -> None:
    ended = terms([Version(number=1, agreement=an_agreement(CAP, effective_until=date(2026, 3, 31)))])
    assert list(applied(ended, an_overlay())) == ended


def test_it_can_be_looked_at_in_another_time() -> None:
    """As a replay does: with the trial in force all the year nothing is left of the old cap."""
    assert in_days(applied(SIGNED, an_overlay(), YEAR)) == [("cap", Fraction(2, 5), [YEAR])]


def test_the_agreement_as_the_trial_would_have_it() -> None:
    agreement = an_agreement(CAP, FLOOR)
    assert changed(agreement, an_overlay()).rules == (LIFTED, FLOOR)
    assert changed(agreement, an_overlay(Change(agreement="A", remove="cap"))).rules == (FLOOR,)
    assert changed(an_agreement(CAP), an_overlay(Change(agreement="A", add=FLOOR))).rules == (CAP, FLOOR)
    assert changed(agreement, an_overlay(Change(agreement="B", remove="cap"))) == agreement


# ---------------------------------------------------------------- several times, several overlays


def test_what_holds_again_after_a_pause_is_cut_by_it() -> None:
    """April is lifted, then the trial rests to 10 May; the signed cap holds in the pause."""
    april, may = Span(local(4, 1), local(5, 1)), Span(local(5, 10), local(6, 1))
    found = under(SIGNED, [Holding(overlay=an_overlay(), spans=(april, may))])
    assert in_days(found) == [
        ("cap", Fraction(1, 5), [Span(YEAR.start, april.start), Span(april.end, may.start), Span(may.end, YEAR.end)]),
        ("cap", Fraction(2, 5), [april, may]),
    ]


def test_a_new_rule_is_there_whatever_another_overlay_has_taken_away() -> None:
    """One overlay removes the only rule in April; another adds one in April and May: it holds in both."""
    april, both = Span(local(4, 1), local(5, 1)), Span(local(4, 1), local(6, 1))
    gone = Holding(overlay=an_overlay(Change(agreement="A", remove="cap")), spans=(april,))
    new = Holding(overlay=an_overlay(Change(agreement="A", add=FLOOR), id="OTHER"), spans=(both,))
    for holdings in ([gone, new], [new, gone]):
        assert in_days(under(SIGNED, holdings)) == [
            ("cap", Fraction(1, 5), [Span(YEAR.start, april.start), Span(april.end, YEAR.end)]),
            ("floor", Fraction(1, 10), [both]),
        ]


# ---------------------------------------------------------------- criteria


def test_a_value_may_have_to_fall() -> None:
    """From 12 % to 25 % is up: 25 % meets it and 24 % does not. From 10 to 4 is down: 4 meets it and 5 does not."""
    up = Criterion(metric="night", baseline=Fraction(3, 25), target=Fraction(1, 4))
    down = Criterion(metric="days", baseline=Fraction(10), target=Fraction(4))
    assert [up.is_met(Fraction(n, 100)) for n in (24, 25)] == [False, True]
    assert [down.is_met(Fraction(n)) for n in (5, 4)] == [False, True]
    falls = StopCondition(metric="days", when=Compared.BELOW, threshold=Fraction(2))
    assert [falls.stops_at(Fraction(n)) for n in (2, 1)] == [False, True]
