"""The ledger of an agreement over HTTP: an account as a statement at any instant, and the forms that post to it.

What must not live here: which account a reader may see (services/ledger_pages.py) or what may be posted
(domain/ledger.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post
from litestar.enums import MediaType
from litestar.params import FromPath

from labshare import formats, i18n
from labshare.domain.ledger import BY_HAND, RULES, Cause, LedgerAccount, Posting, period_name
from labshare.domain.opening import DAY_MINUTES
from labshare.domain.people import Actor
from labshare.domain.timespan import Span
from labshare.errors import Malformed, Refusal, Refused
from labshare.sentences import sentence
from labshare.services import Connection, Database, ledger, ledger_pages, state_orders
from labshare.services.ledger_pages import Chosen, Desk, LedgerPage
from labshare.services.state_orders import OrderWish
from labshare.web import given, report_tables
from labshare.web.rendering import Form, Request, redirect, render, wants_fragment
from labshare.web.report_tables import Cell
from labshare.web.round_forms import Faults
from labshare.web.typed import instant, typed_clock, typed_date, typed_hours

# What the form offers, in its order: the rest is posted by rules.
CAUSES = (*BY_HAND, Cause.TRANSFERRED, Cause.DISPLACED)
HEADS = (
    "agreement", "organisation", "period_first", "period_last", "posted_at", "cause", "cause_name", "clause", "version",
    "authorised_by", "reference", "until", "entry", "corrects", "minutes", "balance_minutes",
)  # fmt: skip


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the address asks for: `account` as ORGANISATION:FIRST-DAY/LAST-DAY, and as it stood `on` a day (to its end)
    or, with `clock`, at that minute of it.
    """

    account: str = ""
    on: str = ""
    clock: str = ""

    def read(self, now: datetime) -> Chosen:
        """Raises `Malformed` for a day or a time that cannot be read."""
        organisation_id, _, period = self.account.partition(":")
        return Chosen(organisation_id=organisation_id, period=period, at=self._at(now))

    def _at(self, now: datetime) -> datetime | None:
        if not self.on and not self.clock:
            return None
        day = typed_date(self.on, "on") if self.on else formats.local(now).date()
        if self.clock:
            return instant(day, typed_clock(self.clock, "clock"))
        return instant(day, DAY_MINUTES) - timedelta(microseconds=1)

    def at(self, **changes: str) -> str:
        """The query of this statement, or of one that differs in these."""
        given = msgspec.structs.asdict(self) | changes
        return urlencode({name: value for name, value in given.items() if value})


