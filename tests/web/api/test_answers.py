"""An answer carries an ETag, and what the caller has already is not sent again. The rest is tested with each noun."""

from __future__ import annotations

import pytest

from tests.web.api.conftest import Caller


def test_an_answer_is_the_callers_own_and_is_asked_for_again_each_time(researcher: Caller) -> None:
    headers = researcher.get("/projects").headers
    assert headers["cache-control"] == "private, no-cache"
    assert headers["vary"] == "Authorization"
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("known", "status"),
    [("{tag}", 304), ("W/{tag}", 304), ('"other", {tag}', 304), ("*", 304), ('"other"', 200), ("", 200)],
)
def test_what_is_known_is_not_sent_again(researcher: Caller, known: str, status: int) -> None:
    tag = researcher.get("/projects").headers["etag"]
    answer = researcher.get("/projects", if_none_match=known.format(tag=tag))
    assert answer.status_code == status
    assert bool(answer.content) == (status == 200)
    assert answer.headers["etag"] == tag
