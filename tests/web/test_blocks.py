"""What stands on a calendar, in words: as much as an entry says of itself, and never more."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import msgspec
import pytest

from labshare.domain.bookings import BookingKind, BookingState, InstrumentRules, KeptTime
from labshare.domain.opening import parse_opening
from labshare.domain.timespan import Span
from labshare.i18n import speaking
from labshare.services.calendars import Calendar, CalendarEntry
from labshare.web import blocks
from labshare.web.blocks import Block, Handle, Stretch
from labshare.web.grid import Window, week_of
from tests.furniture import at, span

WEEK = week_of(date(2026, 11, 26))
ID = UUID(int=99)
RULES = InstrumentRules(
    number=1,
    id="N001",
    centre_id="C-ONE",
    timezone="Asia/Ho_Chi_Minh",
    booking_mode="time",
    opening=parse_opening("Mon-Fri 08:00-18:00"),
    spans_closed_hours=False,
    min_minutes=60,
    max_minutes=240,
    granularity_minutes=30,
    advance_days=60,
    setup_minutes=0,
    cleanup_minutes=0,
    attended=True,
    qualification="",
)


def entry(when: Span, **changes: Any) -> CalendarEntry:
    """A masked use, unless the changes say more."""
    values: dict[str, Any] = {
        "instrument_number": 1,
        "kind": BookingKind.USE,
        "starts_at": when.start,
        "ends_at": when.end,
        "occupied_from": when.start,
        "occupied_until": when.end,
        "is_own": False,
    }
    return CalendarEntry(**(values | changes))


def calendar(*entries: CalendarEntry, opened: list[Span] | None = None, kept: tuple[KeptTime, ...] = ()) -> Calendar:
    """The week of the one instrument, open on Thursday unless said otherwise."""
    return Calendar(
        span=WEEK.span,
        instruments=(RULES,),
        entries={1: list(entries)},
        opened={1: [span(26, 8, 18)] if opened is None else opened},
        kept={1: list(kept)},
    )


def said(one: CalendarEntry, *, sees_bookings: bool = False) -> Block:
    (stretch,) = blocks.occupied([one], WEEK, at(23, 8), sees_bookings=sees_bookings)
    return stretch.block


def test_a_masked_entry_says_when_and_nothing_else() -> None:
    around = Span(at(26, 8, 45), at(26, 11, 15))
    masked = entry(span(26, 9, 11), occupied_from=around.start, occupied_until=around.end)
    # Even to somebody who answers for a centre: what the query masked is not known here.
    for sees in (False, True):
        assert said(masked, sees_bookings=sees) == Block("taken", "08:45–11:15", "Đã có người")


def test_ones_own_booking_is_named_and_leads_to_its_page() -> None:
    own = entry(span(26, 9, 11), is_own=True, id=ID, state=BookingState.CONFIRMED, project="KC-01", purpose="Màng ZnO")
    assert said(own) == Block("mine", "09:00–11:00", "Của bạn: Màng ZnO", "KC-01", f"/bookings/{ID}")
    without = msgspec.structs.replace(own, purpose="")
    assert (said(without).title, said(without).note) == ("Của bạn: KC-01", "")
    held = msgspec.structs.replace(own, state=BookingState.HELD)
    assert said(held).kind == "mine held"


def test_set_up_and_clean_up_are_told_apart_from_the_use() -> None:
    own = entry(
        span(26, 9, 11), is_own=True, id=ID, state=BookingState.CONFIRMED, purpose="Màng ZnO",
        occupied_from=at(26, 8, 45), occupied_until=at(26, 11, 15),
    )  # fmt: skip
    assert (said(own).time, said(own).note) == ("09:00–11:00", "cả chuẩn bị: 08:45–11:15")


def test_a_manager_reads_who_and_may_open_it() -> None:
    theirs = entry(
        span(26, 9, 11), id=ID, state=BookingState.CONFIRMED, person="Colleague", project="KC-01", purpose="Lô 14"
    )
    assert said(theirs, sees_bookings=True) == Block(
        "named", "09:00–11:00", "Colleague", "KC-01 · Lô 14", f"/bookings/{ID}"
    )


@pytest.mark.parametrize(
    ("kind", "title"),
    [(BookingKind.MAINTENANCE, "Bảo trì"), (BookingKind.ENGINEERING, "Hiệu chỉnh, thử máy"),
     (BookingKind.CLOSURE, "Đóng cửa")],
)  # fmt: skip
def test_a_block_by_the_centre_is_read_by_everybody_and_opened_by_its_managers(kind: BookingKind, title: str) -> None:
    block = entry(span(26, 9, 11), kind=kind, id=ID, state=BookingState.CONFIRMED, purpose="Thay đèn")
    assert said(block) == Block(kind.value, "09:00–11:00", title, "Thay đèn")
    assert said(block, sees_bookings=True).href == f"/bookings/{ID}"


def test_kept_time_is_what_is_open_and_not_occupied() -> None:
    # Kept all Thursday; open 08-18, occupied 10-12: what is kept to see is 08-10 and 12-18.
    kept = KeptTime(span=Span(at(26, 0), at(27, 0)), round_code="2026-Q4", freed_at=at(28, 9))
    found = list(blocks.kept(calendar(entry(span(26, 10, 12)), kept=(kept,)), RULES, WEEK))
    thursday = 3 * 1440
    assert [(each.start - thursday, each.end - thursday) for each in found] == [(480, 600), (720, 1080)]
    assert found[0].block == Block("kept", "08:00–10:00", "Giữ cho đợt 2026-Q4", "mở lại 28/11")


# ---------------------------------------------------------------- free


def free(given: Calendar, now: datetime, **changes: Any) -> list[tuple[str, dict[str, str]]]:
    rules = msgspec.structs.replace(RULES, **changes)
    return [
        (each.block.time, {name: value[0] for name, value in parse_qs(urlsplit(each.block.href).query).items()})
        for each in blocks.free(given, rules, WEEK, now)
    ]


def test_free_time_is_offered_with_a_form_that_is_filled_in() -> None:
    # Open 08-18, occupied 10-12 and 17:30-18: 08-10, then 12-17:30; the last half hour is taken.
    given = calendar(entry(span(26, 10, 12)), entry(Span(at(26, 17, 30), at(26, 18))))
    assert free(given, at(23, 8)) == [
        ("08:00–10:00", {"instrument": "N001", "date": "2026-11-26", "from": "08:00", "until": "09:00"}),
        ("12:00–17:30", {"instrument": "N001", "date": "2026-11-26", "from": "12:00", "until": "13:00"}),
    ]


def test_what_is_over_too_short_or_too_far_ahead_is_not_offered() -> None:
    # At 09:10 the first start on the half hour is 09:30; 09:30-10:00 is shorter than the hour that is asked for.
    given = calendar(entry(span(26, 10, 12)))
    assert [time for time, _ in free(given, at(26, 9, 10))] == ["12:00–18:00"]
    # Three days ahead of Monday 08:00 is Thursday 08:00: nothing on Thursday can end before that.
    assert free(calendar(), at(23, 8), advance_days=3) == []
    assert free(calendar(), at(23, 8), booking_mode="service") == []
    assert free(calendar(), at(23, 8), retired=True) == []


def test_what_is_too_late_to_book_is_not_shown_as_free() -> None:
    # Booked three hours ahead: at 09:10 and a few seconds from 12:11 on, which on the raster is 12:30.
    given = msgspec.structs.replace(calendar(), cut_off={1: 3})
    assert [time for time, _ in free(given, at(26, 9, 10) + timedelta(seconds=17))] == ["12:30–18:00"]
    # At 09:00 sharp 12:00 is just early enough, a second later it is not.
    assert [time for time, _ in free(given, at(26, 9))] == ["12:00–18:00"]
    assert [time for time, _ in free(given, at(26, 9) + timedelta(seconds=1))] == ["12:30–18:00"]
    # Nor is a start that has passed by seconds, where no rule asks for anything.
    assert [time for time, _ in free(calendar(), at(26, 9) + timedelta(seconds=1))] == ["09:30–18:00"]


def test_what_is_too_early_to_book_is_not_shown_as_free() -> None:
    # Three days ahead of Monday 10:00 is Thursday 10:00, when a use must be over; an hour is the shortest.
    given = msgspec.structs.replace(calendar(), furthest={1: 3})
    assert [time for time, _ in free(given, at(23, 10))] == ["08:00–10:00"]
    assert [time for time, _ in free(given, at(23, 9))] == ["08:00–09:00"]
    assert free(given, at(23, 8)) == []


def test_set_up_and_clean_up_are_kept_out_of_what_is_offered() -> None:
    # Fifteen minutes each: a use may begin at 12:15, which is 12:30 on the raster, and must end by 09:45.
    given = calendar(entry(span(26, 10, 12)))
    found = free(given, at(23, 8), setup_minutes=15, cleanup_minutes=15)
    assert [time for time, _ in found] == ["08:00–09:45", "12:30–18:00"]


def test_a_stretch_over_midnight_is_offered_on_each_of_its_days() -> None:
    # Open from Thursday 22:00 to Friday 04:00. A four-hour use may begin at 22:00 or at midnight, not later.
    night = calendar(opened=[Span(at(26, 22), at(27, 4))])
    found = free(night, at(23, 8), min_minutes=240, max_minutes=240, granularity_minutes=240)
    assert found == [
        ("22:00–24:00", {"instrument": "N001", "date": "2026-11-26", "from": "22:00", "until": "02:00",
                         "until_date": "2026-11-27"}),
        ("00:00–04:00", {"instrument": "N001", "date": "2026-11-27", "from": "00:00", "until": "04:00"}),
    ]  # fmt: skip


# ---------------------------------------------------------------- what is chosen and dragged


def test_ones_own_booking_can_be_dragged_until_it_begins() -> None:
    own = entry(span(26, 9, 11), is_own=True, id=ID, version=3, state=BookingState.CONFIRMED, project="KC-01")
    # Nine hours after midnight is minute 540.
    assert said(own).handle == Handle(3, "2026-11-26", 540, 120)
    (begun,) = blocks.occupied([own], WEEK, at(26, 9), sees_bookings=False)
    assert begun.block.handle is None
    for state in (BookingState.IN_USE, BookingState.DONE):
        assert said(msgspec.structs.replace(own, state=state)).handle is None
    # Nor is somebody else's, or one that the reader trains; and what began in the week before has its own day.
    assert said(msgspec.structs.replace(own, is_own=False), sees_bookings=True).handle is None
    assert said(msgspec.structs.replace(own, is_trainer=True)).handle is None
    (night,) = blocks.occupied(
        [msgspec.structs.replace(own, starts_at=at(22, 22), ends_at=at(23, 10))], WEEK, at(21, 8), sees_bookings=False
    )
    assert night.block.handle == Handle(3, "2026-11-22", 1320, 720)


def test_who_manages_the_calendar_drags_everybodys_bookings_and_blocks() -> None:
    theirs = entry(span(26, 9, 11), id=ID, version=3, state=BookingState.CONFIRMED, person="Researcher")
    held = msgspec.structs.replace(theirs, state=BookingState.HELD)
    block = msgspec.structs.replace(theirs, kind=BookingKind.MAINTENANCE, person=None)
    rows = [theirs, held, block]
    found = list(blocks.occupied(rows, WEEK, at(23, 8), sees_bookings=True, manages=True))
    assert [each.block.handle for each in found] == [
        Handle(3, "2026-11-26", 540, 120), None, Handle(3, "2026-11-26", 540, 120),
    ]  # fmt: skip
    assert all(each.block.handle is None for each in blocks.occupied(rows, WEEK, at(23, 8), sees_bookings=True))


def test_only_the_part_with_the_end_has_the_last_edge() -> None:
    run = Stretch(3 * 1440 + 1200, 4 * 1440 + 600, Block("mine", "", ""))
    thursday, friday = (list(blocks.of_day([run], day, Window(0, 24))) for day in (3, 4))
    assert [part.is_last for part in (*thursday, *friday)] == [False, True]


@pytest.mark.parametrize(
    ("granularity", "least", "most", "expected"),
    [
        (30, 60, 240, (30, 30, 60, 240)),
        # Finer than a hand can point: quarters of an hour, and lengths of whole ones.
        (5, 20, 100, (15, 15, 30, 90)),
        (10, 10, 60, (20, 20, 20, 60)),
        # Runs of four hours begin at any hour; of ninety minutes, on the hours that the raster of 60 shares: 180.
        (240, 240, 960, (60, 240, 240, 960)),
        (90, 90, 400, (60, 180, 180, 360)),
    ],
)
def test_choices_stand_on_the_raster_of_the_instrument(
    granularity: int, least: int, most: int, expected: tuple[int, int, int, int]
) -> None:
    rules = msgspec.structs.replace(RULES, granularity_minutes=granularity, min_minutes=least, max_minutes=most)
    found = blocks.track(rules)
    assert (found.step, found.stride, found.least, found.most) == expected


# ---------------------------------------------------------------- several at a time


def test_what_others_have_is_told_by_when_it_is_full() -> None:
    """Two of two from 10 to 11, one's own beside: others are not counted out one by one."""
    mine = entry(span(26, 10, 12), is_own=True, id=ID, state=BookingState.CONFIRMED, purpose="AFM")
    rows = [
        entry(span(26, 9, 11)),
        mine,
        entry(span(26, 14, 15), kind=BookingKind.CLOSURE, state=BookingState.CONFIRMED),
    ]
    with speaking("en"):
        found = list(blocks.occupied(rows, WEEK, at(23, 8), sees_bookings=False, capacity=2))
    assert [(each.block.title, each.block.kind, each.block.time) for each in found] == [
        ("Yours: AFM", "mine", "10:00–12:00"),
        ("Closure", "closure", "14:00–15:00"),
        ("Full", "taken", "10:00–11:00"),
    ]


