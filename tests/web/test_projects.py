"""Projects over HTTP: proposed, verified, declined, shared; each with its unhappy twin."""

from __future__ import annotations

import re

from tests.furniture import COLLEAGUE, PUBLIC_PROJECT
from tests.web.conftest import Client, send, sign_in, text_of

PROPOSAL = {
    "code": "KC-77",
    "title": "Màng mỏng",
    "funding_line": "Nafosted",
    "access_class": "startup",
    "activity": "economic",
}


def propose(client: Client) -> str:
    """A project proposed by the researcher; returns its address."""
    sign_in(client, "researcher")
    answer = send(client, "/projects", PROPOSAL)
    assert answer.status_code == 303
    return str(answer.headers["location"])


def version(client: Client, url: str) -> str:
    return re.findall(r'name="version" value="(\d+)"', client.get(url).text)[0]


def test_a_proposal_waits_until_the_user_office_verifies_it(client: Client) -> None:
    url = propose(client)
    page = text_of(client.get(url))
    assert "Chờ xác minh" in page
    assert "Khởi nghiệp sáng tạo" in page
    sign_in(client, "office")
    seen = version(client, url)
    answer = send(client, f"{url}/verify", {"version": seen, "evidence": "Giấy chứng nhận 12", "expires": "2027-06-30"})
    assert (answer.status_code, answer.headers["location"]) == (303, url)
    page = text_of(client.get(url))
    assert "Đã xác minh dự án." in page
    assert "Giấy chứng nhận 12" in page
    # The last day is the one that was typed, although what is kept is the midnight after it.
    assert "30/06/2027" in page


def test_a_proposal_with_faults_comes_back_with_what_was_typed_and_every_reason(client: Client) -> None:
    sign_in(client, "researcher")
    answer = send(client, "/projects", PROPOSAL | {"code": "", "funding_line": " "})
    assert answer.status_code == 422
    assert answer.text.count('data-code="field_missing"') == 2
    assert 'value="Màng mỏng"' in answer.text
    assert 'value="startup" selected' in answer.text


def test_an_access_class_that_is_none_is_malformed(client: Client) -> None:
    sign_in(client, "researcher")
    answer = send(client, "/projects", PROPOSAL | {"access_class": "friends"})
    assert answer.status_code == 400
    assert "Nhóm sử dụng" in text_of(answer)


def test_a_code_that_is_taken_is_refused(client: Client) -> None:
    sign_in(client, "researcher")
    answer = send(client, "/projects", PROPOSAL | {"code": "KC-01"})
    assert answer.status_code == 422
    assert "Mã dự án KC-01 đã được dùng." in text_of(answer)


def test_a_verification_without_evidence_or_ahead_of_its_time_says_both(client: Client) -> None:
    url = propose(client)
    sign_in(client, "office")
    typed = {"version": version(client, url), "evidence": "", "expires": "2026-11-01"}
    answer = send(client, f"{url}/verify", typed)
    assert answer.status_code == 422
    assert 'data-code="evidence_missing"' in answer.text
    assert 'data-code="expiry_passed"' in answer.text
    assert 'value="2026-11-01"' in answer.text


def test_a_day_that_cannot_be_read_is_malformed(client: Client) -> None:
    url = propose(client)
    sign_in(client, "office")
    answer = send(client, f"{url}/verify", {"version": "1", "evidence": "x", "expires": "someday"})
    assert answer.status_code == 400


def test_a_decision_on_an_old_version_is_stale_and_changes_nothing(client: Client) -> None:
    url = propose(client)
    sign_in(client, "office")
    seen = version(client, url)
    assert send(client, f"{url}/decline", {"version": seen, "reason": "Chưa có hợp đồng"}).status_code == 303
    late = send(client, f"{url}/verify", {"version": seen, "evidence": "x", "expires": "2027-06-30"})
    assert late.status_code == 412
    page = text_of(client.get(url))
    assert "Bị từ chối" in page
    assert "Chưa có hợp đồng" in page


def test_who_may_not_propose_is_told_before_filling_the_form_in(client: Client) -> None:
    sign_in(client, "office")
    assert client.get("/projects/new").status_code == 403
    assert send(client, "/projects", PROPOSAL).status_code == 403


