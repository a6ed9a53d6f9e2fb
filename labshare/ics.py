"""Bookings as calendar files, in the words of their reader: feeds, and one booking by itself. For the web and letters.

What must not live here: the form of the file (domain/ics.py), and what a reader may see; whatever is None in an event
is not known here either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from email.utils import parseaddr
from urllib.parse import urlsplit

from labshare.domain import ics
from labshare.domain.bookings import BookingKind, BookingState
from labshare.domain.modes import Mode
from labshare.i18n import DEFAULT_LANGUAGE, gettext, known_language, language, speaking, word
from labshare.services import feeds
from labshare.services.bookings import BookingLine
from labshare.services.feeds import Contents, FeedEvent, FeedInstrument, Opened

# Not firm yet: other programs show them pale.
_TENTATIVE = frozenset({BookingState.HELD.value, BookingState.PENDING.value})
_USE = BookingKind.USE.value


def feed(opened: Opened, contents: Contents, base_url: str) -> str:
    """The file of a feed, in the language of its owner. `base_url` is the address of this installation."""
    asked = opened.line.feed
    with speaking(known_language(opened.owner.language) or DEFAULT_LANGUAGE):
        words = _Words(contents.instruments, own_only=opened.is_own, names_instrument=asked.instrument_id is None)
        name = _name(opened.line.name_vi, opened.line.name_en) or gettext("My bookings")
        return ics.calendar(f"LabShare: {name}", _written(contents.events, words, contents.opens, base_url))


def booking(line: BookingLine, base_url: str) -> str:
    """One booking for its user, in the language of now."""
    event, instrument = feeds.of_booking(line)
    words = _Words({instrument.number: instrument}, own_only=True, names_instrument=True)
    return ics.calendar("LabShare", _written([event], words, (), base_url))


def letter(lines: Sequence[BookingLine], base_url: str, sender: str) -> str:
    """Bookings of one user for a program that reads the user's letters, without project and purpose: a letter crosses
    other hands. The ids are those of the feeds, so that a booking is there once and follows the newest letter.
    """
    told = [feeds.of_booking(line) for line in lines]
    events = [event._replace(project=None, purpose="") for event, _ in told]
    words = _Words({each.number: each for _, each in told}, own_only=True, names_instrument=True)
    organiser = ics.organiser("LabShare", parseaddr(sender)[1])
    return ics.publication(_written(events, words, (), base_url, extra=organiser))


def _written(
    events: Sequence[FeedEvent], words: _Words, opens: Collection[int], base_url: str, *, extra: str = ""
) -> Iterator[str]:
    """Each event; one that the reader may open names its page. `extra` are lines that all of them have."""
    site = base_url.rstrip("/")
    write = ics.Writer(urlsplit(site).hostname or "localhost", f"{site}/bookings/").event
    said = words.of
    for event in events:
        # A row is taken apart once: reading each name of it anew is a third of the work.
        id, number, kind, version, modified, occupies, is_own, start, end, state, person, project, purpose, mode = event
        body = said(event, (number, kind, occupies, is_own, state, person), (project, purpose, mode)) + extra
        # The first version of a booking is 1, that of an event 0.
        yield write(id, version - 1, modified, start, end, body, bool(is_own) or number in opens)


class _Words:
    """What events say. `own_only`: all are the reader's own, so that what they say first is where."""

    def __init__(self, instruments: Mapping[int, FeedInstrument], *, own_only: bool, names_instrument: bool) -> None:
        self._places = {
            number: (_name(each.name_vi, each.name_en), _name(each.centre_vi, each.centre_en))
            for number, each in instruments.items()
        }
        self._own_only, self._names_instrument = own_only, names_instrument
        self._kinds = {kind.value: word("booking_kind", kind) for kind in BookingKind}
        self._occupied, self._yours = gettext("event.occupied"), gettext("event.yours")
        self._project = gettext("Project")
        self._heads: dict[tuple[object, ...], str] = {}
        self._modes = {mode.value: word("mode_said", mode) for mode in (Mode.ASSISTED, Mode.COMMISSIONED)}
        self._details: dict[tuple[str | None, str | None, str | None], str] = {}

    def of(self, event: FeedEvent, what: tuple[object, ...], about: tuple[str | None, str | None, str | None]) -> str:
        """All lines of an event but those that say which it is and when. `what` and `about` hold all that they hang on:
        what several events say is worked out once.
        """
        head = self._heads.get(what)
        if head is None:
            head = self._heads[what] = self._head(event)
        details = self._details.get(about)
        if details is None:
            details = self._details[about] = self._description(*about)
        return head + details

    def _head(self, event: FeedEvent) -> str:
        instrument, centre = self._places[event.instrument_number]
        title = instrument if self._own_only else self._title(event)
        if self._names_instrument and not self._own_only:
            title = f"{instrument}: {title}"
        status = "TENTATIVE" if event.state in _TENTATIVE else "CONFIRMED"
        return (
            ics.standing(status if event.occupies else "CANCELLED", keeps_busy=bool(event.occupies and event.is_own))
            + ics.text_line("CATEGORIES", self._kinds[event.kind])
            + ics.text_line("SUMMARY", title)
            + ics.text_line("LOCATION", centre)
        )

    def _title(self, event: FeedEvent) -> str:
        if event.kind != _USE:
            return self._kinds[event.kind]
        if event.is_own:
            return self._yours
        return event.person or self._occupied

    def _description(self, project: str | None, purpose: str | None, mode: str | None) -> str:
        parts = (f"{self._project}: {project}" if project else "", purpose, self._modes.get(mode or ""))
        said = [each for each in parts if each]
        return ics.text_line("DESCRIPTION", *said) if said else ""


def _name(vietnamese: str, english: str) -> str:
    """The name in the current language, or the other one where that is missing."""
    first, second = (vietnamese, english) if language() == "vi" else (english, vietnamese)
    return first or second