def test_a_stretch_is_free_while_a_unit_is_left() -> None:
    """Two of three at most from 10 to 11; where there are two units only, that hour is full."""
    given = calendar(entry(span(26, 9, 11)), entry(span(26, 10, 12)))
    with speaking("en"):
        three = list(blocks.free(given, msgspec.structs.replace(RULES, capacity=3), WEEK, at(23, 8)))
    assert [(each.block.time, each.block.note) for each in three] == [("08:00–18:00", "at least 1 of 3 places")]
    with speaking("en"):
        alone = list(blocks.free(calendar(), msgspec.structs.replace(RULES, capacity=3), WEEK, at(23, 8)))
    assert [each.block.note for each in alone] == ["all 3 places"]
    assert [time for time, _ in free(given, at(23, 8), capacity=2)] == ["08:00–10:00", "11:00–18:00"]


def test_what_is_at_the_same_time_stands_side_by_side() -> None:
    def stretch(start: int, end: int, kind: str) -> Stretch:
        return Stretch(start * 60, end * 60, Block(kind, "", ""))

    found = blocks.of_day(
        [stretch(8, 10, "a"), stretch(9, 11, "b"), stretch(10, 12, "c"), stretch(12, 13, "d")], 0, DAY
    )
    # The third takes the lane that the first has left; the fourth stands alone.
    assert [(each.css, each.id) for each in found] == [
        ("a at0 of2 fh8 fm0 uh10 um0", "at-0-480"),
        ("b at1 of2 fh9 fm0 uh11 um0", "at-0-540-1"),
        ("c at0 of2 fh10 fm0 uh12 um0", "at-0-600"),
        ("d short fh12 fm0 uh13 um0", "at-0-720"),
    ]


