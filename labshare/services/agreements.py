"""What is done with agreements: load them, and say who may know what of them.

What must not live here: the meaning of rules (domain/agreements.py), or bookings weighed against them (weighing.py).
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from labshare.domain.agreement_documents import faults, from_toml, to_json
from labshare.domain.agreements import (
    Agreement,
    Balance,
    BalanceKey,
    Kind,
    ShareRule,
    Term,
    Use,
    Version,
)
from labshare.domain.clause_faults import other_orders
from labshare.domain.people import Action, Actor, may, require
from labshare.domain.sandbox import Overlay
from labshare.domain.sandbox_documents import Around, of_the_days, sandbox_faults
from labshare.domain.timespan import Span, total_minutes
from labshare.domain.weighing import Insight
from labshare.errors import Malformed, Refusal, Refused, Stale
from labshare.services import balances, capacity, ledger
from labshare.services.counting import hull
from labshare.services.feasibility import Site, clashes
from labshare.services.terms import in_force
from labshare.store import agreements as store
from labshare.store import audit
from labshare.store import capacity as capacity_store
from labshare.store.engine import Connection
from labshare.store.rulebooks import rulebook

WEEK = timedelta(days=7)
# Above every number that a version has.
MOST_VERSIONS = 2**31

# ---------------------------------------------------------------- who may know what


def insight_of(term: Term, added: Sequence[Use], reader: Actor | None) -> Insight:
    """What a refusal may say: figures to those who answer for all the time that was asked for and to a party whose own
    cap it is, the clause to the agreement's parties, nothing to others. A floor refuses a party whose own it is what
    it does not count of theirs, and its figures are what everybody else has taken.
    """
    askers = {use.organisation_id for use in added}
    centre_ids = {use.centre_id for use in added}
    if reader is not None and sees_all(reader, centre_ids):
        return Insight.FIGURES
    rule = term.rule
    if rule.kind is Kind.CAP and rule.who.organisation and askers == set(rule.who.organisation):
        return Insight.FIGURES
    is_party = bool(askers) and askers <= set(term.agreement.parties)
    if is_party or (reader is not None and may_read(reader, term.agreement, centre_ids)):
        return Insight.CLAUSE
    return Insight.NOTHING


def sees_all(reader: Actor, centre_ids: Collection[str]) -> bool:
    """Whether somebody answers for all of these centres, and so may see everybody's figures in a rule about them."""
    return may(reader, Action.READ_AGREEMENT) or (
        bool(centre_ids) and all(may(reader, Action.READ_AGREEMENT, centre=centre_id) for centre_id in centre_ids)
    )


def may_read(reader: Actor, agreement: Agreement, centre_ids: Collection[str]) -> bool:
    """Whether somebody may read this agreement, of which a part concerns these centres."""
    return (
        may(reader, Action.READ_AGREEMENT)
        or any(may(reader, Action.READ_AGREEMENT, organisation=party) for party in agreement.parties)
        or any(may(reader, Action.READ_AGREEMENT, centre=centre_id) for centre_id in centre_ids)
    )


# ---------------------------------------------------------------- loading


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What loading one file did: `outcome` is new, changed or same."""

    file: str
    agreement_id: str
    version: int
    outcome: str


def load_agreements(db: Connection, actor: Actor | None, paths: Sequence[Path], now: datetime) -> list[Loaded]:
    """Bring agreements into force from TOML files: a new one, a new version where the text has changed, else nothing.

    Everything is checked before anything changes. Raises `Refused` with every fault of every file, each with `file`.
    `actor` is None for the operator at the command line; anybody else must be an administrator.
    """
    if actor is not None:
        require(actor, Action.LOAD_AGREEMENT)
    store.hold_still(db)
    read = _read_files(paths)
    require_sound(db, read, now)
    return [_load(db, actor, file, agreement, now) for file, agreement in read]


def sign(db: Connection, actor: Actor, text: str, now: datetime, *, seen_version: int) -> Loaded:
    """Bring the agreement of one TOML text into force, as `load_agreements` does with a file.

    `seen_version` is the newest when its effect was shown, 0 where there was none. Raises `Stale` when it has moved.
    """
    require(actor, Action.LOAD_AGREEMENT)
    store.hold_still(db)
    agreement = from_toml(text)
    if max((each.number for each in store.versions_of(db, agreement.id)), default=0) != seen_version:
        raise Stale("agreement_changed")
    require_sound(db, [("", agreement)], now)
    return _load(db, actor, "", agreement, now)


def require_sound(db: Connection, read: Sequence[tuple[str, Agreement]], now: datetime) -> None:
    """Raise `Refused` with every fault of these agreements, each with its file, beside those that stand."""
    held = _newest(db, {agreement.id for _, agreement in read})
    problems = _problems(db, read, held, now)
    if problems:
        raise Refused(problems)


def _read_files(paths: Sequence[Path]) -> list[tuple[str, Agreement]]:
    read: list[tuple[str, Agreement]] = []
    problems: list[Refusal] = []
    for path in paths:
        try:
            read.append((str(path), from_toml(path.read_text(encoding="utf-8"))))
        except Malformed as error:
            problems += [_in_file(str(path), each) for each in error.refusals]
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8"
            problems.append(Refusal(code="agreement_unreadable", params={"file": str(path), "reason": reason}))
    if problems:
        raise Refused(problems)
    return read


def _newest(db: Connection, without: Collection[str]) -> list[Agreement]:
    """The newest version of every agreement but these."""
    everything = rulebook(db).versions
    return [versions[-1].agreement for agreement_id, versions in everything.items() if agreement_id not in without]


def _problems(
    db: Connection, read: Sequence[tuple[str, Agreement]], held: list[Agreement], now: datetime
) -> list[Refusal]:
    known = store.known(db)
    places = sites(db, now)
    problems: list[Refusal] = []
    for place, (file, agreement) in enumerate(read):
        beside = [*held, *(other for at, (_, other) in enumerate(read) if at != place and other.id != agreement.id)]
        if any(other.id == agreement.id for _, other in read[:place]):
            problems.append(Refusal(code="agreement_twice", params={"file": file, "agreement": agreement.id}))
        found = faults(agreement, known) or (
            *other_orders(agreement, beside),
            *clashes(agreement, beside, places),
            *_trials_broken(db, agreement, now),
        )
        problems += [_in_file(file, fault) for fault in found]
    return problems


def _trials_broken(db: Connection, agreement: Agreement, now: datetime) -> Iterator[Refusal]:
    """Why a trial that changes this agreement could not go on under this text, each reason after the trial's name."""
    book = rulebook(db)
    version = Version(number=MOST_VERSIONS, agreement=agreement)
    versions = {**book.versions, agreement.id: (*book.versions.get(agreement.id, ()), version)}
    for holding in book.holdings:
        overlay = holding.overlay
        is_on = any(span.end > now for span in holding.spans)
        if is_on and any(change.agreement == agreement.id for change in overlay.changes):
            found = sandbox_faults(overlay, around(db, overlay, versions))
            if found:
                last = overlay.end.isoformat()
                yield Refusal(code="agreement_breaks_trial", params={"sandbox": overlay.id, "last": last})
                yield from found


