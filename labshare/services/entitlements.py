"""Where the share rules of agreements stand: for the pages of agreements and for reports, through the reader's mask.

What must not live here: the check of a booking (services/agreements.py).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from labshare.domain.agreements import Agreement, Counter, Term, covers, rule_windows, scope_key
from labshare.domain.entitlements import Shown, shown, standing
from labshare.domain.people import Action, Actor, may
from labshare.domain.timespan import MINUTE, Span
from labshare.services.agreements import in_force, may_read
from labshare.services.counting import Tally, hull
from labshare.store import agreements as store
from labshare.store import capacity as capacity_store
from labshare.store.capacity import TimedInstrument
from labshare.store.engine import Connection


def readable_terms(
    db: Connection, actor: Actor, span: Span, instruments: Sequence[TimedInstrument]
) -> list[tuple[Term, bool]]:
    """The rules in force that this person may read, each with whether they may see everybody's figures in it.

    `instruments` are those that decide which centres a rule concerns. One query.
    """
    found: list[tuple[Term, bool]] = []
    for term in in_force(db, span):
        centre_ids = {each.centre_id for each in instruments if covers(term.rule.where, each)}
        if may_read(actor, term.agreement, centre_ids):
            found.append((term, _sees_all(actor, term.agreement, centre_ids)))
    return found


def _sees_all(actor: Actor, agreement: Agreement, centre_ids: Collection[str]) -> bool:
    """Whoever answers for every centre that the rule concerns sees every figure; a party sees its own."""
    if may(actor, Action.READ_AGREEMENT):
        return True
    return bool(centre_ids) and all(may(actor, Action.READ_AGREEMENT, centre=centre_id) for centre_id in centre_ids)


def standings(
    db: Connection, actor: Actor, at: datetime, now: datetime, *, within: Collection[int] | None = None
) -> list[Shown]:
    """Every rule that this person may read, in its window that holds the instant `at`, once for each denominator.

    With `within`, only rules that concern one of these instruments, by number. Six queries, whatever the number of
    rules.
    """
    moment = at.replace(second=0, microsecond=0)
    span = Span(moment, moment + MINUTE)
    instruments = capacity_store.timed_instruments(db, span)
    terms = readable_terms(db, actor, span, instruments)
    counters = [
        (Counter(term=term, scope_key=key, window=window), sees_all)
        for term, sees_all in terms
        for key in sorted(
            {
                scope_key(term.rule, each)
                for each in instruments
                if covers(term.rule.where, each) and (within is None or each.number in within)
            }
        )
        for window, _ in rule_windows(term, span)
    ]
    return _measured(db, actor, counters, now)


def _measured(db: Connection, actor: Actor, counters: Sequence[tuple[Counter, bool]], now: datetime) -> list[Shown]:
    whole = hull([counter.window for counter, _ in counters])
    if whole is None:
        return []
    tally = Tally(db, [counter for counter, _ in counters], whole, now, named=actor.partner_ids)
    frozen = store.frozen_bases(db, [counter.key for counter, _ in counters])
    found: list[Shown] = []
    for counter, sees_all in counters:
        base_minutes = frozen.get(counter.key)
        if base_minutes is None:
            base_minutes = tally.base_minutes(counter)
        found.append(shown(standing(counter, base_minutes, tally.rows(counter), actor.partner_ids), sees_all=sees_all))
    return found
