"""Tokens hold for whole days and end once, by expiry or by revocation."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from labshare.domain.tokens import LABEL_LENGTH, MOST_DAYS, Token, TokenState, new_token
from labshare.errors import Malformed

TOKEN, PERSON = UUID(int=1), UUID(int=2)


def token(now: datetime, days: int = 90, label: str = "") -> Token:
    return new_token(TOKEN, PERSON, days=days, label=label, now=now)


def test_a_token_is_active_until_the_instant_of_its_expiry(now: datetime) -> None:
    held = token(now, days=90)
    # 90 days of 24 hours, half-open as every span: the last microsecond counts, the end does not.
    end = now + timedelta(days=90)
    assert held.expires_at == end
    assert held.state(end - timedelta(microseconds=1)) is TokenState.ACTIVE
    assert held.state(end) is TokenState.EXPIRED


def test_a_revoked_token_is_revoked_even_after_its_expiry(now: datetime) -> None:
    held = msgspec.structs.replace(token(now, days=1), revoked_at=now)
    assert held.state(now) is TokenState.REVOKED
    assert held.state(now + timedelta(days=2)) is TokenState.REVOKED


@pytest.mark.parametrize("days", [0, -1, MOST_DAYS + 1])
def test_a_token_holds_from_one_day_to_a_year(now: datetime, days: int) -> None:
    with pytest.raises(Malformed, match="token_days"):
        token(now, days=days)


def test_a_label_is_short(now: datetime) -> None:
    assert token(now, label="x" * LABEL_LENGTH).label == "x" * LABEL_LENGTH
    with pytest.raises(Malformed, match="token_label"):
        token(now, label="x" * (LABEL_LENGTH + 1))
