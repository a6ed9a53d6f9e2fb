"""What stands on a calendar, in the reader's words: who or what occupies, what a round keeps, what can be booked.

What must not live here: what a reader may see; entries arrive masked (services/bookings), and whatever is None in one
is not known here either. Where a day or a week puts the blocks is in weeks.py and boards.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from math import lcm
from urllib.parse import urlencode

import msgspec

from labshare import formats
from labshare.domain.availability import fitting_minutes, free_stretches
from labshare.domain.bookings import WAITING, BookingKind, BookingState, InstrumentRules, KeptTime
from labshare.domain.modes import Mode
from labshare.domain.opening import DAY_MINUTES, clock
from labshare.domain.timespan import MINUTE, Span, clipped, next_minute, subtracted
from labshare.domain.units import full, most
from labshare.i18n import gettext, word
from labshare.services.calendars import Calendar, CalendarEntry
from labshare.web.grid import Axis, Window, pieces, place, times

# A block lower than this has room for one line, or for three that are one line each; a phone draws one that is longer
# than the last a little higher.
LOW_MINUTES, SHORT_MINUTES, LONG_MINUTES = 45, 75, 180
USUAL_MINUTES = 60
# More beside each other could not be told apart.
MOST_LANES = 8
# As fine as a hand can point: a quarter of an hour is 12 pixels high.
FINEST_MINUTES = 15


class Handle(msgspec.Struct, frozen=True):
    """What may be dragged: its version, its day (ISO), its start on that day and its length, in minutes."""

    version: int
    date: str
    start: int
    minutes: int


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """What who looks at a calendar may do there: book, open everybody's bookings, move them and blocks."""

    may_book: bool = False
    sees_bookings: bool = False
    manages: bool = False


class Track(msgspec.Struct, frozen=True):
    """What choosing times on an instrument goes by, in minutes: starts stand on every `step`, lengths from `least` to
    `most` grow by `stride`. `kind` is its capability: a booking may go where that is the same.
    """

    instrument: str
    kind: str
    step: int
    stride: int
    least: int
    most: int


class Block(msgspec.Struct, frozen=True):
    """One thing on a calendar. `kind` picks colour, pattern and sign; every text is in the reader's words.

    `id` says only where it begins, so that a block keeps the focus when the calendar is drawn anew. `handle` is there
    for what its reader may drag, `is_last` on the part of it with the end.
    """

    kind: str
    time: str
    title: str
    note: str = ""
    href: str = ""
    id: str = ""
    css: str = ""
    handle: Handle | None = None
    is_last: bool = False


class Stretch(msgspec.Struct, frozen=True):
    """A block with its minutes since the first midnight of the axis, before it is cut into days."""

    start: int
    end: int
    block: Block


def of_day(stretches: Iterable[Stretch], day: int, shown: Window, prefix: str = "at") -> Iterator[Block]:
    """The parts of all stretches that lie on one day (counted from the first) in the hours shown, in order of time."""
    first = day * DAY_MINUTES
    parts = (
        (*shown.cut(max(each.start - first, 0), min(each.end - first, DAY_MINUTES)), each.end, each.block)
        for each in stretches
        if each.start < first + DAY_MINUTES and each.end > first
    )
    ordered = sorted((part for part in parts if part[0] < part[1]), key=lambda part: part[0])
    lanes = _lanes([(start, end) for start, end, _, _ in ordered])
    for (start, end, last, block), (at, of) in zip(ordered, lanes, strict=True):
        side = f" at{at} of{of}" if of > 1 else ""
        key = f"{prefix}-{day}-{start}" + (f"-{at}" if at else "")
        css = f"{block.kind}{_size(end - start)}{side} {place(start, end)}"
        yield msgspec.structs.replace(block, css=css, id=key, is_last=last == first + end)


def _size(minutes: int) -> str:
    """Where a block has no room for all its lines, or more than a phone gives to each."""
    if minutes < LOW_MINUTES:
        return " low"
    if minutes < SHORT_MINUTES:
        return " short tight" if minutes < USUAL_MINUTES else " short"
    return " long" if minutes >= LONG_MINUTES else ""


