"""Lists page after page: nothing twice, nothing left out, whatever comes and goes meanwhile."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa

from labshare.domain.bookings import BookingState
from labshare.domain.qualifications import Ask
from labshare.errors import Malformed
from labshare.store import bookings as store
from labshare.store import qualification_asks, qualifications
from labshare.store import tables as t
from labshare.store.engine import Database
from labshare.web.api.paging import behind
from tests.furniture import (
    COLLEAGUE,
    COMPETITOR,
    FESEM,
    MANAGER,
    NOW,
    PARTNER,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    a_booking,
    span,
)
from tests.web.api.conftest import Caller, codes


def cursor(*values: Any) -> str:
    return urlsafe_b64encode(msgspec.json.encode(values)).decode().rstrip("=")


def pages(caller: Caller, path: str, name: str) -> Iterator[list[str]]:
    """What is listed on page after page; body and header name the same next one."""
    following: str | None = path
    while following:
        answer = caller.get(following.removeprefix("/api/v1"))
        assert answer.status_code == 200, answer.text
        yield [item[name] for item in answer.json()["items"]]
        following = answer.json()["next"]
        assert answer.headers.get("link") == (f'<{following}>; rel="next"' if following else None)


def test_a_cursor_is_read_back_or_malformed() -> None:
    assert behind(cursor("N002"), tuple[str]) == ("N002",)
    assert behind("", tuple[str]) is None
    for wrong in ("x", "AAAA", cursor(), cursor(1), cursor("a", "b"), urlsafe_b64encode(b'["\xff"]').decode()):
        with pytest.raises(Malformed, match="malformed_field"):
            behind(wrong, tuple[str])


@pytest.mark.parametrize("path", ["/bookings", "/instruments", "/projects"])
@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=201", "limit=x", "cursor=%00", "cursor=x", "cursor=" + "A" * 401, "cursor=" + cursor(1),
        "cursor=" + cursor("N\0"), "cursor=" + cursor("2026-11-25T09:00:00Z", "no-id"),
        "cursor=" + cursor("2026-11-25T09:00:00", "00000000-0000-0000-0000-000000000001"),
        "cursor=" + cursor("2026-11-25T09:00:30Z", "00000000-0000-0000-0000-000000000001"),
    ],
)  # fmt: skip
def test_no_other_text_is_a_place_to_begin(researcher: Caller, path: str, query: str) -> None:
    answer = researcher.get(f"{path}?{query}")
    assert answer.status_code == 400
    assert codes(answer)[0] in {"malformed_field", "naive_time", "not_whole_minute"}


def test_my_bookings_are_read_whole_while_others_come_and_go(researcher: Caller, house: Database) -> None:
    """Five at 9 to 13 on the 25th. After the first page one comes before it and one behind it, and one of it goes."""
    made = [a_booking(FESEM, span(25, hour, hour + 1)) for hour in range(9, 14)]
    early, late = a_booking(XRD, span(24, 9, 10)), a_booking(XRD, span(26, 9, 10))
    with house.write() as db:
        store.add(db, made)
    reading = pages(researcher, "/bookings?limit=2", "id")
    assert next(reading) == [str(each.id) for each in made[:2]]
    with house.write() as db:
        store.add(db, [early, late])
        db.execute(sa.update(t.bookings).where(t.bookings.c.id == made[1].id).values(state="cancelled"))
    assert list(reading) == [[str(each.id) for each in made[2:4]], [str(each.id) for each in (made[4], late)]]


def test_the_past_and_what_was_given_back_are_reached_by_filters(researcher: Caller, house: Database) -> None:
    # Now is 08:00 on Monday the 23rd.
    past, ahead = a_booking(FESEM, span(20, 9, 10), state=BookingState.DONE), a_booking(FESEM, span(25, 9, 10))
    missed = a_booking(FESEM, span(19, 9, 10), state=BookingState.NO_SHOW)
    with house.write() as db:
        store.add(db, [past, ahead, missed])

    def found(query: str) -> list[str]:
        (page,) = pages(researcher, f"/bookings?{query}", "id")
        return page

    assert found("") == [str(ahead.id)]
    assert found("since=2026-11-01T00:00:00Z") == [str(past.id), str(ahead.id)]
    assert found("since=2026-11-01T00:00:00Z&until=2026-11-23T00:00:00Z") == [str(past.id)]
    assert found("since=2026-11-01T00:00:00Z&state=no_show") == [str(missed.id)]
    assert found("since=2026-11-01T00:00:00Z&state=no_show&state=done") == [str(missed.id), str(past.id)]
    # Filters go along to the next page.
    path = "/bookings?since=2026-11-01T00:00:00%2B07:00&state=no_show&state=done&limit=1"
    assert list(pages(researcher, path, "id")) == [[str(missed.id)], [str(past.id)]]


@pytest.mark.parametrize(
    "query", ["since=2026-11-20T00:00:00Z", "until=2026-11-20T00:00:00Z", "state=done", "cursor=AAAA"]
)
def test_a_calendar_takes_no_filter_of_ones_own_list(researcher: Caller, query: str) -> None:
    calendar = "/bookings?instrument=N001&from=2026-11-23T00:00:00Z&to=2026-11-30T00:00:00Z"
    assert researcher.get(calendar).json() == {"items": [], "next": None}
    answer = researcher.get(f"{calendar}&{query}")
    assert (answer.status_code, codes(answer)) == (400, ["malformed_field"])
    assert answer.json()["refusals"][0]["params"] == {"field": query.partition("=")[0]}


@pytest.mark.parametrize("query", ["since=yesterday", "since=2026-11-20T00:00:00", "until=1", "state=gone"])
def test_a_filter_that_cannot_be_read_is_malformed(researcher: Caller, query: str) -> None:
    assert researcher.get(f"/bookings?{query}").status_code == 400


def test_who_is_qualified_is_read_level_after_level(calling: Callable[[str], Caller], house: Database) -> None:
    """Of the four, one has a higher level; of the same level they come by login, also where one goes meanwhile."""
    with house.write() as db:
        qualifications.put(db, RESEARCHER, FESEM, level=2, until=None, by=MANAGER, now=NOW)
        qualifications.put(db, PARTNER, FESEM, level=1, until=None, by=MANAGER, now=NOW)
    reading = pages(calling("manager"), "/qualifications/people?instrument=N001&limit=2", "person")
    assert next(reading) == ["researcher", "colleague"]
    with house.write() as db:
        qualifications.take(db, COLLEAGUE, FESEM)
    assert list(reading) == [["competitor", "partner"]]


def test_what_is_asked_is_read_the_oldest_first(calling: Callable[[str], Caller], house: Database) -> None:
    """The second and third at one instant, then by id; what one asks oneself is no part of it."""
    who = ((RESEARCHER, 1, 0), (COLLEAGUE, 2, 1), (COMPETITOR, 3, 1), (MANAGER, 4, 2))
    with house.write() as db:
        for person_id, number, minutes in who:
            asked_at = NOW + timedelta(minutes=minutes)
            new = Ask(id=UUID(int=number), person_id=person_id, instrument_number=XRD, level=1, asked_at=asked_at)
            qualification_asks.add(db, new)
    reading = pages(calling("manager"), "/qualifications/waiting?limit=1", "person")
    assert list(reading) == [["researcher"], ["colleague"], ["competitor"]]


def test_projects_are_read_page_after_page(calling: Callable[[str], Caller], house: Database) -> None:
    with house.write() as db:
        (row,) = db.execute(sa.select(t.projects).where(t.projects.c.id == PUBLIC_PROJECT)).mappings()
        for number, code in enumerate(("KC-03", "KC-02"), start=31):
            again = {**row, "id": type(PUBLIC_PROJECT)(int=number), "code": code, "created_at": NOW + timedelta(number)}
            db.execute(t.projects.insert().values({name: again[name] for name in row}))
    assert list(pages(calling("researcher"), "/projects?limit=2", "code")) == [["KC-01", "KC-02"], ["KC-03"]]
    assert list(pages(calling("office"), "/projects?limit=2", "code")) == [[]]
