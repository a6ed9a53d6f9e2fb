"""Bookings as calendar files, in the words of their reader: feeds, and one booking by itself. For the web and letters.

What must not live here: the form of the file (domain/ics.py), and what a reader may see; whatever is None in an event
is not known here either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from email.utils import parseaddr
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from labshare.domain import ics
from labshare.domain.bookings import OCCUPYING, BookingKind, BookingState
from labshare.i18n import DEFAULT_LANGUAGE, gettext, known_language, language, speaking, word
from labshare.services import feeds
from labshare.services.bookings import BookingLine
from labshare.services.feeds import Contents, Edition, EventRow, FeedEvent, FeedInstrument, FeedText, Opened

# Not firm yet: other programs show them pale.
_TENTATIVE = frozenset({BookingState.HELD.value, BookingState.PENDING.value})
_USE = BookingKind.USE.value
_BUSY = frozenset(state.value for state in OCCUPYING)


def feed(opened: Opened, contents: Contents, base_url: str, known: Mapping[Edition, bytes]) -> FeedText:
    """The file of a feed, in the language of its owner: its events as they are `known`, and the others put in words.
    `base_url` is the address of this installation.
    """
    asked = opened.line.feed
    with speaking(known_language(opened.owner.language) or DEFAULT_LANGUAGE):
        words = _Words(
            contents.instruments,
            own_only=opened.is_own,
            names_instrument=asked.instrument_id is None,
            opens=contents.opens,
        )
        name = _name(opened.line.name_vi, opened.line.name_en) or gettext("My bookings")
        events = _written(contents.events, words, base_url)
        if contents.editions is not None:
            events = {each: events[each] if each in events else known[each] for each in contents.editions}
        return FeedText(
            eyes=opened.eyes,
            tag=opened.tag,
            whole=ics.calendar(f"LabShare: {name}", events.values()),
            editions=tuple(events),
        )


def booking(line: BookingLine, base_url: str) -> bytes:
    """One booking for its user, in the language of now."""
    event, instrument = feeds.of_booking(line)
    words = _Words({instrument.number: instrument}, own_only=True, names_instrument=True)
    return ics.calendar("LabShare", _written([event], words, base_url).values())


def letter(lines: Sequence[BookingLine], base_url: str, sender: str) -> bytes:
    """Bookings of one user for a program that reads the user's letters, without project and purpose: a letter crosses
    other hands. The ids are those of the feeds, so that a booking is there once and follows the newest letter.
    """
    told = [feeds.of_booking(line) for line in lines]
    events = [event._replace(project=None, purpose="") for event, _ in told]
    words = _Words(
        {each.number: each for _, each in told},
        own_only=True,
        names_instrument=True,
        extra=ics.organiser("LabShare", parseaddr(sender)[1]),
    )
    return ics.publication(_written(events, words, base_url).values())


def _written(events: Iterable[EventRow], words: _Words, base_url: str) -> dict[Edition, bytes]:
    """Each event, in their order."""
    site = base_url.rstrip("/")
    begun = ics.Writer(urlsplit(site).hostname or "localhost", f"{site}/bookings/").event
    written: dict[Edition, bytes] = {}
    for event in events:
        # All of this is done five hundred times, and a name costs more than a slice.
        id, version, modified, start, end, purpose = event[:6]
        before, after, said, rest, has_page = words[event[6:]]
        if purpose:
            said = ics.line(f"DESCRIPTION:{before}{ics.escaped(purpose)}{after}")
        # The first version of a booking is 1, that of an event 0.
        written[id, version] = begun(id, version - 1, modified, start, end, has_page=has_page) + said + rest
    return written


class _Shared(NamedTuple):
    """What events may have in common: how the line that describes them goes on `before` and `after` their purpose, and
    `without` one; all below it, without the end of the last line; and whether the reader may open their pages.
    """

    before: str
    after: str
    without: bytes
    rest: bytes
    has_page: bool


class _Words(dict[tuple[Any, ...], _Shared]):
    """What events say, by all in which they may differ but times and purpose: hundreds have it in common.

    `own_only`: all are the reader's own, so that what they say first is where. `opens` are the instruments of which the
    reader may open each event, and `extra` are lines that all have.
    """

    def __init__(
        self,
        instruments: Mapping[int, FeedInstrument],
        *,
        own_only: bool,
        names_instrument: bool,
        opens: Collection[int] = (),
        extra: bytes = b"",
    ) -> None:
        super().__init__()
        self._instruments, self._opens, self._extra = instruments, opens, extra
        self._own_only, self._names_instrument = own_only, names_instrument

    def __missing__(self, what: tuple[Any, ...]) -> _Shared:
        event = FeedEvent("", 0, 0, 0, 0, None, *what)
        before, after = self._before(event), [word("mode_said", event.mode)] if event.mode else []
        shared = self[what] = _Shared(
            before="".join(f"{ics.escaped(each)}{ics.BREAK}" for each in before),
            after="".join(f"{ics.BREAK}{ics.escaped(each)}" for each in after),
            without=ics.text_line("DESCRIPTION", *before, *after) if before or after else b"",
            rest=(self._rest(event) + self._extra).removesuffix(ics.END),
            has_page=bool(event.is_own) or event.instrument_number in self._opens,
        )
        return shared

    def _before(self, event: FeedEvent) -> list[str]:
        said: list[str] = []
        if event.trainee:
            said.append(f"{gettext('In training')}: {event.trainee}")
        if event.operator:
            # For whom an operator is there stands in no other line of their own feed.
            named = {"operator": event.operator, "person": event.person or "–"}
            said.append(gettext("Operator: %(operator)s, for %(person)s") % named)
        if event.project:
            said.append(f"{gettext('Project')}: {event.project}")
        return said

    def _rest(self, event: FeedEvent) -> bytes:
        place = self._instruments[event.instrument_number]
        kind = word("booking_kind", event.kind)
        title = kind
        if event.kind == _USE:
            title = gettext("event.yours") if event.is_own else event.person or gettext("event.occupied")
        if self._own_only:
            title = _name(place.name_vi, place.name_en)
        elif self._names_instrument:
            title = f"{_name(place.name_vi, place.name_en)}: {title}"
        occupies = event.state in _BUSY
        status = "TENTATIVE" if event.state in _TENTATIVE else "CONFIRMED" if occupies else "CANCELLED"
        return (
            ics.standing(status, keeps_busy=bool(occupies and event.is_own))
            + ics.text_line("CATEGORIES", kind)
            + ics.text_line("SUMMARY", title)
            + ics.text_line("LOCATION", _name(place.centre_vi, place.centre_en))
        )


def _name(vietnamese: str, english: str) -> str:
    """The name in the current language, or the other one where that is missing."""
    first, second = (vietnamese, english) if language() == "vi" else (english, vietnamese)
    return first or second
