"""The ledger over HTTP: a statement with numbers worked by hand, who meets which, and the forms with their errors."""

from __future__ import annotations

import csv
import io
import re
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest

from labshare.domain.ledger import Cause, Step
from labshare.domain.ledger_clauses import Turn
from labshare.domain.ledger_deadlines import Checkpoint, LedgerRules, PullBack
from labshare.services import charging
from labshare.services import ledger as service
from labshare.services.charging import Outcome
from labshare.store import ledger as store
from labshare.store.engine import Database
from tests.furniture import OFFICE, a_booking, actor, span
from tests.ledger_house import HOUR, a_posting, account, later, the_agreement
from tests.shares import load
from tests.web.conftest import Client, send, sign_in, text_of

LEDGER = "/agreements/PPP-1/ledger"
FOURTH = "2026-10-01/2026-12-31"
GRANT = {
    "cause": "granted", "organisation": "O-CO", "period": FOURTH, "hours": "24", "clause": "industry-cap",
    "reference": "BB-7", "until": "", "to": "", "order_hours": "", "starts": "2026-12-08",
}  # fmt: skip


@pytest.fixture(autouse=True)
def posted(house: Database, tmp_path: Path) -> None:
    """Ten days ago 120 h to the partner and 50 h to the institute; 9.5 h delivered five days ago."""
    with house.write() as db:
        load(db, tmp_path, the_agreement(), the_agreement(id="THEIRS", parties=("I-IMS",), partner_id=None))
        me = actor(OFFICE)
        service.post(db, me, a_posting(Cause.GRANTED, 120), later(-10))
        service.post(db, me, a_posting(Cause.GRANTED, 50, account=account("I-IMS")), later(-10))
        service.post(db, me, a_posting(Cause.DELIVERED, 1, minutes=570, rule_id="R22", reference="B-1"), later(-5))


def balance(house: Database, organisation_id: str = "O-CO") -> float:
    with house.read() as db:
        return store.balance(db, account(organisation_id)) / HOUR


# ---------------------------------------------------------------- the statement


def test_a_statement_says_each_entry_its_clause_its_authority_and_the_balance(client: Client) -> None:
    sign_in(client, "office")
    page = text_of(client.get(LEDGER))
    # 120 - 9.5 = 110.5.
    assert "Số dư 110,50 giờ" in page
    assert "Tổng cộng vào 120 giờ Tổng trừ ra 9,50 giờ" in page
    assert "13/11/2026 08:00 Cấp giờ 15/2026/QĐ Khoản 4.1 phiên bản 1 Office + 120 giờ Số dư 120 giờ" in page
    assert (
        "18/11/2026 08:00 Giờ đã dùng B-1 R22 · tính giờ đã thực hiện phiên bản 1 Office − 9,50 giờ Số dư 110,50 giờ"
        in page
    )
    assert "Cấp giờ +120 giờ Giờ đã dùng −9,50 giờ" in page
    # 30 % of the allocable time of the quarter: 64 weekdays less 24 November, of ten hours on two instruments.
    assert "Lệnh nhà nước còn lấy được" in page
    assert 'href="/agreements/PPP-1/ledger"' in client.get("/agreements/PPP-1").text


def test_an_account_below_zero_says_so_and_a_use_is_told_by_its_number(client: Client, house: Database) -> None:
    """110.5 h left and 112 h delivered: 1.5 h too many."""
    use = a_booking(1, span(25, 8, 16), agreement_id="PPP-1", organisation_id="O-CO")
    with house.write() as db:
        charging.charge(db, use, Outcome(delivered=112 * HOUR), later(0))
    sign_in(client, "office")
    page = text_of(client.get(LEDGER))
    assert "Đã dùng quá phần được cấp 1,50 giờ." in page
    assert f"lượt đặt {str(use.id)[:8]}" in page


def test_what_will_be_pulled_back_and_the_next_turn_stand_above_the_lines(
    client: Client, house: Database, tmp_path: Path
) -> None:
    """Half of the quarter's 92 days is over on 16 November, when nothing of 120 h was used: a tenth, in 14 days. A turn
    of 3 h is longer by half where so little was delivered.
    """
    half = PullBack(
        checkpoints=(
            Checkpoint(at=Fraction(1, 2), steps=(Step(used_less_than=Fraction(1, 5), forfeit=Fraction(1, 10)),)),
        ),
        notice_days=14,
        appeal_days=7,
    )
    one = the_agreement(ledger=LedgerRules(pull_back=half))
    turns = tuple(msgspec.structs.replace(each, turn=Turn(minutes=180)) for each in one.entitlements)
    with house.write() as db:
        load(db, tmp_path, msgspec.structs.replace(one, entitlements=turns))
    sign_in(client, "partner")
    page = text_of(client.get(LEDGER))
    assert "12 giờ sẽ bị thu hồi ngày 30/11/2026 vì đến mốc 1/2 của kỳ chưa dùng đủ. Có thể khiếu nại đến" in page
    assert "Lượt kế tiếp 4,50 giờ" in page


