"""Which words stand in the events of a calendar file; tests/services/test_feeds.py asks what a feed may hold."""

from __future__ import annotations

import msgspec
import pytest

from labshare import ics
from labshare.domain.bookings import BookingKind, BookingState
from labshare.i18n import Language, speaking
from labshare.store.booking_pages import BookingLine
from tests.calendar_files import Seen, seen
from tests.furniture import FESEM, a_booking, span


def line(state: BookingState = BookingState.CONFIRMED, kind: BookingKind = BookingKind.USE) -> BookingLine:
    return BookingLine(
        booking=a_booking(FESEM, span(25, 9, 11), state=state, kind=kind, purpose="đo, lại"),
        instrument_id="N001",
        instrument_vi="Kính hiển vi điện tử quét phát xạ trường",
        instrument_en="",
        centre_id="C-ONE",
        centre_vi="Trung tâm Một",
        centre_en="Centre One",
        timezone="Asia/Ho_Chi_Minh",
        person="Researcher",
        organisation_vi=None,
        organisation_en=None,
        project="KC-01",
    )


def read(booking: BookingLine, language: Language = "en") -> Seen:
    with speaking(language):
        (event,) = seen(ics.booking(booking, "http://127.0.0.1:8000").decode())
    return event


def test_a_file_is_in_the_readers_language_and_falls_back_on_the_name_there_is() -> None:
    vietnamese, english = read(line(), "vi"), read(line())
    assert (vietnamese.description, vietnamese.location) == ("Dự án: KC-01\nđo, lại", "Trung tâm Một")
    assert (english.description, english.location) == ("Project: KC-01\nđo, lại", "Centre One")
    assert vietnamese.summary == english.summary == "Kính hiển vi điện tử quét phát xạ trường"


def test_an_id_is_of_the_host_without_its_port() -> None:
    booking = line()
    assert read(booking).uid == f"{booking.booking.id.hex}@127.0.0.1"


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (BookingState.HELD, "TENTATIVE"),
        (BookingState.PENDING, "TENTATIVE"),
        (BookingState.CONFIRMED, "CONFIRMED"),
        (BookingState.IN_USE, "CONFIRMED"),
        (BookingState.DONE, "CONFIRMED"),
        (BookingState.CANCELLED, "CANCELLED"),
        (BookingState.DECLINED, "CANCELLED"),
        (BookingState.EXPIRED, "CANCELLED"),
        (BookingState.RELEASED, "CANCELLED"),
        (BookingState.NO_SHOW, "CANCELLED"),
    ],
)
def test_every_state_has_its_status(state: BookingState, status: str) -> None:
    assert read(line(state)).status == status


@pytest.mark.parametrize("kind", BookingKind)
def test_every_kind_is_a_category(kind: BookingKind) -> None:
    with speaking("en"):
        file = ics.booking(line(kind=kind), "http://127.0.0.1:8000").decode()
    words = {"use": "Use", "maintenance": "Maintenance", "engineering": "Engineering", "closure": "Closure"}
    assert f"\r\nCATEGORIES:{words[kind]}" in file


def test_the_sequence_begins_with_nought() -> None:
    first = line()
    third = msgspec.structs.replace(first, booking=msgspec.structs.replace(first.booking, version=3))
    assert (read(first).sequence, read(third).sequence) == (0, 2)


def test_a_letters_file_is_published_by_whoever_writes_it_and_says_nothing_private() -> None:
    told = line(BookingState.CANCELLED)
    with speaking("en"):
        text = ics.letter([told, line()], "http://127.0.0.1:8000", "LabShare <office@x.vn>").decode()
    cancelled, confirmed = seen(text)
    assert (cancelled.uid, cancelled.status) == (f"{told.booking.id.hex}@127.0.0.1", "CANCELLED")
    assert (confirmed.status, confirmed.description) == ("CONFIRMED", "")
    assert text.count("\r\nMETHOD:PUBLISH\r\n") == 1
    assert text.count("\r\nORGANIZER;CN=LabShare:mailto:office@x.vn\r\n") == 2
    assert f"/bookings/{told.booking.id.hex}" in text.replace("\r\n ", "")
    assert "KC-01" not in text
