"""Passwords are hashed, and judged without telling who exists."""

from __future__ import annotations

import pytest

from labshare.errors import Refused
from labshare.services.passwords import MAX_LENGTH, MIN_LENGTH, check_new, hash_password, matches


def test_a_password_matches_its_own_hash_alone() -> None:
    kept = hash_password("mật khẩu đủ dài")
    assert kept.startswith("$argon2id$")
    assert matches("mật khẩu đủ dài", kept)
    assert not matches("mật khẩu khác", kept)


def test_nobody_and_a_broken_hash_match_nothing() -> None:
    assert not matches("", None)
    assert not matches("", "")
    assert not matches("x", "not a hash")
    assert not matches("the hash that nobody's password matches", None)


@pytest.mark.parametrize(
    ("password", "again", "codes"),
    [
        ("x" * MIN_LENGTH, "x" * MIN_LENGTH, []),
        ("x" * (MIN_LENGTH - 1), "x" * (MIN_LENGTH - 1), ["password_short"]),
        ("x" * (MAX_LENGTH + 1), "y", ["password_long", "password_differs"]),
    ],
)
def test_a_new_password_is_judged_by_its_length_alone(password: str, again: str, codes: list[str]) -> None:
    if not codes:
        check_new(password, again)
        return
    with pytest.raises(Refused) as refused:
        check_new(password, again)
    assert [refusal.code for refusal in refused.value.refusals] == codes
