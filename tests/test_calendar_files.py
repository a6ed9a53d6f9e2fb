"""The readers of calendar files by themselves: each is asked, and what they see differently is noticed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.calendar_files import Seen, seen

FILE = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Test//Test//EN
BEGIN:VEVENT
UID:one@example
DTSTAMP:20261123T010000Z
SEQUENCE:2
DTSTART:20261125T163000Z
DTEND:20261125T180000Z
STATUS:CANCELLED
SUMMARY:đo\\, lại
DESCRIPTION:Dự án: KC-01\\nMẫu 1
LOCATION:Trung tâm Một
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n")


@pytest.mark.usefixtures("every_reader")
def test_all_readers_see_the_same() -> None:
    assert seen(FILE) == [
        Seen(
            "one@example", datetime(2026, 11, 25, 16, 30, tzinfo=UTC), datetime(2026, 11, 25, 18, 0, tzinfo=UTC),
            "CANCELLED", "đo, lại", "Dự án: KC-01\nMẫu 1", "Trung tâm Một", 2,
        )
    ]  # fmt: skip


@pytest.mark.usefixtures("every_reader")
@pytest.mark.parametrize(
    ("line", "instead"),
    [
        # Expanded by khal and by ical.js, and by the others left as the rule that it is.
        ("SEQUENCE:2", "SEQUENCE:2\r\nRRULE:FREQ=WEEKLY;COUNT=3"),
        # A time of no zone is this or that, as each reader likes.
        ("DTSTART:20261125T163000Z", "DTSTART:20261125T163000"),
    ],
)
def test_what_they_see_differently_is_noticed(line: str, instead: str) -> None:
    with pytest.raises((AssertionError, TypeError)):
        seen(FILE.replace(line, instead))
