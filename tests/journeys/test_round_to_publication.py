"""A round from its draft to published sessions: in a real browser, and over HTTP where the answer is no.

Approving by another plan's hash, a withdrawn round and the limits of a manager's and a partner's sight are proven in
tests/web/test_rounds.py, what a request's form refuses in tests/web/test_time_requests.py; neither is repeated here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, expect

from labshare.domain.rounds import PlanRow, Round, RoundState
from labshare.errors import Refusal
from labshare.services import plans, rounds
from labshare.store import bookings as booking_store
from labshare.store import rounds as store
from labshare.store import tables as t
from labshare.store.engine import Connection, Database
from tests import round_of
from tests.browser import enter, faults, overflow, window
from tests.furniture import COLLEAGUE, COMPETITOR, INDUSTRY_PROJECT, OFFICE, RESEARCHER, XRD, a_booking, actor
from tests.round_of import LATER, span
from tests.web.conftest import Client, send, sign_in, text_of

# The case: the XRD is offered on Monday 30 November from 08:00 to 12:00, eight slots of half an hour. A company asks
# first, for two hours between 09 and 11; the researcher for three hours between 08 and 11. Each has one possible
# start, and together they do not fit. A slot of public research is worth 1,000 (tier) x 100 (review) x 100 %, one of
# industry 1 x 100 x 100 %. So the researcher's 6 slots count 600,000 and win against the company's 4, which count
# 400: the plan is 08:00-11:00 for #2, #1 is left out because of it, and 11:00-12:00 stays free.
DAY = "2026-11-30"
SESSION = "08:00–11:00"
COMPANY_ASKS: dict[str, Any] = {
    "project_id": INDUSTRY_PROJECT,
    "purpose": "secret alloy",
    "windows": (span(0, 9, 11),),
}
RESEARCHER_ASKS: dict[str, Any] = {"purpose": "ZnO films", "session_minutes": 180, "windows": (span(0, 8, 11),)}
DATES = {
    "opens": ("2026-11-23", "08:00"),
    "closes": ("2026-11-25", "17:00"),
    "publishes": ("2026-11-27", "12:00"),
    "starts": (DAY, "0:00"),
    "ends": ("2026-12-04", "24:00"),
}


def only_round(house: Database) -> Round:
    with house.read() as db:
        (found,) = store.listed(db)
    return found


def fill(page: Page, values: dict[str, str]) -> None:
    for css, text in values.items():
        page.locator(css).fill(text)


def confirm(page: Page, name: str) -> None:
    """Press a button that asks once, and the button of its dialog."""
    page.get_by_role("button", name=name).click()
    page.get_by_role("dialog").get_by_role("button", name=name).click()


def make_and_open(page: Page) -> None:
    page.goto("/rounds/new")
    fill(page, {"#field-code": "2026-W49", "#field-title_vi": "Đợt tuần 49", "#field-title_en": "Week 49"})
    for name, (day, hour) in DATES.items():
        fill(page, {f"#{name}-date": day, f"#{name}-clock": hour})
    page.get_by_label("Máy XRD").check()
    fill(page, {"#from_date-1": DAY, "#from_clock-1": "8", "#until_date-1": DAY, "#until_clock-1": "12"})
    page.get_by_role("button", name="Lưu bản nháp").click()
    page.get_by_role("button", name="Mở đợt").click()
    expect(page.get_by_role("status").first).to_contain_text("Đợt đã mở")


def apply(page: Page) -> None:
    page.goto("/rounds")
    page.get_by_role("link", name="Đợt tuần 49").click()
    page.get_by_role("link", name="Đăng ký giờ máy").click()
    page.get_by_label("Mục đích").fill("ZnO films")
    page.get_by_label("Mỗi phiên dài").fill("3h")
    page.get_by_label("Máy XRD").check()
    fill(page, {"#from_date-1": DAY, "#from_clock-1": "8:00", "#until_date-1": DAY, "#until_clock-1": "11:00"})
    page.get_by_role("button", name="Gửi đăng ký").click()
    expect(page.get_by_role("status").first).to_have_text("Đã gửi đăng ký.")


@pytest.mark.slow
def test_a_round_is_made_applied_for_planned_approved_and_published(
    browser: Browser, site: str, house: Database
) -> None:
    with window(browser, site, width=1440) as manager, window(browser, site) as researcher:
        enter(manager, "manager")
        make_and_open(manager)
        with house.write() as db:
            round_of.ask(db, store.listed(db)[0], COMPETITOR, **COMPANY_ASKS)
        enter(researcher, "researcher")
        apply(researcher)
        # What the round keeps cannot be booked directly: of 08 to 18 only the afternoon is free.
        day = researcher.locator(f"section.day:has(#day-{DAY})")
        researcher.goto(f"/instruments/N002?date={DAY}")
        expect(day.locator("li.free .time")).to_have_text(["12:00–18:00"])

        manager.reload()
        confirm(manager, "Đóng ngay")
        expect(manager.get_by_text("2 đăng ký chờ phương án.")).to_be_visible()
        asked: list[str] = []
        manager.on("request", lambda request: asked.append(request.url) if "/progress" in request.url else None)
        manager.get_by_role("button", name="Lập phương án").click()
        # Nobody touches the page from here until the plan is in it.
        expect(manager.locator("#plan-progress progress")).to_be_visible()
        expect(manager.get_by_role("heading", name="Các trung tâm duyệt")).to_be_visible(timeout=20_000)
        expect(manager.locator("#plan-progress")).to_have_count(0)
        until_then = len(asked)
        assert until_then >= 1
        manager.wait_for_timeout(1500)
        assert len(asked) == until_then

        look_at_the_desk(manager)
        manager.get_by_role("button", name="Duyệt phần này").click()
        expect(manager.get_by_text("Mọi trung tâm đã duyệt.")).to_be_visible()
        confirm(manager, "Công bố")
        expect(manager.get_by_role("status").first).to_have_text("Đã công bố: mọi phiên đã thành lượt đặt.")

        researcher.goto("/bookings")
        line = researcher.locator("section.day-card", has_text="T2 30/11/2026").locator("li")
        expect(line).to_have_count(1)
        expect(line).to_contain_text(SESSION)
        expect(line).to_contain_text("Máy XRD")
        expect(line).to_contain_text("ZnO films · KC-01")

        # The rest of the offer is free again: the session ends at 11, the instrument closes at 18.
        researcher.goto(f"/instruments/N002?date={DAY}")
        expect(day.locator("li.free .time")).to_have_text(["11:00–18:00"])
        researcher.goto(f"/bookings/new?instrument=N002&date={DAY}&from=11:00&until=12:00")
        researcher.get_by_role("button", name="Đặt", exact=True).click()
        expect(researcher.get_by_role("status").first).to_have_text("Đã đặt giờ máy.")


def look_at_the_desk(page: Page) -> None:
    """The plan of the case as its manager reads it, accessible in both themes."""
    mark = page.locator(".timeline svg.mark")
    expect(mark).to_have_count(1)
    expect(mark.locator("title")).to_have_text(f"#2 · {SESSION} T2 30/11/2026 · KC-01")
    # Six of the eight slots that are open.
    assert (mark.get_attribute("x"), mark.get_attribute("width")) == ("0.000%", "75.000%")
    for name, value in (("Phiên được xếp", "1"), ("Giá trị phương án", "600.000")):
        expect(page.locator(".stat", has_text=name).locator(".value")).to_have_text(value)
    left = page.locator("ul.left-out > li")
    expect(left).to_have_count(1)
    expect(left).to_contain_text("#1 1 × 2 giờ · Doanh nghiệp")
    expect(left.locator(".reason")).to_contain_text("dành N002 lúc 09:00 T2 30/11/2026 cho: #2")
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        assert (faults(page), overflow(page)) == ([], 0), theme


@pytest.mark.slow
def test_progress_moves_by_itself_and_a_run_without_a_plan_says_why(
    browser: Browser, site: str, house: Database
) -> None:
    with house.write() as db:
        closed = contested(db)
        # Leased in the transaction that queues it: the application's own runner does not take it.
        plan = plans.take(db, LATER, plan_id=round_of.queue(db, closed).id)
    assert plan is not None
    with window(browser, site) as page:
        enter(page, "manager")
        page.goto(f"/rounds/{closed.id}")
        shown = page.locator("#plan-progress")
        expect(shown).to_contain_text("Bộ giải bắt đầu tìm phương án đầu tiên.")
        # Of the five seconds it may take, one and then four are over: a fifth and four fifths of the bar.
        for placed, gap, seconds, share, says in (
            (0, 2.0, 1, "0.2", "Đã xếp 0 phiên, giây thứ 1 trên 5."),
            (1, 0.25, 4, "0.8", "Đã xếp 1 phiên, cách tối ưu không quá 25,0 %; 4 trên 5 giây."),
        ):
            with house.write() as db:
                told = f'{{"objective":1,"bound":2,"gap":{gap},"seconds":{seconds}.0,"placed":{placed}}}'
                assert plans.follow(db, plan, told, LATER)
            expect(shown).to_contain_text(says)
            expect(shown.locator("progress")).to_have_attribute("value", share)
        assert faults(page) == []
        with house.write() as db:
            plans.put_aside(db, plan, (Refusal(code="plan_none_found", params={"seconds": 5}),), LATER)
        expect(page.get_by_role("alert")).to_contain_text("Trong 5 giây không tìm được phương án nào")
        expect(shown).to_have_count(0)
        expect(page.get_by_role("button", name="Lập phương án")).to_be_visible()


# ---------------------------------------------------------------- the unhappy twin, over HTTP


def contested(db: Connection) -> Round:
    """The case, closed: the company is #1 and the researcher #2."""
    r = round_of.open_round(db)
    round_of.ask(db, r, COMPETITOR, **COMPANY_ASKS)
    round_of.ask(db, r, RESEARCHER, **RESEARCHER_ASKS)
    return round_of.close(db, r)


