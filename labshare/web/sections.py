"""What a noun may show on the home page. Each gives a function `(db, actor, now) -> Section | None` to web/pages.py."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One thing on the home page: where it leads, what it is, and (already in words) what is known about it.

    `state` is a badge, as (kind, value) of `word`; `due_at` is shown with a clock when something waits for the reader,
    after the words `due` that say what happens then ("answer by"); `is_end` says that something holds until
    then, so that its last day is told. `down_since` is of an instrument that is down now.
    """

    href: str
    title: str
    detail: str = ""
    state: tuple[str, str] | None = None
    due: str = ""
    due_at: datetime | None = None
    is_end: bool = False
    down_since: datetime | None = None


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A group of lines under a heading. `more` leads to the whole list; `empty` says what to do when there is none.

    An urgent section waits for the reader's decision: it is set apart while it has lines, and hidden without any.
    `total` is how many there are where `lines` are only the first.
    """

    title: str
    icon: str
    lines: tuple[Line, ...] = ()
    more: str = ""
    empty: str = ""
    urgent: bool = False
    total: int = 0
