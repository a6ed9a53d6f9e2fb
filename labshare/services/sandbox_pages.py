"""Trials as their pages show them: to those who answer for all of their centres, and to the parties of the agreements
that they change. What must not live here: what may be done with one (sandboxes.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec

from labshare.domain.agreements import Agreement, ShareRule
from labshare.domain.people import Action, Actor, may, may_somewhere
from labshare.domain.replay import Comparison, compared, compared_for
from labshare.domain.sandbox import Change, Overlay
from labshare.domain.sandbox_documents import to_toml
from labshare.domain.sandboxes import FROM, Measured, Reading, Sandbox, SandboxState, Step, Taken, measured, state_at
from labshare.errors import Forbidden, NotFound, NotSignedIn
from labshare.services.agreements import may_read, sees_all
from labshare.services.sandboxes import manages
from labshare.store import agreements as agreements_store
from labshare.store import names, people
from labshare.store import sandboxes as store
from labshare.store.engine import Connection
from labshare.store.names import Name
from labshare.store.sandboxes import KeptReplay


class TrialLine(msgspec.Struct, frozen=True, kw_only=True):
    """A trial in the list."""

    sandbox: Sandbox
    overlay: Overlay
    state: SandboxState
    measured: tuple[Measured, ...]


class ChangeLine(msgspec.Struct, frozen=True, kw_only=True):
    """One change with the rule as it is signed, where there is one."""

    change: Change
    signed: ShareRule | None


class TrialPage(msgspec.Struct, frozen=True, kw_only=True):
    """One trial. `may_take` are the steps that this reader may take now; `text` is the newest version for those who may
    adjust it. `changes` are those of the overlay in `line`, of agreements that the reader may read.
    """

    line: TrialLine
    changes: tuple[ChangeLine, ...]
    steps: tuple[Taken, ...]
    people: dict[UUID, str]
    readings: tuple[Reading, ...]
    replays: tuple[KeptReplay, ...]
    may_take: frozenset[Step]
    text: str
    names: dict[str, Name]


def trials(db: Connection, actor: Actor | None, now: datetime) -> tuple[list[TrialLine], dict[str, Name]]:
    """Every trial that this reader may see, those that run first. Raises `NotSignedIn` and `Forbidden`."""
    reader = _require_reader(actor)
    signed = _newest(db)
    seen = [each for each in store.every(db) if _sees(reader, each, signed)]
    readings = store.readings(db, [each.id for each in seen])
    lines = [_line(each, readings[each.id], now) for each in seen]
    centres = {centre for line in lines for centre in line.overlay.centres}
    order = list(SandboxState)
    first = (SandboxState.RUNNING, SandboxState.SUSPENDED, *order)
    return sorted(lines, key=lambda line: (first.index(line.state), line.sandbox.id)), names.names(db, (), centres)


def trial(db: Connection, actor: Actor | None, sandbox_id: str, now: datetime) -> TrialPage:
    """One trial. Raises `NotFound` when there is none or it changes no agreement of this reader's."""
    reader, sandbox, signed = _readable(db, actor, sandbox_id)
    steps, readings = store.steps(db, sandbox_id), store.readings(db, [sandbox_id])[sandbox_id]
    line = _line(sandbox, readings, now)
    overlay = line.overlay
    return TrialPage(
        line=line,
        changes=tuple(
            ChangeLine(change=each, signed=_rule(signed.get(each.agreement), each.rule_id))
            for each in overlay.changes
            if _reads(reader, each, overlay.centres, signed)
        ),
        steps=tuple(steps),
        people=people.names(db, {each.person_id for each in (*steps, *readings) if each.person_id}),
        readings=tuple(sorted(readings, key=lambda each: (each.day, each.at), reverse=True)),
        replays=tuple(store.replays(db, sandbox_id)),
        may_take=_steps(reader, sandbox, line.state),
        text=to_toml(sandbox.newest) if manages(reader, sandbox.newest.centres) else "",
        names=names.names(
            db, {*overlay.participants, overlay.evaluator, overlay.authority.approved_by}, overlay.centres
        ),
    )


