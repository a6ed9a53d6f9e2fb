"""Giving a booking to somebody else, and swapping two: proposed by one, accepted by the other, written in one call.

Until it is accepted nothing changes, and the time is never free in between: a booking changes its person, not its time.
What must not live here: the rules, which judge whoever gets a booking as they judge any wish (writing.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

import msgspec

from labshare.domain.bookings import Booking, InstrumentRules, Wish
from labshare.domain.exchanges import MOST_OPEN, Exchange, ExchangeState, answer_by, may_change_hands
from labshare.domain.modes import Mode, mode_of, still_offered
from labshare.domain.notices import NoticeKind
from labshare.domain.people import Action, Actor, may, require
from labshare.domain.timespan import Span
from labshare.errors import NotFound, Refusal, Refused, Stale, WrongState
from labshare.services import booking_changes, bookings, calendars, notices, training
from labshare.services.bookings import BookingLine
from labshare.services.writing import Change, Locked, payer_of, write
from labshare.store import audit
from labshare.store import bookings as bookings_store
from labshare.store import exchanges as store
from labshare.store import people as people_store
from labshare.store import series as series_store
from labshare.store.engine import Connection
from labshare.store.names import Name

PAGE = "/exchanges"
# Where those are led who may not open a booking any more that has another user.
_BOOKINGS = "/bookings"
# What the readers below hand out; pages name these types, and never the store.
ExchangeLine = store.ExchangeLine
Offered = store.Offered
_OTHERS = "exchange_other_refused"


def colleagues(db: Connection, actor: Actor) -> list[Name]:
    """To whom the actor may give a booking: those who share a project with them."""
    return store.colleagues(db, actor.person_id)


def mine(db: Connection, actor: Actor, now: datetime) -> list[ExchangeLine]:
    """What waits for the actor's answer, and what they wait for."""
    return store.lines_of(db, actor.person_id, now)


def asked_of(db: Connection, actor: Actor, now: datetime) -> list[ExchangeLine]:
    """What waits for the actor's answer."""
    return [line for line in mine(db, actor, now) if line.exchange.receiver_id == actor.person_id]


def is_open(db: Connection, actor: Actor, booking_id: UUID, now: datetime) -> bool:
    """Whether an exchange of the actor with this booking on one of its sides waits for an answer."""
    sides = ((line.exchange.booking_id, line.exchange.other_id) for line in mine(db, actor, now))
    return any(booking_id in each for each in sides)


def offerable(db: Connection, actor: Actor, now: datetime) -> list[BookingLine]:
    """The actor's own bookings that they could give for another time: what is on offer already is not among them."""
    on_offer = {line.exchange.booking_id for line in mine(db, actor, now) if line.exchange.giver_id == actor.person_id}
    return [
        line
        for line in bookings.mine(db, actor, now)
        if line.booking.person_id == actor.person_id
        and may_change_hands(line.booking, now)
        and line.booking.id not in on_offer
    ]


def askable(db: Connection, actor: Actor, rules: InstrumentRules, span: Span, now: datetime) -> list[Span]:
    """When others have an instrument within a span, as its calendar shows it to the actor: times that can be asked for.

    Of several at a time nobody can say which is meant. What a round gave is among them and refused when it is asked
    for: whose time it is and how they came by it is nobody's business before.
    """
    if rules.capacity > 1:
        return []
    entries = calendars.calendar(db, actor, [rules.number], span).entries[rules.number]
    return [Span(each.occupied_from, each.occupied_until) for each in entries if each.is_askable(now)]


# ---------------------------------------------------------------- proposing


def hand_over(
    db: Connection, actor: Actor, booking_id: UUID, receiver_id: UUID, *, seen_version: int, now: datetime
) -> Exchange:
    """Offer one's booking to a colleague. Raises `Stale`, and `Refused` for what cannot change hands."""
    booking, rules = _own(db, actor, booking_id, seen_version, now)
    if all(each.id != str(receiver_id) for each in store.colleagues(db, actor.person_id)):
        raise NotFound("exchange_no_colleague")
    return _propose(db, actor, booking, rules, receiver_id, None, now)


def swap(
    db: Connection,
    actor: Actor,
    booking_id: UUID,
    instrument_id: str,
    moment: datetime,
    *,
    seen_version: int,
    now: datetime,
) -> Exchange:
    """Offer one's booking for the one that somebody has on an instrument at a moment, whoever that is.

    Raises as `hand_over` does; who holds the time is told to nobody, and learns who asks.
    """
    booking, rules = _own(db, actor, booking_id, seen_version, now)
    number = bookings_store.instrument_number(db, instrument_id)
    found = [each for each in store.uses_at(db, number, moment) if each.person_id != actor.person_id]
    others = [each for each in found if may_change_hands(each, now)]
    # Of several at a time nobody can say which is meant.
    if len(found) != 1 or not others or others[0].person_id is None:
        raise Refused([Refusal(code="exchange_no_holder")])
    return _propose(db, actor, booking, rules, others[0].person_id, others[0], now)


