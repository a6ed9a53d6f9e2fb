"""Counting for share rules: instruments, their capacity and their uses over some windows, read once and added up often.

What must not live here: what the counts mean for a rule (services/weighing.py, services/entitlements.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from labshare.domain.agreements import Counter, Use, covers, scope_key
from labshare.domain.balance_days import parts_of
from labshare.domain.bases import MOVING, Base, taken
from labshare.domain.bookings import LONGEST_MINUTES, Booking, BookingKind, InstrumentRules
from labshare.domain.timespan import Span
from labshare.services import capacity
from labshare.store import agreements as store
from labshare.store import capacity as capacity_store
from labshare.store import usage as usage_store
from labshare.store.agreements import Counted
from labshare.store.capacity import TimedInstrument
from labshare.store.engine import Connection

# One query counts so many windows: SQLite joins no more than 500 parts, and rolling windows are many.
MOST_WINDOWS = 200


def hull(spans: Collection[Span]) -> Span | None:
    """The one span that reaches from the first start to the last end; None without spans."""
    if not spans:
        return None
    return Span(min(span.start for span in spans), max(span.end for span in spans))


class Tally:
    """What the windows of some counters hold. Three queries, however many counters; `whole` is the hull of windows. One
    more where a rule is a share of offered time, which unplanned downs take from.

    With `named`, other organisations are counted without being named, but for those that a rule names itself.
    """

    def __init__(
        self,
        db: Connection,
        counters: Sequence[Counter],
        whole: Span,
        now: datetime,
        *,
        named: Collection[str] | None = None,
    ) -> None:
        self.instruments = {
            each.number: each
            for each in capacity_store.timed_instruments(db, whole)
            if any(covers(counter.term.rule.where, each) for counter in counters)
        }
        windows = {part for counter in counters for part in parts_of(counter)}
        blocks = capacity_store.blocks(db, self.instruments, whole)
        downs = usage_store.downs(db, self.instruments, whole, now) if _are_offered(counters) else {}
        self._capacities = {
            window: capacity.measured(self.instruments.values(), window, blocks, downs) for window in windows
        }
        self._rows: dict[Span, list[Counted]] = {window: [] for window in windows}
        if named is not None:
            named = {*named, *(each for counter in counters for each in counter.term.rule.who.organisation)}
        by_project = any(counter.term.rule.who.needs_project for counter in counters)
        ordered = sorted(windows)
        for some in (ordered[place : place + MOST_WINDOWS] for place in range(0, len(ordered), MOST_WINDOWS)):
            for row in store.count(db, some, now, self.instruments, named=named, by_project=by_project):
                self._rows[row.window].append(row)

    def rows(self, counter: Counter) -> Iterator[Counted]:
        """What was counted in the counter's window on the instruments of its denominator, whoever it was."""
        inside = self._inside(counter)
        return (row for part in parts_of(counter) for row in self._rows[part] if row.instrument_number in inside)

    def base_minutes(self, counter: Counter) -> int:
        """The minutes of the rule's base: as they would be frozen now, or of a moving one as far as they have come."""
        base = counter.term.rule.base
        if base in MOVING:
            return sum(each.used + each.committed for each in (taken(base, row) for row in self.rows(counter)))
        inside = self._inside(counter)
        capacities = [self._capacities[part] for part in parts_of(counter)]
        return sum(getattr(each[number], base.value) for each in capacities for number in inside)

    def _inside(self, counter: Counter) -> dict[int, TimedInstrument]:
        rule = counter.term.rule
        return {
            number: each
            for number, each in self.instruments.items()
            if covers(rule.where, each) and scope_key(rule, each) == counter.scope_key
        }


def _are_offered(counters: Sequence[Counter]) -> bool:
    return any(counter.term.rule.base is Base.OFFERED for counter in counters)


def uses(rules: InstrumentRules, booking: Booking) -> tuple[Use, ...]:
    """What a booking means to the share rules: nothing for blocks, the occupied range for a use."""
    if booking.kind is not BookingKind.USE or booking.span.minutes > LONGEST_MINUTES:
        # What is too long is refused for that; counting decades window by window would only hold the locks.
        return ()
    if not (booking.organisation_id and booking.access_class and booking.activity and booking.project_id):
        # The project is unknown: the booking rules refuse it, and there is nobody to count it for.
        return ()
    return (
        Use(
            organisation_id=booking.organisation_id,
            access_class=booking.access_class,
            activity=booking.activity,
            is_outside=booking.organisation_id != rules.host_id,
            agreement_id=booking.agreement_id,
            project_id=booking.project_id,
            instrument_number=rules.number,
            instrument_id=rules.id,
            centre_id=rules.centre_id,
            span=booking.occupied,
        ),
    )
