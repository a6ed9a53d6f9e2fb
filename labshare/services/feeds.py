"""Feeds: made, listed and revoked by their owner, and read by whoever knows the secret as the owner stands today.

What must not live here: the words of an event (labshare/ics.py), the address of a feed (web/feeds.py).
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from uuid import UUID, uuid4

import msgspec

from labshare.domain.feeds import Feed, FeedLine, horizon
from labshare.domain.ics import events_of
from labshare.domain.modes import Mode
from labshare.domain.people import Action, Actor, may
from labshare.domain.timespan import Span
from labshare.errors import Forbidden, NotFound
from labshare.services.bookings import BookingLine
from labshare.services.calendars import viewer
from labshare.store import audit, people, registry
from labshare.store import bookings as bookings_store
from labshare.store import feeds as store
from labshare.store.engine import Connection
from labshare.store.types import EPOCH, MINUTE

# So many events are read each by its id; of more, all are.
_FEW = 100
# What it takes in memory, about, to keep an edition beside the text, and a feed beside its events.
_EVENT_OCTETS, _FEED_OCTETS = 170, 1000

# What the functions below hand out; the edges name these types, and never the store.
Edition = store.Edition
EventRow = store.EventRow
FeedEvent = store.FeedEvent
FeedInstrument = store.FeedInstrument


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A new feed with its secret, which nobody can be shown again."""

    feed: Feed
    secret: str


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A feed that may be read now: its owner as they stand, and a tag that is another one once it would say other
    things. `eyes` stands for the feed, its language, what its owner may see and where, and the day: they are told an
    edition of a booking in the same words always. `instruments` are those of its place; of the owner's own bookings
    they are read with the events, and the editions are here.
    """

    line: FeedLine
    owner: Actor
    eyes: str
    tag: str
    instruments: tuple[FeedInstrument, ...] = ()
    editions: Sequence[Edition] = ()

    @property
    def is_own(self) -> bool:
        """Whether it shows the owner's own bookings, on whatever instrument."""
        return self.line.feed.is_own


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """The events of a feed that were not known, the instruments they are on by number, and those of which the reader
    may open each one. `editions` are all that stand in it, in order. Where they are None these events are all: they are
    read as they are gone through, which is once and while their connection is open.
    """

    editions: Sequence[Edition] | None
    events: Iterable[EventRow]
    instruments: dict[int, FeedInstrument]
    opens: frozenset[int]


class FeedText(msgspec.Struct, frozen=True, kw_only=True):
    """The file of a feed, for the eyes and under the tag of one reading, with the editions of its events in order."""

    eyes: str
    tag: str
    whole: bytes
    editions: tuple[Edition, ...]

    @property
    def events(self) -> dict[Edition, bytes]:
        """The file in its parts. It is kept as one: most is read again as it is, and so many small ones need memory."""
        return dict(zip(self.editions, events_of(self.whole), strict=True))

    @property
    def size(self) -> int:
        """About how many octets of memory it takes."""
        return _FEED_OCTETS + len(self.whole) + _EVENT_OCTETS * len(self.editions)


class Texts:
    """The files of feeds as they were last read, in memory: many programs ask again without saying what they have, and
    after a change the other events are as they were. What is kept for some eyes is never told to others.

    About `most` octets are kept, and what was not asked for the longest goes first.
    """

    def __init__(self, most: int = 32 * 1024 * 1024) -> None:
        self._most, self._size = most, 0
        self._texts: OrderedDict[str, FeedText] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, eyes: str) -> FeedText | None:
        """The file as it was last read for these eyes; its tag says whether that is how it stands."""
        with self._lock:
            if eyes in self._texts:
                self._texts.move_to_end(eyes)
            return self._texts.get(eyes)

    def keep(self, text: FeedText) -> None:
        with self._lock:
            before = self._texts.pop(text.eyes, None)
            self._size -= before.size if before else 0
            if text.size > self._most:
                return
            self._size += text.size
            self._texts[text.eyes] = text
            while self._size > self._most:
                self._size -= self._texts.popitem(last=False)[1].size


def create(
    db: Connection, actor: Actor, now: datetime, *, instrument_id: str | None = None, centre_id: str | None = None
) -> Made:
    """A new feed of an instrument, of a centre, or without either of one's own bookings. Raises `NotFound` for an
    unknown place, and `Forbidden` for somebody behind whom nobody stands: the feed would not open.
    """
    if people.confirmed(db, actor.person_id) is None:
        raise Forbidden("feed_not_confirmed")
    if instrument_id is not None:
        bookings_store.instrument_number(db, instrument_id)
    elif centre_id is not None:
        registry.centre(db, centre_id)
    feed = Feed(
        id=uuid4(),
        person_id=actor.person_id,
        instrument_id=instrument_id,
        centre_id=None if instrument_id else centre_id,
        created_at=now,
    )
    # 32 random bytes cannot be guessed, so a plain hash is as good here as a slow one.
    secret = secrets.token_urlsafe(32)
    store.add(db, feed, _hashed(secret))
    audit.record(db, actor_id=actor.person_id, action="create", noun="feed", noun_id=feed.id, now=now)
    return Made(feed=feed, secret=secret)


