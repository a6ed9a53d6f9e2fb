"""Live updates: one stream for each page says which calendars changed, and the page fetches what its reader may see.

A message names an instrument and the version of its calendar, never what stands there, so nobody is pushed more than
they may read and the stream needs no sign-in. What must not live here: delivery to the hub (jobs.py).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec
from litestar import Router, get
from litestar.concurrency import sync_to_thread
from litestar.params import FromQuery
from litestar.response import ServerSentEvent, ServerSentEventMessage

from labshare.errors import Malformed
from labshare.live import MISSED, Hub
from labshare.services import Database, calendars
from labshare.web import given

TOPIC = "calendar"
# A board of a large centre fits; a list of everything does not.
MOST_INSTRUMENTS = 200
# Shorter than the idle timeouts of common proxies (60 s).
BEAT_SECONDS = 20.0
RETRY_MILLISECONDS = 2000


@get("/live")
async def live(database: given.Database, hub: given.Hub, instruments: FromQuery[str] = "") -> ServerSentEvent:
    """Events `calendar` for these instruments (codes, with commas between). The first ones say how they stand now.

    Asynchronous, as a stream would hold a request thread for hours.
    """
    ids = list(dict.fromkeys(filter(None, instruments.split(","))))
    if not ids:
        raise Malformed("malformed_field", field="instruments")
    if len(ids) > MOST_INSTRUMENTS:
        raise Malformed("too_many_instruments", field="instruments", most=MOST_INSTRUMENTS)
    # Asked before anything is sent, because a code that does not exist is a 404 and not an empty stream.
    await sync_to_thread(_versions, database, ids)
    return ServerSentEvent(events(database, hub, ids), retry_duration=RETRY_MILLISECONDS)


async def events(database: Database, hub: Hub, ids: Sequence[str]) -> AsyncIterator[ServerSentEventMessage]:
    """How the calendars stand, then each change, until the reader leaves or the hub closes."""
    # Listening comes before looking: what changes in between is told twice rather than never.
    with hub.subscribe([TOPIC]) as subscription:
        for event in _standing(await sync_to_thread(_versions, database, ids)):
            yield event
        async for message in subscription.messages(BEAT_SECONDS):
            if message is None:
                yield ServerSentEventMessage(comment="")
            elif message.topic == MISSED:
                for event in _standing(await sync_to_thread(_versions, database, ids)):
                    yield event
            elif message.payload["instrument"] in ids:
                yield _event(str(message.payload["instrument"]), int(message.payload["version"]))


def _standing(versions: Mapping[str, int]) -> list[ServerSentEventMessage]:
    return [_event(instrument_id, version) for instrument_id, version in versions.items()]


def _event(instrument_id: str, version: int) -> ServerSentEventMessage:
    data = msgspec.json.encode({"instrument": instrument_id, "version": version}).decode()
    return ServerSentEventMessage(event=TOPIC, data=data)


def _versions(database: Database, ids: Sequence[str]) -> dict[str, int]:
    with database.read() as db:
        return calendars.versions(db, ids)


router = Router("/", route_handlers=[live])
