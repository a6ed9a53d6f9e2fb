"""Rules in force around a span, those of rounds as the rounds stand."""

from __future__ import annotations

from labshare.domain.agreements import ShareRule, Term, Version, terms
from labshare.domain.windows import Window
from labshare.services import rounds
from labshare.services.terms import in_force, with_rounds
from labshare.store import agreements as store
from labshare.store.engine import Connection, Database
from tests.domain.test_agreements import a_rule, an_agreement
from tests.furniture import NOW, OFFICE, actor, counted, furnish
from tests.round_of import at, new_round, open_round, span

OF_ROUND, OF_WEEK = a_rule(id="of-round", window=Window.ROUND), a_rule(id="of-week", window=Window.WEEK)


def sign(db: Connection, *rules: ShareRule) -> None:
    furnish(db)
    store.add_version(db, Version(number=1, agreement=an_agreement(*rules)), actor_id=None, now=NOW)


def codes(found: tuple[Term, ...]) -> list[tuple[str, str]]:
    return [(term.rule.id, term.round_code) for term in found]


def test_only_rounds_that_are_announced_and_not_withdrawn_count(database: Database) -> None:
    with database.write() as db:
        sign(db, OF_ROUND, OF_WEEK)
        assert codes(in_force(db, span(0, 8, 9))) == [("of-week", "")]
        rounds.create(db, actor(OFFICE), new_round(code="DRAFT"), NOW)
        opened = open_round(db, code="OPEN")
        assert codes(in_force(db, span(0, 8, 9))) == [("of-round", "OPEN"), ("of-week", "")]
        # Saturday is after the horizon, which ends as it begins.
        assert codes(in_force(db, span(5, 8, 9))) == [("of-week", "")]
        rounds.withdraw(db, actor(OFFICE), opened.id, seen_version=opened.version, now=NOW)
        assert codes(in_force(db, span(0, 8, 9))) == [("of-week", "")]


def test_a_round_that_never_was_stands_for_those_that_were(database: Database) -> None:
    with database.write() as db:
        sign(db, OF_ROUND)
        open_round(db)
        assert codes(in_force(db, span(0, 8, 9), {"replay": span(0, 0, 23)})) == [("of-round", "replay")]


def test_rounds_are_asked_for_only_where_a_rule_counts_them(database: Database) -> None:
    with database.write() as db:
        sign(db, OF_WEEK)
    with counted(database.engine) as seen, database.read() as db:
        assert with_rounds(db, [], span(0, 8, 9)) == []
    assert len([statement for statement in seen if "rounds" in statement]) == 0


def test_terms_that_nobody_signed_are_told_of_the_rounds_too(database: Database) -> None:
    with database.write() as db:
        sign(db)
        open_round(db)
        (term,) = with_rounds(db, terms([Version(number=1, agreement=an_agreement(OF_ROUND))]), span(0, 8, 9))
    assert [(each.start, each.end) for each in term.spans] == [(at(0, 0), at(5, 0))]
