"""Changes weighed one after the other, beside those before them: as if each were weighed anew with all that were kept.

What a single change does to balances and limits stands in tests/services/test_share_limits.py.
"""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labshare.domain.agreements import Level, Scope, Selector, ShareRule, Use
from labshare.domain.timespan import Span
from labshare.domain.windows import Window
from labshare.errors import Refusal
from labshare.services import weighing
from labshare.services.weighing import Part
from labshare.store.engine import Connection, Database
from labshare.store.rulebooks import rulebook
from tests.furniture import ADMINISTRATOR, FESEM, NMR, NOW, XRD, a_booking, actor, at, counted, furnish
from tests.shares import a_floor, a_rule, an_agreement, by_industry, five_days, load, the_use

# Some are broken by the first use, some by a few, some by none; one asks for the project.
RULES: list[ShareRule] = [
    a_rule(share=Fraction(1, 8)),
    a_rule(id="each", share=None, minutes=300, level=Level.INSTRUMENT, where=Scope(), window=Window.MONTH),
    a_rule(id="ours", share=None, minutes=480, who=Selector(project=("KC-01",)), window=Window.QUARTER),
    a_floor(share=Fraction(15, 16), release_hours=48),
    five_days(id="days"),
]
# On which instrument, from which hour of a week, for how long, for the company or the institute, and whether it is
# given back instead.
uses = st.tuples(
    st.sampled_from([FESEM, XRD, NMR]), st.integers(0, 6 * 24), st.integers(2, 6), st.booleans(), st.booleans()
)


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Database:
    with database.write() as db:
        furnish(db)
        load(db, tmp_path, an_agreement(*RULES))
    return database


def a_use(number: int, hour: int, hours: int, is_industry: bool) -> Use:
    start = at(23, 0) + timedelta(hours=hour)
    when = Span(start, start + timedelta(hours=hours))
    return the_use(by_industry(number, when) if is_industry else a_booking(number, when))


def a_part(number: int, hour: int, hours: int, is_industry: bool, is_given_back: bool) -> Part:
    """A use that is added, or one that moves to two hours later on the same instrument."""
    use = a_use(number, hour, hours, is_industry)
    return ([a_use(number, hour + 2, hours, is_industry)], [use]) if is_given_back else ([use], [])


def one_by_one(db: Connection, standing: Part, parts: list[Part]) -> list[tuple[Refusal, ...]]:
    """Each weighed anew together with all that was kept before it."""
    added, removed = list(standing[0]), list(standing[1])
    found: list[tuple[Refusal, ...]] = []
    for more, less in parts:
        weighed = weighing.weigh(
            db, added=[*added, *more], removed=[*removed, *less], now=NOW, reader=actor(ADMINISTRATOR)
        )
        found.append(weighed.refusals)
        if not weighed.refusals:
            added, removed = [*added, *more], [*removed, *less]
    return found


@given(st.lists(uses, min_size=3, max_size=8), st.lists(uses, max_size=2))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_many_are_sifted_as_one_by_one(
    house: Database, wanted: list[tuple[int, int, int, bool, bool]], gone: list[tuple[int, int, int, bool, bool]]
) -> None:
    parts = [a_part(*each) for each in wanted]
    standing: Part = ([], [a_use(*each[:4]) for each in gone])
    with house.read() as db:
        found = weighing.sifted(db, standing, parts, now=NOW, reader=actor(ADMINISTRATOR), book=rulebook(db))
        assert list(found) == one_by_one(db, standing, parts)


def test_what_is_refused_leaves_room_for_those_after_it(house: Database) -> None:
    parts = [a_part(NMR if day == 3 else FESEM, 24 * day + 8, 4, True, False) for day in (0, 2, 3, 4)]
    with house.read() as db:
        found = weighing.sifted(db, ([], []), parts, now=NOW, reader=None, book=rulebook(db))
    # Five hours a month are theirs at each instrument: one use of four, and the second and third find no room.
    assert [bool(each) for each in found] == [False, True, False, True]


@pytest.mark.parametrize("is_writing", [False, True], ids=["looked at", "locked"])
def test_sifting_asks_no_more_for_many_than_for_few(house: Database, is_writing: bool) -> None:
    few, many = ([a_part(FESEM, hour, 1, True, False) for hour in range(count)] for count in (2, 60))
    asked: list[int] = []
    for parts in (few, many):
        with house.write() if is_writing else house.read() as db:
            book = rulebook(db)
            with counted(house.engine) as statements:
                weighing.sifted(db, ([], []), parts, now=NOW, reader=None, book=book)
            asked.append(len(statements))
    assert asked[1] <= asked[0]
