"""Which share rules can be kept together: every sum here is worked by hand, as minutes of a week."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

import pytest

from labshare.domain.agreements import Agreement, Kind, Level, Scope, Selector, ShareRule, Strictness
from labshare.domain.bases import Base
from labshare.domain.projects import AccessClass, Activity
from labshare.domain.windows import Window
from labshare.errors import Param
from labshare.services.feasibility import Site, clashes
from tests.domain.test_agreements import a_rule, an_agreement

# Two centres of the same host, with 30 and 10 hours a week, and one of another with 20.
SITES = [
    Site(instrument_id="N001", centre_id="C-ONE", host_id="I-IMS", minutes=1800),
    Site(instrument_id="N002", centre_id="C-TWO", host_id="I-IMS", minutes=600),
    Site(instrument_id="N003", centre_id="C-THREE", host_id="O-TWO", minutes=1200),
]
PUBLIC = Selector(access_class=(AccessClass.PUBLIC_RESEARCH,))
INDUSTRY = Selector(access_class=(AccessClass.INDUSTRY,))
PARTNER = Selector(organisation=("O-CO",))


def floor(name: str, share: Fraction | None, who: Selector, **changes: Any) -> ShareRule:
    return a_rule(id=name, kind=Kind.FLOOR, share=share, who=who, **changes)


def cap(name: str, share: Fraction | None, who: Selector, **changes: Any) -> ShareRule:
    return a_rule(id=name, kind=Kind.CAP, share=share, who=who, **changes)


def told(agreement: Agreement, *others: Agreement) -> dict[str, Param]:
    """The parameters of the one fault; empty when there is none."""
    found = clashes(agreement, others, SITES)
    assert [fault.code for fault in found] in ([], ["agreement_cannot_hold"])
    return dict(found[0].params) if found else {}


def test_floors_of_different_classes_cannot_promise_more_than_all() -> None:
    """60 % + 50 % = 110 %."""
    agreement = an_agreement(floor("a", Fraction(3, 5), PUBLIC), floor("b", Fraction(1, 2), INDUSTRY))
    assert told(agreement) == {"rules": "A/a ≥ 60 %, A/b ≥ 50 %", "lacking": "10"}


def test_exactly_all_can_be_promised() -> None:
    assert told(an_agreement(floor("a", Fraction(3, 5), PUBLIC), floor("b", Fraction(2, 5), INDUSTRY))) == {}


def test_floors_that_one_use_can_serve_together_may_overlap() -> None:
    """60 % public + 30 % from outside + 8 % education + 16 % of a partner: an outsider's public hour counts twice."""
    agreement = an_agreement(
        floor("public", Fraction(3, 5), PUBLIC),
        floor("outside", Fraction(3, 10), Selector(outside=True)),
        floor("education", Fraction(2, 25), Selector(access_class=(AccessClass.EDUCATION,))),
        floor("partner", Fraction(4, 25), PARTNER),
    )
    assert told(agreement) == {}


def test_a_floor_cannot_stand_above_the_cap_of_the_same_parties() -> None:
    """At least 30 % for one of those who together may have 20 %: 10 % are lacking, and others have no part in it."""
    agreement = an_agreement(
        floor("public", Fraction(1, 10), PUBLIC),
        floor("floor", Fraction(3, 10), Selector(organisation=("O-CO",), activity=(Activity.ECONOMIC,))),
        cap("cap", Fraction(1, 5), Selector(activity=(Activity.ECONOMIC,))),
    )
    assert told(agreement) == {"rules": "A/floor ≥ 30 %, A/cap ≤ 20 %", "lacking": "10"}


def test_no_pair_of_rules_need_clash_for_all_to_do_so() -> None:
    """40 % public, 40 % industry and 30 % education are 110 %, though any two leave at least a fifth."""
    rules = [
        floor("a", Fraction(2, 5), PUBLIC),
        floor("b", Fraction(2, 5), INDUSTRY),
        floor("c", Fraction(3, 10), Selector(access_class=(AccessClass.EDUCATION,))),
    ]
    assert told(an_agreement(*rules)) == {"rules": "A/a ≥ 40 %, A/b ≥ 40 %, A/c ≥ 30 %", "lacking": "10"}
    assert told(an_agreement(*rules[:2])) == {}


def test_scopes_and_levels_are_told_apart() -> None:
    """Public has 60 % of everything, 36 of 60 hours. Industry asks for 70 % of the first centre, 21 of 30: there are
    39 hours left to the public. At the level of centres it could not be: 60 % + 70 % of the first are 130 %.
    """
    industry = floor("industry", Fraction(7, 10), INDUSTRY, where=Scope(centres=("C-ONE",)))
    assert told(an_agreement(floor("public", Fraction(3, 5), PUBLIC), industry)) == {}
    by_centre = floor("public", Fraction(3, 5), PUBLIC, level=Level.CENTRE)
    # 9 of the 60 hours that the two rules concern.
    assert told(an_agreement(by_centre, industry))["lacking"] == "15"


