"""The picture of a plan: hours in which nothing is open take no width, and everything else keeps its proportion."""

from __future__ import annotations

from labshare.domain.rounds import PlanState
from labshare.i18n import speaking
from labshare.services.desk import Desk, DeskRow, DeskSession
from labshare.services.round_pages import RequestLine
from labshare.services.slots import Grid
from labshare.store.rounds import InstrumentName, Name
from labshare.web.timelines import Axis, Head, stretches, timeline
from tests.domain.test_rounds import a_plan, a_round
from tests.domain.test_time_requests import request
from tests.round_of import at, span

GRID = Grid(at(0, 0), 30, 240)
CENTRE = Name(id="C-ONE", name_vi="Trung tâm Một", name_en="Centre One")
XRD = InstrumentName(id="N002", name_vi="Máy XRD", name_en="XRD instrument", number=2, centre=CENTRE, capability=CENTRE)
LINE = RequestLine(
    request=request(), round=a_round(), label="#7", project="KC-01", person="Researcher", organisation=CENTRE,
    instruments=(XRD,),
)  # fmt: skip


def row(*free: tuple[int, int], sessions: tuple[DeskSession, ...] = ()) -> DeskRow:
    return DeskRow(instrument=XRD, free=free, sessions=sessions)


def desk(*rows: DeskRow) -> Desk:
    return Desk(
        round=a_round(), plan=a_plan(PlanState.PROPOSED), grid=GRID, status="optimal", gap=0.0, value=0, seconds=1.0,
        stages=1, placed=1, asked=1, rows=rows, left_out=(), shares=(), classes=(), organisations=(), parts=(),
        may_publish=False,
    )  # fmt: skip


def test_days_stand_side_by_side_and_nights_take_no_width() -> None:
    """Monday 8 to 18 and Tuesday 8 to 18 are 20 slots each: Tuesday begins in the middle, and 10:00 is a tenth in."""
    axis = Axis([(16, 36), (64, 84)])
    assert [axis.percent(slot) for slot in (16, 20, 36, 50, 64, 84)] == [0.0, 10.0, 50.0, 50.0, 50.0, 100.0]
    assert axis.percent(0) == 0.0


def test_short_breaks_are_drawn_and_long_ones_left_out() -> None:
    # 12 to 13 is drawn; from 18 to 8 of the next day is not.
    rows = [row((16, 24), (26, 36)), row((64, 84))]
    assert stretches(rows, GRID) == [(16, 36), (64, 84)]


def test_a_session_outside_what_is_free_still_has_its_place() -> None:
    session = DeskSession(line=LINE, use=span(1, 8, 9), first=64, last=66)
    assert stretches([row((16, 36), sessions=(session,))], GRID) == [(16, 36), (64, 66)]


def test_a_session_is_drawn_with_its_label_its_class_and_words() -> None:
    session = DeskSession(line=LINE, use=span(0, 8, 10), first=16, last=20)
    with speaking("en"):
        drawn = timeline(desk(row((16, 36), sessions=(session,))))
    (mark,) = drawn.strips[0].marks
    assert (mark.x, mark.width, mark.label, mark.access_class) == ("0.000%", "20.000%", "#7", "public_research")
    assert mark.words == "#7 · Mon 30 Nov 2026, 08:00–10:00 · KC-01"


def test_each_day_is_named_where_it_begins() -> None:
    with speaking("vi"):
        drawn = timeline(desk(row((16, 36), (64, 84))))
    assert drawn.heads == (Head("0.000%", "T2 30/11"), Head("50.000%", "T3 01/12"))


def test_a_day_that_goes_through_the_night_is_named_at_midnight() -> None:
    """Monday 22:00 to Tuesday 02:00 are eight slots; midnight is in the middle."""
    with speaking("en"):
        drawn = timeline(desk(row((44, 52))))
    assert drawn.heads == (Head("0.000%", "Mon 30 Nov"), Head("50.000%", "Tue 1 Dec"))


def test_many_days_are_named_by_their_numbers() -> None:
    long = tuple((48 * day + 16, 48 * day + 20) for day in range(20))
    with speaking("en"):
        drawn = timeline(desk(row(*long)))
    assert [head.words for head in drawn.heads[:2]] == ["30 Nov", "1 Dec"]


def test_nothing_to_draw_is_no_fault() -> None:
    assert timeline(desk(row())).heads == ()