class Typed(msgspec.Struct, frozen=True, kw_only=True):
    """The form of a posting as it was typed. `to` is for a transfer; `order_hours` (all of it) and `starts` (its first
    day) are for a state order.
    """

    cause: str = Cause.GRANTED.value
    organisation: str = ""
    period: str = ""
    hours: str = ""
    clause: str = ""
    reference: str = ""
    until: str = ""
    to: str = ""
    order_hours: str = ""
    starts: str = ""


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry should have been, in hours without a sign."""

    hours: str = ""
    reference: str = ""


def _asked(request: Request) -> Asked:
    typed = {name: "".join(filter(str.isprintable, value)).strip() for name, value in request.query_params.items()}
    return msgspec.convert(typed, Asked)


@get("/agreements/{agreement_id:str}/ledger", sync_to_thread=True)
def statement(
    request: Request, database: given.Database, me: given.Me, now: given.Now, agreement_id: FromPath[str]
) -> Response[str]:
    """The page, or the statement alone for htmx. What cannot be read is said above the form."""
    asked, refusals = _asked(request), ()
    try:
        chosen = asked.read(now)
    except Malformed as error:
        if wants_fragment(request):
            raise
        chosen, refusals = Asked(account=asked.account).read(now), error.refusals
    with database.read() as db:
        page = ledger_pages.page(db, me, agreement_id, chosen, now)
    return render(
        request,
        "ledger/page.html",
        fragment="ledger/_statement.html",
        status=Malformed.status if refusals else 200,
        page=page,
        asked=asked,
        account=_address(page, page.statement.account) if page.statement else "",
        accounts=[(_address(page, each), each) for each in page.accounts],
        clauses={rule.id: rule.legal or rule.id for rule in page.agreement.rules},
        me=me,
        now=now,
        refusals=refusals,
    )


@get("/agreements/{agreement_id:str}/ledger.csv", sync_to_thread=True)
def download(
    request: Request, database: given.Database, me: given.Me, now: given.Now, agreement_id: FromPath[str]
) -> Response[bytes]:
    """The same statement for a spreadsheet, masked like the page."""
    with database.read() as db:
        page = ledger_pages.page(db, me, agreement_id, _asked(request).read(now), now)
    name = f"labshare-ledger-{formats.local(now).date().isoformat()}.csv"
    return Response(
        report_tables.encoded(HEADS, _rows(page)),
        media_type=MediaType.TEXT,
        headers={
            "Content-Type": "text/csv; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "private, no-store",
            "Vary": "Cookie",
        },
    )


def _rows(page: LedgerPage) -> Iterator[Sequence[Cell]]:
    if page.statement is None:
        return
    first, _, last = period_name(page.statement.account.period, page.agreement.timezone).partition("/")
    for line in page.statement.lines:
        entry = line.entry
        yield (
            page.agreement.id,
            entry.account.organisation_id,
            first,
            last,
            formats.iso(entry.posted_at),
            entry.cause.value,
            i18n.word("ledger_cause", entry.cause),
            entry.rule_id,
            entry.version,
            page.authors.get(entry.authorised_by, "") if entry.authorised_by else "",
            entry.reference,
            formats.iso(entry.until) if entry.until else "",
            str(entry.id),
            str(entry.corrects) if entry.corrects else "",
            entry.minutes,
            line.balance,
        )


def _address(page: LedgerPage, account: LedgerAccount) -> str:
    return f"{account.organisation_id}:{period_name(account.period, page.agreement.timezone)}"


# ---------------------------------------------------------------- posting


@get("/agreements/{agreement_id:str}/ledger/new", sync_to_thread=True)
def new(
    request: Request, database: given.Database, me: given.Me, now: given.Now, agreement_id: FromPath[str]
) -> Response[str]:
    with database.read() as db:
        desk = ledger_pages.desk(db, me, agreement_id, now)
    wanted = msgspec.convert({"organisation": desk.agreement.partner_id or "", **request.query_params}, Typed)
    return _form(request, desk, wanted, now, ())


@post("/agreements/{agreement_id:str}/ledger", sync_to_thread=True)
def add(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    agreement_id: FromPath[str],
    data: Form[Typed],
) -> Response[str]:
    with database.read() as db:
        desk = ledger_pages.desk(db, me, agreement_id, now)
    faults = Faults()
    account = _account(desk, data, faults)
    values = _Values(
        minutes=faults.read(typed_hours, data.hours, "hours") or 0,
        order_minutes=(faults.read(typed_hours, data.order_hours, "order_hours") or 0) if _is_order(data) else 0,
        starts_on=faults.read(typed_date, data.starts, "starts") if _is_order(data) else None,
        # Whoever gives a last day means the whole of it.
        until=_day_after(faults, data.until) if data.until.strip() else None,
    )
    if data.cause not in CAUSES:
        faults["cause"] = Refusal(
            code="ledger_cause_not_by_hand", params={"field": "cause", "ledger_cause": data.cause}
        )
    if faults or account is None:
        return _form(request, desk, data, now, [_at(field, fault) for field, fault in faults.items()])
    try:
        with database.write() as db:
            _post(db, me, account, data, values, now)
    except Refused as error:
        return _form(request, desk, data, now, error.refusals)
    query = urlencode({"account": f"{account.organisation_id}:{data.period}"})
    return redirect(request, f"/agreements/{agreement_id}/ledger?{query}", notice="ledger_posted")


class _Values(msgspec.Struct, frozen=True, kw_only=True):
    minutes: int
    order_minutes: int
    starts_on: date | None
    until: datetime | None


def _post(db: Connection, me: Actor, account: LedgerAccount, data: Typed, values: _Values, now: datetime) -> None:
    cause, reference = Cause(data.cause), data.reference.strip()
    if cause is Cause.DISPLACED and values.starts_on:
        wish = OrderWish(
            agreement_id=account.agreement_id,
            period=account.period,
            reference=reference,
            starts_on=values.starts_on,
            minutes=values.order_minutes,
            taken={account.organisation_id: values.minutes},
        )
        state_orders.state_order(db, me, wish, now)
        return
    posting = Posting(
        account=account,
        cause=cause,
        minutes=values.minutes,
        rule_id=data.clause,
        reference=reference,
        until=values.until,
    )
    if cause is Cause.TRANSFERRED:
        ledger.transfer(db, me, posting, data.to, now)
    else:
        ledger.post(db, me, posting, now)


def _is_order(data: Typed) -> bool:
    return data.cause == Cause.DISPLACED


def _account(desk: Desk, data: Typed, faults: Faults) -> LedgerAccount | None:
    for period in desk.periods:
        if period_name(period, desk.agreement.timezone) == data.period:
            return LedgerAccount(agreement_id=desk.agreement.id, organisation_id=data.organisation, period=period)
    faults["period"] = Refusal(code="ledger_period_unknown", params={"field": "period"})
    return None


def _day_after(faults: Faults, text: str) -> datetime | None:
    day = faults.read(typed_date, text, "until")
    return instant(day, DAY_MINUTES) if day else None


def _at(field: str, fault: Refusal) -> Refusal:
    """A fault that says in which field it is, as the refusals of the services do."""
    code = "field_missing" if fault.code == "field_empty" else fault.code
    return Refusal(code=code, params={**fault.params, "field": field})


def _form(request: Request, desk: Desk, typed: Typed, now: datetime, refusals: Sequence[Refusal]) -> Response[str]:
    periods = [(period_name(each, desk.agreement.timezone), each) for each in desk.periods]
    return render(
        request,
        "ledger/new.html",
        status=Refused.status if refusals else 200,
        desk=desk,
        typed=typed,
        causes=CAUSES if desk.orders_from else CAUSES[:-1],
        periods=periods,
        period=typed.period or _current(periods, now),
        clauses=[(rule.id, rule.legal or rule.id) for rule in desk.agreement.rules],
        rules=RULES,
        refusals=refusals,
        errors=_errors(refusals),
    )


def _current(periods: Sequence[tuple[str, Span]], now: datetime) -> str:
    return next((name for name, span in periods if span.start <= now < span.end), "")


def _errors(refusals: Sequence[Refusal]) -> defaultdict[str, str]:
    """What stands beside each field; nothing beside those without a fault."""
    found = {str(each.params["field"]): sentence(each) for each in reversed(refusals) if "field" in each.params}
    return defaultdict(str, found)


# ---------------------------------------------------------------- correcting


@get("/agreements/{agreement_id:str}/ledger/{entry_id:uuid}/correct", sync_to_thread=True)
def correction(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    agreement_id: FromPath[str],
    entry_id: FromPath[UUID],
) -> Response[str]:
    return _correction(request, database, me, now, agreement_id, entry_id, Correction(), ())


@post("/agreements/{agreement_id:str}/ledger/{entry_id:uuid}/correct", sync_to_thread=True)
def correct(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    agreement_id: FromPath[str],
    entry_id: FromPath[UUID],
    data: Form[Correction],
) -> Response[str]:
    with database.read() as db:
        line, desk = ledger_pages.line(db, me, agreement_id, entry_id, now)
    faults = Faults()
    minutes = faults.read(typed_hours, data.hours, "hours")
    if minutes is None:
        refusals = [_at(field, fault) for field, fault in faults.items()]
        return _correction(request, database, me, now, agreement_id, entry_id, data, refusals)
    try:
        with database.write() as db:
            right = minutes if line.entry.minutes > 0 else -minutes
            ledger.correct(db, me, entry_id, minutes=right, reference=data.reference.strip(), now=now)
    except Refused as error:
        return _correction(request, database, me, now, agreement_id, entry_id, data, error.refusals)
    account = line.entry.account
    name = f"{account.organisation_id}:{period_name(account.period, desk.agreement.timezone)}"
    url = f"/agreements/{agreement_id}/ledger?{urlencode({'account': name})}"
    return redirect(request, url, notice="ledger_corrected")


def _correction(
    request: Request,
    database: Database,
    me: Actor,
    now: datetime,
    agreement_id: str,
    entry_id: UUID,
    typed: Correction,
    refusals: Sequence[Refusal],
) -> Response[str]:
    with database.read() as db:
        line, desk = ledger_pages.line(db, me, agreement_id, entry_id, now)
    return render(
        request,
        "ledger/correct.html",
        status=Refused.status if refusals else 200,
        line=line,
        desk=desk,
        typed=typed,
        refusals=refusals,
        errors=_errors(refusals),
    )


router = Router("/", route_handlers=[statement, download, new, add, correction, correct])
