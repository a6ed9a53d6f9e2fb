"""Feeds over HTTP: made and revoked on a page, read by their address alone, 304 until something changes."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from labshare.domain.bookings import Wish
from labshare.services import bookings
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.calendar_files import seen
from tests.furniture import FESEM, NOW, PUBLIC_PROJECT, RESEARCHER, actor, counted, span
from tests.web.conftest import Client, send, sign_in, text_of


def book(house: Database, purpose: str = "bí mật", hour: int = 9) -> UUID:
    when = span(25, hour, hour + 2)
    wish = Wish(instrument_number=FESEM, span=when, project_id=PUBLIC_PROJECT, purpose=purpose)
    with house.write() as db:
        return bookings.book(db, actor(RESEARCHER), wish, NOW).id


def make(client: Client, login: str, **place: str) -> tuple[str, Any]:
    """The path of a new feed, and the page that shows it; nobody is signed in afterwards."""
    sign_in(client, login)
    page = send(client, "/feeds", {"instrument": "", "centre": "", **place})
    assert page.status_code == 200
    (address,) = re.findall(r'name="address"[^>]* value="([^"]+)"', page.text)
    client.cookies.clear()
    return urlsplit(html.unescape(address)).path, page


def test_an_address_is_shown_once_and_opens_without_a_sign_in(client: Client, house: Database) -> None:
    booking_id = book(house)
    path, page = make(client, "researcher")
    assert page.headers["cache-control"] == "no-store"
    assert f"webcal://127.0.0.1:8000{path}" in page.text
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert "set-cookie" not in answer.headers
    assert [event.uid for event in seen(answer.text)] == [f"{booking_id.hex}@127.0.0.1"]
    sign_in(client, "researcher")
    again = client.get("/feeds")
    assert path not in again.text
    assert "Các địa chỉ của tôi 1" in text_of(again)


def test_a_rivals_feed_names_nobody(client: Client, house: Database) -> None:
    book(house)
    for place in ({"instrument": "N001"}, {"centre": "C-ONE"}):
        path, _ = make(client, "competitor", **place)
        file = client.get(path).text
        assert "Đã có người dùng" in file
        for word in ("Researcher", "KC-01", "bí mật", "I-IMS", "Viện"):
            assert word not in file


def test_what_has_not_changed_is_not_sent_again(client: Client, house: Database) -> None:
    path, _ = make(client, "competitor", instrument="N001")
    first = client.get(path)
    tag = first.headers["etag"]
    same = client.get(path, headers={"If-None-Match": f'"other", {tag}'})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    book(house)
    changed = client.get(path, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag
    assert len(seen(changed.text)) == len(seen(first.text)) + 1


def test_what_is_asked_for_again_is_told_without_reading_it_again(client: Client, house: Database) -> None:
    book(house)
    path, _ = make(client, "researcher", instrument="N001")
    first = client.get(path)
    with counted(house.engine) as statements:
        again = client.get(path)
    # The feed, its owner, and its instrument: no bookings.
    assert len(statements) == 3
    assert (again.content, again.headers["content-type"]) == (first.content, first.headers["content-type"])
    book(house, hour=14)
    with counted(house.engine) as statements:
        changed = client.get(path)
    # The editions, and the booking that is new.
    assert len(statements) == 5
    assert len(seen(changed.text)) == 2
    # The feed of somebody else is another text, whatever is kept.
    other, _ = make(client, "competitor", instrument="N001")
    assert client.get(other).content != first.content


def test_a_revoked_address_is_not_there(client: Client, house: Database) -> None:
    path, _ = make(client, "researcher", instrument="N001")
    with house.read() as db:
        feed_id = db.execute(sa.select(t.feeds.c.id)).scalar_one()
    sign_in(client, "competitor")
    assert send(client, f"/feeds/{feed_id}/revoke").status_code == 404
    assert client.get(path).status_code == 200
    client.cookies.clear()
    sign_in(client, "researcher")
    assert send(client, f"/feeds/{feed_id}/revoke").headers["location"] == "/feeds"
    assert client.get(path).status_code == 404


def test_the_feed_of_somebody_who_left_is_not_there(client: Client, house: Database) -> None:
    path, _ = make(client, "researcher")
    tag = client.get(path).headers["etag"]
    with house.write() as db:
        db.execute(sa.update(t.persons).where(t.persons.c.id == RESEARCHER).values(affiliation="ended"))
    assert client.get(path).status_code == 404
    # Not 304 either: what was read yesterday is no answer to somebody who has left.
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 404


@pytest.mark.parametrize("path", ["/feeds/nothing.ics", "/feeds/.ics", "/feeds/nothing", "/feeds/%00.ics"])
def test_what_is_no_feed_is_not_there(client: Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_the_page_needs_a_sign_in_and_a_place_that_is_there(client: Client) -> None:
    assert client.get("/feeds").status_code == 401
    sign_in(client, "researcher")
    assert client.get("/feeds?instrument=N999").status_code == 404
    assert client.get("/feeds?centre=C-NIL").status_code == 404
    assert send(client, "/feeds", {"instrument": "N999"}).status_code == 404
    assert client.post("/feeds", data={"instrument": "N001"}).status_code == 403


def test_calendars_lead_to_the_page(client: Client) -> None:
    assert "/feeds?instrument=N001" not in client.get("/instruments/N001").text
    sign_in(client, "researcher")
    assert 'href="/feeds"' in client.get("/bookings").text
    assert 'href="/feeds?instrument=N001"' in client.get("/instruments/N001").text
    assert 'href="/feeds?centre=C-ONE"' in client.get("/centres/C-ONE/board").text
    assert "Máy FESEM" in text_of(client.get("/feeds?instrument=N001"))
    assert "Trung tâm Một" in text_of(client.get("/feeds?centre=C-ONE"))


def test_the_page_is_said_in_english_too(client: Client) -> None:
    sign_in(client, "researcher")
    send(client, "/language", {"value": "en", "next": "/feeds"})
    page = text_of(client.get("/feeds?instrument=N001"))
    assert "FESEM instrument" in page
    assert "No address yet." in page


def test_a_booking_is_a_file_for_its_user_and_who_answers_for_the_centre(client: Client, house: Database) -> None:
    booking_id = book(house)
    assert client.get(f"/bookings/{booking_id}.ics").status_code == 401
    for login, status in (("researcher", 200), ("manager", 200), ("competitor", 404)):
        sign_in(client, login)
        assert client.get(f"/bookings/{booking_id}.ics").status_code == status
        client.cookies.clear()
    sign_in(client, "researcher")
    answer = client.get(f"/bookings/{booking_id}.ics")
    assert answer.headers["content-disposition"] == 'attachment; filename="N001-20261125.ics"'
    assert [event.uid for event in seen(answer.text)] == [f"{booking_id.hex}@127.0.0.1"]
    assert f'href="/bookings/{booking_id}.ics"' in client.get(f"/bookings/{booking_id}").text
    (page,) = re.findall(r"\r\nURL:http://127\.0\.0\.1:8000(.*)\r\n", answer.text.replace("\r\n ", ""))
    assert client.get(page).text.count(f'href="/bookings/{booking_id}.ics"') == 1
    for missing in (f"/bookings/{uuid4()}.ics", "/bookings/nothing.ics", "/bookings/nothing"):
        assert client.get(missing).status_code == 404
