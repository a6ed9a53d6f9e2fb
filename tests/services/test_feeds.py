"""What a feed tells its reader, as other programs read it, on both databases: no more than its owner may see today."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa

from labshare import ics
from labshare.domain.bookings import Booking, BookingKind, BookingState, Wish
from labshare.domain.modes import Mode
from labshare.domain.series import Conflicts, Frequency, Repeat
from labshare.domain.timespan import Span
from labshare.errors import Forbidden, NotFound
from labshare.i18n import speaking
from labshare.services import bookings, feeds, series
from labshare.store import bookings as bookings_store
from labshare.store import feeds as feeds_store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.calendar_files import Seen, seen
from tests.furniture import (
    COLLEAGUE,
    COMPETITOR,
    FESEM,
    MANAGER,
    NMR,
    NOW,
    OFFICE,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    a_booking,
    actor,
    counted,
    furnish,
    span,
)

SITE = "https://labshare.example.vn/"
HOST = "labshare.example.vn"


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
        db.execute(sa.update(t.persons).values(language="en"))
    return database


def make(house: Database, who: UUID, instrument: str | None = None, centre: str | None = None) -> str:
    with house.write() as db:
        return feeds.create(db, actor(who), NOW, instrument_id=instrument, centre_id=centre).secret


def text(house: Database, secret: str, now: datetime = NOW) -> str:
    with house.read() as db:
        opened = feeds.open_feed(db, secret, now)
        return ics.feed(opened, feeds.contents(db, opened, now, ()), SITE, {}).whole.decode()


def tag(house: Database, secret: str, now: datetime = NOW) -> str:
    with house.read() as db:
        return feeds.open_feed(db, secret, now).tag


def book(house: Database, who: UUID, number: int, when: Span, **changes: Any) -> Booking:
    values: dict[str, Any] = {"instrument_number": number, "span": when, "project_id": PUBLIC_PROJECT}
    with house.write() as db:
        return bookings.book(db, actor(who), Wish(**(values | changes)), NOW)


def test_my_feed_has_my_bookings_on_every_instrument(house: Database) -> None:
    mine = book(house, RESEARCHER, FESEM, span(25, 9, 11), purpose="Mẫu 1; đo, lại")
    other = book(house, RESEARCHER, NMR, span(26, 9, 11))
    book(house, COLLEAGUE, XRD, span(25, 9, 11))
    shown = seen(text(house, make(house, RESEARCHER)))
    assert shown == [
        Seen(
            f"{mine.id.hex}@{HOST}", mine.starts_at, mine.ends_at, "CONFIRMED", "FESEM instrument",
            "Project: KC-01\nMẫu 1; đo, lại", "Centre One", 0,
        ),
        # The clean-up of half an hour is the instrument's, and not the person's time.
        Seen(
            f"{other.id.hex}@{HOST}", other.starts_at, other.ends_at, "CONFIRMED", "NMR instrument", "Project: KC-01",
            "Centre Two", 0,
        ),
    ]  # fmt: skip


@pytest.mark.usefixtures("every_reader")
def test_every_program_sees_the_same_of_a_series_a_move_a_night_and_what_was_given_back(house: Database) -> None:
    with house.write() as db:
        db.execute(sa.update(t.instruments).values(opening="daily 00:00-24:00", attended=False))
        wish = Wish(instrument_number=XRD, span=span(25, 9, 11), project_id=PUBLIC_PROJECT, purpose="đo")
        repeat = Repeat(frequency=Frequency.WEEKLY, count=3)
        made = series.create(db, actor(RESEARCHER), wish, repeat, Conflicts.STOP, NOW)
        first, second, third = (each.id for each in made.line.bookings)
        bookings.move(db, actor(RESEARCHER), first, span(25, 14, 16), seen_version=1, now=NOW)
        bookings.move(db, actor(RESEARCHER), first, span(25, 15, 16), seen_version=2, now=NOW)
        bookings.cancel(db, actor(RESEARCHER), second, seen_version=1, now=NOW)
    night = book(house, RESEARCHER, FESEM, span(25, 22, 30))

    def event(id: UUID, start: datetime, hours: int, status: str, sequence: int, name: str = "XRD") -> Seen:
        said = "Project: KC-01\nđo" if name == "XRD" else "Project: KC-01"
        end = start + timedelta(hours=hours)
        return Seen(f"{id.hex}@{HOST}", start, end, status, f"{name} instrument", said, "Centre One", sequence)

    # Hanoi is seven hours ahead of UTC all year: 15:00 is 08:00, and the night from 22:00 to 06:00 is 15:00 to 23:00.
    assert seen(text(house, make(house, RESEARCHER))) == [
        event(first, datetime(2026, 11, 25, 8, tzinfo=UTC), 1, "CONFIRMED", 2),
        event(night.id, datetime(2026, 11, 25, 15, tzinfo=UTC), 8, "CONFIRMED", 0, "FESEM"),
        event(second, datetime(2026, 12, 2, 2, tzinfo=UTC), 2, "CANCELLED", 1),
        event(third, datetime(2026, 12, 9, 2, tzinfo=UTC), 2, "CONFIRMED", 0),
    ]


def test_it_speaks_the_language_of_its_owner(house: Database) -> None:
    book(house, RESEARCHER, FESEM, span(25, 9, 11))
    secret = make(house, COMPETITOR, "N001")
    assert [event.summary for event in seen(text(house, secret))] == ["Occupied"]
    before = tag(house, secret)
    with house.write() as db:
        db.execute(sa.update(t.persons).values(language="vi"))
    assert [event.summary for event in seen(text(house, secret))] == ["Đã có người dùng"]
    assert tag(house, secret) != before


@pytest.mark.parametrize("place", [{"instrument": "N001"}, {"centre": "C-ONE"}])
def test_a_rivals_feed_says_when_and_nothing_else(house: Database, place: dict[str, str]) -> None:
    kept = book(house, RESEARCHER, FESEM, span(25, 9, 11), purpose="bí mật")
    gone = book(house, RESEARCHER, FESEM, span(26, 9, 11), purpose="kín đáo")
    with house.write() as db:
        bookings.cancel(db, actor(RESEARCHER), gone.id, seen_version=1, now=NOW)
    file = text(house, make(house, COMPETITOR, **place))
    assert [(event.uid, event.status) for event in seen(file)] == [
        (f"{kept.id.hex}@{HOST}", "CONFIRMED"), (f"{gone.id.hex}@{HOST}", "CANCELLED"),
    ]  # fmt: skip
    for secret in ("Researcher", "researcher", "KC-01", "bí mật", "kín đáo", "I-IMS", "Materials", "vật liệu"):
        assert secret not in file
    # Nor a link to what the reader could not open, nor that the time is the reader's.
    assert "URL:" not in file
    assert "TRANSP:OPAQUE" not in file
    said = "Occupied" if "instrument" in place else "FESEM instrument: Occupied"
    assert {event.summary for event in seen(file)} == {said}
    assert {event.description for event in seen(file)} == {""}


def test_who_answers_for_the_centre_reads_names_and_others_when_they_do_no_more(house: Database) -> None:
    booking = book(house, RESEARCHER, FESEM, span(25, 9, 11), purpose="đo")
    secret = make(house, MANAGER, "N001")
    file = text(house, secret)
    (event,) = seen(file)
    assert (event.summary, event.description) == ("Researcher", "Project: KC-01\nđo")
    assert f"URL:https://labshare.example.vn/bookings/{booking.id.hex}" in file.replace("\r\n ", "")
    before = tag(house, secret)
    with house.write() as db:
        db.execute(sa.delete(t.grants).where(t.grants.c.person_id == MANAGER))
    (event,) = seen(text(house, secret))
    assert (event.summary, event.description) == ("Occupied", "")
    assert tag(house, secret) != before


def test_my_own_booking_on_an_instruments_feed_is_mine_and_keeps_me_busy(house: Database) -> None:
    book(house, RESEARCHER, FESEM, span(25, 9, 11))
    file = text(house, make(house, RESEARCHER, "N001"))
    assert [event.summary for event in seen(file)] == ["Your booking"]
    assert "TRANSP:OPAQUE" in file


def test_blocks_say_why_to_everybody(house: Database) -> None:
    with house.write() as db:
        bookings.block(db, actor(MANAGER), FESEM, BookingKind.MAINTENANCE, span(25, 9, 11), "thay nguồn", NOW)
    file = text(house, make(house, COMPETITOR, "N001"))
    assert [(event.summary, event.description) for event in seen(file)] == [("Maintenance", "thay nguồn")]
    assert "\r\nCATEGORIES:Maintenance\r\n" in file


def test_a_booking_that_is_moved_keeps_its_id_and_raises_its_sequence(house: Database) -> None:
    booking = book(house, RESEARCHER, FESEM, span(25, 9, 11))
    later = NOW + timedelta(hours=1)
    with house.write() as db:
        bookings.move(db, actor(RESEARCHER), booking.id, span(26, 14, 15), seen_version=1, now=later)
    for secret in (make(house, RESEARCHER), make(house, COMPETITOR, "N001")):
        file = text(house, secret, later)
        (event,) = seen(file)
        assert (event.uid, event.sequence) == (f"{booking.id.hex}@{HOST}", 1)
        assert (event.start, event.end) == (span(26, 14, 15).start, span(26, 14, 15).end)
        # An hour after 01:00 UTC.
        assert "DTSTAMP:20261123T020000Z\r\nLAST-MODIFIED:20261123T020000Z\r\n" in file


def test_what_is_held_is_tentative_to_who_may_know_it(house: Database) -> None:
    held = a_booking(FESEM, span(25, 9, 11), state=BookingState.HELD, hold_expires_at=NOW + timedelta(hours=1))
    with house.write() as db:
        bookings_store.add(db, [held])
    assert [event.status for event in seen(text(house, make(house, RESEARCHER)))] == ["TENTATIVE"]
    assert [event.status for event in seen(text(house, make(house, COMPETITOR, "N001")))] == ["CONFIRMED"]


def test_a_cancellation_is_told_for_60_days(house: Database) -> None:
    booking = book(house, RESEARCHER, FESEM, span(25, 9, 11))
    mine, rivals = make(house, RESEARCHER), make(house, COMPETITOR, "N001")
    with house.write() as db:
        bookings.cancel(db, actor(RESEARCHER), booking.id, seen_version=1, now=NOW)
    # Cancelled on the 23rd: the feed of 60 days later still looks back to the midnight of that day.
    for secret in (mine, rivals):
        assert [event.status for event in seen(text(house, secret, NOW + timedelta(days=60)))] == ["CANCELLED"]
        assert seen(text(house, secret, NOW + timedelta(days=61))) == []


@pytest.mark.parametrize(
    "leaves",
    [{"disabled_at": NOW}, {"erased_at": NOW}, {"affiliation": "ended"}, {"affiliation": "waiting"}],
    ids=["disabled", "erased", "left", "not confirmed"],
)
def test_the_feed_of_somebody_who_left_is_not_there_at_once(house: Database, leaves: dict[str, Any]) -> None:
    secrets = [make(house, RESEARCHER), make(house, RESEARCHER, "N001"), make(house, RESEARCHER, centre="C-ONE")]
    with house.write() as db:
        db.execute(sa.update(t.persons).where(t.persons.c.id == RESEARCHER).values(**leaves))
    for secret in secrets:
        with pytest.raises(NotFound, match="feed_not_found"):
            text(house, secret)
    with pytest.raises(Forbidden, match="feed_not_confirmed"):
        make(house, RESEARCHER)


def test_a_revoked_feed_is_not_there_and_the_others_are(house: Database) -> None:
    with house.write() as db:
        first = feeds.create(db, actor(RESEARCHER), NOW)
        second = feeds.create(db, actor(RESEARCHER), NOW)
        with pytest.raises(NotFound):
            feeds.revoke(db, actor(COLLEAGUE), first.feed.id, NOW)
        feeds.revoke(db, actor(RESEARCHER), first.feed.id, NOW)
        assert [line.feed for line in feeds.mine(db, actor(RESEARCHER))] == [second.feed]
    with pytest.raises(NotFound):
        text(house, first.secret)
    assert seen(text(house, second.secret)) == []
    with pytest.raises(NotFound):
        text(house, "")


def test_only_a_hash_of_the_secret_is_kept(house: Database) -> None:
    secret = make(house, RESEARCHER)
    with house.read() as db:
        (row,) = db.execute(sa.select(t.feeds)).mappings()
        lines = db.execute(sa.select(t.audit)).all()
    assert secret not in str(dict(row)) + str(lines)
    assert len(row["token_hash"]) == 64


def test_there_is_no_feed_of_a_place_that_is_not(house: Database) -> None:
    for place in ({"instrument": "N999"}, {"centre": "C-NIL"}):
        with pytest.raises(NotFound):
            make(house, RESEARCHER, **place)


def test_the_tag_changes_with_the_calendar_and_the_day_and_not_otherwise(house: Database) -> None:
    secrets = [make(house, RESEARCHER), make(house, COMPETITOR, "N001"), make(house, OFFICE, centre="C-ONE")]

    def tags(now: datetime = NOW) -> list[str]:
        return [tag(house, secret, now) for secret in secrets]

    first = tags()
    booking = book(house, RESEARCHER, FESEM, span(25, 9, 11))
    booked = tags()
    book(house, COMPETITOR, NMR, span(25, 9, 11), project_id=UUID(int=22))
    assert tags() == booked  # another instrument and person
    assert all(one != other for one, other in zip(first, booked, strict=True))
    with house.write() as db:
        bookings.cancel(db, actor(RESEARCHER), booking.id, seen_version=1, now=NOW)
    assert all(one != other for one, other in zip(booked, tags(), strict=True))
    assert tags(NOW + timedelta(hours=10)) == tags()
    assert all(one != other for one, other in zip(tags(), tags(NOW + timedelta(days=1)), strict=True))


def test_a_hold_that_somebody_else_ends_changes_the_tag_of_its_person(house: Database) -> None:
    """Whoever meets a due hold ends it without the lock of its person."""
    held = a_booking(FESEM, span(25, 9, 11), state=BookingState.HELD, hold_expires_at=NOW)
    with house.write() as db:
        bookings_store.add(db, [held])
    secret = make(house, RESEARCHER)
    before = tag(house, secret)
    book(house, COLLEAGUE, FESEM, span(25, 9, 11))
    assert tag(house, secret) != before
    assert [event.status for event in seen(text(house, secret))] == ["CANCELLED"]


def test_a_feed_takes_five_queries_at_most(house: Database) -> None:
    for number in (FESEM, XRD):
        book(house, RESEARCHER, number, span(25 + number, 9, 11))
    # The feed, its owner, and what it hangs on; then the bookings, and for one's own the names of the instruments.
    for secret, most in ((make(house, RESEARCHER), 5), (make(house, OFFICE, centre="C-ONE"), 4)):
        with counted(house.engine) as statements:
            assert len(seen(text(house, secret))) == 2
        assert len(statements) == most


def test_one_booking_is_a_file_like_the_event_of_its_users_feed(house: Database) -> None:
    booking = book(house, RESEARCHER, FESEM, span(25, 9, 11), purpose="đo")
    with house.read() as db:
        line = bookings.show(db, actor(RESEARCHER), booking.id)
    with speaking("en"):
        file = ics.booking(line, SITE).decode()
    assert seen(file) == seen(text(house, make(house, RESEARCHER)))
    assert f"URL:https://labshare.example.vn/bookings/{booking.id.hex}" in file.replace("\r\n ", "")


def read_by(house: Database, texts: feeds.Texts, secret: str) -> feeds.FeedText:
    """As the web reads it."""
    with house.read() as db:
        opened = feeds.open_feed(db, secret, NOW)
        kept = texts.get(opened.eyes)
        known = kept.events if kept else {}
        text = ics.feed(opened, feeds.contents(db, opened, NOW, known), SITE, known)
    texts.keep(text)
    return text


def test_what_is_kept_of_a_feed_never_makes_it_another_one(house: Database) -> None:
    """After each of many changes, the feed that knows what it said before is the one that knows nothing."""
    secrets = [
        make(house, RESEARCHER), make(house, COLLEAGUE, "N001"), make(house, COMPETITOR, "N001"),
        make(house, MANAGER, "N001"), make(house, MANAGER, centre="C-ONE"), make(house, OFFICE, centre="C-TWO"),
        make(house, MANAGER),
    ]  # fmt: skip
    texts = feeds.Texts()

    def same() -> None:
        for secret in secrets:
            kept, fresh = read_by(house, texts, secret), read_by(house, feeds.Texts(), secret)
            # What was given back at one time has no order of its own.
            assert (kept.tag, kept.whole, kept.editions) == (fresh.tag, fresh.whole, fresh.editions)
            assert sorted(seen(kept.whole.decode())) == sorted(seen(text(house, secret)))

    same()
    first = book(house, RESEARCHER, FESEM, span(25, 9, 11), purpose="một")
    same()
    second = book(house, RESEARCHER, FESEM, span(25, 13, 14))
    other = book(house, COLLEAGUE, NMR, span(25, 9, 11), purpose="hai")
    same()
    with house.write() as db:
        bookings.move(db, actor(RESEARCHER), first.id, span(26, 9, 11), seen_version=1, now=NOW)
    same()
    with house.write() as db:
        bookings.cancel(db, actor(RESEARCHER), second.id, seen_version=1, now=NOW)
        bookings.block(db, actor(MANAGER), FESEM, BookingKind.MAINTENANCE, span(27, 9, 11), "thay nguồn", NOW)
    same()
    # It goes to the other person, as a hand-over writes it, and out of the feed of the first.
    with house.write() as db:
        changed = msgspec.structs.replace(other, person_id=RESEARCHER, purpose="ba")
        bookings_store.change(db, changed, seen_version=1)
        db.execute(sa.update(t.instruments).values(calendar_version=t.instruments.c.calendar_version + 1))
    same()
    # Who manages the centre runs the instrument for somebody: it is among their own.
    with house.write() as db:
        run = a_booking(FESEM, span(30, 9, 11), operator_id=MANAGER, mode=Mode.ASSISTED, purpose="bốn")
        bookings_store.add(db, [run])
        db.execute(sa.update(t.instruments).values(calendar_version=t.instruments.c.calendar_version + 1))
    same()
    # Of an instrument that goes to another centre, whoever answers for the first reads nothing of what they were told.
    with house.write() as db:
        db.execute(sa.update(t.instruments).where(t.instruments.c.number == FESEM).values(centre_id="C-TWO"))
    same()
    assert "bốn" not in text(house, secrets[-1])
    assert {each.summary for each in seen(text(house, secrets[3]))} == {"Occupied", "Maintenance", "Your booking"}
    with house.write() as db:
        db.execute(sa.update(t.instruments).where(t.instruments.c.number == FESEM).values(centre_id="C-ONE"))
    same()
    # Nor does who answers for the centre, or for all, no more.
    with house.write() as db:
        db.execute(sa.delete(t.grants).where(t.grants.c.person_id.in_([MANAGER, OFFICE])))
    same()


def test_after_a_change_one_booking_is_read_whole_in_five_queries(house: Database) -> None:
    booking = book(house, RESEARCHER, FESEM, span(25, 9, 11))
    book(house, RESEARCHER, FESEM, span(26, 9, 11))
    for secret in (make(house, RESEARCHER), make(house, MANAGER, "N001")):
        texts = feeds.Texts()
        known = read_by(house, texts, secret).events
        with house.write() as db:
            booking = bookings.move(
                db,
                actor(RESEARCHER),
                booking.id,
                span(25, 9, 10 + booking.version),
                seen_version=booking.version,
                now=NOW,
            )
        with counted(house.engine) as statements:
            read_by(house, texts, secret)
        assert len(statements) == 5
        with house.read() as db:
            contents = feeds.contents(db, feeds.open_feed(db, secret, NOW), NOW, known)
        assert [event[:2] for event in contents.events] == [(booking.id.hex, booking.version)]


def test_more_changes_than_are_worth_asking_for_one_by_one_are_all_read(house: Database) -> None:
    days = [span(25, 2 * number, 2 * number + 1) for number in range(102)]
    with house.write() as db:
        bookings_store.add(db, [a_booking(FESEM, day) for day in days])
    secret, texts = make(house, MANAGER, "N001"), feeds.Texts()
    assert len(read_by(house, texts, secret).events) == 102
    for changes, version, all_are_read in ((100, 2, False), (101, 3, True)):
        with house.write() as db:
            first = sa.select(t.bookings.c.id).order_by(t.bookings.c.starts_at).limit(changes)
            db.execute(sa.update(t.bookings).where(t.bookings.c.id.in_(first)).values(version=version))
            opened = feeds.open_feed(db, secret, NOW)
            kept = texts.get(opened.eyes)
            assert kept
            contents = feeds.contents(db, opened, NOW, kept.events)
            assert len(list(contents.events)) == (102 if all_are_read else 100)
            db.execute(sa.update(t.instruments).values(calendar_version=version))
        assert [each for _, each in read_by(house, texts, secret).events] == [version] * changes + [1] * (102 - changes)


def test_what_changes_while_a_feed_is_read_is_told_as_it_stands(
    house: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The editions are read before the events; on PostgreSQL others may write between the two."""
    kept, moved, gone = (book(house, RESEARCHER, FESEM, span(day, 9, 11)) for day in (25, 26, 27))
    secret, texts = make(house, MANAGER, "N001"), feeds.Texts()
    read_by(house, texts, secret)
    before = [(kept.id.hex, 1), (moved.id.hex, 7), (gone.id.hex, 7)]

    def read_before(*_: object) -> list[feeds.Edition]:
        return before

    monkeypatch.setattr(feeds_store, "editions", read_before)
    with house.write() as db:
        bookings_store.change(db, moved, seen_version=1)
        bookings_store.change(db, msgspec.structs.replace(gone, instrument_number=XRD), seen_version=1)
    assert list(read_by(house, texts, secret).events) == [(kept.id.hex, 1), (moved.id.hex, 2)]


