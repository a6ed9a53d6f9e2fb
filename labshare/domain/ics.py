"""The octets of a calendar file: RFC 5545 with the names of RFC 7986, written line by line.

A feed has hundreds of events that differ in little more than their times: what they share is written once, and times
are numbers until they are text. What must not live here: words (labshare/ics.py), and what a reader
may see.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from labshare.domain.opening import DAY_MINUTES

MEDIA_TYPE = "text/calendar"
END = b"\r\n"
_FOLD = b"\r\n "
# Octets of a line, without its end; the space that a further line begins with is one of them.
LINE_OCTETS = 75
EPOCH_DAY = datetime(1970, 1, 1).toordinal()  # noqa: DTZ001  a day has no zone

# Signs of control, which the format forbids, and others that readers take for the end of a line.
_CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")
# The clock of each minute of a day: with it an instant is written without going through a date.
_CLOCKS = tuple(f"T{hour:02}{minute:02}" for hour in range(24) for minute in range(60))
_SECONDS = tuple(f"{second:02}Z" for second in range(60))
_ID = "#" * 32
_TAIL = b"END:VCALENDAR\r\n"
# The sign for the end of a line within a value.
BREAK = "\\n"
# What follows an event. No line within one begins so, nor as the other: further ones of a value begin with a space.
_AFTER, _FIRST = b"\r\nEND:VEVENT\r\n", b"\r\nBEGIN:VEVENT\r\n"
_HEAD = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//LabShare//LabShare//EN\r\nCALSCALE:GREGORIAN\r\n"


def calendar(name: str, events: Iterable[bytes]) -> bytes:
    """The file of a calendar that is to be read again each hour. The same events, each without the end of its last
    line, give the same file.

    There is no METHOD, so DTSTAMP is when an event was last changed, as LAST-MODIFIED.
    """
    return _file(_head(name), events)


def events_of(calendar: bytes) -> list[bytes]:
    """The events of a file that was written here, in order."""
    events = calendar.split(_AFTER)[:-1]
    if events:
        events[0] = events[0][events[0].index(_FIRST) + len(END) :]
    return events


def _head(name: str) -> bytes:
    # The same name twice: some readers know only the older line.
    names = text_line("NAME", name) + text_line("X-WR-CALNAME", name)
    return _HEAD + names + b"REFRESH-INTERVAL;VALUE=DURATION:PT1H\r\nX-PUBLISHED-TTL:PT1H\r\n"


def publication(events: Iterable[bytes]) -> bytes:
    """The file that goes with a letter: METHOD:PUBLISH of RFC 5546, which asks nobody for an answer. Each event names
    its organiser.
    """
    return _file(_HEAD + b"METHOD:PUBLISH\r\n", events)


def _file(head: bytes, events: Iterable[bytes]) -> bytes:
    # What is joined to nothing puts the last end where each event has one.
    return b"".join([head, _AFTER.join([*events, b""]), _TAIL])


def organiser(name: str, address: str) -> bytes:
    """The line of an event that says who publishes it; none without an address. The name is plain words."""
    return line(f"ORGANIZER;CN={name}:mailto:{address}") if address else b""


def standing(status: str, *, keeps_busy: bool) -> bytes:
    """The lines of an event that say how it stands: CONFIRMED, TENTATIVE or CANCELLED, and whether it is time that its
    reader has no more.
    """
    return f"STATUS:{status}\r\nTRANSP:{'OPAQUE' if keeps_busy else 'TRANSPARENT'}\r\n".encode()


class Writer:
    """Writes events of one installation: `host` makes their ids unique, `page` with an id is where one is shown."""

    def __init__(self, host: str, page: str) -> None:
        self._uid_end = line(f"UID:{_ID}@{host}").decode()[len("UID:") + len(_ID) :]
        # An id has no letters of more than one octet, so that all addresses break at the same place.
        url = line(f"URL:{page}{_ID}").decode()
        self._url = url.partition("#")[0]
        self._url_cut = url.removeprefix(self._url).index("\r")
        self._url_fold = "\r\n " if self._url_cut < len(_ID) else ""

    def event(
        self, id: str, sequence: int, modified: int, start_minute: int, end_minute: int, *, has_page: bool
    ) -> bytes:
        """What an event begins with: which it is, by the 32 digits of its id, and when. `modified` is in seconds, start
        and end in minutes, all of them from 1970-01-01T00:00Z. Its other lines follow.
        """
        days, minute = _DAYS, modified // 60
        stamp = f"{days[minute // DAY_MINUTES]}{_CLOCKS[minute % DAY_MINUTES]}{_SECONDS[modified % 60]}"
        cut = self._url_cut
        url = f"{self._url}{id[:cut]}{self._url_fold}{id[cut:]}\r\n" if has_page else ""
        return (
            f"BEGIN:VEVENT\r\nUID:{id}{self._uid_end}DTSTAMP:{stamp}\r\nLAST-MODIFIED:{stamp}\r\n"
            f"SEQUENCE:{sequence}\r\n"
            f"DTSTART:{days[start_minute // DAY_MINUTES]}{_CLOCKS[start_minute % DAY_MINUTES]}00Z\r\n"
            f"DTEND:{days[end_minute // DAY_MINUTES]}{_CLOCKS[end_minute % DAY_MINUTES]}00Z\r\n"
            f"{url}"
        ).encode()


class _Days(dict[int, str]):
    """Days since 1970-01-01 as text, each worked out when it is first asked for: all there are bookings on."""

    def __missing__(self, day: int) -> str:
        text = self[day] = f"{datetime.fromordinal(EPOCH_DAY + day):%Y%m%d}"
        return text


_DAYS = _Days()


def text_line(name: str, *values: str) -> bytes:
    """A line with a value of type TEXT, folded, with its end. Several values stand under each other in it."""
    return line(f"{name}:{BREAK.join(map(escaped, values))}")


def line(text: str) -> bytes:
    """A line of any length as lines of at most 75 octets with their ends, none of which is within a letter."""
    rest = text.encode()
    begun, room = b"", LINE_OCTETS
    while len(rest) > room:
        end = room
        # An octet 10xxxxxx goes on with a letter that began before it.
        while rest[end] & 0xC0 == 0x80:
            end -= 1
        begun, rest, room = begun + rest[:end] + _FOLD, rest[end:], LINE_OCTETS - 1
    return begun + rest + END


def escaped(text: str) -> str:
    """A value of type TEXT. The end of a line becomes a sign that the format has for it; other controls go."""
    whole = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    if not whole.isprintable():
        whole = _CONTROLS.sub("", whole.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " "))
        whole = whole.replace("\n", BREAK)
    return whole
