"""The header Idempotency-Key: what is sent again is done once and answered alike; without it nothing differs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from labshare.services import tokens
from labshare.store import bookings as bookings_store
from labshare.store import idempotency as store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import FESEM, NOW, a_booking, span
from tests.web.api.conftest import Caller, codes, nothing_changes
from tests.web.api.test_bookings import WISH, wish
from tests.web.conftest import Client


def count(house: Database, table: sa.Table) -> int:
    with house.read() as db:
        return db.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def told(answer: Any) -> tuple[int, str, dict[str, str]]:
    named = ("etag", "location", "content-type", "cache-control", "vary")
    return answer.status_code, answer.text, {name: answer.headers[name] for name in named if name in answer.headers}


def test_each_change_that_is_sent_again_is_made_once_and_answered_alike(researcher: Caller, house: Database) -> None:
    made = researcher.post("/bookings", WISH, idempotency_key="a")
    assert (made.status_code, made.headers["etag"]) == (201, '"1"')
    path = f"/bookings/{made.json()['id']}"
    assert made.headers["location"] == f"/api/v1{path}"
    moved = researcher.patch(path, {"ends_at": "2026-11-25T05:00:00Z"}, if_match='"1"', idempotency_key="b")
    assert moved.headers["etag"] == '"2"'
    cancelled = researcher.delete(f"{path}?version=2", idempotency_key="c")
    assert cancelled.json()["state"] == "cancelled"
    with nothing_changes(house):
        again = [
            researcher.post("/bookings", WISH, idempotency_key="a"),
            researcher.patch(path, {"ends_at": "2026-11-25T05:00:00Z"}, if_match='"1"', idempotency_key="b"),
            researcher.delete(f"{path}?version=2", idempotency_key="c"),
        ]
    assert [told(answer) for answer in again] == [told(answer) for answer in (made, moved, cancelled)]


def test_the_answer_with_a_key_is_the_answer_without_one(researcher: Caller) -> None:
    keyed = researcher.post("/bookings", WISH, idempotency_key="a")
    plain = researcher.post(
        "/bookings", wish(starts_at="2026-11-26T09:00:00+07:00", ends_at="2026-11-26T11:00:00+07:00")
    )
    assert keyed.json().keys() == plain.json().keys()
    assert keyed.headers.keys() == plain.headers.keys()


def test_without_a_key_a_retry_is_a_call_of_its_own(researcher: Caller, house: Database) -> None:
    answers = [researcher.post("/bookings", WISH) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 422]
    assert count(house, t.idempotency_keys) == 0


def test_a_refusal_is_kept_too_and_changes_nothing_else(
    researcher: Caller, calling: Callable[[str], Caller], house: Database
) -> None:
    taken = a_booking(FESEM, span(25, 9, 11))
    with house.write() as db:
        bookings_store.add(db, [taken])
    colleague = calling("colleague")
    first = colleague.post("/bookings", WISH, idempotency_key="a")
    assert (first.status_code, codes(first)) == (409, ["time_taken"])
    assert (count(house, t.bookings), count(house, t.audit), count(house, t.idempotency_keys)) == (1, 2, 1)
    assert researcher.delete(f"/bookings/{taken.id}?version=1").status_code == 200
    # The time is free by now, and the key still says what was answered.
    assert told(colleague.post("/bookings", WISH, idempotency_key="a")) == told(first)
    assert colleague.post("/bookings", WISH, idempotency_key="b").status_code == 201


@pytest.mark.parametrize(
    ("method", "path", "body", "headers"),
    [
        ("POST", "/bookings", wish(purpose="other"), {}),
        ("POST", "/bookings/batch", WISH | {"purpose": "x"}, {}),
        ("PATCH", "/bookings/{id}", {"purpose": "x"}, {"if_match": '"1"'}),
        ("DELETE", "/bookings/{id}?version=1", None, {}),
        ("DELETE", "/bookings/{id}", None, {"if_match": '"1"'}),
    ],
)
def test_a_key_of_another_call_is_refused(
    researcher: Caller, house: Database, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]
) -> None:
    made = researcher.post("/bookings", WISH, idempotency_key="a").json()
    body = {"items": [body]} if path.endswith("batch") else body
    with nothing_changes(house):
        answer = researcher.call(method, path.format(**made), json=body, idempotency_key="a", **headers)
    assert (answer.status_code, codes(answer)) == (422, ["idempotency_key_reused"])


def test_a_change_of_another_version_is_another_call(researcher: Caller) -> None:
    path = f"/bookings/{researcher.post('/bookings', WISH).json()['id']}"
    first = researcher.patch(path, {"purpose": "x"}, if_match='"9"', idempotency_key="a")
    assert (first.status_code, codes(first)) == (412, ["booking_changed"])
    second = researcher.patch(path, {"purpose": "x"}, if_match='"1"', idempotency_key="a")
    assert (second.status_code, codes(second)) == (422, ["idempotency_key_reused"])


def test_a_key_is_the_persons_own(researcher: Caller, calling: Callable[[str], Caller]) -> None:
    researcher.post("/bookings", WISH, idempotency_key="a")
    other = calling("colleague").post("/bookings", WISH, idempotency_key="a")
    assert (other.status_code, codes(other)) == (409, ["time_taken"])


@pytest.mark.parametrize("key", ["", "x" * 101, "two words", "\x7f"])
def test_a_key_that_cannot_be_read_is_malformed(researcher: Caller, house: Database, key: str) -> None:
    with nothing_changes(house):
        answer = researcher.post("/bookings", WISH, idempotency_key=key)
    assert (answer.status_code, codes(answer)) == (400, ["malformed_field"])
    problem = answer.json()
    assert (problem["code"], problem["refusals"][0]["params"]) == ("malformed_field", {"field": "Idempotency-Key"})
    assert researcher.post("/bookings", WISH, idempotency_key="!" * 99 + "~").status_code == 201


def test_what_cannot_be_read_leaves_the_key_free(researcher: Caller, house: Database) -> None:
    with nothing_changes(house):
        assert researcher.post("/bookings", {"instrument": "N001"}, idempotency_key="a").status_code == 400
    assert researcher.post("/bookings", WISH, idempotency_key="a").status_code == 201


def test_a_fault_after_the_change_leaves_neither_booking_nor_key(
    researcher: Caller, house: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as broken, nothing_changes(house):
        broken.setattr(store, "answered", fail)
        assert researcher.post("/bookings", WISH, idempotency_key="a").status_code == 500
    assert researcher.post("/bookings", WISH, idempotency_key="a").status_code == 201


# ---------------------------------------------------------------- at the same time, on both databases


def at_once(database: Database, client: Client, path: str, body: Any, keys: list[str]) -> list[Any]:
    """What the researcher's program is answered when it sends this with each of the keys at the same time."""
    with database.write() as db:
        caller = Caller(client, tokens.create(db, login="researcher", days=1, label="", now=NOW).secret)
    answers: list[Any] = []
    ready = threading.Barrier(len(keys))

    def call(key: str) -> None:
        ready.wait(10)
        answers.append(caller.post(path, body, idempotency_key=key))

    threads = [threading.Thread(target=call, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return answers


def test_one_key_at_once_is_one_booking_and_one_answer(anywhere: Client, database: Database) -> None:
    answers = at_once(database, anywhere, "/bookings", WISH, ["a"] * 4)
    assert [answer.status_code for answer in answers] == [201] * 4
    assert len({str(told(answer)) for answer in answers}) == 1
    assert count(database, t.bookings) == 1
    # Two keys are two wishes, of which one finds its person elsewhere; which one is chance.
    later = wish(starts_at="2026-11-26T09:00:00+07:00", ends_at="2026-11-26T11:00:00+07:00")
    assert sorted(each.status_code for each in at_once(database, anywhere, "/bookings", later, ["b", "c"])) == [
        201,
        422,
    ]
    assert (count(database, t.bookings), count(database, t.idempotency_keys)) == (2, 3)


def test_a_refusal_by_the_guard_itself_is_kept(
    anywhere: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If every rule erred the database still says no, and the transaction goes on to keep that."""
    with database.write() as db:
        bookings_store.add(db, [a_booking(FESEM, span(25, 9, 11))])
    monkeypatch.setattr("labshare.domain.kept_times.RULES", ())
    (first,) = at_once(database, anywhere, "/bookings", WISH, ["a"])
    assert (first.status_code, codes(first)) == (409, ["time_taken_meanwhile"])
    (again,) = at_once(database, anywhere, "/bookings", WISH, ["a"])
    assert told(again) == told(first)
    assert (count(database, t.bookings), count(database, t.idempotency_keys)) == (1, 1)
