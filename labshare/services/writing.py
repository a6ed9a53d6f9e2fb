"""The one way to write bookings: changes are judged together, weighed together, and written all or none.

Whoever calls has locked the instruments and persons (store.bookings.lock) and says what each booking becomes. The order
is the same for one booking and for a series: every rule looks at every wish, with the other changes of the same call in
place; what is due to end and stands in the way ends; agreements weigh the whole; then all is written (ARCHITECTURE.md,
decision 4). What must not live here: who may do what (bookings.py), or the rules themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from labshare.domain.bookings import (
    OCCUPYING,
    Booking,
    BookingState,
    Context,
    InstrumentRules,
    Neighbour,
    Wish,
    check,
    is_time_taken,
)
from labshare.domain.clauses import Conduct
from labshare.domain.clearances import is_open
from labshare.domain.kept_times import rules_of
from labshare.domain.people import Actor
from labshare.domain.rulebook import Rulebook
from labshare.errors import Refusal, Refused, TimeTaken
from labshare.services import booking_notices, freeing, house_rules, weighing
from labshare.services.clearances import NotCleared
from labshare.services.contexts import Change, Payer, Planned, context, payer_of, surroundings
from labshare.services.counting import uses
from labshare.services.house_rules import Counted
from labshare.services.units import units_of
from labshare.services.weighing import Part, Weighed
from labshare.store import audit, outbox
from labshare.store import bookings as store
from labshare.store import due as due_store
from labshare.store.engine import Connection
from labshare.store.rulebooks import rulebook
from labshare.store.units import lift_all

# What a change is made of comes with the way to write it.
__all__ = ["APPROVAL_ENDS", "Change", "Judged", "Locked", "Payer", "ended", "judge", "lock_balances", "make",
           "numbered", "payer_of", "refuse", "refuse_judged", "sift", "tell", "undone", "write",
           "write_judged"]  # fmt: skip

# Instruments under lock, by number.
Locked = Mapping[int, InstrumentRules]
# The deadline of a hold, which ends by itself unless confirmed, and of a booking that waits for its centre.
HOLD_EXPIRES = "hold_expires"
APPROVAL_ENDS = "approval_ends"


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules say of some changes: the refusals of each, those of the agreements for all of them together, and
    the holds that are due and end with them; and by the id of its booking the clauses of courtesy that held for a wish.
    """

    refusals: tuple[tuple[Refusal, ...], ...]
    weighed: Weighed
    due: tuple[Change, ...]
    locked: Locked
    conducts: Mapping[UUID, tuple[Conduct, ...]]

    @property
    def all_refusals(self) -> tuple[Refusal, ...]:
        """Every refusal; where there are several changes, each that is about one names its place as `item`."""
        return (*numbered(self.refusals), *self.weighed.refusals)


def write(
    db: Connection, actor: Actor, changes: Sequence[Change], locked: Locked, now: datetime, *, action: str
) -> list[Booking]:
    """Make all of these changes, or none and raise every refusal. Returns the bookings as they now stand.

    `action` is the word for the audit. Raises `TimeTaken` when all that is wrong is that somebody has the time,
    `Refused` for everything else, and `Stale` where a booking is no longer what `before` says.
    """
    return write_judged(db, actor, changes, locked, now, action=action)[0]


def write_judged(
    db: Connection, actor: Actor, changes: Sequence[Change], locked: Locked, now: datetime, *, action: str
) -> tuple[list[Booking], Judged]:
    """The same, with what the rules said of it."""
    judged = judge(db, changes, locked, now, reader=actor)
    refuse_judged(changes, judged)
    written = make(db, changes, judged)
    lines = [_line(db, actor, changes, booking, locked[booking.instrument_number], now, action) for booking in written]
    changed = [(change.before, booking) for change, booking in zip(changes, written, strict=True)]
    booking_notices.tell(db, actor.person_id, changed, locked, now, action=action)
    tell(db, {booking.instrument_number: locked[booking.instrument_number] for booking in written}, lines)
    return written, judged


