"""The first page of sandboxes: paste one or choose its file, replay a past period with it, and see who gains and who
loses; below it the trials that are kept.

What must not live here: who may run one and what of it each reader may see (services/replay.py, replay_pages.py), or
the page of a trial (sandboxes.py).
"""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction

import msgspec
from litestar import Response, Router, get, post
from litestar.datastructures import UploadFile
from litestar.params import FromPath

from labshare import formats
from labshare.domain.document_faults import too_long
from labshare.domain.people import Actor
from labshare.domain.replay import FREEDOM_DAYS, MOST_FREEDOM_DAYS, Comparison, Replayed
from labshare.domain.sandbox import Overlay
from labshare.domain.sandbox_documents import from_toml
from labshare.errors import LabShareError, Malformed, Refused
from labshare.services import replay, replay_pages, sandbox_pages
from labshare.services.replay_pages import Name
from labshare.web import given
from labshare.web.rendering import Request, Upload, redirect, render
from labshare.web.typed import typed_date

ADDRESS = "/agreements/sandbox"
# Nobody reads an overlay longer than this.
LONGEST_TEXT = 100_000


class PeriodForm(msgspec.Struct, frozen=True, kw_only=True):
    """A past period as somebody typed it: the first and the last day, how many days a use may move."""

    first: str = ""
    last: str = ""
    freedom: str = str(FREEDOM_DAYS)

    def asked(self, overlay: Overlay) -> replay.Asked:
        """Raises `Malformed` for what cannot be read."""
        days = int(self.freedom) if self.freedom.isdecimal() and len(self.freedom) < 4 else -1
        if not 0 <= days <= MOST_FREEDOM_DAYS:
            raise Malformed("replay_freedom", most=MOST_FREEDOM_DAYS)
        first, last = typed_date(self.first, "first"), typed_date(self.last, "last")
        return replay.Asked(overlay=overlay, first=first, last=last, freedom_days=days)


class OverlayForm(PeriodForm, frozen=True, kw_only=True):
    """The text of an overlay, or its file, which goes before it."""

    overlay: str = ""
    file: UploadFile | None = None

    def text(self) -> str:
        """Raises `Malformed` for a file that is no text or longer than anybody would read."""
        given = self.file.file.read(LONGEST_TEXT + 1) if self.file else b""
        try:
            text = given.decode() or self.overlay
        except UnicodeDecodeError as error:
            raise Malformed("file_not_utf8") from error
        if len(text) > LONGEST_TEXT:
            raise too_long("sandbox_unreadable", LONGEST_TEXT)
        # Browsers send lines that end in CR LF; texts are kept as files are.
        return text.replace("\r\n", "\n")


@get(ADDRESS, sync_to_thread=True)
def form(request: Request, database: given.Database, shelf: given.Shelf, me: given.Me, now: given.Now) -> Response[str]:
    return first_page(request, database, shelf, me, now, OverlayForm())


@post(ADDRESS, sync_to_thread=True)
def run(
    request: Request,
    database: given.Database,
    shelf: given.Shelf,
    me: given.Me,
    now: given.Now,
    data: Upload[OverlayForm],
) -> Response[str]:
    """Replay, and lead to the comparison. What is wrong with the overlay or the period is said above the form."""
    text = ""
    try:
        text = data.text()
        asked = data.asked(from_toml(text))
        done = replayed(database, shelf, me, asked, now)
    except (Malformed, Refused) as error:
        return first_page(request, database, shelf, me, now, data, text, error)
    return redirect(request, f"{ADDRESS}/{shelf.add(asked.overlay, done, now)}")


def replayed(
    database: given.Database, shelf: replay_pages.Shelf, me: Actor, asked: replay.Asked, now: datetime
) -> Replayed:
    """Made while the reader waits. Raises what `replay.load` raises."""
    replay.require_may_run(me, asked.overlay)
    with shelf.alone():
        with database.read() as db:
            case = replay.load(db, asked, now)
        # No connection is held while the solver works.
        return replay.replayed(case, replay_pages.solver())


@get(f"{ADDRESS}/{{replay_id:str}}", sync_to_thread=True)
def comparison(
    request: Request, database: given.Database, shelf: given.Shelf, me: given.Me, replay_id: FromPath[str]
) -> Response[str]:
    _, found = replay_pages.look(shelf, me, replay_id)
    with database.read() as db:
        names = replay_pages.names_of(db, found)
    return compared(request, found, names)


def compared(request: Request, found: Comparison, names: dict[str, Name]) -> Response[str]:
    """The page of a comparison, through whatever mask it has."""
    return render(
        request,
        "agreements/comparison.html",
        found=found,
        names=names,
        seconds=replay_pages.SECONDS,
        may_be_noise=any(row.may_be_noise for row in (*found.organisations, *found.access_classes, *found.by_centre)),
    )


def first_page(
    request: Request,
    database: given.Database,
    shelf: replay_pages.Shelf,
    me: Actor,
    now: datetime,
    data: OverlayForm,
    text: str = "",
    error: LabShareError | None = None,
) -> Response[str]:
    kept = replay_pages.listed(shelf, me)
    with database.read() as db:
        trials, names = sandbox_pages.trials(db, me, now)
    return render(
        request,
        "agreements/sandbox.html",
        status=error.status if error else 200,
        refusals=error.refusals if error else (),
        kept=kept,
        trials=trials,
        names=names,
        told=told,
        data=data,
        text=text or data.overlay,
        most=MOST_FREEDOM_DAYS,
        seconds=replay_pages.SECONDS,
    )


def told(value: Fraction) -> str:
    """A measured value as people read it: 12 %, 25, or 1/500 where that is neither."""
    if value.denominator == 1:
        return formats.number(value)
    if (1000 * value).denominator == 1 and value >= Fraction(1, 100):
        return formats.percent(value, 0 if (100 * value).denominator == 1 else 1)
    return f"{value.numerator}/{value.denominator}"


router = Router("/", route_handlers=[form, run, comparison])
