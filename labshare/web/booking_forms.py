"""The forms of booking: what was typed, read into spans and ids, with every fault at the field where it stands.

What must not live here: rules of booking. Whatever can be read is handed to the services, which refuse with reasons.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from labshare import formats
from labshare.domain.bookings import Booking, BookingKind, BookingState
from labshare.domain.house_rules import reason_of
from labshare.domain.modes import Mode
from labshare.domain.opening import DAY_MINUTES, clock
from labshare.domain.timespan import Span
from labshare.errors import Malformed, NotFound, Refusal
from labshare.i18n import gettext, word
from labshare.web.typed import FIRST_YEAR, LAST_YEAR, instant, typed_clock, typed_date, typed_length

T = TypeVar("T")
Faults = dict[str, Refusal]
"""What could not be read, by the name of its field."""

# No choice of a form.
KEPT = "kept"
BLOCKS = (BookingKind.MAINTENANCE, BookingKind.ENGINEERING, BookingKind.CLOSURE)


class TimesForm(msgspec.Struct, frozen=True, kw_only=True):
    """When, as it is typed: an end or a length; the end's own day only when it is another one."""

    date: str = ""
    from_: str = msgspec.field(default="", name="from")
    until: str = ""
    until_date: str = ""
    length: str = ""
    # A slot that was offered after a refusal and taken with one click: its value is `slot_value`.
    slot: str = ""


class BookingForm(TimesForm, frozen=True, kw_only=True):
    """A new booking, and the rule by which it may repeat (series_forms.py)."""

    instrument: str = ""
    project: str = ""
    purpose: str = ""
    # Who will use it when it is somebody else, by login, and under which code of theirs.
    person: str = ""
    their_project: str = ""
    mode: str = ""
    setup: str = ""
    # The hold of this form (holds.py).
    hold: str = ""
    # Who is present while its user is in training.
    trainer: str = ""
    # Who of the staff runs the instrument, or helps.
    operator: str = ""
    # Why a manager passes the centre's own rules.
    override_reason: str = ""
    frequency: str = "weekly"
    interval: str = "1"
    mo: str = ""
    tu: str = ""
    we: str = ""
    th: str = ""
    fr: str = ""
    sa: str = ""
    su: str = ""
    repeat_until: str = ""
    count: str = ""


class BlockForm(TimesForm, frozen=True, kw_only=True):
    instrument: str = ""
    kind: str = BookingKind.MAINTENANCE.value
    purpose: str = ""


class ChangeForm(TimesForm, frozen=True, kw_only=True):
    """Moving or cancelling: with the booking as its page showed it, so that a change meanwhile can be told."""

    version: str = ""
    seen_starts_at: str = ""
    seen_ends_at: str = ""
    seen_state: str = ""
    # Of a series: how much of it, and its own version.
    reach: str = "one"
    series_version: str = ""
    override_reason: str = ""
    # Why a strike is taken back.
    reason: str = ""
    mode: str = ""
    setup: str = ""
    # What does not say it leaves the operator as they are.
    operator: str = KEPT


def read_span(form: TimesForm) -> tuple[Span | None, Faults]:
    """The span that was typed, on the centres' clock, or every fault of its fields."""
    faults: Faults = {}
    day = _read(faults, typed_date, form.date, "date")
    start = _read(faults, typed_clock, form.from_, "from")
    last_day = _read(faults, typed_date, form.until_date, "until_date") if form.until_date.strip() else day
    until = _read(faults, typed_clock, form.until, "until") if form.until.strip() else None
    length = _read(faults, typed_length, form.length, "length") if form.length.strip() else None
    if not form.until.strip() and not form.length.strip():
        faults["until"] = Refusal(code="end_missing")
    if faults or day is None or last_day is None or start is None:
        return None, faults
    begins = instant(day, start)
    ends = begins + timedelta(minutes=length) if length is not None else None
    if until is not None:
        # Until 00:00 of the day on which it begins can only mean the midnight that ends it.
        typed = instant(last_day, until or (DAY_MINUTES if last_day == day else 0))
        if ends is not None and ends != typed:
            return None, {"length": Refusal(code="end_contradicts_length")}
        ends = typed
    if ends is None or ends <= begins:
        # Whoever means the night finds the field for it, which is folded away until it has a fault.
        night = {} if form.until_date.strip() else {"until_date": Refusal(code="end_on_later_day")}
        return None, {"until": Refusal(code="reversed_time")} | night
    return Span(begins, ends), {}


def read_project(text: str, faults: Faults) -> UUID | None:
    """The project that was chosen; None when none was, which the rules of booking answer."""
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError:
        faults["project"] = Refusal(code="malformed_project", params={"field": "project"})
        return None


def read_person(text: str, field: str, faults: Faults) -> UUID | None:
    """The trainer or the operator who was chosen, None for nobody."""
    try:
        return UUID(text) if text else None
    except ValueError:
        faults[field] = Refusal(code="malformed", params={"field": field})
        return None


