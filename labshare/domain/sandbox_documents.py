"""Sandbox overlays as documents: TOML for people, and every fault found at entry.

`FAULTS` is the list of what is checked before an overlay may be used; all faults are told at once, each a code with
parameters. The agreements that an overlay would make are checked by the rules of agreements themselves. What must not
live here: what an overlay does once it stands (sandbox.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import msgspec

from labshare.domain.agreement_documents import FIRST_YEAR, LAST_YEAR, Known, faults, read_exact, write_exact
from labshare.domain.agreements import Agreement, ShareRule, Version, effective_span
from labshare.domain.document_faults import unreadable
from labshare.domain.sandbox import MOST_DAYS, Change, Overlay, changed
from labshare.domain.tariffs import Tariff
from labshare.domain.timespan import clipped, subtracted
from labshare.errors import Refusal

# A trial may leave an agreement without a single rule for a while; a signed agreement may not.
_NOT_OF_A_TRIAL = frozenset({"agreement_without_rules"})
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

# ---------------------------------------------------------------- reading and writing


def from_toml(text: str) -> Overlay:
    """An overlay from its TOML document. Raises `Malformed` with `reason`, one line that names the place."""
    try:
        return msgspec.toml.decode(text, type=Overlay, dec_hook=_read)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise unreadable("sandbox_unreadable", error) from error


def to_toml(overlay: Overlay) -> str:
    """The overlay as TOML. Reading it gives an equal overlay."""
    return msgspec.toml.encode(overlay, enc_hook=write_exact).decode()


def from_json(document: str) -> Overlay:
    """An overlay that `to_json` wrote."""
    return msgspec.json.decode(document, type=Overlay, dec_hook=_read)


def to_json(overlay: Overlay) -> str:
    """The canonical text: equal overlays give equal texts."""
    return msgspec.json.encode(overlay, enc_hook=write_exact).decode()


def _read(kind: type[Any], value: Any) -> Any:
    """Metrics are often counts, so a whole number may stand for itself; all else is written as shares are."""
    return Fraction(value) if kind is Fraction and type(value) is int else read_exact(kind, value)


# ---------------------------------------------------------------- faults


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """What an overlay may name: the registry, each instrument with its centre, and agreements by id: of each the newest
    version and those others that are in force on some day of the trial.
    """

    organisation_ids: frozenset[str]
    centre_ids: frozenset[str]
    centre_of: dict[str, str]
    agreements: dict[str, tuple[Agreement, ...]]
    project_codes: frozenset[str] = frozenset()


def of_the_days(versions: Sequence[Version], overlay: Overlay) -> tuple[Agreement, ...]:
    """Of the versions of one agreement, the oldest first: the newest, then those others that hold during the trial."""
    found, later = [versions[-1].agreement], [effective_span(versions[-1].agreement)]
    trial = [] if overlay.end < overlay.start else [overlay.span]
    for version in reversed(versions[:-1]):
        whole = effective_span(version.agreement)
        if any(clipped(subtracted([whole], later), span) for span in trial):
            found.append(version.agreement)
        later.append(whole)
    return tuple(found)


def sandbox_faults(overlay: Overlay, around: Around) -> tuple[Refusal, ...]:
    """Everything that keeps this overlay from being used; empty when nothing does."""
    return tuple(fault for check in FAULTS for fault in check(overlay, around))


def _id(overlay: Overlay, _: Around) -> Iterator[Refusal]:
    """It stands in addresses."""
    if not _ID.fullmatch(overlay.id):
        yield Refusal(code="sandbox_id_unclear", params={"sandbox": overlay.id})


def _days(overlay: Overlay, _: Around) -> Iterator[Refusal]:
    most = min(MOST_DAYS, overlay.max_days)
    for day in (overlay.start, overlay.end):
        if not FIRST_YEAR <= day.year <= LAST_YEAR:
            yield Refusal(code="agreement_date_unlikely", params={"day": day.isoformat(), "last": LAST_YEAR})
    if overlay.end < overlay.start:
        first, last = overlay.start.isoformat(), overlay.end.isoformat()
        yield Refusal(code="sandbox_dates_reversed", params={"first": first, "last": last})
    elif overlay.days > most:
        yield Refusal(code="sandbox_too_long", params={"days": overlay.days, "most": most})


def _places(overlay: Overlay, around: Around) -> Iterator[Refusal]:
    if not overlay.centres:
        yield Refusal(code="sandbox_without_centres")
    for centre in overlay.centres:
        if centre not in around.centre_ids:
            yield Refusal(code="sandbox_unknown_centre", params={"centre": centre})


def _parties(overlay: Overlay, around: Around) -> Iterator[Refusal]:
    if not overlay.participants:
        yield Refusal(code="sandbox_without_participants")
    for party in dict.fromkeys((*overlay.participants, overlay.evaluator, overlay.authority.approved_by)):
        if party not in around.organisation_ids:
            yield Refusal(code="sandbox_unknown_party", params={"party": party})


def _texts(overlay: Overlay, _: Around) -> Iterator[Refusal]:
    """What the law asks to be said is said, in both languages."""
    said = {
        "title": (overlay.title_vi, overlay.title_en),
        "authority.legal": (overlay.authority.legal,),
        **{name: msgspec.structs.astuple(getattr(overlay, name)) for name in ("goal", "adjust", "suspend", "ending")},
        **{f"metrics.{each.id}": msgspec.structs.astuple(each.says) for each in overlay.metrics},
    }
    for field, texts in said.items():
        if not all(text.strip() for text in texts):
            yield Refusal(code="sandbox_text_missing", params={"field": field})


def _measures(overlay: Overlay, _: Around) -> Iterator[Refusal]:
    """A trial says when it has succeeded and when it stops, by metrics that it declares; each metric serves for one."""
    known = [metric.id for metric in overlay.metrics]
    used = [each.metric for each in (*overlay.criteria, *overlay.stop_if)]
    if not overlay.criteria:
        yield Refusal(code="sandbox_without_criteria")
    if not overlay.stop_if:
        yield Refusal(code="sandbox_without_stop")
    for metric in sorted({metric for metric in known if known.count(metric) > 1}):
        yield Refusal(code="sandbox_metric_twice", params={"metric": metric})
    for metric in dict.fromkeys(used):
        if metric not in known:
            yield Refusal(code="sandbox_unknown_metric", params={"metric": metric})
    for metric in dict.fromkeys(known):
        if metric not in used:
            yield Refusal(code="sandbox_metric_unused", params={"metric": metric})
    for criterion in overlay.criteria:
        if criterion.target == criterion.baseline:
            yield Refusal(code="sandbox_criterion_still", params={"metric": criterion.metric})


def _changes(overlay: Overlay, around: Around) -> Iterator[Refusal]:
    """Each change is one of three, to a rule that is there (or, for a new one, is not), and to each rule only one."""
    if not overlay.changes:
        yield Refusal(code="sandbox_without_changes")
    seen: set[tuple[str, str]] = set()
    for change in overlay.changes:
        named = {"agreement": change.agreement, "rule": change.rule_id}
        if not _is_one(change):
            yield Refusal(code="sandbox_change_unclear", params={"agreement": change.agreement})
            continue
        if (change.agreement, change.rule_id) in seen:
            yield Refusal(code="sandbox_rule_twice", params={**named})
        seen.add((change.agreement, change.rule_id))
        versions = around.agreements.get(change.agreement, ())
        if not versions:
            yield Refusal(code="sandbox_unknown_agreement", params={"agreement": change.agreement})
        elif change.add and any(_rule(each, change) for each in versions):
            yield Refusal(code="sandbox_rule_taken", params={**named})
        elif change.add and not all(each.rules for each in versions):
            # A new rule holds in the time of the rules beside it (sandbox.under).
            yield Refusal(code="sandbox_nothing_beside", params={**named})
        elif change.is_of_rule and not all(_rule(each, change) for each in versions):
            yield Refusal(code="sandbox_unknown_rule", params={**named})


def _in_time(overlay: Overlay, around: Around) -> Iterator[Refusal]:
    """On every day of the trial there is an agreement to change."""
    if any(_days(overlay, around)):
        return
    for agreement_id, versions in _touched(overlay, around).items():
        if subtracted([overlay.span], map(effective_span, versions)):
            yield Refusal(code="sandbox_agreement_over", params={"agreement": agreement_id})


def _in_place(overlay: Overlay, around: Around) -> Iterator[Refusal]:
    """Neither a rule that is changed nor the one that takes its place reaches beyond the named centres."""
    for change in overlay.changes:
        before = [_rule(each, change) for each in around.agreements.get(change.agreement, ())]
        if any(not _is_within(rule, overlay, around) for rule in (*before, change.rule) if rule):
            params = {"agreement": change.agreement, "rule": change.rule_id}
            yield Refusal(code="sandbox_rule_outside", params={**params, "centres": ", ".join(overlay.centres)})
        tariffs = [_tariff(each, change) for each in around.agreements.get(change.agreement, ())]
        if any(not _is_charged_within(each, overlay, around) for each in (*tariffs, change.tariff) if each):
            params = {"agreement": change.agreement, "rule": change.rule_id}
            yield Refusal(code="sandbox_rule_outside", params={**params, "centres": ", ".join(overlay.centres)})


def _as_agreements(overlay: Overlay, around: Around) -> Iterator[Refusal]:
    """The agreements that the trial would make could be signed: no unknown names, no clause that cannot be read."""
    if any(_changes(overlay, around)):
        return
    known = Known(
        organisation_ids=around.organisation_ids,
        centre_ids=around.centre_ids,
        instrument_ids=frozenset(around.centre_of),
        project_codes=around.project_codes,
    )
    found: dict[tuple[str, tuple[tuple[str, str | int], ...]], Refusal] = {}
    for agreement_id, versions in _touched(overlay, around).items():
        for agreement in versions:
            signed = set(map(_key, faults(agreement, known)))
            for fault in faults(changed(agreement, overlay), known):
                if fault.code not in _NOT_OF_A_TRIAL and _key(fault) not in signed:
                    told = Refusal(code=fault.code, params={**fault.params, "agreement": agreement_id})
                    found.setdefault(_key(told), told)
    yield from found.values()


FAULTS: tuple[Callable[[Overlay, Around], Iterator[Refusal]], ...] = (
    _id,
    _days,
    _places,
    _parties,
    _texts,
    _measures,
    _changes,
    _in_time,
    _in_place,
    _as_agreements,
)

# ---------------------------------------------------------------- parts


def _is_one(change: Change) -> bool:
    return sum(given is not None for given in (change.add, change.replace, change.remove, change.tariff)) == 1


def _rule(agreement: Agreement, change: Change) -> ShareRule | None:
    return next((rule for rule in agreement.rules if rule.id == change.rule_id), None)


def _tariff(agreement: Agreement, change: Change) -> Tariff | None:
    return next((each for each in agreement.tariffs if change.tariff and each.id == change.tariff.id), None)


def _is_charged_within(tariff: Tariff, overlay: Overlay, around: Around) -> bool:
    """Whether the tariff names instruments, all of the overlay's centres. Unknown names are another fault."""
    centres = [around.centre_of.get(instrument) for instrument in tariff.instruments]
    return bool(centres) and all(centre is None or centre in overlay.centres for centre in centres)


def _touched(overlay: Overlay, around: Around) -> dict[str, tuple[Agreement, ...]]:
    """The agreements that the overlay changes and that there are, with their versions."""
    ids = dict.fromkeys(change.agreement for change in overlay.changes)
    return {agreement_id: around.agreements[agreement_id] for agreement_id in ids if agreement_id in around.agreements}


def _is_within(rule: ShareRule, overlay: Overlay, around: Around) -> bool:
    """Whether the rule counts nowhere but in the overlay's centres. Unknown names are another fault."""
    if rule.where.instruments:
        centres = [around.centre_of.get(instrument) for instrument in rule.where.instruments]
        return all(centre is None or centre in overlay.centres for centre in centres)
    return bool(rule.where.centres) and set(rule.where.centres) & around.centre_ids <= set(overlay.centres)


def _key(fault: Refusal) -> tuple[str, tuple[tuple[str, str | int], ...]]:
    return fault.code, tuple(sorted(fault.params.items()))
