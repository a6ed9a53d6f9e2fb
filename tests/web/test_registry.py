"""The registry over HTTP: found without accents and without JavaScript, one fragment for htmx, provenance in sight."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
import sqlalchemy as sa
from litestar.testing import TestClient

from labshare.app import create_app
from labshare.services import Database, open_database, registry
from labshare.settings import Settings
from labshare.store import tables as t
from tests.conftest import renew
from tests.furniture import NOW
from tests.registry_files import files, real
from tests.web.conftest import Client, send, text_of


@pytest.fixture(scope="module")
def house_template(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the real registry and nobody. Copy it, never open it."""
    path = Path(copy(sqlite_template, tmp_path_factory.mktemp("registry") / "registry.sqlite3"))
    opened = open_database(f"sqlite:///{path}")
    with opened.write() as db:
        registry.load(db, None, real(), NOW)
    opened.dispose()
    return path


@pytest.fixture
def database(house: Database) -> Database:
    return house


@pytest.fixture
def reader(client: Client) -> Client:
    """Somebody who has not signed in, reading Vietnamese."""
    return client


def in_english(reader: Client) -> None:
    assert send(reader, "/language", {"value": "en"}).status_code == 303


def page(reader: Client, address: str, **headers: str) -> Any:
    answer = reader.get(address, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


def listed(answer: Any) -> list[str]:
    """The ids of the instruments that a page lists, in its order."""
    return re.findall(r'<a class="line" href="/instruments/(N\d+)"', answer.text)


# ---------------------------------------------------------------- finding


def test_the_list_opens_with_everything_and_says_how_much(reader: Client) -> None:
    answer = page(reader, "/instruments")
    assert "116 thiết bị" in text_of(answer)
    # A page shows 24.
    assert len(listed(answer)) == 24
    assert "Trang 1/5" in text_of(answer)


def test_searching_without_accents_finds_words_with_them(reader: Client) -> None:
    answer = page(reader, "/instruments?q=cong huong tu")
    assert listed(answer) == ["N006"]
    assert "1 thiết bị" in text_of(answer)


def test_facets_work_as_a_plain_form(reader: Client) -> None:
    answer = page(reader, "/instruments?q=&capability=TEM&city=TP.+Hồ+Chí+Minh&zone=&centre=&host=&product=&page=")
    assert set(listed(answer)) == {"N038", "N089"}
    # The chosen city is selected; Hanoi would leave one.
    assert re.search(r'<option value="TP. Hồ Chí Minh" selected>TP. Hồ Chí Minh \(2\)', answer.text)
    assert "Hà Nội (1)" in text_of(answer)


def test_the_form_says_how_many_choices_it_hides(reader: Client) -> None:
    assert "Thu hẹp tìm kiếm (2 lựa chọn)" in text_of(
        page(reader, "/instruments?city=Hà+Nội&bookable=1&capability=TEM")
    )
    assert "lựa chọn" not in text_of(page(reader, "/instruments?capability=TEM"))


def test_a_product_of_either_list_finds_what_serves_it(reader: Client) -> None:
    new, old = (listed(page(reader, f"/instruments?product={ref}")) for ref in ("QD21-2026:P28", "QD1131-2025:O33"))
    assert new == old
    assert set(new) == {"N022", "N057", "N058", "N059", "N060"}


def test_only_what_is_booked_by_time_leaves_services_out(reader: Client) -> None:
    assert listed(page(reader, "/instruments?centre=C-REE&bookable=1")) == ["N070"]


def test_htmx_gets_the_results_and_the_choices_without_the_frame(reader: Client) -> None:
    answer = page(reader, "/instruments?q=raman", **{"HX-Request": "true"})
    assert listed(answer) == ["N023"]
    assert "<html" not in answer.text
    assert re.search(r'<div id="choices"[^>]*hx-swap-oob="morph"', answer.text)
    # The whole page holds the same results, once, and swaps nothing out of band.
    whole = page(reader, "/instruments?q=raman")
    assert listed(whole) == ["N023"]
    assert "hx-swap-oob" not in whole.text


def test_nothing_found_says_what_to_do(reader: Client) -> None:
    answer = page(reader, "/instruments?q=khongcogi")
    assert "Không có thiết bị nào khớp tất cả điều kiện" in text_of(answer)
    assert 'href="/instruments"' in answer.text


def test_pages_keep_the_search(reader: Client) -> None:
    answer = page(reader, "/instruments?city=Hà+Nội&page=2")
    assert 'rel="prev" href="/instruments?city=H%C3%A0+N%E1%BB%99i&amp;page=1"' in answer.text
    first, second = listed(page(reader, "/instruments?city=Hà+Nội")), listed(answer)
    assert not set(first) & set(second)


@pytest.mark.parametrize("number", ["0", "-1", "x", "999999999999", "²"])
def test_a_page_that_does_not_exist_shows_one_that_does(reader: Client, number: str) -> None:
    assert len(listed(page(reader, f"/instruments?page={number}"))) in (24, 20)


def test_a_product_that_cannot_be_read_is_malformed(reader: Client) -> None:
    assert reader.get("/instruments?product=P17").status_code == 400


@pytest.mark.parametrize("address", ["/instruments?q=%00%", "/instruments?city=%00", "/instruments?q=%25_%27"])
def test_strange_signs_are_only_text(reader: Client, address: str) -> None:
    assert reader.get(address).status_code == 200


# ---------------------------------------------------------------- one instrument


def test_an_instrument_shows_identity_rules_and_who_may_book(reader: Client) -> None:
    text = text_of(page(reader, "/instruments/N001"))
    for words in (
        "Kính hiển vi điện tử quét phát xạ trường",
        "Hitachi",
        "S-4800",
        "Viện Khoa học vật liệu",
        # 30 to 480 minutes in steps of 30, 28 days ahead, Monday to Friday 07:00-19:00.
        "từ 30 phút đến 8 giờ, theo bước 30 phút",
        "tối đa 28 ngày",
        "T2–T6 07:00–19:00",
        "chứng nhận vận hành",
        "thesis text: 123docz.net/trich-doan/3136846 and 3440168",
        "Đăng nhập để đặt giờ",
    ):
        assert words in text, words
    assert "Mẫu minh họa" not in text


def test_the_english_page_is_complete(reader: Client) -> None:
    in_english(reader)
    text = text_of(page(reader, "/instruments/N001"))
    for words in ("Field-emission SEM", "30 min to 8 h, in steps of 30 min", "up to 28 days", "Nano-morphology"):
        assert words in text, words


def test_an_illustrative_row_carries_its_badge_in_lists_and_on_its_page(reader: Client) -> None:
    text = text_of(page(reader, "/instruments/N023"))
    assert "Mẫu minh họa" in text
    assert "Horiba (ví dụ)" in text
    assert "Mẫu minh họa" in text_of(page(reader, "/instruments?q=raman"))
    assert "Mẫu minh họa" not in text_of(page(reader, "/instruments?q=S-4800"))


def test_a_service_is_listed_with_its_way_and_without_a_calendar(reader: Client) -> None:
    answer = page(reader, "/instruments/N005")
    assert "Thiết bị này nhận mẫu hoặc đơn hàng" in text_of(answer)
    assert 'id="week"' not in answer.text
    assert "/bookings/new" not in answer.text


def test_an_instrument_booked_by_time_has_its_week(reader: Client) -> None:
    answer = page(reader, "/instruments/N001?date=2026-12-02")
    assert 'id="week"' in answer.text
    # 2 December 2026 is a Wednesday; its week runs from 30 November to 6 December.
    assert "30/11 – 06/12/2026" in text_of(answer)


def test_a_long_run_may_span_closed_hours_and_says_so(reader: Client) -> None:
    assert "được chạy qua giờ đóng cửa" in text_of(page(reader, "/instruments/N074"))
    assert "được chạy qua giờ đóng cửa" not in text_of(page(reader, "/instruments/N001"))


def test_no_page_shows_coordinates(reader: Client) -> None:
    # The centre of N001 lies near 21.047, 105.803, which is approximate.
    for address in ("/instruments/N001", "/centres/C-IMSKL", "/centres"):
        assert not re.search(r"21[.,]047|105[.,]803", page(reader, address).text)


def test_a_retired_instrument_says_since_when_and_takes_no_booking(
    reader: Client, database: Database, now: datetime
) -> None:
    with database.write() as db:
        db.execute(sa.update(t.instruments).where(t.instruments.c.id == "N001").values(retired_at=now))
    answer = page(reader, "/instruments/N001")
    assert "không còn trong danh mục từ 23/11/2026" in text_of(answer)
    assert 'id="week"' not in answer.text


def test_a_signed_in_person_sees_where_they_stand(
    client: Client, house: Database, furnished: Path, now: datetime
) -> None:
    renew(str(house.engine.url), furnished)
    with house.write() as db:
        registry.load(db, None, files(instruments=("N1,1,", "N100,100,")), now)
        researcher = db.execute(sa.select(t.persons.c.id).where(t.persons.c.login == "researcher")).scalar_one()
    assert send(client, "/sign-in/demo", {"login": "researcher"}).status_code == 303
    answer = page(client, "/instruments/N100")
    assert "Bạn chưa có chứng nhận" in text_of(answer)
    assert 'href="/bookings/new?instrument=N100"' in answer.text
    with house.write() as db:
        held = {"person_id": researcher, "instrument_number": 100, "granted_at": now}
        db.execute(sa.insert(t.qualifications).values(held))
    assert "còn hiệu lực" in text_of(page(client, "/instruments/N100"))
    with house.write() as db:
        db.execute(
            sa.update(t.qualifications).where(t.qualifications.c.instrument_number == 100).values(expires_at=now)
        )
    text = text_of(page(client, "/instruments/N100"))
    assert "đã hết hạn" in text
    # At 8:00 of that day.
    assert "đến 08:00 T2 23/11/2026" in text
    assert "Xin cấp chứng nhận" in text


@pytest.mark.parametrize("address", ["/instruments/N999", "/centres/C-X", "/instruments/%00", "/centres/%27"])
def test_what_is_not_there_is_not_found(reader: Client, address: str) -> None:
    assert reader.get(address).status_code == 404


# ---------------------------------------------------------------- centres and technologies


def test_centres_tell_what_can_be_booked_of_what_they_have(reader: Client) -> None:
    text = text_of(page(reader, "/centres"))
    # C-REE: one extraction cascade by the run, three instruments by the sample.
    assert re.search(r"tách chiết đất hiếm[^/]*ITRRE 1/4 thiết bị đặt theo giờ", text)
    assert "Dự kiến" in text


def test_centres_stand_by_city(reader: Client) -> None:
    cities = re.findall(r'id="city-\d">(?:<svg.*?</svg>)?([^<]+)</h2>', page(reader, "/centres").text, flags=re.DOTALL)
    assert cities == ["Đà Lạt", "Đà Nẵng", "Hà Nội", "TP. Hồ Chí Minh"]


def test_only_the_manager_of_its_centre_is_offered_to_block_an_instrument(
    client: Client, house: Database, furnished: Path
) -> None:
    renew(str(house.engine.url), furnished)
    assert send(client, "/sign-in/demo", {"login": "manager"}).status_code == 303
    # The manager answers for C-ONE, where N001 stands; N003 stands in C-TWO.
    assert "/bookings/block?instrument=N001" in page(client, "/instruments/N001").text
    assert "/bookings/block" not in page(client, "/instruments/N003").text


def test_a_centre_shows_its_host_its_instruments_and_its_source(reader: Client) -> None:
    answer = page(reader, "/centres/C-IMSKL")
    for words in ("Viện Khoa học vật liệu", "Viện Hàn lâm Khoa học và Công nghệ Việt Nam", "Chính phủ", "tailieu.vn"):
        assert words in text_of(answer), words
    assert set(listed(answer)) == {f"N{number:03}" for number in (1, 2, 3, 4, 5, 23, 24, 25, 26, 27)}


def test_technologies_say_which_list_is_in_force(reader: Client) -> None:
    text = text_of(page(reader, "/technologies"))
    assert "Hôm nay, 23/11/2026, đang áp dụng: Quyết định 21/2026/QĐ-TTg." in text
    assert "Hiệu lực từ 12/06/2025 đến hết 30/06/2026" in text
    assert "hết hiệu lực" in text


def test_the_older_list_was_in_force_before_july_2026(settings: Settings, database: Database) -> None:
    then = datetime.fromisoformat("2026-06-30T12:00:00+07:00")
    with TestClient(create_app(settings, database=database, clock=lambda: then)) as reader:
        text = text_of(page(reader, "/technologies"))
    assert "Hôm nay, 30/06/2026, đang áp dụng: Quyết định 1131/QĐ-TTg (2025)." in text
    assert "chưa hiệu lực" in text


def test_both_lists_stand_whole_beside_the_crosswalk(reader: Client) -> None:
    answer = page(reader, "/technologies")
    products = set(re.findall(r'<li id="(QD[\w-]+-[OP]\d\d)"', answer.text))
    assert len(products) == 35 + 30
    assert "chế áp UAV" in text_of(answer)
    # Every link of the crosswalk leads to a product on this page.
    assert set(re.findall(r'href="#(QD[\w-]+)"', answer.text)) == products


def test_an_empty_registry_says_what_to_do(client: Client, database: Database, sqlite_template: Path) -> None:
    renew(str(database.engine.url), sqlite_template)
    assert "Chưa nạp danh mục công nghệ nào" in text_of(page(client, "/technologies"))