def test_only_the_user_office_verifies(client: Client) -> None:
    url = propose(client)
    typed = {"version": "1", "evidence": "x", "expires": "2027-06-30"}
    assert send(client, f"{url}/verify", typed).status_code == 403
    assert send(client, f"{url}/decline", {"version": "1", "reason": "x"}).status_code == 403
    sign_in(client, "competitor")
    assert send(client, f"{url}/verify", typed).status_code == 403


def test_a_strangers_project_is_not_there(client: Client) -> None:
    url = propose(client)
    sign_in(client, "competitor")
    assert client.get(url).status_code == 404
    assert "KC-77" not in client.get("/projects").text
    assert client.get("/projects/not-an-id").status_code == 404


def test_the_investigator_adds_and_removes_members(client: Client) -> None:
    url = propose(client)
    assert send(client, f"{url}/members", {"login": "colleague"}).status_code == 303
    assert "Colleague" in text_of(client.get(url))
    sign_in(client, "colleague")
    assert "KC-77" in client.get("/projects").text
    assert send(client, f"{url}/members", {"login": "manager"}).status_code == 403
    sign_in(client, "researcher")
    assert send(client, f"{url}/members/remove", {"person_id": str(COLLEAGUE)}).status_code == 303
    assert send(client, f"{url}/members/remove", {"person_id": str(COLLEAGUE)}).status_code == 404


def test_an_unknown_login_is_refused_with_what_was_typed(client: Client) -> None:
    sign_in(client, "researcher")
    answer = send(client, f"/projects/{PUBLIC_PROJECT}/members", {"login": "ghost"})
    assert answer.status_code == 422
    assert 'value="ghost"' in answer.text


def test_what_a_person_typed_is_shown_as_text(client: Client) -> None:
    sign_in(client, "researcher")
    answer = send(client, "/projects", PROPOSAL | {"title": "<script>alert(1)</script>"})
    page = client.get(answer.headers["location"])
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert" in page.text


def test_nobody_sees_projects_without_signing_in(client: Client) -> None:
    for path in ("/projects", "/projects/new", f"/projects/{PUBLIC_PROJECT}"):
        assert client.get(path).status_code == 401


def test_the_evidence_of_a_proposal_stands_before_the_office(client: Client) -> None:
    sign_in(client, "researcher")
    url = str(send(client, "/projects", PROPOSAL | {"evidence": "Quyết định 12"}).headers["location"])
    sign_in(client, "office")
    page = client.get(url)
    assert "Căn cứ Quyết định 12" in text_of(page)
    assert ">Quyết định 12</textarea>" in page.text


def test_an_agreement_that_does_not_name_the_organisation_is_refused(client: Client) -> None:
    sign_in(client, "researcher")
    answer = send(client, "/projects", PROPOSAL | {"agreement_id": "A-NONE"})
    assert answer.status_code == 422
    assert 'data-code="agreement_not_party"' in answer.text


def test_a_verification_that_ends_soon_is_told_to_its_investigator_and_the_office(client: Client) -> None:
    """The clock stands at 23 November 2026: the last day, 10 December, is 18 days ahead."""
    url = propose(client)
    sign_in(client, "office")
    seen = version(client, url)
    send(client, f"{url}/verify", {"version": seen, "evidence": "Giấy chứng nhận 12", "expires": "2026-12-10"})
    for login, told in (("office", True), ("researcher", True), ("colleague", False), ("manager", False)):
        sign_in(client, login)
        home = text_of(client.get("/"))
        assert ("Dự án cần rà soát" in home) is told, login
        assert ("xác minh đến hết 10/12/2026" in home) is told, login
    sign_in(client, "researcher")
    assert "Sắp đến hạn rà soát" in text_of(client.get(url))


def test_the_office_hands_a_project_over_and_others_may_not(client: Client) -> None:
    url = propose(client)
    sign_in(client, "researcher")
    assert send(client, f"{url}/hand-over", {"version": "1", "pi": "colleague"}).status_code == 403
    sign_in(client, "office")
    answer = send(client, f"{url}/hand-over", {"version": "1", "pi": "competitor"})
    assert answer.status_code == 422
    assert 'data-code="pi_elsewhere"' in answer.text
    assert client.post(f"{url}/hand-over", data={"version": "1", "pi": "colleague"}).status_code == 403
    assert send(client, f"{url}/hand-over", {"version": "1", "pi": "colleague"}).status_code == 303
    assert "Colleague" in text_of(client.get(url))