def read_operator(form: BookingForm | ChangeForm, faults: Faults) -> UUID | UnsetType | None:
    """The operator who was chosen, None for nobody; not set where the form leaves them as they are, or where the user
    is said to run the instrument themselves, who needs none.
    """
    if form.operator == KEPT or form.mode == Mode.SELF:
        return UNSET
    return read_person(form.operator, "operator", faults)


def read_override(text: str, faults: Faults) -> str:
    """The reason for passing the centre's rules, '' where none is given."""
    try:
        return reason_of(text) if text.strip() else ""
    except Malformed as fault:
        faults["override_reason"] = fault.refusals[0]
        return ""


def read_mode(text: str, faults: Faults) -> Mode | None:
    """Who runs the instrument; None leaves it to what is usual there."""
    if not text or text in set(Mode):
        return Mode(text) if text else None
    faults["mode"] = Refusal(code="malformed_mode", params={"field": "mode"})
    return None


def read_hold(text: str) -> UUID | None:
    """The hold that the form has; nobody types it, and a form books without one as well."""
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def read_kind(text: str, faults: Faults) -> BookingKind:
    """The reason of a block."""
    for kind in BLOCKS:
        if kind.value == text:
            return kind
    faults["kind"] = Refusal(code="malformed_kind", params={"field": "kind"})
    return BookingKind.MAINTENANCE


def read_id(text: str) -> UUID:
    """The booking that an address names. Raises `NotFound` for what names none."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound("booking_not_found") from None


def read_version(text: str) -> int:
    """The version that a page showed. Raises `Malformed`: nobody types it, so the page cannot have been ours."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise Malformed("malformed", field="version")
    return int(text)


def read_seen(form: ChangeForm) -> Span | None:
    """The times that the booking had when its form was opened; None where the fields cannot be read."""
    try:
        return _planned(datetime.fromisoformat(form.seen_starts_at), datetime.fromisoformat(form.seen_ends_at))
    except (ValueError, Malformed):
        return None


def changes(seen: ChangeForm, booking: Booking) -> tuple[tuple[str, str, str], ...]:
    """What stands now that was different when the form was opened: what it is, how it was, how it is."""
    before = read_seen(seen)
    found: list[tuple[str, str, str]] = []
    if before and before != booking.span:
        was, now = (formats.span(each.start, each.end) for each in (before, booking.span))
        found.append((gettext("Time"), was, now))
    if seen.seen_state and seen.seen_state != booking.state.value:
        states = (word("booking_state", seen.seen_state), word("booking_state", booking.state))
        found.append((gettext("State"), *states))
    return tuple(found)


def slot_value(span: Span) -> str:
    """A span as the value of a button."""
    return f"{formats.iso(span.start)}/{formats.iso(span.end)}"


def read_slot(text: str) -> Span:
    """The span behind such a button. Raises `Malformed`."""
    try:
        start, end = (datetime.fromisoformat(part) for part in text.split("/"))
    except ValueError:
        raise Malformed("malformed", field="slot") from None
    return _planned(start, end)


def _planned(start: datetime, end: datetime) -> Span:
    """The span of two times that a page of ours wrote. Raises `Malformed` outside the years we plan for."""
    if not (start.year >= FIRST_YEAR and end.year <= LAST_YEAR):
        raise Malformed("malformed", field="slot")
    return Span(start, end)


def times_of(span: Span) -> dict[str, str]:
    """The span as it would be typed: values for the fields of `TimesForm`."""
    first, last = formats.local(span.start), formats.local(span.end - timedelta(minutes=1))
    return {
        "date": first.date().isoformat(),
        "from_": clock(first.hour * 60 + first.minute),
        "until": clock(last.hour * 60 + last.minute + 1),
        "until_date": last.date().isoformat() if last.date() != first.date() else "",
        "length": "",
        "slot": "",
    }


def change_form(booking: Booking, sent: ChangeForm | None) -> ChangeForm:
    """The form of a change as it opens: with the booking as it stands, and what was sent from a shorter form."""
    kept = {"mode": booking.mode.value, "setup": booking.setup, "operator": str(booking.operator_id or "")}
    if sent:
        kept |= {"reach": sent.reach, "reason": sent.reason}
    return ChangeForm(**times_of(booking.span), **kept)


def with_times(form: Any, span: Span) -> Any:
    """The form with these times typed into it."""
    return msgspec.structs.replace(form, **times_of(span))


def booking_address(instrument_id: str, span: Span, **more: str) -> str:
    """The address of the form of a new booking with these times typed in."""
    times = {name.rstrip("_"): value for name, value in times_of(span).items() if value}
    return f"/bookings/new?{urlencode({'instrument': instrument_id, **times, **more}, safe=':')}"


def notice_of(booking: Booking, done: str, asked: str = "booking_asked") -> dict[str, str]:
    """The notice after a change, for `redirect`: `done`, or until when the centre decides about what waits."""
    if booking.state is BookingState.PENDING and booking.hold_expires_at:
        return {"notice": asked, "until": booking.hold_expires_at.isoformat()}
    return {"notice": done}


def _read(faults: Faults, reader: Callable[[str, str], T], text: str, field: str) -> T | None:
    try:
        return reader(text, field)
    except Malformed as fault:
        faults[field] = fault.refusals[0]
        return None
