"""Feeds: a calendar that another program reads by a secret address, for one person's eyes.

What must not live here: making the secret (services/feeds.py), the text of a calendar file (ics.py), or what is masked
(store/calendars.py).
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from uuid import UUID

import msgspec

from labshare.domain.timespan import Span

# How far a feed looks back and ahead. What was given back is told for as long as it looks back: whoever reads a feed
# less often than that has lost the event with it.
BACK, AHEAD = timedelta(days=60), timedelta(days=400)


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """That whoever knows a secret may read one calendar as its owner: an instrument's, a centre's, or neither, which
    is the owner's own bookings. It has no end of its own; it is revoked.
    """

    id: UUID
    person_id: UUID
    instrument_id: str | None = None
    centre_id: str | None = None
    created_at: datetime
    revoked_at: datetime | None = None

    @property
    def is_own(self) -> bool:
        """Whether it shows the owner's own bookings, on whatever instrument."""
        return self.instrument_id is None and self.centre_id is None


class FeedLine(msgspec.Struct, frozen=True, kw_only=True):
    """A feed with the names of what it shows; both are empty for the owner's own bookings."""

    feed: Feed
    name_vi: str = ""
    name_en: str = ""


def horizon(now: datetime) -> Span:
    """The days that a feed covers, of UTC and whole, so that it says the same all day long unless something changes."""
    today = datetime.combine(now.astimezone(UTC).date(), time(), tzinfo=UTC)
    return Span(today - BACK, today + AHEAD)
