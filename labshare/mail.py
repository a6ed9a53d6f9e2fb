"""Letters: what an invitation or a notice says, and how it leaves. By SMTP when `LABSHARE_SMTP_URL` is set; else into
the log, where whoever runs the installation finds the link and hands it over.

What must not live here: whom to write to and when (services/invitations.py).
"""

from __future__ import annotations

import logging
import smtplib
import ssl
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import unquote, urlsplit
from uuid import UUID

import msgspec

from labshare import formats, ics, notice_words
from labshare.domain.invitations import Outgoing
from labshare.domain.notices import Addressed
from labshare.errors import Refusal
from labshare.i18n import DEFAULT_LANGUAGE, gettext, known_language, language, speaking
from labshare.services import Connection, Database, invitations, notices
from labshare.services.bookings import BookingLine
from labshare.settings import Settings, SettingsError, require_secret, variable_of

TIMEOUT_SECONDS = 20
# How long a server that is away is left alone.
REST = timedelta(seconds=30)
# What a server that is there says of one letter; every other error of the network or of SMTP is the server's own.
OF_ONE_LETTER = (smtplib.SMTPSenderRefused, smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError)
# A relay on the same machine hears the letter before anybody on a network could.
LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
PORTS = {"smtp": 25, "smtps": 465}

log = logging.getLogger(__name__)


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """One letter in plain text, in one language."""

    to: str
    subject: str
    text: str
    # A calendar file that goes with it; empty without one.
    calendar: bytes = b""


Sender = Callable[[Letter], None]


