"""Agreements over HTTP: each reader meets those that name them, in words, with a bar for each rule."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from labshare.domain.agreements import Scope, Selector, Strictness
from labshare.domain.bases import Base
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.domain.clauses import whole
from tests.furniture import FESEM, a_booking, span
from tests.shares import ONE, a_floor, a_rule, an_agreement, by_industry, load, put
from tests.web.conftest import Client, send, sign_in, text_of


@pytest.fixture(autouse=True)
def agreements(house: Database, tmp_path: Path) -> None:
    """The partner's own, with half of a cap of ten hours taken, and one between others."""
    own = a_rule(who=Selector(organisation=("O-CO",)), legal="Khoản 4.1")
    with house.write() as db:
        load(
            db,
            tmp_path,
            an_agreement(
                own, a_floor(share=Fraction(1, 2), release_hours=48), parties=("I-IMS", "O-CO"), partner_id="O-CO"
            ),
            an_agreement(a_rule(where=Scope(centres=("C-TWO",))), id="THEIRS", title_vi="Thỏa thuận của bên khác"),
            an_agreement(a_rule(where=ONE), id="OLD", parties=("O-CO",), effective_until=date(2026, 1, 31)),
        )
        put(db, by_industry(FESEM, span(25, 8, 13)))


def test_a_partner_sees_its_agreements_and_no_other(client: Client) -> None:
    sign_in(client, "partner")
    answer = client.get("/agreements")
    assert answer.status_code == 200
    page = text_of(answer)
    assert "Thỏa thuận một" in page
    assert "Hôm nay không có hiệu lực" in page
    assert "của bên khác" not in page
    assert client.get("/agreements/THEIRS").status_code == 404
    assert client.get("/agreements/NONE").status_code == 404


def test_a_rule_stands_in_words_with_its_numbers(client: Client) -> None:
    sign_in(client, "partner")
    page = text_of(client.get("/agreements/PPP-1"))
    # An eighth of 4,800 min is 10 h; five are booked ahead, five are left until Sunday.
    assert "Công nghiệp tối đa 12,5 %." in page
    assert "đã dùng 0 giờ đã cam kết 5 giờ tối đa 10 giờ" in page
    assert "còn 5 giờ" in page
    assert "23/11/2026 – 29/11/2026" in page
    assert "nhiều nhất 12,5 % thời gian phân bổ được mỗi tuần" in page
    assert "Công ty đối tác" in page
    assert "Trung tâm Một" in page
    assert "Khoản 4.1" in page
    assert "được giữ đến 48 giờ trước giờ bắt đầu" in page


def test_a_common_rule_is_told_without_figures_to_a_partner_and_with_them_to_the_manager(
    client: Client, house: Database
) -> None:
    with house.write() as db:
        put(db, a_booking(FESEM, span(26, 8, 10)))
    sign_in(client, "partner")
    page = text_of(client.get("/agreements/PPP-1"))
    # One institute counts for the floor: what is missing of it would be what that institute did.
    assert "Có dưới ba tổ chức khác được tính ở đây" in page
    assert "còn thiếu" not in page
    sign_in(client, "manager")
    # Half of 4,800 min is 40 h, of which 2 are booked.
    assert "còn thiếu 38 giờ" in text_of(client.get("/agreements/PPP-1"))


def test_english_is_complete(client: Client) -> None:
    sign_in(client, "partner")
    send(client, "/language", {"value": "en", "next": "/agreements/PPP-1"})
    page = text_of(client.get("/agreements/PPP-1"))
    assert "Industry has at most 12.5 %." in page
    assert "at most 12.5 % of the allocable time per week" in page
    assert "5 h left" in page


def test_strangers_are_turned_away(client: Client) -> None:
    assert client.get("/agreements").status_code == 401
    sign_in(client, "researcher")
    assert client.get("/agreements").status_code == 403
    assert client.get("/agreements/PPP-1").status_code == 403


def test_the_home_page_tells_a_partner_where_its_share_stands(client: Client) -> None:
    sign_in(client, "partner")
    page = text_of(client.get("/"))
    assert "Hạn mức theo thỏa thuận" in page
    assert "còn 5 giờ · đến 29/11/2026" in page
    sign_in(client, "researcher")
    assert "Hạn mức theo thỏa thuận" not in text_of(client.get("/"))


# ---------------------------------------------------------------- clauses that are no share rules


