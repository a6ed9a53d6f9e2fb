"""Reading a calendar file as other programs do: with icalendar, vobject, khal and (by Node) ical.js.

khal takes the file into its own database and asks that for the days; ical.js is what Thunderbird reads with.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, cast
from zoneinfo import ZoneInfo

import icalendar
import vobject

HERE = Path(__file__).parent / "javascript"
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
# khal asks for days: from before everything that a test writes to after it.
FIRST, LAST = datetime(2020, 1, 1, tzinfo=ZONE), datetime(2040, 1, 1, tzinfo=ZONE)


class Seen(NamedTuple):
    """An event as a reader shows it."""

    uid: str
    start: datetime
    end: datetime
    status: str
    summary: str
    description: str
    location: str
    sequence: int


def seen(text: str) -> list[Seen]:
    """The events of a file, in its order, once it is sure that every reader sees the same.

    Without Node ical.js is left out, except in continuous integration.
    """
    first = _by_icalendar(text)
    assert _by_vobject(text) == first
    # khal answers by days, and not in the order of a file.
    assert sorted(_by_khal(text)) == sorted(first)
    if has_ical_js() or os.environ.get("CI"):
        assert _by_ical_js(text) == first
    return first


def has_ical_js() -> bool:
    """Whether `make setup-dev` has put ical.js in place, and Node is there to run it."""
    return shutil.which("node") is not None and (HERE / "node_modules" / "ical.js").is_dir()


def _by_icalendar(text: str) -> list[Seen]:
    calendar: Any = icalendar.Calendar.from_ical(text)
    assert calendar.errors == []
    events: list[Any] = calendar.walk("VEVENT")
    assert [event.errors for event in events] == [[] for _ in events]
    return [
        Seen(
            str(event["UID"]),
            event["DTSTART"].dt,
            event["DTEND"].dt,
            str(event["STATUS"]),
            str(event["SUMMARY"]),
            str(event.get("DESCRIPTION", "")),
            str(event.get("LOCATION", "")),
            int(event["SEQUENCE"]),
        )
        for event in events
    ]


def _by_vobject(text: str) -> list[Seen]:
    calendar = cast("Any", vobject).readOne(text)
    return [
        Seen(
            event.uid.value,
            event.dtstart.value,
            event.dtend.value,
            event.status.value,
            event.summary.value,
            event.description.value if "description" in event.contents else "",
            event.location.value if "location" in event.contents else "",
            int(event.sequence.value),
        )
        for event in calendar.contents.get("vevent", [])
    ]


def _by_khal(text: str) -> list[Seen]:
    from khal import icalendar as khal_files
    from khal.khalendar import CalendarCollection
    from khal.khalendar.event import Event

    formats = dict.fromkeys(("dateformat", "longdateformat"), "%Y-%m-%d")
    formats |= dict.fromkeys(("datetimeformat", "longdatetimeformat"), "%Y-%m-%d %H:%M")
    locale: Any = {"local_timezone": ZONE, "default_timezone": ZONE, "timeformat": "%H:%M", **formats}
    locale |= {"unicode_symbols": True, "firstweekday": 0, "weeknumbers": False}
    with tempfile.TemporaryDirectory() as folder:
        feed: Any = {"name": "feed", "path": f"{folder}/feed", "readonly": False, "color": "", "priority": 10}
        feed |= {"ctype": "calendar", "addresses": []}
        calendar: Any = CalendarCollection({"feed": feed}, locale=locale, dbpath=":memory:")
        for each in cast("Any", khal_files).split_ics(text):
            calendar.insert(cast("Any", Event).fromString(each, calendar="feed", locale=locale), "feed")
        return [_of_khal(event) for event in calendar.get_localized(FIRST, LAST)]


def _of_khal(event: Any) -> Seen:
    # The sequence is nothing that khal shows; it keeps it with the event.
    sequence = re.search(r"^SEQUENCE:(\d+)", event.raw, re.MULTILINE)
    assert sequence
    return Seen(
        event.uid,
        event.start,
        event.end,
        event.status,
        str(event.summary),
        str(event.description),
        str(event.location),
        int(sequence[1]),
    )


def _by_ical_js(text: str) -> list[Seen]:
    answer = _ical_js()(text)
    assert "fault" not in answer, answer
    return [
        Seen(uid, datetime.fromisoformat(start).astimezone(UTC), datetime.fromisoformat(end).astimezone(UTC), *more)
        for uid, start, end, *more in answer["occurrences"]
    ]


@cache
def _ical_js() -> Callable[[str], Any]:
    """One Node for the life of this process: starting one takes longer than reading a file."""
    assert has_ical_js(), "ical.js is not in place: `make setup-dev` puts it there, and Node must be installed"
    node = subprocess.Popen(
        ["node", HERE / "read_calendars.js"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    ours, theirs = node.stdin, node.stdout
    assert ours is not None
    assert theirs is not None

    def stop() -> None:
        ours.close()
        node.wait(10)
        theirs.close()

    def read(text: str) -> Any:
        ours.write(json.dumps(text) + "\n")
        ours.flush()
        return json.loads(theirs.readline())

    atexit.register(stop)
    return read
