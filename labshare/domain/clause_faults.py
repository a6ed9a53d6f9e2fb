"""Every fault of the clauses that are no share rules, found as an agreement is entered.

Reading CLAUSE_FAULTS is reading what is checked.

`where` in a fault's parameters is the place in the document, as its writer would look for it. What must not live here:
the faults of share rules (agreement_documents.py), or what a clause means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from fractions import Fraction
from itertools import combinations, pairwise, product
from typing import Protocol

from labshare.domain.agreements import Agreement, effective_span
from labshare.domain.contributions import investment_of
from labshare.domain.disclosure import MIN_PARTIES
from labshare.domain.ledger_clauses import Entitlement
from labshare.domain.ledger_deadlines import PullBack
from labshare.domain.opening import OpeningHours, parse_opening
from labshare.domain.ordering import Mark
from labshare.domain.profiles import Group, everybody, is_among
from labshare.domain.projects import AccessClass
from labshare.domain.tariffs import HourRate, Tariff
from labshare.errors import Malformed, Refusal


class Known(Protocol):
    """The places that an agreement may name."""

    @property
    def centre_ids(self) -> AbstractSet[str]: ...
    @property
    def instrument_ids(self) -> AbstractSet[str]: ...


Amounts = Iterator[tuple[str, int | None, int]]
Shares = Iterator[tuple[str, Fraction]]

# A hundred years: beyond that a number is a slip of the hand, and calendars end.
MOST = {"_years": 100, "_months": 1200, "_days": 36_525, "_hours": 876_600, "minutes": 52_596_000, "periods": 400}
# Clauses that say something by themselves; who put in what does not.
_CLAUSES = (
    "preference",
    "entitlements",
    "reserved",
    "fair_share",
    "tiers",
    "state_order",
    "tariffs",
    "courtesy",
    "charging",
    "confidentiality",
    "screening",
)


def has_other_clauses(agreement: Agreement) -> bool:
    """Whether it says anything beside share rules."""
    return any(getattr(agreement, name) for name in _CLAUSES)


# ---------------------------------------------------------------- plain numbers


def _amounts(agreement: Agreement, _: Known) -> Iterator[Refusal]:
    """No amount is below what makes sense: money and waiting may be nothing, a period or a rate may not."""
    for where, amount, least in (*_party_amounts(agreement), *_common_amounts(agreement), *_user_amounts(agreement)):
        if amount is not None and amount < least:
            yield Refusal(code="clause_amount", params={"where": where, "amount": str(amount), "least": str(least)})
        most = next((most for unit, most in MOST.items() if where.endswith(unit)), None)
        if amount is not None and most is not None and amount > most:
            yield Refusal(code="clause_amount_over", params={"where": where, "amount": str(amount), "most": str(most)})


def _party_amounts(agreement: Agreement) -> Amounts:
    for each in agreement.contributions:
        for key in ("cash", "in_kind", "land", "staff"):
            yield f"contributions {each.party} {key}", getattr(each, key), 0
    if agreement.preference:
        yield "preference investment", agreement.preference.investment, 1
    for each in agreement.entitlements:
        at = f"entitlements {each.party}"
        yield f"{at} minutes", each.minutes, 0
        yield f"{at} turn minutes", each.turn.minutes if each.turn else None, 1
        yield f"{at} conversion rate", each.conversion.rate if each.conversion else None, 1
        yield f"{at} carry_over periods", each.carry_over.periods if each.carry_over else None, 1
        for key in ("grace_days", "notice_days", "appeal_days"):
            yield f"{at} pull_back {key}", getattr(each.pull_back, key) if each.pull_back else None, 0


def _common_amounts(agreement: Agreement) -> Amounts:
    if agreement.reserved:
        yield "reserved release_hours", agreement.reserved.release_hours, 0
        yield "reserved standby_hours", agreement.reserved.standby_hours, 0
    if agreement.fair_share:
        yield "fair_share half_life_days", agreement.fair_share.half_life_days, 1
    if agreement.state_order:
        yield "state_order notice_working_days", agreement.state_order.notice_working_days, 0
        yield "state_order credit_days", agreement.state_order.credit_days, 1
    if agreement.confidentiality:
        yield "confidentiality embargo_months", agreement.confidentiality.embargo_months, 0
    if agreement.screening:
        yield "screening working_days", agreement.screening.working_days, 1


def _user_amounts(agreement: Agreement) -> Amounts:
    for tariff in agreement.tariffs:
        yield f"tariffs {tariff.id} full_cost", tariff.full_cost, 0
        if tariff.waiver:
            yield f"tariffs {tariff.id} waiver first_years", tariff.waiver.first_years, 0
            yield f"tariffs {tariff.id} waiver valid_years", tariff.waiver.valid_years, tariff.waiver.first_years
    courtesy = agreement.courtesy
    if courtesy is None:
        return
    yield "courtesy advance_days", courtesy.advance_days, 1
    yield "courtesy least_minutes", courtesy.least_minutes, 1
    yield "courtesy notice_hours", courtesy.notice_hours, 0
    if courtesy.prime:
        yield "courtesy prime day_minutes", courtesy.prime.day_minutes, 1
        yield "courtesy prime week_minutes", courtesy.prime.week_minutes, 1
    if courtesy.penalties:
        yield "courtesy penalties late_minutes", courtesy.penalties.late_minutes, 0
        for key in ("strikes", "within_days", "block_days"):
            yield f"courtesy penalties {key}", getattr(courtesy.penalties, key), 1


def _shares(agreement: Agreement, _: Known) -> Iterator[Refusal]:
    """A share is a part of a whole."""
    for where, share in (*_party_shares(agreement), *_common_shares(agreement)):
        if not 0 <= share <= 1:
            yield Refusal(code="clause_share_over_one", params={"where": where, "share": f"{share * 100} %"})


def _party_shares(agreement: Agreement) -> Shares:
    if agreement.preference:
        yield "preference threshold", agreement.preference.threshold
    for each in agreement.entitlements:
        at = f"entitlements {each.party}"
        if each.turn:
            yield f"{at} turn clamp", each.turn.clamp
        if each.conversion:
            yield f"{at} conversion repaid", each.conversion.repaid
        if each.carry_over:
            yield f"{at} carry_over most", each.carry_over.most
        for checkpoint in each.pull_back.checkpoints if each.pull_back else ():
            yield f"{at} checkpoint at", checkpoint.at
            for step in checkpoint.steps:
                yield f"{at} step used_less_than", step.used_less_than
                yield f"{at} step forfeit", step.forfeit


def _common_shares(agreement: Agreement) -> Shares:
    if agreement.state_order:
        yield "state_order ceiling", agreement.state_order.ceiling
    if agreement.charging:
        yield "charging classical_rate", agreement.charging.classical_rate
        yield "charging fault_refund", agreement.charging.fault_refund
    if agreement.courtesy and agreement.courtesy.penalties:
        yield "courtesy penalties no_show_charge", agreement.courtesy.penalties.no_show_charge
    for tariff in agreement.tariffs:
        for row in tariff.classes:
            yield f"tariffs {tariff.id} class {row.id}", row.share
        for rate in tariff.hours:
            yield f"tariffs {tariff.id} hours {rate.id}", rate.share
        if tariff.waiver:
            yield f"tariffs {tariff.id} waiver first", tariff.waiver.first
            yield f"tariffs {tariff.id} waiver after", tariff.waiver.after
        if tariff.data_discount:
            yield f"tariffs {tariff.id} data_discount", tariff.data_discount.share


# ---------------------------------------------------------------- parties and what they put in


def _covered(agreement: Agreement, known: Known) -> Iterator[Refusal]:
    covered = agreement.covered
    if covered.centres and covered.instruments:
        yield Refusal(code="clause_covered_both")
    lost = [each for each in covered.centres if each not in known.centre_ids]
    lost += [each for each in covered.instruments if each not in known.instrument_ids]
    for each in lost:
        yield Refusal(code="clause_unknown_place", params={"where": "covered", "place": each})


def _clause_parties(agreement: Agreement, _: Known) -> Iterator[Refusal]:
    for where, named in (
        ("contributions", [each.party for each in agreement.contributions]),
        ("entitlements", [each.party for each in agreement.entitlements]),
    ):
        for party in dict.fromkeys(named):
            if party not in agreement.parties:
                yield Refusal(code="clause_not_a_party", params={"where": where, "party": party})
        yield from _twice(where, named)


def _investment(agreement: Agreement, _: Known) -> Iterator[Refusal]:
    preference = agreement.preference
    if preference is None:
        return
    given = sum(each.total for each in agreement.contributions)
    if given <= 0:
        yield Refusal(code="clause_preference_alone")
    elif given > (whole := investment_of(preference, agreement.contributions)):
        yield Refusal(code="clause_over_investment", params={"given_vnd": given, "whole_vnd": whole})


def _conversions(agreement: Agreement, _: Known) -> Iterator[Refusal]:
    in_kind = {each.party for each in agreement.contributions if each.in_kind > 0}
    for each in agreement.entitlements:
        if each.conversion and each.party not in in_kind:
            yield Refusal(code="clause_nothing_in_kind", params={"party": each.party})


def _checkpoints(agreement: Agreement, _: Known) -> Iterator[Refusal]:
    for each in agreement.entitlements:
        if each.pull_back:
            yield from _pull_back(each, each.pull_back)


def _pull_back(entitlement: Entitlement, pull_back: PullBack) -> Iterator[Refusal]:
    where = f"entitlements {entitlement.party}"
    if not pull_back.checkpoints:
        yield Refusal(code="clause_no_checkpoint", params={"where": where})
    if not _rises([each.at for each in pull_back.checkpoints]):
        yield Refusal(code="clause_checkpoints_not_rising", params={"where": where})
    for checkpoint in pull_back.checkpoints:
        if not checkpoint.steps or not _rises([step.used_less_than for step in checkpoint.steps]):
            yield Refusal(code="clause_steps_not_rising", params={"where": where, "at": str(checkpoint.at)})
    if pull_back.appeal_days > pull_back.notice_days:
        yield Refusal(code="clause_appeal_after_notice", params={"where": where})


def _reserved(agreement: Agreement, _: Known) -> Iterator[Refusal]:
    reserved = agreement.reserved
    if reserved and reserved.standby_hours >= reserved.release_hours:
        yield Refusal(
            code="clause_standby_before_release",
            params={"standby": reserved.standby_hours, "release": reserved.release_hours},
        )


# ---------------------------------------------------------------- who comes first


def _tiers(agreement: Agreement, _: Known) -> Iterator[Refusal]:
    yield from _twice("tiers", [tier.id for tier in agreement.tiers])
    for tier in agreement.tiers:
        if (tier.mark is Mark.ORDINARY) != bool(tier.who):
            yield Refusal(code="clause_tier_who", params={"tier": tier.id})
    for tier in agreement.tiers[-1:]:
        if tier.strict:
            yield Refusal(code="clause_tier_strict_last", params={"tier": tier.id})
    rows = [tier.who for tier in agreement.tiers if tier.mark is Mark.ORDINARY]
    for access_class in _left_out(rows) if agreement.tiers else ():
        yield Refusal(code="clause_tier_missing", params={"access_class": access_class.value})
    for spared in agreement.state_order.spared if agreement.state_order else ():
        if spared not in {tier.id for tier in agreement.tiers}:
            yield Refusal(code="clause_tier_unknown", params={"tier": spared})


def other_orders(agreement: Agreement, others: Iterable[Agreement]) -> Iterator[Refusal]:
    """A round spans centres and has one order: sound agreements in force at the same time must not state two."""
    for other in others:
        is_other = agreement.tiers and other.tiers and other.tiers != agreement.tiers
        if is_other and effective_span(other).overlaps(effective_span(agreement)):
            yield Refusal(code="clause_tiers_differ", params={"other": other.id})


# ---------------------------------------------------------------- what it costs


def _tariffs(agreement: Agreement, known: Known) -> Iterator[Refusal]:
    yield from _twice("tariffs", [tariff.id for tariff in agreement.tariffs])
    for tariff in agreement.tariffs:
        where = f"tariffs {tariff.id}"
        if tariff.effective_until and tariff.effective_until < tariff.effective_from:
            yield Refusal(code="clause_dates_reversed", params={"where": where})
        for each in tariff.instruments:
            if each not in known.instrument_ids:
                yield Refusal(code="clause_unknown_place", params={"where": where, "place": each})
        yield from _classes(where, tariff)
        yield from _rates(where, tariff)
    for one, other in combinations(agreement.tariffs, 2):
        if _compete(one, other):
            yield Refusal(code="clause_tariffs_overlap", params={"one": one.id, "other": other.id})


def _classes(where: str, tariff: Tariff) -> Iterator[Refusal]:
    """Everybody has one class and no second one: then the order of the rows means nothing."""
    yield from _twice(where, [row.id for row in tariff.classes])
    for access_class in _left_out([row.who for row in tariff.classes]):
        yield Refusal(code="clause_class_missing", params={"where": where, "access_class": access_class.value})
    told: set[tuple[str, str]] = set()
    for profile in everybody():
        mine = [row.id for row in tariff.classes if is_among(row.who, profile)]
        if len(mine) > 1 and (mine[0], mine[1]) not in told:
            told.add((mine[0], mine[1]))
            yield Refusal(code="clause_class_both", params={"where": where, "one": mine[0], "other": mine[1]})


def _rates(where: str, tariff: Tariff) -> Iterator[Refusal]:
    """Hours can be read, and nobody has two rates in the same hour."""
    read: list[tuple[HourRate, OpeningHours]] = []
    yield from _twice(where, [rate.id for rate in tariff.hours])
    for rate in tariff.hours:
        try:
            read.append((rate, parse_opening(rate.hours)))
        except Malformed as error:
            yield from error.refusals
    for (one, hours), (other, others) in combinations(read, 2):
        days = zip(hours.days, others.days, strict=True)
        is_shared = any(a < d and c < b for day, more in days for (a, b), (c, d) in product(day, more))
        if is_shared and any(is_among(one.who, each) and is_among(other.who, each) for each in everybody()):
            yield Refusal(code="clause_class_both", params={"where": where, "one": one.id, "other": other.id})


def _compete(one: Tariff, other: Tariff) -> bool:
    is_apart = (one.effective_until is not None and one.effective_until < other.effective_from) or (
        other.effective_until is not None and other.effective_until < one.effective_from
    )
    is_alike = bool(set(one.instruments) & set(other.instruments)) or not (one.instruments or other.instruments)
    return is_alike and not is_apart


# ---------------------------------------------------------------- courtesy, confidentiality, security


def _courtesy(agreement: Agreement, _: Known) -> Iterator[Refusal]:
    courtesy = agreement.courtesy
    if courtesy and courtesy.penalties and courtesy.penalties.late_cancel and courtesy.notice_hours is None:
        yield Refusal(code="clause_late_without_notice")
    prime = courtesy.prime if courtesy else None
    if prime is None:
        return
    try:
        opening = prime.opening
    except Malformed:
        opening = None
    if opening is None or opening.is_never:
        yield Refusal(code="clause_prime_hours", params={"hours": prime.hours})
    if prime.day_minutes is None and prime.week_minutes is None:
        yield Refusal(code="clause_prime_without_limit")


def _min_cell(agreement: Agreement, _: Known) -> Iterator[Refusal]:
    clause = agreement.confidentiality
    if clause and clause.min_cell < MIN_PARTIES:
        yield Refusal(code="clause_min_cell", params={"amount": str(clause.min_cell), "least": MIN_PARTIES})


def _screening(agreement: Agreement, _: Known) -> Iterator[Refusal]:
    if agreement.screening is None:
        return
    if not agreement.screening.lists:
        yield Refusal(code="clause_screening_empty")
    yield from _twice("screening lists", [each.id for each in agreement.screening.lists])
    for each in agreement.screening.lists:
        if not (any(term.strip() for term in each.terms) or each.topics or each.organisations):
            yield Refusal(code="clause_list_empty", params={"list": each.id})


CLAUSE_FAULTS: tuple[Callable[[Agreement, Known], Iterator[Refusal]], ...] = (
    _amounts,
    _shares,
    _covered,
    _clause_parties,
    _investment,
    _conversions,
    _checkpoints,
    _reserved,
    _tiers,
    _tariffs,
    _courtesy,
    _min_cell,
    _screening,
)


# ---------------------------------------------------------------- parts


def _twice(where: str, names: Iterable[str]) -> Iterator[Refusal]:
    seen: list[str] = list(names)
    for name in dict.fromkeys(each for each in seen if seen.count(each) > 1):
        yield Refusal(code="clause_twice", params={"where": where, "name": name})


def _left_out(rows: Sequence[Sequence[Group]]) -> list[AccessClass]:
    """The access classes of which somebody is in no row."""
    lost = (profile.access_class for profile in everybody() if not any(is_among(row, profile) for row in rows))
    return list(dict.fromkeys(lost))


def _rises(numbers: Sequence[Fraction]) -> bool:
    return all(low < high for low, high in pairwise((Fraction(0), *numbers)))
