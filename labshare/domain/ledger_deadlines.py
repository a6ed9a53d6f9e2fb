"""What happens by itself to an entitlement as its period goes on and ends: use it or lose it (R08, R09), carry over
(R11), and when.

What must not live here: how many minutes each rule moves (ledger.py), or posting (services/ledger_deadlines.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from math import floor
from typing import Literal

import msgspec

from labshare.domain.ledger import Cause, LedgerEntry, Step, balance, carried_over, credits_left, pulled_back, used
from labshare.domain.timespan import MINUTE, Span
from labshare.domain.windows import CALENDAR, window_at


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """R08, R09: at this part of the period, who has used little loses some of the rest; the lowest step that fits."""

    at: Fraction
    steps: tuple[Step, ...]


class PullBack(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """R08 (INCITE), R09 (ALCC): use it or lose it, at checkpoints that rise.

    Nothing is lost in the first `grace_days` of a period. The loss is judged at the checkpoint and posted `notice_days`
    later; the party may object for `appeal_days` of these.
    """

    checkpoints: tuple[Checkpoint, ...]
    grace_days: int = 0
    notice_days: int = 0
    appeal_days: int = 0

    @property
    def rule(self) -> Literal["R08", "R09"]:
        """A pull-back with notice is ALCC's, one without INCITE's."""
        return "R09" if self.notice_days else "R08"

    def judged_at(self, period: Span, checkpoint: Checkpoint) -> datetime:
        """The whole minute at which this part of the period is over, and the grace too."""
        at = period.start + floor(checkpoint.at * period.minutes) * MINUTE
        return max(at, period.start + timedelta(days=self.grace_days))

    def posted_at(self, period: Span, checkpoint: Checkpoint) -> datetime:
        """When what is lost at the checkpoint is posted: after the notice."""
        return self.judged_at(period, checkpoint) + timedelta(days=self.notice_days)

    def appeal_until(self, period: Span, checkpoint: Checkpoint) -> datetime:
        """Until when the party may object."""
        return self.judged_at(period, checkpoint) + timedelta(days=self.appeal_days)


class CarryOver(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """R11: unused time goes on, at most this part of what was due, for so many periods; R08 and R09 take first."""

    most: Fraction = Fraction(1, 4)
    periods: int = 1

    def until(self, period: Span, timezone: str) -> datetime:
        """When time that is carried out of this period lapses: at the end of the last period that it may go into."""
        for _ in range(self.periods):
            period = next_period(period, timezone)
        return period.end


class LedgerRules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules by which one party's entitlement changes by itself. What is not there does not happen."""

    carry_over: CarryOver | None = None
    pull_back: PullBack | None = None


class Announced(msgspec.Struct, frozen=True, kw_only=True):
    """A loss that was judged and waits for its notice to be over."""

    checkpoint: Checkpoint
    minutes: int
    appeal_until: datetime
    posted_at: datetime


def next_period(period: Span, timezone: str) -> Span:
    """The window of the calendar that follows; a period that is no window is followed by one of the same length."""
    for kind in CALENDAR:
        if window_at(kind, period.start, timezone) == period:
            return window_at(kind, period.end, timezone)
    return Span(period.end, period.end + (period.end - period.start))


def next_deadline(entries: Sequence[LedgerEntry], period: Span, rules: LedgerRules, after: datetime) -> datetime | None:
    """When something is to be posted by itself: a checkpoint, the end of the period, a credit's day."""
    moments = [period.end] if rules.carry_over is not None else []
    if rules.pull_back:
        moments += [rules.pull_back.posted_at(period, each) for each in rules.pull_back.checkpoints]
    moments += [credit.until for credit, _ in credits_left(entries, after) if credit.until]
    return min((moment for moment in moments if moment > after), default=None)


def next_judgement(period: Span, rules: LedgerRules, after: datetime) -> datetime | None:
    """When a loss is judged next that its party is told of before it counts."""
    pull_back = rules.pull_back
    if pull_back is None or not pull_back.notice_days:
        return None
    moments = (pull_back.judged_at(period, each) for each in pull_back.checkpoints)
    return min((moment for moment in moments if moment > after), default=None)


def pulled_back_at(
    entries: Sequence[LedgerEntry], period: Span, pull_back: PullBack, checkpoint: Checkpoint, now: datetime
) -> int:
    """R08, R09: minutes to pull back for a checkpoint that was judged and is not posted, judged as things stood then;
    never more than is left now.
    """
    at = pull_back.judged_at(period, checkpoint)
    is_posted = any(each.cause is Cause.PULLED_BACK and each.reference == str(checkpoint.at) for each in entries)
    # What was granted after a checkpoint was never to be used by then.
    if at > now or is_posted or not entries or entries[0].posted_at > at:
        return 0
    gone = used(entries, at)
    due = sum(entry.minutes for entry in _stood(entries, at)) + gone
    return max(0, min(pulled_back(due, gone, checkpoint.steps), balance(entries, now)))


def announced(entries: Sequence[LedgerEntry], period: Span, rules: LedgerRules, now: datetime) -> list[Announced]:
    """What will be pulled back when its notice is over, as things stand."""
    pull_back = rules.pull_back
    if pull_back is None:
        return []
    return [
        Announced(
            checkpoint=checkpoint,
            minutes=minutes,
            appeal_until=pull_back.appeal_until(period, checkpoint),
            posted_at=pull_back.posted_at(period, checkpoint),
        )
        for checkpoint in pull_back.checkpoints
        if pull_back.posted_at(period, checkpoint) > now
        if (minutes := pulled_back_at(entries, period, pull_back, checkpoint, now))
    ]


def just_judged(entries: Sequence[LedgerEntry], period: Span, rules: LedgerRules, now: datetime) -> Announced | None:
    """The loss at the checkpoint that came last, if there is one: earlier ones have been told."""
    pull_back = rules.pull_back
    past = [each for each in pull_back.checkpoints if pull_back.judged_at(period, each) <= now] if pull_back else []
    last = max(past, key=lambda each: each.at, default=None)
    return next((each for each in announced(entries, period, rules, now) if each.checkpoint == last), None)


def _stood(entries: Sequence[LedgerEntry], at: datetime) -> list[LedgerEntry]:
    """What counted at an instant, with what rules posted late taken at its own time: a credit's day, a checkpoint."""
    days = {str(entry.id): entry.until for entry in entries if entry.until}
    return [
        entry
        for entry in entries
        if entry.cause is Cause.PULLED_BACK or (days.get(entry.reference) or entry.posted_at) <= at
    ]


def carried_on(entries: Sequence[LedgerEntry], period: Span, now: datetime) -> list[tuple[LedgerEntry, int]]:
    """R11: time that was carried into a period and may go on into the next one, with what is left of it."""
    return [
        (credit, minutes)
        for credit, minutes in credits_left(entries, now)
        if credit.cause is Cause.CARRIED_OVER and credit.until and credit.until > max(now, period.end)
    ]


def closing(entries: Sequence[LedgerEntry], most: Fraction, now: datetime) -> tuple[int, int]:
    """R11: (minutes carried over, minutes that lapse) as a period ends. Credits that still run stay as they are."""
    open_minutes = sum(minutes for credit, minutes in credits_left(entries, now) if credit.until and credit.until > now)
    rest = max(0, balance(entries, now) - open_minutes)
    gone = used(entries, now)
    carried = min(rest, carried_over(rest + gone, gone, most))
    return carried, rest - carried