def test_the_statement_as_it_stood_at_any_instant(client: Client) -> None:
    sign_in(client, "office")
    for query, told in (
        ("on=2026-11-12", "Đến lúc đó chưa có bút toán nào."),
        ("on=2026-11-13", "Số dư 120 giờ Tổng cộng vào"),
        ("on=13/11/2026&clock=7h59", "Đến lúc đó chưa có bút toán nào."),
        ("on=2026-11-13&clock=08:00", "Số dư 120 giờ Tổng cộng vào"),
        ("on=2026-11-17", "Số dư 120 giờ Tổng cộng vào"),
        ("on=2026-11-18", "Số dư 110,50 giờ Tổng cộng vào"),
        ("on=2099-01-01", "Số dư 110,50 giờ Tổng cộng vào"),
    ):
        assert told in text_of(client.get(f"{LEDGER}?{query}")), query


def test_another_account_is_one_choice_away_and_htmx_fetches_the_statement_alone(client: Client) -> None:
    sign_in(client, "office")
    address = f"{LEDGER}?account=I-IMS:{FOURTH}"
    whole, part = client.get(address), client.get(address, headers={"HX-Request": "true"})
    assert f'<option value="I-IMS:{FOURTH}" selected>' in whole.text
    for answer in (whole, part):
        assert "Viện Khoa học vật liệu · 01/10/2026 – 31/12/2026" in text_of(answer)
        assert "Số dư 50 giờ" in text_of(answer)
    assert "<html" not in part.text
    assert f'href="{LEDGER}.csv?account=I-IMS%3A2026-10-01%2F2026-12-31"' in part.text


@pytest.mark.parametrize("query", ["on=someday", "on=2026-11-13&clock=25h", "clock=noon"])
def test_a_moment_that_cannot_be_read_is_said_above_the_form(client: Client, query: str) -> None:
    sign_in(client, "office")
    answer = client.get(f"{LEDGER}?{query}")
    assert answer.status_code == 400
    assert "Không lập được sao kê này" in text_of(answer)
    assert 'name="account"' in answer.text
    assert client.get(f"{LEDGER}.csv?{query}").status_code == 400
    assert client.get(f"{LEDGER}?{query}", headers={"HX-Request": "true"}).headers["hx-retarget"] == "#refusals"


def test_a_partner_reads_its_own_account_only_and_no_names(client: Client) -> None:
    sign_in(client, "partner")
    page = client.get(LEDGER)
    assert "Số dư 110,50 giờ" in text_of(page)
    assert "Viện Khoa học vật liệu" not in text_of(page)
    assert "văn phòng người dùng" in text_of(page)
    assert "Office" not in text_of(page)
    assert "Lệnh nhà nước còn lấy được" not in text_of(page)
    assert f"{LEDGER}/new" not in page.text
    assert "/correct" not in page.text
    for address in (
        f"{LEDGER}?account=I-IMS:{FOURTH}",
        f"{LEDGER}.csv?account=I-IMS:{FOURTH}",
        f"{LEDGER}?account=O-CO:x",
    ):
        assert client.get(address).status_code == 404, address


def test_the_ledger_of_others_is_not_there(client: Client) -> None:
    sign_in(client, "partner")
    for address in ("/agreements/THEIRS/ledger", "/agreements/THEIRS/ledger.csv", "/agreements/NONE/ledger"):
        assert client.get(address).status_code == 404, address
    sign_in(client, "researcher")
    assert client.get(LEDGER).status_code == 403
    client.cookies.clear()
    assert client.get(LEDGER).status_code == 401


def test_an_agreement_without_entries_says_so(client: Client) -> None:
    sign_in(client, "office")
    assert "Chưa có bút toán nào" in text_of(client.get("/agreements/THEIRS/ledger"))
    assert client.get("/agreements/THEIRS/ledger.csv").text.count("\n") == 1


def test_english_is_complete(client: Client) -> None:
    sign_in(client, "office")
    send(client, "/language", {"value": "en", "next": LEDGER})
    page = text_of(client.get(LEDGER))
    assert "Balance 110.50 h" in page
    assert "13 Nov 2026 08:00 Granted 15/2026/QĐ Khoản 4.1 version 1 Office + 120 h Balance 120 h" in page
    assert "State orders may still take" in page


