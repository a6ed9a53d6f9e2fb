"""Security screening (R26): whether a request is held before anything is allocated to it, why, and until when.

A pure decision over lists that the agreement carries: words, topics and organisations, each list with its own name
(dual use, defence). What must not live here: who clears a hold, or where holds are kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

import msgspec

from labshare.domain.text import searchable
from labshare.domain.windows import midnight

SATURDAY = 5


class Silence(StrEnum):
    """What becomes of a hold that nobody has decided by its deadline."""

    HOLD = "hold"
    CLEAR = "clear"


class WatchList(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A list of what is looked at before it is let in. Each entry by itself makes a match.

    `terms` are words or phrases, found whole and without accents; `topics` are codes of technologies or products;
    `organisations` are ids. A list for foreign users only leaves others alone.
    """

    id: str
    terms: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    organisations: tuple[str, ...] = ()
    foreign_only: bool = False
    legal: str = ""


class Screening(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """R26 as a clause: the lists, the working days in which a decision is due, and what silence then means."""

    lists: tuple[WatchList, ...]
    working_days: int = 5
    default: Silence = Silence.HOLD


class Screened(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a request: its words (purpose, sample), its topics, and who asks."""

    text: str
    topics: frozenset[str] = frozenset()
    organisation_id: str
    is_foreign: bool = False


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request waits: the lists and what of it they name. A decision is due before `due_at`."""

    lists: tuple[str, ...]
    found: tuple[str, ...]
    since: datetime
    due_at: datetime

    def stands(self, screening: Screening, now: datetime) -> bool:
        """Whether the request still waits, when nobody has decided."""
        return now < self.due_at or screening.default is Silence.HOLD

    def is_overdue(self, now: datetime) -> bool:
        """Whether somebody should have decided by now."""
        return now >= self.due_at


def screen(
    screening: Screening, asked: Screened, now: datetime, timezone: str, holidays: Collection[date] = ()
) -> Hold | None:
    """R26: the hold that this request meets, None when no list names anything of it. `holidays` are no working days."""
    matches = {
        watch.id: found
        for watch in screening.lists
        if (asked.is_foreign or not watch.foreign_only) and (found := tuple(_found(watch, asked)))
    }
    if not matches:
        return None
    today = now.astimezone(ZoneInfo(timezone)).date()
    last = working_days_later(today, screening.working_days, holidays)
    return Hold(
        lists=tuple(matches),
        found=tuple(dict.fromkeys(entry for found in matches.values() for entry in found)),
        since=now,
        due_at=midnight(last + timedelta(days=1), timezone),
    )


def _found(watch: WatchList, asked: Screened) -> Iterator[str]:
    text = f"{searchable(asked.text)} "
    # A term of signs only would be empty, and found everywhere.
    yield from (term for term in watch.terms if (words := searchable(term)) and f"{words} " in text)
    yield from (topic for topic in watch.topics if topic in asked.topics)
    yield from (each for each in watch.organisations if each == asked.organisation_id)


def working_days_later(day: date, count: int, holidays: Collection[date] = ()) -> date:
    """The last of so many working days after this day: Monday to Friday, without holidays. With 0 it is the day itself.

    Raises ValueError for a negative count.
    """
    if count < 0:
        raise ValueError("count must not be negative")
    while count:
        day += timedelta(days=1)
        count -= is_working_day(day, holidays)
    return day


def is_working_day(day: date, holidays: Collection[date] = ()) -> bool:
    return day.weekday() < SATURDAY and day not in holidays