# ---------------------------------------------------------------- a day

DAY = Window(8, 18)


def test_a_day_shows_its_part_of_each_stretch_in_the_order_of_time() -> None:
    late, run = Block("taken", "", "late"), Block("taken", "", "run")
    stretches = [Stretch(3 * 1440 + 900, 3 * 1440 + 930, late), Stretch(2 * 1440 + 1200, 3 * 1440 + 600, run)]
    found = list(blocks.of_day(stretches, 3, Window(8, 18)))
    assert [(block.title, block.css, block.id) for block in found] == [
        ("run", "taken fh8 fm0 uh10 um0", "at-3-480"),
        ("late", "taken low fh15 fm0 uh15 um30", "at-3-900"),
    ]
    # Wednesday's part lies after 18:00, which is not drawn.
    assert list(blocks.of_day(stretches, 2, Window(8, 18))) == []


@pytest.mark.parametrize(
    ("minutes", "size"),
    [(44, " low"), (45, " short tight"), (59, " short tight"), (60, " short"), (74, " short"), (75, ""), (179, "")],
)
def test_a_block_is_marked_by_how_many_lines_it_has_room_for(minutes: int, size: str) -> None:
    (found,) = blocks.of_day([Stretch(480, 480 + minutes, Block("taken", "", ""))], 0, Window(8, 18))
    assert found.css.partition(" fh8")[0] == f"taken{size}"


def test_a_long_block_is_marked_for_the_phone() -> None:
    (found,) = blocks.of_day([Stretch(480, 480 + 180, Block("free", "", ""))], 0, Window(8, 18))
    assert found.css == "free long fh8 fm0 uh11 um0"


def test_the_words_are_those_of_the_reader() -> None:
    with speaking("en"):
        assert said(entry(span(26, 9, 11))).title == "Occupied"
        assert said(entry(Span(at(26, 22), at(27, 2)))).time == ("22:00 26 Nov – 02:00 27 Nov")


def test_the_axis_may_begin_after_a_stretch_does() -> None:
    (stretch,) = blocks.occupied([entry(Span(at(22, 20), at(23, 10)))], WEEK, at(23, 8), sees_bookings=False)
    assert (stretch.start, stretch.end) == (0, 600)
    # Sunday the 22nd lies before the week; its day is named all the same.
    assert stretch.block.time == "20:00 22/11 – 10:00 23/11"
