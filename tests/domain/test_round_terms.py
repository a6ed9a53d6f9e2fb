"""A rule whose window is the round is kept over the horizon of each round, and over nothing else."""

from __future__ import annotations

from labshare.domain.agreements import Counter, Term, Version, rule_windows, terms
from labshare.domain.round_terms import counts_rounds, in_rounds
from labshare.domain.timespan import Span
from labshare.domain.windows import Window
from tests.domain.test_agreements import a_rule, an_agreement, local

# Two rounds that begin together, and one before the agreement is in force.
SHORT, LONG, EARLY = Span(local(11, 2), local(11, 7)), Span(local(11, 2), local(11, 14)), Span(local(1, 1), local(1, 5))


def the_terms(window: Window = Window.ROUND) -> list[Term]:
    agreement = an_agreement(a_rule(window=window), effective_from=local(11, 4).date())
    return terms([Version(number=1, agreement=agreement)])


def test_each_round_has_a_window_and_a_balance_of_its_own_cut_to_the_time_in_force() -> None:
    found = list(in_rounds(the_terms(), {"S": SHORT, "L": LONG, "E": EARLY}))
    assert [(term.round_code, term.key, term.clause) for term in found] == [
        ("L", ("A", "R@L"), ("A", "R")),
        ("S", ("A", "R@S"), ("A", "R")),
    ]
    # 4 November 00:00 in Hanoi is 17:00 UTC of the 3rd, which is the first day that the agreement names.
    starts = {term.spans[0].start for term in found}
    assert [term.spans[0].end for term in found] == [LONG.end, SHORT.end]
    assert len(starts) == 1
    keys = {Counter(term=term, scope_key="", window=term.spans[0]).key for term in found}
    assert len(keys) == 2


def test_a_use_counts_in_every_round_that_it_touches_with_its_minutes_inside() -> None:
    use = Span(local(11, 6, 22), local(11, 7, 3))
    found = {term.round_code: list(rule_windows(term, use)) for term in in_rounds(the_terms(), {"S": SHORT, "L": LONG})}
    # Two hours before midnight are in both rounds, three after it in the longer one alone.
    assert [part.minutes for _, part in found["S"]] == [120]
    assert [part.minutes for _, part in found["L"]] == [300]


def test_without_rounds_there_is_no_window_and_other_rules_ask_for_none() -> None:
    assert list(in_rounds(the_terms(), {})) == []
    assert counts_rounds(the_terms())
    assert not counts_rounds(the_terms(Window.WEEK))
    assert list(in_rounds(the_terms(Window.WEEK), {"S": SHORT})) == the_terms(Window.WEEK)
