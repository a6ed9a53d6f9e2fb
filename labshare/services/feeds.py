"""Feeds: made, listed and revoked by their owner, and read by whoever knows the secret as the owner stands today.

What must not live here: the words of an event (labshare/ics.py), the address of a feed (web/feeds.py).
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

import msgspec

from labshare.domain.bookings import OCCUPYING
from labshare.domain.feeds import Feed, FeedLine, horizon
from labshare.domain.people import Action, Actor, may
from labshare.errors import Forbidden, NotFound
from labshare.services.bookings import BookingLine
from labshare.services.calendars import viewer
from labshare.store import audit, people, registry
from labshare.store import bookings as bookings_store
from labshare.store import feeds as store
from labshare.store.engine import Connection
from labshare.store.types import EPOCH, MINUTE

# What the functions below hand out; the edges name these types, and never the store.
FeedEvent = store.FeedEvent
FeedInstrument = store.FeedInstrument


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A new feed with its secret, which nobody can be shown again."""

    feed: Feed
    secret: str


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A feed that may be read now: its owner as they stand, and a tag that is another one once it would say other
    things. `instruments` are those of its place; of the owner's own bookings they are read with the events.
    """

    line: FeedLine
    owner: Actor
    tag: str
    instruments: tuple[FeedInstrument, ...] = ()

    @property
    def is_own(self) -> bool:
        """Whether it shows the owner's own bookings, on whatever instrument."""
        return self.line.feed.is_own


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """The events of a feed, the instruments they are on by number, and those of which the reader may open each one."""

    events: Sequence[FeedEvent]
    instruments: dict[int, FeedInstrument]
    opens: frozenset[int]


class Texts:
    """The files of feeds as they were last read, in memory, by their tags: many programs ask again without saying what
    they have. A tag names one reader and all that they may see, so a file is never told to another.

    At most `most` octets are kept, and what was not asked for the longest goes first.
    """

    def __init__(self, most: int = 16 * 1024 * 1024) -> None:
        self._most, self._size = most, 0
        self._texts: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, tag: str) -> bytes | None:
        with self._lock:
            if tag in self._texts:
                self._texts.move_to_end(tag)
            return self._texts.get(tag)

    def keep(self, tag: str, text: bytes) -> None:
        with self._lock:
            self._size += len(text) - len(self._texts.pop(tag, b""))
            self._texts[tag] = text
            while self._size > self._most:
                self._size -= len(self._texts.popitem(last=False)[1])


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
    if line.feed.is_own:
        versions, found = list(store.person_stands(db, owner.person_id)), ()
    else:
        found = tuple(store.instruments_of(db, line.feed))
        versions = [version for each in found for version in (each.number, each.calendar_version)]
    return Opened(line=line, owner=owner, tag=_tag(line, owner, versions, now), instruments=found)


def contents(db: Connection, opened: Opened, now: datetime) -> Contents:
    """What stands in the feed, in one query more, or two for one's own bookings."""
    eyes, span = viewer(opened.owner), horizon(now)
    instruments: Sequence[FeedInstrument] = opened.instruments
    if opened.is_own:
        events = store.own_events(db, span, eyes)
        instruments = store.instruments_by_number(db, {each.instrument_number for each in events})
    else:
        events = store.events(db, [each.number for each in instruments], span, eyes)
    return Contents(
        events=events,
        instruments={each.number: each for each in instruments},
        opens=frozenset(
            each.number for each in instruments if may(opened.owner, Action.SEE_BOOKING, centre=each.centre_id)
        ),
    )


def of_booking(line: BookingLine) -> tuple[FeedEvent, FeedInstrument]:
    """One booking as its user's own feed has it; whoever calls has asked whether the reader may see it."""
    booking = line.booking
    event = FeedEvent(
        id=booking.id.hex,
        instrument_number=booking.instrument_number,
        kind=booking.kind,
        version=booking.version,
        modified=int(booking.updated_at.timestamp()),
        occupies=int(booking.state in OCCUPYING),
        is_own=1,
        start_minute=(booking.starts_at - EPOCH) // MINUTE,
        end_minute=(booking.ends_at - EPOCH) // MINUTE,
        state=booking.state,
        person=line.person,
        project=line.project,
        purpose=booking.purpose,
        mode=booking.mode,
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


def _tag(line: FeedLine, owner: Actor, versions: list[int], now: datetime) -> str:
    """Changes with the calendars, with what the owner may see and in which language, and with the day: names alone,
    which belong to no calendar, are a day late at most.
    """
    eyes = viewer(owner)
    seen = (str(line.feed.id), owner.language, sorted(eyes.centre_ids), eyes.sees_all, horizon(now).start, versions)
    return hashlib.sha256(msgspec.json.encode(seen)).hexdigest()[:32]


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