def test_the_csv_says_the_same_in_minutes(client: Client) -> None:
    sign_in(client, "manager")
    answer = client.get(f"{LEDGER}.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [(row["cause"], row["minutes"], row["balance_minutes"], row["authorised_by"]) for row in rows] == [
        ("granted", "7200", "7200", "Office"), ("delivered", "-570", "6630", "Office"),
    ]  # fmt: skip
    assert (rows[0]["posted_at"], rows[0]["period_first"], rows[0]["period_last"]) == (
        "2026-11-13T01:00:00Z", "2026-10-01", "2026-12-31",
    )  # fmt: skip
    assert [row["minutes"] for row in csv.DictReader(io.StringIO(client.get(f"{LEDGER}.csv?on=2026-11-13").text))] == [
        "7200"
    ]
    sign_in(client, "partner")
    assert "Office" not in client.get(f"{LEDGER}.csv").text


# ---------------------------------------------------------------- posting


def test_the_user_office_posts_a_grant(client: Client, house: Database) -> None:
    sign_in(client, "office")
    form = client.get(f"{LEDGER}/new").text
    assert f'<option value="{FOURTH}" selected>' in form
    assert '<option value="O-CO" selected>' in form
    answer = send(client, LEDGER, GRANT | {"hours": "24,5", "until": "2026-12-24"})
    assert (answer.status_code, answer.headers["location"]) == (
        303, f"{LEDGER}?account=O-CO%3A2026-10-01%2F2026-12-31",
    )  # fmt: skip
    page = text_of(client.get(answer.headers["location"]))
    assert "Đã ghi bút toán vào sổ." in page
    assert "Cấp giờ BB-7 dùng đến hết 24/12/2026 Khoản 4.1 phiên bản 1 Office + 24,50 giờ Số dư 135 giờ" in page
    assert "Còn 24,50 giờ dùng được đến hết 24/12/2026 (cấp giờ BB-7)" in page
    assert balance(house) == 135


def test_a_transfer_and_a_state_order_are_posted_from_the_same_form(client: Client, house: Database) -> None:
    sign_in(client, "office")
    moved = GRANT | {"cause": "transferred", "organisation": "I-IMS", "hours": "16", "to": "O-CO"}
    assert send(client, LEDGER, moved).status_code == 303
    assert (balance(house), balance(house, "I-IMS")) == (126.5, 34)
    taken = GRANT | {"cause": "displaced", "hours": "24", "order_hours": "80", "reference": "808/QĐ-TTg"}
    assert send(client, LEDGER, taken).status_code == 303
    page = text_of(client.get(LEDGER))
    assert "Lệnh nhà nước lấy giờ 808/QĐ-TTg" in page
    # 23 November and 60 days.
    assert "Bù giờ 808/QĐ-TTg dùng đến hết 22/01/2027" in page
    assert balance(house) == 126.5


def test_the_partner_is_told_on_its_home_page(client: Client) -> None:
    sign_in(client, "office")
    taken = GRANT | {"cause": "displaced", "hours": "24", "order_hours": "80", "reference": "808/QĐ-TTg"}
    assert send(client, LEDGER, taken).status_code == 303
    assert "Lệnh nhà nước đã lấy giờ" not in text_of(client.get("/"))
    sign_in(client, "partner")
    page = client.get("/")
    assert "Lệnh nhà nước đã lấy giờ của bạn: hãy dùng giờ bù 1" in text_of(page)
    assert "Lệnh 808/QĐ-TTg lấy 24 giờ; giờ bù còn 24 giờ Thỏa thuận một · đến 22/01/2027" in text_of(page)
    assert f'href="{LEDGER}"' in page.text


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"hours": "a lot"}, "malformed_length", "hours"),
        ({"hours": ""}, "field_missing", "hours"),
        ({"hours": "0"}, "ledger_amount", "hours"),
        ({"period": "2026-10-01/2026-10-02"}, "ledger_period_unknown", "period"),
        ({"organisation": "O-ELSE"}, "ledger_not_a_party", "organisation"),
        ({"clause": "no-such"}, "ledger_clause_unknown", "clause"),
        ({"reference": "two words"}, "ledger_reference", "reference"),
        ({"until": "someday"}, "malformed_date", "until"),
        ({"until": "2026-11-01"}, "ledger_until_passed", "until"),
        ({"cause": "lapsed"}, "ledger_cause_not_by_hand", "cause"),
        ({"cause": "delivered", "hours": "111"}, "ledger_overdrawn", "hours"),
        ({"cause": "transferred", "to": "O-CO"}, "ledger_transfer_to_itself", "to"),
        ({"cause": "displaced", "order_hours": "100000"}, "ledger_order_ceiling", "order_hours"),
        ({"cause": "displaced"}, "field_missing", "order_hours"),
        ({"cause": "displaced", "order_hours": "30", "starts": ""}, "field_missing", "starts"),
        ({"cause": "displaced", "order_hours": "30", "starts": "2026-12-07"}, "ledger_order_notice", "starts"),
    ],
)
def test_a_fault_stands_beside_its_field_with_what_was_typed(
    client: Client, house: Database, changes: dict[str, str], code: str, field: str
) -> None:
    sign_in(client, "office")
    answer = send(client, LEDGER, GRANT | changes)
    assert answer.status_code == 422
    assert f'data-code="{code}"' in answer.text
    assert re.search(rf'id="error-{field}" class="field-error"', answer.text)
    assert 'value="BB-7"' in answer.text or "two words" in answer.text
    assert (balance(house), balance(house, "I-IMS")) == (110.5, 50)


