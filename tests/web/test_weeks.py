"""A week of an instrument as a page draws it: what is open, what is folded, and where its arrows lead."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from labshare.domain.timespan import Span
from labshare.web.blocks import Reader
from labshare.web.grid import Window
from labshare.web.weeks import Week, week
from tests.furniture import at, span
from tests.web.test_blocks import RULES, calendar, entry

THURSDAY = date(2026, 11, 26)
OPEN = [span(day, 8, 18) for day in (23, 25, 26, 27)]


def drawn(*entries: Any, day: date = THURSDAY, opened: list[Span] | None = None, now: Any = None) -> Week:
    shown = calendar(*entries, opened=OPEN if opened is None else opened)
    return week(shown, RULES, day, now or at(25, 10, 20), Reader(may_book=True))


def test_a_week_runs_from_monday_and_its_arrows_lead_to_weeks_and_days() -> None:
    found = drawn()
    assert [day.iso for day in found.days] == [f"2026-11-{day}" for day in range(23, 30)]
    assert found.title == "23/11 – 29/11/2026"
    assert (found.earlier, found.later, found.today) == ("2026-11-19", "2026-12-03", "2026-11-25")
    assert (found.day_earlier, found.chosen.iso, found.day_later) == ("2026-11-25", "2026-11-26", "2026-11-27")
    assert found.chosen.name == "Thứ Năm 26/11/2026"
    assert (found.instrument_id, found.version) == ("N001", 0)


def test_only_a_closed_and_empty_weekend_is_folded() -> None:
    folded = [day.iso for day in drawn().days if "folded" in day.css]
    assert folded == ["2026-11-28", "2026-11-29"]
    # Tuesday is closed too, but a weekday keeps its width: its neighbours would jump otherwise.
    assert [day.is_open for day in drawn().days] == [True, False, True, True, True, False, False]
    busy = drawn(entry(span(28, 9, 12)))
    assert [day.iso for day in busy.days if "folded" in day.css] == ["2026-11-29"]


def test_the_line_of_now_stands_on_today_alone() -> None:
    days = drawn(now=at(25, 10, 22)).days
    assert [day.iso for day in days if day.now] == ["2026-11-25"]
    assert next(day.now for day in days if day.now) == "fh10 fm20 uh10 um25"
    assert [day.iso for day in days if day.is_today] == ["2026-11-25"]
    # At night the hours that are drawn have no place for it.
    assert [day.now for day in drawn(now=at(25, 22)).days] == [""] * 7


def test_hours_are_those_of_the_opening_and_of_work_that_would_not_show_at_all() -> None:
    assert drawn().window == Window(8, 18)
    # A run from Wednesday evening to Thursday morning shows on Thursday; it needs no night.
    assert drawn(entry(Span(at(25, 20), at(26, 10)))).window == Window(8, 18)
    # Two hours at night would not be seen by anybody.
    assert drawn(entry(span(26, 20, 22))).window == Window(8, 22)
    assert drawn(opened=[]).window == Window(8, 18)


def test_a_day_says_its_open_hours() -> None:
    lunch = drawn(opened=[span(26, 8, 12), span(26, 13, 17)])
    assert lunch.chosen.hours == "08:00–12:00, 13:00–17:00"
    assert lunch.chosen.opened == ("fh8 fm0 uh12 um0", "fh13 fm0 uh17 um0")


def test_an_overnight_run_stands_on_both_days() -> None:
    days = drawn(entry(Span(at(25, 17), at(26, 10))), now=at(27, 18)).days
    assert [block.css for block in days[2].blocks] == ["taken short fh17 fm0 uh18 um0"]
    assert [block.css for block in days[3].blocks] == ["taken fh8 fm0 uh10 um0"]


@pytest.mark.parametrize("may_book", [True, False])
def test_only_who_may_book_is_offered_what_is_free(may_book: bool) -> None:
    found = week(calendar(opened=OPEN), RULES, THURSDAY, at(25, 10), Reader(may_book=may_book))
    assert any(block.kind == "free" for day in found.days for block in day.blocks) is may_book
