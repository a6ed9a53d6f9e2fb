"""What is asked of a change to a booking that takes no time it did not have, and keeps its times or gives back a part.

A rule that is posted later leaves what stands alone: whatever was decided with the times of a booking is not asked of
them again. What people who are there must hold is: nobody else answers for them. What must not live here: the rules.
"""

from __future__ import annotations

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
from labshare.domain.house_rules import is_outside_hours, not_too_late
from labshare.domain.modes import Mode
from labshare.domain.operators import operated
from labshare.domain.qualifications import trained
from labshare.domain.timespan import Span
from labshare.errors import Refusal

# What looks at the times of a use, and at those of any booking.
_OF_USES: frozenset[Rule] = frozenset({length, granularity, advance, not_too_late})
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
    """The rules for a change: of what takes no more, nothing that its times as they stood would be refused for too; of
    its own person neither their best hours nor whether they came; of a trainer and an operator who stay, nothing.
    """
    every = RULES if after.kind is BookingKind.USE else BLOCK_RULES
    if before is None or not takes_no_more(before, after):
        return every
    is_same = before.person_id == after.person_id
    left: set[Rule] = {prime_time, not_blocked} if is_same else set()
    if is_same and before.trainer_id == after.trainer_id:
        left.add(trained)
    if is_same and (before.operator_id, before.mode) == (after.operator_id, after.mode):
        left.add(operated)
    # Whoever takes it over has not the reason for which a manager passed the rules for somebody else.
    is_decided = is_same or not before.override_reason
    decided = _OF_TIMES | _OF_USES if is_decided else _OF_TIMES

    def asked(rule: Rule) -> Rule:
        if rule is opening_hours:
            return _hours(before) if is_decided else rule
        return _anew(rule, before.span) if rule in decided else rule

    return tuple(asked(rule) for rule in every if rule not in left)


def _anew(rule: Rule, stood: Span) -> Rule:
    """A rule without what it would say of the times as they stood."""

    def asked(wish: Wish, context: Context) -> tuple[Refusal, ...]:
        found = rule(wish, context)
        known = {each.code for each in rule(msgspec.structs.replace(wish, span=stood), context)} if found else ()
        return tuple(each for each in found if each.code not in known)

    return asked


def _hours(before: Booking) -> Rule:
    """The hours without what they would say of the times as they stood, and what closed ones ask of people: no use is
    left to the staff then without anybody who was not so left before.
    """
    of_times = _anew(opening_hours, before.span)
    is_unattended = before.mode is Mode.COMMISSIONED and before.operator_id is None

    def asked(wish: Wish, context: Context) -> tuple[Refusal, ...]:
        of_people = _asked_of_people(wish, context)
        return (
            *(each for each in of_times(wish, context) if each.code not in _OF_PEOPLE),
            *(each for each in of_people if not (is_unattended and each.code == "rule_staff_hours")),
        )

    return asked


def _asked_of_people(wish: Wish, context: Context) -> tuple[Refusal, ...]:
    """What is asked of them in the usual closed hours, whatever closes a date besides. A date that a rule opens longer
    is open.
    """
    if not is_outside_hours(wish, context):
        return ()
    usual = tuple(each for each in context.house.rules if not isinstance(each.rule, DatedHours))
    usually = msgspec.structs.replace(context, house=msgspec.structs.replace(context.house, rules=usual))
    return tuple(each for each in opening_hours(wish, usually) if each.code in _OF_PEOPLE)
