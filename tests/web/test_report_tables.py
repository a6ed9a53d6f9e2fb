"""A spreadsheet calculates nothing that somebody typed, and reads accents as they are."""

from __future__ import annotations

import pytest

from labshare.web.report_tables import TABLES, harmless


@pytest.mark.parametrize("text", ["=1+1", "+84 24", "-1", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1"])
def test_a_text_that_would_be_calculated_gets_an_apostrophe(text: str) -> None:
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("cell", ["Viện Khoa học vật liệu", "A = B", "1-2", "", -715, 0])
def test_other_texts_and_numbers_stay_as_they_are(cell: str | int) -> None:
    assert harmless(cell) == cell


def test_each_table_names_its_columns_once() -> None:
    for table in TABLES.values():
        assert len(set(table.heads)) == len(table.heads)
