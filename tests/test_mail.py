"""Letters: what they say in each language, and how they leave: by SMTP, or into the log."""

from __future__ import annotations

import logging
import smtplib
import socketserver
import threading
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_string, policy
from email.message import EmailMessage
from typing import Any, cast
from uuid import UUID

import pytest

from labshare.domain.bookings import BookingState
from labshare.domain.invitations import Invitation, Outgoing
from labshare.domain.notices import Addressed, Mail, Notice, NoticeKind
from labshare.domain.timespan import MINUTE
from labshare.mail import Letter, Postman, Sender, letter, link, notice_letter, sender
from labshare.services import invitations, notices
from labshare.settings import Settings, SettingsError
from labshare.store import bookings as bookings_store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.calendar_files import seen
from tests.furniture import MANAGER, NOW, PARTNER, RESEARCHER, XRD, a_booking, actor, at, furnish, span

K = NoticeKind
SECRET = "a secret that only these tests use"
SETTINGS = Settings(secret=SECRET, base_url="https://labshare.example/")


class MailServer(socketserver.ThreadingTCPServer):
    """Speaks as much SMTP as a letter needs, and keeps what it was told. With `refuses` it takes no letter."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.letters: list[str] = []
        self.refuses = False

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.server_address[1]}"


class _Talk(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        house = cast("MailServer", self.server)
        self._say("220 here")
        while line := self.rfile.readline().decode().strip():
            verb = line.split()[0].upper()
            if verb == "DATA":
                self._say("354 go on")
                house.letters.append("".join(iter(self._next, ".\r\n")))
                self._say("250 kept")
            elif verb == "QUIT":
                self._say("221 bye")
                return
            elif verb == "MAIL" and house.refuses:
                self._say("451 not now")
            else:
                self._say("250 yes")

    def _next(self) -> str:
        return self.rfile.readline().decode()

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer() as running:
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield running
        running.shutdown()


def outgoing(**changes: Any) -> Outgoing:
    values: dict[str, Any] = {"id": UUID(int=1), "email": "an@x.vn", "language": "vi", "created_at": NOW,
                              "expires_at": NOW + timedelta(days=1)}  # fmt: skip
    return Outgoing(
        invitation=Invitation(**(values | changes)), login="an", inviter="Ban", name_vi="Công ty", name_en="Company"
    )


def test_the_link_leads_to_the_address_that_people_open() -> None:
    token = invitations.token_of(SECRET, UUID(int=1))
    assert link(SETTINGS, outgoing()) == f"https://labshare.example/join/{token}"


@pytest.mark.parametrize(
    ("language", "changes", "says", "says_not"),
    [
        ("vi", {}, "muốn đăng ký LabShare", "Ban"),
        ("en", {}, "wants to register", "Ban"),
        ("vi", {"invited_by_id": PARTNER}, "Ban mời bạn dùng LabShare với tư cách người của Công ty.", "Company"),
        ("en", {"invited_by_id": PARTNER}, "Ban invites you to LabShare as somebody of Company.", "Công ty"),
        ("vi", {"person_id": RESEARCHER}, "tên đăng nhập là an.", "mời"),
        ("en", {"person_id": RESEARCHER, "invited_by_id": PARTNER}, "its login is an.", "Ban"),
    ],
)
def test_a_letter_is_in_its_readers_language_and_says_what_the_link_is_for(
    language: str, changes: dict[str, Any], says: str, says_not: str
) -> None:
    made = letter(outgoing(language=language, **changes), SETTINGS)
    assert made.to == "an@x.vn"
    assert says in made.text
    assert says_not not in made.text
    assert link(SETTINGS, outgoing()) in made.text
    # Tuesday 24 November 2026, 08:00 in Hanoi.
    assert "08:00" in made.text
    assert made.subject.startswith("LabShare: ")


# The letters that say when something ends or happens.
WITH_A_DAY = {
    K.PROJECT_VERIFIED,
    K.PROJECT_REVIEW,
    K.PROJECT_EXPIRED,
    K.LEDGER_TO_PULL_BACK,
    K.SLOT_OFFERED,
    K.QUALIFICATION_ENDS,
    K.TRAINING_BOOKED,
    K.TRAINING_CANCELLED,
    K.OPERATING_BOOKED,
    K.OPERATING_CANCELLED,
    K.BOOKING_OPERATOR,
    K.BOOKING_APPROVED,
    K.BOOKING_DECLINED,
    K.BOOKING_UNDECIDED,
    K.BOOKING_TO_DECIDE,
    K.BOOKING_MADE,
    K.BOOKING_MOVED,
    K.BOOKING_CHANGED,
    K.BOOKING_CANCELLED,
    K.BOOKING_MISSED,
    K.BOOKING_PARDONED,
    K.BOOKING_GIVEN,
    K.EXCHANGE_ASKED,
}


@pytest.mark.parametrize("kind", NoticeKind)
@pytest.mark.parametrize(("language", "name"), [("vi", "Mẫu"), ("en", "Sample")])
def test_a_notice_is_in_its_readers_language_and_leads_to_its_page(kind: NoticeKind, language: str, name: str) -> None:
    notice = Notice(
        id=UUID(int=1), person_id=RESEARCHER, kind=kind, name_vi="Mẫu", name_en="Sample", page="/projects/1",
        until=NOW, created_at=NOW, send_at=NOW,
    )  # fmt: skip
    made = notice_letter(Addressed(notices=(notice,), email="r@x.vn", language=language), SETTINGS)
    assert made.to == "r@x.vn"
    assert made.subject.startswith("LabShare: ")
    assert name in made.text
    assert "https://labshare.example/projects/1" in made.text
    # Monday 23 November 2026, 08:00 in Hanoi.
    assert ("08:00" in made.text) is (kind in WITH_A_DAY)
    assert "notice_" not in made.subject + made.text


def test_a_notice_of_somebody_without_an_english_name_says_the_other(server: MailServer) -> None:
    notice = Notice(
        id=UUID(int=1), person_id=RESEARCHER, kind=K.ORGANISATION_CHECKED, name_vi="Mẫu", name_en="", page="/",
        created_at=NOW, send_at=NOW,
    )  # fmt: skip
    assert "Mẫu" in notice_letter(Addressed(notices=(notice,), email="r@x.vn", language="en"), SETTINGS).text


def test_a_letter_leaves_by_smtp_in_utf_8(server: MailServer) -> None:
    send = sender(Settings(secret=SECRET, smtp_url=server.url, mail_from="LabShare <office@x.vn>"))
    send(Letter(to="an@x.vn", subject="LabShare: lời mời", text="Mở liên kết\nhttps://x.vn/join/abc\n"))
    (kept,) = server.letters
    assert "From: LabShare <office@x.vn>" in kept
    assert "To: an@x.vn" in kept
    assert "Auto-Submitted: auto-generated" in kept
    assert 'charset="utf-8"' in kept


def test_a_server_across_a_network_must_hide_what_it_hears(monkeypatch: pytest.MonkeyPatch, server: MailServer) -> None:
    """The server of these tests offers no STARTTLS; under a name that is not this machine's it gets no letter."""
    monkeypatch.setattr("labshare.mail.LOCAL", frozenset[str]())
    with pytest.raises(smtplib.SMTPNotSupportedError):
        sender(Settings(secret=SECRET, smtp_url=server.url))(Letter(to="an@x.vn", subject="x", text="x"))
    assert server.letters == []


