"""A rulebook knows which version holds when, and which rules count a use."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import msgspec

from labshare.domain.agreements import Kind, Scope, Selector, Version
from labshare.domain.courtesy import Courtesy
from labshare.domain.projects import AccessClass
from labshare.domain.rulebook import Rulebook
from labshare.domain.timespan import Span
from tests.domain.test_agreements import a_rule, a_use, an_agreement, local

MIDNIGHT = datetime(2026, 12, 31, 17, tzinfo=UTC)


def a_book() -> Rulebook:
    """The second version covers 2026 alone: after it the first, which never ends, holds again. Days are of UTC+7."""

    def version(number: int, first: date, last: date | None = None) -> Version:
        rule = a_rule(id=f"R{number}")
        agreement = an_agreement(rule, effective_from=first, effective_until=last, legal=str(number))
        return Version(number=number, agreement=agreement)

    return Rulebook({"A": (version(1, date(2025, 1, 1)), version(2, date(2026, 1, 1), date(2026, 12, 31)))})


def test_the_newest_version_that_covers_the_instant_holds() -> None:
    book = a_book()
    moments = [
        datetime(2024, 6, 1, tzinfo=UTC),
        datetime(2025, 6, 1, tzinfo=UTC),
        MIDNIGHT - timedelta(minutes=1),
        MIDNIGHT,
    ]
    assert [[each.legal for each in book.agreements_at(moment)] for moment in moments] == [[], ["1"], ["2"], ["1"]]


def test_the_rules_over_a_span_are_those_in_force_at_some_moment_of_it() -> None:
    around = Span(MIDNIGHT - timedelta(hours=1), MIDNIGHT + timedelta(hours=1))
    assert [term.rule.id for term in a_book().over(around)] == ["R2", "R1"]
    assert [term.rule.id for term in a_book().over(Span(MIDNIGHT, around.end))] == ["R1"]


def test_a_use_is_counted_by_caps_that_match_it_and_floors_that_cover_it() -> None:
    startups = Selector(access_class=(AccessClass.STARTUP,))
    rules = (
        a_rule(id="everybody"),
        a_rule(id="startups", who=startups),
        a_rule(id="floor", kind=Kind.FLOOR, who=startups),
        a_rule(id="elsewhere", where=Scope(centres=("C-TWO",))),
    )
    book = Rulebook({"A": (Version(number=1, agreement=an_agreement(*rules)),)})
    use = a_use(local(11, 25, 9), 1)
    counted = [[term.rule.id for term in book.counting(use)] for _ in range(2)]
    # What was found is remembered, and is the same.
    assert counted == [["everybody", "floor"]] * 2
    startup = msgspec.structs.replace(use, access_class=AccessClass.STARTUP)
    assert [term.rule.id for term in book.counting_any([use, startup])] == ["everybody", "floor", "startups"]
    # The instrument has moved to another centre since.
    moved = msgspec.structs.replace(use, centre_id="C-TWO")
    assert [term.rule.id for term in book.counting(moved)] == ["everybody", "floor", "elsewhere"]


def test_projects_are_told_apart_only_where_a_rule_of_the_instrument_names_them() -> None:
    named = a_rule(who=Selector(project=("KC-01",)), where=Scope(centres=("C-TWO",)))
    book = Rulebook({"A": (Version(number=1, agreement=an_agreement(named)),)})
    here = a_use(local(11, 25, 9), 1)
    assert not book.needs_project(here)
    assert book.needs_project(msgspec.structs.replace(here, centre_id="C-TWO"))


def test_courtesy_changes_where_a_version_of_an_agreement_that_states_it_begins_or_ends() -> None:
    silent = Version(number=1, agreement=an_agreement(effective_from=date(2026, 11, 25)))
    states = Version(
        number=1,
        agreement=an_agreement(
            courtesy=Courtesy(advance_days=3), effective_from=date(2026, 11, 26), effective_until=date(2026, 12, 31)
        ),
    )
    span = Span(local(11, 23), local(11, 30))
    assert Rulebook({"A": (silent,)}).courtesy_edges(span) == [span.start, span.end]
    assert Rulebook({"A": (silent,), "B": (states,)}).courtesy_edges(span) == [span.start, local(11, 26), span.end]