def test_minutes_and_windows_are_compared_by_the_week() -> None:
    """50 hours a week of 60 for the public; a quarter's floor of 30 % for industry wants 18 of the 10 left."""
    public = floor("public", None, PUBLIC, minutes=3000, window=Window.WEEK)
    quarter = floor("industry", Fraction(3, 10), INDUSTRY, window=Window.QUARTER)
    assert told(an_agreement(public, quarter)) == {
        "rules": "A/public ≥ 50 h, A/industry ≥ 30 %",
        "lacking": f"{100 * 8 / 60:.3g}",
    }
    assert told(an_agreement(public, floor("industry", Fraction(1, 6), INDUSTRY, window=Window.YEAR))) == {}


def test_whoever_comes_from_a_host_is_outside_elsewhere() -> None:
    """I-IMS is the host of 40 of the 60 hours: outside its host it can have a third, not half."""
    ims = floor("ims", Fraction(1, 2), Selector(organisation=("I-IMS",), outside=True))
    assert told(an_agreement(ims))["rules"] == "A/ims ≥ 50 %"
    assert told(an_agreement(floor("ims", Fraction(1, 3), ims.who))) == {}


def test_programmes_are_told_apart() -> None:
    """R24: 60 + 30 + 10 % can be promised to three programmes, a percent more cannot."""
    shares = {"mission": Fraction(3, 5), "programme": Fraction(3, 10), "discretion": Fraction(1, 10)}
    rules = [floor(name, share, Selector(programme=(name,))) for name, share in shares.items()]
    assert told(an_agreement(*rules)) == {}
    more = floor("discretion", Fraction(11, 100), Selector(programme=("discretion",)))
    assert told(an_agreement(*rules[:2], more))["lacking"] == "1"


@pytest.mark.parametrize(
    ("first", "is_refused"), [(date(2026, 1, 1), True), (date(2026, 6, 1), True), (date(2027, 1, 1), False)]
)
def test_agreements_are_held_together_while_both_are_in_force(first: date, is_refused: bool) -> None:
    held = an_agreement(floor("theirs", Fraction(3, 5), PARTNER), id="B", effective_until=date(2026, 12, 31))
    mine = an_agreement(floor("mine", Fraction(1, 2), Selector(organisation=("O-TWO",))), effective_from=first)
    found = told(mine, held)
    assert found == ({"rules": "A/mine ≥ 50 %, B/theirs ≥ 60 %", "lacking": "10"} if is_refused else {})


def test_others_that_come_into_force_later_are_seen() -> None:
    later = an_agreement(floor("theirs", Fraction(3, 5), PARTNER), id="B", effective_from=date(2028, 1, 1))
    mine = an_agreement(floor("mine", Fraction(1, 2), Selector(organisation=("O-TWO",))))
    assert "B/theirs" in str(told(mine, later)["rules"])


def test_what_others_have_agreed_among_themselves_is_not_held_against_a_file() -> None:
    broken = an_agreement(floor("a", Fraction(1), PUBLIC), floor("b", Fraction(1), INDUSTRY), id="B")
    assert told(an_agreement(cap("mine", Fraction(1, 2), Selector(organisation=("O-TWO",)))), broken) == {}


def test_where_no_instrument_has_open_time_nothing_clashes() -> None:
    agreement = an_agreement(floor("a", Fraction(1), PUBLIC), floor("b", Fraction(1), INDUSTRY))
    assert clashes(agreement, (), [Site(instrument_id="N", centre_id="C", host_id="I", minutes=0)]) == ()


def test_what_moves_and_minutes_of_rounds_are_not_compared() -> None:
    """60 % + 50 % of what is booked hold where nothing is, and nobody knows how long rounds are."""
    soft = {"base": Base.BOOKED, "strict": Strictness.SOFT, "penalty": 1}
    moving = (floor("a", Fraction(3, 5), PUBLIC, **soft), floor("b", Fraction(1, 2), INDUSTRY, **soft))
    assert told(an_agreement(*moving)) == {}
    of_rounds = floor("c", None, PUBLIC, minutes=10_000, window=Window.ROUND)
    assert told(an_agreement(of_rounds)) == {}


def test_minutes_of_a_run_of_days_are_compared_by_the_week() -> None:
    """3,600 minutes a week in all: in any fourteen days 7,200 can be promised, and 7,560 lack 5 %."""
    run = {"window": Window.ROLLING, "days": 14}
    assert told(an_agreement(floor("a", None, PUBLIC, minutes=7200, **run))) == {}
    assert told(an_agreement(floor("a", None, PUBLIC, minutes=7560, **run)))["lacking"] == "5"
