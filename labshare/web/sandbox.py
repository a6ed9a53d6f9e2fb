"""The pages of sandboxes: paste one, replay a past period with it, and see who gains and who loses.

What must not live here: who may run one and what of it each reader may see (services/replay.py, replay_pages.py).
"""

from __future__ import annotations

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath

from labshare.domain.people import Actor
from labshare.domain.replay import FREEDOM_DAYS, MOST_FREEDOM_DAYS
from labshare.domain.sandbox_documents import from_toml
from labshare.errors import LabShareError, Malformed, Refused
from labshare.services import replay, replay_pages
from labshare.web import given
from labshare.web.rendering import Form, Request, redirect, render
from labshare.web.typed import typed_date

ADDRESS = "/agreements/sandbox"


class ReplayForm(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody typed: the overlay's text, the first and the last day, how many days a use may move."""

    overlay: str = ""
    first: str = ""
    last: str = ""
    freedom: str = str(FREEDOM_DAYS)

    def read(self) -> replay.Asked:
        """Raises `Malformed` for what cannot be read."""
        days = int(self.freedom) if self.freedom.isdecimal() and len(self.freedom) < 4 else -1
        if not 0 <= days <= MOST_FREEDOM_DAYS:
            raise Malformed("replay_freedom", most=MOST_FREEDOM_DAYS)
        return replay.Asked(
            overlay=from_toml(self.overlay),
            first=typed_date(self.first, "first"),
            last=typed_date(self.last, "last"),
            freedom_days=days,
        )


@get(ADDRESS, sync_to_thread=True)
def form(request: Request, shelf: given.Shelf, me: given.Me) -> Response[str]:
    return _form(request, shelf, me, ReplayForm())


@post(ADDRESS, sync_to_thread=True)
def run(
    request: Request,
    database: given.Database,
    shelf: given.Shelf,
    me: given.Me,
    now: given.Now,
    data: Form[ReplayForm],
) -> Response[str]:
    """Replay, and lead to the comparison. What is wrong with the overlay or the period is said above the form."""
    try:
        asked = data.read()
        replay.require_may_run(me, asked.overlay)
        with shelf.alone():
            with database.read() as db:
                case = replay.load(db, asked, now)
            # No connection is held while the solver works.
            done = replay.replayed(case, replay_pages.solver())
    except (Malformed, Refused) as error:
        return _form(request, shelf, me, data, error)
    return redirect(request, f"{ADDRESS}/{shelf.add(asked.overlay, done, now)}")


@get(f"{ADDRESS}/{{replay_id:str}}", sync_to_thread=True)
def comparison(
    request: Request, database: given.Database, shelf: given.Shelf, me: given.Me, replay_id: FromPath[str]
) -> Response[str]:
    kept, found = replay_pages.look(shelf, me, replay_id)
    with database.read() as db:
        names = replay_pages.names_of(db, found)
    return render(
        request,
        "agreements/comparison.html",
        kept=kept,
        found=found,
        names=names,
        seconds=replay_pages.SECONDS,
        may_be_noise=any(row.may_be_noise for row in (*found.organisations, *found.access_classes, *found.by_centre)),
    )


def _form(
    request: Request, shelf: replay_pages.Shelf, me: Actor, data: ReplayForm, error: LabShareError | None = None
) -> Response[str]:
    return render(
        request,
        "agreements/sandbox.html",
        status=error.status if error else 200,
        refusals=error.refusals if error else (),
        kept=replay_pages.listed(shelf, me),
        data=data,
        most=MOST_FREEDOM_DAYS,
        seconds=replay_pages.SECONDS,
    )


router = Router("/", route_handlers=[form, run, comparison])
