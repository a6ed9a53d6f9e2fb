"""A change of bookings weighed against the agreements, and posted to their balances: inside every write that adds,
moves, cancels or publishes bookings, after the instruments are locked.

What must not live here: the meaning of rules (domain/agreements.py, domain/weighing.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice

import msgspec

from labshare.domain.agreements import Balance, BalanceKey, Counter, Use
from labshare.domain.bookings import Booking
from labshare.domain.people import Actor
from labshare.domain.rulebook import Rulebook
from labshare.domain.weighing import Shift, burdens, refusal, refuses, shifts, summed, told_once
from labshare.errors import Refusal
from labshare.services import balances
from labshare.services.agreements import insight_of
from labshare.store import agreements as store
from labshare.store import balance_days as days_store
from labshare.store import projects as projects_store
from labshare.store.engine import Connection, is_writing
from labshare.store.rulebooks import rulebook

# What a change adds to the time that is used, and what it takes from it.
Part = tuple[Sequence[Use], Sequence[Use]]


class Weighed(msgspec.Struct, frozen=True, kw_only=True):
    """A change of bookings, weighed against every rule in force: why not, and what it will do to the balances.

    `versions` are those of the uses' own agreements that judged it, by agreement and when the use begins.
    """

    refusals: tuple[Refusal, ...] = ()
    # What each of the refusals is about, in their order.
    refused: tuple[Shift, ...] = ()
    shifts: tuple[Shift, ...] = ()
    versions: dict[tuple[str, datetime], int] = {}

    def signed(self, booking: Booking) -> Booking:
        """The booking with the version of its project's agreement that judged it."""
        version = self.versions.get((booking.agreement_id or "", booking.occupied_from))
        return msgspec.structs.replace(booking, agreement_version=version)


def weigh(
    db: Connection,
    *,
    added: Sequence[Use],
    removed: Sequence[Use] = (),
    now: datetime,
    reader: Actor | None = None,
    book: Rulebook | None = None,
) -> Weighed:
    """Lock every balance that this change moves, and judge it by every hard rule. Nothing is changed but new balances,
    and neither locked nor opened for who only looks.

    To be called under the locks of the instruments and before the bookings are written: a balance that is missing is
    opened here from the bookings that stand. The refusals say no more than `reader`, or who asks, may know. `book` is
    what was read of the agreements under the same locks.
    Two queries, whatever the number of rules (one with a `book`), and one more where a rule names projects or
    programmes; opening balances costs seven more.
    """
    if not added and not removed:
        return Weighed()
    book = book or rulebook(db)
    ((added, removed),) = _with_projects(db, book, [(added, removed)])
    changes = _shifts(book, (added, removed), now)
    held = _locked(db, book, [shift.counter for shift in changes], now)
    refused, refusals = _refused(changes, held, added, reader)
    return Weighed(
        refusals=refusals,
        refused=refused,
        shifts=changes,
        versions=dict(filter(None, (_judge_of(use, book) for use in added))),
    )


def lock(db: Connection, uses: Sequence[Use], now: datetime, book: Rulebook) -> None:
    """Lock every balance that these uses could move, in the one order, for who weighs more than once before the end of
    the transaction: locked as they come up, the later ones would be out of turn.
    """
    ((uses, _),) = _with_projects(db, book, [(uses, ())])
    _locked(db, book, [shift.counter for shift in _shifts(book, (uses, ()), now)], now)


def sifted(
    db: Connection, standing: Part, parts: Sequence[Part], *, now: datetime, reader: Actor | None, book: Rulebook
) -> tuple[tuple[Refusal, ...], ...]:
    """Why each of these changes is refused, beside what stands and those before it that are not. Balances are locked,
    or looked at, once for all of them.
    """
    parts = _with_projects(db, book, [standing, *parts])
    moved = [_shifts(book, part, now) for part in parts]
    held = _locked(db, book, list({shift.counter.key: shift.counter for each in moved for shift in each}.values()), now)
    so_far = {shift.counter.key: shift for shift in moved[0]}
    found: list[tuple[Refusal, ...]] = []
    for (added, _), alone in zip(parts[1:], moved[1:], strict=True):
        together = [summed(so_far.get(shift.counter.key), shift) for shift in alone]
        _, refusals = _refused(together, held, added, reader)
        found.append(refusals)
        if not refusals:
            so_far |= {shift.counter.key: shift for shift in together}
    return tuple(found)


