"""/api/v1/booking-rules: the rules of booking that centres post by themselves: listed, posted, ended."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, delete, get, post
from litestar.params import FromPath, RawBody
from msgspec import Meta

from labshare.domain.booking_rules import Posted, Scope, ScopeKind, kind_of, params_of, read
from labshare.errors import Malformed
from labshare.services import Connection
from labshare.services import booking_rules as service
from labshare.web import given
from labshare.web.api import reading
from labshare.web.api.answers import answer
from labshare.web.api.idempotency import Key, once
from labshare.web.api.reading import Code, asked
from labshare.web.api.schema import accepts, problems
from labshare.web.booking_rules import sentence_of
from labshare.web.rendering import Request


class BookingRuleView(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that holds for an instrument, a centre, or a group: all instruments of one capability.

    `params` are those of its kind, lengths in minutes; `sentence` says it in the language of Accept-Language.
    """

    id: UUID
    scope: ScopeKind
    of: str
    kind: str
    params: dict[str, Any]
    sentence: str
    since: datetime
    until: datetime | None


class BookingRuleList(msgspec.Struct, frozen=True, kw_only=True):
    items: tuple[BookingRuleView, ...]


class NewBookingRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule for what is booked from now on: `of` is the code of the instrument, the centre or the capability.

    Kinds and their `params`: `most_bookings` (`holder`: person, team, organisation or access_class; `most`;
    `within_days`), `most_minutes` (`holder`, `most_minutes`, `within_days`), `cut_off`, `lock_window` and
    `short_notice` (`hours`), `advance` (`days`), `prime_limit` (`hours` as `Mon-Fri 08:00-18:00`, `day_minutes`,
    `week_minutes`), `dated_hours` (`name`, `first`, `last`, `hours` as `08:00-12:00`; without them closed), `overnight`
    (`level`), `needs_operator`, `no_shows` (`strikes` within `within_days` bar a person for `block_days`;
    `late_minutes`, else 30). In place of what the registry says of an instrument: `week_hours` (`hours` as `Mon-Fri
    08:00-18:00`), `length` (`least_minutes`, `most_minutes`, or both), `granularity` (`minutes`), `changeover`
    (`setup_minutes`, `cleanup_minutes`, or both); the narrower scope counts, then the later rule.
    """

    scope: ScopeKind
    of: Annotated[Code, Meta(examples=["C-SHSEM"])]
    kind: Annotated[str, Meta(examples=["cut_off"])]
    params: Annotated[dict[str, Any], Meta(examples=[{"hours": 24}])]


@get("/booking-rules", sync_to_thread=True, operation_id="listBookingRules", summary="Booking rules",
     tags=["booking rules"], responses=problems(404))  # fmt: skip
def listing(
    request: Request,
    database: given.Database,
    me: given.Me,
    instrument: Annotated[str, asked("instrument", "All rules that hold for this instrument.")] = "",
    centre: Annotated[str, asked("centre", "The rules of a centre as a whole.")] = "",
    group: Annotated[str, asked("group", "The rules of all instruments of a capability.")] = "",
) -> Response[BookingRuleList]:
    """The rules that stand for one instrument, one centre or one group."""
    named = [bool(instrument), bool(centre), bool(group)]
    if sum(named) != 1:
        raise Malformed("malformed_field", field="instrument")
    with database.read() as db:
        if instrument:
            found = service.at_instrument(db, instrument)
        else:
            kind = ScopeKind.CENTRE if centre else ScopeKind.GROUP
            found = service.of_scope(db, Scope(kind, centre or group))
    return answer(request, BookingRuleList(items=tuple(_view(each) for each in found)))


@post("/booking-rules", sync_to_thread=True, operation_id="postBookingRule", summary="Post a booking rule",
      tags=["booking rules"], responses=problems(403, 404, 422, 503),
      operation_class=accepts(NewBookingRule))  # fmt: skip
def create(
    request: Request, database: given.Database, me: given.Me, now: given.Now, body: RawBody, key: Key = None
) -> Response[BookingRuleView]:
    """Post a rule, for those who manage the calendar there; rules of a group are for administrators."""
    new = reading.decode(body, NewBookingRule)
    rule = read(new.kind, new.params)

    def work(db: Connection) -> Response[BookingRuleView]:
        posted = service.post(db, me, Scope(new.scope, new.of), rule, now)
        return answer(request, _view(posted), status=201)

    return once(request, database, me, now, work, key=key, body=body)


@delete("/booking-rules/{rule_id:uuid}", sync_to_thread=True, operation_id="endBookingRule",
        summary="End a booking rule", tags=["booking rules"], status_code=200,
        responses=problems(403, 404, 422, 503))  # fmt: skip
def end(
    request: Request, database: given.Database, me: given.Me, now: given.Now, rule_id: FromPath[UUID], key: Key = None
) -> Response[BookingRuleView]:
    """End a rule: it holds for nothing that is booked from now on. A rule is never edited."""

    def work(db: Connection) -> Response[BookingRuleView]:
        return answer(request, _view(service.end(db, me, rule_id, now)))

    return once(request, database, me, now, work, key=key)


HANDLERS = [listing, create, end]


def _view(posted: Posted) -> BookingRuleView:
    return BookingRuleView(
        id=posted.id,
        scope=posted.scope.kind,
        of=posted.scope.id,
        kind=kind_of(posted.rule),
        params=params_of(posted.rule),
        sentence=sentence_of(posted.rule),
        since=posted.since,
        until=posted.until,
    )
