"""Uses of instruments for the demo, made up by chance in a weekly rhythm: past ones with what was delivered, and ahead.

Pure: places and people in, bookings and state records out. Every use obeys the rules of booking: open hours, raster,
lengths, advance window, qualification, project, one person in one place. What must not live here: the database.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from labshare.domain.bookings import OCCUPYING, Booking, BookingState, InstrumentRules
from labshare.domain.equipment import StateRecord
from labshare.domain.projects import Project
from labshare.domain.timespan import Span
from labshare.services.demo_diary import Minutes, Opened, Taken, minute, minutes, moment
from labshare.services.demo_fate import DAY, HOUR, booked_at, booking_of, fate_of, run_of
from labshare.services.demo_story import Story

# Monday to Sunday, in percent of the instrument's load.
RHYTHM = (90, 105, 110, 105, 85, 70, 60)
# Lengths in percent of the typical one, which is the shortest and the most common.
LENGTHS = (100, 100, 100, 150, 150, 200, 250)
MEAN_LENGTH = 1.5
MOST_LOAD = 0.95
TRIES_FOR_A_PERSON, TRIES_FOR_A_SHARE = 4, 20_000


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument with its open hours, how busy it is in percent, what for, and when it was broken."""

    rules: InstrumentRules
    opened: Opened
    load: int
    contested: bool
    purposes: tuple[str, ...]
    typical_minutes: int
    outages: tuple[Minutes, ...] = ()


class Team(msgspec.Struct, frozen=True, kw_only=True):
    """A project with the people who work in it, and how much it works at each centre compared with others."""

    project: Project
    members: tuple[UUID, ...]
    centres: dict[str, int]
    agreement_version: int | None = None


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """Minutes that a cap counts within a window, to be reached by these teams on these sites."""

    sites: tuple[Site, ...]
    teams: tuple[Team, ...]
    window: Minutes
    counts: Callable[[Booking], bool]
    minutes: int


