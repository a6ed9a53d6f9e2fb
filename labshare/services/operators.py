"""Operators: named by the managers of a centre among those who are qualified, chosen by who books, assigned afterwards.

No table of their own: who operates an instrument holds a qualification for it, which says so and until when. What must
not live here: what the rules ask of them (domain/operators.py), or what they see and are told (training.py).
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from labshare.domain.booking_rules import NeedsOperator, Overnight
from labshare.domain.bookings import Booking, Context, InstrumentRules, Wish
from labshare.domain.house_rules import HouseRules
from labshare.domain.kept_times import asked_of_people
from labshare.domain.operators import may_operate, operated
from labshare.domain.people import Action, Actor, may, require
from labshare.errors import Malformed, Refusal, Stale, WrongState
from labshare.services import bookings, calendars, holding, house_rules, training
from labshare.services.booking_changes import again, assigning
from labshare.services.writing import refuse, write
from labshare.store import audit, person_times
from labshare.store import bookings as bookings_store
from labshare.store import people as people_store
from labshare.store import qualifications as store
from labshare.store.engine import Connection
from labshare.store.rulebooks import rulebook


class Operator(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may be named as the operator at an instrument."""

    id: UUID
    name: str


def operators(db: Connection, actor: Actor, rules: InstrumentRules, now: datetime) -> list[Operator]:
    """Who operates an instrument, by name; nobody for those who may not book."""
    if not may(actor, Action.BOOK):
        return []
    return [
        Operator(id=line.person_id, name=line.person or line.login)
        for line in store.of_instrument(db, rules.number)
        if may_operate(line.held, line.demand, line.timezone, now)
    ]


def name(db: Connection, actor: Actor, instrument_id: str, login: str, *, operates: bool, now: datetime) -> None:
    """Have somebody who is qualified for an instrument operate it, or no more; what is booked stays. For the managers
    of its centre, who may name themselves.

    Raises `NotFound` for an unknown instrument, `Forbidden`, `Malformed` for an unknown person, and `WrongState` for
    one who holds no qualification there.
    """
    rules = calendars.rules_of(db, instrument_id)
    require(actor, Action.MANAGE_CALENDAR, centre=rules.centre_id)
    person = people_store.by_login(db, login.strip())
    if person is None:
        raise Malformed("person_unknown", field="login", login=login)
    # A booking that names them is judged before or after it.
    bookings_store.lock_persons(db, [person.id])
    if not store.name_operator(db, person.id, rules.number, operates=operates):
        raise WrongState("qualification_not_held")
    action = "name_operator" if operates else "relieve_operator"
    details = {"instrument": rules.id}
    audit.record(
        db, actor_id=actor.person_id, action=action, noun="qualification", noun_id=person.id, now=now, details=details
    )


def assign(
    db: Connection, actor: Actor, booking_id: UUID, operator_id: UUID | None, *, seen_version: int, now: datetime
) -> Booking:
    """Name who operates the instrument for a booking, or nobody. For whoever may move it.

    Its time stays, so that no rule is asked again but the one about operators, and outside opening hours the one about
    who answers for a use then; a manager may also leave a booking without one. Raises `Stale`, `WrongState` for what
    has begun, and `Refused`.
    """
    booking, locked = bookings.held_with(db, actor, booking_id, (), also=[operator_id] if operator_id else ())
    rules = locked[booking.instrument_number]
    if booking.version != seen_version:
        raise Stale("booking_changed")
    bookings.require_movable(booking, now)
    if operator_id == booking.operator_id:
        return booking
    is_manager = may(actor, Action.MANAGE_CALENDAR, centre=rules.centre_id)
    refuse(_refusals(db, booking, operator_id, rules, now, is_manager=is_manager))
    (written,) = write(db, actor, [assigning(booking, operator_id, now)], locked, now, action="assign")
    training.tell_left(db, actor, [(booking, written)], locked, now)
    # A trainer hears of the times alone.
    training.tell(db, actor, [msgspec.structs.replace(written, trainer_id=None)], locked, "assign", now)
    return written


# ---------------------------------------------------------------- parts


def _refusals(
    db: Connection,
    booking: Booking,
    operator_id: UUID | None,
    rules: InstrumentRules,
    now: datetime,
    *,
    is_manager: bool,
) -> tuple[Refusal, ...]:
    wish = again(booking, booking.span, rules=rules, mode=booking.mode, operator_id=operator_id)
    posted = rulebook(db).posted_at(rules.site)
    if is_manager:
        # They may say later who comes, which asks for no reason.
        posted = tuple(each for each in posted if not isinstance(each.rule, NeedsOperator))
    busy = person_times.person_busy(db, operator_id, wish.span) if operator_id else ()
    known = Context(
        now=now,
        rules=rules,
        house=HouseRules(rules=posted),
        operator=holding.of_wish(db, rules, wish).operator,
        operator_busy=tuple(each for each in busy if not each.is_due(now)),
    )
    return (*operated(wish, known), *_unattended(db, booking, wish, known, is_manager=is_manager))


def _unattended(
    db: Connection, booking: Booking, wish: Wish, known: Context, *, is_manager: bool
) -> tuple[Refusal, ...]:
    """What the rule about closed hours says of the wish and did not say of the booking as it stands: nobody is left
    there at night with less than it asks for, and whoever comes in addition is never in the way.
    """
    if not any(isinstance(each.rule, Overnight) for each in known.house.rules):
        return ()
    known = msgspec.structs.replace(known, closed_dates=calendars.closed_dates_over(wish.span))

    def said(operator_id: UUID | None) -> tuple[Refusal, ...]:
        # The staff whom a manager leaves without a name are there as well: only the level is asked of them, too.
        other = msgspec.structs.replace(wish, operator_id=operator_id, override="manager" if is_manager else "")
        held = holding.of_wish(db, known.rules, other)
        there = msgspec.structs.replace(known, held=held.user, trainer=held.trainer, operator=held.operator)
        return asked_of_people(other, house_rules.with_level(db, other, there))

    stood = said(booking.operator_id)
    return tuple(each for each in said(wish.operator_id) if each not in stood)
