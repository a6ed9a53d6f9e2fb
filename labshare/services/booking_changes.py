"""What a booking becomes: the changes that make one of a wish, give it other times or words, and give its time back.

What must not live here: who may do it (bookings.py), whether the rules let them, or the writing (writing.py).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
from msgspec import UNSET, UnsetType

from labshare.domain.approvals import standing
from labshare.domain.bookings import Booking, BookingKind, BookingState, InstrumentRules, Wish
from labshare.domain.modes import Mode, mode_of, still_offered
from labshare.domain.people import Action, Actor, may
from labshare.domain.projects import Project
from labshare.domain.timespan import Span
from labshare.errors import Malformed
from labshare.services import clauses
from labshare.services.writing import Change, Locked, Payer, ended
from labshare.store.engine import Connection

LONGEST_PURPOSE = 500


def again(
    booking: Booking,
    span: Span,
    purpose: str | None = None,
    *,
    rules: InstrumentRules,
    mode: Mode | None = None,
    setup: str | None = None,
    operator_id: UUID | UnsetType | None = UNSET,
) -> Wish:
    """A booking as the wish for itself at another time; what is not given it keeps, as far as that is still offered.

    The operator stays unless its user now runs it themselves.
    """
    kept_mode, kept_setup = still_offered(booking.mode, booking.setup, rules)
    wish = Wish(
        mode=mode or kept_mode,
        setup=kept_setup if setup is None else setup,
        instrument_number=booking.instrument_number,
        span=span,
        person_id=booking.person_id,
        project_id=booking.project_id,
        purpose=booking.purpose if purpose is None else purpose_of(purpose),
        replaces_id=booking.id,
        kind=booking.kind,
        trainer_id=booking.trainer_id,
    )
    if operator_id is UNSET:
        operator_id = None if mode_of(wish, rules) is Mode.SELF else booking.operator_id
    return msgspec.structs.replace(wish, operator_id=operator_id)


def asked_anew(
    booking: Booking,
    span: Span,
    purpose: str | None = None,
    *,
    rules: InstrumentRules,
    mode: Mode | None = None,
    setup: str | None = None,
    operator_id: UUID | UnsetType | None = UNSET,
) -> Wish:
    """The same for a move of it: who gives a part back, and asks for nothing else, keeps what is offered no more."""
    if (purpose, mode, setup, operator_id) == (None, None, None, UNSET) and booking.span.contains(span):
        mode, setup, operator_id = booking.mode, booking.setup, booking.operator_id
    return again(booking, span, purpose, rules=rules, mode=mode, setup=setup, operator_id=operator_id)


def adding(locked: Locked, wish: Wish, payer: Payer, actor: Actor, now: datetime) -> Change:
    """The change that makes a new booking of a wish."""
    after = _new(locked[wish.instrument_number], wish, payer.project, actor, now)
    return Change(after=after, wish=wish, payer=payer)


def moving(
    db: Connection, booking: Booking, wish: Wish, rules: InstrumentRules, payer: Payer, now: datetime, *, by: Actor
) -> Change:
    """The change that gives a booking the times and the purpose of the wish for it; other times are approved anew, and
    need no reason that was given for those before. Who gives a part back, or none, keeps all of that.
    """
    state, until, reason = booking.state, booking.hold_expires_at, booking.override_reason
    # What keeps its times keeps the changeover that it was booked with: what is posted since is for other times.
    before, after = booking.starts_at - booking.occupied_from, booking.occupied_until - booking.ends_at
    occupied = Span(wish.span.start - before, wish.span.end + after)
    late, mode = booking.late_notice, _mode(wish, rules)
    attended = attends(wish, rules, mode)
    if booking.span.contains(wish.span):
        attended = booking.attended if mode is booking.mode else attended
    else:
        occupied = rules.occupied(wish.span, booking.kind)
        state, until = standing_for(by, rules, booking.kind, booking.organisation_id, wish.span.start, now)
        reason = ""
    if wish.span.start != booking.starts_at and not wish.span.contains(booking.span):
        # Whoever gives it back after all has given back the time that it was to take at first, unless it is the centre
        # that chose another one.
        late = is_late(db, by, booking, rules, now)
    moved = msgspec.structs.replace(
        booking,
        starts_at=wish.span.start,
        ends_at=wish.span.end,
        occupied_from=occupied.start,
        occupied_until=occupied.end,
        purpose=wish.purpose,
        mode=mode,
        setup=wish.setup,
        attended=attended,
        operator_id=wish.operator_id,
        state=state,
        hold_expires_at=until,
        override_reason=wish.override or reason,
        late_notice=late,
        updated_at=now,
    )
    return Change(before=booking, after=moved, wish=wish, payer=payer)


def describing(booking: Booking, purpose: str, now: datetime) -> Change:
    """The change that says in other words what a booking is for."""
    return Change(before=booking, after=msgspec.structs.replace(booking, purpose=purpose_of(purpose), updated_at=now))


def assigning(booking: Booking, operator_id: UUID | None, now: datetime) -> Change:
    """The change that names another operator, or none."""
    return Change(before=booking, after=msgspec.structs.replace(booking, operator_id=operator_id, updated_at=now))


def cancelling(db: Connection, actor: Actor, booking: Booking, rules: InstrumentRules, now: datetime) -> Change:
    """The change that gives the time back, late or in time by the notice that an agreement asks of its user (R21)."""
    if booking.form_hold:
        # Nobody had said that they would come, and nobody who waits is told that they gave something back.
        return ended(booking, BookingState.RELEASED, now)
    late = is_late(db, actor, booking, rules, now)
    return ended(msgspec.structs.replace(booking, late_notice=late), BookingState.CANCELLED, now)


def is_late(db: Connection, actor: Actor, booking: Booking, rules: InstrumentRules, now: datetime) -> bool:
    """Whether it is a strike of its user if this actor gives it back now: that of who speaks for them too, and of
    nobody where the centre does it, or who would be there for them.
    """
    answers = actor.person_id in booking.attendants or may(actor, Action.MANAGE_CALENDAR, centre=rules.centre_id)
    is_bound = booking.person_id == actor.person_id or not answers
    return is_bound and (booking.late_notice or clauses.is_late(db, rules, booking, now))


def standing_for(
    actor: Actor, rules: InstrumentRules, kind: BookingKind, organisation_id: str | None, start: datetime, now: datetime
) -> tuple[BookingState, datetime | None]:
    """How a booking by this actor stands, and until when the centre may decide. Who answers for the centre waits for
    nobody, and neither does whom they book for.
    """
    if may(actor, Action.MANAGE_CALENDAR, centre=rules.centre_id):
        return BookingState.CONFIRMED, None
    return standing(rules, kind, organisation_id, start, now)


def attends(wish: Wish, rules: InstrumentRules, mode: Mode) -> bool:
    """Whether somebody must be there for a use: nobody who has it run by the staff."""
    return rules.attended and wish.person_id is not None and mode is not Mode.COMMISSIONED


def purpose_of(text: str) -> str:
    text = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    if len(text) > LONGEST_PURPOSE:
        raise Malformed("purpose_too_long", most=LONGEST_PURPOSE)
    return text


def copied(project: Project | None) -> dict[str, Any]:
    """What a project says, as it is copied onto its bookings."""
    return {
        "organisation_id": project.organisation_id if project else None,
        "access_class": project.access_class if project else None,
        "activity": project.activity if project else None,
        "agreement_id": project.agreement_id if project else None,
    }


def _mode(wish: Wish, rules: InstrumentRules) -> Mode:
    """That of a use; a block has none, whatever is usual there."""
    return mode_of(wish, rules) if wish.kind is BookingKind.USE else Mode.SELF


def _new(rules: InstrumentRules, wish: Wish, project: Project | None, actor: Actor, now: datetime) -> Booking:
    """The booking that a wish becomes; what the project says is copied onto it."""
    occupied = rules.occupied(wish.span, wish.kind)
    mode = _mode(wish, rules)
    organisation_id = project.organisation_id if project else None
    state, until = standing_for(actor, rules, wish.kind, organisation_id, wish.span.start, now)
    return Booking(
        id=uuid4(),
        instrument_number=rules.number,
        kind=wish.kind,
        state=state,
        hold_expires_at=until,
        starts_at=wish.span.start,
        ends_at=wish.span.end,
        occupied_from=occupied.start,
        occupied_until=occupied.end,
        person_id=wish.person_id,
        booked_by_id=actor.person_id,
        trainer_id=wish.trainer_id,
        operator_id=wish.operator_id,
        project_id=wish.project_id,
        **copied(project),
        attended=attends(wish, rules, mode),
        mode=mode,
        setup=wish.setup,
        purpose=wish.purpose,
        override_reason=wish.override,
        created_at=now,
        updated_at=now,
    )
