"""The text of a calendar file keeps to RFC 5545: lines of 75 octets, values escaped, instants in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labshare.domain import ics
from tests.calendar_files import seen

ID = UUID(int=7)
STANDING = ics.standing("CONFIRMED", keeps_busy=True)
# What an event's text may be made of: letters of several octets, what must be escaped, and line ends.
TEXTS = st.text(st.sampled_from('abc đổ🔬\\;,:"\n'), min_size=1, max_size=200)


def event(summary: str = "x", page: str = "https://a.vn/bookings/", host: str = "a.vn") -> str:
    # 23 November 2026, 01:00 UTC: 20,780 days of 1,440 minutes, and 60; an hour long; changed ten seconds before.
    begun = ics.Writer(host, page).event(ID.hex, 2, 29_923_260 * 60 - 10, 29_923_260, 29_923_320, has_page=True)
    return (begun + STANDING + ics.text_line("SUMMARY", summary)).decode().removesuffix("\r\n")


def test_an_event_line_by_line() -> None:
    assert event().split("\r\n") == [
        "BEGIN:VEVENT",
        "UID:00000000000000000000000000000007@a.vn",
        "DTSTAMP:20261123T005950Z",
        "LAST-MODIFIED:20261123T005950Z",
        "SEQUENCE:2",
        "DTSTART:20261123T010000Z",
        "DTEND:20261123T020000Z",
        "URL:https://a.vn/bookings/00000000000000000000000000000007",
        "STATUS:CONFIRMED",
        "TRANSP:OPAQUE",
        "SUMMARY:x",
    ]


def test_a_calendar_begins_and_ends_as_one() -> None:
    text = ics.calendar("Máy A; B", [event().encode()]).decode()
    assert text.startswith("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:")
    assert "\r\nNAME:Máy A\\; B\r\nX-WR-CALNAME:Máy A\\; B\r\nREFRESH-INTERVAL;VALUE=DURATION:PT1H\r\n" in text
    assert text.endswith("END:VEVENT\r\nEND:VCALENDAR\r\n")
    assert "METHOD" not in text
    assert re.search(r"(?<!\r)\n|\r(?!\n)", text) is None


def test_what_is_escaped() -> None:
    assert ics.escaped("a\\b;c,d\ne\r\nf") == "a\\\\b\\;c\\,d\\ne\\nf"
    assert ics.escaped("a\tb\x00c\x85d\u2028e") == "a bcde"
    assert ics.text_line("DESCRIPTION", "a", "b,c") == b"DESCRIPTION:a\\nb\\,c\r\n"


@pytest.mark.parametrize(("length", "lines"), [(75, [75]), (76, [75, 2]), (149, [75, 75]), (150, [75, 75, 2])])
def test_a_line_breaks_after_75_octets(length: int, lines: list[int]) -> None:
    # A further line has 74 octets of the text beside the space that it begins with: 75 + 74 = 149.
    assert [len(line) for line in ics.line("x" * length).split(b"\r\n")] == [*lines, 0]


def test_no_letter_is_cut() -> None:
    # 74 octets and a letter of three: it goes to the next line whole.
    assert ics.line("x" * 74 + "ổy").decode() == "x" * 74 + "\r\n ổy\r\n"


@given(st.text(st.sampled_from("ađổ🔬 "), max_size=300))
def test_folding_loses_nothing_and_keeps_the_limit(text: str) -> None:
    written = ics.line(text)
    assert all(len(line) <= 75 for line in written.split(b"\r\n"))
    assert written.decode().replace("\r\n ", "") == text + "\r\n"


# The first call loads the readers, and starts one.
@settings(deadline=None)
@given(TEXTS)
def test_readers_see_the_text_that_was_written(text: str) -> None:
    (read,) = seen(ics.calendar("x", [event(text).encode()]).decode())
    assert read.summary == text


@given(st.integers(0, 90), st.integers(0, 60))
def test_addresses_of_any_length_are_folded_like_any_line(page: int, host: int) -> None:
    """They break at one place that is worked out once for all ids."""
    page_url, host_name = "https://" + "p" * page + "/", "h" * host + ".vn"
    text = event(page=page_url, host=host_name)
    assert ics.line(f"URL:{page_url}{ID.hex}").decode() in text
    assert ics.line(f"UID:{ID.hex}@{host_name}").decode() in text


def test_readers_see_the_instants_that_were_written() -> None:
    (read,) = seen(ics.calendar("x", [event().encode()]).decode())
    assert (read.start, read.end) == (datetime(2026, 11, 23, 1, tzinfo=UTC), datetime(2026, 11, 23, 2, tzinfo=UTC))


@given(st.lists(TEXTS, max_size=4), TEXTS)
def test_a_calendar_comes_apart_into_the_events_it_was_made_of(texts: list[str], name: str) -> None:
    """Whatever they say, also of where events begin and end."""
    marks = "BEGIN:VEVENT\r\nEND:VEVENT\r\n"
    events = [event(f"{marks}{text}{marks}").encode() for text in texts]
    assert ics.events_of(ics.calendar(f"{marks}{name}", events)) == events
