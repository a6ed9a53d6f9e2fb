"""The pages of repeating bookings: every date with what would become of it, and one button that books them.

The rule is typed in the form of a booking (bookings.py), where a series is also moved and cancelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from urllib.parse import urlencode

import msgspec
from litestar import Response, Router, post

from labshare import formats
from labshare.domain.bookings import BookingState, Wish
from labshare.domain.people import Actor
from labshare.domain.series import Conflicts, Repeat
from labshare.domain.timespan import Span
from labshare.errors import Malformed, Refusal, Refused
from labshare.services import Database, series
from labshare.services import calendars as looking
from labshare.services.series import Occurrence
from labshare.web import given
from labshare.web.booking_forms import Faults
from labshare.web.booking_wishes import read_wish
from labshare.web.bookings import booking_form
from labshare.web.clearances import write_or_hold_back
from labshare.web.errors import heading
from labshare.web.rendering import Form, Request, redirect, render
from labshare.web.series_forms import SeriesForm, faults_of, in_words, read_conflicts, read_repeat


class PreviewDate(msgspec.Struct, frozen=True):
    """One date in words: why it would be refused, and the times near it that would do better."""

    words: str
    refusals: tuple[Refusal, ...]
    offers: tuple[str, ...]


@post("/series/preview", sync_to_thread=True, status_code=200)
def preview(
    request: Request, database: given.Database, me: given.Me, now: given.Now, data: Form[SeriesForm]
) -> Response[str]:
    wish, repeat, faults = _read(database, me, data)
    if wish is None or repeat is None:
        return _form(request, database, me, data, now, faults)
    return _preview(request, database, me, data, wish, repeat, now)


@post("/series", sync_to_thread=True)
def create(
    request: Request, database: given.Database, me: given.Me, now: given.Now, data: Form[SeriesForm]
) -> Response[str]:
    wish, repeat, faults = _read(database, me, data)
    conflicts = read_conflicts(data.conflicts)
    if wish is None or repeat is None:
        return _form(request, database, me, data, now, faults)
    try:
        with write_or_hold_back(database, me, now) as db:
            made = series.create(db, me, wish, repeat, conflicts, now)
    except Malformed as fault:
        return _form(request, database, me, data, now, faults_of(fault))
    except Refused as error:
        return _preview(request, database, me, data, wish, repeat, now, error=error)
    waits = any(each.state is BookingState.PENDING for each in made.line.bookings)
    notice = ("series_asked" if waits else "series_booked") + ("_partly" if made.left_out else "")
    return redirect(request, f"/bookings/{made.line.bookings[0].id}", notice=notice)


# ---------------------------------------------------------------- parts


def _read(database: Database, me: Actor, form: SeriesForm) -> tuple[Wish | None, Repeat | None, Faults]:
    with database.read() as db:
        wish, faults = read_wish(db, me, form)
    repeat = read_repeat(form, faults)
    if faults:
        return None, None, faults
    return wish, repeat, {}


def _form(
    request: Request, database: Database, me: Actor, form: SeriesForm, now: datetime, faults: Faults
) -> Response[str]:
    with database.read() as db:
        return booking_form(request, db, me, form, now, faults=faults)


def _preview(
    request: Request,
    database: Database,
    me: Actor,
    form: SeriesForm,
    wish: Wish,
    repeat: Repeat,
    now: datetime,
    *,
    error: Refused | None = None,
) -> Response[str]:
    """Every date as it would be judged now; after a refusal with what is wrong with the whole."""
    try:
        with database.write() as db:
            found = series.preview(db, me, wish, repeat, now)
            rules = looking.rules_of(db, form.instrument)
    except Malformed as fault:
        return _form(request, database, me, form, now, faults_of(fault))
    # What the form carries on: whatever was typed, and nothing else.
    fields = cast("dict[str, str]", msgspec.to_builtins(form))
    typed = {name: value for name, value in fields.items() if value and name not in ("conflicts", "slot")}
    return render(
        request,
        "bookings/series.html",
        status=error.status if error else 200,
        rules=rules,
        words=in_words(repeat),
        dates=[_date(each) for each in found],
        **_conflicts(form, found),
        fields=typed,
        back=f"/bookings/new?{urlencode(typed)}",
        refusals=_of_the_whole(error) if error else (),
        heading=heading(error.status) if error else "",
    )


def _conflicts(form: SeriesForm, found: Sequence[Occurrence]) -> dict[str, Any]:
    """What may become of refused dates: where no date can be booked as it is, leaving them out would book nothing, and
    where no other time of a day is free either, nothing can be chosen.
    """
    free = sum(not each.refusals for each in found)
    movable = any(_same_day(each.span, offer) for each in found for offer in each.offers)
    choices = (Conflicts.SKIP, Conflicts.MOVE, Conflicts.STOP) if free else (Conflicts.MOVE,) if movable else ()
    chosen = form.conflicts if free else Conflicts.MOVE.value
    return {"free": free, "conflicts": [each.value for each in choices], "chosen": chosen}


def _same_day(one: Span, other: Span) -> bool:
    return formats.local(one.start).date() == formats.local(other.start).date()


def _of_the_whole(error: Refused) -> tuple[Refusal, ...]:
    """What stands at no date; those are told beside the dates, so here only how many there are."""
    items = {refusal.params["item"] for refusal in error.refusals if "item" in refusal.params}
    whole = tuple(refusal for refusal in error.refusals if "item" not in refusal.params)
    return (*whole, Refusal(code="series_dates_refused", params={"count": len(items)})) if items else whole


def _date(each: Occurrence) -> PreviewDate:
    return PreviewDate(
        words=formats.span(each.span.start, each.span.end),
        refusals=each.refusals,
        offers=tuple(formats.span(span.start, span.end) for span in each.offers),
    )


router = Router("/", route_handlers=[preview, create])
