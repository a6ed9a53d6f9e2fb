"""A centre's booking rules over HTTP: read by everybody, posted and ended by its managers, passed with a reason."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest

from labshare.domain.booking_rules import (
    KINDS,
    Advance,
    BookingRule,
    Changeover,
    CutOff,
    DatedHours,
    Granularity,
    Holder,
    Length,
    LockWindow,
    MostBookings,
    MostMinutes,
    NeedsOperator,
    NoShows,
    Overnight,
    PrimeLimit,
    Scope,
    ScopeKind,
    ShortNotice,
    WeekHours,
)
from labshare.domain.bookings import Wish
from labshare.errors import Malformed
from labshare.i18n import speaking
from labshare.sentences import sentence
from labshare.services import booking_rules as service
from labshare.services import bookings
from labshare.store.engine import Database
from labshare.web.booking_rules import KIND_NAMES, RuleForm, read_rule, read_scope, sentence_of
from tests.furniture import ADMINISTRATOR, MANAGER, NOW, PUBLIC_PROJECT, RESEARCHER, XRD, actor, span
from tests.web.conftest import Client, send, sign_in, text_of

CENTRE = Scope(ScopeKind.CENTRE, "C-ONE")
PAGE = "/centres/C-ONE/rules"


def posted(house: Database, rule: BookingRule, scope: Scope = CENTRE) -> str:
    with house.write() as db:
        return str(service.post(db, actor(ADMINISTRATOR), scope, rule, NOW).id)


@pytest.mark.parametrize(
    ("form", "rule"),
    [
        (
            RuleForm(kind="most_bookings", holder="team", most="3", within_days="14"),
            MostBookings(holder=Holder.TEAM, most=3, within_days=14),
        ),
        (RuleForm(kind="most_minutes", most_minutes="10"), MostMinutes(holder=Holder.PERSON, most_minutes=600)),
        (RuleForm(kind="cut_off", hours="24"), CutOff(hours=24)),
        (RuleForm(kind="advance", days="28"), Advance(days=28)),
        (RuleForm(kind="lock_window", hours="2"), LockWindow(hours=2)),
        (
            RuleForm(kind="prime_limit", hours="Mon-Fri 08:00-12:00", day_minutes="1h30"),
            PrimeLimit(hours="Mon-Fri 08:00-12:00", day_minutes=90),
        ),
        (RuleForm(kind="short_notice", hours="6"), ShortNotice(hours=6)),
        (
            RuleForm(kind="dated_hours", name="Tết", first="2027-02-05", last="11/02/2027"),
            DatedHours(name="Tết", first=date(2027, 2, 5), last=date(2027, 2, 11)),
        ),
        (RuleForm(kind="overnight", level="2"), Overnight(level=2)),
        (RuleForm(kind="needs_operator"), NeedsOperator()),
        (
            RuleForm(kind="week_hours", hours="Mon-Fri 07:00-19:00; Sat 08:00-12:00"),
            WeekHours(hours="Mon-Fri 07:00-19:00; Sat 08:00-12:00"),
        ),
        (RuleForm(kind="length", least_minutes="1h30", most_minutes="4"), Length(least_minutes=90, most_minutes=240)),
        (RuleForm(kind="length", most_minutes="4h"), Length(most_minutes=240)),
        (RuleForm(kind="granularity", minutes="15"), Granularity(minutes=15)),
        (
            RuleForm(kind="week_hours", hours="T2–T6 7:00–19:00; CN 8h-12h"),
            WeekHours(hours="Mon-Fri 07:00-19:00; Sun 08:00-12:00"),
        ),
        (
            RuleForm(kind="prime_limit", hours="hằng ngày 8:00-18:00", week_minutes="5"),
            PrimeLimit(hours="daily 08:00-18:00", week_minutes=300),
        ),
        (
            RuleForm(kind="dated_hours", name="Tết", first="2027-02-05", last="2027-02-05", hours="8:00-12:00"),
            DatedHours(name="Tết", first=date(2027, 2, 5), last=date(2027, 2, 5), hours="08:00-12:00"),
        ),
        (
            RuleForm(kind="changeover", setup_minutes="0", cleanup_minutes="1h"),
            Changeover(setup_minutes=0, cleanup_minutes=60),
        ),
        (
            RuleForm(kind="no_shows", strikes="3", within_days="90", block_days="14", late_minutes="20"),
            NoShows(strikes=3, within_days=90, block_days=14, late_minutes=20),
        ),
    ],
)
def test_each_kind_is_read_from_its_form(form: RuleForm, rule: BookingRule) -> None:
    assert read_rule(form) == (rule, {})


@pytest.mark.parametrize(
    ("form", "fields"),
    [
        (RuleForm(kind="most_bookings"), {"most"}),
        (RuleForm(kind="most_bookings", most="many", within_days="x"), {"most", "within_days"}),
        (RuleForm(kind="cut_off", hours="0"), {"hours"}),
        (RuleForm(kind="no_shows", strikes="3", late_minutes="soon"), {"within_days", "block_days", "late_minutes"}),
        (RuleForm(kind="prime_limit", hours="Mon-Fri 08:00-12:00"), {"day_minutes"}),
        (RuleForm(kind="prime_limit", hours="mornings", day_minutes="2"), {"hours"}),
        (RuleForm(kind="dated_hours", first="soon"), {"name", "first", "last"}),
        (RuleForm(kind="week_hours", hours="mornings"), {"hours"}),
        (RuleForm(kind="length"), {"least_minutes"}),
        (RuleForm(kind="length", least_minutes="2h", most_minutes="1h"), {"most_minutes"}),
        (RuleForm(kind="granularity", minutes="0"), {"minutes"}),
        (RuleForm(kind="changeover", cleanup_minutes="-5"), {"cleanup_minutes"}),
        (RuleForm(kind="dated_hours", name="Tết", first="2027-02-05", last="2027-02-05", hours="25-26"), {"hours"}),
    ],
)
def test_what_cannot_be_read_is_told_at_its_field(form: RuleForm, fields: set[str]) -> None:
    rule, faults = read_rule(form)
    assert (rule, set(faults)) == (None, fields)


TET = {"kind": "dated_hours", "name": "Tết", "first": "2027-02-05", "last": "2027-02-05"}


@pytest.mark.parametrize(
    ("typed", "field", "said"),
    [
        ({"kind": "advance", "days": "0"}, "days", "Mục số ngày cần một số nguyên từ 1 đến 366."),
        ({"kind": "advance", "days": "-3"}, "days", "Mục số ngày cần một số nguyên từ 1 đến 366."),
        ({"kind": "advance", "days": "9" * 20}, "days", "Mục số ngày cần một số nguyên từ 1 đến 366."),
        ({"kind": "advance", "days": "soon"}, "days", "Ô này phải là một số nguyên."),
        ({"kind": "granularity", "minutes": "9" * 20}, "minutes", "Mục bước thời gian phải từ 1 phút đến 24 giờ."),
        (
            {"kind": "changeover", "setup_minutes": "-3"},
            "setup_minutes",
            "Mục thời gian chuẩn bị phải từ 0 phút đến 168 giờ.",
        ),
        (
            {"kind": "prime_limit", "hours": "T2 8:00-9:00", "day_minutes": "-3"},
            "day_minutes",
            "Mục độ dài mỗi ngày phải từ 1 phút đến 24 giờ.",
        ),
        (TET | {"name": ""}, "name", "Hãy điền ô này."),
        (TET | {"name": "a" * 121}, "name", "Hãy ghi tên gọi, nhiều nhất 120 ký tự trên một dòng."),
        (TET | {"hours": "25-26"}, "hours", "Không đọc được giờ “25-26”. Hãy ghi như 08:00-12:00,13:00-17:00."),
        (
            TET | {"hours": "18:00-8:00"},
            "hours",
            "Giờ mở cửa “18:00-8:00” kết thúc trước khi bắt đầu; qua nửa đêm thì viết thành hai ngày.",
        ),
        ({"kind": "week_hours"}, "hours", "Hãy điền ô này."),
        (
            {"kind": "week_hours", "hours": "T8 8-9"},
            "hours",
            "Không đọc được giờ “T8 8-9”. Hãy ghi như T2-T6 08:00-18:00.",
        ),
        ({"kind": "prime_limit", "day_minutes": "2"}, "hours", "Hãy điền ô này."),
        (
            {"kind": "prime_limit", "hours": "T2 8-9"},
            "day_minutes",
            "Hãy ghi mức nhiều nhất một ngày, một tuần, hoặc cả hai.",
        ),
        ({"kind": "length"}, "least_minutes", "Hãy ghi ít nhất bao lâu, nhiều nhất bao lâu, hoặc cả hai."),
        (
            {"kind": "changeover"},
            "setup_minutes",
            "Hãy ghi thời gian giữ trước mỗi lượt, sau mỗi lượt, hoặc cả hai.",
        ),
    ],
)
def test_a_fault_is_told_in_the_words_of_its_form(typed: dict[str, str], field: str, said: str) -> None:
    _, faults = read_rule(RuleForm(**typed))
    with speaking("vi"):
        assert {name: sentence(fault) for name, fault in faults.items()} == {field: said}


def test_a_scope_is_read_from_its_choice() -> None:
    assert read_scope("group:XRD") == Scope(ScopeKind.GROUP, "XRD")
    for text in ("", "C-ONE", "zone:HHTP"):
        with pytest.raises(Malformed):
            read_scope(text)
    with pytest.raises(Malformed):
        read_rule(RuleForm(kind="none"))


def test_a_rule_is_a_sentence_in_both_languages() -> None:
    half_day = DatedHours(name="Tết", first=date(2027, 2, 5), last=date(2027, 2, 5), hours="08:00-12:00")
    with speaking("en"):
        assert sentence_of(MostMinutes(holder=Holder.TEAM, most_minutes=600, within_days=7)) == (
            "Each project team has at most 10 h booked within 7 days."
        )
        assert sentence_of(NoShows(strikes=3, within_days=90, block_days=14)) == (
            "Not coming 3× within 90 days, or coming more than 30 min late, bars from booking for 14 days."
        )
        assert sentence_of(half_day) == "Tết: open 08:00-12:00 on 5 Feb 2027."
        assert sentence_of(Length(least_minutes=90, most_minutes=240)) == "A use is 1 h 30 min to 4 h long."
        assert sentence_of(Changeover(cleanup_minutes=0)) == "0 min are kept after each use, to clean up."
    with speaking("vi"):
        assert sentence_of(CutOff(hours=24)) == "Phải đặt trước giờ bắt đầu ít nhất 24 giờ."
        assert sentence_of(WeekHours(hours="Mon-Fri 08:00-12:00")) == "Mở T2–T6 08:00–12:00, trừ ngày lễ."


def test_a_manager_posts_a_rule_and_ends_it(client: Client, house: Database) -> None:
    sign_in(client, "manager")
    assert "Chưa có quy tắc đặt giờ nào." in text_of(client.get(PAGE))
    answer = send(client, PAGE, {"kind": "cut_off", "scope": "instrument:N002", "hours": "100"})
    answer = client.get(answer.headers["location"])
    assert "Đã đặt quy tắc." in text_of(answer)
    assert "Phải đặt trước giờ bắt đầu ít nhất 100 giờ." in text_of(answer)
    assert "ít nhất 100 giờ" in text_of(client.get("/instruments/N002"))
    assert "ít nhất 100 giờ" not in text_of(client.get("/instruments/N001"))
    with house.read() as db:
        (rule,) = service.at_instrument(db, "N002")
    assert send(client, f"{PAGE}/{rule.id}/end", {}).status_code == 303
    assert "Đã chấm dứt quy tắc." in text_of(client.get(PAGE))
    assert "ít nhất 100 giờ" not in text_of(client.get(PAGE))


def test_an_instrument_shows_what_is_in_force_and_which_of_it_a_rule_says(client: Client, house: Database) -> None:
    """What rules say of hours, lengths and changeover is read where it stands, and not told again beside it."""
    sign_in(client, "manager")
    rule = {"kind": "week_hours", "scope": "instrument:N002", "hours": "Mon-Fri 09:00-16:00"}
    assert send(client, PAGE, rule).status_code == 303
    assert "Mở T2–T6 09:00–16:00, trừ ngày lễ." in text_of(client.get(PAGE))
    page = text_of(client.get("/instruments/N002"))
    assert "T2–T6 09:00–16:00, trừ ngày lễ (theo quy tắc đặt giờ)" in page
    assert page.count("theo quy tắc đặt giờ") == page.count("trừ ngày lễ") == 1
    assert "09:00–16:00" in text_of(client.get("/bookings/new?instrument=N002"))
    assert "theo quy tắc đặt giờ" not in text_of(client.get("/instruments/N001"))


def test_an_instrument_says_how_far_ahead_one_may_book_by_what_is_in_force(client: Client, house: Database) -> None:
    """Both instruments may be booked 60 days ahead by the registry; the rules say 7 days of one, and 100 of both."""
    posted(house, Advance(days=100))
    posted(house, Advance(days=7), Scope(ScopeKind.INSTRUMENT, "N002"))
    sign_in(client, "researcher")
    for address in ("/instruments/N002", "/bookings/new?instrument=N002"):
        page = text_of(client.get(address))
        assert "tối đa 7 ngày (theo quy tắc đặt giờ)" in page
        assert ("60 ngày" in page, "nhiều nhất 7 ngày" in page, "100 ngày" in page) == (False, False, False)
    for address in ("/instruments/N001", "/bookings/new?instrument=N001"):
        page = text_of(client.get(address))
        assert ("tối đa 60 ngày" in page, "theo quy tắc" in page, "100 ngày" in page) == (True, False, False)


def test_of_days_that_are_over_nothing_is_asked_any_more(client: Client, house: Database) -> None:
    """It stands among the centre's rules until somebody ends it."""
    for name, day in (("Inspection", 22), ("Audit", 23)):
        rule = DatedHours(name=name, first=date(2026, 11, day), last=date(2026, 11, day))
        with house.write() as db:
            service.post(db, actor(ADMINISTRATOR), CENTRE, rule, NOW - timedelta(days=5))
    sign_in(client, "researcher")
    for path in ("/instruments/N001", "/bookings/new?instrument=N001"):
        page = text_of(client.get(path))
        assert ("Inspection" in page, "Audit" in page) == (False, True), path
    assert "Inspection" in text_of(client.get(PAGE))