def withdraw(db: Connection, actor: Actor, exchange_id: UUID, now: datetime) -> None:
    """Ask no more. Raises `NotFound`, and `WrongState` for what was answered."""
    exchange = store.get(db, exchange_id, actor.person_id)
    if exchange.giver_id != actor.person_id:
        raise NotFound("exchange_not_found")
    _answer(db, actor, exchange, ExchangeState.WITHDRAWN, now)


# ---------------------------------------------------------------- answering


def accept(
    db: Connection, actor: Actor, exchange_id: UUID, project_id: UUID | None, *, seen_version: int, now: datetime
) -> Booking:
    """Take the booking, on account of one's own project; in a swap each takes their project and purpose along.

    Raises `Stale` where one of the bookings is no longer as it was seen, `WrongState` for what cannot be answered any
    more, and `Refused` with what the rules say of the actor; of the giver only that they say no.
    """
    require(actor, Action.BOOK)
    exchange = _asked(db, actor, exchange_id, now)
    pair = [bookings_store.get(db, each) for each in (exchange.booking_id, exchange.other_id) if each]
    persons = {exchange.giver_id, exchange.receiver_id}.union(*(each.attendants for each in pair))
    locked = bookings_store.lock(db, {each.instrument_number for each in pair}, persons)
    pair = [bookings_store.get(db, each.id) for each in pair]
    giver = people_store.confirmed(db, exchange.giver_id)
    if giver is None or not _is_as_proposed(exchange, pair, giver, now):
        raise WrongState("exchange_over")
    if sum(each.version for each in pair) != seen_version:
        raise Stale("booking_changed")
    changes = [_handed(db, pair[0], pair[-1] if exchange.other_id else None, actor, project_id, locked, now)]
    if exchange.other_id:
        changes.append(_handed(db, pair[1], pair[0], giver, None, locked, now))
    if not store.answer(db, exchange.id, ExchangeState.ACCEPTED):
        raise WrongState("exchange_over")
    try:
        taken = write(db, actor, changes, locked, now, action="swap" if exchange.other_id else "hand_over")
    except Refused as error:
        raise error.said_as(_told(error.refusals)) from None
    for left in (each for each in pair if each.series_id):
        series_store.leave(db, left)
    training.tell_left(db, actor, zip(pair, taken, strict=True), locked, now)
    training.tell(db, actor, taken, locked, "book", now)
    _tell_bookers(db, exchange, pair, locked, now)
    page = f"/bookings/{taken[1].id}" if exchange.other_id else _BOOKINGS
    _tell(db, exchange.giver_id, NoticeKind.EXCHANGE_ACCEPTED, locked[pair[0].instrument_number], page, now)
    return taken[0]


def decline(db: Connection, actor: Actor, exchange_id: UUID, now: datetime) -> None:
    """Say no: nothing changes. Raises as `accept` does."""
    exchange = _asked(db, actor, exchange_id, now)
    _answer(db, actor, exchange, ExchangeState.DECLINED, now)
    number = bookings_store.get(db, exchange.booking_id).instrument_number
    rules = bookings_store.rules_of(db, [number])[number]
    _tell(db, exchange.giver_id, NoticeKind.EXCHANGE_DECLINED, rules, f"/bookings/{exchange.booking_id}", now)


# ---------------------------------------------------------------- parts


def _own(
    db: Connection, actor: Actor, booking_id: UUID, seen_version: int, now: datetime
) -> tuple[Booking, InstrumentRules]:
    """The actor's own booking, under its locks, if it can change hands."""
    require(actor, Action.BOOK)
    booking, rules = bookings.held(db, actor, booking_id)
    if booking.person_id != actor.person_id:
        raise NotFound("booking_not_found")
    if booking.version != seen_version:
        raise Stale("booking_changed")
    refusals: list[Refusal] = []
    if not may_change_hands(booking, now):
        code = "exchange_moved_late" if booking.late_notice else "exchange_not_possible"
        refusals.append(Refusal(code="exchange_of_round" if booking.plan_id else code))
    if store.clear(db, booking.id, actor.person_id, now):
        refusals.append(Refusal(code="exchange_stands"))
    if sum(line.exchange.giver_id == actor.person_id for line in mine(db, actor, now)) >= MOST_OPEN:
        refusals.append(Refusal(code="exchange_too_many", params={"most": MOST_OPEN}))
    if refusals:
        raise Refused(refusals)
    return booking, rules


def _propose(
    db: Connection,
    actor: Actor,
    booking: Booking,
    rules: InstrumentRules,
    receiver_id: UUID,
    other: Booking | None,
    now: datetime,
) -> Exchange:
    exchange = Exchange(
        id=uuid4(),
        booking_id=booking.id,
        giver_id=actor.person_id,
        receiver_id=receiver_id,
        other_id=other.id if other else None,
        other_version=other.version if other else 0,
        answer_by=answer_by(now, booking, *([other] if other else [])),
        created_at=now,
    )
    store.add(db, exchange)
    _record(db, actor, exchange, "propose_exchange", now)
    names = (rules.name_vi, rules.name_en)
    notices.tell(db, receiver_id, NoticeKind.EXCHANGE_ASKED, names, PAGE, now, until=exchange.answer_by)
    return exchange