def _lanes(ordered: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """For each part, in order of time, its lane and how many there are beside each other where it stands."""
    lanes: list[int] = []
    ends: list[int] = []
    counts: list[int] = []
    for start, end in ordered:
        if ends and start >= max(ends):
            counts += [len(ends)] * (len(lanes) - len(counts))
            ends = []
        lane = next((at for at, until in enumerate(ends) if until <= start), len(ends))
        ends[lane : lane + 1] = [end]
        lanes.append(lane)
    counts += [len(ends)] * (len(lanes) - len(counts))
    # Where there are more than can be told apart, the rest stand behind one another.
    return [(lane % MOST_LANES, min(count, MOST_LANES)) for lane, count in zip(lanes, counts, strict=True)]


# ---------------------------------------------------------------- occupied


def taken(calendar: Calendar, rules: InstrumentRules, axis: Axis, now: datetime, reader: Reader) -> Iterator[Stretch]:
    """What occupies one instrument of a calendar."""
    return occupied(
        calendar.entries[rules.number],
        axis,
        now,
        sees_bookings=reader.sees_bookings,
        manages=reader.manages,
        capacity=rules.capacity,
        ask_for=rules.id if reader.may_book else "",
    )


def occupied(
    entries: Sequence[CalendarEntry],
    axis: Axis,
    now: datetime,
    *,
    sees_bookings: bool,
    manages: bool = False,
    capacity: int = 1,
    ask_for: str = "",
) -> Iterator[Stretch]:
    """What occupies the instrument. `sees_bookings`: the reader answers for the centre and may open each one;
    `manages`: they may move each one, and blocks.

    Where several use it at a time, what is masked is told by when the instrument is full; else it leads to asking for
    it on the instrument `ask_for`, '' where the reader may not.
    """
    for entry in entries:
        if capacity > 1 and entry.state is None:
            continue
        held = Span(entry.occupied_from, entry.occupied_until)
        block = _block(entry, axis, sees_bookings=sees_bookings)
        if handle := _handle(entry, axis, now, manages=manages):
            block = msgspec.structs.replace(block, handle=handle)
        if ask_for and entry.state is None and entry.is_askable(now):
            block = msgspec.structs.replace(block, href=_asking_link(ask_for, axis, axis.minute(entry.occupied_from)))
        yield Stretch(*axis.minutes(held), block)
    if capacity > 1 and any(entry.state is None for entry in entries):
        for each in full(capacity, _uses(entries)):
            start, end = axis.minutes(each)
            yield Stretch(start, end, Block("taken", times(start, end, axis), gettext("Full")))


def _asking_link(instrument_id: str, axis: Axis, start: int) -> str:
    """The address at which one asks for the time that somebody has from this minute on."""
    day = axis.date_of(start).isoformat()
    query = {"instrument": instrument_id, "date": day, "from": clock(start % DAY_MINUTES)}
    return f"/exchanges/ask?{urlencode(query, safe=':')}"


def _uses(entries: Iterable[CalendarEntry]) -> list[Span]:
    return [Span(each.occupied_from, each.occupied_until) for each in entries if each.kind is BookingKind.USE]


def _handle(entry: CalendarEntry, axis: Axis, now: datetime, *, manages: bool) -> Handle | None:
    """By what its own user, or who manages the calendar, may drag what has not begun; a hold is taken or left where it
    is, and a trainer or an operator moves nothing.
    """
    is_firm = entry.state in (BookingState.CONFIRMED, BookingState.PENDING)
    may_move = manages or (entry.is_own and not (entry.is_trainer or entry.is_operator))
    if not may_move or entry.version is None or not is_firm or entry.starts_at <= now:
        return None
    day, start = divmod(axis.minute(entry.starts_at), DAY_MINUTES)
    minutes = (entry.ends_at - entry.starts_at) // MINUTE
    return Handle(entry.version, axis.date_of(day * DAY_MINUTES).isoformat(), start, minutes)


def kind_of(entry: CalendarEntry) -> str:
    """How an entry is drawn: mine, named, taken, maintenance, engineering or closure."""
    if entry.kind is not BookingKind.USE:
        return entry.kind.value
    if entry.is_own:
        return "mine held" if entry.state in WAITING else "mine"
    if entry.state is None:
        return "taken held" if entry.is_held else "taken"
    return "named held" if entry.state in WAITING else "named"


def _block(entry: CalendarEntry, axis: Axis, *, sees_bookings: bool) -> Block:
    around = times(axis.minute(entry.occupied_from), axis.minute(entry.occupied_until), axis)
    if entry.state is None:
        # Masked: when the instrument cannot be had, whether it may soon be free again, and how it is set up.
        return Block(kind_of(entry), around, gettext("Held") if entry.is_held else gettext("Occupied"), _setup(entry))
    use = times(axis.minute(entry.starts_at), axis.minute(entry.ends_at), axis)
    around_use = gettext("with set-up %(time)s") % {"time": around} if around != use else ""
    title, note = _words(entry)
    state = word("booking_state", entry.state) if entry.state in WAITING else ""
    href = f"/bookings/{entry.id}" if entry.is_own or sees_bookings else ""
    mode = word("mode_said", entry.mode) if entry.mode in (Mode.ASSISTED, Mode.COMMISSIONED) else ""
    return Block(
        kind_of(entry), use, title, " · ".join(filter(None, (state, mode, _setup(entry), note, around_use))), href
    )


def _setup(entry: CalendarEntry) -> str:
    return gettext("set-up: %(setup)s") % {"setup": entry.setup} if entry.setup else ""


def _words(entry: CalendarEntry) -> tuple[str, str]:
    """Title and note of an entry that is not masked: as much as it says of itself."""
    if entry.kind is not BookingKind.USE:
        return word("booking_kind", entry.kind), entry.purpose or ""
    if entry.is_trainer:
        return gettext("You train %(person)s") % {"person": entry.person or "–"}, ""
    if entry.is_operator:
        return gettext("You operate it for %(person)s") % {"person": entry.person or "–"}, ""
    if entry.is_own:
        what = entry.purpose or entry.project or gettext("booking")
        return gettext("Yours: %(what)s") % {"what": what}, entry.project or "" if entry.purpose else ""
    who = entry.person or entry.organisation_id or gettext("Occupied")
    return who, " · ".join(filter(None, (entry.project, entry.purpose)))


# ---------------------------------------------------------------- kept for a round


def kept(calendar: Calendar, rules: InstrumentRules, axis: Axis) -> Iterator[Stretch]:
    """What rounds keep of the open hours, where nothing occupies them."""
    busy = [Span(entry.occupied_from, entry.occupied_until) for entry in calendar.entries[rules.number]]
    for offer in calendar.kept[rules.number]:
        for left in subtracted(clipped(calendar.opened[rules.number], offer.span), busy):
            start, end = axis.minutes(left)
            yield Stretch(start, end, _kept_block(offer, times(start, end, axis)))


def _kept_block(offer: KeptTime, time: str) -> Block:
    title = gettext("Kept for round %(round)s") % {"round": offer.round_code}
    return Block("kept", time, title, gettext("freed on %(date)s") % {"date": formats.short_date(offer.freed_at)})


# ---------------------------------------------------------------- free


def track(rules: InstrumentRules) -> Track:
    """Choices stand on the instrument's raster, but no finer than a hand can point; finer times are typed."""
    step = rules.raster * -(-FINEST_MINUTES // rules.raster)
    stride = lcm(max(1, rules.granularity_minutes), rules.raster)
    stride *= -(-FINEST_MINUTES // stride)
    least = -(-fitting_minutes(rules, 1) // stride) * stride
    most = max(least, rules.max_minutes // stride * stride)
    return Track(rules.id, rules.capability_id, step, stride, least, most)


def free(calendar: Calendar, rules: InstrumentRules, axis: Axis, now: datetime) -> Iterator[Stretch]:
    """What can still be booked, each stretch with the way to do so."""
    if not rules.takes_bookings:
        return
    soonest = next_minute(now + timedelta(hours=calendar.cut_off.get(rules.number, 0)))
    earliest = max(calendar.span.start, soonest)
    days = calendar.furthest.get(rules.number, rules.advance_days)
    latest = min(calendar.span.end, now + timedelta(days=days) - rules.min_minutes * MINUTE)
    if earliest >= latest:
        return
    entries = calendar.entries[rules.number]
    uses = _uses(entries)
    blocked = [Span(each.occupied_from, each.occupied_until) for each in entries if each.kind is not BookingKind.USE]
    busy = full(rules.capacity, uses, blocked) + [offer.span for offer in calendar.kept[rules.number]]
    for found in free_stretches(rules, Span(earliest, latest), calendar.opened[rules.number], busy):
        yield from _free_stretch(rules, axis, *axis.minutes(found), _left(rules, uses, found))


def _left(rules: InstrumentRules, uses: Iterable[Span], found: Span) -> str:
    """How many of several may still come, '' where there is only ever one."""
    if rules.capacity == 1:
        return ""
    left, everything = rules.capacity - most(uses, found), rules.capacity
    if left == everything:
        return gettext("all %(all)s places") % {"all": everything}
    return gettext("at least %(left)s of %(all)s places") % {"left": left, "all": everything}


def _free_stretch(rules: InstrumentRules, axis: Axis, start: int, end: int, left: str) -> Iterator[Stretch]:
    """One block for each day of the stretch; its link asks for a usual use that begins as early as the block does."""
    raster = rules.raster
    usual = min(max(rules.min_minutes, rules.granularity_minutes, USUAL_MINUTES), rules.max_minutes)
    for day, begins, ends in pieces(-(-start // raster) * raster, end):
        first, last = day * DAY_MINUTES + begins, day * DAY_MINUTES + ends
        if first + rules.min_minutes <= end:
            href = booking_link(rules, axis, first, min(first + usual, end))
            yield Stretch(first, last, Block("free", times(first, last, axis), gettext("Free"), left, href))


def booking_link(rules: InstrumentRules, axis: Axis, start: int, end: int) -> str:
    """The address of a booking form with its times filled in."""
    day, last_day = axis.date_of(start), axis.date_of(end - 1)
    query = {
        "instrument": rules.id,
        "date": day.isoformat(),
        "from": clock(start % DAY_MINUTES),
        "until": clock((end - 1) % DAY_MINUTES + 1),
    }
    if last_day != day:
        query["until_date"] = last_day.isoformat()
    return f"/bookings/new?{urlencode(query, safe=':')}"