def placed(
    db: Connection,
    book: Rulebook,
    weighed: Weighed,
    parts: Sequence[Part],
    now: datetime,
) -> tuple[Refusal, ...]:
    """The refusals of a change of several bookings: one that a single booking brought about names its place as `item`.
    `parts` are what each booking adds and removes.
    """
    own = [
        {each.counter.key for each in _shifts(book, part, now) if burdens(each)}
        for part in _with_projects(db, book, parts)
    ]
    found: list[Refusal] = []
    for each, shift in zip(weighed.refusals, weighed.refused, strict=True):
        places = [place for place, keys in enumerate(own) if shift.counter.key in keys]
        params = {**each.params, "item": places[0]} if len(places) == 1 else each.params
        found.append(Refusal(code=each.code, params=params))
    return tuple(found)


def _shifts(book: Rulebook, part: Part, now: datetime) -> tuple[Shift, ...]:
    added, removed = part
    return tuple(shifts(book.counting_any((*added, *removed)), added, removed, now))


def _refused(
    changes: Iterable[Shift], held: Mapping[BalanceKey, Balance], added: Sequence[Use], reader: Actor | None
) -> tuple[tuple[Shift, ...], tuple[Refusal, ...]]:
    """Which of these a hard rule forbids, and why, in words for who asks for what is added."""
    refused = tuple(told_once(each for each in changes if refuses(each, held[each.counter.key])))
    return refused, tuple(
        refusal(shift, held[shift.counter.key], insight_of(shift.counter.term, added, reader)) for shift in refused
    )


def _with_projects(db: Connection, book: Rulebook, parts: Sequence[Part]) -> list[Part]:
    """The same with what rules may ask of projects. One query where one does."""
    every = [use for part in parts for uses in part for use in uses]
    if not any(book.needs_project(use) for use in every):
        return list(parts)
    told = iter(with_projects(db, every))
    return [(tuple(islice(told, len(added))), tuple(islice(told, len(removed)))) for added, removed in parts]


def with_projects(db: Connection, uses: Iterable[Use]) -> tuple[Use, ...]:
    """The uses with the code and the programme of their projects. One query."""
    found = tuple(uses)
    told = projects_store.names_of(db, {use.project_id for use in found})
    return tuple(
        msgspec.structs.replace(use, project_code=name.code, programme=name.programme)
        if (name := told.get(use.project_id)) is not None
        else use
        for use in found
    )


def _judge_of(use: Use, book: Rulebook) -> tuple[tuple[str, datetime], int] | None:
    """The agreement that the use belongs to, and the version of it that is in force as the use begins."""
    for term in book.terms.get(use.agreement_id or "", ()):
        if any(force.start <= use.span.start < force.end for force in term.spans):
            return (term.agreement.id, use.span.start), term.version
    return None


def post(db: Connection, weighed: Weighed) -> None:
    """Move the balances and their days by what was weighed, in the same transaction. Two statements."""
    store.shift_balances(db, weighed.shifts)
    days_store.shift(db, {shift.counter.key: shift.days for shift in weighed.shifts})


def _locked(db: Connection, book: Rulebook, counters: Sequence[Counter], now: datetime) -> dict[BalanceKey, Balance]:
    if not counters:
        return {}
    keys = {counter.key for counter in counters}
    if not is_writing(db):
        return balances.seen(db, counters, now)
    if held := store.lock_if_open(db, keys):
        return held
    there = store.existing(db, keys)
    missing = [each for each in counters if each.key not in there]
    store.open_balances(db, balances.counted(db, missing, now))
    held = store.lock_balances(db, keys)
    # Under the locks: whatever another opener wrote meanwhile is complete, and stands.
    days_store.open_days(db, balances.days_ahead(db, book, missing, now))
    return held
