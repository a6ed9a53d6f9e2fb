"""The report of use: one struct as a page and as tables for a spreadsheet.

What must not live here: which figures a reader may see (services/reports.py).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from urllib.parse import urlencode

import msgspec
from litestar import Response, Router, get
from litestar.enums import MediaType

from labshare import formats, i18n
from labshare.domain.people import Actor
from labshare.domain.reports import Period, PeriodKind, ReportScope, period
from labshare.errors import Malformed
from labshare.services import Database, reports
from labshare.services.reports import Report
from labshare.web import given, report_tables
from labshare.web.rendering import Request, redirect, render
from labshare.web.typed import typed_date

ADDRESS = "/reports/utilisation"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the address asks for: `period` month, quarter or custom; `day` in it or its first; `last`; and a `scope`,
    `centre:ID`, `instrument:ID` or nothing for the network.
    """

    period: str = PeriodKind.QUARTER.value
    day: str = ""
    last: str = ""
    scope: str = ""

    def read(self, today: date) -> tuple[Period, ReportScope]:
        """Raises `Malformed` for what is neither a period nor a scope."""
        try:
            kind = PeriodKind(self.period)
        except ValueError:
            raise Malformed("report_period_unknown") from None
        day = typed_date(self.day, "day") if self.day else today
        last = typed_date(self.last, "last") if self.last and kind is PeriodKind.CUSTOM else None
        return period(kind, day, last), self._scope()

    def _scope(self) -> ReportScope:
        kind, _, place = self.scope.partition(":")
        match (kind, place):
            case ("", ""):
                return ReportScope()
            case ("centre", place) if place:
                return ReportScope(centre_id=place)
            case ("instrument", place) if place:
                return ReportScope(instrument_id=place)
            case _:
                raise Malformed("report_scope_unknown")

    def at(self, **changes: str) -> str:
        """The query of this report, or of one that differs in these."""
        given = msgspec.structs.asdict(self) | changes
        return urlencode({name: value for name, value in given.items() if value})


def asked_of(request: Request) -> Asked:
    """Unknown parameters ask for nothing; control characters, which no id has, are left out."""
    given = {name: "".join(filter(str.isprintable, value)).strip() for name, value in request.query_params.items()}
    return msgspec.convert(given, Asked)


@get("/reports", sync_to_thread=True)
def first(request: Request) -> Response[str]:
    return redirect(request, ADDRESS)


@get(ADDRESS, sync_to_thread=True)
def utilisation(request: Request, database: given.Database, me: given.Me, now: given.Now) -> Response[str]:
    """The report as a page. What cannot be read is said above the form, and nothing is reported."""
    asked = asked_of(request)
    refusals, report = (), None
    with database.read() as db:
        places = reports.places(db, me)
        try:
            report = reports.utilisation(db, me, *asked.read(formats.local(now).date()), now)
        except Malformed as error:
            refusals = error.refusals
    return render(
        request,
        "reports/page.html",
        status=Malformed.status if refusals else 200,
        report=report,
        refusals=refusals,
        places=places,
        asked=asked,
        period_name=_period_name(report.period) if report else "",
        today=formats.local(now).date(),
        kinds=list(PeriodKind),
        earlier=_beside(asked, report, -1),
        later=_beside(asked, report, 1),
    )


@get("/reports/utilisation.csv", sync_to_thread=True)
def download(request: Request, database: given.Database, me: given.Me, now: given.Now) -> Response[bytes]:
    """One table of the report (`table` = use, ladder or shares), masked like the page."""
    table = report_tables.TABLES.get(request.query_params.get("table", "use"))
    if table is None:
        raise Malformed("report_table_unknown")
    asked = asked_of(request)
    report = _report(database, me, asked, now)
    name = f"labshare-{table.name}-{report.period.first.isoformat()}-{report.period.last.isoformat()}.csv"
    return Response(
        report_tables.csv_bytes(table, report),
        media_type=MediaType.TEXT,
        headers={
            "Content-Type": "text/csv; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "private, no-store",
            "Vary": "Cookie",
        },
    )


def _report(database: Database, me: Actor, asked: Asked, now: datetime) -> Report:
    with database.read() as db:
        return reports.utilisation(db, me, *asked.read(formats.local(now).date()), now)


def _beside(asked: Asked, report: Report | None, step: int) -> str:
    """The address of the month or quarter before or after; a custom period has no neighbour."""
    if report is None or report.period.kind is PeriodKind.CUSTOM:
        return ""
    edge = report.period.last if step > 0 else report.period.first
    return f"{ADDRESS}?{asked.at(day=(edge + timedelta(days=step)).isoformat())}"


def _period_name(period: Period) -> str:
    """Quý 4/2026, Tháng 11/2026; a custom period by its days."""
    match period.kind:
        case PeriodKind.MONTH:
            return i18n.gettext("Month %(number)s/%(year)s") % {"number": period.first.month, "year": period.first.year}
        case PeriodKind.QUARTER:
            quarter = (period.first.month + 2) // 3
            return i18n.gettext("Quarter %(number)s/%(year)s") % {"number": quarter, "year": period.first.year}
        case PeriodKind.CUSTOM:
            return f"{formats.date(period.first)} – {formats.date(period.last)}"


router = Router("/", route_handlers=[first, utilisation, download])
