"""The report of use over HTTP: page and CSV for each reader, and what is said when it cannot be made."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from labshare.domain.bookings import BookingState
from labshare.store import bookings as booking_store
from labshare.store.engine import Database
from tests.browser import enter, faults, window
from tests.furniture import COMPETITOR, FESEM, XRD, a_booking, span
from tests.shares import a_rule, a_run, an_agreement, by_industry, load
from tests.web.conftest import Client, send, sign_in, text_of

REPORT = "/reports/utilisation"
NOVEMBER = f"{REPORT}?period=month&day=2026-11-05"


@pytest.fixture(autouse=True)
def use(house: Database, tmp_path: Path) -> None:
    """In November the institute had ten hours and ran eight, the partner six; the partner has two to come."""
    done = a_booking(FESEM, span(10, 8, 18), state=BookingState.DONE)
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_rule(), parties=("I-IMS", "O-CO"), partner_id="O-CO"))
        booking_store.add(
            db, [done, by_industry(XRD, span(11, 8, 14)), by_industry(XRD, span(26, 8, 10), person_id=COMPETITOR)]
        )
        a_run(db, done.id, FESEM, span(10, 8, 16))


def test_a_manager_reads_who_used_what(client: Client) -> None:
    sign_in(client, "manager")
    answer = client.get(NOVEMBER)
    assert answer.status_code == 200
    page = text_of(answer)
    assert "Tháng 11/2026" in page
    assert "tính đến 08:00 T2 23/11/2026" in page
    assert "Nghiên cứu công Viện Khoa học vật liệu 10 giờ 8 giờ 0 giờ" in page
    assert "Doanh nghiệp Công ty đối tác 6 giờ 0 giờ 2 giờ" in page
    assert "Tổng các dòng trên 16 giờ 8 giờ 2 giờ" in page


def test_both_utilisations_stand_with_their_denominators(client: Client) -> None:
    sign_in(client, "manager")
    page = text_of(client.get(NOVEMBER))
    # 1-22 November: 15 working days of 10 h on two instruments are 300 h open; 528 h of calendar each and 8 h of today,
    # which are closed hours. 8 / 300 = 2.7 %, 8 / 1,072 = 0.7 %.
    assert "2,7 % chạy thực trên 300 giờ hoạt động" in page
    assert "0,7 % chạy thực trên 1.072 giờ tổng thời gian" in page


def test_a_partner_reads_its_own_and_why_others_are_missing(client: Client) -> None:
    sign_in(client, "partner")
    page = text_of(client.get(NOVEMBER))
    assert "Công ty đối tác 6 giờ 0 giờ 2 giờ" in page
    assert "Viện Khoa học vật liệu" not in page
    assert "1 tháng chưa kết thúc hoặc không trọn trong kỳ" in page
    assert "Tổng các dòng trên" not in page


def test_shares_stand_with_limit_and_delivered(client: Client) -> None:
    sign_in(client, "manager")
    page = text_of(client.get(NOVEMBER))
    assert "Công nghiệp tối đa 12,5 %." in page
    # The week of 23 November: 2 h to come of 10.
    assert "đã dùng 0 giờ đã cam kết 2 giờ tối đa 10 giờ" in page
    assert "đã thực hiện 0 giờ trên hạn mức 10 giờ" in page


def test_neighbouring_periods_are_one_click_away(client: Client) -> None:
    sign_in(client, "manager")
    text = client.get(f"{NOVEMBER}&scope=centre:C-ONE").text
    assert 'href="/reports/utilisation?period=month&amp;day=2026-10-31&amp;scope=centre%3AC-ONE"' in text
    assert 'href="/reports/utilisation?period=month&amp;day=2026-12-01&amp;scope=centre%3AC-ONE"' in text
    assert "Quý 4/2026" in text_of(client.get(REPORT))
    answer = client.get("/reports")
    assert (answer.status_code, answer.headers["location"]) == (303, REPORT)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("period=custom&day=2026-11-05", "ngày cuối không sớm hơn ngày đầu"),
        ("period=custom&day=2026-11-05&last=2026-11-04", "ngày cuối không sớm hơn ngày đầu"),
        ("period=custom&day=2026-01-01&last=2027-01-02", "366"),
        ("period=decade", "Kỳ báo cáo là tháng, quý"),
        ("scope=galaxy:1", "Không hiểu phạm vi"),
        ("scope=centre:", "Không hiểu phạm vi"),
        ("day=yesterday", "Không lập được báo cáo này"),
    ],
)
def test_what_cannot_be_read_is_said_above_the_form(client: Client, query: str, words: str) -> None:
    sign_in(client, "manager")
    answer = client.get(f"{REPORT}?{query}")
    assert answer.status_code == 400
    assert words in text_of(answer)
    assert 'name="period"' in answer.text
    assert client.get(f"/reports/utilisation.csv?{query}").status_code == 400


def test_strangers_are_turned_away(client: Client) -> None:
    for path in (REPORT, "/reports/utilisation.csv"):
        client.cookies.clear()
        assert client.get(path).status_code == 401
        sign_in(client, "researcher")
        assert client.get(path).status_code == 403
        sign_in(client, "manager")
        assert client.get(f"{path}?scope=centre:C-TWO").status_code == 404
        assert client.get(f"{path}?scope=instrument:N003").status_code == 404


# ---------------------------------------------------------------- CSV


def rows(client: Client, query: str) -> list[dict[str, str]]:
    answer = client.get(f"/reports/utilisation.csv?{query}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


def test_the_table_of_use_downloads_in_minutes(client: Client) -> None:
    sign_in(client, "manager")
    industry, public = rows(client, "period=month&day=2026-11-05&table=use")
    assert (industry["organisation"], industry["booked_minutes"], industry["ahead_minutes"]) == ("O-CO", "360", "120")
    assert (public["organisation_name"], public["delivered_minutes"]) == ("Viện Khoa học vật liệu", "480")
    answer = client.get("/reports/utilisation.csv?period=month&day=2026-11-05")
    assert 'filename="labshare-use-2026-11-01-2026-11-30.csv"' in answer.headers["content-disposition"]


def test_a_partners_download_is_masked_like_its_page(client: Client) -> None:
    sign_in(client, "partner")
    (own,) = rows(client, "period=month&day=2026-11-05")
    assert own["organisation"] == "O-CO"
    assert rows(client, "period=month&day=2026-11-05&table=ladder") == []


def test_ladder_and_shares_download_too(client: Client) -> None:
    sign_in(client, "manager")
    ladder = {row["name"]: row["minutes"] for row in rows(client, "period=month&day=2026-11-05&table=ladder")}
    assert (ladder["calendar"], ladder["open"], ladder["booked"]) == ("64320", "18000", "960")
    (share,) = rows(client, "period=month&day=2026-11-05&table=shares")
    assert (share["rule"], share["share"], share["limit_minutes"]) == ("industry-cap", "1/8", "600")
    assert (share["committed_minutes"], share["slack_minutes"], share["state"]) == ("120", "480", "kept")
    assert client.get("/reports/utilisation.csv?table=people").status_code == 400


# ---------------------------------------------------------------- in a browser


@pytest.mark.slow
@pytest.mark.parametrize(("theme", "language", "width"), [("light", "vi", 1440), ("dark", "en", 360)])
def test_the_chart_is_drawn_and_the_page_is_without_fault(
    browser: Browser, site: str, theme: str, language: str, width: int
) -> None:
    with window(browser, site, width=width, theme=theme, language=language) as page:
        enter(page, "manager")
        page.goto(NOVEMBER)
        page.locator("#use-chart canvas").wait_for()
        assert faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_without_scripts_the_table_says_everything(client: Client) -> None:
    sign_in(client, "manager")
    send(client, "/language", {"value": "en", "next": REPORT})
    answer = client.get(NOVEMBER)
    assert 'data-booked="600" data-delivered="480"' in answer.text
    assert 'id="use-chart" role="img"' in answer.text
    assert "Public research Institute of Materials Science 10 h 8 h 0 h" in text_of(answer)


def test_a_month_without_use_says_so(client: Client) -> None:
    sign_in(client, "manager")
    assert "không có ai sử dụng" in text_of(client.get(f"{REPORT}?period=month&day=2026-10-05"))
