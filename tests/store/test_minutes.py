"""Minutes in SQL are those that a person would count, on both databases."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from labshare.store.engine import Database
from labshare.store.minutes import later, length, minute, raw, sooner, total
from labshare.store.tables import offers
from tests.furniture import at


@pytest.mark.parametrize(
    ("start", "end", "minutes"),
    [(at(23, 8), at(23, 9, 30), 90), (at(23, 9), at(23, 9), 0), (at(23, 10), at(23, 9), 0)],
)
def test_a_length_is_never_negative(database: Database, start: object, end: object, minutes: int) -> None:
    with database.read() as db:
        assert db.execute(sa.select(length(minute(start), minute(end)))).scalar_one() == minutes  # type: ignore[arg-type]


def test_clipping_takes_the_later_start_and_the_sooner_end(database: Database) -> None:
    nine, ten, noon, two = (minute(at(23, hour)) for hour in (9, 10, 12, 14))
    with database.read() as db:
        assert db.execute(sa.select(length(later(nine, ten), sooner(two, noon)))).scalar_one() == 120


def test_seconds_are_left_out(database: Database) -> None:
    with database.read() as db:
        found = db.execute(sa.select(minute(at(23, 8).replace(second=59)) - minute(at(23, 8)))).scalar_one()
    assert found == 0


def test_a_total_is_a_whole_number_even_of_nothing(database: Database) -> None:
    query = sa.select(total(length(raw(offers.c.starts_at), raw(offers.c.ends_at))))
    with database.read() as db:
        found = db.execute(query).scalar_one()
    assert (found, type(found)) == (0, int)
