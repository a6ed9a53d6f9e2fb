"""Agreements as documents: TOML for people, canonical JSON for the database, and every fault found at entry.

`FAULTS` is the list of what is checked before an agreement may come into force; all faults are told at once, each a
code with parameters. What must not live here: what a rule means once it stands (agreements.py), or whether rules can
hold together (services/feasibility.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from labshare.domain.agreements import Agreement, Kind, Strictness
from labshare.domain.bases import PLANNED, Base
from labshare.domain.clause_faults import CLAUSE_FAULTS, has_other_clauses
from labshare.domain.document_faults import unreadable
from labshare.domain.windows import CALENDAR, MOST_ROLLING_DAYS, Window
from labshare.errors import Param, Refusal

_PERCENT = re.compile(r"(\d{1,6}(?:\.\d{1,6})?) ?%")
_QUOTIENT = re.compile(r"(\d{1,9})/(\d{1,9})")

# Dates of which every zone can tell the midnight; whoever means "without end" leaves the end out.
FIRST_YEAR, LAST_YEAR = 1900, 9000

# ---------------------------------------------------------------- shares as text


def parse_share(text: str) -> Fraction:
    """`16 %`, `12.5 %` or `4/25` as an exact fraction. Raises `ValueError` on anything else, floats included."""
    if match := _PERCENT.fullmatch(text):
        return Fraction(Decimal(match[1])) / 100
    match = _QUOTIENT.fullmatch(text)
    if match is None or int(match[2]) == 0:
        raise ValueError(f"a share is written as `16 %` or `4/25`, not `{text}`")
    return Fraction(int(match[1]), int(match[2]))


def format_share(share: Fraction) -> str:
    """`16 %` where that is exact, else `1/3`."""
    percent = share * 100
    return f"{percent} %" if percent.denominator == 1 else f"{share.numerator}/{share.denominator}"


# ---------------------------------------------------------------- reading and writing


def from_toml(text: str) -> Agreement:
    """An agreement from its TOML document. Raises `Malformed` with `reason`, one line that names the place."""
    try:
        return msgspec.toml.decode(text, type=Agreement, dec_hook=read_exact)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise unreadable("agreement_unreadable", error) from error


def to_toml(agreement: Agreement) -> str:
    """The agreement as TOML. Reading it gives an equal agreement."""
    return msgspec.toml.encode(agreement, enc_hook=write_exact).decode()


def from_json(document: str) -> Agreement:
    """An agreement that `to_json` wrote."""
    return msgspec.json.decode(document, type=Agreement, dec_hook=read_exact)


def to_json(agreement: Agreement) -> str:
    """The canonical text: equal agreements give equal texts."""
    return msgspec.json.encode(agreement, enc_hook=write_exact).decode()


def read_exact(kind: type[Any], value: Any) -> Any:
    """The decoding hook of documents with exact shares."""
    if kind is not Fraction:
        raise NotImplementedError(kind)
    if not isinstance(value, str):
        raise ValueError(f'a share is written as text, "16 %" or "4/25", not {value}')
    return parse_share(value)


def write_exact(value: Any) -> Any:
    """The encoding hook of documents with exact shares."""
    if isinstance(value, Fraction):
        return format_share(value)
    raise NotImplementedError(repr(value))


# ---------------------------------------------------------------- faults


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What an agreement may name."""

    organisation_ids: frozenset[str]
    centre_ids: frozenset[str]
    instrument_ids: frozenset[str]
    project_codes: frozenset[str] = frozenset()


def faults(agreement: Agreement, known: Known) -> tuple[Refusal, ...]:
    """Everything that keeps this agreement from coming into force; empty when nothing does."""
    return tuple(fault for check in FAULTS for fault in check(agreement, known))


def _dates(agreement: Agreement, _: Known) -> Iterator[Refusal]:
    until = agreement.effective_until
    for day in (agreement.effective_from, until):
        if day is not None and not FIRST_YEAR <= day.year <= LAST_YEAR:
            yield Refusal(code="agreement_date_unlikely", params={"day": day.isoformat(), "last": LAST_YEAR})
    if until is not None and until < agreement.effective_from:
        yield Refusal(
            code="agreement_dates_reversed",
            params={"first": agreement.effective_from.isoformat(), "last": until.isoformat()},
        )


