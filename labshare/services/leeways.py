"""When a person may begin to use each of some instruments: all that was read for it, and the rules asked for stretches.

What must not live here: which of these starts are shown (free_times.py), or the rules (domain/bookings.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import msgspec

from labshare.domain.agreements import Agreement, covers
from labshare.domain.availability import Leeway, fitting_minutes, free_starts, open_starts, uses
from labshare.domain.booking_rules import NoShows, Posted, PrimeLimit, ShortNotice, courtesy_of
from labshare.domain.bookings import Context, InstrumentRules, Wish, not_blocked, prime_time
from labshare.domain.clauses import Conduct
from labshare.domain.courtesy import weeks_around
from labshare.domain.modes import Mode, usual
from labshare.domain.opening import DAY_MINUTES, Hours
from labshare.domain.operators import Attended, attended_until
from labshare.domain.projects import Project
from labshare.domain.qualifications import good_until
from labshare.domain.standing_rules import (
    cut_off_hours,
    furthest_days,
    hours_on_dates,
    is_short_notice,
    overnight_level,
)
from labshare.domain.timespan import MINUTE, Span, clipped, next_minute
from labshare.services.calendars import closed_dates_over, open_spans_of
from labshare.services.clauses import Place, missed_since, posted_conduct
from labshare.store import free_times as store
from labshare.store import person_times, qualifications
from labshare.store.engine import Connection
from labshare.store.free_times import Asked, Candidate
from labshare.store.rulebooks import rulebook

Windows = Callable[[InstrumentRules, int], Sequence[Span]]
"""The starts that are looked for on an instrument, for a use of so many minutes."""


class Who(Attended, frozen=True, kw_only=True):
    """For whom time is looked for: a person (None: whoever may book), their trainer and operator, and the booking that
    would move.

    No clause of courtesy holds for a session that a round gave (`is_session`). Without a `mode` it is the usual one of
    each instrument; where the staff run it, the person need not be qualified, nor there. With `needs_nothing` what they
    hold is not looked at.
    """

    replaces_id: UUID | None = None
    is_session: bool = False
    needs_nothing: bool = False
    # What is asked for in the same call, which none of it may overlap.
    beside: tuple[Span, ...] = ()
    mode: Mode | None = None
    project: Project | None = None

    @property
    def is_alone(self) -> bool:
        return self.trainer_id is None

    def is_run_by_staff(self, rules: InstrumentRules) -> bool:
        return (self.mode or usual(rules.modes)) is Mode.COMMISSIONED

    def needs_qualification(self, candidate: Candidate) -> bool:
        ignored = self.needs_nothing or self.is_run_by_staff(candidate.rules)
        return candidate.asks and self.person_id is not None and not ignored

    def may_be_qualified(self, candidate: Candidate) -> bool:
        return candidate.is_qualified(is_alone=self.is_alone) or not self.needs_qualification(candidate)


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """Open starts under the same agreements, whatever occupies the instrument."""

    minutes: int
    starts: tuple[Span, ...]
    accepts: Callable[[Span], bool] | None


class Looking:
    """Some instruments as one person may begin to use them. Reads everything at once: six queries at most, and where
    a trainer or an operator is named one for each of them and one for what they hold. One more where a qualification
    ends that is not used, and one for each such instrument that they have booked.
    """

    def __init__(self, db: Connection, asked: Asked, who: Who, windows: Windows, now: datetime) -> None:
        self.now, self._who, self._windows = now, who, windows
        found = store.candidates(db, asked, who.person_id, but=who.replaces_id)
        self.candidates = [each for each in found if who.may_be_qualified(each)]
        self.book = rulebook(db)
        self._stretches: dict[tuple[object, ...], list[Stretch]] = {}
        self._conducts: dict[int, Conduct] = {}
        self._hull = self._hull_of(self.candidates)
        self._busy: dict[int, list[Span]] = {}
        self._kept: dict[int, list[Span]] = {}
        self._elsewhere: list[Span] = []
        self._others_elsewhere: list[Span] = [*who.beside]
        self._attended_until: dict[int, datetime | None] = {}
        self._until: dict[int, list[tuple[datetime, datetime | None]]] = {}
        self._edges: list[tuple[Span, list[Agreement]]] = []
        if self._hull is not None:
            self._read(db, asked, self._hull)

    def leeways(self, candidate: Candidate, minutes: int) -> list[Leeway]:
        """When a use of so many minutes, or of the length nearest to it, may begin there, the earliest first."""
        rules = candidate.rules
        busy = [*self._busy.get(rules.number, ()), *self._kept.get(rules.number, ())]
        must_be_there = rules.attended and not self._who.is_run_by_staff(rules)
        elsewhere = [*(self._elsewhere if must_be_there else ()), *self._others_elsewhere]
        found: list[Leeway] = []
        for each in self._stretches_of(rules, minutes):
            starts = _before(each.starts, self._latest_start(candidate, each.minutes))
            starts = _after(starts, self.now, cut_off_hours(self.book.posted_at(rules.site)))
            if free := free_starts(rules, each.minutes, starts, busy, elsewhere):
                found.append(Leeway(minutes=each.minutes, starts=free, accepts=self._accepts(candidate, each)))
        return found

    # ------------------------------------------------------------ reading

    def _hull_of(self, found: Iterable[Candidate]) -> Span | None:
        """From the first to the last start that is looked for on any of them."""
        shapes = {(each.rules.timezone, each.rules.advance_days): each.rules for each in found}
        spans = [span for rules in shapes.values() for span in self._windows(rules, 1)]
        if not spans:
            return None
        first = max(next_minute(self.now), min(span.start for span in spans))
        furthest = self.now + timedelta(days=max(rules.advance_days for rules in shapes.values()))
        last = min(furthest, max(span.end for span in spans)).replace(second=0, microsecond=0)
        return Span(first, last) if first < last else None

    def _read(self, db: Connection, asked: Asked, hull: Span) -> None:
        rules = [each.rules for each in self.candidates]
        # A use that begins last ends as long after as the longest one lasts.
        after = max(each.max_minutes + each.cleanup_minutes for each in rules)
        around = hull.widened(max(each.setup_minutes for each in rules), after)
        self._busy = store.busy(db, asked, around, self.now, self.candidates, but=self._who.replaces_id)
        self._kept = store.kept(db, asked, around)
        edges = sorted({*self.book.courtesy_edges(hull), *self._short_notice_edges(hull)})
        self._edges = [
            (Span(start, end), [each for each in self.book.agreements_at(start) if each.courtesy])
            for start, end in pairwise(edges)
        ]
        for person_id in self._who.attendants:
            busy = person_times.person_busy(db, person_id, around)
            self._others_elsewhere += [
                each.occupied for each in busy if each.id != self._who.replaces_id and not each.is_due(self.now)
            ]
        for each in rules if self._who.attendants else ():
            held = qualifications.held(db, self._who.attendants, each, but=self._who.replaces_id)
            until = attended_until(self._who, held, each.demand, each.timezone, self.now)
            self._attended_until[each.number] = until
        if self._who.person_id is not None:
            self._read_person(db, self._who.person_id, around, any(each.attended for each in rules))
            self._read_uses(db, self._who.person_id, hull.start)

    def _read_person(self, db: Connection, person_id: UUID, around: Span, is_attended: bool) -> None:
        held = {} if self._who.is_session else {id(each): each for _, some in self._edges for each in some}
        posted = [] if self._who.is_session else [each for each in self.book.posted if courtesy_of(each.rule)]
        has_prime = any(isinstance(each.rule, PrimeLimit) for each in posted) or any(
            each.courtesy and each.courtesy.prime for each in held.values()
        )
        weeks = weeks_around(around.widened(DAY_MINUTES, DAY_MINUTES), "UTC").widened(DAY_MINUTES, DAY_MINUTES)
        times = store.of_person(db, person_id, weeks, self.now) if is_attended or has_prime else []
        times = [each for each in times if each.use.id != self._who.replaces_id]
        self._elsewhere = [each.use.span for each in times if each.attended and not each.is_due]
        own = [each.use for each in times if each.is_own]
        since = missed_since(held.values(), posted, self.now)
        missed = person_times.missed(db, person_id, since) if since else ()
        closed = closed_dates_over(weeks)
        for key, each in held.items():
            if each.courtesy is not None:
                inside = tuple(use.span for use in own if covers(each.covered, use))
                strikes = tuple(use.span.start for use in missed if covers(each.covered, use))
                self._conducts[key] = Conduct(clause=each.courtesy, uses=inside, strikes=strikes, closed=closed)
        self._conducts |= {id(each): posted_conduct(each, own, missed, closed) for each in posted}

    def _read_uses(self, db: Connection, person_id: UUID, first: datetime) -> None:
        """Until when a qualification lasts that ends unused: anew from each use ahead on, and for none before it."""
        counting = {
            each.rules.number: each.rules
            for each in self.candidates
            if each.held.level
            and each.rules.qualification
            and each.rules.demand.counts_uses
            and self._who.is_alone
            and self._who.needs_qualification(each)
        }
        but = self._who.replaces_id
        ahead = qualifications.uses_ahead(db, person_id, counting, since=first, but=but) if counting else {}
        for number, some in ahead.items():
            rules = counting[number]
            held = qualifications.held(db, [person_id], rules, before=first, but=but)[person_id]
            known = [held, *(msgspec.structs.replace(held, last_used_at=use.end) for use in some)]
            ends = [good_until(each, rules.demand, rules.timezone) for each in known]
            self._until[number] = list(zip([first, *(use.start + MINUTE for use in some)], ends, strict=True))

    # ------------------------------------------------------------ stretches

    def _stretches_of(self, rules: InstrumentRules, minutes: int) -> list[Stretch]:
        """Shared by the instruments that keep the same hours, lengths and agreements."""
        if self._hull is None:
            return []
        posted = self.book.posted_at(rules.site)
        dated = hours_on_dates(posted)
        # Where closed hours are for a few, what is offered keeps out of them; the staff may let a run go on in them.
        by_staff = self._who.is_run_by_staff(rules) and not self._who.attendants
        spans_closed_hours = rules.spans_closed_hours and (overnight_level(posted) is None or by_staff)
        furthest = furthest_days(posted) or rules.advance_days
        rules = msgspec.structs.replace(
            rules, spans_closed_hours=spans_closed_hours, advance_days=min(rules.advance_days, furthest)
        )
        conducts = [self._holding(rules, posted, span, some) for span, some in self._edges]
        key = (
            *sorted(dated.items()),
            *(rules.opening, rules.timezone, rules.spans_closed_hours, rules.granularity_minutes),
            *(rules.min_minutes, rules.max_minutes, rules.advance_days, minutes),
            tuple(id(each) for some in conducts for each in (*some, None)),
        )
        if key not in self._stretches:
            found = (
                self._stretch(rules, dated, minutes, span, some)
                for (span, _), some in zip(self._edges, conducts, strict=True)
            )
            self._stretches[key] = [each for each in found if each is not None]
        return self._stretches[key]

    def _holding(
        self, rules: InstrumentRules, posted: Sequence[Posted], span: Span, agreements: Iterable[Agreement]
    ) -> tuple[Conduct, ...]:
        """What binds a use on an instrument that begins inside a span, at whose ends this may change."""
        place, known = Place(rules.id, rules.centre_id), self._conducts
        held = [each for each in agreements if covers(each.covered, place)]
        counted = [
            each
            for each in posted
            if isinstance(each.rule, NoShows) or not is_short_notice(posted, each.scope, span.start, self.now)
        ]
        return tuple(known[id(each)] for each in (*held, *counted) if id(each) in known)

    def _short_notice_edges(self, hull: Span) -> list[datetime]:
        """From when on limits count again: the minute after the last that is free of them."""
        hours = {each.rule.hours for each in self.book.posted if isinstance(each.rule, ShortNotice)}
        ends = (ending_by(self.now + timedelta(hours=each), 1) + MINUTE for each in hours)
        return [end for end in ends if hull.start < end < hull.end]

    def _stretch(
        self,
        rules: InstrumentRules,
        dated: Mapping[date, Hours],
        minutes: int,
        span: Span,
        conducts: tuple[Conduct, ...],
    ) -> Stretch | None:
        context = Context(now=self.now, rules=rules, conducts=conducts)
        length = fitting_minutes(rules, minutes, context.least_minutes)
        wish = Wish(instrument_number=rules.number, span=span, person_id=self._who.person_id)
        if length > rules.max_minutes or not_blocked(wish, context):
            return None
        latest = ending_by(self.now + timedelta(days=context.advance_days), length)
        if latest <= span.start:
            return None
        bounds = Span(span.start, min(span.end, latest))
        around = bounds.widened(DAY_MINUTES, length + DAY_MINUTES)
        starts = open_starts(rules, length, open_spans_of(rules, around, closed_dates_over(around), dated))
        wanted = clipped(self._windows(rules, length), bounds)
        accepts = _courteous(context, wish)
        inside = [part for each in wanted for part in clipped(starts, each)]
        if accepts is not None:
            # Days that are full are full on every instrument alike.
            inside = [part for part in inside if any(accepts(use) for use in uses(rules, length, part))]
        return Stretch(minutes=length, starts=tuple(inside), accepts=accepts)

    def _accepts(self, candidate: Candidate, stretch: Stretch) -> Callable[[Span], bool] | None:
        """What else is asked of a use: the clauses of courtesy, and a qualification that is not over meanwhile."""
        steps, accepts = self._until.get(candidate.rules.number), stretch.accepts
        if steps is None:
            return accepts

        def lasts(use: Span) -> bool:
            until = [until for since, until in steps if since <= use.start][-1]
            return (until is None or use.end <= until) and (accepts is None or accepts(use))

        return lasts

    def _latest_start(self, candidate: Candidate, minutes: int) -> datetime | None:
        """Before which a use must begin so that project and qualifications last until its end."""
        until = self._attended_until.get(candidate.rules.number)
        bounds = [] if until is None else [ending_by(until, minutes)]
        project, last = self._who.project, candidate.ends(is_alone=self._who.is_alone)
        if last and self._who.needs_qualification(candidate):
            bounds.append(ending_by(last[0].at, minutes))
        if project is not None and project.expires_at is not None:
            # The use must end before that instant, not with it.
            bounds.append(ending_by(project.expires_at - timedelta(microseconds=1), minutes))
        return min(bounds, default=None)


def _courteous(context: Context, wish: Wish) -> Callable[[Span], bool] | None:
    """Whether the limits of prime time let a use be, as the rule of booking says; each use is asked once."""
    if not any(each.clause.prime for each in context.conducts):
        return None
    known: dict[Span, bool] = {}

    def accepts(use: Span) -> bool:
        if use not in known:
            known[use] = not prime_time(msgspec.structs.replace(wish, span=use), context)
        return known[use]

    return accepts


def _before(starts: Sequence[Span], latest: datetime | None) -> Sequence[Span]:
    if latest is None:
        return starts
    return [Span(each.start, min(each.end, latest)) for each in starts if each.start < latest]


def _after(starts: Sequence[Span], now: datetime, hours: int) -> Sequence[Span]:
    """The starts that are no sooner than so many hours from now."""
    first = next_minute(now + timedelta(hours=hours))
    return [Span(max(each.start, first), each.end) for each in starts if each.end > first] if hours else starts


def ending_by(moment: datetime, minutes: int) -> datetime:
    """The end of the starts of those uses that end by this instant."""
    return moment.replace(second=0, microsecond=0) - (minutes - 1) * MINUTE
