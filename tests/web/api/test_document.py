"""Whatever the API's description allows is tried, and much that it forbids: each answer is one that it describes.

Wrong are a status, a type or a body that the description leaves out, a fault (500), and an answer without a token.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examined

from labshare.services import tokens
from labshare.store.engine import Database
from tests.furniture import NOW
from tests.web.api.test_schema import METHODS

EXAMPLES = 10


@pytest.mark.slow
@pytest.mark.parametrize(
    ("login", "mode"), [("researcher", "positive"), ("researcher", "negative"), ("administrator", "positive")]
)
def test_each_answer_is_one_that_the_description_names(site: str, house: Database, login: str, mode: str) -> None:
    """An administrator gets past the 403 of what only managers may do."""
    # Imported late: it is large, and no other test needs it.
    import schemathesis
    from schemathesis.specs.openapi import checks

    # A cursor of nobody or reversed times fit the description and are refused; a query that nobody asks for is ignored.
    # What bodies may hold is tested field by field in test_bookings.py.
    left_out: list[Any] = [checks.positive_data_acceptance, checks.negative_data_rejection]
    with house.write() as db:
        secret = tokens.create(db, login=login, days=1, label="", now=NOW).secret
    document: Any = schemathesis.openapi.from_url(f"{site}/api/v1/openapi.json")
    operations = [result.ok() for result in document.get_all_operations()]
    assert len(operations) == sum(len(methods) for methods in METHODS.values())
    for operation in operations:

        @examined(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        )
        @given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)))
        def answers_as_described(case: Any) -> None:
            case.call_and_validate(headers={"Authorization": f"Bearer {secret}"}, excluded_checks=left_out)

        answers_as_described()