def judge(
    db: Connection,
    changes: Sequence[Change],
    locked: Locked,
    now: datetime,
    *,
    reader: Actor | None = None,
    sifting: bool = False,
) -> Judged:
    """What every rule says of every change, with the others in place. Writes nothing but balances that were missing.

    When `sifting`, what is refused stands in nobody's way and is not weighed: it will be left out.
    """
    # Read under the locks, which a signing waits for.
    book = rulebook(db, next((each.payer.stamp for each in changes), None))
    leaving = {change.before.id for change in changes if change.before}
    counted = _counted(db, book, changes, locked, now)
    planned: list[tuple[Change, InstrumentRules]] = []
    due: dict[UUID, Change] = {}
    conducts: dict[UUID, tuple[Conduct, ...]] = {}
    refusals: list[tuple[Refusal, ...]] = []
    for change in changes:
        rules = locked[change.after.instrument_number]
        found = house_rules.locked_to(book, reader, change.before, change.after, rules, now)
        if change.wish is not None:
            known, over = _known(db, book, counted, change, change.wish, rules, planned, leaving, now, reader)
            due |= {each.id: _expiring(db, each.id, now) for each in over}
            conducts[change.after.id] = known.conducts
            found += check(change.wish, known, rules_of(change.before, change.after))
        refusals.append(found)
        if change.occupies and not (found and sifting):
            planned.append((change, rules))
            if change.wish is not None:
                counted.add(book, (change.after, rules))
    left = [each for each, found in zip(changes, refusals, strict=True) if not (found and sifting)]
    # Those that are left out may be tried again at another time of their day.
    lock_balances(db, [*changes, *due.values()] if len(left) < len(changes) else (), locked, now)
    weighed = _weighed(db, book, [*left, *due.values()], locked, now, reader)
    weighed = weighed if sifting else _placed(db, book, weighed, changes, locked, now)
    return Judged(refusals=tuple(refusals), weighed=weighed, due=tuple(due.values()), locked=locked, conducts=conducts)


def lock_balances(db: Connection, changes: Sequence[Change], locked: Locked, now: datetime) -> None:
    """Lock in one go whatever balances these changes could move, for who judges more than once in a transaction."""
    added, removed = _together(changes, locked)
    if added or removed:
        weighing.lock(db, [*added, *removed], now, rulebook(db))


def sift(
    db: Connection, changes: Sequence[Change], locked: Locked, now: datetime, *, reader: Actor
) -> tuple[tuple[Refusal, ...], ...]:
    """Why each change cannot be made when those before it that can be are: none for those that may be made together.

    Agreements weigh all that is left at once; only where that is too much, one after the other in their order.
    """
    judged = judge(db, changes, locked, now, reader=reader, sifting=True)
    if not judged.weighed.refusals:
        return judged.refusals
    # What nobody asked for only makes room.
    standing = _together([*judged.due, *(change for change in changes if change.wish is None)], locked)
    left = [place for place, change in enumerate(changes) if change.wish is not None and not judged.refusals[place]]
    parts = [_parts(changes[place], locked) for place in left]
    found = weighing.sifted(db, standing, parts, now=now, reader=reader, book=rulebook(db))
    refusals = list(judged.refusals)
    for place, refused in zip(left, found, strict=True):
        refusals[place] = refused
    return tuple(refusals)


def numbered(refusals: Sequence[tuple[Refusal, ...]]) -> tuple[Refusal, ...]:
    """The refusals of some wishes; where there are several wishes, each names the place of its own as `item`."""
    if len(refusals) == 1:
        return refusals[0]
    return tuple(
        Refusal(code=each.code, params={**each.params, "item": place})
        for place, found in enumerate(refusals)
        for each in found
    )


@contextmanager
def undone(db: Connection) -> Generator[None]:
    """What is done inside leaves no trace: a dry run of a write, under the same locks and rules."""
    savepoint = db.begin_nested()
    try:
        yield
    finally:
        savepoint.rollback()


def make(db: Connection, changes: Sequence[Change], judged: Judged) -> list[Booking]:
    """Write changes that were judged and not refused, and the balances that they move."""
    units = units_of(db, [(each.before, each.after) for each in [*changes, *judged.due]], judged.locked)
    changes = [_in_unit(change, units) for change in changes]
    everything = [*changes, *judged.due]
    others = {key: unit for key, unit in units.items() if all(key != each.after.id for each in changes)}
    standing = [change.after.id for change in everything if change.before and change.occupies]
    if len(standing) > 1 or others:
        # One may go where another still stands: all are lifted out of the calendar before the first is put down.
        lift_all(db, standing, others)
    written = {
        change.after.id: store.change(db, _signed(judged, change), seen_version=change.before.version)
        for change in sorted(everything, key=lambda change: change.occupies)
        if change.before
    }
    new = [_signed(judged, change) for change in changes if change.before is None]
    store.add(db, new)
    weighing.post(db, judged.weighed)
    freeing.note(db, [(change.before, written[change.after.id]) for change in everything if change.before])
    written |= {booking.id: booking for booking in new}
    for booking in written.values():
        if booking.state is BookingState.PENDING and booking.hold_expires_at is not None:
            due_store.schedule(db, APPROVAL_ENDS, booking.id, booking.hold_expires_at)
    return [written[change.after.id] for change in changes]


def _in_unit(change: Change, units: Mapping[UUID, int]) -> Change:
    unit = units.get(change.after.id, change.after.unit)
    if unit == change.after.unit:
        return change
    return msgspec.structs.replace(change, after=msgspec.structs.replace(change.after, unit=unit))


def _signed(judged: Judged, change: Change) -> Booking:
    """The version that judged a booking stays on it when it ends."""
    return judged.weighed.signed(change.after) if change.occupies else change.after