class Postman:
    """Sends the letters that wait, each outside any transaction: a mail server may be slow, and is nobody's lock."""

    def __init__(self, database: Database, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._send = sender(settings)
        self._rests_until = clock()

    def deliver(self) -> None:
        """Send what is due. One that cannot be sent is put off and holds up no other, whatever the reason.

        A server that is away ends the round, as the others would wait for it too; it is asked again after `REST`.
        """
        if self._clock() < self._rests_until:
            return
        with self._database.read() as db:
            waiting = self._waiting(db)
        for each in waiting:
            try:
                with self._database.read() as db:
                    written = each.write(db, self._settings)
                if written is None:
                    continue
                self._send(written)
            except Exception as error:
                log.exception("letter %s could not be sent", each.id)
                with self._database.write() as db:
                    each.put_off(db, self._clock())
                if isinstance(error, OSError) and not isinstance(error, OF_ONE_LETTER):
                    self._rests_until = self._clock() + REST
                    return
            else:
                with self._database.write() as db:
                    each.sent(db)

    def _waiting(self, db: Connection) -> list[_Waiting]:
        now = self._clock()
        invited = map(_invitation, invitations.letters(db, now))
        return [*invited, *map(_notice, notices.letters(db, now))]


class _Waiting(msgspec.Struct, frozen=True):
    """One letter of either queue, and what becomes of its row. Written when its turn comes, as those before it may take
    long: None where it is not wanted any more.
    """

    id: UUID
    write: Callable[[Connection, Settings], Letter | None]
    sent: Callable[[Connection], None]
    put_off: Callable[[Connection, datetime], None]


def _invitation(outgoing: Outgoing) -> _Waiting:
    return _Waiting(
        outgoing.invitation.id,
        lambda _, settings: letter(outgoing, settings),
        lambda db: invitations.sent(db, outgoing),
        lambda db, now: invitations.put_off(db, outgoing, now),
    )


def _notice(addressed: Addressed) -> _Waiting:
    def write(db: Connection, settings: Settings) -> Letter | None:
        left = notices.left(db, addressed)
        return notice_letter(left, settings, notices.calendar_of(db, left.notice)) if left else None

    return _Waiting(
        addressed.notice.id,
        write,
        lambda db: notices.sent(db, addressed),
        lambda db, now: notices.put_off(db, addressed, now),
    )


def link(settings: Settings, outgoing: Outgoing) -> str:
    """Where the invitation's token is spent: the one address that lets its reader in."""
    token = invitations.token_of(require_secret(settings), outgoing.invitation.id)
    return f"{settings.base_url.rstrip('/')}/join/{token}"


def letter(outgoing: Outgoing, settings: Settings) -> Letter:
    """What the invitation says, in the language of its reader: to a newcomer, or to somebody who has an account."""
    invitation = outgoing.invitation
    kind = "known" if invitation.person_id else "invited" if invitation.invited_by_id else "asked"
    with speaking(known_language(invitation.language) or DEFAULT_LANGUAGE):
        organisation = outgoing.name_vi if language() == "vi" else outgoing.name_en
        words = {
            "link": link(settings, outgoing),
            "login": outgoing.login,
            "inviter": outgoing.inviter or "–",
            "organisation": organisation or outgoing.name_vi or outgoing.name_en,
            "until": formats.moment(invitation.expires_at),
        }
        text = gettext(f"letter_text.{kind}") % words
        return Letter(to=invitation.email, subject=gettext(f"letter_subject.{kind}"), text=text)


def notice_letter(addressed: Addressed, settings: Settings, lines: Sequence[BookingLine] = ()) -> Letter:
    """What happened and where to read more, in the language of its reader; several notices make the digest of a day.

    `lines` are the bookings that a calendar program is to know of.
    """
    notice = addressed.notice
    with speaking(known_language(addressed.language) or DEFAULT_LANGUAGE):
        if notice.in_digest:
            return _digest(addressed, settings)
        return Letter(
            to=addressed.email,
            subject=notice_words.subject(notice),
            text=gettext(f"notice_text.{notice.kind}") % notice_words.words(notice, settings.base_url),
            calendar=ics.letter(lines, settings.base_url, settings.mail_from) if lines else b"",
        )


def _digest(addressed: Addressed, settings: Settings) -> Letter:
    """A line for each notice, with its link, in the order in which they came."""
    parts = [
        "\n".join(filter(None, (f"* {notice_words.title(each)}", notice_words.when(each), words["link"])))
        for each in addressed.notices
        for words in [notice_words.words(each, settings.base_url)]
    ]
    site = settings.base_url.rstrip("/")
    said = {"count": len(parts), "notices": "\n\n".join(parts), "link": f"{site}/notices/preferences"}
    subject, text = gettext("letter_subject.digest") % said, gettext("letter_text.digest") % said
    return Letter(to=addressed.email, subject=subject, text=text)


def sender(settings: Settings) -> Sender:
    """How letters leave. Raises `SettingsError` for an address of a mail server that cannot be read."""
    return _by_smtp(settings) if settings.smtp_url else to_log


def to_log(letter: Letter) -> None:
    """For an installation without a mail server: the letter is handed over by whoever reads the log."""
    log.info("no mail server is set, so hand this letter to %s:\n%s\n\n%s", letter.to, letter.subject, letter.text)


def _by_smtp(settings: Settings) -> Sender:
    address = urlsplit(settings.smtp_url)
    try:
        host, port = address.hostname, address.port or PORTS[address.scheme]
    except (KeyError, ValueError):
        host, port = None, 0
    if not host:
        raise SettingsError([
            Refusal(
                code="setting_malformed_unspoken", params={"variable": variable_of("smtp_url"), "wanted": "smtp_url"}
            )
        ])  # fmt: skip

    def send(letter: Letter) -> None:
        """Raises OSError (smtplib's errors are) when the server is away or will not take it."""
        with _connected(address.scheme, host, port) as server:
            if address.username:
                server.login(unquote(address.username), unquote(address.password or ""))
            server.send_message(_message(letter, settings.mail_from))

    return send


def _connected(scheme: str, host: str, port: int) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if scheme == "smtps":
        return smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_SECONDS, context=context)
    server = smtplib.SMTP(host, port, timeout=TIMEOUT_SECONDS)
    if host not in LOCAL:
        # A token must not cross a network in the open; a server that cannot do this raises.
        try:
            server.starttls(context=context)
        except OSError:
            server.close()
            raise
    return server


def _message(letter: Letter, mail_from: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = mail_from
    message["To"] = letter.to
    message["Subject"] = letter.subject
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=mail_from.rpartition("@")[2].strip("> ") or "labshare")
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text)
    if letter.calendar:
        message.add_attachment(
            letter.calendar, "text", "calendar", filename="labshare.ics", params={"method": "PUBLISH"}
        )
    return message