@pytest.fixture
def plan(house: Database) -> PlanRow:
    """The plan of the case, proposed."""
    with house.write() as db:
        return round_of.propose(db, contested(db))


def approved(house: Database, plan: PlanRow) -> None:
    with house.write() as db:
        round_of.approve(db, plan)


def steps(plan: PlanRow) -> list[tuple[str, dict[str, str]]]:
    """Every step that decides over a plan, as a form would send it: plan again, approve, publish."""
    r = f"/rounds/{plan.round_id}"
    return [
        (f"{r}/plan", {}),
        (f"{r}/plans/{plan.id}/approve", {"centre": "C-ONE", "plan_sha256": plan.plan_sha256}),
        (f"{r}/publish", {"plan_sha256": plan.plan_sha256}),
    ]


def stored(house: Database) -> list[Sequence[object]]:
    """All that a decision could change, so that a refused one can be shown to have changed nothing."""
    tables = (t.rounds, t.offers, t.time_requests, t.plans, t.approvals, t.bookings, t.due, t.audit)
    with house.read() as db:
        return [tuple(row) for table in tables for row in db.execute(sa.select(table))]


@pytest.mark.parametrize(("login", "status"), [("researcher", 403), ("partner", 403), (None, 401)])
def test_only_who_answers_for_the_centre_decides(
    client: Client, house: Database, plan: PlanRow, login: str | None, status: int
) -> None:
    if login:
        sign_in(client, login)
    before = stored(house)
    for url, form in steps(plan):
        assert send(client, url, form).status_code == status, url
    assert stored(house) == before
    # Publishing is no more theirs once every centre has approved.
    approved(house, plan)
    before = stored(house)
    url, form = steps(plan)[-1]
    assert send(client, url, form).status_code == status
    assert stored(house) == before


