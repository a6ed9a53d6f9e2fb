"""Notices: what a person is told of, in the app and by letter: that something was decided, changed or offered.

A notice says that something happened and where to read it, and nothing private: no reason, no title, no evidence.
Everybody reads all of theirs in the app; for each kind they choose when a letter says it too. What must not live here:
the words (labshare/notice_words.py), or when a notice is due (the services of each noun).
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from labshare.domain.bookings import OCCUPYING, WAITING, Booking, BookingState
from labshare.domain.windows import CENTRE_ZONE_NAME


class NoticeKind(StrEnum):
    """What happened."""

    AFFILIATION_CONFIRMED = "affiliation_confirmed"
    AFFILIATION_DECLINED = "affiliation_declined"
    ORGANISATION_CHECKED = "organisation_checked"
    ORGANISATION_DECLINED = "organisation_declined"
    PROJECT_VERIFIED = "project_verified"
    PROJECT_DECLINED = "project_declined"
    PROJECT_REVIEW = "project_review"
    PROJECT_EXPIRED = "project_expired"
    LEDGER_DISPLACED = "ledger_displaced"
    LEDGER_TO_PULL_BACK = "ledger_to_pull_back"
    LEDGER_PULLED_BACK = "ledger_pulled_back"
    BOOKING_TO_DECIDE = "booking_to_decide"
    BOOKING_APPROVED = "booking_approved"
    BOOKING_DECLINED = "booking_declined"
    BOOKING_UNDECIDED = "booking_undecided"
    BOOKING_MADE = "booking_made"
    BOOKING_MOVED = "booking_moved"
    BOOKING_CHANGED = "booking_changed"
    BOOKING_CANCELLED = "booking_cancelled"
    BOOKING_MISSED = "booking_missed"
    BOOKING_PARDONED = "booking_pardoned"
    BOOKING_GIVEN = "booking_given"
    SLOT_OFFERED = "slot_offered"
    EXCHANGE_ASKED = "exchange_asked"
    EXCHANGE_ACCEPTED = "exchange_accepted"
    EXCHANGE_DECLINED = "exchange_declined"
    ROUND_PLACED = "round_placed"
    ROUND_UNPLACED = "round_unplaced"
    ROUND_WITHDRAWN = "round_withdrawn"

    QUALIFICATION_GRANTED = "qualification_granted"
    QUALIFICATION_DECLINED = "qualification_declined"
    QUALIFICATION_REVOKED = "qualification_revoked"
    QUALIFICATION_ENDS = "qualification_ends"
    TRAINING_BOOKED = "training_booked"
    TRAINING_CANCELLED = "training_cancelled"
    OPERATING_BOOKED = "operating_booked"
    OPERATING_CANCELLED = "operating_cancelled"
    BOOKING_OPERATOR = "booking_operator"


class Mail(StrEnum):
    """When a letter says what the app says."""

    AT_ONCE = "at_once"
    DAILY = "daily"
    NEVER = "never"


K = NoticeKind
# In the order in which they are chosen from. A group is shown to whomever it concerns.
GROUPS: dict[str, tuple[NoticeKind, ...]] = {
    "bookings": (K.BOOKING_MADE, K.BOOKING_MOVED, K.BOOKING_CHANGED, K.BOOKING_CANCELLED, K.BOOKING_MISSED,
                 K.BOOKING_PARDONED, K.BOOKING_APPROVED, K.BOOKING_DECLINED, K.BOOKING_UNDECIDED, K.BOOKING_OPERATOR,
                 K.SLOT_OFFERED, K.EXCHANGE_ASKED, K.EXCHANGE_ACCEPTED, K.EXCHANGE_DECLINED, K.BOOKING_GIVEN,
                 K.OPERATING_BOOKED, K.OPERATING_CANCELLED),
    "rounds": (K.ROUND_PLACED, K.ROUND_UNPLACED, K.ROUND_WITHDRAWN),
    "qualifications": (K.QUALIFICATION_GRANTED, K.QUALIFICATION_DECLINED, K.QUALIFICATION_REVOKED,
                       K.QUALIFICATION_ENDS, K.TRAINING_BOOKED, K.TRAINING_CANCELLED),
    "centre": (K.BOOKING_TO_DECIDE,),
    "agreements": (K.LEDGER_DISPLACED, K.LEDGER_TO_PULL_BACK, K.LEDGER_PULLED_BACK),
    "people": (K.PROJECT_VERIFIED, K.PROJECT_DECLINED, K.PROJECT_REVIEW, K.PROJECT_EXPIRED, K.AFFILIATION_CONFIRMED,
               K.AFFILIATION_DECLINED, K.ORGANISATION_CHECKED, K.ORGANISATION_DECLINED),
}  # fmt: skip
# What gives or takes a right, or opens the time to object: its letter is always sent, and at once.
RIGHTS = frozenset({
    K.AFFILIATION_CONFIRMED, K.AFFILIATION_DECLINED, K.ORGANISATION_CHECKED, K.ORGANISATION_DECLINED,
    K.PROJECT_VERIFIED, K.PROJECT_DECLINED, K.PROJECT_EXPIRED, K.LEDGER_TO_PULL_BACK,
    K.QUALIFICATION_GRANTED, K.QUALIFICATION_DECLINED, K.QUALIFICATION_REVOKED,
})  # fmt: skip
# What may be over before the next morning: a letter comes at once or not at all.
HASTY = frozenset({K.SLOT_OFFERED})
# What asks its reader for something: read once that is not wanted any more, and in no letter after `until`.
ASKING = frozenset({K.BOOKING_TO_DECIDE, K.SLOT_OFFERED})
# What a letter carries as a calendar file: the bookings of its reader.
WITH_CALENDAR = frozenset({
    K.BOOKING_MADE, K.BOOKING_MOVED, K.BOOKING_CHANGED, K.BOOKING_CANCELLED, K.BOOKING_APPROVED, K.BOOKING_DECLINED,
    K.BOOKING_UNDECIDED,
})  # fmt: skip
# When what was put off is sent, in the centres' zone: before work begins.
DIGEST_AT = time(7)
# How long the app shows a notice.
KEPT = timedelta(days=90)


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What a person is told. `page` is where they see more; `until` is when what it tells of ends or happens.

    `send_at` is when its letter is due, alone or with the others of that day's digest; None once it is sent, and where
    none is wanted. `booking_id` names what a booking's notice is about, with `series_id` those of its series too.
    """

    id: UUID
    person_id: UUID
    kind: NoticeKind
    name_vi: str
    name_en: str
    page: str
    until: datetime | None = None
    booking_id: UUID | None = None
    series_id: UUID | None = None
    created_at: datetime
    read_at: datetime | None = None
    send_at: datetime | None = None
    in_digest: bool = False
    attempts: int = 0


