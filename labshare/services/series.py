"""Bookings that repeat: looked at before they are made, made together, and moved or cancelled from one of them on.

Every occurrence is a booking like any other and takes the one path of writing.py; a series only says which belong
together. A booking that was changed by itself stays in its series. What must not live here: how a rule is expanded
(domain/series.py), or what a booking may do alone (bookings.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET, UnsetType

from labshare.domain.bookings import MOVABLE, Booking, InstrumentRules, Wish
from labshare.domain.clearances import is_open
from labshare.domain.modes import Mode
from labshare.domain.people import Action, Actor, may
from labshare.domain.series import Conflicts, Reach, Repeat, Series, occurrences, shifted, to_rrule
from labshare.domain.timespan import Span
from labshare.errors import NotFound, Refusal, Stale, WrongState
from labshare.services import booking_changes, bookings, clearances, free_times, training
from labshare.services.holds import giving_way
from labshare.services.house_rules import require_override, with_reason
from labshare.services.wishes import has_booked_as_leader
from labshare.services.writing import Change, Locked, numbered, payer_of, refuse, sift, undone, write
from labshare.store import bookings as bookings_store
from labshare.store import series as store
from labshare.store.engine import Connection

# What another hour may mend; a project that is not verified, say, is not verified at ten either. Nor is a week's share
# of the best hours: the other dates take of it too, which those who look for free time do not know of.
_OF_TIME = (
    *("time_taken", "kept_for_round", "person_elsewhere", "person_busy", "trainer_elsewhere", "operator_elsewhere"),
    *("closed", "rule_overnight", "rule_staff_hours", "courtesy_prime_day", "in_the_past", "rule_cut_off"),
)
MOST_OFFERS = 2
# One is suggested for each gap, the nearest first; those of other days are among them.
_GAPS = 6
DAY = timedelta(days=1)


class Occurrence(msgspec.Struct, frozen=True, kw_only=True):
    """One date of a rule: why it would be refused, and up to two times near it that would do better."""

    span: Span
    refusals: tuple[Refusal, ...] = ()
    offers: tuple[Span, ...] = ()


class SeriesLine(msgspec.Struct, frozen=True, kw_only=True):
    """A series with all its bookings, the earliest first."""

    series: Series
    instrument_id: str
    bookings: tuple[Booking, ...]

    @property
    def version(self) -> int:
        """Grows with every change of any of the bookings, and when one is given away; none is ever added."""
        return self.series.left_version + sum(booking.version for booking in self.bookings)


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A series that was made, and the dates that were left out of it."""

    line: SeriesLine
    left_out: tuple[Occurrence, ...]


# ---------------------------------------------------------------- looking


def preview(db: Connection, actor: Actor, wish: Wish, repeat: Repeat, now: datetime) -> tuple[Occurrence, ...]:
    """What would become of every date. Locks and judges as `create` does and writes nothing but that a clearance is
    lacking.

    Raises `Malformed` for a rule that cannot be kept, and as `bookings.book` does where the actor may not book at all.
    """
    with undone(db):
        changes, locked = _planned(db, actor, wish, repeat, now)
        freed = giving_way(db, actor, wish.replaces_id, locked, now)
        refusals = sift(db, [*changes, *freed], locked, now, reader=actor)[: len(changes)]
    _hold_back(db, actor, zip(changes, refusals, strict=True), now)
    taken = [change.after.occupied for change in changes]
    return tuple(
        Occurrence(
            span=change.after.span,
            refusals=refused,
            offers=_offers(db, change, locked, refused, taken, now) if refused else (),
        )
        for change, refused in zip(changes, refusals, strict=True)
    )


