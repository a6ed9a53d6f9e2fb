"""Each error becomes its status and words: a page, a fragment for htmx, or a problem document for a program."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
from litestar import Response, Router, get, post
from litestar.params import FromPath
from litestar.testing import TestClient

from labshare.app import create_app
from labshare.errors import (
    Busy,
    Forbidden,
    LabShareError,
    Malformed,
    NotFound,
    NotSignedIn,
    Refusal,
    Refused,
    Stale,
    TimeTaken,
    TooManyTries,
    WrongState,
)
from labshare.settings import Settings
from labshare.store.engine import open_database
from tests.furniture import NOW, furnish
from tests.web.conftest import SECRET, Client, csrf, send, text_of

RAISED: dict[str, Callable[[], Exception]] = {
    "malformed": lambda: Malformed("malformed", field="title"),
    "nobody": NotSignedIn,
    "forbidden": Forbidden,
    "absent": NotFound,
    "taken": lambda: TimeTaken([Refusal(code="project_code_taken", params={"project": "KC-01"})]),
    "stale": Stale,
    "refused": lambda: Refused([Refusal(code="evidence_missing"), Refusal(code="expiry_passed")]),
    "state": WrongState,
    "tries": lambda: TooManyTries("too_many_tries", minutes=15),
    "busy": Busy,
    "bug": lambda: ZeroDivisionError("a secret of the code"),
}
STATUSES = {
    "malformed": 400, "nobody": 401, "forbidden": 403, "absent": 404, "taken": 409, "stale": 412, "refused": 422,
    "state": 422, "tries": 429, "busy": 503, "bug": 500,
}  # fmt: skip


@get("/raise/{name:str}", sync_to_thread=True)
def raising(name: FromPath[str]) -> Response[str]:
    raise RAISED[name]()


@get("/api/raise/{name:str}", sync_to_thread=True)
def raising_to_programs(name: FromPath[str]) -> Response[str]:
    raise RAISED[name]()


@post("/raise/{name:str}", sync_to_thread=True)
def raising_post(name: FromPath[str]) -> Response[str]:
    raise RAISED[name]()


@pytest.fixture(scope="module")
def opened(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """One application for all these tests: none of them changes anything that another looks at."""
    path = copy(sqlite_template, tmp_path_factory.mktemp("errors") / "house.sqlite3")
    house = open_database(f"sqlite:///{path}")
    with house.write() as db:
        furnish(db)
    built = create_app(Settings(secret=SECRET, secure_cookies=False, demo=True), database=house, clock=lambda: NOW)
    built.register(Router("/", route_handlers=[raising, raising_to_programs, raising_post]))
    with TestClient(built, raise_server_exceptions=False) as client:
        yield client
    house.dispose()


@pytest.fixture
def client(opened: Client) -> Client:
    """A fresh browser."""
    opened.cookies.clear()
    return opened


def fragment_of(client: Client, name: str, **headers: str) -> Any:
    return client.get(f"/raise/{name}", headers={"HX-Request": "true", **headers})


@pytest.mark.parametrize(("name", "status"), STATUSES.items())
def test_each_error_has_its_status_whoever_asks(client: Client, name: str, status: int) -> None:
    assert client.get(f"/raise/{name}").status_code == status
    assert fragment_of(client, name).status_code == status
    assert client.get(f"/api/raise/{name}").status_code == status


@pytest.mark.parametrize("name", STATUSES)
@pytest.mark.parametrize("language", ["vi", "en"])
def test_each_error_has_a_page_in_both_languages(client: Client, name: str, language: str) -> None:
    client.cookies.set("language", language)
    page = client.get(f"/raise/{name}")
    assert f'<html lang="{language}"' in page.text
    assert page.text.count("<h1>") == 1
    # A code that no sentence stands for would be shown as itself, with underscores.
    assert "_" not in text_of(page).replace("_csrf_token", "")


def test_a_page_names_the_field_that_cannot_be_read(client: Client) -> None:
    assert "Không đọc được giá trị ở ô “Tên dự án”." in text_of(client.get("/raise/malformed"))


def test_all_refusals_are_listed(client: Client) -> None:
    page = client.get("/raise/refused").text
    assert page.index('data-code="evidence_missing"') < page.index('data-code="expiry_passed"')


def test_a_bug_shows_nothing_of_the_code_and_is_logged(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    for answer in (client.get("/raise/bug"), fragment_of(client, "bug"), client.get("/api/raise/bug")):
        assert "a secret of the code" not in answer.text
        assert "ZeroDivisionError" not in answer.text
    assert "ZeroDivisionError: a secret of the code" in caplog.text


def test_a_busy_house_says_when_to_come_back(client: Client) -> None:
    for answer in (client.get("/raise/busy"), fragment_of(client, "busy"), client.get("/api/raise/busy")):
        assert answer.headers["retry-after"] == "2"


def test_a_fragment_goes_to_the_place_that_the_form_named(client: Client) -> None:
    answer = fragment_of(client, "refused", **{"X-Refusals": "booking-refusals"})
    assert answer.headers["hx-retarget"] == "#booking-refusals"
    assert answer.headers["hx-reswap"] == "innerHTML"
    assert "<html" not in answer.text
    assert answer.text.count("<li data-code") == 2


@pytest.mark.parametrize("place", ["", "body *", "a,b", "x]", "1st"])
def test_a_place_that_is_no_id_falls_back_to_the_pages_own(client: Client, place: str) -> None:
    assert fragment_of(client, "refused", **{"X-Refusals": place}).headers["hx-retarget"] == "#refusals"


@pytest.mark.parametrize("header", ["HX-Boosted", "HX-History-Restore-Request"])
def test_a_boosted_link_gets_the_whole_page(client: Client, header: str) -> None:
    assert "<html" in fragment_of(client, "absent", **{header: "true"}).text


def test_a_program_gets_a_problem_with_every_refusal(client: Client) -> None:
    answer = client.get("/api/raise/refused", headers={"Accept-Language": "en"})
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["title"], problem["code"]) == (422, "Unprocessable Entity", "refused")
    assert [refusal["code"] for refusal in problem["refusals"]] == ["evidence_missing", "expiry_passed"]
    assert problem["refusals"][1]["sentence"] == "The expiry must lie ahead."
    assert problem["instance"] == "/api/raise/refused"


def test_an_address_that_no_route_knows_has_a_page_and_a_problem(client: Client) -> None:
    page = client.get("/no/such/place")
    assert page.status_code == 404
    assert "Không có trang này" in text_of(page)
    problem = client.get("/api/no/such/place")
    assert problem.status_code == 404
    assert problem.json()["code"] == "not_found"


@pytest.mark.parametrize(
    "path", ["/api/v1", "/api/v1/none", "/api/v1/openapi.json/none", "/api/v1/openapi.json/no/ne", "/api/v2/bookings"]
)
def test_nothing_under_the_api_answers_a_program_with_a_page(client: Client, path: str) -> None:
    absent = client.get(path)
    assert (absent.status_code, absent.json()["code"]) == (404, "not_found")
    assert absent.headers["content-type"] == "application/problem+json"


def test_a_program_is_told_of_the_wrong_method_too(client: Client) -> None:
    for path in ("/api/v1/slots", "/api/v1/openapi.json"):
        answer = client.put(path)
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


def test_the_wrong_method_is_said_so(client: Client) -> None:
    answer = send(client, "/account")
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize(
    ("address", "above"),
    [
        ("/series/preview", "/"),
        ("/series", "/"),
        ("/bookings/00000000-0000-0000-0000-000000000001/cancel", "/bookings/00000000-0000-0000-0000-000000000001"),
        ("/exchanges/00000000-0000-0000-0000-000000000001/accept", "/exchanges"),
        ("/bookings/holds/00000000-0000-0000-0000-000000000001/prolong", "/bookings"),
    ],
)
def test_an_address_that_only_takes_forms_leads_to_the_page_above_it(client: Client, address: str, above: str) -> None:
    answer = client.get(address, follow_redirects=False)
    assert (answer.status_code, answer.headers.get("location")) == (303, above)


def test_nobody_is_asked_to_sign_in_where_they_stand(client: Client) -> None:
    page = client.get("/account?tab=2")
    assert page.status_code == 401
    assert 'action="/sign-in"' in page.text
    assert 'name="next" value="/account?tab=2"' in page.text


def test_a_form_with_a_field_that_cannot_be_read_is_malformed_and_names_it(client: Client) -> None:
    send(client, "/sign-in/demo", {"login": "office"})
    url = "/projects/00000000-0000-0000-0000-000000000015/decline"
    answer = send(client, url, {"version": "three", "reason": "x"})
    assert answer.status_code == 400
    assert "Không đọc được giá trị ở ô “Phiên bản”." in text_of(answer)


def test_a_form_without_its_token_is_refused_and_says_what_to_do(client: Client) -> None:
    csrf(client)
    answer = client.post("/raise/refused", data={})
    assert answer.status_code == 403
    assert 'data-code="form_expired"' in answer.text


@pytest.mark.parametrize("kind", [kind for kind in LabShareError.__subclasses__() if kind.status != 500])
def test_every_kind_of_error_is_raised_by_these_tests(kind: type[LabShareError]) -> None:
    """A new kind of error must be shown to have a page."""
    assert kind in {type(make()) for make in RAISED.values()}
