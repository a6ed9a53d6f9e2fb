"""The parts of a planning desk that are asked for by themselves: a centre's strips, requests left out, what would help.

A page of national size would be megabytes; so it is folded by centre, and each part comes when its reader opens it.
Each address answers a browser without scripts too. What must not live here: what a reader may see (services/desk.py).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote
from uuid import UUID

import msgspec
from litestar import Response, Router, get
from litestar.params import FromPath, FromQuery

from labshare.errors import NotFound
from labshare.services import desk, explaining, round_pages
from labshare.services.desk import CentrePart, Desk, DeskRow, LeftOut
from labshare.web import given
from labshare.web.rendering import Request, redirect, render, wants_fragment
from labshare.web.timelines import timeline

# A desk of more instruments than this at several centres is folded by centre.
MOST_STRIPS = 40
# How many requests left out the desk lists at first, and how many come with each wish for more.
FIRST_LEFT, MORE_LEFT = 25, 100
# A longer list of what is offered is fetched when it is opened.
MOST_OFFERED = 40


class Fold(msgspec.Struct, frozen=True):
    """One centre's part of a desk that is too long to be shown whole."""

    part: CentrePart
    instruments: int


def parts_of(shown: Desk | None, centre: str) -> dict[str, Any]:
    """What the template of a desk is given besides the desk: the picture or its folds, and how many lines at first."""
    folds = _folds(shown) if shown and not centre else ()
    drawn = timeline(shown) if shown and shown.rows and not folds else None
    return {
        "folds": folds,
        "timeline": drawn,
        "centre": centre,
        **_lines(shown.left_out if shown else (), 0, FIRST_LEFT),
    }


def _folds(shown: Desk) -> tuple[Fold, ...]:
    counts: dict[str, int] = {}
    for row in shown.rows:
        counts[row.instrument.centre.id] = counts.get(row.instrument.centre.id, 0) + 1
    if len(shown.rows) <= MOST_STRIPS or len(counts) == 1:
        return ()
    return tuple(Fold(part, counts[part.centre.id]) for part in shown.parts if part.centre.id in counts)


def _lines(left_out: tuple[LeftOut, ...], after: int, most: int) -> dict[str, Any]:
    """Some of the requests left out, and where the next ones begin (None: these were the last)."""
    upto = after + most
    return {"left_lines": left_out[after:upto], "left_after": upto if upto < len(left_out) else None}


@get("/rounds/{round_id:uuid}/strips", sync_to_thread=True)
def strips(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    round_id: FromPath[UUID],
    centre: FromQuery[str] = "",
) -> Response[str]:
    """One centre's strips, for its fold; without scripts the page of that centre."""
    if not wants_fragment(request):
        return redirect(request, f"/rounds/{round_id}?centre={quote(centre)}")
    shown = _shown(database, me, now, round_id, centre)
    return render(
        request, "rounds/_strips.html", desk=shown, round=shown.round, centre=centre, timeline=timeline(shown)
    )


@get("/rounds/{round_id:uuid}/sessions", sync_to_thread=True)
def sessions(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    round_id: FromPath[UUID],
    centre: FromQuery[str] = "",
) -> Response[str]:
    """The plan as a table: what the timeline shows, for those who read rather than look. A long one by centre."""
    shown = _shown(database, me, now, round_id, centre)
    folds = () if centre else _folds(shown)
    rows: tuple[DeskRow, ...] = () if folds else shown.rows
    return render(request, "rounds/sessions.html", desk=shown, round=shown.round, folds=folds, rows=rows)


@get("/rounds/{round_id:uuid}/left-out", sync_to_thread=True)
def left_out(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    round_id: FromPath[UUID],
    centre: FromQuery[str] = "",
    after: FromQuery[int] = 0,
) -> Response[str]:
    """Requests left out from the so manieth on, some at a time."""
    shown = _shown(database, me, now, round_id, centre)
    lines = _lines(shown.left_out, max(0, after), MORE_LEFT)
    return render(
        request, "rounds/left_out.html", fragment="rounds/_left_lines.html",
        desk=shown, round=shown.round, centre=centre, **lines,
    )  # fmt: skip


@get("/rounds/{round_id:uuid}/left-out/{request_id:uuid}", sync_to_thread=True)
def left_out_one(
    request: Request, database: given.Database, me: given.Me, round_id: FromPath[UUID], request_id: FromPath[UUID]
) -> Response[str]:
    """What would have helped one request that was left out."""
    with database.read() as db:
        found = explaining.explained(db, me, round_id, request_id)
    return render(request, "rounds/explained.html", fragment="rounds/_explained.html", found=found, round=found.round)


@get("/rounds/{round_id:uuid}/offer", sync_to_thread=True)
def offer(
    request: Request, database: given.Database, actor: given.Reader, now: given.Now, round_id: FromPath[UUID]
) -> Response[str]:
    """What a round offers, as a table."""
    with database.read() as db:
        page = round_pages.page(db, actor, round_id, now, with_requests=False)
    return render(request, "rounds/offer.html", fragment="rounds/_offer_table.html", page=page, round=page.round)


def _shown(database: given.Database, me: given.Me, now: given.Now, round_id: UUID, centre: str) -> Desk:
    """The desk's plan. Raises `NotFound` where there are no rows for this reader to see."""
    with database.read() as db:
        shown = desk.desk(db, me, round_id, now, centre_id=centre or None)
    if shown is None or not shown.rows:
        raise NotFound("plan_not_found")
    return shown


router = Router("/", route_handlers=[strips, sessions, left_out, left_out_one, offer])