def test_nothing_is_published_before_every_centre_has_approved(client: Client, house: Database, plan: PlanRow) -> None:
    sign_in(client, "office")
    before = stored(house)
    url, form = steps(plan)[-1]
    answer = send(client, url, form)
    assert answer.status_code == 422
    assert "đang ở bước “Chờ duyệt”, chưa làm được việc này" in text_of(answer)
    assert stored(house) == before


def test_a_plan_that_was_replaced_is_neither_approved_nor_published(
    client: Client, house: Database, plan: PlanRow
) -> None:
    approved(house, plan)
    with house.write() as db:
        anew = round_of.propose(db, store.get(db, plan.round_id), seed=2)
    sign_in(client, "manager")
    before = stored(house)
    # The hash of the old plan, and the old plan under the hash of the new one.
    _, (approve, _), (publish, _) = steps(plan)
    for url, sha256 in ((approve, plan.plan_sha256), (approve, anew.plan_sha256), (publish, plan.plan_sha256)):
        answer = send(client, url, {"centre": "C-ONE", "plan_sha256": sha256})
        assert answer.status_code == 412
        assert "Phương án đã đổi kể từ lúc bạn xem" in text_of(answer)
    assert stored(house) == before


def test_a_clash_at_publication_names_instrument_and_time_and_changes_nothing(
    client: Client, house: Database, plan: PlanRow
) -> None:
    approved(house, plan)
    with house.write() as db:
        booking_store.add(db, [a_booking(XRD, span(0, 10, 11), person_id=COLLEAGUE, purpose="colleague's own")])
    sign_in(client, "office")
    before = stored(house)
    url, form = steps(plan)[-1]
    answer = send(client, url, form)
    assert answer.status_code == 409
    assert "Máy N002 đã có người đặt: 10:00–11:00 T2 30/11/2026." in text_of(answer)
    assert "colleague's own" not in answer.text
    assert stored(house) == before
    assert only_round(house).state is RoundState.APPROVED


@pytest.mark.parametrize("is_published", [False, True])
@pytest.mark.parametrize(
    ("login", "secrets"),
    [
        (None, ("Researcher", "Competitor", "KC-01", "DN-01", "ZnO films", "secret alloy")),
        # The company reads its own request and nothing of the one that was placed.
        ("competitor", ("Researcher", "KC-01", "ZnO films")),
    ],
)
def test_a_stranger_reads_no_name_and_no_project(
    client: Client, house: Database, plan: PlanRow, login: str | None, secrets: tuple[str, ...], is_published: bool
) -> None:
    approved(house, plan)
    if is_published:
        with house.write() as db:
            rounds.publish(db, actor(OFFICE), plan.round_id, plan_sha256=plan.plan_sha256, now=LATER)
    if login:
        sign_in(client, login)
    r, calendar = f"/rounds/{plan.round_id}", f"/instruments/N002?date={DAY}"
    for address in ("/rounds", r, calendar, f"/centres/C-ONE/board?date={DAY}"):
        answer = client.get(address)
        assert answer.status_code == 200, address
        assert [secret for secret in secrets if secret in answer.text] == [], address
    for address in (f"{r}/sessions", f"{r}/progress"):
        assert client.get(address).status_code == (404 if login else 401), address
    # There is something to hide: once published, the session stands on the calendar as somebody's.
    assert (f"{SESSION} Đã có người" in text_of(client.get(calendar))) is is_published
