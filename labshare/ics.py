"""Bookings as calendar files, in the words of their reader: feeds, and one booking by itself. For the web and letters.

What must not live here: the form of the file (domain/ics.py), and what a reader may see; whatever is None in an event
is not known here either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlsplit

from labshare.domain import ics
from labshare.domain.bookings import BookingKind, BookingState
from labshare.domain.modes import Mode
from labshare.i18n import DEFAULT_LANGUAGE, gettext, known_language, language, speaking, word
from labshare.services import feeds
from labshare.services.bookings import BookingLine
from labshare.services.feeds import Contents, Edition, FeedEvent, FeedInstrument, FeedText, Opened

# Not firm yet: other programs show them pale.
_TENTATIVE = frozenset({BookingState.HELD.value, BookingState.PENDING.value})
_USE = BookingKind.USE.value


def feed(opened: Opened, contents: Contents, base_url: str, known: Mapping[Edition, bytes]) -> FeedText:
    """The file of a feed, in the language of its owner: its events as they are `known`, and the others put in words.
    `base_url` is the address of this installation.
    """
    asked = opened.line.feed
    with speaking(known_language(opened.owner.language) or DEFAULT_LANGUAGE):
        words = _Words(contents.instruments, own_only=opened.is_own, names_instrument=asked.instrument_id is None)
        name = _name(opened.line.name_vi, opened.line.name_en) or gettext("My bookings")
        written = _written(contents.events, words, contents.opens, base_url)
        events = {event[:2]: text for event, text in zip(contents.events, written, strict=True)}
        if contents.editions is not None:
            events = {each: events[each] if each in events else known[each] for each in contents.editions}
        return FeedText(
            eyes=opened.eyes,
            tag=opened.tag,
            head=ics.head(f"LabShare: {name}"),
            events=events,
        )


def booking(line: BookingLine, base_url: str) -> bytes:
    """One booking for its user, in the language of now."""
    event, instrument = feeds.of_booking(line)
    words = _Words({instrument.number: instrument}, own_only=True, names_instrument=True)
    return ics.calendar("LabShare", _written([event], words, (), base_url))


def letter(lines: Sequence[BookingLine], base_url: str, sender: str) -> bytes:
    """Bookings of one user for a program that reads the user's letters, without project and purpose: a letter crosses
    other hands. The ids are those of the feeds, so that a booking is there once and follows the newest letter.
    """
    told = [feeds.of_booking(line) for line in lines]
    events = [event._replace(project=None, purpose="") for event, _ in told]
    words = _Words({each.number: each for _, each in told}, own_only=True, names_instrument=True)
    organiser = ics.organiser("LabShare", parseaddr(sender)[1])
    return ics.publication(_written(events, words, (), base_url, extra=organiser))


def _written(
    events: Sequence[FeedEvent], words: _Words, opens: Collection[int], base_url: str, *, extra: bytes = b""
) -> Iterator[bytes]:
    """Each event; one that the reader may open names its page. `extra` are lines that all of them have."""
    site = base_url.rstrip("/")
    write = ics.Writer(urlsplit(site).hostname or "localhost", f"{site}/bookings/").event
    for event in events:
        # Reading a name of a row costs more than a slice of it.
        what = event[5:11]
        body = words.of(what, event[11:]) + extra
        # The first version of a booking is 1, that of an event 0.
        yield write(event[0], event[1] - 1, event[2], event[3], event[4], body, bool(what[3]) or what[0] in opens)


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
        self._projects = _Projects()
        self._modes = {mode.value: ics.escaped(word("mode_said", mode)) for mode in (Mode.ASSISTED, Mode.COMMISSIONED)}
        self._heads: dict[tuple[Any, ...], bytes] = {}
        self._training = gettext("In training")
        self._operated = gettext("Operator: %(operator)s, for %(person)s")

    def of(self, what: tuple[Any, ...], details: tuple[Any, ...]) -> bytes:
        """All lines of an event but those that say which it is and when: `what` is of the fields from the instrument's
        number on, and many events have it in common; `details` are those from the project on.
        """
        head = self._heads.get(what)
        if head is None:
            head = self._heads[what] = self._head(*what)
        project, purpose, mode, trainee, operator = details
        said: list[str] = []
        if trainee:
            said.append(ics.escaped(f"{self._training}: {trainee}"))
        if operator:
            # For whom an operator is there stands in no other line of their own feed.
            said.append(ics.escaped(self._operated % {"operator": operator, "person": what[-1] or "–"}))
        if project:
            said.append(self._projects[project])
        if purpose:
            said.append(ics.escaped(purpose))
        if mode in self._modes:
            said.append(self._modes[mode])
        return head + ics.line("DESCRIPTION", said) if said else head

    def _head(self, number: int, kind: str, occupies: int, is_own: int, state: str | None, person: str | None) -> bytes:
        instrument, centre = self._places[number]
        title = self._title(kind, person, is_own=bool(is_own))
        if self._own_only:
            title = instrument
        elif self._names_instrument:
            title = f"{instrument}: {title}"
        status = "TENTATIVE" if state in _TENTATIVE else "CONFIRMED"
        return (
            ics.standing(status if occupies else "CANCELLED", keeps_busy=bool(occupies and is_own))
            + ics.text_line("CATEGORIES", self._kinds[kind])
            + ics.text_line("SUMMARY", title)
            + ics.text_line("LOCATION", centre)
        )

    def _title(self, kind: str, person: str | None, *, is_own: bool) -> str:
        if kind != _USE:
            return self._kinds[kind]
        return self._yours if is_own else person or self._occupied


class _Projects(dict[str, str]):
    """What is said of each project, escaped: hundreds of events of a feed are on account of a few."""

    def __missing__(self, code: str) -> str:
        text = self[code] = ics.escaped(f"{gettext('Project')}: {code}")
        return text


def _name(vietnamese: str, english: str) -> str:
    """The name in the current language, or the other one where that is missing."""
    first, second = (vietnamese, english) if language() == "vi" else (english, vietnamese)
    return first or second
