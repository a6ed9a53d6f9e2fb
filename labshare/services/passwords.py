"""Hashing passwords with Argon2id. It takes a fifth of a second of one core, on purpose: so it never happens inside a
transaction, and the web runs it on threads of its own.
"""

from __future__ import annotations

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from labshare.errors import Refusal, Refused

MIN_LENGTH = 12
# Longer ones are only work for the hasher.
MAX_LENGTH = 1024

_hasher = PasswordHasher()


def check_new(password: str, again: str) -> None:
    """Raises `Refused` with all that is wrong with a new password, typed twice.

    Length is what counts; there is no rule about which signs it holds (NIST SP 800-63B, 3.1.1).
    """
    refusals: list[Refusal] = []
    if len(password) < MIN_LENGTH:
        refusals.append(Refusal(code="password_short", params={"least": MIN_LENGTH}))
    if len(password) > MAX_LENGTH:
        refusals.append(Refusal(code="password_long", params={"most": MAX_LENGTH}))
    if password != again:
        refusals.append(Refusal(code="password_differs"))
    if refusals:
        raise Refused(refusals)


def hash_password(password: str) -> str:
    return _hasher.hash(password)


def matches(password: str, password_hash: str | None) -> bool:
    """Whether the password is right. Nobody's password (no hash) takes as long to refuse as a wrong one."""
    try:
        return _hasher.verify(password_hash or _nobodys_hash(), password) and bool(password_hash)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys_hash() -> str:
    return _hasher.hash("the hash that nobody's password matches")
