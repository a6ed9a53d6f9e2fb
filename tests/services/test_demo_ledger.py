"""The demo's ledger: each entry of the story at its time of the quarter, through the services that people use."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from labshare.domain.ledger import Cause
from labshare.errors import Refused
from labshare.services.demo_ledger import post_entries
from labshare.services.demo_story import EntryStory, read_story
from labshare.store import ledger as store
from labshare.store.engine import Database
from tests.furniture import NOW, OFFICE, actor
from tests.ledger_house import HOUR, QUARTER, account, furnish_ledger

STORY = Path(__file__).parents[2] / "fixtures" / "demo" / "story.toml"


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Database:
    with database.write() as db:
        furnish_ledger(db, tmp_path)
    return database


def told(cause: Cause, hours: int, percent: int, **changes: object) -> EntryStory:
    values = {"agreement": "PPP-1", "organisation": "O-CO", "clause": "R04", "reference": f"A-{percent}"}
    return EntryStory(cause=cause.value, hours=hours, percent=percent, **(values | changes))  # type: ignore[arg-type]


def test_entries_are_posted_at_their_part_of_the_time_that_has_passed(house: Database) -> None:
    story = (
        told(Cause.GRANTED, 120, 0),
        told(Cause.DELIVERED, 20, 25),
        told(Cause.DISPLACED, 24, 50, order_hours=80),
        told(Cause.TRANSFERRED, 16, 100, to="I-IMS"),
    )
    with house.write() as db:
        post_entries(db, story, actor(OFFICE), NOW)
        entries = store.entries(db, "PPP-1")
        assert store.balance(db, account()) == (120 - 20 - 16) * HOUR
        assert store.ordered_minutes(db, "PPP-1", QUARTER) == 80 * HOUR
    passed = NOW - QUARTER.start
    assert [(each.cause, each.posted_at - QUARTER.start) for each in entries] == [
        (Cause.GRANTED, timedelta()),
        (Cause.DELIVERED, passed / 4),
        (Cause.DISPLACED, passed / 2),
        (Cause.CREDITED, passed / 2),
        (Cause.TRANSFERRED, passed),
        (Cause.TRANSFERRED, passed),
    ]


def test_a_story_that_takes_more_than_there_is_is_refused(house: Database) -> None:
    with pytest.raises(Refused, match="ledger_overdrawn"), house.write() as db:
        post_entries(db, [told(Cause.DELIVERED, 1, 0)], actor(OFFICE), NOW)


def test_the_story_of_the_demo_says_of_each_entry_that_it_is_illustrative() -> None:
    story = read_story(STORY).ledger
    assert {each.agreement for each in story} == {"PPP-SHSEM", "PPP-IMSKL"}
    assert {each.cause for each in story} >= {Cause.GRANTED, Cause.CONVERTED, Cause.DELIVERED, Cause.DISPLACED}
    assert all(each.reference.endswith("/minh-hoa") for each in story)
