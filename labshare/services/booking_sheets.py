"""Many bookings from one sheet: each row is looked at with the others in place, and what can be made together is made.

By this a centre brings along the bookings of what it used before. Whoever may book for somebody may bring theirs; rows
go through the one way in, and what stands is not booked once more however often a sheet is sent. What must not live
here: the form of a sheet (domain/booking_sheets.py), or rules of booking.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from labshare.domain.booking_sheets import SheetRow, read
from labshare.domain.bookings import Booking, BookingState, InstrumentRules, Wish
from labshare.domain.clearances import is_open
from labshare.domain.people import Action, Actor, may, require
from labshare.domain.timespan import Span
from labshare.errors import Forbidden, Malformed, NotFound, Refusal, Refused
from labshare.services import bookings, calendars, clearances, training, wishes
from labshare.services.booking_changes import purpose_of
from labshare.services.house_rules import with_reason
from labshare.services.writing import Change, Locked, sift, write
from labshare.store import bookings as store
from labshare.store.engine import Connection


class SheetLine(msgspec.Struct, frozen=True, kw_only=True):
    """A row with its times, None where they could not be read, and why it cannot be booked with those before it; or
    whether it would wait for its centre's decision (`waits`).
    """

    row: SheetRow
    span: Span | None = None
    refusals: tuple[Refusal, ...] = ()
    waits: bool = False


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """What the rows of a sheet become: `good` are the changes that can be made together, `lacking` the wishes that want
    for a clearance which is still to be decided, one for each project.
    """

    lines: tuple[SheetLine, ...]
    good: tuple[Change, ...]
    lacking: tuple[Wish, ...]
    locked: Locked

    @property
    def refused(self) -> int:
        """How many rows cannot be booked."""
        return sum(bool(line.refusals) for line in self.lines)


def look(db: Connection, actor: Actor, text: str, override: str, now: datetime) -> Sheet:
    """What would become of each row now. On a connection for reading nothing is locked.

    `override` is the reason for which a manager passes the rules of their centres. Raises `Malformed` for what is no
    sheet or no reason, and `Forbidden` for who may not book at all.
    """
    require(actor, Action.BOOK)
    reader = _Reader(db, actor, override)
    rows = [reader.read(row) for row in read(text)]
    asked = [wish for _, wish in rows if wish is not None]
    changes, locked = bookings.planned(db, actor, asked, now)
    judged = list(zip(changes, _sifted(db, actor, changes, locked, now), strict=True))
    found = iter(judged)
    lines = tuple(line if wish is None else _told(line, *next(found)) for line, wish in rows)
    lacking = {change.wish.project_id: change.wish for change, refused in judged if change.wish and is_open(refused)}
    good = tuple(change for change, refused in judged if not refused)
    return Sheet(lines=lines, good=good, lacking=tuple(lacking.values()), locked=locked)


def load(db: Connection, actor: Actor, text: str, override: str, now: datetime, *, skips: bool) -> list[Booking]:
    """Book every row or, with `skips`, all that are not refused. Returns the bookings in the order of their rows.

    Raises as `look` does, and `Refused` with the number of rows that are refused, or where none is left.
    """
    sheet = look(db, actor, text, override, now)
    if sheet.refused and not (skips and sheet.good):
        raise Refused([Refusal(code="sheet_rows_refused", params={"count": sheet.refused})])
    written = write(db, actor, sheet.good, sheet.locked, now, action="book")
    training.tell(db, actor, written, sheet.locked, "book", now)
    hold_back(db, actor, sheet, now)
    return written


def hold_back(db: Connection, actor: Actor, sheet: Sheet, now: datetime) -> None:
    """Put before the user office what projects lack, as the refusals of the rows have promised."""
    for wish in sheet.lacking:
        clearances.hold_back(db, actor, wish, now)


# ---------------------------------------------------------------- parts


def _told(line: SheetLine, change: Change, refused: tuple[Refusal, ...]) -> SheetLine:
    waits = not refused and change.after.state is BookingState.PENDING
    return msgspec.structs.replace(line, refusals=refused, waits=waits)


def _sifted(
    db: Connection, actor: Actor, changes: Sequence[Change], locked: Locked, now: datetime
) -> Iterator[tuple[Refusal, ...]]:
    """Why each row cannot be booked with those before it. What somebody has already is not booked for them once more,
    though there may be room for it where several use an instrument at a time.
    """
    standing = store.uses_as(db, [change.after for change in changes])
    stands = [_key(change.after) in standing for change in changes]
    fresh = [change for change, is_there in zip(changes, stands, strict=True) if not is_there]
    found = iter(sift(db, fresh, locked, now, reader=actor))
    return (_STANDS if is_there else next(found) for is_there in stands)


_STANDS = (Refusal(code="sheet_row_stands"),)


def _key(booking: Booking) -> tuple[int, UUID | None, datetime, datetime]:
    return booking.instrument_number, booking.person_id, booking.starts_at, booking.ends_at


class _Reader:
    """Turns rows into wishes; an instrument is looked up once, and so is a person with a project."""

    def __init__(self, db: Connection, actor: Actor, override: str) -> None:
        self._db, self._actor, self._override = db, actor, override
        self._rules: dict[str, InstrumentRules] = {}
        self._people: dict[tuple[str, str, str], tuple[UUID, UUID | None]] = {}

    def read(self, row: SheetRow) -> tuple[SheetLine, Wish | None]:
        """The line of a row, and its wish unless it cannot be read. Raises `Malformed` for what is no reason."""
        try:
            rules = self._rules_of(row.instrument)
            span, mode = row.span(rules.timezone), row.chosen_mode()
            purpose = purpose_of(row.purpose)
            person_id, project_id = self._person_of(row, rules)
        except (Malformed, NotFound, Forbidden, Refused) as error:
            return SheetLine(row=row, refusals=error.refusals), None
        wish = Wish(
            instrument_number=rules.number,
            span=span,
            person_id=person_id,
            project_id=project_id,
            purpose=purpose,
            mode=mode,
            setup=row.setup,
        )
        if may(self._actor, Action.MANAGE_CALENDAR, centre=rules.centre_id):
            wish = with_reason(wish, self._override)
        return SheetLine(row=row, span=span), wish

    def _rules_of(self, code: str) -> InstrumentRules:
        if code not in self._rules:
            self._rules[code] = calendars.rules_of(self._db, code)
        return self._rules[code]

    def _person_of(self, row: SheetRow, rules: InstrumentRules) -> tuple[UUID, UUID | None]:
        key = rules.centre_id, row.person, row.project
        if key not in self._people:
            login = row.person or self._actor.login
            self._people[key] = wishes.person_for(self._db, self._actor, rules, login, row.project)
        return self._people[key]
