"""Taking a strike back on the page of a booking: for managers, with a reason that its user reads there."""

from __future__ import annotations

from labshare.domain.bookings import BookingState
from labshare.store import bookings as store
from labshare.store.engine import Database
from tests.furniture import XRD, a_booking, span
from tests.web.conftest import Client, send, sign_in, text_of


def test_a_manager_takes_a_strike_back_and_says_why(client: Client, house: Database) -> None:
    with house.write() as db:
        missed = a_booking(XRD, span(20, 9, 11), state=BookingState.NO_SHOW)
        store.add(db, [missed])
    page, path = f"/bookings/{missed.id}", f"/bookings/{missed.id}/pardon"
    sign_in(client, "researcher")
    assert path not in client.get(page).text
    assert send(client, path, {"version": "1", "reason": "x"}).status_code == 403
    client.cookies.set("language", "en")
    sign_in(client, "manager")
    assert f'action="{path}"' in client.get(page).text
    empty = send(client, path, {"version": "1", "reason": " "})
    assert (empty.status_code, "Say why: the user reads your reason." in text_of(empty)) == (400, True)
    stale = send(client, path, {"version": "3", "reason": "The pump had failed"})
    assert (stale.status_code, 'value="The pump had failed"' in stale.text) == (412, True)
    assert send(client, path, {"version": "1", "reason": "The pump had failed"}).headers["location"] == page
    assert f'action="{path}"' not in client.get(page).text
    sign_in(client, "researcher")
    assert "The centre says The pump had failed" in text_of(client.get(page))
