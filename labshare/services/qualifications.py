"""What people do about qualifications: ask for one, grant, decline and revoke it, say what an instrument demands, write
down a safety course; and who is warned before one ends.

An instrument scientist is a manager of its centre or one of its trainers; trainers grant below their own level, and
nobody grants to themselves. Each change takes the lock of the person, so that a booking is judged before or after it.
What stands booked stays when one is revoked. What must not live here: when one ends (domain/qualifications.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from uuid import UUID, uuid4

import msgspec

from labshare.domain.approvals import read_note
from labshare.domain.bookings import InstrumentRules
from labshare.domain.notices import NoticeKind
from labshare.domain.people import Action, Actor, may, require
from labshare.domain.qualifications import (
    WARNED_AHEAD,
    Ask,
    AskState,
    Demand,
    End,
    EndKind,
    Level,
    ends,
    is_good,
    require_course_day,
    require_demand,
    require_level,
    require_other,
    require_until,
)
from labshare.errors import Forbidden, Malformed, NotFound, WrongState
from labshare.services import calendars, notices
from labshare.store import audit
from labshare.store import bookings as bookings_store
from labshare.store import due as due_store
from labshare.store import people as people_store
from labshare.store import qualification_asks as asks_store
from labshare.store import qualifications as store
from labshare.store.engine import Connection

PAGE = "/qualifications"
# The deadline at which a person's qualifications are looked at, for what ends soon.
ENDS = "qualification_ends"

# What the readers below hand out; pages name these types, and never the store.
AskLine = asks_store.AskLine
QualificationLine = store.QualificationLine


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a qualification stands: the end that is next, or the one it came to; and whether that is near."""

    line: QualificationLine
    end: End | None
    state: str

    @property
    def is_over(self) -> bool:
        return self.state not in ("valid", "soon")

    @property
    def lasting_level(self) -> int:
        """The level that is held without an end, 0 for none; a safety course that is over is no end of the level."""
        return 0 if any(each.kind is not EndKind.COURSE for each in _ends(self.line)) else self.line.held.level


# ---------------------------------------------------------------- looking


def mine(db: Connection, actor: Actor, now: datetime) -> list[Standing]:
    """What the actor holds, by the instruments' codes."""
    return [_standing(line, now) for line in store.of_person(db, actor.person_id)]


def my_asks(db: Connection, actor: Actor) -> list[AskLine]:
    """What the actor asked for and what was answered, the newest first."""
    return asks_store.of_person(db, actor.person_id)


def at(db: Connection, actor: Actor, number: int, now: datetime) -> Standing | None:
    """How the actor's qualification for one instrument stands; None for who never had one."""
    found = store.lines(db, *store.where(person_id=actor.person_id, number=number))
    return _standing(found[0], now) if found else None


def waiting(
    db: Connection, actor: Actor, now: datetime, *, after: tuple[datetime, UUID] | None = None, limit: int = 200
) -> list[AskLine]:
    """What waits for the actor to grant or decline, the oldest first, behind the one with this instant and id; the
    actor's own left out.
    """
    centres = None if may(actor, Action.GRANT_QUALIFICATION) else actor.centre_ids
    numbers = [] if centres is None else _trained(db, actor, now)
    return asks_store.waiting(db, centres, numbers, of_others_than=actor.person_id, after=after, limit=limit)


def may_grant(db: Connection, actor: Actor, now: datetime) -> bool:
    """Whether anything could wait for the actor: they manage a centre, or train people at an instrument."""
    return may(actor, Action.GRANT_QUALIFICATION) or bool(actor.centre_ids) or bool(_trained(db, actor, now))


def levels(actor: Actor, centre_id: str) -> list[Level]:
    """What the actor may grant at a centre: a trainer no more than lies below their own level."""
    is_manager = may(actor, Action.GRANT_QUALIFICATION, centre=centre_id)
    return [each for each in Level if is_manager or each < Level.TRAINER]