def refuse_judged(changes: Sequence[Change], judged: Judged) -> None:
    """Raise what was found against these changes, as `refuse` does."""
    found = zip(changes, judged.refusals, strict=True)
    refuse(judged.all_refusals, [each.wish for each, refused in found if each.wish and is_open(refused)])


def refuse(refusals: Sequence[Refusal], wishes: Sequence[Wish] = ()) -> None:
    """Raise `TimeTaken` when time is all that is wrong, `Refused` for anything else, and nothing without refusals.

    `wishes` are those that may lack a clearance that is to be decided.
    """
    if is_time_taken(tuple(refusals)):
        raise TimeTaken(tuple(refusals))
    if wishes and is_open(refusals):
        raise NotCleared(refusals, wishes)
    if refusals:
        raise Refused(tuple(refusals))


def tell(db: Connection, changed: Locked, lines: Sequence[dict[str, Any]] = ()) -> None:
    """One message to the watchers of each of these calendars, and with them these lines of the audit."""
    payloads: list[dict[str, str | int]] = [
        {"instrument": rules.id, "version": rules.calendar_version, "number": rules.number}
        for _, rules in sorted(changed.items())
    ]
    outbox.post_with(db, "calendar", payloads, lines)


def ended(booking: Booking, state: BookingState, now: datetime) -> Change:
    """The change that takes a booking out of the calendar."""
    return Change(before=booking, after=msgspec.structs.replace(booking, state=state, updated_at=now))


# ---------------------------------------------------------------- parts


def _line(
    db: Connection,
    actor: Actor,
    changes: Sequence[Change],
    booking: Booking,
    rules: InstrumentRules,
    now: datetime,
    action: str,
) -> dict[str, Any]:
    details = {"instrument": rules.id, "version": booking.version, "state": booking.state.value}
    details |= _passed(db, changes, booking)
    return audit.row(actor.person_id, action, "booking", booking.id, now, details)


def _passed(db: Connection, changes: Sequence[Change], booking: Booking) -> dict[str, str]:
    """For the audit why a manager passed the centre's rules; the words themselves stand on the booking."""
    wish = next((each.wish for each in changes if each.after.id == booking.id), None)
    return {"override": audit.hashed(db, wish.override)} if wish and wish.override else {}


def _known(
    db: Connection,
    book: Rulebook,
    counted: Counted,
    change: Change,
    wish: Wish,
    rules: InstrumentRules,
    planned: Planned,
    leaving: Collection[UUID],
    now: datetime,
    reader: Actor | None,
) -> tuple[Context, list[Neighbour]]:
    """What the rules look at for one change, and the holds in its way whose time is over."""
    beside = surroundings(db, book, rules, change, wish, counted, now)
    others = [each for each in beside.read.neighbours if each.id not in leaving]
    standing = [each for each in others if not each.is_due(now)]
    known = context(db, rules, book, change, wish, beside, standing, planned, leaving, now, reader)
    known = house_rules.with_house(db, book, counted, wish, change.before, change.after, known, reader)
    return known, [each for each in others if each.is_due(now)]


def _expiring(db: Connection, booking_id: UUID, now: datetime) -> Change:
    return ended(store.get(db, booking_id), BookingState.EXPIRED, now)


def _counted(db: Connection, book: Rulebook, changes: Sequence[Change], locked: Locked, now: datetime) -> Counted:
    wished = [(each.after, locked[each.after.instrument_number]) for each in changes if each.wish is not None]
    before = [(each.before, locked[each.before.instrument_number]) for each in changes if each.before]
    return Counted(db, book, wished, before, now)


def _weighed(
    db: Connection, book: Rulebook, changes: Sequence[Change], locked: Locked, now: datetime, reader: Actor | None
) -> Weighed:
    added, removed = _together(changes, locked)
    return weighing.weigh(db, added=added, removed=removed, now=now, reader=reader, book=book)


def _placed(
    db: Connection, book: Rulebook, weighed: Weighed, changes: Sequence[Change], locked: Locked, now: datetime
) -> Weighed:
    """The same, where several are asked for, with the place of the one that each refusal is about."""
    if not weighed.refusals or len(changes) == 1:
        return weighed
    parts = [_parts(change, locked) for change in changes]
    return msgspec.structs.replace(weighed, refusals=weighing.placed(db, book, weighed, parts, now))


def _together(changes: Sequence[Change], locked: Locked) -> Part:
    parts = [_parts(change, locked) for change in changes]
    return [use for added, _ in parts for use in added], [use for _, removed in parts for use in removed]


def _parts(change: Change, locked: Locked) -> Part:
    """What a change adds to the time that is used, and what it takes from it."""
    before = change.before if change.before and change.before.state in OCCUPYING else None
    return (
        list(uses(locked[change.after.instrument_number], change.after)) if change.occupies else [],
        list(uses(locked[before.instrument_number], before)) if before else [],
    )
