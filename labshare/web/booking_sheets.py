"""The page on which bookings come in as a sheet: pasted or from a file, looked at row by row, then made.

What must not live here: reading the sheet (domain/booking_sheets.py), or what becomes of its rows
(services/booking_sheets.py).
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from litestar import Response, Router, get, post
from litestar.datastructures import UploadFile

from labshare import formats
from labshare.domain.booking_sheets import COLUMNS, LONGEST_SHEET, MOST_ROWS
from labshare.domain.people import Action, Actor, may_somewhere, require
from labshare.errors import LabShareError, Malformed, Refused
from labshare.services import Database, booking_sheets
from labshare.services.booking_sheets import Sheet
from labshare.web import given
from labshare.web.booking_forms import Faults
from labshare.web.clearances import write_or_hold_back
from labshare.web.errors import heading
from labshare.web.rendering import Request, Upload, redirect, render

PAGE = "/bookings/import"


class SheetForm(msgspec.Struct, frozen=True, kw_only=True):
    """The cells as they were pasted, or their file, which goes before them."""

    sheet: str = ""
    file: UploadFile | None = None
    override_reason: str = ""
    # Leave out what cannot be booked, instead of booking nothing.
    skips: str = ""

    def text(self) -> str:
        """Raises `Malformed` for a file that is no text, or longer than any sheet (four bytes a sign at most)."""
        given = self.file.file.read(4 * LONGEST_SHEET + 1) if self.file else b""
        if len(given) > 4 * LONGEST_SHEET:
            raise Malformed("sheet_too_long", most=LONGEST_SHEET)
        try:
            return given.decode() or self.sheet
        except UnicodeDecodeError as error:
            raise Malformed("file_not_utf8") from error


@get(PAGE, sync_to_thread=True)
def form(request: Request, me: given.Me) -> Response[str]:
    require(me, Action.BOOK)
    return _page(request, me, SheetForm(), "")


@post(f"{PAGE}/preview", sync_to_thread=True, status_code=200)
def preview(
    request: Request, database: given.Database, me: given.Me, now: given.Now, data: Upload[SheetForm]
) -> Response[str]:
    text = data.sheet
    try:
        text = data.text()
        return _looked(request, database, me, data, text, now)
    except Malformed as error:
        return _page(request, me, data, text, error=error)


@post(PAGE, sync_to_thread=True)
def load(
    request: Request, database: given.Database, me: given.Me, now: given.Now, data: Upload[SheetForm]
) -> Response[str]:
    """Book the rows; when some are refused after all, they are shown as they stand now."""
    text = data.sheet
    try:
        text = data.text()
        with write_or_hold_back(database, me, now) as db:
            booking_sheets.load(db, me, text, data.override_reason, now, skips=bool(data.skips))
    except Malformed as error:
        return _page(request, me, data, text, error=error)
    except Refused as error:
        return _looked(request, database, me, data, text, now, error)
    return redirect(request, "/bookings", notice="sheet_booked")


# ---------------------------------------------------------------- parts


def _looked(
    request: Request,
    database: Database,
    me: Actor,
    data: SheetForm,
    text: str,
    now: datetime,
    error: Refused | None = None,
) -> Response[str]:
    """Every row as it would be judged now. Raises `Malformed` for what is no sheet."""
    with database.read() as db:
        sheet = booking_sheets.look(db, me, text, data.override_reason, now)
    if sheet.lacking:
        with database.write() as db:
            booking_sheets.hold_back(db, me, sheet, now)
    return _page(request, me, data, text, sheet=sheet, error=error)


def _page(
    request: Request,
    me: Actor,
    data: SheetForm,
    text: str,
    *,
    sheet: Sheet | None = None,
    error: LabShareError | None = None,
) -> Response[str]:
    reason = isinstance(error, Malformed) and error.code.startswith("override")
    faults: Faults = {"override_reason": error.refusals[0]} if error and reason else {}
    return render(
        request,
        "bookings/sheet.html",
        status=error.status if error else 200,
        data=data,
        text=text,
        sheet=sheet,
        times=[formats.span(line.span.start, line.span.end) if line.span else "" for line in sheet.lines]
        if sheet
        else [],
        columns=COLUMNS,
        most=MOST_ROWS,
        manages=may_somewhere(me, Action.MANAGE_CALENDAR),
        faults=faults,
        refusals=error.refusals if error and not faults else (),
        heading=heading(error.status) if error and not faults else "",
    )


router = Router("/", route_handlers=[form, preview, load])
