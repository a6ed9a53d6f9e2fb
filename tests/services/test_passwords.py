"""Passwords are hashed, and judged without telling who exists."""

from __future__ import annotations

from labshare.services.passwords import hash_password, matches


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
