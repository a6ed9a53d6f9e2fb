"""Feeds over HTTP: the page where a person subscribes to calendars, and what other programs read.

A feed is read by its address alone: no sign-in, no cookie, and 404 whatever is wrong with it.
"""

from __future__ import annotations

import hashlib
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath, FromQuery

from labshare import ics
from labshare.domain.feeds import FeedLine
from labshare.domain.ics import MEDIA_TYPE
from labshare.domain.people import Actor
from labshare.errors import NotFound
from labshare.services import Database, bookings, calendars, feeds, registry
from labshare.web import given
from labshare.web.api.answers import is_known
from labshare.web.rendering import Form, Request, redirect, render
from labshare.web.templating import named

SUFFIX = ".ics"


class Place(msgspec.Struct, frozen=True):
    """What is to be subscribed to: an instrument, a centre, or with neither one's own bookings."""

    instrument: str = ""
    centre: str = ""


class Choice(msgspec.Struct, frozen=True):
    """A calendar that can be subscribed to from the page, with its name."""

    place: Place
    name: str


@get("/feeds", sync_to_thread=True)
def listing(
    request: Request,
    database: given.Database,
    me: given.Me,
    instrument: FromQuery[str] = "",
    centre: FromQuery[str] = "",
) -> Response[str]:
    return _page(request, database, me, Place(instrument, "" if instrument else centre))


@post("/feeds", sync_to_thread=True)
def create(
    request: Request,
    database: given.Database,
    settings: given.Settings,
    me: given.Me,
    now: given.Now,
    data: Form[Place],
) -> Response[str]:
    """The page with the new address on it: it is shown here, once, as nothing but its hash is kept."""
    with database.write() as db:
        made = feeds.create(db, me, now, instrument_id=data.instrument or None, centre_id=data.centre or None)
    return _page(request, database, me, data, address=address(settings.base_url, made.secret), made=made.feed.id)


@post("/feeds/{feed_id:uuid}/revoke", sync_to_thread=True)
def revoke(
    request: Request, database: given.Database, me: given.Me, now: given.Now, feed_id: FromPath[UUID]
) -> Response[str]:
    with database.write() as db:
        feeds.revoke(db, me, feed_id, now)
    return redirect(request, "/feeds", notice="feed_revoked")


@get("/feeds/{name:str}", sync_to_thread=True)
def read(
    request: Request,
    database: given.Database,
    settings: given.Settings,
    feed_texts: given.FeedTexts,
    now: given.Now,
    name: FromPath[str],
) -> Response[bytes]:
    """A feed, or 304 where the reader has it as it stands."""
    if not name.endswith(SUFFIX):
        raise NotFound()
    with database.read() as db:
        opened = feeds.open_feed(db, name.removesuffix(SUFFIX), now)
        headers = {"ETag": f'"{opened.tag}"', "Cache-Control": "private, no-cache"}
        if is_known(request.headers.get("if-none-match", ""), headers["ETag"]):
            return Response(b"", status_code=304, headers=headers)
        text = feed_texts.get(opened.eyes)
        if text is None or text.tag != opened.tag:
            known = text.events if text else {}
            text = ics.feed(opened, feeds.contents(db, opened, now, known), settings.base_url, known)
            feed_texts.keep(text)
    return Response(text.whole, media_type=MEDIA_TYPE, headers=headers)


def booking_file(request: Request, database: Database, me: Actor, booking_id: UUID, base_url: str) -> Response[bytes]:
    """One booking as a file, for whoever may open its page, or 304 where they have it."""
    with database.read() as db:
        line = bookings.show(db, me, booking_id)
    text = ics.booking(line, base_url)
    tag = f'"{hashlib.sha256(text).hexdigest()[:32]}"'
    headers = {
        "Content-Disposition": f'attachment; filename="{line.instrument_id}-{line.booking.starts_at:%Y%m%d}{SUFFIX}"',
        "Cache-Control": "private, no-cache",
        "Vary": "Authorization, Cookie, Accept-Language",
        "ETag": tag,
    }
    if is_known(request.headers.get("if-none-match", ""), tag):
        return Response(b"", status_code=304, headers=headers)
    return Response(text, media_type=MEDIA_TYPE, headers=headers)


def address(base_url: str, secret: str) -> str:
    """Where a feed is read."""
    return f"{base_url.rstrip('/')}/feeds/{secret}{SUFFIX}"


def _page(
    request: Request, database: Database, me: Actor, place: Place, *, address: str = "", made: UUID | None = None
) -> Response[str]:
    with database.read() as db:
        lines = feeds.mine(db, me)
        choices = [Choice(Place(), "")]
        if place.instrument:
            rules = calendars.rules_of(db, place.instrument)
            choices.insert(0, Choice(Place(instrument=rules.id), named(rules)))
        elif place.centre:
            centre = registry.named_centre(db, place.centre)
            choices.insert(0, Choice(Place(centre=centre.id), named(centre)))
    return render(
        request,
        "feeds/page.html",
        # An address is shown to one person once, and by no page that a browser or a proxy has kept.
        headers={"Cache-Control": "no-store"} if address else None,
        choices=choices,
        lines=[(line, _shown(line)) for line in lines],
        address=address,
        made=made,
        webcal=f"webcal://{address.partition('://')[2]}" if address else "",
    )


def _shown(line: FeedLine) -> str:
    """The page of what a feed shows."""
    if line.feed.instrument_id:
        return f"/instruments/{line.feed.instrument_id}"
    return f"/centres/{line.feed.centre_id}/board" if line.feed.centre_id else "/bookings"


router = Router("/", route_handlers=[listing, create, revoke, read])