def around(db: Connection, overlay: Overlay, versions: Mapping[str, Sequence[Version]]) -> Around:
    """What an overlay may name, with the agreements in these versions. Two queries."""
    known = store.known(db)
    return Around(
        organisation_ids=known.organisation_ids,
        centre_ids=known.centre_ids,
        project_codes=known.project_codes,
        centre_of=store.centres_of_instruments(db),
        agreements={key: of_the_days(each, overlay) for key, each in versions.items()},
    )


def sites(db: Connection, now: datetime) -> list[Site]:
    """Every instrument that is booked by time, with its mean open minutes in a week of the four that follow."""
    moment = now.replace(second=0, microsecond=0)
    span = Span(moment, moment + 4 * WEEK)
    hosts = capacity_store.hosts(db)
    return [
        Site(
            instrument_id=each.instrument_id,
            centre_id=each.centre_id,
            host_id=hosts[each.centre_id],
            minutes=each.capacity * total_minutes(capacity.opened(each, span)) // 4,
        )
        for each in capacity_store.timed_instruments(db, span)
    ]


def _in_file(file: str, fault: Refusal) -> Refusal:
    return Refusal(code=fault.code, params={**fault.params, "file": file})


def _load(db: Connection, actor: Actor | None, file: str, agreement: Agreement, now: datetime) -> Loaded:
    before = store.versions_of(db, agreement.id)
    if before and to_json(before[-1].agreement) == to_json(agreement):
        return Loaded(file=file, agreement_id=agreement.id, version=before[-1].number, outcome="same")
    version = Version(number=before[-1].number + 1 if before else 1, agreement=agreement)
    actor_id = actor.person_id if actor else None
    with changing_rules(db, [agreement.id], now):
        store.add_version(db, version, actor_id=actor_id, now=now)
    ledger.reschedule(db, agreement.id, now)
    audit.record(
        db,
        actor_id=actor_id,
        action="load",
        noun="agreement",
        noun_id=agreement.id,
        now=now,
        details={"version": version.number},
    )
    outcome = "changed" if before else "new"
    return Loaded(file=file, agreement_id=agreement.id, version=version.number, outcome=outcome)


@contextmanager
def changing_rules(db: Connection, agreement_ids: Collection[str], now: datetime) -> Generator[None]:
    """What is done inside may give these agreements other rules, by a version or by a sandbox; their balances follow.

    A balance begins anew where its rule will count other minutes than those of which its base was frozen; the others
    are counted again. To be used after `hold_still`.
    """
    held = {agreement_id: store.balances_of(db, agreement_id) for agreement_id in agreement_ids}
    before = {agreement_id: _frozen(db, found) for agreement_id, found in held.items()}
    yield
    for agreement_id, found in held.items():
        after = _frozen(db, found)
        store.drop_balances(db, [key for key in found if before[agreement_id][key] != after[key]])
        balances.rebuild(db, now, agreement_id)


def _frozen(db: Connection, held: dict[BalanceKey, Balance]) -> dict[BalanceKey, object]:
    whole = hull([balance.window for balance in held.values()])
    standing = in_force(db, whole) if whole else ()
    terms = {key: balances.term_of(balance, standing) for key, balance in held.items()}
    return {key: frozen_by(term.rule) if term else None for key, term in terms.items()}


def frozen_by(rule: ShareRule) -> object:
    """What decides the base of a balance and which minutes it follows: where this changes, a window begins anew."""
    return rule.kind, rule.where, rule.base, rule.level
