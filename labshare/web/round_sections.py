"""What the home page says of rounds: open calls, decisions that wait, and what became of one's own requests."""

from __future__ import annotations

from datetime import datetime

from labshare.domain.people import Action, Actor, may_somewhere
from labshare.domain.rounds import Round, RoundState
from labshare.i18n import gettext
from labshare.services import Connection, round_pages
from labshare.services.round_pages import RequestLine, RoundLine
from labshare.web.sections import Line, Section
from labshare.web.templating import named

WAITING = frozenset({RoundState.CLOSED, RoundState.PROPOSED, RoundState.APPROVED})
MOST_LINES = 8


def decisions(db: Connection, actor: Actor, now: datetime) -> Section | None:
    """For those who manage rounds or sign for a centre: what waits for their next step."""
    if not may_somewhere(actor, Action.MANAGE_ROUND):
        return None
    found = (line for line in round_pages.listing(db, actor, now) if line.round.state in WAITING)
    return Section(
        title=gettext("Rounds that wait for a decision"),
        icon="clipboard-list",
        lines=tuple(_decision(line.round) for line in found if line.requests is not None or _concerns(line, actor)),
        more="/rounds",
        empty=gettext("No round waits for you."),
        urgent=True,
    )


def calls(db: Connection, actor: Actor, now: datetime) -> Section | None:
    """For those who apply: rounds that take requests now, with their deadlines."""
    if not may_somewhere(actor, Action.APPLY):
        return None
    return Section(
        title=gettext("Open calls"),
        icon="layers",
        lines=tuple(_call(line) for line in round_pages.listing(db, actor, now) if line.is_accepting),
        more="/rounds",
        empty=gettext("No round takes requests now."),
    )


def my_requests(db: Connection, actor: Actor, now: datetime) -> Section | None:
    """For those who have applied: where each request stands."""
    lines = round_pages.mine(db, actor)
    if not lines:
        return None
    return Section(
        title=gettext("My requests for time"),
        icon="send",
        lines=tuple(_own(line) for line in lines[:MOST_LINES]),
        more="/rounds",
        total=len(lines),
    )


def _concerns(line: RoundLine, actor: Actor) -> bool:
    return any(centre.id in actor.centre_ids for centre in line.centres)


def _call(line: RoundLine) -> Line:
    r = line.round
    state = ("round_state", r.state.value)
    return Line(
        href=f"/rounds/{r.id}", title=named(r), detail=r.code, state=state, due=gettext("closes"), due_at=r.closes_at
    )


def _decision(r: Round) -> Line:
    state = ("round_state", r.state.value)
    return Line(
        href=f"/rounds/{r.id}",
        title=named(r),
        detail=r.code,
        state=state,
        due=gettext("is published"),
        due_at=r.publishes_at,
    )


def _own(line: RequestLine) -> Line:
    state = ("request_state", line.shown_state)
    return Line(href=f"/requests/{line.request.id}", title=line.request.purpose, detail=line.round.code, state=state)