def people_of(
    db: Connection,
    actor: Actor,
    instrument_id: str,
    now: datetime,
    *,
    after: tuple[int, str] | None = None,
    limit: int | None = None,
) -> tuple[InstrumentRules, list[Standing]]:
    """Who is qualified for an instrument, trainers first and then by login, behind the one with this level and login.
    For the managers of its centre. Raises `NotFound`, `Forbidden`.
    """
    rules = calendars.rules_of(db, instrument_id)
    require(actor, Action.GRANT_QUALIFICATION, centre=rules.centre_id)
    return rules, [_standing(line, now) for line in store.ranked(db, rules.number, after=after, limit=limit)]


# ---------------------------------------------------------------- asking


def ask(db: Connection, actor: Actor, instrument_id: str, level: int, note: str, now: datetime) -> Ask:
    """Ask for a qualification, or for one to be renewed or raised.

    Raises `NotFound` for an unknown instrument, `Malformed` for a level or a note that cannot be, and `WrongState`
    while an ask of theirs waits there, or for a level that they hold without an end.
    """
    require(actor, Action.BOOK)
    rules = calendars.rules_of(db, instrument_id)
    new = Ask(
        id=uuid4(),
        person_id=actor.person_id,
        instrument_number=rules.number,
        level=require_level(level),
        note=read_note(note, is_needed=False),
        asked_at=now,
    )
    bookings_store.lock_persons(db, [actor.person_id])
    if asks_store.is_asked(db, actor.person_id, rules.number):
        raise WrongState("qualification_asked")
    if (held := at(db, actor, rules.number, now)) is not None and new.level <= held.lasting_level:
        raise WrongState("qualification_held", level=held.lasting_level)
    asks_store.add(db, new)
    _record(db, actor, "ask", rules.id, new.person_id, now, level=new.level)
    return new


def grant(
    db: Connection, actor: Actor, ask_id: UUID, *, level: int, until: datetime | None, now: datetime, note: str = ""
) -> Ask:
    """Grant what somebody asked for, at this level and until then (None: without an end).

    Raises `NotFound` for what is not the actor's to decide, `Malformed` for a level or an end that cannot be, and
    `WrongState` for their own or what waits no more.
    """
    line = _asked(db, actor, ask_id, now)
    _require_grantable(actor, line.centre_id, level, until, now)
    answered = _answered(db, actor, line, AskState.GRANTED, read_note(note, is_needed=False), now)
    _put(db, actor, line.ask.person_id, line.instrument_id, line.ask.instrument_number, level, until, now)
    _tell(db, line, NoticeKind.QUALIFICATION_GRANTED, now)
    return answered


def decline(db: Connection, actor: Actor, ask_id: UUID, *, note: str, now: datetime) -> Ask:
    """Say no and why. Raises as `grant` does, and `Malformed` without a note."""
    line = _asked(db, actor, ask_id, now)
    answered = _answered(db, actor, line, AskState.DECLINED, read_note(note, is_needed=True), now)
    _record(db, actor, "decline", line.instrument_id, line.ask.person_id, now, note=answered.answer)
    _tell(db, line, NoticeKind.QUALIFICATION_DECLINED, now)
    return answered


def give(
    db: Connection, actor: Actor, instrument_id: str, login: str, *, level: int, until: datetime | None, now: datetime
) -> None:
    """Grant a qualification that nobody asked for. For the managers of the centre.

    Raises `NotFound` for an unknown instrument or person, `Forbidden`, and as `grant` does.
    """
    rules, person_id = _person_at(db, actor, instrument_id, login)
    require_other(actor.person_id, person_id)
    _require_grantable(actor, rules.centre_id, level, until, now)
    bookings_store.lock_persons(db, [actor.person_id, person_id])
    _put(db, actor, person_id, rules.id, rules.number, level, until, now)
    _write_to(db, person_id, rules, NoticeKind.QUALIFICATION_GRANTED, now)