def mine(db: Connection, actor: Actor) -> list[FeedLine]:
    """The actor's feeds that can still be read, the oldest first."""
    return store.lines(db, actor.person_id)


def revoke(db: Connection, actor: Actor, feed_id: UUID, now: datetime) -> None:
    """End one of the actor's feeds at once. Raises `NotFound` when it is not theirs, or was revoked before."""
    if not store.revoke(db, feed_id, actor.person_id, now):
        raise NotFound("feed_not_found")
    audit.record(db, actor_id=actor.person_id, action="revoke", noun="feed", noun_id=feed_id, now=now)


def open_feed(db: Connection, secret: str, now: datetime) -> Opened:
    """The feed behind a secret, in three queries. Raises `NotFound` when there is none, it was revoked, or nobody
    stands behind its owner any more.
    """
    line = store.by_secret(db, _hashed(secret))
    owner = people.confirmed(db, line.feed.person_id) if line else None
    if line is None or owner is None:
        raise NotFound("feed_not_found")
    eyes, span = viewer(owner), horizon(now)
    found: tuple[FeedInstrument, ...] = ()
    editions: Sequence[Edition] = ()
    if line.feed.is_own:
        editions, places = store.own_editions(db, owner.person_id, span)
    else:
        found = tuple(store.instruments_of(db, line.feed))
        places = {each.number: each.centre_id for each in found}
    # Names alone, which belong to no calendar, are a day late at most.
    seen = _digest(
        (line.feed.id, owner.language, sorted(eyes.centre_ids), eyes.sees_all, sorted(places.items()), span.start)
    )
    tag = _digest((seen, [each.calendar_version for each in found], editions))
    return Opened(line=line, owner=owner, eyes=seen, tag=tag, instruments=found, editions=editions)


def contents(db: Connection, opened: Opened, now: datetime, known: Collection[Edition]) -> Contents:
    """What stands in the feed, with the events that are not `known`, in two queries more at most."""
    span = horizon(now)
    editions = opened.editions
    if known and not opened.is_own:
        editions = store.editions(db, [each.number for each in opened.instruments], span)
    changed = [each for each in editions if each not in known]
    events: Iterable[EventRow] = ()
    stands: Sequence[Edition] | None = None
    if known and len(changed) <= _FEW:
        events = list(_events(db, opened, span, changed)) if changed else []
        stands = _standing(editions, events, known)
    else:
        events = _events(db, opened, span, None)
    instruments: Sequence[FeedInstrument] = opened.instruments
    if opened.is_own and (events := list(events)):
        # One that was booked since the feed was opened may be on another one.
        instruments = store.instruments_by_number(db, {_numbered(event) for event in events})
    return Contents(
        editions=stands,
        events=events,
        instruments={each.number: each for each in instruments},
        opens=frozenset(
            each.number for each in instruments if may(opened.owner, Action.SEE_BOOKING, centre=each.centre_id)
        ),
    )


def _standing(editions: Sequence[Edition], events: Sequence[EventRow], known: Collection[Edition]) -> Sequence[Edition]:
    """What was changed since its edition was read stands as it was read now, and what left the feed does not."""
    now = {event[0]: event[:2] for event in events}
    found = (each if each in known else now.get(each[0]) for each in editions)
    return [each for each in found if each]


def _numbered(event: EventRow) -> int:
    return FeedEvent._make(event).instrument_number


def _events(db: Connection, opened: Opened, span: Span, among: Collection[Edition] | None) -> Iterator[EventRow]:
    eyes = viewer(opened.owner)
    if opened.is_own:
        return store.own_events(db, span, eyes, among)
    return store.events(db, [each.number for each in opened.instruments], span, eyes, among)


def of_booking(line: BookingLine) -> tuple[FeedEvent, FeedInstrument]:
    """One booking as its user's own feed has it; whoever calls has asked whether the reader may see it."""
    booking = line.booking
    event = FeedEvent(
        id=booking.id.hex,
        instrument_number=booking.instrument_number,
        kind=booking.kind,
        version=booking.version,
        modified=int(booking.updated_at.timestamp()),
        is_own=1,
        start_minute=(booking.starts_at - EPOCH) // MINUTE,
        end_minute=(booking.ends_at - EPOCH) // MINUTE,
        state=booking.state,
        person=line.person,
        project=line.project,
        purpose=booking.purpose,
        mode=booking.mode if booking.mode is not Mode.SELF else None,
        trainee=line.person if booking.trainer_id else None,
        operator=line.operator,
    )
    instrument = FeedInstrument(
        number=booking.instrument_number,
        id=line.instrument_id,
        name_vi=line.instrument_vi,
        name_en=line.instrument_en,
        centre_id=line.centre_id,
        centre_vi=line.centre_vi,
        centre_en=line.centre_en,
        calendar_version=0,
    )
    return event, instrument


def _digest(seen: object) -> str:
    return hashlib.sha256(msgspec.json.encode(seen)).hexdigest()[:32]


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
