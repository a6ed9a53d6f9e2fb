"""The rules of courtesy stand in the list of the policy; what they say is tested in test_courtesy.py."""

from __future__ import annotations

from labshare.domain import conduct_rules
from labshare.domain.bookings import RULES


def test_both_are_asked_of_every_use() -> None:
    assert conduct_rules.prime_time in RULES
    assert conduct_rules.not_blocked in RULES
