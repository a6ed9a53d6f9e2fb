"""Very many instruments in the order in which they may be free, so that a search need not look at all of them.

Nothing is free before its hours let it be, and hours are shared by many: what stands on an instrument is read only of
those that come first. What must not live here: when one is free (leeways.py), or which are shown (free_times.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from labshare.domain.availability import fitting_minutes, open_starts
from labshare.domain.booking_rules import DatedHours
from labshare.domain.bookings import InstrumentRules
from labshare.domain.opening import DAY_MINUTES
from labshare.domain.timespan import Span, clipped, next_minute
from labshare.services.calendars import closed_dates_over, open_spans_of
from labshare.services.leeways import Who, Windows
from labshare.store import free_times as store
from labshare.store.engine import Connection
from labshare.store.free_times import Asked, Outline
from labshare.store.rulebooks import with_posted


class Ahead(NamedTuple):
    """An instrument of which no use begins before `since`. They sort by time and code, as what is free does."""

    since: datetime
    id: str
    number: int


def soonest(
    db: Connection, found: Sequence[Outline], who: Who, windows: Windows, minutes: int, now: datetime
) -> list[Ahead]:
    """Those of the instruments on which a person may find so many minutes, in their order. Two queries, and one more
    for each time that the rules of centres have changed.
    """
    examples = {each.shape: each.number for each in found}
    seen = store.candidates(db, Asked(among=tuple(examples.values())), who.person_id)
    rules = {each.rules.number: each.rules for each in seen if who.may_be_qualified(each)}
    dated = [each.scope for each in with_posted(db).posted if isinstance(each.rule, DatedHours)]
    known: dict[tuple[Any, ...], datetime | None] = {}
    ahead: list[Ahead] = []
    for each in found:
        example = rules.get(examples[each.shape])
        if example is None:
            continue
        # Hours of single dates may open what those of the week do not.
        is_dated = any(scope.holds(each.site) for scope in dated)
        key = (is_dated, each.shape)
        if key not in known:
            known[key] = _since(example, windows, minutes, now, at_any_hour=is_dated)
        if (since := known[key]) is not None:
            ahead.append(Ahead(since, each.site.instrument_id, each.number))
    return sorted(ahead)


def _since(
    rules: InstrumentRules, windows: Windows, minutes: int, now: datetime, *, at_any_hour: bool
) -> datetime | None:
    """The first start that the hours of the week leave, whatever else is asked of a use; None where there is none.

    What agreements and centres ask for makes uses longer, later or fewer. Only where a use may span closed hours can a
    longer one begin sooner, and it, too, begins while it is open.
    """
    length = fitting_minutes(rules, minutes)
    if not minutes <= length <= rules.max_minutes:
        return None
    least = 1 if rules.spans_closed_hours or at_any_hour else length
    ahead = Span(next_minute(now), now + timedelta(days=rules.advance_days))
    wanted = [part for each in windows(rules, least) for part in clipped([ahead], each)]
    if not wanted or at_any_hour:
        return wanted[0].start if wanted else None
    around = Span(wanted[0].start, wanted[-1].end).widened(DAY_MINUTES, least + DAY_MINUTES)
    opened = open_spans_of(rules, around, closed_dates_over(around))
    starts = open_starts(msgspec.structs.replace(rules, spans_closed_hours=False), least, opened)
    return next((part.start for each in wanted for part in clipped(starts, each)), None)
