"""What is asked of a change to a booking that takes no time it did not have, and keeps its times or gives back a part.

A rule that is posted later leaves what stands alone: whatever was decided with the times of a booking is not asked of
them again. What people who are there must hold is: nobody else answers for them. What must not live here: the rules.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from labshare.domain.booking_rules import DatedHours
from labshare.domain.bookings import (
    BLOCK_RULES,
    RULES,
    Booking,
    BookingKind,
    BookingState,
    Context,
    Rule,
    Wish,
    advance,
    block_length,
    granularity,
    in_the_future,
    kept_for_round,
    length,
    not_blocked,
    opening_hours,
    prime_time,
)
from labshare.domain.house_rules import is_outside_hours
from labshare.domain.opening import minute_of_day
from labshare.domain.operators import operated
from labshare.domain.qualifications import trained
from labshare.domain.timespan import MINUTE, Span
from labshare.errors import Refusal

# What looks at the times of a use, and at those of any booking.
_OF_USES: frozenset[Rule] = frozenset({length, granularity, advance})
_OF_TIMES: frozenset[Rule] = frozenset({in_the_future, block_length, kept_for_round})
# What asks for people who must be there, whatever the times.
_OF_PEOPLE = frozenset({"rule_overnight", "rule_staff_hours"})


def takes_no_more(before: Booking | None, after: Booking) -> bool:
    """Whether it stood, and stays on its instrument within its times; what was only kept is asked for anew."""
    return (
        before is not None
        and before.state is not BookingState.HELD
        and before.instrument_number == after.instrument_number
        and before.span.contains(after.span)
    )


def rules_of(before: Booking | None, after: Booking) -> tuple[Rule, ...]:
    """The rules for a change. Of what takes no more: none that decided on its times says anew what it would say of them
    as they stood; its own person is asked neither for their best hours nor whether they came; a trainer and an operator
    who stay for what they hold in nothing. Where a part is given back and all else stays, people are asked for nothing.
    """
    every = RULES if after.kind is BookingKind.USE else BLOCK_RULES
    if before is None or not takes_no_more(before, after):
        return every
    if before.span != after.span and _what(before) == _what(after):
        return _of_part(before)
    is_same = before.person_id == after.person_id
    left: set[Rule] = {prime_time, not_blocked} if is_same else set()
    if is_same and before.trainer_id == after.trainer_id:
        left.add(trained)
    if is_same and (before.operator_id, before.mode) == (after.operator_id, after.mode):
        left.add(operated)
    # Whoever takes it over has not the reason for which a manager passed the rules for somebody else; nor does who runs
    # it themselves have that for which the staff were to come.
    is_decided = (is_same and before.mode == after.mode) or not before.override_reason
    decided = _OF_TIMES | _OF_USES if is_decided else _OF_TIMES

    def asked(rule: Rule) -> Rule:
        if rule is opening_hours:
            return _hours(before, {"rule_staff_hours"}) if is_decided else rule
        return _anew(rule, before.span) if rule in decided else rule

    return tuple(asked(rule) for rule in every if rule not in left)


def asked_of_people(wish: Wish, context: Context) -> tuple[Refusal, ...]:
    """What is asked of them in the usual closed hours, whatever closes a date besides: that somebody of a level answers
    for a use then, and that it is not left to the staff without anybody. A date that a rule opens longer is open.
    """
    if not is_outside_hours(wish, context):
        return ()
    usual = tuple(each for each in context.house.rules if not isinstance(each.rule, DatedHours))
    usually = msgspec.structs.replace(context, house=msgspec.structs.replace(context.house, rules=usual))
    return tuple(each for each in opening_hours(wish, usually) if each.code in _OF_PEOPLE)


# ---------------------------------------------------------------- parts


def _what(booking: Booking) -> tuple[object, ...]:
    """All of a booking that the rules look at but its times."""
    people = (booking.person_id, booking.trainer_id, booking.operator_id)
    return (*people, booking.project_id, booking.mode, booking.setup, booking.purpose)


def _of_part(before: Booking) -> tuple[Rule, ...]:
    """Of a part: that what is left is no shorter than it may be, on the raster, and does not begin or end where it may
    not. Who has begun and is done ends where it is, and a block of the centre ends anywhere.
    """
    if before.kind is not BookingKind.USE:
        return ()
    raster = _anew(granularity, before.span)

    def part(wish: Wish, context: Context) -> tuple[Refusal, ...]:
        step = max(1, context.rules.granularity_minutes) * MINUTE
        if before.starts_at <= context.now and wish.span.end <= context.now + step:
            return raster(wish, context)
        asked = (_anew(length, before.span), _raster(before.span), _hours(before, _OF_PEOPLE))
        return tuple(refusal for rule in asked for refusal in rule(wish, context))

    return (part,)


def _raster(stood: Span) -> Rule:
    """The raster, and where it changed since, for the ends that do not stay alone."""

    def asked(wish: Wish, context: Context) -> tuple[Refusal, ...]:
        found = granularity(wish, context)
        if not found or not granularity(msgspec.structs.replace(wish, span=stood), context):
            return found
        new = {wish.span.start, wish.span.end} - {stood.start, stood.end}
        zone = context.rules.timezone
        return found if any(minute_of_day(each, zone) % context.rules.raster for each in new) else ()

    return asked


def _anew(rule: Rule, stood: Span) -> Rule:
    """A rule without what it would say of the times as they stood."""

    def asked(wish: Wish, context: Context) -> tuple[Refusal, ...]:
        found = rule(wish, context)
        known = {each.code for each in rule(msgspec.structs.replace(wish, span=stood), context)} if found else ()
        return tuple(each for each in found if each.code not in known)

    return asked


def _hours(before: Booking, known: Collection[str]) -> Rule:
    """The hours without what they would say of the times as they stood, and what closed ones ask of people: without
    those of the codes `known` that they would ask of the booking as it stood. Who had a long run over closed hours was
    to be there while it is open, and is asked whole.
    """
    of_times = _anew(opening_hours, before.span)

    def asked(wish: Wish, context: Context) -> tuple[Refusal, ...]:
        of_people = asked_of_people(wish, context)
        stood: set[str] = set()
        if of_people and not _begins_and_ends_open(before.span, wish, context):
            as_it_was = {"span": before.span, "mode": before.mode, "operator_id": before.operator_id}
            was = asked_of_people(msgspec.structs.replace(wish, **as_it_was), context)
            stood = {each.code for each in was} & set(known)
        return (
            *(each for each in of_times(wish, context) if each.code not in _OF_PEOPLE),
            *(each for each in of_people if each.code not in stood),
        )

    return asked


def _begins_and_ends_open(span: Span, wish: Wish, context: Context) -> bool:
    ends = (Span(span.start, span.start + MINUTE), Span(span.end - MINUTE, span.end))
    return not any(is_outside_hours(msgspec.structs.replace(wish, span=each), context) for each in ends)