def test_what_nobody_could_book_is_told_beside_the_form_as_it_was_typed(client: Client, house: Database) -> None:
    """Both instruments of the centre are open for ten hours a day."""
    sign_in(client, "manager")
    answer = send(
        client, PAGE, {"kind": "length", "scope": "centre:C-ONE", "least_minutes": "11h", "most_minutes": "12h"}
    )
    assert answer.status_code == 422
    said = text_of(answer)
    assert "không ai đặt được máy N001: lượt ngắn nhất 11 giờ" in said
    assert "không ai đặt được máy N002: lượt ngắn nhất 11 giờ" in said
    assert 'value="11h"' in answer.text
    with house.read() as db:
        assert service.of_scope(db, CENTRE) == ()


def test_a_step_that_makes_a_raster_of_nothing_is_told_at_its_field(client: Client, house: Database) -> None:
    sign_in(client, "manager")
    answer = send(client, PAGE, {"kind": "granularity", "scope": "centre:C-ONE", "minutes": "7 phút"})
    assert answer.status_code == 400
    assert "Bước thời gian phải chia hết một giờ" in text_of(answer)
    assert 'value="7 phút"' in answer.text


def test_the_same_rule_is_not_posted_twice(client: Client, house: Database) -> None:
    sign_in(client, "manager")
    rule = {"kind": "advance", "scope": "centre:C-ONE", "days": "7"}
    assert send(client, PAGE, rule).status_code == 303
    again = send(client, PAGE, rule)
    assert (again.status_code, "Quy tắc này đang áp dụng ở đó rồi" in text_of(again)) == (422, True)
    with house.read() as db:
        assert len(service.of_scope(db, CENTRE)) == 1


