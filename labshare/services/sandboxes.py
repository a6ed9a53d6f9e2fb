"""What is done with trials (R25): proposed, replayed, approved, adjusted, suspended, resumed, measured and ended.

Whoever answers for all of a trial's centres proposes and adjusts it, keeps replays with it and enters values; a manager
of any of them may suspend it; an administrator approves, resumes and ends it. Whatever changes what is in force does so
like the signing of an agreement: bookings hold still, and balances follow. What must not live here: what follows what
and what stops a trial (domain/sandboxes.py), or what a reader sees (sandbox_pages.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

import msgspec

from labshare.domain import sandboxes as rules
from labshare.domain.people import Action, Actor, may, require
from labshare.domain.replay import Replayed
from labshare.domain.sandbox import Overlay
from labshare.domain.sandbox_documents import from_toml
from labshare.domain.sandboxes import Reading, Sandbox, SandboxState, Step, Taken
from labshare.domain.windows import CENTRE_ZONE_NAME
from labshare.errors import Forbidden, NotFound, Refusal, Refused, Stale, WrongState
from labshare.services import agreements, replay
from labshare.store import agreements as agreements_store
from labshare.store import audit
from labshare.store import sandboxes as store
from labshare.store.engine import Connection

# ---------------------------------------------------------------- versions


def propose(db: Connection, actor: Actor, text: str, now: datetime) -> Sandbox:
    """Keep the overlay of one TOML text as a draft. Raises `Malformed`, `Forbidden`, and `Refused` with every fault."""
    overlay = from_toml(text)
    require_manager(actor, overlay)
    agreements_store.hold_still(db)
    replay.require_sound(db, overlay)
    if store.get(db, overlay.id):
        raise Refused([Refusal(code="sandbox_taken", params={"sandbox": overlay.id})])
    store.add(db, overlay)
    sandbox = _found(db, overlay.id)
    _note(db, sandbox, Step.PROPOSED, "", actor, now)
    return sandbox


def adjust(
    db: Connection, actor: Actor, sandbox_id: str, *, seen_version: int, text: str, reason: str, now: datetime
) -> None:
    """Keep a new version that says why; what is in force stays so until the new version is approved.

    Raises what `propose` raises, and `Refused` for a document that is no version of this trial.
    """
    sandbox = _seen(db, sandbox_id, seen_version)
    rules.require_step(sandbox, Step.ADJUSTED, now)
    overlay, reason = from_toml(text), rules.require_reason(reason)
    for each in (sandbox.newest, overlay):
        require_manager(actor, each)
    if faults := tuple(rules.adjustment_faults(sandbox, overlay, now)):
        raise Refused(faults)
    replay.require_sound(db, overlay)
    store.adjust(db, overlay, sandbox.number + 1)
    after = msgspec.structs.replace(sandbox, overlays=(*sandbox.overlays, overlay))
    _save(db, after, seen_version)
    _note(db, after, Step.ADJUSTED, reason, actor, now)


def keep_replay(db: Connection, actor: Actor, sandbox_id: str, number: int, replayed: Replayed, now: datetime) -> None:
    """Keep a replay with the version that it replayed, the newest. Raises `Stale` when that is no longer the newest."""
    sandbox = _locked(db, sandbox_id)
    require_manager(actor, sandbox.newest)
    rules.require_step(sandbox, Step.REPLAYED, now)
    if number != sandbox.number:
        raise Stale("sandbox_changed")
    store.add_replay(db, sandbox_id, number, replayed, person_id=actor.person_id, now=now)
    _audit(db, sandbox, Step.REPLAYED, actor, now, {})


# ---------------------------------------------------------------- on and off


def approve(db: Connection, actor: Actor, sandbox_id: str, *, seen_version: int, authority: str, now: datetime) -> None:
    """Bring the newest version into force, from now or from its first day on, by this authority.

    Raises `Refused` without a replay of it, when it is no longer sound, or where another trial changes its rules.
    """
    require(actor, Action.APPROVE_SANDBOX)
    sandbox = _seen(db, sandbox_id, seen_version)
    rules.require_step(sandbox, Step.APPROVED, now)
    if not sandbox.waits:
        raise WrongState("sandbox_approved_already")
    authority = rules.require_reason(authority)
    if not store.has_replay(db, sandbox_id, sandbox.number):
        raise Refused([Refusal(code="sandbox_without_replay")])
    left = SandboxState.APPROVED if sandbox.left is SandboxState.DRAFTED else sandbox.left
    after = msgspec.structs.replace(sandbox, left=left, approved_number=sandbox.number)
    _switch(db, after, now, touched=(sandbox.overlay, after.overlay))
    _save(db, after, seen_version)
    _note(db, after, Step.APPROVED, authority, actor, now)


def suspend(db: Connection, actor: Actor, sandbox_id: str, *, seen_version: int, reason: str, now: datetime) -> None:
    """Let the agreements hold as signed from this minute on, until it is resumed. Whoever answers for one of the
    centres may.
    """
    sandbox = _seen(db, sandbox_id, seen_version)
    if not any(may(actor, Action.MANAGE_SANDBOX, centre=centre) for centre in sandbox.overlay.centres):
        raise Forbidden("forbidden", action=Action.MANAGE_SANDBOX.value)
    _leave(db, actor, sandbox, Step.SUSPENDED, SandboxState.SUSPENDED, reason, now)


def resume(db: Connection, actor: Actor, sandbox_id: str, *, seen_version: int, reason: str, now: datetime) -> None:
    """Let it hold again from this minute on. Raises what `approve` raises."""
    require(actor, Action.APPROVE_SANDBOX)
    _leave(db, actor, _seen(db, sandbox_id, seen_version), Step.RESUMED, SandboxState.APPROVED, reason, now)


def end(db: Connection, actor: Actor, sandbox_id: str, *, seen_version: int, reason: str, now: datetime) -> None:
    """End it for good: from this minute on the agreements hold as signed."""
    require(actor, Action.APPROVE_SANDBOX)
    _leave(db, actor, _seen(db, sandbox_id, seen_version), Step.ENDED, SandboxState.ENDED, reason, now)


def _leave(
    db: Connection, actor: Actor, sandbox: Sandbox, step: Step, left: SandboxState, reason: str, now: datetime
) -> None:
    rules.require_step(sandbox, step, now)
    reason = rules.require_reason(reason)
    after = msgspec.structs.replace(sandbox, left=left)
    _switch(db, after, now, touched=(sandbox.overlay,))
    _save(db, after, sandbox.version)
    _note(db, after, step, reason, actor, now)


# ---------------------------------------------------------------- what is measured


def measure(
    db: Connection, actor: Actor, sandbox_id: str, *, metric: str, day: date, value: str, evidence: str, now: datetime
) -> bool:
    """Enter a value with its evidence. A value beyond a stop condition ends the trial at once, in this transaction;
    returns whether it did.
    """
    agreements_store.hold_still(db)
    sandbox = _locked(db, sandbox_id)
    require_manager(actor, sandbox.overlay)
    rules.require_step(sandbox, Step.MEASURED, now)
    reading = Reading(
        metric=metric,
        day=day,
        value=rules.read_value(value),
        evidence=evidence.strip(),
        person_id=actor.person_id,
        at=now,
    )
    today = now.astimezone(ZoneInfo(CENTRE_ZONE_NAME)).date()
    if faults := tuple(rules.reading_faults(sandbox.overlay, reading, today)):
        raise Refused(faults)
    store.add_reading(db, sandbox_id, reading)
    details = {"metric": metric, "day": day.isoformat(), "value": str(reading.value)}
    _audit(db, sandbox, Step.MEASURED, actor, now, {**details, "evidence": audit.hashed(db, reading.evidence)})
    is_over = rules.state_at(sandbox, now) is SandboxState.ENDED
    if is_over or rules.stopped_by(sandbox.overlay, reading) is None:
        return False
    after = msgspec.structs.replace(sandbox, left=SandboxState.ENDED)
    _switch(db, after, now, touched=(sandbox.overlay,))
    _save(db, after, sandbox.version)
    _note(db, after, Step.STOPPED, metric, None, now)
    return True


# ---------------------------------------------------------------- parts


def require_manager(actor: Actor, overlay: Overlay) -> None:
    """Raises `Forbidden` for whoever does not answer for every centre of the trial."""
    if not manages(actor, overlay.centres):
        raise Forbidden("forbidden", action=Action.MANAGE_SANDBOX.value)


def manages(actor: Actor, centres: Sequence[str]) -> bool:
    """Whether somebody answers for all of these centres."""
    return may(actor, Action.MANAGE_SANDBOX) or (
        bool(centres) and all(may(actor, Action.MANAGE_SANDBOX, centre=centre) for centre in centres)
    )


def _found(db: Connection, sandbox_id: str, *, lock: bool = False) -> Sandbox:
    sandbox = store.get(db, sandbox_id, lock=lock)
    if sandbox is None:
        raise NotFound("sandbox_not_found")
    return sandbox


def _locked(db: Connection, sandbox_id: str) -> Sandbox:
    return _found(db, sandbox_id, lock=True)


def _seen(db: Connection, sandbox_id: str, seen_version: int) -> Sandbox:
    """The trial as it was seen, with bookings holding still. Raises `Stale` when it is another one by now."""
    agreements_store.hold_still(db)
    sandbox = _locked(db, sandbox_id)
    if sandbox.version != seen_version:
        raise Stale("sandbox_changed")
    return sandbox


def _switch(db: Connection, after: Sandbox, now: datetime, *, touched: Sequence[Overlay]) -> None:
    """Put what is in force right from this minute on: the approved version where the trial is on, else nothing."""
    span = rules.holds_from(after.overlay, now)
    if after.left is SandboxState.APPROVED:
        if span is None:
            raise Refused([Refusal(code="sandbox_over", params={"last": after.overlay.end.isoformat()})])
        replay.require_sound(db, after.overlay)
        others = ((each.overlay, held) for each in store.every_holding(db) for held in each.spans)
        if clashes := tuple(rules.overlaps(after.overlay, others, span)):
            raise Refused(clashes)
    ids = sorted({change.agreement for overlay in touched for change in overlay.changes})
    with agreements.changing_rules(db, ids, now):
        store.release(db, after.id, now.replace(second=0, microsecond=0))
        if after.left is SandboxState.APPROVED and span:
            store.hold(db, after.id, after.approved_number or after.number, span)


_LAST = date(9999, 1, 1)


def _save(db: Connection, sandbox: Sandbox, seen_version: int) -> None:
    if not store.save(db, sandbox, seen_version=seen_version):
        raise Stale("sandbox_changed")


def _note(db: Connection, sandbox: Sandbox, step: Step, reason: str, actor: Actor | None, now: datetime) -> None:
    person_id = actor.person_id if actor else None
    store.add_step(db, sandbox.id, Taken(step=step, number=sandbox.number, reason=reason, person_id=person_id, at=now))
    _audit(db, sandbox, step, actor, now, {"reason": audit.hashed(db, reason)} if reason else {})


_VERBS = {
    Step.PROPOSED: "propose",
    Step.ADJUSTED: "adjust",
    Step.REPLAYED: "replay",
    Step.APPROVED: "approve",
    Step.SUSPENDED: "suspend",
    Step.RESUMED: "resume",
    Step.MEASURED: "measure",
    Step.ENDED: "end",
    Step.STOPPED: "stop",
}


def _audit(
    db: Connection, sandbox: Sandbox, step: Step, actor: Actor | None, now: datetime, details: dict[str, str | int]
) -> None:
    audit.record(
        db,
        actor_id=actor.person_id if actor else None,
        action=_VERBS[step],
        noun="sandbox",
        noun_id=sandbox.id,
        now=now,
        details={"version": sandbox.number, **details},
    )
