"""What a notice carries and that it carries nothing private, who is told of a change, and when letters are sent."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import pytest

from labshare.domain.bookings import Booking, BookingState
from labshare.domain.notices import (
    GROUPS,
    RIGHTS,
    WITH_CALENDAR,
    Mail,
    Notice,
    NoticeKind,
    begins_to_wait,
    choices,
    in_force,
    next_digest,
    of_change,
    send_at,
    waits_no_more,
)
from tests.furniture import MANAGER, NOW, RESEARCHER, XRD, a_booking, at, span

K = NoticeKind
BOOKING = a_booking(XRD, span(25, 9, 11))


def but(**changes: object) -> Booking:
    return msgspec.structs.replace(BOOKING, **changes)


def test_a_notice_has_no_place_for_a_reason_a_title_or_evidence() -> None:
    fields = (
        "id", "person_id", "kind", "name_vi", "name_en", "page", "until", "booking_id", "series_id", "created_at",
        "read_at", "send_at", "in_digest", "attempts",
    )  # fmt: skip
    assert Notice.__struct_fields__ == fields


def test_each_noun_is_told_of_by_its_name() -> None:
    """A kind begins with its noun, so that words of two nouns are never mixed up."""
    assert {kind.partition("_")[0] for kind in NoticeKind} == {
        "affiliation", "organisation", "project", "ledger", "booking", "slot", "round", "qualification", "training",
        "exchange", "operating",
    }  # fmt: skip


def test_each_kind_stands_in_one_group_of_the_page_of_choices() -> None:
    assert sorted(kind for kinds in GROUPS.values() for kind in kinds) == sorted(NoticeKind)


def test_what_carries_a_right_is_always_written_at_once() -> None:
    for kind in RIGHTS:
        assert choices(kind) == (Mail.AT_ONCE,)
        assert in_force(kind, "never") is Mail.AT_ONCE
    assert K.AFFILIATION_CONFIRMED in RIGHTS
    assert not WITH_CALENDAR & RIGHTS


def test_an_offer_of_two_hours_is_in_no_letter_of_the_next_morning() -> None:
    assert choices(K.SLOT_OFFERED) == (Mail.AT_ONCE, Mail.NEVER)
    assert in_force(K.SLOT_OFFERED, "daily") is Mail.AT_ONCE
    assert in_force(K.SLOT_OFFERED, "never") is Mail.NEVER


def test_a_letter_comes_at_once_unless_its_reader_chose_otherwise() -> None:
    assert choices(K.BOOKING_MOVED) == (Mail.AT_ONCE, Mail.DAILY, Mail.NEVER)
    assert in_force(K.BOOKING_MOVED, None) is Mail.AT_ONCE
    assert in_force(K.BOOKING_MOVED, "daily") is Mail.DAILY
    # What another version wrote, and this one does not know.
    assert in_force(K.BOOKING_MOVED, "weekly") is Mail.AT_ONCE


@pytest.mark.parametrize(
    ("now", "morning"),
    [
        # 08:00 in Hanoi is after seven: the next morning.
        (NOW, at(24, 7)),
        (at(23, 6, 59), at(23, 7)),
        (at(23, 7), at(24, 7)),
        # 00:30 in Hanoi, which is 17:30 of the day before in UTC.
        (at(24, 0, 30), at(24, 7)),
        (at(23, 23, 59), at(24, 7)),
    ],
)
def test_what_is_put_off_is_sent_at_seven_in_the_morning(now: datetime, morning: datetime) -> None:
    assert next_digest(now) == morning
    assert send_at(Mail.DAILY, now) == morning
    assert (send_at(Mail.AT_ONCE, now), send_at(Mail.NEVER, now)) == (now, None)


@pytest.mark.parametrize(
    ("action", "before", "after", "kind"),
    [
        ("book", None, BOOKING, K.BOOKING_MADE),
        ("move", BOOKING, but(starts_at=at(25, 10)), K.BOOKING_MOVED),
        # To another instrument: one is given up and one is made.
        ("move", BOOKING, but(state=BookingState.CANCELLED), K.BOOKING_CANCELLED),
        ("move", None, BOOKING, K.BOOKING_MADE),
        # A form's hold becomes the booking, or gives way to the dates of a series.
        ("book", but(state=BookingState.HELD), BOOKING, K.BOOKING_MADE),
        ("book", but(state=BookingState.HELD), but(state=BookingState.RELEASED), None),
        ("hold", None, but(state=BookingState.HELD), None),
        # Only the words are others.
        ("move", BOOKING, but(purpose="x"), None),
        ("describe", BOOKING, but(purpose="x"), None),
        ("cancel", BOOKING, but(state=BookingState.CANCELLED), K.BOOKING_CANCELLED),
        ("miss", BOOKING, but(state=BookingState.NO_SHOW), K.BOOKING_MISSED),
        # These tell by themselves.
        ("approve", BOOKING, BOOKING, None),
        ("decline", BOOKING, BOOKING, None),
        ("publish", None, BOOKING, None),
        ("offer", None, BOOKING, None),
        ("block", None, but(person_id=None), None),
    ],
)
def test_a_person_is_told_what_others_do_with_their_booking(
    action: str, before: Booking | None, after: Booking, kind: NoticeKind | None
) -> None:
    assert of_change(action, before, after, MANAGER) is kind
    # And never what they do themselves.
    assert of_change(action, before, after, RESEARCHER) is None


def test_a_centre_is_asked_when_a_booking_begins_to_wait_and_no_more_once_it_does_not() -> None:
    waits = but(state=BookingState.PENDING, hold_expires_at=NOW + timedelta(days=1))
    assert begins_to_wait(None, waits)
    assert begins_to_wait(BOOKING, waits)
    assert not begins_to_wait(waits, waits)
    assert not begins_to_wait(None, BOOKING)
    assert waits_no_more(waits, BOOKING)
    # An offer that is taken is answered, though its centre may have to decide.
    assert waits_no_more(but(state=BookingState.HELD), waits)
    assert not waits_no_more(but(state=BookingState.HELD, form_hold=1), BOOKING)
    assert not waits_no_more(waits, waits)
    assert not waits_no_more(None, BOOKING)
