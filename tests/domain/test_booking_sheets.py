"""A sheet is read as spreadsheets save it, and what is none says why."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from labshare.domain.booking_sheets import MOST_ROWS, SheetRow, read
from labshare.domain.modes import Mode
from labshare.domain.timespan import Span
from labshare.errors import Malformed

HANOI = "Asia/Ho_Chi_Minh"
HEAD = "instrument,starts_at,ends_at,person,project"
# 8:00 to 10:00 in Hanoi, seven hours ahead of UTC.
MORNING = Span(datetime(2026, 12, 1, 1, tzinfo=UTC), datetime(2026, 12, 1, 3, tzinfo=UTC))


def code_of(text: str) -> tuple[str, dict[str, object]]:
    with pytest.raises(Malformed) as error:
        read(text)
    return error.value.code, dict(error.value.params)


@pytest.mark.parametrize(
    "text",
    [
        "instrument,starts_at,ends_at,person\nN001,2026-12-01 08:00,2026-12-01 10:00,an\n",
        # As Excel saves it here: a mark before the text, semicolons, lines that end in CR LF, empty columns behind.
        "\ufeffInstrument;Starts_at;Ends_at;Person;;\r\nN001; 01/12/2026 08:00;01/12/2026 10:00;an;;\r\n",
        # As cells are pasted, in another order, with an empty row between.
        "person\tinstrument\tends_at\tstarts_at\n\t\t\t\nan\tN001\t2026-12-01T10:00\t2026-12-01T08:00",
        'instrument,starts_at,ends_at,person\nN001,2026-12-01T01:00Z,"2026-12-01T10:00+07:00",an',
    ],
)
def test_each_way_to_save_it_says_the_same(text: str) -> None:
    (row,) = read(text)
    assert (row.instrument, row.person, row.project, row.span(HANOI)) == ("N001", "an", "", MORNING)


def test_control_characters_are_left_out() -> None:
    (row,) = read("instrument,starts_at,ends_at,purpose\nN001\0,a,b,two\x0btimes\0")
    assert (row.instrument, row.purpose) == ("N001", "two times")


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    assert [row.line for row in read(f"{HEAD}\nN001,a,b\n\nN002,a,b")] == [2, 4]
    assert [row.line for row in read(f"\n \n{HEAD.replace(',', ';')}\nN001;a;b")] == [4]


@pytest.mark.parametrize(
    ("text", "code", "params"),
    [
        ("", "sheet_empty", {}),
        (HEAD, "sheet_empty", {}),
        (",,\n", "sheet_empty", {}),
        (f"{HEAD}\n,,\n", "sheet_empty", {}),
        ("instrument,starts_at\nN001,x", "sheet_column_missing", {"column": "ends_at"}),
        (f"{HEAD},{HEAD}\nN001", "sheet_column_unknown", {"column": "instrument"}),
        ("máy,starts_at,ends_at\nN001", "sheet_column_unknown", {"column": "máy"}),
        (f"{HEAD}\nN001,a,b,c,d,one too many", "sheet_row_long", {"line": 2}),
        (f'{HEAD}\n"N001', "sheet_unreadable", {}),
        (HEAD + "\nN001,a,b" * (MOST_ROWS + 1), "sheet_too_many", {"most": MOST_ROWS}),
        ("x" * 200_001, "sheet_too_long", {"most": 200_000}),
    ],
)
def test_what_is_no_sheet_says_why(text: str, code: str, params: dict[str, object]) -> None:
    found, told = code_of(text)
    assert found == code
    assert {name: told.get(name) for name in params} == params


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "code", "field"),
    [
        ("2026-12-01", "2026-12-01 10:00", "sheet_time_unreadable", "starts_at"),
        ("2026-12-01 08:00", "tomorrow", "sheet_time_unreadable", "ends_at"),
        ("1926-12-01 08:00", "2026-12-01 10:00", "sheet_time_unreadable", "starts_at"),
        ("2026-12-01 08:00:30", "2026-12-01 10:00", "not_whole_minute", None),
        ("2026-12-01 10:00", "2026-12-01 08:00", "reversed_time", None),
    ],
)
def test_times_that_cannot_be_meant_are_said(starts_at: str, ends_at: str, code: str, field: str | None) -> None:
    with pytest.raises(Malformed) as error:
        SheetRow(line=2, instrument="N001", starts_at=starts_at, ends_at=ends_at).span(HANOI)
    assert (error.value.code, error.value.params.get("field")) == (code, field)


def test_a_mode_is_one_of_three_or_none() -> None:
    row = SheetRow(line=2, instrument="N001", starts_at="", ends_at="")
    assert row.chosen_mode() is None
    with pytest.raises(Malformed, match="malformed_mode"):
        SheetRow(line=2, instrument="N001", starts_at="", ends_at="", mode="robot").chosen_mode()
    assert SheetRow(line=2, instrument="N001", starts_at="", ends_at="", mode="assisted").chosen_mode() is Mode.ASSISTED
