"""What can be an address, a login and a name, and how long an invitation is open."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from labshare.domain.invitations import (
    LONGEST_EMAIL,
    LONGEST_NAME,
    Invitation,
    check_newcomer,
    require_email,
)
from labshare.errors import Refused
from tests.furniture import NOW


@pytest.mark.parametrize(
    ("text", "email"),
    [
        (" An.Nguyen@Vast.AC.vn ", "an.nguyen@vast.ac.vn"),
        ("a+b@x.vn", "a+b@x.vn"),
        ("o'neil@x-y.org", "o'neil@x-y.org"),
    ],
)
def test_an_address_is_read_without_regard_to_capitals(text: str, email: str) -> None:
    assert require_email(text) == email


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "a@b", "@x.vn", "a@.vn", "a b@x.vn", "a@x.vn, b@x.vn", "a@x.vn\nBcc: b@x.vn", "a@x..vn", "<a@x.vn>",
        "an\u00e3@x.vn", f"{'a' * 65}@x.vn", f"a@{'x' * 60}.{'y' * 60}.{'z' * 60}.{'w' * 60}.{'v' * 20}.vn",
    ],
)  # fmt: skip
def test_what_is_no_address_or_more_than_one_is_refused(text: str) -> None:
    """The last one is 2 + 4 * 61 + 21 + 2 = 269 signs long, and an address has 254 at most."""
    with pytest.raises(Refused, match="email_unreadable"):
        require_email(text)
    assert LONGEST_EMAIL == 254


def test_login_and_name_are_trimmed_and_all_faults_are_told_at_once() -> None:
    assert check_newcomer(" an.nguyen ", "  An   Nguyen ") == ("an.nguyen", "An Nguyen")
    with pytest.raises(Refused) as refused:
        check_newcomer("An Nguyễn", " ")
    assert [refusal.code for refusal in refused.value.refusals] == ["malformed_login", "field_missing"]
    with pytest.raises(Refused, match="field_too_long"):
        check_newcomer("an", "x" * (LONGEST_NAME + 1))
    assert check_newcomer("an", "x" * LONGEST_NAME)[1] == "x" * LONGEST_NAME


def test_an_invitation_is_open_until_it_is_used_or_expires() -> None:
    one = Invitation(id=UUID(int=1), email="a@x.vn", created_at=NOW, expires_at=NOW + timedelta(days=1))
    assert one.is_open(NOW + timedelta(days=1, microseconds=-1))
    assert not one.is_open(NOW + timedelta(days=1))
    used = Invitation(id=UUID(int=1), email="a@x.vn", created_at=NOW, expires_at=NOW + timedelta(days=1), used_at=NOW)
    assert not used.is_open(NOW)
