"""A wish before it is judged: whom it may be for besides oneself, and the hold whose place it takes.

Managers book for anybody at their centre; an investigator books for the members of a project on its account. The rules
judge the person who will use the instrument. What must not live here: rules of booking, or writing (writing.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from labshare.domain.bookings import Booking, BookingState, InstrumentRules, Wish
from labshare.domain.people import Action, Actor, may
from labshare.domain.timespan import Span
from labshare.errors import Forbidden, NotFound, Refusal, Refused
from labshare.services.calendars import viewer
from labshare.services.writing import Change, Payer
from labshare.store import booking_pages
from labshare.store import bookings as store
from labshare.store import people as people_store
from labshare.store import projects as projects_store
from labshare.store.booking_pages import BookingLine
from labshare.store.bookings import Behind
from labshare.store.engine import Connection


def require_for(actor: Actor, wish: Wish, payer: Payer, rules: InstrumentRules) -> None:
    """Raises `Forbidden` where a wish is for somebody for whom the actor may not book."""
    if wish.person_id == actor.person_id or may(actor, Action.BOOK_FOR_OTHERS, centre=rules.centre_id):
        return
    leads = payer.project is not None and payer.project.pi_id == actor.person_id
    if not (leads and payer.is_member):
        raise Forbidden("forbidden", action=Action.BOOK_FOR_OTHERS.value)


def person_for(
    db: Connection, actor: Actor, rules: InstrumentRules, login: str, project: str
) -> tuple[UUID, UUID | None]:
    """The person with this login for whom the actor may book, and the id of their project, None when it is not theirs.
    A project is named by its code, or by its id.

    Raises `Refused` for anybody else: the same for who does not exist, so that nobody learns who has an account.
    """
    login, project = login.strip(), project.strip()
    if login == actor.login:
        return actor.person_id, projects_store.id_of(db, project, actor.person_id)
    if may(actor, Action.BOOK_FOR_OTHERS, centre=rules.centre_id):
        person = people_store.by_login(db, login)
        if person is None or people_store.confirmed(db, person.id) is None:
            raise Refused([Refusal(code="person_unknown", params={"login": login})])
        return person.id, projects_store.id_of(db, project, person.id)
    for line in projects_store.lines_led(db, actor.person_id):
        for member in line.members:
            is_it = project in (line.project.code, str(line.project.id)) and member.login == login
            # Who has left is a member for as long as nobody takes them off the list.
            if is_it and people_store.confirmed(db, member.person_id) is not None:
                return member.person_id, line.project.id
    raise Refused([Refusal(code="person_not_yours", params={"login": login})])


def wish_of(
    db: Connection, actor: Actor, instrument_id: str, project_code: str, span: Span, purpose: str
) -> tuple[Wish, Behind]:
    """The actor's own wish, from the codes that people use, and what was seen behind them: the instrument, and whether
    something takes that time already. One query. Raises `NotFound` for an unknown instrument.

    A project that is not the actor's is left out: the rules say so together with whatever else is wrong.
    """
    person_id = actor.person_id
    seen = store.behind_codes(db, instrument_id, project_code, person_id, span)
    wish = Wish(
        instrument_number=seen.rules.number,
        span=span,
        person_id=person_id,
        project_id=seen.project_id,
        purpose=purpose,
    )
    return wish, seen


def for_person(db: Connection, actor: Actor, wish: Wish, login: str, project: str) -> Wish:
    """The wish for somebody else, on account of their project. Raises as `person_for` does."""
    rules = store.rules_of(db, [wish.instrument_number])[wish.instrument_number]
    person_id, project_id = person_for(db, actor, rules, login, project)
    return msgspec.structs.replace(wish, person_id=person_id, project_id=project_id)


def is_answered_for(actor: Actor, line: BookingLine) -> bool:
    """Whether a booking is the actor's: they use it, or have booked it for a member of the project that they lead."""
    booking = line.booking
    has_booked = booking.booked_by_id == actor.person_id and line.leader_id == actor.person_id
    return booking.person_id == actor.person_id or has_booked


def for_others(db: Connection, actor: Actor, since: datetime) -> list[BookingLine]:
    """What the actor booked for others that ends after `since`, the earliest first, as far as they may still see it."""
    return booking_pages.lines_for_others(db, viewer(actor), since)


def has_booked_as_leader(db: Connection, actor: Actor, booking: Booking) -> bool:
    """The same of a booking for somebody else, without its line. A query only for who has booked it."""
    if booking.booked_by_id != actor.person_id or booking.project_id is None:
        return False
    found = projects_store.by_ids(db, [booking.project_id]).get(booking.project_id)
    return found is not None and found.pi_id == actor.person_id


def in_place(db: Connection, actor: Actor, changes: Sequence[Change], now: datetime) -> list[Change]:
    """The changes, each with the form's hold that its wish names in `replaces_id` as what it was before: the booking
    takes its row, so that there is no moment in which somebody else could have the time.

    A hold that has ended, or was booked already (a form that is sent again), counts for nothing. Raises `NotFound` for
    one that is not the actor's, or of another instrument. One query for each hold.
    """
    used: set[UUID] = set()
    return [_in_place(db, actor, change, used, now) for change in changes]


def _in_place(db: Connection, actor: Actor, change: Change, used: set[UUID], now: datetime) -> Change:
    wish = change.wish
    if wish is None or wish.replaces_id is None:
        return change
    held = store.get(db, wish.replaces_id)
    is_offer = held.state is BookingState.HELD and not held.form_hold
    if held.booked_by_id != actor.person_id or held.instrument_number != wish.instrument_number or is_offer:
        raise NotFound("booking_not_found")
    if held.id in used or not (held.form_hold and stands(held, now)):
        return msgspec.structs.replace(change, wish=msgspec.structs.replace(wish, replaces_id=None))
    used.add(held.id)
    after = msgspec.structs.replace(
        change.after, id=held.id, unit=held.unit, created_at=held.created_at, version=held.version
    )
    return msgspec.structs.replace(change, before=held, after=after)


def own_hold(db: Connection, actor: Actor, hold_id: UUID) -> Booking:
    """A hold that the actor's form has, or had. Raises `NotFound`."""
    held = store.get(db, hold_id)
    if held.booked_by_id != actor.person_id or not held.form_hold:
        raise NotFound("booking_not_found")
    return held


def stands(hold: Booking, now: datetime) -> bool:
    """Whether a hold keeps its time still."""
    is_over = hold.hold_expires_at is not None and hold.hold_expires_at <= now
    return hold.state is BookingState.HELD and not is_over