def show(db: Connection, actor: Actor, series_id: UUID) -> SeriesLine:
    """A series, for its person, who booked it for them as the leader of its project, and the managers of its centre;
    `NotFound` for everybody else.
    """
    found = store.get(db, series_id)
    (rules,) = bookings_store.rules_of(db, [found.instrument_number]).values()
    line = SeriesLine(series=found, instrument_id=rules.id, bookings=tuple(store.bookings_of(db, series_id)))
    if found.person_id == actor.person_id or may(actor, Action.SEE_BOOKING, centre=rules.centre_id):
        return line
    if not any(has_booked_as_leader(db, actor, booking) for booking in line.bookings[:1]):
        raise NotFound("series_not_found")
    return line


# ---------------------------------------------------------------- making


def create(db: Connection, actor: Actor, wish: Wish, repeat: Repeat, conflicts: Conflicts, now: datetime) -> Made:
    """Book every date of the rule that `conflicts` chooses, or none of them. The hold of the form ends with it.

    Raises as `bookings.book_all` does: with `STOP` when any date is refused, else when all are.
    """
    changes, locked = _planned(db, actor, wish, repeat, now)
    rules = locked[wish.instrument_number]
    first = changes[0].after
    series = Series(
        id=uuid4(),
        instrument_number=rules.number,
        person_id=wish.person_id or actor.person_id,
        rrule=to_rrule(repeat, rules.timezone),
        starts_at=first.starts_at,
        ends_at=first.ends_at,
        created_at=now,
    )
    changes = [_in_series(change, series) for change in changes]
    freed = giving_way(db, actor, wish.replaces_id, locked, now)
    left_out: tuple[Occurrence, ...] = ()
    if conflicts is not Conflicts.STOP:
        changes, left_out = _chosen(db, actor, changes, freed, locked, now, moves=conflicts is Conflicts.MOVE)
    store.add(db, series)
    written = write(db, actor, [*changes, *freed], locked, now, action="book")[: len(changes)]
    training.tell(db, actor, written, locked, "book", now, once=True)
    line = SeriesLine(series=series, instrument_id=rules.id, bookings=tuple(written))
    return Made(line=line, left_out=left_out)


# ---------------------------------------------------------------- changing


def move(
    db: Connection,
    actor: Actor,
    booking_id: UUID,
    span: Span,
    reach: Reach,
    *,
    seen_version: int,
    now: datetime,
    purpose: str | None = None,
    override: str = "",
    mode: Mode | None = None,
    setup: str | None = None,
    operator_id: UUID | UnsetType | None = UNSET,
) -> list[Booking]:
    """Move the bookings of a series that lie ahead as this one moves to `span`: all of them, or none. What is not
    given, `purpose`, `mode`, `setup` and the operator, each keeps.

    `seen_version` is the series' own. Raises as `bookings.move` does, each refusal with its `item`; what has begun is
    never touched, and `WrongState` says when nothing is left.
    """
    named = (operator_id,) if operator_id else ()
    anchor, ahead, rules = _ahead(db, actor, booking_id, reach, seen_version, now, also=named)
    spans = shifted([each.span for each in ahead], anchor.span, span, rules.timezone)
    payer = payer_of(db, booking_changes.again(anchor, span, rules=rules))
    more: dict[str, Any] = {"rules": rules, "mode": mode, "setup": setup, "operator_id": operator_id}
    wishes = [
        with_reason(booking_changes.asked_anew(each, to, purpose, **more), override)
        for each, to in zip(ahead, spans, strict=True)
    ]
    require_override(actor, wishes[0], rules)
    changes = [
        booking_changes.moving(db, each, wish, rules, payer, now, by=actor)
        for each, wish in zip(ahead, wishes, strict=True)
    ]
    return _write(db, actor, changes, rules, now, action="move")


def describe(
    db: Connection, actor: Actor, booking_id: UUID, purpose: str, reach: Reach, *, seen_version: int, now: datetime
) -> list[Booking]:
    """Say in other words what those ahead are for; their times stay. Raises as `move` does."""
    anchor, ahead, rules = _ahead(db, actor, booking_id, reach, seen_version, now)
    clearances.require_words(db, anchor, rules, booking_changes.purpose_of(purpose), now)
    changes = [booking_changes.describing(each, purpose, now) for each in ahead]
    return write(db, actor, changes, {rules.number: rules}, now, action="describe")