def comparison(db: Connection, actor: Actor | None, sandbox_id: str, replay_id: UUID) -> Comparison:
    """A replay that is kept with a trial, as this reader may see it. Raises `NotFound`."""
    reader, sandbox, _ = _readable(db, actor, sandbox_id)
    kept = next((each for each in store.replays(db, sandbox_id) if each.id == replay_id), None)
    if kept is None:
        raise NotFound("sandbox_not_found")
    if sees_all(reader, sandbox.overlays[kept.number - 1].centres):
        return compared(kept.replayed)
    return compared_for(kept.replayed, reader.partner_ids)


def newest(db: Connection, actor: Actor | None, sandbox_id: str) -> Sandbox:
    """The trial for whoever is about to replay its newest version. Raises `NotFound` and `Forbidden`."""
    reader, sandbox, _ = _readable(db, actor, sandbox_id)
    if not manages(reader, sandbox.newest.centres):
        raise Forbidden("forbidden", action=Action.MANAGE_SANDBOX.value)
    return sandbox


# ---------------------------------------------------------------- who sees it


def require_seen(db: Connection, actor: Actor | None, sandbox_id: str) -> None:
    """Raises `NotFound` for a trial of which this reader is not to know, whatever they would do with it."""
    _readable(db, actor, sandbox_id)


def _require_reader(actor: Actor | None) -> Actor:
    if actor is None:
        raise NotSignedIn()
    if not may_somewhere(actor, Action.READ_AGREEMENT):
        raise Forbidden("forbidden", action=Action.READ_AGREEMENT.value)
    return actor


def _readable(db: Connection, actor: Actor | None, sandbox_id: str) -> tuple[Actor, Sandbox, dict[str, Agreement]]:
    reader = _require_reader(actor)
    sandbox, signed = store.get(db, sandbox_id), _newest(db)
    if sandbox is None or not _sees(reader, sandbox, signed):
        raise NotFound("sandbox_not_found")
    return reader, sandbox, signed


def _newest(db: Connection) -> dict[str, Agreement]:
    found = agreements_store.versions(db, date.min, date.max)
    return {agreement_id: versions[-1].agreement for agreement_id, versions in found.items()}


def _sees(reader: Actor, sandbox: Sandbox, signed: dict[str, Agreement]) -> bool:
    """Whether the reader may read an agreement that some version of the trial changes."""
    return any(
        _reads(reader, change, overlay.centres, signed) for overlay in sandbox.overlays for change in overlay.changes
    )


def _reads(reader: Actor, change: Change, centres: Sequence[str], signed: dict[str, Agreement]) -> bool:
    agreement = signed.get(change.agreement)
    return agreement is not None and may_read(reader, agreement, centres)


def _steps(reader: Actor, sandbox: Sandbox, state: SandboxState) -> frozenset[Step]:
    """The steps that may follow now, as far as this reader may take them."""
    mine = set[Step]()
    if manages(reader, sandbox.newest.centres) and manages(reader, sandbox.overlay.centres):
        mine |= {Step.ADJUSTED, Step.REPLAYED, Step.MEASURED}
    if any(may(reader, Action.MANAGE_SANDBOX, centre=centre) for centre in sandbox.overlay.centres):
        mine.add(Step.SUSPENDED)
    if may(reader, Action.APPROVE_SANDBOX):
        mine |= {Step.RESUMED, Step.ENDED, *([Step.APPROVED] if sandbox.waits else [])}
    return frozenset(step for step in mine if state in FROM[step])


# ---------------------------------------------------------------- parts


def _line(sandbox: Sandbox, readings: Sequence[Reading], now: datetime) -> TrialLine:
    overlay = sandbox.overlay
    return TrialLine(
        sandbox=sandbox,
        overlay=overlay,
        state=state_at(sandbox, now),
        measured=tuple(measured(overlay, readings)),
    )


def _rule(agreement: Agreement | None, rule_id: str) -> ShareRule | None:
    return next((rule for rule in agreement.rules if rule.id == rule_id), None) if agreement else None
