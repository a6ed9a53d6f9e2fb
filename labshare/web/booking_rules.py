"""The booking rules of a centre over HTTP: read by everybody, posted and ended by those who manage its calendar.

What must not live here: what a rule says of a booking (domain/house_rules.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath, FromQuery

from labshare import formats
from labshare.domain.booking_rules import (
    KINDS,
    Advance,
    BookingRule,
    DatedHours,
    Holder,
    Posted,
    RowRule,
    Scope,
    ScopeKind,
    read,
    told,
)
from labshare.domain.people import Actor
from labshare.domain.qualifications import Level
from labshare.domain.standing_rules import furthest_days
from labshare.errors import Malformed, Refusal, Refused
from labshare.i18n import word
from labshare.sentences import worded
from labshare.services import Connection, booking_rules, registry
from labshare.services.booking_rules import Place
from labshare.web import given
from labshare.web.booking_forms import Faults
from labshare.web.rendering import Form, Request, redirect, render
from labshare.web.templating import named
from labshare.web.typed import typed_date, typed_day_hours, typed_hours, typed_length, typed_week_hours

# What the facts of an instrument tell as it is in force.
TOLD = RowRule | Advance
KIND_NAMES = tuple(str(kind.__struct_config__.tag) for kind in KINDS)


class RuleForm(msgspec.Struct, frozen=True, kw_only=True):
    """A rule of any kind as it is typed; each kind has some of the fields."""

    kind: str = KIND_NAMES[0]
    scope: str = ""
    holder: str = Holder.PERSON.value
    most: str = ""
    most_minutes: str = ""
    within_days: str = ""
    hours: str = ""
    days: str = ""
    day_minutes: str = ""
    week_minutes: str = ""
    name: str = ""
    first: str = ""
    last: str = ""
    level: str = ""
    strikes: str = ""
    block_days: str = ""
    late_minutes: str = ""
    least_minutes: str = ""
    minutes: str = ""
    setup_minutes: str = ""
    cleanup_minutes: str = ""


class RuleLine(msgspec.Struct, frozen=True):
    """A rule in a sentence, with when it was posted."""

    id: UUID
    words: str
    since: datetime


def sentence_of(rule: BookingRule) -> str:
    key, params = told(rule)
    return worded(f"booking_rule.{key}", params)


def asked_at(posted: tuple[Posted, ...], advance_days: int, now: datetime) -> dict[str, Any]:
    """What the page of an instrument and the form that books it say of the rules there: `house`, each sentence
    once, and `ahead`, the days ahead that are in force, with whether a rule says so rather than the registry.

    What stands in its row is told there as it is in force, and of days that are over nobody asks any more.
    """
    ruled, today = furthest_days(posted), formats.local(now).date()
    told_here = (
        each.rule
        for each in posted
        if not isinstance(each.rule, TOLD) and not (isinstance(each.rule, DatedHours) and each.rule.last < today)
    )
    return {
        "house": list(dict.fromkeys(sentence_of(each) for each in told_here)),
        "ahead": advance_days if ruled is None else min(ruled, advance_days),
        "ahead_is_ruled": ruled is not None and ruled < advance_days,
    }


@get("/centres/{centre_id:str}/rules", sync_to_thread=True)
def rules(
    request: Request,
    database: given.Database,
    actor: given.Reader,
    centre_id: FromPath[str],
    kind: FromQuery[str] = "",
) -> Response[str]:
    """The rules that stand and, for managers, the form of a new one of the kind that the address names."""
    form = RuleForm(kind=kind if kind in KIND_NAMES else KIND_NAMES[0], scope=f"{ScopeKind.CENTRE}:{centre_id}")
    with database.read() as db:
        return _page(request, db, actor, centre_id, form)


@post("/centres/{centre_id:str}/rules", sync_to_thread=True)
def post_rule(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    centre_id: FromPath[str],
    data: Form[RuleForm],
) -> Response[str]:
    rule, faults = read_rule(data)
    if rule is None:
        with database.read() as db:
            return _page(request, db, me, centre_id, data, faults)
    scope = read_scope(data.scope)
    try:
        with database.write() as db:
            booking_rules.post(db, me, scope, rule, now)
    except Malformed as fault:
        with database.read() as db:
            return _page(request, db, me, centre_id, data, _at_field(fault))
    except Refused as error:
        with database.read() as db:
            return _page(request, db, me, centre_id, data, error=error)
    return redirect(request, f"/centres/{centre_id}/rules", notice="booking_rule_posted")


@post("/centres/{centre_id:str}/rules/{rule_id:uuid}/end", sync_to_thread=True)
def end_rule(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    centre_id: FromPath[str],
    rule_id: FromPath[UUID],
) -> Response[str]:
    with database.write() as db:
        booking_rules.end(db, me, rule_id, now)
    return redirect(request, f"/centres/{centre_id}/rules", notice="booking_rule_ended")


# ---------------------------------------------------------------- reading


def read_rule(form: RuleForm) -> tuple[BookingRule | None, Faults]:
    """The rule that was typed, or the fault at its field. Lengths are typed in hours, as `2h` or `1h30`, and short ones
    in minutes.
    """
    if form.kind not in KIND_NAMES:
        raise Malformed("malformed", field="kind")
    kind = KINDS[KIND_NAMES.index(form.kind)]
    faults: Faults = {}
    values: dict[str, Any] = {}
    for field in kind.__struct_fields__:
        text = getattr(form, field).strip()
        if text:
            try:
                values[field] = _reader(form.kind, field)(text, field)
            except Malformed as fault:
                faults[field] = fault.refusals[0]
    required = set(kind.__struct_fields__[: len(kind.__struct_fields__) - len(kind.__struct_defaults__)])
    faults |= {
        field: Refusal(code="field_empty")
        for field in kind.__struct_fields__
        if field in required and field not in values and field not in faults
    }
    if faults:
        return None, faults
    try:
        return read(form.kind, values), {}
    except Malformed as fault:
        return None, _at_field(fault)


def _at_field(fault: Malformed) -> Faults:
    # Hours that cannot be read are the only fault that names no field.
    return {str(fault.params.get("field", "hours")): fault.refusals[0]}


def _reader(kind: str, field: str) -> Callable[[str, str], object]:
    if field in ("first", "last"):
        return lambda text, name: typed_date(text, name).isoformat()
    if field in ("setup_minutes", "cleanup_minutes", "late_minutes", "minutes"):
        return lambda text, name: int(text) if _NUMBER.fullmatch(text) else typed_length(text, name)
    if field.endswith("minutes"):
        return lambda text, name: 60 * int(text) if _NUMBER.fullmatch(text) else typed_hours(text, name)
    if field == "hours" and kind == "dated_hours":
        return typed_day_hours
    if field == "hours" and kind in ("prime_limit", "week_hours"):
        return typed_week_hours
    return (lambda text, _: text) if field in ("holder", "name") else _number


# Whatever its sign and size: the rule says between which numbers it must be.
_NUMBER = re.compile(r"[+-]?[0-9]{1,100}")


def _number(text: str, field: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise Malformed("malformed_number", field=field)
    return int(text)


def read_scope(text: str) -> Scope:
    """`centre:C-ONE` as the choice of a form says it. Raises `Malformed`."""
    kind, _, scope_id = text.partition(":")
    try:
        return Scope(ScopeKind(kind), scope_id)
    except ValueError:
        raise Malformed("malformed", field="scope") from None


# ---------------------------------------------------------------- the page


def _page(
    request: Request,
    db: Connection,
    actor: Actor | None,
    centre_id: str,
    form: RuleForm,
    faults: Faults | None = None,
    error: Refused | None = None,
) -> Response[str]:
    places = booking_rules.places(db, centre_id)
    mine = [each for each in places if booking_rules.may_post(actor, each.scope, centre_id)]
    return render(
        request,
        "booking_rules/page.html",
        status=error.status if error else Malformed.status if faults else 200,
        centre=registry.named_centre(db, centre_id),
        groups=[
            (_named(place), place in mine, [_line(each) for each in posted])
            for place, posted in booking_rules.of_places(db, places)
        ],
        scopes=[(f"{each.scope.kind}:{each.scope.id}", _named(each)) for each in mine],
        kinds=[(kind, word("rule_kind", kind)) for kind in KIND_NAMES],
        levels=[(str(each.value), word("level", each.value)) for each in Level],
        holders=[(each.value, word("holder", each.value)) for each in Holder],
        fields=KINDS[KIND_NAMES.index(form.kind)].__struct_fields__,
        form=form,
        faults=faults or {},
        refusals=error.refusals if error else (),
    )


def _named(place: Place) -> str:
    if place.scope.kind is ScopeKind.INSTRUMENT:
        return f"{named(place)} · {place.scope.id}"
    return f"{named(place)} ({word('rule_reach', place.scope.kind.value)})"


def _line(posted: Posted) -> RuleLine:
    return RuleLine(posted.id, sentence_of(posted.rule), posted.since)


router = Router("/", route_handlers=[rules, post_rule, end_rule])