def test_the_texts_that_were_not_asked_for_the_longest_go_first() -> None:
    def file(eyes: str, octets: int) -> feeds.FeedText:
        # A feed takes 1,000 octets beside its events, and an event 210 beside its text.
        return feeds.FeedText(eyes=eyes, tag="", whole=b"x" * (octets - 1170), editions=(("1", 1),))

    # Room for 3,000 octets: the third text is one too many, and the first was asked for after the second.
    texts = feeds.Texts(most=3000)
    first = file("first", 1400)
    texts.keep(first)
    texts.keep(file("second", 1400))
    assert texts.get("first") is first
    texts.keep(file("third", 1400))
    assert [texts.get(eyes) is not None for eyes in ("first", "second", "third")] == [True, False, True]
    # Another text for the same eyes takes the room of one, and what is larger than all of it takes none.
    texts.keep(file("third", 1600))
    assert texts.get("first") is first
    texts.keep(file("huge", 3001))
    assert texts.get("huge") is None
    assert texts.get("first") is first


def test_feeds_in_which_nothing_stands_take_room_too() -> None:
    texts = feeds.Texts(most=5000)
    for number in range(50):
        texts.keep(feeds.FeedText(eyes=str(number), tag="", whole=b"x" * 250, editions=()))
    # Each takes 1,250 octets.
    assert sum(texts.get(str(number)) is not None for number in range(50)) == 4


def test_what_is_booked_while_a_feed_of_ones_own_is_read_stands_in_it(house: Database) -> None:
    """On another instrument than all before, between the statements that read it."""
    book(house, RESEARCHER, XRD, span(25, 9, 11))
    secret = make(house, RESEARCHER)
    with house.read() as db:
        opened = feeds.open_feed(db, secret, NOW)
    book(house, RESEARCHER, FESEM, span(26, 9, 11))
    with house.read() as db:
        read = ics.feed(opened, feeds.contents(db, opened, NOW, ()), SITE, {}).whole
    assert [event.summary for event in seen(read.decode())] == ["XRD instrument", "FESEM instrument"]
