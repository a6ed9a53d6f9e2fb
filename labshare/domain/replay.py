"""What changed rules would have done to a past period: who gains, who loses, and which differences may be noise (R25).

Two plans of the same demand are compared, one under the rules as they were and one under those of a sandbox. A solver
that stopped early leaves a gap: a better plan may be worth so much more. What that gap could buy of somebody's time,
the cheapest slots first, is the margin within which a difference says nothing.

A reader who may not see everybody's figures gets the exact rows of their own organisations; of others only sums over at
least three of them, chosen by who asked and never by what came of it (R23, disclosure.py).

What must not live here: how the plans are made (services/replay.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Literal
from uuid import UUID

import msgspec

from labshare.domain.agreements import Kind
from labshare.domain.bookings import BookingState
from labshare.domain.disclosure import MIN_PARTIES, partition
from labshare.domain.timespan import Span
from labshare.domain.windows import CENTRE_ZONE_NAME, Window, days_span, window_dates
from labshare.errors import Malformed

MOST_PERIOD_DAYS = 184
# How far a use may move from the day on which it took place, unless told otherwise.
FREEDOM_DAYS, MOST_FREEDOM_DAYS = 3, 31
# Uses that somebody wanted, whatever came of them. Who cancelled no longer wanted it, and a hold that ran out was never
# confirmed; who did not come had kept others out.
WANTED = frozenset(
    {
        BookingState.PENDING,
        BookingState.CONFIRMED,
        BookingState.IN_USE,
        BookingState.DONE,
        BookingState.DECLINED,
        BookingState.RELEASED,
        BookingState.NO_SHOW,
    }
)
# The name of a row that is a sum of several others.
OTHERS = ""


def period_span(first: date, last: date, now: datetime) -> Span:
    """The days of a period, in the centres' zone. Raises `Malformed` when it is reversed, too long or not over yet."""
    if last < first:
        raise Malformed("replay_dates_reversed", first=first.isoformat(), last=last.isoformat())
    if (last - first).days >= MOST_PERIOD_DAYS:
        raise Malformed("replay_period_too_long", days=MOST_PERIOD_DAYS)
    span = days_span(first, last + timedelta(days=1), CENTRE_ZONE_NAME)
    if span.end > now:
        raise Malformed("replay_not_over", last=last.isoformat())
    return span


# ---------------------------------------------------------------- what is compared