def test_the_form_says_from_which_day_a_state_order_may_take_time(client: Client) -> None:
    sign_in(client, "office")
    assert "Không trước 08/12/2026" in text_of(client.get(f"{LEDGER}/new"))
    early = GRANT | {"cause": "displaced", "order_hours": "30", "starts": "2026-12-01"}
    assert "báo trước 10 ngày làm việc, nên sớm nhất từ 08/12/2026" in text_of(send(client, LEDGER, early))


def test_an_overdraft_is_refused_with_the_figures(client: Client) -> None:
    sign_in(client, "office")
    answer = send(client, LEDGER, GRANT | {"cause": "delivered", "hours": "111"})
    assert "O-CO chỉ còn 110 giờ 30 phút, không đủ để lấy 111 giờ (thiếu 30 phút)." in text_of(answer)


def test_one_form_sent_twice_is_posted_once(client: Client, house: Database) -> None:
    sign_in(client, "office")
    form = GRANT | {"cause": "delivered", "hours": "10", "reference": "B-2"}
    assert send(client, LEDGER, form).status_code == 303
    again = send(client, LEDGER, form)
    assert again.status_code == 422
    assert 'data-code="ledger_posted_already"' in again.text
    assert balance(house) == 100.5


@pytest.mark.parametrize("login", ["partner", "manager", "researcher"])
def test_others_may_not_post(client: Client, house: Database, login: str) -> None:
    with house.read() as db:
        entry = store.entries(db, "PPP-1")[0]
    sign_in(client, login)
    assert client.get(f"{LEDGER}/new").status_code == 403
    assert send(client, LEDGER, GRANT).status_code == 403
    assert client.get(f"{LEDGER}/{entry.id}/correct").status_code == 403
    assert send(client, f"{LEDGER}/{entry.id}/correct", {"hours": "1", "reference": "A"}).status_code == 403
    assert balance(house) == 110.5


# ---------------------------------------------------------------- correcting


def test_an_entry_is_corrected_by_another(client: Client, house: Database) -> None:
    sign_in(client, "office")
    address = re.findall(rf'href="({LEDGER}/[0-9a-f-]+/correct)"', client.get(LEDGER).text)[0]
    assert "+120 giờ" in text_of(client.get(address))
    assert send(client, address, {"hours": "100", "reference": "BB-9"}).status_code == 303
    page = text_of(client.get(LEDGER))
    assert "Đã ghi bút toán điều chỉnh." in page
    assert (
        "Điều chỉnh BB-9 sửa bút toán: cấp giờ ngày 13/11/2026 Khoản 4.1 phiên bản 1 Office − 20 giờ Số dư 90,50 giờ"
        in page
    )
    assert "đã điều chỉnh còn +100 giờ" in text_of(client.get(address))
    assert balance(house) == 90.5
    again = send(client, address, {"hours": "100", "reference": "BB-9"})
    assert again.status_code == 422
    assert 'id="error-hours"' in again.text
    assert 'data-code="ledger_nothing_to_correct"' in again.text


def test_a_charge_is_corrected_without_a_sign(client: Client, house: Database) -> None:
    sign_in(client, "office")
    with house.read() as db:
        charged = store.entries_of(db, account())[1]
    address = f"{LEDGER}/{charged.id}/correct"
    assert send(client, address, {"hours": "", "reference": "BB-9"}).status_code == 422
    assert send(client, address, {"hours": "8", "reference": "BB-9"}).status_code == 303
    # 120 - 8.
    assert balance(house) == 112
    assert client.get(f"/agreements/THEIRS/ledger/{charged.id}/correct").status_code == 404
