"""Notices: what a person waits to hear, told in a letter: who stands behind them, what became of their project.

A notice says that something was decided and where to read it, and nothing private: no reason, no title, no evidence.
What must not live here: the words (mail.py), or when a notice is due (the services of each noun).
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec


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
    BOOKING_APPROVED = "booking_approved"
    BOOKING_DECLINED = "booking_declined"
    BOOKING_UNDECIDED = "booking_undecided"
    SLOT_OFFERED = "slot_offered"


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A letter that waits. `page` is where its reader sees more; `until` is when what it tells of ends or happens."""

    id: UUID
    person_id: UUID
    kind: NoticeKind
    name_vi: str
    name_en: str
    page: str
    until: datetime | None = None
    send_at: datetime
    attempts: int = 0


class Addressed(msgspec.Struct, frozen=True, kw_only=True):
    """A notice with its reader's address and language, as they are when it is sent."""

    notice: Notice
    email: str
    language: str