def cancel(
    db: Connection, actor: Actor, booking_id: UUID, reach: Reach, *, seen_version: int, now: datetime
) -> list[Booking]:
    """Give back the time of those that lie ahead. Raises as `move` does."""
    _, ahead, rules = _ahead(db, actor, booking_id, reach, seen_version, now)
    changes = [booking_changes.cancelling(db, actor, each, rules, now) for each in ahead]
    return _write(db, actor, changes, rules, now, action="cancel")


def anchor_of(line: SeriesLine, booking_id: UUID | None, now: datetime) -> tuple[Booking, Reach]:
    """The booking that a change is told from: a named one and those that follow, or the next of all that lie ahead.

    Raises `NotFound` for one of another series, `WrongState` when nothing lies ahead.
    """
    for booking in line.bookings:
        if booking.id == booking_id:
            return booking, Reach.FOLLOWING
        if booking_id is None and _is_ahead(booking, now):
            return booking, Reach.ALL
    raise WrongState("series_over") if booking_id is None else NotFound("booking_not_found")


# ---------------------------------------------------------------- parts


def _write(
    db: Connection, actor: Actor, changes: Sequence[Change], rules: InstrumentRules, now: datetime, *, action: str
) -> list[Booking]:
    """Who is there for the user is written to once about all of them."""
    locked = {rules.number: rules}
    written = write(db, actor, changes, locked, now, action=action)
    training.tell_left(db, actor, zip((each.before for each in changes), written, strict=True), locked, now)
    training.tell(db, actor, written, locked, action, now, once=True)
    return written


def _planned(db: Connection, actor: Actor, wish: Wish, repeat: Repeat, now: datetime) -> tuple[list[Change], Locked]:
    rules = bookings_store.rules_of(db, [wish.instrument_number]).get(wish.instrument_number)
    if rules is None:
        raise NotFound("instrument_not_found")
    spans = occurrences(repeat, wish.span, rules.timezone)
    wishes = [msgspec.structs.replace(wish, span=span, replaces_id=None) for span in spans]
    return bookings.planned(db, actor, wishes, now)


def _in_series(change: Change, series: Series) -> Change:
    return msgspec.structs.replace(change, after=msgspec.structs.replace(change.after, series_id=series.id))


def _chosen(
    db: Connection,
    actor: Actor,
    changes: Sequence[Change],
    freed: Sequence[Change],
    locked: Locked,
    now: datetime,
    *,
    moves: bool,
) -> tuple[list[Change], tuple[Occurrence, ...]]:
    """The changes that may be made together when `freed` has given way, some at another time of their day, and the
    dates that are left out.
    """
    refusals = sift(db, [*changes, *freed], locked, now, reader=actor)[: len(changes)]
    pairs = list(zip(changes, refusals, strict=True))
    kept = [change for change, refused in pairs if not refused]
    left = [(change, refused) for change, refused in pairs if refused]
    if moves and left:
        taken = [change.after.occupied for change in changes]
        offers = {c.after.id: _offers(db, c, locked, refused, taken, now, days=1) for c, refused in left}
        for turn in range(MOST_OFFERS):
            tried = [
                _at(change, offers[change.after.id][turn], locked)
                for change, _ in left
                if len(offers[change.after.id]) > turn
            ]
            count = len(kept)
            found = sift(db, [*kept, *tried, *freed], locked, now, reader=actor)[count : count + len(tried)]
            kept += [change for change, refused in zip(tried, found, strict=True) if not refused]
            placed = {change.after.id for change in kept}
            left = [each for each in left if each[0].after.id not in placed]
    if not kept:
        refuse(numbered(refusals), [change.wish for change, refused in pairs if change.wish and is_open(refused)])
    _hold_back(db, actor, left, now)
    kept.sort(key=lambda change: change.after.starts_at)
    return kept, tuple(Occurrence(span=change.after.span, refusals=refused) for change, refused in left)


