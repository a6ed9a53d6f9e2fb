"""Reading a calendar file as other programs do: with icalendar and with vobject, which share no code."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple, cast

import icalendar
import vobject


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
    """The events of a file, in its order, once it is sure that both readers see the same."""
    first, second = _by_icalendar(text), _by_vobject(text)
    assert first == second
    return first


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