class Author:
    """Makes up uses one by one and keeps what is taken. The same story, day and dice give the same uses."""

    def __init__(self, story: Story, now: datetime, dice: Random, qualified: frozenset[tuple[UUID, int]]) -> None:
        self.bookings: list[Booking] = []
        self.records: list[StateRecord] = []
        self._story = story
        self._now = minute(now)
        self._last = self._now + story.ahead_days * DAY
        self._dice = dice
        self._qualified = qualified
        self._taken, self._kept, self._people = Taken(), Taken(), Taken()
        # Within these windows a project has all the uses that its share of a cap allows.
        self._settled: dict[UUID, Minutes] = {}
        self._delivered: dict[UUID, int] = {}

    def stands(self, booking: Booking, record: StateRecord | None = None) -> None:
        """Take note of a booking, and of what was delivered of it."""
        if booking.state in OCCUPYING:
            self._taken.add(booking.instrument_number, minutes(booking.occupied))
            if booking.person_id is not None and booking.attended:
                self._people.add(booking.person_id, minutes(booking.span))
        if record is not None and record.ends_at is not None:
            self._delivered[booking.id] = minute(record.ends_at) - minute(record.starts_at)

    def keep(self, number: int, offered: Span) -> None:
        """Leave out time that a round keeps from direct booking."""
        self._kept.add(number, minutes(offered))

    # ------------------------------------------------------------ shares of a window

    def fill(self, share: Share) -> None:
        """Place uses of the share's teams anywhere in its window until its minutes are reached, or no place is left.

        Nothing more is made up for these teams in this window.
        """
        last = min(share.window[1], self._last)
        segments = [
            (site, segment)
            for site in share.sites
            for segment in site.opened.segments
            if share.window[0] <= segment[0] and segment[1] <= last
        ]
        left = share.minutes - sum(self._counted(each, share) for each in self.bookings)
        for _ in range(TRIES_FOR_A_SHARE if segments else 0):
            if left <= 0:
                break
            site, segment = self._dice.choice(segments)
            if self._dice.random() < self._ahead(segment):
                made = self._use(site, self._dice.randrange(*segment), share.teams)
                left -= self._counted(made, share) if made else 0
        self._settled |= {team.project.id: share.window for team in share.teams}

    def _counted(self, booking: Booking, share: Share) -> int:
        """What a use counts for the share: delivered once it is done, else its occupied minutes in the window."""
        if booking.state not in OCCUPYING or not share.counts(booking):
            return 0
        start, end = minutes(booking.occupied)
        inside = max(0, min(end, share.window[1]) - max(start, share.window[0]))
        return min(inside, self._delivered.get(booking.id, inside))

    # ------------------------------------------------------------ the rhythm of weeks

    def live(self, site: Site, teams: Sequence[Team]) -> None:
        """Everyday use of one instrument, from its first open minute to the story's last day ahead."""
        here = [team for team in teams if team.centres.get(site.rules.centre_id)]
        mood = {week: self._dice.uniform(0.85, 1.1) for week in range(-60, 60)}
        at = 0
        while here and (segment := site.opened.next(at)) is not None and segment[0] < self._last:
            load = self._load(site, segment, mood)
            if at <= segment[0]:
                at = segment[0] + (self._pause(site, load) if self._dice.random() > load else 0)
            while at < segment[1]:
                made = self._use(site, at, here)
                after = minute(made.occupied_until) + site.rules.setup_minutes if made else self._past(site, at)
                at = after + (self._pause(site, load) if made else 0)

    def _load(self, site: Site, segment: Minutes, mood: dict[int, float]) -> float:
        days = (segment[0] - self._now) // DAY
        if site.contested and -1 <= days < self._story.contested_days:
            return self._story.contested_load / 100
        weekday = (segment[0] // DAY + 3) % 7  # The epoch was a Thursday.
        return min(MOST_LOAD, site.load / 100 * RHYTHM[weekday] / 100 * mood[days // 7] * self._ahead(segment))

    def _ahead(self, segment: Minutes) -> float:
        """How much of a day is booked by now, compared with a day of the past: the further ahead, the less."""
        days = (segment[0] - self._now) // DAY
        return 1.0 if days <= 0 else max(0.15, 1 - days / 20)

    def _pause(self, site: Site, load: float) -> int:
        """Idle minutes until the next use, in whole raster steps, so that about `load` of the time is used."""
        step = _raster(site.rules)
        mean = MEAN_LENGTH * site.typical_minutes * (1 - load) / load
        return round(self._dice.expovariate(1 / mean) / step) * step if mean > 0 else 0

    def _past(self, site: Site, at: int) -> int:
        """Where to look next when nothing fitted here: after what stands in the way, or one raster step on."""
        ahead = (at - site.rules.setup_minutes, at + site.rules.min_minutes + site.rules.cleanup_minutes)
        ends = [taken.until(site.rules.number, ahead) for taken in (self._taken, self._kept)]
        return max([at + _raster(site.rules), *(end + site.rules.setup_minutes for end in ends if end is not None)])

    # ------------------------------------------------------------ one use

    def _use(self, site: Site, at: int, teams: Sequence[Team]) -> Booking | None:
        """A use that begins at this minute or the next of the raster, if there is room and somebody for it."""
        rules = site.rules
        use = self._fitting(site, _aligned(rules, at))
        # What begins this very hour would have had to be booked just now.
        if use is None or use[0] >= self._last or 0 <= use[0] - self._now < HOUR:
            return None
        occupied = (use[0] - rules.setup_minutes, use[1] + rules.cleanup_minutes)
        if any(taken.until(rules.number, occupied) is not None for taken in (self._taken, self._kept)):
            return None
        booked = booked_at(use, rules, site.outages, self._now, self._dice)
        found = self._somebody(rules, use, teams) if booked is not None else None
        return self._write(site, use, booked, *found) if booked is not None and found else None

    def _fitting(self, site: Site, at: int) -> Minutes | None:
        """The use from this minute on: as long as chance says, or as near to that as opening hours allow."""
        rules, segment = site.rules, site.opened.next(at)
        if segment is None or segment[0] > at:
            return None
        step = max(1, rules.granularity_minutes)
        wished = site.typical_minutes * self._dice.choice(LENGTHS) // 100
        lengths = range(-(-rules.min_minutes // step) * step, rules.max_minutes + 1, step)
        room = segment[1] - at
        able = [
            length
            for length in lengths
            if length <= room or (rules.spans_closed_hours and site.opened.is_open(at + length - 1))
        ]
        return (at, at + min(able, key=lambda length: abs(length - wished))) if able else None

    def _somebody(self, rules: InstrumentRules, use: Minutes, teams: Sequence[Team]) -> tuple[Team, UUID] | None:
        able = [team for team in teams if self._may_use(team, use)]
        weights = [team.centres.get(rules.centre_id, 1) for team in able]
        for team in self._dice.choices(able, weights, k=TRIES_FOR_A_PERSON) if able else ():
            for person_id in self._dice.sample(team.members, len(team.members)):
                if self._is_able(person_id, rules, use):
                    return team, person_id
        return None

    def _may_use(self, team: Team, use: Minutes) -> bool:
        expires_at, settled = team.project.expires_at, self._settled.get(team.project.id)
        if expires_at is not None and minute(expires_at) <= use[1]:
            return False
        return settled is None or use[1] <= settled[0] or use[0] >= settled[1]

    def _is_able(self, person_id: UUID, rules: InstrumentRules, use: Minutes) -> bool:
        if rules.qualification and (person_id, rules.number) not in self._qualified:
            return False
        return not rules.attended or self._people.until(person_id, use) is None

    def _write(self, site: Site, use: Minutes, booked: int, team: Team, person_id: UUID) -> Booking:
        dice = self._dice
        fate = fate_of(use, booked, site.outages, self._story, self._now, dice)
        booking = booking_of(
            use,
            site.rules,
            team.project,
            person_id,
            purpose=dice.choice(site.purposes),
            booked=booked,
            fate=fate,
            agreement_version=team.agreement_version,
            dice=dice,
        )
        record = run_of(booking, site.outages, dice) if fate.state is BookingState.DONE else None
        self.bookings.append(booking)
        self.records += [record] if record else []
        self.stands(booking, record)
        return booking


def _raster(rules: InstrumentRules) -> int:
    return max(1, min(rules.granularity_minutes, HOUR))


def _aligned(rules: InstrumentRules, at: int) -> int:
    """The minute itself or the next on the raster, which is counted from local midnight."""
    local = moment(at).astimezone(ZoneInfo(rules.timezone))
    return at + -(local.hour * HOUR + local.minute) % _raster(rules)
