"""Where the share rules of agreements stand: for the pages of agreements and for reports, through the reader's mask.

What must not live here: the check of a booking (services/weighing.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date, datetime
from fractions import Fraction
from itertools import islice

import msgspec

from labshare.domain.agreements import (
    Agreement,
    BalanceKey,
    Counter,
    Level,
    Scope,
    Term,
    Version,
    covers,
    effective_span,
    rule_windows,
    scope_key,
)
from labshare.domain.clause_faults import has_other_clauses
from labshare.domain.clauses import local_day, min_cell_over
from labshare.domain.contributions import Preference, investment_of, preferential_shares
from labshare.domain.entitlements import Shown, of_balance, part_of, preceding, shown, standing
from labshare.domain.people import Action, Actor, may_somewhere
from labshare.domain.timespan import MINUTE, Span
from labshare.domain.windows import Window
from labshare.errors import Forbidden, NotFound, NotSignedIn
from labshare.services.agreements import in_force, may_read, sees_all
from labshare.services.counting import Tally, hull
from labshare.services.usages import usages
from labshare.store import agreements as store
from labshare.store import capacity as capacity_store
from labshare.store import names
from labshare.store.capacity import TimedInstrument
from labshare.store.engine import Connection
from labshare.store.names import Name
from labshare.store.rulebooks import rulebook


class Places:
    """Instruments by their scopes: many rules have the same one, and most name a centre or a few instruments."""

    def __init__(self, instruments: Sequence[TimedInstrument], within: Collection[int] | None = None) -> None:
        self._chosen = [each for each in instruments if within is None or each.number in within]
        self._by_id = {each.instrument_id: each for each in self._chosen}
        self._by_centre: defaultdict[str, list[TimedInstrument]] = defaultdict(list)
        for each in self._chosen:
            self._by_centre[each.centre_id].append(each)
        self._inside: dict[Scope, list[TimedInstrument]] = {}
        self._keys: dict[tuple[Scope, Level], list[str]] = {}
        self._windows: dict[tuple[object, ...], list[Span]] = {}

    def inside(self, where: Scope) -> list[TimedInstrument]:
        """Those that the scope covers."""
        found = self._inside.get(where)
        if found is None:
            if where.instruments:
                near = [self._by_id[each] for each in where.instruments if each in self._by_id]
            elif where.centres:
                near = [each for centre_id in where.centres for each in self._by_centre.get(centre_id, ())]
            else:
                near = self._chosen
            self._inside[where] = found = [each for each in near if covers(where, each)]
        return found

    def counters(self, term: Term, span: Span) -> list[Counter]:
        """The windows of a rule that the span touches, for each denominator with an instrument.

        Of rolling windows it is the first, which ends with the day on which the span begins.
        """
        rule = term.rule
        keys = self._keys.get((rule.where, rule.level))
        if keys is None:
            keys = sorted({scope_key(rule, each) for each in self.inside(rule.where)})
            self._keys[rule.where, rule.level] = keys
        return [
            Counter(term=term, scope_key=key, window=window) for key in keys for window in self._windows_of(term, span)
        ]

    def _windows_of(self, term: Term, span: Span) -> list[Span]:
        # Most rules of an agreement have one of a few windows.
        asked = (term.rule.window, term.rule.days, term.agreement.timezone, term.spans, span)
        found = self._windows.get(asked)
        if found is None:
            most = 1 if term.rule.window is Window.ROLLING else None
            windows = (window for window, _ in rule_windows(term, span))
            found = self._windows[asked] = list(islice(dict.fromkeys(windows), most))
        return found


def readable_terms(
    db: Connection, actor: Actor, span: Span, instruments: Sequence[TimedInstrument]
) -> list[tuple[Term, bool]]:
    """The rules in force that this person may read, each with whether they may see everybody's figures in it.

    `instruments` are those that decide which centres a rule concerns. Two queries.
    """
    found: list[tuple[Term, bool]] = []
    places = Places(instruments)
    told: dict[tuple[str, Scope], tuple[bool, bool]] = {}
    for term in in_force(db, span):
        agreement, where = term.agreement, term.rule.where
        may = told.get((agreement.id, where))
        if may is None:
            centre_ids = frozenset(each.centre_id for each in places.inside(where))
            may = told[agreement.id, where] = may_read(actor, agreement, centre_ids), sees_all(actor, centre_ids)
        is_readable, is_whole = may
        if is_readable:
            found.append((term, is_whole))
    return found


def standings(
    db: Connection,
    actor: Actor,
    at: datetime,
    now: datetime,
    *,
    within: Collection[int] | None = None,
    delivered: bool = False,
) -> list[Shown]:
    """Every rule that this person may read, in its window that holds the instant `at`, once for each denominator.

    With `within`, only rules that concern one of these instruments, by number. What others did is only told to some,
    so the rules of which this person sees all are read from their balances, unless it is to be told what was
    `delivered`, and what the window before came to; all others are counted. At most ten queries, whatever the rules.
    """
    moment = at.replace(second=0, microsecond=0)
    span = Span(moment, moment + MINUTE)
    instruments = capacity_store.timed_instruments(db, span)
    places = Places(instruments, within)
    counters = {
        counter.key: (counter, is_whole)
        for term, is_whole in readable_terms(db, actor, span, instruments)
        for counter in places.counters(term, span)
    }
    whole = [counter for counter, is_whole in counters.values() if is_whole]
    read = {} if delivered or actor.partner_ids else usages(db, whole, moment, now)
    earlier = {key: found for key, (each, _) in counters.items() if delivered and (found := preceding(each))}
    asked = [each for key, each in counters.items() if key not in read]
    asked += [(before, counters[key][1]) for key, before in earlier.items()]
    measured = _measured(db, actor, asked, instruments, now)
    for key, before in earlier.items():
        measured[key] = msgspec.structs.replace(measured[key], before=part_of(measured[before.key]))
    return [
        shown(of_balance(counter, *read[key]), sees_all=True) if key in read else measured[key]
        for key, (counter, _) in counters.items()
    ]


# ---------------------------------------------------------------- the pages of agreements


class AgreementLine(msgspec.Struct, frozen=True, kw_only=True):
    """An agreement in the list: its newest version, whether that is in force today, and where its rules stand."""

    agreement: Agreement
    version: int
    in_force: bool
    standings: tuple[Shown, ...]


class AgreementPage(msgspec.Struct, frozen=True, kw_only=True):
    """One agreement with everything its page says. `names` are those of every id that the agreement names.

    `preferred` are the shares of those who bear enough of the `investment` in VND (R03); `today` is the day on its own
    calendar.
    """

    line: AgreementLine
    versions: tuple[Version, ...]
    names: dict[str, Name]
    is_masked: bool
    investment: int
    preferred: dict[str, Fraction]
    today: date


def agreements(db: Connection, actor: Actor | None, now: datetime) -> tuple[list[AgreementLine], dict[str, Name]]:
    """Every agreement that this person may read, the ones in force first, with the names of their parties.

    Raises `NotSignedIn` or `Forbidden` for somebody who may read none at all.
    """
    reader = _require_reader(actor)
    centre_ids = _centres_of(db, now)
    newest = [versions[-1] for versions in rulebook(db).versions.values()]
    readable = [each for each in newest if may_read(reader, each.agreement, _concerned(each.agreement, centre_ids))]
    shown = standings(db, reader, now, now)
    lines = [_line(version, shown, now) for version in readable]
    named = {party for line in lines for party in line.agreement.parties}
    return sorted(lines, key=lambda line: (not line.in_force, line.agreement.id)), names.names(db, named, (), ())


def agreement(db: Connection, actor: Actor | None, agreement_id: str, now: datetime) -> AgreementPage:
    """One agreement. Raises `NotFound` when it does not exist or does not name this reader."""
    reader, versions, centre_ids = readable(db, actor, agreement_id, now)
    found = versions[-1].agreement
    preference = found.preference or Preference()
    scopes = [found.covered, *(rule.where for rule in found.rules)]
    return AgreementPage(
        line=_line(versions[-1], standings(db, reader, now, now), now),
        versions=tuple(reversed(versions)),
        names=names.names(
            db,
            {*found.parties, *(each for rule in found.rules for each in rule.who.organisation)},
            {each for scope in scopes for each in scope.centres},
            {each for scope in scopes for each in scope.instruments}
            | {each for tariff in found.tariffs for each in tariff.instruments},
        ),
        is_masked=not sees_all(reader, centre_ids),
        investment=investment_of(preference, found.contributions),
        preferred=preferential_shares(preference, found.contributions),
        today=local_day(found, now),
    )


def readable(
    db: Connection, actor: Actor | None, agreement_id: str, now: datetime
) -> tuple[Actor, list[Version], frozenset[str]]:
    """The reader, all versions of the agreement and the centres that it concerns. Raises what `agreement` raises."""
    reader = _require_reader(actor)
    versions = store.versions_of(db, agreement_id)
    if not versions:
        raise NotFound("agreement_not_found")
    centre_ids = _concerned(versions[-1].agreement, _centres_of(db, now))
    if not may_read(reader, versions[-1].agreement, centre_ids):
        raise NotFound("agreement_not_found")
    return reader, versions, centre_ids


def _require_reader(actor: Actor | None) -> Actor:
    if actor is None:
        raise NotSignedIn()
    if not may_somewhere(actor, Action.READ_AGREEMENT):
        raise Forbidden("forbidden", action=Action.READ_AGREEMENT.value)
    return actor


def _centres_of(db: Connection, now: datetime) -> list[TimedInstrument]:
    moment = now.replace(second=0, microsecond=0)
    return capacity_store.timed_instruments(db, Span(moment, moment + MINUTE))


def _concerned(agreement: Agreement, instruments: Sequence[TimedInstrument]) -> frozenset[str]:
    """The centres that some rule of the agreement concerns, or that it covers when it has other clauses."""
    scopes = [rule.where for rule in agreement.rules] + ([agreement.covered] if has_other_clauses(agreement) else [])
    return frozenset(each.centre_id for each in instruments if any(covers(scope, each) for scope in scopes))


def _line(version: Version, shown: Sequence[Shown], now: datetime) -> AgreementLine:
    span = effective_span(version.agreement)
    return AgreementLine(
        agreement=version.agreement,
        version=version.number,
        in_force=span.start <= now < span.end,
        standings=tuple(each for each in shown if each.agreement_id == version.agreement.id),
    )


# ---------------------------------------------------------------- parts


def _measured(
    db: Connection,
    actor: Actor,
    counters: Sequence[tuple[Counter, bool]],
    instruments: Sequence[TimedInstrument],
    now: datetime,
) -> dict[BalanceKey, Shown]:
    """Counted from the bookings, and masked."""
    whole = hull([counter.window for counter, _ in counters])
    if whole is None:
        return {}
    tally = Tally(db, [counter for counter, _ in counters], whole, now, named=actor.partner_ids)
    frozen = store.frozen_bases(db, [counter.key for counter, _ in counters])
    # Only what others did is told by their number.
    held = list(rulebook(db).versions.values()) if not all(is_whole for _, is_whole in counters) else []
    found: dict[BalanceKey, Shown] = {}
    for counter, is_whole in counters:
        counted = [each for each in instruments if covers(counter.term.rule.where, each)]
        least = min_cell_over(held, counted, counter.window)
        base_minutes = frozen.get(counter.key)
        if base_minutes is None:
            base_minutes = tally.base_minutes(counter)
        stands = standing(counter, base_minutes, tally.rows(counter), actor.partner_ids)
        found[counter.key] = shown(stands, sees_all=is_whole, least=least)
    return found