def test_a_form_that_was_opened_before_is_judged_by_what_was_posted_since(client: Client, house: Database) -> None:
    sign_in(client, "researcher")
    week = client.get("/instruments/N002?date=2026-11-25")
    assert send(client, "/bookings", times(9)).status_code == 303
    posted(house, WeekHours(hours="Mon-Fri 10:00-16:00"))
    answer = send(client, "/bookings", times(8))
    assert (answer.status_code, "chỉ mở cửa: T2–T6 10:00–16:00" in text_of(answer)) == (422, True)
    assert version_of(client.get("/instruments/N002?date=2026-11-25").text) > version_of(week.text) + 1


def version_of(page: str) -> int:
    found = re.search(r'data-live="N002:(\d+)"', page)
    assert found
    return int(found[1])


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_there_is_a_form_of_every_kind(client: Client, house: Database, kind: str) -> None:
    sign_in(client, "manager")
    page = client.get(f"{PAGE}?kind={kind}").text
    fields = KINDS[KIND_NAMES.index(kind)].__struct_fields__
    for field in fields:
        assert f'name="{field}"' in page
    assert 'value="group:' not in page
    faulty = send(client, PAGE, {"kind": kind, "scope": "centre:C-ONE"})
    if not fields:
        # There is nothing to be wrong in it.
        assert faulty.status_code == 303
        return
    assert faulty.status_code == 400
    assert "field-error" in faulty.text


