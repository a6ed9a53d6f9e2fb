"""What is recorded of instruments as they run: down and up again, and which bookings a failure touches.

What must not live here: minutes of a report (services/reports.py), or moving the bookings that are touched.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import uuid4

import msgspec

from labshare.domain.bookings import InstrumentRules
from labshare.domain.equipment import EquipmentState, StateRecord
from labshare.domain.people import Action, Actor, require
from labshare.domain.timespan import MINUTE, Span
from labshare.errors import Malformed, WrongState
from labshare.store import audit, outbox
from labshare.store import bookings as booking_store
from labshare.store import usage as store
from labshare.store.booking_pages import BookingLine
from labshare.store.engine import Connection
from labshare.store.names import Name, names

LONGEST_NOTE = 500
# Whose booking begins within these days is told of a failure at once; later ones may well be reached by the repair.
AFFECTED = timedelta(days=7)


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded failure, and the uses that it touches: the running one and those of the next seven days, in order."""

    record: StateRecord
    affected: tuple[BookingLine, ...]


def record_down(db: Connection, actor: Actor, instrument_id: str, note: str, now: datetime) -> Failure:
    """The instrument has failed: from this minute it is down, and whatever state lasted ends.

    Raises `Forbidden` for anybody but a manager of its centre, and `WrongState` when it is down already.
    """
    rules, is_down = _locked(db, actor, instrument_id)
    if is_down is not None:
        raise WrongState("already_down", instrument=instrument_id)
    at = now.replace(second=0, microsecond=0)
    for lasting in store.lasting(db, rules.number):
        store.end_record(db, lasting.id, max(at, lasting.starts_at + MINUTE))
    record = StateRecord(
        id=uuid4(),
        instrument_number=rules.number,
        state=EquipmentState.UNSCHEDULED_DOWN,
        starts_at=at,
        source="operator",
        note=_note(note),
        recorded_by_id=actor.person_id,
    )
    store.add_records(db, [record])
    _tell(db, actor, "down", rules, now)
    return Failure(record=record, affected=affected(db, rules.number, now))


def record_up(db: Connection, actor: Actor, instrument_id: str, now: datetime) -> StateRecord:
    """The instrument works again. Raises as `record_down` does, and `WrongState` when it was not down."""
    rules, is_down = _locked(db, actor, instrument_id)
    if is_down is None:
        raise WrongState("not_down", instrument=instrument_id)
    # Down and up within one minute still leaves one minute on record.
    ends_at = max(now.replace(second=0, microsecond=0), is_down.starts_at + MINUTE)
    store.end_record(db, is_down.id, ends_at)
    _tell(db, actor, "up", rules, now)
    return msgspec.structs.replace(is_down, ends_at=ends_at)


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """What a manager sees of an instrument: its name, the failure that lasts, and whose time it touches."""

    name: Name
    down: StateRecord | None
    affected: tuple[BookingLine, ...]


def down(db: Connection, number: int) -> StateRecord | None:
    """The failure that lasts, if there is one. Everybody may know that and since when, but not the note."""
    return store.current(db, [number], EquipmentState.UNSCHEDULED_DOWN).get(number)


def down_since(db: Connection, numbers: Collection[int]) -> dict[int, datetime]:
    """The same of many instruments at once, by number, of those that are down: one query, and none for none."""
    found = store.current(db, numbers, EquipmentState.UNSCHEDULED_DOWN) if numbers else {}
    return {number: record.starts_at for number, record in found.items()}


def condition(db: Connection, actor: Actor, instrument_id: str, now: datetime) -> Condition:
    """The state of an instrument, for a manager of its centre. Raises `NotFound` and `Forbidden`."""
    number = booking_store.instrument_number(db, instrument_id)
    require(actor, Action.MANAGE_CALENDAR, centre=booking_store.rules_of(db, [number])[number].centre_id)
    record = down(db, number)
    return Condition(
        name=names(db, (), (), {instrument_id})[instrument_id],
        down=record,
        affected=affected(db, number, now) if record else (),
    )


def affected(db: Connection, number: int, now: datetime) -> tuple[BookingLine, ...]:
    """The uses of an instrument that run now or begin within seven days. Whoever calls may see them."""
    return tuple(store.uses_over(db, number, Span(now, now + AFFECTED)))


def _locked(db: Connection, actor: Actor, instrument_id: str) -> tuple[InstrumentRules, StateRecord | None]:
    number = booking_store.instrument_number(db, instrument_id)
    rules = booking_store.lock(db, [number])[number]
    require(actor, Action.MANAGE_CALENDAR, centre=rules.centre_id)
    return rules, store.current(db, [number], EquipmentState.UNSCHEDULED_DOWN).get(number)


def _note(text: str) -> str:
    text = text.strip()
    if len(text) > LONGEST_NOTE:
        raise Malformed("note_too_long", most=LONGEST_NOTE)
    return text


def _tell(db: Connection, actor: Actor, action: str, rules: InstrumentRules, now: datetime) -> None:
    audit.record(db, actor_id=actor.person_id, action=action, noun="instrument", noun_id=rules.id, now=now)
    outbox.post(db, "calendar", {"instrument": rules.id, "version": rules.calendar_version, "number": rules.number})