def with_every_clause(house: Database, tmp_path: Path) -> None:
    with house.write() as db:
        parties = [("O-A", "Công ty A", "Company A"), ("O-B", "Công ty B", "Company B")]
        db.execute(
            sa.insert(t.organisations),
            [
                {"id": key, "name_vi": vi, "name_en": en, "kind": "company", "verification": "illustrative"}
                for key, vi, en in parties
            ],
        )
        load(db, tmp_path, msgspec.structs.replace(whole(), parties=(*whole().parties, "O-CO")))


def test_other_clauses_stand_in_plain_words(client: Client, house: Database, tmp_path: Path) -> None:
    """A bears 8 of 50 bn, 16 % (R03). A small firm pays 75 % (R15). What security lists name is not told (R26)."""
    with_every_clause(house, tmp_path)
    sign_in(client, "partner")
    page = text_of(client.get("/agreements/PPP-ALL"))
    for said in (
        "Liên doanh, liên kết có sử dụng tài sản công",
        "8.000.000.000 ₫",
        "(tiền 6.800.000.000 ₫, hiện vật 1.200.000.000 ₫)",
        "Công ty A: 16 %",
        "120 giờ mỗi quý",
        "tại 1/3 của kỳ: dùng dưới 10 % thì mất 25 % phần còn lại",
        "chưa xác nhận trước 72 giờ",
        "lấy nhiều nhất 30 % thời gian, báo trước 10 ngày làm việc",
        "Nhiệm vụ Nhà nước giao",
        "sau 14 ngày phần đã dùng chỉ tính một nửa",
        "2.400.000 ₫ mỗi giờ",
        "75 %: 1.800.000 ₫ mỗi giờ (Doanh nghiệp, Đối tác PPP (nhỏ và vừa))",
        "được miễn 100 % trong 3 năm",
        "giảm 20 %",
        "T2–T6 08:00–18:00; 5 giờ một người mỗi ngày",
        "sau 3 lần trong 90 ngày thì không được đặt trong 14 ngày",
        "ít nhất 3 bên; tên công việc khác hiện sau 24 tháng",
        "Lưỡng dụng, Quốc phòng: quyết định trong 5 ngày làm việc",
        "Trung tâm Một",
    ):
        assert said in page
    assert "Công ty B:" not in page
    assert "UAV" not in page
    assert "O-WATCHED" not in page


def test_other_clauses_are_complete_in_english(client: Client, house: Database, tmp_path: Path) -> None:
    with_every_clause(house, tmp_path)
    sign_in(client, "partner")
    send(client, "/language", {"value": "en", "next": "/agreements/PPP-ALL"})
    page = text_of(client.get("/agreements/PPP-ALL"))
    for said in (
        "Joint venture with public assets",
        "Company A: 16 %",
        "used under 10 %, loses 25 % of the rest",
        "75 %: VND 1,800,000 an hour (Industry, PPP partner (small or medium))",
        "Mon–Fri 08:00–18:00; 5 h per person a day",
        "without a decision the request stays held",
    ):
        assert said in page


def test_an_agreement_without_them_has_no_empty_sections(client: Client) -> None:
    sign_in(client, "partner")
    page = text_of(client.get("/agreements/PPP-1"))
    for heading in ("Hợp đồng và phần góp", "Thứ tự ưu tiên", "Biểu giá", "Giờ cao điểm"):
        assert heading not in page


def test_the_limit_of_a_share_of_what_is_booked_is_for_those_who_see_everybody(
    client: Client, house: Database, tmp_path: Path
) -> None:
    """Seven hours are booked, five of them by the partner: from an eighth of seven it would read the two of others."""
    moving = a_rule(who=Selector(organisation=("O-CO",)), base=Base.BOOKED, strict=Strictness.SOFT, penalty=1)
    with house.write() as db:
        load(db, tmp_path, an_agreement(moving, id="MOVES", parties=("I-IMS", "O-CO")))
        put(db, a_booking(FESEM, span(26, 8, 10)))
    sign_in(client, "partner")
    page = text_of(client.get("/agreements/MOVES"))
    assert "nhiều nhất 12,5 % thời gian đã đặt mỗi tuần" in page
    assert "Hạn mức đi theo phần mọi bên đã dùng" in page
    # Its own five hours, and nothing made of all seven.
    assert "5 giờ" in page
    assert "7 giờ" not in page
    assert client.get("/reports/utilisation.csv?table=shares").status_code == 200
    sign_in(client, "office")
    assert "7 giờ" in text_of(client.get("/agreements/MOVES"))