def revoke(db: Connection, actor: Actor, instrument_id: str, login: str, *, note: str, now: datetime) -> None:
    """Take a qualification back and say why; what the person has booked stays, for a manager to look at.

    Raises as `give` does, `Malformed` without a note, and `WrongState` when they hold none.
    """
    rules, person_id = _person_at(db, actor, instrument_id, login)
    require_other(actor.person_id, person_id)
    said = read_note(note, is_needed=True)
    bookings_store.lock_persons(db, [actor.person_id, person_id])
    if not store.take(db, person_id, rules.number):
        raise WrongState("qualification_not_held")
    # Where the person reads why.
    taken = Ask(
        id=uuid4(),
        person_id=person_id,
        instrument_number=rules.number,
        level=Level.USER,
        state=AskState.REVOKED,
        answer=said,
        asked_at=now,
        decided_by_id=actor.person_id,
        decided_at=now,
    )
    asks_store.add(db, taken)
    _record(db, actor, "revoke", rules.id, person_id, now, note=said)
    _write_to(db, person_id, rules, NoticeKind.QUALIFICATION_REVOKED, now)


# ---------------------------------------------------------------- what is demanded


def choose(db: Connection, actor: Actor, instrument_id: str, demand: Demand, now: datetime) -> None:
    """Say what an instrument demands from now on; what is booked stays.

    Raises `NotFound`, `Forbidden` for who does not manage its centre, and `Malformed` for what cannot be demanded.
    """
    number = bookings_store.instrument_number(db, instrument_id)
    rules = bookings_store.lock(db, [number])[number]
    require(actor, Action.GRANT_QUALIFICATION, centre=rules.centre_id)
    require_demand(demand)
    if demand == rules.demand:
        return
    store.choose(db, number, demand)
    details = msgspec.structs.asdict(demand)
    audit.record(
        db, actor_id=actor.person_id, action="set_demand", noun="instrument", noun_id=rules.id, now=now, details=details
    )  # fmt: skip
    look_at(db, {line.person_id for line in store.of_instrument(db, number)}, now)


def record_course(
    db: Connection, actor: Actor, instrument_id: str, login: str, completed_on: date, now: datetime
) -> None:
    """Write down that somebody completed the safety course of the centre that an instrument stands in.

    Raises as `give` does, and `Malformed` for a day that cannot be.
    """
    rules, person_id = _person_at(db, actor, instrument_id, login)
    require_other(actor.person_id, person_id)
    require_course_day(completed_on, now, rules.timezone)
    bookings_store.lock_persons(db, [person_id])
    store.put_course(db, person_id, rules.centre_id, completed_on, by=actor.person_id, now=now)
    details = {"centre": rules.centre_id, "completed_on": completed_on.isoformat()}
    audit.record(
        db, actor_id=actor.person_id, action="record_course", noun="person", noun_id=person_id, now=now, details=details
    )  # fmt: skip
    look_at(db, [person_id], now)


# ---------------------------------------------------------------- warnings


def look_at(db: Connection, person_ids: Iterable[UUID], now: datetime) -> None:
    """Have the qualifications of these people looked at, now, for what ends soon."""
    for person_id in sorted(set(person_ids)):
        due_store.schedule(db, ENDS, person_id, now)


def warn(db: Connection, person_id: UUID, now: datetime) -> None:
    """Write to a person about each qualification that ends soon, once, and say when to look again.

    An end moves with every use, so it is looked at anew when it comes, and nothing is written down meanwhile.
    """
    bookings_store.lock_persons(db, [person_id])
    again: list[datetime] = []
    for line in store.of_person(db, person_id):
        end = next((each for each in _ends(line) if each.at > now), None)
        if end is None:
            continue
        if end.warned_from <= now and line.warned_of != end.at:
            names = (line.name_vi, line.name_en)
            notices.tell(db, person_id, NoticeKind.QUALIFICATION_ENDS, names, PAGE, now, until=end.at)
            store.warned(db, person_id, line.instrument_number, end.at)
        again.append(end.warned_from if end.warned_from > now else end.at)
    if again:
        due_store.schedule(db, ENDS, person_id, min(again))


# ---------------------------------------------------------------- parts


def _ends(line: QualificationLine) -> list[End]:
    return ends(line.held, line.demand, line.timezone)


