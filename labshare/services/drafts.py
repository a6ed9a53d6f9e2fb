"""A draft of an agreement, weighed before anybody signs it: its faults, and what it would make of the current period.

Reads only; `services.agreements.sign` brings a text into force. What must not live here: the meaning of rules.
"""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from labshare.domain.agreement_documents import from_toml, to_toml
from labshare.domain.agreements import Agreement, Counter, ShareRule, Term, Version, effective_span
from labshare.domain.entitlements import Shown, shown, standing
from labshare.domain.people import Action, Actor, require
from labshare.domain.timespan import MINUTE, Span
from labshare.errors import NotFound
from labshare.services.agreements import frozen_by, require_sound
from labshare.services.counting import Tally, hull
from labshare.services.entitlements import Places, standings
from labshare.services.terms import with_rounds
from labshare.store import agreements as store
from labshare.store import capacity as capacity_store
from labshare.store import names
from labshare.store.engine import Connection
from labshare.store.names import Name


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """A rule for one of its denominators in the current window, as it stands and as the draft has it.

    `before` is None for what the draft adds, `after` for what it leaves out.
    """

    before: Shown | None
    after: Shown | None

    @property
    def rule(self) -> ShareRule:
        told = self.after or self.before
        assert told is not None
        return told.rule

    @property
    def is_changed(self) -> bool:
        if self.before is None or self.after is None:
            return True
        return self.before.rule != self.after.rule or self.before.measure != self.after.measure


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What a draft would do if it were in force today. `version` is the number that it would get, `seen_version` that
    of the newest one, which it was weighed against (0: none).
    """

    agreement: Agreement
    seen_version: int
    is_same: bool
    effects: tuple[Effect, ...]
    names: dict[str, Name]

    @property
    def version(self) -> int:
        return self.seen_version + 1


def require_may_draft(actor: Actor) -> None:
    """Raises `Forbidden` for those whom a text's effect would not be shown, before they write one."""
    require(actor, Action.READ_AGREEMENT)


def text_of(db: Connection, actor: Actor, agreement_id: str) -> str:
    """The newest version as TOML, to begin a draft with. Raises `NotFound`."""
    require_may_draft(actor)
    versions = store.versions_of(db, agreement_id)
    if not versions:
        raise NotFound("agreement_not_found")
    return to_toml(versions[-1].agreement)


def weighed(db: Connection, actor: Actor, text: str, now: datetime) -> Draft:
    """The draft's effect on the windows of today. Raises `Malformed` and `Refused` with every fault of the text."""
    require_may_draft(actor)
    agreement = from_toml(text)
    require_sound(db, [("", agreement)], now)
    versions = store.versions_of(db, agreement.id)
    standing_now = [each for each in standings(db, actor, now, now) if each.agreement_id == agreement.id]
    newest = versions[-1].number if versions else 0
    after = _as_of_today(db, agreement, newest + 1, now)
    keys = dict.fromkeys((*map(_key, after), *map(_key, standing_now)))
    before_by_key = {_key(each): each for each in standing_now}
    after_by_key = {_key(each): each for each in after}
    return Draft(
        agreement=agreement,
        seen_version=newest,
        is_same=bool(versions) and versions[-1].agreement == agreement,
        effects=tuple(Effect(before=before_by_key.get(key), after=after_by_key.get(key)) for key in keys),
        names=_names(db, agreement, versions),
    )


def _key(told: Shown) -> tuple[str, str]:
    return told.rule.id, told.scope_key


def _as_of_today(db: Connection, agreement: Agreement, number: int, now: datetime) -> list[Shown]:
    """Where each rule of the draft would stand if it had been in force for the whole of its current window."""
    moment = now.replace(second=0, microsecond=0)
    span = Span(moment, moment + MINUTE)
    always = effective_span(msgspec.structs.replace(agreement, effective_from=date(1970, 1, 2), effective_until=None))
    places = Places(capacity_store.timed_instruments(db, span))
    terms = [Term(agreement=agreement, version=number, rule=rule, spans=(always,)) for rule in agreement.rules]
    counters = [counter for term in with_rounds(db, terms, span) for counter in places.counters(term, span)]
    whole = hull([counter.window for counter in counters])
    if whole is None:
        return []
    tally = Tally(db, counters, whole, now)
    frozen = _frozen_bases(db, agreement, counters)
    found: list[Shown] = []
    for counter, base_minutes in zip(counters, frozen, strict=True):
        base = tally.base_minutes(counter) if base_minutes is None else base_minutes
        found.append(shown(standing(counter, base, tally.rows(counter), frozenset()), sees_all=True))
    return found


def _frozen_bases(db: Connection, agreement: Agreement, counters: list[Counter]) -> list[int | None]:
    """The base that each window keeps: that of its balance, where the draft leaves alone what it was frozen by."""
    versions = store.versions_of(db, agreement.id)
    rules = {rule.id: rule for rule in versions[-1].agreement.rules} if versions else {}
    bases = store.frozen_bases(db, [counter.key for counter in counters])
    return [
        bases.get(counter.key)
        if (old := rules.get(counter.term.rule.id)) is not None and frozen_by(old) == frozen_by(counter.term.rule)
        else None
        for counter in counters
    ]


def _names(db: Connection, agreement: Agreement, versions: list[Version]) -> dict[str, Name]:
    named = (agreement, *(version.agreement for version in versions[-1:]))
    return names.names(
        db,
        {
            *(party for each in named for party in each.parties),
            *(party for each in named for rule in each.rules for party in rule.who.organisation),
        },
        {centre for each in named for rule in each.rules for centre in rule.where.centres},
        {instrument for each in named for rule in each.rules for instrument in rule.where.instruments},
    )
