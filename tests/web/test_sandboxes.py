"""Trials over HTTP: proposed from a file, replayed, approved, stopped by a value, and seen by whom they concern.

The week, its demand and the effect of the lifted cap are those of tests/services/test_replay.py.
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

import pytest
from playwright.sync_api import Browser

from labshare.domain.agreements import Version
from labshare.domain.sandbox import Change, Overlay
from labshare.domain.sandbox_documents import to_toml
from labshare.store import agreements as agreements_store
from labshare.store import bookings as bookings_store
from labshare.store import sandboxes as store
from labshare.store.engine import Database
from tests.browser import enter, faults, overflow, small_targets, window
from tests.domain.test_agreements import an_agreement
from tests.furniture import NOW
from tests.services.test_replay import LIFT, a_cap, a_week
from tests.services.test_sandboxes import a_trial, run, step
from tests.web.conftest import Client, csrf, send, sign_in, text_of

PAGE = "/agreements/sandbox"
TRIAL = f"{PAGE}/trials/SBX"


@pytest.fixture(autouse=True)
def week(house: Database) -> None:
    with house.write() as db:
        signed = an_agreement(a_cap(), parties=("O-CO", "I-IMS"))
        agreements_store.add_version(db, Version(number=1, agreement=signed), actor_id=None, now=NOW)
        bookings_store.add(db, a_week())


def today(**values: Any) -> Overlay:
    return a_trial(LIFT, start=date(2026, 11, 23), **values)


def upload(client: Client, url: str, content: bytes, **data: str) -> Any:
    """Hand a file in as a browser does."""
    fields = {"_csrf_token": csrf(client), **data}
    return client.post(url, data=fields, files={"file": ("trial.toml", content, "application/toml")})


def version(house: Database) -> str:
    with house.read() as db:
        found = store.get(db, "SBX")
    assert found
    return str(found.version)


def test_from_a_file_to_a_running_trial_and_its_rollback(client: Client, house: Database) -> None:
    sign_in(client, "manager")
    done = upload(client, f"{PAGE}/trials", to_toml(today()).encode())
    assert (done.status_code, done.headers["location"]) == (303, TRIAL), text_of(done)
    assert "bản thảo" in text_of(client.get(TRIAL))
    replayed = send(client, f"{TRIAL}/replay", {"first": "2026-11-16", "last": "2026-11-22", "freedom": "3"})
    assert replayed.status_code == 303, text_of(replayed)
    sign_in(client, "administrator")
    unsaid = send(client, f"{TRIAL}/approve", {"version": version(house), "reason": " "})
    assert (unsaid.status_code, 'data-code="sandbox_reason"' in unsaid.text) == (422, True)
    approved = send(client, f"{TRIAL}/approve", {"version": version(house), "reason": "QĐ 12"})
    assert approved.status_code == 303, text_of(approved)
    page = text_of(client.get(TRIAL))
    assert "đang chạy" in page
    assert "QĐ 12" in page
    assert "tự kết thúc ngay khi vượt 1/500" in page
    sign_in(client, "manager")
    value = {"metric": "night", "day": "2026-11-23", "value": "26 %", "evidence": "nhật ký tuần 48"}
    assert send(client, f"{TRIAL}/measure", value).status_code == 303
    assert "26 % (23/11/2026) lúc đầu 12 %, mục tiêu 25 % đạt" in text_of(client.get(TRIAL))
    assert send(client, f"{TRIAL}/measure", value | {"metric": "incidents", "value": "1/400"}).status_code == 303
    sign_in(client, "partner")
    ended = text_of(client.get(TRIAL))
    assert "Một giá trị đã chạm điều kiện dừng nên thử nghiệm tự kết thúc" in ended
    assert "đã kết thúc" in ended


def test_a_replay_that_is_kept_is_a_page_through_the_mask(client: Client, house: Database) -> None:
    run(house, today())
    with house.read() as db:
        (kept,) = store.replays(db, "SBX")
    sign_in(client, "manager")
    assert f"{TRIAL}/replays/{kept.id}" in client.get(TRIAL).text
    assert client.get(f"{TRIAL}/replays/{kept.id}").status_code == 200
    assert client.get(f"{TRIAL}/replays/none").status_code == 404


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"[[changes", "sandbox_unreadable"),
        (b"\xff\xfe", "file_not_utf8"),
        (b"#" * 100_001, "sandbox_unreadable"),
        (to_toml(today(evaluator="O-NONE")).encode(), "sandbox_unknown_party"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_above_the_form(client: Client, content: bytes, code: str) -> None:
    sign_in(client, "office")
    for url in (f"{PAGE}/trials", PAGE):
        answer = upload(client, url, content, first="2026-11-16", last="2026-11-22", freedom="3")
        assert answer.status_code in (400, 422)
        assert f'data-code="{code}"' in answer.text


def test_pasted_text_proposes_too_and_a_version_says_why(client: Client, house: Database) -> None:
    sign_in(client, "office")
    assert send(client, f"{PAGE}/trials", {"overlay": to_toml(today())}).status_code == 303
    shorter = to_toml(today(end=date(2026, 12, 6)))
    answer = send(client, f"{TRIAL}/adjust", {"version": "1", "overlay": shorter, "reason": ""})
    assert 'data-code="sandbox_reason"' in answer.text
    # What was typed is not lost.
    assert "end = 2026-12-06" in answer.text
    done = send(client, f"{TRIAL}/adjust", {"version": "1", "overlay": shorter, "reason": "quá dài"})
    assert done.status_code == 303, text_of(done)
    assert "06/12/2026" in text_of(client.get(TRIAL))
    assert send(client, f"{TRIAL}/adjust", {"version": "1", "overlay": shorter, "reason": "x"}).status_code == 412


def test_what_was_typed_for_a_trial_stands_after_a_refusal(client: Client, house: Database) -> None:
    run(house, today())
    sign_in(client, "office")
    value = {"metric": "incidents", "day": "2026-11-23", "value": "khoảng 2", "evidence": "sổ sự cố 12"}
    answer = send(client, f"{TRIAL}/measure", value)
    assert answer.status_code == 400
    for typed in ('value="2026-11-23"', 'value="khoảng 2"', ">sổ sự cố 12<", '<option value="incidents" selected>'):
        assert typed in answer.text
    answer = send(client, f"{TRIAL}/replay", {"first": "2026-11-16", "last": "2026-12-30", "freedom": "5"})
    assert answer.status_code == 400
    for typed in ('value="2026-11-16"', 'value="2026-12-30"', 'value="5"'):
        assert typed in answer.text
    answer = send(client, f"{TRIAL}/adjust", {"version": version(house), "overlay": "x = 3", "reason": "quá dài"})
    assert ">quá dài<" in answer.text


def test_a_metric_is_chosen_by_what_it_says(client: Client, house: Database) -> None:
    run(house, today())
    sign_in(client, "office")
    said = {metric.id: metric.says.vi for metric in today().metrics}
    page = client.get(TRIAL).text
    assert f'<option value="night">{said["night"]}</option>' in page
    value = {"metric": "night", "day": "2026-11-23", "value": "20 %", "evidence": "nhật ký"}
    assert send(client, f"{TRIAL}/measure", value).status_code == 303
    assert f"23/11/2026 · {said['night']}" in text_of(client.get(TRIAL))


@pytest.mark.parametrize("name", ["suspend", "end"])
def test_a_step_needs_its_reason_and_the_version_that_was_seen(client: Client, house: Database, name: str) -> None:
    run(house, today())
    sign_in(client, "administrator")
    assert 'data-code="sandbox_reason"' in send(client, f"{TRIAL}/{name}", {"version": version(house)}).text
    assert send(client, f"{TRIAL}/{name}", {"version": "1", "reason": "x"}).status_code == 412
    assert send(client, f"{TRIAL}/{name}", {"version": version(house), "reason": "x"}).status_code == 303
    assert send(client, f"{TRIAL}/{name}", {"version": version(house), "reason": "x"}).status_code == 422


def test_a_suspended_trial_is_resumed(client: Client, house: Database) -> None:
    run(house, today())
    step(house, "suspend", NOW)
    sign_in(client, "administrator")
    assert send(client, f"{TRIAL}/resume", {"version": version(house), "reason": "x"}).status_code == 303
    assert "đang chạy" in text_of(client.get(PAGE))
    assert send(client, f"{TRIAL}/dance", {"version": version(house), "reason": "x"}).status_code == 404


def test_who_is_no_party_learns_of_no_trial(client: Client, house: Database) -> None:
    with house.write() as db:
        other = an_agreement(a_cap(), id="B", parties=("I-IMS",))
        agreements_store.add_version(db, Version(number=1, agreement=other), actor_id=None, now=NOW)
    run(house, a_trial(Change(agreement="B", remove="cap"), start=date(2026, 11, 23)))
    sign_in(client, "partner")
    assert "SBX" not in client.get(PAGE).text
    assert client.get(TRIAL).status_code == 404
    values = {
        "version": version(house),
        "reason": "x",
        "metric": "night",
        "day": "2026-11-23",
        "value": "1",
        "evidence": "x",
    }
    for name in ("approve", "suspend", "resume", "end", "adjust", "measure", "replay"):
        assert send(client, f"{TRIAL}/{name}", values).status_code == 404, name
    sign_in(client, "researcher")
    assert client.get(TRIAL).status_code == 403


def test_a_party_reads_and_changes_nothing(client: Client, house: Database) -> None:
    run(house, today())
    sign_in(client, "partner")
    page = client.get(TRIAL).text
    assert "<form" not in page.split("<main")[1]
    values = {"version": version(house), "reason": "x"}
    for name in ("approve", "suspend", "resume", "end"):
        assert send(client, f"{TRIAL}/{name}", values).status_code == 403, name


def test_the_agreement_says_which_rule_is_on_trial(client: Client, house: Database) -> None:
    """The lifted cap in place of the signed one, and a new one besides it; before the trial neither."""
    new = a_cap(id="new", sentence_vi="Điều khoản mới.")
    sign_in(client, "partner")
    assert "Các thử nghiệm" not in text_of(client.get("/agreements/A"))
    lifted = Change(agreement="A", replace=a_cap(share=Fraction(3, 5), sentence_vi="Tối đa 60 %."))
    run(house, a_trial(lifted, Change(agreement="A", add=new), start=date(2026, 11, 23)))
    page = text_of(client.get("/agreements/A"))
    assert "Thử nghiệm Tối đa 60 %. Các thử nghiệm" in page
    assert "Thử nghiệm Điều khoản mới. Các thử nghiệm" in page


# ---------------------------------------------------------------- in a browser


@pytest.mark.slow
@pytest.mark.parametrize(("width", "theme", "language"), [(1280, "light", "vi"), (360, "dark", "en")])
def test_the_pages_can_be_read_by_everybody(
    browser: Browser, site: str, house: Database, width: int, theme: str, language: str
) -> None:
    run(house, today())
    with window(browser, site, width=width, theme=theme, language=language) as page:
        enter(page, "administrator")
        for address in (PAGE, TRIAL):
            page.goto(address)
            assert (faults(page), overflow(page), small_targets(page)) == ([], 0, []), address
        page.locator('.button[popovertarget="end"]').click()
        page.locator("#reason-end").fill("thử xong")
        page.locator("#end button[type=submit]").click()
        page.locator("#end").wait_for(state="detached")
        assert (faults(page), overflow(page), small_targets(page)) == ([], 0, [])
