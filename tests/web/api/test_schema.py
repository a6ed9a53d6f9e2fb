"""The description of the API tells the truth: every endpoint, every body, every status that tests have seen."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.web.conftest import Client

METHODS = {
    "/api/v1/instruments": {"get"},
    "/api/v1/instruments/{instrument_id}": {"get"},
    "/api/v1/instruments/{instrument_id}/modes": {"put"},
    "/api/v1/instruments/{instrument_id}/approval": {"put"},
    "/api/v1/instruments/{instrument_id}/demand": {"put"},
    "/api/v1/instruments/{instrument_id}/state": {"get"},
    "/api/v1/instruments/{instrument_id}/down": {"post"},
    "/api/v1/instruments/{instrument_id}/up": {"post"},
    "/api/v1/bookings": {"get", "post"},
    "/api/v1/bookings/batch": {"post"},
    "/api/v1/bookings/holds": {"post"},
    "/api/v1/bookings/holds/{hold_id}": {"delete"},
    "/api/v1/bookings/holds/{hold_id}/prolong": {"post"},
    "/api/v1/bookings/blocks": {"post"},
    "/api/v1/bookings/{booking_id}": {"get", "patch", "delete"},
    "/api/v1/bookings/trial": {"post"},
    "/api/v1/bookings/{booking_id}/trial": {"post"},
    "/api/v1/bookings/{booking_id}/booking.ics": {"get"},
    "/api/v1/bookings/{booking_id}/no-show": {"post"},
    "/api/v1/bookings/{booking_id}/pardon": {"post"},
    "/api/v1/bookings/{booking_id}/approve": {"post"},
    "/api/v1/bookings/{booking_id}/decline": {"post"},
    "/api/v1/approvals": {"get"},
    "/api/v1/series": {"post"},
    "/api/v1/series/{series_id}": {"get", "patch", "delete"},
    "/api/v1/projects": {"get"},
    "/api/v1/slots": {"get"},
    "/api/v1/slots/near": {"get"},
    "/api/v1/booking-rules": {"get", "post"},
    "/api/v1/booking-rules/{rule_id}": {"delete"},
    "/api/v1/feeds": {"get", "post"},
    "/api/v1/feeds/{feed_id}": {"delete"},
    "/api/v1/waitlist": {"get", "post"},
    "/api/v1/waitlist/{entry_id}": {"delete"},
    "/api/v1/waitlist/{entry_id}/accept": {"post"},
    "/api/v1/waitlist/{entry_id}/decline": {"post"},
    "/api/v1/notices": {"get"},
    "/api/v1/notices/read": {"post"},
    "/api/v1/notices/preferences": {"get", "patch"},
    "/api/v1/notices/{notice_id}/read": {"post"},
    "/api/v1/qualifications": {"get", "post"},
    "/api/v1/qualifications/people": {"get"},
    "/api/v1/qualifications/courses": {"post"},
    "/api/v1/qualifications/asks": {"get", "post"},
    "/api/v1/qualifications/asks/{ask_id}/grant": {"post"},
    "/api/v1/qualifications/asks/{ask_id}/decline": {"post"},
    "/api/v1/qualifications/waiting": {"get"},
    "/api/v1/qualifications/revoke": {"post"},
    "/api/v1/qualifications/trainers": {"get"},
    "/api/v1/qualifications/operators": {"get", "post"},
    "/api/v1/exchanges": {"get", "post"},
    "/api/v1/exchanges/colleagues": {"get"},
    "/api/v1/exchanges/{exchange_id}": {"delete"},
    "/api/v1/exchanges/{exchange_id}/accept": {"post"},
    "/api/v1/exchanges/{exchange_id}/decline": {"post"},
}


@pytest.fixture
def document(client: Client) -> dict[str, Any]:
    answer = client.get("/api/v1/openapi.json")
    assert answer.status_code == 200
    return answer.json()


def test_the_endpoints_are_described_and_pages_are_not(document: dict[str, Any]) -> None:
    described = {path: {name for name in item if name in {"get", "post", "patch", "delete", "put"}}
                 for path, item in document["paths"].items()}  # fmt: skip
    assert described == METHODS


def test_no_endpoint_answers_without_a_token(client: Client) -> None:
    """Whatever is described: an endpoint that forgot to ask who calls would show here."""
    for path, methods in METHODS.items():
        for method in methods:
            some_id = "00000000-0000-0000-0000-000000000001"
            nouns = ("booking", "feed", "series", "entry", "rule", "notice", "hold", "ask", "exchange")
            ids = {f"{noun}_id": some_id for noun in nouns}
            url = path.format(instrument_id="N001", **ids)
            assert client.request(method.upper(), url).status_code == 401, (method, path)


def test_bodies_that_handlers_read_themselves_are_described(document: dict[str, Any]) -> None:
    new = document["paths"]["/api/v1/bookings"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert new["required"] == ["instrument", "starts_at", "ends_at", "project"]
    assert new["additionalProperties"] is False
    assert new["properties"]["starts_at"]["format"] == "date-time"
    change = document["paths"]["/api/v1/bookings/{booking_id}"]["patch"]["requestBody"]
    assert set(change["content"]["application/json"]["schema"]["properties"]) == {
        "starts_at", "ends_at", "instrument", "purpose", "mode", "setup", "operator", "override_reason", "version",
    }  # fmt: skip


def test_a_change_may_be_answered_by_each_no_of_the_house(document: dict[str, Any]) -> None:
    """The table of decision 15 in ARCHITECTURE.md."""
    answers = document["paths"]["/api/v1/bookings/{booking_id}"]["patch"]["responses"]
    assert set(answers) == {"200", "400", "401", "403", "404", "409", "412", "422", "503"}
    for status in set(answers) - {"200"}:
        assert answers[status]["content"].keys() == {"application/problem+json"}


def test_a_caller_is_known_by_a_bearer_token(document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert document["security"] == [{"token": []}]


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["BookingView"]["properties"].keys() == {
        "id", "instrument", "starts_at", "ends_at", "kind", "state", "project", "purpose", "series", "override_reason",
        "version", "decide_by", "decision_note", "person", "booked_by", "mode", "setup", "held_until", "trainer",
        "operator",
    }  # fmt: skip
    referred = re.findall(r"'#/components/schemas/([^']+)'", str(document))
    assert set(referred) <= schemas.keys()
    assert "Problem" in referred


# An answer with a key is kept for a day, and that of a new feed is a secret of which only the hash is kept. A dry run
# changes nothing, however often it is sent.
WITHOUT_KEY = {
    "/api/v1/feeds",
    "/api/v1/bookings/trial", "/api/v1/bookings/{booking_id}/trial",
}  # fmt: skip
# Somebody has a handful of feeds, an instrument of rules, trainers and operators, somebody waits for ten things at most
# and offers ten bookings at most, a search for time tells the first few places, a failure touches what lies within a
# week, and a file is one booking.
ON_ONE_PAGE = {
    "/api/v1/feeds", "/api/v1/waitlist", "/api/v1/slots", "/api/v1/slots/near",
    "/api/v1/booking-rules", "/api/v1/notices/preferences",
    "/api/v1/qualifications", "/api/v1/qualifications/asks",
    "/api/v1/qualifications/trainers", "/api/v1/qualifications/operators",
    "/api/v1/exchanges", "/api/v1/exchanges/colleagues",
    "/api/v1/instruments/{instrument_id}/state", "/api/v1/bookings/{booking_id}/booking.ics",
}  # fmt: skip


def test_every_change_takes_a_key_and_every_list_goes_page_after_page(document: dict[str, Any]) -> None:
    for path, methods in METHODS.items():
        for method in methods:
            operation = document["paths"][path][method]
            asked = {each["name"]: each for each in operation.get("parameters", [])}
            assert ("Idempotency-Key" in asked) == (method != "get" and path not in WITHOUT_KEY), (method, path)
            if method == "get" and not path.endswith("}") and path not in ON_ONE_PAGE:
                assert asked["limit"]["schema"].items() >= {"minimum": 1, "maximum": 200, "default": 50}.items()
                assert "cursor" in asked


def test_a_body_of_several_bookings_is_described_whole(document: dict[str, Any]) -> None:
    batch = document["paths"]["/api/v1/bookings/batch"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    items = batch["properties"]["items"]
    assert (items["minItems"], items["maxItems"]) == (1, 50)
    assert items["items"]["required"] == ["instrument", "starts_at", "ends_at", "project"]