class Addressed(msgspec.Struct, frozen=True, kw_only=True):
    """The notices of one letter, one or those of a digest, with their reader's address and language as it is sent."""

    notices: tuple[Notice, ...]
    email: str
    language: str

    @property
    def notice(self) -> Notice:
        """The first, which alone is in every letter that is no digest."""
        return self.notices[0]


def choices(kind: NoticeKind) -> tuple[Mail, ...]:
    """What a person may choose for a kind; only one where its letter is always sent."""
    if kind in RIGHTS:
        return (Mail.AT_ONCE,)
    return (Mail.AT_ONCE, Mail.NEVER) if kind in HASTY else tuple(Mail)


def in_force(kind: NoticeKind, chosen: str | None) -> Mail:
    """When a letter is sent to somebody who chose this, or nothing; what may not be chosen does not count."""
    return next((each for each in choices(kind) if each == chosen), Mail.AT_ONCE)


def send_at(mail: Mail, now: datetime) -> datetime | None:
    """When the letter of something that happens now is due."""
    if mail is Mail.DAILY:
        return next_digest(now)
    return now if mail is Mail.AT_ONCE else None


def next_digest(now: datetime) -> datetime:
    """The next morning at which digests are sent, today's if it is not over."""
    local = now.astimezone(ZoneInfo(CENTRE_ZONE_NAME))
    morning = datetime.combine(local.date(), DIGEST_AT, local.tzinfo)
    return (morning if now < morning else morning + timedelta(days=1)).astimezone(now.tzinfo)


def of_change(action: str, before: Booking | None, after: Booking, by_id: UUID) -> NoticeKind | None:
    """What a booking's person is told of a change, made by the word of the audit: nothing of what they did themselves,
    and nothing here of decisions, offers and plans, which tell by themselves, or of a form's hold, which may yet become
    nothing.

    What moves to another instrument is cancelled there and made here.
    """
    if after.person_id in (None, by_id) or after.form_hold:
        return None
    if action == "move" and after.state in OCCUPYING and before is not None:
        return _of_move(before, after)
    if action in ("book", "move") and after.state in OCCUPYING:
        return NoticeKind.BOOKING_MADE
    if action in ("cancel", "move"):
        return NoticeKind.BOOKING_CANCELLED
    if action == "assign":
        return NoticeKind.BOOKING_OPERATOR
    return _OF_STRIKES.get(action)


_OF_STRIKES = {"miss": NoticeKind.BOOKING_MISSED, "pardon": NoticeKind.BOOKING_PARDONED}


def _of_move(before: Booking, after: Booking) -> NoticeKind | None:
    if before.starts_at != after.starts_at:
        return NoticeKind.BOOKING_MOVED
    if (before.ends_at, before.mode, before.setup) != (after.ends_at, after.mode, after.setup):
        return NoticeKind.BOOKING_CHANGED
    return NoticeKind.BOOKING_OPERATOR if before.operator_id != after.operator_id else None


def begins_to_wait(before: Booking | None, after: Booking) -> bool:
    """Whether its centre has to decide on a booking that it was not asked of yet."""
    return after.state is BookingState.PENDING and (before is None or before.state is not BookingState.PENDING)


def waits_no_more(before: Booking | None, after: Booking) -> bool:
    """Whether its centre need not decide any more, or its person not answer an offer; a form's hold asks nobody."""
    if before is None or before.form_hold:
        return False
    return before.state in WAITING and after.state is not before.state
