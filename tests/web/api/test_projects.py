"""A program learns which projects its person may name in a booking, and of no others."""

from __future__ import annotations

from collections.abc import Callable

from tests.web.api.conftest import Caller
from tests.web.conftest import Client


def test_the_projects_that_i_lead_or_am_a_member_of(calling: Callable[[str], Caller]) -> None:
    # KC-01 is led by the researcher and has the colleague as a member; DN-01 is the competitor's.
    expected = {
        "code": "KC-01", "title": "KC-01", "organisation": "I-IMS", "access_class": "public_research",
        "activity": "non_economic", "state": "verified", "expires_at": None,
    }  # fmt: skip
    for login in ("researcher", "colleague"):
        assert calling(login).get("/projects").json() == {"items": [expected], "next": None}
    assert [item["code"] for item in calling("competitor").get("/projects").json()["items"]] == ["DN-01"]
    assert calling("office").get("/projects").json() == {"items": [], "next": None}


def test_nothing_is_listed_without_a_token(client: Client) -> None:
    assert client.get("/api/v1/projects").status_code == 401