class Want(msgspec.Struct, frozen=True, kw_only=True):
    """One request: whose, where it could be served, all of its minutes of use, and what a slot of it is worth."""

    id: UUID
    organisation_id: str
    access_class: str
    centre_ids: frozenset[str]
    minutes: int
    worth: int


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """A session that a plan gave to a request, in minutes of use."""

    want: Want
    centre_id: str
    minutes: int


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two plans: what it is worth, what no plan can exceed, and their distance as a share of the latter.

    `minutes` of use were given to `sessions` sessions. All but the gap is None where it could tell of one party.
    """

    objective: int | None
    bound: int | None
    gap: float
    status: str
    sessions: int | None
    minutes: int | None


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """Minutes of use of one organisation, access class or centre: wanted, given under each rule set, and the change.

    Shares are of all the time that each plan gives, None where that could tell of one party. `margin` is what the gaps
    leave open, in minutes; a difference within it `may_be_noise`.
    """

    key: str
    parties: int
    wanted: int
    before: int
    after: int
    difference: int
    share_before: Fraction | None
    share_after: Fraction | None
    margin: int | None
    may_be_noise: bool


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """A share rule under one rule set: its exact limit and the occupied minutes that it counts in its window.

    `counted` is what stood before and beside the period plus what the plan gave; None for whom it is not to be told.
    """

    limit: Fraction
    counted: int | None


class RuleRow(msgspec.Struct, frozen=True, kw_only=True):
    """One share rule in one window and for one denominator; None where a rule set has no such rule.

    The limit of one that `is_moving` tells what everybody took.
    """

    agreement_id: str
    parties: frozenset[str]
    organisations: frozenset[str]
    rule_id: str
    kind: Kind
    is_moving: bool = False
    scope_key: str
    window: Span
    sentence_vi: str
    sentence_en: str
    before: Count | None
    after: Count | None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Both plans beside each other, as one reader may see them. Lengths are minutes."""

    format: Literal["labshare-replay/1"] = "labshare-replay/1"
    sandbox_id: str
    title_vi: str
    title_en: str
    centres: tuple[str, ...]
    first: date
    last: date
    freedom_days: int
    slot_minutes: int
    seed: int
    budget: str
    uses: int
    requests: int
    without_place: int
    before: Side
    after: Side
    organisations: tuple[Row, ...]
    access_classes: tuple[Row, ...]
    by_centre: tuple[Row, ...]
    rules: tuple[RuleRow, ...]
    is_masked: bool = False
    withheld: bool = False


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a comparison is made of, for any reader: the demand and what came of it under each rule set.

    `plain` is the comparison without its rows; `gaps` are the distances of both plans from their bounds, added up.
    """

    plain: Comparison
    gaps: int
    wants: tuple[Want, ...]
    before: tuple[Served, ...]
    after: tuple[Served, ...]


# ---------------------------------------------------------------- rows


def compared(replayed: Replayed) -> Comparison:
    """Every figure, for those who may see them all."""
    tables = _Tables(replayed)
    return msgspec.structs.replace(
        replayed.plain,
        organisations=tables.rows(lambda want, _: [want.organisation_id]),
        access_classes=tables.rows(lambda want, _: [want.access_class]),
        by_centre=tables.rows(lambda want, centre_id: [centre_id] if centre_id else sorted(want.centre_ids)),
    )


def compared_for(replayed: Replayed, own: Collection[str]) -> Comparison:
    """What a reader may see who speaks for these organisations: their rows, and sums over at least three others.

    As in reports, two answers laid over each other must tell no more than one: so others are told only of one whole
    calendar month, when each centre has three of them or none, and by class only where the sandbox has one centre.
    Rows of centres are left out: with the classes they would cut the same few parties in two ways.
    """
    rivals = {want.organisation_id for want in replayed.wants} - set(own)
    cut = partition(_by_class(replayed.wants, rivals))
    is_told = bool(rivals) and _may_be_told(replayed, rivals)
    is_hidden = bool(rivals) and not is_told
    tables = _Tables(replayed, hides_total=is_hidden)

    def of_others(want: Want) -> list[str]:
        if want.organisation_id not in rivals:
            return []
        return [want.access_class if want.access_class in cut.told else OTHERS]

    named = tables.rows(lambda want, _: [want.organisation_id] if want.organisation_id not in rivals else [])
    together = tables.rows(lambda want, _: [OTHERS] if want.organisation_id in rivals else [])
    has_classes = is_told and len(replayed.plain.centres) == 1
    return msgspec.structs.replace(
        replayed.plain,
        before=_told(replayed.plain.before, is_hidden=is_hidden),
        after=_told(replayed.plain.after, is_hidden=is_hidden),
        organisations=(*named, *(map(_without_margin, together) if is_told else ())),
        access_classes=tuple(map(_without_margin, tables.rows(lambda want, _: of_others(want)))) if has_classes else (),
        rules=tuple(_for(row, own) for row in replayed.plain.rules if row.parties & set(own) and not row.is_moving),
        # How many asked would tell of a rival where there are few.
        uses=0 if is_hidden else replayed.plain.uses,
        requests=0 if is_hidden else replayed.plain.requests,
        without_place=0 if is_hidden else replayed.plain.without_place,
        is_masked=True,
        withheld=is_hidden,
    )


def _by_class(wants: Iterable[Want], rivals: Collection[str]) -> dict[str, set[int]]:
    """Which rivals asked under each class, by number."""
    number = {organisation_id: place for place, organisation_id in enumerate(sorted(rivals))}
    cells: dict[str, set[int]] = {}
    for want in wants:
        if want.organisation_id in rivals:
            cells.setdefault(want.access_class, set()).add(number[want.organisation_id])
    return cells


def _may_be_told(replayed: Replayed, rivals: Collection[str]) -> bool:
    """Whether the period is one whole calendar month and no centre has one rival or two."""
    plain = replayed.plain
    asked: dict[str, set[str]] = {}
    for want in replayed.wants:
        for centre_id in want.centre_ids if want.organisation_id in rivals else ():
            asked.setdefault(centre_id, set()).add(want.organisation_id)
    is_month = window_dates(Window.MONTH, plain.first) == (plain.first, plain.last + timedelta(days=1))
    return is_month and all(len(some) >= MIN_PARTIES for some in asked.values())


def margin(gaps: int, wants: Iterable[Want], slot_minutes: int) -> int:
    """Minutes that these units of objective could buy of what is wanted, the cheapest of it first.

    A slot given or taken changes the objective by its worth, so plans that differ by no more than the gaps differ by no
    more than this; rewards and penalties of rules are left out of account.
    """
    found = 0
    for want in sorted(wants, key=lambda want: want.worth):
        slots = -(-want.minutes // slot_minutes)
        if want.worth * slots > gaps:
            return found + gaps // want.worth * slot_minutes
        gaps -= want.worth * slots
        found += want.minutes
    return found


# Which rows a request's minutes belong to: with the centre that served it, or (None) where it is only wanted.
_Keys = Callable[[Want, str | None], Sequence[str]]


class _Tables:
    """Adds up wants and sessions by whatever key is asked for."""

    def __init__(self, replayed: Replayed, *, hides_total: bool = False) -> None:
        self._replayed = replayed
        self._hides_total = hides_total

    def rows(self, keys: _Keys) -> tuple[Row, ...]:
        wanted: dict[str, list[Want]] = {}
        for want in self._replayed.wants:
            for key in keys(want, None):
                wanted.setdefault(key, []).append(want)
        before, after = (self._given(served, keys) for served in (self._replayed.before, self._replayed.after))
        return tuple(
            self._row(key, wanted[key], before[key], after[key])
            for key in sorted(wanted, key=lambda key: (key == OTHERS, key))
        )

    def _given(self, served: Iterable[Served], keys: _Keys) -> Counter[str]:
        found: Counter[str] = Counter()
        for each in served:
            for key in keys(each.want, each.centre_id):
                found[key] += each.minutes
        return found

    def _row(self, key: str, wants: Sequence[Want], before: int, after: int) -> Row:
        open_minutes = margin(self._replayed.gaps, wants, self._replayed.plain.slot_minutes)
        return Row(
            key=key,
            parties=len({want.organisation_id for want in wants}),
            wanted=sum(want.minutes for want in wants),
            before=before,
            after=after,
            difference=after - before,
            share_before=self._share(before, self._replayed.plain.before.minutes),
            share_after=self._share(after, self._replayed.plain.after.minutes),
            margin=open_minutes,
            may_be_noise=after != before and abs(after - before) <= open_minutes,
        )

    def _share(self, minutes: int, total: int | None) -> Fraction | None:
        return None if self._hides_total or not total else Fraction(minutes, total)


def _told(side: Side, *, is_hidden: bool) -> Side:
    if not is_hidden:
        return side
    return msgspec.structs.replace(side, objective=None, bound=None, sessions=None, minutes=None)


def _without_margin(row: Row) -> Row:
    # It follows from what a rival has used of late.
    return msgspec.structs.replace(row, margin=None)


def _for(row: RuleRow, own: Collection[str]) -> RuleRow:
    """Figures of a rule that counts nobody but the reader's organisations; of others, its limits alone."""
    if row.organisations and row.organisations <= set(own):
        return row
    hidden = {side: _uncounted(getattr(row, side)) for side in ("before", "after")}
    return msgspec.structs.replace(row, **hidden)


def _uncounted(count: Count | None) -> Count | None:
    return msgspec.structs.replace(count, counted=None) if count else None


def rule_rows(
    before: Mapping[tuple[str, ...], RuleRow], after: Mapping[tuple[str, ...], RuleRow]
) -> tuple[RuleRow, ...]:
    """The rules of both sets side by side. `before` rows carry their count as `before`, `after` rows as `after`.

    Where a rule differs, its new sentence is told.
    """
    found: list[RuleRow] = []
    for key in sorted({*before, *after}):
        shown = after.get(key) or before[key]
        found.append(msgspec.structs.replace(shown, before=before[key].before if key in before else None))
    return tuple(found)