def _asked(db: Connection, actor: Actor, exchange_id: UUID, now: datetime) -> Exchange:
    exchange = store.get(db, exchange_id, actor.person_id)
    if exchange.receiver_id != actor.person_id:
        raise NotFound("exchange_not_found")
    if not exchange.stands(now):
        raise WrongState("exchange_over")
    return exchange


def _is_as_proposed(exchange: Exchange, pair: Sequence[Booking], giver: Actor, now: datetime) -> bool:
    """Whether each still has the booking that they had, and what the giver gets is what they asked for."""
    owners = [exchange.giver_id, exchange.receiver_id]
    if any(
        each.person_id != owner or not may_change_hands(each, now) for each, owner in zip(pair, owners, strict=False)
    ):
        return False
    return exchange.other_id is None or (pair[1].version == exchange.other_version and may(giver, Action.BOOK))


def _answer(db: Connection, actor: Actor, exchange: Exchange, state: ExchangeState, now: datetime) -> None:
    if not exchange.stands(now) or not store.answer(db, exchange.id, state):
        raise WrongState("exchange_over")
    _record(db, actor, exchange, f"{state}_exchange", now)


def _handed(
    db: Connection,
    booking: Booking,
    instead: Booking | None,
    to: Actor,
    project_id: UUID | None,
    locked: Locked,
    now: datetime,
) -> Change:
    """The change that puts another person into a booking; in a swap with what they do in their own, `instead`.

    As with other times, the centre approves anew. It leaves the series, the trainer and the reasons that it had for its
    person; the operator stays with the time.
    """
    rules = locked[booking.instrument_number]
    wish = _wish(booking, instead, to, project_id, rules)
    payer = payer_of(db, wish)
    organisation_id = payer.project.organisation_id if payer.project else None
    state, until = booking_changes.standing_for(to, rules, booking.kind, organisation_id, booking.starts_at, now)
    after = msgspec.structs.replace(
        booking,
        state=state,
        hold_expires_at=until,
        person_id=to.person_id,
        booked_by_id=to.person_id,
        project_id=wish.project_id,
        **booking_changes.copied(payer.project),
        purpose=wish.purpose,
        mode=(mode := mode_of(wish, rules)),
        setup=wish.setup,
        attended=booking_changes.attends(wish, rules, mode),
        trainer_id=None,
        operator_id=wish.operator_id,
        override_reason="",
        late_notice=False,
        series_id=None,
        decision_note="",
        updated_at=now,
    )
    return Change(before=booking, after=after, wish=wish, payer=payer)


def _wish(
    booking: Booking, instead: Booking | None, to: Actor, project_id: UUID | None, rules: InstrumentRules
) -> Wish:
    """The booking as a wish of somebody else; what it is for goes along within one project alone. Who runs it and the
    set-up are those of the person in a swap, as far as they are offered here.
    """
    source = instead or booking
    mode, setup = still_offered(source.mode, source.setup, rules)
    if instead is not None:
        project_id, purpose = instead.project_id, instead.purpose
    else:
        purpose = booking.purpose if booking.project_id == project_id else ""
    wish = Wish(
        instrument_number=booking.instrument_number,
        span=booking.span,
        person_id=to.person_id,
        project_id=project_id,
        purpose=purpose,
        replaces_id=booking.id,
        mode=mode,
        setup=setup,
    )
    is_staffed = mode_of(wish, rules) is not Mode.SELF
    return msgspec.structs.replace(wish, operator_id=booking.operator_id if is_staffed else None)


def _told(refusals: Sequence[Refusal]) -> list[Refusal]:
    """What is said of the actor's own side, and that something is said of the other's."""
    own = [
        Refusal(code=each.code, params={name: value for name, value in each.params.items() if name != "item"})
        for each in refusals
        if each.params.get("item", 0) == 0
    ]
    return own if len(own) == len(refusals) else [*own, Refusal(code=_OTHERS)]


def _record(db: Connection, actor: Actor, exchange: Exchange, action: str, now: datetime) -> None:
    audit.record(
        db, actor_id=actor.person_id, action=action, noun="exchange", noun_id=str(exchange.id), now=now,
        details={"booking": str(exchange.booking_id), "other": str(exchange.other_id or "")},
    )  # fmt: skip


def _tell_bookers(db: Connection, exchange: Exchange, pair: Sequence[Booking], locked: Locked, now: datetime) -> None:
    """Tell whoever had booked for one of the two: they answer for it no longer, and are not told for whom it is."""
    for each in pair:
        if each.booked_by_id not in (None, exchange.giver_id, exchange.receiver_id):
            rules = locked[each.instrument_number]
            names = (rules.name_vi, rules.name_en)
            notices.tell(db, each.booked_by_id, NoticeKind.BOOKING_GIVEN, names, _BOOKINGS, now, until=each.starts_at)


def _tell(db: Connection, person_id: UUID, kind: NoticeKind, rules: InstrumentRules, page: str, now: datetime) -> None:
    notices.tell(db, person_id, kind, (rules.name_vi, rules.name_en), page, now)
