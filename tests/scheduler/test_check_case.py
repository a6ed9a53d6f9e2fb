"""How the checker reads rules: exact limits, what counts, what could be given, whole slots missed."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

from labshare.scheduler.check_case import Case, Reading, most_within
from labshare.scheduler.plan import Session
from tests.scheduler.making import Raw, ask, raw, read, session


def reading(rule: Raw, *sessions: Session) -> Reading:
    """5 slots of industry and 3 of education are asked for; 2 fixed slots of industry stand at the end."""
    fixed = [{"instrument": "i0", "start": 10, "end": 12, "access_class": "industry"}]
    requests = ask("a", 5, 1, (0, 9), access_class="industry"), ask("b", 3, 1, (0, 9), access_class="education")
    return Case(read(raw(12, *requests, fixed=fixed, rules=[{"id": "R"} | rule])), sessions).readings["R"]


INDUSTRY: Raw = {"who": {"access_class": ["industry"]}}
BOTH = (session("a", 0, 5), session("b", 5, 8))


def test_a_cap_is_missed_by_the_difference_rounded_up() -> None:
    # A third of 8 is 8/3; of 5 used, 7/3 are too many: 3 whole slots.
    assert reading({"kind": "cap", "of_allocated": "1/3"} | INDUSTRY, *BOTH) == Reading(Fraction(8, 3), 5, 0, 3)


def test_fixed_rows_count_where_the_rule_says_so() -> None:
    # Half of 8 + 2 is 5; used are 5 + 2.
    cap: Raw = {"kind": "cap", "of_allocated": "1/2", "count_fixed": True}
    assert reading(cap | INDUSTRY, *BOTH) == Reading(Fraction(5), 7, 0, 2)


def test_a_floor_is_missed_by_no_more_than_the_demand() -> None:
    # 100 are due; 5 could be given, and 2 more where the fixed row counts.
    floor: Raw = {"kind": "floor", "slots": 100}
    assert reading(floor | INDUSTRY) == Reading(Fraction(100), 0, 5, 5)
    assert reading(floor | INDUSTRY | {"count_fixed": True}) == Reading(Fraction(100), 2, 7, 5)


def test_only_slots_in_the_window_count() -> None:
    # Of 0-5 three lie in 2-6, of 5-8 one: 4 allocated. Asked for are at most 4 there, that is the window's length.
    floor: Raw = {"kind": "floor", "of_allocated": "1", "window": [2, 6]}
    assert reading(floor | INDUSTRY, *BOTH) == Reading(Fraction(4), 3, 4, 1)


def test_the_most_inside_a_window_is_what_trying_every_start_finds() -> None:
    for opens, closes, length, first, last in product(range(5), range(1, 8), range(1, 6), range(7), range(7)):
        if opens < closes and first <= last:
            slots = [len({*range(start, start + length)} & {*range(opens, closes)}) for start in range(first, last + 1)]
            assert most_within((opens, closes), length, first, last) == max(slots)
    assert most_within(None, 3, 0, 9) == 3
