"""Invitations: a one-time token sent to an address, which proves the address and lets a person in, or anew.

Only the token's hash is kept. What must not live here: making tokens (services/invitations.py) or letters (mail.py).
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from labshare.domain.people import is_login
from labshare.errors import Refusal, Refused

# Who asked for a letter is waiting for it; who was invited may be travelling.
ASKED_HOLDS = timedelta(days=1)
INVITED_HOLDS = timedelta(days=7)
LONGEST_EMAIL, LONGEST_NAME = 254, 100

_EMAIL = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+")


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """A token's row. With `person_id` it lets that person choose a new password; without, it lets somebody new in.

    `invited_by_id` is None where the person at the address asked themselves. `organisation_id` is whom the inviter
    speaks for. `send_at` is when the letter is due; None once it is sent.
    """

    id: UUID
    email: str
    name: str = ""
    language: str = "vi"
    organisation_id: str | None = None
    person_id: UUID | None = None
    invited_by_id: UUID | None = None
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    send_at: datetime | None = None
    attempts: int = 0

    def is_open(self, now: datetime) -> bool:
        """Whether its token still lets somebody in."""
        return self.used_at is None and now < self.expires_at


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation with the names that its letter or its line on a page needs; empty where there are none.

    `lets_in` is False for a line that is only there to be seen: nobody holds its token.
    """

    invitation: Invitation
    lets_in: bool = True
    login: str = ""
    inviter: str = ""
    name_vi: str = ""
    name_en: str = ""


def require_email(text: str) -> str:
    """The address in lower case. Raises `Refused` for what cannot be one."""
    email = text.strip().lower()
    if len(email) > LONGEST_EMAIL or not _EMAIL.fullmatch(email):
        raise Refused([Refusal(code="email_unreadable")])
    return email


def check_newcomer(login: str, name: str) -> tuple[str, str]:
    """Login and name, trimmed. Raises `Refused` with what is wrong with either."""
    login, name = login.strip(), " ".join(name.split())
    refusals: list[Refusal] = []
    if not is_login(login):
        refusals.append(Refusal(code="malformed_login", params={"login": login}))
    refusals += name_faults(name)
    if refusals:
        raise Refused(refusals)
    return login, name


def name_faults(name: str) -> list[Refusal]:
    """What is wrong with a person's name; an inviter may leave it empty and does not call this then."""
    if not name:
        return [Refusal(code="field_missing", params={"field": "name"})]
    if len(name) > LONGEST_NAME or not name.isprintable():
        return [Refusal(code="field_too_long", params={"field": "name", "limit": LONGEST_NAME})]
    return []