def _standing(line: QualificationLine, now: datetime) -> Standing:
    """The first end decides; a safety course that is missing keeps it from counting at all."""
    first = next(iter(_ends(line)), None)
    if line.demand.course_months and line.held.course_on is None:
        return Standing(line=line, end=first, state="course_missing")
    if first is None or first.at - WARNED_AHEAD > now:
        return Standing(line=line, end=first, state="valid")
    return Standing(line=line, end=first, state=first.kind.value if first.at <= now else "soon")


def _trained(db: Connection, actor: Actor, now: datetime) -> list[int]:
    """The instruments whose trainer the actor is."""
    return [line.instrument_number for line in store.of_person(db, actor.person_id) if _is_trainer(line, now)]


def _is_trainer(line: QualificationLine, now: datetime) -> bool:
    return is_good(line.held, line.demand, line.timezone, now, level=Level.TRAINER)


def _asked(db: Connection, actor: Actor, ask_id: UUID, now: datetime) -> AskLine:
    """An ask that is the actor's to decide, under the locks of both. Raises `NotFound`, `WrongState`."""
    found = asks_store.one(db, ask_id)
    if found is None:
        raise NotFound("qualification_ask_not_found")
    bookings_store.lock_persons(db, [actor.person_id, found.ask.person_id])
    if not may(actor, Action.GRANT_QUALIFICATION, centre=found.centre_id):
        held = store.lines(db, *store.where(person_id=actor.person_id, number=found.ask.instrument_number))
        if not any(_is_trainer(line, now) for line in held):
            raise NotFound("qualification_ask_not_found")
    require_other(actor.person_id, found.ask.person_id)
    return found


def _answered(db: Connection, actor: Actor, line: AskLine, state: AskState, answer: str, now: datetime) -> Ask:
    answered = msgspec.structs.replace(
        line.ask, state=state, answer=answer, decided_by_id=actor.person_id, decided_at=now
    )
    if not asks_store.decide(db, answered):
        raise WrongState("qualification_decided")
    return answered


def _require_grantable(actor: Actor, centre_id: str, level: int, until: datetime | None, now: datetime) -> None:
    if require_level(level) not in levels(actor, centre_id):
        raise Forbidden("qualification_by_managers")
    require_until(until, now)


def _person_at(db: Connection, actor: Actor, instrument_id: str, login: str) -> tuple[InstrumentRules, UUID]:
    """An instrument of the actor's centre, and a person by login. Raises `NotFound`, `Forbidden`, `Malformed`."""
    rules = calendars.rules_of(db, instrument_id)
    require(actor, Action.GRANT_QUALIFICATION, centre=rules.centre_id)
    person = people_store.by_login(db, login.strip())
    if person is None or people_store.confirmed(db, person.id) is None:
        raise Malformed("person_unknown", field="login", login=login)
    return rules, person.id


def _put(
    db: Connection,
    actor: Actor,
    person_id: UUID,
    instrument_id: str,
    number: int,
    level: int,
    until: datetime | None,
    now: datetime,
) -> None:
    store.put(db, person_id, number, level=level, until=until, by=actor.person_id, now=now)
    _record(db, actor, "grant", instrument_id, person_id, now, level=level, until=until and until.isoformat())
    look_at(db, [person_id], now)


def _record(
    db: Connection,
    actor: Actor,
    action: str,
    instrument_id: str,
    person_id: UUID,
    now: datetime,
    *,
    note: str = "",
    **details: str | int | None,
) -> None:
    said = {"instrument": instrument_id, **details, **({"note": audit.hashed(db, note)} if note else {})}
    audit.record(
        db, actor_id=actor.person_id, action=action, noun="qualification", noun_id=person_id, now=now, details=said
    )  # fmt: skip


def _tell(db: Connection, line: AskLine, kind: NoticeKind, now: datetime) -> None:
    notices.tell(db, line.ask.person_id, kind, (line.name_vi, line.name_en), PAGE, now)


def _write_to(db: Connection, person_id: UUID, rules: InstrumentRules, kind: NoticeKind, now: datetime) -> None:
    notices.tell(db, person_id, kind, (rules.name_vi, rules.name_en), PAGE, now)