def test_everybody_reads_the_rules_and_only_managers_have_the_forms(client: Client, house: Database) -> None:
    rule_id = posted(house, MostBookings(holder=Holder.PERSON, most=1))
    assert "nhiều nhất 1 lượt đặt" in text_of(client.get(PAGE))
    sign_in(client, "researcher")
    page = client.get(PAGE)
    assert "<form" not in page.text.partition("<main")[2].partition("</main>")[0]
    assert "nhiều nhất 1 lượt đặt" in text_of(client.get("/bookings/new?instrument=N002"))
    assert send(client, PAGE, {"kind": "cut_off", "scope": "centre:C-ONE", "hours": "1"}).status_code == 403
    assert send(client, f"{PAGE}/{rule_id}/end", {}).status_code == 403
    assert client.get("/centres/C-NONE/rules").status_code == 404


def times(hour: int, **more: str) -> dict[str, str]:
    typed = {"date": "2026-11-25", "from": f"{hour}:00", "until": f"{hour + 1}:00"}
    return {"instrument": "N002", "project": str(PUBLIC_PROJECT), **typed, **more}


def test_a_manager_passes_the_rules_with_a_reason_that_managers_read(client: Client, house: Database) -> None:
    posted(house, CutOff(hours=100))
    sign_in(client, "manager")
    assert "Đã quá muộn" in text_of(send(client, "/bookings", times(9)))
    short = send(client, "/bookings", times(9, override_reason="urgent"))
    assert (short.status_code, "ít nhất 3 từ" in text_of(short)) == (400, True)
    made = send(client, "/bookings", times(9, override_reason="Sample decays before Friday"))
    assert "Sample decays before Friday" in text_of(client.get(made.headers["location"]))


