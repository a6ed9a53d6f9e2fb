"""The form of a booking, read into the wish that it makes: for whom, how and with whom, in place of which hold.

What must not live here: whether the wish may be granted (services), or times as they are typed (booking_forms.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import UNSET

from labshare.domain.bookings import InstrumentRules, Wish
from labshare.domain.modes import Mode
from labshare.domain.people import Action, Actor, may, may_somewhere
from labshare.domain.timespan import Span
from labshare.errors import Refusal, Refused
from labshare.i18n import gettext, word
from labshare.services import Connection, calendars, operators, projects, wishes
from labshare.services.bookings import BookingLine
from labshare.web import qualifications, waitlist
from labshare.web.booking_forms import (
    BookingForm,
    Faults,
    read_hold,
    read_mode,
    read_operator,
    read_override,
    read_person,
    read_project,
    read_span,
)


def read_wish(db: Connection, me: Actor, form: BookingForm) -> tuple[Wish | None, Faults]:
    """The wish that was typed, or every fault of its fields. Raises `NotFound` for an unknown instrument."""
    rules = calendars.rules_of(db, form.instrument)
    span, faults = read_span(form)
    person_id, project_id = me.person_id, read_project(form.project, faults)
    override, mode = read_override(form.override_reason, faults), read_mode(form.mode, faults)
    trainer_id, operator_id = read_person(form.trainer, "trainer", faults), read_operator(form, faults)
    if form.person.strip() not in ("", me.login):
        try:
            person_id, project_id = wishes.person_for(db, me, rules, form.person, form.their_project or form.project)
        except Refused as error:
            faults["person"] = error.refusals[0]
    if faults or span is None:
        return None, faults
    wish = Wish(
        instrument_number=rules.number,
        span=span,
        person_id=person_id,
        project_id=project_id,
        purpose=form.purpose,
        override=override,
        mode=mode,
        setup=form.setup,
        trainer_id=trainer_id,
        operator_id=None if operator_id is UNSET else operator_id,
        replaces_id=read_hold(form.hold),
    )
    return wish, {}


def choices(db: Connection, me: Actor, rules: InstrumentRules | None = None) -> dict[str, Any]:
    """For whom the reader may book there, or anywhere: anybody, by login, or those who are in the projects that they
    lead.
    """
    action = Action.BOOK_FOR_OTHERS
    for_anybody = may(me, action, centre=rules.centre_id) if rules else may_somewhere(me, action)
    members = [] if for_anybody else projects.members_led(db, me)
    return {
        "for_anybody": for_anybody,
        "members": [(login, " · ".join((name, *codes))) for login, name, codes in members],
    }


def ways_after(
    db: Connection,
    me: Actor,
    rules: InstrumentRules,
    trainer: str,
    refusals: Sequence[Refusal],
    span: Span | None,
    now: datetime,
) -> dict[str, Any]:
    """The trainers whom a form offers, with the one who is chosen, and what would help where it is refused: one of
    them, to ask for the qualification, or the waitlist (bookings/_ways.html).
    """
    return {
        **qualifications.ways_to_train(db, me, rules, trainer, refusals, now),
        "ask_address": qualifications.address_after(refusals, rules),
        "wait_address": waitlist.address_after(refusals, rules, span),
    }


def operator_choices(
    db: Connection, me: Actor, rules: InstrumentRules, now: datetime, line: BookingLine | None = None
) -> list[tuple[str, str]]:
    """Who of the staff may be named, where they run the instrument or help: ids and names. Whoever is named for the
    booking of this line stays a choice, so that no form takes them off unasked.
    """
    found: list[tuple[str, str]] = []
    if not set(rules.modes) <= {Mode.SELF}:
        found = [(str(each.id), each.name) for each in operators.operators(db, me, rules, now)]
    if line and line.booking.operator_id and str(line.booking.operator_id) not in dict(found):
        gone = gettext("%(name)s (operates it no more)") % {"name": line.operator}
        found.insert(0, (str(line.booking.operator_id), gone))
    return found


def staff_choices(db: Connection, me: Actor, rules: InstrumentRules, now: datetime) -> list[tuple[str, str]]:
    """Each mode of an instrument, and with it whoever may be named, in one list with the usual mode first; none where
    its user runs it in any case.
    """
    if set(rules.modes) <= {Mode.SELF}:
        return []
    people = operator_choices(db, me, rules, now)
    found: list[tuple[str, str]] = []
    for mode in rules.modes:
        # The mode comes first, as a phone shows the beginning of a choice alone.
        said = word("mode_said", mode)
        said = said[:1].upper() + said[1:]
        found.append((mode.value, said))
        if mode is not Mode.SELF:
            found += [(f"{mode.value}:{key}", f"{said}: {name}") for key, name in people]
    return found
