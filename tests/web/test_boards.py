"""The board of a centre: a day with words, a week as strips, hours that serve most of its instruments."""

from __future__ import annotations

from datetime import date

import msgspec

from labshare.domain.timespan import Span
from labshare.services.calendars import Calendar, Occupancy
from labshare.web.blocks import Reader
from labshare.web.boards import axis_of, day_board, week_board
from labshare.web.grid import Window, day_of
from tests.furniture import at, span
from tests.web.test_blocks import RULES, entry

THURSDAY = date(2026, 11, 26)
FESEM = msgspec.structs.replace(RULES, name_vi="Kính hiển vi", calendar_version=7)
XRD = msgspec.structs.replace(RULES, number=2, id="N002", name_vi="Nhiễu xạ", setup_minutes=0)
ALWAYS = [Span(at(26, 0), at(27, 0))]


def day(**opened: list[Span]) -> Calendar:
    return Calendar(
        span=day_of(THURSDAY).span,
        instruments=(FESEM, XRD),
        entries={1: [entry(span(26, 9, 11))], 2: []},
        opened={1: opened.get("fesem", [span(26, 8, 18)]), 2: opened.get("xrd", ALWAYS)},
        kept={1: [], 2: []},
    )


def test_a_days_board_has_one_row_with_words_for_each_instrument() -> None:
    board = day_board(day(), THURSDAY, at(26, 10), "open", Reader())
    assert [(row.id, row.name) for row in board.rows] == [("N001", "Kính hiển vi"), ("N002", "Nhiễu xạ")]
    assert [block.title for block in board.rows[0].blocks] == ["Đã có người"]
    assert board.rows[0].blocks[0].id == "at-N001-0-540"
    assert (board.title, board.now) == ("Thứ Năm 26/11/2026", "fh10 fm0 uh10 um5")
    assert (board.earlier, board.later, board.today) == ("2026-11-25", "2026-11-27", "2026-11-26")
    assert board.watched == "N001:7 N002:0"


def test_an_instrument_that_never_closes_does_not_squeeze_the_others() -> None:
    def shown(hours: str, **opened: list[Span]) -> Window:
        given = "all" if hours == "all" else "open"
        return day_board(day(**opened), THURSDAY, at(26, 10), given, Reader()).window

    assert shown("open") == Window(8, 18)
    assert shown("all") == Window(0, 24)
    # Where all of them never close there is nobody to squeeze.
    assert shown("open", fesem=ALWAYS) == Window(0, 24)


def test_who_may_book_finds_what_is_free_on_a_days_board() -> None:
    board = day_board(day(), THURSDAY, at(25, 10), "open", Reader(may_book=True))
    assert [block.time for block in board.rows[0].blocks if block.kind == "free"] == ["08:00–09:00", "11:00–18:00"]


def test_a_weeks_board_has_seven_strips_for_each_instrument() -> None:
    axis = axis_of("week", THURSDAY)
    hours = [span(each, 8, 18) for each in range(23, 28)]
    occupancy = Occupancy(
        span=axis.span,
        instruments=(FESEM, XRD),
        occupied={1: [], 2: []},
        opened={1: hours, 2: hours},
        kept={1: [], 2: []},
    )
    board = week_board(occupancy, THURSDAY, at(25, 10), "open")
    assert [len(row.cells) for row in board.rows] == [7, 7]
    assert [cell.words for cell in board.rows[0].cells] == [
        "đã qua", "đã qua", "trống 8 giờ", "trống 10 giờ", "trống 10 giờ", "Đóng cửa", "Đóng cửa",
    ]  # fmt: skip
    assert [head.weekday for head in board.heads if head.is_today] == ["T4"]
    assert (board.title, board.earlier, board.later) == ("23/11 – 29/11/2026", "2026-11-19", "2026-12-03")
    assert (board.span, board.date, board.watched) == ("week", "2026-11-26", "N001:7 N002:0")
