"""Tokens: how a program speaks for a person. Only the hash of a token's secret is kept.

What must not live here: making the secret (services/tokens.py) or reading it from a request (web/api/).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec

from labshare.errors import Malformed

# A secret says what it is, so that a scanner (or a colleague) who finds one in a file knows what to revoke.
SECRET_PREFIX = "labshare_"  # noqa: S105  the public part of every secret
MOST_DAYS = 366
LABEL_LENGTH = 80


class TokenState(StrEnum):
    """What a token is good for at an instant."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """That whoever knows a secret may act as a person until it expires or is revoked."""

    id: UUID
    person_id: UUID
    label: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None

    def state(self, now: datetime) -> TokenState:
        """A revoked token stays revoked after its expiry, so that the list tells what happened."""
        if self.revoked_at is not None:
            return TokenState.REVOKED
        return TokenState.ACTIVE if now < self.expires_at else TokenState.EXPIRED


def new_token(token_id: UUID, person_id: UUID, *, days: int, label: str, now: datetime) -> Token:
    """A token that holds for whole days. Raises `Malformed` when it would hold too long or its label is too long."""
    if not 1 <= days <= MOST_DAYS:
        raise Malformed("token_days", days=days, most=MOST_DAYS)
    if len(label) > LABEL_LENGTH:
        raise Malformed("token_label", most=LABEL_LENGTH)
    expires_at = now + timedelta(days=days)
    return Token(id=token_id, person_id=person_id, label=label, created_at=now, expires_at=expires_at)