def test_without_a_mail_server_the_letter_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        sender(SETTINGS)(letter(outgoing(), SETTINGS))
    assert link(SETTINGS, outgoing()) in caplog.text


@pytest.mark.parametrize("url", ["smtp://", "smtp://:25", "smtp://host:port"])
def test_an_address_of_a_mail_server_that_cannot_be_read_stops_the_start(url: str) -> None:
    with pytest.raises(SettingsError, match="LABSHARE_SMTP_URL"):
        sender(Settings(secret=SECRET, smtp_url=url))


def invite(database: Database, *emails: str) -> None:
    with database.write() as db:
        furnish(db)
        for email in emails:
            invitations.invite(
                db, actor(PARTNER), email=email, name="", organisation_id="O-CO", language="vi", secret=SECRET, now=NOW
            )


def receivers(server: MailServer) -> list[str]:
    return sorted(line for kept in server.letters for line in kept.splitlines() if line.startswith("To: "))


def test_a_letter_that_cannot_be_made_holds_up_no_other(
    database: Database, server: MailServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An error of any kind is of that letter alone."""
    invite(database, "a@x.vn", "b@x.vn")
    made = letter

    def broken(outgoing: Outgoing, settings: Settings) -> Letter:
        if outgoing.invitation.email == "a@x.vn":
            raise ValueError("no such word")
        return made(outgoing, settings)

    monkeypatch.setattr("labshare.mail.letter", broken)
    moment = [NOW]
    postman = Postman(database, Settings(secret=SECRET, smtp_url=server.url), lambda: moment[0])
    postman.deliver()
    postman.deliver()
    assert receivers(server) == ["To: b@x.vn"]
    # Tried once, as it has been put off, and the reason is in the log.
    assert caplog.text.count("ValueError: no such word") == 1
    monkeypatch.undo()
    moment[0] = NOW + timedelta(seconds=30)
    postman.deliver()
    assert receivers(server) == ["To: a@x.vn", "To: b@x.vn"]


def test_a_server_that_is_away_is_asked_once_in_a_while_and_no_letter_is_lost(
    database: Database, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    invite(database, "a@x.vn", "b@x.vn", "c@x.vn")
    tries: list[str] = []
    good = sender(Settings(secret=SECRET, smtp_url=server.url))
    is_away = [True]

    def send(letter: Letter) -> None:
        tries.append(letter.to)
        if is_away[0]:
            raise TimeoutError("no answer")
        good(letter)

    def sends(settings: Settings) -> Sender:
        return send

    monkeypatch.setattr("labshare.mail.sender", sends)
    moment = [NOW]
    postman = Postman(database, SETTINGS, lambda: moment[0])
    for seconds in (0, 1, 29):
        moment[0] = NOW + timedelta(seconds=seconds)
        postman.deliver()
    assert len(tries) == 1
    moment[0] = NOW + timedelta(seconds=30)
    postman.deliver()
    assert len(tries) == 2
    is_away[0] = False
    moment[0] = NOW + timedelta(hours=1)
    postman.deliver()
    assert receivers(server) == ["To: a@x.vn", "To: b@x.vn", "To: c@x.vn"]


def test_notices_leave_by_the_same_postman_once(database: Database, server: MailServer) -> None:
    with database.write() as db:
        furnish(db)
        db.execute(t.persons.update().where(t.persons.c.id == RESEARCHER).values(email="r@x.vn"))
        notices.tell(db, RESEARCHER, K.PROJECT_DECLINED, ("KC-01", "KC-01"), "/projects/1", NOW)
    moment = [NOW]
    postman = Postman(database, Settings(secret=SECRET, smtp_url=server.url), lambda: moment[0])
    server.refuses = True
    postman.deliver()
    server.refuses = False
    moment[0] = NOW + timedelta(seconds=30)
    postman.deliver()
    postman.deliver()
    assert receivers(server) == ["To: r@x.vn"]


@pytest.mark.parametrize("is_daily", [False, True], ids=["at once", "daily"])
def test_what_is_over_while_letters_before_it_leave_is_not_sent(
    database: Database, monkeypatch: pytest.MonkeyPatch, is_daily: bool
) -> None:
    """A mail server may take long for each of them."""
    booking = a_booking(XRD, span(26, 9, 11), state=BookingState.PENDING, hold_expires_at=at(26, 9))
    with database.write() as db:
        furnish(db)
        for person_id, login in ((RESEARCHER, "first"), (MANAGER, "second")):
            db.execute(t.persons.update().where(t.persons.c.id == person_id).values(email=f"{login}@x.vn"))
            if is_daily:
                notices.choose(db, actor(person_id), dict.fromkeys((K.BOOKING_MOVED, K.BOOKING_TO_DECIDE), Mail.DAILY))
        bookings_store.add(db, [booking])
        notices.tell(db, RESEARCHER, K.BOOKING_MOVED, ("Máy", "Machine"), "/", NOW, booking_id=booking.id)
        notices.tell(
            db, MANAGER, K.BOOKING_TO_DECIDE, ("Máy", "Machine"), "/", NOW + MINUTE, until=at(26, 9),
            booking_id=booking.id,
        )  # fmt: skip
    left: list[str] = []

    def send(letter: Letter) -> None:
        left.append(letter.to)
        with database.write() as db:
            notices.settle(db, [booking.id], [], NOW)

    def sends(settings: Settings) -> Sender:
        return send

    monkeypatch.setattr("labshare.mail.sender", sends)
    Postman(database, SETTINGS, lambda: at(24, 7)).deliver()
    assert left == ["first@x.vn"]


def test_a_digest_tells_each_notice_with_its_link_and_where_to_choose() -> None:
    told = [
        Notice(
            id=UUID(int=number), person_id=RESEARCHER, kind=kind, name_vi="Máy", name_en="Machine",
            page=f"/bookings/{number}", until=NOW, created_at=NOW, send_at=NOW, in_digest=True,
        )
        for number, kind in ((1, K.BOOKING_MOVED), (2, K.ROUND_PLACED))
    ]  # fmt: skip
    made = notice_letter(Addressed(notices=tuple(told), email="r@x.vn", language="en"), SETTINGS)
    assert made.subject == "LabShare: your notices of the day (2)"
    # NOW is Monday 23 November 2026, 08:00 in Hanoi; a round has no such time.
    assert made.text == (
        "Good morning. This is what LabShare has for you since yesterday and you have not read yet:\n\n"
        "* Your booking of Machine was moved\nnow begins Mon 23 Nov 2026, 08:00\nhttps://labshare.example/bookings/1\n\n"
        "* You were given time in “Machine”\nhttps://labshare.example/bookings/2\n\n"
        "When you have letters, and of what, you choose here:\nhttps://labshare.example/notices/preferences\n"
    )
    with_one = notice_letter(Addressed(notices=(told[0],), email="r@x.vn", language="vi"), SETTINGS)
    assert with_one.subject == "LabShare: thông báo trong ngày của bạn (1)"


def test_a_digest_leaves_once_at_seven(database: Database, server: MailServer) -> None:
    with database.write() as db:
        furnish(db)
        db.execute(t.persons.update().where(t.persons.c.id == RESEARCHER).values(email="r@x.vn"))
        notices.choose(db, actor(RESEARCHER), {K.BOOKING_MOVED: Mail.DAILY})
        for page in ("/bookings/1", "/bookings/2"):
            notices.tell(db, RESEARCHER, K.BOOKING_MOVED, ("Máy", "Machine"), page, NOW)
    # Tuesday, 07:00 in Hanoi.
    moment = [at(24, 7) - timedelta(seconds=1)]
    settings = Settings(secret=SECRET, smtp_url=server.url)
    Postman(database, settings, lambda: moment[0]).deliver()
    assert server.letters == []
    moment[0] = at(24, 7)
    Postman(database, settings, lambda: moment[0]).deliver()
    # A process that starts anew finds nothing to send.
    Postman(database, settings, lambda: moment[0] + timedelta(days=1)).deliver()
    assert receivers(server) == ["To: r@x.vn"]


def test_a_letter_of_a_booking_carries_it_for_calendar_programs(database: Database, server: MailServer) -> None:
    booking = a_booking(XRD, span(25, 9, 11), purpose="secret alloy", version=3)
    with database.write() as db:
        furnish(db)
        db.execute(t.persons.update().where(t.persons.c.id == RESEARCHER).values(email="r@x.vn", language="en"))
        bookings_store.add(db, [booking])
        notices.tell(
            db, RESEARCHER, K.BOOKING_MOVED, ("Máy", "Machine"), "/", NOW, until=NOW, booking_id=booking.id
        )  # fmt: skip
    settings = Settings(secret=SECRET, smtp_url=server.url, base_url="https://labshare.example", mail_from="x@x.vn")
    Postman(database, settings, lambda: NOW).deliver()
    message = message_from_string(server.letters[0], policy=policy.default)
    assert isinstance(message, EmailMessage)
    (file,) = message.iter_attachments()
    assert (file.get_content_type(), file.get_filename()) == ("text/calendar", "labshare.ics")
    assert file.get_param("method") == "PUBLISH"
    text = file.get_content()
    assert isinstance(text, str)
    (event,) = seen(text)
    # The id of the feeds; the third version of a booking is the second change of its event.
    assert (event.uid, event.sequence) == (f"{booking.id.hex}@labshare.example", 2)
    assert (event.start, event.end, event.status) == (booking.starts_at, booking.ends_at, "CONFIRMED")
    assert "secret" not in server.letters[0]


def test_the_postman_sends_once_and_tries_again_what_failed(
    database: Database, server: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    moment = [NOW]
    postman = Postman(database, Settings(secret=SECRET, smtp_url=server.url), lambda: moment[0])
    invite(database, "an@x.vn")
    server.refuses = True
    postman.deliver()
    assert "could not be sent" in caplog.text
    server.refuses = False
    postman.deliver()
    assert server.letters == []
    moment[0] = NOW + timedelta(seconds=30)
    postman.deliver()
    postman.deliver()
    assert len(server.letters) == 1