def test_a_user_is_not_asked_for_a_reason_nor_shown_one(client: Client, house: Database) -> None:
    posted(house, CutOff(hours=100))
    wish = Wish(
        instrument_number=XRD,
        span=span(25, 9, 10),
        person_id=RESEARCHER,
        project_id=PUBLIC_PROJECT,
        override="Sample decays before Friday",
    )
    with house.write() as db:
        booking = bookings.book(db, actor(MANAGER), wish, NOW)
    sign_in(client, "researcher")
    assert "Sample decays" not in client.get(f"/bookings/{booking.id}").text
    assert "override_reason" not in client.get("/bookings/new?instrument=N002").text
    answer = send(client, "/bookings", times(10, override_reason="I would like to"))
    assert answer.status_code == 403


def test_a_locked_booking_says_so_on_its_page(client: Client, house: Database) -> None:
    with house.write() as db:
        wish = Wish(instrument_number=XRD, span=span(25, 9, 10), project_id=PUBLIC_PROJECT)
        booking = bookings.book(db, actor(RESEARCHER), wish, NOW)
    posted(house, LockWindow(hours=100))
    sign_in(client, "researcher")
    answer = send(client, f"/bookings/{booking.id}/cancel", {"version": "1"})
    assert answer.status_code == 422
    assert "chỉ người quản lý trung tâm mới dời hoặc hủy được" in text_of(answer)