def _hold_back(db: Connection, actor: Actor, judged: Iterable[tuple[Change, Sequence[Refusal]]], now: datetime) -> None:
    """Put before the user office what the project of these dates lacks; they have one."""
    lacking = (change.wish for change, refused in judged if change.wish and is_open(refused))
    if wish := next(lacking, None):
        clearances.hold_back(db, actor, wish, now)


def _at(change: Change, span: Span, locked: Locked) -> Change:
    """The same new booking at another time."""
    rules, wish = locked[change.after.instrument_number], change.wish
    occupied = rules.occupied(span, change.after.kind)
    after = msgspec.structs.replace(
        change.after,
        starts_at=span.start,
        ends_at=span.end,
        occupied_from=occupied.start,
        occupied_until=occupied.end,
    )
    return msgspec.structs.replace(change, after=after, wish=wish and msgspec.structs.replace(wish, span=span))


def _offers(
    db: Connection,
    change: Change,
    locked: Locked,
    refused: Sequence[Refusal],
    taken: Sequence[Span],
    now: datetime,
    *,
    days: int = 2,
) -> tuple[Span, ...]:
    """The nearest free times on the day of a refused date, and then with `days` after it, clear of the other dates."""
    if change.wish is None or not all(refusal.code.startswith(_OF_TIME) for refusal in refused):
        return ()
    rules = locked[change.after.instrument_number]
    day = _local_day(change.after.span, rules)
    near = {day + number * DAY for number in range(days)}
    others = [span for span in taken if span != change.after.occupied]
    found = (
        span
        for span in free_times.suggest(db, change.wish, now, count=_GAPS)
        if _local_day(span, rules) in near and not any(rules.occupied(span).overlaps(other) for other in others)
    )
    # Its own day first: a date is moved within it.
    return tuple(sorted(found, key=lambda span: _local_day(span, rules) != day)[:MOST_OFFERS])


def _local_day(span: Span, rules: InstrumentRules) -> datetime:
    return span.start.astimezone(ZoneInfo(rules.timezone)).replace(hour=0, minute=0, tzinfo=None)


def _ahead(
    db: Connection,
    actor: Actor,
    booking_id: UUID,
    reach: Reach,
    seen_version: int,
    now: datetime,
    *,
    also: Iterable[UUID] = (),
) -> tuple[Booking, list[Booking], InstrumentRules]:
    """A booking of a series and, under the locks and those of the persons `also`, those that a change from it on is
    about.
    """
    # An operator may have been assigned to one of them alone: all who may be concerned are locked, and whoever is named
    # in between makes it stale.
    series_id = bookings_store.get(db, booking_id).series_id
    of_series = store.bookings_of(db, series_id) if series_id else ()
    also = {*also, *(each for booking in of_series for each in booking.attendants)}
    anchor, locked = bookings.held_with(db, actor, booking_id, (), also=also)
    rules = locked[anchor.instrument_number]
    if anchor.series_id is None:
        raise WrongState("booking_not_in_series")
    everything = store.bookings_of(db, anchor.series_id)
    left = store.get(db, anchor.series_id).left_version
    if left + sum(booking.version for booking in everything) != seen_version:
        raise Stale("series_changed")
    within = {
        Reach.ONE: [each for each in everything if each.id == anchor.id],
        Reach.FOLLOWING: [each for each in everything if each.starts_at >= anchor.starts_at],
        Reach.ALL: everything,
    }
    ahead = [each for each in within[reach] if _is_ahead(each, now)]
    if not ahead:
        raise WrongState("series_over")
    return anchor, ahead, rules


def _is_ahead(booking: Booking, now: datetime) -> bool:
    return booking.state in MOVABLE and booking.starts_at > now