def _timezone(agreement: Agreement, _: Known) -> Iterator[Refusal]:
    try:
        ZoneInfo(agreement.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield Refusal(code="agreement_unknown_timezone", params={"timezone": agreement.timezone})


def _parties(agreement: Agreement, known: Known) -> Iterator[Refusal]:
    named = dict.fromkeys((*agreement.parties, *((agreement.partner_id,) if agreement.partner_id else ())))
    for party in named:
        if party not in known.organisation_ids:
            yield Refusal(code="agreement_unknown_party", params={"party": party})
    if agreement.partner_id and agreement.partner_id not in agreement.parties:
        yield Refusal(code="agreement_partner_not_party", params={"party": agreement.partner_id})


def _rules_stand(agreement: Agreement, _: Known) -> Iterator[Refusal]:
    if not (agreement.rules or has_other_clauses(agreement)):
        yield Refusal(code="agreement_without_rules")
    ids = [rule.id for rule in agreement.rules]
    for rule_id in sorted({rule_id for rule_id in ids if ids.count(rule_id) > 1}):
        yield Refusal(code="agreement_rule_twice", params={"rule": rule_id})


def _who(agreement: Agreement, known: Known) -> Iterator[Refusal]:
    for rule in agreement.rules:
        for party in rule.who.organisation:
            if party not in known.organisation_ids:
                yield Refusal(code="agreement_unknown_party", params={"rule": rule.id, "party": party})
        for project in rule.who.project:
            if project not in known.project_codes:
                yield Refusal(code="agreement_unknown_project", params={"rule": rule.id, "project": project})


def _where(agreement: Agreement, known: Known) -> Iterator[Refusal]:
    for rule in agreement.rules:
        if rule.where.centres and rule.where.instruments:
            yield Refusal(code="agreement_where_both", params={"rule": rule.id})
        for centre in rule.where.centres:
            if centre not in known.centre_ids:
                yield Refusal(code="agreement_unknown_centre", params={"rule": rule.id, "centre": centre})
        for instrument in rule.where.instruments:
            if instrument not in known.instrument_ids:
                yield Refusal(code="agreement_unknown_instrument", params={"rule": rule.id, "instrument": instrument})


def _amount(agreement: Agreement, _: Known) -> Iterator[Refusal]:
    for rule in agreement.rules:
        if (rule.share is None) == (rule.minutes is None):
            yield Refusal(code="agreement_amount", params={"rule": rule.id})
        elif rule.share is not None and rule.share > 1:
            yield Refusal(code="agreement_share_over_one", params={"rule": rule.id, "share": format_share(rule.share)})
        elif rule.minutes is not None and rule.minutes < 0:
            yield Refusal(code="agreement_minutes_negative", params={"rule": rule.id, "amount": str(rule.minutes)})


def _base(agreement: Agreement, _: Known) -> Iterator[Refusal]:
    refund = agreement.charging.fault_refund if agreement.charging else 1
    for rule in agreement.rules:
        params: dict[str, Param] = {"rule": rule.id, "base": rule.base.value}
        if rule.minutes is not None and rule.share is None and rule.base not in PLANNED:
            yield Refusal(code="agreement_base_of_minutes", params=params)
        elif rule.is_hard and rule.base not in PLANNED:
            yield Refusal(code="agreement_hard_base", params=params)
        elif rule.base is Base.CHARGED and refund != 1:
            yield Refusal(code="agreement_charged_refund", params=params)


def _windows(agreement: Agreement, _: Known) -> Iterator[Refusal]:
    for rule in agreement.rules:
        most: dict[str, Param] = {"rule": rule.id, "most": MOST_ROLLING_DAYS}
        if (rule.window is Window.ROLLING) != (rule.days is not None):
            yield Refusal(code="agreement_rolling_days", params=most)
        elif rule.days is not None and not 2 <= rule.days <= MOST_ROLLING_DAYS:
            yield Refusal(code="agreement_days_over", params={**most, "days": rule.days})
    for each in agreement.entitlements:
        if each.window not in CALENDAR:
            yield Refusal(code="agreement_entitlement_window", params={"party": each.party})


def _strictness(agreement: Agreement, _: Known) -> Iterator[Refusal]:
    for rule in agreement.rules:
        if (rule.strict is Strictness.SOFT) != (rule.penalty is not None) or (rule.penalty or 0) < 0:
            yield Refusal(code="agreement_penalty", params={"rule": rule.id})
        if rule.release_hours is not None and (rule.kind is not Kind.FLOOR or rule.release_hours < 0):
            yield Refusal(code="agreement_release", params={"rule": rule.id})


def _sentences(agreement: Agreement, _: Known) -> Iterator[Refusal]:
    for rule in agreement.rules:
        if not (rule.sentence_vi.strip() and rule.sentence_en.strip()):
            yield Refusal(code="agreement_sentence", params={"rule": rule.id})


FAULTS: tuple[Callable[[Agreement, Known], Iterator[Refusal]], ...] = (
    _dates,
    _timezone,
    _parties,
    _rules_stand,
    _who,
    _where,
    _amount,
    _base,
    _windows,
    _strictness,
    _sentences,
    *CLAUSE_FAULTS,
)
