"""The tree of errors: each with its status, each able to say itself as refusals."""

from __future__ import annotations

import pytest

from labshare import errors
from labshare.errors import LabShareError, Malformed, Refusal, Refused, TimeTaken

# ARCHITECTURE.md, decision 15; 429 for tries at a password.
STATUSES = {
    "Malformed": 400, "NotSignedIn": 401, "Forbidden": 403, "NotFound": 404, "TimeTaken": 409, "Stale": 412,
    "Refused": 422, "WrongState": 422, "TooManyTries": 429, "Busy": 503,
}  # fmt: skip


@pytest.mark.parametrize(("name", "status"), STATUSES.items())
def test_each_error_has_the_status_that_was_decided(name: str, status: int) -> None:
    assert getattr(errors, name).status == status


def test_the_drawn_tree_names_every_error_and_its_status() -> None:
    drawn = errors.__doc__ or ""
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, LabShareError) and kind is not LabShareError:
            assert name in drawn
            assert name not in STATUSES or f"{name} {kind.status}" in drawn


def test_an_error_with_a_code_is_one_refusal() -> None:
    error = Malformed("malformed_date", field="day")
    assert error.refusals == (Refusal(code="malformed_date", params={"field": "day"}),)
    assert str(error) == "malformed_date (field=day)"
    assert Malformed().refusals == (Refusal(code="malformed"),)


def test_refusals_keep_their_order() -> None:
    both = Refused([Refusal(code="too_long"), Refusal(code="closed")])
    assert [refusal.code for refusal in both.refusals] == ["too_long", "closed"]
    assert str(both) == "too_long; closed"


def test_taken_time_is_a_refusal_of_its_own_status() -> None:
    """What the database says at the last moment looks like what a rule says."""
    with pytest.raises(Refused) as refused:
        raise TimeTaken()
    assert refused.value.status == 409
    assert len(refused.value.refusals) == 1
