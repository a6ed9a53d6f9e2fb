"""Home: what needs me now. Each noun that has something to say gives a section; this file only asks and shows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from litestar import Response, Router, get

from labshare.domain.people import Action, Actor, may
from labshare.services import Connection, Database, registry
from labshare.web import (
    affiliations,
    approvals,
    booking_lines,
    clearances,
    exchanges,
    given,
    organisations,
    projects,
    qualifications,
    round_sections,
    share_sections,
    waitlist,
)
from labshare.web.rendering import Request, render
from labshare.web.sections import Section

Provider = Callable[[Connection, Actor, datetime], Section | None]

# In the order in which they are shown: what waits for the reader's decision stands first. None is said by a noun that
# has nothing for this reader.
PROVIDERS: tuple[Provider, ...] = (
    affiliations.my_section,
    waitlist.offers_section,
    exchanges.asked_section,
    organisations.waiting_section,
    affiliations.waiting_section,
    clearances.waiting_section,
    approvals.waiting_section,
    qualifications.waiting_section,
    qualifications.my_section,
    projects.waiting_section,
    projects.review_section,
    round_sections.decisions,
    share_sections.credits,
    booking_lines.staffed,
    booking_lines.next_bookings,
    booking_lines.next_free,
    share_sections.shares,
    round_sections.my_requests,
    round_sections.calls,
)


@get("/", sync_to_thread=True)
def home(request: Request, database: given.Database, actor: given.Reader, now: given.Now) -> Response[str]:
    if actor is None:
        return _welcome(request, database)
    with database.read() as db:
        found = (provide(db, actor, now) for provide in PROVIDERS)
        sections = [section for section in found if section and (section.lines or not section.urgent)]
    return render(request, "home/page.html", sections=sections, now=now, may_book=may(actor, Action.BOOK))


def _welcome(request: Request, database: Database) -> Response[str]:
    """For a visitor: what is shared here, and the way to find it."""
    with database.read() as db:
        centres = registry.centres(db)
    return render(
        request,
        "home/welcome.html",
        centres=len(centres),
        hosts=len({line.host.id for line in centres}),
        instruments=sum(line.instruments for line in centres),
        bookable=sum(line.bookable for line in centres),
    )


router = Router("/", route_handlers=[home])
