"""What the demo's story file says (fixtures/demo/story.toml): structs, and reading it. Days are counted from today.

What must not live here: chance, dates or the database; the files beside this one turn the story into rows.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from labshare.errors import Malformed


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A misspelt word in the file must not pass for an absent one."""


class InstrumentStory(_Part, frozen=True, kw_only=True):
    """How busy an instrument is: `load` percent of its open time, and what for. A contested one will be nearly full."""

    id: str
    load: int
    purposes: tuple[str, ...]
    contested: bool = False


class UserStory(_Part, frozen=True, kw_only=True):
    """Where a project works: weights by centre, compared with those of the other projects there."""

    project: str
    centres: dict[str, int]


class ShareStory(_Part, frozen=True, kw_only=True):
    """How far a cap of an agreement is used in the current window: `percent` of its limit, by these projects."""

    agreement: str
    rule: str
    percent: int
    projects: tuple[str, ...]


class OutageStory(_Part, frozen=True, kw_only=True):
    """A failure that began `days_ago` and lasted so many hours; without `hours` it lasts still."""

    instrument: str
    days_ago: int
    hours: int | None = None
    note: str


class BlockStory(_Part, frozen=True, kw_only=True):
    """Planned work on the instruments of a centre: every so many weeks, so many hours at the end of an open day."""

    centre: str
    kind: str
    every_weeks: int
    hours: int
    purpose: str


class AskStory(_Part, frozen=True, kw_only=True):
    """`count` requests of one project, each by another member: sessions, hours of each, fewest worth having.

    `windows` are [first day, last day, from hour, until hour] of the round, days from 0; empty for any time.
    """

    project: str
    count: int
    sessions: int
    hours: int
    least: int
    purpose: str
    instruments: tuple[str, ...] = ()
    capability: str | None = None
    windows: tuple[tuple[int, int, int, int], ...] = ()


class RoundStory(_Part, frozen=True, kw_only=True):
    """A round over `weeks` from the first ordinary Monday that is at least `starts_in_days` away (or was, if negative).

    `state` is how far it has come: draft, open, queued (closed, with a plan that waits) or published. When it opens,
    closes and is published is counted from today, too.
    """

    code: str
    title_vi: str
    title_en: str
    state: str
    starts_in_days: int
    weeks: int
    opens_in_days: int
    closes_in_days: int
    publishes_in_days: int
    slot_minutes: int
    instruments: tuple[str, ...]
    asks: tuple[AskStory, ...] = ()


class RegularStory(_Part, frozen=True, kw_only=True):
    """Somebody who books the same hours of some weeks in a centre, and waits there for time of others."""

    login: str
    project: str
    centre: str
    purpose: str


class EntryStory(_Part, frozen=True, kw_only=True):
    """An entry of an agreement's ledger, posted when `percent` of the time since the quarter began had passed.

    `cause` is that of domain/ledger.py; `to` is for a transfer, `order_hours` (all of it) for a state order.
    """

    agreement: str
    organisation: str
    percent: int
    cause: str
    hours: int
    clause: str
    reference: str
    to: str = ""
    order_hours: int = 0


class Story(_Part, frozen=True, kw_only=True):
    """The whole story. Percentages are of open time (loads) or of all past uses (no-shows, cancellations).

    `newcomers` are logins of people who have used nothing yet.
    """

    agreements: tuple[str, ...]
    project_days: int
    expiring: dict[str, int]
    newcomers: tuple[str, ...]
    past_days: int
    ahead_days: int
    contested_load: int
    contested_days: int
    no_show_percent: int
    cancelled_percent: int
    plan_seconds: int
    instruments: tuple[InstrumentStory, ...]
    users: tuple[UserStory, ...]
    shares: tuple[ShareStory, ...]
    outages: tuple[OutageStory, ...]
    blocks: tuple[BlockStory, ...]
    regular: RegularStory
    rounds: tuple[RoundStory, ...]
    ledger: tuple[EntryStory, ...] = ()


def read_story(path: Path) -> Story:
    """The story of a file. Raises `Malformed` with `reason`, one line that names the place."""
    try:
        return msgspec.toml.decode(read(path), type=Story)
    except msgspec.MsgspecError as error:
        raise Malformed("demo_unreadable", file=str(path), reason=" ".join(str(error).split())) from error


def read(path: Path) -> str:
    """The text of one of the demo's files. Raises `Malformed` with `reason`."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise Malformed("demo_unreadable", file=str(path), reason=reason) from error
