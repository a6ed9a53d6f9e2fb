"""A partner reads how its share was honoured: in a real browser, and over HTTP where the answer is no."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, expect

from labshare.domain.agreements import Selector
from labshare.domain.bookings import BookingState
from labshare.store import bookings as booking_store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.browser import enter, faults, overflow, window
from tests.furniture import FESEM, INDUSTRY_PROJECT, XRD, a_booking, span
from tests.services.test_reports import ECONOMIC, october
from tests.shares import ONE, a_rule, a_run, an_agreement, by_industry, load, put
from tests.web.conftest import Client, send, sign_in, text_of


@pytest.fixture(autouse=True)
def october_and_now(house: Database, tmp_path: Path) -> None:
    """October at centre one: the partner 6 h (5 delivered), three companies 4 h each, the institute 10 h. This week the
    partner has 8 of the 10 hours of its cap (an eighth of 80 h).
    """
    own = a_rule(
        who=Selector(organisation=("O-CO",)),
        where=ONE,
        sentence_vi="Đối tác có nhiều nhất một phần tám thời gian.",
        sentence_en="The partner has at most one eighth of the time.",
    )
    with house.write() as db:
        db.execute(
            sa.insert(t.organisations),
            [{"id": f"O-{name}", "name_vi": f"Đối thủ {name}", "name_en": f"Rival {name}"} for name in "ABC"],
        )
        load(db, tmp_path, an_agreement(own, parties=("I-IMS", "O-CO"), partner_id="O-CO"))
        mine = by_industry(XRD, october(6, 8, 14), state=BookingState.DONE)
        rivals = [
            a_booking(FESEM, october(7 + day, 8, 12), organisation_id=f"O-{name}", state=BookingState.DONE, **ECONOMIC)
            for day, name in enumerate("ABC")
        ]
        booking_store.add(db, [mine, *rivals, a_booking(FESEM, october(14, 8, 18), state=BookingState.DONE)])
        a_run(db, mine.id, XRD, october(6, 8, 13))
        put(db, by_industry(FESEM, span(26, 8, 16)))


@pytest.mark.slow
def test_a_partner_follows_its_share_from_home_to_the_report_and_takes_it_away(browser: Browser, site: str) -> None:
    with window(browser, site, width=1440) as page:
        enter(page, "partner")
        share = page.get_by_role("link", name="Đối tác có nhiều nhất một phần tám thời gian.")
        # Ten hours are an eighth of the week's 80; two are left, and 80 % is where the warning begins.
        expect(share).to_contain_text("còn 2 giờ")
        share.click()
        expect(page.locator("h1")).to_have_text("Thỏa thuận một")
        expect(page.locator(".bar")).to_contain_text("Sắp hết hạn mức")

        page.get_by_role("link", name="Báo cáo sử dụng").click()
        page.get_by_label("Kỳ", exact=True).select_option("month")
        page.get_by_label("Một ngày trong kỳ, hoặc ngày đầu").fill("2026-10-20")
        page.get_by_label("Phạm vi").select_option("centre:C-ONE")
        page.get_by_role("button", name="Xem", exact=True).click()

        expect(page.locator("h1")).to_have_text("Báo cáo sử dụng")
        rows = page.locator(".use tbody tr")
        # Industry alone has three rivals, public research one: together they are told as four parties and 22 h.
        expect(rows).to_have_count(3)
        expect(rows.nth(0).locator("th, td")).to_have_text(
            ["Doanh nghiệp", "Công ty đối tác", "6 giờ", "5 giờ", "0 giờ"]
        )
        told = ["Các nhóm khác gộp chung", "4 tổ chức khác", "22 giờ", "0 giờ", "–"]
        expect(rows.nth(1).locator("th, td")).to_have_text(told)
        expect(page.locator("#use-chart canvas")).to_be_visible()
        assert "Đối thủ" not in page.content()
        assert (faults(page), overflow(page)) == ([], 0)

        with page.expect_download() as download:
            page.locator(".use").get_by_role("link", name="CSV").click()
        with Path(download.value.path()).open(encoding="utf-8-sig", newline="") as file:
            own, others = csv.DictReader(file)
        assert (own["organisation"], own["booked_minutes"], own["delivered_minutes"]) == ("O-CO", "360", "300")
        assert (others["organisation"], others["parties"], others["booked_minutes"]) == ("", "4", "1320")


def test_a_partner_learns_of_nobody_where_few_were(client: Client, house: Database) -> None:
    """The unhappy twin: at centre two there was one rival, whom no page, file or refusal may show."""
    with house.write() as db:
        rival = a_booking(3, october(20, 8, 18), organisation_id="O-A", state=BookingState.DONE, **ECONOMIC)
        booking_store.add(db, [rival])
    sign_in(client, "partner")
    october_there = "period=month&day=2026-10-20&scope=centre:C-TWO"
    answer = client.get(f"/reports/utilisation?{october_there}")
    page = text_of(answer)
    assert "1 tháng của trung tâm có quá ít tổ chức" in page
    assert "Chưa có hiệu suất để hiển thị" in page
    assert "10 giờ" not in page
    for table in ("use", "ladder", "shares"):
        rows = client.get(f"/reports/utilisation.csv?{october_there}&table={table}").text.splitlines()
        assert len(rows) == 1, table


def test_a_partner_that_has_used_its_share_reads_which_clause_and_when_it_begins_anew(client: Client) -> None:
    sign_in(client, "competitor")
    form = {
        "instrument": "N002", "project": str(INDUSTRY_PROJECT), "date": "2026-11-27", "from": "08:00", "until": "12:00",
    }  # fmt: skip
    answer = send(client, "/bookings", form)
    assert answer.status_code == 422
    page = text_of(answer)
    assert "Đối tác có nhiều nhất một phần tám thời gian." in page
    assert "Thời gian xin là 4 giờ nhưng tuần này chỉ còn 2 giờ trong hạn mức 10 giờ" in page
    assert "00:00 T2 30/11/2026" in page
